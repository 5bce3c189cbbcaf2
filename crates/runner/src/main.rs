//! `elbo`, the command line: plans, trains, lists, compares and draws. What was typed ([`args`]) becomes settings
//! ([`settings`]), which one plain function for each command ([`commands`]) acts on.

mod args;
mod assessment;
mod budget;
mod calibration;
mod claim;
mod commands;
mod experiment_figures;
mod filter;
mod identity;
mod machine;
mod model;
mod outcome;
mod output;
mod plan;
mod reproduction;
mod scheduler;
mod settings;
mod text;
mod text_table;
mod verdicts;
mod worker;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::outcome::Outcome;
use crate::settings::Settings;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let settings = Settings::resolve(cli.folders);
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
