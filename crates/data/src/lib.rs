//! Images with labels and factors, from any source: embedded, downloaded or the user's own.

mod amat;
mod cache;
mod catalogue;
mod download;
mod error;
mod files;
mod folders;
pub mod glyphs;
mod idx;
mod images;
mod known;
pub mod noise;
mod own;
mod sharpness;
mod sheet;
mod split;

pub use catalogue::{ClassCount, DatasetInfo, FactorInfo, Info, Prepared, SplitInfo, info, list, prepare};
pub use download::{Fetcher, Progress};
pub use error::DataError;
pub use folders::Folders;
pub use images::{Factors, Images, Shape, Splits, gray_bce_floor};
pub use noise::binarise;
pub use own::{OwnImages, read_images};
pub use sharpness::{Sharpness, sharpness};
pub use sheet::sheet;

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
    let parts = read(&dataset.name, &wanted, folders, fetcher, progress)?;
    split::finish(parts, dataset)
}

/// The images of a source, before any are held out for validation or drawn.
fn read(
    source: &Source,
    wanted: &Wanted,
    folders: &Folders,
    fetcher: &Fetcher,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Parts, DataError> {
    Ok(match source {
        Source::Known(known) => match &known.origin {
            Origin::Drawn => cache::glyphs(folders, wanted, progress)?.into(),
            Origin::Published(published) => {
                fetcher.load(PublishedSet { known, published }, folders, wanted, progress)?
            }
        },
        Source::Hdf5(path) => own::hdf5::read(&own::resolve(path, folders)?, wanted)?.into(),
        Source::Idx(path) => own::idx::read(&own::resolve(path, folders)?, wanted)?.into(),
        Source::Folder(path) => own::folder::read(&own::resolve(path, folders)?, wanted)?.into(),
    })
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
        Source::Hdf5(path) => own::hdf5::shape(&own::resolve(path, folders)?)?,
        Source::Idx(path) => own::idx::shape(&own::resolve(path, folders)?)?,
        Source::Folder(path) => own::folder::shape(&own::resolve(path, folders)?)?,
    };
    let n = if has_test_split { shape.n } else { shape.n - split::n_held_out(shape.n) };
    Ok(Shape { n: Wanted::of(dataset).n_train(n)?, ..shape })
}
