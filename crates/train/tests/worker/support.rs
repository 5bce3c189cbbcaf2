//! Small images, and how the built worker is started on them.

use std::io::{BufRead, BufReader, Read, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use protocol::{Event, Job, Message, Task, Threads, Version, WorkerSettings};
use record::{MetricsRow, Status, Store};
use spec::{Cell, Device};
use tempfile::TempDir;

pub const SIDE: usize = 10;

/// A folder with 600 training and 150 test images in IDX form: bright bars at a place that depends on the class.
pub fn images() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, n) in [("train", 600), ("t10k", 150)] {
        let mut pixels = vec![0, 0, 8, 3];
        let mut labels = vec![0, 0, 8, 1];
        pixels.extend([n as u32, SIDE as u32, SIDE as u32].iter().flat_map(|value| value.to_be_bytes()));
        labels.extend((n as u32).to_be_bytes());
        for i in 0..n {
            let class = i % 10;
            labels.push(class as u8);
            for pixel in 0..SIDE * SIDE {
                let (row, column) = (pixel / SIDE, pixel % SIDE);
                let noise = (i * 7919 + pixel * 104_729) % 97;
                pixels.push(if row == class || column == (class * 3 + i / 50) % SIDE {
                    150 + noise as u8
                } else {
                    noise as u8 / 4
                });
            }
        }
        std::fs::write(folder.path().join(format!("{name}-images-idx3-ubyte")), pixels).unwrap();
        std::fs::write(folder.path().join(format!("{name}-labels-idx1-ubyte")), labels).unwrap();
    }
    folder
}

pub fn cell(images: &Path, latent_dim: usize, seed: u64, epochs: usize) -> Cell {
    let text = format!(
        r#"{{"dataset": {{"name": {{"idx": {images:?}}}}},
            "model": {{"hidden": [32], "latent_dim": {latent_dim}}}, "objective": {{}}, "optimizer": {{"adam": {{}}}},
            "training": {{"epochs": {epochs}, "batch_size": 8, "seed": {seed}}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

/// A job on one thread, with a checkpoint at the end of every epoch.
pub fn job(results: &Path, task: Task, cells: &[Cell]) -> Job {
    let settings = WorkerSettings {
        results: results.to_owned(),
        data: None,
        threads: Threads { count: NonZeroUsize::MIN, asked: false },
        device: Device::Cpu,
        checkpoint_every_seconds: 0,
    };
    Job::new(settings, task, cells.to_vec())
}

/// Starts training, with checkpoints as seldom as `elbo` asks for.
pub fn start(results: &Path, cells: &[Cell]) -> Child {
    let mut job = job(results, Task::Train, cells);
    job.settings.checkpoint_every_seconds = protocol::CHECKPOINT_EVERY_SECONDS;
    start_job(&job.to_json().unwrap())
}

pub fn start_job(job: &[u8]) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_elbo-train"))
        .env("OMP_NUM_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(job).unwrap();
    child
}

/// Does a job to its end: the exit code, the messages behind the version, and standard error.
pub fn done(job: &Job) -> (Option<i32>, Vec<Message>, String) {
    said(&start_job(&job.to_json().unwrap()).wait_with_output().unwrap())
}

/// What a worker that has ended said, as [`done`] gives it.
pub fn said(output: &Output) -> (Option<i32>, Vec<Message>, String) {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let mut messages: Vec<Message> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(messages.remove(0), Message::Hello(Version::own()));
    (output.status.code(), messages, String::from_utf8(output.stderr.clone()).unwrap())
}

pub fn train(results: &Path, cells: &[Cell]) -> Output {
    let output = start(results, cells).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

pub fn metrics(results: &Path, cell: &Cell) -> Vec<MetricsRow> {
    Store::open(results).unwrap().run(&cell.run_id()).metrics().unwrap()
}

pub fn status(results: &Path, cell: &Cell) -> Status {
    Store::open(results).unwrap().run(&cell.run_id()).status().unwrap()
}

/// All that training decides, to the bit: rows without the seconds, and the weights.
pub fn outcome(results: &Path, cell: &Cell) -> (Vec<MetricsRow>, Vec<u8>) {
    let rows = metrics(results, cell).into_iter().map(|row| MetricsRow { seconds: 0.0, ..row }).collect();
    let model = Store::open(results).unwrap().run(&cell.run_id()).model_file();
    (rows, std::fs::read(model).unwrap())
}

/// Reads events until one satisfies the condition.
pub fn wait_for(child: &mut Child, mut wanted: impl FnMut(&Event) -> bool) {
    let reader = BufReader::new(child.stdout.as_mut().unwrap());
    for line in reader.lines() {
        if let Message::Event(event) = serde_json::from_str(&line.unwrap()).unwrap()
            && wanted(&event)
        {
            return;
        }
    }
    panic!("the worker ended before the event");
}

pub fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Drains standard output and waits.
pub fn end(mut child: Child) -> i32 {
    let mut rest = Vec::new();
    child.stdout.as_mut().unwrap().read_to_end(&mut rest).unwrap();
    child.wait().unwrap().code().unwrap_or(-1)
}
