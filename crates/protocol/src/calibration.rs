//! What computing costs on this machine: what a worker is asked to time, and what it found.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};
use spec::Cell;

/// A cohort whose computing is timed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// Its cells, one a replica; they share a cohort key.
    pub cells: Vec<Cell>,
    /// Channels, height and width of its images.
    pub image: [usize; 3],
    /// Threads within an operation.
    pub threads: NonZeroUsize,
}

/// What a cohort's computing takes, in seconds for all of its replicas together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// A training step on a full batch; for a mixture fitted by expectation maximisation, a step on one training image.
    pub step: f64,
    /// An image's way through the networks when a split is evaluated.
    pub image: f64,
    /// A step of the mixture that is fitted to the latents of a trained model, on one image; 0 for a model without one.
    pub latents: f64,
}

/// What a worker found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Of each trial, in the order of the job; `null` where the time did not suffice, or the model cannot be built.
    pub paces: Vec<Option<Pace>>,
    /// Wall-clock seconds of all trials; what the process takes beside is its start.
    pub seconds: f64,
}
