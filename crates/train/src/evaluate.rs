//! Evaluation of a whole split.

use data::Images;
use model::bounds::importance_sampled;
use model::noise::{NoiseKey, Stream};
use model::{Density, Family, StepContext};
use spec::Split;
use tch::{Device, Kind, Tensor};

use crate::batches::in_order;
use crate::statistics::{BatchSums, Mean, Sums};

/// Images evaluated at once; also fixes which noise an image sees.
pub(crate) const BATCH: usize = 500;

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
/// whose noise depends on (seed, split, epoch) alone.
pub fn evaluate(model: &dyn Family, images: &Images, at: &SplitContext<'_>, device: Device) -> Vec<Sums> {
    let stream = match at.split {
        Split::Train => Stream::EvaluateTrain,
        Split::Validation => Stream::EvaluateValidation,
        Split::Test => Stream::EvaluateTest,
    };
    let replicas = model.parameters().replicas();
    let mut sums = vec![Sums::default(); replicas.len()];
    tch::no_grad(|| {
        for (i, start) in (0..images.shape.n).step_by(BATCH).enumerate() {
            let end = (start + BATCH).min(images.shape.n);
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

/// −log p̂(x) by importance sampling with so many samples an image, over the first `n_images` of `images`; one mean for
/// each replica, see [`importance_sampled`]. `None` for models without a bound, or when `goes_on`, which gets
/// the number of images done every few images, returns `false`.
pub fn importance_sampled_nll(
    model: &dyn Family,
    images: &Images,
    n_images: usize,
    n_samples: usize,
    device: Device,
    goes_on: &mut dyn FnMut(usize) -> bool,
) -> Option<Vec<Mean>> {
    let density: &dyn Density = model.density()?;
    let n_replicas = model.parameters().replicas().len();
    let n_images = n_images.min(images.shape.n);
    let mut sums = vec![[0.0; 2]; n_replicas];
    for (i, start) in (0..n_images).step_by(IMPORTANCE_BATCH).enumerate() {
        if !goes_on(start) {
            return None;
        }
        let end = (start + IMPORTANCE_BATCH).min(n_images);
        let x = in_order(images, start, end, n_replicas, device);
        // Each batch is an epoch of its own to the noise, and each portion of its samples a step.
        let at = SplitContext {
            split: Split::Test,
            epoch: i as u32,
            betas: &vec![1.0; n_replicas],
            n_train: images.shape.n,
        };
        let nll = -importance_sampled(density, &x, n_samples, &at.batch(Stream::Importance, 0));
        add_to(&mut sums, &nll);
    }
    Some(sums.into_iter().map(|sum| Mean::of(sum, n_images as f64)).collect())
}
