//! Networks built from the layouts of a spec.

use spec::layout::{Chain, ImageShape, Layer, Map, Width};
use spec::{Activation, Model, TooDeep};

use crate::layers::{Builder, Network};
use crate::parameters::Registrar;

/// A network from images `[R, B, P]` to features `[R, B, out]`.
#[derive(Debug)]
pub struct Trunk {
    /// Its layers.
    pub network: Network,
    /// Width of the features.
    pub width: Width,
}

/// The layers of [`Model::trunk`], freshly initialised. Errors when the convolutions are more than the image allows.
pub fn trunk(parameters: &mut Registrar<'_>, name: &str, model: &Model, image: ImageShape) -> Result<Trunk, TooDeep> {
    let chain = model.trunk(image)?;
    Ok(Trunk { network: build(parameters, name, model.activation, &chain), width: chain.outputs })
}

/// The layers of [`Model::decoder`], freshly initialised: from latents `[R, B, D]` to `[R, B, outputs·P]`. Errors as
/// [`trunk`].
pub fn decoder(
    parameters: &mut Registrar<'_>,
    name: &str,
    model: &Model,
    image: ImageShape,
) -> Result<Network, TooDeep> {
    Ok(build(parameters, name, model.activation, &model.decoder(image)?))
}

fn build(parameters: &mut Registrar<'_>, name: &str, activation: Activation, chain: &Chain) -> Network {
    let mut builder = Builder::new(parameters, name, activation);
    for layer in &chain.layers {
        let (map, is_hidden) = match layer {
            Layer::Hidden(map) => (map, true),
            Layer::Output(map) => (map, false),
            Layer::Reshape { axes, is_named } => {
                builder.reshape(axes, *is_named);
                continue;
            }
        };
        match *map {
            Map::Linear { inputs, outputs } => builder.linear(inputs, outputs, is_hidden),
            Map::Convolution(shape) => builder.convolution(shape, is_hidden),
        }
    }
    builder.finish()
}
