//! The best epoch on the validation images, and runs that go on from the end of shorter ones.

use std::path::Path;

use protocol::{Event, Task};
use record::{Continued, RunManifest, Status, Store};
use spec::{Cell, Keep, Metric, Optimizer, Source, Split};

use crate::evaluation;
use crate::support::{
    cell, done, end, images, job, metrics, outcome, signal, start, start_job, status, train, wait_for,
};

/// Few images and large steps, so that the validation images soon get worse.
fn overfitting(images: &Path, latent_dim: usize, seed: u64, patience: usize) -> Cell {
    let mut cell = cell(images, latent_dim, seed, 40);
    (cell.dataset.train_images, cell.dataset.validation) = (Some(50), 25);
    cell.training.keep = Keep::Best { patience };
    let Optimizer::Adam(adam) = &mut cell.optimizer;
    adam.learning_rate = 5e-2;
    cell
}

fn manifest(results: &Path, cell: &Cell) -> RunManifest {
    Store::open(results).unwrap().run(&cell.run_id()).manifest().unwrap()
}

fn kept(results: &Path, cell: &Cell) -> u32 {
    manifest(results, cell).kept_epoch.unwrap().epoch
}

/// The objective on the validation images at each epoch.
fn validation(results: &Path, cell: &Cell) -> Vec<f64> {
    let rows = metrics(results, cell).into_iter().filter(|row| row.split == Split::Validation);
    rows.filter_map(|row| row.terms.get(Metric::Objective)).collect()
}

#[test]
fn the_best_epoch_on_the_validation_images_is_kept() {
    let images = images();
    let results = tempfile::tempdir().unwrap();
    let cells = [(3, 0), (5, 1)].map(|(latent_dim, seed)| overfitting(images.path(), latent_dim, seed, 0));
    train(results.path(), &cells);
    for cell in &cells {
        let objectives = validation(results.path(), cell);
        assert_eq!(objectives.len(), 40, "without patience every epoch is trained");
        let best = objectives.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).unwrap().0 as u32 + 1;
        assert!(best < 40, "the images must get worse, or the test shows nothing");
        assert_eq!(kept(results.path(), cell), best);
        // What is on record of the trained model is of that epoch.
        let at_best =
            metrics(results.path(), cell).into_iter().find(|row| row.split == Split::Test && row.epoch == best);
        let elbo = at_best.unwrap().terms.get(Metric::Elbo);
        assert_eq!(Some(evaluation(results.path(), cell, Metric::Elbo)[0].value), elbo);
        assert_eq!(manifest(results.path(), cell).result().unwrap().splits[&Split::Test].get(Metric::Elbo), elbo);
    }
    // Its weights are those of a run that ends there.
    let mut short = cells.clone();
    short.iter_mut().for_each(|cell| {
        cell.training.epochs = kept(results.path(), &cells[0]) as usize;
        cell.training.keep = Keep::Last;
    });
    let alone = tempfile::tempdir().unwrap();
    train(alone.path(), &short);
    assert_eq!(outcome(alone.path(), &short[0]).1, outcome(results.path(), &cells[0]).1);
    assert_eq!(manifest(alone.path(), &short[0]).kept_epoch, None);
}

#[test]
fn patience_ends_each_run_at_its_own_epoch_also_when_it_was_stopped() {
    let images = images();
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut cells = [(3, 0), (5, 1)].map(|(latent_dim, seed)| overfitting(images.path(), latent_dim, seed, 3));
    let Optimizer::Adam(adam) = &mut cells[1].optimizer;
    adam.learning_rate = 3e-3;
    cells.iter_mut().for_each(|cell| cell.training.epochs = 200);
    train(whole.path(), &cells);
    let ends = cells.each_ref().map(|cell| validation(whole.path(), cell).len() as u32);
    for (cell, end) in cells.iter().zip(ends) {
        assert_eq!(end, kept(whole.path(), cell) + 3, "{:?}", validation(whole.path(), cell));
        assert_eq!(status(whole.path(), cell), Status::Done);
    }
    assert!(ends[0].abs_diff(ends[1]) > 3, "the seeds must end well apart, or the test shows nothing: {ends:?}");
    // Stopped while both are trained, and when one has ended.
    for at in [2, ends[0].min(ends[1]) + 1] {
        // With a checkpoint after every epoch, so that epochs take long enough for the signal to come in time.
        let mut worker = start_job(&job(parts.path(), Task::Train, &cells).to_json().unwrap());
        wait_for(&mut worker, |event| matches!(event, Event::Epoch { epoch, .. } if *epoch == at));
        signal(&worker, "-TERM");
        assert_eq!(end(worker), 143);
    }
    train(parts.path(), &cells);
    for cell in &cells {
        assert!(outcome(parts.path(), cell) == outcome(whole.path(), cell), "{}", cell.readable_name());
        assert_eq!(kept(parts.path(), cell), kept(whole.path(), cell));
    }
}

#[test]
fn without_validation_images_there_is_no_best_epoch() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let mut cell = cell(images.path(), 2, 0, 2);
    cell.training.keep = Keep::Best { patience: 0 };
    // Whether a user's images have a split of their own is known once they are read.
    cell.check().unwrap();
    let output = start(results.path(), std::slice::from_ref(&cell)).wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("hint: hold some out"), "{said}");
    assert_eq!(Store::open(results.path()).unwrap().runs().unwrap().runs.len(), 0);
    cell.dataset.name = Source::named("glyphs").unwrap();
    let said = cell.check().unwrap_err().to_string();
    assert!(said.contains("this dataset has none") && said.contains("hint: hold some out"), "{said}");
}

/// The same cells, for so many epochs.
fn lasting<const N: usize>(cells: &[Cell; N], epochs: usize) -> [Cell; N] {
    cells.clone().map(|mut cell| {
        cell.training.epochs = epochs;
        cell
    })
}

#[test]
fn more_epochs_go_on_from_the_stored_run_and_equal_one_trained_in_one_go() {
    let images = images();
    let mut mixture = cell(images.path(), 2, 0, 3);
    mixture.model =
        serde_json::from_value(serde_json::json!({ "kind": { "gaussian-mixture": { "components": 4 } } })).unwrap();
    let mut scheduled = cell(images.path(), 4, 0, 3);
    scheduled.objective.warm_up_epochs = 2;
    let Optimizer::Adam(adam) = &mut scheduled.optimizer;
    adam.schedule = spec::Schedule::Steps { after: vec![2, 5], factor: 0.1 };
    let best = [(3, 0), (5, 1)].map(|(latent_dim, seed)| overfitting(images.path(), latent_dim, seed, 3));
    let cohort = [(2, 0), (6, 1)].map(|(latent_dim, seed)| cell(images.path(), latent_dim, seed, 3));
    let alone = |cell: Cell| vec![cell];
    for cells in [cohort.to_vec(), best.to_vec(), alone(mixture), alone(scheduled)] {
        let long = |epochs: usize| -> Vec<Cell> {
            cells.iter().flat_map(|cell| lasting(std::array::from_ref(cell), epochs)).collect()
        };
        let (parts, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        train(parts.path(), &long(3));
        let short = outcome(parts.path(), &long(3)[0]);
        train(parts.path(), &long(7));
        // The longest that there is.
        let output = train(parts.path(), &long(12));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(r#""from_epoch":7"#) || cells[0].training.keep != Keep::Last, "{said}");
        train(whole.path(), &long(12));
        for (cell, shorter) in long(12).iter().zip(long(7)) {
            assert!(outcome(parts.path(), cell) == outcome(whole.path(), cell), "{}", cell.readable_name());
            let (a, b) = (manifest(parts.path(), cell), manifest(whole.path(), cell));
            assert_eq!((a.continues.map(|continued| continued.run_id), b.continues), (Some(shorter.run_id()), None));
            assert_eq!(a.kept_epoch, b.kept_epoch);
        }
        assert!(outcome(parts.path(), &long(3)[0]) == short, "the shorter run stays what it is");
    }
}

#[test]
fn what_cannot_be_gone_on_from_is_trained_anew() {
    let images = images();
    let results = tempfile::tempdir().unwrap();
    let [short] = [cell(images.path(), 2, 0, 2)];
    train(results.path(), std::slice::from_ref(&short));
    let end =
        Store::open(results.path()).unwrap().run(&short.run_id()).latest_checkpoint().unwrap().checkpoint.unwrap();
    assert_eq!(end.epoch, 2);
    let long = |epochs: usize| lasting(std::array::from_ref(&short), epochs);

    // Stopped between, it goes on from its own checkpoint, and still knows where it began.
    let mut worker = start(results.path(), &long(30));
    wait_for(&mut worker, |event| matches!(event, Event::Epoch { epoch: 4, .. }));
    signal(&worker, "-TERM");
    crate::support::end(worker);
    train(results.path(), &long(30));
    let continued = Some(Continued { run_id: short.run_id(), epoch: 2 });
    assert_eq!(manifest(results.path(), &long(30)[0]).continues, continued);
    assert_eq!(metrics(results.path(), &long(30)[0]).len(), 60);

    std::fs::write(end.path.join("state.safetensors"), b"damaged").unwrap();
    train(results.path(), &long(3));
    assert_eq!(manifest(results.path(), &long(3)[0]).continues, None);
    assert_eq!(metrics(results.path(), &long(3)[0]).len(), 6);

    // Other images than those trained on.
    let path = images.path().join("t10k-images-idx3-ubyte");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(done(&job(results.path(), Task::Train, &long(4))).0, Some(0));
    assert_eq!(manifest(results.path(), &long(4)[0]).continues, None);
}
