//! Where a dataset's own files are: one absolute path, however it was spelt.
//!
//! A relative path in a spec is relative to **the folder of the experiment file**, never to the folder that `elbo` was
//! started in; this holds for `--set` too. It is joined to that folder (with its links resolved: the file was just read, so
//! they can be) and `.`, `..` and doubled slashes are taken out as text. The file named need not exist, and `./a.h5`, `../experiments/a.h5` and the absolute path have one id.
//!
//! Once the images have been read, a run is known by their content and not by their path, which is only where they were
//! found: a dataset that moves keeps its runs, and another folder's `images.h5` is other data. The known datasets have no path.

use std::path::{Component, Path, PathBuf};

/// The folder of an experiment file, absolute.
pub(crate) fn folder_of(file: &Path) -> PathBuf {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    folder.canonicalize().or_else(|_| std::path::absolute(folder)).unwrap_or_else(|_| folder.to_owned())
}

/// A path as it is seen from anywhere.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// `path` seen from `folder`, absolute, without `.` and `..`.
pub(crate) fn resolve(folder: &Path, path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for component in folder.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                resolved.pop();
            }
            other => resolved.push(other),
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_path() {
        let folder = Path::new("/home/ada/experiments");
        for spelt in ["../data/x.h5", "./../data//x.h5", "../experiments/../data/x.h5", "/home/ada/data/x.h5"] {
            assert_eq!(resolve(folder, Path::new(spelt)), Path::new("/home/ada/data/x.h5"), "{spelt}");
        }
        assert_eq!(resolve(Path::new("/"), Path::new("../../x")), Path::new("/x"));
    }
}
