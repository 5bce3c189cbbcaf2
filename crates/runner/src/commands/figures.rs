//! `elbo figures`: an experiment's figures and tables, drawn anew from its records.

use anyhow::Result;
use spec::Experiment;

use crate::claim::Claim;
use crate::experiment_figures::draw;
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// Draws, and prints the folder.
///
/// # Errors
/// If records cannot be read, files not be written, or the folder is another experiment's.
pub fn figures(settings: &Settings, experiment: &Experiment) -> Result<Outcome> {
    let store = settings.store()?;
    let claim = Claim::of(experiment, &store)?;
    claim.check_is_any_done()?;
    claim.keep(false)?;
    draw(experiment, &store)?;
    output::print(&format!("{}\n", store.sweep_dir(&experiment.name).join("figures").display()))?;
    Ok(Outcome::Well)
}
