//! The mean of images.

use spec::ImageShape;

/// The mean over images `[n, channels, height, width]`, `[channels, height, width]`; zeros where there is none.
pub fn mean_image(images: &[f32], shape: ImageShape) -> Vec<f32> {
    let n_pixels = shape.n_pixels();
    let mut sums = vec![0.0f64; n_pixels];
    for image in images.chunks_exact(n_pixels.max(1)) {
        sums.iter_mut().zip(image).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let n = (images.len() / n_pixels.max(1)).max(1) as f64;
    sums.into_iter().map(|sum| (sum / n) as f32).collect()
}
