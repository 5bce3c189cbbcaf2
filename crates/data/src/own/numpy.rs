//! A user's arrays as NumPy saves them: one in `.npy`, several in `.npz`.

use std::io::{BufReader, Read};
use std::path::Path;

use fs_err::File;
use zip::ZipArchive;

use super::{Layout, Whole};
use crate::error::DataError;
use crate::idx::{DEFLATE_RATIO, open, written};
use crate::images::{Factors, Images, Shape, bytes};

const WHOLE: &str = "the file was cut off or damaged; write or fetch it again";
/// The longest header that is read, in bytes.
const LONGEST_HEADER: usize = 1 << 16;

/// Names of the arrays of images that are looked for, each with those of their labels: NumPy's own for an array without a name,
/// dSprites', Keras' and MedMNIST's are among them.
const TRAIN: [(&str, &str); 5] = [
    ("images", "labels"),
    ("train_images", "train_labels"),
    ("x_train", "y_train"),
    ("imgs", "labels"),
    ("arr_0", "labels"),
];
const VALIDATION: [(&str, &str); 3] =
    [("validation_images", "validation_labels"), ("val_images", "val_labels"), ("x_val", "y_val")];
const TEST: [(&str, &str); 2] = [("test_images", "test_labels"), ("x_test", "y_test")];

/// Reads all splits that there are. Unsigned bytes are 0…255, or 0 and 1 where nothing exceeds 1; floating-point values are
/// 0…1; labels are whole numbers from 0 to 255.
pub(super) fn read(path: &Path) -> Result<Whole, DataError> {
    let mut arrays = Arrays::open(path)?;
    let Some(train) = arrays.split(&TRAIN)? else { return Err(arrays.no_images()) };
    let (validation, test) = (arrays.split(&VALIDATION)?, arrays.split(&TEST)?);
    let mut whole = Whole { train, validation, test, class_names: arrays.class_names()? };
    let is_unit = arrays.are_bytes && whole.splits().all(|(_, images)| images.pixels.iter().all(|&value| value <= 1));
    if is_unit {
        for images in [Some(&mut whole.train), whole.validation.as_mut(), whole.test.as_mut()].into_iter().flatten() {
            images.pixels.iter_mut().for_each(|value| *value *= 255);
        }
    }
    whole.checked(path)
}

/// The shape of the training images, and whether there are test images beside them, out of the headers alone.
pub(super) fn shape(path: &Path) -> Result<(Shape, bool), DataError> {
    let mut arrays = Arrays::open(path)?;
    let Some((name, _)) = arrays.first_of(&TRAIN) else { return Err(arrays.no_images()) };
    let shape = arrays.with(name, |header, _| Ok(Layout::of(path, &header.shape)?.shape))?;
    Ok((shape, arrays.first_of(&TEST).is_some()))
}

/// An open file.
struct Arrays<'a> {
    path: &'a Path,
    /// None for a single array.
    archive: Option<ZipArchive<BufReader<File>>>,
    /// Whether all images so far are unsigned bytes.
    are_bytes: bool,
}

/// What stands before an array's values.
struct Header {
    /// As NumPy writes it: `<f4`, `|u1`.
    kind: String,
    shape: Vec<usize>,
    /// Values in all.
    n: usize,
}

impl Arrays<'_> {
    fn open(path: &Path) -> Result<Arrays<'_>, DataError> {
        let mut file = open(path)?;
        let mut first = [0; 4];
        if file.metadata()?.len() == 0 {
            return Err(DataError::file(path, "the file is empty", "write or fetch it again"));
        }
        let is_archive = file.read_exact(&mut first).is_ok() && first == *b"PK\x03\x04";
        let archive =
            is_archive.then(|| ZipArchive::new(BufReader::new(open(path)?)).map_err(|error| damaged(path, &error)));
        Ok(Arrays { path, archive: archive.transpose()?, are_bytes: true })
    }

    fn names(&self) -> Vec<String> {
        let names = self.archive.iter().flat_map(|archive| archive.file_names());
        let mut names: Vec<String> = names.map(|name| name.trim_end_matches(".npy").to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// The first of these arrays that there is; a file of one array has that for its training images.
    fn first_of<'n>(&self, names: &[(&'n str, &'n str)]) -> Option<(&'n str, &'n str)> {
        match &self.archive {
            None => names.iter().copied().find(|(images, _)| *images == TRAIN[0].0),
            Some(_) => {
                let there = self.names();
                names.iter().copied().find(|(images, _)| there.iter().any(|name| name == images))
            }
        }
    }

    fn no_images(&self) -> DataError {
        let names: Vec<String> = self.names().iter().take(8).map(|name| format!("`{name}`")).collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        let hint = "name the images `images` or `train_images`, shape [n, height, width] or with channels: `np.savez(file, images=…, labels=…)`";
        DataError::file(self.path, format!("holds no `images`, but {names}"), hint)
    }

    /// Reads an array's header, then lets `read` have what follows.
    fn with<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Header, &mut dyn Read) -> Result<T, DataError>,
    ) -> Result<T, DataError> {
        let path = self.path;
        match &mut self.archive {
            None => {
                let file = open(path)?;
                let length = file.metadata()?.len();
                let mut stream = BufReader::new(file);
                let header = header(path, &mut stream, length)?;
                read(&header, &mut stream)
            }
            Some(archive) => {
                let file = archive.by_name(&format!("{name}.npy")).map_err(|error| damaged(path, &error))?;
                let length = file.size().min(file.compressed_size().saturating_mul(DEFLATE_RATIO));
                let mut stream = BufReader::new(file);
                let header = header(path, &mut stream, length)?;
                read(&header, &mut stream)
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.names().iter().any(|other| other == name)
    }

    /// The images and labels of a split, where there are any.
    fn split(&mut self, names: &[(&str, &str)]) -> Result<Option<Images>, DataError> {
        let Some((name, labels)) = self.first_of(names) else { return Ok(None) };
        let path = self.path;
        let (layout, values, are_bytes) = self.with(name, |header, stream| {
            let layout = Layout::of(path, &header.shape)?;
            Ok((layout, images(path, header, stream)?, header.kind == "|u1"))
        })?;
        self.are_bytes &= are_bytes;
        let shape = layout.shape;
        let mut pixels = bytes(values.len())?;
        pixels.resize(values.len(), 0);
        let size = shape.n_pixels();
        for (image, out) in values.chunks_exact(size).zip(pixels.chunks_exact_mut(size)) {
            layout.channels_first(image, out);
        }
        let mut images = Images { pixels, shape, labels: None, factors: None };
        if self.has(labels) {
            images.labels = Some(self.labels(labels, shape.n, None)?);
        }
        if name == "imgs" {
            self.read_dsprites(&mut images)?;
        }
        Ok(Some(images))
    }

    /// dSprites' factors are `latents_values`, its label is the shape's number in `latents_classes`.
    fn read_dsprites(&mut self, images: &mut Images) -> Result<(), DataError> {
        let n = images.shape.n;
        if self.has("latents_values") {
            let (columns, values) = self.table("latents_values", n)?;
            let numbered = || (0..columns).map(|i| format!("factor_{i}")).collect();
            let names = super::hdf5::DSPRITES.map(str::to_owned).to_vec();
            images.factors = Some(Factors { names: if names.len() == columns { names } else { numbered() }, values });
        }
        if self.has("latents_classes") && images.labels.is_none() {
            images.labels = Some(self.labels("latents_classes", n, Some(1))?);
        }
        Ok(())
    }

    /// A row of numbers for each of `n` images, and how many a row has.
    fn table(&mut self, name: &str, n: usize) -> Result<(usize, Vec<f64>), DataError> {
        let path = self.path;
        self.with(name, |header, stream| {
            if header.shape.first() != Some(&n) || header.shape.len() > 2 || header.n == 0 {
                let problem = format!("`{name}` holds {} values for {n} images", written(&header.shape));
                return Err(DataError::file(path, problem, "give one row per image"));
            }
            Ok((header.n / n, numbers(path, name, header, stream)?))
        })
    }

    /// Whole numbers 0…255, out of a column where there are several.
    fn labels(&mut self, name: &str, n: usize, column: Option<usize>) -> Result<Vec<u8>, DataError> {
        let (columns, values) = self.table(name, n)?;
        let column = column.filter(|column| *column < columns).unwrap_or(0);
        let label = |row: &[f64]| {
            let (value, label) = (row[column], row[column] as u8);
            if f64::from(label) == value {
                return Ok(label);
            }
            let hint = "give labels as whole numbers from 0 to 255, one an image, or take them away";
            Err(DataError::file(self.path, format!("`{name}` holds `{value}`, which is no label"), hint))
        };
        values.chunks_exact(columns).map(label).collect()
    }

    /// The array `class_names` of texts.
    fn class_names(&mut self) -> Result<Vec<String>, DataError> {
        const NAME: &str = "class_names";
        if !self.has(NAME) {
            return Ok(Vec::new());
        }
        let path = self.path;
        self.with(NAME, |header, stream| {
            let hint = "save it as `np.array([\"first class\", …])`";
            let bad = || DataError::file(path, format!("`{NAME}` is no array of texts"), hint);
            let (is_wide, length) = match header.kind.split_at_checked(2).ok_or_else(bad)? {
                ("<U", length) => (true, length.parse::<usize>().map_err(|_| bad())?),
                ("|S", length) => (false, length.parse::<usize>().map_err(|_| bad())?),
                _ => return Err(bad()),
            };
            let width = if is_wide { 4 * length } else { length };
            if header.shape.len() != 1 || header.n > 256 || !(1..=4096).contains(&width) {
                return Err(bad());
            }
            let mut values = vec![0; header.n * width];
            stream.read_exact(&mut values).map_err(|error| cut_off(path, &error))?;
            let text = |value: &[u8]| match is_wide {
                true => value
                    .chunks_exact(4)
                    .filter_map(|c| char::from_u32(u32::from_le_bytes([c[0], c[1], c[2], c[3]])))
                    .filter(|c| *c != '\0')
                    .collect(),
                false => String::from_utf8_lossy(value).trim_end_matches('\0').to_owned(),
            };
            Ok(values.chunks_exact(width).map(text).collect())
        })
    }
}

fn damaged(path: &Path, error: &zip::result::ZipError) -> DataError {
    DataError::file(path, format!("is no archive of NumPy's, or is damaged: {error}"), WHOLE)
}

fn cut_off(path: &Path, error: &std::io::Error) -> DataError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => DataError::file(path, "ends before all values that it declares", WHOLE),
        _ => DataError::file(path, format!("cannot be read or decompressed: {error}"), WHOLE),
    }
}

/// Reads a header of an array in a file of at most `length` bytes, which guards against one that lies.
fn header(path: &Path, stream: &mut impl Read, length: u64) -> Result<Header, DataError> {
    let hint = "give a `.npy` or `.npz` file as `np.save` or `np.savez` writes it";
    let bad = |problem: &str| DataError::file(path, problem.to_owned(), hint);
    let mut first = [0; 8];
    stream.read_exact(&mut first).map_err(|_| bad("is no file of NumPy's"))?;
    if &first[..6] != b"\x93NUMPY" {
        return Err(bad("is no file of NumPy's"));
    }
    let mut n = [0; 4];
    let n_bytes = if first[6] == 1 { 2 } else { 4 };
    stream.read_exact(&mut n[..n_bytes]).map_err(|error| cut_off(path, &error))?;
    let n = u32::from_le_bytes(n) as usize;
    if n > LONGEST_HEADER {
        return Err(bad("has a header that is longer than NumPy writes any"));
    }
    let mut text = vec![0; n];
    stream.read_exact(&mut text).map_err(|error| cut_off(path, &error))?;
    let text = String::from_utf8_lossy(&text);
    let after = |key: &str| text.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
    let (Some(kind), Some(order), Some(shape)) = (after("descr"), after("fortran_order"), after("shape")) else {
        return Err(bad("has a header that is not NumPy's"));
    };
    let Some(kind) = kind.strip_prefix('\'').and_then(|rest| rest.split('\'').next()) else {
        return Err(bad("holds records of several values"));
    };
    if order.starts_with("True") {
        let hint = "save it in C order: `np.save(file, np.ascontiguousarray(images))`";
        return Err(DataError::file(path, "holds an array in Fortran's order", hint));
    }
    let axes = shape.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(axes, _)| axes);
    let axes =
        axes.map(|axes| axes.split(',').map(str::trim).filter(|axis| !axis.is_empty()).map(str::parse).collect());
    let Some(Ok(shape)) = axes as Option<Result<Vec<usize>, _>> else {
        return Err(bad("has a header that is not NumPy's"));
    };
    let n = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis));
    match n {
        Some(n) if n as u64 <= length => Ok(Header { kind: kind.to_owned(), shape, n }),
        _ => {
            let problem = format!("declares an array of {}, more than a file of its size can hold", written(&shape));
            Err(DataError::file(path, problem, WHOLE))
        }
    }
}

/// Pixels as bytes, in the order of the file.
fn images(path: &Path, header: &Header, stream: &mut dyn Read) -> Result<Vec<u8>, DataError> {
    let hint =
        "store images as unsigned bytes, or as floating-point values in 0…1: `np.save(file, images.astype(np.uint8))`";
    let unit = |value: f64| (0.0..=1.0).contains(&value).then_some((value * 255.0 + 0.5) as u8);
    let convert: &dyn Fn(f64) -> Option<u8> = match &*header.kind {
        "|u1" => {
            let mut pixels = bytes(header.n)?;
            let n = stream.take(header.n as u64).read_to_end(&mut pixels).map_err(|error| cut_off(path, &error))?;
            if n < header.n {
                return Err(DataError::file(path, "ends before all values that it declares", WHOLE));
            }
            return ended(path, stream).map(|()| pixels);
        }
        "|b1" | "<f4" | "<f8" | ">f4" | ">f8" => &unit,
        "<u2" | ">u2" => {
            let hint = "scale them to 0…255 and store them as unsigned bytes, or to 0…1 as floating-point values";
            return Err(DataError::file(
                path,
                "holds values of 16 bits, of which nobody can say what the greatest is",
                hint,
            ));
        }
        other => return Err(DataError::file(path, format!("holds values of type {}", type_name(other)), hint)),
    };
    let mut pixels = bytes(header.n)?;
    each(path, header, stream, |value| {
        let byte = convert(value).ok_or_else(|| {
            let image = pixels.len() / header.shape[1..].iter().product::<usize>().max(1);
            DataError::file(
                path,
                format!("holds `{}`, not a value in 0…1, in image {image}", value as f32),
                "scale the values to 0…1, or store them as unsigned bytes",
            )
        })?;
        pixels.push(byte);
        Ok(())
    })?;
    Ok(pixels)
}

/// All values as numbers.
fn numbers(path: &Path, name: &str, header: &Header, stream: &mut dyn Read) -> Result<Vec<f64>, DataError> {
    bytes(header.n.saturating_mul(8))?;
    if width(&header.kind).is_none() {
        let problem = format!("`{name}` holds values of type {}", type_name(&header.kind));
        let hint = "store whole numbers from 0 in it, and what they stand for in `class_names`, or take it away";
        return Err(DataError::file(path, problem, hint));
    }
    let mut values = Vec::with_capacity(header.n);
    each(path, header, stream, |value| {
        values.push(value);
        Ok(())
    })?;
    Ok(values)
}

/// A kind of values as a file says it, and as NumPy's users know it.
fn type_name(kind: &str) -> String {
    let known = match kind.split_at_checked(1).map(|(_, kind)| kind.split_at_checked(1)) {
        Some(Some(("i", n))) => n.parse().ok().map(|n: usize| format!("int{}", 8 * n)),
        Some(Some(("u", n))) => n.parse().ok().map(|n: usize| format!("uint{}", 8 * n)),
        Some(Some(("f", n))) => n.parse().ok().map(|n: usize| format!("float{}", 8 * n)),
        Some(Some(("c", _))) => Some("complex numbers".to_owned()),
        Some(Some(("U" | "S", _))) => Some("texts".to_owned()),
        Some(Some(("O", _))) => Some("Python's objects".to_owned()),
        _ => None,
    };
    known.map_or_else(|| format!("`{kind}`"), |known| format!("`{kind}` ({known})"))
}

/// Bytes of a number of this kind.
fn width(kind: &str) -> Option<usize> {
    let (order, kind) = kind.split_at_checked(1)?;
    let known = ["b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"].contains(&kind);
    (known && ["<", ">", "|"].contains(&order)).then(|| kind[1..].parse().ok())?
}

/// Calls `take` with each value.
fn each(
    path: &Path,
    header: &Header,
    stream: &mut dyn Read,
    mut take: impl FnMut(f64) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let width = width(&header.kind).unwrap_or(1);
    let is_big = header.kind.starts_with('>');
    let mut buffer = vec![0; width << 13];
    let mut rest = header.n;
    while rest > 0 {
        let n = rest.min(1 << 13);
        let block = &mut buffer[..n * width];
        stream.read_exact(block).map_err(|error| cut_off(path, &error))?;
        for value in block.chunks_exact_mut(width) {
            if is_big {
                value.reverse();
            }
            take(number(&header.kind[1..], value))?;
        }
        rest -= n;
    }
    ended(path, stream)
}

/// That nothing follows; in an archive the checksum is right then.
fn ended(path: &Path, stream: &mut dyn Read) -> Result<(), DataError> {
    match stream.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(DataError::file(path, "goes on after the values that it declares", WHOLE)),
        Err(error) => Err(cut_off(path, &error)),
    }
}

/// A number out of its bytes, the least first.
fn number(kind: &str, bytes: &[u8]) -> f64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let unsigned = u64::from_le_bytes(wide);
    let shift = 64 - 8 * bytes.len();
    match kind.as_bytes().first() {
        Some(b'f') if bytes.len() == 4 => f32::from_bits(unsigned as u32).into(),
        Some(b'f') => f64::from_bits(unsigned),
        Some(b'i') => (((unsigned << shift) as i64) >> shift) as f64,
        _ => unsigned as f64,
    }
}
