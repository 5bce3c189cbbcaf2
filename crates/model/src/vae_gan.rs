//! VAEs whose decoder also has to convince a discriminator (Larsen et al. 2016, "Autoencoding beyond pixels using a
//! learned similarity metric").

use spec::{Cell, ImageShape, ModelKind, TooDeep};
use tch::{Device, Kind, Tensor};

use crate::discriminator::{Discriminator, is_of_discriminator};
use crate::family::{Family, Loss, Moment, Step, Terms, total};
use crate::latent::Posterior;
use crate::noise::{Stream, key};
use crate::parameters::Parameters;
use crate::vae::Vae;

/// A VAE and a discriminator for every replica of a cohort.
///
/// Reconstructions are judged by the discriminator's last hidden features, and so are trained the encoder and the
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
    /// Of the discriminator's gradient at `x`.
    penalty: Option<Tensor>,
    /// −log p(x|z).
    likelihood: Option<Tensor>,
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

    /// The terms and losses for `x` seen by the encoder as `input`, with the noise at `at`.
    fn losses(&self, x: &Tensor, input: &Tensor, at: &Moment, is_training: bool) -> (Terms, Losses) {
        let pass = self.vae.pass(x, input, at, is_training);
        let prior = tch::no_grad(|| {
            let step = key(0, Stream::PriorTrain, at.epoch, at.step);
            self.vae.sample_prior(x.size()[1] as usize, Stream::PriorTrain, step)
        });
        let judge = self.discriminator.judge(is_training);
        let data = judge.of(x);
        let reconstructed = judge.of(&self.vae.mean_of(&pass.output));
        let sampled = judge.of(&self.vae.decode_mean(&prior));

        // −log N(D_l(x) | D_l(x̃), I) without its constant (eq. 7).
        let features =
            (&data.features - &reconstructed.features).square().sum_dim_intlist(-1, false, Kind::Float) * 0.5;
        let beta = Moment::column(&at.betas, self.vae.parameters());
        let weighted_kl = pass.terms.kl.as_ref().map_or_else(|| features.zeros_like(), |kl| beta * kl);
        let losses = Losses {
            encoder: weighted_kl + &features,
            decoder: &features * self.weight + reconstructed.as_data() + sampled.as_data(),
            discriminator: data.as_data() + reconstructed.as_made() + sampled.as_made(),
            penalty: if is_training { self.discriminator.penalty(&judge, x) } else { None },
            likelihood: pass.terms.reconstruction.as_ref().map(Tensor::shallow_clone),
        };
        let objective = &losses.encoder + &losses.decoder;
        let discriminator = Some(losses.discriminator.shallow_clone());
        (Terms { objective, discriminator, ..pass.terms }, losses)
    }
}

/// Whose a parameter is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Encoder,
    Decoder,
    Likelihood,
    Discriminator,
}

impl Part {
    /// The prior is the encoder's: both are in the KL alone.
    fn of(name: &str) -> Part {
        match name {
            _ if is_of_discriminator(name) => Part::Discriminator,
            _ if name.starts_with("decoder.") => Part::Decoder,
            _ if name.starts_with("likelihood.") => Part::Likelihood,
            _ => Part::Encoder,
        }
    }
}

impl Family for VaeGan {
    fn parameters(&self) -> &Parameters {
        self.vae.parameters()
    }

    /// The objective is the sum of the encoder's and the decoder's loss; the discriminator's is without the penalty of
    /// its gradient, which is added to what is differentiated.
    fn train(&self, x: &Tensor, at: &Moment) -> Step {
        let corrupted = self.corrupt(x, at);
        let (terms, losses) = self.losses(x, corrupted.as_ref().unwrap_or(x), at, true);
        let discriminator = match &losses.penalty {
            Some(penalty) => &losses.discriminator + penalty,
            None => losses.discriminator.shallow_clone(),
        };
        // All are differentiated through the same pass, each by its own parameters alone.
        let of_parts = [
            (Part::Encoder, Some(losses.encoder)),
            (Part::Decoder, Some(losses.decoder)),
            (Part::Likelihood, losses.likelihood),
            (Part::Discriminator, Some(discriminator)),
        ];
        let losses = of_parts
            .into_iter()
            .filter_map(|(part, per_image)| {
                let parameters = self.parameters().trained(|name| Part::of(name) == part);
                let value = total(&per_image?);
                (!parameters.is_empty()).then_some(Loss { value, parameters })
            })
            .collect();
        Step { terms, losses }
    }

    fn evaluate(&self, x: &Tensor, at: &Moment) -> Terms {
        self.losses(x, x, at, false).0
    }

    fn evaluate_corrupted(&self, x: &Tensor, at: &Moment) -> Option<Terms> {
        self.corrupt(x, at).map(|input| self.losses(x, &input, at, false).0)
    }

    fn encode(&self, x: &Tensor) -> Option<Posterior> {
        self.vae.encode(x)
    }

    fn sample_latent(&self, posterior: &Posterior, at: &Moment) -> Tensor {
        self.vae.sample_latent(posterior, at)
    }

    fn decode_mean(&self, z: &Tensor) -> Tensor {
        self.vae.decode_mean(z)
    }

    fn decode_sample(&self, z: &Tensor, step: u64) -> Option<Tensor> {
        self.vae.decode_sample(z, step)
    }

    fn sample_prior(&self, n: usize, stream: Stream, step: u64) -> Tensor {
        self.vae.sample_prior(n, stream, step)
    }

    fn corrupt(&self, x: &Tensor, at: &Moment) -> Option<Tensor> {
        self.vae.corrupt(x, at)
    }

    fn log_weights(&self, x: &Tensor, n_samples: usize, at: &Moment) -> Option<Tensor> {
        self.vae.log_weights(x, n_samples, at)
    }
}
