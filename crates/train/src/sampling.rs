//! Where z of samples comes from: the prior, the aggregate posterior, or a mixture fitted to latents.

use model::mixture::{Covariance, EmSettings, GaussianMixture, MixtureError};
use model::noise::{NoiseKey, Replica, Stream};
use model::{Family, Posterior};
use spec::Split;
use tch::{Device, Kind, Tensor};

use crate::batches::Batches;
use crate::evaluate::{BATCH, SplitContext};

/// The first so many training images are what the mixture is fitted to.
const N_FITTED: usize = 10_000;
/// Components of the mixture.
pub(crate) const N_COMPONENTS: usize = 10;
/// Up to this latent width the mixture's covariances are full; what a step costs grows with the width's square.
const WIDEST_FULL: usize = 64;
/// Steps of EM, at most.
const N_STEPS: usize = 20;
/// The fit ends when the mean log-likelihood rises by less than this share of itself.
const TOLERANCE: f64 = 1e-3;
/// The mixture's least variance, as a share of the latents' mean variance.
const VARIANCE_FLOOR: f64 = 1e-6;

/// The covariances of a mixture over so many latents.
pub(crate) fn covariance(width: usize) -> Covariance {
    if width <= WIDEST_FULL { Covariance::Full } else { Covariance::Diagonal }
}

/// Draws latents for a cohort, each replica from its own seed.
///
/// What is drawn is a function of (seed, step): with more draws the first of them stay what they are.
#[derive(Debug)]
pub struct Sampler<'a> {
    model: &'a dyn Family,
    train: Batches<'a>,
    device: Device,
}

impl<'a> Sampler<'a> {
    /// For a model and the images it was trained on.
    pub fn new(model: &'a dyn Family, train: Batches<'a>, device: Device) -> Sampler<'a> {
        Sampler { model, train, device }
    }

    /// `n` draws of z from the prior; `[R, n, D]`. For an autoencoder, which has none, from N(0, I) all the same.
    pub fn prior(&self, n: usize, step: u64) -> Tensor {
        self.model.generator().sample_prior(n, NoiseKey::new(Stream::Prior, 0, step))
    }

    /// `n` draws from the aggregate posterior (1/N) Σ q(z|x) over training images: z ~ q(z|x) of images x that are drawn
    /// with replacement; `[R, n, D]`. `None` for a model without an encoder, or without images.
    pub fn aggregate(&self, n: usize, step: u64) -> Option<Tensor> {
        let replicas = self.model.parameters().replicas();
        let encoder = self.model.encoder()?;
        let key = NoiseKey::new(Stream::Aggregate, 0, step);
        let of = |replica: &Replica| key.choices(replica.seed, n, self.train.n_images());
        let chosen: Vec<Vec<u32>> = replicas.iter().map(of).collect();
        let chosen: Vec<&[u32]> = chosen.iter().map(Vec::as_slice).collect();
        let ones = vec![1.0; replicas.len()];
        self.encoded(&chosen, |i, posterior| {
            // Each portion is an epoch of its own to the noise; 0 is taken by the choice of images.
            let at = SplitContext { split: Split::Train, epoch: i + 1, betas: &ones, n_train: self.train.n_images() };
            encoder.draw(posterior, &at.batch(Stream::Aggregate, step))
        })
    }

    /// `n` draws from [`Sampler::mixtures`]; for each replica `[n, D]`.
    pub fn mixture(&self, n: usize, step: u64) -> Option<Vec<Result<Tensor, MixtureError>>> {
        let mixtures = self.mixtures()?.into_iter().enumerate();
        Some(mixtures.map(|(r, mixture)| Ok(self.from_mixture(r, &mixture?, n, step))).collect())
    }

    /// `n` draws from a replica's mixture; `[n, D]`, zero in the padding.
    pub fn from_mixture(&self, replica: usize, mixture: &GaussianMixture, n: usize, step: u64) -> Tensor {
        let Replica { seed, width } = self.model.parameters().replicas()[replica];
        let z = mixture.sample(n, &mut NoiseKey::new(Stream::Mixture, 1, step).generator(seed));
        let padding = (self.model.parameters().padded_width() - width) as i64;
        z.to_kind(Kind::Float).constant_pad_nd([0, padding]).to_device(self.device)
    }

    /// A mixture of Gaussians for each replica, fitted by EM to the latent means of the first training images (Ghosh et al.
    /// 2020, §4, who sample autoencoders from it).
    ///
    /// `None` for a model without an encoder, and for one whose latents are bits, over which a Gaussian is no distribution.
    /// Errors are those of a replica's fit, as of latents that are not finite.
    pub fn mixtures(&self) -> Option<Vec<Result<GaussianMixture, MixtureError>>> {
        let replicas = self.model.parameters().replicas();
        let n_fitted = self.train.n_images().min(N_FITTED);
        let first: Vec<u32> = (0..n_fitted as u32).collect();
        if matches!(self.posterior(&vec![first.get(..1)?; replicas.len()])?, Posterior::Bits(_)) {
            return None;
        }
        let latents = self.encoded(&vec![first.as_slice(); replicas.len()], |_, posterior| posterior.mean())?;
        let fitted = |(r, replica): (usize, &Replica)| {
            let own = latents.get(r as i64).narrow(1, 0, replica.width as i64);
            let variance = own.var_dim(&[0i64][..], false, false).mean(Kind::Double).double_value(&[]);
            let settings = EmSettings {
                n_components: N_COMPONENTS.min(n_fitted),
                covariance: covariance(replica.width),
                // Latents that are all the same are a mixture of points, not an error.
                variance_floor: (variance * VARIANCE_FLOOR).max(f64::from(f32::MIN_POSITIVE)),
                tolerance: TOLERANCE,
                max_steps: N_STEPS,
                seed: replica.seed,
            };
            Ok(GaussianMixture::fit(&own, &settings)?.mixture)
        };
        Some(replicas.iter().enumerate().map(fitted).collect())
    }

    fn posterior(&self, chosen: &[&[u32]]) -> Option<Posterior> {
        Some(self.model.encoder()?.posterior(&self.train.chosen(chosen, 0)))
    }

    /// What `of` makes of the posteriors of the `i`-th portion of the chosen images, `[R, n, D]`; `None` without an encoder.
    fn encoded(&self, chosen: &[&[u32]], of: impl Fn(u32, &Posterior) -> Tensor) -> Option<Tensor> {
        tch::no_grad(|| {
            let n = chosen.first().map_or(0, |indices| indices.len());
            let mut parts = Vec::new();
            for (i, start) in (0..n).step_by(BATCH).enumerate() {
                let portion: Vec<&[u32]> =
                    chosen.iter().map(|indices| &indices[start..(start + BATCH).min(n)]).collect();
                parts.push(of(i as u32, &self.posterior(&portion)?));
            }
            (!parts.is_empty()).then(|| Tensor::cat(&parts, 1))
        })
    }
}
