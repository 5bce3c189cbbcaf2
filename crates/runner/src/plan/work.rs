//! How much there is to compute for a cell, and how much memory that needs.

use spec::Cell;

/// Bytes a training process takes before it holds anything of a cohort: libtorch and its buffers.
const PROCESS_BYTES: u64 = 400_000_000;

/// The size of a cell's training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// Weights and biases of the networks.
    pub parameters: u64,
    /// Training images.
    pub images: u64,
    /// Numbers that the layers of one image hold, forward and backward.
    pub activations: u64,
    /// Images per step.
    pub batch_size: u64,
    /// Bytes of the images, as they lie in memory.
    pub image_bytes: u64,
}

impl Work {
    /// The work of a cell whose images have `n_pixels` (channels included) and number `n_images` before those for
    /// validation are held out.
    pub fn of(cell: &Cell, n_pixels: usize, n_images: usize) -> Work {
        let (pixels, latent) = (n_pixels as u64, cell.model.latent_dim as u64);
        let hidden: Vec<u64> = cell.model.hidden.iter().map(|&width| width as u64).collect();
        let mut encoder = vec![pixels];
        encoder.extend(&hidden);
        encoder.push(2 * latent);
        let mut decoder = vec![latent];
        decoder.extend(hidden.iter().rev());
        decoder.push(pixels);
        let layers = |widths: &[u64]| widths.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum::<u64>();
        let limit = cell.dataset.train_images.unwrap_or(n_images).min(n_images);
        Work {
            parameters: layers(&encoder) + layers(&decoder),
            images: limit.saturating_sub(cell.dataset.validation) as u64,
            // Each width is held before and after its nonlinearity, and both again as gradients.
            activations: 4 * (encoder.iter().sum::<u64>() + decoder.iter().sum::<u64>()),
            batch_size: cell.training.batch_size as u64,
            image_bytes: n_images as u64 * pixels,
        }
    }

    /// Bytes that one more cell adds to a cohort: parameters, their gradients and Adam's two moments, and the
    /// activations of a batch, all in single precision.
    pub fn bytes_per_replica(&self) -> u64 {
        4 * (4 * self.parameters + self.batch_size * self.activations)
    }

    /// Bytes of a process before its first cell: the program, and the images as bytes and as numbers.
    pub fn bytes_per_process(&self) -> u64 {
        PROCESS_BYTES + 5 * self.image_bytes
    }

    /// What the time of an epoch grows with: parameters times images.
    pub fn per_epoch(&self) -> f64 {
        self.parameters as f64 * self.images as f64
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The reference cell: gray MNIST, 784-400-20.
    pub(crate) fn reference() -> Cell {
        serde_json::from_value(serde_json::json!({
            "dataset": { "name": "mnist" },
            "model": { "hidden": [400], "latent_dim": 20 },
            "objective": {}, "optimizer": { "adam": {} }, "training": {},
        }))
        .expect("the reference cell is valid")
    }

    #[test]
    fn counts_the_parameters_of_the_reference() {
        let work = Work::of(&reference(), 784, 60_000);
        assert_eq!(work.parameters, 784 * 400 + 400 + 400 * 40 + 40 + 20 * 400 + 400 + 400 * 784 + 784);
        assert_eq!(work.images, 60_000);
    }

    #[test]
    fn held_out_images_are_not_trained_on() {
        let mut cell = reference();
        cell.dataset.train_images = Some(1000);
        cell.dataset.validation = 100;
        assert_eq!(Work::of(&cell, 784, 60_000).images, 900);
    }
}
