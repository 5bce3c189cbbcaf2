//! A folder of PNG and JPEG files, flat or with a subfolder per label.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use fs_err as fs;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageReader, Limits};

use crate::error::DataError;
use crate::idx::DEFLATE_RATIO;
use crate::images::{Images, Shape, bytes};
use crate::split::Wanted;

/// The longest side of an image.
const LONGEST_SIDE: u32 = 8_192;

/// More pixels than a byte of a file can stand for: in PNG they are one bit each at least, and deflated.
const PIXELS_PER_BYTE: u64 = 8 * DEFLATE_RATIO;

/// An image file and the name of its label.
type Labelled = (PathBuf, Option<OsString>);

/// Reads a folder of images of one size.
///
/// A folder that holds `train` and `test` has a test split of its own; from any other a tenth is held out. A subfolder's
/// name is the label of the images in it; labels are numbered in the byte order of their names, or by value where all
/// names are whole numbers up to 255. Images without transparency are read as they are; transparency is dropped. When any of the images used
/// has colour, all have three channels.
pub(crate) fn read(folder: &Path, wanted: &Wanted) -> Result<(Images, Images), DataError> {
    let (train, test) = if let Some((train, test)) = splits(folder)? {
        let (mut train, mut test) = (list(&train)?, list(&test)?);
        train.truncate(wanted.n_train(train.len())?);
        test.truncate(wanted.n_test(test.len())?);
        (train, test)
    } else {
        let all = list(folder)?;
        let (train, test) = wanted.hold_out(all.len())?;
        let pick = |rows: Vec<usize>| rows.into_iter().map(|row| all[row].clone()).collect::<Vec<_>>();
        (pick(train), pick(test))
    };
    let names = label_names(folder, &train, &test)?;
    let shape = common_shape(train.iter().chain(&test))?;
    Ok((decode(&train, shape, &names)?, decode(&test, shape, &names)?))
}

/// The shape of the training images if all are as the first one, and whether there are test images beside them.
pub(crate) fn shape(folder: &Path) -> Result<(Shape, bool), DataError> {
    let splits = splits(folder)?;
    let images = list(splits.as_ref().map_or(folder, |(train, _)| train))?;
    Ok((Shape { n: images.len(), ..common_shape(images.iter().take(1))? }, splits.is_some()))
}

/// The folders of a folder's own splits, if it has them.
fn splits(folder: &Path) -> Result<Option<(PathBuf, PathBuf)>, DataError> {
    if !folder.is_dir() {
        let hint = "name the folder that holds the images";
        return Err(DataError::file(folder, "is a file where a folder of images should be", hint));
    }
    let (train, test) = (folder.join("train"), folder.join("test"));
    Ok((train.is_dir() && test.is_dir()).then_some((train, test)))
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
/// `wanted`; gray images are read as colour where colour is wanted.
///
/// # Errors
/// When there is no such file, one cannot be decoded, or it is of another size, or has colour where gray is wanted.
pub fn read_images(paths: &[PathBuf], wanted: Shape) -> Result<OwnImages, DataError> {
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
        let found = common_shape(std::iter::once(&(path.clone(), None)))?;
        if (found.height, found.width) != (wanted.height, wanted.width) {
            let problem = format!(
                "is {}×{} pixels, and the model takes {}×{}",
                found.height, found.width, wanted.height, wanted.width
            );
            return Err(DataError::file(path, problem, "scale or crop the image to that height and width"));
        }
        if found.channels > wanted.channels {
            let hint = "save the image as gray values";
            return Err(DataError::file(path, "has colour, and the model takes gray images", hint));
        }
    }
    let images = decode(&files, wanted, &[])?;
    let (paths, labels) = files.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    let labels = labels.into_iter().map(|label| label.map(|label| label.to_string_lossy().into_owned())).collect();
    Ok(OwnImages { images, paths, labels })
}

/// All images in `folder` and its subfolders, in the byte order of their paths.
fn list(folder: &Path) -> Result<Vec<Labelled>, DataError> {
    let mut images = Vec::new();
    for entry in entries(folder)? {
        if !entry.is_dir() {
            images.extend(is_image(&entry).then_some((entry, None)));
            continue;
        }
        let label = entry.file_name().map(OsString::from);
        for inner in entries(&entry)? {
            if inner.is_dir() {
                let hint = "put images into the folder itself, or into one subfolder per label";
                return Err(DataError::file(&inner, "is a folder within a label's folder", hint));
            }
            images.extend(is_image(&inner).then(|| (inner, label.clone())));
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
        let problem = format!("holds {} images beside its labels' folders", images.len() - n_labelled);
        return Err(DataError::file(folder, problem, "put all images into subfolders, or none"));
    }
    Ok(images)
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
fn label_names(folder: &Path, train: &[Labelled], test: &[Labelled]) -> Result<Vec<(OsString, u8)>, DataError> {
    let names: BTreeSet<_> = train.iter().chain(test).filter_map(|(_, label)| label.clone()).collect();
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
        let problem = format!("declares {height}×{width} pixels, more than a file of its size can hold");
        return Err(DataError::file(path, problem, "replace the file by a whole PNG or JPEG, or take it away"));
    }
    Ok(decoder)
}

fn undecodable(path: &Path, error: &image::ImageError) -> DataError {
    let hint = "replace the file by a whole PNG or JPEG, or take it away";
    DataError::file(path, format!("cannot be decoded: {error}"), hint)
}

/// The shape of all images, out of their headers; `n` is theirs in all.
fn common_shape<'a>(images: impl Iterator<Item = &'a Labelled>) -> Result<Shape, DataError> {
    let mut first: Option<(&Path, (u32, u32))> = None;
    let (mut n, mut has_colour) = (0, false);
    for (path, _) in images {
        let decoder = decoder(path)?;
        let (size, colour) = (decoder.dimensions(), decoder.color_type());
        let (first_path, first_size) = *first.get_or_insert((path, size));
        if size != first_size {
            return Err(DataError::file(
                path,
                format!(
                    "is {}×{} pixels, and `{}` is {}×{}",
                    size.1,
                    size.0,
                    first_path.display(),
                    first_size.1,
                    first_size.0
                ),
                "scale or crop all images to one height and width",
            ));
        }
        has_colour |= !matches!(colour, ColorType::L8 | ColorType::La8 | ColorType::L16 | ColorType::La16);
        n += 1;
    }
    let (width, height) = first.map_or((0, 0), |(_, size)| size);
    let channels = if has_colour { 3 } else { 1 };
    Ok(Shape { n, channels, height: height as usize, width: width as usize })
}

fn decode(files: &[Labelled], shape: Shape, names: &[(OsString, u8)]) -> Result<Images, DataError> {
    let shape = Shape { n: files.len(), ..shape };
    let mut pixels = bytes(shape.n * shape.n_pixels())?;
    let mut labels = Vec::new();
    for (path, label) in files {
        let mut decoder = decoder(path)?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let image = DynamicImage::from_decoder(decoder).map_err(|error| undecodable(path, &error))?;
        // A turned photograph would silently be another shape; such files are few, and their owner can turn them.
        if orientation != Orientation::NoTransforms {
            let hint = "write the image out turned, without the note";
            return Err(DataError::file(path, "carries a note that it is to be shown turned or mirrored", hint));
        }
        if shape.channels == 1 {
            pixels.extend_from_slice(&image.into_luma8());
        } else {
            let image = image.into_rgb8();
            for channel in 0..3 {
                pixels.extend(image.pixels().map(|pixel| pixel.0[channel]));
            }
        }
        labels.extend(label.as_ref().and_then(|label| names.iter().find(|(name, _)| name == label)).map(|(_, i)| *i));
    }
    let labels = (!labels.is_empty()).then_some(labels);
    Ok(Images { pixels, shape, labels, factors: None })
}
