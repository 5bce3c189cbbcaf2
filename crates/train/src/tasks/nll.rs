//! The estimate of −log p(x) that tasks share.

use data::Images;
use model::Family;
use spec::{Evaluation, Measurement};

use crate::context::TaskContext;
use crate::evaluate;
use crate::messages::MessageWriter;
use crate::statistics::Mean;

/// Estimates −log p(x) of the test images as `evaluation` asks: a row for each replica, or `None` when a signal stopped it.
///
/// Errors for a model without a bound.
pub(super) fn nll(
    model: &dyn Family,
    test: &Images,
    evaluation: &Evaluation,
    context: &TaskContext,
    out: &mut MessageWriter<'_>,
) -> anyhow::Result<Option<Vec<Measurement>>> {
    let n_images = evaluation.images.unwrap_or(usize::MAX).min(test.shape.n);
    let n_samples = evaluation.importance_samples;
    let mut goes_on = |n_done: usize| {
        out.progress(1, 1, n_done as u64, n_images as u64);
        !context.is_stopped()
    };
    let estimates = evaluate::importance_sampled_nll(model, test, n_images, n_samples, context.device, &mut goes_on);
    match estimates {
        Some(estimates) => {
            let row = |nll: Mean| Measurement::nll(nll.value, nll.standard_error, n_images as u64, n_samples);
            Ok(Some(estimates.into_iter().map(row).collect()))
        }
        None if context.is_stopped() => Ok(None),
        None => anyhow::bail!("log p(x) cannot be estimated for a model without a bound\nhint: leave `evaluation` out"),
    }
}
