//! `arrays.h5`: the images and latents that figures are drawn from; the one module that knows HDF5.
//!
//! Every dataset is `float32`, but for `labels`, in C order, compressed by gzip and protected by a checksum. It has the
//! attributes `dimensions` (the names of its axes) and `description`; the file has `format_version` and `run_id`.
//!
//! | dataset | shape | values |
//! |---|---|---|
//! | `originals` | `[n, channels, height, width]` | test images, 1.0 = white |
//! | `reconstructions` | `[n, channels, height, width]` | decoder means of the originals' posterior means |
//! | `decoder_samples` | `[n, channels, height, width]` | a sample of p(x\|z) at the z of each of `reconstructions` |
//! | `corrupted` | `[n, channels, height, width]` | the originals, corrupted as in training |
//! | `denoised` | `[n, channels, height, width]` | reconstructions of `corrupted` |
//! | `samples` | `[m, channels, height, width]` | decoder means of z from the prior, seeded |
//! | `samples_aggregate` | `[a, channels, height, width]` | decoder means of z ~ q(z\|x) of random training images x: the aggregate posterior |
//! | `samples_mixture` | `[b, channels, height, width]` | decoder means of z from a mixture of 10 Gaussians fitted to the latent means of training images |
//! | `manifold` | `[g, g, channels, height, width]` | decoder means on a grid of z; for two latent dimensions only |
//! | `manifold_z1` | `[g]` | z₁ of the grid's columns, from left to right |
//! | `manifold_z2` | `[g]` | z₂ of the grid's rows, from top to bottom |
//! | `interpolation_ends` | `[pairs, ends, channels, height, width]` | the two test images of each pair |
//! | `interpolation_angle` | `[pairs]` | angle between the latents of the two, in degrees; not a number where one is zero |
//! | `interpolation_linear` | `[pairs, steps, channels, height, width]` | decoder means along straight lines between the latents of the two |
//! | `interpolation_spherical` | `[pairs, steps, channels, height, width]` | the same along arcs: directions turn evenly, norms change evenly |
//! | `latent_mean` | `[t, latent_dim]` | posterior means of test images |
//! | `latent_log_variance` | `[t, latent_dim]` | logarithms of the posterior variances of the same images |
//! | `labels` | `[t]`, `uint8` | classes of the same images, where the data has them; the attribute `names` holds their names |
//!
//! Every file has `samples`; the others are there where the model has such a thing: a GAN has no encoder, hence neither
//! reconstructions nor latents; an autoencoder has no variances. An autoencoder has no prior either; its `samples` are of
//! z from N(0, I) all the same, which shows the holes of its latent space. Latents that are bits have no arcs, and no
//! Gaussian mixture. The manifold's grid lies at quantiles of the prior, on the four points of two bits, or over the codes of
//! an autoencoder. Files of format 1.1 and before have neither the grid's z nor the pairs' ends and angles; their
//! `interpolation_spherical` is slerp of the latents themselves, which leaves the norms of the ends where those differ.
//!
//! Decoder means are stored as they are and clamped to 0…1 only when drawn: those of a Gaussian may lie outside.
//!
//! The file appears by rename, so that neither writing nor reading takes HDF5's lock: a process that is started while the
//! file is written inherits the lock with the open file, and would keep readers out until it ends.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5::types::{FloatSize, IntSize, TypeDescriptor, VarLenUnicode};
use spec::RunId;
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};

use crate::error::RecordError;
use crate::files;
use crate::format::FormatVersion;

/// Deflate never shrinks by more than this, so that a larger dataset than that is a damaged one.
const DEFLATE_LIMIT: u64 = 1100;
/// About how many values a chunk of a dataset has.
const CHUNK_VALUES: usize = 1 << 16;

/// An array in C order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Array {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// As many values as the product of `shape`; the last axis is the fastest.
    pub values: Vec<f32>,
}

impl Array {
    /// An array of this shape.
    ///
    /// # Errors
    /// If there are more or fewer values than the shape holds.
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Result<Array, RecordError> {
        if n_values(&shape) != Some(values.len()) {
            return Err(RecordError::refused(
                format!("{} values were given for an array of shape {shape:?}", values.len()),
                "this is a bug of the caller",
            ));
        }
        Ok(Array { shape, values })
    }
}

/// Which of `n_test` test images the first `n` of [`ArrayName::Originals`] are: class after class the first of each, then the second,
/// …; without labels the first.
pub fn originals(labels: Option<&[u8]>, n_test: usize, n: usize) -> Vec<usize> {
    let n = n.min(n_test);
    let Some(labels) = labels else { return (0..n).collect() };
    let mut seen = [0usize; 256];
    let mut order: Vec<(usize, u8, usize)> = labels
        .iter()
        .enumerate()
        .map(|(i, &label)| {
            seen[usize::from(label)] += 1;
            (seen[usize::from(label)], label, i)
        })
        .collect();
    order.sort_unstable();
    order.into_iter().take(n).map(|(_, _, i)| i).collect()
}

/// An array of `float32` that a run stores; the module's table says what each is. The order is that of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ArrayName {
    /// Test images, 1.0 = white; `[n, channels, height, width]`.
    Originals,
    /// Decoder means of the originals' posterior means; `[n, channels, height, width]`.
    Reconstructions,
    /// A sample of p(x|z) at the z of each reconstruction; `[n, channels, height, width]`.
    DecoderSamples,
    /// The originals, corrupted as in training; `[n, channels, height, width]`.
    Corrupted,
    /// Reconstructions of the corrupted images; `[n, channels, height, width]`.
    Denoised,
    /// Decoder means of z from the prior, seeded; `[m, channels, height, width]`. Every file has it.
    Samples,
    /// Decoder means of z ~ q(z|x) of training images x drawn at random; `[a, channels, height, width]`.
    SamplesAggregate,
    /// Decoder means of z from a Gaussian mixture fitted to latent means; `[b, channels, height, width]`.
    SamplesMixture,
    /// Decoder means on a grid of z; `[g, g, channels, height, width]`; only of two latent dimensions.
    Manifold,
    /// z₁ of the columns of that grid, from left to right; `[g]`.
    #[strum(serialize = "manifold_z1")]
    ManifoldZ1,
    /// z₂ of its rows, from top to bottom; `[g]`.
    #[strum(serialize = "manifold_z2")]
    ManifoldZ2,
    /// The two test images of each pair between which is interpolated; `[pairs, ends, channels, height, width]`.
    InterpolationEnds,
    /// The angle between the latents of the two, in degrees; not a number where one of them is zero; `[pairs]`.
    InterpolationAngle,
    /// Decoder means along straight lines between the latents of the two, ends included;
    /// `[pairs, steps, channels, height, width]`.
    InterpolationLinear,
    /// The same along arcs on which directions turn evenly and norms change evenly.
    InterpolationSpherical,
    /// Posterior means of test images; `[t, latent_dim]`.
    LatentMean,
    /// Logarithms of the posterior variances of the same images; `[t, latent_dim]`.
    LatentLogVariance,
}

impl ArrayName {
    /// The name in the file, such as `latent_mean`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether its last axes are an image's.
    pub(crate) fn is_of_images(self) -> bool {
        self.about().0.ends_with("channels, height, width")
    }

    /// The names of its axes, equal where lengths are, and what it holds.
    const fn about(self) -> (&'static str, &'static str) {
        const N: &str = "n, channels, height, width";
        const PAIRS: &str = "pairs, steps, channels, height, width";
        match self {
            ArrayName::Originals => (N, "test images, 1.0 = white"),
            ArrayName::Reconstructions => (N, "decoder means of the originals' posterior means, not clamped"),
            ArrayName::DecoderSamples => (N, "a sample of p(x|z) at the z of each of reconstructions, not clamped"),
            ArrayName::Corrupted => (N, "the originals, corrupted as in training, not clamped"),
            ArrayName::Denoised => (N, "reconstructions of corrupted, not clamped"),
            ArrayName::Samples => {
                ("m, channels, height, width", "decoder means of z from the prior, seeded, not clamped")
            }
            ArrayName::SamplesAggregate => (
                "a, channels, height, width",
                "decoder means of z ~ q(z|x) of training images x drawn at random, not clamped",
            ),
            ArrayName::SamplesMixture => (
                "b, channels, height, width",
                "decoder means of z from a Gaussian mixture fitted to latent means, not clamped",
            ),
            ArrayName::Manifold => ("g, g, channels, height, width", "decoder means on a grid of z, not clamped"),
            ArrayName::ManifoldZ1 => ("g", "z1 of the columns of manifold, from left to right"),
            ArrayName::ManifoldZ2 => ("g", "z2 of the rows of manifold, from top to bottom"),
            ArrayName::InterpolationEnds => {
                ("pairs, ends, channels, height, width", "the two test images between which is interpolated")
            }
            ArrayName::InterpolationAngle => {
                ("pairs", "angle between the latents of the two, in degrees; not a number where one is zero")
            }
            ArrayName::InterpolationLinear => {
                (PAIRS, "decoder means along straight lines between latents, not clamped")
            }
            ArrayName::InterpolationSpherical => (
                PAIRS,
                "decoder means along arcs between latents on which directions turn and norms change evenly, not clamped",
            ),
            ArrayName::LatentMean => ("t, latent_dim", "posterior means of test images"),
            ArrayName::LatentLogVariance => {
                ("t, latent_dim", "logarithms of the posterior variances of the images of latent_mean")
            }
        }
    }
}

/// From this angle on, in degrees, two latents are nearly opposite: the plane of an arc between them turns four times as far as
/// they do, and the straight line passes the origin within an eighth of their norm.
pub const NEARLY_OPPOSITE: f32 = 165.0;

/// Arrays that mean nothing without another one.
const BELONG: [(ArrayName, ArrayName); 9] = [
    (ArrayName::Reconstructions, ArrayName::Originals),
    (ArrayName::DecoderSamples, ArrayName::Reconstructions),
    (ArrayName::Corrupted, ArrayName::Originals),
    (ArrayName::Denoised, ArrayName::Corrupted),
    (ArrayName::ManifoldZ1, ArrayName::Manifold),
    (ArrayName::ManifoldZ2, ArrayName::Manifold),
    (ArrayName::InterpolationEnds, ArrayName::InterpolationLinear),
    (ArrayName::InterpolationAngle, ArrayName::InterpolationLinear),
    (ArrayName::LatentLogVariance, ArrayName::LatentMean),
];

/// The images and latents that figures are drawn from; a model lacks what it has no such thing of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrays {
    floats: BTreeMap<ArrayName, Array>,
    /// Classes of the images of [`ArrayName::LatentMean`]; `[t]`.
    pub labels: Option<Vec<u8>>,
    /// Names of the classes, in the labels' order; empty where they have none.
    pub class_names: Vec<String>,
}

/// All arrays but the labels, in the order of the file.
impl IntoIterator for Arrays {
    type Item = (ArrayName, Array);
    type IntoIter = std::collections::btree_map::IntoIter<ArrayName, Array>;

    fn into_iter(self) -> Self::IntoIter {
        self.floats.into_iter()
    }
}

/// Arrays without labels; those that are `None` are left out.
impl<A: Into<Option<Array>>> FromIterator<(ArrayName, A)> for Arrays {
    fn from_iter<I: IntoIterator<Item = (ArrayName, A)>>(arrays: I) -> Arrays {
        let floats = arrays.into_iter().filter_map(|(name, array)| Some((name, array.into()?))).collect();
        Arrays { floats, labels: None, class_names: Vec::new() }
    }
}

impl Arrays {
    /// An array, if there is one of this name.
    pub fn get(&self, name: ArrayName) -> Option<&Array> {
        self.floats.get(&name)
    }

    /// Adds or replaces an array.
    pub fn insert(&mut self, name: ArrayName, array: Array) {
        self.floats.insert(name, array);
    }

    /// Takes an array out.
    pub fn remove(&mut self, name: ArrayName) -> Option<Array> {
        self.floats.remove(&name)
    }

    /// What there is, in the order of the file.
    fn iter(&self) -> impl Iterator<Item = (ArrayName, &Array)> {
        self.floats.iter().map(|(name, array)| (*name, array))
    }

    /// Checks that there is what belongs together, and that axes of one name have one length.
    fn check(&self) -> Result<(), String> {
        let mut lengths: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        let mut agree = |axis, length: usize, name| {
            let (known, other) = *lengths.entry(axis).or_insert((length, name));
            let differ = || format!("`{axis}` is {length} in `{name}` and {known} in `{other}`");
            if known == length { Ok(()) } else { Err(differ()) }
        };
        for (name, Array { shape, values }) in self.iter() {
            let axes: Vec<&str> = name.about().0.split(", ").collect();
            let name = name.name();
            if shape.len() != axes.len() {
                return Err(format!("`{name}` has the shape {shape:?}, which are not {} axes", axes.len()));
            }
            if n_values(shape) != Some(values.len()) {
                return Err(format!("`{name}` has {} values for the shape {shape:?}", values.len()));
            }
            for (axis, length) in axes.into_iter().zip(shape) {
                agree(axis, *length, name)?;
            }
        }
        if let Some(labels) = &self.labels {
            agree("t", labels.len(), "labels")?;
        }
        if self.get(ArrayName::Samples).is_none() {
            return Err("there are no `samples`".to_owned());
        }
        if self.labels.is_some() && self.get(ArrayName::LatentMean).is_none() {
            return Err("there are `labels` without `latent_mean`".to_owned());
        }
        for (name, other) in BELONG {
            if self.get(name).is_some() && self.get(other).is_none() {
                return Err(format!("there is `{}` without `{}`", name.name(), other.name()));
            }
        }
        Ok(())
    }

    /// Writes the file, atomically.
    pub(crate) fn write(&self, path: &Path, run: &RunId) -> Result<(), RecordError> {
        self.check().map_err(|reason| RecordError::Write { path: path.to_owned(), cause: reason.into() })?;
        files::write_atomically(path, |temporary| self.write_hdf5(temporary, run))
    }

    fn write_hdf5(&self, path: &Path, run: &RunId) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        // The format of HDF5 1.10 protects its metadata by checksums, as the filter below does the values.
        let file =
            hdf5::FileBuilder::new().with_fapl(|access| access.libver_v110().file_locking(false)).create(path)?;
        text_attribute(&file, "format_version", &FormatVersion::CURRENT.to_string())?;
        text_attribute(&file, "run_id", run.as_ref())?;
        for (name, Array { shape, values }) in self.iter() {
            let (dimensions, description) = name.about();
            write_dataset(&file, name.name(), shape, values, dimensions, description)?;
        }
        if let Some(labels) = &self.labels {
            write_dataset(&file, "labels", &[labels.len()], labels, "t", "classes of the images of latent_mean")?;
            if !self.class_names.is_empty() {
                let names: Result<Vec<VarLenUnicode>, _> = self.class_names.iter().map(|name| name.parse()).collect();
                let attribute = file.dataset("labels")?.new_attr::<VarLenUnicode>();
                attribute.shape(self.class_names.len()).create("names")?.write_raw(&names?)?;
            }
        }
        file.close()?;
        Ok(())
    }

    /// Reads the file.
    ///
    /// # Errors
    /// If it is missing, damaged, of a newer major version, or lacks `samples`.
    pub fn read(path: &Path) -> Result<Arrays, RecordError> {
        let arrays = Arrays::read_some(path, |_| true)?;
        arrays.check().map_err(|reason| RecordError::damaged(path, reason))?;
        Ok(arrays)
    }

    /// Reads one array of the file and nothing else; `None` where it has none of this name.
    ///
    /// # Errors
    /// If the file is missing, damaged, or of a newer major version.
    pub fn read_one(path: &Path, name: ArrayName) -> Result<Option<Array>, RecordError> {
        Ok(Arrays::read_some(path, |other| other == name)?.remove(name))
    }

    /// The arrays that are wanted, as far as there are such, and the labels.
    fn read_some(path: &Path, wanted: impl Fn(ArrayName) -> bool) -> Result<Arrays, RecordError> {
        let size = fs_err::File::open(path)?.metadata()?.len();
        let damaged = |reason: String| RecordError::damaged(path, reason);
        if size == 0 {
            return Err(damaged("it is empty".to_owned()));
        }
        let opened = hdf5::FileBuilder::new().with_fapl(|access| access.file_locking(false)).open(path);
        let file = opened.map_err(|error| match fs_err::metadata(path) {
            Ok(_) => damaged(short(&error)),
            // The run was removed between the two looks.
            Err(gone) => gone.into(),
        })?;
        let version = file
            .attr("format_version")
            .and_then(|attribute| attribute.read_scalar::<VarLenUnicode>())
            .map_err(|error| damaged(format!("it has no `format_version`: {}", short(&error))))?;
        RecordError::refuse_newer(path, FormatVersion::try_from(version.as_str().to_owned()).map_err(damaged)?)?;
        let mut arrays = Arrays::default();
        for name in ArrayName::iter().filter(|name| wanted(*name) && file.link_exists(name.name())) {
            let (shape, values) =
                read_dataset(&file, name.name(), TypeDescriptor::Float(FloatSize::U4), size).map_err(damaged)?;
            arrays.insert(name, Array { shape, values });
        }
        if file.link_exists("labels") {
            let (shape, values) =
                read_dataset(&file, "labels", TypeDescriptor::Unsigned(IntSize::U1), size).map_err(damaged)?;
            if shape.len() != 1 {
                return Err(damaged(format!("`labels` has the shape {shape:?}, which is not one axis")));
            }
            arrays.labels = Some(values);
            // Older files have none.
            if let Ok(names) = file.dataset("labels").and_then(|labels| labels.attr("names")) {
                let names = names.read_raw::<VarLenUnicode>();
                let names = names.map_err(|error| damaged(format!("the names of its labels: {}", short(&error))))?;
                arrays.class_names = names.iter().map(|name| name.as_str().to_owned()).collect();
            }
        }
        Ok(arrays)
    }
}

/// The variance over rows of each of `n_columns` columns; of an array of shape `[rows, columns]`. 0 where a value is no number: of
/// latent means, records from a pack have those dimensions alone that a figure shows.
pub fn column_variances(values: &[f32], n_columns: usize) -> Vec<f64> {
    let n_rows = values.len() / n_columns.max(1);
    let mean = |column: usize, value: &dyn Fn(f64) -> f64| {
        let of_column = values.iter().skip(column).step_by(n_columns);
        of_column.map(|&entry| value(f64::from(entry))).sum::<f64>() / n_rows as f64
    };
    let variance = |column: usize| {
        let centre = mean(column, &|value| value);
        let variance = mean(column, &|value| (value - centre).powi(2));
        if variance.is_nan() { 0.0 } else { variance }
    };
    (0..n_columns).map(variance).collect()
}

fn text_attribute(
    location: &hdf5::Location,
    name: &str,
    text: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let text: VarLenUnicode = text.parse()?;
    location.new_attr::<VarLenUnicode>().create(name)?.write_scalar(&text)?;
    Ok(())
}

fn write_dataset<T: hdf5::H5Type>(
    file: &hdf5::File,
    name: &str,
    shape: &[usize],
    values: &[T],
    dimensions: &str,
    description: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut builder = file.new_dataset::<T>().obj_track_times(false);
    // An array without values can have no chunks.
    if !values.is_empty() {
        let per_row = values.len() / shape[0];
        let mut chunk = shape.to_vec();
        chunk[0] = (CHUNK_VALUES / per_row.max(1)).clamp(1, shape[0]);
        builder = builder.chunk(chunk).shuffle().deflate(4).fletcher32();
    }
    let dataset = builder.shape(shape.to_vec()).create(name)?;
    dataset.write_raw(values)?;
    text_attribute(&dataset, "dimensions", dimensions)?;
    text_attribute(&dataset, "description", description)
}

/// Shape and values of a dataset of exactly this type, in a file of `file_size` bytes.
fn read_dataset<T: hdf5::H5Type>(
    file: &hdf5::File,
    name: &str,
    wanted: TypeDescriptor,
    file_size: u64,
) -> Result<(Vec<usize>, Vec<T>), String> {
    let failed = |error: hdf5::Error| format!("cannot read its dataset `{name}`: {}", short(&error));
    let dataset = file.dataset(name).map_err(failed)?;
    let found = dataset.dtype().and_then(|dtype| dtype.to_descriptor()).map_err(failed)?;
    if found != wanted {
        return Err(format!("its dataset `{name}` is of type {found}, not {wanted}"));
    }
    let shape = dataset.get_shape().map_err(failed)?;
    let limit = file_size.saturating_mul(DEFLATE_LIMIT);
    match n_values(&shape) {
        Some(n) if n as u64 <= limit => {}
        _ => return Err(format!("its dataset `{name}` claims the shape {shape:?}, more than the file can hold")),
    }
    let values = dataset.read_raw::<T>().map_err(failed)?;
    Ok((shape, values))
}

/// The product of a shape, unless it overflows.
fn n_values(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length))
}

fn short(error: &hdf5::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
