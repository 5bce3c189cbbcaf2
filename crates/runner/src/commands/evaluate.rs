//! `elbo evaluate`: more numbers on stored models, measured by workers and added to what is on record.

use std::collections::BTreeSet;

use anyhow::Result;
use record::{Status, Store};
use spec::metric::FEW_EFFECTIVE_SAMPLES;
use spec::{Evaluation, Experiment, Metric, MetricSettings};

use crate::args::{EvaluateArgs, ExecutionArgs};
use crate::commands::data::make_ready;
use crate::commands::{compare, plan, weights};
use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::output;
use crate::plan::{Goal, Plan, PlanRequest};
use crate::scheduler::{Tally, run_cohorts};
use crate::settings::Settings;
use crate::text;
use crate::worker::find_program;

/// Measures what is not on record yet: the metrics of every model, and what the experiment or the command line asks for.
///
/// # Errors
/// If the store cannot be read, or there is no worker. Models that cannot be measured are no
/// error: see [`Outcome::SomeFailed`].
pub fn evaluate(settings: &Settings, experiment: &Experiment, args: &EvaluateArgs) -> Result<Outcome> {
    let experiment = &asked(experiment, args);
    if let Some(file) = &args.weights {
        let request = weights::WeightsRequest { file, samples: args.samples, is_json: args.json };
        return weights::weights(settings, experiment, &args.execution, request);
    }
    let store = settings.store()?;
    let measured = measure(settings, experiment, &store, &args.execution)?;
    if let Some(signal) = measured.signal {
        output::say("stopped; the same command measures the rest");
        return Ok(Outcome::Stopped(u8::try_from(signal).unwrap_or(0)));
    }
    warn_of_few_samples(experiment, &store)?;
    let printed = output::print(&compare::results(experiment, &store, settings.is_coloured)?);
    let outcome = account(&measured);
    match printed {
        Err(error) if !output::is_closed_pipe(&error) => Err(error),
        _ => Ok(outcome),
    }
}

/// The experiment with what the command line asks for before what it asks for itself.
fn asked(experiment: &Experiment, args: &EvaluateArgs) -> Experiment {
    let mut experiment = experiment.clone();
    let of_arms = experiment.arms.iter_mut().map(|arm| &mut arm.evaluation);
    for evaluation in of_arms.chain([&mut experiment.evaluation]) {
        let samples = args.importance_samples.or(evaluation.map(|own| own.importance_samples));
        let images = args.images.or(evaluation.and_then(|own| own.images));
        *evaluation = samples.map(|importance_samples| Evaluation { importance_samples, images });
    }
    experiment
}

/// Measures on the finished runs what is not on record, the metrics of every model and what the experiment asks for, and says so.
///
/// # Errors
/// If the store or the images cannot be read, or there is no worker.
pub fn measure(
    settings: &Settings,
    experiment: &Experiment,
    store: &Store,
    execution: &ExecutionArgs,
) -> Result<Tally> {
    let request = PlanRequest { goal: Goal::Evaluate, retry_failed: false };
    let plan = Plan::make(experiment, store, &settings.folders()?, execution, Machine::here(), request)?;
    if !plan.cohorts.is_empty() || plan.cells.iter().any(|planned| planned.evaluation.is_some()) {
        say_what_is_not_measured(&plan, store)?;
    }
    if plan.cohorts.is_empty() {
        return Ok(Tally::default());
    }
    find_program()?;
    make_ready(settings, &plan)?;
    let to_measure = plan.cohorts.iter().flat_map(|cohort| &cohort.cells).map(|&index| &plan.cells[index]);
    let samples: BTreeSet<usize> =
        to_measure.filter_map(|planned| Some(planned.evaluation?.importance_samples)).collect();
    let samples: Vec<String> = samples.into_iter().map(|n| n.to_string()).collect();
    let samples = match samples.as_slice() {
        [] => String::new(),
        samples => format!(", −log p(x) by {} importance samples an image", samples.join(" or ")),
    };
    output::say(&format!("{}{samples}", plan::to_do(&plan)));
    run_cohorts(&plan, store, settings)
}

/// Says which cells have no model yet, and which models no −log p(x), where that is asked for.
fn say_what_is_not_measured(plan: &Plan, store: &Store) -> Result<()> {
    let n_untrained = plan.cells.len() - plan.count("done");
    if n_untrained > 0 {
        output::say(&format!("{} of {} are not trained", n_untrained, text::counted(plan.cells.len(), "cell")));
    }
    let mut without_bound = Vec::new();
    for planned in plan.cells.iter().filter(|planned| planned.evaluation.is_some() && planned.status == Status::Done) {
        if !store.run(&planned.id).has_bound()? {
            without_bound.push(planned.cell.readable_name());
        }
    }
    if !without_bound.is_empty() {
        let names: Vec<&str> = without_bound.iter().map(String::as_str).collect();
        output::say(&format!("not measured, since −log p(x) needs a variational bound: {}", text::first_of(&names)));
    }
    Ok(())
}

/// Warns of estimates of log p(x) that hang on a few importance samples.
///
/// # Errors
/// If a run's records cannot be read.
pub fn warn_of_few_samples(experiment: &Experiment, store: &Store) -> Result<()> {
    let mut few: Vec<(String, f64)> = Vec::new();
    let mut most = 0;
    for cell in &experiment.cells {
        let Some(evaluation) = experiment.evaluation_of(&cell.run_id()) else { continue };
        let asked = MetricSettings::samples(evaluation.importance_samples);
        most = most.max(evaluation.importance_samples);
        let rows = store.run(&cell.run_id()).evaluation()?;
        let effective = rows.iter().find(|row| row.metric == Metric::EffectiveSamples && row.settings == asked);
        few.extend(
            effective.filter(|row| row.value < FEW_EFFECTIVE_SAMPLES).map(|row| (cell.readable_name(), row.value)),
        );
    }
    let Some(least) = few.iter().map(|(_, value)| *value).reduce(f64::min) else { return Ok(()) };
    let names: Vec<&str> = few.iter().map(|(name, _)| name.as_str()).collect();
    output::say(&format!(
        "warning: −log p(x) of {} hangs on few of the {most} samples, which are worth {least:.1}: it is too large\nhint: raise `importance_samples`; where that does not help, q(z|x) is far from p(z|x)",
        text::first_of(&names),
    ));
    Ok(())
}

/// Says which models could not be measured.
pub fn account(measured: &Tally) -> Outcome {
    for (reason, names) in measured.failures() {
        output::say(&format!(
            "not measured: {}: {}",
            text::first_of(&names),
            reason.lines().next().unwrap_or_default()
        ));
    }
    if measured.failed.is_empty() { Outcome::Well } else { Outcome::SomeFailed }
}
