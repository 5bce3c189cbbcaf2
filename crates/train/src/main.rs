//! `elbo-train`: trains one cohort of cells, measures more on it, or uses a trained model. `elbo` starts it; people rarely do.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use anyhow::{Context as _, bail};
use protocol::{Job, Message, Version};
use signal_hook::consts::{SIGINT, SIGTERM};
use train::context::{TaskContext, TaskOutcome};
use train::messages::MessageWriter;
use train::{tasks, threads};

const HELP: &str = "\
Train one cohort of cells, measure more on it, or use a trained model; `elbo` starts this program.

Usage: elbo-train [--help | --version]

Reads one job (JSON) from standard input: its version, settings (results folder, data folder, threads, device, seconds between
checkpoints), task (train, evaluate, weights, use or calibrate) and cells. Writes one message a line (JSON) to standard output, its version
first. Jobs and messages are those of the crate `protocol`.
Exit codes: 0 all runs done, 1 some failed, 2 usage, 130 and 143 stopped by a signal at a checkpoint.";

fn main() -> ExitCode {
    tune_libraries();
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--help" | "-h") => return print(HELP),
        Some("--version" | "-V") => return print(&format!("elbo-train {}", Version::own())),
        Some(other) => {
            let hint = "the job is read from standard input; see `elbo-train --help`";
            return complain(&anyhow::anyhow!("unknown argument `{other}`\nhint: {hint}"), 2);
        }
    }
    let signal = Arc::new(AtomicUsize::new(0));
    let mut stdout = std::io::stdout().lock();
    let mut out = MessageWriter::new(&mut stdout, &signal);
    out.message(&Message::Hello(Version::own()));
    let job = match job() {
        Ok(job) => job,
        Err(error) => return complain(&error, 2),
    };
    match work(&job, signal, &mut out) {
        Ok(TaskOutcome::Done) => ExitCode::SUCCESS,
        Ok(TaskOutcome::SomeFailed) => ExitCode::from(1),
        Ok(TaskOutcome::Interrupted(signal)) => ExitCode::from(128 + signal as u8),
        Err(error) => complain(&error, 1),
    }
}

fn print(text: &str) -> ExitCode {
    // A reader that has gone has read all that it wanted.
    let _ = writeln!(std::io::stdout(), "{text}");
    ExitCode::SUCCESS
}

fn complain(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(code)
}

/// Start this program anew with settings for the C library's allocator and for OpenMP's threads, which are read only at start.
///
/// The allocator keeps freed memory, and asks for huge pages. A step frees and allocates tensors of megabytes; giving those pages
/// back to the system and faulting them in again, four kilobytes at a time, costs a fifth of the step. Threads spin for each other
/// no longer than a fraction of a millisecond, see [`threads`]. What the user has set is kept.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn tune_libraries() {
    use std::os::unix::process::CommandExt as _;
    const ALLOCATOR: (&str, &str) = (
        "GLIBC_TUNABLES",
        "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824\
         :glibc.malloc.trim_threshold=8589934592:glibc.malloc.top_pad=67108864",
    );
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let wanted =
        [(ALLOCATOR, is_set(ALLOCATOR.0)), (threads::SPIN, is_set(threads::SPIN.0) || is_set("OMP_WAIT_POLICY"))];
    let missing: Vec<(&str, &str)> = wanted.into_iter().filter(|(_, has)| !has).map(|(variable, _)| variable).collect();
    if missing.is_empty() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // Comes back only when it failed; then training is slower, and otherwise the same.
        let _ = std::process::Command::new(program).args(std::env::args_os().skip(1)).envs(missing).exec();
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn tune_libraries() {}

/// The job on standard input, which this program can do.
fn job() -> anyhow::Result<Job> {
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text).context("cannot read the job from standard input")?;
    let job = Job::from_json(&text)?;
    if job.settings.device == spec::Device::Cuda && !tch::Cuda::is_available() {
        bail!("this libtorch finds no CUDA device\nhint: build with `ELBO_LIBTORCH=cuda ./just build`, or use `cpu`");
    }
    threads::set(job.settings.threads.count.get());
    Ok(job)
}

fn work(job: &Job, signal: Arc<AtomicUsize>, out: &mut MessageWriter<'_>) -> anyhow::Result<TaskOutcome> {
    let asked_before = Arc::new(AtomicBool::new(false));
    for number in [SIGINT, SIGTERM] {
        // The first signal asks to stop at the next step; a second one ends the process at once.
        signal_hook::flag::register_conditional_default(number, Arc::clone(&asked_before))?;
        signal_hook::flag::register(number, Arc::clone(&asked_before))?;
        signal_hook::flag::register_usize(number, Arc::clone(&signal), number as usize)?;
    }
    tasks::run(job, &TaskContext::new(job.settings.clone(), signal), out)
}
