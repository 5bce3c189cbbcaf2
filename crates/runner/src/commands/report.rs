//! `elbo report`: an experiment's report, one self-contained HTML page.

use anyhow::Result;
use spec::Experiment;

use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// Writes the report, and prints where it is.
///
/// # Errors
/// If records cannot be read or the file not be written.
pub fn report(settings: &Settings, experiment: &Experiment) -> Result<Outcome> {
    let path = figures::report(experiment, &settings.store()?)?;
    output::print(&format!("{}\n", path.display()))?;
    Ok(Outcome::Well)
}
