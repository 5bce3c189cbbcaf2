//! One writer per run: a lock of the operating system on `runs/<run-id>/lock`, which dies with its process.

use std::fs::TryLockError;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::RecordError;

/// How long a writer waits for the lock: a reader that asks whether the run is locked holds it for microseconds.
const PATIENCE: Duration = Duration::from_millis(500);

/// The lock of a run's folder, free again when dropped or when the process ends in whatever way.
#[derive(Debug)]
pub struct RunLock {
    _file: fs_err::File,
}

/// Who holds a run's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// A process, where the lock file could be read.
    Process(Option<u32>),
}

impl RunLock {
    /// Takes the lock of `folder`, which exists, or says who holds it.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn acquire(folder: &Path) -> Result<Result<RunLock, Option<u32>>, RecordError> {
        let path = lock_path(folder);
        let start = Instant::now();
        loop {
            let mut file =
                fs_err::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            match file.file().try_lock() {
                // A lock on a file that `elbo gc` has removed in the meantime would keep nobody out.
                Ok(()) if !is_same_file(&file, &path) => {}
                Ok(()) => {
                    file.set_len(0)?;
                    file.write_all(std::process::id().to_string().as_bytes())?;
                    return Ok(Ok(RunLock { _file: file }));
                }
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => return Ok(Err(read_pid(&mut file))),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }
}

/// Who holds the lock of `folder` now; [`Holder::Nobody`] also where there is no folder.
///
/// # Errors
/// If the file system refuses.
pub fn holder(folder: &Path) -> Result<Holder, RecordError> {
    let mut file = match fs_err::File::open(lock_path(folder)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Holder::Nobody),
        Err(error) => return Err(error.into()),
    };
    match file.file().try_lock_shared() {
        Ok(()) => Ok(Holder::Nobody),
        Err(TryLockError::WouldBlock) => Ok(Holder::Process(read_pid(&mut file))),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join("lock")
}

fn read_pid(file: &mut fs_err::File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(unix)]
fn is_same_file(file: &fs_err::File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs_err::metadata(path)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}

/// Systems that refuse to remove an open file have no such trouble.
#[cfg(not(unix))]
fn is_same_file(_: &fs_err::File, _: &Path) -> bool {
    true
}
