//! Training: batches, optimizer, the fit loop, evaluation, checkpoints; the only crate that links libtorch into a program.

pub mod arrays;
pub mod batches;
pub mod cohort;
pub mod evaluate;
pub mod fit;
pub mod import;
mod measure;
pub mod mixture;
pub mod optimizer;
mod recorder;
pub mod sampling;
pub mod schedule;
pub mod statistics;
mod usage;
pub mod weights;
pub mod work;
