//! The images of a cell: where they come from, and how their gray values are read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::de::{EnumAccess, Error, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::check::Checks;
use crate::fields::{Field, field};
use crate::known::{KNOWN_DATASETS, KnownDataset};
use crate::paths;

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

/// Where images come from; in YAML a known dataset's name, or a mapping such as `{ folder: PATH }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A row of the known datasets.
    Known(&'static KnownDataset),
    /// An HDF5 file of the user's: `images`, optional `labels`; dSprites and 3dshapes layouts. Absolute, see [`crate::paths`].
    Hdf5(PathBuf),
    /// A folder with IDX files in MNIST's names. Absolute.
    Idx(PathBuf),
    /// A folder of PNG and JPEG images. Absolute.
    Folder(PathBuf),
}

/// The kinds of sources of the user's own.
const OWN: [&str; 3] = ["hdf5", "idx", "folder"];

/// Everything that may stand for a source.
static WORDS: LazyLock<Vec<&str>> =
    LazyLock::new(|| KNOWN_DATASETS.iter().map(|known| known.name).chain(OWN).collect());

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (index, path) = match self {
            Source::Known(known) => return serializer.serialize_str(known.name),
            Source::Hdf5(path) => (0, path),
            Source::Idx(path) => (1, path),
            Source::Folder(path) => (2, path),
        };
        // As text, so that a cell can always be written; a checked path is UTF-8.
        serializer.serialize_newtype_variant("Source", index, OWN[index as usize], &path.to_string_lossy())
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
        deserializer.deserialize_enum("Source", &WORDS, ReadSource)
    }
}

struct ReadSource;

impl<'de> Visitor<'de> for ReadSource {
    type Value = Source;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dataset")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Source, A::Error> {
        let (word, settings) = access.variant::<String>()?;
        if let Some(known) = KnownDataset::named(&word) {
            settings.unit_variant()?;
            return Ok(Source::Known(known));
        }
        let own = match word.as_str() {
            "hdf5" => Source::Hdf5,
            "idx" => Source::Idx,
            "folder" => Source::Folder,
            _ => return Err(A::Error::unknown_variant(&word, &WORDS)),
        };
        settings.newtype_variant().map(own)
    }
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
    /// Every pixel is 0 or 1 already, and nothing is drawn. Images that are known to be so have these, whatever a spec says:
    /// drawing them gives what is there.
    Binary,
}

/// What may stand for a source, in words.
static SOURCES: LazyLock<String> = LazyLock::new(|| {
    let known: Vec<String> = KNOWN_DATASETS.iter().map(|known| format!("`{}`", known.name)).collect();
    format!("{}, `{{ hdf5: PATH }}`, `{{ idx: FOLDER }}` or `{{ folder: FOLDER }}`", known.join(", "))
});

pub(crate) static FIELDS: LazyLock<[Field; 6]> = LazyLock::new(|| {
    [
        field("dataset.name", &SOURCES).title("dataset"),
        field("dataset.pixels", "`gray`, `static`, `dynamic`, or `binary` for images that are 0 or 1 already"),
        field("dataset.validation", "how many training images are held out, such as `10000`; `0` for none"),
        field("dataset.seed", "a whole number, such as `0`"),
        field("dataset.train_images", "how many training images are used, such as `1000`; leave it out for all"),
        field("dataset.test_images", "how many test images are used, such as `1000`; leave it out for all"),
    ]
});

impl Source {
    /// A name for people: the dataset's, or that of the file or folder.
    pub fn readable_name(&self) -> String {
        match self {
            Source::Known(known) => known.name.to_owned(),
            Source::Hdf5(path) | Source::Idx(path) | Source::Folder(path) => {
                let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
                let slug: String =
                    stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
                let slug = slug.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
                if slug.is_empty() { "images".to_owned() } else { slug }
            }
        }
    }

    /// The known dataset of this name.
    pub fn named(name: &str) -> Option<Source> {
        KnownDataset::named(name).map(Source::Known)
    }

    /// The row of a known dataset; `None` for the user's own.
    pub fn known(&self) -> Option<&'static KnownDataset> {
        match self {
            Source::Known(known) => Some(known),
            Source::Hdf5(_) | Source::Idx(_) | Source::Folder(_) => None,
        }
    }

    /// The same source with its path seen from `folder`.
    pub(crate) fn resolved_in(self, folder: &Path) -> Source {
        match self {
            Source::Known(known) => Source::Known(known),
            Source::Hdf5(path) => Source::Hdf5(paths::resolve(folder, &path)),
            Source::Idx(path) => Source::Idx(paths::resolve(folder, &path)),
            Source::Folder(path) => Source::Folder(paths::resolve(folder, &path)),
        }
    }
}

impl Pixels {
    /// As in the YAML, where gray values are drawn as 0 or 1.
    pub(crate) fn drawn(self) -> Option<&'static str> {
        match self {
            Pixels::Gray | Pixels::Binary => None,
            Pixels::Static => Some("static"),
            Pixels::Dynamic => Some("dynamic"),
        }
    }
}

impl Dataset {
    /// Which images evaluated numbers are on, in words: `mnist`, or `the first 500 of mnist binarised with seed 1`. Equal for
    /// datasets whose test splits are the same; held-out images for validation are none of them.
    pub(crate) fn test_images_in_words(&self) -> String {
        let source = match &self.name {
            Source::Known(known) => known.name.to_owned(),
            Source::Hdf5(path) | Source::Idx(path) | Source::Folder(path) => path.display().to_string(),
        };
        let first = self.test_images.map_or_else(String::new, |n| format!("the first {n} of "));
        let drawn = match (self.pixels, self.seed) {
            (Pixels::Gray | Pixels::Binary, _) => String::new(),
            // Evaluated splits are drawn once either way.
            (Pixels::Static | Pixels::Dynamic, 0) => " binarised".to_owned(),
            (Pixels::Static | Pixels::Dynamic, seed) => format!(" binarised with seed {seed}"),
        };
        format!("{first}{source}{drawn}")
    }

    /// Whether images may be held out for validation; those of the user's own are known when they are read.
    pub(crate) fn may_hold_out(&self) -> bool {
        self.validation > 0 || self.name.known().is_some_and(|known| known.n_validation > 0)
    }

    /// The same images, called binary where they are known to be.
    pub(crate) fn settled(self) -> Dataset {
        match self.name.known() {
            Some(known) if known.is_binary => Dataset { pixels: Pixels::Binary, ..self },
            _ => self,
        }
    }

    pub(crate) fn check(&self, checks: &mut Checks) {
        match &self.name {
            Source::Known(_) => {}
            Source::Hdf5(path) => check_path("hdf5", path, checks),
            Source::Idx(path) => check_path("idx", path, checks),
            Source::Folder(path) => check_path("folder", path, checks),
        }
        let known = self.name.known();
        for (path, asked, held) in [
            ("dataset.train_images", self.train_images, known.map(|known| known.n_train)),
            ("dataset.test_images", self.test_images, known.map(|known| known.n_test)),
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
        if let Some(known) = known {
            if self.pixels == Pixels::Binary && !known.is_binary {
                checks.complain(
                    "dataset.pixels",
                    format!(
                        "`pixels: binary` is for images that are 0 or 1 already, and `{}` has gray values",
                        known.name
                    ),
                    "write `static` to draw each pixel once, or `dynamic` to draw it anew every epoch",
                );
            }
            if self.validation > 0 && known.n_validation > 0 {
                let message = format!("`{}` has {} validation images of its own", known.name, known.n_validation);
                checks.complain("dataset.validation", message, "leave `validation` out; they are used as they come");
                return;
            }
        }
        let n_train = self.train_images.or(known.map(|known| known.n_train));
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
