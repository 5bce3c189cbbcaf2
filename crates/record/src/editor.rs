//! The right to write a run's records: its lock, held from opening to dropping.

use jiff::Timestamp;
use spec::Measurement;
use spec::metric::MEASURES_VERSION;

use crate::arrays::Arrays;
use crate::error::RecordError;
use crate::evaluation;
use crate::lock::RunLock;
use crate::manifest::{RunManifest, StoredStatus};
use crate::run::Run;

/// The one editor of a run; [`crate::RunWriter`] trains through one. Nobody else writes the run until it is dropped.
#[derive(Debug)]
pub struct RunEditor {
    run: Run,
    _lock: RunLock,
}

impl RunEditor {
    /// Opens a run that was begun.
    ///
    /// # Errors
    /// If there is no such run, `run.json` is damaged, or another process writes it.
    pub fn open(run: &Run) -> Result<RunEditor, RecordError> {
        run.manifest()?;
        RunEditor::lock(run)
    }

    /// Takes the lock of a run of which nothing but its folder need exist.
    pub(crate) fn lock(run: &Run) -> Result<RunEditor, RecordError> {
        match RunLock::acquire(run.dir())? {
            Ok(lock) => Ok(RunEditor { run: run.clone(), _lock: lock }),
            Err(pid) => Err(RecordError::Locked { run: run.id().clone(), pid }),
        }
    }

    /// The run that is edited.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Adds numbers measured on the trained model, in the place of rows of the same metric, split and settings.
    ///
    /// # Errors
    /// If a value is not finite, or the file cannot be read or written.
    pub fn evaluation(&mut self, rows: &[Measurement]) -> Result<(), RecordError> {
        evaluation::add(&self.run.evaluation_file(), self.run.evaluation()?, rows)
    }

    /// Notes that the trained model was measured by all metrics that this program has.
    ///
    /// # Errors
    /// If `run.json` is damaged or cannot be written.
    pub fn measured(&mut self) -> Result<(), RecordError> {
        let manifest = self.run.manifest()?;
        RunManifest { measures: MEASURES_VERSION, ..manifest }.write(&self.run.manifest_file())
    }

    /// Replaces the arrays for figures.
    ///
    /// # Errors
    /// If shapes disagree or the file cannot be written.
    pub fn arrays(&mut self, arrays: &Arrays) -> Result<(), RecordError> {
        arrays.write(&self.run.arrays_file(), self.run.id())
    }

    /// Notes that a run failed whose process died before it could say so. Its checkpoint stays, so that it can be
    /// tried again from there.
    ///
    /// # Errors
    /// If the run is done, or `run.json` is missing or damaged.
    pub fn fail(self, reason: &str) -> Result<(), RecordError> {
        let mut manifest = self.run.manifest()?;
        if manifest.status == StoredStatus::Done {
            return Err(RecordError::AlreadyDone { run: self.run.id().clone(), folder: self.run.dir().to_owned() });
        }
        manifest.status = StoredStatus::Failed { reason: reason.to_owned() };
        manifest.timing.updated = Timestamp::now();
        manifest.timing.ended = Some(manifest.timing.updated);
        manifest.write(&self.run.manifest_file())
    }
}
