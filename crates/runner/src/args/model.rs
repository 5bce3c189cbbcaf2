//! What can be typed to use a trained model.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use protocol::usage;
use spec::ModelKind;

use crate::args::common::{FormatArgs, Latent, count, latent, pair, range};

/// Where latents of samples come from.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LatentSourceArg {
    /// The prior p(z); N(0, I) for an autoencoder, which has none
    Prior,
    /// The posteriors q(z|x) of random training images
    Aggregate,
    /// A mixture of Gaussians fitted to the latents of training images
    Mixture,
}

/// How latents become images.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DecoderArg {
    /// The mean E[x|z]
    Mean,
    /// A draw from p(x|z)
    Sample,
}

impl LatentSourceArg {
    /// As a worker is told.
    pub fn source(self) -> usage::LatentSource {
        match self {
            LatentSourceArg::Prior => usage::LatentSource::Prior,
            LatentSourceArg::Aggregate => usage::LatentSource::Aggregate,
            LatentSourceArg::Mixture => usage::LatentSource::Mixture,
        }
    }
}

impl DecoderArg {
    /// As a worker is told: what was asked for, or what a model of this kind is drawn with.
    pub fn kind(asked: Option<DecoderArg>, model: ModelKind) -> usage::Decoder {
        let usual = match model {
            ModelKind::GaussianMixture { .. } => DecoderArg::Sample,
            ModelKind::Vae | ModelKind::Autoencoder | ModelKind::Gan { .. } | ModelKind::VaeGan { .. } => {
                DecoderArg::Mean
            }
        };
        match asked.unwrap_or(usual) {
            DecoderArg::Mean => usage::Decoder::Mean,
            DecoderArg::Sample => usage::Decoder::Sample,
        }
    }
}

/// How a decoder's images are made, and where they go.
#[derive(Args, Debug)]
pub struct DrawnArgs {
    /// How latents become images [default: mean; of a mixture over pixels: sample]
    #[arg(long, value_name = "DECODER")]
    pub decoder: Option<DecoderArg>,
    /// Other draws for other seeds; 0 gives those of the run's figures
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Where to write the images: a `.png` or `.npy` file
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `elbo sample`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo sample vae-mnist-z20-b1-s0 -o samples.png
  elbo sample vae-mnist-z20-b1-s0 --from aggregate --count 1000 -o samples.npy

A PNG is a sheet of the images. An NPY holds them as float32 [n, channels, height, width], 1.0 being
white, as the decoder gives them: means may leave 0…1. Only `aggregate` and `mixture` need the data.")]
pub struct SampleArgs {
    /// The run: its readable name, its id, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Where the latents come from
    #[arg(long, value_name = "SOURCE", default_value = "prior")]
    pub from: LatentSourceArg,
    /// How many images
    #[arg(long, value_name = "N", default_value = "100", value_parser = count)]
    pub count: usize,
    #[command(flatten)]
    pub drawn: DrawnArgs,
}

/// `elbo decode`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo decode vae-mnist-z2-b1-s0 --z 0.5,-1 -o image.png
  elbo decode vae-mnist-z2-b1-s0 --z 0,0 --z 1,0 --z 2,0 -o row.png

A PNG is a row of the images, in the order of the points. An NPY holds them as float32
[n, channels, height, width], 1.0 being white, as the decoder gives them: means may leave 0…1.
Latents that are bits take 0 and 1. `elbo encode` tells the latents of images.")]
pub struct DecodeArgs {
    /// The run: its readable name, its id, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub run: String,
    /// A point in the latent space, a coordinate for each dimension; may be given several times
    #[arg(long, value_name = "Z1,Z2,…", required = true, value_parser = latent, allow_hyphen_values = true)]
    pub z: Vec<Latent>,
    #[command(flatten)]
    pub drawn: DrawnArgs,
}

/// `elbo traverse`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo traverse vae-mnist-z20-b1-s0 -o dimensions.png
  elbo traverse vae-mnist-z20-b1-s0 --image 7 --steps 15 -o dimensions.png

A PNG has a row for each latent dimension, the one with the largest KL on top; those of an
autoencoder, which have none, are ordered by how much the codes of the test images vary. Along a row
that dimension alone is moved, from low to high, and the others stay at 0, or at the code of the
test image. What each row is goes to standard error: its dimension (counted from 1), its KL, its
range, and whether it is inactive, so that images tell nothing by it.

A dimension's range is three standard deviations to both sides of its mean, over the codes of all
test images with their posteriors' variance; 0 to 1 where latents are bits; -3 to 3 of a GAN.
An NPY holds the images as float32 [dimensions, steps, channels, height, width].

JSON: `run_id, name, output`; `dimensions`, in the order of the rows, with `dimension, kl, active,
low, high`.")]
pub struct TraverseArgs {
    /// The run: its readable name, its id, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Leave the other dimensions at the code of this test image, counted from 0, instead of at 0
    #[arg(long, value_name = "N")]
    pub image: Option<usize>,
    /// Images of a row, both ends of the range included
    #[arg(long, value_name = "N", default_value = "11", value_parser = count)]
    pub steps: usize,
    /// Move every dimension between these two instead of through its own range
    #[arg(long, value_name = "LOW,HIGH", value_parser = range, allow_hyphen_values = true)]
    pub range: Option<[f32; 2]>,
    /// Where to write the images: a `.png` or `.npy` file
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Which images an encoder is given.
#[derive(Args, Debug)]
pub struct GivenArgs {
    /// PNG or JPEG files, or folders of them, of the size that the run was trained on
    #[arg(value_name = "IMAGES", conflicts_with = "test")]
    pub images: Vec<PathBuf>,
    /// The first N test images of the run's data instead
    #[arg(long, value_name = "N", value_parser = count)]
    pub test: Option<usize>,
}

/// `elbo reconstruct`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo reconstruct vae-mnist-z20-b1-s0 --test 20 -o reconstructions.png
  elbo reconstruct vae-mnist-z20-b1-s0 mine.png drawings/ -o mine-again.png

A PNG is a sheet of the originals, each above its reconstruction: what the decoder makes of the
posterior mean. An NPY holds the reconstructions alone, as float32 [n, channels, height, width].
Images are taken as they are, gray values in 0…1, also by runs on binarised pixels.")]
pub struct ReconstructArgs {
    /// The run: its readable name, its id, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub run: String,
    #[command(flatten)]
    pub given: GivenArgs,
    #[command(flatten)]
    pub drawn: DrawnArgs,
}

/// `elbo interpolate`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo interpolate vae-mnist-z20-b1-s0 --test 3,17 -o path.png
  elbo interpolate vae-mnist-z20-b1-s0 four.png nine.png --steps 8 -o path.npy
  elbo interpolate vae-mnist-z20-b1-s0 four.png nine.png -o path.gif

You choose the pair: two test images by their places, or two files. The pairs of a sweep's figure
`interpolations` are chosen for it: neighbours among the test images that its reconstructions show,
of different classes where there are labels.

A PNG has a row for each path, the two images at its ends: decoder means along the straight line
between the posterior means, then along the arc on which the direction turns and the norm changes
evenly. An NPY holds the decoder means alone, as float32 [paths, steps, channels, height, width].
A GIF goes along the straight line and back, for ever. Latents that are bits have the straight line
alone.")]
pub struct InterpolateArgs {
    /// The run: its readable name, its id, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Two PNG or JPEG files of the size that the run was trained on
    #[arg(value_name = "IMAGE", num_args = 2, conflicts_with = "test")]
    pub images: Vec<PathBuf>,
    /// Two test images of the run's data instead, by their places, counted from 0
    #[arg(long, value_name = "I,J", value_parser = pair)]
    pub test: Option<[usize; 2]>,
    /// Images of a path, both ends included [default: 10; of a GIF: 40]
    #[arg(long, value_name = "N", value_parser = count)]
    pub steps: Option<usize>,
    /// Where to write the images: a `.png`, `.npy` or `.gif` file
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `elbo encode`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo encode vae-mnist-z20-b1-s0 --test 1000 > latents.csv
  elbo encode vae-mnist-z20-b1-s0 drawings/ --json | jq '.images[0].mean'

CSV with a line for each image: `image` (its path, or its place among the test images), `label` (its
class or its subfolder's name, where known), `mean_0`, …, and `log_variance_0`, … of q(z|x), where
the model has variances. For latents that are bits the means are the probabilities of 1.

JSON: `run_id, name`; `images` with `image, label, mean, log_variance`.")]
pub struct EncodeArgs {
    /// The run: its readable name, its id, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub run: String,
    #[command(flatten)]
    pub given: GivenArgs,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `elbo export`
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  elbo export vae-mnist-z20-b1-s0 -o mnist-vae

Writes model.safetensors, experiment.yaml (for `elbo evaluate --weights` and `elbo sweep`),
run.json, metrics.parquet, evaluation.parquet, and a README.md that says what the tensors are and
how the model was trained. Nothing that exists is overwritten.")]
pub struct ExportArgs {
    /// The run: its readable name, its id, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The folder to make
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}
