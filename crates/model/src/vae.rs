//! Autoencoders for a cohort of replicas: variational ones (Kingma & Welling 2014) and the deterministic one.

use spec::{Cell, Corruption, Gradient, ImageShape, Latent, ModelKind, ObjectiveKind, TooDeep};
use tch::{Device, Kind, Tensor};

use crate::bound::Bound;
use crate::bounds;
use crate::corruption::corrupt;
use crate::encoder::Encoder;
use crate::family::{Density, Encode, Family, Generator, Loss, Step, StepContext, Terms};
use crate::kl::kl_per_dim;
use crate::layers::Network;
use crate::likelihood::{self, Likelihood};
use crate::nearby::{self, Nearby};
use crate::nets::decoder;
use crate::noise::{NoiseKey, Replica, Stream, uniforms};
use crate::objective::{self, LogQ, Objective, Surrogates};
use crate::parameters::{BufferUpdate, Parameters, Part};
use crate::posterior::{Posterior, repeated};
use crate::prior::Prior;

/// Encoder, prior and decoder of every replica of a cohort.
#[derive(Debug)]
pub struct Vae {
    parameters: Parameters,
    encoder: Encoder,
    decoder: Network,
    likelihood: Box<dyn Likelihood>,
    prior: Prior,
    kind: ModelKind,
    latent: Latent,
    objective: spec::Objective,
    corruption: Corruption,
    latent_noise: f64,
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
            cells.iter().map(|cell| Replica { seed: cell.training.seed, width: cell.model.latent_dim }).collect();
        let mut parameters = Parameters::new(replicas, model.init, device);
        let encoder = Encoder::new(&mut parameters, model, image)?;
        let decoder = decoder(&mut parameters.of(Part::Decoder), "decoder", model, image)?;
        let likelihood = likelihood::new(&mut parameters, cells, model.likelihood, image);
        let prior = Prior::new(&mut parameters, model, image.n_pixels());
        Ok(Some(Vae {
            parameters,
            encoder,
            decoder,
            likelihood,
            prior,
            kind: model.kind,
            latent: model.latent,
            objective: first.objective,
            corruption: model.corruption,
            latent_noise: model.latent_noise,
        }))
    }

    /// The parts of the bound for `x` seen by the encoder as `input`, and what the pass changes while training.
    pub(crate) fn bound(
        &self,
        x: &Tensor,
        input: &Tensor,
        at: &StepContext,
        is_training: bool,
    ) -> (Bound, Vec<BufferUpdate>) {
        // The held-out bound of importance samples is computed in portions, beside one draw.
        let n = match self.objective.kind {
            ObjectiveKind::ImportanceWeighted { .. } if !is_training => 1,
            _ => self.objective.n_samples(),
        };
        let q = self.encoder.posterior(input);
        let kl_per_dim = kl_per_dim(&q, &self.prior).map(|kl| self.encoder.mask.apply(&kl));

        let of_draws = q.repeated(n);
        let z = self.draws(&of_draws, at, is_training.then(|| temperature(self.latent, at.progress)));
        let z = match self.objective.gradient {
            Gradient::Reparametrised => z,
            Gradient::Detached | Gradient::ScoreFunction => z.detach(),
        };
        let log_q = match if is_training { objective::log_q(&self.objective) } else { LogQ::WithoutClosedKl } {
            LogQ::WithoutClosedKl if kl_per_dim.is_some() => None,
            LogQ::WithoutClosedKl | LogQ::InWeights => of_draws.log_prob_per_dim(&z),
            LogQ::WithConstantParameters => of_draws.detached().log_prob_per_dim(&z),
        };
        let log_q = log_q.map(|per_dim| self.encoder.mask.sum(&per_dim));

        let output = self.decoder.forward(&z);
        let target = repeated(x, n);
        let (log_likelihood, buffers) = match is_training {
            true => self.likelihood.train(&output, &target),
            false => (self.likelihood.log_prob(&output, &target), Vec::new()),
        };
        let log_prior = log_q.is_some().then(|| self.prior.log_prob(&z, &self.encoder));
        (Bound { q, z, output, log_likelihood, log_prior, log_q, kl_per_dim, n_samples: n }, buffers)
    }

    /// z of a posterior, zero in the padding; while training `temperature` relaxes bits, and a code has noise.
    fn draws(&self, q: &Posterior, at: &StepContext, temperature: Option<f64>) -> Tensor {
        let noise = || {
            if let Some(noise) = &at.noise {
                return noise.shallow_clone();
            }
            match self.latent {
                Latent::Gaussian => self.parameters.normals(q.n_images(), at.key),
                Latent::Bernoulli { .. } => self.parameters.uniforms(q.n_images(), at.key),
            }
        };
        let z = q.draw(noise, temperature);
        match q {
            Posterior::Point(_) if temperature.is_some() && self.latent_noise > 0.0 => {
                self.encoder.mask.apply(&(z + noise() * self.latent_noise))
            }
            Posterior::Point(_) | Posterior::Gaussian(_) | Posterior::Bits(_) => self.encoder.mask.apply(&z),
        }
    }

    fn objective(&self, bound: &Bound, at: &StepContext) -> Objective {
        let prior = |n: usize| self.sample_prior(n, at.noise_of(Stream::PriorTrain));
        let context = objective::Context {
            beta: at.beta(&self.parameters),
            progress: at.progress,
            n_train: at.n_train,
            mask: &self.encoder.mask,
            prior: &prior,
        };
        objective::loss(&self.objective, bound, &context)
    }

    /// log p(x|z) and log p(z) − log q(z|x) of `n_samples` draws of z for each image of `x`, `[R, B, P]`, of hard bits; both
    /// `[R, n_samples, B]`. The noise of the k-th portion of the draws is that of `at(k)`. An autoencoder's q has no density, which is
    /// left out.
    fn log_densities(
        &self,
        q: &Posterior,
        x: &Tensor,
        n_samples: usize,
        at: &dyn Fn(u64) -> StepContext,
    ) -> [Tensor; 2] {
        let (n_replicas, n_images) = (x.size()[0], x.size()[1]);
        let by_draw = |tensor: Tensor| tensor.view([n_replicas, -1, n_images]);
        let portions = bounds::portions(x, n_samples);
        let (mut draws, mut log_ratios) = (Vec::new(), Vec::new());
        for (k, &n) in (0..).zip(&portions) {
            let q = q.repeated(n);
            let z = self.draws(&q, &at(k), None);
            let log_prior = self.prior.log_prob(&z, &self.encoder);
            log_ratios.push(by_draw(match q.log_prob_per_dim(&z) {
                Some(per_dim) => log_prior - self.encoder.mask.sum(&per_dim),
                None => log_prior,
            }));
            draws.push(z);
        }
        let is_many = n_samples >= nearby::FEWEST_DRAWS && self.likelihood.is_bernoulli();
        let nearby = is_many.then(|| Nearby::of(&self.decoder)).flatten();
        let log_likelihood = match nearby {
            Some(nearby) => {
                let z: Vec<Tensor> = draws.iter().map(|z| z.view([n_replicas, -1, n_images, z.size()[2]])).collect();
                nearby.bernoulli_log_prob(&Tensor::cat(&z, 1), x)
            }
            None => {
                let of_portion = |(z, &n): (&Tensor, &usize)| {
                    by_draw(self.likelihood.log_prob(&self.decoder.forward(z), &repeated(x, n)))
                };
                Tensor::cat(&draws.iter().zip(&portions).map(of_portion).collect::<Vec<_>>(), 1)
            }
        };
        [log_likelihood, Tensor::cat(&log_ratios, 1)]
    }

    /// The importance-weighted bounds of images `x` with `n_samples` draws from `q` each: with β as in training, and
    /// without; both `[R, B]`.
    fn importance_bounds(&self, q: &Posterior, x: &Tensor, n_samples: usize, at: &StepContext) -> [Tensor; 2] {
        let beta = at.beta(&self.parameters).unsqueeze(1); // [R, 1, 1]
        let of_portion = |k: u64| {
            let key = NoiseKey::new(Stream::HeldOutBound, at.key.hash(0), k);
            StepContext { noise: None, ..at.with(key) }
        };
        let [log_likelihood, log_ratio] = self.log_densities(q, x, n_samples, &of_portion);
        [&log_likelihood + &beta * &log_ratio, log_likelihood + log_ratio]
            .map(|log_weights| objective::log_mean(&log_weights))
    }

    /// What is reported of a bound of training or of evaluation, beside an objective `[R, B]`; constants to the derivative.
    ///
    /// Of relaxed bits no reconstruction is reported, and so no ELBO: together with the KL of bits it would be no bound.
    pub(crate) fn terms(&self, bound: Bound, objective: Tensor, is_training: bool) -> Terms {
        tch::no_grad(|| {
            let is_weighted = matches!(self.objective.kind, ObjectiveKind::ImportanceWeighted { .. });
            let has_several = bound.n_samples > 1 && is_weighted;
            let log_weights = has_several.then(|| bound.log_weights(&Tensor::from(1f32))).flatten();
            let importance_bound = log_weights.map(|log_weights| objective::log_mean(&log_weights));
            let is_relaxed = is_training && bound.q.is_relaxed_in_training();
            let sigma = bound.q.log_variance().map(|log_variance| (log_variance * 0.5).exp());
            Terms {
                reconstruction: (!is_relaxed).then(|| bound.reconstruction()),
                kl: bound.kl(),
                latent_mean: (!is_training && bound.q.is_distribution()).then(|| bound.q.mean()),
                kl_per_dim: bound.kl_per_dim,
                objective,
                discriminator: None,
                posterior_sigma: sigma.map(|sigma| self.encoder.mask.mean(&sigma)),
                importance_bound,
            }
        })
    }

    /// E[x|z] from the decoder's output, `[R, B, P]`.
    pub(crate) fn mean_of(&self, output: &Tensor) -> Tensor {
        self.likelihood.mean(output)
    }
}

/// The temperature of relaxed bits after so many epochs: from the first to the last exponentially.
fn temperature(latent: Latent, progress: f64) -> f64 {
    match latent {
        Latent::Gaussian => 1.0,
        Latent::Bernoulli { temperature, anneal_epochs: 0, .. } => temperature,
        Latent::Bernoulli { temperature, final_temperature, anneal_epochs } => {
            let share = (progress / anneal_epochs as f64).min(1.0);
            temperature * (final_temperature / temperature).powf(share)
        }
    }
}

impl Family for Vae {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    fn train(&self, x: &Tensor, at: &StepContext) -> Step {
        let corrupted = self.corrupt(x, at);
        let (bound, buffers) = self.bound(x, corrupted.as_ref().unwrap_or(x), at, true);
        let Objective { value, surrogates } = self.objective(&bound, at);
        let losses = match surrogates {
            None => vec![Loss::new(&value, self.parameters.trained(|_| true))],
            Some(Surrogates { encoder, others }) => vec![
                Loss::new(&encoder, self.parameters.trained(|part| part == Part::Encoder)),
                Loss::new(&others, self.parameters.trained(|part| part != Part::Encoder)),
            ],
        };
        Step { terms: self.terms(bound, value, true), losses, buffers }
    }

    fn evaluate(&self, x: &Tensor, at: &StepContext) -> Terms {
        self.evaluate_from(x, x, at)
    }

    fn generator(&self) -> &dyn Generator {
        self
    }

    fn encoder(&self) -> Option<&dyn Encode> {
        Some(self)
    }

    fn density(&self) -> Option<&dyn Density> {
        (self.kind != ModelKind::Autoencoder).then_some(self)
    }
}

impl Encode for Vae {
    fn posterior(&self, x: &Tensor) -> Posterior {
        self.encoder.posterior(x)
    }

    fn draw(&self, q: &Posterior, at: &StepContext) -> Tensor {
        self.draws(q, at, None)
    }

    fn corrupt(&self, x: &Tensor, at: &StepContext) -> Option<Tensor> {
        let seeds: Vec<u64> = self.parameters.replicas().iter().map(|replica| replica.seed).collect();
        corrupt(self.corruption, x, &seeds, at.noise_of(Stream::Corruption))
    }

    fn evaluate_from(&self, input: &Tensor, x: &Tensor, at: &StepContext) -> Terms {
        let (bound, _) = self.bound(x, input, at, false);
        match self.objective.kind {
            ObjectiveKind::ImportanceWeighted { samples: n, .. } if n > 1 => {
                let [weighted, plain] = self.importance_bounds(&bound.q, x, n, at);
                Terms { importance_bound: Some(plain), ..self.terms(bound, -weighted, false) }
            }
            _ => {
                let objective = self.objective(&bound, at).value;
                self.terms(bound, objective, false)
            }
        }
    }
}

impl Generator for Vae {
    fn sample_prior(&self, n: usize, key: NoiseKey) -> Tensor {
        self.prior.sample(n, key, &self.parameters, &self.encoder)
    }

    fn mean(&self, z: &Tensor) -> Tensor {
        self.likelihood.mean(&self.decoder.forward(z))
    }

    fn sample(&self, z: &Tensor, step: u64) -> Option<Tensor> {
        let output = self.decoder.forward(z);
        let mean = self.likelihood.mean(&output);
        let (n, n_pixels) = (mean.size()[1] as usize, mean.size()[2] as usize);
        let replicas: Vec<_> =
            self.parameters.replicas().iter().map(|replica| Replica { width: n_pixels, ..*replica }).collect();
        let key = NoiseKey::new(Stream::Decoder, 0, step);
        Some(self.likelihood.sample(&output, &uniforms(&replicas, n, n_pixels, key, self.parameters.device())))
    }
}

impl Density for Vae {
    fn log_weights(&self, x: &Tensor, n_samples: usize, at: &StepContext) -> Tensor {
        let of_portion = |k: u64| at.at_step(at.key.step + k);
        let [log_likelihood, log_ratio] = self.log_densities(&self.encoder.posterior(x), x, n_samples, &of_portion);
        log_likelihood + log_ratio
    }

    fn log_likelihood_of_pairs(&self, z: &Tensor, x: &Tensor) -> Option<Tensor> {
        self.likelihood.log_prob_of_pairs(&self.decoder.forward(z), x)
    }

    fn bits(&self) -> Option<Vec<usize>> {
        let widths = || self.parameters.replicas().iter().map(|replica| replica.width).collect();
        match self.latent {
            Latent::Gaussian => None,
            Latent::Bernoulli { .. } => Some(widths()),
        }
    }

    fn log_joint_of_codes(&self, x: &Tensor, codes: &Tensor) -> Tensor {
        let (n_replicas, n_images, n) = (x.size()[0], x.size()[1], codes.size()[0]);
        let places = Tensor::arange(self.parameters.padded_width() as i64, (Kind::Int64, codes.device()));
        let bits = codes.unsqueeze(-1).bitwise_right_shift(&places).bitwise_and(1);
        let z = self.encoder.mask.apply(&bits.to_kind(Kind::Float).unsqueeze(0)); // [R, n, D]
        let output = self.decoder.forward(&z);
        let of_pairs =
            output.unsqueeze(2).expand([-1, -1, n_images, -1], false).reshape([n_replicas, n * n_images, -1]);
        let log_likelihood = self.likelihood.log_prob(&of_pairs, &repeated(x, n as usize));
        log_likelihood.view([n_replicas, n, n_images]) + self.prior.log_prob(&z, &self.encoder).unsqueeze(-1)
    }
}
