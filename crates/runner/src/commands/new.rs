//! `elbo new`: an experiment to begin with, fitted to the images that it is about.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use data::{Fetcher, Info, Progress, SplitInfo};
use fs_err as fs;
use spec::{Dataset, Experiment, Fit, OwnKind, OwnSource, Source};

use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;

/// Height and width that larger images are brought to: dense layers of a CPU's size see no more.
const LARGEST_SIDE: usize = 64;
/// Nats per value under which images are nearly black and white: MNIST has 0.08, photographs have 0.5.
const NEARLY_BINARY: f64 = 0.15;

/// Writes an experiment of this name on the images at `--data`, else on the embedded digits.
///
/// # Errors
/// If there are no images, they cannot be read, or the file exists already.
pub fn new(settings: &Settings, name: &str) -> Result<Outcome> {
    let folder = Path::new("experiments");
    let file =
        if folder.is_dir() { folder.join(format!("{name}.yaml")) } else { PathBuf::from(format!("{name}.yaml")) };
    if file.exists() {
        bail!("`{}` exists already\nhint: choose another name, or remove the file", file.display());
    }
    let dataset = match own(settings)? {
        None => Dataset::plain(Source::named("glyphs").unwrap_or_else(|| Source::Known(&spec::KNOWN_DATASETS[0]))),
        Some(source) => sized(source)?,
    };
    let info = look(&dataset)?;
    let text = write(name, &file, &dataset, &info)?;
    // What is written is valid, or the name is not.
    Experiment::parse(&file.display().to_string(), text.as_bytes(), &[])?;
    fs::write(&file, text)?;
    output::say(&format!("next: `elbo plan {0}`, then `elbo sweep {0}`", file.display()));
    output::print(&format!("{}\n", file.display()))?;
    Ok(Outcome::Well)
}

/// The images that are meant; none for the embedded digits.
fn own(settings: &Settings) -> Result<Option<OwnSource>> {
    let Some(path) = &settings.data else { return Ok(None) };
    if !path.exists() {
        bail!(
            "`{}`: there is no such file or folder\nhint: give the images' file or folder by `--data`",
            path.display()
        );
    }
    let found = data::guess(path);
    // A data folder for known data sets that is set once and for all is no wish.
    let is_set_for_all = std::env::var_os("ELBO_DATA").is_some_and(|set| Path::new(&set) == path);
    if found.is_none() && !is_set_for_all {
        bail!(
            "`{}` holds no images\nhint: give a folder of PNG or JPEG files or of IDX files in MNIST's names, or one file that ends in `.npz`, `.npy` or `.h5`",
            path.display()
        );
    }
    Ok(found.map(|OwnSource { kind, path }| OwnSource { kind, path: path.canonicalize().unwrap_or(path) }))
}

/// The images as they are, or brought to one size where they are large, or differ in it.
fn sized(source: OwnSource) -> Result<Dataset> {
    let kind = source.kind;
    let dataset = Dataset::plain(Source::Own(source));
    let shape = data::shape(&dataset, &folders()?)?;
    if kind != OwnKind::Folder {
        return Ok(dataset);
    }
    let side = shape.height.min(shape.width).min(LARGEST_SIDE);
    let brought = Dataset { size: Some(side), fit: Fit::Resize, ..dataset.clone() };
    if shape.height.max(shape.width) > LARGEST_SIDE {
        return Ok(brought);
    }
    match look(&dataset) {
        Ok(_) => Ok(dataset),
        Err(error) => look(&brought).map(|_| brought).map_err(|_| error),
    }
}

/// Where prepared images are kept: the images themselves are named by whole paths, and `--data` names nothing else.
fn folders() -> Result<data::Folders> {
    Ok(data::Folders::from_env(None)?)
}

fn look(dataset: &Dataset) -> Result<Info> {
    let mut tell = |progress: Progress<'_>| {
        if let Progress::Message(message) = progress {
            output::say(message);
        }
    };
    Ok(data::info(dataset, &folders()?, &Fetcher::default(), &mut tell)?)
}

/// The experiment, with the reasons for what is proposed.
fn write(name: &str, file: &Path, dataset: &Dataset, info: &Info) -> Result<String> {
    let split = |wanted: &str| info.splits.iter().find(|split| split.split == wanted);
    let Some(train) = split("train") else { bail!("there are no training images\nhint: give some") };
    let n_test = split("test").map_or(0, |split| split.n);
    let SplitInfo { n, channels, height, width, .. } = *train;
    let n_values = channels * height * width;
    let floor = train.gray_bce_floor / n_values as f64;
    let classes = match train.classes.len() {
        0 => "without labels".to_owned(),
        n => format!("in {n} classes"),
    };
    let kind = match (info.is_binary, channels) {
        (true, _) => "binary",
        (false, 1) => "gray",
        (false, _) => "colour",
    };
    let (pixels, likelihood, why) = if info.is_binary {
        (
            "binary",
            "bernoulli",
            "every value is 0 or 1: each has a probability, and numbers are on the scale `bernoulli`".to_owned(),
        )
    } else if floor < NEARLY_BINARY {
        (
            "gray",
            "bernoulli",
            format!(
                "values are nearly black and white ({floor:.2} nats each at the least): cross-entropy, as is customary for MNIST; `pixels: static` would draw them as 0 or 1"
            ),
        )
    } else {
        (
            "gray",
            "{ gaussian-shared: { variance: optimal } }",
            format!(
                "values are truly gray ({floor:.2} nats each at the least): a Gaussian whose one σ is that of the errors; numbers are a density's"
            ),
        )
    };
    let (validation, how) = if let Some(own) = split("validation") {
        (0, format!("{} validation images of their own", own.n))
    } else if n >= 100 {
        (n / 10, "a tenth of the training images is held out to validate on".to_owned())
    } else {
        (0, "too few to hold any out to validate on".to_owned())
    };
    let hidden = match n_values {
        0..=1024 => "[400]",
        1025..=4096 => "[512]",
        _ => "[512, 256]",
    };
    let widths: Vec<String> = [2, 5, 10, 20].into_iter().filter(|&d| d < n_values).map(|d| d.to_string()).collect();
    let batch_size = match n {
        0..200 => 16,
        200..2000 => 32,
        _ => 128,
    };
    let epochs = (600_000 / n.max(1)).clamp(10, 200);
    let source = match &dataset.name {
        Source::Known(known) => known.name.to_owned(),
        Source::Own(OwnSource { kind, path }) => {
            format!("{{ {}: {} }}", kind.word(), serde_json::to_string(&path.to_string_lossy())?)
        }
    };
    let size = match dataset.size {
        Some(side) => format!(
            "  size: {side}                    # scaled until the shorter side fits, then the middle is cut out; `fit: crop` does not scale\n"
        ),
        None => String::new(),
    };
    let held_out = match (&dataset.name, validation) {
        (_, 0) => String::new(),
        (_, n) => format!("  validation: {n}\n"),
    };
    let question = format!("What does the width of the latent space buy on {}?", dataset.name.readable_name());
    Ok(format!(
        "name: {name}
question: {question}
launch: elbo sweep {file}
# {n} training and {n_test} test images of {height}×{width} (height × width) {kind} values, {classes}; {how}.
dataset:
  name: {source}  # a relative path is relative to this file's folder
{size}  pixels: {pixels}  # {why}
{held_out}model:
  kind: vae
  hidden: {hidden}  # {n_values} values an image
  activation: relu
  latent_dim: 10
  likelihood: {likelihood}
objective: {{ beta: 1 }}
optimizer: {{ adam: {{ learning_rate: 1e-3 }} }}
training: {{ epochs: {epochs}, batch_size: {batch_size}, seed: 0 }}  # about {} steps a run
sweep:
  grid:
    model.latent_dim: [{}]
    training.seed: [0, 1, 2]  # three seeds, so that differences can be told from chance
",
        epochs * n.div_ceil(batch_size),
        widths.join(", "),
        file = file.display(),
    ))
}
