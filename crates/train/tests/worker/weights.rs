//! Measuring a model with weights from outside: a run's own give the numbers on its record, others are refused.

use std::num::NonZeroUsize;

use protocol::{Message, OutsideWeights, Task};
use record::Store;
use spec::{Cell, Evaluation, Measurement, Metric, MetricSettings};

use crate::support::{cell, done, images, job, train};

#[test]
fn a_runs_own_weights_give_the_numbers_on_its_record_and_nothing_is_stored() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let cells = [(5, 1), (2, 0)].map(|(d, seed)| cell(images.path(), d, seed, 2));
    train(results.path(), &cells);
    let run = Store::open(results.path()).unwrap().run(&cells[1].run_id());
    let recorded = run.evaluation().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("own.safetensors");
    std::fs::copy(run.model_file(), &file).unwrap();

    let nowhere = elsewhere.path().join("results");
    let measured = |samples: usize| -> Vec<Measurement> {
        let evaluation = Some(Evaluation { importance_samples: 16, images: Some(40) });
        let samples = NonZeroUsize::new(samples).unwrap();
        let task = Task::Weights(OutsideWeights { file: file.clone(), samples, evaluation });
        let (code, mut messages, err) = done(&job(&nowhere, task, &cells[1..]));
        assert_eq!(code, Some(0), "{err}");
        let Some(Message::Measurements(rows)) = messages.pop() else { panic!("{messages:?}") };
        rows
    };
    let once = measured(1);
    assert!(!nowhere.exists());
    let metrics: Vec<&str> = once.iter().map(|row| row.metric.name()).collect();
    assert_eq!(
        metrics,
        ["elbo", "reconstruction", "kl", "active_units", "gray_bce_floor", "pseudo_nll", "effective_samples"]
    );
    for found in &once[..5] {
        let recorded = recorded.iter().find(|row| row.metric == found.metric).unwrap();
        let difference = (found.value - recorded.value).abs();
        assert!(difference < 1e-5 * recorded.value.abs(), "{found:?} and {recorded:?}");
        assert_eq!((&found.metric, found.n, &found.settings), (&recorded.metric, recorded.n, &recorded.settings));
    }
    let nll = &once[5];
    assert_eq!((nll.metric, nll.n, &nll.settings), (Metric::PseudoNll, 40, &MetricSettings::samples(16)));

    // Of several draws of z the reconstruction is a little different, the exact KL is not, and their sum is the ELBO.
    let often = measured(6);
    let value = |rows: &[Measurement], metric: Metric| rows.iter().find(|row| row.metric == metric).unwrap().value;
    assert_eq!(often[0].settings, MetricSettings::samples(6));
    assert!((value(&often, Metric::Kl) - value(&once, Metric::Kl)).abs() < 1e-9);
    let difference = (value(&often, Metric::Reconstruction) - value(&once, Metric::Reconstruction)).abs();
    assert!(difference > 0.0 && difference < 1.0, "{difference}");
    let sum = value(&often, Metric::Elbo) + value(&often, Metric::Reconstruction) + value(&often, Metric::Kl);
    assert!(sum.abs() < 1e-6, "{sum}");
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let cells = [2, 3].map(|d| cell(images.path(), d, 0, 1));
    train(results.path(), &cells[..1]);
    let file = Store::open(results.path()).unwrap().run(&cells[0].run_id()).model_file();
    let refused = |file: &std::path::Path, cells: &[Cell]| {
        let weights = OutsideWeights { file: file.to_owned(), samples: NonZeroUsize::MIN, evaluation: None };
        let (code, messages, err) = done(&job(results.path(), Task::Weights(weights), cells));
        assert_eq!((code, messages), (Some(1), Vec::new()));
        err
    };
    let said = refused(&file, &cells[1..]);
    assert!(said.contains("parameter `mean.weight` has shape [2, 32], and the model's is [3, 32]"), "{said}");
    let said = refused(&file, &cells);
    assert!(said.contains("of one model, and there are 2 cells"), "{said}");
    let said = refused("/nowhere/model.safetensors".as_ref(), &cells[..1]);
    assert!(said.contains("/nowhere/model.safetensors"), "{said}");
}
