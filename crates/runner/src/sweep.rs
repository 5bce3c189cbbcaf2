//! Training and measuring of what is missing: cohorts over workers, progress, and what is drawn in the end.

mod drawn;
mod pool;
mod progress;

pub use drawn::Drawing;
pub use pool::{Tally, run_cohorts};
