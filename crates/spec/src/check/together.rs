//! Values that have no meaning together: each refusal says why, and what would work.

use super::{Checks, known_side};
use crate::cell::{Cell, Pixels};
use crate::model::{Corruption, Latent, Likelihood, ModelKind, Net, Prior, SharedVariance};
use crate::objective::{ImportanceGradient, Objective, ObjectiveKind};

impl Checks {
    pub(super) fn together(&mut self, cell: &Cell) {
        self.pixels(cell);
        self.convolutions(cell);
        match cell.model.kind {
            ModelKind::Vae => self.variational(cell),
            ModelKind::VaeGan { .. } => {
                self.variational(cell);
                self.only_default_objective(cell, "a VAE-GAN's encoder minimises reconstruction + β·KL", true);
                if matches!(cell.model.likelihood, Likelihood::GaussianPerPixel { .. }) {
                    self.complain(
                        "model.likelihood",
                        "a VAE-GAN's decoder is trained by features and not by pixels, so that no pixel's standard deviation would be learned",
                        "write `likelihood: gaussian-shared`, or use `kind: vae`",
                    );
                }
            }
            ModelKind::Autoencoder => {
                self.no_distribution(cell, "an autoencoder", "its code is a function of the image, without a KL");
            }
            ModelKind::Gan { .. } => {
                self.no_distribution(cell, "a GAN", "it has no encoder and no KL");
                self.no_corruption(cell, "a GAN has no encoder whose input could be corrupted");
                if cell.model.likelihood != Likelihood::Bernoulli {
                    self.complain(
                        "model.likelihood",
                        "a GAN has no likelihood: its generator is judged by a discriminator alone",
                        "leave `likelihood` out, or use `kind: vae-gan`, which has one",
                    );
                }
            }
            ModelKind::GaussianMixture { .. } => self.mixture(cell),
        }
    }

    fn pixels(&mut self, cell: &Cell) {
        let pixels = match cell.dataset.pixels {
            Pixels::Gray => return,
            Pixels::Static => "static",
            Pixels::Dynamic => "dynamic",
        };
        let name = match cell.model.likelihood {
            _ if matches!(cell.model.kind, ModelKind::GaussianMixture { .. }) => {
                self.complain(
                    "dataset.pixels",
                    format!("`pixels: {pixels}` makes pixels 0 or 1, for which a mixture of gaussian densities means nothing"),
                    "write `pixels: gray` with `kind: gaussian-mixture`",
                );
                return;
            }
            Likelihood::Bernoulli => return,
            Likelihood::Gaussian { .. } => "gaussian",
            Likelihood::GaussianShared { .. } => "gaussian-shared",
            Likelihood::GaussianPerPixel { .. } => "gaussian-per-pixel",
            Likelihood::ContinuousBernoulli => "continuous-bernoulli",
            Likelihood::DiscretisedLogistic => {
                self.complain(
                    "dataset.pixels",
                    format!("`pixels: {pixels}` makes pixels 0 or 1, and `discretised-logistic` is a probability of 256 gray levels"),
                    "write `pixels: gray` with `likelihood: discretised-logistic`, or `likelihood: bernoulli` with binary pixels",
                );
                return;
            }
        };
        let density = if name == "gaussian" { "a gaussian density" } else { "a density" };
        self.complain(
            "dataset.pixels",
            format!("`pixels: {pixels}` makes pixels 0 or 1, for which {density} means nothing"),
            format!("write `pixels: gray` with `likelihood: {name}`, or `likelihood: bernoulli` with binary pixels"),
        );
    }

    /// For datasets whose size is known; the others are looked at when their images are.
    fn convolutions(&mut self, cell: &Cell) {
        let (Net::Conv { channels, stride, .. }, Some(side)) = (&cell.model.net, known_side(&cell.dataset.name)) else {
            return;
        };
        if let Err(reason) = cell.model.net.sides(side, side) {
            let fits = (1..=channels.len()).rev().find(|&n| {
                let net = Net::Conv { channels: vec![1; n], kernel: 1, stride: *stride };
                net.sides(side, side).is_ok()
            });
            let hint = match fits {
                Some(n) => format!("write at most {n} convolutions, or a smaller stride"),
                None => "use `net: mlp`".to_owned(),
            };
            self.complain("model.net.conv.channels", reason.to_string(), hint);
        }
    }

    fn variational(&mut self, cell: &Cell) {
        let model = &cell.model;
        let (kind, name) = (cell.objective.kind, objective_name(cell.objective.kind));
        if matches!(model.latent, Latent::Bernoulli { .. }) {
            if model.prior != Prior::Standard {
                self.complain(
                    "model.prior",
                    "this prior is a mixture of gaussians, which gives bits no probability",
                    "write `prior: standard` (fair bits) with Bernoulli latents, or `latent: gaussian`",
                );
            }
            let reason = match kind {
                ObjectiveKind::Elbo | ObjectiveKind::FreeBits { .. } | ObjectiveKind::Capacity { .. } => None,
                ObjectiveKind::TotalCorrelation => Some("the total correlation is estimated from densities of z"),
                ObjectiveKind::Mmd { .. } => Some("the discrepancy compares z with draws of a gaussian"),
                ObjectiveKind::ImportanceWeighted { .. } => {
                    Some("importance weights need the density of the relaxed z")
                }
            };
            if let Some(reason) = reason {
                self.complain(
                    "objective.kind",
                    format!("`{name}` has no meaning with Bernoulli latents: {reason}"),
                    "use `latent: gaussian`, or one of `elbo`, `free-bits` and `capacity`",
                );
            }
        } else if model.prior != Prior::Standard {
            let reason = match kind {
                ObjectiveKind::FreeBits { .. } => {
                    Some("free bits are given to each dimension's KL, and a mixture's is no sum over dimensions")
                }
                ObjectiveKind::TotalCorrelation => Some("its parts need a prior that is a product over dimensions"),
                ObjectiveKind::Mmd { .. } => Some("the discrepancy is measured against draws of N(0, I)"),
                _ => None,
            };
            if let Some(reason) = reason {
                self.complain(
                    "objective.kind",
                    format!("`{name}` needs `prior: standard`: {reason}"),
                    "write `prior: standard`, or `objective.kind: elbo`",
                );
            }
            let gradient = ImportanceGradient::DoublyReparametrised;
            if matches!(model.prior, Prior::Vamp { .. })
                && matches!(kind, ObjectiveKind::ImportanceWeighted { gradient: asked, .. } if asked == gradient)
            {
                self.complain(
                    "objective.kind.importance-weighted.gradient",
                    "doubly reparametrised gradients take the prior for independent of the encoder, and a VampPrior is made by it",
                    "write `gradient: reparametrised`, or `prior: standard` or `mixture`",
                );
            }
        }
        let is_optimal = matches!(model.likelihood, Likelihood::GaussianShared { variance: SharedVariance::Optimal });
        if is_optimal && matches!(kind, ObjectiveKind::ImportanceWeighted { .. }) {
            self.complain(
                "model.likelihood.gaussian-shared.variance",
                "σ² = mean squared error is the optimum of the ELBO, not of an importance-weighted bound",
                "write `variance: learned`",
            );
        }
    }

    fn no_distribution(&mut self, cell: &Cell, what: &str, why: &str) {
        if cell.model.latent != Latent::Gaussian {
            self.complain(
                "model.latent",
                format!("{what} has no distribution over its latent space: {why}"),
                "leave `latent` out, or use `kind: vae`",
            );
        }
        if cell.model.prior != Prior::Standard {
            self.complain(
                "model.prior",
                format!("{what} has no use for a learned prior: {why}"),
                "leave `prior` out, or use `kind: vae`",
            );
        }
        self.only_default_objective(cell, why, false);
    }

    /// The objective's settings weigh a KL that is not there, or that may not be weighed in this manner.
    fn only_default_objective(&mut self, cell: &Cell, why: &str, has_beta: bool) {
        let family = match cell.model.kind {
            ModelKind::Autoencoder => "an autoencoder",
            ModelKind::Gan { .. } => "a GAN",
            ModelKind::VaeGan { .. } => "a VAE-GAN",
            ModelKind::GaussianMixture { .. } => "a gaussian mixture",
            ModelKind::Vae => "a VAE",
        };
        let Objective { kind, beta, warm_up_epochs, .. } = cell.objective;
        if kind != ObjectiveKind::Elbo {
            let name = objective_name(kind);
            self.complain(
                "objective.kind",
                format!("`{name}` has no meaning for {family}: {why}"),
                format!("leave `objective.kind` out, or use `kind: vae`, for which `{name}` works"),
            );
        }
        if !has_beta && (beta != 1.0 || warm_up_epochs != 0) {
            self.complain(
                if beta == 1.0 { "objective.warm_up_epochs" } else { "objective.beta" },
                format!("β weighs the KL, which {family} does not have: {why}"),
                "leave `objective` out, or use `kind: vae`",
            );
        }
    }

    fn no_corruption(&mut self, cell: &Cell, why: &str) {
        if cell.model.corruption != Corruption::None {
            self.complain("model.corruption", why, "leave `corruption` out, or use `kind: vae` or `autoencoder`");
        }
    }

    fn mixture(&mut self, cell: &Cell) {
        let model = &cell.model;
        self.no_distribution(cell, "a gaussian mixture", "it is fitted to the pixels, without an encoder or a KL");
        self.no_corruption(cell, "a gaussian mixture has no encoder whose input could be corrupted");
        let networks = [
            ("model.net", model.net != Net::Mlp),
            ("model.hidden", !model.hidden.is_empty()),
            ("model.latent_dim", model.latent_dim != 0),
            ("model.likelihood", model.likelihood != Likelihood::Bernoulli),
        ];
        for (path, is_set) in networks {
            if is_set {
                self.complain(
                    path,
                    format!("a gaussian mixture has no networks, so `{path}` means nothing for it"),
                    "leave it out; `model: { kind: { gaussian-mixture: { components: 10 } } }` is all it needs",
                );
            }
        }
    }
}

fn objective_name(kind: ObjectiveKind) -> &'static str {
    match kind {
        ObjectiveKind::Elbo => "elbo",
        ObjectiveKind::FreeBits { .. } => "free-bits",
        ObjectiveKind::Capacity { .. } => "capacity",
        ObjectiveKind::ImportanceWeighted { .. } => "importance-weighted",
        ObjectiveKind::TotalCorrelation => "total-correlation",
        ObjectiveKind::Mmd { .. } => "mmd",
    }
}
