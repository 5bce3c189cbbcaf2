//! What `elbo` and its worker `elbo-train` say to each other: a job in, a line for each message out, both with a version.
//!
//! `elbo` starts `elbo-train` without arguments and writes one [`Job`], a JSON document, to its standard input. The worker writes
//! [`Message`]s to its standard output, one line of JSON each: [`Message::Hello`] first, so that each side knows the other's
//! version before it believes anything else; then events, and for some tasks an answer. Its standard error is for people. Its
//! exit code is 0 when everything is done, 1 when something failed, 2 for a job it refuses, and 128 + n on signal n.

mod calibration;
mod event;
mod job;
mod message;
pub mod usage;
mod version;

pub use calibration::{Calibration, Pace, Trial};
pub use event::Event;
pub use job::{CHECKPOINT_EVERY_SECONDS, Job, JobError, OutsideWeights, Task, Threads, WorkerSettings};
pub use message::Message;
pub use usage::Usage;
pub use version::{OtherVersion, Version};
