//! `elbo evaluate --weights`: an experiment's model measured with weights from outside; nothing is stored.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Context, Result, bail};
use protocol::{Message, OutsideWeights, Task};
use serde::Serialize;
use spec::{Cell, Experiment, Measurement, ModelKind};

use crate::args::ExecutionArgs;
use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;
use crate::text;
use crate::text_table::{Align, TextTable};
use crate::worker::{Conclusion, Launcher, absolute, run_single, threads_of};

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct WeightsRequest<'a> {
    /// A safetensors file in the layout of a run's `model.safetensors`.
    pub file: &'a Path,
    /// Draws of z for each image.
    pub samples: usize,
    /// Whether JSON is printed rather than a table.
    pub is_json: bool,
}

#[derive(Serialize)]
struct WeightsJson<'a> {
    name: String,
    weights: &'a Path,
    scale: &'static str,
    rows: Vec<Measurement>,
}

/// Lets a worker measure the experiment's single cell with these weights, and prints what it found.
///
/// # Errors
/// If the experiment has several cells, its model is of a family without such numbers, there is no worker, or the weights
/// do not fit the model.
pub fn weights(
    settings: &Settings,
    experiment: &Experiment,
    execution: &ExecutionArgs,
    request: WeightsRequest<'_>,
) -> Result<Outcome> {
    let [cell] = experiment.cells.as_slice() else {
        bail!(
            "weights are of one model, and `{}` has {}\nhint: take an experiment without `sweep`, whose settings `--set` can change",
            experiment.name,
            text::counted(experiment.cells.len(), "cell")
        );
    };
    if !is_measurable(cell) {
        let why = match cell.model.kind {
            ModelKind::GaussianMixture { .. } => {
                "a Gaussian mixture over pixels, fitted by expectation maximisation; only models that are trained by gradients can be measured with weights from outside"
            }
            _ => "a GAN, which has neither an encoder nor a density, hence no terms of an ELBO that could be measured",
        };
        bail!(
            "`{}` is {why}\nhint: `elbo show RUN` prints what was measured when it was trained; an exported model has it in evaluation.parquet and README.md",
            cell.readable_name()
        );
    }
    let WeightsRequest { file, samples, .. } = request;
    let evaluation = experiment.evaluation_of(&cell.run_id());
    let samples = NonZeroUsize::new(samples).context("no samples of z are asked for\nhint: use 1 or more")?;
    let task = Task::Weights(OutsideWeights { file: absolute(file)?, samples, evaluation });
    let of_experiment = &experiment.execution;
    let asked = execution.threads.or(of_experiment.threads);
    let threads = threads_of(asked.unwrap_or(Machine::here().n_cores), asked.is_some());
    let launcher = Launcher::new(settings, execution.device.unwrap_or(of_experiment.device))?;
    let rows: Vec<Measurement> = match run_single(launcher, task, vec![cell.clone()], threads)? {
        Conclusion::Done { answer: Some(Message::Measurements(measurements)) } => measurements,
        Conclusion::Done { .. } => bail!("elbo-train has not told what it measured"),
        Conclusion::Stopped(signal) => return Ok(Outcome::Stopped(signal)),
    };
    let scale = cell.scale().as_str();
    if request.is_json {
        let name = cell.readable_name();
        output::print_json(&WeightsJson { name, weights: request.file, scale, rows })?;
        return Ok(Outcome::Well);
    }
    let heads = [("metric", Align::Left), ("value", Align::Right), ("standard error", Align::Right)];
    let mut table = TextTable::new(heads.into_iter().chain([("images", Align::Right), ("settings", Align::Left)]));
    for row in &rows {
        table.row(vec![
            row.metric.name().into(),
            text::measured(row.metric, row.value).into(),
            text::optional(row.metric, row.standard_error).into(),
            row.n.to_string().into(),
            row.settings.to_string().into(),
        ]);
    }
    let head = format!("{}, test split, nats per image, scale {scale}\n", cell.readable_name());
    output::print(&(head + &table.render(settings.is_coloured)))?;
    Ok(Outcome::Well)
}

/// Whether a model of this family has numbers that can be measured anew from its parameters.
pub fn is_measurable(cell: &Cell) -> bool {
    !matches!(cell.model.kind, ModelKind::GaussianMixture { .. } | ModelKind::Gan { .. })
}
