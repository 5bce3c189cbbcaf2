//! Sentences that captions have in common.

use crate::records::{Group, MeasurementKey, Records};

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
    let floors: Vec<f64> = groups.iter().filter_map(|g| g.measure(MeasurementKey::is_floor)).map(|e| e.mean).collect();
    let first = *floors.first()?;
    floors.iter().all(|floor| (floor - first).abs() <= 1e-6 * first.abs()).then_some(first)
}

/// ` On gray values the reconstruction term has the floor 63.25 nats per image.`, or nothing where there is no floor.
pub fn floor(groups: &[&Group]) -> String {
    gray_bce_floor(groups).map_or_else(String::new, |floor| {
        format!(" On gray values the reconstruction term has the floor {floor:.2} nats per image.")
    })
}

/// What the objective of importance-weighted runs is on the test images; nothing where there are none.
pub fn one_sample(groups: &[&Group]) -> &'static str {
    if groups.iter().any(|group| group.is_importance_weighted()) {
        " Importance-weighted bounds are evaluated with one sample of z: their objective on test images is reconstruction + \
         β·KL, not the bound."
    } else {
        ""
    }
}

/// How many seeds the means are over, in words.
pub fn seeds(groups: &[&Group]) -> String {
    let least = groups.iter().map(|g| g.runs.len()).min().unwrap_or(0);
    let most = groups.iter().map(|g| g.runs.len()).max().unwrap_or(0);
    match (least, most) {
        (1, 1) => "one seed, so without an interval".to_owned(),
        (a, b) if a == b => format!("mean over {a} seeds with its 95 % t-interval"),
        (a, b) => format!("mean over {a} to {b} seeds with its 95 % t-interval"),
    }
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
