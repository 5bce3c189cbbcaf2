//! Layers along the replica axis: linear maps, convolutions, nonlinearities.

use spec::Activation;
use spec::layout::{ConvolutionShape, Width};
use tch::Tensor;

use crate::parameters::Registrar;

/// y = x·W + b for every replica; `x` is `[R, B, in]`, the result `[R, B, out]`.
#[derive(Debug)]
pub struct Linear {
    /// `[R, in, out]`
    pub weight: Tensor,
    /// `[R, 1, out]`
    pub bias: Tensor,
}

impl Linear {
    /// A linear map with freshly initialised parameters under `name`.
    pub fn new(parameters: &mut Registrar<'_>, name: &str, inputs: Width, outputs: Width) -> Linear {
        let (weight, bias) = parameters.linear(name, inputs, outputs);
        Linear { weight, bias }
    }

    /// See [`Linear`].
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.bias.baddbmm(x, &self.weight, 1.0, 1.0)
    }

    /// The same map with another weight of the same shape.
    pub fn with_weight(&self, weight: Tensor) -> Linear {
        Linear { weight, bias: self.bias.shallow_clone() }
    }
}

/// A strided convolution whose output has ⌈side/stride⌉ pixels along each side, or the transposed one that undoes this.
#[derive(Debug)]
pub struct Convolution {
    /// `[R, out, in, k, k]`; of a transposed one `[R, in, out, k, k]`.
    weight: Tensor,
    /// `[R, 1, out]`
    bias: Tensor,
    kernel: i64,
    stride: i64,
    is_transposed: bool,
    /// Height and width of the result.
    target: [i64; 2],
}

impl Convolution {
    /// A convolution with freshly initialised parameters under `name`.
    pub fn new(parameters: &mut Registrar<'_>, name: &str, shape: ConvolutionShape) -> Convolution {
        let ConvolutionShape { inputs, outputs, kernel, stride, target, is_transposed } = shape;
        let (weight, bias) = parameters.convolution(name, inputs, outputs, kernel, is_transposed);
        let target = [target.0 as i64, target.1 as i64];
        Convolution { weight, bias, kernel: kernel as i64, stride: stride as i64, is_transposed, target }
    }

    /// `x` is `[R, B, in, height, width]`, the result `[R, B, out, …target]`.
    ///
    /// One convolution for each replica: a grouped one does the same work no faster on a CPU.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let of_replica = |r: i64| {
            let (x, weight, bias) = (x.select(0, r), self.weight.select(0, r), self.bias.select(0, r).squeeze_dim(0));
            if self.is_transposed { self.enlarge(&x, &weight, &bias) } else { self.shrink(&x, &weight, &bias) }
        };
        match x.size()[0] {
            1 => of_replica(0).unsqueeze(0),
            n => Tensor::stack(&(0..n).map(of_replica).collect::<Vec<_>>(), 0),
        }
    }

    /// `padding = kernel / 2` in PyTorch for odd kernels.
    fn shrink(&self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
        let padding = (self.kernel - 1) / 2;
        let size = x.size();
        // Even kernels need one more row and column behind than before.
        let behind =
            |axis: usize| ((self.target[axis] - 1) * self.stride + self.kernel - size[axis + 2] - padding).max(padding);
        let (below, right) = (behind(0), behind(1));
        if (below, right) == (padding, padding) {
            return x.conv2d(weight, Some(bias), [self.stride; 2], [padding; 2], [1, 1], 1);
        }
        let x = x.constant_pad_nd([padding, right, padding, below]);
        x.conv2d(weight, Some(bias), [self.stride; 2], [0, 0], [1, 1], 1)
    }

    /// `padding = kernel / 2` with the `output_padding` that reaches the target in PyTorch, for odd kernels.
    fn enlarge(&self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
        let padding = (self.kernel - 1) / 2;
        let size = x.size();
        let full = |axis: usize| (size[axis + 2] - 1) * self.stride + self.kernel;
        let missing = |axis: usize| self.target[axis] - (full(axis) - 2 * padding);
        let (rows, columns) = (missing(0), missing(1));
        if [rows, columns].iter().all(|missing| (0..self.stride).contains(missing)) {
            return x.conv_transpose2d(weight, Some(bias), [self.stride; 2], [padding; 2], [rows, columns], 1, [1, 1]);
        }
        let whole = x.conv_transpose2d(weight, Some(bias), [self.stride; 2], [0, 0], [0, 0], 1, [1, 1]);
        let start = |axis: usize| padding.min(full(axis) - self.target[axis]);
        whole.narrow(2, start(0), self.target[0]).narrow(3, start(1), self.target[1])
    }
}

/// A linear map or a convolution.
#[derive(Debug)]
pub enum Map {
    /// `[R, B, in]` to `[R, B, out]`.
    Linear(Linear),
    /// `[R, B, in, height, width]` to `[R, B, out, height', width']`.
    Convolution(Convolution),
}

impl Map {
    fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Map::Linear(map) => map.forward(x),
            Map::Convolution(map) => map.forward(x),
        }
    }

    fn with_weights(&self, of: &mut dyn FnMut(&Tensor) -> Tensor) -> Map {
        match self {
            Map::Linear(map) => Map::Linear(map.with_weight(of(&map.weight))),
            Map::Convolution(map) => {
                let (weight, bias) = (of(&map.weight), map.bias.shallow_clone());
                Map::Convolution(Convolution { weight, bias, ..*map })
            }
        }
    }
}

/// What a network is a chain of.
#[derive(Debug)]
pub enum Layer {
    /// A map without a nonlinearity.
    Map(Map),
    /// A map followed by a nonlinearity.
    Activated(Map, Activation),
    /// h(x)·sigmoid(g(x)).
    Gated {
        /// h
        value: Map,
        /// g
        gate: Map,
    },
    /// To `[R, B, …]` with these axes behind.
    Reshape(Vec<i64>),
}

impl Layer {
    /// Applies the layer; see [`Map`] for shapes.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Layer::Map(map) => map.forward(x),
            Layer::Activated(map, activation) => activate(*activation, map.forward(x)),
            Layer::Gated { value, gate } => value.forward(x) * gate.forward(x).sigmoid_(),
            Layer::Reshape(axes) => {
                let size = x.size();
                x.reshape([&size[..2], axes].concat())
            }
        }
    }

    fn with_weights(&self, of: &mut dyn FnMut(&Tensor) -> Tensor) -> Layer {
        match self {
            Layer::Map(map) => Layer::Map(map.with_weights(of)),
            Layer::Activated(map, activation) => Layer::Activated(map.with_weights(of), *activation),
            Layer::Gated { value, gate } => {
                let value = value.with_weights(of);
                Layer::Gated { value, gate: gate.with_weights(of) }
            }
            Layer::Reshape(axes) => Layer::Reshape(axes.clone()),
        }
    }
}

/// In place where the derivative can be told from the result.
fn activate(activation: Activation, mut x: Tensor) -> Tensor {
    match activation {
        Activation::Relu => x.relu_(),
        Activation::Tanh => x.tanh_(),
        Activation::Softplus => x.softplus(),
        // A gate is a map of its own, see [`Layer::Gated`].
        Activation::Gated => x,
    }
}

/// Layers applied one after the other.
#[derive(Debug, Default)]
pub struct Network {
    /// In the order in which they are applied.
    pub layers: Vec<Layer>,
}

impl Network {
    /// `x` is `[R, B, in]`; with no layers, the result is `x` itself.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.layers.iter().fold(x.shallow_clone(), |x, layer| layer.forward(&x))
    }

    /// The same network with `of(weight)` in place of every weight, asked for in the order in which they were added.
    pub fn with_weights(&self, of: &mut dyn FnMut(&Tensor) -> Tensor) -> Network {
        Network { layers: self.layers.iter().map(|layer| layer.with_weights(of)).collect() }
    }
}

/// Builds a network whose layers are named as in a PyTorch `nn.Sequential`, where every nonlinearity and every change
/// of shape takes a number of its own; a gated layer is one module with the maps `h` and `g`.
#[derive(Debug)]
pub struct Builder<'a, 'p> {
    parameters: &'a mut Registrar<'p>,
    name: &'a str,
    activation: Activation,
    n: usize,
    network: Network,
}

impl<'a, 'p> Builder<'a, 'p> {
    /// An empty network whose parameters are named `name.0.weight` and so on.
    pub fn new(parameters: &'a mut Registrar<'p>, name: &'a str, activation: Activation) -> Builder<'a, 'p> {
        Builder { parameters, name, activation, n: 0, network: Network::default() }
    }

    /// A linear map, with the nonlinearity if it is a hidden layer.
    pub fn linear(&mut self, inputs: Width, outputs: Width, is_hidden: bool) {
        self.layer(is_hidden, |parameters, name| Map::Linear(Linear::new(parameters, name, inputs, outputs)));
    }

    /// A convolution, with the nonlinearity if it is a hidden layer.
    pub fn convolution(&mut self, shape: ConvolutionShape, is_hidden: bool) {
        self.layer(is_hidden, |parameters, name| Map::Convolution(Convolution::new(parameters, name, shape)));
    }

    /// A change of the axes behind `[R, B]`, with a number of its own if PyTorch's network has it too.
    pub fn reshape(&mut self, axes: &[usize], is_named: bool) {
        self.network.layers.push(Layer::Reshape(axes.iter().map(|&length| length as i64).collect()));
        self.n += usize::from(is_named);
    }

    /// The network.
    pub fn finish(self) -> Network {
        self.network
    }

    fn layer(&mut self, is_hidden: bool, map: impl Fn(&mut Registrar<'_>, &str) -> Map) {
        let name = format!("{}.{}", self.name, self.n);
        let layer = match (is_hidden, self.activation) {
            (false, _) => Layer::Map(map(self.parameters, &name)),
            (true, Activation::Gated) => {
                let value = map(self.parameters, &format!("{name}.h"));
                Layer::Gated { value, gate: map(self.parameters, &format!("{name}.g")) }
            }
            (true, activation) => Layer::Activated(map(self.parameters, &name), activation),
        };
        self.n += if matches!(layer, Layer::Activated(..)) { 2 } else { 1 };
        self.network.layers.push(layer);
    }
}
