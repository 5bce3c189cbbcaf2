//! The rows of evaluation.parquet, from what was measured on a trained model.

use data::{Images, Shape, Sharpness};
use model::Family;
use record::{Array, ArrayName, Arrays};
use spec::metric::{Input, Subject};
use spec::{Cell, Measurement, Metric, MetricSettings, Scale, Split};
use tch::{Device, Kind};

use crate::arrays::ReplicaArrays;
use crate::batches::in_order;
use crate::cohort::Cohort;
use crate::evaluate::{BATCH, SplitContext, add_to, batch_of, evaluate, reconstruction_of_corrupted};
use crate::sampling::N_COMPONENTS;
use crate::statistics::{ACTIVE_UNIT_VARIANCE, Mean, Sums};

/// A mean over `n` test images.
pub fn mean(metric: Metric, Mean { value, standard_error }: Mean, n: usize, settings: MetricSettings) -> Measurement {
    Measurement { metric, split: Split::Test, value, standard_error: Some(standard_error), n: n as u64, settings }
}

/// All that is measured on a cohort's trained models on the test split, with what was decoded for figures; one list for each
/// replica.
pub fn of_cohort(
    cohort: &Cohort,
    test: &Images,
    at: &SplitContext<'_>,
    decoded: &[ReplicaArrays],
    device: Device,
) -> Vec<Vec<Measurement>> {
    let model = cohort.model.as_ref();
    let sums = evaluate(model, test, at, batch_of(&cohort.cells), device);
    let of_corrupted = reconstruction_of_corrupted(model, test, at, device);
    let psnr = tch::no_grad(|| psnr(model, test, device));
    let of_data = of_data(test);
    let of_replica = |(replica, decoded): (usize, &ReplicaArrays)| {
        let of_corrupted = of_corrupted.as_ref().map(|means| means[replica]);
        let mut rows = of_sums(&cohort.cells[replica], &sums[replica], of_corrupted, test);
        rows.extend(decoded.latent_log_density.map(|density| latent_log_density(density, test)));
        rows.extend(psnr.as_ref().map(|means| mean(Metric::Psnr, means[replica], test.shape.n, Default::default())));
        rows.extend(of_data.clone());
        rows.extend(of_arrays(&decoded.arrays));
        rows
    };
    decoded.iter().enumerate().map(of_replica).collect()
}

/// An image's squared error never counts as less than this, so that a perfect reconstruction has 100 dB.
const LEAST_SQUARED_ERROR: f64 = 1e-10;

/// Peak signal-to-noise ratio of decoder means at the posterior's mean, −10·log₁₀ of an image's mean squared error, in dB: a mean
/// over the test images for each replica. `None` for a model without an encoder.
fn psnr(model: &dyn Family, test: &Images, device: Device) -> Option<Vec<Mean>> {
    let encoder = model.encoder()?;
    let n_replicas = model.parameters().replicas().len();
    let mut sums = vec![[0.0; 2]; n_replicas];
    for start in (0..test.shape.n).step_by(BATCH) {
        let x = in_order(test, start, (start + BATCH).min(test.shape.n), n_replicas, device);
        let made = model.generator().mean(&encoder.posterior(&x).mean());
        let squared_error = (made - x).square().mean_dim(-1, false, Kind::Double);
        add_to(&mut sums, &(squared_error.clamp_min(LEAST_SQUARED_ERROR).log10() * -10.0));
    }
    Some(sums.into_iter().map(|sum| Mean::of(sum, test.shape.n as f64)).collect())
}

/// What every trained run has: its metrics that are measured at each epoch too, from its sums over the test split, and the
/// reconstruction of corrupted images, see [`reconstruction_of_corrupted`].
pub fn of_sums(cell: &Cell, sums: &Sums, of_corrupted: Option<Mean>, test: &Images) -> Vec<Measurement> {
    let n = sums.images as usize;
    let one_sample = || MetricSettings::samples(1);
    let mut rows = Vec::new();
    for (metric, value) in sums.means().filter(|(metric, _)| metric.about().of_trained) {
        let settings = match metric {
            Metric::ImportanceBound => {
                MetricSettings { samples: cell.objective_samples(), ..MetricSettings::default() }
            }
            _ => one_sample(),
        };
        rows.push(mean(metric, value, n, settings));
        if let (Metric::Reconstruction, Some(value)) = (metric, of_corrupted) {
            let settings = MetricSettings { input: Some(Input::Corrupted), ..one_sample() };
            rows.push(mean(metric, value, n, settings));
        }
    }
    let exact = |metric: Metric, value: f64, settings: MetricSettings| Measurement {
        metric,
        split: Split::Test,
        value,
        standard_error: None,
        n: n as u64,
        settings,
    };
    if let Some(units) = sums.active_units() {
        let settings = MetricSettings { variance_above: Some(ACTIVE_UNIT_VARIANCE), ..MetricSettings::default() };
        rows.push(exact(Metric::ActiveUnits, f64::from(units), settings));
    }
    if cell.scale() == Scale::GrayBce && sums.scalars.contains_key(&Metric::Reconstruction) {
        rows.push(exact(Metric::GrayBceFloor, data::gray_bce_floor(test), MetricSettings::default()));
    }
    rows
}

/// What is measured on the test images alone: their sharpness, unless they are too small to have one.
pub fn of_data(test: &Images) -> Option<Measurement> {
    let values: Vec<f32> = test.pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    sharpness(Subject::Data, &values, test.shape)
}

/// What is measured on the images that a model made: sharpness of decoder means, clamped to 0…1, of the reconstructions,
/// where there are any, and of the samples from the prior.
pub fn of_arrays(arrays: &Arrays) -> Vec<Measurement> {
    let of = |subject: Subject, array: &Array| {
        let &[n, channels, height, width] = array.shape.as_slice() else { return None };
        let values: Vec<f32> = array.values.iter().map(|value| value.clamp(0.0, 1.0)).collect();
        sharpness(subject, &values, Shape { n, channels, height, width })
    };
    let subjects = [(Subject::Reconstructions, ArrayName::Reconstructions), (Subject::Samples, ArrayName::Samples)];
    subjects.into_iter().filter_map(|(subject, name)| of(subject, arrays.get(name)?)).collect()
}

/// The latent means' log density under a mixture of Gaussians.
fn latent_log_density(density: Mean, test: &Images) -> Measurement {
    let settings = MetricSettings { components: Some(N_COMPONENTS), ..MetricSettings::default() };
    mean(Metric::LatentLogDensity, density, test.shape.n, settings)
}

fn sharpness(of: Subject, values: &[f32], shape: Shape) -> Option<Measurement> {
    let Sharpness { mean, standard_error } = data::sharpness(values, shape)?;
    Some(Measurement {
        metric: Metric::Sharpness,
        split: Split::Test,
        value: mean,
        standard_error,
        n: shape.n as u64,
        settings: MetricSettings::of(of),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::arrays::to_vec;

    /// Of the second replica, written out for one image after another.
    #[test]
    fn psnr_is_that_of_each_image_on_average() {
        let cell = |latent_dim: usize| -> Cell {
            let model = json!({ "hidden": [8], "latent_dim": latent_dim });
            serde_json::from_value(json!({ "dataset": { "name": { "folder": "/images" } }, "model": model })).unwrap()
        };
        let shape = Shape { n: 700, channels: 1, height: 3, width: 4 };
        let pixels: Vec<u8> = (0..shape.n * 12).map(|i| ((i * 2_654_435_761) >> 7) as u8).collect();
        let test = Images { pixels, shape, labels: None, factors: None };
        let image = spec::ImageShape { channels: 1, height: 3, width: 4 };
        let model = model::build(&[&cell(2), &cell(3)], image, Device::Cpu).unwrap().unwrap();
        let found = tch::no_grad(|| psnr(model.as_ref(), &test, Device::Cpu)).unwrap()[1];

        let x = in_order(&test, 0, shape.n, 2, Device::Cpu);
        let made = model.generator().mean(&model.encoder().unwrap().posterior(&x).mean());
        let (x, made) = (to_vec(&x.get(1)), to_vec(&made.get(1)));
        let of_images: Vec<f64> = x
            .chunks(12)
            .zip(made.chunks(12))
            .map(|(x, made)| {
                let squares: f64 = x.iter().zip(made).map(|(x, made)| f64::from(x - made).powi(2)).sum();
                -10.0 * (squares / 12.0).log10()
            })
            .collect();
        let expected = of_images.iter().sum::<f64>() / shape.n as f64;
        assert!((found.value - expected).abs() < 1e-6, "{found:?} and {expected}");
        let squares: f64 = of_images.iter().map(|value| (value - expected).powi(2)).sum();
        assert!((found.standard_error - squares.sqrt() / shape.n as f64).abs() < 1e-6, "{found:?}");
    }
}
