//! What `elbo data` tells: which datasets there are, where they lie, and what is in them.

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use spec::known::Origin;
use spec::{Dataset, KNOWN_DATASETS, KnownDataset, OwnKind, OwnSource, Source};

use crate::cache;
use crate::download::{Fetcher, Progress};
use crate::error::DataError;
use crate::folders::Folders;
use crate::images::{Images, Splits, gray_bce_floor};
use crate::known::PublishedSet;
use crate::load_with;

/// A dataset that needs no path, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatasetInfo {
    /// Its name in a spec.
    pub name: String,
    /// What it holds, in a line.
    pub what: String,
    /// The file or folder that holds it, if it is here.
    pub place: Option<PathBuf>,
    /// Where it would come from if it is not.
    pub origin: String,
    /// Bytes on disk; nought if it is not here.
    pub n_bytes: u64,
}

/// A dataset that has been made ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prepared {
    /// The file or folder that holds it.
    pub place: PathBuf,
    /// Bytes on disk.
    pub n_bytes: u64,
    /// SHA-256 that the user's own images are known by, `dataset.digest`; of a known dataset that of its splits, as in
    /// [`Splits::digest`].
    pub digest: String,
}

/// What is in a dataset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Info {
    /// Its name in a spec, or its path.
    pub name: String,
    /// What it holds, in a line.
    pub what: String,
    /// Whom to cite.
    pub citation: String,
    /// Under which terms it is given.
    pub licence: String,
    /// SHA-256 of the splits, as in [`Splits::digest`].
    pub digest: String,
    /// SHA-256 that the user's own images are known by: `dataset.digest`; `None` for a known dataset.
    pub content: Option<String>,
    /// Whether every pixel is 0 or 1.
    pub is_binary: bool,
    /// The splits, the training images first.
    pub splits: Vec<SplitInfo>,
    /// The known factors of the training images.
    pub factors: Vec<FactorInfo>,
}

/// What is in a split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitInfo {
    /// `train`, `validation` or `test`.
    pub split: String,
    /// Number of images.
    pub n: usize,
    /// 1 for gray, 3 for colour.
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Mean over all values, 0…1.
    pub mean_gray: f64,
    /// The floor of the cross-entropy on gray values, in nats per image, a mean over images.
    pub gray_bce_floor: f64,
    /// Images of each class; empty without labels.
    pub classes: Vec<ClassCount>,
}

/// How many images a class has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// Its number.
    pub label: u8,
    /// Its name, where one is known.
    pub name: Option<String>,
    /// Its images.
    pub n: usize,
}

/// The range of a factor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FactorInfo {
    /// Its name.
    pub name: String,
    /// Its least value.
    pub min: f64,
    /// Its greatest value.
    pub max: f64,
}

/// The datasets that need no path.
pub fn list(folders: &Folders) -> Vec<DatasetInfo> {
    let describe = |known: &KnownDataset| {
        let (place, origin) = match &known.origin {
            Origin::Drawn => {
                let path = Some(cache::glyphs_path(folders)).filter(|path| path.is_file());
                (path, "embedded: drawn on first use, no download".to_owned())
            }
            Origin::Published(published) => {
                let from = published.mirrors.first().copied().unwrap_or_default();
                (PublishedSet { known, published }.find(folders), format!("would be downloaded from {from}"))
            }
        };
        let n_bytes = place.as_deref().map_or(0, |place| n_bytes(known, place));
        DatasetInfo { name: known.name.to_owned(), what: known.summary(), place, origin, n_bytes }
    };
    KNOWN_DATASETS.iter().map(describe).collect()
}

/// Bytes on disk of a known dataset that lies at `place`.
fn n_bytes(known: &KnownDataset, place: &Path) -> u64 {
    match &known.origin {
        Origin::Drawn => file_length(place),
        Origin::Published(published) => PublishedSet { known, published }.n_bytes(place),
    }
}

/// Makes a dataset ready: draws it, finds or downloads it, and reads all of it once.
///
/// # Errors
/// As [`crate::load`].
pub fn prepare(
    source: &Source,
    folders: &Folders,
    fetcher: &Fetcher,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Prepared, DataError> {
    let dataset = Dataset::plain(source.clone());
    let content = crate::identify(&dataset, folders, progress)?.map(|identity| identity.digest);
    let splits = load_with(&dataset, folders, fetcher, progress)?.digest;
    let digest = content.unwrap_or(splits);
    let (place, n_bytes) = match source {
        Source::Known(known) => {
            let place = match &known.origin {
                Origin::Drawn => cache::glyphs_path(folders),
                Origin::Published(published) => {
                    let set = PublishedSet { known, published };
                    set.find(folders).unwrap_or_else(|| set.cache_folder(folders))
                }
            };
            let n_bytes = n_bytes(known, &place);
            (place, n_bytes)
        }
        Source::Own(own) => {
            let path = crate::own::find(own, &dataset, folders)?.path;
            let n_bytes = tree_length(&path, 4);
            (path, n_bytes)
        }
    };
    Ok(Prepared { place, n_bytes, digest })
}

/// What is in a dataset, as an experiment would read it.
///
/// # Errors
/// As [`crate::load`].
pub fn info(
    dataset: &Dataset,
    folders: &Folders,
    fetcher: &Fetcher,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Info, DataError> {
    let content = crate::identify(dataset, folders, progress)?;
    let Splits { train, validation, test, class_names, digest, .. } = load_with(dataset, folders, fetcher, progress)?;
    let own = |path: &Path, what: &str| {
        let owner = "the user's own".to_owned();
        (path.display().to_string(), what.to_owned(), owner.clone(), owner)
    };
    let (name, what, citation, licence) = match &dataset.name {
        Source::Known(known) => {
            (known.name.to_owned(), known.summary(), known.citation.to_owned(), known.licence.to_owned())
        }
        Source::Own(OwnSource { kind: OwnKind::Set, path }) => {
            let spec::Registered { images, what, citation, licence, .. } = spec::Registered::load(path)?;
            let owner = || "the user's own".to_owned();
            let what = what.unwrap_or_else(|| format!("images at {}", images.path.display()));
            (dataset.name.readable_name(), what, citation.unwrap_or_else(owner), licence.unwrap_or_else(owner))
        }
        Source::Own(OwnSource { kind, path }) => own(
            path,
            match kind {
                OwnKind::Set => "a registered dataset",
                OwnKind::Hdf5 => "an HDF5 file",
                OwnKind::Npy | OwnKind::Npz => "arrays of NumPy's",
                OwnKind::Idx => "a folder of IDX files",
                OwnKind::Folder => "a folder of images",
            },
        ),
    };
    let splits = [("train", Some(&train)), ("validation", validation.as_ref()), ("test", Some(&test))];
    let describe =
        |(split, images): (&str, Option<&Images>)| images.map(|images| describe(split, images, &class_names));
    let splits = splits.into_iter().filter_map(describe).collect();
    let (content, is_binary) = content.map_or((None, false), |content| (Some(content.digest), content.is_binary));
    let is_binary = is_binary || dataset.name.known().is_some_and(|known| known.is_binary);
    Ok(Info { name, what, citation, licence, digest, content, is_binary, splits, factors: ranges(&train) })
}

fn describe(split: &str, images: &Images, class_names: &[String]) -> SplitInfo {
    let shape = images.shape;
    let sum: u64 = images.pixels.iter().map(|&value| u64::from(value)).sum();
    let mut counts = [0; 256];
    for &label in images.labels.iter().flatten() {
        counts[usize::from(label)] += 1;
    }
    let class = |(label, n): (u8, usize)| ClassCount { label, name: class_names.get(usize::from(label)).cloned(), n };
    SplitInfo {
        split: split.to_owned(),
        n: shape.n,
        channels: shape.channels,
        height: shape.height,
        width: shape.width,
        mean_gray: sum as f64 / 255.0 / images.pixels.len().max(1) as f64,
        gray_bce_floor: gray_bce_floor(images),
        classes: (0..=255).zip(counts).filter(|&(_, n)| n > 0).map(class).collect(),
    }
}

fn ranges(images: &Images) -> Vec<FactorInfo> {
    let Some(factors) = &images.factors else {
        return Vec::new();
    };
    let k = factors.names.len();
    let range = |(i, name): (usize, &String)| {
        let column = factors.values.iter().skip(i).step_by(k);
        let (min, max) = column.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
        FactorInfo { name: name.clone(), min, max }
    };
    factors.names.iter().enumerate().map(range).collect()
}

fn file_length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Bytes of a file, or of all files in a folder, down to `depth` folders.
fn tree_length(path: &Path, depth: usize) -> u64 {
    if path.is_dir() && depth > 0 {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| tree_length(&entry.path(), depth - 1)).sum()
    } else {
        file_length(path)
    }
}
