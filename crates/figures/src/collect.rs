//! From the run store to plain numbers.

use std::collections::BTreeSet;

use record::{Array, Split, Status, Store};
use serde_json::Value;
use spec::{Cell, Experiment, ObjectiveKind};

use crate::error::FiguresError;
use crate::sweep::{Arrays, Denoising, Group, Key, Path, Run, Source, Sweep, Terms};
use crate::tiles::Images;
use crate::variant::{listed, variants_of, words};

/// Reads what the store has of the experiment's runs. Runs that are not done are listed, not read.
///
/// # Errors
/// [`FiguresError::NothingToDraw`] when no run is done, [`FiguresError::Record`] when a finished run cannot be read.
pub fn collect(experiment: &Experiment, store: &Store) -> Result<Sweep, FiguresError> {
    let variants = variants_of(&experiment.cells);
    let mut missing = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    let mut provenance = Provenance::default();
    for (cell, variant) in experiment.cells.iter().zip(variants) {
        let stored = store.run(&cell.run_id());
        let status = stored.status()?;
        if !matches!(status, Status::Done) {
            missing.push((cell.readable_name(), status.word().to_owned()));
            continue;
        }
        let mut run = numbers(&stored.metrics()?, cell);
        run.measures = stored.evaluation()?.iter().filter(|row| !is_term(row)).map(measure).collect();
        let key = Key { scale: cell.scale(), variant, beta: cell.objective.beta, latent_dim: cell.model.latent_dim };
        let place = groups.iter().position(|group| group.key == key);
        // One seed's images are enough for the figures, and the smallest seed's are chosen.
        let is_first = place.is_none_or(|i| groups[i].runs.iter().all(|other| other.seed > run.seed));
        if is_first {
            run.arrays = match stored.arrays() {
                Ok(read) => Some(arrays(read)),
                Err(e) if e.is_not_found() => None,
                Err(e) => return Err(e.into()),
            };
        }
        provenance.add(&stored.manifest()?);
        match place {
            Some(i) => groups[i].runs.push(run),
            None => groups.push(Group {
                key,
                source: Source::of(cell),
                importance_weighted: matches!(cell.objective.kind, ObjectiveKind::ImportanceWeighted { .. }),
                runs: vec![run],
            }),
        }
    }
    if groups.is_empty() {
        return Err(FiguresError::NothingToDraw { name: experiment.name.clone(), root: store.root().to_owned() });
    }
    for group in &mut groups {
        group.runs.sort_by_key(|run| run.seed);
        for run in group.runs.iter_mut().skip(1) {
            run.arrays = None;
        }
    }
    // A stable sort: variants stay in the file's order.
    let order: Vec<String> = groups.iter().map(|g| g.key.variant.clone()).collect();
    let rank = |variant: &str| order.iter().position(|v| v == variant);
    groups.sort_by(|a, b| {
        let left = (a.key.scale.as_str(), rank(&a.key.variant));
        let right = (b.key.scale.as_str(), rank(&b.key.variant));
        left.cmp(&right).then(a.key.beta.total_cmp(&b.key.beta)).then(a.key.latent_dim.cmp(&b.key.latent_dim))
    });
    let axes = experiment.axes.iter().map(|axis| (axis.path.clone(), axis.values.iter().map(words).collect()));
    Ok(Sweep {
        name: experiment.name.clone(),
        dataset: dataset(&experiment.cells),
        axes: axes.collect(),
        training: training(&experiment.cells),
        n_cells: experiment.cells.len(),
        missing,
        groups,
        provenance: provenance.rows(),
    })
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
    let train = first(|cell| cell.dataset.train_images, "training");
    let test = first(|cell| cell.dataset.test_images, "test");
    format!(
        "Trained for {epochs} epoch{} in batches of {batches} images{}{}.",
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

/// Whether a number is among the final terms already. A reconstruction from corrupted images is none of them.
fn is_term(row: &record::EvaluationRow) -> bool {
    let settings: Value = serde_json::from_str(&row.settings).unwrap_or(Value::Null);
    ["elbo", "reconstruction", "kl", "active_units"].contains(&row.metric.as_str()) && settings.get("input").is_none()
}

/// `iwae (test, samples 5000)` and its value.
fn measure(row: &record::EvaluationRow) -> (String, f64) {
    let settings: Value = serde_json::from_str(&row.settings).unwrap_or(Value::Null);
    let mut notes = vec![row.split.as_str().to_owned()];
    if let Value::Object(fields) = settings {
        notes.extend(fields.iter().map(|(name, value)| format!("{} {}", name.replace('_', " "), words(value))));
    }
    (format!("{} ({})", row.metric, notes.join(", ")), row.value)
}

fn numbers(rows: &[record::MetricsRow], cell: &Cell) -> Run {
    let terms = |split: Split| {
        let mut terms: Vec<Terms> = rows
            .iter()
            .filter(|row| row.split == split)
            .map(|row| Terms {
                epoch: row.epoch,
                elbo: row.elbo,
                reconstruction: row.reconstruction,
                kl: row.kl,
                objective: row.objective,
                discriminator: row.discriminator,
            })
            .collect();
        terms.sort_by_key(|t| t.epoch);
        terms
    };
    let last = rows.iter().filter(|row| row.split == Split::Test).max_by_key(|row| row.epoch);
    Run {
        seed: cell.training.seed,
        train: terms(Split::Train),
        test: terms(Split::Test),
        kl_per_dim: last.map(|row| row.kl_per_dim.clone()).unwrap_or_default(),
        active_units: last.and_then(|row| row.active_units),
        ..Run::default()
    }
}

fn arrays(read: record::Arrays) -> Arrays {
    Arrays {
        originals: read.originals.map(images).unwrap_or_default(),
        reconstructions: read.reconstructions.map(images).unwrap_or_default(),
        denoising: read
            .corrupted
            .zip(read.denoised)
            .map(|(corrupted, denoised)| Denoising { corrupted: images(corrupted), denoised: images(denoised) }),
        samples: images(read.samples),
        samples_aggregate: read.samples_aggregate.map(images),
        samples_mixture: read.samples_mixture.map(images),
        interpolation_linear: read.interpolation_linear.map(path),
        interpolation_spherical: read.interpolation_spherical.map(path),
        manifold: read.manifold.map(images),
        latent_mean: read.latent_mean.map(|latents| latents.values).unwrap_or_default(),
        labels: read.labels,
    }
}

/// Shape `[pairs, steps, channels, height, width]`.
fn path(array: Array) -> Path {
    Path { steps: array.shape.get(1).copied().unwrap_or_default(), images: images(array) }
}

/// The last three axes are an image's, those before them count images.
fn images(array: Array) -> Images {
    match array.shape.as_slice() {
        [counts @ .., channels, height, width] => Images {
            n: counts.iter().product(),
            channels: *channels,
            height: *height,
            width: *width,
            values: array.values,
        },
        _ => Images::default(),
    }
}

/// What the runs' records say about where they come from.
#[derive(Default)]
struct Provenance {
    commits: BTreeSet<String>,
    versions: BTreeSet<String>,
    data: BTreeSet<String>,
    hosts: BTreeSet<String>,
    devices: BTreeSet<String>,
    started: Option<String>,
    ended: Option<String>,
    seconds: f64,
}

impl Provenance {
    fn add(&mut self, manifest: &record::RunManifest) {
        let provenance = &manifest.provenance;
        self.commits.insert(match &provenance.git {
            Some(git) if git.dirty_patch_sha256.is_some() => format!("{} with local changes", git.commit),
            Some(git) => git.commit.clone(),
            None => "outside of a repository".to_owned(),
        });
        self.versions.extend(provenance.versions.iter().map(|(name, version)| format!("{name} {version}")));
        let host = &provenance.host;
        if !host.name.is_empty() {
            self.hosts.insert(format!("{} ({}, {}, {} processors)", host.name, host.platform, host.cpu, host.cpus));
        }
        if !provenance.data_sha256.is_empty() {
            self.data.insert(provenance.data_sha256.clone());
        }
        if !provenance.device.is_empty() {
            self.devices.insert(provenance.device.clone());
        }
        let started = manifest.timing.started.to_string();
        let ended = manifest.timing.ended.unwrap_or(manifest.timing.updated).to_string();
        self.started = Some(self.started.take().map_or(started.clone(), |other| other.min(started)));
        self.ended = Some(self.ended.take().map_or(ended.clone(), |other| other.max(ended)));
        self.seconds += manifest.timing.seconds / provenance.cohort.len().max(1) as f64;
    }

    fn rows(self) -> Vec<(String, Vec<String>)> {
        let second =
            |time: String| time.split('.').next().map_or(time.clone(), |t| format!("{}Z", t.trim_end_matches('Z')));
        vec![
            ("commit".into(), self.commits.into_iter().collect()),
            ("versions".into(), self.versions.into_iter().collect()),
            ("SHA-256 of the images".into(), self.data.into_iter().collect()),
            ("host".into(), self.hosts.into_iter().collect()),
            ("device".into(), self.devices.into_iter().collect()),
            ("first run started".into(), self.started.map(second).into_iter().collect()),
            ("last run ended".into(), self.ended.map(second).into_iter().collect()),
            ("training time".into(), vec![duration(self.seconds)]),
        ]
    }
}

fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// Writes the sweep's `summary.parquet`; returns its path.
pub fn write_summary(experiment: &Experiment, store: &Store) -> Result<std::path::PathBuf, FiguresError> {
    let rows = store.summary(&experiment.axes, &experiment.cells)?;
    Ok(store.write_summary(&experiment.name, &rows)?)
}
