//! Runs that differ in nothing but their seed, as one row: mean, standard deviation and 95 % interval.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use spec::metric::Subject;
use spec::{Axis, Basis, Cell, Measurement, Metric, MetricSettings, Split, Term};

use crate::error::RecordError;
use crate::files;
use crate::parquet::{self, Values};
use crate::rows::MetricsRow;
use crate::store::Store;
use crate::student::t_95;

/// The axis that is averaged over.
pub const SEED: &str = "training.seed";

/// A mean over seeds and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Mean over seeds, in the unit of the values.
    pub mean: f64,
    /// Standard deviation of the seeds (n − 1 in the denominator), in the unit of the values; `None` for one seed.
    pub standard_deviation: Option<f64>,
    /// Half the width of the 95 % confidence interval of the mean by Student's t; `None` for one seed.
    pub half_width: Option<f64>,
    /// Seeds.
    pub n: usize,
}

/// The estimate from one value per seed; `None` without any. A value that is not finite makes the mean so.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let standard_deviation = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
    let half_width = standard_deviation.zip(t_95(n)).map(|(deviation, t)| t * deviation / (n as f64).sqrt());
    Some(Estimate { mean, standard_deviation, half_width, n })
}

/// What one run brings to a summary.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// Its configuration.
    pub cell: &'a Cell,
    /// Its metrics.
    pub metrics: Vec<MetricsRow>,
    /// What was measured on its model.
    pub evaluation: Vec<Measurement>,
    /// The epoch whose weights are the model, where that need not be the last.
    pub kept: Option<u32>,
}

/// One metric of a group of runs that differ in nothing but their seed.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRow {
    /// Path and value of each axis of the sweep but the seed, in the sweep's order; `null` where a cell has no such
    /// value.
    pub group: Vec<(String, Value)>,
    /// The images it was measured on.
    pub split: Split,
    /// What its numbers in nats are on.
    pub basis: Basis,
    /// Epochs completed; `None` for what was measured on the trained model, and for the epoch that each run kept, where that need not
    /// be the last.
    pub epoch: Option<u32>,
    /// What was measured. What a model does not have has no row.
    pub metric: Metric,
    /// The metric as these models mean it: rows of different terms do not compare.
    pub term: Term,
    /// Width of the latent space that the metric is a density over; rows of different widths do not compare.
    pub width: Option<usize>,
    /// The settings of a metric of `evaluation.parquet`; none otherwise.
    pub settings: MetricSettings,
    /// How many images a metric of `evaluation.parquet` is a mean over, where that is not the whole split.
    pub images: Option<u64>,
    /// Over seeds.
    pub estimate: Estimate,
}

impl SummaryRow {
    /// Whether it is of the epochs whose weights are the models, where these need not be the last.
    pub fn is_of_kept_epoch(&self) -> bool {
        let is_per_epoch = self.metric.about().per_epoch.is_some();
        self.epoch.is_none() && is_per_epoch && self.settings == MetricSettings::default()
    }
}

/// How many images a number was measured on, where they are fewer than were ever looked at on its split; of samples, where they
/// are not as many.
pub fn images_of_fewer(row: &Measurement, evaluation: &[Measurement]) -> Option<u64> {
    // Samples are no images of the split.
    let is_of_split = |other: &Measurement| {
        other.split == row.split && !matches!(other.settings.of, Some(Subject::Samples | Subject::Draws))
    };
    let whole = evaluation.iter().filter(|other| is_of_split(other)).map(|other| other.n).max();
    Some(row.n).filter(|&n| whole.is_some_and(|whole| n != whole))
}

/// A cell with its seed left out: what all members of a group share.
fn group_key(cell: &Cell) -> String {
    let mut seedless = cell.clone();
    seedless.training.seed = 0;
    seedless.run_id().to_string()
}

/// Groups runs that differ in nothing but `training.seed`. Rows come in order of the members' groups, then of epoch,
/// metric and split; groups in the order of their first member.
pub fn over_seeds(axes: &[Axis], members: &[Member<'_>]) -> Vec<SummaryRow> {
    // Epochs first, in order of metrics; then what was measured at the end, in order of names.
    type Key = (usize, bool, Option<u32>, Option<Metric>, &'static str, MetricSettings, Option<u64>, Split);
    let mut groups: Vec<(String, &Cell)> = Vec::new();
    let mut values: BTreeMap<Key, (Metric, Vec<f64>)> = BTreeMap::new();
    for member in members {
        let key = group_key(member.cell);
        let group = groups.iter().position(|(other, _)| *other == key).unwrap_or_else(|| {
            groups.push((key, member.cell));
            groups.len() - 1
        });
        for row in &member.metrics {
            let kept = Some(None).filter(|_| member.kept == Some(row.epoch));
            for epoch in std::iter::once(Some(row.epoch)).chain(kept) {
                for (metric, value) in row.terms.iter() {
                    let settings = MetricSettings::default();
                    let key = (group, epoch.is_none(), epoch, Some(metric), metric.name(), settings, None, row.split);
                    values.entry(key).or_insert_with(|| (metric, Vec::new())).1.push(value);
                }
            }
        }
        for row in &member.evaluation {
            let images = images_of_fewer(row, &member.evaluation);
            let key = (group, true, None, None, row.metric.name(), row.settings.clone(), images, row.split);
            values.entry(key).or_insert_with(|| (row.metric, Vec::new())).1.push(row.value);
        }
    }
    values
        .into_iter()
        .filter_map(|((group, _, epoch, _, _, settings, images, split), (metric, values))| {
            let cell = groups[group].1;
            let labels = axes.iter().filter(|axis| axis.path != SEED);
            let group = labels.map(|axis| (axis.path.clone(), cell.value_at(&axis.path).unwrap_or(Value::Null)));
            Some(SummaryRow {
                group: group.collect(),
                split,
                basis: cell.basis(),
                epoch,
                metric,
                term: cell.term(metric),
                width: metric.is_over_latents().then_some(cell.model.latent_dim),
                settings,
                images,
                estimate: estimate(&values)?,
            })
        })
        .collect()
}

impl Store {
    /// The summary over the seeds of `cells`, as far as they are on record.
    ///
    /// # Errors
    /// If a file of one of the runs is damaged or of a newer major version.
    pub fn summary(&self, axes: &[Axis], cells: &[Cell]) -> Result<Vec<SummaryRow>, RecordError> {
        let mut members = Vec::with_capacity(cells.len());
        for cell in cells {
            let run = self.run(&cell.run_id());
            let kept = match run.manifest() {
                Err(error) if error.is_not_found() => None,
                manifest => manifest?.kept_epoch.map(|kept| kept.epoch),
            };
            members.push(Member { cell, metrics: run.metrics()?, evaluation: run.evaluation()?, kept });
        }
        Ok(over_seeds(axes, &members))
    }

    /// Writes `sweeps/<sweep>/summary.parquet` and returns its path: one column for each axis but the seed, then
    /// `split, scale, epoch, metric, settings, mean, standard_deviation, half_width_95, n, images`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_summary(&self, sweep: &str, rows: &[SummaryRow]) -> Result<PathBuf, RecordError> {
        let folder = self.sweep_dir(sweep);
        files::create_folder(&folder)?;
        let path = folder.join("summary.parquet");
        write(&path, rows)?;
        Ok(path)
    }
}

fn write(path: &Path, rows: &[SummaryRow]) -> Result<(), RecordError> {
    let axes: Vec<String> =
        rows.first().map(|row| row.group.iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default();
    let mut columns: Vec<(&str, Values)> = Vec::new();
    for (index, axis) in axes.iter().enumerate() {
        let values = rows.iter().map(|row| row.group.get(index).map_or(&Value::Null, |(_, value)| value));
        columns.push((axis, axis_column(values.collect())));
    }
    let estimates = |value: &dyn Fn(&Estimate) -> Option<f64>| {
        Values::OptionalF64(rows.iter().map(|row| value(&row.estimate)).collect())
    };
    columns.extend([
        ("split", Values::Text(rows.iter().map(|row| row.split.as_str().to_owned()).collect())),
        ("scale", Values::Text(rows.iter().map(|row| row.basis.scale.as_str().to_owned()).collect())),
        ("epoch", Values::OptionalU32(rows.iter().map(|row| row.epoch).collect())),
        ("metric", Values::Text(rows.iter().map(|row| row.metric.name().to_owned()).collect())),
        ("settings", Values::Text(rows.iter().map(|row| row.settings.to_json()).collect())),
        ("mean", Values::F64(rows.iter().map(|row| row.estimate.mean).collect())),
        ("standard_deviation", estimates(&|estimate| estimate.standard_deviation)),
        ("half_width_95", estimates(&|estimate| estimate.half_width)),
        ("n", Values::U32(rows.iter().map(|row| u32::try_from(row.estimate.n).unwrap_or(u32::MAX)).collect())),
        ("images", Values::OptionalU64(rows.iter().map(|row| row.images).collect())),
    ]);
    parquet::extend(path, "summary", columns)
}

/// The narrowest type that holds all values of an axis: integers, numbers, booleans, or else text (JSON for what is
/// not text).
fn axis_column(values: Vec<&Value>) -> Values {
    let is_all = |test: &dyn Fn(&Value) -> bool| values.iter().all(|value| value.is_null() || test(value));
    if is_all(&|value| value.as_i64().is_some()) {
        Values::OptionalI64(values.into_iter().map(Value::as_i64).collect())
    } else if is_all(&Value::is_number) {
        Values::OptionalF64(values.into_iter().map(Value::as_f64).collect())
    } else if is_all(&Value::is_boolean) {
        Values::OptionalBool(values.into_iter().map(Value::as_bool).collect())
    } else {
        let text = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        Values::OptionalText(values.into_iter().map(text).collect())
    }
}
