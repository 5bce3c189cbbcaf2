//! Trains or measures the cohorts of a plan, so many at once, through failures and signals.
//!
//! The run store is the judge of how a run ended, not what its worker said: a worker may be killed at any moment, and
//! another `elbo sweep` may train the same runs.

use std::collections::{BTreeMap, VecDeque};
use std::process::ExitStatus;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use record::{Event, RecordError, Status, Store};
use rustix::process::Signal;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::plan::{Plan, Task};
use crate::settings::Settings;
use crate::sweep::progress::{Part, Progress, Words};
use crate::sweep::signals::Watch;
use crate::sweep::worker::{Message, Setup, Worker, absolute, find_worker};

/// How often workers are looked after when none of them says anything.
pub const TICK: Duration = Duration::from_millis(50);
/// How long an ended worker's last lines are waited for: something it started may hold its outputs open.
pub const LAST_LINES: Duration = Duration::from_secs(1);

/// How the training or measuring of a plan went.
#[derive(Debug, Default)]
pub struct Trained {
    /// Runs that are done, or measured, now.
    pub n_done: usize,
    /// Name of each run that failed, and why.
    pub failed: Vec<(String, String)>,
    /// Runs that another process is training.
    pub n_elsewhere: usize,
    /// The signal that stopped the sweep.
    pub signal: Option<i32>,
}

impl Trained {
    /// Each reason of a failure, with the names of the runs that failed so.
    pub fn failures(&self) -> Vec<(&str, Vec<&str>)> {
        let mut failures: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, reason) in &self.failed {
            match failures.iter_mut().find(|(other, _)| other == reason) {
                Some((_, names)) => names.push(name),
                None => failures.push((reason, vec![name])),
            }
        }
        failures
    }
}

/// A cohort that trains now.
struct Active {
    worker: Worker,
    /// Places in the plan's cells.
    cells: Vec<usize>,
    ended: Option<(ExitStatus, Instant)>,
    /// Why runs failed, as the worker said.
    said: BTreeMap<String, String>,
}

struct Pool<'a> {
    plan: &'a Plan,
    store: &'a Store,
    setup: Setup,
    messages: Sender<Message>,
    waiting: VecDeque<usize>,
    active: BTreeMap<usize, Active>,
    progress: Progress,
    trained: Trained,
}

/// Where a run stands with respect to what is to be done with it.
enum Standing {
    /// It is done.
    Over,
    /// Another process is at it.
    Elsewhere,
    /// It is still to be done.
    Open(Status),
}

/// Trains all cohorts of `plan`, or measures what it asks for on them.
///
/// # Errors
/// If workers cannot be found or started, or the store cannot be read. Runs that fail are no error.
pub fn train(plan: &Plan, store: &Store, settings: &Settings) -> Result<Trained> {
    let setup = Setup {
        program: find_worker()?,
        results: absolute(store.root())?,
        data: settings.data.as_deref().map(absolute).transpose()?,
        threads: plan.layout.threads,
        device: plan.layout.device,
    };
    let (messages, inbox) = channel();
    let _watch = Watch::start(messages.clone())?;
    let mut pool = Pool {
        plan,
        store,
        setup,
        messages,
        waiting: (0..plan.cohorts.len()).collect(),
        active: BTreeMap::new(),
        progress: Progress::new(settings.has_bars, words(plan.task), parts(plan)),
        trained: Trained::default(),
    };
    loop {
        pool.start_what_fits()?;
        if pool.active.is_empty() && (pool.waiting.is_empty() || pool.trained.signal.is_some()) {
            break;
        }
        match inbox.recv_timeout(TICK) {
            Ok(message) => pool.hear(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(anyhow!("all senders of messages are gone")),
        }
        pool.look_after_workers()?;
        pool.progress.tick();
    }
    pool.progress.close();
    Ok(pool.trained)
}

fn words(task: Task) -> Words {
    match task {
        Task::Train => Words { doing: "training", done: "trained", whole: "all epochs" },
        Task::Evaluate(_) => Words { doing: "measuring", done: "measured", whole: "all images" },
    }
}

fn parts(plan: &Plan) -> Vec<Part> {
    let part = |cells: &[usize], resume: Option<u32>| {
        let epochs = match plan.task {
            Task::Train => cells.iter().map(|&index| plan.cells[index].cell.training.epochs).max().unwrap_or(0),
            Task::Evaluate(_) => 1,
        };
        let first = cells.first().map(|&index| plan.cells[index].cell.readable_name()).unwrap_or_default();
        let name = match cells.len() {
            0 | 1 => first,
            n => format!("{first} and {} more", n - 1),
        };
        Part { name, n_cells: cells.len(), epochs: epochs as u64, epochs_behind: u64::from(resume.unwrap_or(0)) }
    };
    plan.cohorts.iter().map(|cohort| part(&cohort.cells, cohort.resume)).collect()
}

impl Pool<'_> {
    fn standing(&self, index: usize) -> Result<Standing> {
        let run = self.store.run(&self.plan.cells[index].id);
        let status = run.status()?;
        Ok(match (self.plan.task, &status) {
            (Task::Train, Status::Done) => Standing::Over,
            (Task::Train, Status::Running { .. }) => Standing::Elsewhere,
            (Task::Evaluate(asked), _) if run.is_evaluated(&asked)? => Standing::Over,
            (Task::Train | Task::Evaluate(_), _) => Standing::Open(status),
        })
    }

    fn start_what_fits(&mut self) -> Result<()> {
        while self.active.len() < self.plan.layout.jobs && self.trained.signal.is_none() {
            let Some(place) = self.waiting.pop_front() else { return Ok(()) };
            let mut cells = Vec::new();
            // Time has gone by since the plan was made, and another sweep may be at work.
            for &index in &self.plan.cohorts[place].cells {
                match self.standing(index)? {
                    Standing::Over => self.trained.n_done += 1,
                    Standing::Elsewhere => self.trained.n_elsewhere += 1,
                    Standing::Open(_) => cells.push(index),
                }
            }
            if cells.is_empty() {
                self.progress.end(place);
                continue;
            }
            let configurations: Vec<_> = cells.iter().map(|&index| &self.plan.cells[index].cell).collect();
            let worker = Worker::start(&self.setup, place, self.plan.task, &configurations, &self.messages)?;
            self.progress.start(place);
            self.active.insert(place, Active { worker, cells, ended: None, said: BTreeMap::new() });
        }
        Ok(())
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Signal(signal) => self.stop(signal),
            Message::Closed { cohort } => {
                if let Some(active) = self.active.get_mut(&cohort) {
                    active.worker.note_closed();
                }
            }
            Message::Line { cohort, line } => {
                if let Some(active) = self.active.get_mut(&cohort) {
                    active.worker.note_line(&line);
                }
                self.progress.line(cohort, &line);
            }
            Message::Event { cohort, event } => {
                if let (Event::Failed { run_id, reason }, Some(active)) = (&event, self.active.get_mut(&cohort)) {
                    active.said.insert(run_id.to_string(), reason.clone());
                }
                self.progress.event(cohort, &event);
            }
        }
    }

    /// The first signal is passed on, so that workers write checkpoints; the second kills them.
    fn stop(&mut self, signal: i32) {
        let is_first = self.trained.signal.is_none();
        self.trained.signal.get_or_insert(signal);
        let passed_on = match (is_first, signal) {
            (false, _) => Signal::KILL,
            (true, SIGINT) => Signal::INT,
            (true, _) => Signal::TERM,
        };
        for active in self.active.values().filter(|active| active.ended.is_none()) {
            active.worker.signal(passed_on);
        }
        let key = if signal == SIGTERM { "a second signal" } else { "Ctrl-C again" };
        self.progress.say(&match is_first {
            true => format!("stopping: waiting for checkpoints ({key} kills)"),
            false => "killing the workers".to_owned(),
        });
    }

    fn look_after_workers(&mut self) -> Result<()> {
        let mut over = Vec::new();
        for (&place, active) in &mut self.active {
            if active.ended.is_none() {
                active.ended = active.worker.ended()?.map(|status| (status, Instant::now()));
            }
            if let Some((status, since)) = active.ended
                && (active.worker.is_silent() || since.elapsed() > LAST_LINES)
            {
                over.push((place, status));
            }
        }
        for (place, status) in over {
            if let Some(active) = self.active.remove(&place) {
                self.settle(&active, status)?;
                self.progress.end(place);
            }
        }
        Ok(())
    }

    /// Finds out how each run of an ended worker stands, and notes the failure of those that could not say it.
    fn settle(&mut self, active: &Active, ended: ExitStatus) -> Result<()> {
        let reason = active.worker.reason(ended);
        let is_stopped = self.trained.signal.is_some();
        for &index in &active.cells {
            let planned = &self.plan.cells[index];
            let run = self.store.run(&planned.id);
            let said = active.said.get(&planned.id.to_string());
            let failure = match self.standing(index)? {
                Standing::Over => {
                    self.trained.n_done += 1;
                    None
                }
                Standing::Elsewhere => {
                    self.trained.n_elsewhere += 1;
                    None
                }
                Standing::Open(_) if matches!(self.plan.task, Task::Evaluate(_)) => {
                    (!is_stopped).then(|| said.unwrap_or(&reason).clone())
                }
                Standing::Open(Status::Failed { reason }) => Some(reason),
                Standing::Open(_) if is_stopped => None,
                Standing::Open(Status::Resumable { epoch }) => {
                    Some(format!("{}; it can go on from epoch {epoch}", said.unwrap_or(&reason)))
                }
                Standing::Open(Status::New | Status::Running { .. } | Status::Done) => {
                    let reason = said.unwrap_or(&reason);
                    match run.mark_failed(reason) {
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
                self.trained.failed.push((name, reason));
            }
        }
        Ok(())
    }
}
