//! Training and measuring of what is missing: cohorts over workers, and progress.

mod pool;
mod progress;

pub use pool::{Tally, run_cohorts};
