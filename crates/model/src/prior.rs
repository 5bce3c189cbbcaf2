//! p(z): standard normal, fair bits, a learned mixture, the mixture of pseudo-inputs' posteriors, or a normalising flow.

mod flow;
mod mixture;

use spec::{Latent, Model};
use tch::{Kind, Tensor};

pub use flow::Flow;
pub use mixture::{Mixture, Vamp};

use crate::encoder::Encoder;
use crate::noise::NoiseKey;
use crate::parameters::{Parameters, Part};
use crate::posterior::DiagonalGaussian;

/// p(z) of every replica.
#[derive(Debug)]
pub enum Prior {
    /// N(0, I).
    StandardNormal,
    /// Every bit is 1 with probability ½.
    FairBits,
    /// A learned mixture of Gaussians.
    Mixture(Mixture),
    /// The mixture of learned pseudo-inputs' posteriors.
    Vamp(Vamp),
    /// A normalising flow from N(0, I).
    Flow(Flow),
}

impl Prior {
    /// The spec's prior for its latents, with the parameters it needs.
    pub fn new(parameters: &mut Parameters, model: &Model, n_pixels: usize) -> Prior {
        let mut own = parameters.of(Part::Prior);
        match (model.prior, model.latent) {
            (spec::Prior::Standard, Latent::Gaussian) => Prior::StandardNormal,
            (spec::Prior::Standard, Latent::Bernoulli { .. }) => Prior::FairBits,
            (spec::Prior::Mixture { components }, _) => Prior::Mixture(Mixture::new(&mut own, components)),
            (spec::Prior::Vamp { components }, _) => Prior::Vamp(Vamp::new(&mut own, components, n_pixels)),
            (spec::Prior::Flow { couplings, hidden }, _) => Prior::Flow(Flow::new(&mut own, couplings, hidden)),
        }
    }

    /// log p(z) in nats for `z` of shape `[R, N, D]`; the result is `[R, N]`. `encoder` is that of the model.
    pub fn log_prob(&self, z: &Tensor, encoder: &Encoder) -> Tensor {
        match self {
            Prior::StandardNormal => {
                let standard = DiagonalGaussian { mean: z.zeros_like(), log_variance: z.zeros_like() };
                encoder.mask.sum(&standard.log_prob_per_dim(z))
            }
            Prior::FairBits => encoder.mask.sum(&z.full_like(-std::f64::consts::LN_2)),
            Prior::Mixture(mixture) => mixture.components().log_prob(z, &encoder.mask),
            Prior::Vamp(vamp) => vamp.components(encoder).log_prob(z, &encoder.mask),
            Prior::Flow(flow) => flow.log_prob(z, &encoder.mask),
        }
    }

    /// `n` draws for every replica from its own seed; `[R, n, D]`, zero in the padding.
    pub fn sample(&self, n: usize, key: NoiseKey, parameters: &Parameters, encoder: &Encoder) -> Tensor {
        match self {
            Prior::StandardNormal => parameters.normals(n, key),
            Prior::FairBits => parameters.uniforms(n, key).gt(0.5).to_kind(Kind::Float),
            Prior::Mixture(mixture) => mixture.components().sample(n, key, parameters),
            Prior::Vamp(vamp) => vamp.components(encoder).sample(n, key, parameters),
            Prior::Flow(flow) => flow.sample(&parameters.normals(n, key), &encoder.mask),
        }
    }
}
