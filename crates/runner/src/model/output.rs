//! Where images of a model are written: as a sheet or as an array.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use data::{Images, Shape};
use record::{Array, files, npy};

/// Images in a row of a sheet, at most.
const MOST_COLUMNS: usize = 40;
/// Small images are enlarged to about this height or width.
const SIDE: usize = 56;
/// The same of images that move.
const SIDE_OF_GIF: usize = 224;
/// The gray of a sheet between its images.
const BETWEEN: u8 = 64;

/// What a file of images is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A sheet of images.
    Png,
    /// An array.
    Npy,
    /// The images one after the other.
    Gif,
}

impl Format {
    /// Of images that have no order in time.
    pub const STILL: &[Format] = &[Format::Png, Format::Npy];
    /// Of paths.
    pub const ALL: &[Format] = &[Format::Png, Format::Npy, Format::Gif];

    /// What the end of a file's name says, where it is one of these.
    ///
    /// # Errors
    /// If it is none of them.
    pub fn of(path: &Path, allowed: &[Format]) -> Result<Format> {
        let end = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let found = allowed.iter().find(|format| Some(format.end()) == end.as_deref());
        found.copied().with_context(|| {
            let ends: Vec<String> = allowed.iter().map(|format| format!("`.{}`", format.end())).collect();
            let ends = spec::listed(&ends, "or");
            format!("`{}` is of no format that can be written here\nhint: let the name end in {ends}", path.display())
        })
    }

    fn end(self) -> &'static str {
        match self {
            Format::Png => "png",
            Format::Npy => "npy",
            Format::Gif => "gif",
        }
    }
}

/// Refuses early what could not be written after all the work.
///
/// # Errors
/// If the path is a folder, or lies in none.
pub fn check_output(path: &Path) -> Result<()> {
    if path.is_dir() {
        bail!("`{}` is a folder\nhint: name a file in it", path.display());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!("there is no folder `{}` to write to\nhint: make it, or name another", folder.display());
    }
    Ok(())
}

/// Writes images `[n, channels, height, width]`; in a sheet each below its original, where there are originals. Any array can be an
/// NPY.
///
/// # Errors
/// If they are too many for a sheet, or the file cannot be written.
pub fn write(path: &Path, format: Format, images: &Array, originals: Option<&Array>) -> Result<()> {
    let bytes = match format {
        Format::Npy => npy::to_bytes(images),
        Format::Png => sheet(images, originals)?,
        Format::Gif => animation(images)?,
    };
    Ok(files::write_bytes_atomically(path, &bytes)?)
}

/// Writes a sheet of images `[n, channels, height, width]` in rows of so many.
///
/// # Errors
/// As [`write()`].
pub fn write_rows(path: &Path, images: &Array, n_columns: usize) -> Result<()> {
    let [n, channels, height, width] = images.shape[..] else { bail!("there are no images to be drawn") };
    let pixels = images.values.iter().map(to_byte).collect();
    let png = sheet_of(pixels, Shape { n, channels, height, width }, n_columns)?;
    Ok(files::write_bytes_atomically(path, &png)?)
}

fn to_byte(value: &f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

fn sheet(images: &Array, originals: Option<&Array>) -> Result<Vec<u8>> {
    let [n, channels, height, width] = images.shape[..] else { bail!("there are no images to be drawn") };
    let shape = Shape { n, channels, height, width };
    let size = shape.n_pixels().max(1);
    // Rows of ten originals, each above its reconstruction; else about as many columns as rows.
    let (n_columns, mut pixels) = (n.min(10), Vec::new());
    let n_columns = match originals {
        Some(originals) => {
            let rows =
                originals.values.chunks(n_columns.max(1) * size).zip(images.values.chunks(n_columns.max(1) * size));
            for (above, below) in rows {
                for row in [above, below] {
                    pixels.extend(row.iter().map(to_byte));
                    pixels.resize(pixels.len().next_multiple_of(n_columns.max(1) * size), BETWEEN);
                }
            }
            n_columns
        }
        None => {
            pixels.extend(images.values.iter().map(to_byte));
            ((n as f64).sqrt().ceil() as usize).min(MOST_COLUMNS)
        }
    };
    let n = pixels.len() / size;
    sheet_of(pixels, Shape { n, ..shape }, n_columns)
}

/// Images in rows of so many, small ones enlarged.
fn sheet_of(pixels: Vec<u8>, shape: Shape, n_columns: usize) -> Result<Vec<u8>> {
    let zoom = zoom(shape, SIDE);
    let images = Images { pixels, shape, labels: None, factors: None };
    Ok(data::sheet(&images, shape.n, n_columns, zoom)?)
}

fn animation(images: &Array) -> Result<Vec<u8>> {
    let [n, channels, height, width] = images.shape[..] else { bail!("there are no images to be drawn") };
    let shape = Shape { n, channels, height, width };
    let pixels = images.values.iter().map(to_byte).collect();
    Ok(data::animation(&Images { pixels, shape, labels: None, factors: None }, zoom(shape, SIDE_OF_GIF))?)
}

fn zoom(shape: Shape, side: usize) -> usize {
    (side / shape.height.max(shape.width).max(1)).max(1)
}
