//! Supervises workers: what they say, their versions, signals, and how they end.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use protocol::{Message, Task, Threads};
use rustix::process::Signal;
use signal_hook::consts::SIGINT;
use spec::Cell;

use crate::worker::launcher::Launcher;
use crate::worker::process::{Incoming, Process};
use crate::worker::signals::Watch;

/// How often workers are looked after when none of them says anything.
const TICK: Duration = Duration::from_millis(50);
/// How long an ended worker's last lines are waited for: something it started may hold its outputs open.
const LAST_LINES: Duration = Duration::from_secs(1);

/// What happened.
#[derive(Debug)]
pub enum Notice {
    /// A worker told something, other than its version.
    Message {
        /// The worker's number.
        worker: usize,
        /// What it told.
        message: Message,
    },
    /// A worker printed a line that is no message: a warning, or something unexpected.
    Line {
        /// The worker's number.
        worker: usize,
        /// The line.
        line: String,
    },
    /// A worker has ended, and all that it printed was told.
    Ended {
        /// The worker's number.
        worker: usize,
        /// How.
        status: ExitStatus,
        /// Why, in one sentence.
        reason: String,
    },
    /// A signal arrived. The first was passed on to the workers, so that they write checkpoints; a later one killed them.
    Signal {
        /// Its number.
        signal: i32,
        /// Whether it is the first.
        is_first: bool,
    },
}

/// Running workers, each under a number of its own. While this lives, signals are notices.
pub struct Supervisor {
    launcher: Launcher,
    to_inbox: Sender<Incoming>,
    inbox: Receiver<Incoming>,
    _watch: Watch,
    workers: BTreeMap<usize, Supervised>,
    signal: Option<i32>,
}

struct Supervised {
    process: Process,
    has_told_version: bool,
    ended: Option<(ExitStatus, Instant)>,
}

impl Supervisor {
    /// Without a worker yet.
    ///
    /// # Errors
    /// If the system refuses handlers of signals.
    pub fn new(launcher: Launcher) -> Result<Supervisor> {
        let (to_inbox, inbox) = channel();
        let watch = Watch::start(to_inbox.clone())?;
        Ok(Supervisor { launcher, to_inbox, inbox, _watch: watch, workers: BTreeMap::new(), signal: None })
    }

    /// Starts a worker with a task on `cells`, under the number `worker`.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start(&mut self, worker: usize, task: Task, cells: Vec<Cell>, threads: Threads) -> Result<()> {
        let job = self.launcher.job(task, cells, threads)?;
        let process = Process::start(self.launcher.command(threads), job, worker, &self.to_inbox)?;
        self.workers.insert(worker, Supervised { process, has_told_version: false, ended: None });
        Ok(())
    }

    /// The first signal that arrived.
    pub fn signal(&self) -> Option<i32> {
        self.signal
    }

    /// Waits a moment for what happens next; `None` if nothing worth telling did.
    ///
    /// # Errors
    /// If a worker is of another version, or the system cannot tell how one is.
    pub fn wait(&mut self) -> Result<Option<Notice>> {
        if let Some(ended) = self.take_ended()? {
            return Ok(Some(ended));
        }
        match self.inbox.recv_timeout(TICK) {
            Ok(Incoming::Message { worker, message }) => self.check(worker, message),
            Ok(Incoming::Line { worker, line }) => {
                if let Some(supervised) = self.workers.get_mut(&worker) {
                    supervised.process.note_line(&line);
                }
                Ok(Some(Notice::Line { worker, line }))
            }
            Ok(Incoming::Closed { worker }) => {
                if let Some(supervised) = self.workers.get_mut(&worker) {
                    supervised.process.note_closed();
                }
                Ok(None)
            }
            Ok(Incoming::Signal(signal)) => Ok(Some(self.pass_on(signal))),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("all senders of messages are gone"),
        }
    }

    /// A worker that has ended and is silent, or has had its time to be.
    fn take_ended(&mut self) -> Result<Option<Notice>> {
        let mut over = None;
        for (&worker, supervised) in &mut self.workers {
            if supervised.ended.is_none() {
                supervised.ended = supervised.process.ended()?.map(|status| (status, Instant::now()));
            }
            if let Some((status, since)) = supervised.ended
                && (supervised.process.is_silent() || since.elapsed() > LAST_LINES)
            {
                over = Some((worker, status));
                break;
            }
        }
        Ok(over.and_then(|(worker, status)| {
            let supervised = self.workers.remove(&worker)?;
            Some(Notice::Ended { worker, status, reason: supervised.process.reason(status) })
        }))
    }

    /// Believes a worker's messages only after it told the right version.
    fn check(&mut self, worker: usize, message: Message) -> Result<Option<Notice>> {
        let Some(supervised) = self.workers.get_mut(&worker) else { return Ok(None) };
        match message {
            Message::Hello(version) => {
                version.check("elbo-train")?;
                supervised.has_told_version = true;
                Ok(None)
            }
            Message::Event(_) | Message::Measurements(_) | Message::Calibration(_) if !supervised.has_told_version => {
                bail!(
                    "`elbo-train` does not tell its version\nhint: `elbo` and `elbo-train` belong together: build both anew with `./just build`"
                )
            }
            Message::Event(_) | Message::Measurements(_) | Message::Calibration(_) => {
                Ok(Some(Notice::Message { worker, message }))
            }
        }
    }

    /// Passes the first signal on, and kills at the second.
    fn pass_on(&mut self, signal: i32) -> Notice {
        let is_first = self.signal.is_none();
        self.signal.get_or_insert(signal);
        let passed_on = match (is_first, signal) {
            (false, _) => Signal::KILL,
            (true, SIGINT) => Signal::INT,
            (true, _) => Signal::TERM,
        };
        for supervised in self.workers.values().filter(|supervised| supervised.ended.is_none()) {
            supervised.process.signal(passed_on);
        }
        Notice::Signal { signal, is_first }
    }
}
