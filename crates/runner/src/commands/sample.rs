//! `elbo sample`: images from latents that are drawn.

use anyhow::Result;
use record::usage::{IMAGES, What};

use crate::Outcome;
use crate::args::SampleArgs;
use crate::model::{Asked, Format, Model, check_output, write};
use crate::output;
use crate::settings::Settings;

/// Writes samples of a trained model, and prints where.
///
/// # Errors
/// If the run is not done, its model cannot do that, or the file cannot be written.
pub fn sample(settings: &Settings, args: &SampleArgs) -> Result<Outcome> {
    let format = Format::of(&args.drawn.output)?;
    check_output(&args.drawn.output)?;
    let model = Model::find(settings, &args.run)?;
    let (from, decoder) = (args.from.source(), args.drawn.decoder.kind());
    let answer = match model.ask(What::Sample { from, n: args.count, decoder, seed: args.drawn.seed }, None)? {
        Asked::Answered(answer) => answer,
        Asked::Stopped(signal) => return Ok(Outcome::Stopped(signal)),
    };
    write(&args.drawn.output, format, &answer.array(IMAGES)?, None)?;
    output::print(&format!("{}\n", args.drawn.output.display()))?;
    Ok(Outcome::Well)
}
