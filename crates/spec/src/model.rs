//! The networks and distributions of a cell.

use serde::de::Error;
use serde::{Deserialize, Serialize};

/// Networks and distributions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Model {
    /// The family.
    pub kind: ModelKind,
    /// Whether images go through convolutions first.
    pub net: Net,
    /// Widths of the encoder's dense hidden layers; the decoder has them in reverse. Empty for a Gaussian mixture.
    pub hidden: Vec<usize>,
    /// The nonlinearity after every hidden layer.
    pub activation: Activation,
    /// How weights start.
    pub init: Init,
    /// Width of the latent space; 0 for a Gaussian mixture, which has none.
    pub latent_dim: usize,
    /// q(z|x).
    pub latent: Latent,
    /// p(z).
    pub prior: Prior,
    /// p(x|z).
    pub likelihood: Likelihood,
    /// What is done to the encoder's input while training; the target stays the image itself.
    pub corruption: Corruption,
}

/// A family of models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ModelKind {
    /// The variational autoencoder (Kingma & Welling 2014).
    #[default]
    Vae,
    /// The deterministic autoencoder: the code is a function of the image, and there is no KL. Without hidden layers it
    /// is linear, and its optimum is spanned by the principal components.
    Autoencoder,
    /// A mixture of Gaussians over pixels, fitted by expectation maximisation; an epoch is one step.
    GaussianMixture {
        /// Components of the mixture.
        #[serde(default = "ten")]
        components: usize,
        /// The smallest standard deviation: without a floor the likelihood has no bound.
        #[serde(default = "hundredth")]
        floor: f64,
    },
    /// A generative adversarial network with the non-saturating loss (Goodfellow et al. 2014).
    Gan {
        /// What keeps the discriminator smooth.
        #[serde(default)]
        regulariser: Regulariser,
    },
    /// A VAE whose decoder also has to convince a discriminator, and whose reconstructions are compared in the
    /// discriminator's features (Larsen et al. 2016).
    VaeGan {
        /// What keeps the discriminator smooth.
        #[serde(default)]
        regulariser: Regulariser,
        /// Weight of the reconstruction against the adversarial loss for the decoder (γ in the paper).
        #[serde(default = "one")]
        weight: f64,
    },
}

/// What keeps a discriminator smooth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Regulariser {
    /// Every weight is divided by its largest singular value (Miyato et al. 2018).
    #[default]
    SpectralNorm,
    /// The gradient's norm at real images is penalised, R1 (Mescheder et al. 2018).
    GradientPenalty {
        /// γ/2 times the squared norm is added to the discriminator's loss.
        #[serde(default = "ten_real")]
        weight: f64,
    },
}

/// The first layers of the encoder, and the last of the decoder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Net {
    /// Dense layers alone.
    #[default]
    Mlp,
    /// Strided convolutions before the dense layers, and transposed ones after the decoder's.
    Conv {
        /// Channels after each convolution.
        channels: Vec<usize>,
        /// Height and width of every kernel; padded by half of it.
        #[serde(default = "three")]
        kernel: usize,
        /// By how much each convolution shrinks height and width, rounded up.
        #[serde(default = "two")]
        stride: usize,
    },
}

impl Net {
    /// Height and width of the image before the first and after each convolution: each divides by the stride, rounded up.
    ///
    /// # Errors
    /// When a convolution would see an image that is a single pixel already.
    pub fn sides(&self, height: usize, width: usize) -> Result<Vec<(usize, usize)>, TooDeep> {
        let mut sides = vec![(height, width)];
        let Net::Conv { channels, stride, .. } = self else { return Ok(sides) };
        let (mut height_now, mut width_now) = (height, width);
        for n in 0..channels.len() {
            if *stride > 1 && height_now <= 1 && width_now <= 1 {
                return Err(TooDeep { n_convolutions: channels.len(), stride: *stride, height, width, left_after: n });
            }
            (height_now, width_now) = (height_now.div_ceil(*stride), width_now.div_ceil(*stride));
            sides.push((height_now, width_now));
        }
        Ok(sides)
    }
}

/// A convolutional net is deeper than the image allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{n_convolutions} convolutions of stride {stride} are more than images of {height}×{width} pixels allow: after {left_after} of them a single pixel is left"
)]
pub struct TooDeep {
    /// Convolutions asked for.
    pub n_convolutions: usize,
    /// Their stride.
    pub stride: usize,
    /// Of the image.
    pub height: usize,
    /// Of the image.
    pub width: usize,
    /// After so many convolutions there is a single pixel.
    pub left_after: usize,
}

/// A hidden layer's nonlinearity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(0, x)
    #[default]
    Relu,
    /// tanh x
    Tanh,
    /// log(1 + eˣ)
    Softplus,
    /// h(x)·sigmoid(g(x)) with h and g linear maps of their own (Dauphin et al. 2017; Tomczak & Welling 2018).
    Gated,
}

/// How weights start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// As PyTorch's layers: weights and biases uniform in ±1/√fan_in.
    #[default]
    Pytorch,
    /// Weights uniform in ±√(6/(fan_in + fan_out)), biases zero (Glorot & Bengio 2010).
    Xavier,
}

/// q(z|x).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Latent {
    /// Normal with a diagonal covariance.
    #[default]
    Gaussian,
    /// Independent bits. Relaxed while training (Maddison et al. 2017; Jang et al. 2017), hard when evaluated.
    Bernoulli {
        /// Temperature of the relaxation at the start.
        #[serde(default = "one")]
        temperature: f64,
        /// Temperature at the end of the annealing, exponential in the steps.
        #[serde(default = "half")]
        final_temperature: f64,
        /// Epochs over which the temperature falls; 0 stays at `temperature`.
        #[serde(default = "ten")]
        anneal_epochs: usize,
    },
}

/// p(z).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Prior {
    /// N(0, I); for Bernoulli latents every bit is fair.
    #[default]
    Standard,
    /// A mixture of diagonal Gaussians, learned with the rest.
    Mixture {
        /// Components of the mixture.
        #[serde(default = "ten")]
        components: usize,
    },
    /// The mixture of the posteriors of learned pseudo-inputs (Tomczak & Welling 2018).
    Vamp {
        /// Pseudo-inputs.
        #[serde(default = "five_hundred")]
        components: usize,
    },
}

/// p(x|z), pixels independent given z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Likelihood {
    /// Bernoulli with the decoder's logits; on gray values this is the cross-entropy, scale `gray-bce`.
    #[default]
    Bernoulli,
    /// The continuous Bernoulli density on 0…1 (Loaiza-Ganem & Cunningham 2019).
    ContinuousBernoulli,
    /// Normal with the decoder's mean and a fixed standard deviation.
    Gaussian {
        /// Standard deviation of every pixel; 1 makes the reconstruction term half the squared error plus a constant.
        #[serde(default = "one")]
        sigma: f64,
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
    /// The probability of each of the 256 gray levels under a logistic with the decoder's mean and one learned scale
    /// (Kingma et al. 2016; Salimans et al. 2017), scale `gray-levels`.
    DiscretisedLogistic,
}

impl Likelihood {
    /// Values of the decoder's output for each pixel.
    pub fn outputs_per_pixel(self) -> usize {
        match self {
            Likelihood::Bernoulli
            | Likelihood::ContinuousBernoulli
            | Likelihood::Gaussian { .. }
            | Likelihood::GaussianShared { .. }
            | Likelihood::DiscretisedLogistic => 1,
            Likelihood::GaussianPerPixel { .. } => 2,
        }
    }
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

/// [`Model`] with what only some families need left open.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename = "Model")]
struct RawModel {
    #[serde(default)]
    kind: ModelKind,
    #[serde(default)]
    net: Net,
    hidden: Option<Vec<usize>>,
    #[serde(default)]
    activation: Activation,
    #[serde(default)]
    init: Init,
    latent_dim: Option<usize>,
    #[serde(default)]
    latent: Latent,
    #[serde(default)]
    prior: Prior,
    #[serde(default)]
    likelihood: Likelihood,
    #[serde(default)]
    corruption: Corruption,
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Model, D::Error> {
        let RawModel { kind, net, hidden, activation, init, latent_dim, latent, prior, likelihood, corruption } =
            RawModel::deserialize(deserializer)?;
        let has_networks = !matches!(kind, ModelKind::GaussianMixture { .. });
        if has_networks && hidden.is_none() {
            return Err(D::Error::missing_field("hidden"));
        }
        if has_networks && latent_dim.is_none() {
            return Err(D::Error::missing_field("latent_dim"));
        }
        let (hidden, latent_dim) = (hidden.unwrap_or_default(), latent_dim.unwrap_or_default());
        Ok(Model { kind, net, hidden, activation, init, latent_dim, latent, prior, likelihood, corruption })
    }
}

pub(crate) fn one() -> f64 {
    1.0
}

fn half() -> f64 {
    0.5
}

fn hundredth() -> f64 {
    0.01
}

fn ten_real() -> f64 {
    10.0
}

fn two() -> usize {
    2
}

fn three() -> usize {
    3
}

fn ten() -> usize {
    10
}

fn five_hundred() -> usize {
    500
}
