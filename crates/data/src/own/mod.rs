//! A user's own images: HDF5, NumPy, IDX, or a folder of PNG and JPEG files; any height and width, gray or colour.

mod facts;
pub(crate) mod folder;
pub(crate) mod hdf5;
pub(crate) mod idx;
mod numpy;

pub use folder::{OwnImages, read_images};

use std::path::{Path, PathBuf};

use spec::{Dataset, Fit, OwnKind, OwnSource, Registered};

use crate::download::Progress;
use crate::error::DataError;
use crate::folders::Folders;
use crate::idx::written;
use crate::images::{Images, Shape};
use crate::neighbours;
use crate::split::{Parts, Wanted};
use facts::{ContentDigest, Facts};

/// A source of the user's that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// What lies there.
    pub kind: OwnKind,
    /// Where.
    pub path: PathBuf,
    /// What images of a folder are brought to.
    pub size: Option<(usize, Fit)>,
    /// Names of the labels, where the images were registered with some.
    pub classes: Vec<String>,
    /// The digest that they were registered with.
    pub pinned: Option<String>,
}

impl Found {
    /// That the images are those that `digest` names.
    fn is_pinned(&self, facts: &Facts, digest: Option<&str>) -> Result<(), DataError> {
        match digest.filter(|digest| *digest != facts.digest) {
            None => Ok(()),
            Some(digest) => {
                let problem = format!("its images have SHA-256 `{}`, not `{digest}`: they have changed", facts.digest);
                let hint = "put the earlier images back, or start the experiment anew, which gives the changed ones runs of their own; a `digest` that you wrote is to be changed with them";
                Err(DataError::file(&self.path, problem, hint))
            }
        }
    }

    /// The images with the names that they were registered with.
    fn with_classes(&self, parts: Parts) -> Result<Parts, DataError> {
        if self.classes.is_empty() {
            return Ok(parts);
        }
        let all = [Some(&parts.train), parts.validation.as_ref(), Some(&parts.test)];
        let labels = || all.into_iter().flatten().filter_map(|images| images.labels.as_deref()).flatten();
        let greatest = labels().max().copied().map(usize::from);
        match greatest {
            Some(greatest) if greatest < self.classes.len() => Ok(Parts { class_names: self.classes.clone(), ..parts }),
            _ => {
                let n = self.classes.len();
                let (problem, hint) = match greatest {
                    None => (format!("has no labels, but {n} names for them in `classes`"), "remove `classes`"),
                    Some(greatest) => (
                        format!("has labels up to {greatest}, but {n} names for them in `classes`"),
                        "name every label, from 0",
                    ),
                };
                Err(DataError::file(&self.path, problem, hint))
            }
        }
    }

    /// That a file which registers images was taken for the images.
    fn no_images(&self) -> DataError {
        DataError::file(&self.path, "registers images, and holds none", "name the images themselves")
    }
}

/// All images of a source, before any are held out.
#[derive(Debug)]
pub(crate) struct Whole {
    pub train: Images,
    pub validation: Option<Images>,
    pub test: Option<Images>,
    /// Names of the classes, in the labels' order; empty where they have none.
    pub class_names: Vec<String>,
}

impl Whole {
    /// The splits that there are, each with what stands before the names of its arrays in a file.
    pub fn splits(&self) -> impl Iterator<Item = (&'static str, &Images)> {
        let all = [("", Some(&self.train)), ("validation_", self.validation.as_ref()), ("test_", self.test.as_ref())];
        all.into_iter().filter_map(|(prefix, images)| Some((prefix, images?)))
    }

    /// That all splits have one height, width and number of channels.
    fn checked(self, path: &Path) -> Result<Whole, DataError> {
        let shape = self.train.shape;
        for (prefix, images) in self.splits() {
            if images.shape.image() != shape.image() {
                let size = |shape: Shape| format!("{}×{}×{}", shape.channels, shape.height, shape.width);
                let problem = format!(
                    "its training images are {}, its {} images {}",
                    size(shape),
                    prefix.trim_end_matches('_'),
                    size(images.shape)
                );
                return Err(DataError::file(path, problem, "give both the same height, width and channels"));
            }
        }
        Ok(self)
    }

    /// Feeds everything to a digest.
    fn digest(&self) -> ContentDigest {
        let mut digest = ContentDigest::default();
        for images in [Some(&self.train), self.validation.as_ref(), self.test.as_ref()] {
            match images {
                Some(images) => {
                    digest.begin(images.shape, images.labels.as_deref());
                    digest.pixels(&images.pixels);
                    digest.end(images.labels.as_deref());
                }
                None => digest.none(),
            }
        }
        digest
    }

    /// The images that are wanted; where there is no test split, some are held out as one.
    fn into_parts(self, wanted: &Wanted) -> Result<Parts, DataError> {
        let Whole { mut train, validation, test, class_names } = self;
        let mut neighbour_distance = None;
        let (train, test) = match test {
            Some(mut test) => {
                train.truncate(wanted.n_train(train.shape.n)?);
                test.truncate(wanted.n_test(test.shape.n)?);
                (train, test)
            }
            None => {
                let (train_rows, test_rows) = wanted.hold_out(train.shape.n)?;
                let (train, test) = (train.select(&train_rows)?, train.select(&test_rows)?);
                neighbour_distance = neighbours::distance(&train, &train_rows, &test, &test_rows);
                (train, test)
            }
        };
        Ok(Parts { train, validation, test, class_names, neighbour_distance })
    }
}

/// Where a dataset of the user's own lies: its path as it is, or below the data folder; or anywhere where the images of its
/// digest were read before.
///
/// # Errors
/// When there is no such file or folder.
pub(crate) fn find(own: &OwnSource, dataset: &Dataset, folders: &Folders) -> Result<Found, DataError> {
    let path = &own.path;
    let below = folders.data.iter().flat_map(|data| {
        [Some(path.as_path()), path.file_name().map(Path::new)].map(|path| path.map(|path| data.join(path)))
    });
    let mut searched = vec![path.clone()];
    for place in below.flatten() {
        if !searched.contains(&place) {
            searched.push(place);
        }
    }
    let place = searched.iter().find(|path| path.exists()).cloned();
    if let (OwnKind::Set, Some(file)) = (own.kind, &place) {
        let Registered { images, size, fit, classes, digest, .. } = Registered::load(file)?;
        let plain = Dataset { size, fit, digest: digest.clone(), ..dataset.clone() };
        return Ok(Found { classes, pinned: digest, ..find(&images, &plain, folders)? });
    }
    let found =
        place.or_else(|| facts::place_of(dataset.digest.as_deref()?, folders).filter(|_| own.kind != OwnKind::Set));
    let path = found.ok_or_else(|| {
        let below: Vec<String> = searched[1..].iter().map(|place| format!(", nor `{}`", place.display())).collect();
        let hint = "check the path: in an experiment it is relative to the experiment file's folder, on the command line to where you are; `--data` names a folder to look in";
        DataError::file(path, format!("there is no such file or folder{}", below.concat()), hint)
    })?;
    let size = dataset.size.map(|size| (size, dataset.fit));
    Ok(Found { kind: own.kind, path, size, classes: Vec::new(), pinned: None })
}

/// What a source holds is known by, reading it only where it is not known yet.
pub(crate) fn identify(
    found: &Found,
    folders: &Folders,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Facts, DataError> {
    let facts = facts::of(found, folders, progress)?.0;
    found.is_pinned(&facts, found.pinned.as_deref())?;
    Ok(facts)
}

/// Reads the images that are wanted, of which `digest` is what they have to be where it is known.
pub(crate) fn read(
    found: &Found,
    digest: Option<&str>,
    wanted: &Wanted,
    folders: &Folders,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Parts, DataError> {
    let (facts, whole) = facts::of(found, folders, progress)?;
    found.is_pinned(&facts, digest)?;
    found.is_pinned(&facts, found.pinned.as_deref())?;
    let parts = parts(found, &facts, whole, wanted, folders)?;
    found.with_classes(parts)
}

fn parts(
    found: &Found,
    facts: &Facts,
    whole: Option<Whole>,
    wanted: &Wanted,
    folders: &Folders,
) -> Result<Parts, DataError> {
    if let Some(whole) = whole {
        return whole.into_parts(wanted);
    }
    let path = &found.path;
    match found.kind {
        OwnKind::Set => Err(found.no_images()),
        OwnKind::Hdf5 => hdf5::Contents::open(path)?.read(wanted, facts.is_unit),
        OwnKind::Folder => {
            // A damaged copy is read like a missing one.
            let kept = facts::images_path(found, folders);
            let read = || hdf5::Contents::open(&kept)?.read(wanted, false);
            read().or_else(|_| folder::read(path, found.size)?.0.into_parts(wanted))
        }
        OwnKind::Npy | OwnKind::Npz => numpy::read(path)?.into_parts(wanted),
        OwnKind::Idx => idx::read(path)?.into_parts(wanted),
    }
}

/// The shape of the training images, and whether there are test images beside them, out of headers alone.
pub(crate) fn shape(found: &Found) -> Result<(Shape, bool), DataError> {
    match found.kind {
        OwnKind::Set => Err(found.no_images()),
        OwnKind::Hdf5 => hdf5::shape(&found.path),
        OwnKind::Npy | OwnKind::Npz => numpy::shape(&found.path),
        OwnKind::Idx => idx::shape(&found.path),
        OwnKind::Folder => folder::shape(&found.path, found.size),
    }
}

/// How an array holds images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    /// The images' shape.
    shape: Shape,
    /// Whether the channels are the last axis rather than the second.
    channels_last: bool,
}

impl Layout {
    /// The layout of an array [n, height, width], [n, height, width, channels] or [n, channels, height, width].
    ///
    /// Where both the second and the last axis could be channels, the last one is.
    fn of(path: &Path, axes: &[usize]) -> Result<Layout, DataError> {
        let layout = match *axes {
            [n, height, width] => Layout { shape: Shape { n, channels: 1, height, width }, channels_last: false },
            [n, height, width, channels @ (1 | 3)] => {
                Layout { shape: Shape { n, channels, height, width }, channels_last: true }
            }
            [n, channels @ (1 | 3), height, width] => {
                Layout { shape: Shape { n, channels, height, width }, channels_last: false }
            }
            _ => {
                let hint = match *axes {
                    [_, _] => "give images as [n, height, width]: `images.reshape(len(images), height, width)`",
                    [_, _, _, 4] => "where the fourth channel is opaque, leave it out: `images[..., :3]`",
                    _ => "give images as [n, height, width], or with 1 or 3 channels as a second or a last axis",
                };
                return Err(DataError::file(
                    path,
                    format!("holds an array of {}, which are no images", written(axes)),
                    hint,
                ));
            }
        };
        if axes.contains(&0) {
            return Err(DataError::file(
                path,
                format!("holds an empty array of {}", written(axes)),
                "give some images",
            ));
        }
        Ok(layout)
    }

    /// Writes an image of this layout to `out` as [channels, height, width].
    fn channels_first(&self, image: &[u8], out: &mut [u8]) {
        let Shape { channels, height, width, .. } = self.shape;
        if !self.channels_last || channels == 1 {
            out.copy_from_slice(image);
            return;
        }
        for (position, pixel) in image.chunks_exact(channels).enumerate() {
            for (channel, &value) in pixel.iter().enumerate() {
                out[channel * height * width + position] = value;
            }
        }
    }
}
