//! Known datasets that are published as files: where a copy may lie, and that it is the one that is pinned.

use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use spec::known::{Digested, Files, KnownDataset, Published};
use spec::{ImageShape, hexadecimal};

use crate::amat;
use crate::error::DataError;
use crate::folders::Folders;
use crate::idx::{self, Array};
use crate::images::{Images, Shape};
use crate::split::{Parts, Wanted};

/// The files' names, without `.gz`: training images, training labels, test images, test labels.
pub(crate) const IDX_FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// A row of the known datasets whose files are published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublishedSet<'a> {
    /// The row.
    pub known: &'a KnownDataset,
    /// Its files.
    pub published: &'a Published,
}

/// A file of a published dataset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublishedFile<'a> {
    /// Its name, without `.gz`.
    pub name: &'static str,
    /// SHA-256 in hexadecimal.
    pub sha256: &'a str,
    /// What that is of.
    pub digested: Digested,
    /// Length of its decompressed bytes.
    pub length: u64,
    /// How it holds them.
    form: Form,
}

/// How a file holds its values.
#[derive(Clone, Copy, Debug)]
enum Form {
    Idx,
    /// Lines of so many values.
    Amat(usize),
}

impl PublishedFile<'_> {
    /// Its name at a mirror, and in the cache.
    pub(crate) fn served(&self) -> String {
        match self.form {
            Form::Idx => format!("{}.gz", self.name),
            Form::Amat(_) => self.name.to_owned(),
        }
    }

    /// Where `folder` holds a file of this name, in a form that can be told by the digest.
    pub(crate) fn find(&self, folder: &Path) -> Option<PathBuf> {
        match self.digested {
            Digested::Contents => idx::find(folder, self.name),
            Digested::Compressed => idx::find_compressed(folder, self.name),
        }
    }

    /// Reads a file, and says how its digest differs from the one that is pinned, if it does.
    pub(crate) fn read(&self, path: &Path) -> Result<(Array, Option<String>), DataError> {
        let array = match self.form {
            Form::Idx => idx::read(path)?,
            Form::Amat(n_pixels) => amat::read(path, n_pixels, self.length)?,
        };
        let (what, digest) = match self.digested {
            Digested::Contents => ("its contents have", array.digest.clone()),
            Digested::Compressed => ("it has", digest(path)?),
        };
        let differs = digest != self.sha256;
        Ok((array, differs.then(|| format!("{what} SHA-256 `{digest}`, not `{}`", self.sha256))))
    }
}

/// SHA-256 of a file's bytes as they are.
fn digest(path: &Path) -> Result<String, DataError> {
    let mut file = idx::open(path)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hexadecimal(&digest.finalize())),
            n => digest.update(&buffer[..n]),
        }
    }
}

impl PublishedSet<'_> {
    /// Of IDX files training images, training labels, test images, test labels; of text files training, validation and
    /// test images.
    pub(crate) fn files(&self) -> Vec<PublishedFile<'_>> {
        let KnownDataset { image, n_train, n_validation, n_test, .. } = *self.known;
        let n_pixels = image.n_pixels();
        let digested = self.published.digested;
        let file =
            |name, sha256, length: usize, form| PublishedFile { name, sha256, digested, length: length as u64, form };
        match &self.published.files {
            Files::Idx(digests) => {
                let lengths = [n_train, n_test].map(|n| [16 + n * n_pixels, 8 + n]).concat();
                let files = IDX_FILES.iter().zip(digests).zip(lengths);
                files.map(|((name, sha256), length)| file(name, sha256, length, Form::Idx)).collect()
            }
            Files::Amat(files) => {
                let files = files.iter().zip([n_train, n_validation, n_test]);
                files.map(|((name, sha256), n)| file(name, sha256, 2 * n * n_pixels, Form::Amat(n_pixels))).collect()
            }
        }
    }

    /// The folder of the cache that downloads go to.
    pub(crate) fn cache_folder(&self, folders: &Folders) -> PathBuf {
        folders.cache.join(self.known.name)
    }

    /// The folders that the files may lie in, in the order in which they are looked at.
    pub(crate) fn searched(&self, folders: &Folders) -> Vec<PathBuf> {
        let below = |root: &Path| self.published.folders.iter().map(|folder| root.join(folder)).collect::<Vec<_>>();
        let data = folders.data.iter().flat_map(|data| std::iter::once(data.clone()).chain(below(data)));
        data.chain(below(&folders.cache)).collect()
    }

    /// The first folder that holds all four files, by name.
    pub(crate) fn find(&self, folders: &Folders) -> Option<PathBuf> {
        let is_here = |folder: &PathBuf| {
            self.lies_in(folder) && (folders.data.as_ref() != Some(folder) || self.may_lie_in(folder))
        };
        self.searched(folders).into_iter().find(is_here)
    }

    /// The folder that holds the most of the files, if one holds any, and the names of those that it lacks.
    pub(crate) fn missing(&self, folders: &Folders) -> (Option<PathBuf>, Vec<String>) {
        let files = self.files();
        let name = |file: &PublishedFile<'_>| match file.digested {
            Digested::Contents => file.name.to_owned(),
            Digested::Compressed => format!("{}.gz", file.name),
        };
        let lacks = |folder: &Path| -> Vec<String> {
            files.iter().filter(|file| file.find(folder).is_none()).map(name).collect()
        };
        let all = files.iter().map(name).collect();
        let found = self.searched(folders).into_iter().map(|folder| (lacks(&folder), folder));
        match found.min_by_key(|(lacking, _)| lacking.len()) {
            Some((lacking, folder)) if lacking.len() < files.len() => (Some(folder), lacking),
            _ => (None, all),
        }
    }

    fn lies_in(&self, folder: &Path) -> bool {
        self.files().iter().all(|file| file.find(folder).is_some())
    }

    /// Whether files that lie in the data folder itself, by these names, are this dataset's. Datasets in MNIST's names share
    /// them, and only their labels are small enough to tell them apart by at no cost.
    fn may_lie_in(&self, folder: &Path) -> bool {
        match (&self.published.files, self.files().last()) {
            (Files::Idx(_), Some(labels)) => {
                let read = labels.find(folder).and_then(|path| labels.read(&path).ok());
                read.is_some_and(|(_, difference)| difference.is_none())
            }
            _ => true,
        }
    }

    /// Bytes on disk of the files that `folder` holds.
    pub(crate) fn n_bytes(&self, folder: &Path) -> u64 {
        let paths = self.files().into_iter().filter_map(|file| file.find(folder));
        paths.map(|path| std::fs::metadata(path).map_or(0, |metadata| metadata.len())).sum()
    }

    /// Reads the images out of `folder`, checking the files against their digests.
    pub(crate) fn read(&self, folder: &Path, wanted: &Wanted) -> Result<Parts, DataError> {
        let read = |file: &PublishedFile<'_>| {
            let path = file
                .find(folder)
                .ok_or_else(|| DataError::file(folder, format!("holds no `{}`", file.name), "fetch it again"))?;
            match file.read(&path)? {
                (array, None) => Ok(array),
                (_, Some(difference)) => Err(DataError::file(
                    &path,
                    format!("is not {}'s: {difference}", self.known.name),
                    match file.form {
                        Form::Idx => format!(
                            "move it away to have the right one fetched, or use it as `{{ idx: {} }}`",
                            folder.display()
                        ),
                        Form::Amat(_) => "move it away to have the right one fetched".to_owned(),
                    },
                )),
            }
        };
        let arrays = self.files().iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let train = |images: Array, labels| self.images(images, labels, |n| wanted.n_train(n));
        let test = |images: Array, labels| self.images(images, labels, |n| wanted.n_test(n));
        let mut arrays = arrays.into_iter();
        let mut next =
            || arrays.next().ok_or_else(|| DataError::file(folder, "holds too few files", "fetch them again"));
        Ok(match self.published.files {
            Files::Idx(_) => {
                let train = train(next()?, Some(next()?))?;
                Parts {
                    train,
                    validation: None,
                    test: test(next()?, Some(next()?))?,
                    class_names: crate::classes_of(self.known),
                    neighbour_distance: None,
                }
            }
            Files::Amat(_) => {
                let train = train(next()?, None)?;
                let validation = Some(self.images(next()?, None, Ok)?);
                Parts {
                    train,
                    validation,
                    test: test(next()?, None)?,
                    class_names: Vec::new(),
                    neighbour_distance: None,
                }
            }
        })
    }

    /// Images of this dataset's height and width, limited to the first so many.
    fn images(
        &self,
        images: Array,
        labels: Option<Array>,
        limit: impl Fn(usize) -> Result<usize, DataError>,
    ) -> Result<Images, DataError> {
        let ImageShape { channels, height, width } = self.known.image;
        let shape = Shape { n: images.shape[0], channels, height, width };
        let labels = labels.map(|labels| labels.values);
        let mut images = Images { pixels: images.values, shape, labels, factors: None };
        images.truncate(limit(shape.n)?);
        Ok(images)
    }
}
