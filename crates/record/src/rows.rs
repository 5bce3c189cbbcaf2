//! The rows of a run's tables: what each column means, with its unit and its reduction.

use std::fmt;

use serde::{Deserialize, Serialize};
use spec::{RunId, Scale};

/// Which images a row was measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// The images the parameters are fitted to.
    Train,
    /// Held out of the training images.
    Validation,
    /// The test images.
    Test,
}

impl Split {
    /// All splits, in the order of a table.
    pub const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

    /// The name in the `split` column.
    pub fn as_str(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }

    /// The split with this name.
    pub fn from_name(name: &str) -> Option<Split> {
        Split::ALL.into_iter().find(|split| split.as_str() == name)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One row of `metrics.parquet`: one epoch on one split.
///
/// Rows of the training split are running means over the epoch's batches as they were trained on, so under parameters
/// that change; rows of other splits are evaluated at the epoch's end. What a model does not have is `None` (null): an
/// autoencoder has a reconstruction, but no KL and no bound; a GAN has none of the three.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsRow {
    /// The run.
    pub run_id: RunId,
    /// The images the row was measured on.
    pub split: Split,
    /// Epochs completed: 1 after the first pass over the training images, 0 for a row from before training.
    pub epoch: u32,
    /// Optimizer steps taken since the start of training.
    pub step: u64,
    /// Images the means are over: the whole split, partial last batch included.
    pub images: u64,
    /// The scale of the likelihood; rows of different scales are never compared.
    pub scale: Scale,
    /// −(reconstruction + kl), without β; nats per image, a mean over images. `None` for a model without a bound.
    pub elbo: Option<f64>,
    /// `−E_q[log p(x|z)]`; nats per image, a mean over images. May be negative on the scale `gaussian-density`. `None`
    /// for a model that reconstructs nothing.
    pub reconstruction: Option<f64>,
    /// KL(q(z|x) ‖ p(z)) over all latent dimensions; nats per image, a mean over images. `None` for a model without
    /// a distribution of latents given an image.
    pub kl: Option<f64>,
    /// What is minimised: reconstruction + β·kl, or the loss of a GAN's generator; nats per image, a mean over images.
    /// Of an importance-weighted run it is minus the bound on the training split, with all its samples; other splits are
    /// evaluated with one sample, where it is reconstruction + β·kl: at β = 1 that is −elbo, not the bound.
    pub objective: f64,
    /// The weight of `kl` in `objective` at this epoch (it changes during a warm-up); no unit.
    pub beta: f64,
    /// KL of each latent dimension, `[latent_dim]`, whose sum is `kl`; nats per image, a mean over images. Empty where
    /// there is no `kl`, or it is no sum over dimensions (under a prior whose dimensions are not independent).
    pub kl_per_dim: Vec<f64>,
    /// Latent dimensions in use: `Var_x(E_q[z]) > 0.01` over the split (Burda et al. 2016). `None`
    /// for a model without an encoder.
    pub active_units: Option<u32>,
    /// The optimizer's step size at `step`; no unit.
    pub learning_rate: f64,
    /// Euclidean norm of the objective's gradient over all parameters, a mean over every 16th step of the epoch; `None`
    /// (null) on splits that are not trained on.
    pub gradient_norm: Option<f64>,
    /// Wall-clock seconds of this pass over the split, shared by all runs of the cohort.
    pub seconds: f64,
    /// Loss of the discriminator; nats per image, a mean over images. `None` for a model without one.
    pub discriminator: Option<f64>,
}

/// One row of `evaluation.parquet`: one number measured on a trained model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRow {
    /// What was measured, such as `iwae`; its unit is nats per image, a mean over images, unless the metric's name
    /// says otherwise.
    pub metric: String,
    /// The images it was measured on.
    pub split: Split,
    /// The value.
    pub value: f64,
    /// Standard error of `value` over images, in its unit; `None` (null) where there is none.
    pub standard_error: Option<f64>,
    /// Images the value is over.
    pub n: u64,
    /// What the metric was computed with, a JSON object: `{"samples":5000}`; `{}` for nothing.
    pub settings: String,
}

impl EvaluationRow {
    /// The metric of [`EvaluationRow::nll`].
    pub const NLL: &str = "nll";

    /// −log p(x) of the first `n` test images, estimated with so many importance samples each (Burda et al. 2016).
    pub fn nll(value: f64, standard_error: f64, n: u64, samples: usize) -> EvaluationRow {
        EvaluationRow {
            metric: EvaluationRow::NLL.to_owned(),
            split: Split::Test,
            value,
            standard_error: Some(standard_error),
            n,
            settings: serde_json::json!({ "samples": samples }).to_string(),
        }
    }
}
