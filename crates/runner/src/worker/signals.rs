//! SIGINT, SIGTERM and SIGHUP: to the main thread while workers run, an ordinary end at any other time.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::worker::process::Incoming;

/// Where signals go; nobody is told while no worker runs.
static LISTENER: Mutex<Option<Sender<Incoming>>> = Mutex::new(None);

/// While this lives, signals are messages.
#[derive(Debug)]
pub struct Watch(());

impl Watch {
    /// Sends signals to `messages` from now on.
    ///
    /// # Errors
    /// If the system refuses a handler.
    pub fn start(messages: Sender<Incoming>) -> Result<Watch> {
        *listener() = Some(messages);
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for signals")?;
        std::thread::spawn(move || {
            for signal in signals.forever() {
                let is_heard = listener().as_ref().is_some_and(|to| to.send(Incoming::Signal(signal)).is_ok());
                if !is_heard {
                    std::process::exit(128 + signal);
                }
            }
        });
        Ok(Watch(()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *listener() = None;
    }
}

fn listener() -> std::sync::MutexGuard<'static, Option<Sender<Incoming>>> {
    LISTENER.lock().unwrap_or_else(PoisonError::into_inner)
}
