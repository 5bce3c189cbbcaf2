//! `elbo gc`: stored runs that nothing needs, and what killed processes left behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use record::Store;
use record::gc::{self, Discarded, Garbage};
use serde::Serialize;
use spec::{Experiment, RunId};

use crate::args::GcArgs;
use crate::identity::{Need, identified};
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
    /// Whether it was moved to the trash.
    deleted: bool,
    /// Where it lies now.
    trash: Option<String>,
    /// Sweeps' folders that do not say which runs they are made of.
    unsaid: Vec<String>,
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

/// Prints what could go, and moves it to the trash if asked to.
///
/// # Errors
/// If an experiment or a sweep's folder that may need runs cannot be read (nothing is removed then), nobody can be asked, or
/// the store cannot be read.
pub fn gc(settings: &Settings, args: &GcArgs) -> Result<Outcome> {
    let store = settings.store()?;
    if args.empty_trash {
        return empty_trash(&store, args.confirm.yes);
    }
    let mut files = experiments_in(&args.keep)?;
    files.extend(args.experiments.iter().map(|path| experiment_file(path)));
    if files.is_empty() && args.delete {
        bail!(
            "there is no experiment in `{}`, so every run without a sweep's folder would be removed\nhint: name the folder of experiments with --keep, or one experiment whose runs are kept",
            args.keep.display()
        );
    }
    let mut keep: BTreeSet<RunId> = BTreeSet::new();
    for file in &files {
        let experiment = Experiment::load_with(file, &[], settings.data.as_deref())?;
        // Images that are not here have no runs but those that a sweep's folder keeps.
        let experiment = identified(settings, experiment.clone(), Need::Records).unwrap_or(experiment);
        keep.extend(experiment.cells.iter().map(|cell| cell.run_id()));
    }
    let garbage = gc::find(&store, &keep)?;
    if !args.format.json {
        output::print(&to_text(&garbage, settings.is_coloured))?;
    }
    let mut discarded = None;
    if args.delete && !garbage.is_empty() {
        let counts = [(garbage.runs.len(), "run"), (garbage.leftovers.len(), "leftover")];
        let [n_runs, n_leftovers] = counts.map(|(n, what)| (n > 0).then(|| text::counted(n, what)));
        let what = format!(
            "move {} ({}) of `{}` to the trash",
            [n_runs, n_leftovers].into_iter().flatten().collect::<Vec<_>>().join(" and "),
            text::bytes(garbage.bytes()),
            store.root().display()
        );
        if output::is_confirmed(&what, args.confirm.yes)? {
            discarded = Some(gc::discard(&store, &garbage)?);
            store.rebuild_index()?;
        }
    }
    if args.format.json {
        output::print_json(&to_json(&garbage, discarded.as_ref()))?;
    } else {
        output::print(&format!("{}\n", last_line(&garbage, discarded.as_ref(), &store, &files, args)?))?;
    }
    Ok(Outcome::Well)
}

/// Removes what lies in the trash for good, after asking.
fn empty_trash(store: &Store, is_confirmed: bool) -> Result<Outcome> {
    let bytes = store.trash_bytes()?;
    if bytes == 0 {
        output::say("the trash is empty");
        return Ok(Outcome::Well);
    }
    let what =
        format!("remove {} in `{}` for good, beyond `elbo undo`", text::bytes(bytes), store.trash_dir().display());
    if output::is_confirmed(&what, is_confirmed)? {
        store.empty_trash()?;
        output::say(&format!("{} freed", text::bytes(bytes)));
    } else {
        output::say("nothing is removed");
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

fn to_json(garbage: &Garbage, discarded: Option<&Discarded>) -> GcJson {
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
    GcJson {
        runs: runs.collect(),
        leftovers: leftovers.collect(),
        bytes: garbage.bytes(),
        deleted: discarded.is_some(),
        trash: discarded.and_then(|found| found.trash.as_ref()).map(|path| path.display().to_string()),
        unsaid: garbage.unsaid.iter().map(|path| path.display().to_string()).collect(),
    }
}

/// What was found, and why the rest is kept.
fn to_text(garbage: &Garbage, is_coloured: bool) -> String {
    let mut text = String::new();
    if !garbage.is_empty() {
        let mut table = TextTable::new([
            ("run", Align::Left),
            ("name", Align::Left),
            ("status", Align::Left),
            ("size", Align::Right),
        ]);
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
        text = format!("{}\n", table.render(is_coloured));
    }
    match garbage.n_of_sweeps {
        0 => {}
        1 => text.push_str("1 run is a cell of no experiment here, and kept for a sweep's folder\n"),
        n => text.push_str(&format!("{n} runs are cells of no experiment here, and kept for sweeps' folders\n")),
    }
    for folder in &garbage.unsaid {
        text.push_str(&format!(
            "`{}` does not say which runs it is made of, so that every run is kept\n\
             hint: `elbo figures` of its experiment writes that down; or remove the folder\n",
            folder.display()
        ));
    }
    text
}

fn last_line(
    garbage: &Garbage,
    discarded: Option<&Discarded>,
    store: &Store,
    files: &[PathBuf],
    args: &GcArgs,
) -> Result<String> {
    let size = text::bytes(garbage.bytes());
    let last = match discarded {
        Some(Discarded { bytes, trash: Some(trash) }) => format!(
            "moved to `{}`: {}; `elbo undo` brings the runs back, `elbo gc --empty-trash` frees the disk",
            trash.display(),
            text::bytes(*bytes)
        ),
        Some(Discarded { trash: None, .. }) => "nothing is removed: somebody has begun to write it since".to_owned(),
        None if garbage.is_empty() => "nothing to remove".to_owned(),
        None if args.delete => "nothing is removed".to_owned(),
        None if files.is_empty() => format!(
            "{size}: all without a sweep's folder, since there is no experiment in `{}`; `elbo gc --delete` refuses that\n\
             hint: name the folder of experiments with --keep, or one experiment whose runs are kept",
            args.keep.display()
        ),
        None => format!(
            "{size} that neither {} nor a sweep's folder needs; `elbo gc --delete` moves it to the trash",
            text::counted(files.len(), "experiment")
        ),
    };
    let in_trash = store.trash_bytes()?;
    if discarded.is_none() && in_trash > 0 {
        return Ok(format!("{last}\nin the trash: {}; `elbo gc --empty-trash` frees it", text::bytes(in_trash)));
    }
    Ok(last)
}
