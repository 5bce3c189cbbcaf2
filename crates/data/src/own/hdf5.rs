//! A user's HDF5 file, the layouts of dSprites and 3dshapes included.

use std::fs::TryLockError;
use std::path::Path;

use hdf5::filters::Filter;
use hdf5::types::{FixedAscii, FixedUnicode, FloatSize, IntSize, TypeDescriptor};
use hdf5::{Dataset, File, H5Type, Hyperslab, SliceOrIndex};
use ndarray::IxDyn;

use super::Layout;
use super::facts::ContentDigest;
use crate::error::DataError;
use crate::idx::{DEFLATE_RATIO, open, written};
use crate::images::{Factors, Images, Shape, bytes};
use crate::neighbours;
use crate::split::{Parts, Wanted};

/// How many bytes are read at a time.
const BLOCK: usize = 16 << 20;
/// The largest chunk that is read; HDF5 holds a whole one in memory.
const LARGEST_CHUNK: usize = 1 << 30;

/// The longest attribute that is read, in bytes.
const MAX_TEXT: usize = 1024;

/// The most classes that have names.
const MAX_CLASSES: usize = 256;

pub(super) const DSPRITES: [&str; 6] = ["color", "shape", "scale", "orientation", "position_x", "position_y"];
const SHAPES3D: [&str; 6] = ["floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"];

/// What stands before the names of the arrays of a validation and of a test split.
const VALIDATION: &str = "validation_";
const TEST: &str = "test_";

/// An open file with `images` (or dSprites' `imgs`), optional `labels` and `factors`, and the same with `validation_` and
/// `test_` before them where the file has such splits of its own.
///
/// Unsigned bytes are 0…255, or 0 and 1 where nothing in the file exceeds 1; floating-point values are 0…1. Names of classes
/// are an attribute `names` of `labels`.
pub(super) struct Contents<'a> {
    file: Reader<'a>,
    train: Part,
    validation: Option<Part>,
    test: Option<Part>,
    class_names: Vec<String>,
}

impl Contents<'_> {
    pub(super) fn open(path: &Path) -> Result<Contents<'_>, DataError> {
        let file = Reader::open(path)?;
        let train = Part::open(&file, file.images(), "")?;
        let other = |prefix: &str| -> Result<Option<Part>, DataError> {
            let name = format!("{prefix}images");
            if !file.has(&name) {
                return Ok(None);
            }
            let part = Part::open(&file, &name, prefix)?;
            if part.layout.shape.image() != train.layout.shape.image() {
                let problem = format!("its `{}` and `{name}` differ in height, width or channels", train.name);
                return Err(file.wrong(problem, "give both the same size"));
            }
            Ok(Some(part))
        };
        let (validation, test) = (other(VALIDATION)?, other(TEST)?);
        let class_names = class_names(&file)?;
        Ok(Contents { file, train, validation, test, class_names })
    }

    /// Reads the images that are wanted; where there is no test split, a tenth is held out. `is_unit` as in the facts.
    pub(super) fn read(&self, wanted: &Wanted, is_unit: bool) -> Result<Parts, DataError> {
        let first = |n: usize| (0..n).collect::<Vec<_>>();
        let read = |part: &Part, rows: &[usize]| part.read(&self.file, rows, is_unit);
        let mut neighbour_distance = None;
        let (train, test) = match &self.test {
            Some(test) => {
                let n_train = wanted.n_train(self.train.layout.shape.n)?;
                (read(&self.train, &first(n_train))?, read(test, &first(wanted.n_test(test.layout.shape.n)?))?)
            }
            None => {
                let (mut rows, test_rows) = wanted.hold_out(self.train.layout.shape.n)?;
                let n_train = rows.len();
                rows.extend(test_rows);
                // Both in one pass, for they lie between each other in the file.
                let mut train = read(&self.train, &rows)?;
                let test = train.select(&(n_train..rows.len()).collect::<Vec<_>>())?;
                train.truncate(n_train);
                let (train_rows, test_rows) = rows.split_at(n_train);
                neighbour_distance = neighbours::distance(&train, train_rows, &test, test_rows);
                (train, test)
            }
        };
        let all = |part: &Part| read(part, &first(part.layout.shape.n));
        let validation = self.validation.as_ref().map(all).transpose()?;
        let class_names = self.class_names.clone();
        Ok(Parts { train, validation, test, class_names, neighbour_distance })
    }

    /// Feeds everything to a digest, a few images at a time.
    pub(super) fn digest(&self) -> Result<ContentDigest, DataError> {
        let parts = [Some(&self.train), self.validation.as_ref(), self.test.as_ref()];
        let are_bytes = parts.into_iter().flatten().all(|part| matches!(part.kind, Kind::Bytes));
        let mut digest = ContentDigest::default();
        digest.may_be_unit = are_bytes;
        for part in parts {
            let Some(part) = part else {
                digest.none();
                continue;
            };
            let (shape, labels) = (part.layout.shape, part.labels.as_deref());
            digest.begin(shape, labels);
            let n_at_once = (BLOCK / shape.n_pixels().max(1)).max(1);
            let n_at_once = n_at_once.next_multiple_of(part.dataset.chunk().map_or(1, |chunk| chunk[0].max(1)));
            for begin in (0..shape.n).step_by(n_at_once) {
                let rows: Vec<usize> = (begin..(begin + n_at_once).min(shape.n)).collect();
                digest.pixels(&part.read(&self.file, &rows, false)?.pixels);
            }
            digest.end(labels);
        }
        Ok(digest)
    }
}

/// The attribute `names` of the labels, in the labels' order.
fn class_names(file: &Reader<'_>) -> Result<Vec<String>, DataError> {
    const LABELS: &str = "labels";
    let Some(labels) = file.has(LABELS).then(|| file.dataset(LABELS)).transpose()? else { return Ok(Vec::new()) };
    let Ok(attribute) = labels.attr("names") else { return Ok(Vec::new()) };
    let hint = "write them as texts of fixed length, in h5py `attrs[\"names\"] = np.array(names, dtype=\"S\")`";
    let unreadable = |_| file.wrong("the attribute `names` of `labels` cannot be read", hint);
    let kind = attribute.dtype().and_then(|kind| kind.to_descriptor()).map_err(unreadable)?;
    let names: Vec<String> = match kind {
        TypeDescriptor::FixedAscii(0..=MAX_TEXT) if attribute.size() <= MAX_CLASSES => {
            let names = attribute.read_raw::<FixedAscii<MAX_TEXT>>().map_err(unreadable)?;
            names.iter().map(|name| name.as_str().to_owned()).collect()
        }
        TypeDescriptor::FixedUnicode(0..=MAX_TEXT) if attribute.size() <= MAX_CLASSES => {
            let names = attribute.read_raw::<FixedUnicode<MAX_TEXT>>().map_err(unreadable)?;
            names.iter().map(|name| name.as_str().to_owned()).collect()
        }
        // Texts of variable length lie in HDF5's global heap, which the library may read without end when it is damaged.
        TypeDescriptor::VarLenAscii | TypeDescriptor::VarLenUnicode => {
            return Err(file.wrong("the attribute `names` of `labels` holds texts of variable length", hint));
        }
        _ => return Err(file.wrong("the attribute `names` of `labels` holds no texts, or too many", hint)),
    };
    Ok(names)
}

/// The shape of the training images, and whether there are test images beside them, out of the headers alone.
pub(super) fn shape(path: &Path) -> Result<(Shape, bool), DataError> {
    let file = Reader::open(path)?;
    let images = file.dataset(file.images())?;
    Ok((Layout::of(path, &images.shape())?.shape, file.has(&format!("{TEST}images"))))
}

fn first_line(error: &hdf5::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Refuses a file that another program has open for writing, by the lock that HDF5 takes then: half of it may be on the disk.
fn refuse_written(path: &Path) -> Result<(), DataError> {
    let file = open(path)?;
    match file.file().try_lock_shared() {
        Err(TryLockError::WouldBlock) => Err(DataError::file(
            path,
            "is open for writing in another program",
            "close it there, such as by `file.close()` in h5py, and try again",
        )),
        // Some file systems know no locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// An open file and what its errors say.
struct Reader<'a> {
    path: &'a Path,
    length: u64,
    file: File,
}

impl Reader<'_> {
    fn open(path: &Path) -> Result<Reader<'_>, DataError> {
        let length = open(path)?.metadata()?.len();
        if length == 0 {
            return Err(DataError::file(path, "the file is empty", "write or fetch it again"));
        }
        refuse_written(path)?;
        // Without a lock of HDF5's: reading keeps nobody out, and a process started meanwhile has nothing to hold on to.
        let file = File::with_options().with_fapl(|access| access.file_locking(false)).open(path).map_err(|error| {
            let hint = "give a whole HDF5 file, or `{ npz: … }` for NumPy's";
            DataError::file(path, format!("is not HDF5, or is damaged: {}", first_line(&error)), hint)
        })?;
        Ok(Reader { path, length, file })
    }

    /// The name of the training images.
    fn images(&self) -> &'static str {
        if self.has("imgs") && !self.has("images") { "imgs" } else { "images" }
    }

    fn wrong(&self, problem: impl Into<String>, hint: &str) -> DataError {
        DataError::file(self.path, problem, hint)
    }

    fn damaged(&self, name: &str, error: &hdf5::Error) -> DataError {
        let hint = "the file is damaged, or packed by a filter that is not built in (only gzip is); write it again";
        self.wrong(format!("`{name}` cannot be read: {}", first_line(error)), hint)
    }

    fn has(&self, name: &str) -> bool {
        self.file.link_exists(name)
    }

    /// A dataset that holds as many bytes as it declares, or could when unpacked.
    fn dataset(&self, name: &str) -> Result<Dataset, DataError> {
        if !self.has(name) {
            let names = self.file.member_names().unwrap_or_default();
            let problem = format!("holds no `{name}`, but {}", quoted(&names));
            return Err(self.wrong(problem, "name the images `images`, shape [n, height, width] or with channels"));
        }
        let dataset = self.file.dataset(name).map_err(|error| self.damaged(name, &error))?;
        let shape = dataset.shape();
        let width = dataset.dtype().map_err(|error| self.damaged(name, &error))?.size();
        let declared = shape.iter().try_fold(width as u64, |product, &axis| product.checked_mul(axis as u64));
        let (stored, packed) = (dataset.storage_size(), dataset.is_chunked());
        let possible = if packed { stored.saturating_mul(DEFLATE_RATIO) } else { stored };
        if stored > self.length || declared.is_none_or(|declared| declared > possible) {
            let problem =
                format!("`{name}` declares {} values, of which the file holds {stored} bytes", written(&shape));
            return Err(self.wrong(problem, "the file was cut off or never written whole; write or fetch it again"));
        }
        for filter in dataset.filters() {
            // The others are not built in, or not safe: the library's Fletcher checksum reads beyond a damaged chunk.
            if !matches!(filter, Filter::Deflate(_) | Filter::Shuffle) {
                let problem = format!("`{name}` is packed by the filter {filter:?}");
                return Err(self.wrong(problem, "write the file again with gzip or without packing"));
            }
        }
        let chunk = dataset.chunk().unwrap_or_default();
        let chunk_bytes = chunk.iter().try_fold(width, |product, &axis| product.checked_mul(axis));
        if chunk_bytes.is_none_or(|bytes| bytes > LARGEST_CHUNK) {
            let problem = format!("`{name}` is stored in chunks of {} values", written(&chunk));
            return Err(self.wrong(problem, "store it in chunks of at most 1 GiB"));
        }
        Ok(dataset)
    }
}

fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.iter().take(8).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// How pixels are stored.
#[derive(Clone, Copy)]
enum Kind {
    Bytes,
    Booleans,
    Floats,
}

impl Kind {
    fn of(file: &Reader<'_>, name: &str, dataset: &Dataset) -> Result<Kind, DataError> {
        let stored = dataset.dtype().and_then(|kind| kind.to_descriptor());
        match stored.map_err(|error| file.damaged(name, &error))? {
            TypeDescriptor::Unsigned(IntSize::U1) => Ok(Kind::Bytes),
            TypeDescriptor::Boolean => Ok(Kind::Booleans),
            TypeDescriptor::Float(FloatSize::U4 | FloatSize::U8) => Ok(Kind::Floats),
            other => Err(file.wrong(
                format!("`{name}` holds values of type {other}"),
                "store images as unsigned bytes, or as 32- or 64-bit floating-point values in 0…1",
            )),
        }
    }
}

/// The images of one split and what belongs to them.
struct Part {
    name: String,
    dataset: Dataset,
    kind: Kind,
    layout: Layout,
    labels: Option<Vec<u8>>,
    factors: Option<Factors>,
}

impl Part {
    /// Opens `name`, with the labels and factors that have `prefix` before their names.
    fn open(file: &Reader<'_>, name: &str, prefix: &str) -> Result<Part, DataError> {
        let dataset = file.dataset(name)?;
        let kind = Kind::of(file, name, &dataset)?;
        let layout = Layout::of(file.path, &dataset.shape())?;
        let mut part = Part { name: name.to_owned(), dataset, kind, layout, labels: None, factors: None };
        if file.has(&format!("{prefix}labels")) {
            part.read_labels(file, &format!("{prefix}labels"))?;
        }
        if file.has(&format!("{prefix}factors")) {
            let name = format!("{prefix}factors");
            part.factors = Some(part.read_factors(file, &name)?);
        }
        if name == "imgs" {
            part.read_dsprites(file)?;
        }
        Ok(part)
    }

    /// Labels `[n]`, or 3dshapes' factors `[n, 6]`.
    fn read_labels(&mut self, file: &Reader<'_>, name: &str) -> Result<(), DataError> {
        let shape = file.dataset(name)?.shape();
        if let [_, n_factors] = shape[..]
            && n_factors > 1
        {
            let mut factors = self.read_factors(file, name)?;
            let images = self.layout.shape;
            if n_factors == SHAPES3D.len() && (images.channels, images.height, images.width) == (3, 64, 64) {
                factors.names = SHAPES3D.map(str::to_owned).to_vec();
                let shapes = factors.values.chunks_exact(n_factors).map(|row| row[4]);
                self.labels = Some(whole(file, name, shapes)?);
            }
            self.factors = Some(factors);
            return Ok(());
        }
        let values = self.read_table(file, name)?;
        self.labels = Some(whole(file, name, values.into_iter())?);
        Ok(())
    }

    /// Factors [n, k], named by an attribute `names` of `k` words, else numbered.
    fn read_factors(&self, file: &Reader<'_>, name: &str) -> Result<Factors, DataError> {
        let dataset = file.dataset(name)?;
        let values = self.read_table(file, name)?;
        let k = values.len() / self.layout.shape.n;
        let names = fixed_text(&dataset, "names").unwrap_or_default();
        let names: Vec<_> = names.split_whitespace().map(str::to_owned).collect();
        let numbered = || (0..k).map(|i| format!("factor_{i}")).collect();
        Ok(Factors { names: if names.len() == k { names } else { numbered() }, values })
    }

    /// dSprites: factors are `latents_values`, the label is the shape's number in `latents_classes`.
    fn read_dsprites(&mut self, file: &Reader<'_>) -> Result<(), DataError> {
        if file.has("latents_values") {
            let mut factors = self.read_factors(file, "latents_values")?;
            if factors.names.len() == DSPRITES.len() {
                factors.names = DSPRITES.map(str::to_owned).to_vec();
            }
            self.factors = Some(factors);
        }
        if file.has("latents_classes") && self.labels.is_none() {
            let values = self.read_table(file, "latents_classes")?;
            let k = values.len() / self.layout.shape.n;
            if k > 1 {
                self.labels = Some(whole(file, "latents_classes", values.chunks_exact(k).map(|row| row[1]))?);
            }
        }
        Ok(())
    }

    /// A table with one row per image.
    fn read_table(&self, file: &Reader<'_>, name: &str) -> Result<Vec<f64>, DataError> {
        let dataset = file.dataset(name)?;
        let (shape, n) = (dataset.shape(), self.layout.shape.n);
        if shape.first() != Some(&n) || shape.len() > 2 || shape.contains(&0) {
            let problem = format!("`{name}` holds {} values for {n} images", written(&shape));
            return Err(file.wrong(problem, "give one row per image"));
        }
        bytes(dataset.size().saturating_mul(8))?;
        dataset.read_raw::<f64>().map_err(|error| {
            file.wrong(
                format!("`{name}` cannot be read: {}", first_line(&error)),
                "store it as numbers, or take it away",
            )
        })
    }

    /// The images at `rows`, in that order; bytes are multiplied by 255 where they are 0 and 1.
    fn read(&self, file: &Reader<'_>, rows: &[usize], is_unit: bool) -> Result<Images, DataError> {
        let size = self.layout.shape.n_pixels();
        let mut pixels = bytes(rows.len().saturating_mul(size))?;
        pixels.resize(rows.len() * size, 0);
        match self.kind {
            Kind::Bytes if is_unit => self.gather(file, rows, &mut pixels, |&value: &u8| Some(value.min(1) * 255)),
            Kind::Bytes => self.gather(file, rows, &mut pixels, |&value: &u8| Some(value)),
            Kind::Booleans => self.gather(file, rows, &mut pixels, |&value: &bool| Some(if value { 255 } else { 0 })),
            Kind::Floats => self.gather(file, rows, &mut pixels, |&value: &f32| {
                (0.0..=1.0).contains(&value).then_some((value * 255.0 + 0.5) as u8)
            }),
        }?;
        Ok(Images {
            pixels,
            shape: Shape { n: rows.len(), ..self.layout.shape },
            labels: self.labels.as_ref().map(|labels| rows.iter().map(|&row| labels[row]).collect()),
            factors: self.factors.as_ref().map(|factors| factors.select(rows)),
        })
    }

    /// Reads only the blocks of the file that hold wanted rows, in the file's order.
    fn gather<T: H5Type + std::fmt::Debug>(
        &self,
        file: &Reader<'_>,
        rows: &[usize],
        pixels: &mut [u8],
        to_byte: impl Fn(&T) -> Option<u8>,
    ) -> Result<(), DataError> {
        let Shape { n, .. } = self.layout.shape;
        let size = self.layout.shape.n_pixels();
        // A chunk is unpacked as a whole, so it is read as a whole.
        let unit = self.dataset.chunk().and_then(|chunk| chunk.first().copied()).unwrap_or(1).max(1);
        let n_units = (BLOCK / (unit.saturating_mul(size).saturating_mul(size_of::<T>())).max(1)).max(1);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_unstable_by_key(|&position| rows[position]);
        let mut rest = &order[..];
        let mut image = vec![0; size];
        while let Some(&first) = rest.first() {
            let begin = rows[first] / unit * unit;
            let limit = (begin + unit * n_units).min(n);
            let n_here = rest.iter().take_while(|&&position| rows[position] < limit).count();
            let (here, after) = rest.split_at(n_here);
            let end = ((rows[here[n_here - 1]] / unit + 1) * unit).min(n);
            let block = self.read_rows::<T>(begin, end).map_err(|error| file.damaged(&self.name, &error))?;
            for &position in here {
                let stored = &block[(rows[position] - begin) * size..][..size];
                for (byte, value) in image.iter_mut().zip(stored) {
                    *byte = to_byte(value).ok_or_else(|| {
                        let problem = format!(
                            "`{}` holds `{value:?}`, not a value in 0…1, in image {}",
                            self.name, rows[position]
                        );
                        file.wrong(problem, "scale the values to 0…1, or store them as unsigned bytes")
                    })?;
                }
                self.layout.channels_first(&image, &mut pixels[position * size..][..size]);
            }
            rest = after;
        }
        Ok(())
    }

    fn read_rows<T: H5Type>(&self, begin: usize, end: usize) -> hdf5::Result<Vec<T>> {
        let mut slices = vec![SliceOrIndex::from(begin..end)];
        slices.resize(self.dataset.ndim(), SliceOrIndex::from(..));
        let block = self.dataset.read_slice::<T, _, IxDyn>(Hyperslab::from(slices))?;
        Ok(block.into_raw_vec_and_offset().0)
    }
}

/// An attribute that is a text of fixed length.
///
/// Texts of variable length lie in HDF5's global heap, which the library may read without end when it is damaged.
fn fixed_text(dataset: &Dataset, name: &str) -> Option<String> {
    let attribute = dataset.attr(name).ok()?;
    match attribute.dtype().ok()?.to_descriptor().ok()? {
        TypeDescriptor::FixedAscii(0..=MAX_TEXT) => {
            Some(attribute.read_scalar::<FixedAscii<MAX_TEXT>>().ok()?.as_str().to_owned())
        }
        TypeDescriptor::FixedUnicode(0..=MAX_TEXT) => {
            Some(attribute.read_scalar::<FixedUnicode<MAX_TEXT>>().ok()?.as_str().to_owned())
        }
        _ => None,
    }
}

/// Whole numbers 0…255.
fn whole(file: &Reader<'_>, name: &str, values: impl Iterator<Item = f64>) -> Result<Vec<u8>, DataError> {
    let label = |value: f64| {
        let label = value as u8;
        if f64::from(label) == value {
            return Ok(label);
        }
        let problem = format!("`{name}` holds `{value}`, which is no label");
        Err(file.wrong(problem, "give labels as whole numbers from 0 to 255, or take them away"))
    };
    values.map(label).collect()
}
