//! Images are looked at before anything is trained: what cannot be read then is told once, for all cells at once.

use std::path::PathBuf;

use spec::known::Origin;
use spec::{Dataset, ImageShape, Pixels, Source};

use crate::download::{Fetcher, Progress};
use crate::error::DataError;
use crate::folders::Folders;
use crate::known::PublishedSet;
use crate::load_with;

/// What a look at a dataset found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// All of it can be read; its images have this shape.
    Ready(ImageShape),
    /// It is not here, and would be downloaded.
    ToFetch {
        /// The folder that holds some of its files, if one does.
        partly: Option<PathBuf>,
        /// The files that are not there, nor anywhere else; none where files of these names are another dataset's.
        files: Vec<String>,
        /// The folders that they were looked for in.
        searched: Vec<PathBuf>,
        /// The address that they would come from.
        from: String,
    },
}

/// Reads all of a dataset as training would, and forgets it. What is drawn in the program itself cannot be damaged, and is not
/// drawn for this. With a `fetcher`, what is not here is downloaded first.
///
/// # Errors
/// As [`crate::load`].
pub fn check(
    dataset: &Dataset,
    folders: &Folders,
    fetcher: Option<&Fetcher>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Readiness, DataError> {
    if let Source::Known(known) = &dataset.name {
        match &known.origin {
            Origin::Drawn => return Ok(Readiness::Ready(known.image)),
            Origin::Published(published) => {
                let set = PublishedSet { known, published };
                if fetcher.is_none() && set.find(folders).is_none() {
                    let (partly, files) = set.missing(folders);
                    let from = published.mirrors.first().copied().unwrap_or_default().to_owned();
                    return Ok(Readiness::ToFetch { partly, files, searched: set.searched(folders), from });
                }
            }
        }
    }
    // Drawing binary pixels takes time, and nothing can go wrong with it.
    let gray = Dataset { pixels: Pixels::Gray, ..dataset.clone() };
    let default = Fetcher::default();
    Ok(Readiness::Ready(load_with(&gray, folders, fetcher.unwrap_or(&default), progress)?.train.shape.image()))
}
