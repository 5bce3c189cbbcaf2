//! Known datasets that are published as files: where a copy may lie, and that it is the one that is pinned.

use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use spec::hexadecimal;
use spec::known::{Digested, KnownDataset, Published};

use crate::error::DataError;
use crate::folders::Folders;
use crate::idx::{self, Idx};
use crate::images::{Images, Shape};
use crate::split::Wanted;

/// The files' names, without `.gz`: training images, training labels, test images, test labels.
pub(crate) const FILES: [&str; 4] =
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
}

impl PublishedFile<'_> {
    /// Where `folder` holds a file of this name, in a form that can be told by the digest.
    pub(crate) fn find(&self, folder: &Path) -> Option<PathBuf> {
        match self.digested {
            Digested::Contents => idx::find(folder, self.name),
            Digested::Compressed => idx::find_compressed(folder, self.name),
        }
    }

    /// Reads a file, and says how its digest differs from the one that is pinned, if it does.
    pub(crate) fn read(&self, path: &Path) -> Result<(Idx, Option<String>), DataError> {
        let idx = idx::read(path)?;
        let (what, digest) = match self.digested {
            Digested::Contents => ("its contents have", idx.digest.clone()),
            Digested::Compressed => ("it has", digest(path)?),
        };
        let differs = digest != self.sha256;
        Ok((idx, differs.then(|| format!("{what} SHA-256 `{digest}`, not `{}`", self.sha256))))
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
    /// Training images, training labels, test images, test labels.
    pub(crate) fn files(&self) -> [PublishedFile<'_>; 4] {
        let Published { digested, sha256, .. } = self.published;
        let lengths =
            [self.known.n_train, self.known.n_test].map(|n| [16 + n * self.known.image.n_pixels(), 8 + n]).concat();
        std::array::from_fn(|i| PublishedFile {
            name: FILES[i],
            sha256: sha256[i],
            digested: *digested,
            length: lengths[i] as u64,
        })
    }

    /// The folder of the cache that downloads go to.
    pub(crate) fn cache_folder(&self, folders: &Folders) -> PathBuf {
        folders.cache.join(self.known.name)
    }

    /// The first folder that holds all four files, by name.
    pub(crate) fn find(&self, folders: &Folders) -> Option<PathBuf> {
        let data = folders.data.iter().flat_map(|data| {
            let below = self.published.folders.iter().map(|folder| data.join(folder));
            std::iter::once(data.clone()).filter(|data| self.may_lie_in(data)).chain(below)
        });
        let below_cache = self.published.folders.iter().map(|folder| folders.cache.join(folder));
        data.chain(below_cache).find(|folder| self.lies_in(folder))
    }

    fn lies_in(&self, folder: &Path) -> bool {
        self.files().iter().all(|file| file.find(folder).is_some())
    }

    /// Published datasets share their files' names, and only their labels are small enough to tell them apart by at no
    /// cost: files that lie in the data folder itself are this dataset's when the test labels are.
    fn may_lie_in(&self, folder: &Path) -> bool {
        let [.., labels] = self.files();
        let read = labels.find(folder).and_then(|path| labels.read(&path).ok());
        read.is_some_and(|(_, difference)| difference.is_none())
    }

    /// Bytes on disk of the files that `folder` holds.
    pub(crate) fn n_bytes(&self, folder: &Path) -> u64 {
        let paths = self.files().into_iter().filter_map(|file| file.find(folder));
        paths.map(|path| std::fs::metadata(path).map_or(0, |metadata| metadata.len())).sum()
    }

    /// Reads training and test images out of `folder`, checking the files against their digests.
    pub(crate) fn read(&self, folder: &Path, wanted: &Wanted) -> Result<(Images, Images), DataError> {
        let read = |file: PublishedFile<'_>| {
            let path = file
                .find(folder)
                .ok_or_else(|| DataError::file(folder, format!("holds no `{}`", file.name), "fetch it again"))?;
            match file.read(&path)? {
                (idx, None) => Ok(idx),
                (_, Some(difference)) => Err(DataError::file(
                    &path,
                    format!("is not {}'s: {difference}", self.known.name),
                    format!(
                        "move it away to have the right one fetched, or use it as `{{ idx: {} }}`",
                        folder.display()
                    ),
                )),
            }
        };
        let [train_images, train_labels, test_images, test_labels] = self.files();
        let train = join(read(train_images)?, read(train_labels)?, |n| wanted.n_train(n))?;
        let test = join(read(test_images)?, read(test_labels)?, |n| wanted.n_test(n))?;
        Ok((train, test))
    }
}

/// Gray images [n, height, width] and their labels, limited to the first so many.
fn join(images: Idx, labels: Idx, limit: impl Fn(usize) -> Result<usize, DataError>) -> Result<Images, DataError> {
    let (height, width) = (images.shape[1], images.shape[2]);
    let shape = Shape { n: images.shape[0], channels: 1, height, width };
    let mut images = Images { pixels: images.values, shape, labels: Some(labels.values), factors: None };
    images.truncate(limit(shape.n)?);
    Ok(images)
}
