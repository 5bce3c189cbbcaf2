//! Studies: the forest plot of claims, their table, and the report that tells them.

use spec::{Experiment, FigureKind};

use crate::common::{Look, experiment, fill};
use crate::{assert_golden, files};

const STUDY: &str = "
name: study
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 5 }
training: { epochs: 3 }
figures: [claims]
sweep:
  grid: { model.latent_dim: [2, 5], objective.beta: [0.5, 1, 4], training.seed: [0, 1, 2, 3, 4] }
arms:
  - label: gray
  - { label: wide, model: { latent_dim: 9 }, sweep: { grid: { training.seed: [0, 1, 2, 3, 4] } } }
claims:
  - id: 1
    text: A larger β lowers the KL, and a sentence as long as this one does not leave the page but goes on below, in a line of its own.
    of: { arm: gray, model.latent_dim: 5 }
    along: { objective.beta: [0.5, 1, 4] }
    all:
      - { metric: kl, expect: falls, delta: 1 }
      - { metric: reconstruction, expect: rises, delta: 2 }
  - id: 2a
    text: A wider latent space raises the ELBO by more than 50 nats.
    metric: elbo
    of: { arm: gray, objective.beta: 1 }
    from: { model.latent_dim: 2 }
    to: { model.latent_dim: 5 }
    expect: rises
    delta: 50
  - id: 2b
    text: Beyond that it stays.
    metric: elbo
    of: { objective.beta: 1 }
    from: { arm: gray, model.latent_dim: 5 }
    to: { arm: wide }
    expect: stays
    delta: 1
  - id: 3
    text: Reconstructions have a log ratio of sharpness.
    metric: { sharpness: { of: reconstructions } }
    of: { arm: gray, objective.beta: 1 }
    from: { model.latent_dim: 2 }
    to: { model.latent_dim: 5 }
    expect: rises
    delta: 0.1
    log: true
";

fn study(set: &[&str]) -> Experiment {
    let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
    Experiment::parse("study.yaml", STUDY.as_bytes(), &set).unwrap()
}

#[test]
fn the_forest_plot_and_the_tables_of_claims_are_as_committed() {
    let root = tempfile::tempdir().unwrap();
    let study = study(&[]);
    let store = fill(root.path(), &study, Look::TINY, |_| true);
    let drawn = figures::draw(&study, &store).unwrap();
    assert_eq!(drawn.skipped, []);
    let found = files(&store.sweep_dir("study"));
    for name in ["figures/claims.svg", "tables/claims.csv", "tables/claims.tex"] {
        let golden = name.rsplit('/').next().unwrap();
        assert_golden(golden, std::str::from_utf8(&found[name]).unwrap());
    }
}

#[test]
fn the_report_tells_verdicts_and_the_hash_of_the_claims() {
    let root = tempfile::tempdir().unwrap();
    let study = study(&["training.epochs=67%"]);
    let store = fill(root.path(), &study, Look::TINY, |_| true);
    let page = fs_err::read_to_string(figures::report(&study, &store).unwrap()).unwrap();
    let hash = spec::claims_hash(&study.claims).unwrap();
    for said in [
        "<h2>Claims</h2>",
        "Beyond that it stays.",
        "not measured (no `sharpness` on record: gray, D = 2, β = 1)",
        "shortened: trained for at most 67 % of the epochs that the file asks for",
        "not the choice of test images",
        &hash,
    ] {
        assert!(page.contains(said), "the report does not say {said}");
    }
    let place = |text: &str| page.find(text).unwrap();
    assert!(place("<h1>") < place("id=\"claims\"") && place("id=\"claims\"") < place("id=\"findings\""));
}

#[test]
fn an_experiment_without_claims_has_no_figure_of_them() {
    let root = tempfile::tempdir().unwrap();
    let plain = experiment(&STUDY[..STUDY.find("claims:\n").unwrap()]);
    let store = fill(root.path(), &plain, Look::TINY, |_| true);
    let drawn = figures::draw(&plain, &store).unwrap();
    assert_eq!(drawn.skipped, [(FigureKind::Claims, "the experiment makes no claims".to_owned())]);
    assert!(!store.sweep_dir("study").join("tables/claims.csv").exists());
}
