//! `elbo reconstruct`: images, and what a trained model makes of them.

use anyhow::Result;
use protocol::usage::{IMAGES, ORIGINALS, Operation};

use crate::args::{DecoderArg, ReconstructArgs};
use crate::model::{Format, Given, StoredModel, UseOutcome, check_output, write};
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// Writes reconstructions, and prints where.
///
/// # Errors
/// If the run is not done, its model or the images do not fit, or the file cannot be written.
pub fn reconstruct(settings: &Settings, args: &ReconstructArgs) -> Result<Outcome> {
    let format = Format::of(&args.drawn.output, Format::STILL)?;
    check_output(&args.drawn.output)?;
    let model = StoredModel::find(settings, &args.run)?;
    let images = model.images(&args.given)?;
    let decoder = DecoderArg::kind(args.drawn.decoder, model.manifest.cell.model.kind);
    let operation = Operation::Reconstruct { images: images.source, decoder, seed: args.drawn.seed };
    let answer = match model.perform(operation, Given::own(images.own.as_ref()))? {
        UseOutcome::Answered(answer) => answer,
        UseOutcome::Stopped(signal) => return Ok(Outcome::Stopped(signal)),
    };
    write(&args.drawn.output, format, &answer.array(IMAGES)?, Some(&answer.array(ORIGINALS)?))?;
    output::print(&format!("{}\n", args.drawn.output.display()))?;
    Ok(Outcome::Well)
}
