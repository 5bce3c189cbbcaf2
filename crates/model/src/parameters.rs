//! The parameters of a cohort: named as a PyTorch user expects, initialised per replica, padded along the latent width.

use rand::RngExt;
use tch::{Device, Tensor};

use crate::noise::{Drawer, Stream, generator};

/// An axis of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// The same in every replica.
    Fixed(usize),
    /// The latent width: each replica's own, padded to the cohort's widest.
    Latent,
}

impl Width {
    fn of(self, latent: usize) -> usize {
        match self {
            Width::Fixed(width) => width,
            Width::Latent => latent,
        }
    }
}

/// A named parameter of one linear map.
#[derive(Debug)]
pub struct Parameter {
    /// PyTorch's name, such as `encoder.0.weight`.
    pub name: String,
    /// `[R, in, out]` for a weight, `[R, 1, out]` for a bias.
    pub tensor: Tensor,
    /// Inputs of the linear map; `None` for a bias.
    inputs: Option<Width>,
    outputs: Width,
}

/// Every parameter of a cohort, in a fixed order.
#[derive(Debug)]
pub struct Parameters {
    replicas: Vec<Drawer>,
    padded: usize,
    device: Device,
    list: Vec<Parameter>,
}

/// A parameter of one replica in PyTorch's layout: a weight is `[out, in]`, a bias `[out]`.
#[derive(Debug)]
pub struct Exported {
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
    pub fn new(replicas: Vec<Drawer>, device: Device) -> Parameters {
        let padded = replicas.iter().map(|replica| replica.width).max().unwrap_or(0);
        Parameters { replicas, padded, device, list: Vec::new() }
    }

    /// The replicas' seeds and latent widths.
    pub fn replicas(&self) -> &[Drawer] {
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

    /// Add a linear map's weight and bias under `name`, initialised as PyTorch's `nn.Linear`: both uniform in
    /// ±1/√fan_in, each replica from its own seed and of its own width, zero in the padding.
    ///
    /// Zero padding stays zero: what a padded latent adds to any term, and so its derivative, is exactly zero.
    pub fn linear(&mut self, name: &str, inputs: Width, outputs: Width) -> crate::layers::Linear {
        let weight = self.add(format!("{name}.weight"), Some(inputs), outputs, inputs);
        let bias = self.add(format!("{name}.bias"), None, outputs, inputs);
        crate::layers::Linear { weight, bias }
    }

    fn add(&mut self, name: String, inputs: Option<Width>, outputs: Width, fan_in: Width) -> Tensor {
        let padded_in = inputs.map_or(1, |width| width.of(self.padded));
        let padded_out = outputs.of(self.padded);
        let mut values = vec![0f32; self.replicas.len() * padded_in * padded_out];
        for (replica, block) in self.replicas.iter().zip(values.chunks_exact_mut(padded_in * padded_out)) {
            let bound = 1.0 / (fan_in.of(replica.width) as f32).sqrt();
            let mut generator = generator(replica.seed, Stream::Weights, self.list.len() as u64, 0);
            for row in block.chunks_exact_mut(padded_out).take(inputs.map_or(1, |width| width.of(replica.width))) {
                for value in &mut row[..outputs.of(replica.width)] {
                    *value = generator.random_range(-bound..bound);
                }
            }
        }
        let shape = [self.replicas.len() as i64, padded_in as i64, padded_out as i64];
        let tensor = Tensor::from_slice(&values).view(shape).to_device(self.device).set_requires_grad(true);
        self.list.push(Parameter { name, tensor: tensor.shallow_clone(), inputs, outputs });
        tensor
    }

    /// One replica's parameters in PyTorch's layout.
    pub fn export(&self, replica: usize) -> Vec<Exported> {
        let own: Vec<_> = self.list.iter().map(|parameter| &parameter.tensor).collect();
        self.export_of(&own, replica)
    }

    /// As [`Parameters::export`], of other tensors with the parameters' shapes and order, such as an optimizer's moments.
    pub fn export_of(&self, tensors: &[&Tensor], replica: usize) -> Vec<Exported> {
        self.list
            .iter()
            .zip(tensors)
            .map(|(parameter, tensor)| {
                let tensor = self.own_part(parameter, tensor, replica).detach();
                let tensor = if parameter.inputs.is_some() { tensor.transpose(0, 1) } else { tensor.squeeze_dim(0) };
                Exported { name: parameter.name.clone(), tensor: tensor.contiguous().to_device(Device::Cpu) }
            })
            .collect()
    }

    /// Set one replica's parameters from tensors in PyTorch's layout, such as [`Parameters::export`] gives.
    ///
    /// Errors when a parameter is missing or has another shape; then nothing has changed.
    pub fn import(&self, replica: usize, given: &[Exported]) -> Result<(), ModelError> {
        let own: Vec<_> = self.list.iter().map(|parameter| &parameter.tensor).collect();
        self.import_into(&own, replica, given)
    }

    /// As [`Parameters::import`], into other tensors with the parameters' shapes and order.
    pub fn import_into(&self, tensors: &[&Tensor], replica: usize, given: &[Exported]) -> Result<(), ModelError> {
        let latent = self.replicas[replica].width;
        let mut found = Vec::new();
        for parameter in &self.list {
            let source =
                given.iter().find(|source| source.name == parameter.name).ok_or_else(|| ModelError::Missing {
                    name: parameter.name.clone(),
                    expected: self.list.iter().map(|p| format!("`{}`", p.name)).collect::<Vec<_>>().join(", "),
                })?;
            let mut expected = vec![parameter.outputs.of(latent) as i64];
            expected.extend(parameter.inputs.map(|width| width.of(latent) as i64));
            if source.tensor.size() != expected {
                return Err(ModelError::Shape { name: parameter.name.clone(), found: source.tensor.size(), expected });
            }
            found.push(source);
        }
        tch::no_grad(|| {
            for ((parameter, tensor), source) in self.list.iter().zip(tensors).zip(found) {
                let source = match parameter.inputs {
                    Some(_) => source.tensor.transpose(0, 1),
                    None => source.tensor.unsqueeze(0),
                };
                self.own_part(parameter, tensor, replica).copy_(&source);
            }
        });
        Ok(())
    }

    /// The view `[in, out]` of a parameter that belongs to one replica, without its padding.
    fn own_part(&self, parameter: &Parameter, tensor: &Tensor, replica: usize) -> Tensor {
        let latent = self.replicas[replica].width;
        let inputs = parameter.inputs.map_or(1, |width| width.of(latent));
        tensor.select(0, replica as i64).narrow(0, 0, inputs as i64).narrow(1, 0, parameter.outputs.of(latent) as i64)
    }
}
