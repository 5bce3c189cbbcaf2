//! The images of a cell: where they come from, and how their gray values are read.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use crate::check::Checks;
use crate::fields::{Field, field};
use crate::layout::ImageShape;

/// Which images, and how their gray values are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Where the images come from.
    pub name: Source,
    /// Gray values as they are, or binarised.
    #[serde(default)]
    pub pixels: Pixels,
    /// How many training images are held out for validation; drawn with `seed`.
    #[serde(default)]
    pub validation: usize,
    /// Seeds the validation split and the static binarisation, which all training seeds share.
    #[serde(default)]
    pub seed: u64,
    /// Use only the first so many training images (before the validation split); all when absent.
    #[serde(default)]
    pub train_images: Option<usize>,
    /// Use only the first so many test images; all when absent.
    #[serde(default)]
    pub test_images: Option<usize>,
}

/// Where images come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// The embedded digits, drawn as strokes with known factors.
    Glyphs,
    /// MNIST.
    Mnist,
    /// Fashion-MNIST.
    FashionMnist,
    /// An HDF5 file of the user's: `images`, optional `labels`; dSprites and 3dshapes layouts. Absolute, see [`crate::place`].
    Hdf5(#[serde(serialize_with = "text")] PathBuf),
    /// A folder with IDX files in MNIST's names. Absolute.
    Idx(#[serde(serialize_with = "text")] PathBuf),
    /// A folder of PNG and JPEG images. Absolute.
    Folder(#[serde(serialize_with = "text")] PathBuf),
}

/// A path as text, so that a cell can always be written; a checked path is UTF-8.
fn text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// How gray values become pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pixels {
    /// Gray values in 0…1.
    #[default]
    Gray,
    /// Each pixel drawn once as Bernoulli(gray value).
    Static,
    /// Each training pixel drawn anew every epoch; the evaluated splits are drawn once, as in `static`.
    Dynamic,
}

pub(crate) const FIELDS: &[Field] = &[
    field(
        "dataset.name",
        "`glyphs`, `mnist`, `fashion-mnist`, `{ hdf5: PATH }`, `{ idx: FOLDER }` or `{ folder: FOLDER }`",
    ),
    field("dataset.pixels", "`gray`, `static` or `dynamic`"),
    field("dataset.validation", "how many training images are held out, such as `10000`; `0` for none"),
    field("dataset.seed", "a whole number, such as `0`"),
    field("dataset.train_images", "how many training images are used, such as `1000`; leave it out for all"),
    field("dataset.test_images", "how many test images are used, such as `1000`; leave it out for all"),
];

impl Source {
    /// A name for people: the dataset's, or that of the file or folder.
    pub fn readable_name(&self) -> String {
        match self {
            Source::Glyphs => "glyphs".to_owned(),
            Source::Mnist => "mnist".to_owned(),
            Source::FashionMnist => "fashion-mnist".to_owned(),
            Source::Hdf5(path) | Source::Idx(path) | Source::Folder(path) => {
                let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
                let slug: String =
                    stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
                let slug = slug.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
                if slug.is_empty() { "images".to_owned() } else { slug }
            }
        }
    }

    /// Training and test images of a dataset whose size is known beforehand.
    fn n_images(&self) -> Option<(usize, usize)> {
        match self {
            Source::Glyphs | Source::Mnist | Source::FashionMnist => Some((60_000, 10_000)),
            Source::Hdf5(_) | Source::Idx(_) | Source::Folder(_) => None,
        }
    }

    /// The shape of a dataset's images where it is known beforehand.
    pub(crate) fn image(&self) -> Option<ImageShape> {
        self.n_images().map(|_| ImageShape { channels: 1, height: 28, width: 28 })
    }
}

impl Pixels {
    /// As in the YAML, where pixels are 0 or 1.
    pub(crate) fn binary(self) -> Option<&'static str> {
        match self {
            Pixels::Gray => None,
            Pixels::Static => Some("static"),
            Pixels::Dynamic => Some("dynamic"),
        }
    }
}

impl Dataset {
    pub(crate) fn check(&self, checks: &mut Checks) {
        match &self.name {
            Source::Glyphs | Source::Mnist | Source::FashionMnist => {}
            Source::Hdf5(path) => check_path("hdf5", path, checks),
            Source::Idx(path) => check_path("idx", path, checks),
            Source::Folder(path) => check_path("folder", path, checks),
        }
        let known = self.name.n_images();
        for (path, asked, held) in [
            ("dataset.train_images", self.train_images, known.map(|known| known.0)),
            ("dataset.test_images", self.test_images, known.map(|known| known.1)),
        ] {
            match (asked, held) {
                (Some(0), _) => checks.complain(
                    path,
                    format!("`{path}` must be at least 1, found `0`"),
                    "leave it out to use all images",
                ),
                (Some(asked), Some(held)) if asked > held => {
                    let message = format!("`{path}` is `{asked}`, but this dataset has {held} images there");
                    checks.complain(path, message, format!("write at most {held}, or leave it out to use all"));
                }
                _ => {}
            }
        }
        let n_train = self.train_images.or(known.map(|known| known.0));
        if let Some(n_train) = n_train
            && self.validation >= n_train.max(1)
        {
            let message = format!(
                "`dataset.validation` holds out `{}` of {n_train} training images, which leaves none to train on",
                self.validation
            );
            checks.complain("dataset.validation", message, format!("write a number below {n_train}"));
        }
    }
}

fn check_path(kind: &str, path: &Path, checks: &mut Checks) {
    let at = format!("dataset.name.{kind}");
    match path.to_str() {
        None => checks.complain(
            &at,
            "the dataset's path is not UTF-8",
            "rename the folder, or link to it under another name",
        ),
        Some("") => checks.complain(
            &at,
            format!("the path in `{kind}` is empty"),
            "write a path, relative to this file's folder or absolute",
        ),
        Some(text) if text.starts_with("~") || text.contains("/~/") => {
            checks.complain(
                &at,
                "`~` does not stand for the home folder here",
                "write the absolute path, or one relative to this file's folder",
            );
        }
        Some(text) if text.contains('\0') => checks.complain(&at, "a path cannot hold a NUL character", "remove it"),
        Some(_) => {}
    }
}
