//! A list of many runs comes at once: it reads one small file for each.

use crate::support::{cell, provenance, rows};
use record::{RunManifest, RunWriter, Store};

/// Makes a store with copies of one run under other ids.
fn many(n: u64) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let first = cell(5, 0);
    let mut writer = RunWriter::start(&store, &first, &provenance()).unwrap();
    writer.epoch(&rows(&first, 1)).unwrap();
    writer.interrupt().unwrap();
    let manifest = store.run(&first.run_id()).manifest().unwrap();
    for seed in 1..n {
        let cell = cell(5, seed);
        let run = store.run(&cell.run_id());
        std::fs::create_dir(run.dir()).unwrap();
        let manifest =
            RunManifest { run_id: run.id().clone(), seed, name: cell.readable_name(), cell, ..manifest.clone() };
        std::fs::write(run.manifest_file(), serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
        std::fs::write(run.dir().join("lock"), b"1").unwrap();
    }
    (folder, store)
}

#[test]
fn a_thousand_runs_are_listed_in_order() {
    let (_folder, store) = many(1000);
    let listing = store.runs().unwrap();
    assert_eq!((listing.runs.len(), listing.unreadable.len()), (1000, 0));
    assert!(listing.runs.is_sorted_by_key(|run| run.manifest.seed));
}
