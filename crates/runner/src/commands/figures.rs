//! `elbo figures`: an experiment's figures and tables, drawn anew from its records.

use anyhow::Result;
use spec::Experiment;

use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// Draws, and prints the folder.
///
/// # Errors
/// If records cannot be read or files not be written.
pub fn figures(settings: &Settings, experiment: &Experiment) -> Result<Outcome> {
    let store = settings.store()?;
    figures::draw(experiment, &store)?;
    output::print(&format!("{}\n", store.sweep_dir(&experiment.name).join("figures").display()))?;
    Ok(Outcome::Well)
}
