//! `metrics.parquet` and its segments: rows to columns and back.

use std::path::Path;

use spec::Scale;

use crate::error::RecordError;
use crate::rows::{MetricsRow, Split};
use crate::table::{self, Table, Values};

const KIND: &str = "metrics";

/// Writes rows as one parquet file, atomically.
pub(crate) fn write(path: &Path, rows: &[MetricsRow]) -> Result<(), RecordError> {
    table::write(path, KIND, columns(rows))
}

/// Replaces a file of rows that others may be reading.
pub(crate) fn replace(path: &Path, rows: &[MetricsRow]) -> Result<(), RecordError> {
    table::extend(path, KIND, columns(rows))
}

fn columns(rows: &[MetricsRow]) -> Vec<(&'static str, Values)> {
    fn all<T>(rows: &[MetricsRow], value: impl Fn(&MetricsRow) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    vec![
        ("run_id", Values::Text(all(rows, |row| row.run_id.to_string()))),
        ("split", Values::Text(all(rows, |row| row.split.as_str().to_owned()))),
        ("epoch", Values::U32(all(rows, |row| row.epoch))),
        ("step", Values::U64(all(rows, |row| row.step))),
        ("images", Values::U64(all(rows, |row| row.images))),
        ("scale", Values::Text(all(rows, |row| row.scale.as_str().to_owned()))),
        ("elbo", Values::OptionalF64(all(rows, |row| row.elbo))),
        ("reconstruction", Values::OptionalF64(all(rows, |row| row.reconstruction))),
        ("kl", Values::OptionalF64(all(rows, |row| row.kl))),
        ("objective", Values::F64(all(rows, |row| row.objective))),
        ("beta", Values::F64(all(rows, |row| row.beta))),
        ("kl_per_dim", Values::ListF64(all(rows, |row| row.kl_per_dim.clone()))),
        ("active_units", Values::OptionalU32(all(rows, |row| row.active_units))),
        ("learning_rate", Values::F64(all(rows, |row| row.learning_rate))),
        ("gradient_norm", Values::OptionalF64(all(rows, |row| row.gradient_norm))),
        ("seconds", Values::F64(all(rows, |row| row.seconds))),
        ("discriminator", Values::OptionalF64(all(rows, |row| row.discriminator))),
    ]
}

/// Reads the rows of one parquet file.
pub(crate) fn read(path: &Path) -> Result<Vec<MetricsRow>, RecordError> {
    let table = Table::read(path, KIND)?;
    let run_id = table.text("run_id")?;
    let split = table.text("split")?;
    let epoch = table.u32("epoch")?;
    let step = table.u64("step")?;
    let images = table.u64("images")?;
    let scale = table.text("scale")?;
    let elbo = table.optional_f64("elbo")?;
    let reconstruction = table.optional_f64("reconstruction")?;
    let kl = table.optional_f64("kl")?;
    let objective = table.f64("objective")?;
    let beta = table.f64("beta")?;
    let mut kl_per_dim = table.list_f64("kl_per_dim")?;
    let active_units = table.optional_u32("active_units")?;
    let learning_rate = table.f64("learning_rate")?;
    let gradient_norm = table.optional_f64("gradient_norm")?;
    let seconds = table.f64("seconds")?;
    // Files of version 1.0 have no such column.
    let discriminator = match table.has("discriminator") {
        true => table.optional_f64("discriminator")?,
        false => vec![None; table.height()],
    };
    (0..table.height())
        .map(|row| {
            Ok(MetricsRow {
                run_id: run_id[row].parse().map_err(|_| table.damaged(format!("`{}` is not a run id", run_id[row])))?,
                split: parse_split(&table, &split[row])?,
                epoch: epoch[row],
                step: step[row],
                images: images[row],
                scale: parse_scale(&table, &scale[row])?,
                elbo: elbo[row],
                reconstruction: reconstruction[row],
                kl: kl[row],
                objective: objective[row],
                beta: beta[row],
                kl_per_dim: std::mem::take(&mut kl_per_dim[row]),
                active_units: active_units[row],
                learning_rate: learning_rate[row],
                gradient_norm: gradient_norm[row],
                seconds: seconds[row],
                discriminator: discriminator[row],
            })
        })
        .collect()
}

/// A split's name, or an error that names the file.
pub(crate) fn parse_split(table: &Table, name: &str) -> Result<Split, RecordError> {
    Split::from_name(name).ok_or_else(|| table.damaged(format!("`{name}` is not a split")))
}

/// A scale's name, or an error that names the file.
pub(crate) fn parse_scale(table: &Table, name: &str) -> Result<Scale, RecordError> {
    Scale::ALL
        .into_iter()
        .find(|scale| scale.as_str() == name)
        .ok_or_else(|| table.damaged(format!("`{name}` is not a scale")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::manifest::FormatVersion;

    /// Changing this schema means raising the format version.
    #[test]
    fn the_schema_of_this_format_version_is_fixed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.parquet");
        write(&path, &[]).unwrap();
        let schema = Table::read(&path, KIND).unwrap().schema();
        let schema: Vec<_> = schema.iter().map(|(name, dtype)| (name.as_str(), dtype.as_str())).collect();
        assert_eq!(FormatVersion::CURRENT.to_string(), "1.1");
        assert_eq!(
            schema,
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
            assert_eq!(row.discriminator, None);
            assert_eq!((row.kl_per_dim.len(), row.active_units), (2, Some(0)));
            let (elbo, sum) = (row.elbo.unwrap(), row.reconstruction.unwrap() + row.kl.unwrap());
            assert!((elbo + sum).abs() < 1e-4 && elbo < -500.0, "{elbo}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(32))]

        /// Every finite number comes back bit for bit, whichever file it goes through.
        #[test]
        fn rows_come_back_as_they_were(
            values in proptest::collection::vec(proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO, 4),
            terms in proptest::collection::vec(proptest::option::of(proptest::num::f64::NORMAL), 4),
            units in proptest::option::of(proptest::num::u32::ANY),
            per_dim in proptest::collection::vec(proptest::num::f64::NORMAL, 0..40),
            norm in proptest::option::of(proptest::num::f64::POSITIVE),
            (epoch, step, images) in proptest::prelude::any::<(u32, u64, u64)>(),
        ) {
            let row = |split| MetricsRow {
                run_id: "0123456789abcdef".parse().unwrap(),
                split,
                epoch,
                step,
                images,
                scale: Scale::GaussianDensity,
                elbo: terms[0],
                reconstruction: terms[1],
                kl: terms[2],
                objective: values[0],
                beta: values[1],
                kl_per_dim: per_dim.clone(),
                active_units: units,
                learning_rate: values[2],
                gradient_norm: norm,
                seconds: values[3],
                discriminator: terms[3],
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
