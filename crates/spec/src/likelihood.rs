//! The likelihood p(x|z).

use serde::{Deserialize, Serialize};

use crate::check::{Checks, shown};
use crate::dataset::Pixels;
use crate::fields::{Field, field};
use crate::objective::ObjectiveKind;
use crate::scale::Scale;

/// p(x|z), pixels independent given z but for `GaussianSpectral`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Likelihood {
    /// Bernoulli with the decoder's logits; on gray values this is the cross-entropy, scale `gray-bce`.
    #[default]
    Bernoulli,
    /// The continuous Bernoulli density on 0…1 (Loaiza-Ganem & Cunningham 2019).
    ContinuousBernoulli {
        /// Its parameter λ stays in clip … 1 − clip, as in the authors' code; with 0 the density of black and white pixels has no
        /// bound.
        #[serde(default = "ten_thousandth")]
        clip: f64,
    },
    /// Normal with the decoder's mean and a fixed standard deviation.
    Gaussian {
        /// Standard deviation of every pixel; 1 makes the reconstruction term half the squared error plus a constant.
        #[serde(default = "one")]
        sigma: f64,
    },
    /// Laplace with the decoder's location and a fixed scale: the reconstruction term is an absolute error.
    Laplace {
        /// Scale b of every pixel, whose standard deviation is √2·b.
        #[serde(default = "one")]
        scale: f64,
    },
    /// Normal with the decoder's mean and one standard deviation for all pixels and images (Rybkin et al. 2021).
    GaussianShared {
        /// How the standard deviation comes about.
        #[serde(default)]
        variance: SharedVariance,
    },
    /// Normal with a mean and a standard deviation for every pixel from the decoder.
    GaussianPerPixel {
        /// The standard deviation is floor + softplus(decoder's output): without a floor the likelihood has no bound.
        #[serde(default = "hundredth")]
        floor: f64,
    },
    /// Normal with the decoder's mean and stationary noise: independent waves with one standard deviation for each ring of
    /// frequencies, the root of the mean squared residual there; after the blur error of Bredell et al. (2023), whose filter a network
    /// makes of z, and no reproduction of it.
    GaussianSpectral {
        /// The smallest standard deviation of a wave: without a floor the likelihood has no bound.
        #[serde(default = "hundredth")]
        floor: f64,
    },
    /// The probability of each of the 256 gray levels under a logistic with the decoder's mean and one learned scale
    /// (Kingma et al. 2016; Salimans et al. 2017), scale `gray-levels`.
    DiscretisedLogistic,
}

/// How a shared standard deviation comes about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharedVariance {
    /// A parameter, trained with the others.
    #[default]
    Learned,
    /// σ² = mean squared error of each training batch, its closed-form optimum; evaluated with a running mean of it.
    Optimal,
}

pub(crate) const FIELDS: &[Field] = &[
    field(
        "model.likelihood",
        "`bernoulli`, `continuous-bernoulli`, `{ gaussian: { sigma: 1 } }`, `{ laplace: { scale: 1 } }`, `gaussian-shared`, `gaussian-per-pixel`, `gaussian-spectral` or `discretised-logistic`",
    ),
    field(
        "model.likelihood.continuous-bernoulli.clip",
        "how far λ stays from 0 and 1, such as `1e-4`; `0` for no limit",
    ),
    field("model.likelihood.gaussian.sigma", "a standard deviation, such as `1` or `0.1`"),
    field("model.likelihood.laplace.scale", "a scale, such as `1` or `0.1`"),
    field("model.likelihood.gaussian-shared.variance", "`learned` or `optimal`"),
    field("model.likelihood.gaussian-per-pixel.floor", "the smallest standard deviation, such as `0.01`"),
    field("model.likelihood.gaussian-spectral.floor", "the smallest standard deviation of a wave, such as `0.01`"),
];

impl Likelihood {
    /// Values of the decoder's output for each pixel.
    pub fn outputs_per_pixel(self) -> usize {
        match self {
            Likelihood::Bernoulli
            | Likelihood::ContinuousBernoulli { .. }
            | Likelihood::Gaussian { .. }
            | Likelihood::Laplace { .. }
            | Likelihood::GaussianShared { .. }
            | Likelihood::GaussianSpectral { .. }
            | Likelihood::DiscretisedLogistic => 1,
            Likelihood::GaussianPerPixel { .. } => 2,
        }
    }

    /// What numbers are measured on with these pixels.
    pub(crate) fn scale(self, pixels: Pixels) -> Scale {
        match (self, pixels) {
            (Likelihood::Bernoulli, Pixels::Gray) => Scale::GrayBce,
            (Likelihood::Bernoulli, Pixels::Static | Pixels::Dynamic | Pixels::Binary) => Scale::Bernoulli,
            (Likelihood::ContinuousBernoulli { .. }, _)
            | (Likelihood::Gaussian { .. }, _)
            | (Likelihood::Laplace { .. }, _)
            | (Likelihood::GaussianShared { .. }, _)
            | (Likelihood::GaussianPerPixel { .. }, _)
            | (Likelihood::GaussianSpectral { .. }, _) => Scale::GaussianDensity,
            (Likelihood::DiscretisedLogistic, _) => Scale::GrayLevels,
        }
    }

    /// Equal for likelihoods with which cells can train as one program.
    pub(crate) fn of_cohort(self) -> Likelihood {
        match self {
            Likelihood::Gaussian { .. } => Likelihood::Gaussian { sigma: one() },
            Likelihood::Laplace { .. } => Likelihood::Laplace { scale: one() },
            Likelihood::Bernoulli
            | Likelihood::ContinuousBernoulli { .. }
            | Likelihood::GaussianShared { .. }
            | Likelihood::GaussianPerPixel { .. }
            | Likelihood::GaussianSpectral { .. }
            | Likelihood::DiscretisedLogistic => self,
        }
    }

    /// The word in readable names.
    pub(crate) fn tag(self) -> Option<&'static str> {
        match self {
            Likelihood::Bernoulli => None,
            Likelihood::ContinuousBernoulli { .. } => Some("cb"),
            Likelihood::Gaussian { .. } => Some("gaussian"),
            Likelihood::Laplace { .. } => Some("laplace"),
            Likelihood::GaussianShared { .. } => Some("shared"),
            Likelihood::GaussianPerPixel { .. } => Some("per-pixel"),
            Likelihood::GaussianSpectral { .. } => Some("spectral"),
            Likelihood::DiscretisedLogistic => Some("logistic"),
        }
    }

    pub(crate) fn check(self, checks: &mut Checks) {
        match self {
            Likelihood::Bernoulli | Likelihood::GaussianShared { .. } | Likelihood::DiscretisedLogistic => {}
            Likelihood::ContinuousBernoulli { clip } => {
                let path = "model.likelihood.continuous-bernoulli.clip";
                if !(clip == 0.0 || (1e-7..=0.25).contains(&clip)) {
                    let message = format!("`clip` must be 0 or from 1e-7 to 0.25, found `{}`", shown(clip));
                    checks.complain(path, message, "write `1e-4`, or `0` for a density without a bound");
                }
            }
            Likelihood::Gaussian { sigma } => checks.deviation("model.likelihood.gaussian.sigma", "sigma", sigma),
            Likelihood::Laplace { scale } => checks.positive("model.likelihood.laplace.scale", scale, "0.1"),
            Likelihood::GaussianPerPixel { floor } => {
                checks.deviation("model.likelihood.gaussian-per-pixel.floor", "floor", floor);
            }
            Likelihood::GaussianSpectral { floor } => {
                checks.deviation("model.likelihood.gaussian-spectral.floor", "floor", floor);
            }
        }
    }

    /// Whether pixels that are 0 or 1, as `pixels: {written}` makes them, have a meaning for it.
    pub(crate) fn check_drawn_pixels(self, written: &str, checks: &mut Checks) {
        let density = |name: &str, what: &str, checks: &mut Checks| {
            checks.complain(
                "dataset.pixels",
                format!("`pixels: {written}` makes pixels 0 or 1, for which {what} means nothing"),
                format!(
                    "write `pixels: gray` with `likelihood: {name}`, or `likelihood: bernoulli` with binary pixels"
                ),
            );
        };
        match self {
            Likelihood::Bernoulli => {}
            Likelihood::Gaussian { .. } => density("gaussian", "a gaussian density", checks),
            Likelihood::Laplace { .. } => density("laplace", "a density", checks),
            Likelihood::GaussianShared { .. } => density("gaussian-shared", "a density", checks),
            Likelihood::GaussianPerPixel { .. } => density("gaussian-per-pixel", "a density", checks),
            Likelihood::GaussianSpectral { .. } => density("gaussian-spectral", "a density", checks),
            Likelihood::ContinuousBernoulli { .. } => density("continuous-bernoulli", "a density", checks),
            Likelihood::DiscretisedLogistic => checks.complain(
                "dataset.pixels",
                format!("`pixels: {written}` makes pixels 0 or 1, and `discretised-logistic` is a probability of 256 gray levels"),
                "write `pixels: gray` with `likelihood: discretised-logistic`, or `likelihood: bernoulli` with binary pixels",
            ),
        }
    }

    /// Whether it has a meaning with an objective.
    pub(crate) fn check_objective(self, objective: ObjectiveKind, checks: &mut Checks) {
        if !matches!(objective, ObjectiveKind::ImportanceWeighted { .. }) {
            return;
        }
        match self {
            Likelihood::GaussianShared { variance: SharedVariance::Optimal } => checks.complain(
                "model.likelihood.gaussian-shared.variance",
                "σ² = mean squared error is the optimum of the ELBO, not of an importance-weighted bound",
                "write `variance: learned`",
            ),
            Likelihood::GaussianSpectral { .. } => checks.complain(
                "model.likelihood",
                "σ² = mean squared residual of each ring is the optimum of the ELBO, not of an importance-weighted bound",
                "write `likelihood: gaussian-shared`, or `objective.kind: elbo`",
            ),
            Likelihood::Bernoulli
            | Likelihood::ContinuousBernoulli { .. }
            | Likelihood::Gaussian { .. }
            | Likelihood::Laplace { .. }
            | Likelihood::GaussianShared { variance: SharedVariance::Learned }
            | Likelihood::GaussianPerPixel { .. }
            | Likelihood::DiscretisedLogistic => {}
        }
    }

    /// Whether all that the decoder gives can be learned from a discriminator's features.
    pub(crate) fn check_feature_loss(self, checks: &mut Checks) {
        match self {
            Likelihood::Bernoulli
            | Likelihood::ContinuousBernoulli { .. }
            | Likelihood::Gaussian { .. }
            | Likelihood::Laplace { .. }
            | Likelihood::GaussianShared { .. }
            | Likelihood::GaussianSpectral { .. }
            | Likelihood::DiscretisedLogistic => {}
            Likelihood::GaussianPerPixel { .. } => checks.complain(
                "model.likelihood",
                "a VAE-GAN's decoder is trained by features and not by pixels, so that no pixel's standard deviation would be learned",
                "write `likelihood: gaussian-shared`, or use `kind: vae`",
            ),
        }
    }
}

fn one() -> f64 {
    1.0
}

fn ten_thousandth() -> f64 {
    1e-4
}

fn hundredth() -> f64 {
    0.01
}
