//! A pack: what figures, tables, verdicts and the report need of an experiment's records, in one small file; and the way back.
//!
//! It is a tar archive compressed by Zstandard, which any such program opens, with the files of a store:
//!
//! | member | what it holds |
//! |---|---|
//! | `pack.json` | the version of the files, the sweep's name, how many runs |
//! | `sweeps/<name>/experiment.yaml`, `sweep.json` | the experiment and what the folder stands for |
//! | `runs/<run-id>/run.json`, `evaluation.parquet` | as they are |
//! | `runs/<run-id>/metrics.parquet` | as it is, but the values of each latent dimension at the epoch alone that the run's numbers are of |
//! | `runs/<run-id>/arrays/*.npy` | of a run whose pictures are drawn, the arrays that they show |
//! | `runs/<run-id>/model.safetensors` | the parameters alone that a table or a warning reads |
//!
//! Images are rounded to steps of 1/255, which is what drawing them does: whole numbers of one byte, or of two where some lie beyond
//! black and white. Latent means are rounded to 11 significant bits, and of more than two latent dimensions those two are kept that
//! vary most over the images; the others are not numbers. Weights, checkpoints and logs are left out, hence the report's latent
//! explorer. All numbers of tables, curves and bars are exact, since metrics and evaluation keep every value that they are made of.
//!
//! The same records give the same bytes: members have no times and no owners, and stand in order of their names.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use spec::RunId;
use strum::IntoEnumIterator;

use crate::arrays::{self, Array, ArrayName, Arrays};
use crate::error::RecordError;
use crate::format::FormatVersion;
use crate::kept::KeptSweep;
use crate::npy::{self, Npy};
use crate::parquet::BoxedError;
use crate::rows::MetricsRow;
use crate::run::Run;
use crate::store::Store;
use crate::tensors::TensorFile;
use crate::{evaluation, files, metrics};

/// What a pack's file is called: `tar` and `zstd` know the ending.
pub const FILE_NAME: &str = "records.tar.zst";
/// How hard is compressed: the hardest level is ten times slower and saves a fourteenth.
const LEVEL: i32 = 12;
/// How far back equal bytes are looked for, a power of two: the same test images stand in many runs.
const WINDOW: u32 = 24;
/// What a pack may hold, in bytes: more is a damaged one.
const MOST: u64 = 4 << 30;
/// Steps of an image's values between black and white.
const LEVELS: f32 = 255.0;
/// Bits of a latent mean's fraction that are kept, of 23: 11 significant ones with the one that is not written.
const FRACTION_BITS: u32 = 10;
/// Latent dimensions that a figure shows, at most.
const SHOWN_DIMENSIONS: usize = 2;

/// What of a run goes into a pack, beside its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedRun {
    /// The run, which is done.
    pub id: RunId,
    /// The arrays, as far as it has them; none for a run without pictures.
    pub arrays: BTreeSet<ArrayName>,
    /// The names of parameters.
    pub tensors: Vec<String>,
}

/// What a pack was made into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The sweep's name.
    pub sweep: String,
    /// How many runs there are.
    pub n_runs: usize,
}

/// The content of `pack.json`.
#[derive(Serialize, Deserialize)]
struct Heading {
    format_version: FormatVersion,
    sweep: String,
    n_runs: usize,
    left_out: String,
}

const HEADING: &str = "pack.json";
const LABELS: &str = "labels";
const CLASS_NAMES: &str = "class_names.json";
const LEFT_OUT: &str = "weights, checkpoints, logs; values of single latent dimensions but at the epoch of the run's numbers; arrays that no \
                        figure shows; images are rounded to 1/255, latent means to 11 bits, and the two dimensions that vary most are kept";

type Members = BTreeMap<String, Vec<u8>>;

impl Store {
    /// The bytes of a pack of these runs, with what the sweep's folder stands for and the text of its experiment file.
    ///
    /// # Errors
    /// If a run cannot be read.
    pub fn pack(&self, sweep: &str, kept: &KeptSweep, text: &str, runs: &[PackedRun]) -> Result<Vec<u8>, RecordError> {
        let written = |cause: BoxedError| RecordError::Write { path: PathBuf::from(FILE_NAME), cause };
        let mut members = Members::new();
        members.insert(format!("sweeps/{sweep}/experiment.yaml"), text.as_bytes().to_vec());
        members.insert(format!("sweeps/{sweep}/sweep.json"), json(kept).map_err(written)?);
        for packed in runs {
            let run = self.run(&packed.id);
            let mut add = |name: &str, bytes| members.insert(format!("runs/{}/{name}", packed.id), bytes);
            add("run.json", fs_err::read(run.manifest_file())?);
            add("metrics.parquet", metrics::to_plain_bytes(&thinned(&run)?).map_err(written)?);
            let evaluation = run.evaluation()?;
            if !evaluation.is_empty() {
                add("evaluation.parquet", evaluation::to_plain_bytes(&evaluation).map_err(written)?);
            }
            if let Some(file) = parameters(&run, &packed.tensors)? {
                add("model.safetensors", file.to_bytes()?);
            }
            for (name, bytes) in pictures(&run, &packed.arrays)? {
                add(&format!("arrays/{name}"), bytes);
            }
        }
        let heading = Heading {
            format_version: FormatVersion::CURRENT,
            sweep: sweep.to_owned(),
            n_runs: runs.len(),
            left_out: LEFT_OUT.to_owned(),
        };
        archive(&json(&heading).map_err(written)?, &members).map_err(written)
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, BoxedError> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}

/// A run's metrics with the values of each latent dimension at the epoch alone that its numbers are of.
fn thinned(run: &Run) -> Result<Vec<MetricsRow>, RecordError> {
    let (manifest, mut rows) = (run.manifest()?, run.metrics()?);
    let last = rows.iter().map(|row| row.epoch).max();
    let kept = manifest.kept_epoch.map(|kept| kept.epoch);
    for row in rows.iter_mut().filter(|row| Some(row.epoch) != last && Some(row.epoch) != kept) {
        row.kl_per_dim.clear();
        row.latent_mean_variance.clear();
    }
    Ok(rows)
}

/// The named parameters of a run's model; `None` where there are none or no model is on record.
fn parameters(run: &Run, names: &[String]) -> Result<Option<TensorFile>, RecordError> {
    if names.is_empty() {
        return Ok(None);
    }
    let file = match TensorFile::read(&run.model_file()) {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    };
    let tensors = file.tensors.into_iter().filter(|tensor| names.contains(&tensor.name)).collect();
    Ok(Some(TensorFile { tensors, ..TensorFile::default() }))
}

/// The arrays of these names that a run has, as files: an image's values in steps of 1/255.
fn pictures(run: &Run, names: &BTreeSet<ArrayName>) -> Result<Members, RecordError> {
    let mut members = Members::new();
    if names.is_empty() {
        return Ok(members);
    }
    let stored = match run.arrays() {
        Err(error) if error.is_not_found() => return Ok(members),
        other => other?,
    };
    if names.contains(&ArrayName::LatentMean)
        && let Some(labels) = &stored.labels
    {
        members.insert(format!("{LABELS}.npy"), npy::encode("|u1", &[labels.len()], labels.iter().copied()));
        if !stored.class_names.is_empty() {
            let names = serde_json::to_vec(&stored.class_names);
            members.insert(CLASS_NAMES.to_owned(), names.unwrap_or_default());
        }
    }
    for (name, array) in stored.into_iter().filter(|(name, _)| names.contains(name)) {
        let bytes = match name {
            ArrayName::LatentMean => npy::to_bytes(&coarse(array)),
            _ if name.is_of_images() => in_levels(&array),
            _ => npy::to_bytes(&array),
        };
        members.insert(format!("{}.npy", name.name()), bytes);
    }
    Ok(members)
}

/// Values of images in whole steps of 1/255, in one byte each where they fit.
fn in_levels(array: &Array) -> Vec<u8> {
    let level = |value: &f32| (value * LEVELS).round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16;
    let levels: Vec<i16> = array.values.iter().map(level).collect();
    match levels.iter().map(|&level| u8::try_from(level)).collect::<Result<Vec<u8>, _>>() {
        Ok(bytes) => npy::encode("|u1", &array.shape, bytes.into_iter()),
        Err(_) => npy::encode("<i2", &array.shape, levels.into_iter().flat_map(i16::to_le_bytes)),
    }
}

/// Latent means of the two dimensions that vary most, rounded; the others are not numbers.
fn coarse(mut array: Array) -> Array {
    let n_columns = array.shape.get(1).copied().unwrap_or(1);
    let mut order: Vec<(usize, f64)> =
        arrays::column_variances(&array.values, n_columns).into_iter().enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let dropped: BTreeSet<usize> = order.into_iter().skip(SHOWN_DIMENSIONS).map(|(column, _)| column).collect();
    for (index, value) in array.values.iter_mut().enumerate() {
        *value = if dropped.contains(&(index % n_columns)) { f32::NAN } else { rounded(*value) };
    }
    array
}

/// The nearest number with 11 significant bits.
fn rounded(value: f32) -> f32 {
    const DROPPED: u32 = 23 - FRACTION_BITS;
    let bits = value.to_bits();
    // Half of the last bit that is kept; a carry raises the exponent, as it should.
    let nearest = (bits.wrapping_add(1 << (DROPPED - 1)) >> DROPPED) << DROPPED;
    if value.is_finite() && f32::from_bits(nearest).is_finite() { f32::from_bits(nearest) } else { value }
}

/// Files as a compressed archive, those of one name beside each other, since they are alike.
fn archive(heading: &[u8], members: &Members) -> Result<Vec<u8>, BoxedError> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.window_log(WINDOW)?;
    encoder.long_distance_matching(true)?;
    let mut tar = tar::Builder::new(encoder);
    let mut add = |name: &str, bytes: &[u8]| -> Result<(), BoxedError> {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        Ok(tar.append_data(&mut header, name, bytes)?)
    };
    add(HEADING, heading)?;
    let mut names: Vec<&String> = members.keys().collect();
    names.sort_by_key(|name| name.rsplit('/').next().map(str::to_owned));
    for name in names {
        add(name, &members[name])?;
    }
    Ok(tar.into_inner()?.finish()?)
}

/// Makes an ordinary results folder of a pack: `folder`, which must not be there yet.
///
/// # Errors
/// If the file is no pack, damaged, cut short or of a newer major version, or the folder is there or cannot be written.
pub fn unpack(pack: &Path, folder: &Path) -> Result<Unpacked, RecordError> {
    if folder.exists() {
        return Err(RecordError::refused(
            format!("`{}` is there already, and records are unpacked into a folder of their own", folder.display()),
            "name a new folder",
        ));
    }
    let (heading, members) = read(pack)?;
    let temporary = files::temporary_path(folder)?;
    files::remove(&temporary)?;
    let result = write(pack, &heading, members, &temporary).and_then(|()| {
        fs_err::rename(&temporary, folder)?;
        Ok(files::sync_parent(folder)?)
    });
    if let Err(error) = result {
        let _ = files::remove(&temporary);
        return Err(error);
    }
    Ok(Unpacked { sweep: heading.sweep, n_runs: heading.n_runs })
}

/// A pack that cannot be read for this reason.
fn damaged(pack: &Path, reason: impl Into<String>) -> RecordError {
    RecordError::Damaged {
        path: pack.to_owned(),
        reason: reason.into(),
        hint: "fetch or copy the file again; `elbo pack` makes one from stored runs".to_owned(),
    }
}

/// What a pack is about, and its files.
fn read(pack: &Path) -> Result<(Heading, Members), RecordError> {
    const FOREIGN: &str = "it is no pack of records";
    let bytes = fs_err::read(pack)?;
    if !bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(damaged(pack, FOREIGN));
    }
    let cut = |error: std::io::Error| damaged(pack, format!("it is cut short or damaged ({error})"));
    let mut decoder = zstd::Decoder::with_buffer(bytes.as_slice()).map_err(cut)?;
    decoder.window_log_max(WINDOW).map_err(cut)?;
    let mut whole = Vec::new();
    decoder.take(MOST).read_to_end(&mut whole).map_err(cut)?;
    let mut members = Members::new();
    let mut archive = tar::Archive::new(whole.as_slice());
    let foreign = |_: std::io::Error| damaged(pack, FOREIGN);
    for member in archive.entries().map_err(foreign)? {
        let mut member = member.map_err(foreign)?;
        let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        let mut content = Vec::new();
        member.read_to_end(&mut content).map_err(foreign)?;
        members.insert(name, content);
    }
    let heading = members.remove(HEADING).ok_or_else(|| damaged(pack, FOREIGN))?;
    let heading: Heading =
        serde_json::from_slice(&heading).map_err(|error| damaged(pack, format!("its `{HEADING}`: {error}")))?;
    RecordError::refuse_newer(pack, heading.format_version)?;
    Ok((heading, members))
}

/// Writes a pack's files as a store.
fn write(pack: &Path, heading: &Heading, members: Members, folder: &Path) -> Result<(), RecordError> {
    let sweep = &heading.sweep;
    let mut arrays: BTreeMap<RunId, Arrays> = BTreeMap::new();
    let mut runs: BTreeSet<RunId> = BTreeSet::new();
    for (name, bytes) in members {
        let unknown = || damaged(pack, format!("it holds `{name}`, which no pack has"));
        let path = folder.join(&name);
        match name.split('/').collect::<Vec<_>>()[..] {
            ["sweeps", of, "experiment.yaml" | "sweep.json"] if of == sweep && !of.starts_with('.') => {}
            ["runs", id, "run.json" | "metrics.parquet" | "evaluation.parquet" | "model.safetensors"] => {
                runs.insert(id.parse().map_err(|_| unknown())?);
            }
            ["runs", id, "arrays", file] => {
                let id: RunId = id.parse().map_err(|_| unknown())?;
                let reason = |reason: String| damaged(pack, format!("its `{name}`: {reason}"));
                add_array(arrays.entry(id).or_default(), file, &bytes).map_err(reason)?;
                continue;
            }
            _ => return Err(unknown()),
        }
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::write(&path, &bytes)?;
    }
    let store = Store::open(folder)?;
    for (id, arrays) in arrays {
        arrays.write(&store.run(&id).arrays_file(), &id)?;
    }
    let lacks = runs.iter().find(|id| !store.run(id).manifest_file().is_file());
    if let Some(id) = lacks {
        return Err(damaged(pack, format!("it has no `run.json` of the run `{id}`")));
    }
    if runs.len() != heading.n_runs || !store.kept_file(sweep).is_file() {
        return Err(damaged(pack, format!("it has not all of the {} runs of `{sweep}`", heading.n_runs)));
    }
    store.rebuild_index()?;
    Ok(())
}

/// Adds what a file of a pack holds to a run's arrays.
fn add_array(arrays: &mut Arrays, file: &str, bytes: &[u8]) -> Result<(), String> {
    if file == CLASS_NAMES {
        arrays.class_names = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        return Ok(());
    }
    let Npy { descr, shape, data } = npy::decode(bytes)?;
    let values: Vec<f32> = match descr.as_str() {
        "|u1" if file.strip_suffix(".npy") == Some(LABELS) => {
            arrays.labels = Some(data.to_vec());
            return Ok(());
        }
        "|u1" => data.iter().map(|&level| f32::from(level) / LEVELS).collect(),
        "<i2" => data.as_chunks().0.iter().map(|&level| f32::from(i16::from_le_bytes(level)) / LEVELS).collect(),
        "<f4" => data.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect(),
        other => return Err(format!("it holds values of type `{other}`")),
    };
    let name = file.strip_suffix(".npy").and_then(|name| ArrayName::iter().find(|known| known.name() == name));
    let name = name.ok_or("no array is called so")?;
    arrays.insert(name, Array::new(shape, values).map_err(|error| error.to_string())?);
    Ok(())
}
