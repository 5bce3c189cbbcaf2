//! Runs are written and read back: their life from start to end, and the list of all.

use crate::support::{arrays, cell, evaluation, provenance, rows};
use record::{Event, RecordError, RunWriter, Split, Status, Store, StoredStatus};

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

fn files_in(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_run_from_start_to_end() {
    let (_folder, store) = store();
    let cell = cell(2, 0);
    let run = store.run(&cell.run_id());
    assert_eq!(run.status().unwrap(), Status::New);
    let mut writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
    assert_eq!(run.status().unwrap(), Status::Running { pid: Some(std::process::id()) });
    assert_eq!(run.metrics().unwrap(), []);
    for epoch in 1..=3 {
        writer.epoch(&rows(&cell, epoch)).unwrap();
        writer.log(&Event::Progress { epoch, epochs: 3, step: 10, steps: 10 }).unwrap();
    }
    let all: Vec<_> = (1..=3).flat_map(|epoch| rows(&cell, epoch)).collect();
    assert_eq!(run.metrics().unwrap(), all);
    writer.evaluation(&[evaluation("iwae", -99.5)]).unwrap();
    writer.arrays(&arrays()).unwrap();
    record::files::write_bytes_atomically(&writer.model_path(), b"parameters").unwrap();
    writer.finish(12.5).unwrap();

    assert_eq!(run.status().unwrap(), Status::Done);
    assert_eq!(run.metrics().unwrap(), all);
    assert_eq!(run.evaluation().unwrap(), [evaluation("iwae", -99.5)]);
    assert_eq!(run.arrays().unwrap(), arrays());
    let manifest = run.manifest().unwrap();
    assert_eq!(manifest.status, StoredStatus::Done);
    assert_eq!(manifest.timing.seconds, 12.5);
    assert_eq!(manifest.cell, cell);
    assert_eq!(manifest.last_epoch.unwrap().splits[&Split::Test].elbo, all[5].elbo);
    assert_eq!(std::fs::read_to_string(run.log_file()).unwrap().lines().count(), 3);
    assert_eq!(
        files_in(run.dir()),
        ["arrays.h5", "evaluation.parquet", "lock", "log.jsonl", "metrics.parquet", "model.safetensors", "run.json"]
    );
    let again = RunWriter::start(&store, &cell, &provenance());
    assert!(matches!(again, Err(RecordError::AlreadyDone { .. })));
}

#[test]
fn a_run_goes_on_from_its_checkpoint() {
    let (_folder, store) = store();
    let cell = cell(2, 0);
    let run = store.run(&cell.run_id());
    let mut writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
    assert_eq!(writer.latest_checkpoint().unwrap().checkpoint, None);
    for epoch in 1..=2 {
        writer.epoch(&rows(&cell, epoch)).unwrap();
        let state = format!("after epoch {epoch}");
        writer.checkpoint(epoch, 10, |folder| std::fs::write(folder.join("state"), &state)).unwrap();
    }
    writer.epoch(&rows(&cell, 3)).unwrap();
    // Dropped without a word, as by a kill.
    drop(writer);
    assert_eq!(run.status().unwrap(), Status::Resumable { epoch: 2 });
    assert_eq!(run.metrics().unwrap().len(), 6);

    let mut writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
    let checkpoint = writer.latest_checkpoint().unwrap().checkpoint.unwrap();
    assert_eq!(checkpoint.epoch, 2);
    assert_eq!(std::fs::read_to_string(checkpoint.path.join("state")).unwrap(), "after epoch 2");
    writer.forget_after(checkpoint.epoch).unwrap();
    assert_eq!(run.metrics().unwrap().len(), 4);
    writer.epoch(&rows(&cell, 3)).unwrap();
    writer.interrupt().unwrap();
    assert_eq!(run.status().unwrap(), Status::Resumable { epoch: 2 });
    assert_eq!(run.manifest().unwrap().timing.attempts, 2);
}

#[test]
fn a_run_has_one_writer() {
    let (_folder, store) = store();
    let cell = cell(2, 0);
    let writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
    let second = RunWriter::start(&store, &cell, &provenance()).unwrap_err();
    assert!(matches!(second, RecordError::Locked { pid: Some(pid), .. } if pid == std::process::id()), "{second}");
    assert!(matches!(store.run(&cell.run_id()).mark_failed("no"), Err(RecordError::Locked { .. })));
    drop(writer);
    store.run(&cell.run_id()).mark_failed("its process was killed").unwrap();
    let reason = "its process was killed".to_owned();
    assert_eq!(store.run(&cell.run_id()).status().unwrap(), Status::Failed { reason });
    RunWriter::start(&store, &cell, &provenance()).unwrap();
}

#[test]
fn runs_are_listed_by_name_and_found_by_it() {
    let (_folder, store) = store();
    assert!(store.runs().unwrap().runs.is_empty());
    for (latent_dim, seed) in [(20, 0), (5, 1), (5, 0)] {
        let cell = cell(latent_dim, seed);
        let mut writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
        writer.epoch(&rows(&cell, 1)).unwrap();
        writer.finish(1.0).unwrap();
    }
    std::fs::create_dir(store.runs_dir().join("notes")).unwrap();
    let listing = store.rebuild_index().unwrap();
    let order: Vec<_> =
        listing.runs.iter().map(|run| (run.manifest.cell.model.latent_dim, run.manifest.seed)).collect();
    assert_eq!(order, [(5, 0), (5, 1), (20, 0)]);
    assert_eq!(listing.unreadable.len(), 1);
    assert!(store.index_file().is_file());
    let name = &listing.runs[2].manifest.name;
    assert_eq!(store.find(name).unwrap().id(), &cell(20, 0).run_id());
    assert_eq!(store.find(&cell(20, 0).run_id().to_string()[..6]).unwrap().id(), &cell(20, 0).run_id());
    assert!(matches!(store.find("nothing"), Err(RecordError::NoSuchRun { .. })));
}
