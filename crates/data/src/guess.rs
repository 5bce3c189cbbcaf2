//! What kind of images lie at a path, told by names alone.

use std::path::{Path, PathBuf};

use spec::{OwnKind, OwnSource};

use crate::own;

/// The user's own images at `path`: a file by its ending, a folder by what it holds, or the one file of images in it.
pub fn guess(path: &Path) -> Option<OwnSource> {
    let of_file = |path: &Path| {
        let extension = path.extension()?.to_string_lossy().to_lowercase();
        let kind = match &*extension {
            "h5" | "hdf5" | "hdf" => OwnKind::Hdf5,
            "npy" => OwnKind::Npy,
            "npz" => OwnKind::Npz,
            _ => return None,
        };
        Some(OwnSource { kind, path: path.to_owned() })
    };
    if !path.is_dir() {
        let is_set = path.extension().is_some_and(|extension| extension == "yaml");
        return if is_set { Some(OwnSource { kind: OwnKind::Set, path: path.to_owned() }) } else { of_file(path) };
    }
    let is = |kind| Some(OwnSource { kind, path: path.to_owned() });
    if own::idx::files(path).is_ok() {
        return is(OwnKind::Idx);
    }
    if own::folder::files(path).is_ok() {
        return is(OwnKind::Folder);
    }
    let entries = std::fs::read_dir(path).ok()?.flatten().map(|entry| entry.path());
    let found: Vec<OwnSource> = entries.filter_map(|entry: PathBuf| of_file(&entry)).collect();
    match <[OwnSource; 1]>::try_from(found) {
        Ok([only]) => Some(only),
        Err(_) => None,
    }
}
