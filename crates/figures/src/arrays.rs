//! Images and latents of a run, as figures use them.

use std::collections::BTreeMap;

use record::{Array, ArrayName, RecordError, Run};

use crate::tiles::ImageStack;

/// Images and latents of one run.
#[derive(Clone, Debug, Default)]
pub struct RunArrays {
    images: BTreeMap<ArrayName, StoredImages>,
    /// Arrays of one axis.
    vectors: BTreeMap<ArrayName, Vec<f32>>,
    /// Posterior means of test images; none without an encoder.
    pub latents: Option<Latents>,
    /// Classes of the same images.
    pub labels: Option<Vec<u8>>,
    /// Names of the classes, in the labels' order; empty where they have none.
    pub class_names: Vec<String>,
}

/// A stored array of images.
#[derive(Clone, Debug)]
struct StoredImages {
    /// Its axes but for the last three, which are an image's.
    counts: Vec<usize>,
    stack: ImageStack,
}

/// Posterior means of images, or an autoencoder's codes of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Latents {
    /// How many images.
    pub n: usize,
    /// Width of the latent space.
    pub dim: usize,
    /// Shape `[n, dim]`.
    pub mean: Vec<f32>,
}

/// Decoded paths between latents.
#[derive(Clone, Copy, Debug)]
pub struct Paths<'a> {
    /// Images of one path, both ends included.
    pub steps: usize,
    /// One path after another.
    pub images: &'a ImageStack,
}

impl Latents {
    /// The value of an image in a latent dimension.
    pub fn at(&self, image: usize, dimension: usize) -> f64 {
        f64::from(self.mean[image * self.dim + dimension])
    }

    /// All values of an image.
    pub fn of(&self, image: usize) -> Vec<f64> {
        (0..self.dim).map(|dimension| self.at(image, dimension)).collect()
    }

    /// The mean over images of a function of the values in a latent dimension.
    pub fn mean_over_images(&self, dimension: usize, of: impl Fn(f64) -> f64) -> f64 {
        (0..self.n).map(|image| of(self.at(image, dimension))).sum::<f64>() / self.n as f64
    }

    /// The variance over images of each dimension, by which active units are told (Burda et al. 2016, §5.2).
    pub fn variances(&self) -> Vec<f64> {
        record::arrays::column_variances(&self.mean, self.dim)
    }
}

impl RunArrays {
    /// From the stored form.
    pub fn new(mut stored: record::Arrays) -> RunArrays {
        let latents = stored.remove(ArrayName::LatentMean).and_then(latents);
        let labels = stored.labels.take();
        let class_names = std::mem::take(&mut stored.class_names);
        let (mut images, mut vectors) = (BTreeMap::new(), BTreeMap::new());
        for (name, array) in stored {
            if array.shape.len() == 1 {
                vectors.insert(name, array.values);
            } else if let Some(stack) = self::images(array) {
                images.insert(name, stack);
            }
        }
        RunArrays { images, vectors, latents, labels, class_names }
    }

    /// An array of one axis; `None` where the run has none.
    pub fn vector(&self, name: ArrayName) -> Option<&[f32]> {
        self.vectors.get(&name).map(Vec::as_slice)
    }

    /// Images in a row; `None` where the model has none.
    pub fn images(&self, name: ArrayName) -> Option<&ImageStack> {
        self.images.get(&name).map(|images| &images.stack).filter(|stack| stack.n > 0)
    }

    /// Paths of images of shape `[pairs, steps]`; `None` where the model has none.
    pub fn paths(&self, name: ArrayName) -> Option<Paths<'_>> {
        let StoredImages { counts, stack } = self.images.get(&name)?;
        let [_, steps] = counts[..] else { return None };
        Some(Paths { steps, images: stack })
    }
}

/// The last three axes are an image's, those before them count images.
fn images(array: Array) -> Option<StoredImages> {
    let [counts @ .., channels, height, width] = &array.shape[..] else { return None };
    let (counts, n) = (counts.to_vec(), counts.iter().product());
    if counts.is_empty() {
        return None;
    }
    let stack = ImageStack { n, channels: *channels, height: *height, width: *width, values: array.values };
    Some(StoredImages { counts, stack })
}

/// What a run has of its latents under this name, shape `[t, latent_dim]`; `None` where there is nothing on record.
///
/// # Errors
/// If its file of arrays is damaged or of a newer major version.
pub fn latents_of(run: &Run, name: ArrayName) -> Result<Option<Latents>, RecordError> {
    match run.array(name) {
        Err(error) if error.is_not_found() => Ok(None),
        array => Ok(array?.and_then(latents)),
    }
}

/// From shape `[t, latent_dim]`.
fn latents(array: Array) -> Option<Latents> {
    let [n, dim] = array.shape[..] else { return None };
    Some(Latents { n, dim, mean: array.values })
}
