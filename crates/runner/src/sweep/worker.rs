//! One training process: started, fed its cohort, listened to, signalled, and asked how it ended.
//!
//! Every worker is the leader of a process group of its own. So Ctrl-C in a terminal reaches `elbo` alone, which
//! passes on exactly one signal.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;

use anyhow::{Context, Result, anyhow};
use record::Event;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;
use spec::{Cell, Device};

/// Lines of a worker's standard error that are kept to say why it died.
const KEPT_LINES: usize = 20;
/// Bytes of a line that are read at most; a worker that prints more without a line's end prints several lines.
const LINE_BYTES: u64 = 1 << 16;

/// Where workers find things, and what they may use.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The executable.
    pub program: PathBuf,
    /// The results folder.
    pub results: PathBuf,
    /// The folder to look for data sets in.
    pub data: Option<PathBuf>,
    /// Threads of each worker.
    pub threads: usize,
    /// Where to compute.
    pub device: Device,
}

impl Setup {
    /// The program with its options, not yet started.
    ///
    /// # Errors
    /// If the device cannot be written down.
    pub fn command(&self) -> Result<Command> {
        let device = serde_json::to_value(self.device)?;
        let threads = self.threads.to_string();
        let mut command = Command::new(&self.program);
        command.arg("--results").arg(&self.results).args(["--threads", &threads]);
        command.args(["--device", device.as_str().unwrap_or("cpu")]);
        if let Some(data) = &self.data {
            command.arg("--data").arg(data);
        }
        command.env("OMP_NUM_THREADS", &threads).env("MKL_NUM_THREADS", &threads);
        Ok(command)
    }
}

/// What reaches the main thread.
#[derive(Debug)]
pub enum Message {
    /// A worker said something.
    Event {
        /// Place of its cohort.
        cohort: usize,
        /// What it said.
        event: Event,
    },
    /// A worker printed a line that is no event: a warning, or something unexpected.
    Line {
        /// Place of its cohort.
        cohort: usize,
        /// The line.
        line: String,
    },
    /// One of a worker's two outputs came to its end.
    Closed {
        /// Place of its cohort.
        cohort: usize,
    },
    /// A signal arrived.
    Signal(i32),
}

/// A running worker.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    open_outputs: usize,
    last_lines: VecDeque<String>,
}

/// The executable `elbo-train`, which lies beside this one.
///
/// # Errors
/// If it is not there.
pub fn find_worker() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find out where elbo itself is")?;
    let worker = own.with_file_name(format!("elbo-train{}", std::env::consts::EXE_SUFFIX));
    if !worker.is_file() {
        return Err(anyhow!(
            "there is no `{}`, the program that trains\nhint: build it with `./just build`; it belongs beside `elbo`",
            worker.display()
        ));
    }
    Ok(worker)
}

impl Worker {
    /// Starts a worker with a task on `cells`; what it says is sent to `messages` under the name `cohort`.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start(
        setup: &Setup,
        cohort: usize,
        task: impl Serialize,
        cells: &[&Cell],
        messages: &Sender<Message>,
    ) -> Result<Worker> {
        #[derive(Serialize)]
        struct Input<'a, T> {
            task: T,
            cells: &'a [&'a Cell],
        }
        let input = serde_json::to_vec(&Input { task, cells })?;
        let mut command = setup.command()?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().with_context(|| {
            format!("cannot start `{}`\nhint: build it anew with `./just build`", setup.program.display())
        })?;
        if let Some(mut stdin) = child.stdin.take() {
            // In a thread, since a worker that never reads would hold up the others; one that has died is noticed
            // by its exit.
            std::thread::spawn(move || {
                let _ = stdin.write_all(&input);
            });
        }
        let mut open_outputs = 0;
        if let Some(stdout) = child.stdout.take() {
            open_outputs += 1;
            listen(stdout, cohort, messages.clone(), |line, cohort| match serde_json::from_str(&line) {
                Ok(event) => Message::Event { cohort, event },
                Err(_) => Message::Line { cohort, line },
            });
        }
        if let Some(stderr) = child.stderr.take() {
            open_outputs += 1;
            listen(stderr, cohort, messages.clone(), |line, cohort| Message::Line { cohort, line });
        }
        Ok(Worker { child, open_outputs, last_lines: VecDeque::new() })
    }

    /// Keeps a line for the case that it is among the last.
    pub fn note_line(&mut self, line: &str) {
        if self.last_lines.len() == KEPT_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(line.to_owned());
    }

    /// Counts an output that came to its end.
    pub fn note_closed(&mut self) {
        self.open_outputs = self.open_outputs.saturating_sub(1);
    }

    /// Whether all that the worker printed has been read.
    pub fn is_silent(&self) -> bool {
        self.open_outputs == 0
    }

    /// How the process ended, if it has.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot ask for the state of a worker")
    }

    /// Sends a signal to the worker and whatever it started.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended just now.
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Why the worker ended, in one sentence.
    pub fn reason(&self, status: ExitStatus) -> String {
        let ended = match (status.code(), status.signal()) {
            (Some(0), _) => "elbo-train ended without finishing the run".to_owned(),
            (Some(code), _) => format!("elbo-train ended with exit code {code}"),
            (None, Some(9)) => "elbo-train was killed (signal 9), by the system if memory ran out".to_owned(),
            (None, Some(signal)) => format!("elbo-train was killed by signal {signal}"),
            (None, None) => "elbo-train ended".to_owned(),
        };
        let said = self.last_lines.iter().rev().find(|line| line.starts_with("error"));
        match said.or(self.last_lines.iter().rev().find(|line| !line.trim().is_empty())) {
            Some(line) => format!("{ended}: {}", line.trim()),
            None => ended,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Only if an error ends the sweep early is a worker still running here; it writes a checkpoint.
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::TERM);
        }
    }
}

/// Sends every line of an output, then that it is closed, from a thread of its own.
fn listen(
    output: impl Read + Send + 'static,
    cohort: usize,
    messages: Sender<Message>,
    to_message: impl Fn(String, usize) -> Message + Send + 'static,
) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut bytes = Vec::new();
        while let Ok(1..) = reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut bytes) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            if messages.send(to_message(line, cohort)).is_err() {
                return;
            }
        }
        let _ = messages.send(Message::Closed { cohort });
    });
}

/// The name of a results folder as workers see it, whatever their working directory.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot find out where `{}` is", path.display()))
}
