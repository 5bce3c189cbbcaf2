//! What an experiment is held against and what is measured in addition: read, and no part of any run's id.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use spec::{Evaluation, Experiment, ReferenceMetric};

const PLAIN: &str = "
name: x
dataset: { name: mnist }
model: { hidden: [400], latent_dim: 2 }
sweep: { grid: { model.latent_dim: [2, 20], model.likelihood: [{ laplace: {} }, { gaussian: { sigma: 1 } }], training.seed: [0, 1] } }
";

const REFERENCE: &str = "
evaluation: { importance_samples: 5000 }
reference:
  set_up: gray MNIST
  rows:
    - { id: A, metric: nll, published: \"86.76 ± 0.1\", value: 86.76, tolerance: 1, full_epochs: 3280,
        where: { model.latent_dim: 20, model.likelihood: laplace }, note: shortened }
    - { id: G, metric: nll, published: \"−896\", value: -896, below: A,
        where: { model.latent_dim: [20], model.likelihood: gaussian } }
";

fn parse(text: &str, overrides: &[&str]) -> Experiment {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    Experiment::parse("x.yaml", text.as_bytes(), &overrides).unwrap_or_else(|error| panic!("error: {error}"))
}

#[test]
fn both_sections_are_read_and_change_no_run() {
    let (plain, held) = (parse(PLAIN, &[]), parse(&format!("{PLAIN}{REFERENCE}"), &[]));
    assert_eq!((plain.evaluation, &plain.reference), (None, &None));
    assert_eq!(plain.cells, held.cells);
    assert_eq!(held.evaluation, Some(Evaluation { importance_samples: 5000, images: None }));
    let rows = held.reference.unwrap().rows;
    assert_eq!((rows[0].tolerance, rows[0].below.as_deref(), rows[0].full_epochs), (Some(1.0), None, Some(3280)));
    assert_eq!((rows[1].tolerance, rows[1].below.as_deref(), rows[1].value), (None, Some("A"), -896.0));
    assert_eq!(rows[1].full_epochs, None);
    assert_eq!((rows[0].metric, rows[0].note.as_deref()), (ReferenceMetric::Nll, Some("shortened")));
}

#[test]
fn a_row_concerns_the_cells_of_its_where() {
    let held = parse(&format!("{PLAIN}{REFERENCE}"), &[]);
    let rows = held.reference.unwrap().rows;
    let concerned: Vec<Vec<usize>> =
        rows.iter().map(|row| (0..held.cells.len()).filter(|&n| row.concerns(&held.cells[n])).collect()).collect();
    // Of widths 2 and 20, each with two likelihoods and two seeds.
    assert_eq!(concerned, [[4, 5], [6, 7]]);
}

#[test]
fn what_is_set_on_the_command_line_may_leave_the_published_cells() {
    let text = format!("{PLAIN}{REFERENCE}");
    assert_eq!(parse(&text, &["model.latent_dim=3"]).cells.len(), 4);
    let quick = parse(&text, &["evaluation.importance_samples=10", "evaluation.images=100"]);
    assert_eq!(quick.evaluation, Some(Evaluation { importance_samples: 10, images: Some(100) }));
    let (without, plain) = (parse(&text, &["evaluation=null", "reference=null"]), parse(PLAIN, &[]));
    assert_eq!(Experiment { written: plain.written.clone(), ..without }, plain);
}
