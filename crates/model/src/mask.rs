//! Which latent dimensions are a replica's own, and which are padding up to the cohort's widest.

use tch::{Kind, Tensor};

use crate::parameters::Parameters;

/// Tells the two apart.
#[derive(Debug)]
pub struct Mask {
    /// 1 where a latent dimension is a replica's own, 0 where it is padding; `[R, 1, D]`.
    own: Tensor,
    /// The replicas' own latent widths, `[R, 1, 1]`.
    widths: Tensor,
}

impl Mask {
    /// That of the replicas' latent widths.
    pub fn new(parameters: &Parameters) -> Mask {
        let (replicas, padded) = (parameters.replicas(), parameters.padded_width());
        let own: Vec<f32> =
            replicas.iter().flat_map(|replica| (0..padded).map(|d| f32::from(d < replica.width))).collect();
        let own = Tensor::from_slice(&own).view([replicas.len() as i64, 1, -1]).to_device(parameters.device());
        Mask { widths: own.sum_dim_intlist(-1, true, Kind::Float), own }
    }

    /// Zero in the padding; `[R, N, D]` or without its middle axis.
    pub fn apply(&self, latents: &Tensor) -> Tensor {
        latents * &self.own
    }

    /// The sum over a replica's own dimensions; `[R, N, D]` to `[R, N]`.
    pub fn sum(&self, per_dim: &Tensor) -> Tensor {
        self.apply(per_dim).sum_dim_intlist(-1, false, Kind::Float)
    }

    /// The mean over a replica's own dimensions; `[R, N, D]` to `[R, N]`.
    pub fn mean(&self, per_dim: &Tensor) -> Tensor {
        self.sum(per_dim) / self.widths.squeeze_dim(-1)
    }

    /// The replicas' own latent widths, `[R, 1, 1]`.
    pub fn widths(&self) -> &Tensor {
        &self.widths
    }

    /// As [`Mask::apply`], of pairs `[R, N, M, D]`.
    pub fn apply_to_pairs(&self, pairs: &Tensor) -> Tensor {
        pairs * self.own.unsqueeze(1)
    }
}
