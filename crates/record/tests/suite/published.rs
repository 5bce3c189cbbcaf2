//! What is kept of finished runs behind published numbers: complete, compact, and the same bytes for the same rows.

use record::published::{self, PublishedRow};
use record::{Host, Provenance, RunWriter, Store};
use spec::{Experiment, Metric, MetricSettings, RunId};

use crate::support::{evaluation, provenance, rows};

const TEXT: &str = "
name: held
dataset: { name: glyphs }
model: { hidden: [16], latent_dim: 2 }
training: { epochs: 3 }
sweep: { grid: { model.latent_dim: [2, 5], training.seed: [0, 1] } }
reference:
  set_up: glyphs, 784-16-2
  rows: [{ id: X, metric: kl, published: \"6.39\", value: 6.39, full_epochs: 3, where: { model.latent_dim: 2 } }]
";

/// A store in which three of the four cells are begun, and the first two are done.
fn filled() -> (tempfile::TempDir, Store, Experiment) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("results")).unwrap();
    let experiment = Experiment::parse("held.yaml", TEXT.as_bytes(), &[]).unwrap();
    let cohort: Vec<RunId> = experiment.cells.iter().map(|cell| cell.run_id()).collect();
    let host = Host { cpu: "a processor".to_owned(), ..Host::default() };
    let provenance = Provenance { host, cohort, ..provenance() };
    for (n, cell) in experiment.cells.iter().take(3).enumerate() {
        let mut writer = RunWriter::start(&store, cell, &provenance).unwrap();
        for epoch in 1..=3 {
            writer.epoch(&rows(cell, epoch)).unwrap();
        }
        writer.evaluation(&[evaluation(Metric::PseudoNll, 90.0 + n as f64)]).unwrap();
        if n < 2 { writer.finish(100.0).unwrap() } else { writer.interrupt().unwrap() }
    }
    (folder, store, experiment)
}

#[test]
fn rows_are_those_of_finished_runs_on_the_test_split() {
    let (_folder, store, experiment) = filled();
    let found = store.published_rows(&experiment).unwrap();
    // Two runs, three epochs with four numbers, and one that was measured on the model.
    assert_eq!(found.len(), 2 * (3 * 4 + 1));
    assert!(found.iter().all(|row| row.epochs == 3 && row.seconds == 25.0 && row.n == 10_000));
    let second = &found[13..];
    assert!(second.iter().all(|row| row.run_id == experiment.cells[1].run_id() && row.seed == 1));
    let of_test = rows(&experiment.cells[1], 2).into_iter().find(|row| row.split == spec::Split::Test).unwrap();
    let elbo = second.iter().find(|row| row.metric == Metric::Elbo && row.epoch == Some(2)).unwrap();
    assert_eq!((Some(elbo.value), elbo.standard_error), (of_test.terms.get(Metric::Elbo), None));
    let nll = PublishedRow {
        set_up: "glyphs, 784-16-2".to_owned(),
        experiment: "held".to_owned(),
        swept: "model.latent_dim=2".to_owned(),
        epoch: None,
        metric: Metric::PseudoNll,
        value: 91.0,
        standard_error: Some(0.5),
        settings: MetricSettings::samples(64),
        processor: "a processor".to_owned(),
        ..elbo.clone()
    };
    assert_eq!(second.last(), Some(&nll));
}

#[test]
fn the_same_rows_are_the_same_bytes() {
    let (folder, store, experiment) = filled();
    let rows = store.published_rows(&experiment).unwrap();
    let path = folder.path().join("published/records/held.parquet");
    assert_eq!(published::read(&path).unwrap(), []);
    published::write(&path, &rows).unwrap();
    assert_eq!(published::read(&path).unwrap(), rows);
    let bytes = std::fs::read(&path).unwrap();
    published::write(&path, &rows).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert!(bytes.len() < 10_000, "{} bytes", bytes.len());
    // What is no table of this kind is refused, not read as one.
    let error = published::read(&store.run(&experiment.cells[0].run_id()).metrics_file()).unwrap_err();
    assert!(error.to_string().contains("not `published`"), "{error}");
}
