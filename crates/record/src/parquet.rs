//! Parquet files with a fixed schema: the one module that knows polars.
//!
//! Each file carries its own checksum in its key-value metadata, since parquet as polars writes it has none and a
//! flipped bit would be a different number: `elbo.sha256` is the SHA-256 of the whole file with 64 zeros in the place
//! of those digits. Other readers pass over it.
//!
//! # Replacing a table that others read
//!
//! polars, DuckDB and pyarrow open a path more than once while they read it: for its size, its footer, its pages. A
//! rename in between gives them the size or the footer of one file and the bytes of another, and they fail; under a
//! sweep's writes polars did so in most of its reads. So [`extend`] makes the new file begin with all bytes of the old
//! one, its footer included, and puts its own pages and footer behind them: whatever was learnt from the old file is
//! true of the new one. Parquet allows such gaps. They cost the sum of the file's earlier sizes, up to a limit.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use polars::prelude::{
    Column, DataFrame, DataType, Float64Type, IntoColumn, KeyValueMetadata, ListBuilderTrait,
    ListPrimitiveChunkedBuilder, ParquetCompression, ParquetReader, ParquetWriter, SerReader, StatisticsOptions,
};

use polars_parquet_format::FileMetaData;
use polars_parquet_format::thrift::protocol::{TCompactInputProtocol, TCompactOutputProtocol};
use spec::{Metric, MetricSettings, RunId, Scale, Split};

use crate::error::RecordError;
use crate::files;
use crate::format::FormatVersion;

/// The key of the format version in the file's metadata.
const VERSION_KEY: &str = "elbo.format_version";
/// The key of the table's kind in the file's metadata.
const TABLE_KEY: &str = "elbo.table";

/// The key of the checksum in the file's metadata.
const SHA256_KEY: &str = "elbo.sha256";
/// Digits of a SHA-256.
const N_DIGITS: usize = 64;
/// What a parquet file begins and ends with.
const MAGIC: &[u8] = b"PAR1";
/// What the footer of a table that was just made may ask for when it is read, in bytes.
const MAX_FOOTER: usize = 1 << 30;

/// The values of a column, by type; `Option` columns may hold nulls.
pub(crate) enum Values {
    /// Text.
    Text(Vec<String>),
    /// Text or null.
    OptionalText(Vec<Option<String>>),
    /// Unsigned 32-bit integers.
    U32(Vec<u32>),
    /// Unsigned 32-bit integers or null.
    OptionalU32(Vec<Option<u32>>),
    /// Unsigned 64-bit integers or null.
    OptionalU64(Vec<Option<u64>>),
    /// Unsigned 64-bit integers.
    U64(Vec<u64>),
    /// Signed 64-bit integers or null.
    OptionalI64(Vec<Option<i64>>),
    /// Double precision.
    F64(Vec<f64>),
    /// Double precision or null.
    OptionalF64(Vec<Option<f64>>),
    /// True, false or null.
    OptionalBool(Vec<Option<bool>>),
    /// Lists of double precision.
    ListF64(Vec<Vec<f64>>),
}

/// What a table may carry of its earlier versions, in bytes, before it is written afresh.
const MAX_EARLIER: usize = 512 << 10;

pub(crate) type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Writes a table as one parquet file, atomically. `kind` names the table in the file's metadata.
///
/// # Errors
/// If columns differ in length or the file cannot be written.
pub(crate) fn write(path: &Path, kind: &str, columns: Vec<(&str, Values)>) -> Result<(), RecordError> {
    files::write_atomically(path, |temporary| -> Result<(), BoxedError> {
        Ok(fs_err::write(temporary, with_checksum(encode(kind, columns, ParquetCompression::default())?)?)?)
    })
}

/// The bytes of a table whose pages are not compressed, for an archive that is compressed as a whole.
///
/// # Errors
/// If columns differ in length.
pub(crate) fn to_plain_bytes(kind: &str, columns: Vec<(&str, Values)>) -> Result<Vec<u8>, BoxedError> {
    with_checksum(encode(kind, columns, ParquetCompression::Uncompressed)?)
}

/// As [`write()`], for a file that others may be reading: the new file begins with the old one.
///
/// # Errors
/// If columns differ in length or the file cannot be written.
pub(crate) fn extend(path: &Path, kind: &str, columns: Vec<(&str, Values)>) -> Result<(), RecordError> {
    // Whatever is wrong with the old file, it is no reason not to write the new one.
    let old = fs_err::read(path).unwrap_or_default();
    files::write_atomically(path, |temporary| -> Result<(), BoxedError> {
        let mut bytes = encode(kind, columns, ParquetCompression::default())?;
        if old.len() <= MAX_EARLIER && implausible(&old).is_none() {
            bytes = behind(old, &bytes)?;
        }
        Ok(fs_err::write(temporary, with_checksum(bytes)?)?)
    })
}

/// A parquet file with zeros for its checksum.
fn encode(kind: &str, columns: Vec<(&str, Values)>, compression: ParquetCompression) -> Result<Vec<u8>, BoxedError> {
    let columns: Vec<Column> = columns.into_iter().map(|(name, values)| column(name, values)).collect();
    let mut frame = DataFrame::new_infer_height(columns)?;
    let metadata = KeyValueMetadata::from_static(vec![
        (VERSION_KEY.to_owned(), FormatVersion::CURRENT.to_string()),
        (TABLE_KEY.to_owned(), kind.to_owned()),
        (SHA256_KEY.to_owned(), "0".repeat(N_DIGITS)),
    ]);
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .set_parallel(false)
        .with_compression(compression)
        .with_statistics(StatisticsOptions::empty())
        .with_key_value_metadata(Some(metadata))
        .finish(&mut frame)?;
    Ok(bytes)
}

/// The parquet file `new` with the bytes of another before its pages.
fn behind(old: Vec<u8>, new: &[u8]) -> Result<Vec<u8>, BoxedError> {
    let (pages, footer) = parts(new).ok_or("the table has no footer")?;
    let mut metadata = FileMetaData::read_from_in_protocol(&mut TCompactInputProtocol::new(footer, MAX_FOOTER))?;
    let shift = i64::try_from(old.len() - MAGIC.len())?;
    for group in &mut metadata.row_groups {
        group.file_offset = group.file_offset.map(|offset| offset + shift);
        for chunk in &mut group.columns {
            let data = chunk.meta_data.as_mut().ok_or("a column has no metadata")?;
            data.data_page_offset += shift;
            let optional = [
                &mut data.index_page_offset,
                &mut data.dictionary_page_offset,
                &mut data.bloom_filter_offset,
                &mut chunk.offset_index_offset,
                &mut chunk.column_index_offset,
            ];
            optional.into_iter().flatten().for_each(|offset| *offset += shift);
            chunk.file_offset += shift;
        }
    }
    let mut bytes = old;
    bytes.extend_from_slice(pages);
    let start = bytes.len();
    metadata.write_to_out_protocol(&mut TCompactOutputProtocol::new(&mut bytes))?;
    let length = u32::try_from(bytes.len() - start)?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(MAGIC);
    Ok(bytes)
}

/// The pages and the footer of a parquet file that is not [`implausible`].
fn parts(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = file.strip_prefix(MAGIC)?.strip_suffix(MAGIC)?;
    let (rest, length) = rest.split_last_chunk()?;
    rest.split_at_checked(rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?)
}

/// Puts the checksum into its place.
fn with_checksum(mut bytes: Vec<u8>) -> Result<Vec<u8>, BoxedError> {
    let digest = files::sha256(&bytes);
    let place = checksum_place(&bytes).ok_or("the checksum has no place in the file's metadata")?;
    bytes[place].copy_from_slice(digest.as_bytes());
    Ok(bytes)
}

fn column(name: &str, values: Values) -> Column {
    match values {
        Values::Text(values) => Column::new(name.into(), values),
        Values::OptionalText(values) => Column::new(name.into(), values),
        Values::U32(values) => Column::new(name.into(), values),
        Values::OptionalU32(values) => Column::new(name.into(), values),
        Values::OptionalU64(values) => Column::new(name.into(), values),
        Values::U64(values) => Column::new(name.into(), values),
        Values::OptionalI64(values) => Column::new(name.into(), values),
        Values::F64(values) => Column::new(name.into(), values),
        Values::OptionalF64(values) => Column::new(name.into(), values),
        Values::OptionalBool(values) => Column::new(name.into(), values),
        Values::ListF64(values) => {
            let n_values = values.iter().map(Vec::len).sum();
            let mut builder =
                ListPrimitiveChunkedBuilder::<Float64Type>::new(name.into(), values.len(), n_values, DataType::Float64);
            for list in &values {
                builder.append_slice(list);
            }
            builder.finish().into_column()
        }
    }
}

/// A table that was read, from which typed columns are taken.
pub(crate) struct ParquetTable {
    path: PathBuf,
    frame: DataFrame,
}

impl ParquetTable {
    /// Reads a parquet file of the given kind.
    ///
    /// # Errors
    /// If there is no such file, it is damaged, or it has a newer major version.
    pub(crate) fn read(path: &Path, kind: &str) -> Result<ParquetTable, RecordError> {
        let bytes = fs_err::read(path)?;
        if let Some(reason) = implausible(&bytes) {
            return Err(RecordError::damaged(path, reason));
        }
        let is_whole = matches_checksum(&bytes);
        if is_whole == Some(false) {
            return Err(RecordError::damaged(path, "its checksum does not agree with its content"));
        }
        // Of a file without a checksum, only whether it is of a newer version is of interest. What is no file of ours
        // may make polars' decoders panic, which is an error here.
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut reader = ParquetReader::new(Cursor::new(&bytes));
            let pairs = reader.get_metadata()?.key_value_metadata().clone().unwrap_or_default();
            let value = |key: &str| pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
            let (version, table) = (value(VERSION_KEY), value(TABLE_KEY));
            Ok::<_, polars::prelude::PolarsError>((version, table, reader))
        }));
        let damaged = |reason: String| RecordError::damaged(path, reason);
        let (version, table, reader) = result
            .map_err(|_| damaged("its footer is damaged".to_owned()))?
            .map_err(|error| damaged(one_line(&error)))?;
        // The version comes first, so that a newer file is told from a damaged one.
        let version = version.ok_or_else(|| damaged(format!("its metadata lacks `{VERSION_KEY}`")))?;
        RecordError::refuse_newer(path, FormatVersion::try_from(version).map_err(damaged)?)?;
        if is_whole.is_none() {
            return Err(damaged(format!("its metadata lacks `{SHA256_KEY}`")));
        }
        if table.as_deref() != Some(kind) {
            return Err(damaged(format!("it holds the table `{}`, not `{kind}`", table.unwrap_or_default())));
        }
        let frame = catch_unwind(AssertUnwindSafe(|| reader.finish()))
            .map_err(|_| damaged("its pages are damaged".to_owned()))?
            .map_err(|error| damaged(one_line(&error)))?;
        Ok(ParquetTable { path: path.to_owned(), frame })
    }

    /// Rows.
    pub(crate) fn height(&self) -> usize {
        self.frame.height()
    }

    /// Names and types of the columns, in order.
    #[cfg(test)]
    pub(crate) fn schema(&self) -> Vec<(String, String)> {
        self.frame.columns().iter().map(|column| (column.name().to_string(), column.dtype().to_string())).collect()
    }

    /// A problem in this table's values.
    pub(crate) fn damaged(&self, reason: impl Into<String>) -> RecordError {
        RecordError::damaged(&self.path, reason)
    }

    /// Whether there is a column of this name: one that a later minor version added.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.frame.column(name).is_ok()
    }

    /// A run's id.
    pub(crate) fn run_id(&self, text: &str) -> Result<RunId, RecordError> {
        text.parse().map_err(|_| self.damaged(format!("`{text}` is not a run id")))
    }

    /// A split's name.
    pub(crate) fn split(&self, name: &str) -> Result<Split, RecordError> {
        Split::from_name(name).ok_or_else(|| self.damaged(format!("`{name}` is not a split")))
    }

    /// A scale's name.
    pub(crate) fn scale(&self, name: &str) -> Result<Scale, RecordError> {
        let scale = Scale::ALL.into_iter().find(|scale| scale.as_str() == name);
        scale.ok_or_else(|| self.damaged(format!("`{name}` is not a scale")))
    }

    /// A metric's name.
    pub(crate) fn metric(&self, name: &str) -> Result<Metric, RecordError> {
        name.parse().map_err(|_| self.unknown("metric", name))
    }

    /// A metric's settings.
    pub(crate) fn settings(&self, json: &str) -> Result<MetricSettings, RecordError> {
        serde_json::from_str(json).map_err(|_| self.unknown("setting of a metric", json))
    }

    fn unknown(&self, what: &'static str, name: &str) -> RecordError {
        RecordError::Unknown { path: self.path.clone(), what, name: name.to_owned() }
    }

    fn column(&self, name: &str) -> Result<&Column, RecordError> {
        self.frame.column(name).map_err(|_| self.damaged(format!("it has no column `{name}`")))
    }

    fn wrong_type(&self, column: &Column, wanted: &str) -> RecordError {
        self.damaged(format!("its column `{}` is of type `{}`, not `{wanted}`", column.name(), column.dtype()))
    }

    fn without_nulls<T>(&self, name: &str, values: Vec<Option<T>>) -> Result<Vec<T>, RecordError> {
        let all: Option<Vec<T>> = values.into_iter().collect();
        all.ok_or_else(|| self.damaged(format!("its column `{name}` has a null")))
    }

    /// A column of text.
    pub(crate) fn text(&self, name: &str) -> Result<Vec<String>, RecordError> {
        let column = self.column(name)?;
        let values = column.str().map_err(|_| self.wrong_type(column, "string"))?;
        self.without_nulls(name, values.iter().map(|value| value.map(str::to_owned)).collect())
    }

    /// A column of u32.
    pub(crate) fn u32(&self, name: &str) -> Result<Vec<u32>, RecordError> {
        let values = self.optional_u32(name)?;
        self.without_nulls(name, values)
    }

    /// A column of u32 or null.
    pub(crate) fn optional_u32(&self, name: &str) -> Result<Vec<Option<u32>>, RecordError> {
        let column = self.column(name)?;
        let values = column.u32().map_err(|_| self.wrong_type(column, "u32"))?;
        Ok(values.iter().collect())
    }

    /// A column of u64.
    pub(crate) fn u64(&self, name: &str) -> Result<Vec<u64>, RecordError> {
        let column = self.column(name)?;
        let values = column.u64().map_err(|_| self.wrong_type(column, "u64"))?;
        self.without_nulls(name, values.iter().collect())
    }

    /// A column of f64 without nulls.
    pub(crate) fn f64(&self, name: &str) -> Result<Vec<f64>, RecordError> {
        let values = self.optional_f64(name)?;
        self.without_nulls(name, values)
    }

    /// A column of f64 or null.
    pub(crate) fn optional_f64(&self, name: &str) -> Result<Vec<Option<f64>>, RecordError> {
        let column = self.column(name)?;
        let values = column.f64().map_err(|_| self.wrong_type(column, "f64"))?;
        Ok(values.iter().collect())
    }

    /// A column of lists of f64.
    pub(crate) fn list_f64(&self, name: &str) -> Result<Vec<Vec<f64>>, RecordError> {
        let column = self.column(name)?;
        let lists = column.list().map_err(|_| self.wrong_type(column, "list[f64]"))?;
        let mut rows = Vec::with_capacity(lists.len());
        for row in 0..lists.len() {
            let list =
                lists.get_as_series(row).ok_or_else(|| self.damaged(format!("its column `{name}` has a null")))?;
            let values = list.f64().map_err(|_| self.wrong_type(column, "list[f64]"))?;
            rows.push(self.without_nulls(name, values.iter().collect())?);
        }
        Ok(rows)
    }
}

/// What tells at a glance that bytes are no parquet file: magic at both ends, and a footer that fits.
fn implausible(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return Some("it is empty".to_owned());
    }
    if bytes.len() < 12 || !bytes.starts_with(MAGIC) {
        return Some("it is not a parquet file".to_owned());
    }
    if parts(bytes).is_none() {
        return Some("it is cut off or damaged at its end".to_owned());
    }
    None
}

/// Where the digits of the checksum are: behind its key, which is the last in the file, a type and a length.
fn checksum_place(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    // A string in thrift's compact protocol: field 2 of type binary, 64 bytes.
    let opening = [SHA256_KEY.as_bytes(), &[0x18, N_DIGITS as u8]].concat();
    let start = bytes.windows(opening.len()).rposition(|window| window == opening)? + opening.len();
    (start + N_DIGITS <= bytes.len()).then_some(start..start + N_DIGITS)
}

/// Whether the content agrees with the checksum; `None` if there is none.
fn matches_checksum(bytes: &[u8]) -> Option<bool> {
    let place = checksum_place(bytes)?;
    let mut blank = bytes.to_vec();
    blank[place.clone()].fill(b'0');
    Some(files::sha256(&blank).as_bytes() == &bytes[place])
}

fn one_line(error: &polars::prelude::PolarsError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn numbers(n: usize) -> Vec<(&'static str, Values)> {
        let value = |row: usize| (row as f64).sqrt();
        vec![
            ("value", Values::F64((0..n).map(value).collect())),
            ("list", Values::ListF64((0..n).map(|row| vec![value(row); row % 3]).collect())),
        ]
    }

    #[test]
    fn a_table_that_is_replaced_begins_with_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.parquet");
        let mut old = Vec::new();
        let mut n_afresh = 0;
        for n in 0..150 {
            extend(&path, "test", numbers(10 * n)).unwrap();
            let table = ParquetTable::read(&path, "test").unwrap();
            let lengths: Vec<_> = table.list_f64("list").unwrap().iter().map(Vec::len).collect();
            assert_eq!(table.f64("value").unwrap(), (0..10 * n).map(|row| (row as f64).sqrt()).collect::<Vec<_>>());
            assert_eq!(lengths, (0..10 * n).map(|row| row % 3).collect::<Vec<_>>());
            let new = fs_err::read(&path).unwrap();
            if !new.starts_with(&old) {
                assert!(old.len() > MAX_EARLIER);
                n_afresh += 1;
            }
            old = new;
        }
        // What it carries of its past has a limit.
        assert!(n_afresh >= 1);
        // And a damaged past is not carried on.
        fs_err::write(&path, &old[..old.len() - 3]).unwrap();
        extend(&path, "test", numbers(1)).unwrap();
        assert_eq!(ParquetTable::read(&path, "test").unwrap().height(), 1);
    }

    #[test]
    fn wrong_types_and_missing_columns_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.parquet");
        write(&path, "test", vec![("a", Values::U32(vec![1])), ("b", Values::OptionalF64(vec![None]))]).unwrap();
        let table = ParquetTable::read(&path, "test").unwrap();
        let message = |error: RecordError| error.to_string();
        assert!(message(table.f64("a").unwrap_err()).contains("its column `a` is of type `u32`, not `f64`"));
        assert!(message(table.text("a").unwrap_err()).contains("its column `a` is of type `u32`, not `string`"));
        assert!(message(table.list_f64("a").unwrap_err()).contains("not `list[f64]`"));
        assert!(message(table.f64("b").unwrap_err()).contains("its column `b` has a null"));
        assert!(message(table.u64("c").unwrap_err()).contains("it has no column `c`"));
        assert_eq!(table.u32("a").unwrap(), [1]);
    }
}
