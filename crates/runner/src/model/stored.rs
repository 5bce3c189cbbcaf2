//! A trained model of a run, and the images that it is given.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use data::{OwnImages, Shape};
use protocol::usage::ImageSource;
use record::{Array, ArrayName, Run, RunManifest, Status};

use crate::args::GivenArgs;
use crate::machine::Machine;
use crate::settings::Settings;
use crate::text;

/// A run that is done.
pub struct StoredModel<'a> {
    /// The run.
    pub run: Run,
    /// What it is.
    pub manifest: RunManifest,
    /// Where the run was found.
    pub settings: &'a Settings,
}

/// The images that an encoder is given, as they are asked for.
pub struct GivenImages {
    /// Where a worker finds them.
    pub source: ImageSource,
    /// A person's own.
    pub own: Option<OwnImages>,
}

impl StoredModel<'_> {
    /// The model of a run.
    ///
    /// # Errors
    /// If there is no such run, or it is not done.
    pub fn find<'a>(settings: &'a Settings, run: &str) -> Result<StoredModel<'a>> {
        let run = settings.store()?.find(run)?;
        let (manifest, status) = (run.manifest()?, run.status()?);
        if status != Status::Done {
            let remark = text::remark(&status);
            let remark = if remark.is_empty() { String::new() } else { format!(", {remark}") };
            let hint = match status {
                Status::Running { .. } => "wait until it is done; `elbo list --status running` shows how far it is",
                Status::Failed { .. } => "`elbo sweep --retry-failed` of its experiment tries it again",
                Status::New | Status::Resumable { .. } | Status::Done => "`elbo sweep` its experiment first",
            };
            bail!("run `{}` has no trained model: it is {}{remark}\nhint: {hint}", manifest.name, status.word());
        }
        Ok(StoredModel { run, manifest, settings })
    }

    /// The shape of an image; `n` is 0.
    ///
    /// # Errors
    /// If the run's arrays cannot be read.
    pub fn image_shape(&self) -> Result<Shape> {
        match self.run.arrays()?.get(ArrayName::Samples).map(|samples| &samples.shape[..]) {
            Some(&[_, channels, height, width]) => Ok(Shape { n: 0, channels, height, width }),
            _ => Err(anyhow!("`{}` holds no images", self.run.arrays_file().display())),
        }
    }

    /// The width of the latent space.
    ///
    /// # Errors
    /// If the model has none.
    pub fn latent_dim(&self) -> Result<usize> {
        let model = &self.manifest.cell.model;
        if model.latent_space().is_none() {
            bail!(
                "the model of `{}` is a Gaussian mixture over pixels, which has no latents\nhint: `elbo sample` draws from it",
                self.manifest.name
            );
        }
        Ok(model.latent_dim)
    }

    /// Points of the model's latent space as a worker takes them, `[n, latent_dim]`.
    ///
    /// # Errors
    /// If the model has no latents, or another number of them.
    pub fn latents(&self, points: &[Vec<f32>]) -> Result<Array> {
        let width = self.latent_dim()?;
        if let Some(point) = points.iter().find(|point| point.len() != width) {
            bail!(
                "{} coordinate{} given, and the latents of `{}` have {width}\nhint: give all of them, separated by commas, \
                 as in `--z {}`",
                point.len(),
                if point.len() == 1 { " is" } else { "s are" },
                self.manifest.name,
                vec!["0"; width].join(",")
            );
        }
        Ok(Array::new(vec![points.len(), width], points.concat())?)
    }

    /// Refuses more images than fit into half of the free memory, which the system would otherwise kill for; the hint is made of
    /// how many would.
    ///
    /// # Errors
    /// If these are more.
    pub fn check_memory(&self, count: usize, hint: impl Fn(usize) -> String) -> Result<()> {
        // Single precision, four times: as the decoder makes them, put together, as numbers, and as the bytes of a file.
        const BYTES_PER_PIXEL: u64 = 4 * 4;
        let Some(free) = Machine::here().free_memory else { return Ok(()) };
        let image = self.image_shape()?.n_pixels() as u64 * BYTES_PER_PIXEL;
        let most = usize::try_from(free / 2 / image.max(1)).unwrap_or(usize::MAX).max(1);
        if count > most {
            bail!("{count} images at once do not fit into the free memory\nhint: {}", hint(most));
        }
        Ok(())
    }

    /// Reads a person's own images as the model takes them.
    ///
    /// # Errors
    /// As [`StoredModel::images`].
    pub fn own(&self, paths: &[PathBuf]) -> Result<OwnImages> {
        Ok(data::read_images(paths, self.image_shape()?, &self.manifest.cell.dataset)?)
    }

    /// Reads the images that are asked for, unless they are the worker's to read.
    ///
    /// # Errors
    /// If one is not there, cannot be read, or does not fit the model.
    pub fn images(&self, args: &GivenArgs) -> Result<GivenImages> {
        match args.test {
            Some(n) => Ok(GivenImages { source: ImageSource::Test(n), own: None }),
            None if args.images.is_empty() => {
                bail!(
                    "there are no images to work on\nhint: name PNG or JPEG files or folders of them, or use test images: `--test 20`"
                )
            }
            None => {
                let own = self.own(&args.images)?;
                Ok(GivenImages { source: ImageSource::File, own: Some(own) })
            }
        }
    }
}
