//! polars, DuckDB, pandas and h5py read the store while processes keep writing it; needs `ELBO_PYTHON`.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use record::{Array, ArrayName, Arrays, MetricsRow, RunWriter, Store};
use spec::kind::Regulariser;
use spec::{Metric, ModelKind};

use crate::support::{arrays, cell, evaluation, provenance, rows};

/// Names the store to the child, which is this program again.
const STORE: &str = "RECORD_TEST_READERS_STORE";
/// The first seed of a child's runs, so that two children have different ones.
const SEED: &str = "RECORD_TEST_READERS_SEED";
/// Runs that a child trains side by side, as a worker does a cohort.
const N_RUNS: u64 = 8;

/// Not a test of its own: trains cohort after cohort until it is killed, when the test below starts it with `STORE` set.
#[test]
fn child() {
    let Some(root) = std::env::var_os(STORE) else { return };
    let store = Store::open(Path::new(&root)).unwrap();
    let mut seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    loop {
        let cells: Vec<_> = (0..N_RUNS).map(|run| cell(5, seed + run)).collect();
        let mut writers: Vec<_> =
            cells.iter().map(|cell| RunWriter::start(&store, cell, &provenance()).unwrap()).collect();
        for epoch in 1..=20 {
            for (writer, cell) in writers.iter_mut().zip(&cells) {
                writer.epoch(&rows(cell, epoch)).unwrap();
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        for mut writer in writers {
            writer.evaluation(&[evaluation(Metric::PseudoNll, -99.5)]).unwrap();
            writer.arrays(&arrays()).unwrap();
            writer.finish(1.0).unwrap();
        }
        store.rebuild_index().unwrap();
        seed += N_RUNS;
    }
}

fn start_child(root: &Path, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["readers::child", "--exact", "--test-threads=1"])
        .env(STORE, root)
        .env(SEED, seed.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// One finished run of a model that has neither a bound nor an encoder.
fn fill_with_a_gan(store: &Store) {
    let mut cell = cell(2, 0);
    cell.model.kind = ModelKind::Gan { regulariser: Regulariser::SpectralNorm };
    let mut writer = RunWriter::start(store, &cell, &provenance()).unwrap();
    let without_bound = |row: MetricsRow| MetricsRow {
        terms: [(Metric::Objective, 0.7), (Metric::Discriminator, 1.3)].into_iter().collect(),
        kl_per_dim: Vec::new(),
        ..row
    };
    writer.epoch(&rows(&cell, 1).into_iter().map(without_bound).collect::<Vec<_>>()).unwrap();
    let samples = Array::new(vec![3, 1, 4, 5], vec![0.5; 60]).unwrap();
    writer.arrays(&Arrays::from_iter([(ArrayName::Samples, Some(samples))])).unwrap();
    writer.finish(1.0).unwrap();
    store.rebuild_index().unwrap();
}

#[test]
fn python_reads_all_runs_while_they_are_written() {
    let Some(python) = std::env::var_os("ELBO_PYTHON") else {
        // Written past the capture of a test's output, so that it is seen.
        let hint = "set ELBO_PYTHON to a Python with notebooks/requirements.txt, or run `./just test`";
        writeln!(std::io::stderr(), "SKIPPED: python_reads_all_runs_while_they_are_written\nhint: {hint}").unwrap();
        return;
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("results");
    let store = Store::open(&root).unwrap();
    // One run that is done, so that there is something of everything to read.
    let first = cell(2, 0);
    let mut writer = RunWriter::start(&store, &first, &provenance()).unwrap();
    writer.epoch(&rows(&first, 1)).unwrap();
    writer.evaluation(&[evaluation(Metric::PseudoNll, -99.5)]).unwrap();
    writer.arrays(&arrays()).unwrap();
    writer.finish(1.0).unwrap();
    store.rebuild_index().unwrap();
    let gan = folder.path().join("gan");
    fill_with_a_gan(&Store::open(&gan.join("results")).unwrap());

    let mut children = [start_child(&root, 1000), start_child(&root, 2000)];
    let output = Command::new(python)
        .arg(here.join("tests/readers.py"))
        .args([folder.path(), &gan])
        .arg("20")
        .args([here.join("../../README.md"), here.join("../../results/README.md")])
        .output();
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let output = output.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    eprintln!("{out}");
}
