//! Linear VAEs with Gaussian decoder beside what theory says of their optimum, on the training images.

use data::Images;
use measure::ClosedForm;
use model::Family;
use spec::metric::ACTIVE_UNIT_VARIANCE;
use spec::{Cell, Measurement, Metric, MetricSettings, Split};
use tch::{Device, Kind, Tensor};

use crate::evaluate::{BATCH, SplitContext, evaluate};

/// Images whose products are summed up at once.
const CHUNK: usize = 2_000;

/// What is measured on the training images after training, in one pass, and what the closed form says; one list for each
/// replica. `None` where some model has no closed form.
pub fn rows(model: &dyn Family, cells: &[&Cell], train: &Images, device: Device) -> Option<Vec<Vec<Measurement>>> {
    let variances: Vec<f64> = cells.iter().map(|cell| cell.closed_form_variance()).collect::<Option<_>>()?;
    let eigenvalues = covariance_eigenvalues(train);
    let betas: Vec<f64> = cells.iter().map(|cell| cell.objective.beta).collect();
    let epoch = cells.iter().map(|cell| cell.training.epochs).max().unwrap_or(0) as u32;
    let at = SplitContext { split: Split::Train, epoch, betas: &betas, n_train: train.shape.n };
    let sums = evaluate(model, train, &at, BATCH, device);
    let rows_of = |((cell, variance), sums): ((&&Cell, f64), crate::statistics::Sums)| {
        let mut rows: Vec<Measurement> = Vec::new();
        let mut add = |metric: Metric, value: f64, standard_error: Option<f64>, settings: MetricSettings| {
            let n = train.shape.n as u64;
            rows.push(Measurement { metric, split: Split::Train, value, standard_error, n, settings });
        };
        let one_sample = MetricSettings::samples(1);
        for (metric, mean) in sums.means().filter(|(metric, _)| metric.about().role == spec::metric::Role::Bound) {
            add(metric, mean.value, mean.standard_error, one_sample.clone());
        }
        if let Some(active) = sums.active_units() {
            add(Metric::ActiveUnits, f64::from(active), None, MetricSettings::active_units());
        }
        let mut kl = sums.kl_per_dim();
        kl.sort_by(|a, b| b.total_cmp(a));
        kl.iter().zip(1..).for_each(|(&kl, rank)| add(Metric::KlDimension, kl, None, MetricSettings::dimension(rank)));

        let theory = ClosedForm::new(&eigenvalues, cell.model.latent_dim, variance, cell.objective.beta);
        let mut predict = |metric, value, settings: MetricSettings| add(metric, value, None, settings.by_closed_form());
        predict(Metric::Elbo, theory.elbo(), MetricSettings::default());
        predict(Metric::Reconstruction, theory.reconstruction(), MetricSettings::default());
        predict(Metric::Kl, theory.kl(), MetricSettings::default());
        predict(Metric::ActiveUnits, theory.active_units(ACTIVE_UNIT_VARIANCE) as f64, MetricSettings::active_units());
        let of_dimensions = theory.kl_per_dim();
        of_dimensions
            .iter()
            .zip(1..)
            .for_each(|(&kl, rank)| predict(Metric::KlDimension, kl, MetricSettings::dimension(rank)));
        rows
    };
    Some(cells.iter().zip(variances).zip(sums).map(rows_of).collect())
}

/// Eigenvalues of the covariance of gray values 0…1, with 1/N in its denominator, ascending.
fn covariance_eigenvalues(images: &Images) -> Vec<f64> {
    let n_pixels = images.pixels.len() / images.shape.n.max(1);
    let rows = |start: usize, end: usize| {
        let bytes = Tensor::from_slice(&images.pixels[start * n_pixels..end * n_pixels]);
        bytes.view([-1, n_pixels as i64]).to_kind(Kind::Double) / 255.0
    };
    tch::no_grad(|| {
        let n = images.shape.n;
        let chunks = || (0..n).step_by(CHUNK).map(|start| rows(start, (start + CHUNK).min(n)));
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Double, Device::Cpu));
        let p = n_pixels as i64;
        let sum = chunks().fold(zeros(&[p]), |sum, x| sum + x.sum_dim_intlist(0, false, Kind::Double));
        let mean = sum / n as f64;
        let products = chunks().fold(zeros(&[p, p]), |sum, x| {
            let centred = x - &mean;
            sum + centred.transpose(0, 1).matmul(&centred)
        });
        let values = (products / n as f64).linalg_eigvalsh("L");
        let mut found = vec![0.0; n_pixels];
        values.copy_data(&mut found, n_pixels);
        found
    })
}
