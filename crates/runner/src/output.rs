//! What is printed: data to standard output, everything else to standard error. A reader that goes away is no error.

use std::io::{self, IsTerminal, Write};

use record::RecordError;
use serde::Serialize;

/// Prints data.
///
/// # Errors
/// If standard output cannot be written, also when its reader has gone; see [`is_closed_pipe`].
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Prints data as JSON.
///
/// # Errors
/// As [`print()`].
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Says something to the person in front of the terminal.
pub fn say(text: &str) {
    // There is nobody left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Asks the person in front of the terminal whether to do what `what` says; anything but `y` or `yes` is a no.
///
/// # Errors
/// If there is no terminal to ask on, unless the answer is known to be yes.
pub fn is_confirmed(what: &str, is_known: bool) -> anyhow::Result<bool> {
    if is_known {
        return Ok(true);
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        anyhow::bail!("there is no terminal to ask on whether to {what}\nhint: give --yes to do it without asking");
    }
    let _ = write!(io::stderr().lock(), "{what}? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Prints an error, what caused it, and its hints.
pub fn complain(error: &anyhow::Error) {
    say(&complaint(error));
}

fn complaint(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Many errors end in the message of their cause.
        if !text.contains(&cause) {
            text.push_str(&format!("\ncaused by: {cause}"));
        }
    }
    // What the system refuses comes without a word on what to do.
    let refused = |cause: &(dyn std::error::Error + 'static)| {
        let own = cause.downcast_ref::<RecordError>().and_then(|error| match error {
            RecordError::Io(error) => Some(error),
            _ => None,
        });
        let kind = cause.downcast_ref::<io::Error>().or(own).map(io::Error::kind);
        matches!(
            kind,
            Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::StorageFull)
        )
    };
    if !text.contains("\nhint: ") && error.chain().any(refused) {
        text.push_str("\nhint: give yourself the right to it, make room, or name another folder with --results");
    }
    text
}

/// Whether an error says no more than that the reader of standard output has gone, as in `elbo list | head`.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refuses_comes_with_a_hint() {
        for (kind, is_refused) in [(io::ErrorKind::PermissionDenied, true), (io::ErrorKind::NotFound, false)] {
            let cause = || io::Error::new(kind, "cannot open `results/runs`");
            let written = RecordError::Write { path: "runs.parquet".into(), cause: cause().into() };
            for error in [anyhow::Error::from(cause()), RecordError::from(cause()).into(), written.into()] {
                let text = complaint(&error);
                assert_eq!(text.matches("cannot open `results/runs`").count(), 1, "{text}");
                assert_eq!(text.contains("\nhint: "), is_refused, "{text}");
            }
        }
        let own = anyhow::anyhow!("no\nhint: do that").context(io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(complaint(&own).matches("hint: ").count(), 1);
    }
}
