//! What a store could do without is found and removed; what is in use stays.

use std::collections::BTreeSet;

use record::{RunWriter, Status, Store, gc};

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

    assert_eq!(gc::remove(&store, &garbage).unwrap(), garbage.bytes());
    assert!(!store.run(&dropped.run_id()).dir().exists());
    assert!(!empty.dir().exists());
    assert_eq!(store.run(&kept.run_id()).status().unwrap(), Status::Done);
    assert!(alive.exists());
    assert!(matches!(store.run(&running.run_id()).status().unwrap(), Status::Running { .. }));
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
    assert_eq!(gc::remove(&store, &garbage).unwrap(), 0);
    assert!(writer.run().manifest_file().is_file());
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
