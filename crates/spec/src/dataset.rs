//! The images of a cell: where they come from, and how their gray values are read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::de::{EnumAccess, Error, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strum::IntoEnumIterator;

use crate::check::Checks;
use crate::fields::{Field, field};
use crate::known::{KNOWN_DATASETS, KnownDataset};
use crate::paths;

/// The largest height and width that images are brought to.
const MAX_SIZE: usize = 8_192;

/// Which images, and how their gray values are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Where the images come from.
    pub name: Source,
    /// SHA-256 of the content of the user's own images, in hexadecimal: what their runs are known by, wherever they lie.
    /// Found out when they are read; one that is written in a spec pins them.
    #[serde(default)]
    pub digest: Option<String>,
    /// Gray values as they are, or binarised.
    #[serde(default)]
    pub pixels: Pixels,
    /// Height and width that the images of a folder are brought to; as they are when absent.
    #[serde(default)]
    pub size: Option<usize>,
    /// How they are brought to it.
    #[serde(default)]
    pub fit: Fit,
    /// How many training images are held out for validation; drawn with `seed`.
    #[serde(default)]
    pub validation: usize,
    /// Seeds the validation split, the static binarisation, and the test split of the user's own images that have none;
    /// all training seeds share them.
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
    /// The user's own.
    Own(OwnSource),
}

/// Images of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnSource {
    /// What lies there.
    pub kind: OwnKind,
    /// The file or folder. Absolute, see [`crate::paths`].
    pub path: PathBuf,
}

/// The forms that a user's own images may have; in YAML in lowercase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::EnumIter, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum OwnKind {
    /// An HDF5 file: `images`, optional `labels`; dSprites and 3dshapes layouts.
    Hdf5,
    /// An array of images as NumPy saves it.
    Npy,
    /// Several arrays as NumPy saves them.
    Npz,
    /// A folder with IDX files in MNIST's names.
    Idx,
    /// A folder of PNG and JPEG images.
    Folder,
    /// Any of these that was registered under a name, see [`crate::registered`].
    Set,
}

impl OwnKind {
    /// All kinds.
    pub fn all() -> impl Iterator<Item = OwnKind> {
        OwnKind::iter()
    }

    /// The kind of this name.
    pub fn named(word: &str) -> Option<OwnKind> {
        word.parse().ok()
    }

    /// As in YAML: `hdf5`.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// What its path names, in capitals: `FILE` or `FOLDER`.
    pub fn place(self) -> &'static str {
        match self {
            OwnKind::Hdf5 | OwnKind::Npy | OwnKind::Npz | OwnKind::Set => "FILE",
            OwnKind::Idx | OwnKind::Folder => "FOLDER",
        }
    }
}

/// Everything that may stand for a source.
static WORDS: LazyLock<Vec<&str>> =
    LazyLock::new(|| KNOWN_DATASETS.iter().map(|known| known.name).chain(OwnKind::all().map(OwnKind::word)).collect());

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Source::Known(known) => serializer.serialize_str(known.name),
            // As text, so that a cell can always be written; a checked path is UTF-8.
            Source::Own(OwnSource { kind, path }) => {
                serializer.serialize_newtype_variant("Source", *kind as u32, kind.word(), &path.to_string_lossy())
            }
        }
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
        let kind = OwnKind::named(&word).ok_or_else(|| A::Error::unknown_variant(&word, &WORDS))?;
        Ok(Source::Own(OwnSource { kind, path: settings.newtype_variant()? }))
    }
}

/// How an image is brought to another height and width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Scaled until its shorter side fits, then its middle is cut out: nothing is distorted.
    #[default]
    Resize,
    /// Its middle is cut out, pixel by pixel.
    Crop,
}

/// What a user's own images are known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// SHA-256 of their content, in hexadecimal.
    pub digest: String,
    /// Whether every pixel is 0 or 1.
    pub is_binary: bool,
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
    let known = KNOWN_DATASETS.iter().map(|known| format!("`{}`", known.name));
    let own = OwnKind::all().map(|kind| format!("`{{ {}: {} }}`", kind.word(), kind.place()));
    let all: Vec<String> = known.chain(own).collect();
    let (last, others) = all.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
    format!("{} or {last}, or a name that `datasets/NAME.yaml` gives", others.join(", "))
});

pub(crate) static FIELDS: LazyLock<[Field; 9]> = LazyLock::new(|| {
    [
        field("dataset.name", &SOURCES).title("dataset"),
        field(
            "dataset.digest",
            "the SHA-256 that `elbo data info` prints for your own images, in quotes; leave it out to use them as they are",
        ),
        field("dataset.pixels", "`gray`, `static`, `dynamic`, or `binary` for images that are 0 or 1 already"),
        field(
            "dataset.size",
            "height and width that a folder's images are brought to, such as `28`; leave it out to use them as they are",
        ),
        field("dataset.fit", "`resize` or `crop`"),
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
            Source::Own(OwnSource { path, .. }) => {
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
            Source::Own(_) => None,
        }
    }

    /// The user's own; `None` for a known dataset.
    pub fn own(&self) -> Option<&OwnSource> {
        match self {
            Source::Known(_) => None,
            Source::Own(own) => Some(own),
        }
    }

    /// The same source with its path seen from `folder`.
    pub(crate) fn resolved_in(self, folder: &Path) -> Source {
        match self {
            Source::Known(known) => Source::Known(known),
            Source::Own(OwnSource { kind, path }) => {
                Source::Own(OwnSource { kind, path: paths::resolve(folder, &path) })
            }
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
            Source::Own(own) => match &self.digest {
                Some(digest) => format!("{} ({}…)", self.name.readable_name(), digest.get(..12).unwrap_or(digest)),
                None => own.path.display().to_string(),
            },
        };
        // Where they have no test split of their own, the seed decides which images are held out as one.
        let split = match (&self.name, self.seed) {
            (Source::Known(_), _) | (Source::Own(_), 0) => String::new(),
            (Source::Own(_), seed) => format!(" split with seed {seed}"),
        };
        let first = self.test_images.map_or_else(String::new, |n| format!("the first {n} of "));
        let drawn = match (self.pixels, self.seed) {
            (Pixels::Gray | Pixels::Binary, _) => String::new(),
            // Evaluated splits are drawn once either way.
            (Pixels::Static | Pixels::Dynamic, 0) => " binarised".to_owned(),
            (Pixels::Static | Pixels::Dynamic, seed) => format!(" binarised with seed {seed}"),
        };
        format!("{first}{source}{split}{drawn}")
    }

    /// Whether images may be held out for validation; those of the user's own are known when they are read.
    pub(crate) fn may_hold_out(&self) -> bool {
        self.validation > 0
            || match &self.name {
                Source::Known(known) => known.n_validation > 0,
                Source::Own(_) => true,
            }
    }

    /// A source as it is: nothing held out, nothing drawn.
    pub fn plain(name: Source) -> Dataset {
        Dataset {
            name,
            digest: None,
            pixels: Pixels::Gray,
            size: None,
            fit: Fit::Resize,
            validation: 0,
            seed: 0,
            train_images: None,
            test_images: None,
        }
    }

    /// The same images, called binary where they are known to be.
    pub(crate) fn settled(self) -> Dataset {
        match self.name.known() {
            Some(known) if known.is_binary => Dataset { pixels: Pixels::Binary, ..self },
            _ => self,
        }
    }

    /// The same images, known by their content.
    pub fn identified(self, identity: &Identity) -> Dataset {
        let pixels = if identity.is_binary { Pixels::Binary } else { self.pixels };
        Dataset { digest: Some(identity.digest.clone()), pixels, ..self }
    }

    pub(crate) fn check(&self, checks: &mut Checks) {
        match &self.name {
            Source::Known(known) => self.check_not_own(known, checks),
            Source::Own(own) => self.check_own(own, checks),
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

impl Dataset {
    /// What has a meaning for the user's own images alone.
    fn check_not_own(&self, known: &KnownDataset, checks: &mut Checks) {
        if self.digest.is_some() {
            let message =
                format!("`digest` is for images of your own, and those of `{}` are pinned anyway", known.name);
            checks.complain("dataset.digest", message, "remove it");
        }
        self.check_no_size("leave `size` and `fit` out; bring an array to its size before it is saved", checks);
    }

    fn check_own(&self, own: &OwnSource, checks: &mut Checks) {
        check_path(own.kind.word(), &own.path, checks);
        if let Some(digest) = &self.digest
            && !is_sha256(digest)
        {
            let message = "`dataset.digest` is not a SHA-256: 64 digits of 0-9 and a-f";
            checks.complain("dataset.digest", message, "copy it from `elbo data info`, or leave it out");
        }
        match own.kind {
            OwnKind::Folder => match self.size {
                Some(size) => checks.within("dataset.size", size, 1..=MAX_SIZE),
                None if self.fit != Fit::Resize => checks.complain(
                    "dataset.fit",
                    "`dataset.fit` says how images are brought to a size, and there is no `size`",
                    "write `size: 28` or another, or remove `fit`",
                ),
                None => {}
            },
            OwnKind::Hdf5 | OwnKind::Npy | OwnKind::Npz | OwnKind::Idx => {
                self.check_no_size("leave `size` and `fit` out; bring an array to its size before it is saved", checks);
            }
            OwnKind::Set => self.check_no_size("write `size` and `fit` into the file that registers them", checks),
        }
    }

    fn check_no_size(&self, hint: &str, checks: &mut Checks) {
        if self.size.is_some() || self.fit != Fit::Resize {
            checks.complain(
                if self.size.is_some() { "dataset.size" } else { "dataset.fit" },
                "only images of a folder are brought to another size",
                hint,
            );
        }
    }
}

/// Whether a text is a SHA-256 in lowercase hexadecimal.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
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
