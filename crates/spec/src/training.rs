//! For how long a cell is trained, in which batches, from which seed.

use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::check::Checks;
use crate::fields::{Field, field};
use crate::kind::ModelKind;

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
    /// Which epoch's weights are the trained model.
    pub keep: Keep,
}

impl Default for Training {
    fn default() -> Self {
        Training { epochs: 20, batch_size: 128, seed: 0, precision: Precision::F32, keep: Keep::Last }
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

/// Which epoch's weights are the trained model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Keep {
    /// The last epoch's.
    #[default]
    Last,
    /// Those of the epoch with the least objective on the validation images. Epochs in which β or a capacity still changes have
    /// another objective and are not compared.
    Best {
        /// Training ends after so many compared epochs without a better one; 0 for never before `epochs`.
        #[serde(default)]
        patience: usize,
    },
}

pub(crate) const FIELDS: &[Field] = &[
    field("training.epochs", "a whole number from 1, such as `20`"),
    field("training.batch_size", "a whole number from 1, such as `128`"),
    field("training.seed", "a whole number, such as `0`"),
    field("training.precision", "`f32`"),
    field("training.keep", "`last`, `best` (the best epoch on the validation images) or `{ best: { patience: 50 } }`"),
    field(
        "training.keep.best.patience",
        "after how many epochs without a better one training ends, such as `50`; `0` for never",
    )
    .off("0"),
];

impl Training {
    pub(crate) fn check(&self, checks: &mut Checks) {
        checks.within("training.epochs", self.epochs, 1..=1_000_000);
        checks.within("training.batch_size", self.batch_size, 1..=1_000_000);
    }

    /// Whether there is a best epoch: one on which the objective is final, of a model that has one, on images held out for it.
    pub(crate) fn check_keep(self, cell: &Cell, checks: &mut Checks) {
        let Keep::Best { patience } = self.keep else { return };
        checks.within("training.keep.best.patience", patience, 0..=1_000_000);
        match cell.model.kind {
            ModelKind::Vae | ModelKind::Autoencoder => {}
            ModelKind::Gan { .. } | ModelKind::VaeGan { .. } => checks.complain(
                "training.keep",
                "`best` compares the objective of epochs, and a generator's loss depends on the discriminator of its epoch",
                "leave `keep` out",
            ),
            ModelKind::GaussianMixture { .. } => checks.complain(
                "training.keep",
                "`best` is for models that are trained by gradients, not for a gaussian mixture",
                "leave `keep` out, and write fewer `epochs`",
            ),
        }
        if !cell.dataset.may_hold_out() {
            checks.complain(
                "training.keep",
                "`best` is the best epoch on the validation images, and this dataset has none",
                "hold some out, such as by `dataset.validation: 10000`",
            );
        }
        let settled = self.epochs / cell.objective.cycles.max(1);
        if cell.objective.warm_up_epochs > 0 && cell.objective.warm_up_epochs >= settled {
            checks.complain(
                "training.keep",
                "`best` compares epochs after the warm-up of β, and there is none",
                "raise `training.epochs`, or write fewer `objective.warm_up_epochs`",
            );
        }
    }
}
