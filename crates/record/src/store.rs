//! The store: all runs under one results folder.

use std::path::{Path, PathBuf};

use spec::RunId;

use crate::error::RecordError;
use crate::files;
use crate::manifest::RunManifest;
use crate::run::{Run, is_unwritten};
use crate::status::Status;

/// A results folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    root: PathBuf,
}

/// One run in a list: what `run.json` says, and how far the run is now.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedRun {
    /// How far the run is now.
    pub status: Status,
    /// What its `run.json` says: name, cell, seed, timing, terms at the latest epoch.
    pub manifest: RunManifest,
}

/// All runs of a store.
#[derive(Debug, Default)]
pub struct Listing {
    /// The runs, in order of readable name, then id.
    pub runs: Vec<ListedRun>,
    /// What is in the runs' folder but could not be read.
    pub unreadable: Vec<Unreadable>,
}

/// Something in the runs' folder that could not be read.
#[derive(Debug)]
pub struct Unreadable {
    /// The file or folder.
    pub path: PathBuf,
    /// Why, with a hint.
    pub error: RecordError,
}

impl Store {
    /// The store in the folder `root`, which need not exist yet.
    ///
    /// # Errors
    /// If `root` is there but is no folder.
    pub fn open(root: &Path) -> Result<Store, RecordError> {
        if root.exists() && !root.is_dir() {
            return Err(RecordError::refused(
                format!("`{}` is not a folder", root.display()),
                "name the results folder with --results or ELBO_RESULTS",
            ));
        }
        Ok(Store { root: root.to_owned() })
    }

    /// The results folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that holds the runs.
    pub fn runs_dir(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The folder of a sweep's figures, tables and report.
    pub fn sweep_dir(&self, name: &str) -> PathBuf {
        self.root.join("sweeps").join(name)
    }

    /// The index that [`Store::rebuild_index`] writes.
    pub fn index_file(&self) -> PathBuf {
        self.root.join("runs.parquet")
    }

    /// The run with this id, which need not exist.
    pub fn run(&self, id: &RunId) -> Run {
        Run::new(id.clone(), self.runs_dir().join(id.to_string()))
    }

    /// All runs, from their `run.json` alone. What cannot be read is reported beside them.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn runs(&self) -> Result<Listing, RecordError> {
        let mut listing = Listing::default();
        let folder = self.runs_dir();
        for name in files::names(&folder)? {
            if name.starts_with('.') {
                continue;
            }
            match self.read_run(&folder, &name) {
                Ok(Some(summary)) => listing.runs.push(summary),
                Ok(None) => {}
                Err(error) => listing.unreadable.push(Unreadable { path: folder.join(&name), error }),
            }
        }
        listing.runs.sort_by_cached_key(|run| (natural(&run.manifest.name), run.manifest.run_id.clone()));
        Ok(listing)
    }

    /// The run in the folder `name`; `None` for one that nothing was written of yet, or that is being removed.
    fn read_run(&self, folder: &Path, name: &str) -> Result<Option<ListedRun>, RecordError> {
        let id: RunId = name.parse().map_err(|_| {
            RecordError::refused(format!("`{name}` is not a run id"), "keep nothing but runs in this folder")
        })?;
        let run = Run::new(id, folder.join(name));
        let manifest = match run.manifest() {
            Err(error) if error.is_not_found() && is_unwritten(run.dir())? => return Ok(None),
            // It may have been written between the two looks; it is the first file that is.
            Err(error) if error.is_not_found() => run.manifest(),
            other => other,
        };
        let manifest = match manifest {
            Err(error) if error.is_not_found() => {
                let reason = "it is missing, while the run's other files are there";
                return Err(RecordError::damaged(&run.manifest_file(), reason));
            }
            other => other?,
        };
        if manifest.run_id != *run.id() {
            return Err(RecordError::damaged(
                &run.manifest_file(),
                format!("it is of run `{}`, not of the folder it lies in", manifest.run_id),
            ));
        }
        Ok(Some(ListedRun { status: run.status_of(&manifest)?, manifest }))
    }

    /// The run that `text` names: an id, the beginning of an id, or a readable name, if it is the only one.
    ///
    /// # Errors
    /// If no run or more than one is meant.
    pub fn find(&self, text: &str) -> Result<Run, RecordError> {
        if let Ok(id) = text.parse::<RunId>() {
            let run = self.run(&id);
            if run.dir().is_dir() {
                return Ok(run);
            }
        }
        let runs = self.runs()?.runs;
        let by_name: Vec<_> = runs.iter().filter(|run| run.manifest.name == text).collect();
        let by_id = runs.iter().filter(|run| !text.is_empty() && run.manifest.run_id.to_string().starts_with(text));
        let found: Vec<_> = if by_name.is_empty() { by_id.collect() } else { by_name };
        match found.as_slice() {
            [] => Err(RecordError::NoSuchRun { run: text.to_owned(), store: self.root.clone() }),
            [one] => Ok(self.run(&one.manifest.run_id)),
            several => {
                let ids: Vec<String> = several.iter().map(|run| format!("`{}`", run.manifest.run_id)).collect();
                Err(RecordError::refused(
                    format!("`{text}` may be {} runs: {}", ids.len(), ids.join(", ")),
                    "give more of the id",
                ))
            }
        }
    }
}

/// A name cut into text and numbers, so that `z5` comes before `z20`.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts: Vec<(String, u64)> = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, after) = rest.split_at(text_end);
        let number_end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(number_end);
        parts.push((text.to_owned(), number.parse().unwrap_or(u64::MAX)));
        rest = after;
    }
    parts
}
