//! Figures, tables and report of an experiment: drawn when its records are newer than what was drawn last.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};
use record::{Status, Store};
use serde::Serialize;
use spec::Experiment;

use crate::output;

/// What an experiment's figures are drawn from, as a stamp that is written beside them.
#[derive(Debug)]
pub struct ExperimentFigures<'a> {
    experiment: &'a Experiment,
    store: &'a Store,
    stamp: String,
}

#[derive(Serialize)]
struct Stamp {
    /// The program that draws: a figure's code may have changed.
    program: Option<(u64, Duration)>,
    /// What the experiment asks for.
    experiment: String,
    /// Each run on record: id, status, and when its files were written last.
    runs: Vec<(String, &'static str, Vec<Option<Duration>>)>,
}

impl<'a> ExperimentFigures<'a> {
    /// Looks at the records of an experiment.
    ///
    /// # Errors
    /// If a `run.json` cannot be read.
    pub fn of(experiment: &'a Experiment, store: &'a Store) -> Result<ExperimentFigures<'a>> {
        let mut runs = Vec::new();
        for cell in &experiment.cells {
            let run = store.run(&cell.run_id());
            let status = run.status()?;
            if status != Status::New {
                let written = [run.manifest_file(), run.evaluation_file(), run.arrays_file()].map(modified);
                runs.push((run.id().to_string(), status.word(), written.to_vec()));
            }
        }
        let program = std::env::current_exe().ok().and_then(|path| {
            let size = fs_err::metadata(&path).ok()?.len();
            Some((size, modified(path)?))
        });
        let cells: Vec<String> = experiment.cells.iter().map(|cell| cell.run_id().to_string()).collect();
        let claims = (spec::claims_hash(&experiment.claims), &experiment.arms, experiment.epochs_percent);
        let asked =
            format!("{cells:?} {:?} {:?} {claims:?}", experiment.axes, (&experiment.figures, &experiment.style));
        let stamp = serde_json::to_string(&Stamp { program, experiment: asked, runs })?;
        Ok(ExperimentFigures { experiment, store, stamp })
    }

    /// Whether all that was drawn last is there and was drawn from these very records.
    pub fn is_fresh(&self) -> bool {
        self.report().is_file() && fs_err::read_to_string(self.stamp_file()).is_ok_and(|stamp| stamp == self.stamp)
    }

    /// The report's place.
    pub fn report(&self) -> PathBuf {
        self.store.sweep_dir(&self.experiment.name).join("report.html")
    }

    /// Draws figures and tables and writes the report.
    ///
    /// # Errors
    /// If records cannot be read or files not be written.
    pub fn draw(&self) -> Result<()> {
        draw(self.experiment, self.store)?;
        report(self.experiment, self.store)?;
        record::files::write_bytes_atomically(&self.stamp_file(), self.stamp.as_bytes())?;
        Ok(())
    }

    fn stamp_file(&self) -> PathBuf {
        self.store.sweep_dir(&self.experiment.name).join(".drawn.json")
    }
}

/// Draws figures and tables, and says which figures of an earlier drawing are gone.
///
/// # Errors
/// If records cannot be read or files not be written.
pub fn draw(experiment: &Experiment, store: &Store) -> Result<()> {
    let _alone = lock(experiment, store)?;
    let drawn = figures::draw(experiment, store)?;
    let stem = |path: &PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let gone: BTreeSet<String> = drawn.removed.iter().filter_map(stem).collect();
    if !gone.is_empty() {
        let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
        output::say(&format!("figures of an earlier drawing that are gone: {}", gone.join(", ")));
    }
    Ok(())
}

/// Writes tables and report, and returns the report's path.
///
/// # Errors
/// As [`draw`].
pub fn report(experiment: &Experiment, store: &Store) -> Result<PathBuf> {
    let _alone = lock(experiment, store)?;
    Ok(figures::report(experiment, store)?)
}

/// Two commands that draw the same experiment do so one after the other, as long as the file lives.
///
/// # Errors
/// If the folder cannot be written.
pub fn lock(experiment: &Experiment, store: &Store) -> Result<fs_err::File> {
    let folder = store.sweep_dir(&experiment.name);
    fs_err::create_dir_all(&folder)?;
    let path = folder.join(".lock");
    let file = fs_err::OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
    file.file().lock().with_context(|| format!("cannot lock `{}`", path.display()))?;
    Ok(file)
}

/// When a file was written last, since 1970.
fn modified(path: PathBuf) -> Option<Duration> {
    fs_err::metadata(path).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()
}
