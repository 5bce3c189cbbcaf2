//! Prepared datasets, kept as HDF5 in the cache folder; a damaged one is made again.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use fs_err as fs;
use hdf5::types::{FixedAscii, FixedUnicode};

use crate::download::Progress;
use crate::error::DataError;
use crate::files;
use crate::folders::Folders;
use crate::glyphs::{self, Part};
use crate::images::{Factors, Images, Shape};
use crate::own::Whole;
use crate::split::Wanted;

/// Raised when the layout of a cached file changes; older ones are then made again.
const FORMAT: u32 = 1;
/// Bytes of a file's longest name, and so of a class that is called by a folder.
const NAME: usize = 255;

/// Where the glyphs are kept.
pub(crate) fn glyphs_path(folders: &Folders) -> PathBuf {
    folders.cache.join("glyphs").join("glyphs.h5")
}

/// The glyphs, out of the cache where it holds them whole, else drawn and put there.
pub(crate) fn glyphs(
    folders: &Folders,
    wanted: &Wanted,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(Images, Images), DataError> {
    let (n_train, n_test) = (wanted.n_train(glyphs::N_TRAIN)?, wanted.n_test(glyphs::N_TEST)?);
    let path = glyphs_path(folders);
    let (mut train, mut test) = match read(&path) {
        Some(images) => images,
        None => make(&path, progress)?,
    };
    train.truncate(n_train);
    test.truncate(n_test);
    Ok((train, test))
}

/// Draws the glyphs and writes them, unless another process has meanwhile.
fn make(path: &Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(Images, Images), DataError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut made = None;
    let kept = files::with_lock(
        folder,
        || (),
        || {
            made = read(path);
            if made.is_none() {
                progress(Progress::Message("drawing the glyphs, once"));
                let images = made.insert(draw()?);
                write(path, &images.0, &images.1)?;
            }
            Ok(())
        },
    );
    if let Err(error) = kept {
        // A cache that cannot be written costs a few seconds at every start, and nothing else.
        progress(Progress::Message(&format!("the glyphs are not kept: {error}")));
    }
    match made {
        Some(images) => Ok(images),
        None => draw(),
    }
}

fn draw() -> Result<(Images, Images), DataError> {
    let train = glyphs::images(Part::Train, glyphs::N_TRAIN);
    let test = glyphs::images(Part::Test, glyphs::N_TEST);
    let digest = glyphs::digest(&train, &test);
    if digest != glyphs::SHA256 {
        return Err(DataError::setting(
            format!("the glyphs drawn on this machine have SHA-256 `{digest}`, not `{}`", glyphs::SHA256),
            "its floating-point arithmetic does not follow IEEE 754; please report the machine and the compiler",
        ));
    }
    Ok((train, test))
}

/// What the cache holds, if that is exactly the glyphs.
fn read(path: &Path) -> Option<(Images, Images)> {
    if !path.is_file() {
        return None;
    }
    let (train, test) = read_file(path).ok()?;
    (glyphs::digest(&train, &test) == glyphs::SHA256).then_some((train, test))
}

/// A file that appears by rename needs no lock of HDF5's, which other processes would inherit with the open file.
fn unlocked() -> hdf5::FileBuilder {
    let mut builder = hdf5::FileBuilder::new();
    builder.with_fapl(|access| access.file_locking(false));
    builder
}

fn read_file(path: &Path) -> hdf5::Result<(Images, Images)> {
    let file = unlocked().open(path)?;
    if file.attr("format")?.read_scalar::<u32>()? != FORMAT {
        return Err("another format".into());
    }
    let images = |prefix: &str, n: usize| {
        let dataset = |name: &str, shape: &[usize]| {
            let dataset = file.dataset(&format!("{prefix}{name}"))?;
            // The shape is checked before anything is allocated, for the file may be damaged.
            if dataset.shape() == shape { Ok(dataset) } else { Err(hdf5::Error::from("another shape")) }
        };
        let shape = Shape { n, channels: 1, height: glyphs::SIZE, width: glyphs::SIZE };
        let names = glyphs::FACTORS.map(str::to_owned).to_vec();
        Ok::<_, hdf5::Error>(Images {
            pixels: dataset("images", &[n, glyphs::SIZE, glyphs::SIZE])?.read_raw()?,
            shape,
            labels: Some(dataset("labels", &[n])?.read_raw()?),
            factors: Some(Factors { values: dataset("factors", &[n, names.len()])?.read_raw()?, names }),
        })
    };
    Ok((images("", glyphs::N_TRAIN)?, images("test_", glyphs::N_TEST)?))
}

fn write(path: &Path, train: &Images, test: &Images) -> Result<(), DataError> {
    let temporary = files::temporary(path);
    let names = spec::KnownDataset::named("glyphs").map(crate::classes_of).unwrap_or_default();
    let written = write_file(&temporary, [("", train), ("test_", test)], &names);
    publish(written, &temporary, path)
}

/// Keeps the decoded images of a user's own folder.
pub(crate) fn write_own(path: &Path, whole: &Whole) -> Result<(), DataError> {
    let temporary = files::temporary(path);
    let written = write_file(&temporary, whole.splits(), &whole.class_names);
    publish(written, &temporary, path)
}

fn publish(written: hdf5::Result<()>, temporary: &Path, path: &Path) -> Result<(), DataError> {
    if let Err(error) = written {
        let _ = fs::remove_file(temporary);
        let hint = "check that the disk is not full, or move the cache by `XDG_CACHE_HOME`";
        return Err(DataError::file(path, format!("cannot be written: {error}"), hint));
    }
    files::publish(temporary, path)
}

/// The layout is that of a user's own HDF5 file, so that the file also serves as an example of one.
fn write_file<'a>(
    path: &Path,
    splits: impl IntoIterator<Item = (&'static str, &'a Images)>,
    class_names: &[String],
) -> hdf5::Result<()> {
    let file = unlocked().create(path)?;
    file.new_attr::<u32>().create("format")?.write_scalar(&FORMAT)?;
    for (prefix, images) in splits {
        let Shape { n, channels, height, width } = images.shape;
        let pixels = file.new_dataset::<u8>();
        let pixels = match channels {
            1 => pixels.shape((n, height, width)),
            _ => pixels.shape((n, channels, height, width)),
        };
        pixels.create(format!("{prefix}images").as_str())?.write_raw(&images.pixels)?;
        if let Some(labels) = &images.labels {
            let dataset = file.new_dataset::<u8>().shape(n).create(format!("{prefix}labels").as_str())?;
            dataset.write_raw(labels)?;
            if !class_names.is_empty() {
                let text = |name: &String| FixedUnicode::<NAME>::from_str(name).unwrap_or_default();
                let names: Vec<_> = class_names.iter().map(text).collect();
                dataset.new_attr::<FixedUnicode<NAME>>().shape(names.len()).create("names")?.write_raw(&names)?;
            }
        }
        if let Some(factors) = &images.factors {
            let shape = (n, factors.names.len());
            let dataset = file.new_dataset::<f64>().shape(shape).create(format!("{prefix}factors").as_str())?;
            dataset.write_raw(&factors.values)?;
            let names = FixedAscii::<128>::from_ascii(&factors.names.join(" ")).map_err(|error| error.to_string())?;
            dataset.new_attr::<FixedAscii<128>>().create("names")?.write_scalar(&names)?;
        }
    }
    file.flush()
}
