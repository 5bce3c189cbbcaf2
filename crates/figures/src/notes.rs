//! Sentences that captions have in common.

use std::collections::BTreeSet;

use spec::{Corruption, Likelihood, ModelKind};

use crate::axis::{fixed, number};
use crate::records::{FEWEST_FOR_INTERVAL, Group, MeasurementKey, Records};
use crate::warnings::Warning;

/// The most settings that a caption names as those that a warning is about.
const MAX_MEANT: usize = 2;

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

/// That the bound of a mixture over pixels is none, where some of these are one.
pub fn exact(groups: &[&Group]) -> &'static str {
    if groups.iter().any(|group| matches!(group.cell.model.kind, ModelKind::GaussianMixture { .. })) {
        " The ELBO of a Gaussian mixture over pixels is log p(x) itself."
    } else {
        ""
    }
}

/// What the encoder was given for numbers of models that denoise, where some of these do; some columns may say otherwise.
pub fn given(groups: &[&Group], some_are_corrupted: bool) -> &'static str {
    match (clean(groups).is_empty(), some_are_corrupted) {
        (true, _) => "",
        (false, false) => " Models that denoise were given the test images as they are.",
        (false, true) => {
            " Models that denoise were given the test images as they are, but where a column says `input corrupted`."
        }
    }
}

/// What models that denoise were given on the training and on the test images, where some of these do.
pub fn clean(groups: &[&Group]) -> &'static str {
    let denoises = |group: &&Group| group.cell.model.corruption != Corruption::None;
    match (groups.iter().any(denoises), groups.iter().all(denoises)) {
        (true, true) => " Training images were corrupted, test images are not: a gap between them is no overfitting.",
        (true, false) => {
            " Training images of models that denoise were corrupted, test images are not: a gap between them is no overfitting."
        }
        (false, _) => "",
    }
}

/// Why black is gray in the means of a continuous Bernoulli, where some of these have one that is clipped:
/// ` The mean of a continuous Bernoulli with λ in 0.0001 … 1 − 0.0001 is 0.11 at least and 0.89 at most, so that black and white are gray.`
pub fn clipped(groups: &[&Group]) -> String {
    let clip = |group: &&Group| match group.cell.model.likelihood {
        Likelihood::ContinuousBernoulli { clip } if clip > 0.0 && group.cell.has("model.likelihood") => Some(clip),
        _ => None,
    };
    let mut clips: Vec<f64> = groups.iter().filter_map(clip).collect();
    clips.sort_by(f64::total_cmp);
    clips.dedup();
    let one = |clip: f64| {
        let least = continuous_bernoulli_mean(clip);
        format!(
            " The mean of a continuous Bernoulli with λ in {0} … 1 − {0} is {1} at least and {2} at most, so that black and white are gray.",
            number(clip),
            fixed(least, 2),
            fixed(1.0 - least, 2),
        )
    };
    clips.into_iter().map(one).collect()
}

/// The mean of a continuous Bernoulli with λ < ½ (Loaiza-Ganem & Cunningham 2019, eq. 8).
fn continuous_bernoulli_mean(lambda: f64) -> f64 {
    lambda / (2.0 * lambda - 1.0) + 1.0 / (2.0 * (1.0 - 2.0 * lambda).atanh())
}

/// How many seeds the means are over, in words, and how the figure shows their spread: those of few seeds by each seed's
/// own value, drawn as `singles` says.
pub fn seeds(groups: &[&Group], singles: &str) -> String {
    spread(
        groups,
        &format!("too few for an interval: {singles} are the seeds themselves"),
        &format!("; of fewer, {singles} are the seeds themselves"),
    )
}

/// As [`seeds`], of means that are written with `±` where there is an interval.
pub fn seeds_of_text(groups: &[&Group]) -> String {
    spread(groups, "too few for an interval", "")
}

/// How many seeds the means are over, and that they have an interval; otherwise, or where some have none, what is said of `few`
/// seeds, or of `fewer` ones than others have.
fn spread(groups: &[&Group], few: &str, fewer: &str) -> String {
    let counts: BTreeSet<usize> = groups.iter().map(|group| group.runs.len()).collect();
    let (least, most) = (counts.first().copied().unwrap_or(0), counts.last().copied().unwrap_or(0));
    if most < 2 {
        return "one seed, so without an interval".to_owned();
    }
    let over = if least == most { format!("{most}") } else { format!("{least} to {most}") };
    let some_are_few = counts.iter().any(|n| (2..FEWEST_FOR_INTERVAL).contains(n));
    let spread = match (some_are_few, most >= FEWEST_FOR_INTERVAL) {
        (false, true) if least > 1 => "with its 95 % t-interval".to_owned(),
        (false, true) => "with its 95 % t-interval, none for a single seed".to_owned(),
        (_, false) => few.to_owned(),
        (true, true) => format!("with its 95 % t-interval from {FEWEST_FOR_INTERVAL} seeds on{fewer}"),
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

/// What makes numbers of these groups less than they seem, a sentence for each warning, and whose where it is not about all of
/// them; nothing where there is none.
pub fn warned(records: &Records, groups: &[&Group], concerns: impl Fn(&Warning) -> bool) -> String {
    let note = |warning: &Warning| {
        let is_meant = |group: &&&Group| warning.groups.iter().any(|&index| records.groups[index].key == group.key);
        let meant: Vec<String> = groups.iter().filter(is_meant).map(|group| group.key.name()).collect();
        match meant.len() {
            0 => None,
            n if n == groups.len() => Some(format!(" {}", warning.note)),
            n if n > MAX_MEANT => {
                Some(format!(" {} This is about {n} of the {} settings.", warning.note, groups.len()))
            }
            _ => Some(format!(" {} This is about {}.", warning.note, meant.join("; "))),
        }
    };
    records.warnings.iter().filter(|warning| concerns(warning)).filter_map(note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the midpoint rule over the density λˣ(1 − λ)¹⁻ˣ, which needs its normaliser.
    #[test]
    fn the_mean_of_a_continuous_bernoulli_is_that_of_its_density() {
        for lambda in [1e-4_f64, 0.01, 0.25] {
            let n = 100_000;
            let at = |i: i32| (f64::from(i) + 0.5) / f64::from(n);
            let density = |x: f64| lambda.powf(x) * (1.0 - lambda).powf(1.0 - x);
            let total: f64 = (0..n).map(|i| density(at(i))).sum();
            let mean = (0..n).map(|i| at(i) * density(at(i))).sum::<f64>() / total;
            assert!((continuous_bernoulli_mean(lambda) - mean).abs() < 1e-6, "{lambda}: {mean}");
        }
    }
}
