//! Squared errors between an image and what was made of it.

/// An image's squared error never counts as less than this in [`psnr`], so that a perfect reconstruction has 100 dB.
const LEAST_SQUARED_ERROR: f64 = 1e-10;

/// The mean over pixels of the squared difference, in squared gray values, white being 1.0; lower is better.
pub fn mse(image: &[f32], made: &[f32]) -> f64 {
    let squares: f64 = image.iter().zip(made).map(|(x, y)| f64::from(x - y).powi(2)).sum();
    squares / image.len().min(made.len()) as f64
}

/// The peak signal-to-noise ratio, −10·log₁₀ of the mean squared error, in dB with white as the peak; higher is better
/// (Huynh-Thu & Ghanbari 2008).
pub fn psnr(image: &[f32], made: &[f32]) -> f64 {
    -10.0 * mse(image, made).max(LEAST_SQUARED_ERROR).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_off_everywhere_is_20_db() {
        let (image, made) = ([0.25f32; 6], [0.35f32; 6]);
        assert!((mse(&image, &made) - 0.01).abs() < 1e-8);
        assert!((psnr(&image, &made) - 20.0).abs() < 1e-5);
        assert_eq!(psnr(&image, &image), 100.0);
    }
}
