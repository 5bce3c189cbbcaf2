//! `elbo sample`: images from latents that are drawn.

use anyhow::{Result, bail};
use protocol::usage::{IMAGES, Operation};

use crate::args::{DecoderArg, SampleArgs};
use crate::machine::Machine;
use crate::model::{Format, StoredModel, UseOutcome, check_output, write};
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// Writes samples of a trained model, and prints where.
///
/// # Errors
/// If the run is not done, its model cannot do that, or the file cannot be written.
pub fn sample(settings: &Settings, args: &SampleArgs) -> Result<Outcome> {
    let format = Format::of(&args.drawn.output)?;
    check_output(&args.drawn.output)?;
    let model = StoredModel::find(settings, &args.run)?;
    check_memory(&model, args.count)?;
    let decoder = DecoderArg::kind(args.drawn.decoder, model.manifest.cell.model.kind);
    let from = args.from.source();
    let answer = match model.perform(Operation::Sample { from, n: args.count, decoder, seed: args.drawn.seed }, None)? {
        UseOutcome::Answered(answer) => answer,
        UseOutcome::Stopped(signal) => return Ok(Outcome::Stopped(signal)),
    };
    write(&args.drawn.output, format, &answer.array(IMAGES)?, None)?;
    output::print(&format!("{}\n", args.drawn.output.display()))?;
    Ok(Outcome::Well)
}

/// Refuses more images than fit into half of the free memory, which the system would otherwise kill for.
fn check_memory(model: &StoredModel<'_>, count: usize) -> Result<()> {
    // Single precision, four times: as the decoder makes them, put together, as numbers, and as the bytes of a file.
    const BYTES_PER_PIXEL: u64 = 4 * 4;
    let Some(free) = Machine::here().free_memory else { return Ok(()) };
    let image = model.image_shape()?.n_pixels() as u64 * BYTES_PER_PIXEL;
    let most = usize::try_from(free / 2 / image.max(1)).unwrap_or(usize::MAX).max(1);
    if count > most {
        bail!(
            "{count} images at once do not fit into the free memory\nhint: use `--count {most}` or fewer; other seeds draw others"
        );
    }
    Ok(())
}
