//! Using a trained model: what a worker is asked for, and the files of arrays (.npy) in which the answer comes back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use spec::RunId;

/// The images that the encoder is given, `[n, channels, height, width]` in 0…1: written by who asks, or by the worker where
/// they are test images.
pub const ORIGINALS: &str = "originals.npy";
/// Classes of test images, `[n]`; only where the data has them.
pub const LABELS: &str = "labels.npy";
/// Images that the model made, `[n, channels, height, width]`; means may leave 0…1.
pub const IMAGES: &str = "images.npy";
/// Latents that are to be decoded, `[n, latent_dim]`: written by who asks.
pub const LATENTS: &str = "latents.npy";
/// E[z|x], `[n, latent_dim]`.
pub const MEAN: &str = "mean.npy";
/// Logarithms of the variances of z given x, `[n, latent_dim]`; only where the model has them.
pub const LOG_VARIANCE: &str = "log-variance.npy";

/// The angle between two latents, `[1]`, in degrees; not a number where one of them is zero.
pub const ANGLE: &str = "angle.npy";

/// What a trained model is used for, and where the arrays lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// The run, which the cell's own id need not be: a run of an earlier numbers version has another.
    pub run: RunId,
    /// The folder of what is given, images or latents, and of the answer.
    pub folder: PathBuf,
    /// Channels, height and width of the run's images.
    pub image: [usize; 3],
    /// What the model does.
    pub operation: Operation,
}

/// What a trained model does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// [`IMAGES`] from latents.
    Sample {
        /// Where the latents come from.
        from: LatentSource,
        /// How many.
        n: usize,
        /// How they are decoded.
        decoder: Decoder,
        /// Of the draws, beside the run's own; 0 gives those of arrays.h5.
        seed: u64,
    },
    /// [`IMAGES`] from the latents in [`LATENTS`].
    Decode {
        /// How they are decoded.
        decoder: Decoder,
        /// Of the decoder's draws.
        seed: u64,
    },
    /// [`IMAGES`] from the posterior means of images.
    Reconstruct {
        /// The images.
        images: ImageSource,
        /// How the latents are decoded.
        decoder: Decoder,
        /// Of the decoder's draws.
        seed: u64,
    },
    /// [`IMAGES`] along the paths between the posterior means of two images, `[paths, steps, channels, height, width]`: the
    /// straight line, then the arc where there is one; with [`ANGLE`].
    Interpolate {
        /// Two images.
        images: ImageSource,
        /// Images of a path, both ends included.
        steps: usize,
    },
    /// [`MEAN`] and [`LOG_VARIANCE`] of images.
    Encode {
        /// The images.
        images: ImageSource,
    },
}

/// Which images an encoder is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageSource {
    /// The first so many test images.
    Test(usize),
    /// The test images at these places, counted from 0.
    TestPair([usize; 2]),
    /// Those in [`ORIGINALS`].
    File,
}

/// Where latents of samples come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatentSource {
    /// p(z); for an autoencoder, which has none, N(0, I).
    Prior,
    /// q(z|x) of random training images.
    Aggregate,
    /// A mixture of Gaussians fitted to the latents of training images.
    Mixture,
}

/// How latents become images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// E[x|z].
    Mean,
    /// A draw from p(x|z).
    Sample,
}
