//! A folder of PNG and JPEG files, flat or with a subfolder per label, and with folders for its splits.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::BufReader;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fs_err as fs;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageReader, Limits};
use spec::{Dataset, Fit, OwnKind, OwnSource, Registered};

use super::Whole;
use crate::error::DataError;
use crate::idx::DEFLATE_RATIO;
use crate::images::{Images, Shape, bytes};

/// The longest side of an image.
const LONGEST_SIDE: u32 = 8_192;

/// More pixels than a byte of a file can stand for: in PNG they are one bit each at least, and deflated.
const PIXELS_PER_BYTE: u64 = 8 * DEFLATE_RATIO;

/// An image file and the name of its label.
type Labelled = (PathBuf, Option<OsString>);

/// Reads a folder of images of one height and width, or brings them to `size`; with what is to be said about them.
///
/// A folder that holds `train`, alone or with `test` or `val` or both, has these splits of its own. The name of a subfolder is the
/// label of all images in it, however deep; labels are numbered in the byte order of their names, or by value where all names are
/// whole numbers up to 255. When any of the images has colour, all have three channels.
pub(super) fn read(folder: &Path, size: Option<(usize, Fit)>) -> Result<(Whole, Vec<String>), DataError> {
    let splits = Splits::of(folder)?;
    let Splits { train, validation, test } = &splits;
    let lists =
        [Some(list(train)?), validation.as_deref().map(list).transpose()?, test.as_deref().map(list).transpose()?];
    let left_out = splits.left_out(folder)?;
    let all = || lists.iter().flatten().flatten();
    let names = label_names(folder, all())?;
    let shape = common_shape(all(), size)?;
    let n_deep = AtomicUsize::new(0);
    let mut parts = Vec::new();
    for files in &lists {
        parts.push(files.as_ref().map(|files| decode(files, shape, size, &names, &n_deep)).transpose()?);
    }
    let [Some(train), validation, test] = <[Option<Images>; 3]>::try_from(parts).unwrap_or_default() else {
        return Err(DataError::file(folder, "holds no training images", "name the folder of the images"));
    };
    let mut notes = Vec::new();
    if let Some((size, fit)) = size {
        notes.push(match fit {
            Fit::Resize => format!("images are scaled until their shorter side is {size}, and their middle is cut out"),
            Fit::Crop => format!("the middle {size}×{size} pixels of the images are cut out, without scaling"),
        });
    }
    if let n @ 1.. = n_deep.into_inner() {
        let images = if n == 1 { "1 image has".to_owned() } else { format!("{n} images have") };
        notes.push(format!("{images} 16 bits a value, of which the upper 8 are used"));
    }
    notes.extend(left_out);
    Ok((Whole { train, validation, test, class_names: in_order(&names) }, notes))
}

/// The names of the labels by number; a number that stands for no name is one itself.
fn in_order(names: &[(OsString, u8)]) -> Vec<String> {
    let n = names.iter().map(|(_, number)| usize::from(*number) + 1).max().unwrap_or(0);
    let mut ordered: Vec<String> = (0..n).map(|number| number.to_string()).collect();
    for (name, number) in names {
        ordered[usize::from(*number)] = name.to_string_lossy().into_owned();
    }
    ordered
}

/// The shape of the training images if all are as the first one, and whether there are test images beside them.
pub(super) fn shape(folder: &Path, size: Option<(usize, Fit)>) -> Result<(Shape, bool), DataError> {
    let splits = Splits::of(folder)?;
    let images = list(&splits.train)?;
    Ok((Shape { n: images.len(), ..common_shape(images.iter().take(1), size)? }, splits.test.is_some()))
}

/// Every image file of a folder.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let Splits { train, validation, test } = Splits::of(folder)?;
    let mut files = Vec::new();
    for part in [Some(train), validation, test].into_iter().flatten() {
        files.extend(list(&part)?.into_iter().map(|(path, _)| path));
    }
    Ok(files)
}

/// The folders of a folder's own splits.
struct Splits {
    train: PathBuf,
    validation: Option<PathBuf>,
    test: Option<PathBuf>,
}

impl Splits {
    /// `train`, `val` (or `valid`, `validation`) and `test`; all is for training where there are none, and where `train` is a label
    /// among others.
    fn of(folder: &Path) -> Result<Splits, DataError> {
        if !folder.is_dir() {
            let hint = "name the folder that holds the images";
            return Err(DataError::file(folder, "is a file where a folder of images should be", hint));
        }
        let find = |names: &[&str]| names.iter().map(|name| folder.join(name)).find(|path| path.is_dir());
        let (train, validation, test) = (find(&["train"]), find(&["val", "valid", "validation"]), find(&["test"]));
        let other = validation.as_ref().or(test.as_ref());
        match (train, other) {
            (Some(train), Some(_)) => Ok(Splits { train, validation, test }),
            (Some(train), None) if entries(folder)?.iter().all(|path| *path == train || !path.is_dir()) => {
                Ok(Splits { train, validation, test })
            }
            (None, Some(other)) => {
                let name = other.file_name().unwrap_or_default().to_string_lossy();
                let hint = format!(
                    "call the folder of the training images `train`; where `{name}` is a label, give it another name"
                );
                Err(DataError::file(folder, format!("holds `{name}`, but no `train`"), hint))
            }
            (_, None) => Ok(Splits { train: folder.to_owned(), validation: None, test: None }),
        }
    }

    /// Which files are not read, in words: those that are no images, and all that lies beside the folders of the splits.
    fn left_out(&self, folder: &Path) -> Result<Option<String>, DataError> {
        let parts = [Some(&self.train), self.validation.as_ref(), self.test.as_ref()];
        let mut paths = Vec::new();
        if self.train != folder {
            paths.extend(entries(folder)?.into_iter().filter(|path| !parts.contains(&Some(path))));
        }
        for part in parts.into_iter().flatten() {
            list_others(part, &mut paths)?;
        }
        const NAMED: usize = 3;
        let name = |path: &PathBuf| format!("`{}`", path.strip_prefix(folder).unwrap_or(path).display());
        let mut named: Vec<String> = paths.iter().take(NAMED).map(name).collect();
        named.extend((paths.len() > NAMED).then(|| format!("{} more", paths.len() - NAMED)));
        let them = match named.len() {
            0 => return Ok(None),
            1 => format!("{} is not read", named[0]),
            _ => format!("{} are not read", spec::listed(&named, "and")),
        };
        Ok(Some(format!(
            "{them}: images are PNG or JPEG files, and their labels the names of the folders that they lie in"
        )))
    }
}

/// Images that are read for a model that is trained already.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnImages {
    /// The images; their labels are in `labels`.
    pub images: Images,
    /// Where each comes from.
    pub paths: Vec<PathBuf>,
    /// The name of the subfolder that each lies in; `None` for an image that was named itself.
    pub labels: Vec<Option<String>>,
}

/// Reads PNG and JPEG files, and all such files in folders and their subfolders, of the channels, height and width of
/// `wanted`, or brought to its size as those of `dataset` are; gray images are read as colour where colour is wanted.
///
/// # Errors
/// When there is no such file, one cannot be decoded, or it is of another size and none is brought to one, or has colour where
/// gray is wanted.
pub fn read_images(paths: &[PathBuf], wanted: Shape, dataset: &Dataset) -> Result<OwnImages, DataError> {
    let size = size_of(dataset)?;
    let mut files: Vec<Labelled> = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(list(path)?);
        } else if path.exists() {
            files.push((path.clone(), None));
        } else {
            let hint = "name PNG or JPEG files, or folders of them";
            return Err(DataError::file(path, "there is no such file or folder", hint));
        }
    }
    for (path, _) in &files {
        let found = common_shape(std::iter::once(&(path.clone(), None)), size)?;
        if (found.height, found.width) != (wanted.height, wanted.width) {
            let problem = format!(
                "is {}×{} pixels (height × width), and the model takes {}×{}",
                found.height, found.width, wanted.height, wanted.width
            );
            return Err(DataError::file(path, problem, "scale or crop the image to that height and width"));
        }
        if found.channels > wanted.channels {
            let hint = "save the image as gray values";
            return Err(DataError::file(path, "has colour, and the model takes gray images", hint));
        }
    }
    let images = decode(&files, wanted, size, &[], &AtomicUsize::new(0))?;
    let (paths, labels) = files.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    let labels = labels.into_iter().map(|label| label.map(|label| label.to_string_lossy().into_owned())).collect();
    Ok(OwnImages { images, paths, labels })
}

/// What a dataset's images are brought to; what a registered one says as long as its file is there.
fn size_of(dataset: &Dataset) -> Result<Option<(usize, Fit)>, DataError> {
    let (size, fit) = match dataset.name.own() {
        Some(OwnSource { kind: OwnKind::Set, path }) if path.is_file() => {
            let Registered { size, fit, .. } = Registered::load(path)?;
            (size, fit)
        }
        _ => (dataset.size, dataset.fit),
    };
    Ok(size.map(|size| (size, fit)))
}

/// Folders within each other that are looked into.
const DEEPEST: usize = 16;

/// All images in `folder` and its subfolders, in the byte order of their paths.
fn list(folder: &Path) -> Result<Vec<Labelled>, DataError> {
    let mut images = Vec::new();
    for entry in entries(folder)? {
        if entry.is_dir() {
            let label = entry.file_name().map(OsString::from);
            list_deep(&entry, &label, DEEPEST, &mut images)?;
        } else {
            images.extend(is_image(&entry).then_some((entry, None)));
        }
    }
    let n_labelled = images.iter().filter(|(_, label)| label.is_some()).count();
    if images.is_empty() {
        return Err(DataError::file(
            folder,
            "holds no `.png`, `.jpg` or `.jpeg` files",
            "name the folder of the images",
        ));
    }
    if n_labelled > 0 && n_labelled < images.len() {
        let problem = match images.len() - n_labelled {
            1 => "holds an image beside its labels' folders".to_owned(),
            n => format!("holds {n} images beside its labels' folders"),
        };
        return Err(DataError::file(folder, problem, "put all images into subfolders, or none"));
    }
    Ok(images)
}

/// All images in a label's folder, and in folders within it.
fn list_deep(
    folder: &Path,
    label: &Option<OsString>,
    n_levels: usize,
    images: &mut Vec<Labelled>,
) -> Result<(), DataError> {
    if n_levels == 0 {
        let problem = format!("lies in {DEEPEST} folders within each other");
        return Err(DataError::file(folder, problem, "is there a link to a folder above it? Take it away"));
    }
    for entry in entries(folder)? {
        if entry.is_dir() {
            list_deep(&entry, label, n_levels - 1, images)?;
        } else if is_image(&entry) {
            images.push((entry, label.clone()));
        }
    }
    Ok(())
}

/// All files in `folder` and its subfolders that are no images.
fn list_others(folder: &Path, others: &mut Vec<PathBuf>) -> Result<(), DataError> {
    for entry in entries(folder)? {
        if entry.is_dir() {
            list_others(&entry, others)?;
        } else if !is_image(&entry) {
            others.push(entry);
        }
    }
    Ok(())
}

/// What a folder holds, but for hidden files, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg"))
}

/// The labels' names and numbers.
fn label_names<'a>(
    folder: &Path,
    images: impl Iterator<Item = &'a Labelled>,
) -> Result<Vec<(OsString, u8)>, DataError> {
    let names: BTreeSet<_> = images.filter_map(|(_, label)| label.clone()).collect();
    let numbers =
        names.iter().map(|name| name.to_str().and_then(|name| name.parse().ok())).collect::<Option<Vec<u8>>>();
    let all_differ = |numbers: &Vec<u8>| numbers.iter().collect::<BTreeSet<_>>().len() == numbers.len();
    if let Some(numbers) = numbers.filter(all_differ) {
        return Ok(names.into_iter().zip(numbers).collect());
    }
    if names.len() > 256 {
        let problem = format!("has {} subfolders, and 256 labels are the most", names.len());
        return Err(DataError::file(folder, problem, "put the images into one flat folder, without labels"));
    }
    Ok(names.into_iter().zip(0..=255).collect())
}

/// A decoder of a file, whose kind is told by its contents, that allocates no more than an image may take.
fn decoder(path: &Path) -> Result<impl ImageDecoder, DataError> {
    let length = fs::metadata(path)?.len();
    if length == 0 {
        return Err(DataError::file(path, "the file is empty", "replace it, or take it away"));
    }
    let mut reader = ImageReader::new(BufReader::new(fs::File::open(path)?)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| undecodable(path, &error))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > length.saturating_mul(PIXELS_PER_BYTE) {
        let problem =
            format!("declares {height}×{width} pixels (height × width), more than a file of its size can hold");
        return Err(DataError::file(path, problem, "replace the file by a whole PNG or JPEG, or take it away"));
    }
    Ok(decoder)
}

fn undecodable(path: &Path, error: &image::ImageError) -> DataError {
    let hint = "replace the file by a whole PNG or JPEG, or take it away";
    DataError::file(path, format!("cannot be decoded: {error}"), hint)
}

/// The shape of all images, out of their headers, as it is or as they are brought to; `n` is theirs in all.
fn common_shape<'a>(
    images: impl Iterator<Item = &'a Labelled>,
    fitted: Option<(usize, Fit)>,
) -> Result<Shape, DataError> {
    let mut first: Option<(&Path, (u32, u32))> = None;
    let (mut n, mut has_colour) = (0, false);
    for (path, _) in images {
        let decoder = decoder(path)?;
        let (mut size, colour) = (decoder.dimensions(), decoder.color_type());
        if let Some((side, fit)) = fitted {
            let side = side as u32;
            if fit == Fit::Crop && size.0.min(size.1) < side {
                let problem = format!("is {}×{} pixels, of which {side}×{side} cannot be cut out", size.1, size.0);
                return Err(DataError::file(path, problem, "write `fit: resize`, or a smaller `size`"));
            }
            size = (side, side);
        }
        let (first_path, first_size) = *first.get_or_insert((path, size));
        if size != first_size {
            return Err(DataError::file(
                path,
                format!(
                    "is {}×{} pixels (height × width), and `{}` is {}×{}",
                    size.1,
                    size.0,
                    first_path.display(),
                    first_size.1,
                    first_size.0
                ),
                "scale or crop all images to one height and width, or write `size: 28` or another in `dataset`",
            ));
        }
        has_colour |= !matches!(colour, ColorType::L8 | ColorType::La8 | ColorType::L16 | ColorType::La16);
        n += 1;
    }
    let (width, height) = first.map_or((0, 0), |(_, size)| size);
    let channels = if has_colour { 3 } else { 1 };
    Ok(Shape { n, channels, height: height as usize, width: width as usize })
}

/// Decodes images on all processors; those of 16 bits are counted in `n_deep`.
fn decode(
    files: &[Labelled],
    shape: Shape,
    size: Option<(usize, Fit)>,
    names: &[(OsString, u8)],
    n_deep: &AtomicUsize,
) -> Result<Images, DataError> {
    let shape = Shape { n: files.len(), ..shape };
    let n_values = shape.n_pixels();
    let mut pixels = bytes(shape.n * n_values)?;
    pixels.resize(shape.n * n_values, 0);
    let decode_all = |files: &[Labelled], pixels: &mut [u8]| {
        for ((path, _), out) in files.iter().zip(pixels.chunks_exact_mut(n_values.max(1))) {
            decode_one(path, shape.channels, size, out, n_deep)?;
        }
        Ok::<(), DataError>(())
    };
    let n_threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // A few images are read sooner than threads are started.
    let n_each = files.len().div_ceil(n_threads).max(64);
    if files.len() <= n_each {
        decode_all(files, &mut pixels)?;
    } else {
        thread::scope(|scope| {
            let parts = files.chunks(n_each).zip(pixels.chunks_mut(n_each * n_values));
            let decode_all = &decode_all;
            let threads: Vec<_> = parts.map(|(files, pixels)| scope.spawn(move || decode_all(files, pixels))).collect();
            // The first error in the order of the files.
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })?;
    }
    let number = |label: &OsString| names.iter().find(|(name, _)| name == label).map(|(_, number)| *number);
    let labels: Vec<u8> = files.iter().filter_map(|(_, label)| number(label.as_ref()?)).collect();
    let labels = (!labels.is_empty()).then_some(labels);
    Ok(Images { pixels, shape, labels, factors: None })
}

/// Decodes an image to `out`, [channels, height, width].
fn decode_one(
    path: &Path,
    channels: usize,
    size: Option<(usize, Fit)>,
    out: &mut [u8],
    n_deep: &AtomicUsize,
) -> Result<(), DataError> {
    let mut decoder = decoder(path)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| undecodable(path, &error))?;
    // A turned photograph would silently be another shape; such files are few, and their owner can turn them.
    if orientation != Orientation::NoTransforms {
        let hint = "write the image out turned, without the note";
        return Err(DataError::file(path, "carries a note that it is to be shown turned or mirrored", hint));
    }
    let colour = image.color();
    if colour.has_alpha() && image.to_rgba16().pixels().any(|pixel| pixel.0[3] != u16::MAX) {
        let hint = "paint the image on a background and save it without transparency";
        return Err(DataError::file(path, "has transparent pixels, of which nobody can say what is behind them", hint));
    }
    if colour.bytes_per_pixel() > colour.channel_count() {
        n_deep.fetch_add(1, Ordering::Relaxed);
    }
    if let Some((side, fit)) = size {
        let side = side as u32;
        image = match fit {
            Fit::Resize => image.resize_to_fill(side, side, FilterType::Triangle),
            Fit::Crop => image.crop_imm((image.width() - side) / 2, (image.height() - side) / 2, side, side),
        };
    }
    if channels == 1 {
        out.copy_from_slice(&image.into_luma8());
    } else {
        let image = image.into_rgb8();
        let n = image.pixels().len();
        for (i, pixel) in image.pixels().enumerate() {
            for channel in 0..3 {
                out[channel * n + i] = pixel.0[channel];
            }
        }
    }
    Ok(())
}
