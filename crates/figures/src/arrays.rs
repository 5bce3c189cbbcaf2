//! Images and latents of a run, as figures use them.

use record::Array;

use crate::tiles::Images;

/// Images and latents of one run.
#[derive(Clone, Debug, Default)]
pub struct Arrays {
    /// Test images.
    pub originals: Images,
    /// Their reconstructions; none without an encoder.
    pub reconstructions: Images,
    /// The same corrupted, and what the model makes of that.
    pub denoising: Option<Denoising>,
    /// Decoded draws from the prior.
    pub samples: Images,
    /// Decoded draws from the aggregate posterior.
    pub samples_aggregate: Option<Images>,
    /// Decoded draws from a Gaussian mixture fitted to latent means.
    pub samples_mixture: Option<Images>,
    /// Decoded straight lines between latents.
    pub interpolation_linear: Option<Path>,
    /// Decoded great arcs between the same latents.
    pub interpolation_spherical: Option<Path>,
    /// Decoded grid over two latent dimensions, row by row, square.
    pub manifold: Option<Images>,
    /// Posterior means of test images; none without an encoder.
    pub latents: Option<Latents>,
    /// Classes of the same images.
    pub labels: Option<Vec<u8>>,
}

/// What a model makes of corrupted images.
#[derive(Clone, Debug, PartialEq)]
pub struct Denoising {
    /// The originals, corrupted as in training.
    pub corrupted: Images,
    /// Their reconstructions.
    pub denoised: Images,
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
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Images of one path, both ends included.
    pub steps: usize,
    /// One path after another.
    pub images: Images,
}

/// From the stored form.
pub fn arrays(read: record::Arrays) -> Arrays {
    Arrays {
        originals: read.originals.map(images).unwrap_or_default(),
        reconstructions: read.reconstructions.map(images).unwrap_or_default(),
        denoising: read
            .corrupted
            .zip(read.denoised)
            .map(|(corrupted, denoised)| Denoising { corrupted: images(corrupted), denoised: images(denoised) }),
        samples: images(read.samples),
        samples_aggregate: read.samples_aggregate.map(images),
        samples_mixture: read.samples_mixture.map(images),
        interpolation_linear: read.interpolation_linear.map(path),
        interpolation_spherical: read.interpolation_spherical.map(path),
        manifold: read.manifold.map(images),
        latents: read.latent_mean.and_then(latents),
        labels: read.labels,
    }
}

/// Shape `[t, latent_dim]`.
fn latents(array: Array) -> Option<Latents> {
    let [n, dim] = array.shape[..] else { return None };
    Some(Latents { n, dim, mean: array.values })
}

/// Shape `[pairs, steps, channels, height, width]`.
fn path(array: Array) -> Path {
    Path { steps: array.shape.get(1).copied().unwrap_or_default(), images: images(array) }
}

/// The last three axes are an image's, those before them count images.
fn images(array: Array) -> Images {
    match array.shape.as_slice() {
        [counts @ .., channels, height, width] => Images {
            n: counts.iter().product(),
            channels: *channels,
            height: *height,
            width: *width,
            values: array.values,
        },
        _ => Images::default(),
    }
}
