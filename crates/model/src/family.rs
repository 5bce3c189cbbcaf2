//! What training sees of a family of models: parameters, terms of a batch, losses, and what else the family can do.

use std::fmt::Debug;

use spec::Metric;
use tch::{Kind, Tensor};

use crate::noise::{NoiseKey, Stream};
use crate::parameters::{BufferUpdate, Parameters};
use crate::posterior::Posterior;

/// Where training or evaluation is: what noise and schedules are functions of.
#[derive(Debug)]
pub struct StepContext {
    /// What the noise of z is drawn for.
    pub key: NoiseKey,
    /// Epochs of training behind this step, with the fraction of the one at hand.
    pub progress: f64,
    /// β of each replica.
    pub betas: Vec<f64>,
    /// Training images.
    pub n_train: usize,
    /// ε of z to use in place of one that is drawn, `[R, n·B, D]`.
    pub noise: Option<Tensor>,
}

impl StepContext {
    /// The same, at another step.
    pub fn at_step(&self, step: u64) -> StepContext {
        self.with(NoiseKey { step, ..self.key })
    }

    /// The same, with other noise where none is given.
    pub(crate) fn with(&self, key: NoiseKey) -> StepContext {
        let noise = self.noise.as_ref().map(Tensor::shallow_clone);
        StepContext { key, betas: self.betas.clone(), noise, ..*self }
    }

    /// The noise of another stream at this step.
    pub fn noise_of(&self, stream: Stream) -> NoiseKey {
        NoiseKey { stream, ..self.key }
    }

    /// β of each replica where the model's tensors are; `[R, 1]`.
    pub(crate) fn beta(&self, parameters: &Parameters) -> Tensor {
        Tensor::from_slice(&self.betas).to_kind(Kind::Float).view([-1, 1]).to_device(parameters.device())
    }
}

/// What a batch says about a model, in nats per image; a term that the family does not have is `None`.
#[derive(Debug)]
pub struct Terms {
    /// −log p(x|z); shape `[R, B]`. `None` while training with bits, where z is relaxed.
    pub reconstruction: Option<Tensor>,
    /// KL(q(z|x) ‖ p(z)), or an estimate of it; shape `[R, B]`.
    pub kl: Option<Tensor>,
    /// The KL of each latent dimension, zero in the padding, where it is a sum over them; shape `[R, B, D]`.
    pub kl_per_dim: Option<Tensor>,
    /// E[z|x], whose variance over images tells the active units; shape `[R, B, D]`. `None` while training, where each
    /// batch sees other weights, and for a code, which is no distribution.
    pub latent_mean: Option<Tensor>,
    /// What is minimised, its mean over images; shape `[R, B]`. Terms of the whole batch are shared evenly.
    pub objective: Tensor,
    /// Loss of the discriminator; shape `[R, B]`.
    pub discriminator: Option<Tensor>,
    /// Standard deviation of q(z|x), a mean over latent dimensions; shape `[R, B]`.
    pub posterior_sigma: Option<Tensor>,
    /// The importance-weighted bound on log p(x) with all samples of the objective and without β; shape `[R, B]`. `None`
    /// where the objective has one sample.
    pub importance_bound: Option<Tensor>,
}

impl Terms {
    /// An objective, and nothing else.
    pub fn of_objective(objective: Tensor) -> Terms {
        Terms {
            reconstruction: None,
            kl: None,
            kl_per_dim: None,
            latent_mean: None,
            objective,
            discriminator: None,
            posterior_sigma: None,
            importance_bound: None,
        }
    }

    /// Every term with one value an image, `[R, B]`, by what it measures: what is summed up over a split and recorded.
    ///
    /// The ELBO, −(reconstruction + kl), is among them where there are both.
    pub fn scalars(&self) -> Vec<(Metric, Tensor)> {
        let Terms {
            reconstruction,
            kl,
            objective,
            discriminator,
            posterior_sigma,
            importance_bound,
            kl_per_dim: _,
            latent_mean: _,
        } = self;
        let own = [
            (Metric::Reconstruction, reconstruction.as_ref()),
            (Metric::Kl, kl.as_ref()),
            (Metric::Objective, Some(objective)),
            (Metric::Discriminator, discriminator.as_ref()),
            (Metric::PosteriorSigma, posterior_sigma.as_ref()),
            (Metric::ImportanceBound, importance_bound.as_ref()),
        ];
        let elbo = reconstruction.as_ref().zip(kl.as_ref()).map(|(reconstruction, kl)| -(reconstruction + kl));
        let own = own.into_iter().filter_map(|(metric, term)| Some((metric, term?.shallow_clone())));
        own.chain(elbo.map(|elbo| (Metric::Elbo, elbo))).collect()
    }
}

/// A loss and the parameters that are to reduce it.
#[derive(Debug)]
pub struct Loss {
    /// Without axes; a sum over replicas, whose derivatives are independent of each other.
    pub value: Tensor,
    /// Indices in the order of the model's parameters.
    pub parameters: Vec<usize>,
}

impl Loss {
    /// The mean over images of values `[R, B]`, summed over replicas.
    pub fn new(per_image: &Tensor, parameters: Vec<usize>) -> Loss {
        Loss { value: per_image.mean_dim(-1, false, Kind::Float).sum(Kind::Float), parameters }
    }
}

/// A training step before its update.
#[derive(Debug)]
pub struct Step {
    /// What the batch says.
    pub terms: Terms,
    /// Together they train every trained parameter, each of them once.
    pub losses: Vec<Loss>,
    /// What else the step changes.
    pub buffers: Vec<BufferUpdate>,
}

impl Step {
    /// The gradient of every parameter, in the order of `parameters`; zero for what is not trained.
    pub fn gradients(&self, parameters: &Parameters) -> Vec<Tensor> {
        let all: Vec<&Tensor> = parameters.iter().map(|parameter| &parameter.tensor).collect();
        let mut gradients: Vec<Option<Tensor>> = all.iter().map(|_| None).collect();
        for (i, loss) in self.losses.iter().enumerate() {
            let wanted: Vec<&Tensor> = loss.parameters.iter().map(|&index| all[index]).collect();
            let found = Tensor::run_backward(&[&loss.value], &wanted, i + 1 < self.losses.len(), false);
            for (&index, gradient) in loss.parameters.iter().zip(found) {
                gradients[index] = Some(gradient);
            }
        }
        gradients.into_iter().zip(all).map(|(found, own)| found.unwrap_or_else(|| own.zeros_like())).collect()
    }
}

/// A model of a cohort of replicas that is trained by gradients.
pub trait Family: Debug {
    /// All parameters by name.
    fn parameters(&self) -> &Parameters;

    /// The same, to set buffers.
    fn parameters_mut(&mut self) -> &mut Parameters;

    /// A training step on images `x`, `[R, B, P]` in 0…1.
    fn train(&self, x: &Tensor, at: &StepContext) -> Step;

    /// The terms of images `x`, `[R, B, P]`, as they are reported for a split: as many samples of z
    /// an image as training has; no corruption, hard bits.
    fn evaluate(&self, x: &Tensor, at: &StepContext) -> Terms;

    /// From latents to images.
    fn generator(&self) -> &dyn Generator;

    /// From images to latents, for a family that can.
    fn encoder(&self) -> Option<&dyn Encode> {
        None
    }

    /// The bound on log p(x), for a family that has one.
    fn density(&self) -> Option<&dyn Density> {
        None
    }
}

/// From latents to images.
pub trait Generator {
    /// `n` draws of z from the prior; `[R, n, D]`. For an autoencoder, which has none, from N(0, I) all the same.
    fn sample_prior(&self, n: usize, key: NoiseKey) -> Tensor;

    /// E[x|z] for `z` `[R, B, D]`, or what the generator makes of it; `[R, B, P]`.
    fn mean(&self, z: &Tensor) -> Tensor;

    /// A draw of x given `z` `[R, B, D]`; `[R, B, P]`. `None` for a generator that is no distribution given z.
    fn sample(&self, _z: &Tensor, _step: u64) -> Option<Tensor> {
        None
    }
}

/// From images to latents.
pub trait Encode {
    /// What the encoder says about `x`, `[R, B, P]`.
    fn posterior(&self, x: &Tensor) -> Posterior;

    /// z drawn from what the encoder says; `[R, B, D]`.
    fn draw(&self, q: &Posterior, at: &StepContext) -> Tensor;

    /// x as the encoder of a denoising model sees it while training; `None` without corruption.
    fn corrupt(&self, x: &Tensor, at: &StepContext) -> Option<Tensor>;

    /// As [`Family::evaluate`], but the encoder sees `input` in the place of `x`; the reconstruction is that of `x`.
    fn evaluate_from(&self, input: &Tensor, x: &Tensor, at: &StepContext) -> Terms;
}

/// A bound on log p(x).
pub trait Density {
    /// Logarithms of `n_samples` importance weights p(x, z)/q(z|x) for images `x`, `[R, B, P]`; the result is
    /// `[R, n_samples, B]`. The noise of the k-th portion of the samples (see [`crate::bounds`]) is that of (stream, epoch, step + k).
    fn log_weights(&self, x: &Tensor, n_samples: usize, at: &StepContext) -> Tensor;

    /// log p(x|z) in nats of every pair of `z`, `[R, n, D]`, and images `x`, `[R, B, P]`; the result is `[R, n, B]`. `None` for a
    /// likelihood whose pairs are no matrix product.
    fn log_likelihood_of_pairs(&self, z: &Tensor, x: &Tensor) -> Option<Tensor>;

    /// The number of bits in z of each replica; `None` where z is no bits.
    fn bits(&self) -> Option<Vec<usize>>;

    /// log p(x, z) in nats of images `x`, `[R, B, P]`, with z whose d-th bit is that of each of `codes`, `[n]`, zero in the padding; the
    /// result is `[R, n, B]`.
    fn log_joint_of_codes(&self, x: &Tensor, codes: &Tensor) -> Tensor;
}
