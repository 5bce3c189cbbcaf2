//! One task by one worker.

use anyhow::{Result, bail};
use protocol::{Message, Task, Threads};
use spec::Cell;

use crate::output::say;
use crate::worker::launcher::Launcher;
use crate::worker::supervisor::{Notice, Supervisor};

/// How a single worker's task ended, when no error stopped it.
#[derive(Debug)]
pub enum Conclusion {
    /// It is done.
    Done {
        /// What was answered, where the task has an answer.
        answer: Option<Message>,
    },
    /// This signal ended it.
    Stopped(u8),
}

/// Has a worker do a task with these cells. The lines it prints for people are said when it is done.
///
/// # Errors
/// If it cannot be started, or fails, with what it said.
pub fn run_single(launcher: Launcher, task: Task, cells: Vec<Cell>, threads: Threads) -> Result<Conclusion> {
    let mut supervisor = Supervisor::new(launcher)?;
    supervisor.start(0, task, cells, threads)?;
    let (mut lines, mut answer) = (Vec::new(), None);
    let (status, reason) = loop {
        match supervisor.wait()? {
            Some(Notice::Message {
                message: message @ (Message::Measurements(_) | Message::Calibration(_)), ..
            }) => {
                answer = Some(message);
            }
            Some(Notice::Line { line, .. }) => lines.push(line),
            Some(Notice::Ended { status, reason, .. }) => break (status, reason),
            Some(Notice::Message { .. } | Notice::Signal { .. }) | None => {}
        }
    };
    if let Some(signal) = supervisor.signal() {
        return Ok(Conclusion::Stopped(u8::try_from(signal).unwrap_or(0)));
    }
    if !status.success() {
        // A message of several lines, its hints among them, is the last thing that is said.
        let error = lines.iter().rposition(|line| line.starts_with("error: ")).map(|start| lines[start..].join("\n"));
        bail!(error.map_or(reason, |error| error.trim_start_matches("error: ").to_owned()));
    }
    lines.iter().for_each(|line| say(line));
    Ok(Conclusion::Done { answer })
}
