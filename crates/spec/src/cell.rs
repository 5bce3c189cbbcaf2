//! One fully resolved configuration, seed included: the valid type that everything behind the spec takes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::corruption::Corruption;
use crate::dataset::{Dataset, Pixels};
use crate::kind::ModelKind;
use crate::latent::Latent;
use crate::likelihood::Likelihood;
use crate::model::Model;
use crate::net::Net;
use crate::objective::Objective;
use crate::optimizer::Optimizer;
use crate::prior::Prior;
use crate::training::Training;

/// What one run trains, on what, and how; two equal cells have one run.
///
/// Reading one, be it from a spec or from JSON, goes through the checks of [`Cell::check`], so what was read is valid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "crate::check::RawCell")]
pub struct Cell {
    /// The images.
    pub dataset: Dataset,
    /// The networks and distributions.
    pub model: Model,
    /// What is minimised.
    pub objective: Objective,
    /// How it is minimised.
    pub optimizer: Optimizer,
    /// For how long, in which batches, from which seed.
    pub training: Training,
}

impl Cell {
    /// Samples of z for each image in the objective; `None` for a model that draws no z of images.
    pub fn objective_samples(&self) -> Option<usize> {
        match self.model.kind {
            ModelKind::Vae | ModelKind::VaeGan { .. } => Some(self.objective.n_samples()),
            ModelKind::Autoencoder | ModelKind::Gan { .. } | ModelKind::GaussianMixture { .. } => None,
        }
    }

    /// Images whose objective is computed together, the last batch's being fewer; `None` where each image has its own.
    pub fn objective_batch(&self) -> Option<usize> {
        self.objective.kind.is_of_batch().then_some(self.training.batch_size)
    }

    /// The variance σ² of p(x|z), in squared gray values, of a model whose optimum has a closed form: a linear VAE with a Gaussian of
    /// fixed variance; `None` for any other.
    pub fn closed_form_variance(&self) -> Option<f64> {
        let Likelihood::Gaussian { sigma } = self.model.likelihood else { return None };
        self.is_linear_vae().then_some(sigma * sigma)
    }

    /// Whether it is a VAE whose encoder and decoder are affine maps of gray images, with q(z|x) Gaussian, p(z) = N(0, I) and the
    /// ELBO for its objective: where p(x|z) is a Gaussian of fixed variance, it has an optimum in closed form.
    pub fn is_linear_vae(&self) -> bool {
        let Model {
            kind,
            net,
            hidden,
            latent,
            prior,
            corruption,
            activation: _,
            init: _,
            latent_dim: _,
            likelihood: _,
            latent_noise: _,
        } = &self.model;
        *kind == ModelKind::Vae
            && *net == Net::Mlp
            && hidden.is_empty()
            && *latent == Latent::Gaussian
            && *prior == Prior::Standard
            && *corruption == Corruption::None
            && self.objective.is_plain()
            && self.dataset.pixels == Pixels::Gray
    }

    /// The value at a path as in the YAML, such as `model.latent_dim`; defaults are filled in.
    pub fn value_at(&self, path: &str) -> Option<Value> {
        let cell = self.to_json();
        path.split('.').try_fold(&cell, |value, key| value.get(key)).cloned()
    }

    /// The whole cell, defaults included.
    pub(crate) fn to_json(&self) -> Value {
        // Every field is a number, a word or a list of them, so this cannot fail.
        serde_json::to_value(self).unwrap_or_default()
    }
}
