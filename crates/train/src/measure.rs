//! A worker's other task: numbers that are measured on the trained models of stored runs, and added to their records.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, bail};
use data::Splits;
use model::parameters::Exported;
use record::{EvaluationRow, Event, Run, Status, Store};
use spec::{Cell, Evaluation};
use tch::Device;

use crate::cohort::Cohort;
use crate::evaluate;
use crate::recorder::{Out, PROGRESS_EVERY};
use crate::weights;
use crate::work::{Outcome, image_shape};

/// A finished run: its cell, its records and its parameters.
struct Trained {
    cell: Cell,
    run: Run,
    parameters: Vec<Exported>,
}

/// Estimate −log p(x) of the test images as `asked`, for cells of one cohort whose runs are done and have it not on record.
///
/// Errors are those that concern all cells alike; what concerns one is told as its failure, and its records stay as they are.
pub(crate) fn measure(
    cells: Vec<Cell>,
    asked: &Evaluation,
    splits: &Splits,
    store: &Store,
    device: Device,
    signal: &AtomicUsize,
    out: &mut Out<'_>,
) -> anyhow::Result<Outcome> {
    let mut trained = Vec::new();
    let mut n_failed = 0;
    for cell in cells {
        let run = store.run(&cell.run_id());
        if run.is_evaluated(asked)? {
            continue;
        }
        match parameters(&run, splits) {
            Ok(parameters) => trained.push(Trained { cell, run, parameters }),
            Err(error) => n_failed += tell_failure(&run, &error, out),
        }
    }
    if trained.is_empty() {
        return Ok(if n_failed > 0 { Outcome::SomeFailed } else { Outcome::Done });
    }

    let cells = trained.iter().map(|one| one.cell.clone()).collect();
    let cohort = Cohort::new(cells, image_shape(&splits.test), device)?;
    for (replica, one) in trained.iter().enumerate() {
        let imported = cohort.model.parameters().import(replica, &one.parameters);
        imported.with_context(|| format!("`{}` is not of this model", one.run.model_file().display()))?;
    }
    let n_images = asked.images.unwrap_or(usize::MAX).min(splits.test.shape.n);
    let mut last_progress: Option<Instant> = None;
    let mut goes_on = |n_done: usize| {
        if last_progress.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY) {
            last_progress = Some(Instant::now());
            out.event(&Event::Progress { epoch: 1, epochs: 1, step: n_done as u64, steps: n_images as u64 });
        }
        signal.load(Ordering::Relaxed) == 0
    };
    let (model, n_samples) = (cohort.model.as_ref(), asked.importance_samples);
    let estimates = evaluate::importance_sampled_nll(model, &splits.test, n_images, n_samples, device, &mut goes_on);
    let Some(estimates) = estimates else {
        match signal.load(Ordering::Relaxed) {
            0 => bail!("log p(x) cannot be estimated for a model without a bound\nhint: leave `evaluation` out"),
            signal => return Ok(Outcome::Interrupted(signal)),
        }
    };
    for (one, estimate) in trained.iter().zip(estimates) {
        let row = EvaluationRow::nll(estimate.value, estimate.standard_error, n_images as u64, n_samples);
        // Values that are not finite are refused here.
        match one.run.add_evaluation(std::slice::from_ref(&row)) {
            Ok(()) => out.event(&Event::Evaluated {
                run_id: one.run.id().clone(),
                metric: row.metric,
                value: estimate.value,
                standard_error: estimate.standard_error,
            }),
            Err(error) => n_failed += tell_failure(&one.run, &error.into(), out),
        }
    }
    Ok(if n_failed > 0 { Outcome::SomeFailed } else { Outcome::Done })
}

/// Says why a run is not measured; the one failure to count.
fn tell_failure(run: &Run, error: &anyhow::Error, out: &mut Out<'_>) -> usize {
    out.event(&Event::Failed { run_id: run.id().clone(), reason: format!("{error:#}") });
    1
}

/// The parameters of a run that is done and was trained on these images.
fn parameters(run: &Run, splits: &Splits) -> anyhow::Result<Vec<Exported>> {
    if run.status()? != Status::Done {
        bail!("the run is not done, so that there is no trained model to measure");
    }
    check_images(run, splits)?;
    weights::read_stored(run)
}

/// Refuses other images than those that the run was trained with.
pub(crate) fn check_images(run: &Run, splits: &Splits) -> anyhow::Result<()> {
    let trained_on = run.manifest()?.provenance.data_sha256;
    if trained_on != splits.digest {
        bail!("the images are no longer those that the model was trained with: their digest was `{trained_on}`");
    }
    Ok(())
}
