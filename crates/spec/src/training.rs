//! For how long a cell is trained, in which batches, from which seed.

use serde::{Deserialize, Serialize};

use crate::check::Checks;
use crate::fields::{Field, field};

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

pub(crate) const FIELDS: &[Field] = &[
    field("training.epochs", "a whole number from 1, such as `20`"),
    field("training.batch_size", "a whole number from 1, such as `128`"),
    field("training.seed", "a whole number, such as `0`"),
    field("training.precision", "`f32`"),
];

impl Training {
    pub(crate) fn check(&self, checks: &mut Checks) {
        checks.within("training.epochs", self.epochs, 1..=1_000_000);
        checks.within("training.batch_size", self.batch_size, 1..=1_000_000);
    }
}
