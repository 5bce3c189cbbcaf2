//! What training sees of a family of models: parameters, terms of a batch, and losses with what each of them trains.

use std::fmt::Debug;

use tch::{Kind, Tensor};

use crate::latent::Posterior;
use crate::noise::Stream;
use crate::parameters::Parameters;

/// Where training or evaluation is: what noise and schedules are functions of.
#[derive(Debug)]
pub struct Moment {
    /// What the noise of z is drawn for.
    pub stream: Stream,
    /// The epoch that noise is drawn for.
    pub epoch: u64,
    /// The step within it.
    pub step: u64,
    /// Epochs of training behind this moment, with the fraction of the one at hand.
    pub progress: f64,
    /// β of each replica.
    pub betas: Vec<f64>,
    /// Training images.
    pub n_train: usize,
    /// ε of z to use in place of one that is drawn, `[R, n·B, D]`.
    pub noise: Option<Tensor>,
}

impl Moment {
    /// The same moment, at another step.
    pub fn at_step(&self, step: u64) -> Moment {
        let noise = self.noise.as_ref().map(Tensor::shallow_clone);
        Moment { step, betas: self.betas.clone(), noise, ..*self }
    }

    /// A value for each replica as a tensor `[R, 1]` where the model's are.
    pub(crate) fn column(values: &[f64], parameters: &Parameters) -> Tensor {
        Tensor::from_slice(values).to_kind(Kind::Float).view([-1, 1]).to_device(parameters.device())
    }
}

/// What a batch says about a model, in nats per image; a term that the family does not have is `None`.
#[derive(Debug)]
pub struct Terms {
    /// −log p(x|z); shape `[R, B]`.
    pub reconstruction: Option<Tensor>,
    /// KL(q(z|x) ‖ p(z)), or an estimate of it; shape `[R, B]`.
    pub kl: Option<Tensor>,
    /// The KL of each latent dimension, zero in the padding, where it is a sum over them; shape `[R, B, D]`.
    pub kl_per_dim: Option<Tensor>,
    /// E[z|x], whose variance over images tells the active units; shape `[R, B, D]`.
    pub latent_mean: Option<Tensor>,
    /// What is minimised, its mean over images; shape `[R, B]`. Terms of the whole batch are shared evenly.
    pub objective: Tensor,
    /// Loss of the discriminator; shape `[R, B]`.
    pub discriminator: Option<Tensor>,
}

/// A loss and the parameters that are to reduce it.
#[derive(Debug)]
pub struct Loss {
    /// Without axes; a sum over replicas, whose derivatives are independent of each other.
    pub value: Tensor,
    /// Places in the order of the model's parameters.
    pub parameters: Vec<usize>,
}

/// A training step before its update.
#[derive(Debug)]
pub struct Step {
    /// What the batch says.
    pub terms: Terms,
    /// Together they train every trained parameter, each of them once.
    pub losses: Vec<Loss>,
}

/// The mean over images of values `[R, B]`, summed over replicas.
pub fn total(per_image: &Tensor) -> Tensor {
    per_image.mean_dim(-1, false, Kind::Float).sum(Kind::Float)
}

impl Step {
    /// The gradient of every parameter, in the order of `parameters`; zero for what is not trained.
    pub fn gradients(&self, parameters: &Parameters) -> Vec<Tensor> {
        let all: Vec<&Tensor> = parameters.iter().map(|parameter| &parameter.tensor).collect();
        let mut gradients: Vec<Option<Tensor>> = all.iter().map(|_| None).collect();
        for (i, loss) in self.losses.iter().enumerate() {
            let wanted: Vec<&Tensor> = loss.parameters.iter().map(|&place| all[place]).collect();
            let found = Tensor::run_backward(&[&loss.value], &wanted, i + 1 < self.losses.len(), false);
            for (&place, gradient) in loss.parameters.iter().zip(found) {
                gradients[place] = Some(gradient);
            }
        }
        gradients.into_iter().zip(all).map(|(found, own)| found.unwrap_or_else(|| own.zeros_like())).collect()
    }
}

/// A model of a cohort of replicas that is trained by gradients.
pub trait Family: Debug {
    /// All parameters by name.
    fn parameters(&self) -> &Parameters;

    /// A training step on images `x`, `[R, B, P]` in 0…1.
    fn train(&self, x: &Tensor, at: &Moment) -> Step;

    /// The terms of images `x`, `[R, B, P]`, as they are reported for a split: one sample of z an image, no corruption,
    /// hard bits.
    fn evaluate(&self, x: &Tensor, at: &Moment) -> Terms;

    /// As [`Family::evaluate`], but for the encoder, which sees `x` corrupted as [`Family::corrupt`] does at `at`: the
    /// reconstruction is that of the clean image. `None` without corruption.
    fn evaluate_corrupted(&self, _x: &Tensor, _at: &Moment) -> Option<Terms> {
        None
    }

    /// What the encoder says about `x`, `[R, B, P]`; `None` for a family without one.
    fn encode(&self, x: &Tensor) -> Option<Posterior>;

    /// z drawn from what the encoder says, from the noise of (stream, epoch, step); `[R, B, D]`.
    fn sample_latent(&self, posterior: &Posterior, at: &Moment) -> Tensor;

    /// E[x|z] for `z` `[R, B, D]`, or what the generator makes of it; `[R, B, P]`.
    fn decode_mean(&self, z: &Tensor) -> Tensor;

    /// A draw of x given `z` `[R, B, D]`; `[R, B, P]`. `None` for a family whose decoder is no distribution.
    fn decode_sample(&self, z: &Tensor, step: u64) -> Option<Tensor>;

    /// `n` draws of z from the prior, from (stream, step); `[R, n, D]`.
    fn sample_prior(&self, n: usize, stream: Stream, step: u64) -> Tensor;

    /// x as the encoder of a denoising model sees it, drawn at `at`; `None` without corruption.
    fn corrupt(&self, x: &Tensor, at: &Moment) -> Option<Tensor>;

    /// Logarithms of `n_samples` importance weights p(x, z)/q(z|x) for images `x`, `[R, B, P]`; the result is
    /// `[R, n_samples, B]`. `None` for a family without a bound.
    fn log_weights(&self, x: &Tensor, n_samples: usize, at: &Moment) -> Option<Tensor>;
}
