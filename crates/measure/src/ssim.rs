//! Structural similarity of two images.

use spec::ImageShape;

/// Taps of the window.
const WINDOW: usize = 11;
/// Standard deviation of the window, in pixels.
const SIGMA: f64 = 1.5;

/// The structural similarity of Wang et al. 2004, "Image quality assessment", eq. 13: Gaussian window of 11 × 11 with σ = 1.5,
/// K₁ = 0.01, K₂ = 0.03, range 1, a mean over the positions where the window lies within the image, and over channels.
/// From −1 to 1, which is equality; higher is better. As scikit-image's `structural_similarity(…, gaussian_weights=True,
/// sigma=1.5, use_sample_covariance=False, data_range=1)` with its border of 5 cut off.
#[derive(Clone, Debug)]
pub struct Ssim {
    shape: ImageShape,
    window: [f64; WINDOW],
}

impl Ssim {
    /// For images of this shape; `None` for those smaller than the window.
    pub fn of(shape: ImageShape) -> Option<Ssim> {
        let weight = |i: usize| (-0.5 * ((i as f64 - (WINDOW / 2) as f64) / SIGMA).powi(2)).exp();
        let sum: f64 = (0..WINDOW).map(weight).sum();
        let is_large_enough = shape.height >= WINDOW && shape.width >= WINDOW && shape.channels > 0;
        is_large_enough.then(|| Ssim { shape, window: std::array::from_fn(|i| weight(i) / sum) })
    }

    /// Of an image and what was made of it, `[channels, height, width]` each.
    pub fn between(&self, image: &[f32], made: &[f32]) -> f64 {
        let size = self.shape.height * self.shape.width;
        let channels = image.chunks_exact(size).zip(made.chunks_exact(size));
        channels.map(|(x, y)| self.of_channel(x, y)).sum::<f64>() / self.shape.channels as f64
    }

    fn of_channel(&self, x: &[f32], y: &[f32]) -> f64 {
        const C1: f64 = 0.01 * 0.01;
        const C2: f64 = 0.03 * 0.03;
        let moments = |of: fn(f64, f64) -> f64| {
            let values: Vec<f64> = x.iter().zip(y).map(|(&x, &y)| of(f64::from(x), f64::from(y))).collect();
            self.windowed(&values)
        };
        let (x_mean, y_mean) = (moments(|x, _| x), moments(|_, y| y));
        let (xx, yy, xy) = (moments(|x, _| x * x), moments(|_, y| y * y), moments(|x, y| x * y));
        let similarity = |i: usize| {
            let (mx, my) = (x_mean[i], y_mean[i]);
            let (vx, vy, cov) = (xx[i] - mx * mx, yy[i] - my * my, xy[i] - mx * my);
            (2.0 * mx * my + C1) * (2.0 * cov + C2) / ((mx * mx + my * my + C1) * (vx + vy + C2))
        };
        (0..x_mean.len()).map(similarity).sum::<f64>() / x_mean.len() as f64
    }

    /// The windowed mean at each position where the window fits.
    fn windowed(&self, values: &[f64]) -> Vec<f64> {
        let ImageShape { height, width, .. } = self.shape;
        let (out_height, out_width) = (height + 1 - WINDOW, width + 1 - WINDOW);
        let mut along = vec![0.0; height * out_width];
        for (row, out) in values.chunks_exact(width).zip(along.chunks_exact_mut(out_width)) {
            for (tap, weight) in self.window.iter().enumerate() {
                out.iter_mut().zip(&row[tap..]).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        let mut both = vec![0.0; out_height * out_width];
        for (y, out) in both.chunks_exact_mut(out_width).enumerate() {
            for (tap, weight) in self.window.iter().enumerate() {
                let row = &along[(y + tap) * out_width..][..out_width];
                out.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        both
    }
}
