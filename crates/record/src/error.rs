//! What can go wrong with a stored run, each message with the file it is about and a hint.

use std::path::{Path, PathBuf};

use spec::{RunId, Split};

use crate::format::FormatVersion;

/// An error of the run store.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refused; the message names the path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A file is there but does not hold what it should.
    #[error("cannot read `{}`: {reason}\nhint: {hint}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do about it.
        hint: String,
    },
    /// A file that should hold tensors is cut short or of another format.
    #[error("cannot read `{}` as safetensors: {reason}", path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file was written by a later version of this program.
    #[error(
        "`{}` has format version {found}, this program reads up to {known}\nhint: update elbo to read it, or read it with the elbo that wrote it (run.json names its commit)",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: FormatVersion,
        /// The version of this program.
        known: FormatVersion,
    },
    /// A file holds what only a later version of this program can have written.
    #[error(
        "`{}` has the {what} `{name}`, which this elbo does not know\nhint: update elbo to read it, or read it with the elbo that wrote it (run.json names its commit)",
        path.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What kind of thing it is, such as `metric`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A file could not be written.
    #[error("cannot write `{}`: {cause}", path.display())]
    Write {
        /// The file or folder that was to be written.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process writes this run.
    #[error("run `{run}` is being written by {}\nhint: wait for it, or end that process", writer(*pid))]
    Locked {
        /// The run.
        run: RunId,
        /// The process that holds the lock, where it is known.
        pid: Option<u32>,
    },
    /// The run is complete and is not trained again.
    #[error("run `{run}` is done already\nhint: remove `{}` to train it anew", folder.display())]
    AlreadyDone {
        /// The run.
        run: RunId,
        /// Its folder.
        folder: PathBuf,
    },
    /// There is no such run in the store.
    #[error("there is no run `{run}` in `{}`\nhint: `elbo list` shows the runs there are", store.display())]
    NoSuchRun {
        /// What was asked for.
        run: String,
        /// The store's folder.
        store: PathBuf,
    },
    /// A quantity that was to be recorded is NaN or infinite.
    #[error(
        "`{quantity}` is {value} on the {split} split at epoch {epoch}, step {step}\nhint: lower the learning rate, or look at the images for values outside 0…1"
    )]
    NotFinite {
        /// The column.
        quantity: &'static str,
        /// The value.
        value: f64,
        /// The split it was measured on.
        split: Split,
        /// Epochs completed.
        epoch: u32,
        /// Optimizer steps taken.
        step: u64,
    },
    /// The caller asked for something that makes no sense.
    #[error("{reason}\nhint: {hint}")]
    Refused {
        /// What was refused.
        reason: String,
        /// What to do instead.
        hint: String,
    },
}

fn writer(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

impl RecordError {
    /// A damaged file that belongs to a run.
    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> RecordError {
        RecordError::Damaged {
            path: path.to_owned(),
            reason: reason.into(),
            hint: "remove the run's folder and train the run anew, or restore the file from a copy".to_owned(),
        }
    }

    /// # Errors
    /// [`RecordError::NewerFormat`] if the version found in `path` has a newer major than this program's.
    pub(crate) fn refuse_newer(path: &Path, found: FormatVersion) -> Result<(), RecordError> {
        if found.major > FormatVersion::CURRENT.major {
            return Err(RecordError::NewerFormat { path: path.to_owned(), found, known: FormatVersion::CURRENT });
        }
        Ok(())
    }

    /// A request that makes no sense.
    pub(crate) fn refused(reason: impl Into<String>, hint: impl Into<String>) -> RecordError {
        RecordError::Refused { reason: reason.into(), hint: hint.into() }
    }

    /// Whether the file was simply not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, RecordError::Io(error) if error.kind() == std::io::ErrorKind::NotFound)
    }
}
