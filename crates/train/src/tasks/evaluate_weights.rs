//! Measures a model with weights from outside the run store; nothing is stored.

use anyhow::{Context as _, bail, ensure};
use protocol::{Message, OutsideWeights};
use spec::{Cell, Measurement, MetricSettings, Split};

use crate::context::{TaskContext, TaskOutcome, image_shape};
use crate::evaluate::{self, SplitContext};
use crate::messages::MessageWriter;
use crate::rows;
use crate::tasks::nll::nll;
use crate::trained::TrainedModel;
use crate::weights::Weights;

/// Measure the one cell's model on the whole test split: the ELBO, its terms and active units as `evaluation.parquet` has them of
/// a run, and −log p(x) where it is asked for. The first draw of z is that of a trained run's evaluation, so that a run's own
/// weights give the numbers on its record.
///
/// Errors when there are several cells, the weights do not fit, the family is not trained by gradients, or a value is not finite.
pub(super) fn evaluate_weights(
    cells: &[Cell],
    outside: &OutsideWeights,
    context: &TaskContext,
    out: &mut MessageWriter<'_>,
) -> anyhow::Result<TaskOutcome> {
    let [cell] = cells else { bail!("weights from outside are of one model, and there are {} cells", cells.len()) };
    let OutsideWeights { file, samples, evaluation } = outside;
    let splits = context.splits(cell)?;
    let weights = Weights::from_outside(file)?;
    let trained = TrainedModel::open(&[(cell, &weights)], image_shape(&splits.test), context.device)?;
    let model = trained.family()?;
    let first_epoch = u32::try_from(cell.training.epochs).context("too many epochs")?;
    let mut draws: Vec<Vec<Measurement>> = Vec::new();
    for draw in 0..samples.get() {
        if context.is_stopped() {
            return Ok(context.interrupted());
        }
        let epoch = first_epoch.saturating_add(u32::try_from(draw).unwrap_or(u32::MAX));
        let at =
            SplitContext { split: Split::Test, epoch, betas: &[cell.objective.beta], n_train: splits.train.shape.n };
        let n_at_once = evaluate::batch_of(std::slice::from_ref(cell));
        let sums = evaluate::evaluate(model, &splits.test, &at, n_at_once, context.device);
        draws.extend(sums.first().map(|sums| rows::of_sums(cell, sums, None, &splits.test)));
    }
    let mut rows = mean_of(draws, samples.get());
    if let Some(evaluation) = evaluation {
        let Some(estimates) = nll(model, &[cell], &splits.test, evaluation, context, out)? else {
            return Ok(context.interrupted());
        };
        rows.extend(estimates.into_iter().flatten());
    }
    ensure!(
        !rows.is_empty(),
        "the model of `{}` has neither a bound nor reconstructions to be measured",
        cell.readable_name()
    );
    for row in &rows {
        ensure!(row.value.is_finite(), "`{}` of these weights is not finite", row.metric);
    }
    out.message(&Message::Measurements(rows));
    Ok(TaskOutcome::Done)
}

/// Each row's mean over draws. Standard errors are over images, of which all draws have the same.
fn mean_of(draws: Vec<Vec<Measurement>>, samples: usize) -> Vec<Measurement> {
    let n = draws.len() as f64;
    let mean = |i: usize, of: fn(&Measurement) -> Option<f64>| -> Option<f64> {
        draws.iter().map(|rows| rows.get(i).and_then(of)).sum::<Option<f64>>().map(|sum| sum / n)
    };
    let Some(first) = draws.first() else { return Vec::new() };
    let merged = |(i, row): (usize, &Measurement)| Measurement {
        value: mean(i, |row| Some(row.value)).unwrap_or(f64::NAN),
        standard_error: mean(i, |row| row.standard_error),
        settings: if row.settings == MetricSettings::samples(1) {
            MetricSettings::samples(samples)
        } else {
            row.settings.clone()
        },
        ..row.clone()
    };
    first.iter().enumerate().map(merged).collect()
}
