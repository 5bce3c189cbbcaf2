//! Training of what is missing: worker processes, what they say, signals, and progress.

mod drawn;
mod pool;
mod progress;
mod signals;
mod worker;

pub use drawn::Drawing;
pub use pool::{LAST_LINES, TICK, Trained, train};
pub use signals::Watch;
pub use worker::{Message, Setup, Worker, absolute, find_worker};
