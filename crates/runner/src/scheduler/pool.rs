//! Trains or measures the cohorts of a plan, so many at once, through failures and signals.
//!
//! The run store is the judge of how a run ended, not what its worker said: a worker may be killed at any moment, and
//! another `elbo sweep` may train the same runs.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context, Result};
use protocol::{Event, Message};
use record::{RecordError, RunEditor, Status, Store};
use signal_hook::consts::SIGTERM;

use crate::plan::{Goal, Plan};
use crate::scheduler::progress::{CohortInfo, Progress, Words};
use crate::settings::Settings;
use crate::worker::{Launcher, Notice, Supervisor, threads_of};

/// How many runs of a plan were trained, or measured, and which were not.
#[derive(Debug, Default)]
pub struct Tally {
    /// Runs that are done, or measured, now.
    pub n_done: usize,
    /// Name of each run that failed, and why.
    pub failed: Vec<(String, String)>,
    /// Runs that another process is training.
    pub n_elsewhere: usize,
    /// The signal that stopped the sweep.
    pub signal: Option<i32>,
}

impl Tally {
    /// Each reason of a failure, with the names of the runs that failed so; in order of the names, whichever worker ended first.
    pub fn failures(&self) -> Vec<(&str, Vec<&str>)> {
        let mut failures: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut failed: Vec<&(String, String)> = self.failed.iter().collect();
        failed.sort();
        for (name, reason) in failed {
            match failures.iter_mut().find(|(other, _)| other == reason) {
                Some((_, names)) => names.push(name),
                None => failures.push((reason, vec![name])),
            }
        }
        failures
    }
}

/// A cohort that a worker is at.
struct Active {
    /// Indices in the plan's cells.
    cells: Vec<usize>,
    /// Why runs failed, as the worker said.
    said: BTreeMap<String, String>,
}

struct Pool<'a> {
    plan: &'a Plan,
    store: &'a Store,
    supervisor: Supervisor,
    waiting: VecDeque<usize>,
    active: BTreeMap<usize, Active>,
    progress: Progress,
    tally: Tally,
}

/// What is still to be done with a run.
enum Remaining {
    /// Nothing: it is done.
    Nothing,
    /// Another process is at it.
    Elsewhere,
    /// All, or the rest; it has this status.
    Work(Status),
}

/// Trains all cohorts of `plan`, or measures what it asks for on them.
///
/// # Errors
/// If workers cannot be found or started or are of another version, or the store cannot be read. Runs that fail are no error.
pub fn run_cohorts(plan: &Plan, store: &Store, settings: &Settings) -> Result<Tally> {
    let launcher = Launcher::new(settings, plan.parallelism.device)?;
    let mut pool = Pool {
        plan,
        store,
        supervisor: Supervisor::new(launcher)?,
        waiting: (0..plan.cohorts.len()).collect(),
        active: BTreeMap::new(),
        progress: Progress::new(settings.has_bars, words(plan.goal), cohort_infos(plan)),
        tally: Tally::default(),
    };
    let result = pool.run();
    pool.progress.close();
    result.map(|()| pool.tally)
}

fn words(goal: Goal) -> Words {
    match goal {
        Goal::Train => Words { doing: "training", done: "trained", whole: "all epochs" },
        Goal::Evaluate => Words { doing: "measuring", done: "measured", whole: "all images" },
    }
}

fn cohort_infos(plan: &Plan) -> Vec<CohortInfo> {
    let part = |cells: &[usize], resume: Option<u32>| {
        let epochs = match plan.goal {
            Goal::Train => cells.iter().map(|&index| plan.cells[index].cell.training.epochs).max().unwrap_or(0),
            Goal::Evaluate => 1,
        };
        let first = cells.first().map(|&index| plan.cells[index].cell.readable_name()).unwrap_or_default();
        let name = match cells.len() {
            0 | 1 => first,
            n => format!("{first} and {} more", n - 1),
        };
        CohortInfo { name, n_cells: cells.len(), epochs: epochs as u64, epochs_behind: u64::from(resume.unwrap_or(0)) }
    };
    plan.cohorts.iter().map(|cohort| part(&cohort.cells, cohort.resume)).collect()
}

impl Pool<'_> {
    fn run(&mut self) -> Result<()> {
        loop {
            self.start_what_fits()?;
            let is_stopped = self.supervisor.signal().is_some();
            if self.active.is_empty() && (self.waiting.is_empty() || is_stopped) {
                self.tally.signal = self.supervisor.signal();
                return Ok(());
            }
            if let Some(notice) = self.supervisor.wait()? {
                self.hear(notice)?;
            }
            self.progress.tick();
        }
    }

    fn remaining(&self, index: usize) -> Result<Remaining> {
        let planned = &self.plan.cells[index];
        let status = self.store.run(&planned.id).status()?;
        Ok(match (self.plan.goal, &status) {
            (Goal::Train, Status::Done) => Remaining::Nothing,
            (Goal::Train, Status::Running { .. }) => Remaining::Elsewhere,
            (Goal::Evaluate, _) if !planned.lacks_numbers(self.store)? => Remaining::Nothing,
            (Goal::Train | Goal::Evaluate, _) => Remaining::Work(status),
        })
    }

    fn start_what_fits(&mut self) -> Result<()> {
        while self.supervisor.signal().is_none() {
            let Some(&cohort) = self.waiting.front() else { return Ok(()) };
            let threads = self.plan.cohorts[cohort].threads;
            let busy = self.active.keys().map(|&active| self.plan.cohorts[active].threads).sum();
            if !self.plan.parallelism.has_room(threads, self.active.len(), busy) {
                return Ok(());
            }
            self.waiting.pop_front();
            let mut cells = Vec::new();
            // Time has gone by since the plan was made, and another sweep may be at work.
            for &index in &self.plan.cohorts[cohort].cells {
                match self.remaining(index)? {
                    Remaining::Nothing => self.tally.n_done += 1,
                    Remaining::Elsewhere => self.tally.n_elsewhere += 1,
                    Remaining::Work(_) => cells.push(index),
                }
            }
            if cells.is_empty() {
                self.progress.end(cohort);
                continue;
            }
            let configurations = cells.iter().map(|&index| self.plan.cells[index].cell.clone()).collect();
            let threads = threads_of(threads, self.plan.parallelism.asked_threads.is_some());
            self.supervisor.start(cohort, self.plan.task(&self.plan.cohorts[cohort]), configurations, threads)?;
            self.progress.start(cohort);
            self.active.insert(cohort, Active { cells, said: BTreeMap::new() });
        }
        Ok(())
    }

    fn hear(&mut self, notice: Notice) -> Result<()> {
        match notice {
            Notice::Message { worker: cohort, message: Message::Event(event) } => {
                if let (Event::Failed { run_id, reason }, Some(active)) = (&event, self.active.get_mut(&cohort)) {
                    active.said.insert(run_id.to_string(), reason.clone());
                }
                self.progress.event(cohort, &event);
            }
            // The version was looked at before, and nothing else is asked for.
            Notice::Message {
                message: Message::Hello(_) | Message::Measurements(_) | Message::Calibration(_), ..
            } => {}
            Notice::Line { worker: cohort, line } => self.progress.line(cohort, &line),
            Notice::Ended { worker: cohort, reason, .. } => {
                if let Some(active) = self.active.remove(&cohort) {
                    self.settle(&active, &reason)?;
                    self.progress.end(cohort);
                }
            }
            Notice::Signal { signal, is_first } => {
                let key = if signal == SIGTERM { "a second signal" } else { "Ctrl-C again" };
                self.progress.say(&match is_first {
                    true => format!("stopping: waiting for checkpoints ({key} kills)"),
                    false => "killing the workers".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Finds out how each run of an ended worker stands, and notes the failure of those that could not say it.
    fn settle(&mut self, active: &Active, reason: &String) -> Result<()> {
        let is_stopped = self.supervisor.signal().is_some();
        for &index in &active.cells {
            let planned = &self.plan.cells[index];
            let run = self.store.run(&planned.id);
            let said = active.said.get(&planned.id.to_string());
            let failure = match self.remaining(index)? {
                Remaining::Nothing => {
                    self.tally.n_done += 1;
                    None
                }
                Remaining::Elsewhere => {
                    self.tally.n_elsewhere += 1;
                    None
                }
                Remaining::Work(_) if self.plan.goal == Goal::Evaluate => {
                    (!is_stopped).then(|| said.unwrap_or(reason).clone())
                }
                Remaining::Work(Status::Failed { reason }) => Some(reason),
                Remaining::Work(_) if is_stopped => None,
                Remaining::Work(Status::Resumable { epoch }) => {
                    Some(format!("{}; it can go on from epoch {epoch}", said.unwrap_or(reason)))
                }
                Remaining::Work(Status::New | Status::Running { .. } | Status::Done) => {
                    let reason = said.unwrap_or(reason);
                    match RunEditor::open(&run).and_then(|editor| editor.fail(reason)) {
                        // A worker that died at its start has written nothing that could be marked; nor has one
                        // whose run another process has taken up in the meantime.
                        Err(RecordError::Locked { .. } | RecordError::AlreadyDone { .. }) | Ok(()) => {}
                        Err(error) if error.is_not_found() => {}
                        Err(error) => return Err(error).context("cannot note that a run failed"),
                    }
                    Some(reason.clone())
                }
            };
            if let Some(reason) = failure {
                let name = planned.cell.readable_name();
                self.progress.failed(&name, &planned.id, &reason);
                self.tally.failed.push((name, reason));
            }
        }
        Ok(())
    }
}
