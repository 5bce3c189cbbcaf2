//! A folder with IDX files in MNIST's names, of any height and width.

use std::path::{Path, PathBuf};

use super::{Layout, Whole};
use crate::error::DataError;
use crate::idx;
use crate::images::{Images, Shape, bytes};

/// Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k`, each raw or as `.gz`; colour
/// images are `…-idx4-ubyte`. Labels may be absent.
pub(super) fn read(folder: &Path) -> Result<Whole, DataError> {
    let train = part(folder, "train", &training_images(folder)?)?;
    let test = images(folder, "t10k").map(|path| part(folder, "t10k", &path)).transpose()?;
    Whole { train, validation: None, test, class_names: Vec::new() }.checked(folder)
}

/// The files that are read.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    training_images(folder)?;
    let labels = |name: &str| idx::find(folder, &format!("{name}-labels-idx1-ubyte"));
    Ok(["train", "t10k"].into_iter().flat_map(|name| [images(folder, name), labels(name)]).flatten().collect())
}

/// The shape of the training images, and whether there are test images beside them, out of the headers alone.
pub(super) fn shape(folder: &Path) -> Result<(Shape, bool), DataError> {
    let path = training_images(folder)?;
    Ok((Layout::of(&path, &idx::shape(&path)?)?.shape, images(folder, "t10k").is_some()))
}

fn training_images(folder: &Path) -> Result<PathBuf, DataError> {
    if !folder.is_dir() {
        let hint = "name the folder that holds `train-images-idx3-ubyte`";
        return Err(DataError::file(folder, "is a file where a folder of IDX files should be", hint));
    }
    images(folder, "train").ok_or_else(|| {
        let hint = "name the images `train-images-idx3-ubyte` (or `…-idx4-ubyte` in colour, or either with `.gz`)";
        DataError::file(folder, "holds no training images in IDX form", hint)
    })
}

fn images(folder: &Path, name: &str) -> Option<PathBuf> {
    let find = |kind: &str| idx::find(folder, &format!("{name}-{kind}-ubyte"));
    find("images-idx3").or_else(|| find("images-idx4"))
}

/// The images at `path` with the labels of `name` in `folder`.
fn part(folder: &Path, name: &str, path: &Path) -> Result<Images, DataError> {
    let array = idx::read(path)?;
    let layout = Layout::of(path, &array.shape)?;
    let shape = layout.shape;
    let mut pixels = array.values;
    if layout.channels_last && shape.channels > 1 {
        let mut turned = bytes(pixels.len())?;
        turned.resize(pixels.len(), 0);
        let size = shape.n_pixels();
        for (image, out) in pixels.chunks_exact(size).zip(turned.chunks_exact_mut(size)) {
            layout.channels_first(image, out);
        }
        pixels = turned;
    }
    let labels = match idx::find(folder, &format!("{name}-labels-idx1-ubyte")) {
        None => None,
        Some(path) => {
            let labels = idx::read(&path)?;
            if labels.shape != [shape.n] {
                let problem = format!("holds {} labels for {} images", idx::written(&labels.shape), shape.n);
                return Err(DataError::file(&path, problem, "give one label per image, or take the file away"));
            }
            Some(labels.values)
        }
    };
    Ok(Images { pixels, shape, labels, factors: None })
}
