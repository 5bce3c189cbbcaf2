//! The reparametrised Gaussian variational autoencoder (Kingma & Welling 2014) for a cohort of replicas.

use spec::{Cell, Likelihood, Model};
use tch::{Device, Kind, Tensor};

use crate::latent::DiagonalGaussian;
use crate::layers::{Linear, Mlp};
use crate::likelihood;
use crate::noise::Drawer;
use crate::parameters::{Parameters, Width};

/// Encoder, latent heads and decoder of every replica of a cohort.
#[derive(Debug)]
pub struct Vae {
    /// All parameters by name.
    pub parameters: Parameters,
    encoder: Mlp,
    mean: Linear,
    log_variance: Linear,
    decoder: Mlp,
    /// 1 where a latent dimension is a replica's own, 0 where it is padding; `[R, 1, D]`.
    mask: Tensor,
    likelihood: CohortLikelihood,
}

#[derive(Debug)]
enum CohortLikelihood {
    Bernoulli,
    Gaussian {
        /// `[R, 1, 1]`
        sigma: Tensor,
    },
}

/// The two terms of the bound, in nats, one sample of z per image; −ELBO = reconstruction + KL.
#[derive(Debug)]
pub struct ElboTerms {
    /// −log p(x|z) per image; shape `[R, B]`.
    pub reconstruction: Tensor,
    /// KL(q(z|x) ‖ p(z)) per image and latent dimension, zero in the padding; shape `[R, B, D]`.
    pub kl_per_dim: Tensor,
    /// Mean of q(z|x), whose variance over images tells the active units; shape `[R, B, D]`.
    pub latent_mean: Tensor,
}

impl ElboTerms {
    /// KL per image; shape `[R, B]`.
    pub fn kl(&self) -> Tensor {
        self.kl_per_dim.sum_dim_intlist(-1, false, Kind::Float)
    }

    /// What is minimised: the mean over images of reconstruction + β·KL, summed over replicas, whose derivatives are
    /// independent of each other. `beta` is `[R, 1]`; the result has no axes.
    pub fn objective(&self, beta: &Tensor) -> Tensor {
        let per_image = &self.reconstruction + beta * self.kl(); // [R, B]
        per_image.mean_dim(-1, false, Kind::Float).sum(Kind::Float)
    }
}

impl Vae {
    /// A freshly initialised cohort for images of `n_pixels` values. The cells may differ in latent width, seed and
    /// likelihood scale; whatever else shapes the tensors is taken from the first.
    ///
    /// `None` without a cell.
    pub fn new(cells: &[&Cell], n_pixels: usize, device: Device) -> Option<Vae> {
        let Model { hidden, activation, likelihood, .. } = &cells.first()?.model;
        let replicas: Vec<_> =
            cells.iter().map(|cell| Drawer { seed: cell.training.seed, width: cell.model.latent_dim }).collect();
        let mut parameters = Parameters::new(replicas, device);

        let pixels = Width::Fixed(n_pixels);
        let hidden: Vec<_> = hidden.iter().map(|&width| Width::Fixed(width)).collect();
        let widths: Vec<_> = std::iter::once(pixels).chain(hidden.iter().copied()).collect();
        let encoder = mlp(&mut parameters, "encoder", &widths, *activation, true);
        let top = widths[widths.len() - 1];
        let mean = parameters.linear("mean", top, Width::Latent);
        let log_variance = parameters.linear("log_variance", top, Width::Latent);
        let widths: Vec<_> =
            std::iter::once(Width::Latent).chain(hidden.iter().rev().copied()).chain([pixels]).collect();
        let decoder = mlp(&mut parameters, "decoder", &widths, *activation, false);

        let n_replicas = cells.len() as i64;
        let own: Vec<f32> = cells
            .iter()
            .flat_map(|cell| (0..parameters.padded_width()).map(|d| f32::from(d < cell.model.latent_dim)))
            .collect();
        let mask = Tensor::from_slice(&own).view([n_replicas, 1, -1]).to_device(device);
        let likelihood = match likelihood {
            Likelihood::Bernoulli => CohortLikelihood::Bernoulli,
            Likelihood::Gaussian { .. } => {
                let sigmas: Vec<f32> = cells
                    .iter()
                    .map(|cell| match cell.model.likelihood {
                        Likelihood::Gaussian { sigma } => sigma as f32,
                        Likelihood::Bernoulli => f32::NAN,
                    })
                    .collect();
                CohortLikelihood::Gaussian { sigma: Tensor::from_slice(&sigmas).view([-1, 1, 1]).to_device(device) }
            }
        };
        Some(Vae { parameters, encoder, mean, log_variance, decoder, mask, likelihood })
    }

    /// q(z|x); `x` is `[R, B, P]`.
    pub fn encode(&self, x: &Tensor) -> DiagonalGaussian {
        let h = self.encoder.forward(x);
        DiagonalGaussian {
            mean: self.mean.forward(&h) * &self.mask,
            log_variance: self.log_variance.forward(&h) * &self.mask,
        }
    }

    /// The decoder's output for `z` of shape `[R, B, D]`: logits, or means; `[R, B, P]`.
    pub fn decode(&self, z: &Tensor) -> Tensor {
        self.decoder.forward(z)
    }

    /// E[x|z] for `z` of shape `[R, B, D]`: probabilities, or means; `[R, B, P]`.
    pub fn decode_mean(&self, z: &Tensor) -> Tensor {
        match self.likelihood {
            CohortLikelihood::Bernoulli => self.decode(z).sigmoid(),
            CohortLikelihood::Gaussian { .. } => self.decode(z),
        }
    }

    /// The terms of the bound for images `x` `[R, B, P]` with reparametrisation noise `[R, B, D]`.
    pub fn elbo_terms(&self, x: &Tensor, noise: &Tensor) -> ElboTerms {
        let q = self.encode(x);
        let output = self.decode(&(q.sample(noise) * &self.mask));
        let reconstruction = match &self.likelihood {
            CohortLikelihood::Bernoulli => likelihood::bernoulli(&output, x),
            CohortLikelihood::Gaussian { sigma } => likelihood::gaussian(&output, x, sigma),
        };
        ElboTerms { reconstruction, kl_per_dim: q.kl_per_dim() * &self.mask, latent_mean: q.mean }
    }
}

/// Layers named as in a PyTorch `nn.Sequential` of alternating linear maps and nonlinearities: 0, 2, 4, …
fn mlp(
    parameters: &mut Parameters,
    name: &str,
    widths: &[Width],
    activation: spec::Activation,
    activate_last: bool,
) -> Mlp {
    let layers = widths
        .windows(2)
        .enumerate()
        .map(|(i, pair)| parameters.linear(&format!("{name}.{}", 2 * i), pair[0], pair[1]))
        .collect();
    Mlp { layers, activation, activate_last }
}
