//! A number measured on a trained model, and the split of a dataset that it was measured on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metric::{Metric, MetricSettings};

/// Which images of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// The images the parameters are fitted to.
    Train,
    /// Held out of the training images.
    Validation,
    /// The test images.
    Test,
}

impl Split {
    /// All splits, in the order of a table.
    pub const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

    /// The name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }

    /// The split with this name.
    pub fn from_name(name: &str) -> Option<Split> {
        Split::ALL.into_iter().find(|split| split.as_str() == name)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One number measured on a trained model: a row of `evaluation.parquet`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What was measured; [`Metric::about`] tells its unit.
    pub metric: Metric,
    /// The images it was measured on.
    pub split: Split,
    /// The value.
    pub value: f64,
    /// Standard error of `value` over images, in its unit; `None` (null) where there is none.
    pub standard_error: Option<f64>,
    /// Images the value is over.
    pub n: u64,
    /// What the metric was computed with.
    pub settings: MetricSettings,
}

impl Measurement {
    /// −log p(x) of the first `n` test images, estimated with so many importance samples each (Burda et al. 2016).
    pub fn nll(value: f64, standard_error: impl Into<Option<f64>>, n: u64, samples: usize) -> Measurement {
        Measurement {
            metric: Metric::Nll,
            split: Split::Test,
            value,
            standard_error: standard_error.into(),
            n,
            settings: MetricSettings::samples(samples),
        }
    }
}
