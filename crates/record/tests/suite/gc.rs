//! What a store could do without is found and removed; what is in use stays.

use std::collections::BTreeSet;

use record::gc::{self, Discarded};
use record::trash::Batch;
use record::{FormatVersion, KeptRun, KeptSweep, RunWriter, Status, Store};
use spec::{Cell, RunId};

use crate::support::{cell, provenance, rows};

#[test]
fn runs_that_nothing_refers_to_are_garbage() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (kept, dropped, running) = (cell(2, 0), cell(2, 1), cell(2, 2));
    for cell in [&kept, &dropped] {
        let mut writer = RunWriter::start(&store, cell, &provenance()).unwrap();
        writer.epoch(&rows(cell, 1)).unwrap();
        writer.finish(1.0).unwrap();
    }
    let writer = RunWriter::start(&store, &running, &provenance()).unwrap();
    // What a killed process leaves, and what one that is alive is writing now.
    std::fs::write(store.run(&kept.run_id()).dir().join(".metrics.parquet.tmp-4194999"), b"half").unwrap();
    let alive = store.run(&running.run_id()).dir().join(".metrics.parquet.tmp-4194999");
    std::fs::write(&alive, b"half").unwrap();
    let empty = store.run(&cell(2, 3).run_id());
    std::fs::create_dir(empty.dir()).unwrap();

    let garbage = gc::find(&store, &BTreeSet::from([kept.run_id()])).unwrap();
    assert_eq!(garbage.runs.iter().map(|run| run.id.clone()).collect::<Vec<_>>(), [dropped.run_id()]);
    assert_eq!(garbage.runs[0].status, Status::Done);
    assert_eq!(garbage.leftovers.len(), 2);
    assert_eq!(garbage.leftovers[0].bytes, 4);
    assert!(garbage.bytes() > 1000);
    // Finding removes nothing.
    assert!(store.run(&dropped.run_id()).manifest_file().is_file());

    let discarded = gc::discard(&store, &garbage).unwrap();
    assert_eq!(discarded.bytes, garbage.bytes());
    assert!(!store.run(&dropped.run_id()).dir().exists());
    assert!(!empty.dir().exists());
    assert_eq!(store.run(&kept.run_id()).status().unwrap(), Status::Done);
    assert!(alive.exists());
    assert!(matches!(store.run(&running.run_id()).status().unwrap(), Status::Running { .. }));
    // What was removed comes back whole.
    let restored = Batch::latest(&store).unwrap().unwrap().restore(&store).unwrap();
    assert_eq!((restored.back, restored.taken), (vec![dropped.run_id()], vec![]));
    assert_eq!(store.run(&dropped.run_id()).metrics().unwrap(), rows(&dropped, 1));
    assert_eq!(Batch::latest(&store).unwrap(), None);
    gc::discard(&store, &gc::find(&store, &BTreeSet::from([kept.run_id()])).unwrap()).unwrap();
    drop(writer);
    let all_kept = BTreeSet::from([kept.run_id(), running.run_id()]);
    // The killed writer's temporary file is found now that nobody holds its lock.
    let garbage = gc::find(&store, &all_kept).unwrap();
    assert_eq!((garbage.runs.len(), garbage.leftovers.len()), (0, 1));
}

#[test]
fn a_run_that_was_begun_since_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let cell = cell(2, 0);
    drop(RunWriter::start(&store, &cell, &provenance()).unwrap());
    let garbage = gc::find(&store, &BTreeSet::new()).unwrap();
    assert_eq!(garbage.runs.len(), 1);
    let writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
    assert_eq!(gc::discard(&store, &garbage).unwrap(), Discarded { bytes: 0, trash: None });
    assert!(writer.run().manifest_file().is_file());
}

/// Writes a finished run.
fn done(store: &Store, cell: &Cell) -> RunId {
    let mut writer = RunWriter::start(store, cell, &provenance()).unwrap();
    writer.epoch(&rows(cell, 1)).unwrap();
    writer.finish(1.0).unwrap();
    cell.run_id()
}

#[test]
fn a_sweeps_folder_is_a_reason_to_keep_its_runs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let ids: Vec<RunId> = (0..4).map(|seed| done(&store, &cell(2, seed))).collect();
    let kept = KeptSweep {
        claims: Vec::new(),
        hours: None,
        format_version: FormatVersion::CURRENT,
        file: "/somewhere/study.yaml".into(),
        set: vec![],
        command: "elbo sweep study.yaml".to_owned(),
        runs: vec![KeptRun { run_id: ids[0].clone(), name: "a run".to_owned(), cell: Default::default() }],
    };
    store.keep_sweep("study", &kept, "name: study\n").unwrap();
    assert_eq!(store.kept_sweep("study").unwrap(), Some(kept));
    // A folder of an earlier version notes its runs where it notes what was drawn.
    let old = store.sweep_dir("old");
    std::fs::create_dir_all(&old).unwrap();
    std::fs::write(old.join(".drawn.json"), format!(r#"{{"program":[1,2],"runs":[["{}","done",[]]]}}"#, ids[1]))
        .unwrap();
    let found = gc::find(&store, &BTreeSet::from([ids[2].clone()])).unwrap();
    assert_eq!(found.runs.iter().map(|run| &run.id).collect::<Vec<_>>(), [&ids[3]]);
    assert_eq!((found.n_of_sweeps, found.unsaid), (2, vec![]));

    // One that does not say keeps all there is.
    let silent = store.sweep_dir("silent");
    std::fs::create_dir_all(&silent).unwrap();
    std::fs::write(silent.join("summary.parquet"), b"PAR1").unwrap();
    let found = gc::find(&store, &BTreeSet::new()).unwrap();
    assert_eq!((found.runs, found.unsaid), (vec![], vec![silent]));

    // One that cannot be read stops it.
    std::fs::write(store.kept_file("study"), "{ half").unwrap();
    let error = gc::find(&store, &BTreeSet::new()).unwrap_err().to_string();
    assert!(error.contains("sweep.json") && error.contains("hint: "), "{error}");
}

#[test]
fn what_was_trained_anew_is_not_overwritten_by_what_was_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let ids = [0, 1].map(|seed| done(&store, &cell(2, seed)));
    gc::discard(&store, &gc::find(&store, &BTreeSet::new()).unwrap()).unwrap();
    done(&store, &cell(2, 0));
    let batch = Batch::latest(&store).unwrap().unwrap();
    let restored = batch.restore(&store).unwrap();
    assert_eq!((restored.back, restored.taken), (vec![ids[1].clone()], vec![ids[0].clone()]));
    assert!(batch.folder().join("runs").join(ids[0].as_str()).is_dir(), "it stays in the trash");
    assert!(store.trash_bytes().unwrap() > 0);
    store.empty_trash().unwrap();
    assert_eq!((store.trash_bytes().unwrap(), store.runs().unwrap().runs.len()), (0, 2));
}

#[test]
fn a_store_that_does_not_exist_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("nowhere")).unwrap();
    assert_eq!(gc::find(&store, &BTreeSet::new()).unwrap(), gc::Garbage::default());
    assert!(store.runs().unwrap().runs.is_empty());
    assert!(!store.root().exists());
    std::fs::write(folder.path().join("file"), b"").unwrap();
    let message = Store::open(&folder.path().join("file")).unwrap_err().to_string();
    assert!(message.contains("is not a folder\nhint: "), "{message}");
}
