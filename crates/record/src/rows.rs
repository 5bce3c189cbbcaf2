//! The rows of a run's tables: what each column means, with its unit and its reduction.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use spec::metric::Role;
use spec::{Metric, RunId, Scale, Split};

/// The metrics of one epoch on one split. What a model does not have is absent: an autoencoder has a reconstruction, but no
/// KL and no bound; a GAN has none of the three.
///
/// In run.json it is an object of all of it, with `null` for terms of the bound that there are none of; earlier versions kept the
/// terms of the bound and diagnostics of training alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EpochMetrics(BTreeMap<Metric, f64>);

impl EpochMetrics {
    /// The value of a metric; `None` for what the model does not have.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.0.get(&metric).copied()
    }

    /// Adds or replaces a value.
    pub fn set(&mut self, metric: Metric, value: f64) {
        self.0.insert(metric, value);
    }

    /// What there is, in the order of metrics.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, f64)> + '_ {
        self.0.iter().map(|(&metric, &value)| (metric, value))
    }

    /// What runs are listed by, in order: the terms of the bound, `None` for those that the model does not have, and
    /// diagnostics of training alone, as far as it has them.
    pub fn listed(&self) -> impl Iterator<Item = (Metric, Option<f64>)> + '_ {
        let is_said = |(metric, value): &(Metric, Option<f64>)| value.is_some() || metric.about().role == Role::Bound;
        Metric::listed().map(|metric| (metric, self.get(metric))).filter(is_said)
    }

    /// As [`EpochMetrics::listed`], but for a model without any term of the bound, such as a GAN: its losses stand in their place.
    pub fn shown(&self) -> Vec<(Metric, Option<f64>)> {
        if Metric::bound().any(|metric| self.get(metric).is_some()) {
            return self.listed().collect();
        }
        let instead = Metric::losses().chain(Metric::while_training());
        instead.map(|metric| (metric, self.get(metric))).filter(|(_, value)| value.is_some()).collect()
    }
}

impl FromIterator<(Metric, f64)> for EpochMetrics {
    fn from_iter<I: IntoIterator<Item = (Metric, f64)>>(values: I) -> EpochMetrics {
        EpochMetrics(values.into_iter().collect())
    }
}

impl<const N: usize> From<[(Metric, f64); N]> for EpochMetrics {
    fn from(values: [(Metric, f64); N]) -> EpochMetrics {
        EpochMetrics(values.into())
    }
}

impl Serialize for EpochMetrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_said = |(metric, value): &(Metric, Option<f64>)| value.is_some() || metric.about().role == Role::Bound;
        serializer.collect_map(Metric::per_epoch().map(|metric| (metric, self.get(metric))).filter(is_said))
    }
}

impl<'de> Deserialize<'de> for EpochMetrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EpochMetrics, D::Error> {
        // What a later minor version added is passed over.
        let values: BTreeMap<String, Option<f64>> = BTreeMap::deserialize(deserializer)?;
        Ok(values.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value?))).collect())
    }
}

/// One row of `metrics.parquet`: one epoch on one split.
///
/// Rows of the training split are running means over the epoch's batches as they were trained on, so under parameters
/// that change; rows of other splits are evaluated at the epoch's end.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsRow {
    /// The run.
    pub run_id: RunId,
    /// The images the row was measured on.
    pub split: Split,
    /// Epochs completed: 1 after the first pass over the training images, 0 for a row from before training.
    pub epoch: u32,
    /// Optimizer steps taken since the start of training.
    pub step: u64,
    /// Images the means are over: the whole split, partial last batch included.
    pub images: u64,
    /// The scale of the likelihood; rows of different scales are never compared.
    pub scale: Scale,
    /// Every metric that [`Metric::per_epoch`] lists and the model has; [`Metric::about`] tells the unit of each.
    pub terms: EpochMetrics,
    /// Samples of z for each image in `objective`; `None` (null) for a model that draws no z of images, and in earlier files.
    pub objective_samples: Option<u32>,
    /// Images whose `objective` is computed together, on every split; `None` (null) where each image has its own, and in
    /// earlier files.
    pub objective_batch: Option<u32>,
    /// The weight of the KL in the objective at this epoch (it changes during a warm-up); no unit.
    pub beta: f64,
    /// KL of each latent dimension, `[latent_dim]`, whose sum is the KL; nats per image, a mean over images. Empty where
    /// there is no KL, or it is no sum over dimensions (under a prior whose dimensions are not independent).
    pub kl_per_dim: Vec<f64>,
    /// Variance over the split's images of E[z|x] of each latent dimension, `[latent_dim]`, in squared units of z; those
    /// above 0.01 are the active units (Burda et al. 2016, §5.2). Empty on the training split, whose images were each seen
    /// under other weights, and without a distribution of z.
    pub latent_mean_variance: Vec<f64>,
    /// The optimizer's step size at `step`; no unit.
    pub learning_rate: f64,
    /// Euclidean norm of the objective's gradient over all parameters, a mean over every 16th step of the epoch; `None`
    /// (null) on splits that are not trained on.
    pub gradient_norm: Option<f64>,
    /// Wall-clock seconds of this pass over the split, shared by all runs of the cohort.
    pub seconds: f64,
}
