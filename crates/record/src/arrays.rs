//! `arrays.h5`: the images and latents that figures are drawn from; the one module that knows HDF5.
//!
//! Every dataset is `float32`, but for `labels`, in C order, compressed by gzip and protected by a checksum. It has the
//! attributes `dimensions` (the names of its axes) and `description`; the file has `format_version` and `run_id`.
//!
//! | dataset | shape | values |
//! |---|---|---|
//! | `originals` | `[n, channels, height, width]` | test images, 1.0 = white |
//! | `reconstructions` | `[n, channels, height, width]` | decoder means of the originals' posterior means |
//! | `decoder_samples` | `[n, channels, height, width]` | a sample of p(x\|z) at the z of each of `reconstructions` |
//! | `corrupted` | `[n, channels, height, width]` | the originals, corrupted as in training |
//! | `denoised` | `[n, channels, height, width]` | reconstructions of `corrupted` |
//! | `samples` | `[m, channels, height, width]` | decoder means of z from the prior, seeded |
//! | `samples_aggregate` | `[a, channels, height, width]` | decoder means of z ~ q(z\|x) of random training images x: the aggregate posterior |
//! | `samples_mixture` | `[b, channels, height, width]` | decoder means of z from a mixture of 10 Gaussians fitted to the latent means of training images |
//! | `manifold` | `[g, g, channels, height, width]` | decoder means on a grid of z; for two latent dimensions only |
//! | `interpolation_linear` | `[pairs, steps, channels, height, width]` | decoder means along straight lines between the latents of two test images |
//! | `interpolation_spherical` | `[pairs, steps, channels, height, width]` | the same along great arcs |
//! | `latent_mean` | `[t, latent_dim]` | posterior means of test images |
//! | `latent_log_variance` | `[t, latent_dim]` | logarithms of the posterior variances of the same images |
//! | `labels` | `[t]`, `uint8` | classes of the same images, where the data has them |
//!
//! Every file has `samples`; the others are there where the model has such a thing: a GAN has no encoder, hence neither
//! reconstructions nor latents; an autoencoder has no variances. An autoencoder has no prior either; its `samples` are of
//! z from N(0, I) all the same, which shows the holes of its latent space. Latents that are bits have no great arcs, and no
//! Gaussian mixture.
//!
//! Decoder means are stored as they are and clamped to 0…1 only when drawn: those of a Gaussian may lie outside.

use std::path::Path;

use hdf5::types::{FloatSize, IntSize, TypeDescriptor, VarLenUnicode};
use spec::RunId;

use crate::error::RecordError;
use crate::files;
use crate::format::FormatVersion;

/// Deflate never shrinks by more than this, so that a larger dataset than that is a damaged one.
const DEFLATE_LIMIT: u64 = 1100;
/// About how many values a chunk of a dataset has.
const CHUNK_VALUES: usize = 1 << 16;

/// An array in C order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Array {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// As many values as the product of `shape`; the last axis is the fastest.
    pub values: Vec<f32>,
}

impl Array {
    /// An array of this shape.
    ///
    /// # Errors
    /// If there are more or fewer values than the shape holds.
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Result<Array, RecordError> {
        if n_values(&shape) != Some(values.len()) {
            return Err(RecordError::refused(
                format!("{} values were given for an array of shape {shape:?}", values.len()),
                "this is a bug of the caller",
            ));
        }
        Ok(Array { shape, values })
    }
}

/// The images and latents that figures are drawn from; the module's table says what each is. `None` where the model has
/// no such thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrays {
    /// Test images, 1.0 = white; `[n, channels, height, width]`.
    pub originals: Option<Array>,
    /// Decoder means of the originals' posterior means; `[n, channels, height, width]`.
    pub reconstructions: Option<Array>,
    /// A sample of p(x|z) at the z of each of `reconstructions`; `[n, channels, height, width]`.
    pub decoder_samples: Option<Array>,
    /// The originals, corrupted as in training; `[n, channels, height, width]`.
    pub corrupted: Option<Array>,
    /// Reconstructions of `corrupted`; `[n, channels, height, width]`.
    pub denoised: Option<Array>,
    /// Decoder means of z from the prior, seeded; `[m, channels, height, width]`.
    pub samples: Array,
    /// Decoder means of z ~ q(z|x) of training images x drawn at random; `[a, channels, height, width]`.
    pub samples_aggregate: Option<Array>,
    /// Decoder means of z from a Gaussian mixture fitted to latent means; `[b, channels, height, width]`.
    pub samples_mixture: Option<Array>,
    /// Decoder means on a grid of z; `[g, g, channels, height, width]`; `None` unless there are two latent dimensions.
    pub manifold: Option<Array>,
    /// Decoder means along straight lines between the latents of two test images, ends included;
    /// `[pairs, steps, channels, height, width]`.
    pub interpolation_linear: Option<Array>,
    /// As `interpolation_linear`, for the same pairs and steps, along great arcs.
    pub interpolation_spherical: Option<Array>,
    /// Posterior means of test images; `[t, latent_dim]`.
    pub latent_mean: Option<Array>,
    /// Logarithms of the posterior variances of the same images; `[t, latent_dim]`.
    pub latent_log_variance: Option<Array>,
    /// Classes of the same images; `[t]`.
    pub labels: Option<Vec<u8>>,
}

/// A dataset of `float32`: its name, the names of its axes, and what it holds.
struct Dataset {
    name: &'static str,
    dimensions: &'static str,
    description: &'static str,
}

/// All but `labels`, in the order of [`Arrays::floats`].
const DATASETS: [Dataset; 13] = {
    const fn dataset(name: &'static str, dimensions: &'static str, description: &'static str) -> Dataset {
        Dataset { name, dimensions, description }
    }
    const N: &str = "n, channels, height, width";
    const PAIRS: &str = "pairs, steps, channels, height, width";
    [
        dataset("originals", N, "test images, 1.0 = white"),
        dataset("reconstructions", N, "decoder means of the originals' posterior means, not clamped"),
        dataset("decoder_samples", N, "a sample of p(x|z) at the z of each of reconstructions, not clamped"),
        dataset("corrupted", N, "the originals, corrupted as in training, not clamped"),
        dataset("denoised", N, "reconstructions of corrupted, not clamped"),
        dataset("samples", "m, channels, height, width", "decoder means of z from the prior, seeded, not clamped"),
        dataset(
            "samples_aggregate",
            "a, channels, height, width",
            "decoder means of z ~ q(z|x) of training images x drawn at random, not clamped",
        ),
        dataset(
            "samples_mixture",
            "b, channels, height, width",
            "decoder means of z from a Gaussian mixture fitted to latent means, not clamped",
        ),
        dataset("manifold", "g, g, channels, height, width", "decoder means on a grid of z, not clamped"),
        dataset("interpolation_linear", PAIRS, "decoder means along straight lines between latents, not clamped"),
        dataset("interpolation_spherical", PAIRS, "decoder means along great arcs between latents, not clamped"),
        dataset("latent_mean", "t, latent_dim", "posterior means of test images"),
        dataset(
            "latent_log_variance",
            "t, latent_dim",
            "logarithms of the posterior variances of the images of latent_mean",
        ),
    ]
};

impl Arrays {
    /// The arrays of [`DATASETS`], in that order.
    fn floats(&self) -> [Option<&Array>; DATASETS.len()] {
        [
            self.originals.as_ref(),
            self.reconstructions.as_ref(),
            self.decoder_samples.as_ref(),
            self.corrupted.as_ref(),
            self.denoised.as_ref(),
            Some(&self.samples),
            self.samples_aggregate.as_ref(),
            self.samples_mixture.as_ref(),
            self.manifold.as_ref(),
            self.interpolation_linear.as_ref(),
            self.interpolation_spherical.as_ref(),
            self.latent_mean.as_ref(),
            self.latent_log_variance.as_ref(),
        ]
    }

    /// Checks that shapes agree with each other.
    fn check(&self) -> Result<(), String> {
        let size = |shape: &[usize]| shape.len().checked_sub(3).map(|start| shape[start..].to_vec());
        for (Dataset { name, dimensions, .. }, array) in DATASETS.iter().zip(self.floats()) {
            let Some(Array { shape, values }) = array else { continue };
            let n_axes = dimensions.split(", ").count();
            if shape.len() != n_axes {
                return Err(format!("`{name}` has the shape {shape:?}, which are not {n_axes} axes"));
            }
            if n_values(shape) != Some(values.len()) {
                return Err(format!("`{name}` has {} values for the shape {shape:?}", values.len()));
            }
            if n_axes >= 4 && size(shape) != size(&self.samples.shape) {
                return Err(format!("`{name}` has the shape {shape:?}, `samples` {:?}", self.samples.shape));
            }
        }
        let belong = [
            ("reconstructions", &self.reconstructions, "originals", &self.originals),
            ("decoder_samples", &self.decoder_samples, "reconstructions", &self.reconstructions),
            ("corrupted", &self.corrupted, "originals", &self.originals),
            ("denoised", &self.denoised, "corrupted", &self.corrupted),
            ("latent_log_variance", &self.latent_log_variance, "latent_mean", &self.latent_mean),
        ];
        for (name, array, other_name, other) in belong {
            match (array, other) {
                (Some(_), None) => return Err(format!("there is `{name}` without `{other_name}`")),
                (Some(array), Some(other)) if array.shape != other.shape => {
                    return Err(format!("`{name}` and `{other_name}` differ in shape"));
                }
                _ => {}
            }
        }
        if let (Some(linear), Some(spherical)) = (&self.interpolation_linear, &self.interpolation_spherical)
            && linear.shape != spherical.shape
        {
            return Err("`interpolation_linear` and `interpolation_spherical` differ in shape".to_owned());
        }
        if self.manifold.as_ref().is_some_and(|manifold| manifold.shape[0] != manifold.shape[1]) {
            return Err("the grid of `manifold` is not square".to_owned());
        }
        let n_latents = self.latent_mean.as_ref().map_or(0, |latents| latents.shape[0]);
        match &self.labels {
            Some(labels) if labels.len() != n_latents => {
                Err(format!("{} labels were given for {n_latents} latents", labels.len()))
            }
            _ => Ok(()),
        }
    }

    /// Writes the file, atomically.
    pub(crate) fn write(&self, path: &Path, run: &RunId) -> Result<(), RecordError> {
        self.check().map_err(|reason| RecordError::Write { path: path.to_owned(), cause: reason.into() })?;
        files::write_atomically(path, |temporary| self.write_hdf5(temporary, run))
    }

    fn write_hdf5(&self, path: &Path, run: &RunId) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        // The format of HDF5 1.10 protects its metadata by checksums, as the filter below does the values.
        let file = hdf5::FileBuilder::new().with_fapl(|access| access.libver_v110()).create(path)?;
        text_attribute(&file, "format_version", &FormatVersion::CURRENT.to_string())?;
        text_attribute(&file, "run_id", run.as_ref())?;
        for (Dataset { name, dimensions, description }, array) in DATASETS.iter().zip(self.floats()) {
            if let Some(Array { shape, values }) = array {
                write_dataset(&file, name, shape, values, dimensions, description)?;
            }
        }
        if let Some(labels) = &self.labels {
            write_dataset(&file, "labels", &[labels.len()], labels, "t", "classes of the images of latent_mean")?;
        }
        file.close()?;
        Ok(())
    }

    /// Reads the file.
    ///
    /// # Errors
    /// If it is missing, damaged, of a newer major version, or lacks `samples`.
    pub fn read(path: &Path) -> Result<Arrays, RecordError> {
        let size = fs_err::File::open(path)?.metadata()?.len();
        let damaged = |reason: String| RecordError::damaged(path, reason);
        if size == 0 {
            return Err(damaged("it is empty".to_owned()));
        }
        let file = hdf5::File::open(path).map_err(|error| match fs_err::metadata(path) {
            Ok(_) => damaged(short(&error)),
            // The run was removed between the two looks.
            Err(gone) => gone.into(),
        })?;
        let version = file
            .attr("format_version")
            .and_then(|attribute| attribute.read_scalar::<VarLenUnicode>())
            .map_err(|error| damaged(format!("it has no `format_version`: {}", short(&error))))?;
        RecordError::refuse_newer(path, FormatVersion::try_from(version.as_str().to_owned()).map_err(damaged)?)?;
        let float = |name: &str| -> Result<Array, RecordError> {
            let (shape, values) =
                read_dataset(&file, name, TypeDescriptor::Float(FloatSize::U4), size).map_err(damaged)?;
            Ok(Array { shape, values })
        };
        let optional = |name: &str| file.link_exists(name).then(|| float(name)).transpose();
        let arrays = Arrays {
            originals: optional("originals")?,
            reconstructions: optional("reconstructions")?,
            decoder_samples: optional("decoder_samples")?,
            corrupted: optional("corrupted")?,
            denoised: optional("denoised")?,
            samples: float("samples")?,
            samples_aggregate: optional("samples_aggregate")?,
            samples_mixture: optional("samples_mixture")?,
            manifold: optional("manifold")?,
            interpolation_linear: optional("interpolation_linear")?,
            interpolation_spherical: optional("interpolation_spherical")?,
            latent_mean: optional("latent_mean")?,
            latent_log_variance: optional("latent_log_variance")?,
            labels: match file.link_exists("labels") {
                true => {
                    let (shape, values) =
                        read_dataset(&file, "labels", TypeDescriptor::Unsigned(IntSize::U1), size).map_err(damaged)?;
                    if shape.len() != 1 {
                        return Err(damaged(format!("`labels` has the shape {shape:?}, which is not one axis")));
                    }
                    Some(values)
                }
                false => None,
            },
        };
        arrays.check().map_err(damaged)?;
        Ok(arrays)
    }
}

fn text_attribute(
    location: &hdf5::Location,
    name: &str,
    text: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let text: VarLenUnicode = text.parse()?;
    location.new_attr::<VarLenUnicode>().create(name)?.write_scalar(&text)?;
    Ok(())
}

fn write_dataset<T: hdf5::H5Type>(
    file: &hdf5::File,
    name: &str,
    shape: &[usize],
    values: &[T],
    dimensions: &str,
    description: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut builder = file.new_dataset::<T>().obj_track_times(false);
    // An array without values can have no chunks.
    if !values.is_empty() {
        let per_row = values.len() / shape[0];
        let mut chunk = shape.to_vec();
        chunk[0] = (CHUNK_VALUES / per_row.max(1)).clamp(1, shape[0]);
        builder = builder.chunk(chunk).shuffle().deflate(4).fletcher32();
    }
    let dataset = builder.shape(shape.to_vec()).create(name)?;
    dataset.write_raw(values)?;
    text_attribute(&dataset, "dimensions", dimensions)?;
    text_attribute(&dataset, "description", description)
}

/// Shape and values of a dataset of exactly this type, in a file of `file_size` bytes.
fn read_dataset<T: hdf5::H5Type>(
    file: &hdf5::File,
    name: &str,
    wanted: TypeDescriptor,
    file_size: u64,
) -> Result<(Vec<usize>, Vec<T>), String> {
    let failed = |error: hdf5::Error| format!("cannot read its dataset `{name}`: {}", short(&error));
    let dataset = file.dataset(name).map_err(failed)?;
    let found = dataset.dtype().and_then(|dtype| dtype.to_descriptor()).map_err(failed)?;
    if found != wanted {
        return Err(format!("its dataset `{name}` is of type {found}, not {wanted}"));
    }
    let shape = dataset.get_shape().map_err(failed)?;
    let limit = file_size.saturating_mul(DEFLATE_LIMIT);
    match n_values(&shape) {
        Some(n) if n as u64 <= limit => {}
        _ => return Err(format!("its dataset `{name}` claims the shape {shape:?}, more than the file can hold")),
    }
    let values = dataset.read_raw::<T>().map_err(failed)?;
    Ok((shape, values))
}

/// The product of a shape, unless it overflows.
fn n_values(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length))
}

fn short(error: &hdf5::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
