//! MNIST and Fashion-MNIST: their files, digests and mirrors, and where a copy may lie.

use std::path::{Path, PathBuf};

use crate::download::{Fetcher, Progress};
use crate::error::DataError;
use crate::idx::{self, Idx};
use crate::images::{Images, Shape};
use crate::places::Places;
use crate::split::Wanted;

/// A dataset that is published as four IDX files.
#[derive(Debug)]
pub(crate) struct KnownSet {
    /// Its name in a spec.
    pub name: &'static str,
    /// What it holds.
    pub what: &'static str,
    /// Whom to cite.
    pub citation: &'static str,
    /// Under which terms it is given.
    pub licence: &'static str,
    /// Names of the classes, in the labels' order.
    pub classes: [&'static str; 10],
    /// Folders below a place that may hold the files; the last is torchvision's.
    pub folders: [&'static str; 2],
    /// Addresses that the files' names are appended to.
    pub mirrors: &'static [&'static str],
    /// Training images, training labels, test images, test labels.
    pub files: [KnownFile; 4],
}

/// A file of a known dataset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownFile {
    /// Its name, without `.gz`.
    pub name: &'static str,
    /// SHA-256 of its decompressed bytes, in hexadecimal: the wrapping differs between copies.
    pub sha256: &'static str,
    /// Length of its decompressed bytes.
    pub length: u64,
}

/// The file's name, length and SHA-256; the digests of both datasets' files agree in several public projects, and
/// MNIST's were also computed from a copy.
const fn file(name: &'static str, length: u64, sha256: &'static str) -> KnownFile {
    KnownFile { name, sha256, length }
}

/// MNIST.
pub(crate) const MNIST: KnownSet = KnownSet {
    name: "mnist",
    what: "handwritten digits, 60,000 + 10,000 images of 28×28 gray values",
    citation: "LeCun, Bottou, Bengio & Haffner (1998), Gradient-based learning applied to document recognition",
    licence: "no licence is stated by its authors; derived from NIST's Special Databases 1 and 3",
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    folders: ["mnist", "MNIST/raw"],
    mirrors: &["https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"],
    files: [
        file("train-images-idx3-ubyte", 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        file("train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        file("t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        file("t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ],
};

/// Fashion-MNIST.
pub(crate) const FASHION_MNIST: KnownSet = KnownSet {
    name: "fashion-mnist",
    what: "pieces of clothing, 60,000 + 10,000 images of 28×28 gray values",
    citation: "Xiao, Rasul & Vollgraf (2017), Fashion-MNIST, arXiv:1708.07747",
    licence: "MIT, Zalando SE",
    classes: ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
    folders: ["fashion-mnist", "FashionMNIST/raw"],
    mirrors: &[
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ],
    files: [
        file("train-images-idx3-ubyte", 47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        file("train-labels-idx1-ubyte", 60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        file("t10k-images-idx3-ubyte", 7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        file("t10k-labels-idx1-ubyte", 10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    ],
};

impl KnownSet {
    /// The folder of the cache that downloads go to.
    pub(crate) fn cache_folder(&self, places: &Places) -> PathBuf {
        places.cache.join(self.name)
    }

    /// The first folder that holds all four files, by name.
    pub(crate) fn find(&self, places: &Places) -> Option<PathBuf> {
        let data = places.data.iter().flat_map(|data| {
            let below = self.folders.iter().map(|folder| data.join(folder));
            std::iter::once(data.clone()).filter(|data| self.may_lie_in(data)).chain(below)
        });
        let below_cache = self.folders.iter().map(|folder| places.cache.join(folder));
        data.chain(below_cache).find(|folder| self.lies_in(folder))
    }

    fn lies_in(&self, folder: &Path) -> bool {
        self.files.iter().all(|file| idx::find(folder, file.name).is_some())
    }

    /// MNIST and Fashion-MNIST share their files' names, and only their labels are small enough to tell them apart by
    /// at no cost: files that lie in the data folder itself are this dataset's when the test labels are.
    fn may_lie_in(&self, folder: &Path) -> bool {
        let labels = &self.files[3];
        let digest = idx::find(folder, labels.name).and_then(|path| idx::read(&path).ok()).map(|idx| idx.digest);
        digest.as_deref() == Some(labels.sha256)
    }

    /// Reads the files where they lie, or downloads them first; what is damaged in the cache is downloaded again.
    pub(crate) fn load(
        &self,
        places: &Places,
        wanted: &Wanted,
        fetcher: &Fetcher,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Images, Images), DataError> {
        let cache = self.cache_folder(places);
        match self.find(places) {
            Some(folder) if folder != cache => return self.read(&folder, wanted),
            Some(_) => match self.read(&cache, wanted) {
                Err(DataError::File { .. }) => {}
                result => return result,
            },
            None => {}
        }
        fetcher.fetch(self, &cache, progress)?;
        self.read(&cache, wanted)
    }

    /// Reads training and test images out of `folder`, checking the files against their digests.
    pub(crate) fn read(&self, folder: &Path, wanted: &Wanted) -> Result<(Images, Images), DataError> {
        let read = |file: &KnownFile| {
            let path = idx::find(folder, file.name)
                .ok_or_else(|| DataError::file(folder, format!("holds no `{}`", file.name), "fetch it again"))?;
            let idx = idx::read(&path)?;
            if idx.digest != file.sha256 {
                return Err(DataError::file(
                    &path,
                    format!(
                        "is not {}'s: its contents have SHA-256 `{}`, not `{}`",
                        self.name, idx.digest, file.sha256
                    ),
                    format!(
                        "move it away to have the right one fetched, or use it as `{{ idx: {} }}`",
                        folder.display()
                    ),
                ));
            }
            Ok(idx)
        };
        let [train_images, train_labels, test_images, test_labels] = &self.files;
        let train = join(read(train_images)?, Some(read(train_labels)?), |n| wanted.n_train(n))?;
        let test = join(read(test_images)?, Some(read(test_labels)?), |n| wanted.n_test(n))?;
        Ok((train, test))
    }
}

/// Gray images [n, height, width] and their labels, limited to the first so many.
fn join(
    images: Idx,
    labels: Option<Idx>,
    limit: impl Fn(usize) -> Result<usize, DataError>,
) -> Result<Images, DataError> {
    let (height, width) = (images.shape[1], images.shape[2]);
    let shape = Shape { n: images.shape[0], channels: 1, height, width };
    let labels = labels.map(|labels| labels.values);
    let mut images = Images { pixels: images.values, shape, labels, factors: None };
    images.truncate(limit(shape.n)?);
    Ok(images)
}
