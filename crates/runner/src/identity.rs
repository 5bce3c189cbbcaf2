//! Experiments on images of the user's own: known by what the images hold, so that runs travel and changed files are noticed.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use data::Progress;
use record::ListedRun;
use spec::{Dataset, Experiment, Identity, Pixels};

use crate::args::ExperimentArgs;
use crate::output;
use crate::settings::{Settings, load_experiment};
use crate::text;

/// What a command does with an experiment's images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It reads them, so that they have to be here.
    Images,
    /// It reads what is on record of them.
    Records,
}

/// Loads the experiment that is meant, its images read once where they are the user's own.
///
/// # Errors
/// If it is not a valid experiment, or its images cannot be read and are needed.
pub fn load(settings: &Settings, args: &ExperimentArgs, need: Need) -> Result<Experiment> {
    identified(settings, load_experiment(args, settings.data.as_deref())?, need)
}

/// The experiment with its images known by their content.
///
/// # Errors
/// If they cannot be read and are needed, or nothing is on record of them.
pub fn identified(settings: &Settings, experiment: Experiment, need: Need) -> Result<Experiment> {
    if experiment.cells.iter().all(|cell| cell.dataset.name.own().is_none()) {
        return Ok(experiment);
    }
    let folders = settings.folders()?;
    let recorded = settings.store()?.runs()?.runs;
    let mut known: HashMap<String, Option<Identity>> = HashMap::new();
    experiment.identified(|dataset| {
        let key = serde_json::to_string(&(&dataset.name, &dataset.digest, dataset.size, dataset.fit))?;
        if let Some(identity) = known.get(&key) {
            return Ok(identity.clone());
        }
        let mut tell = |progress: Progress<'_>| {
            if let Progress::Message(message) = progress {
                output::say(message);
            }
        };
        let identity = match data::identify(dataset, &folders, &mut tell) {
            Ok(identity) => {
                if let Some(Identity { digest, .. }) = &identity {
                    tell_of_others(dataset, digest, &recorded, "have changed: they");
                }
                identity
            }
            Err(error) => match on_record(dataset, &recorded).filter(|_| need == Need::Records) {
                Some(identity) => {
                    let now = "cannot be read now, and those of the latest run on record are meant: these";
                    tell_of_others(dataset, &identity.digest, &recorded, now);
                    Some(identity)
                }
                None => return Err(error.into()),
            },
        };
        known.insert(key, identity.clone());
        Ok(identity)
    })
}

/// What the latest run on record knew the images by that lie where these lie.
fn on_record(dataset: &Dataset, recorded: &[ListedRun]) -> Option<Identity> {
    let latest = of_same_place(dataset, recorded).max_by_key(|run| run.manifest.timing.updated)?;
    let Dataset { digest, pixels, .. } = &latest.manifest.cell.dataset;
    Some(Identity { digest: digest.clone()?, is_binary: *pixels == Pixels::Binary })
}

fn of_same_place<'a>(dataset: &Dataset, recorded: &'a [ListedRun]) -> impl Iterator<Item = &'a ListedRun> {
    let (name, size, fit) = (dataset.name.clone(), dataset.size, dataset.fit);
    recorded.iter().filter(move |run| {
        let other = &run.manifest.cell.dataset;
        other.digest.is_some() && (&other.name, other.size, other.fit) == (&name, size, fit)
    })
}

/// Says so where runs are on record of other images that lay in the same place; `now` is about those that are meant.
fn tell_of_others(dataset: &Dataset, meant: &str, recorded: &[ListedRun], now: &str) {
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for run in of_same_place(dataset, recorded) {
        let digest = run.manifest.cell.dataset.digest.as_deref().unwrap_or_default();
        if digest != meant {
            *others.entry(digest).or_default() += 1;
        }
    }
    for (digest, n) in others {
        output::say(&format!(
            "the images of {} {now} have SHA-256 {meant}, and {} on record {} of {digest}; nothing of them is taken",
            dataset.name.readable_name(),
            text::counted(n, "run"),
            if n == 1 { "is" } else { "are" },
        ));
    }
}
