//! What computing costs on this machine: timed by `elbo-train` within a second or two, and kept in the user's cache folder.
//!
//! What is kept is of one processor and one `elbo-train`; of another it is thrown away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Instant, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use protocol::{Calibration, Message, Pace, Task, Trial};
use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::plan::estimate::Job;
use crate::settings::Settings;
use crate::worker::{Conclusion, Launcher, find_program, run_single, threads_of};

/// Whose paces these are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Machine {
    /// The processor's model.
    processor: String,
    /// Processors that may be used.
    cores: usize,
    /// Size of `elbo-train` in bytes, and its last change in nanoseconds since 1970.
    program: (u64, u128),
}

/// What is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    machine: Machine,
    /// Seconds from the start of a process until it computes.
    start_up: f64,
    paces: BTreeMap<String, Pace>,
}

/// What is known of this machine's speed.
#[derive(Debug)]
pub struct Paces {
    file: PathBuf,
    /// `None` where nothing is known.
    kept: Option<Kept>,
}

impl Paces {
    /// What earlier calibrations found, if they were of this machine and this `elbo-train`.
    pub fn load(folders: &data::Folders) -> Paces {
        let file = folders.cache.join("calibration.json");
        let here = find_program().and_then(|program| machine(&program)).ok();
        let read = || serde_json::from_slice::<Kept>(&fs_err::read(&file).ok()?).ok();
        let kept = read().filter(|kept| here.as_ref() == Some(&kept.machine));
        Paces { file, kept }
    }

    /// Times what a plan's cohorts compute, where it is not known.
    ///
    /// # Errors
    /// If there is no worker, or it fails.
    pub fn complete(&mut self, plan: &Plan, settings: &Settings) -> Result<()> {
        let mut missing: BTreeMap<String, Trial> = BTreeMap::new();
        for job in plan.cohorts.iter().filter_map(|cohort| cohort.job.as_ref()) {
            if self.of(job).is_none() {
                missing.insert(key(job)?, job.trial.clone());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let program = find_program()?;
        let (keys, trials): (Vec<String>, Vec<Trial>) = missing.into_iter().unzip();
        let launcher = Launcher::new(settings, plan.parallelism.device)?;
        let threads = trials.iter().map(|trial| trial.threads.get()).max().unwrap_or(1);
        let started = Instant::now();
        let conclusion = run_single(launcher, Task::Calibrate(trials), Vec::new(), threads_of(threads, false))?;
        let Conclusion::Done { answer: Some(Message::Calibration(Calibration { paces, seconds })) } = conclusion else {
            bail!("elbo-train has not told what computing costs");
        };
        let start_up = (started.elapsed().as_secs_f64() - seconds).max(0.0);
        let kept = self.kept.get_or_insert_default();
        kept.machine = machine(&program)?;
        kept.start_up = start_up;
        kept.paces.extend(keys.into_iter().zip(paces).filter_map(|(key, pace)| Some((key, pace?))));
        // A cache that cannot be written costs a calibration at the next call, and nothing more.
        let _ = write(&self.file, kept);
        Ok(())
    }

    /// Seconds until a process computes; `None` where nothing is known.
    pub fn start_up(&self) -> Option<f64> {
        self.kept.as_ref().map(|kept| kept.start_up)
    }

    /// The pace of a cohort; `None` where it was not timed.
    pub fn of(&self, job: &Job) -> Option<Pace> {
        self.kept.as_ref()?.paces.get(&key(job).ok()?).copied()
    }
}

fn machine(program: &Path) -> Result<Machine> {
    let about = fs_err::metadata(program)?;
    let changed = about.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let host = record::Host::here();
    Ok(Machine { processor: host.cpu, cores: host.cpus, program: (about.len(), changed) })
}

/// Equal for cohorts that compute the same: what their tensors' shapes and the operations on them depend on.
fn key(job: &Job) -> Result<String> {
    let trial = &job.trial;
    let widest = trial.cells.iter().max_by_key(|cell| cell.model.latent_dim).context("a trial without cells")?;
    let parts = serde_json::json!({
        "model": widest.model,
        "objective": (widest.objective.kind, widest.objective.gradient, widest.objective.n_samples()),
        "batch_size": widest.training.batch_size,
        "image": trial.image,
        "cells": trial.cells.len(),
        "threads": trial.threads,
        "device": job.device,
    });
    Ok(parts.to_string())
}

/// Writes beside the file and renames, so that no reader meets a part of it.
fn write(file: &Path, kept: &Kept) -> Result<()> {
    let text = serde_json::to_vec_pretty(kept)?;
    fs_err::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
    let new = file.with_extension(format!("{}.new", std::process::id()));
    fs_err::write(&new, text)?;
    Ok(fs_err::rename(new, file)?)
}
