//! The rows of evaluation.parquet, from what was measured on a trained model.

use data::{Images, Shape, Sharpness};
use record::{Array, ArrayName, Arrays, EvaluationRow, Split};
use spec::metric::{Input, Subject};
use spec::{Cell, Metric, MetricSettings, Scale};
use tch::Device;

use crate::arrays::Decoded;
use crate::cohort::Cohort;
use crate::evaluate::{At, evaluate, reconstruction_of_corrupted};
use crate::sampling::N_COMPONENTS;
use crate::statistics::{ACTIVE_UNIT_VARIANCE, Mean, Sums};

/// A mean over `n` test images.
pub fn mean(metric: Metric, Mean { value, standard_error }: Mean, n: usize, settings: MetricSettings) -> EvaluationRow {
    EvaluationRow { metric, split: Split::Test, value, standard_error: Some(standard_error), n: n as u64, settings }
}

/// All that is measured on a cohort's trained models on the test split, with what was decoded for figures; one list for each
/// replica.
pub fn of_cohort(
    cohort: &Cohort,
    test: &Images,
    at: &At<'_>,
    decoded: &[Decoded],
    device: Device,
) -> Vec<Vec<EvaluationRow>> {
    let model = cohort.model.as_ref();
    let sums = evaluate(model, test, at, device);
    let of_corrupted = reconstruction_of_corrupted(model, test, at, device);
    let of_data = of_data(test);
    let of_replica = |(replica, decoded): (usize, &Decoded)| {
        let of_corrupted = of_corrupted.as_ref().map(|means| means[replica]);
        let mut rows = of_sums(&cohort.cells[replica], &sums[replica], of_corrupted, test);
        rows.extend(decoded.latent_log_density.map(|density| latent_log_density(density, test)));
        rows.extend(of_data.clone());
        rows.extend(of_arrays(&decoded.arrays));
        rows
    };
    decoded.iter().enumerate().map(of_replica).collect()
}

/// What every trained run has: its metrics that are measured at each epoch too, from its sums over the test split, and the
/// reconstruction of corrupted images, see [`reconstruction_of_corrupted`].
pub fn of_sums(cell: &Cell, sums: &Sums, of_corrupted: Option<Mean>, test: &Images) -> Vec<EvaluationRow> {
    let n = sums.images as usize;
    let one_sample = || MetricSettings::samples(1);
    let mut rows = Vec::new();
    for (metric, value) in sums.means().filter(|(metric, _)| metric.about().of_trained) {
        rows.push(mean(metric, value, n, one_sample()));
        if let (Metric::Reconstruction, Some(value)) = (metric, of_corrupted) {
            let settings = MetricSettings { input: Some(Input::Corrupted), ..one_sample() };
            rows.push(mean(metric, value, n, settings));
        }
    }
    let exact = |metric: Metric, value: f64, settings: MetricSettings| EvaluationRow {
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
pub fn of_data(test: &Images) -> Option<EvaluationRow> {
    let values: Vec<f32> = test.pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    sharpness(Subject::Data, &values, test.shape)
}

/// What is measured on the images that a model made: sharpness of decoder means, clamped to 0…1, of the reconstructions,
/// where there are any, and of the samples from the prior.
pub fn of_arrays(arrays: &Arrays) -> Vec<EvaluationRow> {
    let of = |subject: Subject, array: &Array| {
        let &[n, channels, height, width] = array.shape.as_slice() else { return None };
        let values: Vec<f32> = array.values.iter().map(|value| value.clamp(0.0, 1.0)).collect();
        sharpness(subject, &values, Shape { n, channels, height, width })
    };
    let subjects = [(Subject::Reconstructions, ArrayName::Reconstructions), (Subject::Samples, ArrayName::Samples)];
    subjects.into_iter().filter_map(|(subject, name)| of(subject, arrays.get(name)?)).collect()
}

/// The latent means' log density under a mixture of Gaussians.
fn latent_log_density(density: Mean, test: &Images) -> EvaluationRow {
    let settings = MetricSettings { components: Some(N_COMPONENTS), ..MetricSettings::default() };
    mean(Metric::LatentLogDensity, density, test.shape.n, settings)
}

fn sharpness(of: Subject, values: &[f32], shape: Shape) -> Option<EvaluationRow> {
    let Sharpness { mean, standard_error } = data::sharpness(values, shape)?;
    Some(EvaluationRow {
        metric: Metric::Sharpness,
        split: Split::Test,
        value: mean,
        standard_error,
        n: shape.n as u64,
        settings: MetricSettings::of(of),
    })
}
