//! Sentences that captions have in common.

use crate::records::{Group, MeasurementKey, Records};

/// ` 3 of 36 runs are missing.`, or nothing when none is.
pub fn missing(records: &Records) -> String {
    match records.missing.len() {
        0 => String::new(),
        1 => format!(" 1 of {} runs is missing.", records.n_cells),
        n => format!(" {n} of {} runs are missing.", records.n_cells),
    }
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
