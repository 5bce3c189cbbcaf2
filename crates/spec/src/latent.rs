//! The latent space: its width and q(z|x).

use serde::{Deserialize, Serialize};

use crate::check::{Checks, shown};
use crate::fields::{Field, field};

/// Latent dimensions at most.
pub(crate) const MAX_LATENT_DIM: usize = 4096;

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

/// Where the latents of a model lie, by which their plane is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LatentSpace {
    /// Under the prior N(0, I).
    Normal,
    /// Under a prior that is learned with the rest.
    Learned,
    /// On the corners of a cube: they are bits.
    Bits,
    /// Wherever an autoencoder puts its codes, which have no prior.
    Codes,
}

pub(crate) const FIELDS: &[Field] = &[
    field("model.latent_dim", "the width of the latent space, such as `20`").title("latent dimension D"),
    field(
        "model.latent",
        "`gaussian` or `{ bernoulli: { temperature: 1, final_temperature: 0.5, anneal_epochs: 10 } }`",
    )
    .off("gaussian"),
    field("model.latent.bernoulli.temperature", "the temperature at the start, such as `1`"),
    field("model.latent.bernoulli.final_temperature", "the temperature at the end of the annealing, such as `0.5`"),
    field("model.latent.bernoulli.anneal_epochs", "over how many epochs the temperature falls, such as `10`"),
];

impl Latent {
    /// The word in readable names.
    pub(crate) fn tag(self) -> Option<&'static str> {
        match self {
            Latent::Gaussian => None,
            Latent::Bernoulli { .. } => Some("bits"),
        }
    }

    pub(crate) fn check(self, checks: &mut Checks) {
        let temperatures = match self {
            Latent::Gaussian => return,
            Latent::Bernoulli { temperature, final_temperature, anneal_epochs: _ } => {
                [("temperature", temperature), ("final_temperature", final_temperature)]
            }
        };
        for (name, value) in temperatures {
            if !(0.01..=100.0).contains(&value) {
                let path = format!("model.latent.bernoulli.{name}");
                let message = format!("`{path}` must be from 0.01 to 100, found `{}`", shown(value));
                checks.complain(&path, message, "write a temperature such as `0.5`");
            }
        }
    }
}

fn one() -> f64 {
    1.0
}

fn half() -> f64 {
    0.5
}

fn ten() -> usize {
    10
}
