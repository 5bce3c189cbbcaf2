//! How much there is to compute for a cell, and how much memory that needs.

use spec::layout::{Chain, HeadedChain, Layer, Map};
use spec::{Cell, ImageShape, Model, ModelKind, TooDeep};

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
    /// Images held out for validation.
    pub validation_images: u64,
    /// Test images; a sixth of the training images, as those of MNIST are, since only these are counted without loading.
    pub test_images: u64,
    /// Numbers that the layers of one image hold, forward and backward.
    pub activations: u64,
    /// Images per step.
    pub batch_size: u64,
    /// Bytes of the images, as they lie in memory.
    pub image_bytes: u64,
}

/// What networks take for one image.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    parameters: u64,
    multiplications: u64,
    activations: u64,
}

impl Size {
    fn of(chain: &Chain, model: &Model) -> Size {
        let latent = model.latent_dim;
        let mut size = Size { activations: chain.inputs.of(latent) as u64, ..Size::default() };
        for layer in &chain.layers {
            match layer {
                Layer::Hidden(map) => size.add(*map, model.maps_per_hidden_layer(), latent),
                Layer::Output(map) => size.add(*map, 1, latent),
                Layer::Reshape { .. } => {}
            }
        }
        size
    }

    fn of_headed(network: &HeadedChain, model: &Model) -> Size {
        let mut size = Size::of(&network.trunk, model);
        for _ in network.heads {
            let head = Map::Linear { inputs: network.trunk.outputs, outputs: network.outputs };
            size.add(head, 1, model.latent_dim);
        }
        size
    }

    /// Adds `n` equal maps whose results make one.
    fn add(&mut self, map: Map, n: usize, latent: usize) {
        self.parameters += (n * map.n_parameters(latent)) as u64;
        self.multiplications += (n * map.n_multiplications(latent)) as u64;
        self.activations += map.n_outputs(latent) as u64;
    }

    /// Gone through `n` times.
    fn times(self, n: u64) -> Size {
        Size { multiplications: n * self.multiplications, activations: n * self.activations, ..self }
    }

    fn plus(self, other: Size) -> Size {
        Size {
            parameters: self.parameters + other.parameters,
            multiplications: self.multiplications + other.multiplications,
            activations: self.activations + other.activations,
        }
    }
}

impl Work {
    /// The work of a cell whose images have this shape and number `n_images` before those for validation are held out.
    ///
    /// # Errors
    /// When the convolutions are more than the image allows.
    pub fn of(cell: &Cell, image: ImageShape, n_images: usize) -> Result<Work, TooDeep> {
        let model = &cell.model;
        let pixels = image.n_pixels() as u64;
        let limit = cell.dataset.train_images.unwrap_or(n_images).min(n_images);
        let batch_size = cell.training.batch_size as u64;
        // Pseudo-inputs go through the encoder at every step, whatever the batch.
        let encoded = 1 + (model.prior.n_encoded() as u64).div_ceil(batch_size.max(1));
        // How often an image goes through the decoder, and how often one is judged by the discriminator.
        let (decoded, judged) = match model.kind {
            ModelKind::Vae | ModelKind::Autoencoder => (cell.objective.n_samples() as u64, 0),
            ModelKind::Gan { .. } => (1, 2),
            // A reconstruction and a sample, both judged beside the image itself.
            ModelKind::VaeGan { .. } => (2, 3),
            ModelKind::GaussianMixture { .. } => (0, 0),
        };
        let layout = model.layout(image)?;
        let networks = [
            layout.encoder.map(|network| Size::of_headed(&network, model).times(encoded)),
            layout.decoder.map(|network| Size::of(&network, model).times(decoded)),
            layout.discriminator.map(|network| Size::of_headed(&network, model).times(judged)),
        ];
        let mut all = networks.into_iter().flatten().fold(Size::default(), Size::plus);
        all.parameters += model.prior.n_parameters(model.latent_dim, image.n_pixels()) as u64;
        // Each value is held before and after its nonlinearity, and both again as gradients.
        all.activations *= 4;
        if let ModelKind::GaussianMixture { components, .. } = model.kind {
            let parameters = components as u64 * (2 * pixels + 1);
            all = Size { parameters, multiplications: parameters, activations: pixels + components as u64 };
        }
        Ok(Work {
            parameters: all.parameters,
            multiplications: all.multiplications,
            activations: all.activations,
            images: limit.saturating_sub(cell.dataset.validation) as u64,
            validation_images: cell.dataset.validation as u64,
            test_images: n_images as u64 / 6,
            batch_size,
            image_bytes: n_images as u64 * pixels,
        })
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

    /// Multiplications of a step, forward.
    pub fn per_step(&self) -> u64 {
        self.multiplications * self.batch_size.min(self.images)
    }

    /// Steps of an epoch.
    pub fn steps(&self) -> u64 {
        self.images.div_ceil(self.batch_size.max(1))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const MNIST: ImageShape = ImageShape { channels: 1, height: 28, width: 28 };

    /// The reference cell: gray MNIST, 784-400-20.
    pub(crate) fn reference() -> Cell {
        serde_json::from_value(serde_json::json!({
            "dataset": { "name": "mnist" },
            "model": { "hidden": [400], "latent_dim": 20 },
            "objective": {}, "optimizer": { "adam": {} }, "training": {},
        }))
        .expect("the reference cell is valid")
    }

    fn work(cell: &Cell) -> Work {
        Work::of(cell, MNIST, 60_000).expect("MNIST's images are large enough")
    }

    #[test]
    fn counts_the_parameters_of_the_reference() {
        let work = work(&reference());
        assert_eq!(work.parameters, 784 * 400 + 400 + 400 * 40 + 40 + 20 * 400 + 400 + 400 * 784 + 784);
        assert_eq!(work.images, 60_000);
    }

    fn changed(model: serde_json::Value, objective: serde_json::Value) -> Work {
        let mut cell = serde_json::to_value(reference()).expect("a cell is JSON");
        for (section, changes) in [("model", model), ("objective", objective)] {
            let changes = changes.as_object().expect("changes are a mapping").clone();
            cell[section].as_object_mut().expect("a section is a mapping").extend(changes);
        }
        work(&serde_json::from_value(cell).expect("a valid cell"))
    }

    #[test]
    fn counts_convolutions_samples_and_pseudo_inputs() {
        let none = || serde_json::json!({});
        let plain = changed(none(), none());
        let conv = changed(serde_json::json!({ "net": { "conv": { "channels": [8, 16] } }, "hidden": [] }), none());
        let weights = 2 * (9 * 8 + 9 * 8 * 16);
        let biases = (8 + 16) + (8 + 1);
        assert_eq!(conv.parameters, weights + biases + (7 * 7 * 16 + 1) * 40 + 21 * 7 * 7 * 16);
        assert_eq!(conv.multiplications, conv.parameters - biases + 2 * (9 * 8 * (196 - 1) + 9 * 8 * 16 * (49 - 1)));
        let many = changed(none(), serde_json::json!({ "kind": { "importance-weighted": { "samples": 10 } } }));
        assert_eq!(many.parameters, plain.parameters);
        assert!(many.multiplications > 5 * plain.multiplications);
        let vamp = changed(serde_json::json!({ "prior": { "vamp": { "components": 256 } } }), none());
        assert_eq!(vamp.parameters, plain.parameters + 256 * 784);
        assert!(vamp.multiplications < 2 * plain.multiplications + plain.multiplications / 10);
    }

    #[test]
    fn counts_the_networks_of_every_family() {
        let of = |kind: serde_json::Value| changed(serde_json::json!({ "kind": kind }), serde_json::json!({}));
        let trunk = 784 * 400 + 400;
        let decoder = 20 * 400 + 400 + 400 * 784 + 784;
        let vae = of("vae".into());
        assert_eq!(of("autoencoder".into()).parameters, trunk + 401 * 20 + decoder);
        let gan = of(serde_json::json!({ "gan": {} }));
        assert_eq!(gan.parameters, trunk + 401 + decoder);
        assert_eq!(gan.multiplications, 2 * (trunk + 401) + decoder);
        let both = of(serde_json::json!({ "vae-gan": {} }));
        assert_eq!(both.parameters, vae.parameters + trunk + 401);
        assert_eq!(both.multiplications, vae.multiplications + decoder + 3 * (trunk + 401));
    }

    #[test]
    fn held_out_images_are_not_trained_on() {
        let mut cell = reference();
        cell.dataset.train_images = Some(1000);
        cell.dataset.validation = 100;
        assert_eq!(work(&cell).images, 900);
    }
}
