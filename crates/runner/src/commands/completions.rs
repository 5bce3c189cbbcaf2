//! `elbo completions`: the script that completes elbo's commands in a shell.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::outcome::Outcome;
use crate::output;

/// Prints the script.
///
/// # Errors
/// If standard output cannot be written.
pub fn completions(shell: Shell) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "elbo", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Well)
}
