//! What can go wrong with images, each with what to do about it.

use std::path::{Path, PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder that cannot be read or written; the message names it.
    #[error("{0}\nhint: check that the path exists, that it may be accessed, and that the disk is not full")]
    Io(#[from] std::io::Error),

    /// A file or folder that was read and is not what it should be.
    #[error("`{}`: {problem}\nhint: {hint}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        hint: String,
    },

    /// A file that registers a dataset and cannot be read as such.
    #[error(transparent)]
    Registered(#[from] spec::SpecError),

    /// A setting that does not fit the images.
    #[error("{problem}\nhint: {hint}")]
    Setting {
        /// What is wrong.
        problem: String,
        /// What to do.
        hint: String,
    },

    /// A download that no mirror could serve.
    #[error("cannot download `{file}` of `{dataset}`\n{}\nhint: {hint}", attempts.join("\n"))]
    Download {
        /// The dataset's name.
        dataset: String,
        /// The file's name.
        file: String,
        /// One line per attempt: where from, and why not.
        attempts: Vec<String>,
        /// What to do.
        hint: String,
    },

    /// The environment names no home, so that there is nowhere to keep prepared data.
    #[error(
        "no cache folder is known: neither `XDG_CACHE_HOME` nor `HOME` is set\nhint: set `XDG_CACHE_HOME` to a folder that may be written to"
    )]
    NoCacheFolder,
}

impl DataError {
    /// A file or folder that is not what it should be.
    pub(crate) fn file(path: &Path, problem: impl Into<String>, hint: impl Into<String>) -> DataError {
        DataError::File { path: path.to_path_buf(), problem: problem.into(), hint: hint.into() }
    }

    /// A setting that does not fit the images.
    pub(crate) fn setting(problem: impl Into<String>, hint: impl Into<String>) -> DataError {
        DataError::Setting { problem: problem.into(), hint: hint.into() }
    }
}
