//! Images for people: side by side in one PNG, or one after the other in a GIF.

use image::codecs::gif::{GifEncoder, Repeat};
use image::codecs::png::PngEncoder;
use image::{Delay, ExtendedColorType, Frame, ImageEncoder, ImageError, Rgba, RgbaImage};

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

/// All images as the bytes of a GIF that begins anew when it ends, each enlarged `zoom` times. The first stays for longer, and so does
/// the one in the middle: of a path there and back those are its ends.
///
/// # Errors
/// When there is nothing to draw, or the images are too large for a GIF.
pub fn animation(images: &Images, zoom: usize) -> Result<Vec<u8>, DataError> {
    /// Of an image on the way.
    const DELAY: u32 = 60;
    /// Of an end, in milliseconds too.
    const LONG_DELAY: u32 = 600;
    let shape = images.shape;
    if shape.n == 0 || zoom == 0 {
        return Err(DataError::setting("the animation would be empty", "ask for at least one image and a zoom of 1"));
    }
    let refused = |error: ImageError| {
        DataError::setting(format!("the animation cannot be drawn: {error}"), "draw fewer images, or smaller ones")
    };
    let mut gif = Vec::new();
    let mut encoder = GifEncoder::new(&mut gif);
    encoder.set_repeat(Repeat::Infinite).map_err(refused)?;
    for i in 0..shape.n {
        let image = images.image(i);
        let frame = RgbaImage::from_fn((shape.width * zoom) as u32, (shape.height * zoom) as u32, |x, y| {
            let (x, y) = (x as usize / zoom, y as usize / zoom);
            let value = |channel: usize| image[(channel.min(shape.channels - 1) * shape.height + y) * shape.width + x];
            Rgba([value(0), value(1), value(2), u8::MAX])
        });
        let delay = if i == 0 || 2 * i == shape.n { LONG_DELAY } else { DELAY };
        let frame = Frame::from_parts(frame, 0, 0, Delay::from_numer_denom_ms(delay, 1));
        encoder.encode_frame(frame).map_err(refused)?;
    }
    drop(encoder);
    Ok(gif)
}
