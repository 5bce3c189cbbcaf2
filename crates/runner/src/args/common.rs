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

/// A point in a latent space.
#[derive(Clone, Debug, PartialEq)]
pub struct Latent(pub Vec<f32>);

/// Reads the coordinates of a point, such as `0.5,-1`.
///
/// # Errors
/// If one of them is no finite number.
pub fn latent(text: &str) -> Result<Latent, String> {
    let coordinate = |part: &str| part.trim().parse().ok().filter(|value: &f32| value.is_finite());
    let coordinates: Option<Vec<f32>> = text.split(',').map(coordinate).collect();
    coordinates.map(Latent).ok_or_else(|| "expected a number for each latent dimension, such as `0.5,-1`".to_owned())
}

/// Reads the two ends of a range, such as `-3,3`.
///
/// # Errors
/// If they are not two finite numbers, the smaller one first.
pub fn range(text: &str) -> Result<[f32; 2], String> {
    match latent(text) {
        Ok(Latent(ends)) if ends.len() == 2 && ends[0] < ends[1] => Ok([ends[0], ends[1]]),
        _ => Err("expected two numbers, the smaller one first, such as `-3,3`".to_owned()),
    }
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
