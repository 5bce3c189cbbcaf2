//! The networks' layers: convolutions, dense layers, nonlinearities, and how weights start.

use serde::{Deserialize, Serialize};

use crate::check::Checks;
use crate::fields::{Field, field};
use crate::layout::ImageShape;

/// Hidden layers at most.
const MAX_HIDDEN_LAYERS: usize = 64;
/// Width of a hidden layer at most.
const MAX_HIDDEN_WIDTH: usize = 65_536;
/// Channels of a convolution at most.
const MAX_CHANNELS: usize = 4096;
/// Convolutions at most.
const MAX_CONVOLUTIONS: usize = 16;

pub(crate) const FIELDS: &[Field] = &[
    field("model.net", "`mlp` or `{ conv: { channels: [32, 64, 128] } }`").off("mlp"),
    field("model.net.conv.channels", "the channels after each convolution as a list, such as `[32, 64, 128]`"),
    field("model.net.conv.kernel", "the kernels' height and width, such as `3`"),
    field("model.net.conv.stride", "by how much a convolution shrinks the image, such as `2`"),
    field("model.hidden", "the widths of the encoder's hidden layers as a list, such as `[400]` or `[500, 500]`"),
    field("model.activation", "`relu`, `tanh`, `softplus` or `gated`"),
    field("model.init", "`pytorch` or `xavier`"),
];

/// The first layers of the encoder, and the last of the decoder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Net {
    /// Dense layers alone.
    #[default]
    Mlp,
    /// Strided convolutions before the dense layers, and transposed ones after the decoder's.
    Conv {
        /// Channels after each convolution.
        channels: Vec<usize>,
        /// Height and width of every kernel; padded by half of it.
        #[serde(default = "three")]
        kernel: usize,
        /// By how much each convolution shrinks height and width, rounded up.
        #[serde(default = "two")]
        stride: usize,
    },
}

impl Net {
    /// The word in readable names.
    pub(crate) fn tag(&self) -> Option<&'static str> {
        match self {
            Net::Mlp => None,
            Net::Conv { .. } => Some("conv"),
        }
    }

    pub(crate) fn check(&self, checks: &mut Checks) {
        let Net::Conv { channels, kernel, stride } = self else { return };
        if channels.is_empty() || channels.len() > MAX_CONVOLUTIONS {
            let message = format!(
                "`model.net.conv.channels` must list from 1 to {MAX_CONVOLUTIONS} convolutions, found {}",
                channels.len()
            );
            checks.complain(
                "model.net.conv.channels",
                message,
                "write a list such as `[32, 64, 128]`, or use `net: mlp`",
            );
        }
        for (n, channels) in channels.iter().enumerate().take(MAX_CONVOLUTIONS) {
            checks.within(&format!("model.net.conv.channels[{n}]"), *channels, 1..=MAX_CHANNELS);
        }
        checks.within("model.net.conv.kernel", *kernel, 1..=31);
        checks.within("model.net.conv.stride", *stride, 1..=8);
        if stride > kernel {
            let message =
                format!("`stride` is `{stride}`, larger than the kernel of {kernel}: pixels would be skipped");
            checks.complain("model.net.conv.stride", message, format!("write at most {kernel}, or widen the kernel"));
        }
    }

    /// Whether images of this shape allow as many convolutions.
    pub(crate) fn check_image(&self, image: ImageShape, checks: &mut Checks) {
        let Net::Conv { channels, stride, .. } = self else { return };
        if let Err(reason) = self.sides(image.height, image.width) {
            let fits = (1..=channels.len()).rev().find(|&n| {
                let net = Net::Conv { channels: vec![1; n], kernel: 1, stride: *stride };
                net.sides(image.height, image.width).is_ok()
            });
            let hint = match fits {
                Some(n) => format!("write at most {n} convolutions, or a smaller stride"),
                None => "use `net: mlp`".to_owned(),
            };
            checks.complain("model.net.conv.channels", reason.to_string(), hint);
        }
    }

    /// Height and width of the image before the first and after each convolution: each divides by the stride, rounded up.
    ///
    /// # Errors
    /// When a convolution would see an image that is a single pixel already.
    pub fn sides(&self, height: usize, width: usize) -> Result<Vec<(usize, usize)>, TooDeep> {
        let mut sides = vec![(height, width)];
        let Net::Conv { channels, stride, .. } = self else { return Ok(sides) };
        let (mut height_now, mut width_now) = (height, width);
        for n in 0..channels.len() {
            if *stride > 1 && height_now <= 1 && width_now <= 1 {
                return Err(TooDeep { n_convolutions: channels.len(), stride: *stride, height, width, left_after: n });
            }
            (height_now, width_now) = (height_now.div_ceil(*stride), width_now.div_ceil(*stride));
            sides.push((height_now, width_now));
        }
        Ok(sides)
    }
}

/// A convolutional net is deeper than the image allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{n_convolutions} convolutions of stride {stride} are more than images of {height}×{width} pixels allow: after {left_after} of them a single pixel is left"
)]
pub struct TooDeep {
    /// Convolutions asked for.
    pub n_convolutions: usize,
    /// Their stride.
    pub stride: usize,
    /// Of the image.
    pub height: usize,
    /// Of the image.
    pub width: usize,
    /// After so many convolutions there is a single pixel.
    pub left_after: usize,
}

/// A hidden layer's nonlinearity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(0, x)
    #[default]
    Relu,
    /// tanh x
    Tanh,
    /// log(1 + eˣ)
    Softplus,
    /// h(x)·sigmoid(g(x)) with h and g linear maps of their own (Dauphin et al. 2017; Tomczak & Welling 2018).
    Gated,
}

/// How weights start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// As PyTorch's layers: weights and biases uniform in ±1/√fan_in.
    #[default]
    Pytorch,
    /// Weights uniform in ±√(6/(fan_in + fan_out)), biases zero (Glorot & Bengio 2010).
    Xavier,
}

pub(crate) fn check_hidden(hidden: &[usize], checks: &mut Checks) {
    if hidden.len() > MAX_HIDDEN_LAYERS {
        let message = format!("`model.hidden` has {} layers, more than {MAX_HIDDEN_LAYERS}", hidden.len());
        checks.complain("model.hidden", message, "give fewer widths");
    } else {
        for (n, width) in hidden.iter().enumerate() {
            checks.within(&format!("model.hidden[{n}]"), *width, 1..=MAX_HIDDEN_WIDTH);
        }
    }
}

fn two() -> usize {
    2
}

fn three() -> usize {
    3
}
