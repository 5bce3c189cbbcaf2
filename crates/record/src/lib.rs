//! The run store: what a run leaves behind, how it is written so that nothing tears, and how it is read back.
//!
//! Read [`rows`] and [`manifest`] first (what is stored), then [`run`], [`store`], [`summary`], [`difference`], [`verdict`] and [`published`]
//! (how it is read), then [`files`], [`lock`], [`editor`] and [`writer`] (how it is written). Every number is in nats per image, a mean
//! over images, unless its documentation says otherwise. polars stays inside `parquet`; HDF5 inside [`arrays`], safetensors
//! inside [`tensors`]. What a sweep's folder stands for is in [`kept`]; what is removed goes through [`trash`]; [`pack`] makes one
//! small file of an experiment's records, and a store of that file.
//!
//! A run has one editor at a time, [`RunEditor`], and while it trains a [`RunWriter`] around it: it holds a lock of the
//! operating system on the run's folder; one that is killed leaves no stale lock. Readers ([`Store`], [`Run`]) take no lock
//! and wait for nobody: every file appears by a rename of a complete, flushed file, so that they see the old one or the new
//! one.
//!
//! # Which file holds the metrics while a run trains
//!
//! Each epoch is a segment of its own, `metrics/epoch-00003.parquet`, written once and never touched again: that is
//! what survives a kill and what [`Run::metrics`] reads. Beside it, `metrics.parquet` holds the same rows in one file
//! and is replaced as a whole (again by rename) when an epoch ends, at most every two seconds, so that
//! `pl.read_parquet("results/runs/*/metrics.parquet")` reads all runs while a sweep trains; it is an epoch and two
//! seconds behind at worst (in a run of more than 50 epochs, two in a hundred of them). Only segments would leave a sweep's runs
//! invisible to that line until they finish; only the one file would cost a write that grows with every epoch, at every
//! epoch. When a run ends the segments are merged into `metrics.parquet` and removed. How a file is replaced under
//! readers that open it twice is told in `parquet.rs`.

pub mod arrays;
pub mod checkpoint;
mod continuation;
pub mod difference;
pub mod editor;
pub mod error;
mod evaluation;
pub mod files;
mod format;
pub mod gc;
mod index;
pub mod kept;
pub mod lock;
pub mod manifest;
mod metrics;
pub mod npy;
pub mod pack;
mod parquet;
pub mod provenance;
pub mod published;
pub mod rows;
pub mod run;
pub mod status;
pub mod store;
pub mod student;
pub mod summary;
pub mod tensors;
pub mod trash;
pub mod verdict;
pub mod writer;

pub use arrays::{Array, ArrayName, Arrays, NEARLY_OPPOSITE};
pub use checkpoint::{Checkpoint, LatestCheckpoint};
pub use editor::RunEditor;
pub use error::RecordError;
pub use format::FormatVersion;
pub use kept::{KeptRun, KeptSweep, SweepFolder};
pub use manifest::{Continued, EpochTerms, Git, Host, Provenance, RunManifest, StoredStatus, ThreadSpan, Timing};
pub use pack::{PackedRun, Unpacked, unpack};
pub use rows::{EpochMetrics, MetricsRow};
pub use run::Run;
pub use status::Status;
pub use store::{ListedRun, Listing, Store, Unreadable};
pub use writer::RunWriter;
