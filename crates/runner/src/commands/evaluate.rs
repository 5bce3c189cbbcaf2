//! `elbo evaluate`: more numbers on stored models, measured by workers and added to what is on record.

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
    let evaluation = evaluation(experiment, args);
    if let Some(file) = &args.weights {
        let request = weights::WeightsRequest { file, samples: args.samples, evaluation, is_json: args.json };
        return weights::weights(settings, experiment, &args.execution, request);
    }
    let store = settings.store()?;
    let measured = measure(settings, experiment, &store, &args.execution, evaluation)?;
    if let Some(signal) = measured.signal {
        output::say("stopped; the same command measures the rest");
        return Ok(Outcome::Stopped(u8::try_from(signal).unwrap_or(0)));
    }
    if let Some(evaluation) = evaluation {
        warn_of_few_samples(experiment, &store, evaluation)?;
    }
    let printed = output::print(&compare::results(experiment, &store, evaluation.as_ref(), settings.is_coloured)?);
    let outcome = account(&measured);
    match printed {
        Err(error) if !output::is_closed_pipe(&error) => Err(error),
        _ => Ok(outcome),
    }
}

/// What is asked for, if anything: the command line goes before the experiment.
fn evaluation(experiment: &Experiment, args: &EvaluateArgs) -> Option<Evaluation> {
    let of_experiment = experiment.evaluation;
    let samples = args.importance_samples.or(of_experiment.map(|evaluation| evaluation.importance_samples));
    let images = args.images.or(of_experiment.and_then(|evaluation| evaluation.images));
    samples.map(|importance_samples| Evaluation { importance_samples, images })
}

/// Measures on the finished runs what is not on record, the metrics of every model and `evaluation`, and says so.
///
/// # Errors
/// If the store or the images cannot be read, or there is no worker.
pub fn measure(
    settings: &Settings,
    experiment: &Experiment,
    store: &Store,
    execution: &ExecutionArgs,
    evaluation: Option<Evaluation>,
) -> Result<Tally> {
    let request = PlanRequest { goal: Goal::Evaluate(evaluation), retry_failed: false };
    let plan = Plan::make(experiment, store, &settings.folders()?, execution, Machine::here(), request)?;
    if evaluation.is_some() || !plan.cohorts.is_empty() {
        say_what_is_not_measured(&plan, store, evaluation.is_some())?;
    }
    if plan.cohorts.is_empty() {
        return Ok(Tally::default());
    }
    find_program()?;
    make_ready(settings, &plan)?;
    let samples =
        evaluation.map(|asked| format!(", −log p(x) by {} importance samples an image", asked.importance_samples));
    output::say(&format!("{}{}", plan::to_do(&plan), samples.unwrap_or_default()));
    run_cohorts(&plan, store, settings)
}

/// Says which cells have no model yet, and which models no −log p(x), where that is asked for.
fn say_what_is_not_measured(plan: &Plan, store: &Store, is_likelihood_asked: bool) -> Result<()> {
    let n_untrained = plan.cells.len() - plan.count("done");
    if n_untrained > 0 {
        output::say(&format!("{} of {} are not trained", n_untrained, text::counted(plan.cells.len(), "cell")));
    }
    let mut without_bound = Vec::new();
    for planned in plan.cells.iter().filter(|planned| is_likelihood_asked && planned.status == Status::Done) {
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
pub fn warn_of_few_samples(experiment: &Experiment, store: &Store, evaluation: Evaluation) -> Result<()> {
    let asked = MetricSettings::samples(evaluation.importance_samples);
    let mut few: Vec<(String, f64)> = Vec::new();
    for cell in &experiment.cells {
        let rows = store.run(&cell.run_id()).evaluation()?;
        let effective = rows.iter().find(|row| row.metric == Metric::EffectiveSamples && row.settings == asked);
        few.extend(
            effective.filter(|row| row.value < FEW_EFFECTIVE_SAMPLES).map(|row| (cell.readable_name(), row.value)),
        );
    }
    let Some(least) = few.iter().map(|(_, value)| *value).reduce(f64::min) else { return Ok(()) };
    let names: Vec<&str> = few.iter().map(|(name, _)| name.as_str()).collect();
    output::say(&format!(
        "warning: −log p(x) of {} hangs on few of the {} samples, which are worth {least:.1}: it is too large\nhint: raise `importance_samples`; where that does not help, q(z|x) is far from p(z|x)",
        text::first_of(&names),
        evaluation.importance_samples,
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
