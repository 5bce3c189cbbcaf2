//! What every objective of a VAE is made of: draws of z with their densities.

use tch::{Kind, Tensor};

use crate::posterior::Posterior;

/// q(z|x), draws of z from it, and the parts of the bound on log p(x) that they give, in nats; `n` draws for each of B
/// images, all images of the first draw first.
#[derive(Debug)]
pub struct Bound {
    /// q(z|x) of the images.
    pub q: Posterior,
    /// Draws from it, `[R, n·B, D]`.
    pub z: Tensor,
    /// The decoder's output for them, `[R, n·B, …]`.
    pub output: Tensor,
    /// log p(x|z), `[R, n·B]`.
    pub log_likelihood: Tensor,
    /// log p(z), `[R, n·B]`; where it is asked for.
    pub log_prior: Option<Tensor>,
    /// log q(z|x), `[R, n·B]`; where it is asked for.
    pub log_q: Option<Tensor>,
    /// KL(q(z|x) ‖ p(z)) of each dimension where it has a closed form, `[R, B, D]`.
    pub kl_per_dim: Option<Tensor>,
    /// Draws an image.
    pub n_samples: usize,
}

impl Bound {
    /// −log p(x|z), a mean over draws; `[R, B]`.
    pub fn reconstruction(&self) -> Tensor {
        self.mean_of_draws(&-&self.log_likelihood)
    }

    /// KL(q(z|x) ‖ p(z)): the closed form where there is one, else the mean of log q(z|x) − log p(z) over draws; `[R, B]`.
    /// `None` for an autoencoder.
    pub fn kl(&self) -> Option<Tensor> {
        match &self.kl_per_dim {
            Some(per_dim) => Some(per_dim.sum_dim_intlist(-1, false, Kind::Float)),
            None => Some(self.mean_of_draws(&self.log_ratio()?)),
        }
    }

    /// log p(x|z) + β(log p(z) − log q(z|x)) of every draw, `[R, n, B]`; `None` where the densities were not asked for.
    /// `beta` is `[R, 1]`.
    pub fn log_weights(&self, beta: &Tensor) -> Option<Tensor> {
        let log_weights = &self.log_likelihood - beta * self.log_ratio()?;
        Some(log_weights.view([log_weights.size()[0], self.n_samples as i64, -1]))
    }

    /// log q(z|x) − log p(z); `[R, n·B]`.
    fn log_ratio(&self) -> Option<Tensor> {
        Some(self.log_q.as_ref()? - self.log_prior.as_ref()?)
    }

    /// `[R, n·B]` to `[R, B]`.
    pub(crate) fn mean_of_draws(&self, values: &Tensor) -> Tensor {
        if self.n_samples == 1 {
            return values.shallow_clone();
        }
        values.view([values.size()[0], self.n_samples as i64, -1]).mean_dim(1, false, Kind::Float)
    }
}
