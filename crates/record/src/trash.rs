//! The trash: what was removed lies in `trash/<when>-<by>/` until it is brought back, or the trash is emptied.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use spec::RunId;

use crate::error::RecordError;
use crate::files;
use crate::lock::{self, Holder};
use crate::run::{Run, is_unwritten};
use crate::store::Store;

/// What one command moved to the trash: `runs/<run-id>/` as they lay in the store, and `leftovers/`, which nobody misses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    folder: PathBuf,
}

/// What was brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Runs that are in the store again.
    pub back: Vec<RunId>,
    /// Runs that were trained anew meanwhile; what was removed of them stays in the trash.
    pub taken: Vec<RunId>,
}

impl Batch {
    /// A new, empty one in the trash of `store`; `by` says what made it, such as `gc`.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn begin(store: &Store, by: &str) -> Result<Batch, RecordError> {
        let trash = store.trash_dir();
        files::create_folder(&trash)?;
        // Names are in order of time; two of one moment differ by a number.
        let when = Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S%.6fZ").to_string();
        let mut n = 1;
        loop {
            let folder = trash.join(if n == 1 { format!("{when}-{by}") } else { format!("{when}-{n}-{by}") });
            match fs_err::create_dir(&folder) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
                other => {
                    other?;
                    files::sync_parent(&folder)?;
                    return Ok(Batch { folder });
                }
            }
        }
    }

    /// The latest one that holds runs; `None` if there is none.
    ///
    /// # Errors
    /// If the trash cannot be listed.
    pub fn latest(store: &Store) -> Result<Option<Batch>, RecordError> {
        let trash = store.trash_dir();
        for name in files::names(&trash)?.into_iter().rev() {
            let batch = Batch { folder: trash.join(name) };
            if !batch.ids()?.is_empty() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The runs that it holds.
    fn ids(&self) -> Result<Vec<RunId>, RecordError> {
        let names = files::names(&self.folder.join("runs"))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Moves a run here in one step, so that no reader meets half of it.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn take_run(&self, run: &Run) -> Result<(), RecordError> {
        move_to(run.dir(), &self.folder.join("runs").join(run.id().as_str()))
    }

    /// Moves a file or folder of the store here. No error if it is gone.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn take_leftover(&self, store: &Store, path: &Path) -> Result<(), RecordError> {
        let inner = path.strip_prefix(store.root()).unwrap_or(Path::new("elsewhere"));
        match move_to(path, &self.folder.join("leftovers").join(inner)) {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        }
    }

    /// Brings its runs back to the store, but for those that were trained anew meanwhile.
    ///
    /// # Errors
    /// If the file system refuses; what was brought back before stays, and the rest can be brought back later.
    pub fn restore(&self, store: &Store) -> Result<Restored, RecordError> {
        let mut restored = Restored::default();
        for id in self.ids()? {
            let run = store.run(&id);
            if run.dir().is_dir() && is_unwritten(run.dir())? && lock::holder(run.dir())? == Holder::Nobody {
                files::remove_folder(run.dir())?;
            }
            if run.dir().exists() {
                restored.taken.push(id);
            } else {
                move_to(&self.folder.join("runs").join(id.as_str()), run.dir())?;
                restored.back.push(id);
            }
        }
        if restored.taken.is_empty() {
            files::remove_folder(&self.folder)?;
        }
        Ok(restored)
    }

    /// Removes the folder if nothing was moved to it.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn forget_if_empty(&self) -> Result<(), RecordError> {
        if files::names(&self.folder)?.is_empty() {
            files::remove(&self.folder)?;
        }
        Ok(())
    }
}

/// Renames, and makes what the new place lies in.
fn move_to(from: &Path, to: &Path) -> Result<(), RecordError> {
    if let Some(parent) = to.parent() {
        files::create_folder(parent)?;
    }
    fs_err::rename(from, to)?;
    files::sync_parent(from)?;
    Ok(files::sync_parent(to)?)
}

impl Store {
    /// The folder of what was removed.
    pub fn trash_dir(&self) -> PathBuf {
        self.root().join("trash")
    }

    /// The size of all that lies in the trash.
    ///
    /// # Errors
    /// If it cannot be looked at.
    pub fn trash_bytes(&self) -> Result<u64, RecordError> {
        let trash = self.trash_dir();
        if trash.is_dir() { files::size(&trash) } else { Ok(0) }
    }

    /// Removes all that lies in the trash, for good.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn empty_trash(&self) -> Result<(), RecordError> {
        files::remove_folder(&self.trash_dir())
    }
}
