//! `elbo pack`: what is on record of an experiment, in one small file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use record::{KeptSweep, PackedRun, RunManifest, Store, files};
use serde::Serialize;
use spec::Experiment;

use crate::args::PackArgs;
use crate::claim::Claim;
use crate::model::check_output;
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;
use crate::text;

#[derive(Serialize)]
struct PackJson<'a> {
    file: &'a Path,
    bytes: usize,
    name: &'a str,
    question: Option<&'a str>,
    source: Option<&'a str>,
    launch: Option<&'a str>,
    /// Runs that the experiment has, and those in the pack, which are done.
    n_cells: usize,
    n_runs: usize,
    /// Runs whose images and latents are in the pack.
    n_pictured: usize,
    /// Of training; the time of runs that were trained together counts once.
    seconds: f64,
    processors: BTreeSet<String>,
    /// The first run's start and the last one's end (RFC 3339).
    started: Option<String>,
    ended: Option<String>,
}

/// Writes the pack, and prints its path.
///
/// # Errors
/// If no run is done, one cannot be read, or the file not be written.
pub fn pack(settings: &Settings, experiment: &Experiment, args: &PackArgs) -> Result<Outcome> {
    let store = settings.store()?;
    let claim = Claim::of(experiment, &store)?;
    claim.check_is_any_done()?;
    let default = || PathBuf::from(format!("{}.tar.zst", experiment.name));
    let file = args.output.clone().unwrap_or_else(default);
    check_output(&file)?;
    claim.keep(false)?;
    let name = &experiment.name;
    let kept = store.kept_sweep(name)?.with_context(|| format!("nothing is kept of `{name}`"))?;
    let runs = figures::needs(experiment, &store)?;
    let lacking = runs.iter().filter(|packed| lacks(packed, &store)).count();
    if lacking > 0 {
        bail!(
            "{} of which pictures are drawn have no stored images\nhint: the records were unpacked from a pack of fewer figures; pack them where they were trained",
            text::counted(lacking, "run")
        );
    }
    let bytes = store.pack(name, &portable(kept), &experiment.written.text, &runs)?;
    files::write_bytes_atomically(&file, &bytes)?;
    let json = summary(experiment, &store, &file, bytes.len(), &runs)?;
    if args.format.json {
        output::print_json(&json)?;
        return Ok(Outcome::Well);
    }
    output::print(&format!("{}\n", file.display()))?;
    let missing = json.n_cells - json.n_runs;
    if missing > 0 {
        output::say(&format!("{missing} of {} are not done and left out", text::counted(json.n_cells, "cell")));
    }
    output::say(&format!(
        "{}, {} with pictures: {}; trained for {} on {}",
        text::counted(json.n_runs, "run"),
        json.n_pictured,
        text::bytes(bytes.len() as u64),
        spec::duration(json.seconds),
        json.processors.into_iter().collect::<Vec<_>>().join(" and "),
    ));
    Ok(Outcome::Well)
}

/// Whether a run's pictures are wanted and there are none.
fn lacks(packed: &PackedRun, store: &Store) -> bool {
    !packed.arrays.is_empty() && !store.run(&packed.id).arrays_file().is_file()
}

/// What a folder stands for, without the places of this machine.
fn portable(kept: KeptSweep) -> KeptSweep {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| kept.file.strip_prefix(here).ok().map(Path::to_owned));
    let file = below.or_else(|| kept.file.file_name().map(PathBuf::from)).unwrap_or_else(|| kept.file.clone());
    KeptSweep { command: without_places(&kept.command), file, ..kept }
}

/// A command without the folders of results and data, which are this machine's.
fn without_places(command: &str) -> String {
    let mut words = shlex::split(command).unwrap_or_default().into_iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--results" | "--data" => drop(words.next()),
            other if other.starts_with("--results=") || other.starts_with("--data=") => {}
            _ => kept.push(word),
        }
    }
    shlex::try_join(kept.iter().map(String::as_str)).unwrap_or_default()
}

fn summary<'a>(
    experiment: &'a Experiment,
    store: &Store,
    file: &'a Path,
    bytes: usize,
    runs: &[PackedRun],
) -> Result<PackJson<'a>> {
    let manifests: Result<Vec<RunManifest>, _> = runs.iter().map(|packed| store.run(&packed.id).manifest()).collect();
    let manifests = manifests?;
    Ok(PackJson {
        file,
        bytes,
        name: &experiment.name,
        question: experiment.about.question.as_deref(),
        source: experiment.about.source.as_deref(),
        launch: experiment.about.launch.as_deref(),
        n_cells: experiment.cells.len(),
        n_runs: runs.len(),
        n_pictured: runs.iter().filter(|packed| !packed.arrays.is_empty()).count(),
        seconds: manifests.iter().map(RunManifest::own_seconds).sum(),
        processors: manifests.iter().map(|manifest| manifest.provenance.host.cpu.clone()).collect(),
        started: manifests.iter().map(|manifest| manifest.timing.started).min().map(|time| time.to_string()),
        ended: manifests.iter().map(RunManifest::until).max().map(|time| time.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_loses_its_places_and_nothing_else() {
        let command = "elbo sweep 'my study.yaml' --results /here/results --jobs 2 --data=/there --threads 1";
        assert_eq!(without_places(command), "elbo sweep 'my study.yaml' --jobs 2 --threads 1");
    }
}
