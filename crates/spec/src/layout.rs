//! The networks of a model, layer by layer: what they are built from, and what their size is told by.

use crate::kind::ModelKind;
use crate::latent::Latent;
use crate::model::Model;
use crate::net::{Activation, Net, TooDeep};

/// Channels, height and width of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageShape {
    /// 1 for gray, 3 for colour.
    pub channels: usize,
    /// In pixels.
    pub height: usize,
    /// In pixels.
    pub width: usize,
}

impl ImageShape {
    /// Values of an image.
    pub fn n_pixels(self) -> usize {
        self.channels * self.height * self.width
    }
}

/// The length of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// The same for every model.
    Fixed(usize),
    /// The latent width.
    Latent,
}

impl Width {
    /// The length for a latent space of this width.
    pub fn of(self, latent_dim: usize) -> usize {
        match self {
            Width::Fixed(width) => width,
            Width::Latent => latent_dim,
        }
    }
}

/// What a convolution is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionShape {
    /// Channels of its input.
    pub inputs: usize,
    /// Channels of its result.
    pub outputs: usize,
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Its stride.
    pub stride: usize,
    /// Height and width of the result.
    pub target: (usize, usize),
    /// Whether it makes images larger rather than smaller.
    pub is_transposed: bool,
}

/// A map with weights and biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// From vectors to vectors.
    Linear {
        /// Length of its input.
        inputs: Width,
        /// Length of its result.
        outputs: Width,
    },
    /// From images to images.
    Convolution(ConvolutionShape),
}

impl Map {
    /// Weights and biases.
    pub fn n_parameters(self, latent_dim: usize) -> usize {
        match self {
            Map::Linear { inputs, outputs } => (inputs.of(latent_dim) + 1) * outputs.of(latent_dim),
            Map::Convolution(shape) => shape.n_weights() + shape.outputs,
        }
    }

    /// Multiplications for one image, where a linear map's biases count as one each.
    pub fn n_multiplications(self, latent_dim: usize) -> usize {
        match self {
            Map::Linear { .. } => self.n_parameters(latent_dim),
            Map::Convolution(shape) => {
                // A transposed convolution multiplies every value of its input, which is that much smaller.
                let reached = |side: usize| if shape.is_transposed { side.div_ceil(shape.stride) } else { side };
                shape.n_weights() * reached(shape.target.0) * reached(shape.target.1)
            }
        }
    }

    /// Values of its result.
    pub fn n_outputs(self, latent_dim: usize) -> usize {
        match self {
            Map::Linear { outputs, .. } => outputs.of(latent_dim),
            Map::Convolution(shape) => shape.outputs * shape.target.0 * shape.target.1,
        }
    }
}

impl ConvolutionShape {
    fn n_weights(self) -> usize {
        self.inputs * self.outputs * self.kernel * self.kernel
    }
}

/// A layer of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// A map with the nonlinearity behind it; a gated layer has two such maps.
    Hidden(Map),
    /// A map alone.
    Output(Map),
    /// From images to vectors, or back.
    Reshape {
        /// The axes behind the image's.
        axes: Vec<usize>,
        /// Whether it takes a number among the layers' names, as modules of PyTorch's `nn.Sequential` do.
        is_named: bool,
    },
}

/// Layers applied one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// In the order in which they are applied.
    pub layers: Vec<Layer>,
    /// Length of the input.
    pub inputs: Width,
    /// Length of the result.
    pub outputs: Width,
}

/// Layers with linear maps from their result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadedChain {
    /// From images to features.
    pub trunk: Chain,
    /// Names of the maps from the features.
    pub heads: &'static [&'static str],
    /// Length of each head's result.
    pub outputs: Width,
}

/// The networks of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// From images to what q(z|x) is made of, or to the code; `None` for a family without one.
    pub encoder: Option<HeadedChain>,
    /// From z to images: the decoder, or a GAN's generator; `None` for a family without one.
    pub decoder: Option<Chain>,
    /// From images to the log-odds of being data; `None` for a family without one.
    pub discriminator: Option<HeadedChain>,
}

impl Model {
    /// The networks for images of this shape.
    ///
    /// # Errors
    /// When the convolutions are more than the image allows.
    pub fn layout(&self, image: ImageShape) -> Result<Layout, TooDeep> {
        let (has_encoder, has_decoder, has_discriminator) = match self.kind {
            ModelKind::Vae | ModelKind::Autoencoder => (true, true, false),
            ModelKind::Gan { .. } => (false, true, true),
            ModelKind::VaeGan { .. } => (true, true, true),
            ModelKind::GaussianMixture { .. } => (false, false, false),
        };
        let heads: &[&str] = match (self.kind, self.latent) {
            (ModelKind::Autoencoder, _) => &["latent"],
            (_, Latent::Bernoulli { .. }) => &["logits"],
            (_, Latent::Gaussian) => &["mean", "log_variance"],
        };
        let trunk = |heads, outputs| Ok(HeadedChain { trunk: self.trunk(image)?, heads, outputs });
        Ok(Layout {
            encoder: has_encoder.then(|| trunk(heads, Width::Latent)).transpose()?,
            decoder: has_decoder.then(|| self.decoder(image)).transpose()?,
            discriminator: has_discriminator.then(|| trunk(&["logit"], Width::Fixed(1))).transpose()?,
        })
    }

    /// Maps of a hidden layer.
    pub fn maps_per_hidden_layer(&self) -> usize {
        match self.activation {
            Activation::Gated => 2,
            Activation::Relu | Activation::Tanh | Activation::Softplus => 1,
        }
    }

    /// From images to features: convolutions, then the dense hidden layers.
    ///
    /// # Errors
    /// When the convolutions are more than the image allows.
    pub fn trunk(&self, image: ImageShape) -> Result<Chain, TooDeep> {
        let sides = self.net.sides(image.height, image.width)?;
        let mut layers = Vec::new();
        let mut width = image.n_pixels();
        if let Net::Conv { channels, kernel, stride } = &self.net {
            // The images come flat, and this is no module of PyTorch's: its convolutions take images.
            layers.push(Layer::Reshape { axes: vec![image.channels, image.height, image.width], is_named: false });
            let inputs = std::iter::once(&image.channels).chain(channels);
            for ((&inputs, &outputs), &target) in inputs.zip(channels).zip(&sides[1..]) {
                let (kernel, stride) = (*kernel, *stride);
                let shape = ConvolutionShape { inputs, outputs, kernel, stride, target, is_transposed: false };
                layers.push(Layer::Hidden(Map::Convolution(shape)));
                width = outputs * target.0 * target.1;
            }
            layers.push(Layer::Reshape { axes: vec![width], is_named: true });
        }
        for &hidden in &self.hidden {
            layers.push(Layer::Hidden(Map::Linear { inputs: Width::Fixed(width), outputs: Width::Fixed(hidden) }));
            width = hidden;
        }
        Ok(Chain { layers, inputs: Width::Fixed(image.n_pixels()), outputs: Width::Fixed(width) })
    }

    /// From latents to images: the trunk in reverse, the last layer without a nonlinearity. With several outputs a
    /// pixel, all pixels of the first come before those of the second.
    ///
    /// # Errors
    /// When the convolutions are more than the image allows.
    pub fn decoder(&self, image: ImageShape) -> Result<Chain, TooDeep> {
        let sides = self.net.sides(image.height, image.width)?;
        let outputs_per_pixel = self.likelihood.outputs_per_pixel();
        let n_values = outputs_per_pixel * image.n_pixels();
        let mut layers = Vec::new();
        let mut inputs = Width::Latent;
        for &hidden in self.hidden.iter().rev() {
            layers.push(Layer::Hidden(Map::Linear { inputs, outputs: Width::Fixed(hidden) }));
            inputs = Width::Fixed(hidden);
        }
        match (&self.net, sides.as_slice()) {
            (Net::Conv { channels, kernel, stride }, [targets @ .., (height, width)]) if !targets.is_empty() => {
                let deepest = channels[targets.len() - 1];
                let outputs = Width::Fixed(deepest * height * width);
                layers.push(Layer::Hidden(Map::Linear { inputs, outputs }));
                layers.push(Layer::Reshape { axes: vec![deepest, *height, *width], is_named: true });
                for (n, &target) in targets.iter().enumerate().rev() {
                    let (inputs, kernel, stride) = (channels[n], *kernel, *stride);
                    let outputs = if n == 0 { outputs_per_pixel * image.channels } else { channels[n - 1] };
                    let shape = ConvolutionShape { inputs, outputs, kernel, stride, target, is_transposed: true };
                    let map = Map::Convolution(shape);
                    layers.push(if n == 0 { Layer::Output(map) } else { Layer::Hidden(map) });
                }
                layers.push(Layer::Reshape { axes: vec![n_values], is_named: true });
            }
            (Net::Mlp | Net::Conv { .. }, _) => {
                layers.push(Layer::Output(Map::Linear { inputs, outputs: Width::Fixed(n_values) }));
            }
        }
        Ok(Chain { layers, inputs: Width::Latent, outputs: Width::Fixed(n_values) })
    }
}
