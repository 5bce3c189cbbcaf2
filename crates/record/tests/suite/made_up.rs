//! Made-up rows of a run, for the tests of every crate that reads or writes them.

use record::{EpochMetrics, MetricsRow};
use spec::{Cell, Measurement, Metric, MetricSettings, Split};

/// The row of an epoch with this reconstruction error and KL, in nats per image; the other terms follow from them.
pub fn row(cell: &Cell, epoch: u32, split: Split, reconstruction: f64, kl_per_dim: Vec<f64>) -> MetricsRow {
    let (beta, kl) = (cell.objective.beta, kl_per_dim.iter().sum::<f64>());
    let is_evaluated = split != Split::Train;
    let mut terms = EpochMetrics::from([
        (Metric::Elbo, -(reconstruction + kl)),
        (Metric::Reconstruction, reconstruction),
        (Metric::Kl, kl),
        (Metric::Objective, reconstruction + beta * kl),
    ]);
    if is_evaluated {
        let n_active = kl_per_dim.iter().filter(|kl| **kl > 0.02).count();
        terms.set(Metric::ActiveUnits, n_active as f64);
    }
    // Above 0.01 where the unit counts as active.
    let variances = kl_per_dim.iter().map(|kl| kl / 2.0);
    MetricsRow {
        run_id: cell.run_id(),
        split,
        epoch,
        step: u64::from(epoch) * 469,
        images: if split == Split::Test { 10_000 } else { 60_000 },
        scale: cell.scale(),
        terms,
        objective_samples: cell.objective_samples().map(|n| n as u32),
        objective_batch: cell.objective_batch().map(|n| n as u32),
        beta,
        latent_mean_variance: if is_evaluated { variances.collect() } else { Vec::new() },
        kl_per_dim,
        learning_rate: 1e-3,
        gradient_norm: (split == Split::Train).then_some(3.5),
        seconds: 2.5,
    }
}

/// A number measured on the test images of a trained model.
pub fn measured(
    metric: Metric,
    value: f64,
    standard_error: impl Into<Option<f64>>,
    settings: MetricSettings,
) -> Measurement {
    Measurement { metric, split: Split::Test, value, standard_error: standard_error.into(), n: 10_000, settings }
}
