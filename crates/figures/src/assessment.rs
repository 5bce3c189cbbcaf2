//! What an experiment's records show, and what makes it less than it seems.

use record::Store;
use spec::{Cell, Experiment};

use crate::claims::Judged;
use crate::collect::collect_numbers;
use crate::error::FiguresError;
use crate::findings::{Finding, findings};
use crate::warnings::{Warning, of_design};

/// Findings, verdicts and warnings about an experiment's finished runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assessment {
    /// What the records show, in sentences.
    pub findings: Vec<Finding>,
    /// What makes it less than it seems.
    pub warnings: Vec<Warning>,
    /// The experiment's claims with their verdicts; `None` where it makes none, or no run is finished.
    pub judged: Option<Judged>,
}

/// Reads the numbers of an experiment's finished runs and says what they show; nothing where no run is finished.
///
/// # Errors
/// If a finished run cannot be read.
pub fn assess(experiment: &Experiment, store: &Store) -> Result<Assessment, FiguresError> {
    match collect_numbers(experiment, store) {
        Ok(records) => {
            Ok(Assessment { findings: findings(&records), warnings: records.warnings, judged: records.judged })
        }
        Err(FiguresError::NothingToDraw { .. }) => Ok(Assessment::default()),
        Err(error) => Err(error),
    }
}

/// Warnings that can be told before anything is trained: these need no records.
pub fn warnings_of_design(cells: &[Cell]) -> Vec<Warning> {
    of_design(cells)
}
