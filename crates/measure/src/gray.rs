//! The gray values of an image.

use spec::ImageShape;

/// The mean of an image's channels, clamped to 0…1; `[height, width]`.
pub(crate) fn gray(image: &[f32], shape: ImageShape) -> Vec<f64> {
    let size = shape.height * shape.width;
    let value = |channel: usize, pixel: usize| f64::from(image[channel * size + pixel].clamp(0.0, 1.0));
    (0..size)
        .map(|pixel| (0..shape.channels).map(|channel| value(channel, pixel)).sum::<f64>() / shape.channels as f64)
        .collect()
}
