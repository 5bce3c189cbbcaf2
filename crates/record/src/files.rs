//! Files that are there as a whole or not at all: written beside their place, flushed, renamed, and the folder flushed.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::RecordError;

/// Writes `path` through `write`, which is given a temporary path in the same folder, `.name.tmp-PID`, to create.
///
/// A reader sees the old file or the new one, also when this process or the machine dies at any moment. On an error
/// the old file stays and the temporary one is removed. One process writes one path from one thread at a time.
///
/// # Errors
/// [`RecordError::Write`] with what `write` or the file system said.
pub fn write_atomically<E>(path: &Path, write: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), RecordError>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let temporary = temporary_path(path)?;
    let result = write(&temporary).map_err(Into::into).and_then(|()| {
        fs_err::OpenOptions::new().write(true).open(&temporary)?.sync_all()?;
        fs_err::rename(&temporary, path)?;
        sync_parent(path)?;
        Ok(())
    });
    result.map_err(|cause| {
        let _ = fs_err::remove_file(&temporary);
        RecordError::Write { path: path.to_owned(), cause }
    })
}

/// Writes `bytes` as the file `path`, as [`write_atomically`] does.
///
/// # Errors
/// [`RecordError::Write`] with what the file system said.
pub fn write_bytes_atomically(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    write_atomically(path, |temporary| fs_err::File::create(temporary)?.write_all(bytes))
}

/// Creates a folder, its parents too, so that it is still there after the machine died.
pub(crate) fn create_folder(path: &Path) -> Result<(), RecordError> {
    if !path.is_dir() {
        if let Some(parent) = parent(path) {
            create_folder(parent)?;
        }
        match fs_err::create_dir(path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => {}
            other => other?,
        }
        sync_parent(path)?;
    }
    Ok(())
}

/// The temporary place of `path`: `.name.tmp-PID` beside it.
pub(crate) fn temporary_path(path: &Path) -> Result<PathBuf, RecordError> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        RecordError::refused(format!("`{}` is not the path of a file", path.display()), "name a file in UTF-8")
    })?;
    Ok(path.with_file_name(format!(".{name}.tmp-{}", std::process::id())))
}

/// Flushes a file's or folder's entry in the folder that holds it.
pub(crate) fn sync_parent(path: &Path) -> std::io::Result<()> {
    sync_folder(parent(path).unwrap_or(Path::new(".")))
}

/// Flushes the entries of a folder; other systems than Unix do that by themselves and cannot open a folder.
#[cfg(unix)]
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    fs_err::File::open(path)?.sync_all()
}

/// Flushes the entries of a folder; other systems than Unix do that by themselves and cannot open a folder.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// The folder that holds `path`, where it names one.
fn parent(path: &Path) -> Option<&Path> {
    path.parent().filter(|parent| !parent.as_os_str().is_empty())
}

/// Whether a file name is that of a temporary file or folder of [`write_atomically`], and of which process.
pub(crate) fn temporary_pid(name: &str) -> Option<u32> {
    let (_, pid) = name.strip_prefix('.')?.rsplit_once(".tmp-")?;
    pid.parse().ok()
}

/// The temporary files and folders directly in `folder`; none if there is no such folder.
pub(crate) fn leftovers(folder: &Path) -> Result<Vec<PathBuf>, RecordError> {
    let names = names(folder)?;
    Ok(names.into_iter().filter(|name| temporary_pid(name).is_some()).map(|name| folder.join(name)).collect())
}

/// The temporary files and folders directly in `folder` whose process is gone: not running here, and untouched for a
/// minute in case it runs on another machine that shares the folder.
pub(crate) fn stale_leftovers(folder: &Path) -> Result<Vec<PathBuf>, RecordError> {
    let mut all = leftovers(folder)?;
    all.retain(|path| {
        let pid = path.file_name().and_then(|name| name.to_str()).and_then(temporary_pid);
        let age = fs_err::metadata(path).and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
        pid.is_some_and(|pid| !is_alive(pid)) && age.is_some_and(|age| age >= Duration::from_secs(60))
    });
    Ok(all)
}

/// Whether a process of this id runs on this machine; `true` where that cannot be known.
fn is_alive(pid: u32) -> bool {
    let processes = Path::new("/proc");
    !processes.join("self").exists() || processes.join(pid.to_string()).exists()
}

/// Removes a file or a folder with all it holds; no error if it is gone already.
pub(crate) fn remove(path: &Path) -> Result<(), RecordError> {
    let result = match fs_err::symlink_metadata(path) {
        Ok(data) if data.is_dir() => fs_err::remove_dir_all(path),
        Ok(_) => fs_err::remove_file(path),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Removes a folder so that no reader meets half of it, also when this process dies on the way: it is renamed to a
/// temporary name first, under which it counts as a leftover. No error if it is gone already.
pub(crate) fn remove_folder(path: &Path) -> Result<(), RecordError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let hidden = path.with_file_name(format!(".{name}.removed.tmp-{}", std::process::id()));
    remove(&hidden)?;
    match fs_err::rename(path, &hidden) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    remove(&hidden)
}

/// The size of a file, or of all files in a folder.
pub(crate) fn size(path: &Path) -> Result<u64, RecordError> {
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

/// The names in a folder that are UTF-8, sorted; none if there is no such folder.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, RecordError> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// SHA-256 of bytes, in lowercase hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    spec::hexadecimal(&Sha256::digest(bytes))
}
