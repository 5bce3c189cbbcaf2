//! Training: batches, optimizer, the fit loop, evaluation, checkpoints; the only crate that links libtorch into a program.
//!
//! [`tasks`] is what `elbo-train` does with a job. Training reads from the bottom up: [`batches`], [`schedule`], [`optimizer`],
//! [`cohort`] (all that training changes), [`fit`] (the loop).

pub mod arrays;
pub mod batches;
pub mod best;
mod closed_form;
pub mod cohort;
pub mod context;
pub mod evaluate;
pub mod fit;
pub mod image_metrics;
mod information;
mod manifold;
pub mod messages;
pub mod mixture;
pub mod optimizer;
pub mod position;
mod quadrature;
mod recorder;
pub mod rows;
pub mod sampling;
pub mod schedule;
pub mod statistics;
pub mod tasks;
pub mod threads;
pub mod trained;
pub mod weights;
