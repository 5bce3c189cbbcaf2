//! What an experiment still needs: where each cell stands, which cells train together, and how long it takes.

pub mod cohorts;
pub mod estimate;
pub mod images;
pub mod parallelism;
pub mod work;

use std::collections::BTreeSet;

use anyhow::Result;
use record::{Continued, ListedRun, RunManifest, Status, Store};
use spec::{Cell, Evaluation, Experiment, RunId};

use crate::args::ExecutionArgs;
use crate::machine::Machine;
use crate::plan::cohorts::{Candidate, Past, PlannedCohort};
use crate::plan::estimate::{Estimator, TimeEstimate};
use crate::plan::parallelism::Parallelism;

/// What is done with an experiment's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Train those that are not done.
    Train,
    /// Measure this on those that are done.
    Evaluate(Evaluation),
}

impl From<Goal> for protocol::Task {
    fn from(goal: Goal) -> protocol::Task {
        match goal {
            Goal::Train => protocol::Task::Train,
            Goal::Evaluate(evaluation) => protocol::Task::Evaluate(evaluation),
        }
    }
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
    /// What its training still takes, if it were trained alone; `None` for what is not trained, or of unknown size.
    pub estimate: Option<TimeEstimate>,
    /// Its index in [`Plan::cohorts`]; `None` for what is not trained.
    pub cohort: Option<usize>,
    /// The run of fewer epochs that a new one goes on from.
    pub continues: Option<Continued>,
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
                cells.push(look(cell, id, store)?);
            }
        }
        let is_wanted = |planned: &PlannedCell| -> Result<bool> {
            Ok(match (goal, &planned.status) {
                (Goal::Train, Status::New | Status::Resumable { .. }) => true,
                (Goal::Train, Status::Failed { .. }) => retry_failed,
                (Goal::Evaluate(evaluation), Status::Done) => store.run(&planned.id).lacks_evaluation(&evaluation)?,
                (Goal::Train | Goal::Evaluate(_), _) => false,
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
                key: planned.cell.cohort_key(),
                latent_dim: planned.cell.model.latent_dim,
                past,
            });
        }
        let mut estimator = Estimator::new(folders);
        let wants: Vec<work::Work> =
            candidates.iter().filter_map(|candidate| estimator.work(&cells[candidate.index].cell)).collect();
        let parallelism = Parallelism::choose(args, &experiment.execution, machine, &wants);
        let mut cohorts = cohorts::group(&candidates, parallelism.cohort);
        let parallelism = parallelism.fit(cohorts.len());
        // Nothing is known of how long measuring takes.
        if !cohorts.is_empty() && goal == Goal::Train {
            estimator.learn(&stored, parallelism);
        }
        for candidate in candidates.iter().filter(|_| goal == Goal::Train) {
            let planned = &mut cells[candidate.index];
            let behind = candidate.past.as_ref().map_or(0, |past| past.epoch);
            planned.estimate = estimator.estimate(&planned.cell, behind);
        }
        for (n, cohort) in cohorts.iter_mut().enumerate() {
            cohort.seconds =
                cohort.cells.iter().map(|&index| cells[index].estimate.map(|estimate| estimate.seconds)).sum();
            for &index in &cohort.cells {
                cells[index].cohort = Some(n);
            }
        }
        Ok(Plan { cells, goal, cohorts, parallelism })
    }

    /// How many cells have this status.
    pub fn count(&self, word: &str) -> usize {
        self.cells.iter().filter(|planned| planned.status.word() == word).count()
    }

    /// How many cells are to be trained, or measured.
    pub fn n_to_do(&self) -> usize {
        self.cohorts.iter().map(|cohort| cohort.cells.len()).sum()
    }

    /// Seconds until all cohorts are trained, so many at once; `None` if one of them cannot be told.
    pub fn seconds(&self) -> Option<f64> {
        let mut ends = vec![0.0_f64; self.parallelism.jobs];
        for cohort in &self.cohorts {
            let free = ends.iter_mut().min_by(|a, b| a.total_cmp(b))?;
            *free += cohort.seconds?;
        }
        ends.into_iter().reduce(f64::max)
    }

    /// Whether the estimate rests on no stored run.
    pub fn is_rough(&self) -> bool {
        self.cells.iter().any(|planned| planned.estimate.is_some_and(|estimate| estimate.is_rough))
    }
}

fn look(cell: &Cell, id: RunId, store: &Store) -> Result<PlannedCell> {
    let run = store.run(&id);
    let status = run.status()?;
    let manifest = match run.manifest() {
        Ok(manifest) => Some(manifest),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error.into()),
    };
    Ok(PlannedCell { cell: cell.clone(), id, status, manifest, estimate: None, cohort: None, continues: None })
}

/// What a run that is to be trained has behind it: its checkpoint, or else the end of a run of fewer epochs.
fn past(planned: &PlannedCell, store: &Store, stored: &[ListedRun]) -> Result<Option<Past>> {
    let epoch = match planned.status {
        Status::Resumable { epoch } => Some(epoch),
        Status::Failed { .. } => store.run(&planned.id).latest_checkpoint()?.checkpoint.map(|found| found.epoch),
        Status::New | Status::Running { .. } | Status::Done => None,
    };
    if let Some(epoch) = epoch {
        let cohort = planned.manifest.as_ref().map(|manifest| manifest.provenance.cohort.clone()).unwrap_or_default();
        return Ok(Some(Past { of: planned.id.clone(), epoch, cohort }));
    }
    let shorter = store.beginning_of(&planned.cell, stored)?.map(|run| &run.manifest);
    Ok(shorter.map(|shorter| Past {
        of: shorter.run_id.clone(),
        epoch: u32::try_from(shorter.cell.training.epochs).unwrap_or(u32::MAX),
        cohort: shorter.provenance.cohort.clone(),
    }))
}
