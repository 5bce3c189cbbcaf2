//! `elbo-train`: trains one cohort of cells, measures more on it, or uses a trained model. `elbo sweep` starts it; people rarely do.

use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use anyhow::{Context as _, bail};
use signal_hook::consts::{SIGINT, SIGTERM};
use tch::Device;
use train::work::{Job, Outcome, Settings, work};

const HELP: &str = "\
Train one cohort of cells, measure more on it, or use a trained model; `elbo` starts this program.

Usage: elbo-train --results DIR [--data DIR] [--threads N] [--device cpu|cuda] [--checkpoint-every SECONDS]

Reads {\"cells\": [...]} (JSON) from standard input and writes one event a line (JSON) to standard output;
\"task\": {\"evaluate\": {\"importance_samples\": 5000}} beside the cells estimates log p(x) on their trained models;
\"task\": {\"weights\": {\"file\": \"model.safetensors\", \"samples\": 1}} measures a single cell's model with weights from outside;
\"task\": {\"use\": ...} uses the model of a single cell, as `elbo sample`, `reconstruct` and `encode` ask.
Exit codes: 0 all runs done, 1 some failed, 2 usage, 130 and 143 stopped by a signal at a checkpoint.";

fn main() -> ExitCode {
    tune_allocator();
    let settings = match settings(std::env::args().skip(1)) {
        Ok(Some(settings)) => settings,
        Ok(None) => {
            eprintln!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error:#}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    if settings.device.is_cuda() && !tch::Cuda::is_available() {
        eprintln!(
            "error: this libtorch finds no CUDA device\nhint: build with `ELBO_LIBTORCH=cuda ./just build`, or use `cpu`"
        );
        return ExitCode::from(2);
    }
    match run(&settings) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        Ok(Outcome::Interrupted(signal)) => ExitCode::from(128 + signal as u8),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

/// Start this program anew with settings for the C library's allocator, which it reads only at start: keep freed memory,
/// and ask for huge pages. A step frees and allocates tensors of megabytes; giving those pages back to the system and
/// faulting them in again, four kilobytes at a time, costs a fifth of the step.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn tune_allocator() {
    use std::os::unix::process::CommandExt as _;
    const NAME: &str = "GLIBC_TUNABLES";
    const VALUE: &str = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824\
                         :glibc.malloc.trim_threshold=8589934592:glibc.malloc.top_pad=67108864";
    if std::env::var_os(NAME).is_some() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // Comes back only when it failed; then training is slower, and otherwise the same.
        let _ = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(NAME, VALUE).exec();
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn tune_allocator() {}

fn run(settings: &Settings) -> anyhow::Result<Outcome> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read the job from standard input")?;
    let job: Job = serde_json::from_str(&text).context("the job on standard input is not {\"cells\": [...]}")?;
    let signal = Arc::new(AtomicUsize::new(0));
    let asked_before = Arc::new(AtomicBool::new(false));
    for number in [SIGINT, SIGTERM] {
        // The first signal asks to stop at the next step; a second one ends the process at once.
        signal_hook::flag::register_conditional_default(number, Arc::clone(&asked_before))?;
        signal_hook::flag::register(number, Arc::clone(&asked_before))?;
        signal_hook::flag::register_usize(number, Arc::clone(&signal), number as usize)?;
    }
    tch::set_num_threads(i32::try_from(settings.threads).context("too many threads")?);
    work(job, settings, &signal, &mut std::io::stdout().lock())
}

/// `None` when help is asked for.
fn settings(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Option<Settings>> {
    let (mut results, mut data, mut device) = (None, None, Device::Cpu);
    let mut threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut checkpoint_every = Duration::from_secs(10);
    while let Some(name) = arguments.next() {
        if name == "--help" || name == "-h" {
            return Ok(None);
        }
        let mut value = || arguments.next().with_context(|| format!("`{name}` needs a value"));
        match name.as_str() {
            "--results" => results = Some(value()?.into()),
            "--data" => data = Some(value()?.into()),
            "--threads" => {
                let text = value()?;
                threads = text
                    .parse()
                    .ok()
                    .filter(|&n| n > 0)
                    .with_context(|| format!("`--threads` is `{text}`, not a number from 1"))?;
            }
            "--checkpoint-every" => {
                let text = value()?;
                let seconds = text.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
                checkpoint_every = seconds.with_context(|| format!("`--checkpoint-every` is `{text}`, not seconds"))?;
            }
            "--device" => match value()?.as_str() {
                "cpu" => device = Device::Cpu,
                "cuda" => device = Device::Cuda(0),
                other => bail!("`--device` is `{other}`\nhint: use `cpu` or `cuda`"),
            },
            other => bail!("unknown argument `{other}`"),
        }
    }
    let results = results.context("`--results` is needed")?;
    Ok(Some(Settings { results, data, threads, device, checkpoint_every }))
}
