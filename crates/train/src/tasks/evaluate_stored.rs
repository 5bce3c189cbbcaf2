//! Measures more on the trained models of stored runs, and adds it to their records.

use data::Splits;
use protocol::Event;
use record::{Run, RunEditor};
use spec::{Cell, Evaluation};

use crate::context::{TaskContext, TaskOutcome, image_shape};
use crate::messages::MessageWriter;
use crate::tasks::nll::nll;
use crate::trained::{TrainedModel, check_images};
use crate::weights::Weights;

/// A finished run and its parameters.
struct Member<'a> {
    cell: &'a Cell,
    run: Run,
    weights: Weights,
}

/// Estimate −log p(x) of the test images as `evaluation` asks, for cells of one cohort whose runs are done and have it not on record.
///
/// Errors are those that concern all cells alike; what concerns one is told as its failure, and its records stay as they are.
pub(super) fn evaluate_stored(
    cells: &[Cell],
    evaluation: &Evaluation,
    context: &TaskContext,
    out: &mut MessageWriter<'_>,
) -> anyhow::Result<TaskOutcome> {
    let Some(first) = cells.first() else { return Ok(TaskOutcome::Done) };
    let (splits, store) = (context.splits(first)?, context.store()?);
    let mut members = Vec::new();
    let mut outcome = TaskOutcome::Done;
    for cell in cells {
        let run = store.run(&cell.run_id());
        if run.is_evaluated(evaluation)? {
            continue;
        }
        match trained_weights(&run, &splits) {
            Ok(weights) => members.push(Member { cell, run, weights }),
            Err(error) => outcome = fail(&run, &error, out),
        }
    }
    if members.is_empty() {
        return Ok(outcome);
    }

    let stored: Vec<_> = members.iter().map(|member| (member.cell, &member.weights)).collect();
    let trained = TrainedModel::open(&stored, image_shape(&splits.test), context.device)?;
    let Some(rows) = nll(trained.family()?, &splits.test, evaluation, context, out)? else {
        return Ok(context.interrupted());
    };
    for (Member { run, .. }, rows) in members.iter().zip(rows) {
        // Values that are not finite are refused here.
        match RunEditor::open(run).and_then(|mut editor| editor.evaluation(&rows)) {
            Ok(()) => rows.into_iter().for_each(|row| {
                out.event(Event::Evaluated {
                    run_id: run.id().clone(),
                    metric: row.metric,
                    value: row.value,
                    standard_error: row.standard_error,
                });
            }),
            Err(error) => outcome = fail(run, &error.into(), out),
        }
    }
    Ok(outcome)
}

/// Tells why a run is not measured.
fn fail(run: &Run, error: &anyhow::Error, out: &mut MessageWriter<'_>) -> TaskOutcome {
    out.event(Event::Failed { run_id: run.id().clone(), reason: format!("{error:#}") });
    TaskOutcome::SomeFailed
}

/// The parameters of a run that is done and was trained on these images.
fn trained_weights(run: &Run, splits: &Splits) -> anyhow::Result<Weights> {
    let weights = Weights::of_run(run)?;
    check_images(run, splits)?;
    Ok(weights)
}
