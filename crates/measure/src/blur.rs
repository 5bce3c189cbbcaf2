//! Sharpness in pixels: the Gaussian blur of the data that is as sharp.

use std::f64::consts::PI;

use spec::ImageShape;

use crate::gray::gray;
use crate::mean::Mean;

/// How blurred images are, on the scale of some data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Blur {
    /// As the data under a Gaussian blur with this σ, in pixels; lower is sharper.
    Sigma(Mean),
    /// Sharper than the data themselves, which no blur makes.
    Sharper,
    /// Blurrier than any blur within the image makes the data.
    Beyond,
}

/// What a Gaussian blur makes of the sharpness of some images, at every σ.
///
/// Sharpness is the contrast-normalised variance of the Laplacian, Σ Var(∇²x)/Σ Var(x) over images of gray values that are mirrored at
/// their border: [`Contrast::normalised`](crate::Contrast::normalised). The blur mirrors too, so that in the cosine transform of
/// an image (DCT-II) it multiplies the coefficient of the frequencies ω by e^(−σ²ω²/2), and the Laplacian by −(4 − 2 cos ω_y − 2 cos ω_x);
/// the mean squares of the coefficients give the sharpness at every σ.
#[derive(Clone, Debug)]
pub struct BlurScale {
    /// For each frequency but zero: ω², the square of the Laplacian's factor, and the power Σ c².
    frequencies: Vec<[f64; 3]>,
    /// σ² beyond which nothing of an image is left to be blurred.
    most: f64,
}

impl BlurScale {
    /// Of these images, `[channels, height, width]` each; `None` where none has contrast.
    pub fn of<'a>(images: impl Iterator<Item = &'a [f32]>, shape: ImageShape) -> Option<BlurScale> {
        let ImageShape { height, width, .. } = shape;
        let (along_y, along_x) = (cosines(height), cosines(width));
        let mut power = vec![0.0; height * width];
        for image in images {
            let gray = gray(image, shape);
            // [height, k_x], then [k_y, k_x].
            let rows = product(&gray, &transposed(&along_x, width), height, width, width);
            let coefficients = product(&along_y, &rows, height, height, width);
            power.iter_mut().zip(coefficients).for_each(|(sum, value)| *sum += value * value);
        }
        let omega = |k: usize, n: usize| PI * k as f64 / n as f64;
        let frequency = |i: usize| {
            let (y, x) = (omega(i / width, height), omega(i % width, width));
            [y * y + x * x, (4.0 - 2.0 * y.cos() - 2.0 * x.cos()).powi(2), power[i]]
        };
        let frequencies: Vec<[f64; 3]> = (1..height * width).map(frequency).collect();
        let has_contrast = frequencies.iter().map(|[_, _, power]| power).sum::<f64>() > 0.0;
        has_contrast.then(|| BlurScale { frequencies, most: (height.max(width) as f64).powi(2) })
    }

    /// The images' sharpness under a blur of σ pixels.
    pub fn sharpness(&self, sigma: f64) -> f64 {
        self.sharpness_at(sigma * sigma)
    }

    fn sharpness_at(&self, variance: f64) -> f64 {
        // By the slowest frequency, since all of e^(−σ²ω²) is zero to a computer where σ is large.
        let slowest = self.frequencies.iter().map(|[omega2, ..]| *omega2).fold(f64::INFINITY, f64::min);
        let (mut above, mut below) = (0.0, 0.0);
        for [omega2, factor2, power] in &self.frequencies {
            let left = power * (-variance * (omega2 - slowest)).exp();
            above += left * factor2;
            below += left;
        }
        above / below
    }

    /// The σ at which these images are as sharp as those that this sharpness was measured on; its standard error is that of the
    /// sharpness alone, for the scale is taken as known.
    pub fn blur(&self, sharpness: Mean) -> Blur {
        if sharpness.value > self.sharpness_at(0.0) {
            return Blur::Sharper;
        }
        if sharpness.value.is_nan() || sharpness.value < self.sharpness_at(self.most) {
            return Blur::Beyond;
        }
        let (mut low, mut high) = (0.0, self.most);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.sharpness_at(middle) > sharpness.value { low = middle } else { high = middle }
        }
        let sigma = (0.5 * (low + high)).sqrt();
        let step = 1e-3;
        let slope = (self.sharpness(sigma + step) - self.sharpness((sigma - step).max(0.0)))
            / (sigma + step - (sigma - step).max(0.0));
        let standard_error = sharpness.standard_error.map(|error| (error / slope).abs());
        Blur::Sigma(Mean {
            value: sigma,
            standard_error: standard_error.filter(|error| error.is_finite()),
            ..sharpness
        })
    }
}

/// The orthonormal cosine transform of n values (DCT-II), `[k, n]`.
fn cosines(n: usize) -> Vec<f64> {
    let value = |k: usize, i: usize| {
        let scale = if k == 0 { 1.0 } else { 2.0 } / n as f64;
        scale.sqrt() * (PI * k as f64 * (i as f64 + 0.5) / n as f64).cos()
    };
    (0..n * n).map(|at| value(at / n, at % n)).collect()
}

fn transposed(square: &[f64], n: usize) -> Vec<f64> {
    (0..n * n).map(|at| square[at % n * n + at / n]).collect()
}

/// `[rows, inner]` times `[inner, columns]`.
fn product(a: &[f64], b: &[f64], rows: usize, inner: usize, columns: usize) -> Vec<f64> {
    let mut out = vec![0.0; rows * columns];
    for (row, out) in a.chunks_exact(inner).zip(out.chunks_exact_mut(columns)) {
        for (factor, line) in row.iter().zip(b.chunks_exact(columns)) {
            out.iter_mut().zip(line).for_each(|(sum, value)| *sum += factor * value);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::contrast::Contrast;

    const SHAPE: ImageShape = ImageShape { channels: 1, height: 24, width: 28 };

    /// Discs of several sizes and places, their edges a pixel wide.
    fn discs() -> Vec<Vec<f32>> {
        let disc = |radius: f32, y: f32, x: f32| {
            let value =
                |pixel: usize| (radius - ((pixel / 28) as f32 - y).hypot((pixel % 28) as f32 - x)).clamp(0.0, 1.0);
            (0..24 * 28).map(value).collect()
        };
        vec![disc(4.0, 10.0, 12.0), disc(6.0, 12.0, 15.0), disc(2.5, 8.0, 20.0)]
    }

    /// Convolved with a Gaussian that is sampled at whole pixels, mirrored at the border.
    fn blurred(image: &[f32], sigma: f32) -> Vec<f32> {
        let mirrored = |i: i32, n: i32| {
            if i < 0 {
                -i - 1
            } else if i >= n {
                2 * n - i - 1
            } else {
                i
            }
        };
        let taps: Vec<(i32, f32)> = (-12..=12).map(|d| (d, (-0.5 * (d as f32 / sigma).powi(2)).exp())).collect();
        let sum: f32 = taps.iter().map(|(_, weight)| weight).sum();
        let along = |image: &[f32], dy: i32, dx: i32| -> Vec<f32> {
            let at = |y: i32, x: i32| image[(mirrored(y, 24) * 28 + mirrored(x, 28)) as usize];
            let value = |pixel: i32| {
                taps.iter().map(|(d, weight)| weight / sum * at(pixel / 28 + d * dy, pixel % 28 + d * dx)).sum()
            };
            (0..24 * 28).map(value).collect()
        };
        along(&along(image, 1, 0), 0, 1)
    }

    fn sharpness(images: &[Vec<f32>]) -> Mean {
        let mut contrast = Contrast::of(SHAPE).unwrap();
        images.iter().for_each(|image| contrast.add(image));
        contrast.normalised().unwrap()
    }

    fn scale() -> BlurScale {
        BlurScale::of(discs().iter().map(Vec::as_slice), SHAPE).unwrap()
    }

    #[test]
    fn the_scale_starts_at_the_sharpness_of_the_data() {
        let of_data = sharpness(&discs()).value;
        assert!((scale().sharpness(0.0) / of_data - 1.0).abs() < 1e-6, "values are in single precision");
    }

    #[test]
    fn a_blur_is_found_again() {
        for sigma in [0.9f32, 1.2, 1.5, 2.5] {
            let images: Vec<Vec<f32>> = discs().iter().map(|image| blurred(image, sigma)).collect();
            let Blur::Sigma(found) = scale().blur(sharpness(&images)) else { panic!("at {sigma}") };
            assert!((found.value - f64::from(sigma)).abs() < 0.01, "{found:?} for {sigma}");
            // Half as much contrast is not blurrier.
            let faint: Vec<Vec<f32>> =
                images.iter().map(|image| image.iter().map(|value| 0.5 * value).collect()).collect();
            let Blur::Sigma(of_faint) = scale().blur(sharpness(&faint)) else { panic!("at {sigma}") };
            assert!((of_faint.value - found.value).abs() < 1e-4);
        }
    }

    #[test]
    fn sharper_than_the_data_is_no_blur_of_zero() {
        let edges: Vec<Vec<f32>> =
            discs().iter().map(|image| image.iter().map(|&value| f32::from(value > 0.5)).collect()).collect();
        assert_eq!(scale().blur(sharpness(&edges)), Blur::Sharper);
        let flat = Mean { value: 1e-9, standard_error: None, n: 3 };
        assert_eq!(scale().blur(flat), Blur::Beyond);
    }

    #[test]
    fn images_without_contrast_have_no_scale() {
        let blank = vec![0.5f32; 24 * 28];
        let scale = BlurScale::of(std::iter::once(blank.as_slice()), SHAPE);
        assert!(scale.is_none() || scale.unwrap().frequencies.iter().all(|[.., power]| *power < 1e-20));
    }
}
