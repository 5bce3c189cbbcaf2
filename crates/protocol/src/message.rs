//! What a worker writes to its standard output.

use serde::{Deserialize, Serialize};
use spec::Measurement;

use crate::calibration::Calibration;
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
    /// The answer to [`crate::Task::Calibrate`].
    Calibration(Calibration),
}
