//! The datasets that are known by name, one row each: what they hold, where they come from, whom to cite.

use crate::layout::ImageShape;
use crate::text::thousands;

/// A dataset that needs no path.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownDataset {
    /// Its name in a spec.
    pub name: &'static str,
    /// What its images show.
    pub subject: &'static str,
    /// The shape of every image.
    pub image: ImageShape,
    /// Whether every value is 0 or 1 rather than gray.
    pub is_binary: bool,
    /// Training images, before any are held out for validation.
    pub n_train: usize,
    /// Images of a validation split of its own; 0 where there is none and training images may be held out.
    pub n_validation: usize,
    /// Test images.
    pub n_test: usize,
    /// Names of the classes, in the labels' order; empty where there are no labels.
    pub classes: &'static [&'static str],
    /// Whom to cite.
    pub citation: &'static str,
    /// Under which terms it is given.
    pub licence: &'static str,
    /// Where its images come from.
    pub origin: Origin,
}

/// Where the images of a known dataset come from.
#[derive(Debug, PartialEq, Eq)]
pub enum Origin {
    /// Drawn by this project.
    Drawn,
    /// Downloaded, or found in a folder.
    Published(Published),
}

/// The files of a dataset.
#[derive(Debug, PartialEq, Eq)]
pub struct Published {
    /// Folders below the data folder or the cache that may hold the files.
    pub folders: &'static [&'static str],
    /// Addresses that the files' names are appended to.
    pub mirrors: &'static [&'static str],
    /// What the digests are of.
    pub digested: Digested,
    /// The files.
    pub files: Files,
}

/// What the files of a published dataset are called, and their SHA-256 in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// Four gzip-compressed IDX files of gray images in MNIST's names: the digests of training images, training labels,
    /// test images and test labels.
    Idx([&'static str; 4]),
    /// Three text files without labels, an image a line, its values `0` or `1` with a space between them: name and digest
    /// of training, validation and test images.
    Amat([(&'static str, &'static str); 3]),
}

/// What the digest of a published file is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digested {
    /// Its decompressed bytes: copies that are compressed otherwise, or not at all, are the same file.
    Contents,
    /// The compressed file as it is published: a copy has to be that very file.
    Compressed,
}

const MNIST_IMAGE: ImageShape = ImageShape { channels: 1, height: 28, width: 28 };
const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// Every known dataset, in the order in which they are listed.
///
/// The digests agree in several public projects; MNIST's were also computed from a copy.
pub static KNOWN_DATASETS: &[KnownDataset] = &[
    KnownDataset {
        name: "glyphs",
        subject: "digits drawn as strokes with known factors",
        image: MNIST_IMAGE,
        is_binary: false,
        n_train: 60_000,
        n_validation: 0,
        n_test: 10_000,
        classes: &DIGITS,
        citation: "drawn by this project",
        licence: "as this project: MIT",
        origin: Origin::Drawn,
    },
    KnownDataset {
        name: "mnist",
        subject: "handwritten digits",
        image: MNIST_IMAGE,
        is_binary: false,
        n_train: 60_000,
        n_validation: 0,
        n_test: 10_000,
        classes: &DIGITS,
        citation: "LeCun, Bottou, Bengio & Haffner (1998), Gradient-based learning applied to document recognition",
        licence: "no licence is stated by its authors; derived from NIST's Special Databases 1 and 3",
        origin: Origin::Published(Published {
            folders: &["mnist", "MNIST/raw"],
            mirrors: &[
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
            ],
            digested: Digested::Contents,
            files: Files::Idx([
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ]),
        }),
    },
    KnownDataset {
        name: "binarized-mnist",
        subject: "MNIST's digits drawn once",
        image: MNIST_IMAGE,
        is_binary: true,
        n_train: 50_000,
        n_validation: 10_000,
        n_test: 10_000,
        classes: &[],
        citation: "Larochelle & Murray (2011), The neural autoregressive distribution estimator, AISTATS; drawn by Salakhutdinov & Murray (2008), On the quantitative analysis of deep belief networks, ICML",
        licence: "no licence is stated by its authors; derived from MNIST",
        origin: Origin::Published(Published {
            folders: &["binarized-mnist", "binarized_mnist", "BinaryMNIST"],
            mirrors: &["http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"],
            digested: Digested::Contents,
            files: Files::Amat([
                ("binarized_mnist_train.amat", "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d"),
                ("binarized_mnist_valid.amat", "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2"),
                ("binarized_mnist_test.amat", "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c"),
            ]),
        }),
    },
    KnownDataset {
        name: "fashion-mnist",
        subject: "pieces of clothing",
        image: MNIST_IMAGE,
        is_binary: false,
        n_train: 60_000,
        n_validation: 0,
        n_test: 10_000,
        classes: &[
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ],
        citation: "Xiao, Rasul & Vollgraf (2017), Fashion-MNIST, arXiv:1708.07747",
        licence: "MIT, Zalando SE",
        origin: Origin::Published(Published {
            folders: &["fashion-mnist", "FashionMNIST/raw"],
            mirrors: &[
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            ],
            digested: Digested::Contents,
            files: Files::Idx([
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ]),
        }),
    },
    KnownDataset {
        name: "kmnist",
        subject: "cursive Japanese characters",
        image: MNIST_IMAGE,
        is_binary: false,
        n_train: 60_000,
        n_validation: 0,
        n_test: 10_000,
        classes: &["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
        citation: "Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto & Ha (2018), Deep Learning for Classical Japanese Literature, arXiv:1812.01718",
        licence: "CC BY-SA 4.0: KMNIST Dataset, made by ROIS-DS CODH, adapted from Kuzushiji Dataset by NIJL and others",
        origin: Origin::Published(Published {
            folders: &["kmnist", "KMNIST/raw"],
            mirrors: &["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
            digested: Digested::Compressed,
            files: Files::Idx([
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ]),
        }),
    },
];

impl KnownDataset {
    /// The dataset of this name.
    pub fn named(name: &str) -> Option<&'static KnownDataset> {
        KNOWN_DATASETS.iter().find(|known| known.name == name)
    }

    /// What it holds, in a line: `handwritten digits, 60,000 + 10,000 images of 28×28 gray values`.
    pub fn summary(&self) -> String {
        let ImageShape { channels, height, width } = self.image;
        let values = match (self.is_binary, channels) {
            (true, _) => "binary",
            (false, 1) => "gray",
            (false, _) => "colour",
        };
        let counts = [self.n_train, self.n_validation, self.n_test].into_iter().filter(|&n| n > 0);
        let counts = counts.map(|n| thousands(n as u64)).collect::<Vec<_>>().join(" + ");
        format!("{}, {counts} images of {height}×{width} {values} values", self.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_counts_and_size() {
        let image = ImageShape { channels: 3, height: 5, width: 7 };
        let made_up = KnownDataset { image, n_train: 1_234_567, n_test: 80, ..row("mnist") };
        assert_eq!(made_up.summary(), "handwritten digits, 1,234,567 + 80 images of 5×7 colour values");
        assert_eq!(row("mnist").summary(), "handwritten digits, 60,000 + 10,000 images of 28×28 gray values");
        let binary = "MNIST's digits drawn once, 50,000 + 10,000 + 10,000 images of 28×28 binary values";
        assert_eq!(row("binarized-mnist").summary(), binary);
    }

    fn row(name: &str) -> KnownDataset {
        let known = KnownDataset::named(name).expect("the dataset is known");
        let KnownDataset { name, subject, image, is_binary, n_train, n_validation, n_test, .. } = *known;
        let KnownDataset { classes, citation, licence, .. } = *known;
        let origin = Origin::Drawn;
        KnownDataset {
            name,
            subject,
            image,
            is_binary,
            n_train,
            n_validation,
            n_test,
            classes,
            citation,
            licence,
            origin,
        }
    }

    #[test]
    fn rows_are_whole() {
        for known in KNOWN_DATASETS {
            assert_eq!(KnownDataset::named(known.name), Some(known), "names are distinct");
            if let Origin::Published(published) = &known.origin {
                assert!(published.mirrors.iter().all(|mirror| mirror.ends_with('/')), "{}", known.name);
                let digests: Vec<&str> = match published.files {
                    Files::Idx(digests) => digests.to_vec(),
                    Files::Amat(files) => files.map(|(_, digest)| digest).to_vec(),
                };
                assert!(digests.iter().all(|digest| digest.len() == 64), "{}", known.name);
                assert_eq!(known.image.channels, 1, "{}: neither form of files has colour", known.name);
                let is_amat = matches!(published.files, Files::Amat(_));
                assert_eq!((known.is_binary, known.n_validation > 0), (is_amat, is_amat), "{}", known.name);
                assert_eq!(known.classes.is_empty(), is_amat, "{}", known.name);
            }
        }
    }
}
