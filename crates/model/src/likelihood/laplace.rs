//! Laplace pixels: an absolute error in place of a squared one.

use tch::{Kind, Tensor};

use super::distribution::Likelihood;

/// The output is locations, which are means and medians too; the scales are given.
#[derive(Debug)]
pub struct Laplace {
    /// `[R, 1, 1]`
    pub scale: Tensor,
}

impl Likelihood for Laplace {
    /// −Σ |x − location|/b − P log 2b.
    fn log_prob(&self, output: &Tensor, x: &Tensor) -> Tensor {
        let per_pixel = (x - output).abs() / &self.scale + (&self.scale * 2.0).log();
        -per_pixel.sum_dim_intlist(-1, false, Kind::Float)
    }

    fn mean(&self, output: &Tensor) -> Tensor {
        output.shallow_clone()
    }

    /// By the inverse of the distribution function: location − b·sign(u − ½)·log(1 − 2|u − ½|).
    fn sample(&self, output: &Tensor, uniform: &Tensor) -> Tensor {
        let centred = uniform.clamp(1e-7, 1.0 - 1e-7) - 0.5;
        output - &self.scale * centred.sign() * (centred.abs() * -2.0).log1p()
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn laplace(scale: f64) -> Laplace {
        Laplace { scale: Tensor::from_slice(&[scale]).view([1, 1, 1]) }
    }

    #[test]
    fn the_density_integrates_to_one() {
        let x = ((Tensor::arange(400_000, (Kind::Double, Device::Cpu)) + 0.5) * 1e-4 - 20.0).view([1, 400_000, 1]);
        for (location, scale) in [(0.4, 1.0), (-0.3, 0.05), (0.9, 1.7)] {
            let density = laplace(scale).log_prob(&x.full_like(location), &x).to_kind(Kind::Double).exp();
            let mass = density.sum(Kind::Double).double_value(&[]) * 1e-4;
            assert!((mass - 1.0).abs() < 1e-4, "location {location}, scale {scale}: {mass}");
        }
    }

    /// Location, absolute deviation b and variance 2b² of its draws.
    #[test]
    fn draws_have_the_moments_of_a_laplace_distribution() {
        let uniform = ((Tensor::arange(100_000, (Kind::Double, Device::Cpu)) + 0.5) / 1e5).view([1, -1, 1]);
        let (location, scale) = (0.4, 0.3);
        let draws = laplace(scale).sample(&uniform.full_like(location), &uniform) - location;
        let mean = |values: &Tensor| values.mean(Kind::Double).double_value(&[]);
        assert!(mean(&draws).abs() < 1e-6);
        assert!((mean(&draws.abs()) - scale).abs() < 1e-4);
        assert!((mean(&draws.square()) - 2.0 * scale * scale).abs() < 1e-3);
    }
}
