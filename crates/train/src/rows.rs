//! The rows of evaluation.parquet, from what was measured on a trained model.

use data::{Images, Shape, Sharpness};
use model::Family;
use model::noise::{NoiseKey, Stream};
use spec::metric::{Input, Subject};
use spec::{Cell, Measurement, Metric, MetricSettings, Scale, Split};
use tch::{Device, Kind, Tensor};

use crate::arrays::ReplicaArrays;
use crate::batches::in_order;
use crate::cohort::Cohort;
use crate::evaluate::{BATCH, SplitContext, add_to, batch_of, evaluate, reconstruction_of_corrupted};
use crate::sampling::N_COMPONENTS;
use crate::statistics::{ACTIVE_UNIT_VARIANCE, Mean, Sums};

/// A mean over `n` test images.
pub fn mean(metric: Metric, Mean { value, standard_error }: Mean, n: usize, settings: MetricSettings) -> Measurement {
    Measurement { metric, split: Split::Test, value, standard_error, n: n as u64, settings }
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
    let made = tch::no_grad(|| of_made(model, test, device));
    let of_data = of_data(test);
    let of_replica = |(replica, decoded): (usize, &ReplicaArrays)| {
        let of_corrupted = of_corrupted.as_ref().map(|means| means[replica]);
        let mut rows = of_sums(&cohort.cells[replica], &sums[replica], of_corrupted, test);
        rows.extend(decoded.latent_log_density.map(|density| latent_log_density(density, test)));
        rows.extend(of_data.clone());
        rows.extend(
            made.iter().map(|(metric, settings, means)| mean(*metric, means[replica], test.shape.n, settings.clone())),
        );
        rows
    };
    decoded.iter().enumerate().map(of_replica).collect()
}

/// An image's squared error never counts as less than this, so that a perfect reconstruction has 100 dB.
const LEAST_SQUARED_ERROR: f64 = 1e-10;

/// What is measured on images that the models made, as means over them for each replica: PSNR and sharpness of the decoder means
/// at the posterior's mean of all test images, and sharpness of the decoder means of as many draws from the prior.
///
/// PSNR is −10·log₁₀ of an image's mean squared error, in dB; sharpness that of [`sharpness_of`]. What a model or such images
/// do not have is absent.
fn of_made(model: &dyn Family, test: &Images, device: Device) -> Vec<(Metric, MetricSettings, Vec<Mean>)> {
    let n_replicas = model.parameters().replicas().len();
    let prior = model.generator().sample_prior(test.shape.n, NoiseKey::new(Stream::Prior, 0, 0));
    let none = vec![[0.0; 2]; n_replicas];
    let (mut psnr, mut of_reconstructions, mut of_samples) = (none.clone(), none.clone(), none);
    for start in (0..test.shape.n).step_by(BATCH) {
        let end = (start + BATCH).min(test.shape.n);
        if let Some(encoder) = model.encoder() {
            let x = in_order(test, start, end, n_replicas, device);
            let made = model.generator().mean(&encoder.posterior(&x).mean());
            let squared_error = (&made - x).square().mean_dim(-1, false, Kind::Double);
            add_to(&mut psnr, &(squared_error.clamp_min(LEAST_SQUARED_ERROR).log10() * -10.0));
            sharpness_of(&made, test.shape).iter().for_each(|values| add_to(&mut of_reconstructions, values));
        }
        let z = prior.narrow(1, start as i64, (end - start) as i64).to_device(device);
        sharpness_of(&model.generator().mean(&z), test.shape).iter().for_each(|values| add_to(&mut of_samples, values));
    }
    let of_replicas = |sums: Vec<[f64; 2]>| sums.into_iter().map(|sum| Mean::of(sum, test.shape.n as f64)).collect();
    let sharp = |subject: Subject, sums| (Metric::Sharpness, MetricSettings::of(subject), of_replicas(sums));
    let mut made = Vec::new();
    if model.encoder().is_some() {
        made.push((Metric::Psnr, MetricSettings::default(), of_replicas(psnr)));
        made.push(sharp(Subject::Reconstructions, of_reconstructions));
    }
    made.push(sharp(Subject::Samples, of_samples));
    let has_interior = test.shape.height > 2 && test.shape.width > 2;
    made.retain(|(metric, ..)| *metric != Metric::Sharpness || has_interior);
    made
}

/// Sharpness of each image, the variance of its Laplacian over the interior pixels, of gray values that are means over channels and
/// clamped to 0…1; `[R, B, P]` to `[R, B]` in double precision. `None` for images of less than 3 × 3 pixels.
fn sharpness_of(images: &Tensor, Shape { channels, height, width, .. }: Shape) -> Option<Tensor> {
    if height < 3 || width < 3 {
        return None;
    }
    let [channels, height, width] = [channels, height, width].map(|length| length as i64);
    let (n_replicas, n) = (images.size()[0], images.size()[1]);
    let gray = images.clamp(0.0, 1.0).to_kind(Kind::Double).view([n_replicas, n, channels, height, width]);
    let gray = gray.mean_dim(2, false, Kind::Double);
    let at = |row: i64, column: i64| gray.narrow(2, row, height - 2).narrow(3, column, width - 2);
    let laplacian = at(0, 1) + at(2, 1) + at(1, 0) + at(1, 2) - at(1, 1) * 4.0;
    Some(laplacian.flatten(2, 3).var_dim(-1, false, false).to_device(Device::Cpu))
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

/// Sharpness of draws `[n, P]` of a model that has no means of images, clamped to 0…1.
pub fn of_draws(draws: &Tensor, test: &Images) -> Option<Measurement> {
    let values = sharpness_of(&draws.unsqueeze(0), test.shape)?;
    let mut sums = vec![[0.0; 2]];
    add_to(&mut sums, &values);
    let n = draws.size()[0] as usize;
    Some(mean(Metric::Sharpness, Mean::of(sums[0], n as f64), n, MetricSettings::of(Subject::Draws)))
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
        let found = tch::no_grad(|| of_made(model.as_ref(), &test, Device::Cpu));
        let found = found.iter().find(|(metric, ..)| *metric == Metric::Psnr).unwrap().2[1];

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
        let n = shape.n as f64;
        let standard_error = found.standard_error.unwrap();
        assert!((standard_error - (squares / (n - 1.0) / n).sqrt()).abs() < 1e-6, "{found:?}");
    }

    /// Of all test images and as many draws from the prior, as `data::sharpness` has it for one image after another.
    #[test]
    fn sharpness_is_of_the_whole_split() {
        let cell = |latent_dim: usize| -> Cell {
            let model = json!({ "hidden": [8], "latent_dim": latent_dim });
            serde_json::from_value(json!({ "dataset": { "name": { "folder": "/images" } }, "model": model })).unwrap()
        };
        let shape = Shape { n: 700, channels: 1, height: 3, width: 4 };
        let pixels: Vec<u8> = (0..shape.n * 12).map(|i| ((i * 2_654_435_761) >> 7) as u8).collect();
        let test = Images { pixels, shape, labels: None, factors: None };
        let image = spec::ImageShape { channels: 1, height: 3, width: 4 };
        let model = model::build(&[&cell(2), &cell(3)], image, Device::Cpu).unwrap().unwrap();
        let found = tch::no_grad(|| of_made(model.as_ref(), &test, Device::Cpu));
        let of = |subject: Subject| {
            let wanted = MetricSettings::of(subject);
            found.iter().find(|(metric, settings, _)| *metric == Metric::Sharpness && *settings == wanted).unwrap().2[1]
        };
        let x = in_order(&test, 0, shape.n, 2, Device::Cpu);
        let reconstructions = model.generator().mean(&model.encoder().unwrap().posterior(&x).mean());
        let samples =
            model.generator().mean(&model.generator().sample_prior(shape.n, NoiseKey::new(Stream::Prior, 0, 0)));
        for (subject, images) in [(Subject::Reconstructions, reconstructions), (Subject::Samples, samples)] {
            let expected = data::sharpness(&to_vec(&images.get(1)), shape).unwrap();
            let found = of(subject);
            assert!((found.value - expected.mean).abs() < 1e-9, "{subject:?}: {found:?} and {expected:?}");
        }
    }
}
