//! Jobs and messages go to JSON and back unchanged, and a job of another version is refused before the rest is read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;

use protocol::usage::{Decoder, ImageSource, LatentSource, Operation};
use protocol::{
    Calibration, Event, Job, JobError, Message, OutsideWeights, Pace, Task, Threads, Trial, Usage, Version,
    WorkerSettings,
};
use serde_json::json;
use spec::{Cell, Device, Evaluation, Measurement, Metric, MetricSettings, Split};

fn cell() -> Cell {
    serde_json::from_value(json!({
        "dataset": { "name": "glyphs" }, "model": { "hidden": [400], "latent_dim": 20 }, "objective": { "beta": 0.1 },
        "optimizer": { "adam": { "learning_rate": 3e-4 } }, "training": {},
    }))
    .unwrap()
}

fn job(task: Task) -> Job {
    let settings = WorkerSettings {
        results: "/some/results".into(),
        data: Some("/some/data".into()),
        threads: Threads { count: NonZeroUsize::new(3).unwrap(), asked: true },
        device: Device::Cuda,
        checkpoint_every_seconds: 7,
    };
    Job::new(settings, task, vec![cell(), cell()])
}

fn tasks() -> Vec<Task> {
    let evaluation = Evaluation { importance_samples: 50, images: Some(100) };
    let usage = |operation| {
        Task::Use(Usage { run: cell().run_id(), folder: "/some/folder".into(), image: [1, 28, 28], operation })
    };
    let (decoder, seed) = (Decoder::Sample, u64::MAX);
    let weights = OutsideWeights {
        file: "own.safetensors".into(),
        samples: NonZeroUsize::new(6).unwrap(),
        evaluation: Some(evaluation),
    };
    vec![
        Task::Train,
        Task::Evaluate(Some(evaluation)),
        Task::Evaluate(None),
        Task::Weights(weights.clone()),
        Task::Weights(OutsideWeights { evaluation: None, ..weights }),
        usage(Operation::Sample { from: LatentSource::Mixture, n: 12, decoder, seed }),
        usage(Operation::Decode { decoder, seed }),
        usage(Operation::Reconstruct { images: ImageSource::Test(20), decoder: Decoder::Mean, seed: 0 }),
        usage(Operation::Encode { images: ImageSource::File }),
        usage(Operation::Interpolate { images: ImageSource::TestPair([3, 17]), steps: 10 }),
        Task::Calibrate(vec![Trial { cells: vec![cell(), cell()], image: [3, 32, 32], threads: NonZeroUsize::MIN }]),
    ]
}

#[test]
fn every_job_comes_back_unchanged() {
    for task in tasks() {
        let job = job(task);
        let back = Job::from_json(&job.to_json().unwrap()).unwrap();
        assert_eq!(back, job);
        assert_eq!(back.cells[0].run_id(), cell().run_id(), "a run has one id on both sides");
    }
}

#[test]
fn a_job_is_one_document_with_its_version_and_settings() {
    let value: serde_json::Value = serde_json::from_slice(&job(Task::Train).to_json().unwrap()).unwrap();
    assert_eq!(value["version"], json!({ "protocol": 2, "program": env!("CARGO_PKG_VERSION") }));
    let settings = json!({
        "results": "/some/results", "data": "/some/data", "threads": { "count": 3, "asked": true }, "device": "cuda", "checkpoint_every_seconds": 7,
    });
    assert_eq!((&value["settings"], &value["task"]), (&settings, &json!("train")));
}

#[test]
fn every_message_comes_back_unchanged_from_one_line() {
    let measurement = Measurement {
        metric: Metric::Elbo,
        split: Split::Test,
        value: -105.25,
        standard_error: Some(0.1 + 0.2),
        n: 10_000,
        settings: MetricSettings::samples(3),
    };
    let without_error = Measurement { standard_error: None, ..measurement.clone() };
    let pace = Pace { step: 0.1 + 0.2, image: 1e-5, latents: 0.0 };
    let failed = Event::Failed { run_id: cell().run_id(), reason: "two\nlines".to_owned() };
    for (message, start) in [
        (Message::Hello(Version::own()), r#"{"hello":{"protocol":2,"program":""#),
        (Message::Event(failed), r#"{"event":{"event":"failed","run_id":""#),
        (Message::Measurements(vec![measurement, without_error]), r#"{"measurements":[{"metric":"elbo","#),
        (
            Message::Calibration(Calibration { paces: vec![None, Some(pace)], seconds: 0.1 + 0.2 }),
            r#"{"calibration":{"#,
        ),
    ] {
        let line = serde_json::to_string(&message).unwrap();
        assert!(line.starts_with(start) && !line.contains('\n'), "{line}");
        assert_eq!(serde_json::from_str::<Message>(&line).unwrap(), message);
    }
}

#[test]
fn every_event_is_one_line_of_json_tagged_by_its_name() {
    let run_id = cell().run_id();
    let events = [
        (Event::Started { run_id: run_id.clone(), from_epoch: 2 }, "started"),
        (Event::Progress { epoch: 1, epochs: 3, step: 4, steps: 10 }, "progress"),
        (
            Event::Epoch { run_id: run_id.clone(), epoch: 3, train_elbo: Some(-99.5), test_elbo: None, seconds: 2.5 },
            "epoch",
        ),
        (
            Event::Evaluated { run_id: run_id.clone(), metric: Metric::Nll, value: 90.5, standard_error: Some(0.25) },
            "evaluated",
        ),
        (Event::Finished { run_id: run_id.clone(), seconds: 9.0 }, "finished"),
        (Event::Failed { run_id: run_id.clone(), reason: "two\nlines".to_owned() }, "failed"),
        (
            Event::Threads {
                run_id: run_id.clone(),
                epoch: 3,
                step: 1407,
                from: 2,
                to: 1,
                seconds_before: 0.25,
                seconds_after: 0.014,
            },
            "threads",
        ),
        (Event::Interrupted { run_id, epoch: 3 }, "interrupted"),
    ];
    for (event, tag) in events {
        let line = serde_json::to_string(&event).unwrap();
        assert!(line.starts_with(&format!("{{\"event\":\"{tag}\"")) && !line.contains('\n'), "{line}");
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}

#[test]
fn a_job_of_another_version_is_refused_whatever_else_it_holds() {
    let own = Version::own();
    for other in
        [Version { protocol: own.protocol + 1, ..own.clone() }, Version { program: "99.0.0".to_owned(), ..own.clone() }]
    {
        let json = json!({ "version": other, "settings": "of an unknown form", "more": [] });
        let error = Job::from_json(json.to_string().as_bytes()).unwrap_err();
        assert!(matches!(&error, JobError::OtherVersion(error) if error.found == other), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&other.to_string()) && text.contains(&own.to_string()), "{text}");
        assert!(text.starts_with("`elbo` is version ") && text.contains("\nhint: ") && text.contains("both anew"));
    }
}

#[test]
fn what_is_no_job_is_refused() {
    let mut misspelt: serde_json::Value = serde_json::from_slice(&job(Task::Train).to_json().unwrap()).unwrap();
    misspelt["settings"]["thread"] = 1.into();
    let mut idle: serde_json::Value = serde_json::from_slice(&job(Task::Train).to_json().unwrap()).unwrap();
    idle["settings"]["threads"]["count"] = 0.into();
    for (json, part) in [
        (String::new(), "EOF"),
        ("{}".to_owned(), "missing field `version`"),
        (misspelt.to_string(), "unknown field `thread`"),
        (idle.to_string(), "nonzero"),
    ] {
        let error = Job::from_json(json.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the job on standard input: ") && error.contains(part), "{error}");
    }
}
