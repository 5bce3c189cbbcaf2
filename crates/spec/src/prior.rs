//! The prior p(z).

use serde::{Deserialize, Serialize};

use crate::check::Checks;
use crate::fields::{Field, field};
use crate::objective::ObjectiveKind;

/// Components of a mixture at most.
pub(crate) const MAX_COMPONENTS: usize = 10_000;

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
    /// A normalising flow of affine couplings from N(0, I), learned with the rest (Dinh et al. 2017, Real NVP).
    Flow {
        /// Couplings one after the other; each changes every second dimension, in turns.
        #[serde(default = "four")]
        couplings: usize,
        /// Width of the hidden layer that a coupling's scales and shifts come from.
        #[serde(default = "sixty_four")]
        hidden: usize,
    },
}

pub(crate) const FIELDS: &[Field] = &[
    field("model.prior", "`standard`, `{ mixture: { components: 10 } }`, `{ vamp: { components: 500 } }` or `flow`")
        .off("standard"),
    field("model.prior.mixture.components", "how many components the prior has, such as `10`"),
    field("model.prior.vamp.components", "how many pseudo-inputs the prior has, such as `500`"),
    field("model.prior.flow.couplings", "how many couplings the flow has, such as `4`"),
    field("model.prior.flow.hidden", "the width of each coupling's hidden layer, such as `64`"),
];

impl Prior {
    /// The word in readable names.
    pub(crate) fn tag(self) -> Option<&'static str> {
        match self {
            Prior::Standard => None,
            Prior::Mixture { .. } => Some("mixture"),
            Prior::Vamp { .. } => Some("vamp"),
            Prior::Flow { .. } => Some("flow"),
        }
    }

    /// In a caption, where draws of z from it are decoded; of Gaussian latents.
    pub fn caption(self) -> &'static str {
        match self {
            Prior::Standard => "the prior N(0, I)",
            Prior::Mixture { .. } => "the prior, a learned mixture of Gaussians",
            Prior::Vamp { .. } => "the VampPrior",
            Prior::Flow { .. } => "the prior, a normalising flow",
        }
    }

    /// Images of its own that go through the encoder at every step.
    pub fn n_encoded(self) -> usize {
        match self {
            Prior::Standard | Prior::Mixture { .. } | Prior::Flow { .. } => 0,
            Prior::Vamp { components } => components,
        }
    }

    /// Parameters of its own.
    pub fn n_parameters(self, latent_dim: usize, n_pixels: usize) -> usize {
        match self {
            Prior::Standard => 0,
            Prior::Mixture { components } => components * (2 * latent_dim + 1),
            Prior::Vamp { components } => components * n_pixels,
            Prior::Flow { couplings, hidden } => {
                couplings * ((latent_dim + 1) * hidden + 2 * (hidden + 1) * latent_dim)
            }
        }
    }

    /// With its article, in the words of a refusal; `None` for N(0, I), which goes with every objective.
    pub(crate) fn noun(self) -> Option<&'static str> {
        match self {
            Prior::Standard => None,
            Prior::Mixture { .. } | Prior::Vamp { .. } => Some("a mixture"),
            Prior::Flow { .. } => Some("a flow"),
        }
    }

    pub(crate) fn check(self, checks: &mut Checks) {
        match self {
            Prior::Standard => {}
            Prior::Mixture { components } => {
                checks.within("model.prior.mixture.components", components, 1..=MAX_COMPONENTS);
            }
            Prior::Vamp { components } => checks.within("model.prior.vamp.components", components, 1..=MAX_COMPONENTS),
            Prior::Flow { couplings, hidden } => {
                checks.within("model.prior.flow.couplings", couplings, 1..=100);
                checks.within("model.prior.flow.hidden", hidden, 1..=10_000);
            }
        }
    }

    /// Whether it gives bits a probability.
    pub(crate) fn check_bits(self, checks: &mut Checks) {
        let what = match self {
            Prior::Standard => return,
            Prior::Mixture { .. } | Prior::Vamp { .. } => "a mixture of gaussians",
            Prior::Flow { .. } => "a density",
        };
        checks.complain(
            "model.prior",
            format!("this prior is {what}, which gives bits no probability"),
            "write `prior: standard` (fair bits) with Bernoulli latents, or `latent: gaussian`",
        );
    }

    /// Whether the objective's gradient has a meaning with it.
    pub(crate) fn check_gradient(self, objective: ObjectiveKind, checks: &mut Checks) {
        match self {
            Prior::Standard | Prior::Mixture { .. } | Prior::Flow { .. } => {}
            Prior::Vamp { .. } => {
                if objective.is_doubly_reparametrised() {
                    checks.complain(
                        "objective.kind.importance-weighted.gradient",
                        "doubly reparametrised gradients take the prior for independent of the encoder, and a VampPrior is made by it",
                        "write `gradient: reparametrised`, or `prior: standard` or `mixture`",
                    );
                }
            }
        }
    }
}

fn ten() -> usize {
    10
}

fn five_hundred() -> usize {
    500
}

fn four() -> usize {
    4
}

fn sixty_four() -> usize {
    64
}
