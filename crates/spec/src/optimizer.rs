//! How the objective is minimised.

use serde::{Deserialize, Serialize};

use crate::check::{Checks, shown};
use crate::fields::{Field, field};

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

pub(crate) const FIELDS: &[Field] = &[
    field("optimizer.adam.learning_rate", "a step size, such as `1e-3`"),
    field("optimizer.adam.beta1", "a number from 0 to below 1, such as `0.9`"),
    field("optimizer.adam.beta2", "a number from 0 to below 1, such as `0.999`"),
    field("optimizer.adam.epsilon", "a small number above 0, such as `1e-8`"),
    field(
        "optimizer.adam.schedule",
        "`constant`, `cosine`, `burda` or `{ steps: { after: [100, 150], factor: 0.1 } }`",
    )
    .off("constant"),
    field("optimizer.adam.schedule.steps.after", "the epochs after which the step size falls, such as `[100, 150]`"),
    field("optimizer.adam.schedule.steps.factor", "what the step size is multiplied with, such as `0.1`"),
];

impl Optimizer {
    pub(crate) fn check(&self, checks: &mut Checks) {
        let Optimizer::Adam(adam) = self;
        checks.positive("optimizer.adam.learning_rate", adam.learning_rate, "1e-3");
        checks.positive("optimizer.adam.epsilon", adam.epsilon, "1e-8");
        for (path, value, such_as) in
            [("optimizer.adam.beta1", adam.beta1, "0.9"), ("optimizer.adam.beta2", adam.beta2, "0.999")]
        {
            // At 1 in single precision the bias correction would divide by zero.
            if !(value >= 0.0 && (value as f32) < 1.0) {
                let message = format!("`{path}` must be from 0 to below 1, found `{}`", shown(value));
                checks.complain(path, message, format!("write a number such as `{such_as}`"));
            }
        }
        if let Schedule::Steps { after, factor } = &adam.schedule {
            let rising = after.first().is_some_and(|&first| first > 0) && after.is_sorted_by(|a, b| a < b);
            if !rising {
                let path = "optimizer.adam.schedule.steps.after";
                let message = format!("`{path}` must be rising numbers of epochs from 1, found `{after:?}`");
                checks.complain(path, message, "write a list such as `[100, 150]`");
            }
            if !(*factor as f32 > 0.0 && *factor <= 1.0) {
                let path = "optimizer.adam.schedule.steps.factor";
                let message = format!("`{path}` must be above 0 and at most 1, found `{}`", shown(*factor));
                checks.complain(path, message, "write a number such as `0.1`");
            }
        }
    }
}
