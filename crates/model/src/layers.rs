//! Layers along the replica axis: linear maps and the multilayer perceptron.

use spec::Activation;
use tch::Tensor;

/// y = x·W + b for every replica; `x` is `[R, B, in]`, the result `[R, B, out]`.
#[derive(Debug)]
pub struct Linear {
    /// `[R, in, out]`
    pub weight: Tensor,
    /// `[R, 1, out]`
    pub bias: Tensor,
}

impl Linear {
    /// See [`Linear`].
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.bias.baddbmm(x, &self.weight, 1.0, 1.0)
    }
}

/// Linear layers with the nonlinearity after each but, unless `activate_last`, the last.
#[derive(Debug)]
pub struct Mlp {
    /// In the order in which they are applied.
    pub layers: Vec<Linear>,
    /// The nonlinearity.
    pub activation: Activation,
    /// Whether the last layer is followed by the nonlinearity too.
    pub activate_last: bool,
}

impl Mlp {
    /// `x` is `[R, B, in]`, the result `[R, B, out]`; with no layers, `x` itself.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let mut h = x.shallow_clone();
        for (i, layer) in self.layers.iter().enumerate() {
            h = layer.forward(&h);
            if self.activate_last || i + 1 < self.layers.len() {
                h = activate(self.activation, h);
            }
        }
        h
    }
}

/// In place where the derivative can be told from the result.
fn activate(activation: Activation, mut x: Tensor) -> Tensor {
    match activation {
        Activation::Relu => x.relu_(),
        Activation::Tanh => x.tanh_(),
        Activation::Softplus => x.softplus(),
    }
}
