//! What is found in made-up records, and that nothing is found where it may be chance.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use record::EpochMetrics;
use serde_json::json;
use spec::Cell;

use super::*;
use crate::figure::random;
use crate::records::{Epoch, RunNumbers};

fn cell(latent_dim: usize, beta: f64, seed: u64) -> Cell {
    serde_json::from_value(json!({
        "dataset": { "name": "glyphs" },
        "model": { "hidden": [8], "latent_dim": latent_dim },
        "objective": { "beta": beta },
        "training": { "seed": seed },
    }))
    .unwrap()
}

/// Records with these terms of each cell.
fn records(cells: &[Cell], terms: impl Fn(&Cell) -> Vec<(Metric, f64)>) -> Records {
    let numbers = |cell: &Cell| {
        let terms: EpochMetrics = terms(cell).into_iter().collect();
        RunNumbers { seed: cell.training.seed, test: vec![Epoch { epoch: 1, terms }], ..RunNumbers::default() }
    };
    Records { groups: random::groups(cells, numbers), ..random::records(cells) }
}

fn grid(seeds: u64) -> Vec<Cell> {
    let mut cells = Vec::new();
    for beta in [1.0, 4.0] {
        for latent_dim in [10, 20] {
            cells.extend((0..seeds).map(|seed| cell(latent_dim, beta, seed)));
        }
    }
    cells
}

fn texts(records: &Records) -> Vec<String> {
    findings(records).into_iter().map(|finding| finding.text).collect()
}

/// An ELBO that gains 0.6 with D at β = 1 and loses with β, and 8 of 20 units off at β = 4.
fn terms(cell: &Cell) -> Vec<(Metric, f64)> {
    let (d, beta, seed) = (cell.model.latent_dim, cell.objective.beta, cell.training.seed as f64);
    let elbo = match (d, beta == 1.0) {
        (10, true) => -106.2,
        (20, true) => -105.6,
        _ => -120.0,
    };
    let units = if d == 20 && beta == 4.0 { 12.0 } else { d as f64 };
    vec![(Metric::Elbo, elbo + 0.01 * seed), (Metric::Kl, 20.0), (Metric::ActiveUnits, units)]
}

#[test]
fn differences_are_told_in_sentences() {
    assert_eq!(
        texts(&records(&grid(3), terms)),
        [
            "D = 20, β = 1 has the highest ELBO, 0.60 ± 0.00 nats above the next, D = 10, β = 1 (n = 3).",
            "At β = 1, D 10 → 20 gains 0.60 ± 0.00 nats of ELBO (n = 3).",
            "At D = 10, β 1 → 4 loses 13.80 ± 0.00 nats of ELBO (n = 3).",
            "At D = 20, β 1 → 4 loses 14.40 ± 0.00 nats of ELBO (n = 3).",
            "At D = 20, β = 4 switches off 8 of 20 units (n = 3).",
        ]
    );
}

#[test]
fn each_finding_names_its_rows() {
    let records = records(&grid(3), terms);
    for finding in findings(&records) {
        assert!(finding.groups.len() > 1, "{finding:?}");
        for (index, row) in finding.groups.iter().zip(&finding.rows) {
            assert_eq!(records.groups[*index].key.name(), *row);
        }
    }
}

#[test]
fn single_seeds_tell_nothing() {
    assert_eq!(texts(&records(&grid(1), terms)), Vec::<String>::new());
}

#[test]
fn variants_are_ranked_where_the_best_is_clear() {
    let with_prior = |prior: serde_json::Value, seed: u64| {
        let mut cell = cell(20, 1.0, seed);
        cell.model.prior = serde_json::from_value(prior).unwrap();
        cell
    };
    let vamp = json!({ "vamp": { "components": 50 } });
    let cells: Vec<Cell> =
        (0..3).flat_map(|seed| [with_prior(json!("standard"), seed), with_prior(vamp.clone(), seed)]).collect();
    let of = |gain: f64| {
        let elbo = move |cell: &Cell| {
            let gain = if cell.model.prior == spec::Prior::Standard { 0.0 } else { gain };
            vec![(Metric::Elbo, -90.0 + gain + 0.1 * cell.training.seed as f64), (Metric::Kl, 20.0)]
        };
        texts(&records(&cells, elbo))
    };
    assert_eq!(
        of(1.5),
        ["VampPrior, 50 components has the highest ELBO, 1.50 ± 0.00 nats above the next, prior N(0, I) (n = 3)."]
    );
    assert_eq!(of(0.2), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the sweep: what is told names groups of one scale and the same images, each of several seeds, and the rows that
    /// a step is between have intervals apart.
    #[test]
    fn nothing_is_told_that_may_be_chance(
        cells in prop::collection::vec(random::cell(), 1..24),
        noise in prop::collection::vec(-1.0..1.0f64, 24),
        size in prop::sample::select(vec![0.001, 0.1, 10.0]),
    ) {
        let mut records = random::records(&cells);
        let mut noise = noise.into_iter().cycle();
        for run in records.groups.iter_mut().flat_map(|group| &mut group.runs) {
            for epoch in &mut run.test {
                let moved: Vec<(Metric, f64)> = epoch.terms.iter().map(|(metric, value)| (metric, value + size * noise.next().unwrap_or(0.0))).collect();
                epoch.terms = moved.into_iter().collect();
            }
        }
        for finding in findings(&records) {
            let groups: Vec<&Group> = finding.groups.iter().map(|&index| &records.groups[index]).collect();
            prop_assert!(groups.len() > 1 && groups.iter().all(|group| group.runs.len() > 1), "{finding:?}");
            prop_assert!(groups.windows(2).all(|pair| are_comparable(pair[0], pair[1])), "{finding:?}");
            if groups.len() == 2 {
                let apart = Metric::all().any(|metric| {
                    let (Some(a), Some(b)) = (groups[0].last(metric), groups[1].last(metric)) else { return false };
                    let half = |of: &crate::records::OverSeeds| of.estimate.half_width.unwrap_or(f64::INFINITY);
                    (a.mean() - b.mean()).abs() > half(&a) + half(&b)
                });
                prop_assert!(apart, "{finding:?}");
            }
        }
    }

    /// Where every seed's number is the same function of the setting, up to noise much larger than the differences, nothing is told
    /// of a bound.
    #[test]
    fn differences_within_the_noise_are_silent(noise in prop::collection::vec(5.0..50.0f64, 12)) {
        let cells = grid(3);
        // Of each setting the seeds lie around the same mean, far apart.
        let elbo = |cell: &Cell| {
            let index = cells.iter().position(|other| other == cell).unwrap();
            let sign = [1.0, -1.0, 0.0][cell.training.seed as usize];
            vec![(Metric::Elbo, -100.0 + sign * noise[index / 3]), (Metric::Kl, 20.0)]
        };
        prop_assert_eq!(texts(&records(&cells, elbo)), Vec::<String>::new());
    }
}

#[test]
fn a_setting_is_told_by_its_symbol_and_a_long_root_by_its_square() {
    let cells: Vec<Cell> = [0.025f64, 0.1, 1.0]
        .into_iter()
        .flat_map(|variance| {
            (0..3).map(move |seed| {
                let mut one = cell(2, 1.0, seed);
                one.model.likelihood = spec::Likelihood::Gaussian { sigma: variance.sqrt() };
                one
            })
        })
        .collect();
    let records = records(&cells, |cell| {
        let spec::Likelihood::Gaussian { sigma } = cell.model.likelihood else { unreachable!() };
        vec![(Metric::Elbo, (1000.0 * sigma).round() + 0.1 * cell.training.seed as f64)]
    });
    let texts = texts(&records).join("\n");
    assert!(texts.contains("σ² 0.025 → 0.1 gains"), "{texts}");
    assert!(texts.contains("and σ² = 0.1 → σ = 1 gains"), "{texts}");
}
