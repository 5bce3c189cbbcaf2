//! What a store could do without: runs that nothing refers to, and what killed processes left behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use spec::RunId;

use crate::editor::RunEditor;
use crate::error::RecordError;
use crate::files;
use crate::lock::{self, Holder};
use crate::run::is_unwritten;
use crate::status::Status;
use crate::store::Store;

/// What could be removed; finding it removes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Runs that nothing refers to and nobody writes.
    pub runs: Vec<GarbageRun>,
    /// Temporary files and folders of processes that are gone, and the segments of runs that are done.
    pub leftovers: Vec<Leftover>,
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
    /// The size of all of it.
    pub fn bytes(&self) -> u64 {
        let runs = self.runs.iter().map(|run| run.bytes);
        runs.chain(self.leftovers.iter().map(|leftover| leftover.bytes)).sum()
    }
}

/// Looks for runs whose id is not in `keep`, and for leftovers in all other runs. Runs that cannot be read are never
/// garbage: a person should look at them.
///
/// # Errors
/// If a folder cannot be listed.
pub fn find(store: &Store, keep: &BTreeSet<RunId>) -> Result<Garbage, RecordError> {
    let mut garbage = Garbage::default();
    for summary in store.runs()?.runs {
        let run = store.run(&summary.manifest.run_id);
        if matches!(summary.status, Status::Running { .. }) {
            continue;
        }
        if !keep.contains(run.id()) {
            garbage.runs.push(GarbageRun {
                id: run.id().clone(),
                name: summary.manifest.name,
                status: summary.status,
                bytes: size(run.dir())?,
            });
            continue;
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
            garbage.leftovers.push(Leftover { bytes: size(&path)?, path });
        }
    }
    // A run that was killed before its first file.
    for name in files::names(&store.runs_dir())? {
        let path = store.runs_dir().join(name);
        if path.is_dir() && is_unwritten(&path)? && lock::holder(&path)? == Holder::Nobody {
            garbage.leftovers.push(Leftover { bytes: size(&path)?, path });
        }
    }
    for folder in [store.root().to_owned(), store.runs_dir()] {
        for path in files::stale_leftovers(&folder)? {
            garbage.leftovers.push(Leftover { bytes: size(&path)?, path });
        }
    }
    Ok(garbage)
}

/// Removes what [`find`] found, but for runs that somebody has begun to write since; returns the bytes freed.
///
/// # Errors
/// If the file system refuses; what was removed before stays removed.
pub fn remove(store: &Store, garbage: &Garbage) -> Result<u64, RecordError> {
    let mut freed = 0;
    for leftover in &garbage.leftovers {
        if !is_written(store, &leftover.path)? {
            files::remove(&leftover.path)?;
            freed += leftover.bytes;
        }
    }
    for GarbageRun { id, bytes, .. } in &garbage.runs {
        let run = store.run(id);
        let _editor = match RunEditor::lock(&run) {
            Ok(editor) => editor,
            Err(RecordError::Locked { .. }) => continue,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        files::remove_folder(run.dir())?;
        freed += bytes;
    }
    Ok(freed)
}

/// Whether a path lies in a run's folder that somebody writes now.
fn is_written(store: &Store, path: &Path) -> Result<bool, RecordError> {
    let runs = store.runs_dir();
    let Some(name) = path.strip_prefix(&runs).ok().and_then(|rest| rest.components().next()) else {
        return Ok(false);
    };
    Ok(lock::holder(&runs.join(name))? != Holder::Nobody)
}

/// The size of a file, or of all files in a folder.
fn size(path: &Path) -> Result<u64, RecordError> {
    let data = fs_err::symlink_metadata(path)?;
    if !data.is_dir() {
        return Ok(data.len());
    }
    let mut bytes = 0;
    for entry in fs_err::read_dir(path)? {
        bytes += size(&entry?.path())?;
    }
    Ok(bytes)
}
