//! What an experiment still needs: where each cell stands, which cells train together, and how long it takes.

pub mod cohorts;
pub mod estimate;
pub mod images;
pub mod parallelism;
pub mod work;

use std::collections::BTreeSet;

use anyhow::Result;
use record::{Continued, ListedRun, RecordError, RunManifest, Status, Store};
use spec::{Cell, Evaluation, Experiment, RunId};

use crate::args::ExecutionArgs;
use crate::calibration::Paces;
use crate::machine::Machine;
use crate::plan::cohorts::{Candidate, Group, Past};
use crate::plan::estimate::{Job, Sizes, TimeEstimate};
use crate::plan::parallelism::Parallelism;

/// What is done with an experiment's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Train those that are not done.
    Train,
    /// Measure on those that are done what is not on record: the metrics of every model, and −log p(x) where the experiment asks
    /// for it.
    Evaluate,
}

/// What a plan is made for.
#[derive(Clone, Copy, Debug)]
pub struct PlanRequest {
    /// What is to be done.
    pub goal: Goal,
    /// Whether failed runs are trained again.
    pub retry_failed: bool,
}

/// Where one cell stands.
#[derive(Clone, Debug)]
pub struct PlannedCell {
    /// The cell.
    pub cell: Cell,
    /// Its run.
    pub id: RunId,
    /// How far that run is.
    pub status: Status,
    /// What `run.json` says, where there is one.
    pub manifest: Option<RunManifest>,
    /// Its index in [`Plan::cohorts`]; `None` for what is not trained.
    pub cohort: Option<usize>,
    /// The run of fewer epochs that a new one goes on from.
    pub continues: Option<Continued>,
    /// What is asked for beyond the metrics of every model.
    pub evaluation: Option<Evaluation>,
}

impl PlannedCell {
    /// Whether something is to be measured on its model, once it is done.
    ///
    /// # Errors
    /// If the run's records cannot be read.
    pub fn lacks_numbers(&self, store: &Store) -> Result<bool, RecordError> {
        let run = store.run(&self.id);
        Ok(run.lacks_measures()? || self.evaluation.map_or(Ok(false), |asked| run.lacks_evaluation(&asked))?)
    }
}

/// Cells that are trained, or measured, together as one program.
#[derive(Clone, Debug)]
pub struct PlannedCohort {
    /// Indices in [`Plan::cells`].
    pub cells: Vec<usize>,
    /// Epochs that its runs have behind them, of those that have the fewest; `None` if the runs are new.
    pub resume: Option<u32>,
    /// Threads of its process.
    pub threads: usize,
    /// What there is to do; `None` where that cannot be told, and for measuring.
    pub job: Option<Job>,
    /// What it takes; `None` where that was not found out, see [`Plan::estimate`].
    pub time: Option<TimeEstimate>,
}

/// What is to be done for an experiment.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every cell, in the order of the experiment.
    pub cells: Vec<PlannedCell>,
    /// What is done with them.
    pub goal: Goal,
    /// What is to be trained, or measured.
    pub cohorts: Vec<PlannedCohort>,
    /// How it is laid out on the machine.
    pub parallelism: Parallelism,
}

impl Plan {
    /// Looks at the store and lays out what is missing.
    ///
    /// # Errors
    /// If a run's records cannot be read, or a data set of the user's own cannot be looked at.
    pub fn make(
        experiment: &Experiment,
        store: &Store,
        folders: &data::Folders,
        args: &ExecutionArgs,
        machine: Machine,
        request: PlanRequest,
    ) -> Result<Plan> {
        let PlanRequest { goal, retry_failed } = request;
        let mut seen = BTreeSet::new();
        let mut cells = Vec::with_capacity(experiment.cells.len());
        for cell in &experiment.cells {
            let id = cell.run_id();
            if seen.insert(id.clone()) {
                cells.push(look(cell, id, experiment, store)?);
            }
        }
        let is_wanted = |planned: &PlannedCell| -> Result<bool> {
            Ok(match (goal, &planned.status) {
                (Goal::Train, Status::New | Status::Resumable { .. }) => true,
                (Goal::Train, Status::Failed { .. }) => retry_failed,
                (Goal::Evaluate, Status::Done) => planned.lacks_numbers(store)?,
                (Goal::Train | Goal::Evaluate, _) => false,
            })
        };
        // A run's training takes a look at others: one may be its beginning, and all tell how long it takes.
        let is_any_trained = goal == Goal::Train && cells.iter().any(|planned| planned.status != Status::Done);
        let stored = if is_any_trained { store.runs()?.runs } else { Vec::new() };
        let mut candidates = Vec::new();
        for (index, planned) in cells.iter_mut().enumerate() {
            if !is_wanted(planned)? {
                continue;
            }
            let past = past(planned, store, &stored)?;
            planned.continues = past.as_ref().filter(|past| past.of != planned.id).map(Past::end);
            candidates.push(Candidate {
                index,
                id: planned.id.clone(),
                key: match goal {
                    Goal::Train => planned.cell.cohort_key(),
                    // What is asked of a cohort is asked of all its cells.
                    Goal::Evaluate => format!("{} {:?}", planned.cell.cohort_key(), planned.evaluation),
                },
                latent_dim: planned.cell.model.latent_dim,
                past,
            });
        }
        let mut sizes = Sizes::new(folders);
        let wants: Vec<work::Work> =
            candidates.iter().filter_map(|candidate| sizes.work(&cells[candidate.index].cell)).collect();
        let parallelism = Parallelism::choose(args, &experiment.execution, machine, &wants);
        let groups = cohorts::group(&candidates, parallelism.cohort);
        let n_groups = groups.len();
        let mut cohorts = Vec::with_capacity(n_groups);
        for (n, Group { cells: members, resume, threads }) in groups.into_iter().enumerate() {
            let of_members: Vec<&Cell> = members.iter().map(|&index| &cells[index].cell).collect();
            let works: Option<Vec<u64>> = of_members.iter().map(|cell| Some(sizes.work(cell)?.per_step())).collect();
            let chosen = parallelism.threads(works.map(|works| works.iter().sum()), n_groups);
            let threads = threads.filter(|_| parallelism.asked_threads.is_none()).unwrap_or(chosen);
            let is_training = goal == Goal::Train;
            let job =
                is_training.then(|| sizes.job(&of_members, threads, parallelism.device, resume.unwrap_or(0))).flatten();
            for &index in &members {
                cells[index].cohort = Some(n);
            }
            cohorts.push(PlannedCohort { cells: members, resume, threads, job, time: None });
        }
        Ok(Plan { cells, goal, cohorts, parallelism })
    }

    /// Prices what is to be trained at the paces that are known of this machine.
    pub fn estimate(&mut self, paces: &Paces) {
        let jobs: Vec<Option<&Job>> = self.cohorts.iter().map(|cohort| cohort.job.as_ref()).collect();
        let known: Vec<&Job> = jobs.iter().copied().flatten().filter(|job| paces.of(job).is_some()).collect();
        let price = |job: &Job| {
            let start_up = paces.start_up()?;
            if let Some(pace) = paces.of(job) {
                return Some(TimeEstimate { seconds: job.seconds(pace, start_up), is_rough: false });
            }
            let other = known.iter().find(|other| other.trial.threads == job.trial.threads).or(known.first())?;
            let pace = job.pace_by(other, paces.of(other)?);
            Some(TimeEstimate { seconds: job.seconds(pace, start_up), is_rough: true })
        };
        let times: Vec<Option<TimeEstimate>> = jobs.iter().map(|job| price((*job)?)).collect();
        for (cohort, time) in self.cohorts.iter_mut().zip(times) {
            cohort.time = time;
        }
    }

    /// A cell's share of what its cohort takes.
    pub fn share(&self, cell: &PlannedCell) -> Option<TimeEstimate> {
        let cohort = &self.cohorts[cell.cohort?];
        let TimeEstimate { seconds, is_rough } = cohort.time?;
        Some(TimeEstimate { seconds: seconds / cohort.cells.len().max(1) as f64, is_rough })
    }

    /// The most processes at once and the threads of each, fewest and most.
    pub fn processes(&self) -> (usize, std::ops::RangeInclusive<usize>) {
        let threads = |order: fn(usize, usize) -> usize| self.cohorts.iter().map(|cohort| cohort.threads).reduce(order);
        let (fewest, most) = (threads(usize::min).unwrap_or(1), threads(usize::max).unwrap_or(1));
        (self.run_through().1.max(1), fewest..=most)
    }

    /// What the worker of this cohort is told to do.
    pub fn task(&self, cohort: &PlannedCohort) -> protocol::Task {
        match self.goal {
            Goal::Train => protocol::Task::Train,
            Goal::Evaluate => {
                protocol::Task::Evaluate(cohort.cells.first().and_then(|&index| self.cells[index].evaluation))
            }
        }
    }

    /// How many cells have this status.
    pub fn count(&self, word: &str) -> usize {
        self.cells.iter().filter(|planned| planned.status.word() == word).count()
    }

    /// How many cells are to be trained, or measured.
    pub fn n_to_do(&self) -> usize {
        self.cohorts.iter().map(|cohort| cohort.cells.len()).sum()
    }

    /// Seconds until all cohorts are trained; `None` if one of them cannot be told.
    pub fn seconds(&self) -> Option<f64> {
        self.run_through().0
    }

    /// Starts cohorts as the scheduler does: the seconds until all have ended, and the most that run at once.
    fn run_through(&self) -> (Option<f64>, usize) {
        let (mut clock, mut most) = (0.0, 0);
        let mut running: Vec<(f64, usize)> = Vec::new();
        let is_known = self.cohorts.iter().all(|cohort| cohort.time.is_some());
        for PlannedCohort { threads, time, .. } in &self.cohorts {
            let busy = |running: &[(f64, usize)]| running.iter().map(|(_, threads)| threads).sum::<usize>();
            while !self.parallelism.has_room(*threads, running.len(), busy(&running)) {
                let Some(next) = (0..running.len()).min_by(|&a, &b| running[a].0.total_cmp(&running[b].0)) else {
                    break;
                };
                clock = running.swap_remove(next).0;
            }
            let seconds = time.map_or(0.0, |time| time.seconds);
            running.push((clock + seconds * self.parallelism.slowdown(busy(&running) + threads), *threads));
            most = most.max(running.len());
        }
        let end = running.into_iter().map(|(end, _)| end).fold(clock, f64::max);
        (is_known.then_some(end), most)
    }

    /// Whether some estimate is of a model that was not timed itself.
    pub fn is_rough(&self) -> bool {
        self.cohorts.iter().any(|cohort| cohort.time.is_some_and(|time| time.is_rough))
    }
}

fn look(cell: &Cell, id: RunId, experiment: &Experiment, store: &Store) -> Result<PlannedCell> {
    let run = store.run(&id);
    let status = run.status()?;
    let manifest = match run.manifest() {
        Ok(manifest) => Some(manifest),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error.into()),
    };
    let evaluation = experiment.evaluation_of(&id);
    Ok(PlannedCell { cell: cell.clone(), id, status, manifest, cohort: None, continues: None, evaluation })
}

/// What a run that is to be trained has behind it: its checkpoint, or else the end of a run of fewer epochs.
fn past(planned: &PlannedCell, store: &Store, stored: &[ListedRun]) -> Result<Option<Past>> {
    let epoch = match planned.status {
        Status::Resumable { epoch } => Some(epoch),
        Status::Failed { .. } => store.run(&planned.id).latest_checkpoint()?.checkpoint.map(|found| found.epoch),
        Status::New | Status::Running { .. } | Status::Done => None,
    };
    let threads = |manifest: &RunManifest| manifest.threads().last().map(|last| last.threads);
    if let Some(epoch) = epoch {
        let manifest = planned.manifest.as_ref();
        let cohort = manifest.map(|manifest| manifest.provenance.cohort.clone()).unwrap_or_default();
        return Ok(Some(Past { of: planned.id.clone(), epoch, cohort, threads: manifest.and_then(threads) }));
    }
    let shorter = store.beginning_of(&planned.cell, stored)?.map(|run| &run.manifest);
    Ok(shorter.map(|shorter| Past {
        of: shorter.run_id.clone(),
        epoch: u32::try_from(shorter.cell.training.epochs).unwrap_or(u32::MAX),
        cohort: shorter.provenance.cohort.clone(),
        threads: threads(shorter),
    }))
}
