//! `evaluation.parquet`: rows to columns and back.

use std::path::Path;

use crate::error::RecordError;
use crate::parquet::{self, Table, Values};
use crate::rows::EvaluationRow;

const KIND: &str = "evaluation";

/// Writes rows as one parquet file, atomically.
pub(crate) fn write(path: &Path, rows: &[EvaluationRow]) -> Result<(), RecordError> {
    let columns = vec![
        ("metric", Values::Text(rows.iter().map(|row| row.metric.name().to_owned()).collect())),
        ("split", Values::Text(rows.iter().map(|row| row.split.as_str().to_owned()).collect())),
        ("value", Values::F64(rows.iter().map(|row| row.value).collect())),
        ("standard_error", Values::OptionalF64(rows.iter().map(|row| row.standard_error).collect())),
        ("n", Values::U64(rows.iter().map(|row| row.n).collect())),
        ("settings", Values::Text(rows.iter().map(|row| row.settings.to_json()).collect())),
    ];
    parquet::extend(path, KIND, columns)
}

/// Reads the rows of one parquet file.
pub(crate) fn read(path: &Path) -> Result<Vec<EvaluationRow>, RecordError> {
    let table = Table::read(path, KIND)?;
    let metric = table.text("metric")?;
    let split = table.text("split")?;
    let value = table.f64("value")?;
    let standard_error = table.optional_f64("standard_error")?;
    let n = table.u64("n")?;
    let settings = table.text("settings")?;
    (0..table.height())
        .map(|row| {
            Ok(EvaluationRow {
                metric: table.metric(&metric[row])?,
                split: table.split(&split[row])?,
                value: value[row],
                standard_error: standard_error[row],
                n: n[row],
                settings: table.settings(&settings[row])?,
            })
        })
        .collect()
}

/// `old` with `new` in the place of rows of the same metric, split and settings, and behind them otherwise.
pub(crate) fn merge(mut old: Vec<EvaluationRow>, new: &[EvaluationRow]) -> Vec<EvaluationRow> {
    for row in new {
        let same = |other: &EvaluationRow| {
            (other.metric, other.split, &other.settings) == (row.metric, row.split, &row.settings)
        };
        match old.iter_mut().find(|other| same(other)) {
            Some(place) => *place = row.clone(),
            None => old.push(row.clone()),
        }
    }
    old
}
