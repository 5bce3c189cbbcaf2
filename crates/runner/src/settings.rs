//! What was typed and what the environment says, resolved: folders, colours, and the experiment that is meant.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::Result;
use record::Store;
use spec::Experiment;

use crate::args::{ExperimentArgs, PlaceArgs};

/// What every command knows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The results folder.
    pub results: PathBuf,
    /// The folder to look for data sets in.
    pub data: Option<PathBuf>,
    /// Whether tables on standard output are coloured.
    pub is_coloured: bool,
    /// Whether progress is drawn as bars that move.
    pub has_bars: bool,
}

impl Settings {
    /// Joins what was typed with what the environment says.
    pub fn resolve(places: PlaceArgs) -> Settings {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Settings {
            results: places.results,
            data: places.data,
            is_coloured: std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb,
            has_bars: std::io::stderr().is_terminal() && !is_dumb,
        }
    }

    /// The run store.
    ///
    /// # Errors
    /// If the results folder is no folder.
    pub fn store(&self) -> Result<Store> {
        Ok(Store::open(&self.results)?)
    }

    /// Where data sets are looked for.
    ///
    /// # Errors
    /// If there is no cache folder.
    pub fn places(&self) -> Result<data::Places> {
        Ok(data::Places::from_env(self.data.clone())?)
    }
}

/// Loads the experiment that is meant: a file, or the name of one in `experiments/`.
///
/// # Errors
/// If there is no such file, or it is not a valid experiment.
pub fn load_experiment(args: &ExperimentArgs) -> Result<Experiment> {
    Ok(Experiment::load(&experiment_file(&args.experiment), &args.set)?)
}

/// The file an experiment is meant by; the path itself if nothing better is found, so that errors name it.
pub fn experiment_file(given: &Path) -> PathBuf {
    let by_name = Path::new("experiments").join(given).with_extension("yaml");
    let is_name = given.components().count() == 1 && given.extension().is_none_or(|extension| extension == "yaml");
    let is_there = given.exists() && !given.is_dir();
    if !is_there && is_name && by_name.exists() { by_name } else { given.to_owned() }
}
