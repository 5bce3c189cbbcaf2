//! Has a worker use a trained model; images go to it and the answer comes back as files in a folder.

use std::path::PathBuf;

use anyhow::{Context, Result};
use data::{OwnImages, Shape};
use protocol::usage::{LATENTS, ORIGINALS, Operation};
use protocol::{Task, Usage};
use record::{Array, npy};

use crate::model::stored::StoredModel;
use crate::worker::{Conclusion, Launcher, run_single, threads_of};

/// How a worker's use of a model ended, when no error stopped it.
pub enum UseOutcome {
    /// The answer is there.
    Answered(Answer),
    /// This signal ended it.
    Stopped(u8),
}

/// What a worker is handed beside what it is asked for.
#[derive(Clone, Copy)]
pub enum Given<'a> {
    /// Nothing.
    Nothing,
    /// A person's own images.
    Images(&'a OwnImages),
    /// Latents, `[n, latent_dim]`.
    Latents(&'a Array),
}

impl<'a> Given<'a> {
    /// A person's own images, where there are some.
    pub fn own(images: Option<&'a OwnImages>) -> Given<'a> {
        images.map_or(Given::Nothing, Given::Images)
    }
}

/// The files of an answer; removed when dropped.
pub struct Answer {
    folder: Folder,
}

impl StoredModel<'_> {
    /// Has a worker do something with the model.
    ///
    /// # Errors
    /// If there is no worker, or it fails, with what it said.
    pub fn perform(&self, operation: Operation, given: Given<'_>) -> Result<UseOutcome> {
        // What is asked for is little beside the start of libtorch.
        let (launcher, threads) = (Launcher::new(self.settings, spec::Device::Cpu)?, threads_of(1, false));
        let Shape { channels, height, width, .. } = self.image_shape()?;
        let folder = Folder::new()?;
        match given {
            Given::Nothing => {}
            Given::Images(own) => {
                let values = own.images.pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
                let array = Array::new(vec![own.images.shape.n, channels, height, width], values)?;
                fs_err::write(folder.path.join(ORIGINALS), npy::to_bytes(&array))?;
            }
            Given::Latents(latents) => fs_err::write(folder.path.join(LATENTS), npy::to_bytes(latents))?,
        }
        let usage = Usage {
            run: self.run.id().clone(),
            folder: folder.path.clone(),
            image: [channels, height, width],
            operation,
        };
        Ok(match run_single(launcher, Task::Use(usage), vec![self.manifest.cell.clone()], threads)? {
            Conclusion::Done { .. } => UseOutcome::Answered(Answer { folder }),
            Conclusion::Stopped(signal) => UseOutcome::Stopped(signal),
        })
    }
}

impl Answer {
    /// An array of the answer.
    ///
    /// # Errors
    /// If it is not there.
    pub fn array(&self, name: &str) -> Result<Array> {
        npy::read(&self.folder.path.join(name)).context("elbo-train has not written what it was asked for")
    }

    /// An array that not every model has.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn optional(&self, name: &str) -> Result<Option<Array>> {
        self.folder.path.join(name).exists().then(|| self.array(name)).transpose()
    }
}

/// A folder of this process alone for what goes to and fro; removed when dropped.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Folder> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::path::absolute(std::env::temp_dir().join(format!("elbo-{}", std::process::id())))?;
        // A folder of this name is of a process that was killed; the new one is readable by its owner alone.
        let _ = fs_err::remove_dir_all(&path);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| {
            format!("cannot make the folder `{}`\nhint: set TMPDIR to another place", path.display())
        })?;
        Ok(Folder { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.path);
    }
}
