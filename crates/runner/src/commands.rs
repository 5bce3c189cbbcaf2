//! One plain function for each command, each in a file of its own.

mod compare;
mod completions;
pub(crate) mod data;
mod decode;
mod diff;
mod encode;
mod evaluate;
mod export;
mod figures;
mod gc;
mod interpolate;
mod list;
mod man;
mod new;
mod pack;
mod plan;
mod reconstruct;
mod report;
mod reproduce;
mod rm;
mod sample;
mod show;
mod sweep;
mod traverse;
mod undo;
mod unpack;
mod weights;

use anyhow::Result;

use crate::args::{Command, DataCommand};
use crate::budget::load_within;
use crate::identity::{Need, load};
use crate::outcome::Outcome;
use crate::settings::Settings;

/// Does what was typed.
///
/// # Errors
/// If anything but the failure of runs stands in the way.
pub fn run(command: Command, settings: &Settings) -> Result<Outcome> {
    match command {
        Command::New(args) => new::new(settings, &args.name),
        Command::Plan(args) => {
            let experiment = load(settings, &args.experiment, Need::Images)?;
            plan::plan(settings, &experiment, &args)
        }
        Command::Sweep(args) => {
            let experiment = load_within(settings, &args)?;
            sweep::sweep(settings, &experiment, &args)
        }
        Command::Evaluate(args) => {
            let experiment = load(settings, &args.experiment, Need::Images)?;
            evaluate::evaluate(settings, &experiment, &args)
        }
        Command::List(args) => list::list(settings, &list::Selection::resolve(&args)?, args.format.json),
        Command::Show(args) => show::show(settings, &args.run, args.format.json),
        Command::Diff(args) => diff::diff(settings, &args.a, &args.b, args.format.json),
        Command::Compare(args) => {
            let experiment = load(settings, &args.experiment, Need::Records)?;
            compare::compare(settings, &experiment, &compare::CompareRequest::resolve(&args)?, args.format.json)
        }
        Command::Figures(args) => {
            let experiment = load(settings, &args.experiment, Need::Records)?;
            figures::figures(settings, experiment, &args)
        }
        Command::Report(args) => report::report(settings, &load(settings, &args, Need::Records)?),
        Command::Reproduce(args) => reproduce::reproduce(settings, &args),
        Command::Sample(args) => sample::sample(settings, &args),
        Command::Reconstruct(args) => reconstruct::reconstruct(settings, &args),
        Command::Decode(args) => decode::decode(settings, &args),
        Command::Traverse(args) => traverse::traverse(settings, &args),
        Command::Interpolate(args) => interpolate::interpolate(settings, &args),
        Command::Encode(args) => encode::encode(settings, &args),
        Command::Export(args) => export::export(settings, &args),
        Command::Pack(args) => pack::pack(settings, &load(settings, &args.experiment, Need::Records)?, &args),
        Command::Unpack(args) => unpack::unpack(&args),
        Command::Data(args) => match args.command {
            DataCommand::List(format) => data::list(settings, format.json),
            DataCommand::Prepare(args) => data::prepare(settings, &args.name),
            DataCommand::Info(args) => data::info(settings, &args.data_set.name, args.format.json),
        },
        Command::Rm(args) => rm::rm(settings, &args),
        Command::Gc(args) => gc::gc(settings, &args),
        Command::Undo => undo::undo(settings),
        Command::Completions { shell } => completions::completions(shell),
        Command::Man { folder } => man::man(&folder),
    }
}
