//! What a cell minimises.

use serde::{Deserialize, Serialize};

/// What is minimised: reconstruction + β·KL, or what `kind` makes of the two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// The form of the objective.
    pub kind: ObjectiveKind,
    /// Weight of the KL term; part of the objective only, never of the ELBO.
    pub beta: f64,
    /// β rises linearly from 0 over the first so many epochs; 0 for no warm-up.
    pub warm_up_epochs: usize,
    /// The warm-up starts anew in each of so many equal parts of the training (Fu et al. 2019).
    pub cycles: usize,
}

impl Default for Objective {
    fn default() -> Self {
        Objective { kind: ObjectiveKind::Elbo, beta: 1.0, warm_up_epochs: 0, cycles: 1 }
    }
}

/// The form of the objective; β is that of [`Objective`] at the step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ObjectiveKind {
    /// reconstruction + β·KL (Higgins et al. 2017).
    #[default]
    Elbo,
    /// reconstruction + β·Σ_d max(nats, KL_d), KL_d a mean over the batch (Kingma et al. 2016).
    FreeBits {
        /// KL that each dimension has for free.
        #[serde(default = "half")]
        nats: f64,
    },
    /// reconstruction + β·|KL − C|, where C rises linearly from 0 (Burgess et al. 2018; their γ is β).
    Capacity {
        /// C at the end of its rise.
        #[serde(default = "twenty_five")]
        nats: f64,
        /// Epochs over which C rises; 0 for C from the start.
        #[serde(default = "ten")]
        rise_epochs: usize,
    },
    /// Minus the importance-weighted bound with so many samples (Burda et al. 2016).
    ImportanceWeighted {
        /// Samples of z for each image.
        #[serde(default = "fifty")]
        samples: usize,
        /// How the encoder's gradient is estimated.
        #[serde(default)]
        gradient: ImportanceGradient,
    },
    /// reconstruction + mutual information + β·total correlation + dimension-wise KL, estimated by minibatch-weighted
    /// sampling (Chen et al. 2018).
    TotalCorrelation,
    /// reconstruction + β·KL + weight·MMD(q(z), p(z)) (Zhao et al. 2019); with β = 0 it is the WAE-MMD
    /// (Tolstikhin et al. 2018).
    Mmd {
        /// Weight of the squared maximum mean discrepancy.
        #[serde(default = "hundred")]
        weight: f64,
    },
}

/// How the encoder's gradient of an importance-weighted bound is estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportanceGradient {
    /// Through the reparametrised samples.
    #[default]
    Reparametrised,
    /// Doubly reparametrised (Tucker et al. 2019): the signal-to-noise ratio grows with the samples.
    DoublyReparametrised,
}

fn twenty_five() -> f64 {
    25.0
}

fn hundred() -> f64 {
    100.0
}

fn half() -> f64 {
    0.5
}

fn ten() -> usize {
    10
}

fn fifty() -> usize {
    50
}
