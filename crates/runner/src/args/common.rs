//! What can be typed for several commands: arguments in groups, and how values are read.

use clap::Args;

/// How to print.
#[derive(Args, Clone, Copy, Debug)]
pub struct FormatArgs {
    /// Print JSON with stable keys instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Two places, such as `3,17`.
///
/// # Errors
/// If it is anything else.
pub fn pair(text: &str) -> Result<[usize; 2], String> {
    let places = text.split_once(',').and_then(|(a, b)| Some([a.trim().parse().ok()?, b.trim().parse().ok()?]));
    places.ok_or_else(|| "expected two places, such as `3,17`".to_owned())
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

/// Reads a number of hours above zero.
///
/// # Errors
/// If it is none.
pub fn hours(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(hours) if hours.is_finite() && hours > 0.0 => Ok(hours),
        _ => Err("expected a number of hours above 0, such as `1.5`".to_owned()),
    }
}
