//! A contact sheet: the first images of a split, side by side in one PNG.

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::error::DataError;
use crate::images::{Images, bytes};

/// The first `n` images as the bytes of a PNG, `n_columns` to a row each enlarged `zoom` times.
///
/// # Errors
/// When there is nothing to draw, or too much for a PNG.
pub fn sheet(images: &Images, n: usize, n_columns: usize, zoom: usize) -> Result<Vec<u8>, DataError> {
    let shape = images.shape;
    let n = n.min(shape.n);
    if n == 0 || n_columns == 0 || zoom == 0 {
        let hint = "ask for at least one image, one column and a zoom of 1";
        return Err(DataError::setting("the contact sheet would be empty", hint));
    }
    let n_columns = n_columns.min(n);
    // A line of two pixels tells images apart that have ink at their edges.
    const GAP: usize = 2;
    const GRAY: u8 = 64;
    let width = n_columns * (shape.width * zoom + GAP) + GAP;
    let height = n.div_ceil(n_columns) * (shape.height * zoom + GAP) + GAP;
    let mut sheet = bytes(width * height * shape.channels)?;
    sheet.resize(width * height * shape.channels, GRAY);
    for i in 0..n {
        let image = images.image(i);
        let top = i / n_columns * (shape.height * zoom + GAP) + GAP;
        let left = i % n_columns * (shape.width * zoom + GAP) + GAP;
        for y in 0..shape.height * zoom {
            for x in 0..shape.width * zoom {
                for channel in 0..shape.channels {
                    let from = (channel * shape.height + y / zoom) * shape.width + x / zoom;
                    sheet[((top + y) * width + left + x) * shape.channels + channel] = image[from];
                }
            }
        }
    }
    let color = if shape.channels == 3 { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 };
    let mut png = Vec::new();
    let written = PngEncoder::new(&mut png).write_image(&sheet, width as u32, height as u32, color);
    written.map_err(|error| {
        DataError::setting(format!("the sheet cannot be drawn: {error}"), "draw fewer images, or enlarge them less")
    })?;
    Ok(png)
}
