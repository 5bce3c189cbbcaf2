//! From images to q(z|x): a network, and what turns its features into a distribution.

use spec::{ImageShape, Latent, Model, ModelKind, TooDeep};
use tch::Tensor;

use crate::layers::{Linear, Network};
use crate::mask::Mask;
use crate::nets::trunk;
use crate::parameters::{Parameters, Part, Width};
use crate::posterior::{Bits, DiagonalGaussian, Posterior};

/// The encoder of every replica of a cohort.
#[derive(Debug)]
pub struct Encoder {
    network: Network,
    heads: Heads,
    /// Which latent dimensions are a replica's own.
    pub mask: Mask,
}

/// What turns the network's features into q(z|x).
#[derive(Debug)]
enum Heads {
    Gaussian { mean: Linear, log_variance: Linear },
    Bits { logits: Linear },
    Point { latent: Linear },
}

impl Encoder {
    /// Freshly initialised. Errors when the convolutions are more than the image allows.
    pub fn new(parameters: &mut Parameters, model: &Model, image: ImageShape) -> Result<Encoder, TooDeep> {
        let mask = Mask::new(parameters);
        let mut own = parameters.of(Part::Encoder);
        let features = trunk(&mut own, "encoder", model, image)?;
        let mut head = |name: &str| Linear::new(&mut own, name, features.width, Width::Latent);
        let heads = match (model.kind, model.latent) {
            (ModelKind::Autoencoder, _) => Heads::Point { latent: head("latent") },
            (_, Latent::Bernoulli { .. }) => Heads::Bits { logits: head("logits") },
            (_, Latent::Gaussian) => Heads::Gaussian { mean: head("mean"), log_variance: head("log_variance") },
        };
        Ok(Encoder { network: features.network, heads, mask })
    }

    /// q(z|x) for images `x`, `[R, B, P]`.
    pub fn posterior(&self, x: &Tensor) -> Posterior {
        let features = self.network.forward(x);
        let latents = |head: &Linear| self.mask.apply(&head.forward(&features));
        match &self.heads {
            Heads::Gaussian { mean, log_variance } => {
                Posterior::Gaussian(DiagonalGaussian { mean: latents(mean), log_variance: latents(log_variance) })
            }
            Heads::Bits { logits } => Posterior::Bits(Bits { logits: latents(logits) }),
            Heads::Point { latent } => Posterior::Point(latents(latent)),
        }
    }
}
