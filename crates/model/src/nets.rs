//! Encoders and decoders as a spec describes them: dense layers, with convolutions around them if it says so.

use spec::{Model, Net, TooDeep};

use crate::layers::{Builder, ConvolutionShape, Network};
use crate::parameters::{Parameters, Width};

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

/// A network from images `[R, B, P]` to features `[R, B, out]`.
#[derive(Debug)]
pub struct Trunk {
    /// Its layers.
    pub network: Network,
    /// Width of the features.
    pub width: Width,
}

/// Convolutions, then the dense hidden layers; every layer has its nonlinearity. Errors when the convolutions are more
/// than the image allows.
pub fn trunk(parameters: &mut Parameters, name: &str, model: &Model, image: ImageShape) -> Result<Trunk, TooDeep> {
    let sides = model.net.sides(image.height, image.width)?;
    let mut builder = Builder::new(parameters, name, model.activation);
    let mut width = image.n_pixels();
    if let Net::Conv { channels, kernel, stride } = &model.net {
        // The images come flat, and this is no module of PyTorch's: its convolutions take images.
        builder.reshape_unnamed(&[image.channels, image.height, image.width]);
        let inputs = std::iter::once(&image.channels).chain(channels);
        for ((&inputs, &outputs), &target) in inputs.zip(channels).zip(&sides[1..]) {
            let shape =
                ConvolutionShape { inputs, outputs, kernel: *kernel, stride: *stride, target, is_transposed: false };
            builder.convolution(shape, true);
            width = outputs * target.0 * target.1;
        }
        builder.reshape(&[width]);
    }
    for &hidden in &model.hidden {
        builder.linear(Width::Fixed(width), Width::Fixed(hidden), true);
        width = hidden;
    }
    Ok(Trunk { network: builder.finish(), width: Width::Fixed(width) })
}

/// From latents `[R, B, D]` to `[R, B, outputs·P]`: the trunk in reverse, the last layer without a nonlinearity. With
/// several outputs a pixel, all pixels of the first come before those of the second.
pub fn decoder(
    parameters: &mut Parameters,
    name: &str,
    model: &Model,
    image: ImageShape,
    outputs: usize,
) -> Result<Network, TooDeep> {
    let sides = model.net.sides(image.height, image.width)?;
    let mut builder = Builder::new(parameters, name, model.activation);
    let mut width = Width::Latent;
    for &hidden in model.hidden.iter().rev() {
        builder.linear(width, Width::Fixed(hidden), true);
        width = Width::Fixed(hidden);
    }
    let n_values = outputs * image.n_pixels();
    let Net::Conv { channels, kernel, stride } = &model.net else {
        builder.linear(width, Width::Fixed(n_values), false);
        return Ok(builder.finish());
    };
    let (Some(&deepest), Some(&(height, wide))) = (channels.last(), sides.last()) else {
        builder.linear(width, Width::Fixed(n_values), false);
        return Ok(builder.finish());
    };
    builder.linear(width, Width::Fixed(deepest * height * wide), true);
    builder.reshape(&[deepest, height, wide]);
    for n in (0..channels.len()).rev() {
        let is_last = n == 0;
        let made = if is_last { outputs * image.channels } else { channels[n - 1] };
        let shape = ConvolutionShape {
            inputs: channels[n],
            outputs: made,
            kernel: *kernel,
            stride: *stride,
            target: sides[n],
            is_transposed: true,
        };
        builder.convolution(shape, !is_last);
    }
    builder.reshape(&[n_values]);
    Ok(builder.finish())
}
