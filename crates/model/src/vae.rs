//! Autoencoders for a cohort of replicas: variational ones (Kingma & Welling 2014) and the deterministic one.

use spec::{Cell, Corruption, ImageShape, ImportanceGradient, Latent, ModelKind, Objective, ObjectiveKind, TooDeep};
use tch::{Device, Kind, Tensor};

use crate::corruption::corrupt;
use crate::family::{Family, Loss, Moment, Step, Terms, total};
use crate::latent::{Bits, DiagonalGaussian, Posterior};
use crate::layers::{Linear, Network};
use crate::nets::{decoder, trunk};
use crate::noise::{Drawer, Stream, normals, uniforms};
use crate::objective;
use crate::observation::Observation;
use crate::parameters::{Parameters, Width};
use crate::prior::{Components, Prior};

/// Encoder, heads, prior and decoder of every replica of a cohort.
#[derive(Debug)]
pub struct Vae {
    parameters: Parameters,
    encoder: Network,
    heads: Heads,
    decoder: Network,
    observation: Observation,
    prior: Prior,
    /// 1 where a latent dimension is a replica's own, 0 where it is padding; `[R, 1, D]`.
    mask: Tensor,
    latent: Latent,
    objective: Objective,
    corruption: Corruption,
}

/// What turns the encoder's features into q(z|x).
#[derive(Debug)]
enum Heads {
    Gaussian { mean: Linear, log_variance: Linear },
    Bits { logits: Linear },
    Point { latent: Linear },
}

/// z, and what the bound needs of it, for `n` samples an image; `B'` is n·B, all images of the first sample first.
struct Draw {
    /// `[R, B', D]`
    z: Tensor,
    /// log q(z|x), `[R, B']`; only where the KL has no closed form or is not wanted in it.
    log_q: Option<Tensor>,
}

/// Images through encoder and decoder.
#[derive(Debug)]
pub(crate) struct Pass {
    /// What they say.
    pub terms: Terms,
    /// The decoder's, `[R, B', …]`.
    pub output: Tensor,
    /// log p(x|z) + β·(log p(z) − log q(z|x)) of every sample, `[R, n, B]`, where it is asked for.
    log_weights: Option<Tensor>,
}

impl Vae {
    /// A freshly initialised cohort. The cells may differ in latent width, seed and likelihood scale; whatever else
    /// shapes the tensors is taken from the first.
    ///
    /// `None` without a cell. Errors when the convolutions are more than the image allows.
    pub fn new(cells: &[&Cell], image: ImageShape, device: Device) -> Result<Option<Vae>, TooDeep> {
        let Some(first) = cells.first() else { return Ok(None) };
        let model = &first.model;
        let replicas: Vec<_> =
            cells.iter().map(|cell| Drawer { seed: cell.training.seed, width: cell.model.latent_dim }).collect();
        let mut parameters = Parameters::new(replicas, model.init, device);

        let features = trunk(&mut parameters, "encoder", model, image)?;
        let mut head = |name: &str| parameters.linear(name, features.width, Width::Latent);
        let heads = match (model.kind, model.latent) {
            (ModelKind::Autoencoder, _) => Heads::Point { latent: head("latent") },
            (_, Latent::Bernoulli { .. }) => Heads::Bits { logits: head("logits") },
            (_, Latent::Gaussian) => Heads::Gaussian { mean: head("mean"), log_variance: head("log_variance") },
        };
        let decoder = decoder(&mut parameters, "decoder", model, image)?;
        let observation = Observation::new(&mut parameters, cells, model.likelihood, device);
        let prior = Prior::new(&mut parameters, model.prior, image.n_pixels());

        let own: Vec<f32> = cells
            .iter()
            .flat_map(|cell| (0..parameters.padded_width()).map(|d| f32::from(d < cell.model.latent_dim)))
            .collect();
        let mask = Tensor::from_slice(&own).view([cells.len() as i64, 1, -1]).to_device(device);
        Ok(Some(Vae {
            parameters,
            encoder: features.network,
            heads,
            decoder,
            observation,
            prior,
            mask,
            latent: model.latent,
            objective: first.objective,
            corruption: model.corruption,
        }))
    }

    fn gaussian(&self, x: &Tensor, mean: &Linear, log_variance: &Linear) -> DiagonalGaussian {
        let h = self.encoder.forward(x);
        DiagonalGaussian { mean: mean.forward(&h) * &self.mask, log_variance: log_variance.forward(&h) * &self.mask }
    }

    fn posterior(&self, x: &Tensor) -> Posterior {
        match &self.heads {
            Heads::Gaussian { mean, log_variance } => Posterior::Gaussian(self.gaussian(x, mean, log_variance)),
            Heads::Bits { logits } => {
                Posterior::Bits(Bits { logits: logits.forward(&self.encoder.forward(x)) * &self.mask })
            }
            Heads::Point { latent } => Posterior::Point(latent.forward(&self.encoder.forward(x)) * &self.mask),
        }
    }

    /// The components of a prior that is a mixture.
    fn components(&self) -> Option<Components> {
        let Heads::Gaussian { mean, log_variance } = &self.heads else { return None };
        self.prior.components(|x| self.gaussian(x, mean, log_variance))
    }

    /// ε for z, `[R, n, D]`: standard normal for Gaussian latents, uniform in 0…1 for bits.
    fn noise(&self, n: usize, at: &Moment) -> Tensor {
        if let Some(noise) = &at.noise {
            return noise.shallow_clone();
        }
        let (replicas, padded) = (self.parameters.replicas(), self.parameters.padded_width());
        let draw = if matches!(self.heads, Heads::Bits { .. }) { uniforms } else { normals };
        draw(replicas, n, padded, at.stream, at.epoch, at.step, self.parameters.device())
    }

    /// `n` samples of z an image from `noise` of shape `[R, n·B, D]`; `temperature` relaxes bits, which are hard without.
    fn draw(&self, q: &Posterior, n: usize, noise: &Tensor, temperature: Option<f64>, wants_density: bool) -> Draw {
        match q {
            Posterior::Gaussian(q) => {
                let q = DiagonalGaussian { mean: tiled(&q.mean, n), log_variance: tiled(&q.log_variance, n) };
                let z = q.sample(noise) * &self.mask;
                let log_q = wants_density.then(|| self.sum(&q.log_density_per_dim(&z)));
                Draw { z, log_q }
            }
            Posterior::Bits(q) => {
                let q = Bits { logits: tiled(&q.logits, n) };
                let z = match temperature {
                    Some(temperature) => q.relaxed(noise, &Tensor::from(temperature as f32)),
                    None => q.hard(noise),
                };
                let z = z * &self.mask;
                let log_q = wants_density.then(|| self.sum(&q.log_probability_per_dim(&z)));
                Draw { z, log_q }
            }
            Posterior::Point(z) => Draw { z: tiled(z, n), log_q: None },
        }
    }

    /// The sum over a replica's own latent dimensions.
    fn sum(&self, per_dim: &Tensor) -> Tensor {
        (per_dim * &self.mask).sum_dim_intlist(-1, false, Kind::Float)
    }

    /// log p(z) for `z` of shape `[R, N, D]`, in nats; `[R, N]`.
    fn log_prior(&self, z: &Tensor) -> Tensor {
        match (&self.heads, self.components()) {
            (_, Some(components)) => components.log_density(z, &self.mask),
            // Fair bits.
            (Heads::Bits { .. }, None) => self.sum(&z.full_like(-std::f64::consts::LN_2)),
            (_, None) => {
                let standard = DiagonalGaussian { mean: z.zeros_like(), log_variance: z.zeros_like() };
                self.sum(&standard.log_density_per_dim(z))
            }
        }
    }

    /// KL(q(z|x) ‖ p(z)) per dimension where it has a closed form.
    fn kl_per_dim(&self, q: &Posterior) -> Option<Tensor> {
        match (q, &self.prior) {
            (Posterior::Gaussian(q), Prior::Standard) => Some(q.kl_per_dim() * &self.mask),
            (Posterior::Bits(q), _) => Some(q.kl_per_dim() * &self.mask),
            _ => None,
        }
    }

    /// To add those of a network that is trained beside.
    pub(crate) fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// E[x|z] from the decoder's output, `[R, B, P]`.
    pub(crate) fn mean_of(&self, output: &Tensor) -> Tensor {
        self.observation.mean(output)
    }

    /// The terms for `x` seen by the encoder as `input`, with the noise at `at`.
    fn terms(&self, x: &Tensor, input: &Tensor, at: &Moment, is_training: bool) -> Terms {
        self.pass(x, input, at, is_training).terms
    }

    /// `x` seen by the encoder as `input`, with the noise at `at`.
    pub(crate) fn pass(&self, x: &Tensor, input: &Tensor, at: &Moment, is_training: bool) -> Pass {
        let n = if is_training { objective::n_samples(&self.objective) } else { 1 };
        let n_images = x.size()[1] as usize;
        let q = self.posterior(input);
        let kl_per_dim = self.kl_per_dim(&q);
        let is_point = matches!(q, Posterior::Point(_));
        let noise = if is_point { x.zeros_like() } else { self.noise(n * n_images, at) };
        let is_doubly = is_training && self.is_doubly_reparametrised();
        let wants_density = !is_point && !is_doubly && (n > 1 || kl_per_dim.is_none());
        let Draw { z, mut log_q } = self.draw(&q, n, &noise, is_training.then(|| self.temperature(at)), wants_density);
        if let (Posterior::Gaussian(q), true) = (&q, is_doubly) {
            let (mean, log_variance) = (tiled(&q.mean.detach(), n), tiled(&q.log_variance.detach(), n));
            log_q = Some(self.sum(&DiagonalGaussian { mean, log_variance }.log_density_per_dim(&z)));
        }
        let output = self.decoder.forward(&z);
        let target = tiled(x, n);
        let reconstruction = match is_training {
            true => self.observation.train(&output, &target),
            false => self.observation.negative_log_likelihood(&output, &target),
        };
        if is_point {
            let objective = reconstruction.shallow_clone();
            let latent_mean = Some(q.mean());
            let reconstruction = Some(reconstruction);
            let terms =
                Terms { reconstruction, kl: None, kl_per_dim: None, latent_mean, objective, discriminator: None };
            return Pass { terms, output, log_weights: None };
        }
        let beta = Moment::column(&at.betas, &self.parameters);
        // log q(z|x) − log p(z) for every sample, an estimate of the KL.
        let log_ratio = log_q.map(|log_q| log_q - self.log_prior(&z));
        let kl = match (&kl_per_dim, &log_ratio) {
            (Some(per_dim), _) => per_dim.sum_dim_intlist(-1, false, Kind::Float),
            (None, Some(log_ratio)) => mean_of_samples(log_ratio, n),
            (None, None) => reconstruction.zeros_like(),
        };
        let log_weights = log_ratio
            .filter(|_| n > 1 || is_doubly)
            .map(|log_ratio| (-&reconstruction - &beta * log_ratio).view([x.size()[0], n as i64, -1]));
        let objective = match &log_weights {
            Some(log_weights) => -(log_weights.logsumexp(1, false) - (n as f64).ln()),
            None => self.objective(&reconstruction, &kl, kl_per_dim.as_ref(), &q, &z, &beta, at),
        };
        let reconstruction = mean_of_samples(&reconstruction, n);
        let terms = Terms {
            reconstruction: Some(reconstruction),
            kl: Some(kl),
            kl_per_dim,
            latent_mean: Some(q.mean()),
            objective,
            discriminator: None,
        };
        Pass { terms, output, log_weights }
    }

    /// What is minimised, per image; `[R, B]`.
    #[expect(clippy::too_many_arguments, reason = "an objective is made of all parts of the bound")]
    fn objective(
        &self,
        reconstruction: &Tensor,
        kl: &Tensor,
        kl_per_dim: Option<&Tensor>,
        q: &Posterior,
        z: &Tensor,
        beta: &Tensor,
        at: &Moment,
    ) -> Tensor {
        match (self.objective.kind, kl_per_dim, q) {
            (ObjectiveKind::FreeBits { nats }, Some(per_dim), _) => {
                objective::free_bits(reconstruction, per_dim, &self.mask, beta, nats)
            }
            (ObjectiveKind::Capacity { nats, rise_epochs }, ..) => {
                let capacity = objective::capacity(nats, rise_epochs, at.progress);
                reconstruction + beta * (kl - capacity).abs()
            }
            (ObjectiveKind::TotalCorrelation, _, Posterior::Gaussian(q)) => {
                reconstruction + objective::total_correlation(q, z, &self.mask, beta, at.n_train)
            }
            (ObjectiveKind::Mmd { weight }, ..) => {
                let prior = self.sample_prior_at(z.size()[1] as usize, Stream::PriorTrain, at);
                let widths = self.mask.sum_dim_intlist(-1, true, Kind::Float);
                reconstruction + beta * kl + objective::mmd(z, &prior, &widths) * weight
            }
            _ => reconstruction + beta * kl,
        }
    }

    fn sample_prior_at(&self, n: usize, stream: Stream, at: &Moment) -> Tensor {
        let (replicas, padded) = (self.parameters.replicas(), self.parameters.padded_width());
        normals(replicas, n, padded, stream, at.epoch, at.step, self.parameters.device())
    }

    /// The relaxation's temperature: from the first to the last exponentially in the epochs.
    fn temperature(&self, at: &Moment) -> f64 {
        match self.latent {
            Latent::Gaussian => 1.0,
            Latent::Bernoulli { temperature, anneal_epochs: 0, .. } => temperature,
            Latent::Bernoulli { temperature, final_temperature, anneal_epochs } => {
                let share = (at.progress / anneal_epochs as f64).min(1.0);
                temperature * (final_temperature / temperature).powf(share)
            }
        }
    }

    /// The losses whose gradients are doubly reparametrised (Tucker et al. 2019, eq. 8), from log weights in which
    /// log q(z|x) has constant parameters: in the encoder's the normalised weights are squared.
    fn doubly_reparametrised(&self, log_weights: &Tensor) -> Vec<Loss> {
        let share = log_weights.detach().softmax(1, Kind::Float);
        let of_encoder = |name: &str| ["encoder.", "mean.", "log_variance."].iter().any(|part| name.starts_with(part));
        let weighted = |weight: &Tensor| -total(&(weight * log_weights).sum_dim_intlist(1, false, Kind::Float));
        vec![
            Loss { value: weighted(&share.square()), parameters: self.parameters.trained(of_encoder) },
            Loss { value: weighted(&share), parameters: self.parameters.trained(|name| !of_encoder(name)) },
        ]
    }

    fn is_doubly_reparametrised(&self) -> bool {
        let gradient = ImportanceGradient::DoublyReparametrised;
        matches!(self.objective.kind, ObjectiveKind::ImportanceWeighted { gradient: asked, .. } if asked == gradient)
    }
}

/// `n` copies of `[R, B, …]` behind each other: `[R, n·B, …]`.
fn tiled(x: &Tensor, n: usize) -> Tensor {
    if n == 1 { x.shallow_clone() } else { x.repeat([1, n as i64, 1]) }
}

/// The mean over samples of values `[R, n·B]`; `[R, B]`.
fn mean_of_samples(values: &Tensor, n: usize) -> Tensor {
    if n == 1 {
        return values.shallow_clone();
    }
    values.view([values.size()[0], n as i64, -1]).mean_dim(1, false, Kind::Float)
}

impl Family for Vae {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn train(&self, x: &Tensor, at: &Moment) -> Step {
        let corrupted = self.corrupt(x, at);
        let input = corrupted.as_ref().unwrap_or(x);
        let Pass { terms, log_weights, .. } = self.pass(x, input, at, true);
        let losses = match log_weights.filter(|_| self.is_doubly_reparametrised()) {
            Some(log_weights) => self.doubly_reparametrised(&log_weights),
            None => {
                let everything = self.parameters.trained(|_| true);
                vec![Loss { value: total(&terms.objective), parameters: everything }]
            }
        };
        Step { terms, losses }
    }

    fn evaluate(&self, x: &Tensor, at: &Moment) -> Terms {
        self.terms(x, x, at, false)
    }

    fn evaluate_corrupted(&self, x: &Tensor, at: &Moment) -> Option<Terms> {
        self.corrupt(x, at).map(|input| self.terms(x, &input, at, false))
    }

    fn encode(&self, x: &Tensor) -> Option<Posterior> {
        Some(self.posterior(x))
    }

    fn sample_latent(&self, posterior: &Posterior, at: &Moment) -> Tensor {
        let n_images = posterior.mean().size()[1] as usize;
        self.draw(posterior, 1, &self.noise(n_images, at), None, false).z
    }

    fn decode_mean(&self, z: &Tensor) -> Tensor {
        self.observation.mean(&self.decoder.forward(z))
    }

    fn decode_sample(&self, z: &Tensor, step: u64) -> Option<Tensor> {
        let output = self.decoder.forward(z);
        let mean = self.observation.mean(&output);
        let (n, n_pixels) = (mean.size()[1] as usize, mean.size()[2] as usize);
        let drawers: Vec<_> =
            self.parameters.replicas().iter().map(|replica| Drawer { width: n_pixels, ..*replica }).collect();
        let uniform = uniforms(&drawers, n, n_pixels, Stream::Decoder, 0, step, self.parameters.device());
        Some(self.observation.sample(&output, &uniform))
    }

    fn sample_prior(&self, n: usize, stream: Stream, step: u64) -> Tensor {
        let (replicas, padded, device) =
            (self.parameters.replicas(), self.parameters.padded_width(), self.parameters.device());
        match (&self.heads, self.components()) {
            (_, Some(components)) => components.sample(&self.parameters, n, stream, step),
            (Heads::Bits { .. }, None) => {
                uniforms(replicas, n, padded, stream, 0, step, device).gt(0.5).to_kind(Kind::Float)
            }
            (_, None) => normals(replicas, n, padded, stream, 0, step, device),
        }
    }

    fn corrupt(&self, x: &Tensor, at: &Moment) -> Option<Tensor> {
        let seeds: Vec<u64> = self.parameters.replicas().iter().map(|replica| replica.seed).collect();
        corrupt(self.corruption, x, &seeds, Stream::Corruption, at.epoch, at.step)
    }

    fn log_weights(&self, x: &Tensor, n_samples: usize, at: &Moment) -> Option<Tensor> {
        let q = self.posterior(x);
        let noise = self.noise(n_samples * x.size()[1] as usize, at);
        let Draw { z, log_q } = self.draw(&q, n_samples, &noise, None, true);
        let log_likelihood = -self.observation.negative_log_likelihood(&self.decoder.forward(&z), &tiled(x, n_samples));
        Some((log_likelihood + self.log_prior(&z) - log_q?).view([x.size()[0], n_samples as i64, -1]))
    }
}
