//! Sharpness of images: the variance of their Laplacian.

use crate::images::Shape;

/// Sharpness of a set of images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sharpness {
    /// A mean over images; squared gray values, white being 1.0.
    pub mean: f64,
    /// Standard error of `mean` over images; `None` for a single image.
    pub standard_error: Option<f64>,
}

/// The variance of the Laplacian of each image, as a mean over images: blur takes away the edges that it comes from
/// (Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy: a comparative study").
///
/// The Laplacian is that of the four neighbours, `I(y−1, x) + I(y+1, x) + I(y, x−1) + I(y, x+1) − 4 I(y, x)`, signed and
/// without a constant factor, where the neighbours are within the image; `I` is the mean of the channels; the variance
/// has the number of pixels in its denominator. `values` has the shape `[n, channels, height, width]` with 1.0 for
/// white, the last axis fastest; values are taken as they are, so clamp decoder means to 0…1 first.
///
/// `None` where there is nothing to measure: no image, images of less than 3 × 3 pixels, or another number of values
/// than `shape` says.
pub fn sharpness(values: &[f32], shape: Shape) -> Option<Sharpness> {
    let n_pixels = shape.n_pixels();
    let n_values = shape.n.checked_mul(n_pixels)?;
    if shape.n == 0 || shape.channels == 0 || shape.height < 3 || shape.width < 3 || values.len() != n_values {
        return None;
    }
    let of_images: Vec<f64> = values.chunks_exact(n_pixels).map(|image| laplacian_variance(image, shape)).collect();
    let n = shape.n as f64;
    let mean = of_images.iter().sum::<f64>() / n;
    let squares: f64 = of_images.iter().map(|value| (value - mean).powi(2)).sum();
    Some(Sharpness { mean, standard_error: (shape.n > 1).then(|| (squares / (n - 1.0) / n).sqrt()) })
}

/// Of one image, shape `[channels, height, width]`.
fn laplacian_variance(image: &[f32], shape: Shape) -> f64 {
    let Shape { channels, height, width, .. } = shape;
    let size = height * width;
    let gray: Vec<f64> = (0..size)
        .map(|pixel| (0..channels).map(|c| f64::from(image[c * size + pixel])).sum::<f64>() / channels as f64)
        .collect();
    let at = |y: usize, x: usize| gray[y * width + x];
    let laplacian: Vec<f64> = (1..height - 1)
        .flat_map(|y| (1..width - 1).map(move |x| (y, x)))
        .map(|(y, x)| at(y - 1, x) + at(y + 1, x) + at(y, x - 1) + at(y, x + 1) - 4.0 * at(y, x))
        .collect();
    let n = laplacian.len() as f64;
    let mean = laplacian.iter().sum::<f64>() / n;
    laplacian.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const fn shape(n: usize, channels: usize, height: usize, width: usize) -> Shape {
        Shape { n, channels, height, width }
    }

    fn checkerboard(height: usize, width: usize) -> Vec<f32> {
        (0..height * width).map(|pixel| ((pixel / width + pixel % width) % 2) as f32).collect()
    }

    /// A bright disc on black, 24 × 24.
    fn disc() -> Vec<f32> {
        let distance = |pixel: usize| ((pixel / 24) as f32 - 11.5).hypot((pixel % 24) as f32 - 11.5);
        (0..24 * 24).map(|pixel| if distance(pixel) < 7.0 { 1.0 } else { 0.0 }).collect()
    }

    /// The 24 × 24 image under the binomial kernel (1 4 6 4 1)/16 along both axes, edges repeated.
    fn blurred(image: &[f32]) -> Vec<f32> {
        let along = |image: &[f32], across: bool| -> Vec<f32> {
            let at = |y: i32, x: i32| image[(y.clamp(0, 23) * 24 + x.clamp(0, 23)) as usize];
            let sum = |y: i32, x: i32| -> f32 {
                let weighted = [1.0, 4.0, 6.0, 4.0, 1.0].into_iter().zip(-2..=2);
                weighted.map(|(weight, d)| weight / 16.0 * if across { at(y, x + d) } else { at(y + d, x) }).sum()
            };
            (0..24 * 24).map(|pixel| sum(pixel / 24, pixel % 24)).collect()
        };
        along(&along(image, true), false)
    }

    #[test]
    fn a_constant_image_has_none() {
        assert_eq!(sharpness(&[0.25; 48], shape(1, 3, 4, 4)).unwrap().mean, 0.0);
        // Nor has a slope, whose Laplacian is zero.
        let slope: Vec<f32> = (0..30).map(|pixel| (pixel % 6) as f32 / 8.0).collect();
        assert_eq!(sharpness(&slope, shape(1, 1, 5, 6)).unwrap().mean, 0.0);
    }

    #[test]
    fn a_checkerboard_has_sixteen() {
        // ±4 on as many black as white pixels: variance 16.
        let found = sharpness(&checkerboard(6, 4), shape(1, 1, 6, 4)).unwrap();
        assert_eq!((found.mean, found.standard_error), (16.0, None));
        // A board in one of two channels is half as bright in gray.
        let two = [checkerboard(6, 4), vec![0.0; 24]].concat();
        assert_eq!(sharpness(&two, shape(1, 2, 6, 4)).unwrap().mean, 4.0);
    }

    #[test]
    fn one_bright_pixel_among_five_by_three() {
        // The Laplacian of the three inner pixels is 1, −4, 1: mean −2/3, variance 6 − 4/9.
        let mut image = [0.0; 15];
        image[7] = 1.0;
        assert!((sharpness(&image, shape(1, 1, 3, 5)).unwrap().mean - 50.0 / 9.0).abs() < 1e-12);
    }

    #[test]
    fn blur_lowers_it() {
        let sharp = disc();
        let (once, twice) = (blurred(&sharp), blurred(&blurred(&sharp)));
        let of = |image: &[f32]| sharpness(image, shape(1, 1, 24, 24)).unwrap().mean;
        assert!(of(&sharp) > 5.0 * of(&once) && of(&once) > 1.5 * of(&twice), "{} {}", of(&sharp), of(&once));
    }

    #[test]
    fn images_count_alike() {
        let both = [checkerboard(4, 4), vec![1.0; 16]].concat();
        let found = sharpness(&both, shape(2, 1, 4, 4)).unwrap();
        // 16 and 0: mean 8, standard deviation √128, divided by √2.
        assert_eq!((found.mean, found.standard_error), (8.0, Some(8.0)));
    }

    #[test]
    fn nothing_to_measure_is_none() {
        assert_eq!(sharpness(&[], shape(0, 1, 4, 4)), None);
        assert_eq!(sharpness(&[0.0; 8], shape(1, 1, 2, 4)), None);
        assert_eq!(sharpness(&[0.0; 15], shape(1, 1, 4, 4)), None);
        assert_eq!(sharpness(&[], shape(usize::MAX, 1, 4, 4)), None);
    }
}
