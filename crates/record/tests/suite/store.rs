//! Runs are written and read back: their life from start to end, and the list of all.

use crate::support::{arrays, cell, evaluation, provenance, rows};
use protocol::Event;
use record::{EpochMetrics, MetricsRow, RecordError, RunEditor, RunWriter, Status, Store, StoredStatus};
use spec::{Metric, Split};

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
    writer.flush().unwrap();
    let all: Vec<_> = (1..=3).flat_map(|epoch| rows(&cell, epoch)).collect();
    assert_eq!(run.metrics().unwrap(), all);
    writer.evaluation(&[evaluation(Metric::PseudoNll, -99.5)]).unwrap();
    writer.arrays(&arrays()).unwrap();
    record::files::write_bytes_atomically(&writer.model_path(), b"parameters").unwrap();
    writer.finish(12.5).unwrap();

    assert_eq!(run.status().unwrap(), Status::Done);
    assert_eq!(run.metrics().unwrap(), all);
    assert_eq!(run.evaluation().unwrap(), [evaluation(Metric::PseudoNll, -99.5)]);
    assert_eq!(run.arrays().unwrap(), arrays());
    let manifest = run.manifest().unwrap();
    assert_eq!(manifest.status, StoredStatus::Done);
    assert_eq!(manifest.timing.seconds, 12.5);
    assert_eq!(manifest.cell, cell);
    assert_eq!(manifest.last_epoch.unwrap().splits[&Split::Test].get(Metric::Elbo), all[5].terms.get(Metric::Elbo));
    assert_eq!(std::fs::read_to_string(run.log_file()).unwrap().lines().count(), 3);
    assert_eq!(
        files_in(run.dir()),
        ["arrays.h5", "evaluation.parquet", "lock", "log.jsonl", "metrics.parquet", "model.safetensors", "run.json"]
    );
    let again = RunWriter::start(&store, &cell, &provenance());
    assert!(matches!(again, Err(RecordError::AlreadyDone { .. })));
}

#[test]
fn a_model_without_a_bound_has_nulls() {
    let (_folder, store) = store();
    let cell = cell(2, 0);
    let gan: Vec<_> = rows(&cell, 1)
        .into_iter()
        .map(|row| MetricsRow {
            terms: EpochMetrics::from([(Metric::Objective, 0.75), (Metric::Discriminator, 1.25)]),
            kl_per_dim: Vec::new(),
            ..row
        })
        .collect();
    let mut writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
    writer.epoch(&gan).unwrap();
    // A row without what every model has is refused, as is a count that is none.
    let mut lacking = gan.clone();
    lacking.iter_mut().for_each(|row| row.epoch = 2);
    lacking[1].terms = EpochMetrics::from([(Metric::Discriminator, 1.25)]);
    assert!(writer.epoch(&lacking).unwrap_err().to_string().contains("without `objective`"));
    lacking[1].terms = EpochMetrics::from([(Metric::Objective, 0.75), (Metric::ActiveUnits, 1.5)]);
    assert!(writer.epoch(&lacking).unwrap_err().to_string().contains("`active_units` is a count"));
    lacking[1].terms = EpochMetrics::from([(Metric::Objective, 0.75), (Metric::PseudoNll, 1.5)]);
    assert!(writer.epoch(&lacking).unwrap_err().to_string().contains("`pseudo_nll` was to be recorded for an epoch"));
    let mut diverged = gan.clone();
    diverged.iter_mut().for_each(|row| row.epoch = 2);
    diverged[0].terms.set(Metric::Discriminator, f64::NAN);
    let message = writer.epoch(&diverged).unwrap_err().to_string();
    assert!(message.starts_with("`discriminator` is NaN on the train split at epoch 2"), "{message}");
    writer.finish(1.0).unwrap();

    assert_eq!(store.run(&cell.run_id()).metrics().unwrap(), gan);
    let listing = store.rebuild_index().unwrap();
    let last = listing.runs[0].manifest.last_epoch.clone().unwrap();
    assert_eq!(last.splits[&Split::Test], gan[1].terms, "run.json has every metric of the epoch");
    let text = std::fs::read_to_string(store.run(&cell.run_id()).manifest_file()).unwrap();
    assert!(text.contains("\"elbo\": null"), "a term that the model does not have is null: {text}");
    let summary = store.summary(&[], &[cell]).unwrap();
    let metrics: Vec<_> = summary.iter().filter(|row| row.split == Split::Test).map(|row| row.metric).collect();
    assert_eq!(metrics, [Metric::Objective, Metric::Discriminator]);
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
    assert!(matches!(RunEditor::open(&store.run(&cell.run_id())), Err(RecordError::Locked { .. })));
    drop(writer);
    RunEditor::open(&store.run(&cell.run_id())).unwrap().fail("its process was killed").unwrap();
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

#[test]
fn a_log_that_was_cut_short_spoils_no_other_line() {
    let (_folder, store) = store();
    let cell = cell(2, 0);
    drop(RunWriter::start(&store, &cell, &provenance()).unwrap());
    let log = store.run(&cell.run_id()).log_file();
    std::fs::write(&log, "{\"event\":\"prog").unwrap();
    let mut writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
    writer.log(&Event::Progress { epoch: 1, epochs: 3, step: 10, steps: 10 }).unwrap();
    drop(writer);
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "{\"event\":\"prog");
    assert!(serde_json::from_str::<Event>(lines[1]).is_ok() && lines.len() == 2);
}

#[test]
fn leftovers_of_a_killed_writer_are_removed_at_the_next_start() {
    let (_folder, store) = store();
    let cell = cell(2, 0);
    let run = store.run(&cell.run_id());
    let mut writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
    writer.epoch(&rows(&cell, 1)).unwrap();
    drop(writer);
    let leftovers = [
        run.dir().join(".metrics.parquet.tmp-4194999"),
        run.segments_dir().join(".epoch-00002.parquet.tmp-4194999"),
        run.checkpoint_dir().join(".epoch-00002-step-0000000020.tmp-4194999"),
    ];
    std::fs::write(&leftovers[0], b"PAR1").unwrap();
    std::fs::write(&leftovers[1], b"PAR1").unwrap();
    std::fs::create_dir_all(leftovers[2].join("half")).unwrap();
    assert_eq!(run.metrics().unwrap().len(), 2);
    assert_eq!(run.status().unwrap(), Status::New);
    drop(RunWriter::start(&store, &cell, &provenance()).unwrap());
    assert!(leftovers.iter().all(|path| !path.exists()));
}

#[test]
fn provenance_names_code_and_machine() {
    let found = record::Provenance::gather("cpu", 2, vec![cell(2, 0).run_id()]);
    assert_eq!((found.device.as_str(), found.threads, found.cohort.len()), ("cpu", 2, 1));
    assert!(found.host.cpus > 0 && found.host.platform.contains(std::env::consts::OS));
    assert!(found.versions.contains_key("elbo"));
    if let Some(git) = found.git {
        assert!(git.commit.len() >= 40 && git.commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", git.commit);
    }
}

#[test]
fn a_run_that_is_done_can_be_evaluated_further() {
    let (_folder, store) = store();
    let cell = cell(2, 0);
    let run = store.run(&cell.run_id());
    assert!(RunEditor::open(&run).unwrap_err().is_not_found());
    let mut writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
    writer.epoch(&rows(&cell, 1)).unwrap();
    writer.evaluation(&[evaluation(Metric::PseudoNll, 1.0)]).unwrap();
    writer.finish(1.0).unwrap();
    let mut editor = RunEditor::open(&run).unwrap();
    editor.evaluation(&[evaluation(Metric::PseudoNll, 2.0), evaluation(Metric::LatentLogDensity, 3.0)]).unwrap();
    assert_eq!(
        run.evaluation().unwrap(),
        [evaluation(Metric::PseudoNll, 2.0), evaluation(Metric::LatentLogDensity, 3.0)]
    );
    editor.arrays(&arrays()).unwrap();
    assert_eq!(run.arrays().unwrap(), arrays());
}

/// Earlier versions called the estimate of gray pixels under a Bernoulli decoder `nll` as well, which it is not.
#[test]
fn what_is_no_likelihood_is_not_called_one_in_earlier_records_either() {
    let (_folder, store) = store();
    let finished = |cell: &spec::Cell| {
        let mut writer = RunWriter::start(&store, cell, &provenance()).unwrap();
        writer.epoch(&rows(cell, 1)).unwrap();
        writer.evaluation(&[evaluation(Metric::Nll, 99.0), evaluation(Metric::EffectiveSamples, 7.0)]).unwrap();
        writer.finish(1.0).unwrap();
        store.run(&cell.run_id())
    };
    let asked = spec::Evaluation { importance_samples: 64, images: None };
    let gray = finished(&cell(2, 0));
    assert_eq!(gray.evaluation().unwrap()[0], evaluation(Metric::PseudoNll, 99.0));
    assert!(gray.is_evaluated(&asked).unwrap(), "it need not be estimated again");
    // What is measured later takes its place.
    RunEditor::open(&gray).unwrap().evaluation(&[evaluation(Metric::PseudoNll, 98.0)]).unwrap();
    let rows = gray.evaluation().unwrap();
    assert_eq!(rows, [evaluation(Metric::PseudoNll, 98.0), evaluation(Metric::EffectiveSamples, 7.0)]);

    let mut binary = cell(2, 0);
    binary.dataset.pixels = spec::Pixels::Dynamic;
    let binary = finished(&binary);
    assert_eq!(binary.evaluation().unwrap()[0], evaluation(Metric::Nll, 99.0));
    assert!(binary.is_evaluated(&asked).unwrap());

    store.rebuild_index().unwrap();
}

/// A process that was started while another file was written has that file open, with HDF5's lock, for as long as it runs.
#[cfg(unix)]
#[test]
fn arrays_are_read_whoever_has_locked_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let cell = cell(2, 0);
    let mut writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
    writer.arrays(&arrays()).unwrap();
    writer.finish(1.0).unwrap();
    let run = store.run(&cell.run_id());
    let held = std::fs::File::open(run.arrays_file()).unwrap();
    held.lock().unwrap();
    assert_eq!(run.arrays().unwrap(), arrays());
}
