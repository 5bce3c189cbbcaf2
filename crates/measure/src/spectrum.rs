//! The Fourier transforms of an image and of what was made of it, by one transform of both.

use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use spec::ImageShape;

/// Discrete Fourier transforms of two real channels `[height, width]`.
pub(crate) struct PairSpectrum {
    height: usize,
    width: usize,
    along_x: Arc<dyn Fft<f64>>,
    along_y: Arc<dyn Fft<f64>>,
    values: Vec<Complex<f64>>,
    turned: Vec<Complex<f64>>,
}

impl PairSpectrum {
    pub(crate) fn of(ImageShape { height, width, .. }: ImageShape) -> PairSpectrum {
        let mut planner = FftPlanner::new();
        let zeros = vec![Complex::default(); height * width];
        PairSpectrum {
            height,
            width,
            along_x: planner.plan_fft_forward(width),
            along_y: planner.plan_fft_forward(height),
            values: zeros.clone(),
            turned: zeros,
        }
    }

    /// The coefficients of both at each frequency, `[height, width]`, scaled so that the mean square of a channel is the sum of its squared
    /// coefficients (Parseval).
    pub(crate) fn transform(
        &mut self,
        pairs: impl Iterator<Item = (f64, f64)>,
    ) -> impl Iterator<Item = [Complex<f64>; 2]> {
        let (height, width) = (self.height, self.width);
        for (value, (a, b)) in self.values.iter_mut().zip(pairs) {
            *value = Complex::new(a, b);
        }
        self.along_x.process(&mut self.values);
        for (at, value) in self.values.iter().enumerate() {
            self.turned[at % width * height + at / width] = *value;
        }
        self.along_y.process(&mut self.turned);
        let scale = 1.0 / (height * width) as f64;
        // Of a + ib, where a and b are real: a's transform is the part that its own conjugate mirrors.
        (0..height * width).map(move |at| {
            let (y, x) = (at / width, at % width);
            let here = self.turned[x * height + y];
            let opposite = self.turned[(width - x) % width * height + (height - y) % height].conj();
            let of_b = (here - opposite) * Complex::new(0.0, -0.5);
            [(here + opposite) * 0.5 * scale, of_b * scale]
        })
    }
}

/// The frequency of each coefficient `[height, width]`, in cycles per pixel.
pub(crate) fn radial_frequencies(ImageShape { height, width, .. }: ImageShape) -> Vec<f64> {
    let cycles = |k: usize, n: usize| k.min(n - k) as f64 / n as f64;
    (0..height * width).map(|at| cycles(at / width, height).hypot(cycles(at % width, width))).collect()
}
