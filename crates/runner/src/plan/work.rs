//! How much there is to compute for a cell, and how much memory that needs.

use spec::{Activation, Cell, Latent, Likelihood, ModelKind, Net, ObjectiveKind, Prior};

/// Bytes a training process takes before it holds anything of a cohort: libtorch and its buffers.
const PROCESS_BYTES: u64 = 400_000_000;

/// The size of a cell's training.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Weights and biases of the networks.
    pub parameters: u64,
    /// Multiplications of one image's way through the networks, forward.
    pub multiplications: u64,
    /// Training images.
    pub images: u64,
    /// Numbers that the layers of one image hold, forward and backward.
    pub activations: u64,
    /// Images per step.
    pub batch_size: u64,
    /// Bytes of the images, as they lie in memory.
    pub image_bytes: u64,
}

/// What a chain of layers takes for one image.
#[derive(Clone, Copy, Debug, Default)]
struct Chain {
    parameters: u64,
    multiplications: u64,
    activations: u64,
}

impl Chain {
    /// Dense layers of these widths.
    fn dense(widths: &[u64], maps_per_layer: u64) -> Chain {
        let parameters = maps_per_layer * widths.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum::<u64>();
        Chain { parameters, multiplications: parameters, activations: widths.iter().sum() }
    }

    /// The net's convolutions, or the transposed ones that undo them, for square images of `n_pixels` a channel.
    fn convolutions(net: &Net, image: [usize; 3], maps_per_layer: u64) -> Option<Chain> {
        let Net::Conv { channels, kernel, .. } = net else { return None };
        let [image_channels, height, width] = image;
        let sides = net.sides(height, width).ok()?;
        let area = (kernel * kernel) as u64;
        let inputs = std::iter::once(&image_channels).chain(channels);
        let mut chain = Chain::default();
        for ((&inputs, &outputs), &(height, width)) in inputs.zip(channels).zip(&sides[1..]) {
            let weights = maps_per_layer * (inputs * outputs) as u64 * area;
            chain.parameters += weights + outputs as u64;
            chain.multiplications += weights * (height * width) as u64;
            chain.activations += (outputs * height * width) as u64;
        }
        Some(chain)
    }

    fn times(self, n: u64) -> Chain {
        Chain {
            parameters: self.parameters,
            multiplications: n * self.multiplications,
            activations: n * self.activations,
        }
    }

    fn plus(self, other: Chain) -> Chain {
        Chain {
            parameters: self.parameters + other.parameters,
            multiplications: self.multiplications + other.multiplications,
            activations: self.activations + other.activations,
        }
    }
}

impl Work {
    /// The work of a cell whose images have this shape (channels, height, width) and number `n_images` before those for
    /// validation are held out.
    pub fn of(cell: &Cell, image: [usize; 3], n_images: usize) -> Work {
        let model = &cell.model;
        let (pixels, latent) = (image.iter().product::<usize>() as u64, model.latent_dim as u64);
        let limit = cell.dataset.train_images.unwrap_or(n_images).min(n_images);
        let work = Work {
            images: limit.saturating_sub(cell.dataset.validation) as u64,
            batch_size: cell.training.batch_size as u64,
            image_bytes: n_images as u64 * pixels,
            ..Work::default()
        };
        if let ModelKind::GaussianMixture { components, .. } = model.kind {
            let parameters = components as u64 * (2 * pixels + 1);
            return Work { parameters, multiplications: parameters, activations: pixels + components as u64, ..work };
        }
        let maps = if model.activation == Activation::Gated { 2 } else { 1 };
        let convolutions = Chain::convolutions(&model.net, image, maps);
        let features = match (&model.net, model.net.sides(image[1], image[2])) {
            (Net::Conv { channels, .. }, Ok(sides)) => {
                let (height, width) = sides.last().copied().unwrap_or((1, 1));
                (channels.last().copied().unwrap_or(1) * height * width) as u64
            }
            _ => pixels,
        };
        let trunk: Vec<u64> = std::iter::once(features).chain(model.hidden.iter().map(|&width| width as u64)).collect();
        let widths = |ends: u64| [&trunk[..], &[ends]].concat();
        let heads = if matches!((model.kind, model.latent), (ModelKind::Vae, Latent::Gaussian)) { 2 } else { 1 };
        let per_pixel = if matches!(model.likelihood, Likelihood::GaussianPerPixel { .. }) { 2 } else { 1 };
        let convolutions = convolutions.unwrap_or_default();
        let encoder = Chain::dense(&widths(heads * latent), maps).plus(convolutions);
        let mut decoder_widths = widths(latent);
        decoder_widths.reverse();
        if model.net == Net::Mlp {
            *decoder_widths.last_mut().unwrap_or(&mut 0) *= per_pixel;
        }
        let decoder = Chain::dense(&decoder_widths, maps).plus(convolutions);

        let samples = match cell.objective.kind {
            ObjectiveKind::ImportanceWeighted { samples, .. } => samples as u64,
            _ => 1,
        };
        // Pseudo-inputs go through the encoder at every step, whatever the batch.
        let pseudo_inputs = match model.prior {
            Prior::Vamp { components } => components as u64,
            _ => 0,
        };
        let encoded = 1 + pseudo_inputs.div_ceil(work.batch_size.max(1));
        let mut all = encoder.times(encoded).plus(decoder.times(samples));
        all.parameters += pseudo_inputs * pixels;
        if matches!(model.kind, ModelKind::Gan { .. } | ModelKind::VaeGan { .. }) {
            // The discriminator looks at real images and at made ones.
            all = all.plus(encoder.times(2));
        }
        // Each value is held before and after its nonlinearity, and both again as gradients.
        Work {
            parameters: all.parameters,
            multiplications: all.multiplications,
            activations: 4 * all.activations,
            ..work
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

    /// What the time of an epoch grows with: multiplications times images.
    pub fn per_epoch(&self) -> f64 {
        self.multiplications as f64 * self.images as f64
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Channels, height and width.
    pub(crate) const MNIST: [usize; 3] = [1, 28, 28];

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
        let work = Work::of(&reference(), MNIST, 60_000);
        assert_eq!(work.parameters, 784 * 400 + 400 + 400 * 40 + 40 + 20 * 400 + 400 + 400 * 784 + 784);
        assert_eq!(work.images, 60_000);
    }

    fn changed(model: serde_json::Value, objective: serde_json::Value) -> Work {
        let mut cell = serde_json::to_value(reference()).expect("a cell is JSON");
        for (section, changes) in [("model", model), ("objective", objective)] {
            let changes = changes.as_object().expect("changes are a mapping").clone();
            cell[section].as_object_mut().expect("a section is a mapping").extend(changes);
        }
        Work::of(&serde_json::from_value(cell).expect("a valid cell"), MNIST, 60_000)
    }

    #[test]
    fn counts_convolutions_samples_and_pseudo_inputs() {
        let none = || serde_json::json!({});
        let plain = changed(none(), none());
        let conv = changed(serde_json::json!({ "net": { "conv": { "channels": [8, 16] } }, "hidden": [] }), none());
        let one_way = 9 * 8 + 8 + 9 * 8 * 16 + 16;
        assert_eq!(conv.parameters, 2 * one_way + (7 * 7 * 16 + 1) * 40 + 21 * 7 * 7 * 16);
        assert_eq!(conv.multiplications - conv.parameters, 2 * (9 * 8 * (196 - 1) + 9 * 8 * 16 * (49 - 1)) - 2 * 24);
        let many = changed(none(), serde_json::json!({ "kind": { "importance-weighted": { "samples": 10 } } }));
        assert_eq!(many.parameters, plain.parameters);
        assert!(many.multiplications > 5 * plain.multiplications);
        let vamp = changed(serde_json::json!({ "prior": { "vamp": { "components": 256 } } }), none());
        assert_eq!(vamp.parameters, plain.parameters + 256 * 784);
        assert!(vamp.multiplications < 2 * plain.multiplications + plain.multiplications / 10);
    }

    #[test]
    fn held_out_images_are_not_trained_on() {
        let mut cell = reference();
        cell.dataset.train_images = Some(1000);
        cell.dataset.validation = 100;
        assert_eq!(Work::of(&cell, MNIST, 60_000).images, 900);
    }
}
