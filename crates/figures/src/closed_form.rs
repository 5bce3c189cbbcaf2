//! Linear VAEs, measured on the training images, and what theory says of their optimum (Lucas et al. 2019).

use spec::{Cell, Metric, MetricSettings, Split};

use crate::records::{Group, MeasurementKey, OverSeeds, RunNumbers};

/// What is measured of a model and said by theory, in the order of columns.
pub const METRICS: [Metric; 4] = [Metric::Elbo, Metric::Reconstruction, Metric::Kl, Metric::ActiveUnits];

/// Whether a number of a model is one of these, which stand beside each other.
pub fn is_about(metric: Metric, split: Split, cell: &Cell) -> bool {
    split == Split::Train && METRICS.contains(&metric) && cell.closed_form_variance().is_some()
}

/// A metric as measured, over seeds.
pub fn measured(group: &Group, metric: Metric) -> Option<OverSeeds> {
    group.measured(metric, Split::Train, &settings(metric))
}

/// A metric as theory has it: the same for each seed.
pub fn predicted(group: &Group, metric: Metric) -> Option<f64> {
    let without_samples = MetricSettings { samples: None, ..settings(metric) };
    Some(group.measured(metric, Split::Train, &without_samples.by_closed_form())?.mean())
}

/// What a metric was measured with.
fn settings(metric: Metric) -> MetricSettings {
    match metric {
        Metric::ActiveUnits => MetricSettings::active_units(),
        _ => MetricSettings::samples(1),
    }
}

/// The KL of each latent dimension by theory and as measured, in nats, the largest first; empty where there is none.
pub fn kl_per_dim(group: &Group) -> Vec<(f64, OverSeeds)> {
    let of = |settings: &MetricSettings| group.measured(Metric::KlDimension, Split::Train, settings);
    let pair = |rank| {
        let settings = MetricSettings::dimension(rank);
        Some((of(&settings.clone().by_closed_form())?.mean(), of(&settings)?))
    };
    (1..=group.cell.model.latent_dim).map_while(pair).collect()
}

/// The largest |difference| of the KL of a latent dimension from that of theory, in nats, over seeds.
pub fn largest_difference(group: &Group) -> Option<OverSeeds> {
    let of_run = |run: &RunNumbers| {
        let value = |settings: MetricSettings| {
            let is_one = |key: &MeasurementKey| {
                key.metric == Metric::KlDimension && key.split == Split::Train && key.settings == settings
            };
            run.measures.iter().find(|(key, _)| is_one(key)).map(|(_, value)| *value)
        };
        let difference = |rank| {
            let settings = MetricSettings::dimension(rank);
            Some((value(settings.clone())? - value(settings.by_closed_form())?).abs())
        };
        (1..=group.cell.model.latent_dim).map_while(difference).reduce(f64::max)
    };
    OverSeeds::of(Metric::KlDimension, group.runs.iter().filter_map(of_run).collect())
}

/// The squared error that a reconstruction term is of, a mean over images of the sum over their `n_pixels`, in squared gray
/// values: 2σ²·(reconstruction − ½P ln 2πσ²).
pub fn squared_error(reconstruction: f64, variance: f64, n_pixels: usize) -> f64 {
    2.0 * variance * (reconstruction - 0.5 * n_pixels as f64 * (std::f64::consts::TAU * variance).ln())
}

/// Reverse water-filling: least squared error against rate, of the eigenvalues λ that a closed form tells.
#[derive(Clone, Debug, PartialEq)]
pub struct WaterFilling {
    /// Of the active directions, descending, in squared gray values.
    eigenvalues: Vec<f64>,
    /// Squared error of all other directions.
    rest: f64,
    /// θ below which nothing is known.
    lowest: f64,
}

impl WaterFilling {
    /// From the KL of latent dimensions by theory, ½ ln(λ/θ), and the squared error by theory, at the level θ.
    pub fn new(kl_per_dim: &[f64], squared_error: f64, level: f64) -> WaterFilling {
        let active = kl_per_dim.iter().filter(|kl| **kl > 0.0);
        let eigenvalues: Vec<f64> = active.map(|kl| level * (2.0 * kl).exp()).collect();
        let rest = squared_error - level * eigenvalues.len() as f64;
        WaterFilling { eigenvalues, rest, lowest: level }
    }

    /// Rate in nats per image and squared error, where the water stands at `level`.
    pub fn at(&self, level: f64) -> (f64, f64) {
        let rate = self.eigenvalues.iter().map(|value| 0.5 * (value / level).ln().max(0.0)).sum();
        (rate, self.rest + self.eigenvalues.iter().map(|value| value.min(level)).sum::<f64>())
    }

    /// The curve from rate zero up to the lowest level that is known.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let Some(highest) = self.eigenvalues.first() else { return vec![self.at(self.lowest)] };
        let n = 200;
        let level = |i: i32| highest * (self.lowest / highest).powf(f64::from(i) / f64::from(n));
        (0..=n).map(|i| self.at(level(i))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eigenvalues 8, 2 and 0.5 and residual power 1; at the level 1 the last is under water.
    #[test]
    fn water_filling_is_that_of_the_eigenvalues_behind_a_closed_form() {
        let eigenvalues = [8.0f64, 2.0, 0.5];
        let at = |level: f64| {
            let kl = eigenvalues.map(|value| (0.5 * (value / level).ln()).max(0.0));
            let error = 1.0 + eigenvalues.iter().map(|value| value.min(level)).sum::<f64>();
            (kl, error)
        };
        let (kl, error) = at(1.0);
        let water = WaterFilling::new(&kl, error, 1.0);
        for level in [1.0, 1.5, 3.0, 8.0] {
            let (kl, error) = at(level);
            let (rate, distortion) = water.at(level);
            assert!((rate - kl.iter().sum::<f64>()).abs() < 1e-12 && (distortion - error).abs() < 1e-12, "{level}");
        }
        let curve = water.curve();
        assert!(curve[0].0.abs() < 1e-12 && (curve[0].1 - 11.5).abs() < 1e-12, "{:?}", curve[0]);
        assert!(curve.windows(2).all(|pair| pair[1].0 > pair[0].0 && pair[1].1 < pair[0].1));
    }

    #[test]
    fn the_squared_error_is_that_of_a_gaussian() {
        let (variance, n_pixels, error) = (0.1f64, 4, 3.0);
        let reconstruction = 0.5 * 4.0 * (std::f64::consts::TAU * variance).ln() + 0.5 * error / variance;
        assert!((squared_error(reconstruction, variance, n_pixels) - error).abs() < 1e-12);
    }
}
