//! Files that several processes share: a lock, and writing in one step.

use std::fs::TryLockError;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::error::DataError;

/// Runs `work` while this process alone holds the lock of `folder`, which is made if need be.
///
/// `wait` is called once when another process holds it. The system drops the lock of a process that dies.
pub(crate) fn with_lock<T>(
    folder: &Path,
    wait: impl FnOnce(),
    work: impl FnOnce() -> Result<T, DataError>,
) -> Result<T, DataError> {
    fs::create_dir_all(folder)?;
    let path = folder.join(".lock");
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
    match file.file().try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            wait();
            file.file().lock()?;
        }
        Err(TryLockError::Error(error)) => {
            let hint = "put the cache on a file system that knows file locks, by `XDG_CACHE_HOME`";
            return Err(DataError::file(&path, format!("cannot be locked: {error}"), hint));
        }
    }
    let result = work();
    drop(file);
    result
}

/// A name beside `path` that no other process writes to, and that no reader looks for.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    path.with_file_name(format!(".{name}.tmp-{}", std::process::id()))
}

/// Gives a finished file its name, so that whoever sees the name sees all of it, also after a power failure.
pub(crate) fn publish(temporary: &Path, path: &Path) -> Result<(), DataError> {
    fs::File::open(temporary)?.sync_all()?;
    fs::rename(temporary, path)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
