//! `elbo sample`: images from latents that are drawn.

use anyhow::Result;
use protocol::usage::{IMAGES, Operation};

use crate::args::{DecoderArg, SampleArgs};
use crate::model::{Format, Given, StoredModel, UseOutcome, check_output, write};
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// Writes samples of a trained model, and prints where.
///
/// # Errors
/// If the run is not done, its model cannot do that, or the file cannot be written.
pub fn sample(settings: &Settings, args: &SampleArgs) -> Result<Outcome> {
    let format = Format::of(&args.drawn.output, Format::STILL)?;
    check_output(&args.drawn.output)?;
    let model = StoredModel::find(settings, &args.run)?;
    model.check_memory(args.count, |most| format!("use `--count {most}` or fewer; other seeds draw others"))?;
    let decoder = DecoderArg::kind(args.drawn.decoder, model.manifest.cell.model.kind);
    let from = args.from.source();
    let operation = Operation::Sample { from, n: args.count, decoder, seed: args.drawn.seed };
    let answer = match model.perform(operation, Given::Nothing)? {
        UseOutcome::Answered(answer) => answer,
        UseOutcome::Stopped(signal) => return Ok(Outcome::Stopped(signal)),
    };
    write(&args.drawn.output, format, &answer.array(IMAGES)?, None)?;
    output::print(&format!("{}\n", args.drawn.output.display()))?;
    Ok(Outcome::Well)
}
