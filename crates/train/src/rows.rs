//! The rows of evaluation.parquet, from what was measured on a trained model.

use data::{Images, Splits};
use model::Family;
use spec::metric::Input;
use spec::{Cell, Measurement, Metric, MetricSettings, Prior, Scale, Split};
use tch::Device;

use crate::arrays::ReplicaArrays;
use crate::closed_form;
use crate::cohort::Cohort;
use crate::evaluate::{SplitContext, batch_of, evaluate, reconstruction_of_corrupted};
use crate::image_metrics::{self, Judge};
use crate::sampling::N_COMPONENTS;
use crate::statistics::{Mean, Sums};
use crate::{information, quadrature};

/// A mean over `n` test images.
pub fn mean(metric: Metric, Mean { value, standard_error }: Mean, n: usize, settings: MetricSettings) -> Measurement {
    Measurement { metric, split: Split::Test, value, standard_error, n: n as u64, settings }
}

/// All that is measured on a cohort's trained models, with what was decoded for figures; one list for each replica.
pub fn of_cohort(
    cohort: &Cohort,
    splits: &Splits,
    at: &SplitContext<'_>,
    decoded: &[ReplicaArrays],
    device: Device,
) -> Vec<Vec<Measurement>> {
    let (model, test) = (cohort.model.as_ref(), &splits.test);
    let sums = evaluate(model, test, at, batch_of(&cohort.cells), device);
    let of_corrupted = reconstruction_of_corrupted(model, test, at, device);
    let measures = of_every_model(model, &cohort.cells.iter().collect::<Vec<_>>(), splits, device);
    let of_replica = |((replica, decoded), measures): ((usize, &ReplicaArrays), Vec<Measurement>)| {
        let of_corrupted = of_corrupted.as_ref().map(|means| means[replica]);
        let mut rows = of_sums(&cohort.cells[replica], &sums[replica], of_corrupted, test);
        rows.extend(decoded.latent_log_density.map(|density| latent_log_density(density, test)));
        rows.extend(measures);
        rows
    };
    decoded.iter().enumerate().zip(measures).map(of_replica).collect()
}

/// What [`spec::metric::MEASURES_VERSION`] is of: measured on every trained model, and later on those of stored runs that lack it. One
/// list for each replica.
pub fn of_every_model(model: &dyn Family, cells: &[&Cell], splits: &Splits, device: Device) -> Vec<Vec<Measurement>> {
    let judge = Judge::new(&splits.test);
    let (made, of_data) = (judge.of_model(model, device), judge.of_data());
    let kl_halves = image_metrics::kl_halves(model, &splits.test, device);
    let closed_form = closed_form::rows(model, cells, &splits.train, device);
    let information = information::rows(model, cells, &splits.test, device);
    let quadrature = quadrature::rows(model, cells, &splits.test, device);
    let of_replica = |(replica, made): (usize, Vec<Measurement>)| {
        let mut rows: Vec<Measurement> = of_data.iter().cloned().chain(made).collect();
        // With another prior the KL has no such halves.
        if let (Some(halves), Prior::Standard) = (&kl_halves, &cells[replica].model.prior) {
            rows.extend(halves[replica].clone());
        }
        rows.extend(information[replica].iter().cloned());
        rows.extend(quadrature[replica].iter().cloned());
        rows.extend(closed_form.iter().flat_map(|replicas| replicas[replica].clone()));
        rows
    };
    made.into_iter().enumerate().map(of_replica).collect()
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
        rows.push(exact(Metric::ActiveUnits, f64::from(units), MetricSettings::active_units()));
    }
    if cell.scale() == Scale::GrayBce && sums.scalars.contains_key(&Metric::Reconstruction) {
        rows.push(exact(Metric::GrayBceFloor, data::gray_bce_floor(test), MetricSettings::default()));
    }
    rows
}

/// The latent means' log density under a mixture of Gaussians.
fn latent_log_density(density: Mean, test: &Images) -> Measurement {
    let settings = MetricSettings { components: Some(N_COMPONENTS), ..MetricSettings::default() };
    mean(Metric::LatentLogDensity, density, test.shape.n, settings)
}
