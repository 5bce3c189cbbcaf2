//! A writer is killed again and again at random moments: every file it leaves can be read, and training goes on.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::{arrays, cell, evaluation, provenance, rows};
use record::{Run, RunWriter, Status, Store};
use spec::Metric;

const EPOCHS: u32 = 30;
/// Names the store to the child, which is this program again.
const STORE: &str = "RECORD_TEST_STORE";

/// Not a test of its own: trains the run as a worker does, when the tests below start it with `STORE` set.
#[test]
fn child() {
    let Some(root) = std::env::var_os(STORE) else { return };
    let store = Store::open(Path::new(&root)).unwrap();
    let cell = cell(2, 0);
    let mut writer = match RunWriter::start(&store, &cell, &provenance()) {
        Err(record::RecordError::AlreadyDone { .. }) => return,
        other => other.unwrap(),
    };
    let latest = writer.latest_checkpoint().unwrap();
    assert_eq!(latest.damaged, Vec::<String>::new());
    let epoch = latest.checkpoint.map_or(0, |checkpoint| checkpoint.epoch);
    writer.forget_after(epoch).unwrap();
    for epoch in epoch + 1..=EPOCHS {
        writer.epoch(&rows(&cell, epoch)).unwrap();
        writer.log(&protocol::Event::Progress { epoch, epochs: EPOCHS, step: 1, steps: 1 }).unwrap();
        if epoch % 2 == 0 {
            writer
                .checkpoint(epoch, u64::from(epoch), |folder| {
                    std::fs::write(folder.join("a"), vec![epoch as u8; 100_000])?;
                    std::fs::write(folder.join("b"), epoch.to_string())
                })
                .unwrap();
        }
        if epoch % 10 == 0 {
            writer.arrays(&arrays()).unwrap();
            writer.evaluation(&[evaluation(Metric::PseudoNll, f64::from(epoch))]).unwrap();
        }
    }
    writer.finish(1.0).unwrap();
}

/// Checks all that a run shows to a reader at any moment; returns the epochs on record.
fn check(store: &Store, run: &Run) -> u32 {
    let cell = cell(2, 0);
    let metrics = run.metrics().unwrap();
    let n_epochs = metrics.last().map_or(0, |row| row.epoch);
    let expected: Vec<_> = (1..=n_epochs).flat_map(|epoch| rows(&cell, epoch)).collect();
    assert_eq!(metrics, expected);
    assert!(run.evaluation().unwrap().len() <= 1);
    match run.arrays() {
        Ok(found) => assert_eq!(found, arrays()),
        Err(error) => assert!(error.is_not_found(), "{error}"),
    }
    let listing = store.runs().unwrap();
    assert!(listing.unreadable.is_empty(), "{:?}", listing.unreadable);
    run.status().unwrap();
    n_epochs
}

/// What `metrics.parquet` alone holds, which is what readers of all runs see: whole epochs from the first on.
fn check_metrics_file(run: &Run, scratch: &Path) {
    let copy = Store::open(scratch).unwrap().run(run.id());
    std::fs::create_dir_all(copy.dir()).unwrap();
    match std::fs::copy(run.metrics_file(), copy.metrics_file()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        other => drop(other.unwrap()),
    }
    let metrics = copy.metrics().unwrap();
    let expected: Vec<_> = (1..=metrics.len() as u32 / 2).flat_map(|epoch| rows(&cell(2, 0), epoch)).collect();
    assert_eq!(metrics, expected);
}

fn start_child(store: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["kills::child", "--exact", "--test-threads=1"])
        .env(STORE, store)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// A small generator with a fixed start, so that a failure has a chance to come again.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn leftovers(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let below = if entry.path().is_dir() { leftovers(&entry.path()) } else { 0 };
            below + usize::from(entry.file_name().to_str().unwrap().contains(".tmp-"))
        })
        .sum()
}

#[test]
fn a_writer_that_is_killed_leaves_only_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let run = store.run(&cell(2, 0).run_id());
    let scratch = tempfile::tempdir().unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A reader that looks all the time, at moments that no kill would show.
        let reader = scope.spawn(|| {
            let scratch = tempfile::tempdir().unwrap();
            let mut n_looks = 0;
            while !is_over.load(Ordering::Relaxed) {
                check(&store, &run);
                check_metrics_file(&run, scratch.path());
                store.rebuild_index().unwrap();
                n_looks += 1;
            }
            n_looks
        });
        let mut state = 0x2545_f491_4f6c_dd1d;
        let (mut n_kills, mut n_left, mut n_done) = (0, 0, 0);
        let start = Instant::now();
        while !reader.is_finished() && start.elapsed() < Duration::from_secs(12) {
            let mut child = start_child(folder.path());
            std::thread::sleep(Duration::from_millis(20 + random(&mut state) % 400));
            child.kill().unwrap();
            n_kills += usize::from(!child.wait().unwrap().success());
            n_left += usize::from(leftovers(run.dir()) > 0);
            let n_epochs = check(&store, &run);
            check_metrics_file(&run, scratch.path());
            let latest = run.latest_checkpoint().unwrap();
            assert_eq!(latest.damaged, Vec::<String>::new());
            match run.status().unwrap() {
                Status::New => assert_eq!(latest.checkpoint, None),
                Status::Resumable { epoch } => {
                    let checkpoint = latest.checkpoint.unwrap();
                    assert!(epoch == checkpoint.epoch && epoch <= n_epochs);
                    assert_eq!(std::fs::read_to_string(checkpoint.path.join("b")).unwrap(), epoch.to_string());
                }
                Status::Done => {
                    assert_eq!(n_epochs, EPOCHS);
                    n_done += 1;
                    record::gc::discard(&store, &record::gc::find(&store, &[].into()).unwrap()).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        is_over.store(true, Ordering::Relaxed);
        let n_looks = reader.join().unwrap();
        eprintln!("{n_kills} kills, {n_left} of them amid a write; {n_done} runs done, {n_looks} looks meanwhile");
        assert!(n_kills >= 5 && n_looks >= 5);
    });
    // Left alone, the run comes to its end and leaves nothing behind but its last checkpoint.
    assert!(start_child(folder.path()).wait().unwrap().success());
    assert_eq!(check(&store, &run), EPOCHS);
    assert_eq!(run.status().unwrap(), Status::Done);
    assert_eq!(leftovers(run.dir()), 0);
    let names: Vec<_> = std::fs::read_dir(run.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 7, "{names:?}");
    assert_eq!(std::fs::read_dir(run.checkpoint_dir()).unwrap().count(), 1);
    for line in std::fs::read_to_string(run.log_file()).unwrap().lines() {
        serde_json::from_str::<protocol::Event>(line).unwrap();
    }
}
