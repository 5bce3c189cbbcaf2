//! The decoder's distribution for a cohort: what the decoder's output means, and the parameters it has of its own.

use spec::{Cell, Likelihood, SharedVariance};
use tch::{Device, Kind, Tensor};

use crate::likelihood;
use crate::parameters::{Parameters, Start, Width};

/// How much of the newest batch goes into the running mean of log σ.
const RUNNING_MEAN: f64 = 0.02;
/// The squared error never counts as less than this, so that its logarithm is finite.
const LEAST_VARIANCE: f64 = 1e-12;

/// p(x|z) of every replica, with pixels independent given z.
#[derive(Debug)]
pub enum Observation {
    /// The output is logits.
    Bernoulli,
    /// The output is logits.
    ContinuousBernoulli,
    /// The output is means; a fixed standard deviation `[R, 1, 1]`.
    Gaussian(Tensor),
    /// The output is means; log σ is a parameter, `[R, 1, 1]`.
    GaussianLearned(Tensor),
    /// The output is means; σ² is the mean squared error of the batch.
    GaussianOptimal {
        /// The running mean of log σ over batches, `[R, 1, 1]`.
        log_sigma: Tensor,
        /// Sum of the weights of the batches in it, `[R, 1, 1]`: 0 before the first batch, towards 1 with more.
        weight: Tensor,
    },
    /// The output is means, then what the standard deviations are made of, with this floor.
    GaussianPerPixel(f64),
    /// The output is means; the logarithm of the scale is a parameter, `[R, 1, 1]`.
    DiscretisedLogistic(Tensor),
}

impl Observation {
    /// For cells with the same variant of likelihood; adds the parameters it needs.
    pub fn new(parameters: &mut Parameters, cells: &[&Cell], likelihood: Likelihood, device: Device) -> Observation {
        let one = [Width::Fixed(1), Width::Fixed(1)];
        match likelihood {
            Likelihood::Bernoulli => Observation::Bernoulli,
            Likelihood::ContinuousBernoulli => Observation::ContinuousBernoulli,
            Likelihood::Gaussian { .. } => {
                let sigmas: Vec<f32> = cells
                    .iter()
                    .map(|cell| match cell.model.likelihood {
                        Likelihood::Gaussian { sigma } => sigma as f32,
                        _ => f32::NAN,
                    })
                    .collect();
                Observation::Gaussian(Tensor::from_slice(&sigmas).view([-1, 1, 1]).to_device(device))
            }
            Likelihood::GaussianShared { variance: SharedVariance::Learned } => {
                Observation::GaussianLearned(parameters.tensor("likelihood.log_sigma", &one, Start::Constant(0.0)))
            }
            Likelihood::GaussianShared { variance: SharedVariance::Optimal } => {
                let mut buffer = |name| parameters.buffer(name, &one, Start::Constant(0.0));
                let (log_sigma, weight) = (buffer("likelihood.log_sigma"), buffer("likelihood.log_sigma_weight"));
                Observation::GaussianOptimal { log_sigma, weight }
            }
            Likelihood::GaussianPerPixel { floor } => Observation::GaussianPerPixel(floor),
            Likelihood::DiscretisedLogistic => {
                let start = Start::Constant(0.1f32.ln());
                Observation::DiscretisedLogistic(parameters.tensor("likelihood.log_scale", &one, start))
            }
        }
    }

    /// −log p(x|z) in nats per image; `output` is the decoder's, `[R, B, P]` (or twice as long), `x` is `[R, B, P]`, the
    /// result `[R, B]`.
    pub fn negative_log_likelihood(&self, output: &Tensor, x: &Tensor) -> Tensor {
        match self {
            Observation::Bernoulli => likelihood::bernoulli(output, x),
            Observation::ContinuousBernoulli => likelihood::continuous_bernoulli(output, x),
            Observation::Gaussian(sigma) => likelihood::gaussian(output, x, sigma),
            Observation::GaussianLearned(log_sigma) | Observation::GaussianOptimal { log_sigma, .. } => {
                likelihood::gaussian(output, x, &log_sigma.exp())
            }
            Observation::GaussianPerPixel(floor) => {
                let (mean, sigma) = mean_and_sigma(output, *floor);
                likelihood::gaussian_per_pixel(&mean, x, &sigma)
            }
            Observation::DiscretisedLogistic(log_scale) => {
                likelihood::discretised_logistic(output, x, &log_scale.exp())
            }
        }
    }

    /// As [`Observation::negative_log_likelihood`] while training.
    ///
    /// With the optimal shared variance, σ² is the batch's mean squared error (Rybkin et al. 2021, eq. 7). It is taken as
    /// a constant: at the optimum the derivative by σ is zero, so the gradient is that of the plugged-in form. For
    /// evaluation, log σ is averaged over batches with weights that fade exponentially and sum to one from the first batch on.
    pub fn train(&self, output: &Tensor, x: &Tensor) -> Tensor {
        let Observation::GaussianOptimal { log_sigma: running, weight } = self else {
            return self.negative_log_likelihood(output, x);
        };
        let sigma = tch::no_grad(|| {
            let variance = (x - output).square().mean_dim(&[1i64, 2][..], true, Kind::Float).clamp_min(LEAST_VARIANCE);
            let log_sigma = variance.log() * 0.5;
            weight.shallow_clone().copy_(&(weight * (1.0 - RUNNING_MEAN) + RUNNING_MEAN));
            running.shallow_clone().copy_(&(running + (&log_sigma - running) * (RUNNING_MEAN / weight)));
            log_sigma.exp()
        });
        likelihood::gaussian(output, x, &sigma)
    }

    /// E[x|z], `[R, B, P]`.
    pub fn mean(&self, output: &Tensor) -> Tensor {
        match self {
            Observation::Bernoulli => output.sigmoid(),
            Observation::ContinuousBernoulli => likelihood::continuous_bernoulli_mean(output),
            Observation::GaussianPerPixel(floor) => mean_and_sigma(output, *floor).0,
            _ => output.shallow_clone(),
        }
    }

    /// A draw from p(x|z), `[R, B, P]`, made of draws uniform in 0…1 of the same shape.
    pub fn sample(&self, output: &Tensor, uniform: &Tensor) -> Tensor {
        let normal = || (uniform.clamp(1e-7, 1.0 - 1e-7) * 2.0 - 1.0).erfinv() * std::f64::consts::SQRT_2;
        match self {
            Observation::Bernoulli => uniform.lt_tensor(&output.sigmoid()).to_kind(Kind::Float),
            Observation::ContinuousBernoulli => likelihood::continuous_bernoulli_sample(output, uniform),
            Observation::Gaussian(sigma) => output + normal() * sigma,
            Observation::GaussianLearned(log_sigma) | Observation::GaussianOptimal { log_sigma, .. } => {
                output + normal() * log_sigma.exp()
            }
            Observation::GaussianPerPixel(floor) => {
                let (mean, sigma) = mean_and_sigma(output, *floor);
                mean + normal() * sigma
            }
            Observation::DiscretisedLogistic(log_scale) => {
                let logistic = uniform.clamp(1e-7, 1.0 - 1e-7).logit(None::<f64>);
                ((output + logistic * log_scale.exp()) * 255.0).round().clamp(0.0, 255.0) / 255.0
            }
        }
    }
}

fn mean_and_sigma(output: &Tensor, floor: f64) -> (Tensor, Tensor) {
    let n_pixels = output.size().last().copied().unwrap_or(0) / 2;
    let sigma = output.narrow(-1, n_pixels, n_pixels).softplus() + floor;
    (output.narrow(-1, 0, n_pixels), sigma)
}
