//! What a worker does with its job, one file a task.

mod evaluate_stored;
mod evaluate_weights;
mod train;
mod use_model;

use data::Images;
use model::Family;
use protocol::{Job, Task};
use record::EvaluationRow;
use spec::Evaluation;

use crate::context::{Context, Outcome};
use crate::evaluate;
use crate::out::Out;
use crate::statistics::Mean;

/// Do a job's task with its cells. What is done already is left out.
///
/// Errors are those that concern all cells alike, such as data that cannot be read; what concerns one is recorded as
/// its run's failure.
pub fn run(job: &Job, context: &Context, out: &mut Out<'_>) -> anyhow::Result<Outcome> {
    let Some(first) = job.cells.first() else { return Ok(Outcome::Done) };
    if let Some(other) = job.cells.iter().find(|cell| cell.cohort_key() != first.cohort_key()) {
        anyhow::bail!(
            "`{}` and `{}` cannot train as one cohort\nhint: a cohort's cells differ in latent width, β, learning rate, seed and likelihood scale alone",
            first.readable_name(),
            other.readable_name()
        );
    }
    match &job.task {
        Task::Train => train::train(&job.cells, context, out),
        Task::Evaluate(asked) => evaluate_stored::evaluate_stored(&job.cells, asked, context, out),
        Task::Weights(outside) => evaluate_weights::evaluate_weights(&job.cells, outside, context, out),
        Task::Use(usage) => use_model::use_model(first, usage, context),
    }
}

/// Estimates −log p(x) of the test images as `asked`: a row for each replica, or `None` when a signal stopped it.
///
/// Errors for a model without a bound.
fn nll(
    model: &dyn Family,
    test: &Images,
    asked: &Evaluation,
    context: &Context,
    out: &mut Out<'_>,
) -> anyhow::Result<Option<Vec<EvaluationRow>>> {
    let n_images = asked.images.unwrap_or(usize::MAX).min(test.shape.n);
    let n_samples = asked.importance_samples;
    let mut goes_on = |n_done: usize| {
        out.progress(1, 1, n_done as u64, n_images as u64);
        !context.is_stopped()
    };
    let estimates = evaluate::importance_sampled_nll(model, test, n_images, n_samples, context.device, &mut goes_on);
    match estimates {
        Some(estimates) => {
            let row = |nll: Mean| EvaluationRow::nll(nll.value, nll.standard_error, n_images as u64, n_samples);
            Ok(Some(estimates.into_iter().map(row).collect()))
        }
        None if context.is_stopped() => Ok(None),
        None => anyhow::bail!("log p(x) cannot be estimated for a model without a bound\nhint: leave `evaluation` out"),
    }
}
