//! Evaluation of a whole split.

use data::Images;
use model::bounds::{MOST_EXACT_BITS, exact, importance_sampled};
use model::noise::{NoiseKey, Stream};
use model::{Density, Family, StepContext};
use spec::{Cell, Split};
use tch::{Device, Kind, Tensor};

use crate::batches::in_order;
use crate::statistics::{BatchSums, Mean, Sums};

/// Images evaluated at once where it makes no difference to their numbers; also fixes which noise an image sees.
pub(crate) const BATCH: usize = 500;

/// Images of a cohort's split that are evaluated at once: as many as in a step of training where an objective is that of a
/// batch, so that its values are the same quantity.
pub fn batch_of(cells: &[Cell]) -> usize {
    cells.first().and_then(Cell::objective_batch).unwrap_or(BATCH)
}

/// The split that is evaluated, and at which epoch.
#[derive(Clone, Copy, Debug)]
pub struct SplitContext<'a> {
    /// The split.
    pub split: Split,
    /// Epochs completed.
    pub epoch: u32,
    /// β of each replica.
    pub betas: &'a [f64],
    /// Training images.
    pub n_train: usize,
}

impl SplitContext<'_> {
    /// The context of the `i`-th batch.
    pub(crate) fn batch(&self, stream: Stream, i: u64) -> StepContext {
        StepContext {
            key: NoiseKey::new(stream, u64::from(self.epoch), i),
            progress: f64::from(self.epoch),
            betas: self.betas.to_vec(),
            n_train: self.n_train,
            noise: None,
        }
    }
}

/// Sums over every image of a split, the partial last batch included; one for each replica. One sample of z per image,
/// whose noise depends on (seed, split, epoch) and `batch` alone, the images that are evaluated at once, see [`batch_of`].
pub fn evaluate(model: &dyn Family, images: &Images, at: &SplitContext<'_>, batch: usize, device: Device) -> Vec<Sums> {
    let stream = match at.split {
        Split::Train => Stream::EvaluateTrain,
        Split::Validation => Stream::EvaluateValidation,
        Split::Test => Stream::EvaluateTest,
    };
    let replicas = model.parameters().replicas();
    let mut sums = vec![Sums::default(); replicas.len()];
    tch::no_grad(|| {
        for (i, start) in (0..images.shape.n).step_by(batch.max(1)).enumerate() {
            let end = (start + batch).min(images.shape.n);
            let x = in_order(images, start, end, replicas.len(), device);
            let terms = model.evaluate(&x, &at.batch(stream, i as u64));
            let batch = BatchSums::read(&terms, model.parameters().padded_width());
            for (replica, sum) in sums.iter_mut().enumerate() {
                if batch.add_to(sum, replica, replicas[replica].width).is_err() {
                    // A mean with this image left out would be wrong, so that the whole is not finite.
                    sum.scalars.extend(batch.scalars().iter().map(|&metric| (metric, [f64::NAN; 2])));
                }
            }
        }
    });
    sums
}

/// −E_q[log p(x|z)] of the clean images when the encoder sees them corrupted, over every image of the test split; one mean for
/// each replica. `None` for a model without corruption. One sample of z and one corruption per image, whose noise depends
/// on (seed, epoch) alone.
pub fn reconstruction_of_corrupted(
    model: &dyn Family,
    test: &Images,
    at: &SplitContext<'_>,
    device: Device,
) -> Option<Vec<Mean>> {
    let encoder = model.encoder()?;
    let n_replicas = model.parameters().replicas().len();
    let mut sums = vec![[0.0; 2]; n_replicas];
    tch::no_grad(|| {
        for (i, start) in (0..test.shape.n).step_by(BATCH).enumerate() {
            let x = in_order(test, start, (start + BATCH).min(test.shape.n), n_replicas, device);
            let at = at.batch(Stream::EvaluateTest, i as u64);
            let terms = encoder.evaluate_from(&encoder.corrupt(&x, &at)?, &x, &at);
            add_to(&mut sums, &terms.reconstruction?);
        }
        Some(sums.into_iter().map(|sum| Mean::of(sum, test.shape.n as f64)).collect())
    })
}

/// Adds values `[R, B]` and their squares to the sums of each replica.
pub(crate) fn add_to(sums: &mut [[f64; 2]], values: &Tensor) {
    for (replica, sum) in sums.iter_mut().enumerate() {
        let own = values.get(replica as i64);
        sum[0] += own.sum(Kind::Double).double_value(&[]);
        sum[1] += own.to_kind(Kind::Double).square().sum(Kind::Double).double_value(&[]);
    }
}

/// Images whose log-likelihood is estimated at once; also fixes which noise an image sees.
const IMPORTANCE_BATCH: usize = 20;

/// −log p(x) of a replica, a mean over images.
#[derive(Clone, Copy, Debug)]
pub struct Nll {
    /// In nats per image.
    pub nll: Mean,
    /// Effective samples of the importance weights; `None` where all of a few bits were summed over instead.
    pub effective_samples: Option<Mean>,
}

/// −log p(x) over the first `n_images` of `images`, one for each replica: exact for latents of few bits, see [`exact`], and by importance
/// sampling with so many samples an image for any other, see [`importance_sampled`]. `None` for models without a bound, or when
/// `goes_on`, which gets the number of images done every few images, returns `false`.
pub fn nll(
    model: &dyn Family,
    images: &Images,
    n_images: usize,
    n_samples: usize,
    device: Device,
    goes_on: &mut dyn FnMut(usize) -> bool,
) -> Option<Vec<Nll>> {
    let density: &dyn Density = model.density()?;
    let n_replicas = model.parameters().replicas().len();
    let n_images = n_images.min(images.shape.n);
    let is_exact: Vec<bool> = match density.bits() {
        Some(widths) => widths.into_iter().map(|width| width <= MOST_EXACT_BITS).collect(),
        None => vec![false; n_replicas],
    };
    let mut exact_sums = vec![[0.0; 2]; n_replicas];
    let mut sampled_sums = exact_sums.clone();
    let mut effective_sums = exact_sums.clone();
    for (i, start) in (0..n_images).step_by(IMPORTANCE_BATCH).enumerate() {
        if !goes_on(start) {
            return None;
        }
        let end = (start + IMPORTANCE_BATCH).min(n_images);
        let x = in_order(images, start, end, n_replicas, device);
        if let Some(log_p) = exact(density, &x) {
            add_to(&mut exact_sums, &-log_p);
        }
        if is_exact.contains(&false) {
            // Each batch is an epoch of its own to the noise, and each portion of its samples a step.
            let at = SplitContext {
                split: Split::Test,
                epoch: i as u32,
                betas: &vec![1.0; n_replicas],
                n_train: images.shape.n,
            };
            let estimate = importance_sampled(density, &x, n_samples, &at.batch(Stream::Importance, 0));
            add_to(&mut sampled_sums, &-estimate.log_p);
            add_to(&mut effective_sums, &estimate.effective_samples);
        }
    }
    let mean = |sums: [f64; 2]| Mean::of(sums, n_images as f64);
    let of_replica = |(replica, is_exact): (usize, bool)| match is_exact {
        true => Nll { nll: mean(exact_sums[replica]), effective_samples: None },
        false => Nll { nll: mean(sampled_sums[replica]), effective_samples: Some(mean(effective_sums[replica])) },
    };
    Some(is_exact.into_iter().enumerate().map(of_replica).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use data::Shape;
    use serde_json::json;
    use spec::Metric;

    use super::*;

    /// The objective of a batch is evaluated in batches of training's size, and says so; that of an image need not be.
    #[test]
    fn an_objective_of_a_batch_is_evaluated_in_batches_as_in_training() {
        let shape = Shape { n: 23, channels: 1, height: 4, width: 4 };
        let pixels: Vec<u8> = (0..shape.n * 16).map(|i| ((i * 2_654_435_761) >> 7) as u8).collect();
        let test = Images { pixels, shape, labels: None, factors: None };
        let image = spec::ImageShape { channels: 1, height: 4, width: 4 };
        for (kind, of_batch) in [
            (json!("elbo"), None),
            (json!({ "importance-weighted": { "samples": 3 } }), None),
            (json!({ "free-bits": { "nats": 0.1 } }), Some(5)),
            (json!({ "capacity": { "nats": 0.1, "rise_epochs": 0 } }), Some(5)),
            (json!("total-correlation"), Some(5)),
            (json!({ "mmd": { "weight": 10.0 } }), Some(5)),
        ] {
            let cell: Cell = serde_json::from_value(json!({
                "dataset": { "name": { "folder": "/images" } }, "model": { "hidden": [8], "latent_dim": 2 },
                "objective": { "kind": kind, "beta": 3.0 }, "training": { "batch_size": 5 },
            }))
            .unwrap();
            assert_eq!(cell.objective_batch(), of_batch, "{kind}");
            let batch = batch_of(std::slice::from_ref(&cell));
            assert_eq!(batch, of_batch.unwrap_or(BATCH), "{kind}");
            let model = model::build(&[&cell], image, Device::Cpu).unwrap().unwrap();
            let at = SplitContext { split: Split::Test, epoch: 2, betas: &[3.0], n_train: 40 };
            let sums = evaluate(model.as_ref(), &test, &at, batch, Device::Cpu);
            let found = sums[0].scalars[&Metric::Objective][0];
            let one = |(i, start): (usize, usize)| {
                let x = in_order(&test, start, (start + batch).min(23), 1, Device::Cpu);
                let terms = model.evaluate(&x, &at.batch(Stream::EvaluateTest, i as u64));
                terms.objective.expand([1, x.size()[1]], false).sum(Kind::Double).double_value(&[])
            };
            let expected: f64 = (0..23).step_by(batch).enumerate().map(one).sum();
            assert!((found - expected).abs() < 1e-3, "{kind}: {found} and {expected}");
        }
    }
}
