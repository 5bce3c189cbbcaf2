//! Training: batches, optimizer, the fit loop, evaluation, checkpoints; the only crate that links libtorch into a program.

pub mod fit;
pub mod cohort;
pub mod schedule;
pub mod batches;
pub mod optimizer;
pub mod statistics;
pub mod evaluate;
pub mod weights;
pub mod work;
