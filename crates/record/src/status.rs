//! How far a run is, as its files and its lock say.

use crate::checkpoint;
use crate::error::RecordError;
use crate::lock::{self, Holder};
use crate::manifest::{RunManifest, StoredStatus};
use crate::run::Run;

/// How far a run is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing to go on from: never started, or killed before its first checkpoint.
    New,
    /// A process is training it.
    Running {
        /// That process, where it is known.
        pid: Option<u32>,
    },
    /// Stopped, and goes on from its checkpoint.
    Resumable {
        /// Epochs completed at that checkpoint.
        epoch: u32,
    },
    /// Stopped for good.
    Failed {
        /// Why, in one sentence.
        reason: String,
    },
    /// All epochs trained and evaluated.
    Done,
}

impl Status {
    /// One word for a table: `new`, `running`, `resumable`, `failed` or `done`.
    pub fn word(&self) -> &'static str {
        match self {
            Status::New => "new",
            Status::Running { .. } => "running",
            Status::Resumable { .. } => "resumable",
            Status::Failed { .. } => "failed",
            Status::Done => "done",
        }
    }
}

impl Run {
    /// How far the run is now. Looks at `run.json`, the lock and the names of checkpoints; opens nothing large.
    ///
    /// # Errors
    /// If `run.json` is damaged or of a newer major version.
    pub fn status(&self) -> Result<Status, RecordError> {
        match RunManifest::read(&self.manifest_file()) {
            Ok(manifest) => self.status_of(&manifest),
            Err(error) if error.is_not_found() => match lock::holder(self.dir())? {
                Holder::Process(pid) => Ok(Status::Running { pid }),
                Holder::Nobody => Ok(Status::New),
            },
            Err(error) => Err(error),
        }
    }

    /// How far the run with this manifest is now.
    pub(crate) fn status_of(&self, manifest: &RunManifest) -> Result<Status, RecordError> {
        if manifest.status == StoredStatus::Done {
            return Ok(Status::Done);
        }
        if let Holder::Process(pid) = lock::holder(self.dir())? {
            return Ok(Status::Running { pid });
        }
        if let StoredStatus::Failed { reason } = &manifest.status {
            return Ok(Status::Failed { reason: reason.clone() });
        }
        match checkpoint::by_name(&self.checkpoint_dir())?.first() {
            Some(checkpoint) => Ok(Status::Resumable { epoch: checkpoint.epoch }),
            None => Ok(Status::New),
        }
    }
}
