//! The records behind published numbers: what a table needs of finished runs, small enough to be committed.
//!
//! One parquet file for each experiment, in long form: one row per run, epoch and metric on the test split, and one per
//! number that was measured on the trained model.

use std::path::Path;

use serde_json::Value;
use spec::metric::Role;
use spec::{Cell, Experiment, Measurement, Metric, MetricSettings, NUMBERS_VERSION, RunId, Scale, Split};

use crate::error::RecordError;
use crate::files;
use crate::parquet::{self, ParquetTable, Values};
use crate::status::Status;
use crate::store::Store;

const KIND: &str = "published";
/// The axis that has a column of its own.
const SEED: &str = "training.seed";

/// One number of a finished run, on the test images.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedRow {
    /// The set-up in a few words, as in the experiment's `reference`.
    pub set_up: String,
    /// The experiment's name.
    pub experiment: String,
    /// The run.
    pub run_id: RunId,
    /// Its seed.
    pub seed: u64,
    /// What else varies in the experiment: `model.latent_dim=20, objective.beta=1`; empty for nothing.
    pub swept: String,
    /// The scale of the likelihood; rows of different scales are never compared.
    pub scale: Scale,
    /// Epochs completed; `None` (null) for what was measured on the trained model.
    pub epoch: Option<u32>,
    /// What was measured: of each epoch all but losses, whose values depend on the set-up.
    pub metric: Metric,
    /// The value.
    pub value: f64,
    /// Standard error of `value` over images, in its unit; `None` (null) where there is none.
    pub standard_error: Option<f64>,
    /// Images the value is over.
    pub n: u64,
    /// What a metric of `evaluation.parquet` was computed with; nothing otherwise.
    pub settings: MetricSettings,
    /// Epochs the run was trained for.
    pub epochs: u32,
    /// Wall-clock seconds of training: the run's even share of its cohort's.
    pub seconds: f64,
    /// What it was trained on: the processor's model, and `cuda` where a GPU computed.
    pub processor: String,
    /// The numbers version of the program that trained and measured it; 1 in files without this column.
    pub numbers_version: u32,
}

impl PublishedRow {
    /// Whether it is of this cell's run, by a program of whichever numbers version.
    pub fn is_of(&self, cell: &Cell) -> bool {
        // Ids are hashes; the seed tells most cells apart at no cost.
        self.seed == cell.training.seed && self.run_id == cell.run_id_at(self.numbers_version)
    }
}

impl Store {
    /// What a table of published numbers needs of an experiment's finished runs, in the order of its cells; nothing of
    /// those that are not done.
    ///
    /// # Errors
    /// If a file of one of the runs is damaged or of a newer major version.
    pub fn published_rows(&self, experiment: &Experiment) -> Result<Vec<PublishedRow>, RecordError> {
        let mut rows = Vec::new();
        for cell in &experiment.cells {
            if self.run(&cell.run_id()).status()? == Status::Done {
                rows.extend(self.rows_of_run(experiment, cell)?);
            }
        }
        Ok(rows)
    }

    fn rows_of_run(&self, experiment: &Experiment, cell: &Cell) -> Result<Vec<PublishedRow>, RecordError> {
        let run = self.run(&cell.run_id());
        let manifest = run.manifest()?;
        let metrics = run.metrics()?;
        let host = &manifest.provenance.host;
        let processor = match manifest.provenance.device.as_str() {
            "" | "cpu" => host.cpu.clone(),
            device => format!("{device} beside {}", host.cpu),
        };
        let set_up = experiment.reference.as_ref().map(|reference| reference.set_up.clone()).unwrap_or_default();
        let epochs = metrics.iter().map(|row| row.epoch).max().unwrap_or(0);
        let published = |epoch: Option<u32>, row: Measurement| PublishedRow {
            set_up: set_up.clone(),
            experiment: experiment.name.clone(),
            run_id: run.id().clone(),
            seed: cell.training.seed,
            swept: swept(experiment, cell),
            scale: cell.scale(),
            epoch,
            metric: row.metric,
            value: row.value,
            standard_error: row.standard_error,
            n: row.n,
            settings: row.settings,
            epochs,
            seconds: manifest.own_seconds(),
            processor: processor.clone(),
            numbers_version: NUMBERS_VERSION,
        };
        let mut rows = Vec::new();
        for row in metrics.iter().filter(|row| row.split == Split::Test) {
            let terms = row.terms.iter().filter(|(metric, _)| metric.about().role != Role::Loss);
            rows.extend(terms.map(|(metric, value)| {
                let (standard_error, settings) = (None, MetricSettings::default());
                let of_epoch = Measurement { metric, split: row.split, value, standard_error, n: row.images, settings };
                published(Some(row.epoch), of_epoch)
            }));
        }
        let measured = run.evaluation()?.into_iter().filter(|row| row.split == Split::Test);
        rows.extend(measured.map(|row| published(None, row)));
        Ok(rows)
    }
}

/// The values of a cell at which its experiment's cells differ, but for the seed.
fn swept(experiment: &Experiment, cell: &Cell) -> String {
    let varying = experiment.axes.iter().filter(|axis| axis.path != SEED && axis.values.len() > 1);
    let pairs = varying.map(|axis| match cell.value_at(&axis.path) {
        Some(Value::String(text)) => format!("{}={text}", axis.path),
        value => format!("{}={}", axis.path, value.unwrap_or_default()),
    });
    pairs.collect::<Vec<_>>().join(", ")
}

/// Writes rows as one parquet file, atomically; the same rows are the same bytes.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, rows: &[PublishedRow]) -> Result<(), RecordError> {
    fn text(rows: &[PublishedRow], value: impl Fn(&PublishedRow) -> &str) -> Values {
        Values::Text(rows.iter().map(|row| value(row).to_owned()).collect())
    }
    if let Some(folder) = path.parent() {
        files::create_folder(folder)?;
    }
    let columns = vec![
        ("set_up", text(rows, |row| &row.set_up)),
        ("experiment", text(rows, |row| &row.experiment)),
        ("run_id", text(rows, |row| row.run_id.as_str())),
        ("seed", Values::U64(rows.iter().map(|row| row.seed).collect())),
        ("swept", text(rows, |row| &row.swept)),
        ("scale", text(rows, |row| row.scale.as_str())),
        ("epoch", Values::OptionalU32(rows.iter().map(|row| row.epoch).collect())),
        ("metric", text(rows, |row| row.metric.name())),
        ("value", Values::F64(rows.iter().map(|row| row.value).collect())),
        ("standard_error", Values::OptionalF64(rows.iter().map(|row| row.standard_error).collect())),
        ("n", Values::U64(rows.iter().map(|row| row.n).collect())),
        ("settings", Values::Text(rows.iter().map(|row| row.settings.to_json()).collect())),
        ("epochs", Values::U32(rows.iter().map(|row| row.epochs).collect())),
        ("seconds", Values::F64(rows.iter().map(|row| row.seconds).collect())),
        ("processor", text(rows, |row| &row.processor)),
        ("numbers_version", Values::U32(rows.iter().map(|row| row.numbers_version).collect())),
    ];
    parquet::write(path, KIND, columns)
}

/// Reads the rows of one parquet file; none if there is no such file.
///
/// # Errors
/// If the file is damaged or of a newer major version.
pub fn read(path: &Path) -> Result<Vec<PublishedRow>, RecordError> {
    let table = match ParquetTable::read(path, KIND) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        other => other?,
    };
    let mut set_up = table.text("set_up")?;
    let mut experiment = table.text("experiment")?;
    let run_id = table.text("run_id")?;
    let seed = table.u64("seed")?;
    let mut swept = table.text("swept")?;
    let scale = table.text("scale")?;
    let epoch = table.optional_u32("epoch")?;
    let metric = table.text("metric")?;
    let value = table.f64("value")?;
    let standard_error = table.optional_f64("standard_error")?;
    let n = table.u64("n")?;
    let settings = table.text("settings")?;
    let epochs = table.u32("epochs")?;
    let seconds = table.f64("seconds")?;
    let mut processor = table.text("processor")?;
    let numbers_version = match table.has("numbers_version") {
        true => table.u32("numbers_version")?,
        false => vec![1; table.height()],
    };
    (0..table.height())
        .map(|row| {
            Ok(PublishedRow {
                set_up: std::mem::take(&mut set_up[row]),
                experiment: std::mem::take(&mut experiment[row]),
                run_id: table.run_id(&run_id[row])?,
                seed: seed[row],
                swept: std::mem::take(&mut swept[row]),
                scale: table.scale(&scale[row])?,
                epoch: epoch[row],
                metric: table.metric(&metric[row])?,
                value: value[row],
                standard_error: standard_error[row],
                n: n[row],
                settings: table.settings(&settings[row])?,
                epochs: epochs[row],
                seconds: seconds[row],
                processor: std::mem::take(&mut processor[row]),
                numbers_version: numbers_version[row],
            })
        })
        .collect()
}
