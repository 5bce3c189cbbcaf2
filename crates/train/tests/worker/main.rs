//! The built `elbo-train` on small images: cohorts against single runs, resuming, signals, kills and failures.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod families;
mod support;
mod weights;

use std::path::Path;
use std::process::Child;

use record::{EvaluationRow, Event, Split, Status, Store};
use spec::{Cell, Likelihood};

use support::{SIDE, cell, end, images, metrics, outcome, signal, start, start_job, status, train, wait_for};

#[test]
fn a_cohort_of_four_trains_as_four_single_runs() {
    let images = images();
    let mut cells: Vec<Cell> =
        [(2, 0), (5, 1), (12, 0), (12, 2)].map(|(d, seed)| cell(images.path(), d, seed, 2)).into();
    cells[1].objective.beta = 4.0;
    cells[2].objective.warm_up_epochs = 1;
    let spec::Optimizer::Adam(adam) = &mut cells[3].optimizer;
    adam.learning_rate = 3e-3;
    let together = tempfile::tempdir().unwrap();
    train(together.path(), &cells);
    for cell in &cells {
        let alone = tempfile::tempdir().unwrap();
        train(alone.path(), std::slice::from_ref(cell));
        let (together, alone) = (metrics(together.path(), cell), metrics(alone.path(), cell));
        assert_eq!(together.len(), 4);
        for (a, b) in together.iter().zip(&alone) {
            assert_eq!((a.split, a.epoch, a.step, a.images, a.beta), (b.split, b.epoch, b.step, b.images, b.beta));
            for (quantity, a, b) in [
                ("elbo", a.elbo, b.elbo),
                ("reconstruction", a.reconstruction, b.reconstruction),
                ("kl", a.kl, b.kl),
                ("objective", Some(a.objective), Some(b.objective)),
            ] {
                let (a, b) = (a.unwrap(), b.unwrap());
                assert!((a - b).abs() <= 1e-3 * b.abs(), "{quantity} of {}: {a} and {b}", cell.readable_name());
            }
            assert_eq!(a.kl_per_dim.len(), cell.model.latent_dim);
        }
        let losses: Vec<f64> =
            alone.iter().filter(|row| row.split == Split::Train).filter_map(|row| row.elbo).collect();
        assert!(losses[1] > losses[0], "training must improve the bound: {losses:?}");
    }
}

#[test]
fn a_likelihood_scale_of_its_own_does_not_disturb_the_others() {
    let images = images();
    let mut cells: Vec<Cell> = (0..2).map(|seed| cell(images.path(), 3, seed, 1)).collect();
    cells[0].model.likelihood = Likelihood::Gaussian { sigma: 0.2 };
    cells[1].model.likelihood = Likelihood::Gaussian { sigma: 1.0 };
    let (together, alone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    train(together.path(), &cells);
    train(alone.path(), &cells[..1]);
    let (a, b) = (&metrics(together.path(), &cells[0])[1], &metrics(alone.path(), &cells[0])[1]);
    let (a, b) = (a.elbo.unwrap(), b.elbo.unwrap());
    assert!((a - b).abs() < 1e-3 * b.abs(), "{a} and {b}");
    // σ = 1 costs at least 100 pixels × ½ log 2π = 91.9 nats.
    assert!(metrics(together.path(), &cells[1])[1].reconstruction.unwrap() > 91.8);
}

#[test]
fn a_stopped_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    let images = images();
    let cells: Vec<Cell> = [(2, 0), (6, 1)].map(|(d, seed)| cell(images.path(), d, seed, 12)).into();
    let whole = tempfile::tempdir().unwrap();
    train(whole.path(), &cells);

    for (name, code) in [("-TERM", 143), ("-INT", 130)] {
        let parts = tempfile::tempdir().unwrap();
        let mut worker = start(parts.path(), &cells, &[]);
        wait_for(&mut worker, |event| matches!(event, Event::Epoch { epoch: 3, .. }));
        signal(&worker, name);
        assert_eq!(end(worker), code);
        assert!(
            matches!(status(parts.path(), &cells[0]), Status::Resumable { .. }),
            "{:?}",
            status(parts.path(), &cells[0])
        );
        train(parts.path(), &cells);
        for cell in &cells {
            assert!(outcome(parts.path(), cell) == outcome(whole.path(), cell), "{name}: {}", cell.readable_name());
        }
    }
}

#[test]
fn a_killed_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    let images = images();
    let cells = [cell(images.path(), 4, 0, 12)];
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    train(whole.path(), &cells);
    for epochs_more in [2, 3, 1] {
        let mut worker = start(parts.path(), &cells, &["--checkpoint-every", "0"]);
        let mut seen = 0;
        wait_for(&mut worker, |event| {
            seen += usize::from(matches!(event, Event::Epoch { .. }));
            seen == epochs_more
        });
        worker.kill().unwrap();
        worker.wait().unwrap();
        assert!(metrics(parts.path(), &cells[0]).len() < 24, "the kill came too late to show anything");
    }
    train(parts.path(), &cells);
    assert!(outcome(parts.path(), &cells[0]) == outcome(whole.path(), &cells[0]));
}

#[test]
fn a_run_whose_numbers_explode_fails_alone_and_says_where() {
    let images = images();
    let mut cells: Vec<Cell> = [(2, 0), (6, 1)].map(|(d, seed)| cell(images.path(), d, seed, 2)).into();
    let spec::Optimizer::Adam(adam) = &mut cells[0].optimizer;
    adam.learning_rate = 1e25;
    let (results, alone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let output = start(results.path(), &cells, &[]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let Status::Failed { reason } = status(results.path(), &cells[0]) else {
        panic!("{:?}", status(results.path(), &cells[0]))
    };
    assert!(reason.contains("at step") && reason.contains("learning rate"), "{reason}");
    assert_eq!(status(results.path(), &cells[1]), Status::Done);
    train(alone.path(), &cells[1..]);
    let (a, b) = (metrics(results.path(), &cells[1]), metrics(alone.path(), &cells[1]));
    assert_eq!(a.len(), 4);
    let (a, b) = (a[3].elbo.unwrap(), b[3].elbo.unwrap());
    assert!((a - b).abs() < 1e-3 * b.abs(), "{a} and {b}");
}

#[test]
fn a_done_run_is_not_trained_again() {
    let images = images();
    let cells = [cell(images.path(), 2, 0, 1)];
    let results = tempfile::tempdir().unwrap();
    train(results.path(), &cells);
    let before = outcome(results.path(), &cells[0]);
    let output = train(results.path(), &cells);
    assert!(output.stdout.is_empty());
    assert!(outcome(results.path(), &cells[0]) == before);
    let run = Store::open(results.path()).unwrap().run(&cells[0].run_id());
    let arrays = run.arrays().unwrap();
    assert_eq!(arrays.originals.unwrap().shape, [20, 1, SIDE, SIDE]);
    assert_eq!(arrays.reconstructions.unwrap().shape, [20, 1, SIDE, SIDE]);
    assert_eq!(arrays.samples.shape, [100, 1, SIDE, SIDE]);
    assert_eq!(arrays.manifold.unwrap().shape, [20, 20, 1, SIDE, SIDE]);
    assert_eq!(arrays.latent_mean.unwrap().shape, [150, 2]);
    let elbo = run.evaluation().unwrap().into_iter().find(|row| row.metric == "elbo").unwrap();
    let last = metrics(results.path(), &cells[0]).pop().unwrap();
    assert_eq!((elbo.n, elbo.value), (150, last.elbo.unwrap()));
}

#[test]
fn a_reader_that_is_gone_stops_the_worker_at_a_checkpoint() {
    let images = images();
    let cells = [cell(images.path(), 2, 0, 2000)];
    let results = tempfile::tempdir().unwrap();
    let mut worker = start(results.path(), &cells, &[]);
    wait_for(&mut worker, |event| matches!(event, Event::Epoch { .. }));
    drop(worker.stdout.take());
    assert_eq!(worker.wait().unwrap().code(), Some(143));
    assert!(matches!(status(results.path(), &cells[0]), Status::Resumable { .. }));
}

#[test]
fn bad_jobs_and_arguments_are_refused_with_a_hint() {
    let images = images();
    let results = tempfile::tempdir().unwrap();
    let message = |child: Child, code: i32| {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        String::from_utf8(output.stderr).unwrap()
    };
    let good = cell(images.path(), 2, 0, 1);
    assert!(message(start(results.path(), &[], &["--device", "tpu"]), 2).contains("use `cpu` or `cuda`"));
    assert!(message(start(results.path(), &[], &["--thread", "1"]), 2).contains("unknown argument `--thread`"));
    let mut other = good.clone();
    other.training.batch_size = 4;
    assert!(message(start(results.path(), &[good, other], &[]), 1).contains("cannot train as one cohort"));
    let absent = cell(&images.path().join("absent"), 2, 0, 1);
    assert!(message(start(results.path(), &[absent], &[]), 1).contains("absent"));
}

/// Estimates log p(x), and says how the worker ended and what it said.
fn measure(results: &Path, cells: &[Cell], samples: usize, n_images: Option<usize>) -> (Option<i32>, String) {
    let asked = serde_json::json!({ "importance_samples": samples, "images": n_images });
    let job = serde_json::json!({ "task": { "evaluate": asked }, "cells": cells });
    let output = start_job(results, &job, &[]).wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

fn evaluation(results: &Path, cell: &Cell, metric: &str) -> Vec<EvaluationRow> {
    let mut rows = Store::open(results).unwrap().run(&cell.run_id()).evaluation().unwrap();
    rows.retain(|row| row.metric == metric);
    rows
}

#[test]
fn the_likelihood_of_trained_models_is_estimated_once() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let cells = [(2, 0), (5, 1)].map(|(d, seed)| cell(images.path(), d, seed, 2));
    train(results.path(), &cells);
    let elbos = |cell: &Cell| evaluation(results.path(), cell, "elbo")[0].clone();
    let before: Vec<EvaluationRow> = cells.iter().map(elbos).collect();

    let (code, said) = measure(results.path(), &cells, 64, None);
    assert_eq!((code, said.matches(r#""event":"evaluated""#).count()), (Some(0), 2), "{said}");
    for (cell, elbo) in cells.iter().zip(&before) {
        let nll = &evaluation(results.path(), cell, EvaluationRow::NLL)[0];
        // With 64 samples the bound is tighter than with one, and cannot be tighter by more than the whole KL.
        let gap = -elbo.value - nll.value;
        let kl = evaluation(results.path(), cell, "kl")[0].value;
        assert!(gap > 0.0 && gap < kl, "a gap of {gap} nats, KL {kl}");
        assert_eq!((nll.n, nll.settings.as_str()), (150, r#"{"samples":64}"#));
        assert!(nll.standard_error.unwrap() > 0.0);
        assert_eq!(elbos(cell), *elbo, "what was on record stays");
    }

    // A second time there is nothing to do; of fewer images it is another number, and alone the same as in a cohort.
    assert_eq!(measure(results.path(), &cells, 64, None), (Some(0), String::new()));
    let of_some = |cells: &[Cell]| {
        assert_eq!(measure(results.path(), cells, 8, Some(30)).0, Some(0));
        evaluation(results.path(), &cells[0], EvaluationRow::NLL)[1].clone()
    };
    let alone = of_some(&cells[..1]);
    assert_eq!((alone.n, alone.settings.as_str()), (30, r#"{"samples":8}"#));
    let path = Store::open(results.path()).unwrap().run(&cells[0].run_id()).evaluation_file();
    std::fs::remove_file(path).unwrap();
    assert_eq!(measure(results.path(), &cells, 8, Some(30)).0, Some(0));
    let together = evaluation(results.path(), &cells[0], EvaluationRow::NLL)[0].clone();
    assert!((together.value - alone.value).abs() < 1e-4 * alone.value, "{together:?} and {alone:?}");
}

#[test]
fn what_cannot_be_measured_is_told_and_the_others_are_measured() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let cells = [0, 1, 2].map(|seed| cell(images.path(), 2, seed, 1));
    train(results.path(), &cells[..2]);
    let model = Store::open(results.path()).unwrap().run(&cells[1].run_id()).model_file();
    std::fs::write(&model, b"no parameters").unwrap();
    let (code, said) = measure(results.path(), &cells, 4, None);
    assert_eq!(code, Some(1), "{said}");
    let reason = |cell: &Cell| {
        let events = said.lines().map(|line| serde_json::from_str(line).unwrap());
        let mut failures = events.filter_map(|event| match event {
            Event::Failed { run_id, reason } if run_id == cell.run_id() => Some(reason),
            _ => None,
        });
        failures.next()
    };
    assert_eq!(reason(&cells[0]), None);
    assert!(reason(&cells[1]).unwrap().contains("model.safetensors"), "{said}");
    assert!(reason(&cells[2]).unwrap().contains("no trained model"), "{said}");
    assert_eq!(evaluation(results.path(), &cells[0], EvaluationRow::NLL).len(), 1);
    assert_eq!(status(results.path(), &cells[1]), Status::Done);

    // Other images than those trained on.
    let path = images.path().join("t10k-images-idx3-ubyte");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (code, said) = measure(results.path(), &cells[..1], 5, None);
    assert_eq!(code, Some(1));
    assert!(said.contains("no longer those that the model was trained with"), "{said}");
}
