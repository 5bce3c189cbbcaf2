//! `elbo report`: an experiment's report, one self-contained HTML page, and the tables with the same numbers.

use anyhow::Result;
use spec::Experiment;

use crate::claim::Claim;
use crate::experiment_figures;
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// Writes the report, and prints where it is.
///
/// # Errors
/// If records cannot be read, files not be written, or the folder is another experiment's.
pub fn report(settings: &Settings, experiment: &Experiment) -> Result<Outcome> {
    let store = settings.store()?;
    let claim = Claim::of(experiment, &store)?;
    claim.check_is_any_done()?;
    claim.keep(false)?;
    let path = experiment_figures::report(experiment, &store)?;
    output::print(&format!("{}\n", path.display()))?;
    Ok(Outcome::Well)
}
