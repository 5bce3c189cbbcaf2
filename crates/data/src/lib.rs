//! Images with labels and factors, from any source: embedded, downloaded or the user's own.

mod amat;
mod cache;
mod catalogue;
mod check;
mod download;
mod error;
mod files;
mod folders;
pub mod glyphs;
mod guess;
mod idx;
mod images;
mod known;
mod neighbours;
pub mod noise;
mod own;
mod sheet;
mod split;

pub use catalogue::{ClassCount, DatasetInfo, FactorInfo, Info, Prepared, SplitInfo, info, list, prepare};
pub use check::{Readiness, check};
pub use download::{Fetcher, Progress};
pub use error::DataError;
pub use folders::Folders;
pub use guess::guess;
pub use images::{Factors, Images, Shape, Splits, gray_bce_floor};
pub use noise::binarise;
pub use own::{OwnImages, read_images};
pub use sheet::{animation, sheet};

use known::PublishedSet;
use spec::known::Origin;
use spec::{ImageShape, Source};
use split::{Parts, Wanted};

/// Loads a dataset as an experiment names it, making or downloading it first where it is not here yet.
///
/// With `pixels: static`, all splits are drawn already. With `pixels: dynamic`, training images are left gray, for
/// [`binarise`] to draw every epoch, and the evaluated splits are drawn as for `static`.
///
/// # Errors
/// When the source is missing or damaged, cannot be downloaded, or has fewer images than are asked for.
pub fn load(dataset: &spec::Dataset, folders: &Folders) -> Result<Splits, DataError> {
    load_with(dataset, folders, &Fetcher::default(), &mut |_| ())
}

/// As [`load`], with settings for downloads and a closure that is told of what takes long.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    dataset: &spec::Dataset,
    folders: &Folders,
    fetcher: &Fetcher,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Splits, DataError> {
    let wanted = Wanted::of(dataset);
    let parts = read(dataset, &wanted, folders, fetcher, progress)?;
    split::finish(parts, dataset)
}

/// The images of a source, before any are held out for validation or drawn.
fn read(
    dataset: &spec::Dataset,
    wanted: &Wanted,
    folders: &Folders,
    fetcher: &Fetcher,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Parts, DataError> {
    Ok(match &dataset.name {
        Source::Known(known) => match &known.origin {
            Origin::Drawn => {
                Parts { class_names: classes_of(known), ..cache::glyphs(folders, wanted, progress)?.into() }
            }
            Origin::Published(published) => {
                fetcher.load(PublishedSet { known, published }, folders, wanted, progress)?
            }
        },
        Source::Own(own) => {
            let found = own::find(own, dataset, folders)?;
            own::read(&found, dataset.digest.as_deref(), wanted, folders, progress)?
        }
    })
}

/// Names of a known dataset's classes.
pub(crate) fn classes_of(known: &spec::KnownDataset) -> Vec<String> {
    known.classes.iter().map(|&name| name.to_owned()).collect()
}

/// What images of the user's own are known by, wherever they lie; `None` for a known dataset, whose images are pinned.
///
/// They are read once: what was found is remembered in the cache folder until one of their files changes.
///
/// # Errors
/// As [`load`].
pub fn identify(
    dataset: &spec::Dataset,
    folders: &Folders,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Option<spec::Identity>, DataError> {
    let Some(own) = dataset.name.own() else { return Ok(None) };
    let facts = own::identify(&own::find(own, dataset, folders)?, folders, progress)?;
    Ok(Some(spec::Identity { digest: facts.digest, is_binary: facts.is_binary }))
}

/// The shape of a dataset's training images before any are held out for validation, without reading the images: of a
/// known dataset all of them, of the user's own those that are asked for. These are told by headers, in a folder by
/// that of the first image.
///
/// # Errors
/// When the source is missing, has no header that can be read, or has fewer images than are asked for.
pub fn shape(dataset: &spec::Dataset, folders: &Folders) -> Result<Shape, DataError> {
    let (shape, has_test_split) = match &dataset.name {
        Source::Known(known) => {
            let ImageShape { channels, height, width } = known.image;
            return Ok(Shape { n: known.n_train, channels, height, width });
        }
        Source::Own(own) => own::shape(&own::find(own, dataset, folders)?)?,
    };
    let n = if has_test_split { shape.n } else { shape.n - split::n_held_out(shape.n)? };
    Ok(Shape { n: Wanted::of(dataset).n_train(n)?, ..shape })
}
