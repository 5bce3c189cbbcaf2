//! A dense decoder in plain arithmetic, with the stored weights or with weights of 8 bits.

use std::collections::BTreeMap;

use record::tensors::{Dtype, TensorFile};
use spec::layout::{Layer as Described, Map as DescribedMap};
use spec::{Activation, Cell, ImageShape, Likelihood, ModelKind};

/// A linear map y = W·x + b.
pub trait Map {
    /// y, of x.
    fn apply(&self, x: &[f64]) -> Vec<f64>;
}

/// A map as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// `[outputs, inputs]`
    pub weight: Vec<f32>,
    /// `[outputs]`
    pub bias: Vec<f32>,
}

/// A map whose weights are integers times a scale for each output.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantised {
    /// `[outputs, inputs]`, −127…127.
    pub weight: Vec<i8>,
    /// `[outputs]`
    pub scale: Vec<f32>,
    /// `[outputs]`
    pub bias: Vec<f32>,
}

/// A layer of a decoder.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer<M> {
    /// A map with the nonlinearity behind it.
    Activated(M, Activation),
    /// h(x)·sigmoid(g(x)).
    Gated {
        /// h
        value: M,
        /// g
        gate: M,
    },
    /// A map alone.
    Output(M),
}

/// How the mean of a pixel comes out of the decoder's output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mean {
    /// The sigmoid of it.
    Sigmoid,
    /// It is the output; what lies beyond 0…1 is drawn as black or white.
    Clamp,
    /// 1/(1 − e⁻ˡ) − 1/l of the output l, which is cut at ± this (Loaiza-Ganem & Cunningham 2019).
    ContinuousBernoulli(f64),
    /// (1/255) Σ_{k<255} sigmoid((output − (k + ½)/255)/s), of the scale s.
    Logistic(f64),
}

/// From z to the pixels of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoder<M> {
    /// In the order in which they are applied.
    pub layers: Vec<Layer<M>>,
    /// What is behind them.
    pub mean: Mean,
}

impl Map for Dense {
    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let row = |(row, bias): (&[f32], &f32)| {
            f64::from(*bias) + row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>()
        };
        self.weight.chunks(x.len()).zip(&self.bias).map(row).collect()
    }
}

impl Map for Quantised {
    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let row = |((row, bias), scale): ((&[i8], &f32), &f32)| {
            let sum: f64 = row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum();
            f64::from(*bias) + f64::from(*scale) * sum
        };
        self.weight.chunks(x.len()).zip(&self.bias).zip(&self.scale).map(row).collect()
    }
}

impl<M> Layer<M> {
    /// The same layer of other maps.
    pub fn map<N>(&self, of: impl Fn(&M) -> N) -> Layer<N> {
        match self {
            Layer::Activated(map, activation) => Layer::Activated(of(map), *activation),
            Layer::Gated { value, gate } => Layer::Gated { value: of(value), gate: of(gate) },
            Layer::Output(map) => Layer::Output(of(map)),
        }
    }
}

impl<M: Map> Layer<M> {
    /// What the layer makes of its inputs.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        match self {
            Layer::Activated(map, activation) => {
                map.apply(x).into_iter().map(|value| activated(*activation, value)).collect()
            }
            Layer::Gated { value, gate } => {
                value.apply(x).into_iter().zip(gate.apply(x)).map(|(value, gate)| value * sigmoid(gate)).collect()
            }
            Layer::Output(map) => map.apply(x),
        }
    }
}

impl<M: Map> Decoder<M> {
    /// The image of z, values in 0…1.
    pub fn decode(&self, z: &[f64]) -> Vec<f64> {
        let output = self.layers.iter().fold(z.to_vec(), |x, layer| layer.apply(&x));
        output.into_iter().map(|output| self.mean.of(output)).collect()
    }
}

impl Decoder<Dense> {
    /// The decoder, or generator, of a finished run.
    ///
    /// Errors say why there is none: the model has no dense one, or the file does not hold it.
    pub fn read(cell: &Cell, image: ImageShape, file: &TensorFile) -> Result<Decoder<Dense>, String> {
        let model = &cell.model;
        let chain = model.layout(image).ok().and_then(|layout| layout.decoder).ok_or("it has no decoder")?;
        let stored: BTreeMap<&str, _> = file.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let numbers = |name: &str, n: usize| {
            let tensor = stored.get(name).filter(|tensor| tensor.dtype == Dtype::F32 && tensor.bytes.len() == 4 * n);
            let tensor = tensor.ok_or_else(|| format!("its file has no `{name}` of {n} numbers"))?;
            Ok::<_, String>(tensor.bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
        };
        let is_gan = matches!(model.kind, ModelKind::Gan { .. });
        let network = if is_gan { "generator" } else { "decoder" };
        let mut layers = Vec::new();
        // As in PyTorch's `nn.Sequential`, a nonlinearity takes a number of its own; a gated layer is one module.
        let mut n = 0;
        for layer in &chain.layers {
            let (Described::Hidden(map) | Described::Output(map)) = layer else { return Err("it is not dense".into()) };
            let DescribedMap::Linear { inputs, outputs } = *map else { return Err("it is convolutional".into()) };
            let [inputs, outputs] = [inputs, outputs].map(|width| width.of(model.latent_dim));
            let dense = |part: &str| -> Result<Dense, String> {
                Ok(Dense {
                    weight: numbers(&format!("{network}.{n}{part}.weight"), inputs * outputs)?,
                    bias: numbers(&format!("{network}.{n}{part}.bias"), outputs)?,
                })
            };
            let (layer, modules) = match (layer, model.activation) {
                (Described::Hidden(_), Activation::Gated) => {
                    (Layer::Gated { value: dense(".h")?, gate: dense(".g")? }, 1)
                }
                (Described::Hidden(_), activation) => (Layer::Activated(dense("")?, activation), 2),
                (Described::Output(_) | Described::Reshape { .. }, _) => {
                    // Behind the means there may be standard deviations.
                    let Dense { mut weight, mut bias } = dense("")?;
                    weight.truncate(image.n_pixels() * inputs);
                    bias.truncate(image.n_pixels());
                    (Layer::Output(Dense { weight, bias }), 1)
                }
            };
            layers.push(layer);
            n += modules;
        }
        let mean = match model.likelihood {
            _ if is_gan => Mean::Sigmoid,
            Likelihood::Bernoulli => Mean::Sigmoid,
            Likelihood::ContinuousBernoulli { clip } => Mean::ContinuousBernoulli(((1.0 - clip) / clip).ln()),
            Likelihood::Gaussian { .. }
            | Likelihood::Laplace { .. }
            | Likelihood::GaussianShared { .. }
            | Likelihood::GaussianPerPixel { .. }
            | Likelihood::GaussianSpectral { .. } => Mean::Clamp,
            Likelihood::DiscretisedLogistic => {
                let log_scale: Vec<f32> = numbers("likelihood.log_scale", 1)?;
                Mean::Logistic(log_scale.iter().map(|log| f64::from(*log).exp()).sum())
            }
        };
        Ok(Decoder { layers, mean })
    }
}

impl Mean {
    fn of(self, output: f64) -> f64 {
        match self {
            Mean::Sigmoid => sigmoid(output),
            Mean::Clamp => output.clamp(0.0, 1.0),
            Mean::ContinuousBernoulli(largest) => {
                let logit = output.clamp(-largest, largest);
                // The series is exact to 1e-8 here, where the formula subtracts large numbers.
                if logit.abs() < 0.05 { 0.5 + logit / 12.0 } else { -1.0 / (-logit).exp_m1() - 1.0 / logit }
            }
            Mean::Logistic(scale) => {
                let above = |k: u32| sigmoid((output - (f64::from(k) + 0.5) / 255.0) / scale);
                (0..255).map(above).sum::<f64>() / 255.0
            }
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn activated(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Tanh => x.tanh(),
        Activation::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        // A gate is a map of its own, see [`Layer::Gated`].
        Activation::Gated => x,
    }
}
