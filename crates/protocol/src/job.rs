//! What a worker is given on its standard input.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use spec::{Cell, Device, Evaluation};

use crate::calibration::Trial;
use crate::usage::Usage;
use crate::version::{OtherVersion, Version};

/// Seconds between checkpoints that are written at the ends of epochs, at least, where nothing else is asked for.
pub const CHECKPOINT_EVERY_SECONDS: u64 = 10;

/// What a worker is given: a task, the cells it is done with, and what the worker may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The version of the program that wrote the job.
    pub version: Version,
    /// Where and with what the worker works.
    pub settings: WorkerSettings,
    /// What is done with the cells.
    pub task: Task,
    /// The cells, one a replica; they share a cohort key.
    pub cells: Vec<Cell>,
}

/// Where and with what a worker works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// The results folder.
    pub results: PathBuf,
    /// The user's folder of datasets.
    pub data: Option<PathBuf>,
    /// Threads within an operation of libtorch.
    pub threads: Threads,
    /// Where to compute.
    pub device: Device,
    /// Seconds between checkpoints that are written at the ends of epochs, at least.
    pub checkpoint_every_seconds: u64,
}

/// How many threads a worker computes with, and whether that may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threads {
    /// Their number.
    pub count: NonZeroUsize,
    /// Whether a person asked for this number. Else a run that goes on keeps the number that it had, and training goes on
    /// with one thread while several are slower than one.
    pub asked: bool,
}

/// What a worker does with its cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Train those whose runs are not done.
    Train,
    /// Measure what is not on record of the trained models of those whose runs are done: the metrics of every model, and −log p(x)
    /// where it is asked for.
    Evaluate(Option<Evaluation>),
    /// Measure the single cell's model with weights from outside; the answer is [`crate::Message::Measurements`], and nothing
    /// is stored.
    Weights(OutsideWeights),
    /// Use the trained model of the single cell, whose run is done; the answer is files, see [`crate::usage`].
    Use(Usage),
    /// Time what these cohorts compute, on made-up images; the job has no cells of its own, and the answer is
    /// [`crate::Message::Calibration`].
    Calibrate(Vec<Trial>),
}

/// Weights from outside the run store, and what is measured with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideWeights {
    /// A safetensors file in the layout of a run's `model.safetensors`.
    pub file: PathBuf,
    /// Draws of z for each test image that the ELBO is a mean over.
    pub samples: NonZeroUsize,
    /// An estimate of log p(x) as well.
    pub evaluation: Option<Evaluation>,
}

/// Why there is no job to work on.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It is of another version.
    #[error(transparent)]
    OtherVersion(#[from] OtherVersion),
    /// It is no job.
    #[error("cannot read the job on standard input: {0}\nhint: `elbo` starts this program and writes the job")]
    Unreadable(serde_json::Error),
    /// It cannot be written as JSON.
    #[error("cannot write a job for `elbo-train`: {0}\nhint: JSON holds folders and files with names in UTF-8")]
    Unwritable(serde_json::Error),
}

impl Job {
    /// A job of this program's version.
    pub fn new(settings: WorkerSettings, task: Task, cells: Vec<Cell>) -> Job {
        Job { version: Version::own(), settings, task, cells }
    }

    /// The job as JSON.
    ///
    /// # Errors
    /// [`JobError::Unwritable`] if a path is not in UTF-8.
    pub fn to_json(&self) -> Result<Vec<u8>, JobError> {
        serde_json::to_vec(self).map_err(JobError::Unwritable)
    }

    /// Reads a job that `elbo` wrote. The version is looked at before anything else is read.
    ///
    /// # Errors
    /// If the job is of another version, or no job.
    pub fn from_json(json: &[u8]) -> Result<Job, JobError> {
        #[derive(Deserialize)]
        struct Header {
            version: Version,
        }
        let Header { version } = serde_json::from_slice(json).map_err(JobError::Unreadable)?;
        version.check("elbo")?;
        serde_json::from_slice(json).map_err(JobError::Unreadable)
    }
}
