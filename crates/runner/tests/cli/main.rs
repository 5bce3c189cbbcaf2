//! Tests of the built `elbo`: what it prints, what it writes, and how it ends.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod drawing;
mod images;
mod keep;
mod latents;
#[path = "../../../record/tests/suite/made_up.rs"]
mod made_up;
mod metrics;
mod models;
mod own_images;
mod packs;
mod read;
mod removing;
mod reproduce;
mod studies;
mod support;
mod sweep_folders;
mod usage;
mod weights;
mod workers;
