//! Checkpoints: folders that are there as a whole or not at all, each with a list of its files' digests.
//!
//! There is no pointer to the newest one that could be wrong: the newest folder whose files agree with its list
//! wins, and the one before it is kept for the day the newest is damaged.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::RecordError;
use crate::files;
use crate::format::FormatVersion;

/// The list of digests in each checkpoint.
const LIST: &str = "digests.json";
/// Checkpoints kept.
const N_KEPT: usize = 2;

/// A checkpoint whose name says how far training was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The folder.
    pub path: PathBuf,
    /// Epochs completed.
    pub epoch: u32,
    /// Optimizer steps taken since the start of training.
    pub step: u64,
}

/// The checkpoint to go on from, and what was found damaged on the way to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatestCheckpoint {
    /// The newest checkpoint all of whose files are whole; `None` to start from the beginning.
    pub checkpoint: Option<Checkpoint>,
    /// Newer checkpoints that are damaged: one sentence each, for a warning.
    pub damaged: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct List {
    format_version: FormatVersion,
    /// By name.
    files: BTreeMap<String, Listed>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Listed {
    bytes: u64,
    sha256: String,
}

/// The checkpoints in `folder` by name alone, newest first.
pub(crate) fn by_name(folder: &Path) -> Result<Vec<Checkpoint>, RecordError> {
    let mut found: Vec<Checkpoint> = files::names(folder)?
        .into_iter()
        .filter_map(|name| {
            let (epoch, step) = name.strip_prefix("epoch-")?.split_once("-step-")?;
            Some(Checkpoint { path: folder.join(&name), epoch: epoch.parse().ok()?, step: step.parse().ok()? })
        })
        .collect();
    found.sort_by_key(|checkpoint| std::cmp::Reverse((checkpoint.step, checkpoint.epoch)));
    Ok(found)
}

/// Writes a checkpoint through `write`, which is given a fresh folder to put files (no folders) into. The one before
/// is kept, older ones are removed.
pub(crate) fn write<E>(
    folder: &Path,
    epoch: u32,
    step: u64,
    write: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<Checkpoint, RecordError>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    files::create_folder(folder)?;
    let path = folder.join(format!("epoch-{epoch:05}-step-{step:010}"));
    let temporary = files::temporary_path(&path)?;
    files::remove(&temporary)?;
    fs_err::create_dir(&temporary)?;
    let result = write(&temporary).map_err(Into::into).and_then(|()| {
        seal(&temporary)?;
        // One of the same step may stand in the place; until the rename, the one before it serves.
        files::remove_folder(&path)?;
        fs_err::rename(&temporary, &path)?;
        files::sync_folder(folder)?;
        Ok(())
    });
    if let Err(cause) = result {
        let _ = files::remove(&temporary);
        return Err(RecordError::Write { path, cause });
    }
    for old in by_name(folder)?.into_iter().skip(N_KEPT) {
        files::remove_folder(&old.path)?;
    }
    Ok(Checkpoint { path, epoch, step })
}

/// Leaves the newest checkpoint alone.
pub(crate) fn keep_newest(folder: &Path) -> Result<(), RecordError> {
    for old in by_name(folder)?.into_iter().skip(1) {
        files::remove_folder(&old.path)?;
    }
    Ok(())
}

/// Copies the files of a whole checkpoint into `to`, without the list of their digests, which [`write()`] makes.
pub(crate) fn copy_files(from: &Checkpoint, to: &Path) -> Result<(), RecordError> {
    for name in files::names(&from.path)?.into_iter().filter(|name| name != LIST) {
        fs_err::copy(from.path.join(&name), to.join(&name))?;
    }
    Ok(())
}

/// Flushes all files of a fresh checkpoint and writes the list of their digests.
fn seal(folder: &Path) -> Result<(), RecordError> {
    let mut list = List { format_version: FormatVersion::CURRENT, files: BTreeMap::new() };
    for name in files::names(folder)? {
        let path = folder.join(&name);
        fs_err::OpenOptions::new().write(true).open(&path)?.sync_all()?;
        list.files.insert(name, digest(&path)?);
    }
    let text = serde_json::to_vec_pretty(&list)
        .map_err(|error| RecordError::Write { path: folder.join(LIST), cause: error.into() })?;
    files::write_bytes_atomically(&folder.join(LIST), &text)
}

fn digest(path: &Path) -> Result<Listed, RecordError> {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    let bytes = std::io::copy(&mut fs_err::File::open(path)?, &mut HashWriter(&mut hash))?;
    Ok(Listed { bytes, sha256: spec::hexadecimal(&hash.finalize()) })
}

/// Feeds what is written into a hash.
struct HashWriter<'a>(&'a mut sha2::Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        sha2::Digest::update(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Why a checkpoint cannot be used, or `None` if all its files agree with its list.
fn damage(folder: &Path) -> Option<String> {
    let list: List = match fs_err::read(folder.join(LIST)) {
        Ok(text) => match serde_json::from_slice(&text) {
            Ok(list) => list,
            Err(error) => return Some(format!("cannot read `{}`: {error}", folder.join(LIST).display())),
        },
        Err(error) => return Some(error.to_string()),
    };
    if let Err(error) = RecordError::refuse_newer(&folder.join(LIST), list.format_version) {
        return Some(error.to_string());
    }
    for (name, listed) in &list.files {
        let path = folder.join(name);
        match digest(&path) {
            Ok(found) if found == *listed => {}
            Ok(_) => return Some(format!("`{}` is damaged: its digest is not the one in `{LIST}`", path.display())),
            Err(error) => return Some(error.to_string()),
        }
    }
    None
}

/// The newest whole checkpoint; reads and hashes all its files.
pub(crate) fn latest(folder: &Path) -> Result<LatestCheckpoint, RecordError> {
    let mut latest = LatestCheckpoint::default();
    for checkpoint in by_name(folder)? {
        match damage(&checkpoint.path) {
            None => {
                latest.checkpoint = Some(checkpoint);
                break;
            }
            Some(reason) => latest.damaged.push(reason),
        }
    }
    Ok(latest)
}

/// Removes checkpoints from after `step`.
pub(crate) fn forget_after(folder: &Path, step: u64) -> Result<(), RecordError> {
    for checkpoint in by_name(folder)?.into_iter().filter(|checkpoint| checkpoint.step > step) {
        files::remove_folder(&checkpoint.path)?;
    }
    Ok(())
}
