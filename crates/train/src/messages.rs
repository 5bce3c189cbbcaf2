//! Writes messages to `elbo` on standard output, one line each.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use protocol::{Event, Message};

/// Least time between two messages of progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Writes messages; a reader that is gone counts as a signal to stop, so that nothing is lost.
pub struct MessageWriter<'a> {
    to: &'a mut dyn Write,
    signal: Arc<AtomicUsize>,
    last_progress: Option<Instant>,
}

impl<'a> MessageWriter<'a> {
    /// Writes to `to`; `signal` is set when that fails.
    pub fn new(to: &'a mut dyn Write, signal: &Arc<AtomicUsize>) -> MessageWriter<'a> {
        MessageWriter { to, signal: Arc::clone(signal), last_progress: None }
    }

    /// Writes one message.
    pub fn message(&mut self, message: &Message) {
        let written = serde_json::to_string(message).map_err(std::io::Error::from).and_then(|line| {
            writeln!(self.to, "{line}")?;
            self.to.flush()
        });
        if written.is_err() {
            let terminate = signal_hook::consts::SIGTERM as usize;
            let _ = self.signal.compare_exchange(0, terminate, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Writes one event.
    pub fn event(&mut self, event: Event) {
        self.message(&Message::Event(event));
    }

    /// Writes that `step` of `steps` are done in this epoch, counted from 1, at most every 200 ms.
    pub fn progress(&mut self, epoch: u32, epochs: u32, step: u64, steps: u64) {
        if self.last_progress.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY) {
            self.last_progress = Some(Instant::now());
            self.event(Event::Progress { epoch, epochs, step, steps });
        }
    }
}
