//! `metrics.parquet` and its segments: rows to columns and back.

use std::path::Path;

use spec::Metric;
use spec::metric::Column;

use crate::error::RecordError;
use crate::parquet::{self, BoxedError, ParquetTable, Values};
use crate::rows::{EpochMetrics, MetricsRow};

const KIND: &str = "metrics";
/// The metrics that version 1.0 of the format had; every file has their columns.
const FIRST: [Metric; 5] = [Metric::Elbo, Metric::Reconstruction, Metric::Kl, Metric::Objective, Metric::ActiveUnits];

/// Columns that were added later, beside those of metrics.
const LATENT_MEAN_VARIANCE: &str = "latent_mean_variance";
const OBJECTIVE_SAMPLES: &str = "objective_samples";
const OBJECTIVE_BATCH: &str = "objective_batch";

/// Writes rows as one parquet file, atomically.
pub(crate) fn write(path: &Path, rows: &[MetricsRow]) -> Result<(), RecordError> {
    parquet::write(path, KIND, columns(rows))
}

/// Replaces a file of rows that others may be reading.
pub(crate) fn replace(path: &Path, rows: &[MetricsRow]) -> Result<(), RecordError> {
    parquet::extend(path, KIND, columns(rows))
}

/// The bytes of a file of rows, for an archive that is compressed as a whole.
pub(crate) fn to_plain_bytes(rows: &[MetricsRow]) -> Result<Vec<u8>, BoxedError> {
    parquet::to_plain_bytes(KIND, columns(rows))
}

/// All columns, in the order that files have had ever since; what was added later stands at the end, metrics first.
fn columns(rows: &[MetricsRow]) -> Vec<(&'static str, Values)> {
    fn all<T>(rows: &[MetricsRow], value: impl Fn(&MetricsRow) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    let term = |metric: Metric| {
        let values = all(rows, |row| row.terms.get(metric));
        let column = match metric.about().per_epoch {
            Some(Column::OptionalU32) => {
                Values::OptionalU32(values.into_iter().map(|value| value.map(|value| value as u32)).collect())
            }
            Some(Column::F64 | Column::OptionalF64) | None => Values::OptionalF64(values),
        };
        (metric.name(), column)
    };
    let mut columns = vec![
        ("run_id", Values::Text(all(rows, |row| row.run_id.to_string()))),
        ("split", Values::Text(all(rows, |row| row.split.as_str().to_owned()))),
        ("epoch", Values::U32(all(rows, |row| row.epoch))),
        ("step", Values::U64(all(rows, |row| row.step))),
        ("images", Values::U64(all(rows, |row| row.images))),
        ("scale", Values::Text(all(rows, |row| row.scale.as_str().to_owned()))),
    ];
    columns.extend([Metric::Elbo, Metric::Reconstruction, Metric::Kl, Metric::Objective].map(term));
    columns.extend([
        ("beta", Values::F64(all(rows, |row| row.beta))),
        ("kl_per_dim", Values::ListF64(all(rows, |row| row.kl_per_dim.clone()))),
        term(Metric::ActiveUnits),
        ("learning_rate", Values::F64(all(rows, |row| row.learning_rate))),
        ("gradient_norm", Values::OptionalF64(all(rows, |row| row.gradient_norm))),
        ("seconds", Values::F64(all(rows, |row| row.seconds))),
    ]);
    columns.extend(Metric::per_epoch().filter(|metric| !FIRST.contains(metric)).map(term));
    columns.extend([
        (LATENT_MEAN_VARIANCE, Values::ListF64(all(rows, |row| row.latent_mean_variance.clone()))),
        (OBJECTIVE_SAMPLES, Values::OptionalU32(all(rows, |row| row.objective_samples))),
        (OBJECTIVE_BATCH, Values::OptionalU32(all(rows, |row| row.objective_batch))),
    ]);
    columns
}

/// Reads the rows of one parquet file. What was added after the file was written is absent from its rows.
pub(crate) fn read(path: &Path) -> Result<Vec<MetricsRow>, RecordError> {
    let table = ParquetTable::read(path, KIND)?;
    let run_id = table.text("run_id")?;
    let split = table.text("split")?;
    let epoch = table.u32("epoch")?;
    let step = table.u64("step")?;
    let images = table.u64("images")?;
    let scale = table.text("scale")?;
    let beta = table.f64("beta")?;
    let mut kl_per_dim = table.list_f64("kl_per_dim")?;
    let mut latent_mean_variance = match table.has(LATENT_MEAN_VARIANCE) {
        true => table.list_f64(LATENT_MEAN_VARIANCE)?,
        false => vec![Vec::new(); table.height()],
    };
    let later_u32 = |name: &str| match table.has(name) {
        true => table.optional_u32(name),
        false => Ok(vec![None; table.height()]),
    };
    let (objective_samples, objective_batch) = (later_u32(OBJECTIVE_SAMPLES)?, later_u32(OBJECTIVE_BATCH)?);
    let learning_rate = table.f64("learning_rate")?;
    let gradient_norm = table.optional_f64("gradient_norm")?;
    let seconds = table.f64("seconds")?;
    let mut terms = vec![EpochMetrics::default(); table.height()];
    for metric in Metric::per_epoch().filter(|metric| FIRST.contains(metric) || table.has(metric.name())) {
        for (terms, value) in terms.iter_mut().zip(term(&table, metric)?) {
            if let Some(value) = value {
                terms.set(metric, value);
            }
        }
    }
    (0..table.height())
        .map(|row| {
            Ok(MetricsRow {
                run_id: table.run_id(&run_id[row])?,
                split: table.split(&split[row])?,
                epoch: epoch[row],
                step: step[row],
                images: images[row],
                scale: table.scale(&scale[row])?,
                terms: std::mem::take(&mut terms[row]),
                objective_samples: objective_samples[row],
                objective_batch: objective_batch[row],
                beta: beta[row],
                kl_per_dim: std::mem::take(&mut kl_per_dim[row]),
                latent_mean_variance: std::mem::take(&mut latent_mean_variance[row]),
                learning_rate: learning_rate[row],
                gradient_norm: gradient_norm[row],
                seconds: seconds[row],
            })
        })
        .collect()
}

/// A metric's column.
fn term(table: &ParquetTable, metric: Metric) -> Result<Vec<Option<f64>>, RecordError> {
    match metric.about().per_epoch {
        Some(Column::F64) => Ok(table.f64(metric.name())?.into_iter().map(Some).collect()),
        Some(Column::OptionalU32) => {
            Ok(table.optional_u32(metric.name())?.into_iter().map(|value| value.map(f64::from)).collect())
        }
        Some(Column::OptionalF64) | None => table.optional_f64(metric.name()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use spec::{Scale, Split};

    use super::*;
    use crate::format::FormatVersion;

    /// Changing this schema means raising the format version.
    #[test]
    fn the_schema_of_this_format_version_is_fixed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.parquet");
        write(&path, &[]).unwrap();
        let schema = ParquetTable::read(&path, KIND).unwrap().schema();
        let schema: Vec<_> = schema.iter().map(|(name, dtype)| (name.as_str(), dtype.as_str())).collect();
        let (fixed, later) = schema.split_at(17);
        assert_eq!(FormatVersion::CURRENT.to_string(), "1.2");
        let later: Vec<_> = later.iter().filter(|(name, _)| name.parse::<Metric>().is_err()).collect();
        let others = [(LATENT_MEAN_VARIANCE, "list[f64]"), (OBJECTIVE_SAMPLES, "u32"), (OBJECTIVE_BATCH, "u32")];
        assert_eq!(later, others.iter().collect::<Vec<_>>());
        assert_eq!(
            fixed,
            [
                ("run_id", "str"),
                ("split", "str"),
                ("epoch", "u32"),
                ("step", "u64"),
                ("images", "u64"),
                ("scale", "str"),
                ("elbo", "f64"),
                ("reconstruction", "f64"),
                ("kl", "f64"),
                ("objective", "f64"),
                ("beta", "f64"),
                ("kl_per_dim", "list[f64]"),
                ("active_units", "u32"),
                ("learning_rate", "f64"),
                ("gradient_norm", "f64"),
                ("seconds", "f64"),
                ("discriminator", "f64"),
            ]
        );
    }

    /// What `tests/data/metrics-1.0.parquet` holds was written by version 1.0 of the format.
    #[test]
    fn a_file_of_version_1_0_has_no_discriminator() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/metrics-1.0.parquet");
        let rows = read(&path).unwrap();
        assert_eq!(
            rows.iter().map(|row| (row.epoch, row.split)).collect::<Vec<_>>(),
            [1, 2].map(|epoch| [(epoch, Split::Train), (epoch, Split::Test)]).concat()
        );
        for row in rows {
            let term = |metric| row.terms.get(metric);
            assert_eq!(term(Metric::Discriminator), None);
            assert_eq!((row.kl_per_dim.len(), term(Metric::ActiveUnits)), (2, Some(0.0)));
            assert!(row.latent_mean_variance.is_empty());
            assert_eq!((row.objective_samples, row.objective_batch), (None, None));
            let elbo = term(Metric::Elbo).unwrap();
            let sum = term(Metric::Reconstruction).unwrap() + term(Metric::Kl).unwrap();
            assert!((elbo + sum).abs() < 1e-4 && elbo < -500.0, "{elbo}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(32))]

        /// Every finite number comes back bit for bit, whichever file it goes through.
        #[test]
        fn rows_come_back_as_they_were(
            values in proptest::collection::vec(proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO, 4),
            others in proptest::collection::vec(proptest::option::of(proptest::num::f64::NORMAL), Metric::per_epoch().count()),
            units in proptest::option::of(proptest::num::u32::ANY),
            per_dim in proptest::collection::vec(proptest::num::f64::NORMAL, 0..40),
            norm in proptest::option::of(proptest::num::f64::POSITIVE),
            (epoch, step, images) in proptest::prelude::any::<(u32, u64, u64)>(),
        ) {
            let value = |(metric, other): (Metric, &Option<f64>)| {
                let value = match metric.about().per_epoch? {
                    Column::F64 => Some(values[0]),
                    Column::OptionalF64 => *other,
                    Column::OptionalU32 => units.map(f64::from),
                };
                Some((metric, value?))
            };
            let terms: EpochMetrics = Metric::per_epoch().zip(&others).filter_map(value).collect();
            let row = |split| MetricsRow {
                run_id: "0123456789abcdef".parse().unwrap(),
                split,
                epoch,
                step,
                images,
                scale: Scale::GaussianDensity,
                terms: terms.clone(),
                objective_samples: units,
                objective_batch: units.map(|units| units / 2),
                beta: values[1],
                kl_per_dim: per_dim.clone(),
                latent_mean_variance: per_dim.iter().rev().copied().collect(),
                learning_rate: values[2],
                gradient_norm: norm,
                seconds: values[3],
            };
            let rows = Split::ALL.map(row);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("metrics.parquet");
            write(&path, &rows).unwrap();
            proptest::prop_assert_eq!(read(&path).unwrap(), &rows);
            replace(&path, &rows[..2]).unwrap();
            proptest::prop_assert_eq!(read(&path).unwrap(), &rows[..2]);
        }
    }
}
