//! `elbo decode`: the images of latents that are named.

use anyhow::Result;
use protocol::usage::{IMAGES, Operation};

use crate::args::{DecodeArgs, DecoderArg};
use crate::model::{Format, Given, StoredModel, UseOutcome, check_output, write, write_rows};
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// Writes the images in one row, and prints where.
///
/// # Errors
/// If the run is not done, its model has no such latents, or the file cannot be written.
pub fn decode(settings: &Settings, args: &DecodeArgs) -> Result<Outcome> {
    let format = Format::of(&args.drawn.output, Format::STILL)?;
    check_output(&args.drawn.output)?;
    let model = StoredModel::find(settings, &args.run)?;
    let points: Vec<Vec<f32>> = args.z.iter().map(|point| point.0.clone()).collect();
    let latents = model.latents(&points)?;
    let decoder = DecoderArg::kind(args.drawn.decoder, model.manifest.cell.model.kind);
    let operation = Operation::Decode { decoder, seed: args.drawn.seed };
    let answer = match model.perform(operation, Given::Latents(&latents))? {
        UseOutcome::Answered(answer) => answer,
        UseOutcome::Stopped(signal) => return Ok(Outcome::Stopped(signal)),
    };
    let images = answer.array(IMAGES)?;
    match format {
        Format::Png => write_rows(&args.drawn.output, &images, args.z.len())?,
        Format::Npy | Format::Gif => write(&args.drawn.output, format, &images, None)?,
    }
    output::print(&format!("{}\n", args.drawn.output.display()))?;
    Ok(Outcome::Well)
}
