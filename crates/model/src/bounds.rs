//! Estimates of log p(x) tighter than the ELBO.

use tch::{Device, Kind, Tensor};

use crate::family::{Density, StepContext};

/// Samples times images that are decoded at once.
const ROWS: usize = 4000;

/// log p̂(x) = log (1/S) Σ_s p(x, z_s)/q(z_s|x) for images `x`, `[R, B, P]`, with S = `n_samples` draws z_s ~ q(z|x) an
/// image (Burda et al. 2016, eq. 8): in expectation a lower bound of log p(x) that tightens with S. In nats; the result is
/// `[R, B]` in double precision.
///
/// The noise is that of (stream, epoch, step + k) of `at` for the k-th portion of the samples.
pub fn importance_sampled(model: &dyn Density, x: &Tensor, n_samples: usize, at: &StepContext) -> Tensor {
    tch::no_grad(|| {
        let sum = |(k, n): (usize, usize)| {
            let at = at.at_step(at.key.step + k as u64);
            model.log_weights(x, n, &at).to_kind(Kind::Double).logsumexp(1, false)
        };
        let sums: Vec<Tensor> = portions(x, n_samples).into_iter().enumerate().map(sum).collect();
        Tensor::stack(&sums, 0).logsumexp(0, false).to_device(Device::Cpu) - (n_samples as f64).ln()
    })
}

/// How many of `n_samples` samples of images `x`, `[R, B, P]`, are decoded at once, one portion after another.
pub(crate) fn portions(x: &Tensor, n_samples: usize) -> Vec<usize> {
    let most = (ROWS / (x.size()[1] as usize).max(1)).max(1);
    (0..n_samples).step_by(most).map(|done| most.min(n_samples - done)).collect()
}
