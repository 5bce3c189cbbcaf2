//! Images with labels and factors, and the three splits that an experiment reads.

use sha2::{Digest, Sha256};
use spec::ImageShape;

use crate::error::DataError;

/// Images in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Images {
    /// Gray or colour values, 255 standing for 1.0; shape [n, channels, height, width], the last axis fastest.
    pub pixels: Vec<u8>,
    /// The shape of `pixels`.
    pub shape: Shape,
    /// The class of each image; shape `[n]`.
    pub labels: Option<Vec<u8>>,
    /// What each image was made from, where that is known.
    pub factors: Option<Factors>,
}

/// How many images, and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Number of images.
    pub n: usize,
    /// 1 for gray, 3 for red, green and blue.
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
}

/// Known factors of variation.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// The factors' names.
    pub names: Vec<String>,
    /// Their values; shape [n, names], the last axis fastest; units are the source's.
    pub values: Vec<f64>,
}

/// What an experiment reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Splits {
    /// What is trained on.
    pub train: Images,
    /// Held out of the training images, where the experiment asks for it.
    pub validation: Option<Images>,
    /// What is reported on.
    pub test: Images,
    /// Names of the classes, in the labels' order; empty where they have none.
    pub class_names: Vec<String>,
    /// How far test images are from their neighbours in the source that were taken for training, as a share of how far images are
    /// from each other anywhere: near 0 where single frames of a film are held out, about 1 for images in no order. `None` where
    /// the source has a test split of its own, or too few images to tell.
    pub neighbour_distance: Option<f64>,
    /// SHA-256, in hexadecimal, of shape, pixels and labels of all three splits as they are here.
    pub digest: String,
}

impl Shape {
    /// Values in one image: channels × height × width.
    pub fn n_pixels(&self) -> usize {
        self.image().n_pixels()
    }

    /// The shape of one image.
    pub fn image(&self) -> ImageShape {
        ImageShape { channels: self.channels, height: self.height, width: self.width }
    }
}

impl Images {
    /// The pixels of image `i`, shape [channels, height, width].
    ///
    /// # Panics
    /// When there is no image `i`.
    pub fn image(&self, i: usize) -> &[u8] {
        let size = self.shape.n_pixels();
        &self.pixels[i * size..(i + 1) * size]
    }

    /// The images at `indices`, in that order.
    pub(crate) fn select(&self, indices: &[usize]) -> Result<Images, DataError> {
        let mut pixels = bytes(indices.len() * self.shape.n_pixels())?;
        for &i in indices {
            pixels.extend_from_slice(self.image(i));
        }
        Ok(Images {
            pixels,
            shape: Shape { n: indices.len(), ..self.shape },
            labels: self.labels.as_ref().map(|labels| indices.iter().map(|&i| labels[i]).collect()),
            factors: self.factors.as_ref().map(|factors| factors.select(indices)),
        })
    }

    /// Keeps the first `n` images.
    pub(crate) fn truncate(&mut self, n: usize) {
        if n == self.shape.n {
            return;
        }
        self.pixels.truncate(n * self.shape.n_pixels());
        self.pixels.shrink_to_fit();
        self.shape.n = n;
        if let Some(labels) = &mut self.labels {
            labels.truncate(n);
        }
        if let Some(factors) = &mut self.factors {
            factors.values.truncate(n * factors.names.len());
        }
    }

    /// Feeds shape, pixels and labels to a digest.
    pub(crate) fn digest_into(&self, digest: &mut Sha256) {
        let Shape { n, channels, height, width } = self.shape;
        for length in [n, channels, height, width, self.labels.as_ref().map_or(0, Vec::len)] {
            digest.update((length as u64).to_le_bytes());
        }
        digest.update(&self.pixels);
        digest.update(self.labels.as_deref().unwrap_or_default());
    }
}

impl Factors {
    /// The factors of image `i`, in the order of `names`.
    ///
    /// # Panics
    /// When there is no image `i`.
    pub fn of(&self, i: usize) -> &[f64] {
        &self.values[i * self.names.len()..(i + 1) * self.names.len()]
    }

    pub(crate) fn select(&self, indices: &[usize]) -> Factors {
        let values = indices.iter().flat_map(|&i| self.of(i)).copied().collect();
        Factors { names: self.names.clone(), values }
    }
}

/// The largest number of bytes that is read into memory for one split.
pub(crate) const MEMORY_CAP: usize = 16 << 30;

/// An empty vector with room for `n` bytes, or an error that says what to do when they are too many.
pub(crate) fn bytes(n: usize) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    if n > MEMORY_CAP || bytes.try_reserve_exact(n).is_err() {
        return Err(DataError::setting(
            format!("the images take `{}` MiB of memory, which is more than there is or than is allowed", n >> 20),
            format!(
                "use fewer by `dataset.train_images` and `dataset.test_images`; at most {} MiB a split are read",
                MEMORY_CAP >> 20
            ),
        ));
    }
    Ok(bytes)
}

/// The floor of the cross-entropy on gray values: what a perfect reconstruction still costs.
///
/// In nats per image, the mean over images of Σ over pixels of −[x ln x + (1 − x) ln(1 − x)], x in 0…1; nought for
/// binary pixels and for no images.
pub fn gray_bce_floor(images: &Images) -> f64 {
    let mut counts = [0u64; 256];
    for &pixel in &images.pixels {
        counts[usize::from(pixel)] += 1;
    }
    // The entropy of gray 0 and gray 255 is nought, in the limit.
    let total: f64 = (1..255)
        .map(|gray| {
            let x = gray as f64 / 255.0;
            counts[gray] as f64 * -(x * x.ln() + (1.0 - x) * (1.0 - x).ln())
        })
        .sum();
    total / (images.shape.n.max(1)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_the_pixels_entropy() {
        let shape = Shape { n: 2, channels: 1, height: 1, width: 2 };
        let images = Images { pixels: vec![0, 255, 51, 255], shape, labels: None, factors: None };
        let entropy = -(0.2 * 0.2f64.ln() + 0.8 * 0.8f64.ln());
        assert!((gray_bce_floor(&images) - entropy / 2.0).abs() < 1e-12);
    }
}
