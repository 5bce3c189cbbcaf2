//! Generative adversarial networks for a cohort of replicas, with the non-saturating loss (Goodfellow et al. 2014).

use spec::{Cell, ImageShape, ModelKind, TooDeep};
use tch::{Device, Tensor};

use crate::discriminator::{Critic, Discriminator};
use crate::family::{Family, Generator, Loss, Step, StepContext, Terms};
use crate::layers::Network;
use crate::nets::decoder;
use crate::noise::{NoiseKey, Replica, Stream};
use crate::parameters::{Parameters, Part};

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
            cells.iter().map(|cell| Replica { seed: cell.training.seed, width: cell.model.latent_dim }).collect();
        let mut parameters = Parameters::new(replicas, first.model.init, device);
        let generator = decoder(&mut parameters.of(Part::Decoder), "generator", &first.model, image)?;
        let discriminator = Discriminator::new(&mut parameters, &first.model, regulariser, image)?;
        Ok(Some(Gan { parameters, generator, discriminator }))
    }

    /// The losses of both players for `x` and as many images from z of `key`.
    fn terms(&self, x: &Tensor, critic: &Critic, key: NoiseKey, at: &StepContext) -> Terms {
        let n = x.size()[1] as usize;
        let z = at.noise.as_ref().map_or_else(|| self.sample_prior(n, key), Tensor::shallow_clone);
        let made = critic.of(&self.mean(&z));
        Terms {
            discriminator: Some(critic.of(x).as_data() + made.as_generated()), // −log D(x) − log(1 − D(G(z)))
            ..Terms::of_objective(made.as_data())                              // −log D(G(z))
        }
    }
}

impl Family for Gan {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// The objective is the generator's loss −log D(G(z)), the discriminator's −log D(x) − log(1 − D(G(z))), without the
    /// penalty of its gradient, which is added to what is differentiated.
    fn train(&self, x: &Tensor, at: &StepContext) -> Step {
        let (critic, buffers) = self.discriminator.critic_in_training();
        let terms = self.terms(x, &critic, at.noise_of(Stream::PriorTrain), at);
        let penalty = self.discriminator.penalty(&critic, x);
        // Both losses are differentiated through the same pass, each by its own parameters alone: the discriminator's
        // derivative does not enter the generator, nor the generator's the discriminator's weights.
        let mut losses = vec![Loss::new(&terms.objective, self.parameters.trained(|part| part != Part::Discriminator))];
        losses.extend(terms.discriminator.as_ref().map(|loss| {
            let loss = penalty.map_or_else(|| loss.shallow_clone(), |penalty| loss + penalty);
            Loss::new(&loss, self.parameters.trained(|part| part == Part::Discriminator))
        }));
        Step { terms, losses, buffers }
    }

    fn evaluate(&self, x: &Tensor, at: &StepContext) -> Terms {
        self.terms(x, &self.discriminator.critic(), at.key, at)
    }

    fn generator(&self) -> &dyn Generator {
        self
    }
}

impl Generator for Gan {
    fn sample_prior(&self, n: usize, key: NoiseKey) -> Tensor {
        self.parameters.normals(n, key)
    }

    fn mean(&self, z: &Tensor) -> Tensor {
        self.generator.forward(z).sigmoid()
    }
}
