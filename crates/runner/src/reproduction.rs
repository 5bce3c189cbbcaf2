//! Published numbers against those obtained: what the committed records say of every row of a `reference`.
//!
//! Everything here is a function of experiment files and records, so that the table can be rebuilt anywhere, to the byte.

mod curve;
mod lines;
mod render;

pub use lines::{Line, Obtained, SetUp, Verdict, lines};
pub use render::{csv, markdown};
