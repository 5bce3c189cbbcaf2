//! What a cell minimises.

use serde::{Deserialize, Serialize};

use crate::check::{Checks, shown};
use crate::fields::{Field, field};
use crate::latent::Latent;
use crate::prior::Prior;
use crate::training::Training;

/// What is minimised: reconstruction + β·KL, or what `kind` makes of the two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// The form of the objective.
    pub kind: ObjectiveKind,
    /// Weight of the KL term; part of the objective only, never of the ELBO.
    pub beta: f64,
    /// β rises linearly from 0 over the first so many epochs; 0 for no warm-up.
    pub warm_up_epochs: usize,
    /// The warm-up starts anew in each of so many equal parts of the training (Fu et al. 2019).
    pub cycles: usize,
    /// How the gradient of the ELBO's reconstruction reaches the encoder.
    pub gradient: Gradient,
    /// Which parts of the KL are minimised; `kl` is reported as a whole.
    pub kl_parts: KlParts,
    /// Draws of z for each image, over which the ELBO's reconstruction is a mean.
    pub samples: usize,
}

impl Default for Objective {
    fn default() -> Self {
        Objective {
            kind: ObjectiveKind::Elbo,
            beta: 1.0,
            warm_up_epochs: 0,
            cycles: 1,
            gradient: Gradient::Reparametrised,
            kl_parts: KlParts::Both,
            samples: 1,
        }
    }
}

/// How the gradient of E_q[−log p(x|z)] by the encoder's parameters is estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gradient {
    /// Through z = μ + σε (Kingma & Welling 2014).
    #[default]
    Reparametrised,
    /// Not at all: z is a constant to the derivative, as where it is drawn without reparametrisation.
    Detached,
    /// By the score function, −log p(x|z)·∂log q(z|x), without a baseline (Williams 1992).
    ScoreFunction,
}

/// Parts of the KL from N(0, I).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KlParts {
    /// All of it.
    #[default]
    Both,
    /// Σ ½(σ² − 1 − ln σ²) alone: means are free.
    Variance,
    /// Σ ½μ² alone: variances are free.
    Mean,
}

/// The form of the objective; β is that of [`Objective`] at the step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ObjectiveKind {
    /// reconstruction + β·KL (Higgins et al. 2017).
    #[default]
    Elbo,
    /// reconstruction + β·Σ_d max(nats, KL_d), KL_d a mean over the batch (Kingma et al. 2016).
    FreeBits {
        /// KL that each dimension has for free.
        #[serde(default = "half")]
        nats: f64,
    },
    /// reconstruction + β·|KL − C|, KL a mean over the batch, where C rises linearly from 0 (Burgess et al. 2018; their γ
    /// is β).
    Capacity {
        /// C at the end of its rise.
        #[serde(default = "twenty_five")]
        nats: f64,
        /// Epochs over which C rises; 0 for C from the start.
        #[serde(default = "ten")]
        rise_epochs: usize,
    },
    /// Minus the importance-weighted bound with so many samples (Burda et al. 2016).
    ImportanceWeighted {
        /// Samples of z for each image.
        #[serde(default = "fifty")]
        samples: usize,
        /// How the encoder's gradient is estimated.
        #[serde(default)]
        gradient: ImportanceGradient,
    },
    /// reconstruction + mutual information + β·total correlation + dimension-wise KL, estimated by minibatch-weighted
    /// sampling (Chen et al. 2018).
    TotalCorrelation,
    /// reconstruction + β·KL + weight·MMD(q(z), p(z)) (Zhao et al. 2019); with β = 0 it is the WAE-MMD
    /// (Tolstikhin et al. 2018).
    Mmd {
        /// Weight of the squared maximum mean discrepancy.
        #[serde(default = "hundred")]
        weight: f64,
    },
}

/// How the encoder's gradient of an importance-weighted bound is estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportanceGradient {
    /// Through the reparametrised samples.
    #[default]
    Reparametrised,
    /// Doubly reparametrised (Tucker et al. 2019): the signal-to-noise ratio grows with the samples.
    DoublyReparametrised,
}

pub(crate) const FIELDS: &[Field] = &[
    field(
        "objective.kind",
        "`elbo`, `free-bits`, `capacity`, `{ importance-weighted: { samples: 50 } }`, `total-correlation` or `{ mmd: { weight: 100 } }`",
    )
    .title("objective"),
    field("objective.kind.free-bits.nats", "the KL that each dimension has for free, such as `0.5`"),
    field("objective.kind.capacity.nats", "the capacity C at its end, such as `25`"),
    field("objective.kind.capacity.rise_epochs", "over how many epochs the capacity rises, such as `10`"),
    field("objective.kind.importance-weighted.samples", "samples of z for each image, such as `50`"),
    field("objective.kind.importance-weighted.gradient", "`reparametrised` or `doubly-reparametrised`"),
    field("objective.kind.mmd.weight", "the weight of the discrepancy, such as `100`"),
    field("objective.beta", "the weight of the KL term, such as `1`").title("β"),
    field("objective.warm_up_epochs", "over how many epochs β rises from 0, such as `10`; `0` for no warm-up").off("0"),
    field("objective.cycles", "how many times the warm-up is gone through, such as `4`; `1` for once").off("1"),
    field("objective.gradient", "`reparametrised`, `detached` or `score-function`"),
    field("objective.kl_parts", "`both`, `variance` or `mean`").title("parts of the KL"),
    field("objective.samples", "draws of z for each image, such as `5`").title("draws of z"),
];

impl Objective {
    pub(crate) fn check(&self, training: &Training, checks: &mut Checks) {
        let beta = self.beta;
        if !(0.0..=1e9).contains(&beta) {
            let message =
                format!("`objective.beta` must be finite and not negative (from 0 to 1e9), found `{}`", shown(beta));
            checks.complain("objective.beta", message, "write a number such as `1`; `0` leaves the KL free");
        }
        checks.within("objective.cycles", self.cycles, 1..=1_000_000);
        let cycles = self.cycles.max(1);
        if self.warm_up_epochs.saturating_mul(cycles) > training.epochs {
            let message = if cycles == 1 {
                format!(
                    "`objective.warm_up_epochs` is `{}`, longer than the {} of training, so β would never be reached",
                    self.warm_up_epochs,
                    in_epochs(training.epochs)
                )
            } else {
                format!(
                    "`objective.warm_up_epochs` is `{}`, longer than each of the {cycles} cycles of {}, so β would never be reached",
                    self.warm_up_epochs,
                    in_epochs(training.epochs)
                )
            };
            checks.complain(
                "objective.warm_up_epochs",
                message,
                format!("write at most {}, or raise `training.epochs`", training.epochs / cycles),
            );
        }
        if cycles > 1 && self.warm_up_epochs == 0 {
            let message = format!("`objective.cycles` is `{cycles}`, but there is no warm-up that could be repeated");
            let hint =
                format!("write `warm_up_epochs: {}`, or leave `cycles` out", (training.epochs / cycles / 2).max(1));
            checks.complain("objective.cycles", message, hint);
        }
        self.kind.check(training, checks);
        checks.within("objective.samples", self.samples, 1..=10_000);
        if self.kind != ObjectiveKind::Elbo {
            let name = self.kind.name();
            self.refuse_estimator(&format!("is of `kind: elbo`, and has no meaning for `{name}`"), checks);
        }
    }

    /// Draws of z for each image while training.
    pub fn n_samples(&self) -> usize {
        match self.kind {
            ObjectiveKind::Elbo => self.samples,
            ObjectiveKind::ImportanceWeighted { samples, .. } => samples,
            ObjectiveKind::FreeBits { .. }
            | ObjectiveKind::Capacity { .. }
            | ObjectiveKind::TotalCorrelation
            | ObjectiveKind::Mmd { .. } => 1,
        }
    }

    /// Whether it is reconstruction + β·KL by one reparametrised draw of z.
    pub(crate) fn is_plain(&self) -> bool {
        self.kind == ObjectiveKind::Elbo && self.estimator().iter().all(|(_, is_set)| !is_set)
    }

    /// How the ELBO is estimated, and which of that is not at its default.
    fn estimator(&self) -> [(&'static str, bool); 3] {
        [
            ("objective.gradient", self.gradient != Gradient::Reparametrised),
            ("objective.kl_parts", self.kl_parts != KlParts::Both),
            ("objective.samples", self.samples != 1),
        ]
    }

    /// Complains about each setting of the estimator that is not at its default.
    pub(crate) fn refuse_estimator(&self, why: &str, checks: &mut Checks) {
        for (path, _) in self.estimator().into_iter().filter(|(_, is_set)| *is_set) {
            let hint = match (path, self.kind) {
                ("objective.samples", ObjectiveKind::ImportanceWeighted { .. }) => {
                    "write `kind: { importance-weighted: { samples: 5 } }`".to_owned()
                }
                _ => format!("leave `{path}` out, or use `kind: elbo` of a VAE"),
            };
            checks.complain(path, format!("`{path}` {why}"), hint);
        }
    }

    /// Whether gradient and parts of the KL have a meaning with q(z|x) and p(z).
    pub(crate) fn check_estimator(&self, latent: Latent, prior: Prior, checks: &mut Checks) {
        let is_closed = latent == Latent::Gaussian && prior == Prior::Standard;
        let needs = "needs the KL of Gaussian latents from N(0, I) in closed form";
        for (path, _) in self.estimator().into_iter().filter(|(path, is_set)| *is_set && *path != "objective.samples") {
            if !is_closed {
                checks.complain(
                    path,
                    format!("`{path}` {needs}"),
                    format!("write `latent: gaussian` and `prior: standard`, or leave `{path}` out"),
                );
            }
        }
        if self.gradient == Gradient::Detached && self.kl_parts != KlParts::Both {
            checks.complain(
                "objective.kl_parts",
                "with `gradient: detached` the KL alone trains the encoder, and a part of it leaves means or variances without a gradient",
                "write `kl_parts: both`, or another `gradient`",
            );
        }
    }
}

impl ObjectiveKind {
    /// As in the YAML.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ObjectiveKind::Elbo => "elbo",
            ObjectiveKind::FreeBits { .. } => "free-bits",
            ObjectiveKind::Capacity { .. } => "capacity",
            ObjectiveKind::ImportanceWeighted { .. } => "importance-weighted",
            ObjectiveKind::TotalCorrelation => "total-correlation",
            ObjectiveKind::Mmd { .. } => "mmd",
        }
    }

    /// The word in readable names.
    pub(crate) fn tag(self) -> Option<&'static str> {
        match self {
            ObjectiveKind::Elbo => None,
            ObjectiveKind::FreeBits { .. } => Some("free-bits"),
            ObjectiveKind::Capacity { .. } => Some("capacity"),
            ObjectiveKind::ImportanceWeighted { .. } => Some("iw"),
            ObjectiveKind::TotalCorrelation => Some("tc"),
            ObjectiveKind::Mmd { .. } => Some("mmd"),
        }
    }

    /// Whether it is no mean of values that images have each, but one of a batch: of a mean over its images, or of its draws of
    /// z together.
    pub(crate) fn is_of_batch(self) -> bool {
        match self {
            ObjectiveKind::Elbo | ObjectiveKind::ImportanceWeighted { .. } => false,
            ObjectiveKind::FreeBits { .. }
            | ObjectiveKind::Capacity { .. }
            | ObjectiveKind::TotalCorrelation
            | ObjectiveKind::Mmd { .. } => true,
        }
    }

    /// Whether the encoder's gradient is doubly reparametrised.
    pub fn is_doubly_reparametrised(self) -> bool {
        let gradient = ImportanceGradient::DoublyReparametrised;
        matches!(self, ObjectiveKind::ImportanceWeighted { gradient: asked, .. } if asked == gradient)
    }

    fn check(self, training: &Training, checks: &mut Checks) {
        match self {
            ObjectiveKind::Elbo | ObjectiveKind::TotalCorrelation => {}
            ObjectiveKind::FreeBits { nats } => checks.not_negative("objective.kind.free-bits.nats", nats, "0.5"),
            ObjectiveKind::Capacity { nats, rise_epochs: epochs } => {
                checks.not_negative("objective.kind.capacity.nats", nats, "25");
                if epochs > training.epochs {
                    let message = format!(
                        "the capacity rises over `{epochs}` epochs, longer than the {} of training, so it would never be reached",
                        in_epochs(training.epochs)
                    );
                    let hint = format!("write at most {}, or raise `training.epochs`", training.epochs);
                    checks.complain("objective.kind.capacity.rise_epochs", message, hint);
                }
            }
            ObjectiveKind::ImportanceWeighted { samples, .. } => {
                checks.within("objective.kind.importance-weighted.samples", samples, 1..=100_000);
            }
            ObjectiveKind::Mmd { weight } => checks.positive("objective.kind.mmd.weight", weight, "100"),
        }
    }

    /// Whether it has a meaning with Bernoulli latents.
    pub(crate) fn check_bits(self, checks: &mut Checks) {
        let reason = match self {
            ObjectiveKind::Elbo | ObjectiveKind::FreeBits { .. } | ObjectiveKind::Capacity { .. } => return,
            ObjectiveKind::TotalCorrelation => "the total correlation is estimated from densities of z",
            ObjectiveKind::Mmd { .. } => "the discrepancy compares z with draws of a gaussian",
            ObjectiveKind::ImportanceWeighted { .. } => "importance weights need the density of the relaxed z",
        };
        checks.complain(
            "objective.kind",
            format!("`{}` has no meaning with Bernoulli latents: {reason}", self.name()),
            "use `latent: gaussian`, or one of `elbo`, `free-bits` and `capacity`",
        );
    }

    /// Whether it has a meaning with a prior of Gaussian latents.
    pub(crate) fn check_prior(self, prior: Prior, checks: &mut Checks) {
        let Some(noun) = prior.noun() else { return };
        let reason = match self {
            ObjectiveKind::Elbo | ObjectiveKind::Capacity { .. } | ObjectiveKind::ImportanceWeighted { .. } => return,
            ObjectiveKind::FreeBits { .. } => {
                format!("free bits are given to each dimension's KL, and {noun}'s is no sum over dimensions")
            }
            ObjectiveKind::TotalCorrelation => "its parts need a prior that is a product over dimensions".to_owned(),
            ObjectiveKind::Mmd { .. } => "the discrepancy is measured against draws of N(0, I)".to_owned(),
        };
        checks.complain(
            "objective.kind",
            format!("`{}` needs `prior: standard`: {reason}", self.name()),
            "write `prior: standard`, or `objective.kind: elbo`",
        );
    }
}

fn in_epochs(n: usize) -> String {
    if n == 1 { "1 epoch".to_owned() } else { format!("{n} epochs") }
}

fn twenty_five() -> f64 {
    25.0
}

fn hundred() -> f64 {
    100.0
}

fn half() -> f64 {
    0.5
}

fn ten() -> usize {
    10
}

fn fifty() -> usize {
    50
}
