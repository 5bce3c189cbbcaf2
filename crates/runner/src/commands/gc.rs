//! `elbo gc`: stored runs that no experiment needs, and what killed processes left behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use record::gc::{self, Garbage};
use serde::Serialize;
use spec::{Experiment, RunId};

use crate::args::GcArgs;
use crate::outcome::Outcome;
use crate::output;
use crate::settings::{Settings, experiment_file};
use crate::text;
use crate::text_table::{Align, TableEntry, TextTable, Tone};

#[derive(Serialize)]
struct GcJson {
    runs: Vec<RunJson>,
    leftovers: Vec<LeftoverJson>,
    /// The size of all of it.
    bytes: u64,
    /// Whether it was removed.
    deleted: bool,
}

#[derive(Serialize)]
struct RunJson {
    run_id: String,
    name: String,
    status: &'static str,
    bytes: u64,
}

#[derive(Serialize)]
struct LeftoverJson {
    path: String,
    bytes: u64,
}

/// Prints what could go, and removes it if asked to.
///
/// # Errors
/// If an experiment that may need runs cannot be read (nothing is removed then), or the store cannot be.
pub fn gc(settings: &Settings, args: &GcArgs) -> Result<Outcome> {
    let store = settings.store()?;
    let mut files = experiments_in(&args.keep)?;
    files.extend(args.experiments.iter().map(|path| experiment_file(path)));
    if files.is_empty() && args.delete {
        bail!(
            "there is no experiment in `{}`, so every run would be removed\nhint: name the folder of experiments with --keep, or one experiment whose runs are kept",
            args.keep.display()
        );
    }
    let mut keep: BTreeSet<RunId> = BTreeSet::new();
    for file in &files {
        let experiment = Experiment::load(file, &[])?;
        keep.extend(experiment.cells.iter().map(|cell| cell.run_id()));
    }
    let garbage = gc::find(&store, &keep)?;
    let freed = if args.delete { Some(gc::remove(&store, &garbage)?) } else { None };
    if args.delete {
        store.rebuild_index()?;
    }
    if args.format.json {
        output::print_json(&to_json(&garbage, args.delete))?;
    } else {
        output::print(&to_text(&garbage, freed, files.len(), &args.keep, settings.is_coloured))?;
    }
    Ok(Outcome::Well)
}

/// Every experiment in a folder and the folders in it; none if there is no such folder.
fn experiments_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs_err::read_dir(&folder)? {
            let path = entry.context("cannot list experiments")?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn to_json(garbage: &Garbage, deleted: bool) -> GcJson {
    let runs = garbage.runs.iter().map(|run| RunJson {
        run_id: run.id.to_string(),
        name: run.name.clone(),
        status: run.status.word(),
        bytes: run.bytes,
    });
    let leftovers = garbage
        .leftovers
        .iter()
        .map(|leftover| LeftoverJson { path: leftover.path.display().to_string(), bytes: leftover.bytes });
    GcJson { runs: runs.collect(), leftovers: leftovers.collect(), bytes: garbage.bytes(), deleted }
}

fn to_text(garbage: &Garbage, freed: Option<u64>, n_experiments: usize, keep: &Path, is_coloured: bool) -> String {
    if garbage.runs.is_empty() && garbage.leftovers.is_empty() {
        return match n_experiments {
            0 => "nothing to remove: there is no run\n".to_owned(),
            1 => "nothing to remove: 1 experiment needs every run there is\n".to_owned(),
            n => format!("nothing to remove: {n} experiments need every run there is\n"),
        };
    }
    let mut table =
        TextTable::new([("run", Align::Left), ("name", Align::Left), ("status", Align::Left), ("size", Align::Right)]);
    for run in &garbage.runs {
        table.row(vec![
            TableEntry::toned(run.id.to_string(), Tone::Dim),
            run.name.as_str().into(),
            text::status(&run.status),
            text::bytes(run.bytes).into(),
        ]);
    }
    for leftover in &garbage.leftovers {
        table.row(vec![
            TableEntry::toned("leftover", Tone::Dim),
            leftover.path.display().to_string().into(),
            "".into(),
            text::bytes(leftover.bytes).into(),
        ]);
    }
    let last = match freed {
        Some(bytes) => format!("removed: {} freed", text::bytes(bytes)),
        None if n_experiments == 0 => format!(
            "{}: all there is, since there is no experiment in `{}`; `elbo gc --delete` refuses that\n\
             hint: name the folder of experiments with --keep, or one experiment whose runs are kept",
            text::bytes(garbage.bytes()),
            keep.display()
        ),
        None => format!(
            "{} that none of {} needs; `elbo gc --delete` removes them",
            text::bytes(garbage.bytes()),
            text::counted(n_experiments, "experiment")
        ),
    };
    format!("{}\n{last}\n", table.render(is_coloured))
}
