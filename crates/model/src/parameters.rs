//! The parameters of a cohort: named as a PyTorch user expects, initialised per replica, padded along the latent width.

use spec::Init;
pub use spec::layout::Width;
use tch::{Device, Tensor};

use crate::noise::{self, NoiseKey, Replica, Stream};

/// The part of a model that a parameter belongs to: losses say by it which parameters they train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// q(z|x).
    Encoder,
    /// The network from z to images; a GAN's generator.
    Decoder,
    /// What p(x|z) has of its own beside the decoder's network.
    Likelihood,
    /// p(z).
    Prior,
    /// What tells data from what was made.
    Discriminator,
}

/// How a tensor's axes are those of PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TorchLayout {
    /// `[R, in, out]` here, `[out, in]` there: a linear map's weight.
    Transposed,
    /// `[R, 1, n]` here, `[n]` there: a bias.
    Row,
    /// The same but for the replica axis.
    Same,
}

/// A named tensor of the model with the replicas along its leading axis.
#[derive(Debug)]
pub struct Parameter {
    /// PyTorch's name, such as `encoder.0.weight`.
    pub name: String,
    /// `[R, in, out]` for a linear map's weight, `[R, 1, out]` for a bias.
    pub tensor: Tensor,
    /// Whether the optimizer changes it; what is not trained is kept with the rest, as PyTorch's buffers are.
    pub is_trained: bool,
    /// The part of the model it belongs to.
    pub part: Part,
    layout: TorchLayout,
    /// The axes behind the replicas'.
    axes: Vec<Width>,
}

/// The initial values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initialiser {
    /// Everywhere this value.
    Constant(f32),
    /// Uniform in ±bound, which may depend on the replica's own widths: 1/√fan_in.
    FanIn(Width),
    /// Uniform in ±√(6/(fan_in + fan_out)).
    Xavier(Width, Width),
    /// Normal with this mean and standard deviation.
    Normal(f32, f32),
}

impl Initialiser {
    fn draw(self, latent: usize, generator: &mut impl rand::Rng) -> f32 {
        let uniform = |generator: &mut _, bound: f32| -> f32 { rand::RngExt::random_range(generator, -bound..bound) };
        match self {
            Initialiser::Constant(value) => value,
            Initialiser::FanIn(fan_in) => uniform(generator, 1.0 / (fan_in.of(latent) as f32).sqrt()),
            Initialiser::Xavier(fan_in, fan_out) => {
                uniform(generator, (6.0 / (fan_in.of(latent) + fan_out.of(latent)) as f32).sqrt())
            }
            Initialiser::Normal(mean, deviation) => {
                let draw: f32 = rand::RngExt::sample(generator, rand_distr::StandardNormal);
                mean + deviation * draw
            }
        }
    }
}

/// Every parameter of a cohort, in a fixed order.
#[derive(Debug)]
pub struct Parameters {
    replicas: Vec<Replica>,
    padded: usize,
    device: Device,
    init: Init,
    list: Vec<Parameter>,
}

/// Adds the parameters of one part of a model.
#[derive(Debug)]
pub struct Registrar<'a> {
    parameters: &'a mut Parameters,
    part: Part,
}

/// A tensor that is kept with the parameters but not trained, such as a running mean.
#[derive(Debug)]
pub struct Buffer {
    index: usize,
    /// As it is now, `[R, …]`.
    pub tensor: Tensor,
}

/// What a training step changes beside the trained parameters: a buffer's next value.
#[derive(Debug)]
pub struct BufferUpdate {
    index: usize,
    value: Tensor,
}

impl Buffer {
    /// This buffer with another value of its shape.
    pub fn next(&self, value: Tensor) -> BufferUpdate {
        BufferUpdate { index: self.index, value }
    }
}

/// A named tensor of one replica in PyTorch's layout: a weight is `[out, in]`, a bias `[out]`.
#[derive(Debug)]
pub struct NamedTensor {
    /// PyTorch's name.
    pub name: String,
    /// Contiguous, on the CPU, without padding.
    pub tensor: Tensor,
}

/// What can be wrong with weights that come from outside.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A parameter is absent.
    #[error("parameter `{name}` is missing\nhint: the model's parameters are {expected}")]
    Missing {
        /// The parameter.
        name: String,
        /// All names.
        expected: String,
    },
    /// A parameter's shape is not the model's.
    #[error(
        "parameter `{name}` has shape {found:?}, and the model's is {expected:?}\nhint: weights are [out, in]; are they of a model with other widths?"
    )]
    Shape {
        /// The parameter.
        name: String,
        /// As given.
        found: Vec<i64>,
        /// As it must be.
        expected: Vec<i64>,
    },
}

impl Parameters {
    /// No parameters yet, for replicas with these seeds and latent widths.
    pub fn new(replicas: Vec<Replica>, init: Init, device: Device) -> Parameters {
        let padded = replicas.iter().map(|replica| replica.width).max().unwrap_or(0);
        Parameters { replicas, padded, device, init, list: Vec::new() }
    }

    /// The replicas' seeds and latent widths.
    pub fn replicas(&self) -> &[Replica] {
        &self.replicas
    }

    /// The widest replica's latent width.
    pub fn padded_width(&self) -> usize {
        self.padded
    }

    /// All parameters, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.list.iter()
    }

    /// Indices, in the order of [`Parameters::iter`], of the trained parameters of the parts for which `wanted` holds.
    pub fn trained(&self, wanted: impl Fn(Part) -> bool) -> Vec<usize> {
        let chosen = |parameter: &Parameter| parameter.is_trained && wanted(parameter.part);
        self.list.iter().enumerate().filter(|(_, parameter)| chosen(parameter)).map(|(i, _)| i).collect()
    }

    /// Where the tensors live.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Standard normal draws of latents, each replica from its own seed; `[R, n, D]`, zero in the padding.
    pub fn normals(&self, n: usize, key: NoiseKey) -> Tensor {
        noise::normals(&self.replicas, n, self.padded, key, self.device)
    }

    /// Draws uniform in 0…1, likewise.
    pub fn uniforms(&self, n: usize, key: NoiseKey) -> Tensor {
        noise::uniforms(&self.replicas, n, self.padded, key, self.device)
    }

    /// To add the parameters of one part of the model.
    pub fn of(&mut self, part: Part) -> Registrar<'_> {
        Registrar { parameters: self, part }
    }

    /// Sets buffers to their next values, as a training step says.
    pub fn update(&mut self, updates: &[BufferUpdate]) {
        tch::no_grad(|| {
            for BufferUpdate { index, value } in updates {
                self.list[*index].tensor.copy_(value);
            }
        });
    }

    /// One replica's parameters in PyTorch's layout.
    pub fn export(&self, replica: usize) -> Vec<NamedTensor> {
        let own: Vec<_> = self.list.iter().map(|parameter| &parameter.tensor).collect();
        self.export_of(&own, replica)
    }

    /// As [`Parameters::export`], of other tensors with the parameters' shapes and order, such as an optimizer's moments.
    pub fn export_of(&self, tensors: &[&Tensor], replica: usize) -> Vec<NamedTensor> {
        self.list
            .iter()
            .zip(tensors)
            .map(|(parameter, tensor)| {
                let tensor = self.own_part(parameter, tensor, replica).detach();
                let tensor = match parameter.layout {
                    TorchLayout::Transposed => tensor.transpose(0, 1),
                    TorchLayout::Row => tensor.squeeze_dim(0),
                    TorchLayout::Same => tensor,
                };
                NamedTensor { name: parameter.name.clone(), tensor: tensor.contiguous().to_device(Device::Cpu) }
            })
            .collect()
    }

    /// Set one replica's parameters from tensors in PyTorch's layout, such as [`Parameters::export`] gives.
    ///
    /// Errors when a parameter is missing or has another shape; then nothing has changed.
    pub fn import(&self, replica: usize, given: &[NamedTensor]) -> Result<(), ModelError> {
        let own: Vec<_> = self.list.iter().map(|parameter| &parameter.tensor).collect();
        self.import_into(&own, replica, given)
    }

    /// As [`Parameters::import`], into other tensors with the parameters' shapes and order.
    pub fn import_into(&self, tensors: &[&Tensor], replica: usize, given: &[NamedTensor]) -> Result<(), ModelError> {
        let latent = self.replicas[replica].width;
        let mut found = Vec::new();
        for parameter in &self.list {
            let source =
                given.iter().find(|source| source.name == parameter.name).ok_or_else(|| ModelError::Missing {
                    name: parameter.name.clone(),
                    expected: self.list.iter().map(|p| format!("`{}`", p.name)).collect::<Vec<_>>().join(", "),
                })?;
            let mut expected: Vec<i64> = parameter.axes.iter().map(|axis| axis.of(latent) as i64).collect();
            match parameter.layout {
                TorchLayout::Transposed => expected.reverse(),
                TorchLayout::Row => drop(expected.remove(0)),
                TorchLayout::Same => {}
            }
            if source.tensor.size() != expected {
                return Err(ModelError::Shape { name: parameter.name.clone(), found: source.tensor.size(), expected });
            }
            found.push(source);
        }
        tch::no_grad(|| {
            for ((parameter, tensor), source) in self.list.iter().zip(tensors).zip(found) {
                let source = match parameter.layout {
                    TorchLayout::Transposed => source.tensor.transpose(0, 1),
                    TorchLayout::Row => source.tensor.unsqueeze(0),
                    TorchLayout::Same => source.tensor.shallow_clone(),
                };
                self.own_part(parameter, tensor, replica).copy_(&source);
            }
        });
        Ok(())
    }

    /// The view of a parameter that belongs to one replica, without the replica axis and without padding.
    fn own_part(&self, parameter: &Parameter, tensor: &Tensor, replica: usize) -> Tensor {
        let latent = self.replicas[replica].width;
        let whole = tensor.select(0, replica as i64);
        (0i64..).zip(&parameter.axes).fold(whole, |part, (axis, width)| part.narrow(axis, 0, width.of(latent) as i64))
    }
}

impl Registrar<'_> {
    /// All parameters that are there already.
    pub fn parameters(&self) -> &Parameters {
        self.parameters
    }

    /// Add a linear map's weight, `[R, in, out]`, and bias, `[R, 1, out]`, under `name`, each replica from its own seed and of
    /// its own width, zero in the padding.
    ///
    /// Zero padding stays zero: what a padded latent adds to any term, and so its derivative, is exactly zero.
    pub fn linear(&mut self, name: &str, inputs: Width, outputs: Width) -> (Tensor, Tensor) {
        let (weight, bias) = self.starts(inputs, outputs, inputs);
        let weight = self.add(format!("{name}.weight"), TorchLayout::Transposed, vec![inputs, outputs], weight, true);
        let bias = self.add(format!("{name}.bias"), TorchLayout::Row, vec![Width::Fixed(1), outputs], bias, true);
        (weight.tensor, bias.tensor)
    }

    /// Add a convolution's weight, `[R, out, in, k, k]`, and bias, `[R, 1, out]`; a transposed one's weight is
    /// `[R, in, out, k, k]`, as in PyTorch.
    pub fn convolution(
        &mut self,
        name: &str,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        is_transposed: bool,
    ) -> (Tensor, Tensor) {
        let area = kernel * kernel;
        let (first, second) = if is_transposed { (inputs, outputs) } else { (outputs, inputs) };
        // PyTorch takes the fan-in from the weight's second axis, for transposed convolutions too.
        let (weight, bias) =
            self.starts(Width::Fixed(inputs * area), Width::Fixed(outputs * area), Width::Fixed(second * area));
        let axes = [first, second, kernel, kernel].map(Width::Fixed).to_vec();
        let weight = self.add(format!("{name}.weight"), TorchLayout::Same, axes, weight, true);
        let axes = vec![Width::Fixed(1), Width::Fixed(outputs)];
        let bias = self.add(format!("{name}.bias"), TorchLayout::Row, axes, bias, true);
        (weight.tensor, bias.tensor)
    }

    /// Add a tensor of any other kind, `[R, …axes]`; its layout in PyTorch is the same without the replica axis.
    pub fn tensor(&mut self, name: &str, axes: &[Width], start: Initialiser) -> Tensor {
        self.add(name.to_owned(), TorchLayout::Same, axes.to_vec(), start, true).tensor
    }

    /// Add what is kept with the parameters but not trained.
    pub fn buffer(&mut self, name: &str, axes: &[Width], start: Initialiser) -> Buffer {
        self.add(name.to_owned(), TorchLayout::Same, axes.to_vec(), start, false)
    }

    /// How a layer's weight and bias start.
    fn starts(&self, fan_in: Width, fan_out: Width, pytorch_fan_in: Width) -> (Initialiser, Initialiser) {
        match self.parameters.init {
            Init::Pytorch => (Initialiser::FanIn(pytorch_fan_in), Initialiser::FanIn(pytorch_fan_in)),
            Init::Xavier => (Initialiser::Xavier(fan_in, fan_out), Initialiser::Constant(0.0)),
        }
    }

    fn add(
        &mut self,
        name: String,
        layout: TorchLayout,
        axes: Vec<Width>,
        start: Initialiser,
        is_trained: bool,
    ) -> Buffer {
        let Parameters { replicas, padded, device, list, .. } = &mut *self.parameters;
        let padded: Vec<usize> = axes.iter().map(|axis| axis.of(*padded)).collect();
        let n = padded.iter().product::<usize>();
        let mut values = vec![0f32; replicas.len() * n];
        for (replica, block) in replicas.iter().zip(values.chunks_exact_mut(n.max(1))) {
            let own: Vec<usize> = axes.iter().map(|axis| axis.of(replica.width)).collect();
            let mut generator = NoiseKey::new(Stream::Weights, list.len() as u64, 0).generator(replica.seed);
            let row = padded.last().copied().unwrap_or(1);
            for (i, row) in block.chunks_exact_mut(row.max(1)).enumerate() {
                if is_own_row(i, &padded, &own) {
                    for value in &mut row[..own.last().copied().unwrap_or(1)] {
                        *value = start.draw(replica.width, &mut generator);
                    }
                }
            }
        }
        let shape: Vec<i64> = [replicas.len()].iter().chain(&padded).map(|&length| length as i64).collect();
        let tensor = Tensor::from_slice(&values).view(shape.as_slice()).to_device(*device);
        let tensor = tensor.set_requires_grad(is_trained);
        list.push(Parameter { name, tensor: tensor.shallow_clone(), is_trained, part: self.part, layout, axes });
        Buffer { index: list.len() - 1, tensor }
    }
}

/// Whether row `i` of a tensor of shape `padded` (all axes but the last counted together) lies within the shape `own`.
fn is_own_row(mut i: usize, padded: &[usize], own: &[usize]) -> bool {
    let n = padded.len().saturating_sub(1);
    padded[..n].iter().zip(own).rev().all(|(&length, &own)| {
        let index = i % length.max(1);
        i /= length.max(1);
        index < own
    })
}
