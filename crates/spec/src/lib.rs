//! What an experiment is: parse, check, expand, identify.

pub mod cell;

pub use cell::*;
