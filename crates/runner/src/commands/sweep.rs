//! `elbo sweep`: trains what is not done, measures what is asked for, draws what is not drawn, and says how it went.

use anyhow::{Context, Result};
use figures::Warning;
use record::{Status, Store};
use spec::Experiment;

use crate::args::SweepArgs;
use crate::assessment;
use crate::calibration::Paces;
use crate::claim::Claim;
use crate::commands::data::make_ready;
use crate::commands::{compare, evaluate, plan};
use crate::experiment_figures::ExperimentFigures;
use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::output;
use crate::plan::{Goal, Plan, PlanRequest};
use crate::scheduler::{Tally, run_cohorts};
use crate::settings::Settings;
use crate::text;
use crate::verdicts;
use crate::worker::find_program;

/// Sweeps.
///
/// # Errors
/// If the store cannot be read or written, the sweep's folder is another experiment's, there is no worker, images cannot be read, or figures cannot be drawn. Runs that fail are no
/// error: see [`Outcome::SomeFailed`].
pub fn sweep(settings: &Settings, experiment: &Experiment, args: &SweepArgs) -> Result<Outcome> {
    let store = settings.store()?;
    let claim = Claim::of(experiment, &store)?.within(args.hours);
    let request = PlanRequest { goal: Goal::Train, retry_failed: args.retry.retry_failed };
    let folders = settings.folders()?;
    let mut plan = Plan::make(experiment, &store, &folders, &args.execution, Machine::here(), request)?;
    // What `elbo plan` timed is known; training is not held up to time it.
    plan.estimate(&Paces::load(&folders));
    output::say(&format!(
        "{}: {} of {} done",
        experiment.name,
        plan.count("done"),
        text::counted(plan.cells.len(), "cell"),
    ));
    if !experiment.written.set.is_empty() && !args.no_figures {
        output::say(&format!("figures and report go to `{}`", store.sweep_dir(&experiment.name).display()));
    }
    if !plan.cohorts.is_empty() {
        find_program()?;
        make_ready(settings, &plan)?;
    }
    claim.keep(true)?;
    // Also when there is nothing to train: an earlier sweep may have been killed before it could do this.
    store.rebuild_index().context("cannot write the index of runs")?;
    let mut told = Vec::new();
    let trained = if plan.cohorts.is_empty() {
        Tally::default()
    } else {
        output::say(&plan::to_do(&plan));
        // What needs no records is better told before hours of training than after.
        told = figures::warnings_of_design(&experiment.cells);
        assessment::warn(&told);
        let trained = run_cohorts(&plan, &store, settings)?;
        store.rebuild_index().context("cannot write the index of runs")?;
        trained
    };
    let measured = match trained.signal {
        None => evaluate::measure(settings, experiment, &store, &args.execution)?,
        Some(_) => Tally::default(),
    };
    if let Some(signal) = trained.signal.or(measured.signal) {
        output::say("stopped; the same command goes on from here");
        return Ok(Outcome::Stopped(u8::try_from(signal).unwrap_or(0)));
    }
    evaluate::warn_of_few_samples(experiment, &store)?;
    let finished = finish(settings, experiment, &store, !args.no_figures, &told);
    // Whatever became of the figures, and of whoever reads the table: failed runs are told.
    let outcome = match (account(&plan, &trained), evaluate::account(&measured)) {
        (Outcome::Well, measured) => measured,
        (trained, _) => trained,
    };
    match finished {
        Err(error) if !output::is_closed_pipe(&error) => Err(error),
        _ => Ok(outcome),
    }
}

/// Figures and report where records are newer, then the table of results on standard output, and the warnings that are not
/// `told` yet.
fn finish(
    settings: &Settings,
    experiment: &Experiment,
    store: &Store,
    has_figures: bool,
    told: &[Warning],
) -> Result<()> {
    let mut is_any_done = false;
    for cell in &experiment.cells {
        is_any_done = is_any_done || store.run(&cell.run_id()).status()? == Status::Done;
    }
    if !is_any_done {
        return Ok(());
    }
    let figures = ExperimentFigures::of(experiment, store)?;
    if has_figures && !figures.is_fresh() {
        output::say("drawing figures, tables and the report");
        figures.draw()?;
    }
    let mut text = compare::results(experiment, store, settings.is_coloured)?;
    let assessment = figures::assess(experiment, store)?;
    text.push_str(&assessment::findings(&assessment));
    text.push_str(&verdicts::tables(assessment.judged.as_ref(), settings.is_coloured));
    if figures.report().is_file() {
        text.push_str(&format!("report: {}\n", figures.report().display()));
    }
    output::print(&text)?;
    let is_new = |warning: &Warning| !told.iter().any(|known| known.text == warning.text);
    assessment::warn(assessment.warnings.iter().filter(|warning| is_new(warning)));
    Ok(())
}

/// Says what is amiss, and how the sweep ended.
fn account(plan: &Plan, trained: &Tally) -> Outcome {
    let n_elsewhere = trained.n_elsewhere + plan.count("running");
    if n_elsewhere > 0 {
        output::say(&format!(
            "another process is training {}; run this again when it is done",
            text::counted(n_elsewhere, "cell")
        ));
    }
    for (reason, names) in trained.failures() {
        output::say(&format!("failed: {}: {}", text::first_of(&names), reason.lines().next().unwrap_or_default()));
    }
    let untried: Vec<_> =
        plan.cells.iter().filter(|cell| cell.cohort.is_none() && cell.status.word() == "failed").collect();
    for cell in &untried {
        output::say(&format!("failed earlier: {}: {}", cell.cell.readable_name(), text::remark(&cell.status)));
    }
    if !untried.is_empty() {
        output::say("hint: --retry-failed tries failed cells again");
    }
    let is_all_done = trained.failed.is_empty() && untried.is_empty() && n_elsewhere == 0;
    if is_all_done { Outcome::Well } else { Outcome::SomeFailed }
}
