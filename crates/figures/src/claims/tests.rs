//! Claims judged by made-up records.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use record::EpochMetrics;
use record::verdict::Verdict;
use spec::metric::Subject;
use spec::{Cell, Experiment, Metric, MetricSettings, Split};

use super::*;
use crate::figure::random;
use crate::records::{Epoch, MeasurementKey};

const STUDY: &str = "
name: study
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 20 }
sweep: { grid: { model.latent_dim: [2, 20], objective.beta: [0.5, 1, 4], training.seed: [0, 1, 2, 3, 4] } }
arms:
  - label: gray
  - { label: binary, dataset: { pixels: dynamic }, sweep: { grid: { training.seed: [0, 1, 2, 3, 4] } } }
claims:
  - id: 1
    text: A larger β lowers the KL and keeps the units.
    of: { arm: gray, model.latent_dim: 20 }
    along: { objective.beta: [0.5, 1, 4] }
    all:
      - { metric: kl, expect: falls, delta: 1 }
      - { metric: active_units, expect: stays, delta: 0.5 }
  - id: 2
    text: Wider is sharper.
    metric: { sharpness: { of: reconstructions } }
    of: { arm: gray, objective.beta: 1 }
    from: { model.latent_dim: 2 }
    to: { model.latent_dim: 20 }
    expect: rises
    delta: 0.5
    log: true
  - id: 3
    text: Binary pixels bring active units.
    metric: active_units
    of: { model.latent_dim: 20, objective.beta: 1 }
    from: { arm: gray }
    to: { arm: binary }
    expect: rises
    delta: 1
";

const TOLD: [&str; 8] = [
    "KL, β = 0.5 → 4 (gray, D = 20): +12.00 ± 0.06, δ 1 nats, n 5: holds",
    "KL, β = 0.5 → 1 (gray, D = 20): +4.00 ± 0.02, δ 0 nats, n 5: holds",
    "KL, β = 1 → 4 (gray, D = 20): +8.00 ± 0.04, δ 0 nats, n 5: holds",
    "active units, β = 0.5 → 4 (gray, D = 20): +0.00 ± 0.00, δ 0.5 dimensions, n 5: holds",
    "active units, β = 0.5 → 1 (gray, D = 20): +0.00 ± 0.00, δ 0.5 dimensions, n 5: holds",
    "active units, β = 1 → 4 (gray, D = 20): +0.00 ± 0.00, δ 0.5 dimensions, n 5: holds",
    "ln of sharpness (of reconstructions), D = 2 → 20 (gray, β = 1): +1.39 ± 0.00, δ 0.5 log ratio, n 5: holds",
    "active units, gray → binary (D = 20, β = 1): −2.0 ± 0.1, δ 1 dimensions, n 5: reversed",
];

fn study(set: &[&str]) -> Experiment {
    let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
    Experiment::parse("study.yaml", STUDY.as_bytes(), &set).unwrap()
}

/// KL 20, 16 and 8 at β = 0.5, 1 and 4; two units fewer on binary pixels; sharpness 0.01 and 0.04 at D = 2 and 20.
fn numbers(cell: &Cell) -> RunNumbers {
    let seed = cell.training.seed;
    let wiggle = [0.0, 0.1, -0.1, 0.05, -0.05][(seed % 5) as usize];
    let kl = if cell.objective.beta < 1.0 {
        20.0
    } else if cell.objective.beta > 1.0 {
        8.0
    } else {
        16.0
    };
    let units = if cell.dataset.pixels == spec::Pixels::Dynamic { 18.0 + wiggle } else { 20.0 };
    let terms: EpochMetrics =
        [(Metric::Kl, kl + wiggle * kl / 20.0), (Metric::ActiveUnits, units)].into_iter().collect();
    let row = |of: Subject, value: f64| {
        let settings = MetricSettings::of(of);
        (MeasurementKey { metric: Metric::Sharpness, split: Split::Test, settings, images: None, width: None }, value)
    };
    let sharp = if cell.model.latent_dim == 2 { 0.01 } else { 0.04 } * (1.0 + wiggle);
    let measures = vec![row(Subject::Data, 0.08), row(Subject::Reconstructions, sharp)];
    RunNumbers { seed, test: vec![Epoch { epoch: 1, terms }], measures, ..RunNumbers::default() }
}

fn judged_where(experiment: &Experiment, keep: impl Fn(&Cell) -> bool) -> Judged {
    let cells: Vec<Cell> = experiment.cells.iter().filter(|cell| keep(cell)).cloned().collect();
    judged(experiment, &random::groups(&cells, numbers)).unwrap()
}

fn verdicts(judged: &Judged) -> Vec<(Verdict, Verdict)> {
    judged.claims.iter().map(|claim| (claim.judgement.verdict, claim.holm)).collect()
}

#[test]
fn claims_are_judged_by_the_runs_that_they_are_about() {
    let judged = judged_where(&study(&[]), |_| true);
    let told: Vec<String> = judged
        .claims
        .iter()
        .flat_map(|claim| &claim.comparisons)
        .map(|one| {
            let of = one.common();
            let (metric, change, effect, delta) = (one.metric(), one.change(), one.told_effect(), one.told_delta());
            format!(
                "{metric}, {change} ({of}): {effect}, δ {delta} {}, n {}: {}",
                one.short_unit(),
                one.n(),
                one.told_verdict()
            )
        })
        .collect();
    assert_eq!(told, TOLD);
    use Verdict::{Holds, Reversed};
    let adjusted: Vec<Verdict> = verdicts(&judged).into_iter().map(|(_, holm)| holm).collect();
    assert_eq!(verdicts(&judged).into_iter().map(|(verdict, _)| verdict).collect::<Vec<_>>(), [Holds, Holds, Reversed]);
    assert_eq!(adjusted, [Holds, Holds, Reversed]);
    assert_eq!((judged.rule.len(), judged.caveat), (64, None));
}

#[test]
fn what_is_wanting_is_said() {
    let experiment = study(&[]);
    let lacks = |keep: &dyn Fn(&Cell) -> bool| -> Vec<Option<String>> {
        let judged = judged_where(&experiment, keep);
        judged.claims.iter().map(|claim| claim.comparisons[0].lack.clone()).collect()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        lacks(&|cell| cell.training.seed == 0 && cell.objective.beta == 1.0),
        [some("no finished run: gray, D = 20, β = 0.5"), some("one common seed"), some("one common seed")]
    );
    // A seed that one side lacks is named, and the verdict is over the others.
    let judged = judged_where(&experiment, |cell| {
        cell.training.seed != 3
            || cell.objective.beta != 4.0 && (cell.model.latent_dim != 2 || cell.objective.beta != 1.0)
    });
    let one = |claim: usize, n: usize| &judged.claims[claim].comparisons[n];
    assert_eq!((one(0, 0).n(), one(0, 0).told_verdict()), (4, "holds (without seed 3)".to_owned()));
    assert_eq!((one(0, 1).n(), one(0, 1).told_verdict()), (5, "holds".to_owned()));
    assert_eq!(one(1, 0).told_verdict(), "holds (without seed 3)");
    let is_binary = |cell: &Cell| cell.dataset.pixels == spec::Pixels::Dynamic;
    let odd = |cell: &Cell| (cell.training.seed % 2 == 1) == is_binary(cell);
    assert_eq!(lacks(&odd), [None, None, some("no common seed")]);
}

#[test]
fn a_metric_that_several_rows_have_is_not_guessed() {
    let text = STUDY.replace("metric: { sharpness: { of: reconstructions } }", "metric: sharpness");
    let experiment = Experiment::parse("study.yaml", text.as_bytes(), &[]).unwrap();
    let judged = judged_where(&experiment, |_| true);
    let one = &judged.claims[1].comparisons[0];
    assert_eq!(one.judgement.verdict, Verdict::NotMeasured);
    assert!(one.lack.as_ref().unwrap().contains("several settings: of data; of reconstructions"), "{:?}", one.lack);
}

#[test]
fn settings_are_told_as_in_legends() {
    let text = "
name: sigma
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2, likelihood: { gaussian: { sigma: 1 } } }
sweep: { grid: { model.likelihood.gaussian.sigma: [1, 0.1], model.activation: [relu, tanh], training.seed: [0, 1] } }
claims:
  - { id: 1, text: One., metric: active_units, of: { model.activation: relu }, expect: rises, delta: 1,
      from: { model.likelihood.gaussian.sigma: 1 }, to: { model.likelihood: { gaussian: { sigma: 0.1 } } } }
  - { id: 2, text: Two., metric: active_units, of: { model.likelihood.gaussian.sigma: 1 }, expect: stays, delta: 1,
      from: { model.activation: relu }, to: { model.activation: tanh } }
";
    let experiment = Experiment::parse("sigma.yaml", text.as_bytes(), &[]).unwrap();
    let judged = judged_where(&experiment, |_| true);
    let told = judged.claims.iter().map(|claim| (claim.comparisons[0].change(), claim.comparisons[0].common()));
    let told: Vec<(String, String)> = told.collect();
    let expected = [("σ = 1 → Gaussian, σ = 0.1", "ReLU"), ("ReLU → tanh", "σ = 1")];
    assert_eq!(told, expected.map(|(change, common)| (change.to_owned(), common.to_owned())));
}

#[test]
fn runs_that_the_file_does_not_ask_for_are_marked() {
    let caveat = |set: &[&str]| judged_where(&study(set), |_| true).caveat;
    let shortened = caveat(&["training.epochs=25%"]).unwrap();
    assert_eq!(shortened, "shortened: trained for at most 25 % of the epochs that the file asks for");
    assert_eq!(caveat(&["training.epochs=2", "figures=[]"]).unwrap(), "not as the file has it: `training.epochs=2`");
    assert_eq!(caveat(&["figures=[]"]), None);
}

#[test]
fn tables_hold_every_claim_and_comparison() {
    let judged = judged_where(&study(&["training.epochs=25%"]), |_| true);
    let csv = table::csv(&judged);
    assert_eq!(csv.lines().count(), 1 + 6 + 1 + 1);
    let n_fields = csv.lines().next().unwrap().split(',').count();
    assert_eq!(n_fields, 27);
    assert!(csv.lines().skip(1).all(|line| line.contains(&judged.rule) && line.contains("shortened")), "{csv}");
    let tex = table::tex(&judged, "study");
    assert!(tex.contains("A larger $\\beta$ lowers") && tex.contains("\\label{tab:study-claims}"), "{tex}");
    assert_eq!(table::tally(&judged), "2 hold, 1 reversed");
}

const FURTHER: &str = "
name: further
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 20 }
sweep: { grid: { model.latent_dim: [2, 20], objective.beta: [0.5, 1, 4], training.seed: [0, 1, 2, 3, 4] } }
arms:
  - label: gray
  - { label: gated, model: { activation: gated } }
claims:
  - id: ends
    text: Samples are sharper than reconstructions.
    metric: sharpness
    of: { arm: gray, model.latent_dim: 20, objective.beta: 1 }
    from: { settings: { of: reconstructions } }
    to: { settings: { of: samples } }
    expect: rises
    delta: 0.01
  - id: across
    text: The width matters more at a smaller β.
    metric: { sharpness: { of: samples } }
    of: { arm: gray }
    from: { model.latent_dim: 2 }
    to: { model.latent_dim: 20 }
    across: { objective.beta: [4, 0.5] }
    expect: rises
    delta: 0.01
  - id: at
    text: At the same KL gated units are as sharp.
    metric: { sharpness: { of: samples } }
    of: { model.latent_dim: 20 }
    from: { arm: gray }
    to: { arm: gated }
    at: { metric: kl, value: 12, along: objective.beta }
    expect: stays
    delta: 0.01
";

/// Samples have the sharpness 0.1/β at D = 20 and none at D = 2; gated units have twice the KL at the same β, and are as sharp as others
/// are at the same KL.
fn further(cell: &Cell) -> RunNumbers {
    let mut run = numbers(cell);
    let beta = cell.objective.beta;
    let wiggle = 0.001 * (cell.training.seed as f64 - 2.0);
    let is_gated = cell.model.activation == spec::Activation::Gated;
    let kl = if is_gated { 2.0 } else { 1.0 } * 10.0 / beta;
    let sharp = if cell.model.latent_dim == 2 { 0.0 } else { 0.01 * kl } + wiggle;
    for epoch in &mut run.test {
        epoch.terms = [(Metric::Kl, kl)].into_iter().collect();
    }
    let settings = MetricSettings::of(Subject::Samples);
    let key = MeasurementKey { metric: Metric::Sharpness, split: Split::Test, settings, images: None, width: None };
    run.measures.push((key, sharp));
    run
}

#[test]
fn ends_may_have_settings_and_changes_be_compared_or_matched() {
    let experiment = Experiment::parse("further.yaml", FURTHER.as_bytes(), &[]).unwrap();
    let judged = judged(&experiment, &random::groups(&experiment.cells, further)).unwrap();
    let one = |claim: usize| &judged.claims[claim].comparisons[0];
    let told = |claim: usize| {
        let one = one(claim);
        format!("{}, {} ({}): {}, {}", one.metric(), one.change(), one.common(), one.told_effect(), one.told_verdict())
    };
    assert!(
        told(0).starts_with("sharpness, of reconstructions → of samples (gray, D = 20, β = 1): +0.06"),
        "{}",
        told(0)
    );
    // 0.2 − 0 at β = ½, less 0.025 − 0 at β = 4.
    assert_eq!(told(1), "sharpness (of samples), D = 2 → 20, by β = 4 → 0.5 (gray): +0.1750 ± 0.0000, holds");
    // KL 12 lies between β = 1 and 0.5 of the one, and between 4 and 1 of the other.
    assert_eq!(told(2), "sharpness (of samples) at KL = 12, gray → gated (D = 20): +0.0000 ± 0.0000, holds");
    let outside = FURTHER.replace("value: 12", "value: 30");
    let experiment = Experiment::parse("further.yaml", outside.as_bytes(), &[]).unwrap();
    let judged = super::judged(&experiment, &random::groups(&experiment.cells, further)).unwrap();
    let lack = judged.claims[2].comparisons[0].lack.as_ref().unwrap();
    assert_eq!(lack, "`kl` of 30 is outside 2.50–20.00: gray, D = 20");
}
