//! Sharpness of images: the variance of their Laplacian, alone and by their contrast.

use spec::ImageShape;

use crate::gray::gray;
use crate::mean::{Mean, RatioSums, Sums};

/// The variance of an image's Laplacian over its interior pixels, in squared gray values, white being 1.0: blur takes away the edges that it
/// comes from (Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy: a comparative study").
///
/// The Laplacian is that of the four neighbours, `I(y−1, x) + I(y+1, x) + I(y, x−1) + I(y, x+1) − 4 I(y, x)`, signed and
/// without a constant factor, where the neighbours are within the image; `I` is the mean of the channels, clamped to 0…1; the variance
/// has the number of pixels in its denominator. `None` for images of less than 3 × 3 pixels.
pub fn laplacian_variance(image: &[f32], shape: ImageShape) -> Option<f64> {
    interior_variance(&gray(image, shape), shape)
}

/// As [`laplacian_variance`], of gray values `[height, width]`.
fn interior_variance(gray: &[f64], ImageShape { height, width, .. }: ImageShape) -> Option<f64> {
    if height < 3 || width < 3 {
        return None;
    }
    let (mut sum, mut squares) = (0.0, 0.0);
    for rows in gray.windows(2 * width + width).step_by(width) {
        let (above, rest) = rows.split_at(width);
        let (row, below) = rest.split_at(width);
        for x in 1..width - 1 {
            let value = above[x] + below[x] + row[x - 1] + row[x + 1] - 4.0 * row[x];
            sum += value;
            squares += value * value;
        }
    }
    let n = ((height - 2) * (width - 2)) as f64;
    Some((squares / n - (sum / n).powi(2)).max(0.0))
}

/// The variance of the Laplacian over all pixels of gray values `[height, width]` that are mirrored at the border; its mean is zero.
fn reflected_variance(gray: &[f64], ImageShape { height, width, .. }: ImageShape) -> f64 {
    let row_at = |y: usize| &gray[y * width..][..width];
    let mut squares = 0.0;
    for y in 0..height {
        let (above, row, below) = (row_at(y.saturating_sub(1)), row_at(y), row_at((y + 1).min(height - 1)));
        for x in 0..width {
            let beside = row[x.saturating_sub(1)] + row[(x + 1).min(width - 1)];
            squares += (above[x] + below[x] + beside - 4.0 * row[x]).powi(2);
        }
    }
    squares / gray.len() as f64
}

/// Sharpness of a set of images, fed one after another.
#[derive(Clone, Debug)]
pub struct Contrast {
    shape: ImageShape,
    sharpness: Sums,
    normalised: RatioSums,
}

impl Contrast {
    /// For images of this shape; `None` for those of less than 3 × 3 pixels.
    pub fn of(shape: ImageShape) -> Option<Contrast> {
        let has_interior = shape.height > 2 && shape.width > 2 && shape.channels > 0;
        has_interior.then(|| Contrast { shape, sharpness: Sums::default(), normalised: RatioSums::default() })
    }

    /// Adds an image.
    pub fn add(&mut self, image: &[f32]) {
        let gray = gray(image, self.shape);
        self.sharpness.add(interior_variance(&gray, self.shape).unwrap_or(0.0));
        let n = gray.len() as f64;
        let mean = gray.iter().sum::<f64>() / n;
        let variance = gray.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        self.normalised.add(reflected_variance(&gray, self.shape), variance);
    }

    /// The mean of [`laplacian_variance`]; `None` of no image.
    pub fn sharpness(&self) -> Option<Mean> {
        self.sharpness.mean()
    }

    /// Σ Var(∇²x)/Σ Var(x): the Laplacian's variance by that of the gray values themselves, so that a fainter image is not a blurrier one,
    /// over all pixels, with an image mirrored at its border, so that [`BlurScale`](crate::BlurScale) knows what a blur makes of it.
    /// `None` where no image has contrast.
    pub fn normalised(&self) -> Option<Mean> {
        self.normalised.ratio()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const fn shape(channels: usize, height: usize, width: usize) -> ImageShape {
        ImageShape { channels, height, width }
    }

    #[test]
    fn of_a_checkerboard_by_hand() {
        // Laplacian ±4 within, on as many pixels of each sign: variance 16. Mirrored, ±3 at 16 pixels of the border and ±2 at the corners:
        // (16·16 + 16·9 + 4·4)/36; the variance of the gray values is ¼.
        let board: Vec<f32> = (0..36).map(|pixel| ((pixel / 6 + pixel % 6) % 2) as f32).collect();
        assert!((laplacian_variance(&board, shape(1, 6, 6)).unwrap() - 16.0).abs() < 1e-12);
        let mut contrast = Contrast::of(shape(1, 6, 6)).unwrap();
        contrast.add(&board);
        // Half as much contrast is as sharp.
        contrast.add(&board.iter().map(|value| value / 2.0).collect::<Vec<_>>());
        assert!((contrast.normalised().unwrap().value - 4.0 * 416.0 / 36.0).abs() < 1e-9);
        assert!((contrast.sharpness().unwrap().value - 10.0).abs() < 1e-9);
    }

    #[test]
    fn channels_are_averaged_and_values_clamped() {
        let one: Vec<f32> = (0..20).map(|i| (i * 7 % 11) as f32 / 11.0).collect();
        let colour: Vec<f32> = [&one[..], &one[..], &one[..]].concat();
        let difference =
            laplacian_variance(&one, shape(1, 4, 5)).unwrap() - laplacian_variance(&colour, shape(3, 4, 5)).unwrap();
        assert!(difference.abs() < 1e-12);
        let beyond = [0.0, 0.0, 0.0, 0.0, 7.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let white = beyond.map(|value: f32| value.min(1.0));
        assert_eq!(laplacian_variance(&beyond, shape(1, 3, 4)), laplacian_variance(&white, shape(1, 3, 4)));
    }

    #[test]
    fn images_without_interior_have_none() {
        assert_eq!(laplacian_variance(&[0.5; 8], shape(1, 2, 4)), None);
        assert!(Contrast::of(shape(1, 2, 4)).is_none());
    }
}
