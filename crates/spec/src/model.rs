//! The networks and distributions of a cell.

use serde::de::Error;
use serde::{Deserialize, Serialize};

use crate::check::Checks;
use crate::corruption::Corruption;
use crate::fields::{Field, field};
use crate::kind::ModelKind;
use crate::latent::{Latent, LatentSpace, MAX_LATENT_DIM};
use crate::likelihood::Likelihood;
use crate::net::{self, Activation, Init, Net};
use crate::prior::Prior;

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
    /// Standard deviation of the normal noise on an autoencoder's code while training; 0 for none.
    pub latent_noise: f64,
}

pub(crate) const FIELDS: &[Field] = &[field(
    "model.latent_noise",
    "the standard deviation of the noise on an autoencoder's code, such as `0.1`; `0` for none",
)
.off("0")];

impl Model {
    /// Where its latents lie; `None` for a Gaussian mixture, which has none.
    pub fn latent_space(&self) -> Option<LatentSpace> {
        Some(match (self.kind, self.latent, self.prior) {
            (ModelKind::GaussianMixture { .. }, ..) => return None,
            (ModelKind::Autoencoder, ..) => LatentSpace::Codes,
            (_, Latent::Bernoulli { .. }, _) => LatentSpace::Bits,
            (_, Latent::Gaussian, Prior::Standard) => LatentSpace::Normal,
            (_, Latent::Gaussian, Prior::Mixture { .. } | Prior::Vamp { .. } | Prior::Flow { .. }) => {
                LatentSpace::Learned
            }
        })
    }

    pub(crate) fn check(&self, checks: &mut Checks) {
        // Exhaustive, so that a new part is thought about here.
        let Model {
            kind,
            net,
            hidden,
            activation: _,
            init: _,
            latent_dim,
            latent,
            prior,
            likelihood,
            corruption,
            latent_noise: _,
        } = self;
        kind.check(checks);
        net.check(checks);
        net::check_hidden(hidden, checks);
        if kind.has_networks() {
            checks.within("model.latent_dim", *latent_dim, 1..=MAX_LATENT_DIM);
        }
        latent.check(checks);
        prior.check(checks);
        likelihood.check(checks);
        corruption.check(checks);
    }
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
    #[serde(default)]
    latent_noise: f64,
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Model, D::Error> {
        let RawModel {
            kind,
            net,
            hidden,
            activation,
            init,
            latent_dim,
            latent,
            prior,
            likelihood,
            corruption,
            latent_noise,
        } = RawModel::deserialize(deserializer)?;
        if kind.has_networks() && hidden.is_none() {
            return Err(D::Error::missing_field("hidden"));
        }
        if kind.has_networks() && latent_dim.is_none() {
            return Err(D::Error::missing_field("latent_dim"));
        }
        let (hidden, latent_dim) = (hidden.unwrap_or_default(), latent_dim.unwrap_or_default());
        Ok(Model {
            kind,
            net,
            hidden,
            activation,
            init,
            latent_dim,
            latent,
            prior,
            likelihood,
            corruption,
            latent_noise,
        })
    }
}
