//! VAEs whose decoder also has to convince a discriminator (Larsen et al. 2016, "Autoencoding beyond pixels using a
//! learned similarity metric").

use spec::{Cell, ImageShape, ModelKind, TooDeep};
use tch::{Device, Kind, Tensor};

use crate::bound::Bound;
use crate::discriminator::{Critic, Discriminator};
use crate::family::{Density, Encode, Family, Generator, Loss, Step, StepContext, Terms};
use crate::noise::{NoiseKey, Stream};
use crate::parameters::{Parameters, Part};
use crate::posterior::Posterior;
use crate::vae::Vae;

/// A VAE and a discriminator for every replica of a cohort.
///
/// Reconstructions are compared in the discriminator's last hidden features, and so are trained the encoder and the
/// decoder; the likelihood of pixels is reported, so that the bound can be compared with a VAE's, and trains no more than
/// parameters of its own, such as a shared standard deviation. All are trained in every step, by simultaneous gradients:
/// each loss is differentiated at the parameters before the step.
#[derive(Debug)]
pub struct VaeGan {
    vae: Vae,
    discriminator: Discriminator,
    /// γ: weight of the reconstruction against the adversarial loss for the decoder.
    weight: f64,
}

/// The losses of a batch, in nats per image; `[R, B]`.
struct Losses {
    /// β·KL + reconstruction of features.
    encoder: Tensor,
    /// γ·reconstruction of features − log D(x̃) − log D(x_p), for reconstructions x̃ and samples x_p.
    decoder: Tensor,
    /// −log D(x) − log(1 − D(x̃)) − log(1 − D(x_p)).
    discriminator: Tensor,
}

impl VaeGan {
    /// A freshly initialised cohort. The cells may differ in latent width, seed and likelihood scale; whatever else
    /// shapes the tensors is taken from the first.
    ///
    /// `None` without a cell, or when the first is no VAE-GAN's. Errors when the convolutions are more than the image
    /// allows.
    pub fn new(cells: &[&Cell], image: ImageShape, device: Device) -> Result<Option<VaeGan>, TooDeep> {
        let Some(first) = cells.first() else { return Ok(None) };
        let ModelKind::VaeGan { regulariser, weight } = first.model.kind else { return Ok(None) };
        let Some(mut vae) = Vae::new(cells, image, device)? else { return Ok(None) };
        let discriminator = Discriminator::new(vae.parameters_mut(), &first.model, regulariser, image)?;
        Ok(Some(VaeGan { vae, discriminator, weight }))
    }

    /// The losses of a bound on `x` beside as many samples.
    fn losses(&self, x: &Tensor, bound: &Bound, critic: &Critic, at: &StepContext) -> Losses {
        let prior = tch::no_grad(|| {
            let step = at.noise_of(Stream::PriorTrain).hash(0);
            self.vae.sample_prior(x.size()[1] as usize, NoiseKey::new(Stream::PriorTrain, 0, step))
        });
        let data = critic.of(x);
        let reconstructed = critic.of(&self.vae.mean_of(&bound.output));
        let sampled = critic.of(&self.vae.mean(&prior));

        // −log N(D_l(x) | D_l(x̃), I) without its constant (eq. 7).
        let features =
            (&data.features - &reconstructed.features).square().sum_dim_intlist(-1, false, Kind::Float) * 0.5;
        let weighted_kl = bound.kl().map_or_else(|| features.zeros_like(), |kl| at.beta(self.parameters()) * kl);
        Losses {
            encoder: weighted_kl + &features,
            decoder: &features * self.weight + reconstructed.as_data() + sampled.as_data(),
            discriminator: data.as_data() + reconstructed.as_generated() + sampled.as_generated(),
        }
    }

    /// The objective is the sum of the encoder's and the decoder's loss.
    fn terms(&self, bound: Bound, losses: &Losses, is_training: bool) -> Terms {
        let discriminator = Some(losses.discriminator.shallow_clone());
        Terms { discriminator, ..self.vae.terms(bound, &losses.encoder + &losses.decoder, is_training) }
    }
}

impl Family for VaeGan {
    fn parameters(&self) -> &Parameters {
        self.vae.parameters()
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        self.vae.parameters_mut()
    }

    /// The discriminator's loss is reported without the penalty of its gradient, which is added to what is differentiated.
    fn train(&self, x: &Tensor, at: &StepContext) -> Step {
        let corrupted = self.vae.corrupt(x, at);
        let (bound, mut buffers) = self.vae.bound(x, corrupted.as_ref().unwrap_or(x), at, true);
        let (critic, power_iteration) = self.discriminator.critic_in_training();
        buffers.extend(power_iteration);
        let losses = self.losses(x, &bound, &critic, at);
        let discriminator = match self.discriminator.penalty(&critic, x) {
            Some(penalty) => &losses.discriminator + penalty,
            None => losses.discriminator.shallow_clone(),
        };
        // All are differentiated through the same pass, each by its own parameters alone. The prior is the encoder's: both
        // are in the KL alone.
        let likelihood = bound.reconstruction();
        let of_parts: [(&[Part], &Tensor); 4] = [
            (&[Part::Encoder, Part::Prior], &losses.encoder),
            (&[Part::Decoder], &losses.decoder),
            (&[Part::Likelihood], &likelihood),
            (&[Part::Discriminator], &discriminator),
        ];
        let of_parts = of_parts
            .into_iter()
            .map(|(parts, per_image)| Loss::new(per_image, self.parameters().trained(|part| parts.contains(&part))));
        let differentiated = of_parts.filter(|loss| !loss.parameters.is_empty()).collect();
        Step { terms: self.terms(bound, &losses, true), losses: differentiated, buffers }
    }

    fn evaluate(&self, x: &Tensor, at: &StepContext) -> Terms {
        self.evaluate_from(x, x, at)
    }

    fn generator(&self) -> &dyn Generator {
        self.vae.generator()
    }

    fn encoder(&self) -> Option<&dyn Encode> {
        Some(self)
    }

    fn density(&self) -> Option<&dyn Density> {
        self.vae.density()
    }
}

impl Encode for VaeGan {
    fn posterior(&self, x: &Tensor) -> Posterior {
        self.vae.posterior(x)
    }

    fn draw(&self, q: &Posterior, at: &StepContext) -> Tensor {
        self.vae.draw(q, at)
    }

    fn corrupt(&self, x: &Tensor, at: &StepContext) -> Option<Tensor> {
        self.vae.corrupt(x, at)
    }

    fn evaluate_from(&self, input: &Tensor, x: &Tensor, at: &StepContext) -> Terms {
        let (bound, _) = self.vae.bound(x, input, at, false);
        let losses = self.losses(x, &bound, &self.discriminator.critic(), at);
        self.terms(bound, &losses, false)
    }
}
