//! Running sums over the images of a split, per replica, in double precision.

use model::Terms;
use tch::{Device, Kind, Tensor};

/// Units are active whose posterior mean has more than this variance over images (Burda et al. 2016, §5.2).
pub const ACTIVE_UNIT_VARIANCE: f64 = 0.01;

/// Sums over images for one replica.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Images seen.
    pub images: f64,
    /// Σ reconstruction, and of its square.
    pub reconstruction: [f64; 2],
    /// Σ KL, and of its square.
    pub kl: [f64; 2],
    /// Σ (reconstruction + KL) and of its square.
    pub negative_elbo: [f64; 2],
    /// Σ of what is minimised.
    pub objective: f64,
    /// Σ of the discriminator's loss.
    pub discriminator: f64,
    /// Which terms the model has; the sums of the others are zero.
    pub has: Has,
    /// Σ of the gradient's norm, and how many were added.
    pub gradient_norm: [f64; 2],
    /// Σ KL of each latent dimension.
    pub kl_per_dim: Vec<f64>,
    /// Σ of the posterior mean of each latent dimension, and of its square.
    pub latent_mean: Vec<[f64; 2]>,
}

/// Which terms a model has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Has {
    /// −log p(x|z).
    pub reconstruction: bool,
    /// A KL, and so a bound.
    pub kl: bool,
    /// A KL that is a sum over latent dimensions.
    pub kl_per_dim: bool,
    /// An encoder.
    pub latent_mean: bool,
    /// A discriminator.
    pub discriminator: bool,
}

/// A quantity that is not finite, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    /// `reconstruction`, `kl`, `objective` or `discriminator`.
    pub quantity: &'static str,
    /// NaN or an infinity.
    pub value: f64,
}

/// The sums over one batch's images, read from libtorch in a single copy.
#[derive(Debug)]
pub struct BatchSums {
    values: Vec<f64>,
    n_images: f64,
    padded: usize,
    has: Has,
}

const SCALARS: usize = 8;

impl BatchSums {
    /// Sum the terms over the batch axis; `padded` is the cohort's widest latent space.
    pub fn read(terms: &Terms, padded: usize) -> BatchSums {
        tch::no_grad(|| {
            let has = Has {
                reconstruction: terms.reconstruction.is_some(),
                kl: terms.kl.is_some(),
                kl_per_dim: terms.kl_per_dim.is_some(),
                latent_mean: terms.latent_mean.is_some(),
                discriminator: terms.discriminator.is_some(),
            };
            let size = terms.objective.size();
            let none = || terms.objective.zeros_like();
            let or_none = |term: &Option<Tensor>| term.as_ref().map_or_else(none, Tensor::shallow_clone);
            let (reconstruction, kl) = (or_none(&terms.reconstruction), or_none(&terms.kl));
            let negative_elbo = &reconstruction + &kl;
            let over_batch = |x: &Tensor| x.sum_dim_intlist(1, false, Kind::Double);
            let mut scalars = [&reconstruction, &kl, &negative_elbo]
                .into_iter()
                .flat_map(|term| {
                    let term = term.to_kind(Kind::Double);
                    [over_batch(&term), over_batch(&term.square())]
                })
                .collect::<Vec<_>>();
            scalars.push(over_batch(&terms.objective));
            scalars.push(over_batch(&or_none(&terms.discriminator)));
            let mut parts = vec![Tensor::stack(&scalars, 1)];
            parts.extend(terms.kl_per_dim.as_ref().map(over_batch));
            if let Some(mean) = &terms.latent_mean {
                parts.extend([over_batch(mean), over_batch(&mean.square())]);
            }
            let all = Tensor::cat(&parts, 1).contiguous().to_device(Device::Cpu);
            let mut values = vec![0f64; all.numel()];
            all.copy_data(&mut values, all.numel());
            BatchSums { values, n_images: size[1] as f64, padded, has }
        })
    }

    /// Add one replica's part, of its own latent width, to its sums.
    pub fn add_to(&self, sums: &mut Sums, replica: usize, width: usize) -> Result<(), NonFinite> {
        let has = self.has;
        let vectors = usize::from(has.kl_per_dim) + 2 * usize::from(has.latent_mean);
        let per_replica = SCALARS + vectors * self.padded;
        let own = &self.values[replica * per_replica..(replica + 1) * per_replica];
        let named = [("reconstruction", own[0]), ("kl", own[2]), ("objective", own[6]), ("discriminator", own[7])];
        if let Some(&(quantity, value)) = named.iter().find(|(_, value)| !value.is_finite()) {
            return Err(NonFinite { quantity, value });
        }
        sums.has = has;
        sums.images += self.n_images;
        for (sum, pair) in
            [(&mut sums.reconstruction, &own[0..2]), (&mut sums.kl, &own[2..4]), (&mut sums.negative_elbo, &own[4..6])]
        {
            sum[0] += pair[0];
            sum[1] += pair[1];
        }
        sums.objective += own[6];
        sums.discriminator += own[7];
        let mut vectors = own[SCALARS..].chunks_exact(self.padded.max(1));
        if has.kl_per_dim {
            sums.kl_per_dim.resize(width, 0.0);
            let kl = vectors.next().unwrap_or_default();
            sums.kl_per_dim.iter_mut().zip(kl).for_each(|(sum, value)| *sum += value);
        }
        if has.latent_mean {
            sums.latent_mean.resize(width, [0.0; 2]);
            let (mean, square) = (vectors.next().unwrap_or_default(), vectors.next().unwrap_or_default());
            for (pair, (mean, square)) in sums.latent_mean.iter_mut().zip(mean.iter().zip(square)) {
                pair[0] += mean;
                pair[1] += square;
            }
        }
        Ok(())
    }
}

/// A mean over images with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean, in nats per image.
    pub value: f64,
    /// Standard deviation over images divided by √images.
    pub standard_error: f64,
}

impl Mean {
    /// The mean of `n` values whose sum and sum of squares these are.
    pub fn of([sum, squares]: [f64; 2], n: f64) -> Mean {
        let value = sum / n;
        let variance = (squares / n - value * value).max(0.0);
        Mean { value, standard_error: (variance / n).sqrt() }
    }
}

impl Sums {
    /// The mean of a sum and its square.
    pub fn mean(&self, sums: [f64; 2]) -> Mean {
        Mean::of(sums, self.images)
    }

    /// Mean KL of each latent dimension, in nats.
    pub fn kl_per_dim(&self) -> Vec<f64> {
        self.kl_per_dim.iter().map(|sum| sum / self.images).collect()
    }

    /// Latent dimensions whose posterior mean varies over images by more than [`ACTIVE_UNIT_VARIANCE`].
    pub fn active_units(&self) -> u32 {
        let active = |&[sum, squares]: &[f64; 2]| {
            let mean = sum / self.images;
            squares / self.images - mean * mean > ACTIVE_UNIT_VARIANCE
        };
        self.latent_mean.iter().map(|pair| u32::from(active(pair))).sum()
    }

    /// All sums in a row, for a checkpoint.
    pub fn to_vec(&self) -> Vec<f64> {
        let Has { reconstruction, kl, kl_per_dim, latent_mean, discriminator } = self.has;
        let flags = [reconstruction, kl, kl_per_dim, latent_mean, discriminator].map(|has| f64::from(u8::from(has)));
        let lengths = [self.kl_per_dim.len(), self.latent_mean.len()].map(|length| length as f64);
        let head = [self.images, self.objective, self.discriminator].into_iter().chain(flags).chain(lengths);
        let pairs = [self.reconstruction, self.kl, self.negative_elbo, self.gradient_norm].into_iter().flatten();
        let latent = self.latent_mean.iter().flatten().copied();
        head.chain(pairs).chain(self.kl_per_dim.iter().copied()).chain(latent).collect()
    }

    /// The inverse of [`Sums::to_vec`]; `None` when the lengths do not fit.
    pub fn from_slice(values: &[f64]) -> Option<Sums> {
        let (head, rest) = values.split_at_checked(18)?;
        let (n_kl, n_latent) = (head[8] as usize, head[9] as usize);
        let (kl_per_dim, latent) = rest.split_at_checked(n_kl)?;
        if latent.len() != n_latent.checked_mul(2)? {
            return None;
        }
        let has = |i: usize| head[3 + i] != 0.0;
        Some(Sums {
            images: head[0],
            objective: head[1],
            discriminator: head[2],
            has: Has {
                reconstruction: has(0),
                kl: has(1),
                kl_per_dim: has(2),
                latent_mean: has(3),
                discriminator: has(4),
            },
            reconstruction: [head[10], head[11]],
            kl: [head[12], head[13]],
            negative_elbo: [head[14], head[15]],
            gradient_norm: [head[16], head[17]],
            kl_per_dim: kl_per_dim.to_vec(),
            latent_mean: latent.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect(),
        })
    }
}
