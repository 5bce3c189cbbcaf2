//! What a worker does with its job, one file a task.

mod evaluate_stored;
mod evaluate_weights;
mod nll;
mod train;
mod use_model;

use protocol::{Job, Task};

use crate::context::{TaskContext, TaskOutcome};
use crate::messages::MessageWriter;

/// Do a job's task with its cells. What is done already is left out.
///
/// Errors are those that concern all cells alike, such as data that cannot be read; what concerns one is recorded as
/// its run's failure.
pub fn run(job: &Job, context: &TaskContext, out: &mut MessageWriter<'_>) -> anyhow::Result<TaskOutcome> {
    let Some(first) = job.cells.first() else { return Ok(TaskOutcome::Done) };
    if let Some(other) = job.cells.iter().find(|cell| cell.cohort_key() != first.cohort_key()) {
        anyhow::bail!(
            "`{}` and `{}` cannot train as one cohort\nhint: a cohort's cells differ in latent width, β, learning rate, seed and likelihood scale alone",
            first.readable_name(),
            other.readable_name()
        );
    }
    match &job.task {
        Task::Train => train::train(&job.cells, context, out),
        Task::Evaluate(evaluation) => evaluate_stored::evaluate_stored(&job.cells, evaluation, context, out),
        Task::Weights(outside) => evaluate_weights::evaluate_weights(&job.cells, outside, context, out),
        Task::Use(usage) => use_model::use_model(first, usage, context),
    }
}
