//! Normal pixels: with one standard deviation for all, fixed, learned or optimal, or with one for each pixel.

use tch::{Kind, Tensor};

use super::distribution::{Likelihood, normal};
use crate::parameters::{Buffer, BufferUpdate, Initialiser, Registrar, Width};

/// How much of the newest batch goes into the running mean of log σ.
const RUNNING_MEAN: f64 = 0.02;
/// The squared error never counts as less than this, so that its logarithm is finite.
const LEAST_VARIANCE: f64 = 1e-12;

const ONE_A_REPLICA: [Width; 2] = [Width::Fixed(1), Width::Fixed(1)];

/// Σ log N(x; mean, σ²) = −Σ ½(x − mean)²/σ² − P(log σ + ½ log 2π); `mean` and `x` are `[R, B, P]`, `sigma` `[R, 1, 1]`,
/// the result `[R, B]`.
fn log_prob(mean: &Tensor, x: &Tensor, sigma: &Tensor) -> Tensor {
    let n_pixels = x.size().last().copied().unwrap_or(0) as f64;
    let squares = (x - mean).square().sum_dim_intlist(-1, false, Kind::Float);
    let sigma = sigma.squeeze_dim(-1);
    -(squares / (sigma.square() * 2.0) + (sigma.log() + half_log_two_pi()) * n_pixels)
}

/// The same of every pair of means `[R, n, P]` and images `[R, B, P]`, with Σ (x − m)² = Σ x² − 2xm + m²; `[R, n, B]`.
pub(super) fn log_prob_of_pairs(mean: &Tensor, x: &Tensor, sigma: &Tensor) -> Tensor {
    let products = mean.matmul(&x.transpose(-1, -2));
    let squares = x.square().sum_dim_intlist(-1, false, Kind::Float).unsqueeze(1) * 0.5;
    (products - squares) / sigma.square() + log_prob(mean, &mean.zeros_like(), sigma).unsqueeze(-1)
}

fn half_log_two_pi() -> f64 {
    0.5 * (2.0 * std::f64::consts::PI).ln()
}

/// The output is means; the standard deviations are given.
#[derive(Debug)]
pub struct Fixed {
    /// `[R, 1, 1]`
    pub sigma: Tensor,
}

impl Likelihood for Fixed {
    fn log_prob(&self, output: &Tensor, x: &Tensor) -> Tensor {
        log_prob(output, x, &self.sigma)
    }

    fn log_prob_of_pairs(&self, output: &Tensor, x: &Tensor) -> Option<Tensor> {
        Some(log_prob_of_pairs(output, x, &self.sigma))
    }

    fn mean(&self, output: &Tensor) -> Tensor {
        output.shallow_clone()
    }

    fn sample(&self, output: &Tensor, uniform: &Tensor) -> Tensor {
        output + normal(uniform) * &self.sigma
    }
}

/// The output is means; log σ is a parameter.
#[derive(Debug)]
pub struct Learned {
    /// `[R, 1, 1]`
    log_sigma: Tensor,
}

impl Learned {
    /// With σ = 1 at first.
    pub fn new(parameters: &mut Registrar<'_>) -> Learned {
        Learned { log_sigma: parameters.tensor("likelihood.log_sigma", &ONE_A_REPLICA, Initialiser::Constant(0.0)) }
    }
}

impl Likelihood for Learned {
    fn log_prob(&self, output: &Tensor, x: &Tensor) -> Tensor {
        log_prob(output, x, &self.log_sigma.exp())
    }

    fn log_prob_of_pairs(&self, output: &Tensor, x: &Tensor) -> Option<Tensor> {
        Some(log_prob_of_pairs(output, x, &self.log_sigma.exp()))
    }

    fn mean(&self, output: &Tensor) -> Tensor {
        output.shallow_clone()
    }

    fn sample(&self, output: &Tensor, uniform: &Tensor) -> Tensor {
        output + normal(uniform) * self.log_sigma.exp()
    }
}

/// log σ averaged over batches with weights that fade exponentially and sum to one from the first batch on: what is evaluated with
/// where training takes the σ of each batch.
#[derive(Debug)]
pub struct RunningLogSigma {
    /// `[R, 1, n]`
    log_sigma: Buffer,
    /// Sum of the weights of the batches in it, `[R, 1, 1]`: 0 before the first batch, towards 1 with more.
    weight: Buffer,
}

impl RunningLogSigma {
    /// Of `n` standard deviations a replica, before the first batch.
    pub fn new(parameters: &mut Registrar<'_>, n: usize) -> RunningLogSigma {
        let mut buffer = |name, n| {
            let axes = [Width::Fixed(1), Width::Fixed(n)];
            parameters.buffer(name, &axes, Initialiser::Constant(0.0))
        };
        RunningLogSigma {
            log_sigma: buffer("likelihood.log_sigma", n),
            weight: buffer("likelihood.log_sigma_weight", 1),
        }
    }

    /// The mean so far, `[R, 1, n]`.
    pub fn mean(&self) -> &Tensor {
        &self.log_sigma.tensor
    }

    /// With the σ of a further batch, `[R, 1, n]`.
    pub fn with(&self, log_sigma: &Tensor) -> Vec<BufferUpdate> {
        let (running, weight) = (&self.log_sigma.tensor, &self.weight.tensor);
        let next_weight = weight * (1.0 - RUNNING_MEAN) + RUNNING_MEAN;
        let next = running + (log_sigma - running) * (RUNNING_MEAN / &next_weight);
        vec![self.weight.next(next_weight), self.log_sigma.next(next)]
    }
}

/// The output is means; σ² is the mean squared error of the batch (Rybkin et al. 2021, eq. 7).
///
/// It is taken as a constant: at the optimum the derivative by σ is zero, so the gradient is that of the plugged-in form.
#[derive(Debug)]
pub struct Optimal {
    log_sigma: RunningLogSigma,
}

impl Optimal {
    /// Before the first batch.
    pub fn new(parameters: &mut Registrar<'_>) -> Optimal {
        Optimal { log_sigma: RunningLogSigma::new(parameters, 1) }
    }
}

impl Likelihood for Optimal {
    fn log_prob(&self, output: &Tensor, x: &Tensor) -> Tensor {
        log_prob(output, x, &self.log_sigma.mean().exp())
    }

    fn log_prob_of_pairs(&self, output: &Tensor, x: &Tensor) -> Option<Tensor> {
        Some(log_prob_of_pairs(output, x, &self.log_sigma.mean().exp()))
    }

    fn train(&self, output: &Tensor, x: &Tensor) -> (Tensor, Vec<BufferUpdate>) {
        let (sigma, updates) = tch::no_grad(|| {
            let variance = (x - output).square().mean_dim(&[1i64, 2][..], true, Kind::Float).clamp_min(LEAST_VARIANCE);
            let log_sigma = variance.log() * 0.5;
            (log_sigma.exp(), self.log_sigma.with(&log_sigma))
        });
        (log_prob(output, x, &sigma), updates)
    }

    fn mean(&self, output: &Tensor) -> Tensor {
        output.shallow_clone()
    }

    fn sample(&self, output: &Tensor, uniform: &Tensor) -> Tensor {
        output + normal(uniform) * self.log_sigma.mean().exp()
    }
}

/// The output is the means of all pixels, then what their standard deviations floor + softplus(output) are made of.
#[derive(Debug)]
pub struct PerPixel {
    /// The least standard deviation.
    pub floor: f64,
}

impl PerPixel {
    fn mean_and_sigma(&self, output: &Tensor) -> (Tensor, Tensor) {
        let n_pixels = output.size().last().copied().unwrap_or(0) / 2;
        let sigma = output.narrow(-1, n_pixels, n_pixels).softplus() + self.floor;
        (output.narrow(-1, 0, n_pixels), sigma)
    }
}

/// Σ log N(x; mean, σ²); all `[R, B, P]`, the result `[R, B]`; `sigma` may be broadcast.
pub(super) fn log_prob_per_pixel(mean: &Tensor, x: &Tensor, sigma: &Tensor) -> Tensor {
    let per_pixel = ((x - mean) / sigma).square() * 0.5 + sigma.log() + half_log_two_pi();
    -per_pixel.sum_dim_intlist(-1, false, Kind::Float)
}

impl Likelihood for PerPixel {
    fn log_prob(&self, output: &Tensor, x: &Tensor) -> Tensor {
        let (mean, sigma) = self.mean_and_sigma(output);
        log_prob_per_pixel(&mean, x, &sigma)
    }

    fn mean(&self, output: &Tensor) -> Tensor {
        self.mean_and_sigma(output).0
    }

    fn sample(&self, output: &Tensor, uniform: &Tensor) -> Tensor {
        let (mean, sigma) = self.mean_and_sigma(output);
        mean + normal(uniform) * sigma
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn gaussian_equals_the_density_and_integrates_to_one() {
        let x = Tensor::linspace(-20.0, 20.0, 4001, (Kind::Double, Device::Cpu)).view([1, 4001, 1]);
        let sigma = Tensor::from_slice(&[1.7f64]).view([1, 1, 1]);
        let nll = -log_prob(&x.full_like(0.4), &x, &sigma);
        let mass = (-nll).exp().sum(Kind::Double).double_value(&[]) * 0.01;
        assert!((mass - 1.0).abs() < 1e-6, "{mass}");
    }

    #[test]
    fn one_sigma_for_every_pixel_is_the_shared_sigma() {
        let mean = Tensor::rand([2, 3, 20], (Kind::Double, Device::Cpu));
        let x = Tensor::rand([2, 3, 20], (Kind::Double, Device::Cpu));
        let sigma = Tensor::from_slice(&[0.3f64, 1.4]).view([2, 1, 1]);
        let difference = log_prob(&mean, &x, &sigma) - log_prob_per_pixel(&mean, &x, &(mean.ones_like() * &sigma));
        assert!(difference.abs().max().double_value(&[]) < 1e-5);
    }
}
