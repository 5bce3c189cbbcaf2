//! One fully resolved configuration, seed included: the valid type that everything behind the spec takes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use crate::model::Model;
use crate::objective::Objective;

/// What one run trains, on what, and how; two equal cells have one run.
///
/// Reading one, be it from a spec or from JSON, goes through the checks of [`Cell::check`], so what was read is valid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "crate::check::RawCell")]
pub struct Cell {
    /// The images.
    pub dataset: Dataset,
    /// The networks and distributions.
    pub model: Model,
    /// What is minimised.
    pub objective: Objective,
    /// How it is minimised.
    pub optimizer: Optimizer,
    /// For how long, in which batches, from which seed.
    pub training: Training,
}

/// Which images, and how their gray values are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Where the images come from.
    pub name: Source,
    /// Gray values as they are, or binarised.
    #[serde(default)]
    pub pixels: Pixels,
    /// How many training images are held out for validation; drawn with `seed`.
    #[serde(default)]
    pub validation: usize,
    /// Seeds the validation split and the static binarisation, which all training seeds share.
    #[serde(default)]
    pub seed: u64,
    /// Use only the first so many training images (before the validation split); all when absent.
    #[serde(default)]
    pub train_images: Option<usize>,
    /// Use only the first so many test images; all when absent.
    #[serde(default)]
    pub test_images: Option<usize>,
}

/// Where images come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// The embedded digits, drawn as strokes with known factors.
    Glyphs,
    /// MNIST.
    Mnist,
    /// Fashion-MNIST.
    FashionMnist,
    /// An HDF5 file of the user's: `images`, optional `labels`; dSprites and 3dshapes layouts. Absolute, see [`crate::place`].
    Hdf5(#[serde(serialize_with = "text")] PathBuf),
    /// A folder with IDX files in MNIST's names. Absolute.
    Idx(#[serde(serialize_with = "text")] PathBuf),
    /// A folder of PNG and JPEG images. Absolute.
    Folder(#[serde(serialize_with = "text")] PathBuf),
}

/// A path as text, so that a cell can always be written; a checked path is UTF-8.
fn text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// How gray values become pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pixels {
    /// Gray values in 0…1.
    #[default]
    Gray,
    /// Each pixel drawn once as Bernoulli(gray value).
    Static,
    /// Each training pixel drawn anew every epoch; the evaluated splits are drawn once, as in `static`.
    Dynamic,
}

/// How the objective is minimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimizer {
    /// Adam (Kingma & Ba 2015) with bias correction, as in PyTorch.
    Adam(Adam),
}

impl Default for Optimizer {
    fn default() -> Self {
        Optimizer::Adam(Adam::default())
    }
}

/// Adam's settings; PyTorch's defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// How the step size changes.
    pub schedule: Schedule,
}

/// How the step size changes while training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// It does not.
    #[default]
    Constant,
    /// It is multiplied with `factor` after each of these epochs, as by PyTorch's `MultiStepLR`.
    Steps {
        /// Epochs completed, rising; those that training does not reach change nothing.
        after: Vec<usize>,
        /// Above 0, at most 1.
        factor: f64,
    },
    /// It falls to 0 along half a cosine (Loshchilov & Hutter 2017).
    Cosine,
    /// Stage i = 0, 1, … lasts 3ⁱ epochs at 10^(−i/7) times the step size (Burda et al. 2016); eight stages are 3,280
    /// epochs.
    Burda,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, schedule: Schedule::Constant }
    }
}

/// For how long, in which batches, from which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Seeds the weights, the shuffling, the reparametrisation and the dynamic binarisation.
    pub seed: u64,
    /// Floating-point width of the computation.
    pub precision: Precision,
}

impl Default for Training {
    fn default() -> Self {
        Training { epochs: 20, batch_size: 128, seed: 0, precision: Precision::F32 }
    }
}

/// Floating-point width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
}
