//! How far a worker is: told on its standard output; what lasts is also kept in the run's `log.jsonl`.

use serde::{Deserialize, Serialize};
use spec::{Metric, RunId};

/// One line of JSON, tagged by `event`: `{"event":"epoch","run_id":"…","epoch":3,…}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run began or goes on.
    Started {
        /// The run.
        run_id: RunId,
        /// Epochs completed so far: 0, or where a resumed run goes on.
        from_epoch: u32,
    },
    /// How far the whole cohort is, a few times a second; measuring counts as one epoch.
    Progress {
        /// The epoch being trained, counted from 1.
        epoch: u32,
        /// Epochs in all.
        epochs: u32,
        /// Steps taken in this epoch.
        step: u64,
        /// Steps of one epoch.
        steps: u64,
    },
    /// A run completed an epoch.
    Epoch {
        /// The run.
        run_id: RunId,
        /// Epochs completed.
        epoch: u32,
        /// ELBO on the training split, in nats per image, a mean over images; `null` for a model without a bound.
        train_elbo: Option<f64>,
        /// ELBO on the test split, in nats per image, a mean over images; `null` for a model without a bound.
        test_elbo: Option<f64>,
        /// Wall-clock seconds of the epoch, shared by all runs of the cohort.
        seconds: f64,
    },
    /// A run is complete.
    Finished {
        /// The run.
        run_id: RunId,
        /// Wall-clock seconds of this process, shared by all runs of the cohort.
        seconds: f64,
    },
    /// From this step on a run is trained with another number of threads, since that is faster: other work on the machine
    /// holds up threads that wait for each other. Rounding depends on the number.
    Threads {
        /// The run.
        run_id: RunId,
        /// Epochs completed.
        epoch: u32,
        /// Steps taken since the start of training.
        step: u64,
        /// Threads until then.
        from: usize,
        /// Threads from then on.
        to: usize,
        /// Seconds of a step with the former number.
        seconds_before: f64,
        /// Seconds of a step with the latter.
        seconds_after: f64,
    },
    /// Something was measured on a run's trained model.
    Evaluated {
        /// The run.
        run_id: RunId,
        /// What was measured.
        metric: Metric,
        /// The value, in the metric's unit.
        value: f64,
        /// Standard error of `value` over images, in its unit; `null` where there is none.
        standard_error: Option<f64>,
    },
    /// A run stopped for good.
    Failed {
        /// The run.
        run_id: RunId,
        /// Why, in one sentence.
        reason: String,
    },
    /// A run stopped on a signal and can go on from its checkpoint.
    Interrupted {
        /// The run.
        run_id: RunId,
        /// Epochs completed and kept.
        epoch: u32,
    },
}
