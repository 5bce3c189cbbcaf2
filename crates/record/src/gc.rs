//! What a store could do without: runs that nothing refers to, and what killed processes left behind. All of it goes to the trash.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use spec::RunId;

use crate::editor::RunEditor;
use crate::error::RecordError;
use crate::files;
use crate::lock::{self, Holder};
use crate::run::{Run, is_unwritten};
use crate::status::Status;
use crate::store::Store;
use crate::trash::Batch;

/// What could be removed; finding it removes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Runs that nothing refers to and nobody writes.
    pub runs: Vec<GarbageRun>,
    /// Temporary files and folders of processes that are gone, and the segments of runs that are done.
    pub leftovers: Vec<Leftover>,
    /// How many runs are kept because a sweep's folder is made of them, and for no other reason.
    pub n_of_sweeps: usize,
    /// Sweeps' folders that do not say which runs they are made of: as long as there are any, every run is kept.
    pub unsaid: Vec<PathBuf>,
}

/// What became of garbage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discarded {
    /// The size of what was moved.
    pub bytes: u64,
    /// Where it lies now; `None` if nothing was moved.
    pub trash: Option<PathBuf>,
}

/// A run that could be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GarbageRun {
    /// The run.
    pub id: RunId,
    /// Its readable name.
    pub name: String,
    /// How far it is.
    pub status: Status,
    /// The size of its files.
    pub bytes: u64,
}

/// A file or folder that could be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Where.
    pub path: PathBuf,
    /// Its size, with all it holds.
    pub bytes: u64,
}

impl Garbage {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.leftovers.is_empty()
    }

    /// The size of all of it.
    pub fn bytes(&self) -> u64 {
        let runs = self.runs.iter().map(|run| run.bytes);
        runs.chain(self.leftovers.iter().map(|leftover| leftover.bytes)).sum()
    }
}

/// Looks for runs whose id is not in `keep` and that no sweep's folder is made of, and for leftovers in all other runs. Runs
/// that cannot be read are never garbage: a person should look at them.
///
/// # Errors
/// If a folder cannot be listed, or what a sweep's folder is made of cannot be read.
pub fn find(store: &Store, keep: &BTreeSet<RunId>) -> Result<Garbage, RecordError> {
    let mut garbage = Garbage::default();
    let mut of_sweeps = BTreeSet::new();
    for sweep in store.sweeps()? {
        match sweep.runs {
            Some(runs) => of_sweeps.extend(runs),
            None => garbage.unsaid.push(sweep.path),
        }
    }
    for summary in store.runs()?.runs {
        let run = store.run(&summary.manifest.run_id);
        if matches!(summary.status, Status::Running { .. }) {
            continue;
        }
        if !keep.contains(run.id()) {
            if of_sweeps.contains(run.id()) {
                garbage.n_of_sweeps += 1;
            } else if garbage.unsaid.is_empty() {
                garbage.runs.push(GarbageRun {
                    id: run.id().clone(),
                    name: summary.manifest.name,
                    status: summary.status,
                    bytes: files::size(run.dir())?,
                });
                continue;
            }
        }
        let mut paths = Vec::new();
        for folder in [run.dir().to_owned(), run.segments_dir(), run.checkpoint_dir()] {
            paths.extend(files::leftovers(&folder)?);
        }
        if summary.status == Status::Done {
            paths.retain(|path| path.parent() != Some(&*run.segments_dir()));
            paths.extend(Some(run.segments_dir()).filter(|path| path.exists()));
        }
        for path in paths {
            garbage.leftovers.push(Leftover { bytes: files::size(&path)?, path });
        }
    }
    // A run that was killed before its first file.
    for name in files::names(&store.runs_dir())? {
        let path = store.runs_dir().join(name);
        if path.is_dir() && is_unwritten(&path)? && lock::holder(&path)? == Holder::Nobody {
            garbage.leftovers.push(Leftover { bytes: files::size(&path)?, path });
        }
    }
    for folder in [store.root().to_owned(), store.runs_dir()] {
        for path in files::stale_leftovers(&folder)? {
            garbage.leftovers.push(Leftover { bytes: files::size(&path)?, path });
        }
    }
    Ok(garbage)
}

/// Moves what [`find`] found to the trash, but for runs that somebody has begun to write since.
///
/// # Errors
/// If the file system refuses; what was moved before stays in the trash.
pub fn discard(store: &Store, garbage: &Garbage) -> Result<Discarded, RecordError> {
    let batch = Batch::begin(store, "gc")?;
    let mut bytes = 0;
    for leftover in &garbage.leftovers {
        if !is_written(store, &leftover.path)? {
            batch.take_leftover(store, &leftover.path)?;
            bytes += leftover.bytes;
        }
    }
    for run in &garbage.runs {
        match discard_run(&batch, &store.run(&run.id)) {
            Ok(()) => bytes += run.bytes,
            Err(RecordError::Locked { .. }) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    batch.forget_if_empty()?;
    Ok(Discarded { bytes, trash: batch.folder().is_dir().then(|| batch.folder().to_owned()) })
}

/// Moves a run to the trash.
///
/// # Errors
/// If it is not there, somebody writes it, or the file system refuses.
pub fn discard_run(batch: &Batch, run: &Run) -> Result<(), RecordError> {
    let _editor = RunEditor::lock(run)?;
    batch.take_run(run)
}

/// Whether a path lies in a run's folder that somebody writes now.
fn is_written(store: &Store, path: &Path) -> Result<bool, RecordError> {
    let runs = store.runs_dir();
    let Some(name) = path.strip_prefix(&runs).ok().and_then(|rest| rest.components().next()) else {
        return Ok(false);
    };
    Ok(lock::holder(&runs.join(name))? != Holder::Nobody)
}
