//! A metric as a kind of models means it.

use crate::cell::Cell;
use crate::kind::ModelKind;
use crate::metric::Metric;

/// A metric as some kinds of models mean it: numbers of different terms have no column and no panel in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    /// The metric.
    pub metric: Metric,
    /// For people: `generator's loss`.
    pub title: &'static str,
    /// For programs: `generator_loss`.
    pub key: &'static str,
}

impl Term {
    /// Whether it is what models with a likelihood minimise.
    pub fn is_minimised(&self) -> bool {
        self.metric == Metric::Objective && self.key == Metric::Objective.name()
    }
}

impl Cell {
    /// A metric as this cell's model means it.
    pub fn term(&self, metric: Metric) -> Term {
        let (title, key) = match (metric, self.model.kind) {
            (Metric::Objective, ModelKind::Gan { .. }) => ("generator's loss", "generator_loss"),
            (Metric::Objective, ModelKind::VaeGan { .. }) => ("loss of the VAE-GAN", "vae_gan_loss"),
            (Metric::Discriminator, ModelKind::VaeGan { .. }) => ("VAE-GAN's discriminator", "vae_gan_discriminator"),
            _ => (metric.about().title, metric.name()),
        };
        Term { metric, title, key }
    }
}
