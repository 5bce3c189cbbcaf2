//! Sentences that captions have in common.

use std::collections::BTreeSet;

use crate::records::{FEWEST_FOR_INTERVAL, Group, MeasurementKey, Records};
use crate::warnings::Warning;

/// The most missing runs that a caption names; the report lists all of them.
const MAX_NAMED: usize = 8;

/// ` 1 of 36 runs is missing: vae-mnist-z20-b1-s0 (failed).`, or nothing when none is.
pub fn missing(records: &Records) -> String {
    let n = records.missing.len();
    if n == 0 {
        return String::new();
    }
    let named = records.missing.iter().take(MAX_NAMED).map(|(name, status)| format!("{name} ({status})"));
    let others = if n > MAX_NAMED { format!(", and {} more", n - MAX_NAMED) } else { String::new() };
    let (runs, named) = (if n == 1 { "run is" } else { "runs are" }, named.collect::<Vec<_>>().join(", "));
    format!(" {n} of {} {runs} missing: {named}{others}.", records.n_cells)
}

/// What the reconstruction term cannot fall below on gray values: the smallest cross-entropy, in nats per image. Absent
/// where it was not measured or where it differs between groups.
pub fn gray_bce_floor(groups: &[&Group]) -> Option<f64> {
    let floors: Vec<f64> =
        groups.iter().filter_map(|g| g.measure(MeasurementKey::is_floor)).map(|e| e.mean()).collect();
    let first = *floors.first()?;
    floors.iter().all(|floor| (floor - first).abs() <= 1e-6 * first.abs()).then_some(first)
}

/// ` On gray values the reconstruction term has the floor 63.25 nats per image.`, or nothing where there is no floor.
pub fn floor(groups: &[&Group]) -> String {
    gray_bce_floor(groups).map_or_else(String::new, |floor| {
        format!(" On gray values the reconstruction term has the floor {floor:.2} nats per image.")
    })
}

/// How many seeds the means are over, in words, and how the figure shows their spread: those of few seeds by each seed's
/// own value, drawn as `singles` says.
pub fn seeds(groups: &[&Group], singles: &str) -> String {
    let counts: BTreeSet<usize> = groups.iter().map(|group| group.runs.len()).collect();
    let (least, most) = (counts.first().copied().unwrap_or(0), counts.last().copied().unwrap_or(0));
    if most < 2 {
        return "one seed, so without an interval".to_owned();
    }
    let over = if least == most { format!("{most}") } else { format!("{least} to {most}") };
    let few = counts.iter().any(|n| (2..FEWEST_FOR_INTERVAL).contains(n));
    let spread = match (few, most >= FEWEST_FOR_INTERVAL) {
        (false, true) if least > 1 => "with its 95 % t-interval".to_owned(),
        (false, true) => "with its 95 % t-interval, none for a single seed".to_owned(),
        (_, false) => format!("too few for an interval: {singles} are the seeds themselves"),
        (true, true) => format!(
            "with its 95 % t-interval from {FEWEST_FOR_INTERVAL} seeds on; of fewer, {singles} are the seeds themselves"
        ),
    };
    format!("mean over {over} seeds, {spread}")
}

/// Whose images are shown: `seed 0`, or that the seeds differ.
pub fn seed_of_arrays(groups: &[&Group]) -> String {
    let mut seeds: Vec<u64> = groups.iter().filter_map(|group| group.arrays().map(|(seed, _)| seed)).collect();
    seeds.sort_unstable();
    seeds.dedup();
    match seeds.as_slice() {
        [seed] => format!("seed {seed}"),
        _ => "each group's smallest seed".to_owned(),
    }
}

/// What makes numbers of these groups less than they seem, a sentence for each warning; nothing where there is none.
pub fn warned(records: &Records, groups: &[&Group], concerns: impl Fn(&Warning) -> bool) -> String {
    let is_about = |warning: &&Warning| {
        let mut about = warning.groups.iter().filter_map(|&index| records.groups.get(index));
        concerns(warning) && about.any(|group| groups.iter().any(|other| other.key == group.key))
    };
    records.warnings.iter().filter(is_about).map(|warning| format!(" {}", warning.note)).collect()
}
