//! A folder with IDX files in MNIST's names, of any height and width.

use std::path::Path;

use super::Layout;
use crate::error::DataError;
use crate::idx;
use crate::images::{Images, bytes};
use crate::split::Wanted;

/// Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k`, each raw or as `.gz`; colour
/// images are `…-idx4-ubyte`. Labels may be absent; without `t10k` images a tenth is held out.
pub(crate) fn read(folder: &Path, wanted: &Wanted) -> Result<(Images, Images), DataError> {
    if !folder.is_dir() {
        let hint = "name the folder that holds `train-images-idx3-ubyte`";
        return Err(DataError::file(folder, "is a file where a folder of IDX files should be", hint));
    }
    let Some(train) = part(folder, "train")? else {
        let hint = "name the images `train-images-idx3-ubyte` (or `…-idx4-ubyte` in colour, or either with `.gz`)";
        return Err(DataError::file(folder, "holds no training images in IDX form", hint));
    };
    match part(folder, "t10k")? {
        Some(test) => {
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

fn size(images: &Images) -> String {
    format!("{}×{}×{}", images.shape.channels, images.shape.height, images.shape.width)
}

fn part(folder: &Path, name: &str) -> Result<Option<Images>, DataError> {
    let find = |kind: &str| idx::find(folder, &format!("{name}-{kind}-ubyte"));
    let Some(path) = find("images-idx3").or_else(|| find("images-idx4")) else {
        return Ok(None);
    };
    let array = idx::read(&path)?;
    let layout = Layout::of(&path, &array.shape)?;
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
    let labels = match find("labels-idx1") {
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
    Ok(Some(Images { pixels, shape, labels, factors: None }))
}
