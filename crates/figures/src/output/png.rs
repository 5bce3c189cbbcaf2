//! PNG, from the SVG, at 300 pixels per inch.

use png::{BitDepth, ColorType, Compression, Encoder, FilterType, PixelDimensions, Unit};
use resvg::tiny_skia::{Pixmap, Transform};

use super::{DPI, tree};
use crate::error::FiguresError;

/// The SVG as an opaque PNG.
///
/// # Errors
/// [`FiguresError::Draw`] when the SVG cannot be read or the image cannot be encoded.
pub fn png(svg: &str) -> Result<Vec<u8>, FiguresError> {
    let tree = tree(svg)?;
    let (width, height) = (tree.size().width().round() as u32, tree.size().height().round() as u32);
    let mut pixmap = Pixmap::new(width, height)
        .ok_or_else(|| FiguresError::Draw(format!("no image of {width} by {height} pixels")))?;
    resvg::render(&tree, Transform::identity(), &mut pixmap.as_mut());
    let mut gray = true;
    let mut rgb = Vec::with_capacity(pixmap.data().len() / 4 * 3);
    for pixel in pixmap.data().chunks_exact(4) {
        gray &= pixel[0] == pixel[1] && pixel[1] == pixel[2];
        rgb.extend_from_slice(&pixel[..3]);
    }
    if gray {
        let values: Vec<u8> = rgb.chunks_exact(3).map(|pixel| pixel[0]).collect();
        return encode(width as usize, height as usize, 1, &values);
    }
    encode(width as usize, height as usize, 3, &rgb)
}

/// Pixels of shape `[height, width, channels]` (1 or 3 channels) as PNG.
///
/// # Errors
/// [`FiguresError::Draw`] when the number of pixels is not that of the shape.
pub fn encode(width: usize, height: usize, channels: usize, pixels: &[u8]) -> Result<Vec<u8>, FiguresError> {
    let failed = |e: png::EncodingError| FiguresError::Draw(format!("cannot encode an image: {e}"));
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(if channels == 1 { ColorType::Grayscale } else { ColorType::Rgb });
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Default);
    // Most rows repeat the row above.
    encoder.set_filter(FilterType::Up);
    let per_metre = (f64::from(DPI) / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(PixelDimensions { xppu: per_metre, yppu: per_metre, unit: Unit::Meter }));
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}
