//! Which images are trained on, validated on and tested on, and how their pixels are drawn.

use sha2::{Digest, Sha256};
use spec::{Pixels, hexadecimal};

use crate::error::DataError;
use crate::images::{Images, Splits};
use crate::noise;

/// Stream of the static draw of training and validation images.
const TRAIN_STREAM: u64 = 0;
/// Stream of the static draw of test images.
const TEST_STREAM: u64 = 1;
/// Stream of the static draw of a source's own validation images.
const VALIDATION_STREAM: u64 = 2;
/// Tells the keys of splits from those of draws.
const VALIDATION_KEY: u64 = 2;
const HELD_OUT_KEY: u64 = 3;

/// What a source holds, before any images are held out for validation or drawn.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Images to train on.
    pub train: Images,
    /// The source's own validation split.
    pub validation: Option<Images>,
    /// Images to test on.
    pub test: Images,
    /// Names of the classes, in the labels' order; empty where they have none.
    pub class_names: Vec<String>,
    /// See [`Splits::neighbour_distance`]; `None` where no single images were held out.
    pub neighbour_distance: Option<f64>,
}

impl From<(Images, Images)> for Parts {
    fn from((train, test): (Images, Images)) -> Parts {
        Parts { train, validation: None, test, class_names: Vec::new(), neighbour_distance: None }
    }
}

/// Which images a source is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    /// Seeds the held-out test images.
    pub seed: u64,
    /// The first so many training images.
    pub train_images: Option<usize>,
    /// The first so many test images.
    pub test_images: Option<usize>,
}

impl Wanted {
    pub(crate) fn of(dataset: &spec::Dataset) -> Wanted {
        Wanted { seed: dataset.seed, train_images: dataset.train_images, test_images: dataset.test_images }
    }

    /// How many of `n` training images are used.
    pub(crate) fn n_train(&self, n: usize) -> Result<usize, DataError> {
        limit("train_images", self.train_images, n)
    }

    /// How many of `n` test images are used.
    pub(crate) fn n_test(&self, n: usize) -> Result<usize, DataError> {
        limit("test_images", self.test_images, n)
    }

    /// For a source of `n` images without a test split of its own: the rows of the training and of the test images.
    ///
    /// [`n_held_out`] images, drawn with the seed, are the test split. Both are in a random order, so that the first so
    /// many images of a sorted file are not all of one class.
    pub(crate) fn hold_out(&self, n: usize) -> Result<(Vec<usize>, Vec<usize>), DataError> {
        let n_test = n_held_out(n)?;
        let mut test = noise::permutation(noise::key(&[self.seed, HELD_OUT_KEY]), n);
        let mut train = test.split_off(n_test);
        train.truncate(self.n_train(train.len())?);
        test.truncate(self.n_test(test.len())?);
        Ok((train, test))
    }
}

/// How many of `n` images are the test split of a source without one of its own: a tenth, rounded up.
///
/// # Errors
/// When none would be left to train on.
pub(crate) fn n_held_out(n: usize) -> Result<usize, DataError> {
    if n < 2 {
        return Err(DataError::setting(
            "a single image cannot be divided into training and test images",
            "give at least two images, or a test split of its own",
        ));
    }
    Ok(n.div_ceil(10))
}

fn limit(name: &str, wanted: Option<usize>, n: usize) -> Result<usize, DataError> {
    match wanted {
        None if n == 0 => Err(DataError::setting("there are no images", "give a source that has some")),
        None => Ok(n),
        Some(wanted) if wanted == 0 || wanted > n => Err(DataError::setting(
            match n {
                1 => format!("`dataset.{name}` is `{wanted}`, and there is 1 such image"),
                _ => format!("`dataset.{name}` is `{wanted}`, and there are {n} such images"),
            },
            format!("choose a number from 1 to {n}, or leave `{name}` out to use all"),
        )),
        Some(wanted) => Ok(wanted),
    }
}

/// Takes the validation split from the training images, draws static pixels, and digests what is left.
pub(crate) fn finish(parts: Parts, dataset: &spec::Dataset) -> Result<Splits, DataError> {
    let Parts { mut train, mut validation, mut test, class_names, neighbour_distance } = parts;
    if validation.is_some() && dataset.validation > 0 {
        return Err(DataError::setting(
            format!("`dataset.validation` is `{}`, and there are validation images already", dataset.validation),
            "leave `validation` out; the images' own split is used as it comes",
        ));
    }
    let n = train.shape.n;
    if dataset.validation >= n {
        return Err(DataError::setting(
            format!("`dataset.validation` is `{}`, and there are {n} training images", dataset.validation),
            "hold out fewer images, so that some are left to train on",
        ));
    }
    let (mut held_out, mut kept) = (Vec::new(), (0..n).collect::<Vec<_>>());
    if dataset.validation > 0 {
        held_out = noise::permutation(noise::key(&[dataset.seed, VALIDATION_KEY]), n);
        kept = held_out.split_off(dataset.validation);
        held_out.sort_unstable();
        kept.sort_unstable();
    }
    let has_own = validation.is_some();
    if dataset.validation > 0 {
        validation = Some(train.select(&held_out)?);
        train = train.select(&kept)?;
    }
    let all = |n: usize| (0..n).collect::<Vec<_>>();
    let (draws_train, draws_others) = match dataset.pixels {
        Pixels::Gray => (false, false),
        Pixels::Static => (true, true),
        Pixels::Dynamic => (false, true),
        Pixels::Binary => {
            are_binary([Some(&train), validation.as_ref(), Some(&test)])?;
            (false, false)
        }
    };
    if draws_train {
        draw(&mut train, dataset.seed, TRAIN_STREAM, &kept);
    }
    if draws_others {
        match &mut validation {
            Some(validation) if has_own => {
                let n = validation.shape.n;
                draw(validation, dataset.seed, VALIDATION_STREAM, &all(n));
            }
            Some(validation) => draw(validation, dataset.seed, TRAIN_STREAM, &held_out),
            None => {}
        }
        let n = test.shape.n;
        draw(&mut test, dataset.seed, TEST_STREAM, &all(n));
    }
    let mut digest = Sha256::new();
    for images in [Some(&train), validation.as_ref(), Some(&test)] {
        match images {
            Some(images) => images.digest_into(&mut digest),
            None => digest.update([0]),
        }
    }
    let digest = hexadecimal(&digest.finalize());
    Ok(Splits { train, validation, test, class_names, neighbour_distance, digest })
}

/// That every pixel is 0 or 1.
fn are_binary<'a>(parts: impl IntoIterator<Item = Option<&'a Images>>) -> Result<(), DataError> {
    let gray = parts.into_iter().flatten().flat_map(|images| &images.pixels).find(|value| !matches!(value, 0 | 255));
    match gray {
        None => Ok(()),
        Some(gray) => Err(DataError::setting(
            format!("`dataset.pixels` is `binary`, and there are pixels between 0 and 1 (such as {gray}/255)"),
            "write `static` to draw each pixel once, `dynamic` to draw it anew every epoch, or `gray`",
        )),
    }
}

/// Draws every pixel once; `indices` are the images' positions before the validation split was taken, so that an image
/// has the same binary pixels with and without one.
fn draw(images: &mut Images, seed: u64, stream: u64, indices: &[usize]) {
    let size = images.shape.n_pixels();
    let mut drawn = vec![0; size];
    for (gray, &index) in images.pixels.chunks_exact_mut(size).zip(indices) {
        noise::binarise(seed, stream, index as u64, gray, &mut drawn);
        gray.copy_from_slice(&drawn);
    }
}
