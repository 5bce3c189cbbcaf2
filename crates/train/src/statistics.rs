//! Running sums over the images of a split, per replica, in double precision.

use model::ElboTerms;
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
    /// Σ (reconstruction + β·KL).
    pub objective: f64,
    /// Σ of the gradient's norm, and how many were added.
    pub gradient_norm: [f64; 2],
    /// Σ KL of each latent dimension.
    pub kl_per_dim: Vec<f64>,
    /// Σ of the posterior mean of each latent dimension, and of its square.
    pub latent_mean: Vec<[f64; 2]>,
}

/// A quantity that is not finite, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    /// `reconstruction` or `kl`.
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
}

const SCALARS: usize = 6;

impl BatchSums {
    /// Sum the terms over the batch axis.
    pub fn read(terms: &ElboTerms) -> BatchSums {
        tch::no_grad(|| {
            let kl = terms.kl();
            let negative_elbo = &terms.reconstruction + &kl;
            let over_batch = |x: &Tensor| x.sum_dim_intlist(1, false, Kind::Double);
            let scalars = [&terms.reconstruction, &kl, &negative_elbo]
                .into_iter()
                .flat_map(|term| {
                    let term = term.to_kind(Kind::Double);
                    [over_batch(&term), over_batch(&term.square())]
                })
                .collect::<Vec<_>>();
            let vectors = [
                over_batch(&terms.kl_per_dim),
                over_batch(&terms.latent_mean),
                over_batch(&terms.latent_mean.square()),
            ];
            let [kl_per_dim, mean, square] = vectors;
            let all = Tensor::cat(&[Tensor::stack(&scalars, 1), kl_per_dim, mean, square], 1);
            let size = terms.kl_per_dim.size();
            let all = all.contiguous().to_device(Device::Cpu);
            let mut values = vec![0f64; all.numel()];
            all.copy_data(&mut values, all.numel());
            BatchSums { values, n_images: size[1] as f64, padded: size[2] as usize }
        })
    }

    /// Add one replica's part to its sums; `beta` is the weight that the batch was trained or is evaluated with.
    pub fn add_to(&self, sums: &mut Sums, replica: usize, width: usize, beta: f64) -> Result<(), NonFinite> {
        let per_replica = SCALARS + 3 * self.padded;
        let own = &self.values[replica * per_replica..(replica + 1) * per_replica];
        for (quantity, value) in [("reconstruction", own[0]), ("kl", own[2])] {
            if !value.is_finite() {
                return Err(NonFinite { quantity, value });
            }
        }
        sums.images += self.n_images;
        for (sum, pair) in
            [(&mut sums.reconstruction, &own[0..2]), (&mut sums.kl, &own[2..4]), (&mut sums.negative_elbo, &own[4..6])]
        {
            sum[0] += pair[0];
            sum[1] += pair[1];
        }
        sums.objective += own[0] + beta * own[2];
        sums.kl_per_dim.resize(width, 0.0);
        sums.latent_mean.resize(width, [0.0; 2]);
        let (kl, rest) = own[SCALARS..].split_at(self.padded);
        let (mean, square) = rest.split_at(self.padded);
        for d in 0..width {
            sums.kl_per_dim[d] += kl[d];
            sums.latent_mean[d][0] += mean[d];
            sums.latent_mean[d][1] += square[d];
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

impl Sums {
    /// The mean of a sum and its square.
    pub fn mean(&self, [sum, squares]: [f64; 2]) -> Mean {
        let value = sum / self.images;
        let variance = (squares / self.images - value * value).max(0.0);
        Mean { value, standard_error: (variance / self.images).sqrt() }
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
        let head = [self.images, self.objective].into_iter();
        let pairs = [self.reconstruction, self.kl, self.negative_elbo, self.gradient_norm].into_iter().flatten();
        let latent = self.latent_mean.iter().flatten().copied();
        head.chain(pairs).chain(self.kl_per_dim.iter().copied()).chain(latent).collect()
    }

    /// The inverse of [`Sums::to_vec`]; `None` when the length fits no width.
    pub fn from_slice(values: &[f64]) -> Option<Sums> {
        let (head, dims) = values.split_at_checked(10)?;
        if dims.len() % 3 != 0 {
            return None;
        }
        let (kl_per_dim, latent) = dims.split_at(dims.len() / 3);
        Some(Sums {
            images: head[0],
            objective: head[1],
            reconstruction: [head[2], head[3]],
            kl: [head[4], head[5]],
            negative_elbo: [head[6], head[7]],
            gradient_norm: [head[8], head[9]],
            kl_per_dim: kl_per_dim.to_vec(),
            latent_mean: latent.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect(),
        })
    }
}
