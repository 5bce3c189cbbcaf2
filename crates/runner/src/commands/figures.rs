//! `elbo figures`: an experiment's figures and tables, drawn anew from its records.

use std::path::Path;

use anyhow::{Result, anyhow, bail};
use record::Store;
use spec::{Cell, Experiment, FigureKind};

use crate::args::FiguresArgs;
use crate::claim::Claim;
use crate::experiment_figures::draw;
use crate::filter::Condition;
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// Draws, and prints the folder.
///
/// # Errors
/// If records cannot be read, files not be written, nothing is left to draw, or the folder is another experiment's.
pub fn figures(settings: &Settings, experiment: Experiment, args: &FiguresArgs) -> Result<Outcome> {
    let mut experiment = experiment;
    if let Some(style) = &args.style {
        experiment.style = spec::style::parse(style).map_err(|reason| anyhow!(reason))?;
    }
    let store = settings.store()?;
    if let Some(folder) = &args.output {
        return some(experiment, &store, folder, args);
    }
    if !args.only.is_empty() {
        experiment.figures.retain(|kind| args.only.iter().any(|name| name == kind.name()));
        if let Some(name) = args.only.iter().find(|name| experiment.figures.iter().all(|kind| kind.name() != **name)) {
            bail!(
                "the experiment has no figure `{name}`\nhint: name a kind in its `figures`; with --output a single file too"
            );
        }
    }
    let claim = Claim::of(&experiment, &store)?;
    claim.check_is_any_done()?;
    claim.keep(false)?;
    match args.only.is_empty() {
        true => draw(&experiment, &store)?,
        false => drop(figures::draw_kinds(&experiment, &store, &experiment.figures)?),
    }
    output::print(&format!("{}\n", store.sweep_dir(&experiment.name).join("figures").display()))?;
    Ok(Outcome::Well)
}

/// Draws some figures of some runs into a folder of their own.
fn some(mut experiment: Experiment, store: &Store, folder: &Path, args: &FiguresArgs) -> Result<Outcome> {
    let conditions = Condition::parse_all(&args.conditions)?;
    for condition in &conditions {
        condition.check_path(&experiment.cells)?;
    }
    let n_cells = experiment.cells.len();
    experiment.cells.retain(|cell: &Cell| conditions.iter().all(|condition| condition.holds(cell)));
    if experiment.cells.is_empty() {
        bail!("none of the {n_cells} cells meets these conditions\nhint: `elbo plan` lists the cells");
    }
    // Claims are about the whole experiment.
    if experiment.cells.len() < n_cells {
        experiment.claims.clear();
    }
    let asked = experiment.figures.clone();
    let is_named = |kind: FigureKind, name: &str| args.only.iter().any(|only| only == kind.name() || only == name);
    let wants = |kind, name: &str| if args.only.is_empty() { asked.contains(&kind) } else { is_named(kind, name) };
    let drawn = figures::draw_into(&experiment, store, folder, wants)?;
    if drawn.files.is_empty() {
        let known = drawn.skipped.iter().filter(|(kind, _)| args.only.iter().any(|only| only == kind.name()));
        let reasons: Vec<String> = known.map(|(kind, reason)| format!("{kind}: {reason}")).collect();
        let names: Vec<&str> = FigureKind::ALL.iter().map(|kind| kind.name()).collect();
        match reasons.is_empty() {
            true => bail!("there is no such figure\nhint: there are {}", names.join(", ")),
            false => bail!("nothing can be drawn: {}", reasons.join("; ")),
        }
    }
    output::print(&format!("{}\n", folder.display()))?;
    Ok(Outcome::Well)
}
