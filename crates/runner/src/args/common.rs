//! What can be typed for several commands: arguments in groups, and how values are read.

use clap::Args;

/// How to print.
#[derive(Args, Clone, Copy, Debug)]
pub struct FormatArgs {
    /// Print JSON with stable keys instead of a table
    #[arg(long)]
    pub json: bool,
}

/// A number of things, at least one.
///
/// # Errors
/// If it is none.
pub fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err("expected a whole number from 1".to_owned()),
    }
}
