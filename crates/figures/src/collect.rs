//! From the run store to plain numbers.

use std::collections::BTreeSet;

use record::tensors::{Dtype, TensorFile};
use record::{ArrayName, Run, Status, Store};
use serde_json::Value;
use spec::{Cell, Experiment, Keep, Measurement, Split, listed};

use crate::arrays::{self, RunArrays};
use crate::claims::judged;
use crate::closed_form;
use crate::error::FiguresError;
use crate::needs::{self, LOG_SIGMA, learns_sigma};
use crate::origins::Origins;
use crate::records::{Epoch, Group, KnownRun, MeasurementKey, Records, RunNumbers};
use crate::setting::{GroupKey, keys, words};
use crate::warnings::warnings;

/// Reads what the store has of the experiment's runs. Runs that are not done are listed, not read.
///
/// # Errors
/// [`FiguresError::NothingToDraw`] when no run is done, [`FiguresError::Record`] when a finished run cannot be read.
pub fn collect(experiment: &Experiment, store: &Store) -> Result<Records, FiguresError> {
    read(experiment, store, |_| true)
}

/// As [`collect`], without images and latents but where numbers are judged by an image's size.
///
/// # Errors
/// As [`collect`].
pub fn collect_numbers(experiment: &Experiment, store: &Store) -> Result<Records, FiguresError> {
    read(experiment, store, |cell| learns_sigma(cell) && cell.dataset.name.known().is_none())
}

fn read(experiment: &Experiment, store: &Store, wants_arrays: impl Fn(&Cell) -> bool) -> Result<Records, FiguresError> {
    let mut runs = Vec::new();
    let mut missing = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    let mut origins = Origins::default();
    let pictured = needs::pictured(experiment, store)?;
    for (cell, key) in experiment.cells.iter().zip(keys(&experiment.cells)) {
        let stored = store.run(&cell.run_id());
        let status = stored.status()?;
        runs.push(known_run(cell, &status));
        if !matches!(status, Status::Done) {
            missing.push((cell.readable_name(), status.word().to_owned()));
            continue;
        }
        let manifest = stored.manifest()?;
        let (rows, kept) = (stored.metrics()?, manifest.kept_epoch.as_ref().map(|kept| kept.epoch));
        let mut run = numbers(&rows, kept, cell);
        let evaluation = stored.evaluation()?;
        let measured =
            evaluation.iter().filter(|row| closed_form::is_about(row.metric, row.split, cell) || !is_term(row));
        run.measures = measured.map(|row| (MeasurementKey::of(row, &evaluation, cell), row.value)).collect();
        let known = groups.iter().position(|group| group.key == key);
        if pictured.contains(stored.id()) && wants_arrays(cell) {
            run.arrays = match stored.arrays() {
                Ok(stored) => Some(RunArrays::new(stored)),
                Err(e) if e.is_not_found() => None,
                Err(e) => return Err(e.into()),
            };
        }
        if !run.kl_per_dim.is_empty() {
            run.latent_variances = latent_variances(&rows, &stored, kept)?;
        }
        if learns_sigma(cell) {
            run.sigma = sigma(&stored)?;
        }
        run.neighbour_distance = manifest.provenance.neighbour_distance;
        origins.add(&manifest);
        match known {
            Some(i) => groups[i].runs.push(run),
            None => groups.push(Group::new(key, cell.clone(), vec![run])),
        }
    }
    if groups.is_empty() {
        return Err(FiguresError::NothingToDraw { name: experiment.name.clone(), root: store.root().to_owned() });
    }
    for group in &mut groups {
        group.runs.sort_by_key(|run| run.seed);
    }
    // Values that some model has: those of the others stand for nothing.
    let has = |path: &str, value: &Value| {
        experiment.cells.iter().any(|cell| cell.has(path) && cell.value_at(path).as_ref() == Some(value))
    };
    let axes = experiment.axes.iter().map(|axis| {
        let values = axis.values.iter().filter(|value| has(&axis.path, value));
        (axis.path.clone(), values.map(words).collect::<Vec<_>>())
    });
    let axes = axes.filter(|(_, values)| values.len() > 1);
    let mut records = Records {
        name: experiment.name.clone(),
        dataset: dataset(&experiment.cells),
        axes: axes.collect(),
        training: training(&experiment.cells),
        n_cells: experiment.cells.len(),
        missing,
        runs,
        groups: in_order(groups),
        origins: origins.rows(),
        warnings: Vec::new(),
        judged: None,
    };
    records.warnings = warnings(&records);
    records.judged = judged(experiment, &records.groups);
    Ok(records)
}

fn known_run(cell: &Cell, status: &Status) -> KnownRun {
    let (said, reason) = match status {
        Status::Resumable { epoch } => (format!("resumable from epoch {epoch}"), None),
        Status::Failed { reason } => ("failed".to_owned(), Some(reason.clone())),
        Status::New | Status::Running { .. } | Status::Done => (status.word().to_owned(), None),
    };
    KnownRun { id: cell.run_id(), name: cell.readable_name(), status: said, reason }
}

/// The variance over test images of each latent dimension's posterior mean, of the model; runs of earlier versions have it in their
/// latents alone. `None` where it is not on record.
fn latent_variances(
    rows: &[record::MetricsRow],
    run: &Run,
    kept: Option<u32>,
) -> Result<Option<Vec<f64>>, FiguresError> {
    if let Some(row) = result(rows, kept).filter(|row| !row.latent_mean_variance.is_empty()) {
        return Ok(Some(row.latent_mean_variance.clone()));
    }
    Ok(arrays::latents_of(run, ArrayName::LatentMean)?.map(|latents| latents.variances()))
}

/// The row of the test images that a run's numbers are of.
fn result(rows: &[record::MetricsRow], kept: Option<u32>) -> Option<&record::MetricsRow> {
    let of_test = rows.iter().filter(|row| row.split == Split::Test && kept.is_none_or(|kept| row.epoch == kept));
    of_test.max_by_key(|row| row.epoch)
}

/// The learned σ of a finished run; `None` where its model is not on record.
fn sigma(run: &Run) -> Result<Option<f64>, FiguresError> {
    let file = match TensorFile::read(&run.model_file()) {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    };
    let stored = file.tensors.iter().find(|tensor| tensor.name == LOG_SIGMA && tensor.dtype == Dtype::F32);
    let log_sigma = stored.and_then(|tensor| Some(f32::from_le_bytes(tensor.bytes.get(..4)?.try_into().ok()?)));
    Ok(log_sigma.map(|log_sigma| f64::from(log_sigma).exp()))
}

/// By other settings in the order of the file, β and latent dimension.
fn in_order(mut groups: Vec<Group>) -> Vec<Group> {
    let keys: Vec<GroupKey> = groups.iter().map(|group| group.key.clone()).collect();
    let rank = |group: &Group| keys.iter().position(|key| key.others().eq(group.key.others()));
    groups.sort_by_cached_key(|group| {
        // Bits of floats that are not negative are ordered as the floats are.
        let beta = group.cell.objective.beta.to_bits();
        (rank(group), beta, group.cell.model.latent_dim)
    });
    groups
}

/// The names of the cells' datasets.
fn dataset(cells: &[Cell]) -> String {
    let names: BTreeSet<String> = cells
        .iter()
        .filter_map(|cell| serde_json::to_value(&cell.dataset.name).ok())
        .map(|value| match &value {
            // A file's folder differs between machines; its name says which data it is.
            Value::Object(fields) => fields.values().map(|v| file_name(&words(v))).collect(),
            other => words(other),
        })
        .collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// `Trained for 20 epochs in batches of 128 images, on the first 2000 training images only.`
fn training(cells: &[Cell]) -> String {
    let epochs = distinct(cells.iter().map(|cell| cell.training.epochs));
    let batches = distinct(cells.iter().map(|cell| cell.training.batch_size));
    let first = |images: fn(&Cell) -> Option<usize>, of: &str| {
        let n: Vec<Option<usize>> = cells.iter().map(images).collect();
        match (n.iter().any(Option::is_some), n.contains(&None)) {
            (false, _) => None,
            (true, false) => Some(format!("the first {} {of} images only", distinct(n.into_iter().flatten()))),
            (true, true) => Some(format!("the first {} or all {of} images", distinct(n.into_iter().flatten()))),
        }
    };
    let n_best = cells.iter().filter(|cell| cell.training.keep != Keep::Last).count();
    let kept = match n_best {
        0 => "",
        n if n == cells.len() => " at most, the best on the validation images being kept,",
        _ => " at most, where the best on the validation images is kept,",
    };
    let train = first(|cell| cell.dataset.train_images, "training");
    let test = first(|cell| cell.dataset.test_images, "test");
    format!(
        "Trained for {epochs} epoch{}{kept} in batches of {batches} images{}{}.",
        if epochs == "1" { "" } else { "s" },
        train.map_or_else(String::new, |images| format!(", on {images}")),
        test.map_or_else(String::new, |images| format!("; evaluated on {images}")),
    )
}

/// The distinct numbers, ascending: `2`, or `2, 5 or 20`.
fn distinct(numbers: impl Iterator<Item = usize>) -> String {
    let numbers: BTreeSet<usize> = numbers.collect();
    let words: Vec<String> = numbers.iter().map(usize::to_string).collect();
    listed(&words, "or")
}

fn file_name(path: &str) -> String {
    path.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(path).to_owned()
}

/// Whether a number is among those of the last epoch already. A reconstruction from corrupted images is none of them.
fn is_term(row: &Measurement) -> bool {
    row.metric.about().per_epoch.is_some() && row.settings.input.is_none() && !row.metric.needs_settings()
}

/// What a run's rows of metrics say, of the epoch kept where it is not the last.
pub(crate) fn numbers(rows: &[record::MetricsRow], kept: Option<u32>, cell: &Cell) -> RunNumbers {
    let epochs = |split: Split| {
        let of_split = rows.iter().filter(|row| row.split == split);
        let mut epochs: Vec<Epoch> = of_split.map(|row| Epoch { epoch: row.epoch, terms: row.terms.clone() }).collect();
        epochs.sort_by_key(|epoch| epoch.epoch);
        epochs
    };
    let last = result(rows, kept);
    RunNumbers {
        seed: cell.training.seed,
        train: epochs(Split::Train),
        test: epochs(Split::Test),
        kept,
        kl_per_dim: last.map(|row| row.kl_per_dim.clone()).unwrap_or_default(),
        ..RunNumbers::default()
    }
}

/// Writes the sweep's `summary.parquet`; returns its path.
pub fn write_summary(experiment: &Experiment, store: &Store) -> Result<std::path::PathBuf, FiguresError> {
    let rows = store.summary(&experiment.axes, &experiment.cells)?;
    Ok(store.write_summary(&experiment.name, &rows)?)
}
