//! `elbo plan`: every cell of an experiment, where it stands, and how long the rest takes.

use anyhow::Result;
use record::{Continued, Status};
use serde::Serialize;
use spec::Experiment;

use crate::args::PlanArgs;
use crate::calibration::Paces;
use crate::claim::Claim;
use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::output;
use crate::plan::images;
use crate::plan::{Goal, Plan, PlanRequest, PlannedCell};
use crate::settings::Settings;
use crate::text;
use crate::text_table::{Align, TableEntry, TextTable, Tone};

/// The JSON of a plan.
#[derive(Serialize)]
struct PlanJson<'a> {
    name: &'a str,
    cells: Vec<CellJson>,
    cohorts: Vec<CohortJson>,
    totals: TotalsJson,
}

#[derive(Serialize)]
struct CellJson {
    run_id: String,
    name: String,
    /// `new`, `running`, `resumable`, `failed` or `done`.
    status: &'static str,
    /// Why it failed.
    reason: Option<String>,
    /// Epochs completed.
    epoch: u32,
    /// Epochs in all.
    epochs: usize,
    /// The run of fewer epochs that it goes on from, and at which epoch.
    continues: Option<Continued>,
    /// Its share of what its cohort still takes.
    seconds: Option<f64>,
    /// Whether its model was not timed itself, but is judged by another that was.
    rough: Option<bool>,
    /// Its place in `cohorts`.
    cohort: Option<usize>,
}

#[derive(Serialize)]
struct CohortJson {
    /// Ids of its runs.
    runs: Vec<String>,
    /// Epochs behind it, if it goes on.
    resume: Option<u32>,
    seconds: Option<f64>,
    /// Of its process.
    threads: usize,
}

#[derive(Serialize)]
struct TotalsJson {
    done: usize,
    running: usize,
    resumable: usize,
    failed: usize,
    new: usize,
    cohorts: usize,
    jobs: usize,
    threads: usize,
    /// Wall-clock seconds with so many jobs, the start of processes included.
    seconds: Option<f64>,
    rough: bool,
}

/// Prints the plan.
///
/// # Errors
/// If the store or the images cannot be looked at, or the sweep's folder is another experiment's.
pub fn plan(settings: &Settings, experiment: &Experiment, args: &PlanArgs) -> Result<Outcome> {
    let request = PlanRequest { goal: Goal::Train, retry_failed: args.retry.retry_failed };
    let (store, folders) = (settings.store()?, settings.folders()?);
    let mut plan = Plan::make(experiment, &store, &folders, &args.execution, Machine::here(), request)?;
    let mut paces = Paces::load(&folders);
    let timed = paces.complete(&plan, settings);
    plan.estimate(&paces);
    if args.format.json {
        output::print_json(&to_json(experiment, &plan))?;
    } else {
        let mut text = to_text(experiment, &plan, settings.is_coloured);
        if let Err(error) = timed {
            let error = format!("{error:#}");
            text.push_str(&format!("how long it takes is not known: {}\n", error.lines().next().unwrap_or_default()));
        }
        output::print(&text)?;
    }
    // What would stop the sweep is told beneath the cells.
    for note in images::would_be_fetched(&plan, &folders)? {
        output::say(&note);
    }
    if let Some(changes) = Claim::of(experiment, &store)?.changes()? {
        let kept = match store.is_drawn(&experiment.name) {
            true => "all that was drawn will be kept in a folder beside it",
            false => "their runs stay stored",
        };
        output::say(&format!("{changes}; {kept}"));
    }
    Ok(Outcome::Well)
}

/// Epochs that a cell has behind it.
fn epoch(status: &Status, epochs: usize, recorded: Option<u32>) -> u32 {
    match status {
        Status::New => 0,
        Status::Resumable { epoch } => *epoch,
        Status::Done => u32::try_from(epochs).unwrap_or(u32::MAX),
        Status::Running { .. } | Status::Failed { .. } => recorded.unwrap_or(0),
    }
}

fn to_json<'a>(experiment: &'a Experiment, plan: &Plan) -> PlanJson<'a> {
    let cells = plan.cells.iter().map(|planned| {
        let recorded = planned.manifest.as_ref().and_then(|manifest| manifest.last_epoch.as_ref());
        let epochs = planned.cell.training.epochs;
        CellJson {
            run_id: planned.id.to_string(),
            name: planned.cell.readable_name(),
            status: planned.status.word(),
            reason: match &planned.status {
                Status::Failed { reason } => Some(reason.clone()),
                _ => None,
            },
            epoch: epoch(&planned.status, epochs, recorded.map(|last| last.epoch)),
            epochs,
            continues: planned.continues.clone(),
            seconds: plan.share(planned).map(|share| share.seconds),
            rough: plan.share(planned).map(|share| share.is_rough),
            cohort: planned.cohort,
        }
    });
    let cohorts = plan.cohorts.iter().map(|cohort| CohortJson {
        runs: cohort.cells.iter().map(|&index| plan.cells[index].id.to_string()).collect(),
        resume: cohort.resume,
        seconds: cohort.time.map(|time| time.seconds),
        threads: cohort.threads,
    });
    let (jobs, threads) = plan.processes();
    PlanJson {
        name: &experiment.name,
        cells: cells.collect(),
        cohorts: cohorts.collect(),
        totals: TotalsJson {
            done: plan.count("done"),
            running: plan.count("running"),
            resumable: plan.count("resumable"),
            failed: plan.count("failed"),
            new: plan.count("new"),
            cohorts: plan.cohorts.len(),
            jobs,
            threads: *threads.end(),
            seconds: plan.seconds(),
            rough: plan.is_rough(),
        },
    }
}

fn to_text(experiment: &Experiment, plan: &Plan, is_coloured: bool) -> String {
    use Align::{Left, Right};
    let mut table = TextTable::new([
        ("run", Left),
        ("name", Left),
        ("status", Left),
        ("cohort", Right),
        ("time", Right),
        ("", Left),
    ]);
    for planned in &plan.cells {
        let time = plan.share(planned).map(|estimate| {
            let about = if estimate.is_rough { "~" } else { "" };
            format!("{about}{}", spec::duration(estimate.seconds))
        });
        table.row(vec![
            TableEntry::toned(planned.id.to_string(), Tone::Dim),
            planned.cell.readable_name().into(),
            text::status(&planned.status),
            planned.cohort.map(|cohort| (cohort + 1).to_string()).unwrap_or_default().into(),
            time.unwrap_or_default().into(),
            remark(planned).into(),
        ]);
    }
    format!("{}\n{}", table.render(is_coloured), summary(experiment, plan))
}

/// Why a cell stands where it does, or what it goes on from.
fn remark(planned: &PlannedCell) -> String {
    match &planned.continues {
        Some(Continued { run_id, epoch }) => format!("goes on from epoch {epoch}, the end of {run_id}"),
        None => text::remark(&planned.status),
    }
}

/// A few lines under the table: how many cells stand how, and how the rest would be trained.
fn summary(experiment: &Experiment, plan: &Plan) -> String {
    let counts: Vec<String> = ["done", "running", "resumable", "failed", "new"]
        .into_iter()
        .filter_map(|word| Some(plan.count(word)).filter(|&n| n > 0).map(|n| format!("{n} {word}")))
        .collect();
    let mut lines =
        format!("{}: {} ({})\n", experiment.name, text::counted(plan.cells.len(), "cell"), counts.join(", "));
    if plan.cohorts.is_empty() {
        lines.push_str("nothing to train\n");
    } else {
        lines.push_str(&to_do(plan));
        lines.push('\n');
    }
    if plan.is_rough() {
        lines.push_str("~ was not timed itself: it is judged by the arithmetic of a model that was\n");
    }
    if plan.count("failed") > 0 && plan.cells.iter().any(|p| p.status.word() == "failed" && p.cohort.is_none()) {
        lines.push_str("failed cells are tried again with --retry-failed\n");
    }
    lines
}

/// One line on what would be trained, or measured.
pub fn to_do(plan: &Plan) -> String {
    let about = if plan.is_rough() { "~" } else { "about " };
    let time = plan.seconds().map(|seconds| format!(", {about}{}", spec::duration(seconds))).unwrap_or_default();
    let (jobs, threads) = plan.processes();
    let threads = match (*threads.start(), *threads.end()) {
        (fewest, most) if fewest == most => text::counted(most, "thread"),
        (fewest, most) => format!("{fewest} to {most} threads"),
    };
    format!(
        "{} to {} in {}, {} × {threads}{time}",
        text::counted(plan.n_to_do(), "cell"),
        if plan.goal == Goal::Train { "train" } else { "measure" },
        text::counted(plan.cohorts.len(), "cohort"),
        text::counted(jobs, "job"),
    )
}
