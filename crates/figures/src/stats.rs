//! Means over seeds, as the summary of the records computes them.

pub use record::summary::{Estimate, estimate};

/// The ends of the 95 % interval; the mean twice where there is none.
pub fn interval(estimate: &Estimate) -> (f64, f64) {
    let half = estimate.half_width.unwrap_or(0.0);
    (estimate.mean - half, estimate.mean + half)
}
