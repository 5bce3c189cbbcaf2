//! The corruption of the encoder's input.

use serde::{Deserialize, Serialize};

use crate::check::{Checks, shown};
use crate::fields::{Field, field};

/// What is done to the encoder's input (Vincent et al. 2010; Im et al. 2017 for VAEs).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Corruption {
    /// Nothing.
    #[default]
    None,
    /// Normal noise is added to every pixel.
    Gaussian {
        /// Its standard deviation; pixels are in 0…1.
        #[serde(default = "half")]
        sigma: f64,
    },
    /// Pixels are set to 0.
    Masking {
        /// The probability of that, for each pixel.
        #[serde(default = "half")]
        fraction: f64,
    },
    /// Pixels are set to 0 or 1, either as likely.
    SaltAndPepper {
        /// The probability of that, for each pixel.
        #[serde(default = "half")]
        fraction: f64,
    },
}

pub(crate) const FIELDS: &[Field] = &[
    field(
        "model.corruption",
        "`none`, `{ gaussian: { sigma: 0.5 } }`, `{ masking: { fraction: 0.5 } }` or `{ salt-and-pepper: { fraction: 0.5 } }`",
    )
    .off("none"),
    field("model.corruption.gaussian.sigma", "a standard deviation, such as `0.5`"),
    field("model.corruption.masking.fraction", "a probability, such as `0.5`"),
    field("model.corruption.salt-and-pepper.fraction", "a probability, such as `0.5`"),
];

impl Corruption {
    /// The word in readable names.
    pub(crate) fn tag(self) -> Option<&'static str> {
        match self {
            Corruption::None => None,
            Corruption::Gaussian { .. } => Some("denoising-gaussian"),
            Corruption::Masking { .. } => Some("denoising-masking"),
            Corruption::SaltAndPepper { .. } => Some("denoising-salt-and-pepper"),
        }
    }

    pub(crate) fn check(self, checks: &mut Checks) {
        match self {
            Corruption::None => {}
            Corruption::Gaussian { sigma } => checks.positive("model.corruption.gaussian.sigma", sigma, "0.5"),
            Corruption::Masking { fraction } => check_fraction("model.corruption.masking.fraction", fraction, checks),
            Corruption::SaltAndPepper { fraction } => {
                check_fraction("model.corruption.salt-and-pepper.fraction", fraction, checks);
            }
        }
    }
}

fn check_fraction(path: &str, value: f64, checks: &mut Checks) {
    if !(value > 0.0 && value < 1.0) {
        let message = format!("`{path}` must be above 0 and below 1, found `{}`", shown(value));
        checks.complain(path, message, "write a probability such as `0.5`, or use `corruption: none`");
    }
}

fn half() -> f64 {
    0.5
}
