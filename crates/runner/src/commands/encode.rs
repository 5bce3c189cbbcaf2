//! `elbo encode`: what a trained model's encoder says about images.

use anyhow::{Result, bail};
use protocol::usage::{LABELS, LOG_VARIANCE, MEAN, Operation};
use record::{Array, files};
use serde::Serialize;

use crate::args::EncodeArgs;
use crate::model::{Answer, Given, GivenImages, StoredModel, UseOutcome, check_output};
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// The JSON.
#[derive(Serialize)]
struct EncodeJson<'a> {
    run_id: String,
    name: &'a str,
    images: Vec<Encoded>,
}

/// What is said about one image.
#[derive(Serialize)]
struct Encoded {
    /// Its path, or its place among the test images.
    image: String,
    label: Option<String>,
    mean: Vec<f32>,
    log_variance: Option<Vec<f32>>,
}

/// Prints or writes the latents of images.
///
/// # Errors
/// If the run is not done, its model or the images do not fit, or the file cannot be written.
pub fn encode(settings: &Settings, args: &EncodeArgs) -> Result<Outcome> {
    args.output.as_deref().map(check_output).transpose()?;
    let model = StoredModel::find(settings, &args.run)?;
    let images = model.images(&args.given)?;
    let answer = match model.perform(Operation::Encode { images: images.source }, Given::own(images.own.as_ref()))? {
        UseOutcome::Answered(answer) => answer,
        UseOutcome::Stopped(signal) => return Ok(Outcome::Stopped(signal)),
    };
    let images = encoded(&answer, images)?;
    let text = match args.format.json {
        true => {
            let json = EncodeJson { run_id: model.run.id().to_string(), name: &model.manifest.name, images };
            serde_json::to_string_pretty(&json)? + "\n"
        }
        false => csv(&images),
    };
    match &args.output {
        Some(path) => {
            files::write_bytes_atomically(path, text.as_bytes())?;
            output::print(&format!("{}\n", path.display()))?;
        }
        None => output::print(&text)?,
    }
    Ok(Outcome::Well)
}

fn encoded(answer: &Answer, images: GivenImages) -> Result<Vec<Encoded>> {
    let (mean, log_variance) = (answer.array(MEAN)?, answer.optional(LOG_VARIANCE)?);
    let [n, width] = mean.shape[..] else { bail!("latents of the shape {:?} are none", mean.shape) };
    let row = |array: &Array, i: usize| array.values[i * width..(i + 1) * width].to_vec();
    let names: Vec<(String, Option<String>)> = match images.own {
        Some(own) => own.paths.iter().map(|path| path.display().to_string()).zip(own.labels).collect(),
        None => {
            let labels = answer.optional(LABELS)?;
            (0..n).map(|i| (i.to_string(), labels.as_ref().map(|labels| labels.values[i].to_string()))).collect()
        }
    };
    let of = |(i, (image, label)): (usize, (String, Option<String>))| Encoded {
        image,
        label,
        mean: row(&mean, i),
        log_variance: log_variance.as_ref().map(|values| row(values, i)),
    };
    Ok(names.into_iter().take(n).enumerate().map(of).collect())
}

fn csv(images: &[Encoded]) -> String {
    let names = |name: &'static str, n: usize| (0..n).map(move |i| format!("{name}_{i}"));
    let (mean, log_variance) =
        images.first().map_or((0, 0), |first| (first.mean.len(), first.log_variance.as_ref().map_or(0, Vec::len)));
    let head = ["image", "label"].map(str::to_owned).into_iter();
    let head = head.chain(names("mean", mean)).chain(names("log_variance", log_variance));
    let rows = images.iter().map(|Encoded { image, label, mean, log_variance }| {
        let values = mean.iter().chain(log_variance.iter().flatten()).map(f32::to_string);
        [image.clone(), label.clone().unwrap_or_default()].into_iter().chain(values).collect()
    });
    figures::csv::write(std::iter::once(head.collect()).chain(rows))
}
