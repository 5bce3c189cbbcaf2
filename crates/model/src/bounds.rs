//! log p(x): estimates tighter than the ELBO, and its exact value where the latents are few bits.

use tch::{Device, Kind, Tensor};

use crate::family::{Density, StepContext};

/// Samples times images whose noise is drawn at once, and that are decoded at once where they are one by one.
const ROWS: usize = 4000;

/// Portions of samples whose weights are computed at once: with twenty images, the 5,000 of the usual estimate.
const PORTIONS: usize = 25;

/// The most bits of a latent space that is summed over exactly.
pub const MOST_EXACT_BITS: usize = 12;

/// An estimate of log p(x) by importance sampling; both `[R, B]`, in double precision on the CPU.
#[derive(Debug)]
pub struct Estimate {
    /// log p̂(x), in nats.
    pub log_p: Tensor,
    /// The effective number of samples, (Σ w)²/Σ w² of the importance weights w (Kong 1992): as many as were drawn where all weights
    /// are equal, 1 where a single sample carries the estimate.
    pub effective_samples: Tensor,
}

/// log p̂(x) = log (1/S) Σ_s p(x, z_s)/q(z_s|x) for images `x`, `[R, B, P]`, with S = `n_samples` draws z_s ~ q(z|x) an
/// image (Burda et al. 2016, eq. 8): in expectation a lower bound of log p(x) that tightens with S.
///
/// The noise is that of (stream, epoch, step + k) of `at` for the k-th portion of the samples.
pub fn importance_sampled(model: &dyn Density, x: &Tensor, n_samples: usize, at: &StepContext) -> Estimate {
    tch::no_grad(|| {
        let (mut sums, mut sums_of_squares) = (Vec::new(), Vec::new());
        for (k, portions) in portions(x, n_samples).chunks(PORTIONS).enumerate() {
            let at = at.at_step(at.key.step + (k * PORTIONS) as u64);
            let n = portions.iter().sum();
            let log_weights = model.log_weights(x, n, &at).to_kind(Kind::Double);
            sums.push(log_weights.logsumexp(1, false));
            sums_of_squares.push((log_weights * 2.0).logsumexp(1, false));
        }
        let total = |parts: &[Tensor]| Tensor::stack(parts, 0).logsumexp(0, false).to_device(Device::Cpu);
        let log_sum = total(&sums);
        Estimate {
            effective_samples: (&log_sum * 2.0 - total(&sums_of_squares)).exp(),
            log_p: log_sum - (n_samples as f64).ln(),
        }
    })
}

/// log p(x) = log Σ_z p(z)·p(x|z) over all z of replicas with at most [`MOST_EXACT_BITS`] bits, for images `x`, `[R, B, P]`; not a
/// number for wider replicas. In nats; `[R, B]` in double precision on the CPU. `None` where z is no bits, or no replica is narrow
/// enough.
pub fn exact(model: &dyn Density, x: &Tensor) -> Option<Tensor> {
    let widths = model.bits()?;
    let widest = *widths.iter().filter(|&&width| width <= MOST_EXACT_BITS).max()?;
    tch::no_grad(|| {
        let mut first = 0;
        let mut parts = Vec::new();
        for n in portions(x, 1 << widest) {
            let codes = Tensor::arange_start(first, first + n as i64, (Kind::Int64, x.device()));
            parts.push(model.log_joint_of_codes(x, &codes).to_kind(Kind::Double).logsumexp(1, false));
            first += n as i64;
        }
        let log_p = Tensor::stack(&parts, 0).logsumexp(0, false).to_device(Device::Cpu);
        // A narrower replica has met each of its codes 2^(widest − width) times.
        let repeated = |&width: &usize| match width <= MOST_EXACT_BITS {
            true => (widest - width) as f64 * std::f64::consts::LN_2,
            false => f64::NAN,
        };
        let repeated: Vec<f64> = widths.iter().map(repeated).collect();
        Some(log_p - Tensor::from_slice(&repeated).unsqueeze(-1))
    })
}

/// How many of `n_samples` samples, or codes, of images `x`, `[R, B, P]`, are decoded at once, one portion after another.
pub(crate) fn portions(x: &Tensor, n_samples: usize) -> Vec<usize> {
    let most = (ROWS / (x.size()[1] as usize).max(1)).max(1);
    (0..n_samples).step_by(most).map(|done| most.min(n_samples - done)).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::{Value, json};
    use spec::{Cell, ImageShape};

    use super::*;
    use crate::family::Family;
    use crate::noise::{NoiseKey, Stream};

    fn build(latent: &Value, widths: &[usize]) -> Box<dyn Family> {
        let cell = |&width: &usize| -> Cell {
            serde_json::from_value(json!({
                "dataset": { "name": { "folder": "/images" } },
                "model": { "hidden": [12], "latent_dim": width, "latent": latent },
                "training": { "seed": width },
            }))
            .unwrap()
        };
        let cells: Vec<Cell> = widths.iter().map(cell).collect();
        let image = ImageShape { channels: 1, height: 5, width: 4 };
        crate::build(&cells.iter().collect::<Vec<_>>(), image, Device::Cpu).unwrap().unwrap()
    }

    /// Scales every weight, so that codes matter.
    fn sharpen(model: &mut dyn Family) {
        tch::no_grad(|| {
            for parameter in model.parameters().iter() {
                let _ = parameter.tensor.detach().g_mul_scalar_(4.0);
            }
        });
    }

    fn images(n_replicas: i64) -> Tensor {
        ((Tensor::arange(60, (Kind::Float, Device::Cpu)) * 12.9898).sin().abs())
            .view([1, 3, 20])
            .repeat([n_replicas, 1, 1])
    }

    fn at(n_replicas: usize) -> StepContext {
        let key = NoiseKey::new(Stream::Importance, 0, 0);
        StepContext { key, progress: 0.0, betas: vec![1.0; n_replicas], n_train: 3, noise: None }
    }

    fn bits() -> Value {
        json!({ "bernoulli": {} })
    }

    /// Code after code, written out; in a cohort whose widest replica is too wide.
    #[test]
    fn few_bits_are_summed_over_exactly() {
        let mut model = build(&bits(), &[2, 5, 13]);
        sharpen(model.as_mut());
        let x = images(3);
        let found = exact(model.density().unwrap(), &x).unwrap();
        for (replica, width) in [(0i64, 2), (1, 5)] {
            let joint: Vec<Tensor> = (0..1 << width)
                .map(|code: i32| {
                    let z: Vec<f32> = (0..13).map(|d| if d < width { (code >> d & 1) as f32 } else { 0.0 }).collect();
                    let p = model.generator().mean(&Tensor::from_slice(&z).view([1, 1, 13]).repeat([3, 1, 1]));
                    let p = p.get(replica).to_kind(Kind::Double);
                    let x = x.get(replica).to_kind(Kind::Double);
                    let log_p = &x * p.log() + (-&x + 1.0) * (-&p + 1.0).log();
                    log_p.sum_dim_intlist(-1, false, Kind::Double) - f64::from(width) * std::f64::consts::LN_2
                })
                .collect();
            let expected = Tensor::stack(&joint, 0).logsumexp(0, false);
            let difference = (found.get(replica) - expected).abs().max().double_value(&[]);
            assert!(difference < 1e-4, "{width} bits: off by {difference}");
        }
        assert!(found.get(2).isnan().all().int64_value(&[]) == 1, "13 bits are too many");
        assert!(exact(build(&bits(), &[13]).density().unwrap(), &x.narrow(0, 0, 1)).is_none());
        assert!(exact(build(&json!("gaussian"), &[2]).density().unwrap(), &x.narrow(0, 0, 1)).is_none());
    }

    /// What importance sampling comes near to with ever more samples.
    #[test]
    fn importance_sampling_of_bits_comes_to_the_exact_sum() {
        let model = build(&bits(), &[4]);
        let x = images(1);
        let exact = exact(model.density().unwrap(), &x).unwrap();
        let estimate = importance_sampled(model.density().unwrap(), &x, 20_000, &at(1));
        let difference = (estimate.log_p - exact).abs().max().double_value(&[]);
        assert!(difference < 0.05, "off by {difference}");
    }

    #[test]
    fn effective_samples_are_those_of_the_weights() {
        let mut model = build(&json!("gaussian"), &[3]);
        let (x, n) = (images(1), 64);
        let estimate = importance_sampled(model.density().unwrap(), &x, n, &at(1));
        let weights = model.density().unwrap().log_weights(&x, n, &at(1)).to_kind(Kind::Double).exp();
        let sum = |of: &Tensor| of.sum_dim_intlist(1, false, Kind::Double);
        let expected = sum(&weights).square() / sum(&weights.square());
        assert!((&estimate.effective_samples - expected).abs().max().double_value(&[]) < 1e-6);
        // A posterior far from the right one leaves few of them.
        sharpen(model.as_mut());
        let fewer = importance_sampled(model.density().unwrap(), &x, n, &at(1)).effective_samples;
        let (fewest, most) = (fewer.min().double_value(&[]), estimate.effective_samples.min().double_value(&[]));
        assert!((1.0..most).contains(&fewest), "{fewest}, and {most} before");
    }
}
