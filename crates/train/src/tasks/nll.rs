//! The measurement of −log p(x) that tasks share.

use data::Images;
use model::Family;
use spec::{Cell, Evaluation, Measurement, Metric, MetricSettings};

use crate::context::TaskContext;
use crate::evaluate;
use crate::evaluate::Nll;
use crate::messages::MessageWriter;
use crate::rows;

/// −log p(x) of the test images as `evaluation` asks, under the name that it has on the scale of each of `cells`: for each replica its
/// row, and that of the effective samples where it was sampled; or `None` when a signal stopped it.
///
/// Errors for a model without a bound.
pub(super) fn nll(
    model: &dyn Family,
    cells: &[&Cell],
    test: &Images,
    evaluation: &Evaluation,
    context: &TaskContext,
    out: &mut MessageWriter<'_>,
) -> anyhow::Result<Option<Vec<Vec<Measurement>>>> {
    let n_images = evaluation.images.unwrap_or(usize::MAX).min(test.shape.n);
    let n_samples = evaluation.importance_samples;
    let mut goes_on = |n_done: usize| {
        out.progress(1, 1, n_done as u64, n_images as u64);
        !context.is_stopped()
    };
    match evaluate::nll(model, test, n_images, n_samples, context.device, &mut goes_on) {
        Some(replicas) => {
            let of_replica = |(cell, Nll { nll, effective_samples }): (&&Cell, Nll)| match effective_samples {
                Some(effective) => {
                    let of = |metric, mean| rows::mean(metric, mean, n_images, MetricSettings::samples(n_samples));
                    vec![of(cell.scale().nll(), nll), of(Metric::EffectiveSamples, effective)]
                }
                None => {
                    let exact = MetricSettings { exact: Some(true), ..MetricSettings::default() };
                    vec![rows::mean(cell.scale().nll(), nll, n_images, exact)]
                }
            };
            Ok(Some(cells.iter().zip(replicas).map(of_replica).collect()))
        }
        None if context.is_stopped() => Ok(None),
        None => anyhow::bail!("log p(x) cannot be estimated for a model without a bound\nhint: leave `evaluation` out"),
    }
}
