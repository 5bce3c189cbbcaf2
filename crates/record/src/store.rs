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

    /// The run that `text` names: an id, the beginning of an id, or a readable name. Where several are meant, it is the one that is
    /// done.
    ///
    /// # Errors
    /// If no run is meant, or several of which none or more than one is done.
    pub fn find(&self, text: &str) -> Result<Run, RecordError> {
        self.chosen(text, |runs| {
            let mut done = runs.iter().filter(|run| run.status == Status::Done);
            done.next().filter(|_| done.next().is_none())
        })
    }

    /// As [`Store::find`], where a mistake would cost something: no run goes before another.
    ///
    /// # Errors
    /// If no run or more than one is meant.
    pub fn find_only(&self, text: &str) -> Result<Run, RecordError> {
        self.chosen(text, |_| None)
    }

    /// The run that `text` names; `choose` picks among several.
    fn chosen(&self, text: &str, choose: impl Fn(&[ListedRun]) -> Option<&ListedRun>) -> Result<Run, RecordError> {
        if let Ok(id) = text.parse::<RunId>() {
            let run = self.run(&id);
            if run.dir().is_dir() {
                return Ok(run);
            }
        }
        let (named, others): (Vec<_>, Vec<_>) =
            self.runs()?.runs.into_iter().partition(|run| run.manifest.name == text);
        let by_id = |run: &ListedRun| !text.is_empty() && run.manifest.run_id.as_str().starts_with(text);
        let found = if named.is_empty() { others.into_iter().filter(by_id).collect() } else { named };
        match found.as_slice() {
            [] => Err(RecordError::NoSuchRun { run: text.to_owned(), store: self.root.clone() }),
            [one] => Ok(self.run(&one.manifest.run_id)),
            several => match choose(several) {
                Some(run) => Ok(self.run(&run.manifest.run_id)),
                None => Err(RecordError::refused(ambiguous(text, several), "give the run's id, or its beginning")),
            },
        }
    }
}

/// Says which runs may be meant, how far each is, and in which settings they differ.
fn ambiguous(text: &str, runs: &[ListedRun]) -> String {
    /// Runs that are told, at most.
    const MOST: usize = 10;
    let paths = spec::differing_paths(runs.iter().map(|run| &run.manifest.cell));
    let mut said = format!("`{text}` may be {} runs:", runs.len());
    for run in runs.iter().take(MOST) {
        let set = |path: &String| format!("  {path}: {}", run.manifest.cell.value_at(path).unwrap_or_default());
        let set: String = paths.iter().map(set).collect();
        said.push_str(&format!("\n  {}  {:9}{set}", run.manifest.run_id, run.status.word()));
    }
    if runs.len() > MOST {
        said.push_str(&format!("\n  and {} more", runs.len() - MOST));
    }
    said
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
