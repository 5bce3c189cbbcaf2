//! `elbo traverse`: what each latent dimension of a trained model does to its images.

use anyhow::{Context as _, Result};
use figures::Dimension;
use protocol::usage::{Decoder, IMAGES, Operation};
use record::{Array, ArrayName};
use serde::Serialize;

use crate::args::TraverseArgs;
use crate::model::{Format, Given, StoredModel, UseOutcome, check_output, write, write_rows};
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// What the rows are, for programs.
#[derive(Serialize)]
struct Traversed<'a> {
    run_id: &'a str,
    name: &'a str,
    output: String,
    dimensions: Vec<Row>,
}

/// One row.
#[derive(Clone, Copy, Serialize)]
struct Row {
    /// Counted from 1.
    dimension: usize,
    /// In nats per image; none of a model that has no KL of each dimension.
    kl: Option<f64>,
    /// Whether images differ in it; not known of a model without encoder.
    active: Option<bool>,
    low: f32,
    high: f32,
}

/// Writes a row of images for each dimension, and prints where; says what each row is.
///
/// # Errors
/// If the run is not done, its model has no latents, or the file cannot be written.
pub fn traverse(settings: &Settings, args: &TraverseArgs) -> Result<Outcome> {
    let format = Format::of(&args.output, Format::STILL)?;
    check_output(&args.output)?;
    let model = StoredModel::find(settings, &args.run)?;
    let base = base(&model, args.image)?;
    let dimensions = figures::dimensions(&model.run, &model.manifest.cell)?;
    let rows: Vec<Row> = dimensions.iter().map(|dimension| row(dimension, args.range)).collect();
    model.check_memory(rows.len() * args.steps, |most| {
        format!("use `--steps {}` or fewer", (most / rows.len().max(1)).max(1))
    })?;
    let latents = model.latents(&points(&rows, &base, args.steps))?;
    let operation = Operation::Decode { decoder: Decoder::Mean, seed: 0 };
    let answer = match model.perform(operation, Given::Latents(&latents))? {
        UseOutcome::Answered(answer) => answer,
        UseOutcome::Stopped(signal) => return Ok(Outcome::Stopped(signal)),
    };
    let images = answer.array(IMAGES)?;
    match format {
        Format::Png => write_rows(&args.output, &images, args.steps)?,
        Format::Npy | Format::Gif => {
            let shape = [&[rows.len(), args.steps], &images.shape[1..]].concat();
            write(&args.output, format, &Array::new(shape, images.values)?, None)?;
        }
    }
    if args.format.json {
        output::print_json(&Traversed {
            run_id: model.run.id().as_str(),
            name: &model.manifest.name,
            output: args.output.display().to_string(),
            dimensions: rows,
        })?;
        return Ok(Outcome::Well);
    }
    for (index, row) in rows.iter().enumerate() {
        output::say(&told(index, row));
    }
    output::print(&format!("{}\n", args.output.display()))?;
    Ok(Outcome::Well)
}

/// Where the dimensions lie that are not moved.
fn base(model: &StoredModel<'_>, image: Option<usize>) -> Result<Vec<f32>> {
    let cell = &model.manifest.cell;
    let width = model.latent_dim()?;
    let Some(image) = image else { return Ok(vec![0.0; width]) };
    let codes = model.run.array(ArrayName::LatentMean)?.with_context(|| {
        format!(
            "the model of `{}` has no encoder, hence no code of a test image\nhint: leave out `--image`",
            cell.readable_name()
        )
    })?;
    let code = codes.values.chunks(width).nth(image).with_context(|| {
        let last = (codes.values.len() / width).saturating_sub(1);
        format!("there is no test image {image}\nhint: they are counted from 0, so the last is {last}")
    })?;
    Ok(code.to_vec())
}

fn row(dimension: &Dimension, range: Option<[f32; 2]>) -> Row {
    let [low, high] = range.unwrap_or([dimension.low as f32, dimension.high as f32]);
    Row { dimension: dimension.index + 1, kl: dimension.kl, active: dimension.is_active, low, high }
}

/// Row after row, in even steps from low to high; a single step lies in the middle.
fn points(rows: &[Row], base: &[f32], steps: usize) -> Vec<Vec<f32>> {
    let share = |step: usize| if steps == 1 { 0.5 } else { step as f32 / (steps - 1) as f32 };
    let point = |row: &Row, step: usize| {
        let mut z = base.to_vec();
        z[row.dimension - 1] = row.low + share(step) * (row.high - row.low);
        z
    };
    rows.iter().flat_map(|row| (0..steps).map(move |step| point(row, step))).collect()
}

/// `row 1: z7, KL 4.21 nats, from -2.9 to 3.1`
fn told(index: usize, row: &Row) -> String {
    let Row { dimension, kl, active, low, high } = *row;
    let kl = kl.map_or_else(String::new, |kl| format!(", KL {kl:.2} nats"));
    let inactive = if active == Some(false) { ", inactive" } else { "" };
    format!("row {}: z{dimension}{kl}, from {low:.2} to {high:.2}{inactive}", index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dimension_moves_along_a_row_and_the_others_stay() {
        let row = |dimension, low, high| Row { dimension, kl: Some(1.0), active: Some(false), low, high };
        let rows = [row(2, -1.0, 1.0), row(1, 0.0, 4.0)];
        let expected = [[7.0, -1.0], [7.0, 0.0], [7.0, 1.0], [0.0, 8.0], [2.0, 8.0], [4.0, 8.0]].map(Vec::from);
        assert_eq!(points(&rows, &[7.0, 8.0], 3), expected);
        assert_eq!(points(&rows, &[7.0, 8.0], 1), [[7.0, 0.0], [2.0, 8.0]].map(Vec::from));
        assert_eq!(told(0, &rows[0]), "row 1: z2, KL 1.00 nats, from -1.00 to 1.00, inactive");
    }
}
