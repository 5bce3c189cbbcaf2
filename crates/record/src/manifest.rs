//! `run.json`: what was run, with what, where, when, and how far it is.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use spec::{Cell, RunId, Scale, Split};

use crate::error::RecordError;
use crate::files;
use crate::format::FormatVersion;
use crate::rows::EpochMetrics;

/// The content of `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunManifest {
    /// Version of the run's files.
    pub format_version: FormatVersion,
    /// The folder's name.
    pub run_id: RunId,
    /// For people: `vae-mnist-z20-b1-s0`.
    pub name: String,
    /// How far the run is, as last written; see [`crate::Status`] for what that means now.
    pub status: StoredStatus,
    /// Seeds weights, shuffling, reparametrisation and dynamic binarisation.
    pub seed: u64,
    /// The scale of the run's likelihood.
    pub scale: Scale,
    /// The whole configuration.
    pub cell: Cell,
    /// Code, versions and machine of the latest attempt.
    pub provenance: Provenance,
    /// When, and for how long.
    pub timing: Timing,
    /// The numbers of threads that the run was trained with, each with the step from which on, in the order of the steps.
    /// Two runs of a cell are equal bit for bit only where these are, since rounding depends on them.
    #[serde(default)]
    pub thread_history: Vec<ThreadSpan>,
    /// The latest epoch on record; `null` before the first.
    #[serde(default)]
    pub last_epoch: Option<EpochTerms>,
    /// The epoch whose weights are the trained model, where that need not be the last one (`training.keep: best`); `null` before
    /// the run is done, and for `training.keep: last`.
    #[serde(default)]
    pub kept_epoch: Option<EpochTerms>,
    /// Which metrics its trained model was measured by, [`spec::metric::MEASURES_VERSION`] then; 0 before it was, and of runs
    /// that are older than this field.
    #[serde(default)]
    pub measures: u32,
    /// The run whose end this one began with; `null` for one that began with fresh weights.
    #[serde(default)]
    pub continues: Option<Continued>,
}

/// A shorter run that a run goes on from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continued {
    /// That run.
    pub run_id: RunId,
    /// Its epochs.
    pub epoch: u32,
}

/// How far a run is, as its writer said last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum StoredStatus {
    /// A process was training; whether it still does, only its lock can tell.
    Running {
        /// That process.
        pid: u32,
    },
    /// Stopped by a signal, to be continued.
    Interrupted,
    /// Stopped for good.
    Failed {
        /// Why, in one sentence.
        reason: String,
    },
    /// All epochs trained and evaluated.
    Done,
}

/// Code, versions and machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The repository of the working directory; `null` outside of one.
    #[serde(default)]
    pub git: Option<Git>,
    /// Version by name: `elbo`, `libtorch`, `tch`, ….
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// The machine.
    #[serde(default)]
    pub host: Host,
    /// `cpu` or `cuda`.
    #[serde(default)]
    pub device: String,
    /// Threads of the latest attempt within operations, as it began.
    #[serde(default)]
    pub threads: usize,
    /// SHA-256 of the images trained and evaluated on, as `data::Splits::digest` gives it.
    #[serde(default)]
    pub data_sha256: String,
    /// How far test images are from their neighbours in the source that were taken for training, as a share of how far images are
    /// from each other anywhere, as `data::Splits::neighbour_distance` gives it; `null` where the source has a test split.
    #[serde(default)]
    pub neighbour_distance: Option<f64>,
    /// The runs trained together as one program, this one included.
    #[serde(default)]
    pub cohort: Vec<RunId>,
}

/// A number of threads, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ThreadSpan {
    /// Steps taken before.
    pub from_step: u64,
    /// Threads from then on.
    pub threads: usize,
}

/// The state of the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// The commit checked out.
    pub commit: String,
    /// SHA-256 of what differs from that commit (tracked changes and untracked files); `null` when nothing does.
    #[serde(default)]
    pub dirty_patch_sha256: Option<String>,
}

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Operating system and architecture: `linux-x86_64`.
    pub platform: String,
    /// The processor's model.
    pub cpu: String,
    /// Processors the process may use.
    pub cpus: usize,
}

/// When, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// The first attempt's start.
    pub started: Timestamp,
    /// The latest write of run.json.
    pub updated: Timestamp,
    /// The end of the last attempt; `null` while it runs, and after a kill.
    #[serde(default)]
    pub ended: Option<Timestamp>,
    /// Wall-clock seconds of all attempts together, shared by all runs of the cohort.
    pub seconds: f64,
    /// How often training was started or taken up again.
    pub attempts: u32,
}

/// An epoch on record, so that a list of runs needs run.json alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochTerms {
    /// Epochs completed.
    pub epoch: u32,
    /// Optimizer steps taken.
    pub step: u64,
    /// Every metric that the model has, of each split that was measured.
    pub splits: BTreeMap<Split, EpochMetrics>,
}

/// A run.json in today's form. Before version 1.2 the continuous Bernoulli was a word without settings, and not clipped.
fn of_today(mut manifest: Value) -> Value {
    if let Some(likelihood) = manifest.pointer_mut("/cell/model/likelihood")
        && likelihood == "continuous-bernoulli"
    {
        *likelihood = json!({ "continuous-bernoulli": { "clip": 0 } });
    }
    manifest
}

/// The part that every version of run.json has.
#[derive(Deserialize)]
struct VersionOnly {
    format_version: FormatVersion,
}

impl RunManifest {
    /// Wall-clock seconds of training, its even share of those it was trained with.
    pub fn own_seconds(&self) -> f64 {
        self.timing.seconds / self.provenance.cohort.len().max(1) as f64
    }

    /// When it ended, or was last heard of.
    pub fn until(&self) -> Timestamp {
        self.timing.ended.unwrap_or(self.timing.updated)
    }

    /// The epoch that the run's numbers are of: the one whose weights were kept, or else the latest on record.
    pub fn result(&self) -> Option<&EpochTerms> {
        self.kept_epoch.as_ref().or(self.last_epoch.as_ref())
    }

    /// The numbers of threads that the run was trained with; empty where they are not known. Where they were not kept yet, those
    /// of the latest attempt.
    pub fn threads(&self) -> Vec<ThreadSpan> {
        let threads = self.provenance.threads;
        match self.thread_history.as_slice() {
            [] if threads > 0 => vec![ThreadSpan { from_step: 0, threads }],
            history => history.to_vec(),
        }
    }

    /// Reads a run.json.
    ///
    /// # Errors
    /// If the file is missing, is not a run.json, or was written by a newer major version.
    pub fn read(path: &Path) -> Result<RunManifest, RecordError> {
        let text = fs_err::read(path)?;
        match serde_json::from_slice(&text).map(of_today).and_then(serde_json::from_value::<RunManifest>) {
            Ok(manifest) => {
                RecordError::refuse_newer(path, manifest.format_version)?;
                // An earlier version may have called it otherwise; there is one way of naming runs.
                Ok(RunManifest { name: manifest.cell.readable_name(), ..manifest })
            }
            // What a newer version wrote may well look damaged.
            Err(error) => {
                if let Ok(version) = serde_json::from_slice::<VersionOnly>(&text) {
                    RecordError::refuse_newer(path, version.format_version)?;
                }
                Err(RecordError::damaged(path, error.to_string()))
            }
        }
    }

    /// Replaces a run.json.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), RecordError> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| RecordError::Write { path: path.to_owned(), cause: error.into() })?;
        text.push(b'\n');
        files::write_bytes_atomically(path, &text)
    }
}
