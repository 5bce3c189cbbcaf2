//! Training of what is missing: worker processes, what they say, signals, and progress.

mod drawn;
mod pool;
mod progress;
mod signals;
mod worker;

pub use drawn::Drawing;
pub use pool::{Trained, train};
pub use worker::{absolute, find_worker};
