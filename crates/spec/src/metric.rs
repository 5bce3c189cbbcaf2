//! Everything that is measured: its name in files, and what is known of it, in one table.

mod settings;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, EnumString, IntoEnumIterator, IntoStaticStr};

pub use settings::{Band, Bound, Decode, Input, MetricSettings, Subject};

/// Units are active whose posterior mean has more than this variance over images (Burda et al. 2016, §5.2).
pub const ACTIVE_UNIT_VARIANCE: f64 = 0.01;
/// Fewer effective samples than this leave an estimate of log p(x) to chance.
pub const FEW_EFFECTIVE_SAMPLES: f64 = 10.0;

/// A KL nearer than this to the logarithm of the number of images, in nats, is too large for their lower bound on mutual information.
const SATURATION_MARGIN: f64 = 2.0;

/// Whether a KL says that bounds on mutual information of so many images are saturated, KL > ln N − 2: the lower one is no more than ln N
/// whatever the truth, and the upper one is far from it.
pub fn is_saturated(kl: f64, n_images: u64) -> bool {
    kl > (n_images as f64).ln() - SATURATION_MARGIN
}

/// Which metrics every trained model is measured by, besides what its experiment asks for. Raised with each that is added: stored
/// runs that were measured by fewer are measured again, without being trained.
pub const MEASURES_VERSION: u32 = 3;

/// A scalar that is measured; its name in files and on the command line is in snake case, such as `active_units`.
///
/// The order is that of tables and panels.
#[derive(
    Clone,
    Copy,
    Debug,
    Display,
    EnumIter,
    EnumString,
    IntoStaticStr,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Metric {
    /// −(reconstruction + kl), without β. A Gaussian mixture's is log p(x) itself.
    Elbo,
    /// `−E_q[log p(x|z)]`; negative where it is a density above one.
    Reconstruction,
    /// KL(q(z|x) ‖ p(z)) over all latent dimensions.
    Kl,
    /// What is minimised, on every split as training has it: reconstruction + β·kl, minus an importance-weighted bound of all
    /// its samples, or the loss of a GAN's generator.
    Objective,
    /// Latent dimensions in use: `Var_x(E_q[z]) > 0.01` over an evaluated split.
    ActiveUnits,
    /// Loss of a GAN's discriminator.
    Discriminator,
    /// Standard deviation of q(z|x), a mean over latent dimensions: 1 where a dimension says nothing about the image.
    PosteriorSigma,
    /// The importance-weighted bound on log p(x) of as many samples as the objective has, without β.
    ImportanceBound,
    /// −log p(x): by importance sampling, or exact where it has a closed form.
    Nll,
    /// −ln ∫ p(z) e^(−BCE) dz of gray pixels with a Bernoulli decoder, estimated as [`Metric::Nll`] is: e^(−BCE) of gray values is the
    /// probability of no image, so that this is no likelihood.
    PseudoNll,
    /// How many equally weighted samples the importance samples of [`Metric::Nll`] or [`Metric::PseudoNll`] are worth: (Σ w)²/Σ w² of
    /// their weights w.
    EffectiveSamples,
    /// −log p(x) by quadrature over a latent space of two dimensions.
    NllQuadrature,
    /// As [`Metric::NllQuadrature`] where it is no likelihood, see [`Metric::PseudoNll`].
    PseudoNllQuadrature,
    /// KL(q(z|x) ‖ p(z|x)) by quadrature: what the ELBO lacks to log p(x), or to minus [`Metric::PseudoNll`].
    GapQuadrature,
    /// log density of latent means under a mixture of Gaussians fitted to those of training images.
    LatentLogDensity,
    /// What a perfect reconstruction of gray values still costs in cross-entropy.
    GrayBceFloor,
    /// Variance of the Laplacian of gray values.
    Sharpness,
    /// Peak signal-to-noise ratio of reconstructions from the posterior's mean: −10·log₁₀ of an image's mean squared error,
    /// white being 1.0.
    Psnr,
    /// Mean squared error of reconstructions over pixels, white being 1.0.
    Mse,
    /// Structural similarity of images and their reconstructions.
    Ssim,
    /// The Gaussian blur of the test images that makes them as sharp as the images judged; absent where those are sharper than the
    /// test images themselves, see [`Metric::SharpnessRatio`].
    EquivalentBlur,
    /// Contrast-normalised sharpness, Σ Var(∇²x)/Σ Var(x), over that of the test images: above 1 is sharper than the data.
    SharpnessRatio,
    /// 1 − P_residual/P_data in a band of spatial frequencies.
    ExplainedPower,
    /// Re S_xx̂/S_xx at a spatial frequency: what an image's wave comes back with.
    Gain,
    /// P_x̂/P_x at a spatial frequency.
    PowerRatio,
    /// |S_xx̂|²/(S_xx S_x̂x̂) at a spatial frequency.
    Coherence,
    /// Σ ½(σ² − 1 − ln σ²) over latent dimensions: the half of the KL from N(0, I) that the posterior's variances have.
    KlVariance,
    /// Σ ½μ² over latent dimensions: the half of the KL from N(0, I) that the posterior's means have.
    KlMean,
    /// KL(q(z_i|x) ‖ p(z_i)) of a latent dimension, the largest first.
    KlDimension,
    /// I(x; z) between images and codes drawn from q(z|x).
    MutualInformation,
    /// KL(q(z) ‖ p(z)), where q(z) is the mean of q(z|x) over images: with [`Metric::MutualInformation`] it is the KL.
    MarginalKl,
}

/// What a metric's values are in; each is a mean over images, or over the split as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Nats per image.
    Nats,
    /// A count of latent dimensions.
    Dimensions,
    /// Squared gray values, white being 1.0.
    SquaredGray,
    /// Decibels.
    Decibels,
    /// A count of samples.
    Samples,
    /// Pixels.
    Pixels,
    /// A number without a unit.
    None,
    /// The latent space's own, in which the standard normal prior has the deviation 1.
    Latent,
}

impl Unit {
    /// In captions: `nats per image`.
    pub fn words(self) -> &'static str {
        match self {
            Unit::Nats => "nats per image",
            Unit::Dimensions => "latent dimensions",
            Unit::SquaredGray => "squared gray values",
            Unit::Decibels => "dB",
            Unit::Samples => "samples",
            Unit::Pixels => "pixels",
            Unit::None => "no unit",
            Unit::Latent => "units of z",
        }
    }
}

/// Which values of a metric are the better ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Large ones.
    Higher,
    /// Small ones.
    Lower,
    /// It tells what a model does and ranks nothing.
    Neither,
}

/// What a metric is to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A term of the variational bound: what runs are listed and compared by.
    Bound,
    /// What is minimised; its values depend on β, or on the other player of a game.
    Loss,
    /// How images look, in whatever likelihood: compared across scales.
    Images,
    /// One value for each spatial frequency or latent dimension: drawn, not tabled.
    Curve,
    /// Anything else.
    Diagnostic,
}

/// Type of a metric's column in metrics.parquet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// A number in every row.
    F64,
    /// A number, or null for a model that has no such thing.
    OptionalF64,
    /// A count, or null for a model that has no such thing.
    OptionalU32,
}

/// What is known of a metric.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// For people, in titles of columns and panels.
    pub title: &'static str,
    /// What its values are in.
    pub unit: Unit,
    /// Which values are the better ones.
    pub better: Better,
    /// What it is to a model.
    pub role: Role,
    /// Digits behind the point in a table.
    pub decimals: usize,
    /// Where it is defined.
    pub source: &'static str,
    /// Its column in metrics.parquet, one value an epoch and split; `None` for what is not measured while training.
    pub per_epoch: Option<Column>,
    /// Whether it is measured on a trained model, as rows of evaluation.parquet.
    pub of_trained: bool,
}

impl Metric {
    /// The table: everything known of each metric.
    pub const fn about(self) -> About {
        const VAE: &str = "Kingma & Welling 2014, eq. 3";
        /// A number in nats for each epoch, where the model has it.
        const NATS: About = About {
            title: "",
            unit: Unit::Nats,
            better: Better::Neither,
            role: Role::Diagnostic,
            decimals: 2,
            source: "",
            per_epoch: Some(Column::OptionalF64),
            of_trained: false,
        };
        /// A number in nats that is measured once.
        const ONCE: About = About { per_epoch: None, of_trained: true, ..NATS };
        /// A value for each spatial frequency, or dimension.
        const CURVE: About = About { role: Role::Curve, unit: Unit::None, decimals: 3, ..ONCE };
        /// A term of the bound, for each epoch and with its standard error in the end.
        const TERM: About = About { role: Role::Bound, source: VAE, of_trained: true, ..NATS };
        match self {
            Metric::Elbo => About { title: "ELBO", better: Better::Higher, ..TERM },
            Metric::Reconstruction => About { title: "reconstruction", better: Better::Lower, ..TERM },
            Metric::Kl => About { title: "KL", ..TERM },
            Metric::Objective => About {
                title: "objective",
                better: Better::Lower,
                role: Role::Loss,
                source: "Higgins et al. 2017, eq. 4",
                per_epoch: Some(Column::F64),
                ..NATS
            },
            Metric::ActiveUnits => About {
                title: "active units",
                unit: Unit::Dimensions,
                decimals: 1,
                source: "Burda et al. 2016, §5.2",
                per_epoch: Some(Column::OptionalU32),
                of_trained: true,
                ..NATS
            },
            Metric::Discriminator => {
                About { title: "discriminator", role: Role::Loss, source: "Goodfellow et al. 2014, eq. 1", ..NATS }
            }
            Metric::PosteriorSigma => About {
                title: "mean σ of q(z|x)",
                unit: Unit::Latent,
                decimals: 3,
                source: "Kingma & Welling 2014, eq. 9",
                ..NATS
            },
            Metric::ImportanceBound => About {
                title: "importance-weighted bound",
                better: Better::Higher,
                source: "Burda et al. 2016, eq. 8",
                of_trained: true,
                ..NATS
            },
            Metric::Nll => {
                About { title: "−log p(x)", better: Better::Lower, source: "Burda et al. 2016, eq. 8", ..ONCE }
            }
            Metric::PseudoNll => About {
                title: "pseudo −log p(x)",
                better: Better::Lower,
                source: "this project: −ln ∫ p(z) e^(−BCE) dz, estimated as in Burda et al. 2016, eq. 8",
                ..ONCE
            },
            Metric::EffectiveSamples => {
                About { title: "effective samples", unit: Unit::Samples, decimals: 1, source: "Kong 1992", ..ONCE }
            }
            Metric::NllQuadrature => About {
                title: "−log p(x) by quadrature",
                better: Better::Lower,
                source: "trapezium rule over z",
                ..ONCE
            },
            Metric::PseudoNllQuadrature => About {
                title: "pseudo −log p(x) by quadrature",
                better: Better::Lower,
                source: "trapezium rule over z of p(z) e^(−BCE)",
                ..ONCE
            },
            Metric::GapQuadrature => About {
                title: "gap of the bound by quadrature",
                better: Better::Lower,
                source: "Kingma & Welling 2014, eq. 1, by the trapezium rule over z",
                ..ONCE
            },
            Metric::LatentLogDensity => {
                About { title: "log density of latent means", source: "Ghosh et al. 2020", ..ONCE }
            }
            Metric::GrayBceFloor => About {
                title: "floor of the cross-entropy",
                source: "entropy of gray values read as probabilities",
                ..ONCE
            },
            Metric::Sharpness => About {
                title: "sharpness",
                role: Role::Images,
                unit: Unit::SquaredGray,
                decimals: 4,
                source: "Pech-Pacheco et al. 2000",
                ..ONCE
            },
            Metric::Psnr => About {
                title: "PSNR",
                role: Role::Images,
                unit: Unit::Decibels,
                better: Better::Higher,
                source: "Huynh-Thu & Ghanbari 2008",
                ..ONCE
            },
            Metric::Mse => About {
                title: "MSE",
                role: Role::Images,
                unit: Unit::SquaredGray,
                better: Better::Lower,
                decimals: 4,
                source: "mean over pixels and images",
                ..ONCE
            },
            Metric::Ssim => About {
                title: "SSIM",
                role: Role::Images,
                unit: Unit::None,
                better: Better::Higher,
                decimals: 3,
                source: "Wang et al. 2004, eq. 13",
                ..ONCE
            },
            Metric::EquivalentBlur => About {
                title: "equivalent blur",
                role: Role::Images,
                unit: Unit::Pixels,
                better: Better::Lower,
                decimals: 3,
                source: "this project: σ of the Gaussian blur of the data with the same Σ Var(∇²x)/Σ Var(x)",
                ..ONCE
            },
            Metric::SharpnessRatio => About {
                title: "sharpness to the data's",
                role: Role::Images,
                unit: Unit::None,
                decimals: 3,
                source: "Σ Var(∇²x)/Σ Var(x), after Pech-Pacheco et al. 2000",
                ..ONCE
            },
            Metric::ExplainedPower => About {
                title: "explained power",
                role: Role::Images,
                unit: Unit::None,
                better: Better::Higher,
                decimals: 3,
                source: "1 − P_residual/P_data by band of spatial frequency, Parseval",
                ..ONCE
            },
            Metric::Gain => About { title: "gain", source: "Bendat & Piersol 2010, §6.1", ..CURVE },
            Metric::PowerRatio => About { title: "power ratio", source: "Bendat & Piersol 2010, §6.1", ..CURVE },
            Metric::Coherence => About { title: "coherence", source: "Bendat & Piersol 2010, §6.1", ..CURVE },
            Metric::KlVariance => {
                About { title: "KL of the variances", source: "Kingma & Welling 2014, app. B", ..ONCE }
            }
            Metric::KlMean => About { title: "KL of the means", source: "Kingma & Welling 2014, app. B", ..ONCE },
            Metric::MutualInformation => {
                About { title: "mutual information", source: "Poole et al. 2019, §2; Hoffman & Johnson 2016", ..ONCE }
            }
            Metric::MarginalKl => {
                About { title: "marginal KL", better: Better::Lower, source: "Hoffman & Johnson 2016", ..ONCE }
            }
            Metric::KlDimension => {
                About { title: "KL of a dimension", unit: Unit::Nats, source: "Kingma & Welling 2014, app. B", ..CURVE }
            }
        }
    }

    /// The name in files, such as `active_units`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether no value of it lies below zero.
    pub fn is_never_negative(self) -> bool {
        match self {
            Metric::Kl
            | Metric::ActiveUnits
            | Metric::PosteriorSigma
            | Metric::EffectiveSamples
            | Metric::GrayBceFloor
            | Metric::Sharpness
            | Metric::Mse
            | Metric::EquivalentBlur
            | Metric::SharpnessRatio
            | Metric::PowerRatio
            | Metric::Coherence
            | Metric::KlVariance
            | Metric::GapQuadrature
            | Metric::KlMean
            | Metric::KlDimension => true,
            Metric::Elbo
            | Metric::Reconstruction
            | Metric::Objective
            | Metric::Discriminator
            | Metric::ImportanceBound
            | Metric::MutualInformation
            | Metric::MarginalKl
            | Metric::Nll
            | Metric::PseudoNll
            | Metric::NllQuadrature
            | Metric::PseudoNllQuadrature
            | Metric::LatentLogDensity
            | Metric::Psnr
            | Metric::Ssim
            | Metric::ExplainedPower
            | Metric::Gain => false,
        }
    }

    /// Whether it is a density over latents, which is another one for each width of the latent space.
    pub fn is_over_latents(self) -> bool {
        self == Metric::LatentLogDensity
    }

    /// All metrics, in order.
    pub fn all() -> impl Iterator<Item = Metric> {
        Metric::iter()
    }

    /// Those that are measured at each epoch, in order.
    pub fn per_epoch() -> impl Iterator<Item = Metric> {
        Metric::iter().filter(|metric| metric.about().per_epoch.is_some())
    }

    /// The terms of the variational bound, in order.
    pub fn bound() -> impl Iterator<Item = Metric> {
        Metric::per_epoch().filter(|metric| metric.about().role == Role::Bound)
    }

    /// What is minimised, in order.
    pub fn losses() -> impl Iterator<Item = Metric> {
        Metric::per_epoch().filter(|metric| metric.about().role == Role::Loss)
    }

    /// Diagnostics of training alone, in order: those that no row of evaluation.parquet repeats.
    pub fn while_training() -> impl Iterator<Item = Metric> {
        let is_one = |metric: &Metric| metric.about().role == Role::Diagnostic && !metric.about().of_trained;
        Metric::per_epoch().filter(is_one)
    }

    /// Whether values of it compare only where settings are equal, which rows of evaluation.parquet tell and those of an epoch
    /// do not: bounds of other numbers of samples are other quantities.
    pub fn needs_settings(self) -> bool {
        self == Metric::ImportanceBound
    }

    /// What runs are listed by: the terms of the bound, then diagnostics of training alone.
    pub fn listed() -> impl Iterator<Item = Metric> {
        Metric::bound().chain(Metric::while_training())
    }
}

#[cfg(test)]
mod tests;
