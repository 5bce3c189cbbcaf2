//! What was typed and what the environment says, resolved: folders, colours, and the experiment that is meant.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use record::Store;
use spec::Experiment;

use crate::args::{ExperimentArgs, FolderArgs};
use crate::output;

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
    pub fn resolve(args: FolderArgs) -> Settings {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Settings {
            results: args.results,
            data: args.data,
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
    /// If there is no cache folder, or the folder that was named is not there.
    pub fn folders(&self) -> Result<data::Folders> {
        if let Some(folder) = self.data.as_ref().filter(|folder| !folder.is_dir()) {
            bail!(
                "there is no folder `{}` to look for data sets in\nhint: name another with --data or ELBO_DATA, or leave both out",
                folder.display()
            );
        }
        Ok(data::Folders::from_env(self.data.clone())?)
    }
}

/// Loads the experiment that is meant: a file, or the name of one in `experiments/`.
///
/// With other cells than the file's it has another name, and so a folder of its own: what is drawn of a quick look is not
/// drawn over the full sweep's.
///
/// # Errors
/// If there is no such file, or it is not a valid experiment.
pub fn load_experiment(args: &ExperimentArgs, data: Option<&Path>) -> Result<Experiment> {
    let mut experiment = Experiment::load_with(&experiment_file(&args.experiment), &args.set, data)?;
    experiment.shortened.iter().for_each(|note| output::say(&format!("note: {note}")));
    if let Some(suffix) = suffix(&args.set) {
        experiment.name = format!("{}-{suffix}", experiment.name);
    }
    Ok(experiment)
}

/// What is put behind an experiment's name for these `path=value`: `with-training-epochs-1`. `None` where no cell is another,
/// or the name is among what is set.
fn suffix(overrides: &[String]) -> Option<String> {
    /// Letters of a folder's name that tell what was set, at most.
    const MOST: usize = 60;
    let mut set: Vec<(&str, &str)> = overrides.iter().filter_map(|text| text.split_once('=')).collect();
    for (path, value) in &mut set {
        (*path, *value) = (path.trim(), value.trim());
    }
    if set.iter().any(|(path, _)| *path == "name") {
        return None;
    }
    // What is said, drawn, measured or held against it, and how it is run, leaves the cells as they are.
    const NOT_OF_CELLS: [&str; 9] =
        ["question", "source", "launch", "figures", "style", "evaluation", "execution", "reference", "claims"];
    set.retain(|(path, _)| !NOT_OF_CELLS.contains(&path.split('.').next().unwrap_or(path)));
    // The order of different paths has no meaning; of the same path the last wins.
    set.sort_by_key(|(path, _)| *path);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let written: Vec<String> =
        set.iter().map(|(path, value)| format!("{}={value}", path.replace(['.', '_'], "-"))).collect();
    let written = written.join("=");
    let slug: String = written.chars().map(|c| if is_plain(c) { c } else { '-' }).take(MOST).collect();
    let slug = slug.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    let is_whole = set.iter().all(|(_, value)| value.chars().all(is_plain)) && written.len() <= MOST;
    let suffix = if is_whole { format!("with-{slug}") } else { format!("with-{slug}-{:08x}", fnv1a(&written)) };
    (!set.is_empty()).then_some(suffix)
}

/// A short hash that is the same on every machine (Fowler, Noll and Vo).
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The file an experiment is meant by: what was given, or the name of one in `experiments/` or among those that are installed with
/// elbo. The path itself if nothing better is found, so that errors name it.
pub fn experiment_file(given: &Path) -> PathBuf {
    let is_name = given.components().count() == 1 && given.extension().is_none_or(|extension| extension == "yaml");
    let is_there = given.exists() && !given.is_dir();
    if is_there || !is_name {
        return given.to_owned();
    }
    let folders = [Some(PathBuf::from("experiments")), installed_experiments()];
    let mut named = folders.into_iter().flatten().map(|folder| folder.join(given).with_extension("yaml"));
    named.find(|file| file.is_file()).unwrap_or_else(|| given.to_owned())
}

/// Where `./just install` and the archive of `./just dist` have experiments; the folder need not exist.
fn installed_experiments() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    Some(program.parent()?.parent()?.join("share/elbo/experiments"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(overrides: &[&str]) -> Option<String> {
        suffix(&overrides.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn other_cells_have_another_name() {
        assert_eq!(of(&["training.epochs=1"]).as_deref(), Some("with-training-epochs-1"));
        let two = Some("with-model-latent-dim-2-objective-beta-0.5".to_owned());
        assert_eq!(of(&["objective.beta=0.5", "model.latent_dim = 2"]), two);
        assert_eq!(of(&["model.latent_dim=2", "objective.beta=0.5"]), two);
        assert_eq!(of(&["figures=[loss-curves]", "execution.jobs=2"]), None);
        assert_eq!(of(&["training.epochs=1", "name=quick"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn what_a_folder_cannot_be_called_is_told_apart_by_a_hash() {
        let lists = [of(&["sweep.grid.objective.beta=[1, 2]"]), of(&["sweep.grid.objective.beta=[1-2]"])];
        assert_ne!(lists[0], lists[1]);
        for name in lists.into_iter().flatten() {
            assert!(name.starts_with("with-sweep-grid-objective-beta-1-2-"), "{name}");
        }
        let long = of(&[&format!("dataset.name={{ folder: \"../{}\" }}", "a".repeat(300))]);
        assert!(long.is_some_and(|name| name.len() < 100 && !name.contains('/')));
    }
}
