//! What the numbers of a run are measured on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::metric::Metric;

/// What the numbers of a run are measured on; numbers of two scales are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Cross-entropy on gray values; its floor is not zero.
    GrayBce,
    /// Probability of binary pixels.
    Bernoulli,
    /// Probability of 8-bit gray levels.
    GrayLevels,
    /// A density over gray values in 0…1; may be negative.
    GaussianDensity,
}

impl Scale {
    /// All scales.
    pub const ALL: [Scale; 4] = [Scale::GrayBce, Scale::Bernoulli, Scale::GrayLevels, Scale::GaussianDensity];

    /// The name in columns and on axes: `gray-bce`, `bernoulli`, `gray-levels`, `gaussian-density`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scale::GrayBce => "gray-bce",
            Scale::Bernoulli => "bernoulli",
            Scale::GrayLevels => "gray-levels",
            Scale::GaussianDensity => "gaussian-density",
        }
    }

    /// What −log ∫ p(z) p(x|z) dz is on this scale: of gray values under a Bernoulli decoder it is no likelihood.
    pub fn nll(self) -> Metric {
        match self {
            Scale::GrayBce => Metric::PseudoNll,
            Scale::Bernoulli | Scale::GrayLevels | Scale::GaussianDensity => Metric::Nll,
        }
    }

    /// As [`Scale::nll`], by quadrature.
    pub fn nll_quadrature(self) -> Metric {
        match self {
            Scale::GrayBce => Metric::PseudoNllQuadrature,
            Scale::Bernoulli | Scale::GrayLevels | Scale::GaussianDensity => Metric::NllQuadrature,
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a cell's numbers in nats are on. Those of two bases are never compared: their scales differ, or their test images.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Basis {
    /// The scale of the likelihood.
    pub scale: Scale,
    /// The test images, in words: `mnist`, or `the first 500 of mnist binarised with seed 1`.
    pub images: String,
}

impl Basis {
    /// Whether two of these have one scale and other test images, so that the scale alone does not tell them apart.
    pub fn share_a_scale<'a>(bases: impl IntoIterator<Item = &'a Basis> + Clone) -> bool {
        let others = |one: &Basis| {
            let mut bases = bases.clone().into_iter();
            bases.any(|other| other.scale == one.scale && other.images != one.images)
        };
        bases.clone().into_iter().any(others)
    }
}

impl Cell {
    /// What this cell's numbers in nats are on.
    pub fn basis(&self) -> Basis {
        Basis { scale: self.scale(), images: self.dataset.test_images_in_words() }
    }

    /// What this cell's numbers are measured on.
    pub fn scale(&self) -> Scale {
        self.model.kind.scale().unwrap_or_else(|| self.model.likelihood.scale(self.dataset.pixels))
    }
}
