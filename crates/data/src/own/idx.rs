//! A folder with IDX files in MNIST's names, of any height and width.

use std::path::{Path, PathBuf};

use super::Layout;
use crate::error::DataError;
use crate::idx;
use crate::images::{Images, Shape, bytes};
use crate::split::Wanted;

/// Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k`, each raw or as `.gz`; colour
/// images are `…-idx4-ubyte`. Labels may be absent; without `t10k` images a tenth is held out.
pub(crate) fn read(folder: &Path, wanted: &Wanted) -> Result<(Images, Images), DataError> {
    let train = part(folder, "train", &training_images(folder)?)?;
    match images(folder, "t10k") {
        Some(path) => {
            let test = part(folder, "t10k", &path)?;
            let (a, b) = (train.shape, test.shape);
            if (a.channels, a.height, a.width) != (b.channels, b.height, b.width) {
                let problem = format!("its training images are {}, its test images {}", size(&train), size(&test));
                return Err(DataError::file(folder, problem, "give both the same height, width and channels"));
            }
            let (mut train, mut test) = (train, test);
            train.truncate(wanted.n_train(train.shape.n)?);
            test.truncate(wanted.n_test(test.shape.n)?);
            Ok((train, test))
        }
        None => {
            let (train_rows, test_rows) = wanted.hold_out(train.shape.n)?;
            Ok((train.select(&train_rows)?, train.select(&test_rows)?))
        }
    }
}

/// The shape of the training images, and whether there are test images beside them, out of the headers alone.
pub(crate) fn shape(folder: &Path) -> Result<(Shape, bool), DataError> {
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

fn size(images: &Images) -> String {
    format!("{}×{}×{}", images.shape.channels, images.shape.height, images.shape.width)
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
