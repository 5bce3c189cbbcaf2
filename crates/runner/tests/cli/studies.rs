//! Studies: claims with their verdicts under a sweep and a comparison.

use spec::Experiment;

use crate::support::{Place, finish};

/// One claim that holds, one that the seeds leave open, and one that is the wrong way round: see `row` in `support.rs`.
const TINY: &str = "
name: tiny
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 3 }
figures: [claims]
sweep:
  grid: { model.latent_dim: [2, 5], objective.beta: [1, 4], training.seed: [0, 1, 2] }
claims:
  - id: so
    text: A larger β lowers the KL.
    metric: kl
    of: { model.latent_dim: 5 }
    from: { objective.beta: 1 }
    to: { objective.beta: 4 }
    expect: falls
    delta: 1
  - id: perhaps
    text: A wider latent space raises the KL by more than 15.5 nats.
    metric: kl
    of: { objective.beta: 1 }
    from: { model.latent_dim: 2 }
    to: { model.latent_dim: 5 }
    expect: rises
    delta: 15.5
  - id: not
    text: A wider latent space worsens the reconstruction.
    metric: reconstruction
    of: { objective.beta: 1 }
    from: { model.latent_dim: 2 }
    to: { model.latent_dim: 5 }
    expect: rises
    delta: 1
";

fn tiny(set: &[&str]) -> Experiment {
    let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
    Experiment::parse("tiny.yaml", TINY.as_bytes(), &set).unwrap()
}

fn fill(place: &Place, set: &[&str], keep: impl Fn(&spec::Cell) -> bool) {
    place.write("tiny.yaml", TINY);
    tiny(set).cells.iter().filter(|cell| keep(cell)).for_each(|cell| finish(&place.store(), cell));
}

/// The verdict of each claim and of what it rests on, as a comparison gives them to programs.
fn verdicts(place: &Place) -> Vec<(String, String)> {
    let json: serde_json::Value = serde_json::from_str(&place.elbo("compare tiny.yaml --json").out).unwrap();
    let claims = json["judged"]["claims"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    claims.map(|claim| (text(&claim["verdict"]), text(&claim["comparisons"][0]["lack"]))).collect()
}

#[test]
fn a_true_an_open_and_a_false_claim_are_judged() {
    let place = Place::new();
    fill(&place, &[], |_| true);
    insta::assert_snapshot!(place.elbo("compare tiny.yaml").out);
    let none = String::new;
    let all = [("holds".to_owned(), none()), ("undecided".to_owned(), none()), ("reversed".to_owned(), none())];
    assert_eq!(verdicts(&place), all);
    let rule = spec::claims_hash(&tiny(&[]).claims).unwrap();
    let said = place.elbo("sweep tiny.yaml");
    assert_eq!(said.code, Some(0), "{said:?}");
    let has_all = |text: &str| ["holds", "undecided", "reversed", &rule].iter().all(|word| text.contains(word));
    let report = place.read("results/sweeps/tiny/report.html");
    let table = place.read("results/sweeps/tiny/tables/claims.csv");
    assert!(has_all(&said.out) && has_all(&report) && has_all(&table), "{said:?}\n{table}");
    assert!(place.read("results/sweeps/tiny/figures/claims.svg").contains("↩ reversed"));
    // Claims are about the whole experiment: nothing is said of them where a part of it is looked at.
    let some = place.json("compare tiny.yaml --where objective.beta=1 --json");
    assert!(some["judged"].is_null() && some["rows"].as_array().is_some_and(|rows| !rows.is_empty()));
}

#[test]
fn what_records_lack_is_named() {
    let place = Place::new();
    fill(&place, &[], |cell| cell.training.seed == 0 || cell.model.latent_dim == 5 && cell.training.seed == 1);
    let few = || ("too-few-seeds".to_owned(), "one common seed".to_owned());
    assert_eq!(verdicts(&place), [("holds".to_owned(), String::new()), few(), few()]);
    let told = place.elbo("compare tiny.yaml").out;
    assert!(told.contains("holds (without seed 2)"), "{told}");
    let place = Place::new();
    fill(&place, &[], |cell| cell.model.latent_dim == 5);
    let lack = || ("not-measured".to_owned(), "no finished run: D = 2, β = 1".to_owned());
    assert_eq!(verdicts(&place)[1..], [lack(), lack()]);
}

#[test]
fn claims_that_change_afterwards_are_told() {
    let place = Place::new();
    fill(&place, &[], |_| true);
    let first = place.elbo("sweep tiny.yaml");
    let again = place.elbo("sweep tiny.yaml");
    assert!(!first.err.contains("others than before") && !again.err.contains("others than before"), "{again:?}");
    assert!(!place.read("results/sweeps/tiny/report.html").contains("claims were changed"));
    place.write("tiny.yaml", &TINY.replace("delta: 15.5", "delta: 1").replace("more than 15.5 nats", "a nat"));
    let changed = place.elbo("sweep tiny.yaml");
    assert!(changed.err.contains("the claims of `tiny` are others than before"), "{changed:?}");
    assert_eq!(verdicts(&place)[1].0, "holds");
    assert!(place.read("results/sweeps/tiny/report.html").contains("The claims were changed once"));
}
