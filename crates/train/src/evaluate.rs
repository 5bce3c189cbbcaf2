//! Evaluation of a whole split.

use data::Images;
use model::bounds::importance_sampled;
use model::noise::{NoiseKey, Stream};
use model::{Density, Family, StepContext};
use record::{Array, Arrays, EvaluationRow, Split};
use spec::{Cell, Scale};
use tch::{Device, Kind, Tensor};

use crate::batches::in_order;
use crate::statistics::{ACTIVE_UNIT_VARIANCE, BatchSums, Mean, Sums};

/// Images evaluated at once; also fixes which noise an image sees.
pub(crate) const BATCH: usize = 500;

/// What is evaluated, and when.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Which split it is.
    pub split: Split,
    /// Epochs of training behind.
    pub epoch: u32,
    /// β of each replica.
    pub betas: &'a [f64],
    /// Training images.
    pub n_train: usize,
}

impl At<'_> {
    /// For the `i`-th batch.
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
pub fn evaluate(model: &dyn Family, images: &Images, at: &At<'_>, device: Device) -> Vec<Sums> {
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
                    sum.negative_elbo[0] = f64::NAN;
                    sum.objective = f64::NAN;
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
    at: &At<'_>,
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
fn add_to(sums: &mut [[f64; 2]], values: &Tensor) {
    for (replica, sum) in sums.iter_mut().enumerate() {
        let own = values.get(replica as i64);
        sum[0] += own.sum(Kind::Double).double_value(&[]);
        sum[1] += own.to_kind(Kind::Double).square().sum(Kind::Double).double_value(&[]);
    }
}

/// The row of the latent means' log density under a mixture of so many Gaussians.
pub fn latent_log_density(mean: Mean, n_components: usize, test: &Images) -> EvaluationRow {
    EvaluationRow {
        metric: "latent_log_density".to_owned(),
        split: Split::Test,
        value: mean.value,
        standard_error: Some(mean.standard_error),
        n: test.shape.n as u64,
        settings: serde_json::json!({ "components": n_components }).to_string(),
    }
}

/// Images whose log-likelihood is estimated at once; also fixes which noise an image sees.
const IMPORTANCE_BATCH: usize = 20;

/// −log p̂(x) by importance sampling with so many samples an image, over the first `n_images` of `images`; one mean for
/// each replica, see [`importance_sampled`]. `None` for models without a bound, or when `goes_on`, which is asked every
/// few images and told how many are done, said no.
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
        let at = At { split: Split::Test, epoch: i as u32, betas: &vec![1.0; n_replicas], n_train: images.shape.n };
        let nll = -importance_sampled(density, &x, n_samples, &at.batch(Stream::Importance, 0));
        add_to(&mut sums, &nll);
    }
    Some(sums.into_iter().map(|sum| Mean::of(sum, n_images as f64)).collect())
}

/// The rows of evaluation.parquet that every trained run has, from its sums over the test split, and from what
/// [`reconstruction_of_corrupted`] gave.
pub fn rows(cell: &Cell, sums: &Sums, of_corrupted: Option<Mean>, test: &Images) -> Vec<EvaluationRow> {
    let n = sums.images as u64;
    let row = |metric: &str, value: f64, standard_error: Option<f64>, settings: serde_json::Value| EvaluationRow {
        metric: metric.to_owned(),
        split: Split::Test,
        value,
        standard_error,
        n,
        settings: settings.to_string(),
    };
    let one_sample = || serde_json::json!({ "samples": 1 });
    let mean = |name: &str, sign: f64, sum: [f64; 2]| {
        let Mean { value, standard_error } = sums.mean(sum);
        row(name, sign * value, Some(standard_error), one_sample())
    };
    let has = sums.has;
    let mut rows = Vec::new();
    if has.reconstruction && has.kl {
        rows.push(mean("elbo", -1.0, sums.negative_elbo));
    }
    if has.reconstruction {
        rows.push(mean("reconstruction", 1.0, sums.reconstruction));
    }
    if let Some(Mean { value, standard_error }) = of_corrupted {
        let settings = serde_json::json!({ "input": "corrupted", "samples": 1 });
        rows.push(row("reconstruction", value, Some(standard_error), settings));
    }
    if has.kl {
        rows.push(mean("kl", 1.0, sums.kl));
    }
    if has.latent_mean {
        let settings = serde_json::json!({ "variance_above": ACTIVE_UNIT_VARIANCE });
        rows.push(row("active_units", f64::from(sums.active_units()), None, settings));
    }
    if cell.scale() == Scale::GrayBce && has.reconstruction {
        rows.push(row("gray_bce_floor", data::gray_bce_floor(test), None, serde_json::json!({})));
    }
    rows
}

/// Sharpness of the test images, see [`data::sharpness`]; `None` for images too small to have one.
pub fn sharpness_of_data(test: &Images) -> Option<EvaluationRow> {
    let values: Vec<f32> = test.pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    sharpness("data", &values, test.shape)
}

/// Sharpness of the reconstructions, where there are any, and of the samples from the prior: of decoder means, clamped to
/// 0…1.
pub fn sharpness_of_decoded(arrays: &Arrays) -> Vec<EvaluationRow> {
    let of = |name: &str, array: &Array| {
        let &[n, channels, height, width] = array.shape.as_slice() else { return None };
        let values: Vec<f32> = array.values.iter().map(|value| value.clamp(0.0, 1.0)).collect();
        sharpness(name, &values, data::Shape { n, channels, height, width })
    };
    let reconstructions = arrays.reconstructions.as_ref().and_then(|array| of("reconstructions", array));
    reconstructions.into_iter().chain(of("samples", &arrays.samples)).collect()
}

fn sharpness(name: &str, values: &[f32], shape: data::Shape) -> Option<EvaluationRow> {
    let data::Sharpness { mean, standard_error } = data::sharpness(values, shape)?;
    Some(EvaluationRow {
        metric: "sharpness".to_owned(),
        split: Split::Test,
        value: mean,
        standard_error,
        n: shape.n as u64,
        settings: serde_json::json!({ "of": name }).to_string(),
    })
}
