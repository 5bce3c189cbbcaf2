//! One process of `elbo-train`: started, given its job, listened to, signalled, and asked how it ended.
//!
//! Every worker is the leader of a process group of its own. So Ctrl-C in a terminal reaches `elbo` alone, which
//! passes on exactly one signal.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;

use anyhow::{Context, Result};
use protocol::Message;
use rustix::process::{Pid, Signal, kill_process_group};

/// Lines of a worker's standard error that are kept to say why it died.
const KEPT_LINES: usize = 20;
/// Bytes of a line that are read at most; a worker that prints more without a line's end prints several lines.
const LINE_BYTES: u64 = 1 << 16;

/// What reaches the main thread.
#[derive(Debug)]
pub enum Incoming {
    /// A worker told something.
    Message {
        /// The worker's number.
        worker: usize,
        /// What it told.
        message: Message,
    },
    /// A worker printed a line that is no message.
    Line {
        /// The worker's number.
        worker: usize,
        /// The line.
        line: String,
    },
    /// One of a worker's two outputs came to its end.
    Closed {
        /// The worker's number.
        worker: usize,
    },
    /// A signal arrived.
    Signal(i32),
}

/// A process of `elbo-train`.
#[derive(Debug)]
pub struct Process {
    child: Child,
    open_outputs: usize,
    last_lines: VecDeque<String>,
}

impl Process {
    /// Starts a program and gives it a job; what it says is sent to `inbox` under the number `worker`.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start(mut command: Command, job: Vec<u8>, worker: usize, inbox: &Sender<Incoming>) -> Result<Process> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().with_context(|| {
            let program = Path::new(command.get_program());
            format!("cannot start `{}`\nhint: build it anew with `./just build`", program.display())
        })?;
        if let Some(mut stdin) = child.stdin.take() {
            // In a thread, since a worker that never reads would hold up the others; one that has died is noticed
            // by its exit.
            std::thread::spawn(move || {
                let _ = stdin.write_all(&job);
            });
        }
        let mut open_outputs = 0;
        if let Some(stdout) = child.stdout.take() {
            open_outputs += 1;
            listen(stdout, worker, inbox.clone(), move |line| match serde_json::from_str(&line) {
                Ok(message) => Incoming::Message { worker, message },
                Err(_) => Incoming::Line { worker, line },
            });
        }
        if let Some(stderr) = child.stderr.take() {
            open_outputs += 1;
            listen(stderr, worker, inbox.clone(), move |line| Incoming::Line { worker, line });
        }
        Ok(Process { child, open_outputs, last_lines: VecDeque::new() })
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

impl Drop for Process {
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
    worker: usize,
    inbox: Sender<Incoming>,
    incoming: impl Fn(String) -> Incoming + Send + 'static,
) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut bytes = Vec::new();
        while let Ok(1..) = reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut bytes) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            if inbox.send(incoming(line)).is_err() {
                return;
            }
        }
        let _ = inbox.send(Incoming::Closed { worker });
    });
}
