//! The built `elbo-train` on small images: cohorts against single runs, resuming, signals, kills and failures.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod closed_form;
mod families;
mod information;
mod keep;
mod quadrature;
mod support;
mod threads;
mod weights;

use std::path::Path;
use std::process::Command;

use protocol::{Event, Message, Task, Version};
use record::{ArrayName, Status, Store};
use spec::{Cell, Evaluation, Likelihood, Measurement, Metric, Split};

use support::{
    SIDE, cell, done, end, images, job, metrics, outcome, said, signal, start, start_job, status, train, wait_for,
};

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
            for quantity in [Metric::Elbo, Metric::Reconstruction, Metric::Kl, Metric::Objective] {
                let (a, b) = (a.terms.get(quantity).unwrap(), b.terms.get(quantity).unwrap());
                assert!((a - b).abs() <= 1e-3 * b.abs(), "{quantity} of {}: {a} and {b}", cell.readable_name());
            }
            assert_eq!(a.kl_per_dim.len(), cell.model.latent_dim);
        }
        let losses: Vec<f64> = alone
            .iter()
            .filter(|row| row.split == Split::Train)
            .filter_map(|row| row.terms.get(Metric::Elbo))
            .collect();
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
    let (a, b) = (a.terms.get(Metric::Elbo).unwrap(), b.terms.get(Metric::Elbo).unwrap());
    assert!((a - b).abs() < 1e-3 * b.abs(), "{a} and {b}");
    // σ = 1 costs at least 100 pixels × ½ log 2π = 91.9 nats.
    assert!(metrics(together.path(), &cells[1])[1].terms.get(Metric::Reconstruction).unwrap() > 91.8);
}

#[test]
fn a_stopped_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    let images = images();
    let cells: Vec<Cell> = [(2, 0), (6, 1)].map(|(d, seed)| cell(images.path(), d, seed, 12)).into();
    let whole = tempfile::tempdir().unwrap();
    train(whole.path(), &cells);

    for (name, code) in [("-TERM", 143), ("-INT", 130)] {
        let parts = tempfile::tempdir().unwrap();
        let mut worker = start(parts.path(), &cells);
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
        let mut worker = start_job(&job(parts.path(), Task::Train, &cells).to_json().unwrap());
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
    let output = start(results.path(), &cells).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let Status::Failed { reason } = status(results.path(), &cells[0]) else {
        panic!("{:?}", status(results.path(), &cells[0]))
    };
    assert!(reason.contains("at step") && reason.contains("learning rate"), "{reason}");
    assert_eq!(status(results.path(), &cells[1]), Status::Done);
    train(alone.path(), &cells[1..]);
    let (a, b) = (metrics(results.path(), &cells[1]), metrics(alone.path(), &cells[1]));
    assert_eq!(a.len(), 4);
    let (a, b) = (a[3].terms.get(Metric::Elbo).unwrap(), b[3].terms.get(Metric::Elbo).unwrap());
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
    assert_eq!(said(&output).1, []);
    assert!(outcome(results.path(), &cells[0]) == before);
    let run = Store::open(results.path()).unwrap().run(&cells[0].run_id());
    let arrays = run.arrays().unwrap();
    let shape = |name: ArrayName| arrays.get(name).unwrap().shape.clone();
    assert_eq!(shape(ArrayName::Originals), [20, 1, SIDE, SIDE]);
    assert_eq!(shape(ArrayName::Reconstructions), [20, 1, SIDE, SIDE]);
    assert_eq!(shape(ArrayName::Samples), [100, 1, SIDE, SIDE]);
    assert_eq!(shape(ArrayName::Manifold), [16, 16, 1, SIDE, SIDE]);
    assert_eq!(shape(ArrayName::LatentMean), [150, 2]);
    let elbo = run.evaluation().unwrap().into_iter().find(|row| row.metric == Metric::Elbo).unwrap();
    let last = metrics(results.path(), &cells[0]).pop().unwrap();
    assert_eq!((elbo.n, elbo.value), (150, last.terms.get(Metric::Elbo).unwrap()));
}

#[test]
fn a_reader_that_is_gone_stops_the_worker_at_a_checkpoint() {
    let images = images();
    let cells = [cell(images.path(), 2, 0, 2000)];
    let results = tempfile::tempdir().unwrap();
    let mut worker = start(results.path(), &cells);
    wait_for(&mut worker, |event| matches!(event, Event::Epoch { .. }));
    drop(worker.stdout.take());
    assert_eq!(worker.wait().unwrap().code(), Some(143));
    assert!(matches!(status(results.path(), &cells[0]), Status::Resumable { .. }));
}

#[test]
fn bad_jobs_are_refused_with_a_hint() {
    let images = images();
    let results = tempfile::tempdir().unwrap();
    let good = job(results.path(), Task::Train, &[cell(images.path(), 2, 0, 1)]);
    let message = |job: &[u8], code: i32| {
        let (found, messages, err) = said(&start_job(job).wait_with_output().unwrap());
        assert_eq!((found, messages), (Some(code), Vec::new()), "{err}");
        err
    };
    let no_job = message(b"[]", 2);
    assert!(no_job.contains("cannot read the job on standard input") && no_job.contains("hint: "), "{no_job}");
    let text = String::from_utf8(good.to_json().unwrap()).unwrap();
    let device = message(text.replace(r#""device":"cpu""#, r#""device":"tpu""#).as_bytes(), 2);
    assert!(device.contains("unknown variant `tpu`, expected `cpu` or `cuda`"), "{device}");
    let refused = |cells: &[Cell]| {
        let (code, _, err) = done(&job(results.path(), Task::Train, cells));
        assert_eq!(code, Some(1));
        err
    };
    let mut other = good.cells[0].clone();
    other.training.batch_size = 4;
    assert!(refused(&[good.cells[0].clone(), other]).contains("cannot train as one cohort"));
    assert!(refused(&[cell(&images.path().join("absent"), 2, 0, 1)]).contains("absent"));
}

#[test]
fn a_job_of_another_version_is_refused_before_anything_is_done() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let mut job = job(results.path(), Task::Train, &[cell(images.path(), 2, 0, 1)]);
    job.version.protocol += 1;
    let (code, messages, err) = done(&job);
    assert_eq!((code, messages), (Some(2), Vec::new()));
    let start =
        format!("error: `elbo` is version {}, and this program needs version {}\n", job.version, Version::own());
    assert!(err.starts_with(&start) && err.contains("hint: ") && err.contains("build both anew"), "{err}");
    assert_eq!(std::fs::read_dir(results.path()).unwrap().count(), 0);
}

#[test]
fn its_only_arguments_are_help_and_version() {
    let output = |argument: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_elbo-train")).arg(argument).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    assert_eq!(output("--version"), (Some(0), format!("elbo-train {}\n", Version::own()), String::new()));
    let (code, out, _) = output("--help");
    assert!(code == Some(0) && out.contains("Usage: elbo-train"), "{out}");
    let (code, out, err) = output("--results");
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.starts_with("error: unknown argument `--results`\nhint: "), "{err}");
}

/// Estimates log p(x); gives how the worker ended, and the events other than progress.
fn measure(
    results: &Path,
    cells: &[Cell],
    importance_samples: usize,
    images: Option<usize>,
) -> (Option<i32>, Vec<Event>) {
    let (code, messages, _) =
        done(&job(results, Task::Evaluate(Some(Evaluation { importance_samples, images })), cells));
    let event = |message| match message {
        Message::Event(Event::Progress { .. }) => None,
        Message::Event(event) => Some(event),
        other => panic!("{other:?}"),
    };
    (code, messages.into_iter().filter_map(event).collect())
}

fn evaluation(results: &Path, cell: &Cell, metric: Metric) -> Vec<Measurement> {
    let mut rows = Store::open(results).unwrap().run(&cell.run_id()).evaluation().unwrap();
    rows.retain(|row| row.metric == metric);
    rows
}

#[test]
fn the_likelihood_of_trained_models_is_estimated_once() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let cells = [(2, 0), (5, 1)].map(|(d, seed)| cell(images.path(), d, seed, 2));
    train(results.path(), &cells);
    let elbos = |cell: &Cell| evaluation(results.path(), cell, Metric::Elbo)[0].clone();
    let before: Vec<Measurement> = cells.iter().map(elbos).collect();

    let (code, events) = measure(results.path(), &cells, 64, None);
    assert!(code == Some(0) && events.len() == 4, "{events:?}");
    assert!(events.iter().all(|event| matches!(event, Event::Evaluated { .. })), "{events:?}");
    for (cell, elbo) in cells.iter().zip(&before) {
        let nll = &evaluation(results.path(), cell, Metric::PseudoNll)[0];
        // With 64 samples the bound is tighter than with one, and cannot be tighter by more than the whole KL.
        let gap = -elbo.value - nll.value;
        let kl = evaluation(results.path(), cell, Metric::Kl)[0].value;
        assert!(gap > 0.0 && gap < kl, "a gap of {gap} nats, KL {kl}");
        assert_eq!((nll.n, nll.settings.to_json().as_str()), (150, r#"{"samples":64}"#));
        assert!(nll.standard_error.unwrap() > 0.0);
        let effective = &evaluation(results.path(), cell, Metric::EffectiveSamples)[0];
        assert!((1.0..64.0).contains(&effective.value) && effective.settings == nll.settings, "{effective:?}");
        assert_eq!(elbos(cell), *elbo, "what was on record stays");
    }

    // A second time there is nothing to do; of fewer images it is another number, and alone the same as in a cohort.
    assert_eq!(measure(results.path(), &cells, 64, None), (Some(0), Vec::new()));
    let of_some = |cells: &[Cell]| {
        assert_eq!(measure(results.path(), cells, 8, Some(30)).0, Some(0));
        evaluation(results.path(), &cells[0], Metric::PseudoNll)[1].clone()
    };
    let alone = of_some(&cells[..1]);
    assert_eq!((alone.n, alone.settings.to_json().as_str()), (30, r#"{"samples":8}"#));
    let path = Store::open(results.path()).unwrap().run(&cells[0].run_id()).evaluation_file();
    std::fs::remove_file(path).unwrap();
    assert_eq!(measure(results.path(), &cells, 8, Some(30)).0, Some(0));
    let together = evaluation(results.path(), &cells[0], Metric::PseudoNll)[0].clone();
    assert!((together.value - alone.value).abs() < 1e-4 * alone.value, "{together:?} and {alone:?}");
}

#[test]
fn stored_models_that_lack_metrics_are_measured_without_being_trained() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let cells = [(2, 0), (5, 1)].map(|(d, seed)| cell(images.path(), d, seed, 1));
    train(results.path(), &cells);
    let store = Store::open(results.path()).unwrap();
    let older = store.run(&cells[1].run_id());
    let whole = older.evaluation().unwrap();
    let is_new = |row: &&Measurement| {
        matches!(
            row.metric,
            Metric::Mse | Metric::Ssim | Metric::EquivalentBlur | Metric::Gain | Metric::MutualInformation
        )
    };
    assert!(whole.iter().filter(is_new).count() > 5, "{whole:?}");

    // As a version without these left it.
    let kept: Vec<Measurement> = whole.iter().filter(|row| !is_new(row)).cloned().collect();
    std::fs::remove_file(older.evaluation_file()).unwrap();
    record::RunEditor::open(&older).unwrap().evaluation(&kept).unwrap();
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(older.manifest_file()).unwrap()).unwrap();
    manifest.as_object_mut().unwrap().remove("measures").unwrap();
    std::fs::write(older.manifest_file(), serde_json::to_vec(&manifest).unwrap()).unwrap();
    let untouched = std::fs::metadata(store.run(&cells[0].run_id()).evaluation_file()).unwrap().modified().unwrap();
    assert_eq!([&cells[0], &cells[1]].map(|cell| store.run(&cell.run_id()).lacks_measures().unwrap()), [false, true]);

    let (code, messages, _) = done(&job(results.path(), Task::Evaluate(None), &cells));
    assert_eq!((code, messages.len()), (Some(0), 0));
    let in_order = |mut rows: Vec<Measurement>| {
        rows.sort_by_key(|row| (row.metric, row.settings.clone()));
        rows
    };
    let (found, whole) = (in_order(older.evaluation().unwrap()), in_order(whole));
    assert_eq!(found.len(), whole.len());
    for (found, whole) in found.iter().zip(&whole) {
        assert_eq!((found.metric, &found.settings, found.n), (whole.metric, &whole.settings, whole.n));
        // Alone and in a cohort, products are rounded differently.
        assert!((found.value - whole.value).abs() <= 1e-4 * whole.value.abs(), "{found:?} and {whole:?}");
    }
    assert!(!older.lacks_measures().unwrap());
    let after = std::fs::metadata(store.run(&cells[0].run_id()).evaluation_file()).unwrap().modified().unwrap();
    assert_eq!(after, untouched, "what lacks nothing is left alone");
}

/// Also beside a replica with too many bits, whose log p(x) is estimated.
#[test]
fn the_likelihood_of_few_bits_is_exact_and_measured_once() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let mut cells = [(3, 0), (13, 1)].map(|(d, seed)| cell(images.path(), d, seed, 1));
    for cell in &mut cells {
        cell.model.latent = serde_json::from_value(serde_json::json!({ "bernoulli": {} })).unwrap();
    }
    train(results.path(), &cells);
    assert_eq!(measure(results.path(), &cells, 8, Some(30)).0, Some(0));
    let settings = |cell: &Cell| evaluation(results.path(), cell, Metric::PseudoNll)[0].settings.to_json();
    assert_eq!(cells.each_ref().map(settings), [r#"{"exact":true}"#, r#"{"samples":8}"#]);
    let n_effective = |cell: &Cell| evaluation(results.path(), cell, Metric::EffectiveSamples).len();
    assert_eq!(cells.each_ref().map(n_effective), [0, 1]);
    assert_eq!(measure(results.path(), &cells, 8, Some(30)), (Some(0), Vec::new()));
}

#[test]
fn what_cannot_be_measured_is_told_and_the_others_are_measured() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let cells = [0, 1, 2].map(|seed| cell(images.path(), 2, seed, 1));
    train(results.path(), &cells[..2]);
    let model = Store::open(results.path()).unwrap().run(&cells[1].run_id()).model_file();
    std::fs::write(&model, b"no parameters").unwrap();
    let (code, events) = measure(results.path(), &cells, 4, None);
    assert_eq!(code, Some(1), "{events:?}");
    let reason = |cell: &Cell| {
        events.iter().find_map(|event| match event {
            Event::Failed { run_id, reason } if *run_id == cell.run_id() => Some(reason.clone()),
            _ => None,
        })
    };
    assert_eq!(reason(&cells[0]), None);
    assert!(reason(&cells[1]).unwrap().contains("model.safetensors"), "{events:?}");
    assert!(reason(&cells[2]).unwrap().contains("no trained model"), "{events:?}");
    assert_eq!(evaluation(results.path(), &cells[0], Metric::PseudoNll).len(), 1);
    assert_eq!(status(results.path(), &cells[1]), Status::Done);

    // Other images than those trained on.
    let path = images.path().join("t10k-images-idx3-ubyte");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (code, events) = measure(results.path(), &cells[..1], 5, None);
    let told = format!("{events:?}");
    assert!(code == Some(1) && told.contains("no longer those that the model was trained with"), "{told}");
}
