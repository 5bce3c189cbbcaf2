//! Generative adversarial networks for a cohort of replicas, with the non-saturating loss (Goodfellow et al. 2014).

use spec::{Cell, ImageShape, ModelKind, TooDeep};
use tch::{Device, Tensor};

use crate::discriminator::{Discriminator, is_of_discriminator};
use crate::family::{Family, Loss, Moment, Step, Terms, total};
use crate::latent::Posterior;
use crate::layers::Network;
use crate::nets::decoder;
use crate::noise::{Drawer, Stream, normals};
use crate::parameters::Parameters;

/// A generator and a discriminator for every replica of a cohort.
///
/// The generator is the VAE's decoder with a sigmoid behind, its parameters named `generator.0.weight` …; the
/// discriminator is the VAE's encoder with one output, see [`Discriminator`]. Both are trained in every step, by
/// simultaneous gradients: each loss is differentiated at the parameters before the step, and one update of the optimizer
/// follows.
#[derive(Debug)]
pub struct Gan {
    parameters: Parameters,
    generator: Network,
    discriminator: Discriminator,
}

impl Gan {
    /// A freshly initialised cohort. The cells may differ in latent width and seed; whatever else shapes the tensors is
    /// taken from the first.
    ///
    /// `None` without a cell, or when the first is no GAN's. Errors when the convolutions are more than the image allows.
    pub fn new(cells: &[&Cell], image: ImageShape, device: Device) -> Result<Option<Gan>, TooDeep> {
        let Some(first) = cells.first() else { return Ok(None) };
        let ModelKind::Gan { regulariser } = first.model.kind else { return Ok(None) };
        let replicas =
            cells.iter().map(|cell| Drawer { seed: cell.training.seed, width: cell.model.latent_dim }).collect();
        let mut parameters = Parameters::new(replicas, first.model.init, device);
        let generator = decoder(&mut parameters, "generator", &first.model, image)?;
        let discriminator = Discriminator::new(&mut parameters, &first.model, regulariser, image)?;
        Ok(Some(Gan { parameters, generator, discriminator }))
    }

    /// z ~ N(0, I) for `n` images, `[R, n, D]`.
    fn draw(&self, n: usize, stream: Stream, at: &Moment) -> Tensor {
        if let Some(noise) = &at.noise {
            return noise.shallow_clone();
        }
        let parameters = &self.parameters;
        let (replicas, padded) = (parameters.replicas(), parameters.padded_width());
        normals(replicas, n, padded, stream, at.epoch, at.step, parameters.device())
    }

    /// As many images as in `x` from z of `stream`, judged beside `x`.
    fn terms(&self, x: &Tensor, stream: Stream, at: &Moment, is_training: bool) -> (Terms, Option<Tensor>) {
        let judge = self.discriminator.judge(is_training);
        let made = judge.of(&self.decode_mean(&self.draw(x.size()[1] as usize, stream, at)));
        let terms = Terms {
            reconstruction: None,
            kl: None,
            kl_per_dim: None,
            latent_mean: None,
            objective: made.as_data(),
            discriminator: Some(judge.of(x).as_data() + made.as_made()),
        };
        let penalty = if is_training { self.discriminator.penalty(&judge, x) } else { None };
        (terms, penalty)
    }
}

impl Family for Gan {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The objective is the generator's loss −log D(G(z)), the discriminator's −log D(x) − log(1 − D(G(z))), without the
    /// penalty of its gradient, which is added to what is differentiated.
    fn train(&self, x: &Tensor, at: &Moment) -> Step {
        let (terms, penalty) = self.terms(x, Stream::PriorTrain, at, true);
        // Both losses are differentiated through the same pass, each by its own parameters alone: the discriminator's
        // derivative does not enter the generator, nor the generator's the discriminator's weights.
        let mut losses = vec![Loss {
            value: total(&terms.objective),
            parameters: self.parameters.trained(|name| !is_of_discriminator(name)),
        }];
        losses.extend(terms.discriminator.as_ref().map(|discriminator| {
            let value = match &penalty {
                Some(penalty) => total(&(discriminator + penalty)),
                None => total(discriminator),
            };
            Loss { value, parameters: self.parameters.trained(is_of_discriminator) }
        }));
        Step { terms, losses }
    }

    fn evaluate(&self, x: &Tensor, at: &Moment) -> Terms {
        self.terms(x, at.stream, at, false).0
    }

    fn encode(&self, _: &Tensor) -> Option<Posterior> {
        None
    }

    fn sample_latent(&self, posterior: &Posterior, _: &Moment) -> Tensor {
        posterior.mean()
    }

    fn decode_mean(&self, z: &Tensor) -> Tensor {
        self.generator.forward(z).sigmoid()
    }

    fn decode_sample(&self, _: &Tensor, _: u64) -> Option<Tensor> {
        None
    }

    fn sample_prior(&self, n: usize, stream: Stream, step: u64) -> Tensor {
        let parameters = &self.parameters;
        normals(parameters.replicas(), n, parameters.padded_width(), stream, 0, step, parameters.device())
    }

    fn corrupt(&self, _: &Tensor, _: &Moment) -> Option<Tensor> {
        None
    }

    fn log_weights(&self, _: &Tensor, _: usize, _: &Moment) -> Option<Tensor> {
        None
    }
}
