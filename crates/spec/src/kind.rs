//! Families of models: their settings, and what has no meaning for each.

use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::check::Checks;
use crate::corruption::Corruption;
use crate::fields::{Field, field};
use crate::latent::Latent;
use crate::likelihood::Likelihood;
use crate::net::Net;
use crate::number::shortest;
use crate::objective::{Objective, ObjectiveKind};
use crate::prior::{MAX_COMPONENTS, Prior};
use crate::scale::Scale;

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

pub(crate) const FIELDS: &[Field] = &[
    field(
        "model.kind",
        "`vae`, `autoencoder`, `{ gaussian-mixture: { components: 10 } }`, `gan` or `{ vae-gan: { weight: 1 } }`",
    )
    .title("family"),
    field("model.kind.gaussian-mixture.components", "how many components the mixture has, such as `10`"),
    field("model.kind.gaussian-mixture.floor", "the smallest standard deviation, such as `0.01`"),
    field("model.kind.gan.regulariser", "`spectral-norm` or `{ gradient-penalty: { weight: 10 } }`"),
    field("model.kind.gan.regulariser.gradient-penalty.weight", "the weight of the penalty, such as `10`"),
    field("model.kind.vae-gan.regulariser", "`spectral-norm` or `{ gradient-penalty: { weight: 10 } }`"),
    field("model.kind.vae-gan.regulariser.gradient-penalty.weight", "the weight of the penalty, such as `10`"),
    field("model.kind.vae-gan.weight", "the weight of the reconstruction for the decoder, such as `1`"),
];

impl ModelKind {
    /// Whether it is made of networks and trained by gradients.
    pub(crate) fn has_networks(self) -> bool {
        match self {
            ModelKind::Vae | ModelKind::Autoencoder | ModelKind::Gan { .. } | ModelKind::VaeGan { .. } => true,
            ModelKind::GaussianMixture { .. } => false,
        }
    }

    /// The scale of a family whose numbers no likelihood decides.
    pub(crate) fn scale(self) -> Option<Scale> {
        match self {
            ModelKind::Vae | ModelKind::Autoencoder | ModelKind::Gan { .. } | ModelKind::VaeGan { .. } => None,
            ModelKind::GaussianMixture { .. } => Some(Scale::GaussianDensity),
        }
    }

    /// A cell's name for people but for its seed; `tags` and `images` are those of its other parts.
    pub(crate) fn readable_name(self, cell: &Cell, tags: &str, images: &str) -> String {
        let (width, beta) = (cell.model.latent_dim, shortest(cell.objective.beta));
        match self {
            ModelKind::Vae => format!("vae{tags}-{images}-z{width}-b{beta}"),
            ModelKind::VaeGan { .. } => format!("vae-gan{tags}-{images}-z{width}-b{beta}"),
            ModelKind::Autoencoder => format!("autoencoder{tags}-{images}-z{width}"),
            ModelKind::Gan { .. } => format!("gan{tags}-{images}-z{width}"),
            ModelKind::GaussianMixture { components, .. } => format!("gaussian-mixture-{images}-k{components}"),
        }
    }

    /// Whether the setting at a path means something for it: a cell holds a value for each.
    fn has(self, path: &str) -> bool {
        let lacks: &[&str] = match self {
            ModelKind::Vae | ModelKind::VaeGan { .. } => &["model.latent_noise"],
            ModelKind::Autoencoder => &["objective", "model.latent", "model.prior"],
            ModelKind::Gan { .. } => &[
                "objective",
                "model.latent",
                "model.prior",
                "model.likelihood",
                "model.corruption",
                "model.latent_noise",
            ],
            ModelKind::GaussianMixture { .. } => {
                let is_kind = path == "model.kind" || path.starts_with("model.kind.");
                return is_kind || !within(path, &["model", "objective", "optimizer", "training.batch_size"]);
            }
        };
        !within(path, lacks)
    }

    pub(crate) fn check(self, checks: &mut Checks) {
        let (name, regulariser) = match self {
            ModelKind::Vae | ModelKind::Autoencoder => return,
            ModelKind::GaussianMixture { components, floor } => {
                checks.within("model.kind.gaussian-mixture.components", components, 1..=MAX_COMPONENTS);
                checks.deviation("model.kind.gaussian-mixture.floor", "floor", floor);
                return;
            }
            ModelKind::Gan { regulariser } => ("gan", regulariser),
            ModelKind::VaeGan { regulariser, weight } => {
                checks.positive("model.kind.vae-gan.weight", weight, "1");
                ("vae-gan", regulariser)
            }
        };
        match regulariser {
            Regulariser::SpectralNorm => {}
            Regulariser::GradientPenalty { weight } => {
                checks.positive(&format!("model.kind.{name}.regulariser.gradient-penalty.weight"), weight, "10");
            }
        }
    }

    /// Whether pixels that are 0 or 1, as `pixels: {written}` makes them, have a meaning for it.
    pub(crate) fn check_drawn_pixels(self, likelihood: Likelihood, written: &str, checks: &mut Checks) {
        match self {
            ModelKind::GaussianMixture { .. } => checks.complain(
                "dataset.pixels",
                format!(
                    "`pixels: {written}` makes pixels 0 or 1, for which a mixture of gaussian densities means nothing"
                ),
                "write `pixels: gray` with `kind: gaussian-mixture`",
            ),
            ModelKind::Vae | ModelKind::Autoencoder | ModelKind::Gan { .. } | ModelKind::VaeGan { .. } => {
                likelihood.check_drawn_pixels(written, checks);
            }
        }
    }

    /// Whether the other parts of a cell have a meaning for it.
    pub(crate) fn check_parts(self, cell: &Cell, checks: &mut Checks) {
        if self != ModelKind::Autoencoder && cell.model.latent_noise != 0.0 {
            checks.complain(
                "model.latent_noise",
                format!("noise is added to the code of an autoencoder, and {} has none", self.noun()),
                "leave `latent_noise` out, or use `kind: autoencoder`",
            );
        }
        match self {
            ModelKind::Vae => self.variational(cell, checks),
            ModelKind::VaeGan { .. } => {
                self.variational(cell, checks);
                self.default_objective(cell, "a VAE-GAN's encoder minimises reconstruction + β·KL", true, checks);
                cell.model.likelihood.check_feature_loss(checks);
            }
            ModelKind::Autoencoder => {
                checks.not_negative("model.latent_noise", cell.model.latent_noise, "0.1");
                self.no_distribution(cell, "its code is a function of the image, without a KL", checks);
            }
            ModelKind::Gan { .. } => {
                self.no_distribution(cell, "it has no encoder and no KL", checks);
                self.no_corruption(cell, checks);
                if cell.model.likelihood != Likelihood::Bernoulli {
                    checks.complain(
                        "model.likelihood",
                        "a GAN has no likelihood: its generator is judged by a discriminator alone",
                        "leave `likelihood` out, or use `kind: vae-gan`, which has one",
                    );
                }
            }
            ModelKind::GaussianMixture { .. } => {
                let why = "it is fitted to the pixels, without an encoder or a KL";
                self.no_distribution(cell, why, checks);
                self.no_corruption(cell, checks);
                no_networks(cell, checks);
            }
        }
    }

    /// With its article, in the words of a refusal.
    fn noun(self) -> &'static str {
        match self {
            ModelKind::Vae => "a VAE",
            ModelKind::Autoencoder => "an autoencoder",
            ModelKind::GaussianMixture { .. } => "a gaussian mixture",
            ModelKind::Gan { .. } => "a GAN",
            ModelKind::VaeGan { .. } => "a VAE-GAN",
        }
    }

    fn variational(self, cell: &Cell, checks: &mut Checks) {
        let (prior, objective) = (cell.model.prior, cell.objective.kind);
        match cell.model.latent {
            Latent::Gaussian => {
                objective.check_prior(prior, checks);
                prior.check_gradient(objective, checks);
            }
            Latent::Bernoulli { .. } => {
                prior.check_bits(checks);
                objective.check_bits(checks);
            }
        }
        cell.model.likelihood.check_objective(objective, checks);
        cell.objective.check_estimator(cell.model.latent, prior, checks);
    }

    fn no_distribution(self, cell: &Cell, why: &str, checks: &mut Checks) {
        let what = self.noun();
        if cell.model.latent != Latent::Gaussian {
            checks.complain(
                "model.latent",
                format!("{what} has no distribution over its latent space: {why}"),
                "leave `latent` out, or use `kind: vae`",
            );
        }
        if cell.model.prior != Prior::Standard {
            checks.complain(
                "model.prior",
                format!("{what} has no use for a learned prior: {why}"),
                "leave `prior` out, or use `kind: vae`",
            );
        }
        self.default_objective(cell, why, false, checks);
    }

    /// The objective's settings weigh a KL that is not there, or that may not be weighed in this manner.
    fn default_objective(self, cell: &Cell, why: &str, has_beta: bool, checks: &mut Checks) {
        let what = self.noun();
        let Objective { kind, beta, warm_up_epochs, .. } = cell.objective;
        if kind != ObjectiveKind::Elbo {
            let name = kind.name();
            checks.complain(
                "objective.kind",
                format!("`{name}` has no meaning for {what}: {why}"),
                format!("leave `objective.kind` out, or use `kind: vae`, for which `{name}` works"),
            );
        }
        if kind == ObjectiveKind::Elbo {
            cell.objective.refuse_estimator(&format!("has no meaning for {what}: {why}"), checks);
        }
        if !has_beta && (beta != 1.0 || warm_up_epochs != 0) {
            checks.complain(
                if beta == 1.0 { "objective.warm_up_epochs" } else { "objective.beta" },
                format!("β weighs the KL, which {what} does not have: {why}"),
                "leave `objective` out, or use `kind: vae`",
            );
        }
    }

    fn no_corruption(self, cell: &Cell, checks: &mut Checks) {
        if cell.model.corruption != Corruption::None {
            checks.complain(
                "model.corruption",
                format!("{} has no encoder whose input could be corrupted", self.noun()),
                "leave `corruption` out, or use `kind: vae` or `autoencoder`",
            );
        }
    }
}

/// A gaussian mixture has no networks.
fn no_networks(cell: &Cell, checks: &mut Checks) {
    let model = &cell.model;
    let networks = [
        ("model.net", model.net != Net::Mlp),
        ("model.hidden", !model.hidden.is_empty()),
        ("model.latent_dim", model.latent_dim != 0),
        ("model.likelihood", model.likelihood != Likelihood::Bernoulli),
    ];
    for (path, is_set) in networks {
        if is_set {
            checks.complain(
                path,
                format!("a gaussian mixture has no networks, so `{path}` means nothing for it"),
                "leave it out; `model: { kind: { gaussian-mixture: { components: 10 } } }` is all it needs",
            );
        }
    }
}

impl Cell {
    /// Whether the setting at a path, such as `objective.beta`, means something for this cell's family.
    pub fn has(&self, path: &str) -> bool {
        self.model.kind.has(path)
    }
}

/// Whether a path is one of `parents` or lies below one.
fn within(path: &str, parents: &[&str]) -> bool {
    parents.iter().any(|parent| path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

fn one() -> f64 {
    1.0
}

fn ten() -> usize {
    10
}

fn ten_real() -> f64 {
    10.0
}

fn hundredth() -> f64 {
    0.01
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_what_they_are_made_of() {
        let cell = |kind: serde_json::Value| -> Cell {
            let model = match kind {
                serde_json::Value::Object(_) => serde_json::json!({ "kind": kind }),
                kind => serde_json::json!({ "kind": kind, "hidden": [8], "latent_dim": 2 }),
            };
            let whole = serde_json::json!({
                "dataset": { "name": "glyphs" }, "model": model,
                "objective": {}, "optimizer": { "adam": {} }, "training": {},
            });
            serde_json::from_value(whole).expect("the cell is valid")
        };
        let (vae, autoencoder) = (cell("vae".into()), cell("autoencoder".into()));
        let mixture = cell(serde_json::json!({ "gaussian-mixture": {} }));
        assert!(vae.has("objective.beta") && vae.has("model.prior") && vae.has("model.latent_dim"));
        assert!(!autoencoder.has("objective.beta") && !autoencoder.has("model.prior.mixture.components"));
        assert!(autoencoder.has("model.latent_dim"), "`model.latent` is another path");
        assert!(!mixture.has("model.latent_dim") && !mixture.has("optimizer.adam.learning_rate"));
        assert!(mixture.has("model.kind.gaussian-mixture.components") && mixture.has("dataset.pixels"));
        assert!(mixture.has("training.seed") && mixture.has("training.epochs"));
    }
}
