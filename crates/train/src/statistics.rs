//! Running sums over the images of a split, per replica, in double precision.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use model::Terms;
use model::parameters::NamedTensor;
use spec::Metric;
use tch::{Device, Kind, Tensor};

pub use spec::metric::ACTIVE_UNIT_VARIANCE;

/// Sums over images for one replica. What the model does not have is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Images seen.
    pub images: f64,
    /// Σ of each term that has one value an image, and of its square.
    pub scalars: BTreeMap<Metric, [f64; 2]>,
    /// Σ of the gradient's norm, and how many were added.
    pub gradient_norm: [f64; 2],
    /// Σ KL of each latent dimension.
    pub kl_per_dim: Option<Vec<f64>>,
    /// Σ of the posterior mean of each latent dimension, and of its square.
    pub latent_mean: Option<Vec<[f64; 2]>>,
}

/// A quantity that is not finite, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    /// What it is.
    pub quantity: Metric,
    /// NaN or an infinity.
    pub value: f64,
}

/// The sums over one batch's images, read from libtorch in a single copy.
#[derive(Debug)]
pub struct BatchSums {
    values: Vec<f64>,
    n_images: f64,
    padded: usize,
    /// Each has two values.
    scalars: Vec<Metric>,
    has_kl_per_dim: bool,
    has_latent_mean: bool,
}

impl BatchSums {
    /// Sum the terms over the batch axis; `padded` is the cohort's widest latent space.
    pub fn read(terms: &Terms, padded: usize) -> BatchSums {
        tch::no_grad(|| {
            let over_batch = |x: &Tensor| x.sum_dim_intlist(1, false, Kind::Double);
            let (scalars, values): (Vec<Metric>, Vec<Tensor>) = terms.scalars().into_iter().unzip();
            let values = Tensor::stack(&values, 1).to_kind(Kind::Double); // [R, terms, B]
            let over_images = |x: &Tensor| x.sum_dim_intlist(-1, false, Kind::Double);
            let pairs = [over_images(&values), over_images(&values.square())];
            let mut parts = vec![Tensor::stack(&pairs, -1).flatten(1, 2)];
            parts.extend(terms.kl_per_dim.as_ref().map(over_batch));
            if let Some(mean) = &terms.latent_mean {
                parts.extend([over_batch(mean), over_batch(&mean.to_kind(Kind::Double).square())]);
            }
            let all = Tensor::cat(&parts, 1).contiguous().to_device(Device::Cpu);
            BatchSums {
                values: to_vec(&all),
                n_images: terms.objective.size()[1] as f64,
                padded,
                scalars,
                has_kl_per_dim: terms.kl_per_dim.is_some(),
                has_latent_mean: terms.latent_mean.is_some(),
            }
        })
    }

    /// The metrics that were summed up.
    pub fn scalars(&self) -> &[Metric] {
        &self.scalars
    }

    /// Add one replica's part, of its own latent width, to its sums.
    ///
    /// # Errors
    /// The first sum that is not finite; nothing is added then.
    pub fn add_to(&self, sums: &mut Sums, replica: usize, width: usize) -> Result<(), NonFinite> {
        let vectors = usize::from(self.has_kl_per_dim) + 2 * usize::from(self.has_latent_mean);
        let per_replica = 2 * self.scalars.len() + vectors * self.padded;
        let own = &self.values[replica * per_replica..(replica + 1) * per_replica];
        let (pairs, vectors) = own.split_at(2 * self.scalars.len());
        let pairs = pairs.as_chunks::<2>().0;
        let of_scalars = || self.scalars.iter().copied().zip(pairs);
        if let Some((quantity, &[value, _])) = of_scalars().find(|(_, [sum, _])| !sum.is_finite()) {
            return Err(NonFinite { quantity, value });
        }
        sums.images += self.n_images;
        for (metric, [sum, squares]) in of_scalars() {
            let own = sums.scalars.entry(metric).or_default();
            *own = [own[0] + sum, own[1] + squares];
        }
        let mut vectors = vectors.chunks_exact(self.padded.max(1));
        if self.has_kl_per_dim {
            let own = sums.kl_per_dim.get_or_insert_with(|| vec![0.0; width]);
            let kl = vectors.next().unwrap_or_default();
            own.iter_mut().zip(kl).for_each(|(sum, value)| *sum += value);
        }
        if self.has_latent_mean {
            let own = sums.latent_mean.get_or_insert_with(|| vec![[0.0; 2]; width]);
            let (mean, square) = (vectors.next().unwrap_or_default(), vectors.next().unwrap_or_default());
            for (pair, (mean, square)) in own.iter_mut().zip(mean.iter().zip(square)) {
                *pair = [pair[0] + mean, pair[1] + square];
            }
        }
        Ok(())
    }
}

/// All values of a tensor of doubles on the CPU.
fn to_vec(tensor: &Tensor) -> Vec<f64> {
    let mut values = vec![0f64; tensor.numel()];
    tensor.copy_data(&mut values, tensor.numel());
    values
}

/// A mean over images with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean, in nats per image.
    pub value: f64,
    /// Standard deviation over images, n − 1 in its denominator, divided by √n; `None` for a single image.
    pub standard_error: Option<f64>,
}

impl Mean {
    /// The mean of `n` values whose sum and sum of squares these are.
    pub fn of([sum, squares]: [f64; 2], n: f64) -> Mean {
        let value = sum / n;
        let squared_deviations = (squares - value * sum).max(0.0);
        let standard_error = (n > 1.0).then(|| (squared_deviations / (n - 1.0) / n).sqrt());
        Mean { value, standard_error }
    }
}

impl Sums {
    /// The mean of each term that has one value an image.
    pub fn means(&self) -> impl Iterator<Item = (Metric, Mean)> + '_ {
        self.scalars.iter().map(|(&metric, &sums)| (metric, Mean::of(sums, self.images)))
    }

    /// What a row of metrics.parquet has of this split: the means, and the active units where they were counted.
    pub fn terms(&self) -> record::EpochMetrics {
        let mut terms: record::EpochMetrics = self.means().map(|(metric, mean)| (metric, mean.value)).collect();
        if let Some(units) = self.active_units() {
            terms.set(Metric::ActiveUnits, f64::from(units));
        }
        terms
    }

    /// Mean KL of each latent dimension, in nats; empty where there is none.
    pub fn kl_per_dim(&self) -> Vec<f64> {
        self.kl_per_dim.iter().flatten().map(|sum| sum / self.images).collect()
    }

    /// Variance over images of the posterior mean of each latent dimension; empty where it was not summed up.
    pub fn latent_mean_variance(&self) -> Vec<f64> {
        let variance = |[sum, squares]: &[f64; 2]| {
            let mean = sum / self.images;
            (squares / self.images - mean * mean).max(0.0)
        };
        self.latent_mean.iter().flatten().map(variance).collect()
    }

    /// Latent dimensions whose posterior mean varies over images by more than [`ACTIVE_UNIT_VARIANCE`]; `None` where it was
    /// not summed up: while training, where each batch sees other weights, and without a distribution of z.
    pub fn active_units(&self) -> Option<u32> {
        self.latent_mean.as_ref()?;
        let is_active = |variance: f64| u32::from(variance > ACTIVE_UNIT_VARIANCE);
        Some(self.latent_mean_variance().into_iter().map(is_active).sum())
    }

    /// A tensor of doubles for each sum, for a checkpoint: `sums.images`, `sums.gradient_norm`, a pair for each metric such
    /// as `sums.elbo`, and where there are such, `sums.kl_per_dim`, `[D]`, and `sums.latent_mean`, `[D, 2]`.
    pub fn to_tensors(&self) -> Vec<NamedTensor> {
        let Sums { images, scalars, gradient_norm, kl_per_dim, latent_mean } = self;
        let named = |name: &str, values: &[f64]| NamedTensor {
            name: format!("{PREFIX}{name}"),
            tensor: Tensor::from_slice(values),
        };
        let mut tensors = vec![named(IMAGES, &[*images]), named(GRADIENT_NORM, gradient_norm)];
        tensors.extend(scalars.iter().map(|(metric, pair)| named(metric.name(), pair)));
        tensors.extend(kl_per_dim.as_ref().map(|sums| named(KL_PER_DIM, sums)));
        tensors.extend(latent_mean.as_ref().map(|pairs| {
            let NamedTensor { name, tensor } = named(LATENT_MEAN, pairs.as_flattened());
            NamedTensor { name, tensor: tensor.view([-1, 2]) }
        }));
        tensors
    }

    /// The inverse of [`Sums::to_tensors`], from all tensors of a checkpoint; `None` when there are no sums by name, as in
    /// the checkpoints of earlier versions.
    ///
    /// # Errors
    /// If a sum has another type or length than it was written with, or is of a metric that is not known.
    pub fn from_tensors(tensors: &[NamedTensor]) -> anyhow::Result<Option<Sums>> {
        let named: Vec<_> =
            tensors.iter().filter_map(|one| Some((one.name.strip_prefix(PREFIX)?, &one.tensor))).collect();
        if named.is_empty() {
            return Ok(None);
        }
        let mut sums = Sums::default();
        for (name, tensor) in named {
            if tensor.kind() != Kind::Double {
                bail!("the checkpoint's `{PREFIX}{name}` is not in double precision");
            }
            let values = to_vec(tensor);
            let pair = || <[f64; 2]>::try_from(values.as_slice());
            let strange = || format!("the checkpoint's `{PREFIX}{name}` has a strange length");
            match name {
                IMAGES => sums.images = *values.first().with_context(strange)?,
                GRADIENT_NORM => sums.gradient_norm = pair().with_context(strange)?,
                KL_PER_DIM => sums.kl_per_dim = Some(values),
                LATENT_MEAN => sums.latent_mean = Some(values.as_chunks().0.to_vec()),
                metric => {
                    let metric: Metric = metric.parse().with_context(|| {
                        format!("the checkpoint has sums of `{metric}`, which this elbo does not know\nhint: go on with the elbo that wrote it")
                    })?;
                    sums.scalars.insert(metric, pair().with_context(strange)?);
                }
            }
        }
        Ok(Some(sums))
    }
}

const PREFIX: &str = "sums.";
const IMAGES: &str = "images";
const GRADIENT_NORM: &str = "gradient_norm";
const KL_PER_DIM: &str = "kl_per_dim";
const LATENT_MEAN: &str = "latent_mean";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_standard_error_has_one_less_than_the_images_in_its_denominator() {
        // Of 1, 2 and 6: the deviations −2, −1 and 3 have squares that sum to 14.
        let mean = Mean::of([9.0, 41.0], 3.0);
        assert_eq!(mean.value, 3.0);
        assert!((mean.standard_error.unwrap() - (14.0f64 / 2.0 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(Mean::of([5.0, 25.0], 1.0), Mean { value: 5.0, standard_error: None });
        assert_eq!(Mean::of([10.0, 50.0], 2.0).standard_error, Some(0.0));
    }

    #[test]
    fn sums_come_back_from_a_checkpoint_bit_for_bit() {
        let vae = Sums {
            images: 128.0,
            scalars: [(Metric::Kl, [0.1, 1e-300]), (Metric::Objective, [-1.0 / 3.0, 7.0])].into(),
            gradient_norm: [2.5, 2.0],
            kl_per_dim: Some(vec![0.1, 0.2]),
            latent_mean: Some(vec![[1.0, 2.0], [3.0, 4.0]]),
        };
        let gan = Sums { kl_per_dim: None, latent_mean: None, ..vae.clone() };
        for sums in [vae, gan, Sums::default()] {
            assert_eq!(Sums::from_tensors(&sums.to_tensors()).unwrap(), Some(sums));
        }
    }

    #[test]
    fn sums_of_another_form_are_refused() {
        let one = |name: &str, tensor| [NamedTensor { name: name.to_owned(), tensor }];
        let said = |tensors: &[NamedTensor]| format!("{:#}", Sums::from_tensors(tensors).unwrap_err());
        assert_eq!(Sums::from_tensors(&one("sums", Tensor::from_slice(&[0.0; 18]))).unwrap(), None);
        assert!(said(&one("sums.kl", Tensor::from_slice(&[0.0; 3]))).contains("`sums.kl` has a strange length"));
        assert!(said(&one("sums.kl", Tensor::from_slice(&[0f32; 2]))).contains("not in double precision"));
        assert!(said(&one("sums.unheard", Tensor::from_slice(&[0.0; 2]))).contains("`unheard`, which this elbo"));
    }
}
