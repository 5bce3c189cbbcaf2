//! `elbo`, the command line: plans, trains, lists, compares and draws. What was typed ([`args`]) becomes settings
//! ([`settings`]), which one plain function for each command ([`commands`]) acts on.

mod args;
mod commands;
mod filter;
mod machine;
mod model;
mod output;
mod plan;
mod reproduction;
mod settings;
mod sweep;
mod table;
mod text;
mod worker;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::settings::Settings;

/// How a command ended, when no error stopped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All well.
    Well,
    /// Some runs failed, or are not done because another process is training them.
    SomeFailed,
    /// Stopped by a signal of this number.
    Stopped(u8),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let settings = Settings::resolve(cli.places);
    match commands::run(cli.command, &settings) {
        Ok(Outcome::Well) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        Ok(Outcome::Stopped(signal)) => ExitCode::from(128 + signal),
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::from(2)
        }
    }
}
