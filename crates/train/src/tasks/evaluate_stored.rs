//! Measures more on the trained models of stored runs, and adds it to their records.

use std::rc::Rc;

use data::Splits;
use protocol::Event;
use record::{RecordError, Run, RunEditor};
use spec::{Cell, Evaluation, Measurement};

use crate::context::{TaskContext, TaskOutcome, image_shape};
use crate::messages::MessageWriter;
use crate::rows;
use crate::tasks::nll::nll;
use crate::trained::{TrainedModel, check_images};
use crate::weights::Weights;

/// A finished run and its parameters.
struct Member<'a> {
    cell: &'a Cell,
    run: Run,
    weights: Weights,
}

/// Measure what is not on record of cells of one cohort whose runs are done: the metrics of every model, then −log p(x) of the test
/// images where `evaluation` asks for it.
///
/// Errors are those that concern all cells alike; what concerns one is told as its failure, and its records stay as they are.
pub(super) fn evaluate_stored(
    cells: &[Cell],
    evaluation: Option<&Evaluation>,
    context: &TaskContext,
    out: &mut MessageWriter<'_>,
) -> anyhow::Result<TaskOutcome> {
    let Some(first) = cells.first() else { return Ok(TaskOutcome::Done) };
    let (splits, store) = (context.splits(first)?, context.store()?);
    let mut outcome = TaskOutcome::Done;
    let (mut unmeasured, mut unestimated) = (Vec::new(), Vec::new());
    for cell in cells {
        let run = store.run(&cell.run_id());
        let (lacks_measures, lacks_estimate) = match lacks(&run, evaluation) {
            // There is no such run, which its weights will tell.
            Err(error) if error.is_not_found() => (true, false),
            other => other?,
        };
        if !lacks_measures && !lacks_estimate {
            continue;
        }
        match trained_weights(&run, &splits) {
            Ok(weights) => {
                let member = Rc::new(Member { cell, run, weights });
                unmeasured.extend(lacks_measures.then(|| Rc::clone(&member)));
                unestimated.extend(lacks_estimate.then_some(member));
            }
            Err(error) => outcome = fail(&run, &error, out),
        }
    }
    if !unmeasured.is_empty() {
        let trained = open(&unmeasured, &splits, context)?;
        let cells: Vec<&Cell> = unmeasured.iter().map(|member| member.cell).collect();
        let rows = rows::of_every_model(trained.family()?, &cells, &splits, context.device);
        for (member, rows) in unmeasured.iter().zip(rows) {
            let run = &member.run;
            let add = |mut editor: RunEditor| editor.evaluation(&rows).and_then(|()| editor.measured());
            if let Err(error) = RunEditor::open(run).and_then(add) {
                outcome = fail(run, &error.into(), out);
            }
        }
    }
    if let (Some(evaluation), false) = (evaluation, unestimated.is_empty()) {
        if context.is_stopped() {
            return Ok(context.interrupted());
        }
        let trained = open(&unestimated, &splits, context)?;
        let cells: Vec<&Cell> = unestimated.iter().map(|member| member.cell).collect();
        let Some(rows) = nll(trained.family()?, &cells, &splits.test, evaluation, context, out)? else {
            return Ok(context.interrupted());
        };
        for (member, rows) in unestimated.iter().zip(rows) {
            let run = &member.run;
            // Values that are not finite are refused here.
            match RunEditor::open(run).and_then(|mut editor| editor.evaluation(&rows)) {
                Ok(()) => tell(run, rows, out),
                Err(error) => outcome = fail(run, &error.into(), out),
            }
        }
    }
    Ok(outcome)
}

/// Whether a run lacks metrics of every model, and −log p(x) that is asked for.
fn lacks(run: &Run, evaluation: Option<&Evaluation>) -> Result<(bool, bool), RecordError> {
    Ok((run.lacks_measures()?, evaluation.map_or(Ok(false), |evaluation| run.lacks_evaluation(evaluation))?))
}

/// The models of several runs as one program.
fn open(members: &[Rc<Member<'_>>], splits: &Splits, context: &TaskContext) -> anyhow::Result<TrainedModel> {
    let stored: Vec<_> = members.iter().map(|member| (member.cell, &member.weights)).collect();
    TrainedModel::open(&stored, image_shape(&splits.test), context.device)
}

/// Tells what was measured.
fn tell(run: &Run, rows: Vec<Measurement>, out: &mut MessageWriter<'_>) {
    for row in rows {
        out.event(Event::Evaluated {
            run_id: run.id().clone(),
            metric: row.metric,
            value: row.value,
            standard_error: row.standard_error,
        });
    }
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
