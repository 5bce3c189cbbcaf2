//! `evaluation.parquet`: rows to columns and back.

use spec::Measurement;
use std::path::Path;

use crate::error::RecordError;
use crate::parquet::{self, BoxedError, ParquetTable, Values};

const KIND: &str = "evaluation";

/// Writes `old` with `new` in the place of rows of the same metric, split and settings, and behind them otherwise.
///
/// # Errors
/// If a value of `new` is not finite, or the file cannot be written.
pub(crate) fn add(path: &Path, old: Vec<Measurement>, new: &[Measurement]) -> Result<(), RecordError> {
    check(new)?;
    write(path, &merge(old, new))
}

/// Writes rows as one parquet file, atomically.
fn write(path: &Path, rows: &[Measurement]) -> Result<(), RecordError> {
    parquet::extend(path, KIND, columns(rows))
}

/// The bytes of a file of rows, for an archive that is compressed as a whole.
pub(crate) fn to_plain_bytes(rows: &[Measurement]) -> Result<Vec<u8>, BoxedError> {
    parquet::to_plain_bytes(KIND, columns(rows))
}

fn columns(rows: &[Measurement]) -> Vec<(&'static str, Values)> {
    vec![
        ("metric", Values::Text(rows.iter().map(|row| row.metric.name().to_owned()).collect())),
        ("split", Values::Text(rows.iter().map(|row| row.split.as_str().to_owned()).collect())),
        ("value", Values::F64(rows.iter().map(|row| row.value).collect())),
        ("standard_error", Values::OptionalF64(rows.iter().map(|row| row.standard_error).collect())),
        ("n", Values::U64(rows.iter().map(|row| row.n).collect())),
        ("settings", Values::Text(rows.iter().map(|row| row.settings.to_json()).collect())),
    ]
}

/// Reads the rows of one parquet file.
pub(crate) fn read(path: &Path) -> Result<Vec<Measurement>, RecordError> {
    let table = ParquetTable::read(path, KIND)?;
    let metric = table.text("metric")?;
    let split = table.text("split")?;
    let value = table.f64("value")?;
    let standard_error = table.optional_f64("standard_error")?;
    let n = table.u64("n")?;
    let settings = table.text("settings")?;
    (0..table.height())
        .map(|row| {
            Ok(Measurement {
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
fn merge(mut old: Vec<Measurement>, new: &[Measurement]) -> Vec<Measurement> {
    for row in new {
        let same = |other: &Measurement| {
            (other.metric, other.split, &other.settings) == (row.metric, row.split, &row.settings)
        };
        match old.iter_mut().find(|other| same(other)) {
            Some(place) => *place = row.clone(),
            None => old.push(row.clone()),
        }
    }
    old
}

/// Refuses values that are NaN or infinite.
fn check(rows: &[Measurement]) -> Result<(), RecordError> {
    for row in rows {
        for (name, value) in [("value", Some(row.value)), ("standard error", row.standard_error)] {
            if let Some(value) = value.filter(|value| !value.is_finite()) {
                return Err(RecordError::refused(
                    format!("the {name} of `{}` on the {} split is {value}", row.metric, row.split),
                    "a value that is not finite is never recorded; look at the run's metrics",
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_only_a_newer_version_knows_is_told_from_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evaluation.parquet");
        let said = |metric: &str, settings: &str| {
            let text = |value: &str| Values::Text(vec![value.to_owned()]);
            let numbers = [("value", Values::F64(vec![1.0])), ("standard_error", Values::OptionalF64(vec![None]))];
            let mut columns = vec![("metric", text(metric)), ("split", text("test"))];
            columns.extend(numbers);
            columns.extend([("n", Values::U64(vec![3])), ("settings", text(settings))]);
            parquet::write(&path, KIND, columns).unwrap();
            let error = read(&path).unwrap_err();
            assert!(matches!(error, RecordError::Unknown { .. }), "{error}");
            error.to_string()
        };
        let message = said("unheard", "{}");
        assert!(message.contains("has the metric `unheard`, which this elbo does not know\nhint: update"), "{message}");
        let message = said("nll", r#"{"unheard":1}"#);
        assert!(message.contains(r#"has the setting of a metric `{"unheard":1}`"#), "{message}");
    }
}
