//! What workers are started from: the program `elbo-train`, where it works, and what it may use.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use protocol::{CHECKPOINT_EVERY_SECONDS, Job, Task, Threads, WorkerSettings};
use spec::{Cell, Device};

use crate::settings::Settings;

/// Starts workers that have the same settings but for their threads.
#[derive(Clone, Debug)]
pub struct Launcher {
    program: PathBuf,
    worker: WorkerSettings,
}

impl Launcher {
    /// Workers that compute on `device`.
    ///
    /// # Errors
    /// If there is no `elbo-train`, or a folder's absolute path cannot be found out.
    pub fn new(settings: &Settings, device: Device) -> Result<Launcher> {
        let worker = WorkerSettings {
            results: absolute(&settings.results)?,
            data: settings.data.as_deref().map(absolute).transpose()?,
            threads: threads_of(1, false),
            device,
            checkpoint_every_seconds: CHECKPOINT_EVERY_SECONDS,
        };
        Ok(Launcher { program: find_program()?, worker })
    }

    /// The program, not yet started. OpenMP reads its number of threads from the environment alone.
    pub(super) fn command(&self, threads: Threads) -> Command {
        let threads = threads.count.to_string();
        let mut command = Command::new(&self.program);
        command.env("OMP_NUM_THREADS", &threads).env("MKL_NUM_THREADS", &threads);
        command
    }

    /// A job for a worker, as JSON.
    ///
    /// # Errors
    /// If a path is not in UTF-8.
    pub(super) fn job(&self, task: Task, cells: Vec<Cell>, threads: Threads) -> Result<Vec<u8>> {
        Ok(Job::new(WorkerSettings { threads, ..self.worker.clone() }, task, cells).to_json()?)
    }
}

/// So many threads, at least one; whether a person asked for them.
pub fn threads_of(count: usize, asked: bool) -> Threads {
    Threads { count: NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN), asked }
}

/// The executable `elbo-train`, which lies beside this one.
///
/// # Errors
/// If it is not there.
pub fn find_program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find out where elbo itself is")?;
    let program = own.with_file_name(format!("elbo-train{}", std::env::consts::EXE_SUFFIX));
    if !program.is_file() {
        bail!(
            "there is no `{}`, the program that trains\nhint: build it with `./just build`; it belongs beside `elbo`",
            program.display()
        );
    }
    Ok(program)
}

/// A path as workers see it, whatever their working directory.
///
/// # Errors
/// If the working directory cannot be found out.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot find out where `{}` is", path.display()))
}
