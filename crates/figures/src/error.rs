//! What can go wrong while drawing.

use std::path::PathBuf;

/// An error of this crate; what makes no sense to draw is not an error but a skipped figure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FiguresError {
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The run store could not be read.
    #[error(transparent)]
    Record(#[from] record::RecordError),
    /// No run of the experiment is finished.
    #[error("no finished run of `{name}` in `{}`\nhint: train it first: `elbo sweep`", root.display())]
    NothingToDraw {
        /// The experiment's name.
        name: String,
        /// The results folder that was looked at.
        root: PathBuf,
    },
    /// A drawing library failed.
    #[error("cannot draw a figure: {0}\nhint: this is a bug of `figures`; please report it with the experiment's file")]
    Draw(String),
}
