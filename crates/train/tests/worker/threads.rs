//! Threads of a training: kept when it goes on, fewer where several are slower, and noted either way.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Stdio};

use protocol::{Event, Message, Task, Threads};
use record::{RunManifest, Status, Store, ThreadSpan};
use spec::Cell;

use crate::support::{cell, done, end, images, job, outcome, said, signal, start, status, train, wait_for};

fn manifest(results: &Path, cell: &Cell) -> RunManifest {
    Store::open(results).unwrap().run(&cell.run_id()).manifest().unwrap()
}

fn threads(count: usize, asked: bool) -> Threads {
    Threads { count: NonZeroUsize::new(count).unwrap(), asked }
}

/// Trains with one thread until a signal stops it.
fn train_until_stopped(results: &Path, cells: &[Cell]) {
    let mut worker = start(results, cells);
    wait_for(&mut worker, |event| matches!(event, Event::Epoch { epoch: 3, .. }));
    signal(&worker, "-TERM");
    assert_eq!(end(worker), 143);
    assert!(matches!(status(results, &cells[0]), Status::Resumable { .. }));
}

#[test]
fn a_run_that_goes_on_keeps_its_threads_unless_others_are_asked_for() {
    let images = images();
    let cells = [cell(images.path(), 4, 0, 12)];
    let (whole, kept, asked) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    train(whole.path(), &cells);
    let one = ThreadSpan { from_step: 0, threads: 1 };
    assert_eq!(manifest(whole.path(), &cells[0]).thread_history, [one]);

    for (results, with) in [(kept.path(), threads(2, false)), (asked.path(), threads(2, true))] {
        train_until_stopped(results, &cells);
        let mut job = job(results, Task::Train, &cells);
        job.settings.threads = with;
        let (code, _, err) = done(&job);
        assert_eq!(code, Some(0), "{err}");
        let history = manifest(results, &cells[0]).thread_history;
        if with.asked {
            assert!(history.len() == 2 && history[0] == one && history[1].threads == 2, "{history:?}");
            let said = format!("trained with 1 thread so far, from step {} on with 2", history[1].from_step);
            assert!(err.contains(&said), "{err}");
        } else {
            assert_eq!((history.as_slice(), err.as_str()), ([one].as_slice(), ""));
            assert!(outcome(results, &cells[0]) == outcome(whole.path(), &cells[0]));
        }
    }
}

/// Two threads on one core cannot be faster than one.
#[test]
fn several_threads_that_are_slower_than_one_are_left_and_that_is_told_and_noted() {
    let allowed = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let first = allowed.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let first = first.map(|list| list.trim().split(['-', ',']).next().unwrap_or("0").to_owned());
    let (Some(core), Ok(_)) = (first, Command::new("taskset").arg("--version").output()) else {
        assert_ne!(std::env::consts::OS, "linux", "`taskset` of util-linux is missing");
        return;
    };
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let mut cell = cell(images.path(), 4, 0, 4);
    cell.model.hidden = vec![1500];
    let mut job = job(results.path(), Task::Train, std::slice::from_ref(&cell));
    job.settings.threads = threads(2, false);
    let mut child = Command::new("taskset")
        .args(["-c", &core, env!("CARGO_BIN_EXE_elbo-train")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&job.to_json().unwrap()).unwrap();
    let (code, messages, err) = said(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{err}");
    let told = messages.iter().find_map(|message| match message {
        Message::Event(Event::Threads { step, from: 2, to: 1, seconds_before, seconds_after, .. }) => {
            Some((*step, seconds_after < seconds_before))
        }
        _ => None,
    });
    let history = manifest(results.path(), &cell).thread_history;
    let Some((step, _)) = told else { panic!("two threads on one core were not left: {history:?}") };
    assert_eq!(history[..2], [ThreadSpan { from_step: 0, threads: 2 }, ThreadSpan { from_step: step, threads: 1 }]);
    let log = Store::open(results.path()).unwrap().run(&cell.run_id()).log_file();
    assert!(std::fs::read_to_string(log).unwrap().contains("\"event\":\"threads\""));
}

#[test]
fn cohorts_are_timed_without_their_images() {
    let results = tempfile::tempdir().unwrap();
    let cells: Vec<Cell> = [2, 5].map(|d| cell(Path::new("/nowhere"), d, 0, 1)).into();
    let mut gan = cells[0].clone();
    gan.model.kind = serde_json::from_str(r#"{"gan":{}}"#).unwrap();
    let mixture = r#"{"dataset":{"name":"glyphs"},"model":{"kind":{"gaussian-mixture":{"components":3}}}}"#;
    let mixture: Cell = serde_json::from_str(mixture).unwrap();
    let trial = |cells: Vec<Cell>| protocol::Trial { cells, image: [1, 10, 10], threads: NonZeroUsize::MIN };
    let trials = vec![trial(cells), trial(vec![gan]), trial(vec![mixture])];
    let (code, messages, err) = done(&job(results.path(), Task::Calibrate(trials), &[]));
    assert_eq!(code, Some(0), "{err}");
    let [Message::Calibration(found)] = messages.as_slice() else { panic!("{messages:?}") };
    let paces: Vec<_> = found.paces.iter().map(|pace| pace.unwrap()).collect();
    assert!(paces.iter().all(|pace| pace.step > 0.0 && pace.image > 0.0), "{paces:?}");
    assert!(paces[0].latents > 0.0 && paces[1].latents == 0.0 && paces[2].latents == 0.0, "{paces:?}");
    assert!(found.seconds < 60.0);
}
