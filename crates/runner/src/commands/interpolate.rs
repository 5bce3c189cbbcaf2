//! `elbo interpolate`: what a trained model makes of the latents between those of two images.

use anyhow::{Result, bail};
use protocol::usage::{ANGLE, IMAGES, ImageSource, ORIGINALS, Operation};
use record::{Array, NEARLY_OPPOSITE};

use crate::args::InterpolateArgs;
use crate::model::{Format, Given, StoredModel, UseOutcome, check_output, write, write_rows};
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// Images of a path, where nobody says how many.
const STEPS: usize = 10;
/// The same of a path that moves.
const STEPS_OF_GIF: usize = 40;

/// Writes the images of both paths, and prints where.
///
/// # Errors
/// If the run is not done, its model or the images do not fit, or the file cannot be written.
pub fn interpolate(settings: &Settings, args: &InterpolateArgs) -> Result<Outcome> {
    if args.images.is_empty() && args.test.is_none() {
        bail!(
            "a path has two ends, and no images are named\nhint: name two files behind the run, or two test images by `--test 3,17`"
        );
    }
    let format = Format::of(&args.output, Format::ALL)?;
    check_output(&args.output)?;
    let model = StoredModel::find(settings, &args.run)?;
    let (images, own) = match args.test {
        Some(places) => (ImageSource::TestPair(places), None),
        None => (ImageSource::File, Some(model.own(&args.images)?)),
    };
    if let Some(own) = own.as_ref().filter(|own| own.images.shape.n != 2) {
        bail!("a path has two ends, and {} images were found\nhint: name two files", own.images.shape.n);
    }
    let steps = args.steps.unwrap_or(if format == Format::Gif { STEPS_OF_GIF } else { STEPS });
    let answer = match model.perform(Operation::Interpolate { images, steps }, Given::own(own.as_ref()))? {
        UseOutcome::Answered(answer) => answer,
        UseOutcome::Stopped(signal) => return Ok(Outcome::Stopped(signal)),
    };
    let paths = answer.array(IMAGES)?;
    match format {
        Format::Npy => write(&args.output, format, &paths, None)?,
        Format::Png => write_rows(&args.output, &between(&paths, &answer.array(ORIGINALS)?)?, steps + 2)?,
        Format::Gif => write(&args.output, format, &there_and_back(&paths)?, None)?,
    }
    let angle = answer.array(ANGLE)?.values.first().copied().unwrap_or(f32::NAN);
    if angle >= NEARLY_OPPOSITE {
        output::say(&format!(
            "the latents of the two images are {angle:.0}° apart, nearly opposite: which way the arc turns hangs on little, and \
             the straight line passes close to the origin"
        ));
    }
    output::print(&format!("{}\n", args.output.display()))?;
    Ok(Outcome::Well)
}

/// The images of each path between the two, `[paths · (steps + 2), channels, height, width]`.
fn between(paths: &Array, ends: &Array) -> Result<Array> {
    let [n_paths, steps, image @ ..] = &paths.shape[..] else { bail!("paths of the shape {:?} are none", paths.shape) };
    let (from, to) = ends.values.split_at(ends.values.len() / 2);
    let rows = paths.values.chunks(steps * image.iter().product::<usize>()).flat_map(|path| [from, path, to]);
    Ok(Array::new([&[n_paths * (steps + 2)], image].concat(), rows.flatten().copied().collect())?)
}

/// The images of the straight line from its first to its last and back to the second, `[n, channels, height, width]`.
fn there_and_back(paths: &Array) -> Result<Array> {
    let [_, steps, image @ ..] = &paths.shape[..] else { bail!("paths of the shape {:?} are none", paths.shape) };
    let size = image.iter().product::<usize>();
    let there = || paths.values.chunks(size).take(*steps);
    let back = there().skip(1).rev().skip(1);
    let values: Vec<f32> = there().chain(back).flatten().copied().collect();
    Ok(Array::new([&[values.len() / size.max(1)], image].concat(), values)?)
}
