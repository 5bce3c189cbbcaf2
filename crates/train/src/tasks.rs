//! What a worker does with its job, one file a task.

mod calibrate;
mod evaluate_stored;
mod evaluate_weights;
mod nll;
mod train;
mod use_model;

use protocol::{Job, Task};
use spec::Cell;

use crate::context::{TaskContext, TaskOutcome};
use crate::messages::MessageWriter;

/// Do a job's task with its cells. What is done already is left out.
///
/// Errors are those that concern all cells alike, such as data that cannot be read; what concerns one is recorded as
/// its run's failure.
pub fn run(job: &Job, context: &TaskContext, out: &mut MessageWriter<'_>) -> anyhow::Result<TaskOutcome> {
    check_cohort(&job.cells)?;
    match (&job.task, job.cells.first()) {
        (Task::Calibrate(trials), _) => calibrate::calibrate(trials, context, out),
        (_, None) => Ok(TaskOutcome::Done),
        (Task::Train, _) => train::train(&job.cells, context, out),
        (Task::Evaluate(evaluation), _) => {
            evaluate_stored::evaluate_stored(&job.cells, evaluation.as_ref(), context, out)
        }
        (Task::Weights(outside), _) => evaluate_weights::evaluate_weights(&job.cells, outside, context, out),
        (Task::Use(usage), Some(first)) => use_model::use_model(first, usage, context),
    }
}

/// Errors where cells cannot train as one program.
fn check_cohort(cells: &[Cell]) -> anyhow::Result<()> {
    let Some(first) = cells.first() else { return Ok(()) };
    if let Some(other) = cells.iter().find(|cell| cell.cohort_key() != first.cohort_key()) {
        anyhow::bail!(
            "`{}` and `{}` cannot train as one cohort\nhint: a cohort's cells differ in latent width, β, learning rate, seed and likelihood scale alone",
            first.readable_name(),
            other.readable_name()
        );
    }
    Ok(())
}
