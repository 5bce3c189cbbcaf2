//! What the run store promises to those who write and read it; one program, so that polars is linked once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod gc;
mod kills;
mod list;
mod made_up;
mod published;
mod readers;
mod store;
mod summary;
mod support;
