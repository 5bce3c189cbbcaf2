//! Images and latents of a run, as figures use them.

use std::collections::BTreeMap;

use record::{Array, ArrayName};

use crate::tiles::ImageStack;

/// Images and latents of one run.
#[derive(Clone, Debug, Default)]
pub struct RunArrays {
    images: BTreeMap<ArrayName, StoredImages>,
    /// Posterior means of test images; none without an encoder.
    pub latents: Option<Latents>,
    /// Classes of the same images.
    pub labels: Option<Vec<u8>>,
}

/// A stored array of images.
#[derive(Clone, Debug)]
struct StoredImages {
    /// Its axes but for the last three, which are an image's.
    counts: Vec<usize>,
    stack: ImageStack,
}

/// Posterior means of images.
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

impl RunArrays {
    /// From the stored form.
    pub fn new(mut stored: record::Arrays) -> RunArrays {
        let latents = stored.remove(ArrayName::LatentMean).and_then(latents);
        let labels = stored.labels.take();
        let images = stored.into_iter().filter_map(|(name, array)| Some((name, images(array)?))).collect();
        RunArrays { images, latents, labels }
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

/// Shape `[t, latent_dim]`.
fn latents(array: Array) -> Option<Latents> {
    let [n, dim] = array.shape[..] else { return None };
    Some(Latents { n, dim, mean: array.values })
}
