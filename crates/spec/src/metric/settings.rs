//! What a metric of a trained model was computed with.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ACTIVE_UNIT_VARIANCE, Metric, Role};

/// What a metric of a trained model was computed with; `None` for what does not concern it.
///
/// In files it is a JSON object of the settings that are there, in alphabetical order: `{"samples":5000}`, `{}` for none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricSettings {
    /// Spatial frequencies it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<Band>,
    /// Which side of the number it is on, in expectation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// Whether it is what theory says of the model that has the same settings at its optimum, and not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_form: Option<bool>,
    /// Components of the mixture of Gaussians.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<usize>,
    /// How reconstructions were decoded; at the posterior's mean when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode: Option<Decode>,
    /// Which latent dimension, from 1 in the order of its values, the largest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<usize>,
    /// Whether it is exact rather than an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<bool>,
    /// Spatial frequency, in cycles per pixel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<f64>,
    /// Points along a side of the square of z that it is an integral over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<usize>,
    /// What the encoder sees; the images themselves when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// Which images it was measured on; those of the split when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Subject>,
    /// Samples of z per image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// Whether it is a bound that says little, see [`super::is_saturated`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saturated: Option<bool>,
    /// Units are active whose posterior mean has more than this variance over images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variance_above: Option<f64>,
}

/// What the encoder sees instead of the images themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// The images, corrupted as in training.
    Corrupted,
}

/// A band of spatial frequencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Band {
    /// Below 0.09 cycles per pixel: the shape as a whole.
    Low,
    /// 0.09 to 0.23: strokes.
    Middle,
    /// Above 0.23: edges.
    High,
}

impl Band {
    /// Where one band ends and the next begins, in cycles per pixel: low, middle and high have 30, 54 and 15 % of the variance of MNIST.
    pub const EDGES: [f64; 2] = [0.09, 0.23];
}

/// A side of a number that is estimated from both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// In expectation no larger.
    Lower,
    /// In expectation no smaller.
    Upper,
}

/// How an image is reconstructed from q(z|x), by decoder means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decode {
    /// At a draw of z.
    Draw,
    /// The mean over several draws of z.
    Average,
}

/// Images that a metric is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Those of the split.
    Data,
    /// Their reconstructions.
    Reconstructions,
    /// Samples from the prior.
    Samples,
    /// Samples of a model that has no means of images, with its noise.
    Draws,
}

impl MetricSettings {
    /// So many samples of z per image, and nothing else.
    pub fn samples(n: usize) -> MetricSettings {
        MetricSettings { samples: Some(n), ..MetricSettings::default() }
    }

    /// Units counted as active by the variance that every epoch's are counted with.
    pub fn active_units() -> MetricSettings {
        MetricSettings { variance_above: Some(ACTIVE_UNIT_VARIANCE), ..MetricSettings::default() }
    }

    /// The `rank`-th latent dimension from 1, the largest first.
    pub fn dimension(rank: usize) -> MetricSettings {
        MetricSettings { dimension: Some(rank), ..MetricSettings::default() }
    }

    /// Measured on these images.
    pub fn of(subject: Subject) -> MetricSettings {
        MetricSettings { of: Some(subject), ..MetricSettings::default() }
    }

    /// In this band.
    pub fn band(band: Band) -> MetricSettings {
        MetricSettings { band: Some(band), ..MetricSettings::default() }
    }

    /// The same, of images decoded in this way.
    pub fn decoded(self, decode: Option<Decode>) -> MetricSettings {
        MetricSettings { decode, ..self }
    }

    /// The same, by theory and not measured.
    pub fn by_closed_form(self) -> MetricSettings {
        MetricSettings { closed_form: Some(true), ..self }
    }

    /// The JSON object in files.
    pub fn to_json(&self) -> String {
        Value::Object(self.fields()).to_string()
    }

    /// Name and value of the settings that are there, in alphabetical order.
    pub fn fields(&self) -> serde_json::Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            // A struct of plain values is always an object.
            _ => serde_json::Map::new(),
        }
    }

    /// Whether a metric with these settings is a number that the last epoch has anyway: a term from a single sample, or the units
    /// that are active by the variance that every epoch's are counted with.
    pub fn repeat_last_epoch(&self, metric: Metric) -> bool {
        let usual = match (metric.about().role, metric) {
            (Role::Bound, _) => MetricSettings::samples(1),
            (_, Metric::ActiveUnits) => MetricSettings::active_units(),
            _ => return false,
        };
        *self == usual
    }
}

/// For people: `input corrupted, samples 1`; nothing for none.
impl fmt::Display for MetricSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.fields().iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let name = name.replace('_', " ");
            match value {
                Value::String(text) => write!(f, "{separator}{name} {text}")?,
                Value::Bool(true) => write!(f, "{separator}{name}")?,
                other => write!(f, "{separator}{name} {other}")?,
            }
        }
        Ok(())
    }
}

/// In the order of their JSON, so that rows keep their place in files.
impl Ord for MetricSettings {
    fn cmp(&self, other: &MetricSettings) -> Ordering {
        self.to_json().cmp(&other.to_json())
    }
}

impl PartialOrd for MetricSettings {
    fn partial_cmp(&self, other: &MetricSettings) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for MetricSettings {}
