//! Whose a sweep's folder is: an experiment claims it by its name, and no other of that name draws over it.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use figures::FiguresError;
use record::{FormatVersion, KeptRun, KeptSweep, Status, Store};
use spec::{Experiment, RunId};

use crate::args::ExperimentArgs;
use crate::experiment_figures::lock;
use crate::output;
use crate::settings::load_experiment;
use crate::text;
use crate::worker::absolute;

/// Cells that went, named at most.
const NAMED: usize = 6;

/// An experiment's claim to the folder of its name.
pub struct Claim<'a> {
    experiment: &'a Experiment,
    store: &'a Store,
    /// What the folder stands for until now.
    before: Option<KeptSweep>,
    /// What it is to stand for.
    own: KeptSweep,
}

impl<'a> Claim<'a> {
    /// Looks whether the folder is this experiment's. It is where nobody claimed it, where the same file did (whatever it said
    /// then) or another with the same cells, and where that other file is gone or has another name now.
    ///
    /// # Errors
    /// If it is another's, or what it stands for cannot be read.
    pub fn of(experiment: &'a Experiment, store: &'a Store) -> Result<Claim<'a>> {
        let written = &experiment.written;
        let runs = experiment.cells.iter().map(|cell| KeptRun {
            run_id: cell.run_id(),
            name: cell.readable_name(),
            cell: serde_json::to_value(cell).unwrap_or_default(),
        });
        let before = store.kept_sweep(&experiment.name)?;
        let own = KeptSweep {
            format_version: FormatVersion::CURRENT,
            file: absolute(&written.file)?,
            set: written.set.clone(),
            command: command(),
            claims: rules(before.as_ref(), experiment),
            hours: before.as_ref().filter(|before| before.set == written.set).and_then(|before| before.hours),
            runs: runs.collect(),
        };
        if let Some(before) = &before
            && !is_same_file(&before.file, &own.file)
            && before.ids() != own.ids()
            && is_still_of(before, &experiment.name)
        {
            bail!(
                "`{}` is the folder of `{}`, and `{}` has the same name `{}`, but other cells\n\
                 hint: give one of the two another `name`, or this one its own folder for once: `--set name={}-2`",
                store.sweep_dir(&experiment.name).display(),
                before.file.display(),
                own.file.display(),
                experiment.name,
                experiment.name
            );
        }
        Ok(Claim { experiment, store, before, own })
    }

    /// As it is, of a sweep that was given so many hours.
    pub fn within(mut self, hours: Option<f64>) -> Claim<'a> {
        self.own.hours = hours;
        self
    }

    /// What is no longer so in the folder once it is drawn anew, without a full stop; `None` where nothing is.
    ///
    /// # Errors
    /// If the folder cannot be looked at.
    pub fn changes(&self) -> Result<Option<String>> {
        let own = self.own.ids();
        let before = self.store.sweep_runs(&self.experiment.name)?.unwrap_or_default();
        // In the order of the experiment, where it is known.
        let order = |id: &RunId| self.before.iter().flat_map(|kept| &kept.runs).position(|run| run.run_id == *id);
        let mut gone: Vec<&RunId> = before.iter().filter(|&id| !own.contains(id)).collect();
        gone.sort_by_key(|&id| order(id));
        if gone.is_empty() {
            return Ok(None);
        }
        let folder = self.store.sweep_dir(&self.experiment.name);
        let kept = self.before.iter().flat_map(|kept| &kept.runs);
        let name = |id: &RunId| {
            let name = kept.clone().find(|run| run.run_id == *id).map(|run| run.name.as_str());
            name.map_or_else(|| id.to_string(), |name| format!("{name} ({id})"))
        };
        let named: Vec<String> = gone.iter().take(NAMED).map(|id| name(id)).collect();
        let more = match gone.len() - named.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        Ok(Some(format!(
            "`{}` has other cells than when `{}` was made: {} of {} went from its figures, {}{more}",
            self.experiment.written.file.display(),
            folder.display(),
            text::counted(gone.len(), "cell"),
            before.len(),
            named.join(", "),
        )))
    }

    /// Refuses an experiment of which nothing can be drawn, before anything is kept for it.
    ///
    /// # Errors
    /// If no run is done, or one cannot be looked at.
    pub fn check_is_any_done(&self) -> Result<()> {
        for run in &self.own.runs {
            if self.store.run(&run.run_id).status()? == Status::Done {
                return Ok(());
            }
        }
        Err(FiguresError::NothingToDraw { name: self.experiment.name.clone(), root: self.store.root().to_owned() }
            .into())
    }

    /// Says what changes, moves aside what is drawn of cells that went, and keeps what the folder stands for from now on. The command
    /// stays that of the latest sweep, as long as the cells do.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn keep(&self, is_sweep: bool) -> Result<()> {
        if let Some(before) = self.before.as_ref().filter(|before| before.claims.len() < self.own.claims.len())
            && let (Some(old), Some(new)) = (before.claims.last(), self.own.claims.last())
        {
            output::say(&format!(
                "the claims of `{}` are others than before ({old:.12}… → {new:.12}…), and the report says so: verdicts are worth most \
                 where claims are written down before anything is run",
                self.experiment.name
            ));
        }
        let name = &self.experiment.name;
        if let Some(changes) = self.changes()? {
            let kept = if self.store.is_drawn(name) {
                let _alone = lock(self.experiment, self.store)?;
                format!("all that was drawn is kept in `{}`", self.store.set_aside(name)?.display())
            } else {
                "their runs stay stored".to_owned()
            };
            output::say(&format!("{changes}; {kept}"));
        }
        // What made the runs stays known where they are drawn again, be it from a copy of the file.
        let is_alike = |before: &&KeptSweep| before.set == self.own.set && before.ids() == self.own.ids();
        let command = self.before.as_ref().filter(is_alike).filter(|_| !is_sweep).map(|before| before.command.clone());
        let own = KeptSweep { command: command.unwrap_or_else(|| self.own.command.clone()), ..self.own.clone() };
        let is_same = self.before.as_ref() == Some(&own)
            && fs_err::read_to_string(self.store.kept_experiment_file(name))
                .is_ok_and(|text| text == self.experiment.written.text);
        if !is_same {
            self.store.keep_sweep(name, &own, &self.experiment.written.text)?;
        }
        Ok(())
    }
}

/// The hashes of the claims that the folder has stood for, the present one last.
fn rules(before: Option<&KeptSweep>, experiment: &Experiment) -> Vec<String> {
    let mut rules = before.map(|before| before.claims.clone()).unwrap_or_default();
    let own = spec::claims_hash(&experiment.claims);
    rules.extend(own.filter(|own| rules.last() != Some(own)));
    rules
}

/// What was typed, as it can be pasted into a shell.
fn command() -> String {
    let typed = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = std::iter::once("elbo".to_owned()).chain(typed).collect();
    // A word with a NUL, the one thing that cannot be quoted, is no argument of a process.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
}

/// Whether two paths lead to one file, by whatever links.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| fs_err::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path));
    real(a) == real(b)
}

/// Whether the file that a folder stands for is there and would still be drawn in the folder of this name. One that has become
/// invalid may be mended, and one whose images are registered in a data folder is taken to be so.
fn is_still_of(kept: &KeptSweep, name: &str) -> bool {
    let args = ExperimentArgs { experiment: kept.file.clone(), set: kept.set.clone() };
    kept.file.exists() && load_experiment(&args, None).map_or(true, |experiment| experiment.name == name)
}
