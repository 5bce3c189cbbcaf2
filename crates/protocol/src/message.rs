//! What a worker writes to its standard output.

use serde::{Deserialize, Serialize};
use spec::{Metric, MetricSettings};

use crate::event::Event;
use crate::version::Version;

/// One line of JSON on a worker's standard output: `{"hello":{…}}`, `{"event":{…}}`, `{"measurements":[…]}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// The first line: who speaks.
    Hello(Version),
    /// How far a task is.
    Event(Event),
    /// The answer to [`crate::Task::Weights`].
    Measurements(Vec<Measurement>),
}

/// A number measured on the test images with weights from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What was measured.
    pub metric: Metric,
    /// The value, in the metric's unit.
    pub value: f64,
    /// Standard error of `value` over images, in its unit; `None` where there is none.
    pub standard_error: Option<f64>,
    /// Images the value is over.
    pub n: u64,
    /// What the metric was computed with.
    pub settings: MetricSettings,
}
