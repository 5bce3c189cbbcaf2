//! p(z) for Gaussian latents: standard normal, a learned mixture, or the mixture of pseudo-inputs' posteriors.

use tch::{Device, Kind, Tensor};

use crate::latent::DiagonalGaussian;
use crate::noise::{Stream, normals, uniforms};
use crate::parameters::{Parameters, Start, Width};

/// p(z) of every replica.
#[derive(Debug)]
pub enum Prior {
    /// N(0, I).
    Standard,
    /// Σ_k softmax(logits)_k N(mean_k, diag exp(log_variance_k)), all learned.
    Mixture {
        /// `[R, K, D]`
        components: DiagonalGaussian,
        /// `[R, 1, K]`
        logits: Tensor,
    },
    /// (1/K) Σ_k q(z|u_k) with learned pseudo-inputs u (Tomczak & Welling 2018).
    Vamp {
        /// Clamped to 0…1 before they are encoded; `[R, K, P]`.
        pseudo_inputs: Tensor,
    },
}

/// A mixture of diagonal Gaussians with weights, at one moment of the training.
#[derive(Debug)]
pub struct Components {
    /// `[R, K, D]`
    pub gaussians: DiagonalGaussian,
    /// Logarithms of the weights, `[R, 1, K]`.
    pub log_weights: Tensor,
}

impl Prior {
    /// The spec's prior, with its parameters.
    pub fn new(parameters: &mut Parameters, prior: spec::Prior, n_pixels: usize) -> Prior {
        match prior {
            spec::Prior::Standard => Prior::Standard,
            spec::Prior::Mixture { components } => {
                let axes = [Width::Fixed(components), Width::Latent];
                let mean = parameters.tensor("prior.means", &axes, Start::Normal(0.0, 1.0));
                let log_variance = parameters.tensor("prior.log_variances", &axes, Start::Constant(0.0));
                let axes = [Width::Fixed(1), Width::Fixed(components)];
                let logits = parameters.tensor("prior.logits", &axes, Start::Constant(0.0));
                Prior::Mixture { components: DiagonalGaussian { mean, log_variance }, logits }
            }
            spec::Prior::Vamp { components } => {
                let axes = [Width::Fixed(components), Width::Fixed(n_pixels)];
                // As in the authors' code for binary images.
                let pseudo_inputs = parameters.tensor("prior.pseudo_inputs", &axes, Start::Normal(0.05, 0.01));
                Prior::Vamp { pseudo_inputs }
            }
        }
    }

    /// The mixture's components as the parameters are now; `encode` is q(z|u) for u of shape `[R, K, P]`. `None` for the
    /// standard normal.
    pub fn components(&self, encode: impl Fn(&Tensor) -> DiagonalGaussian) -> Option<Components> {
        match self {
            Prior::Standard => None,
            Prior::Mixture { components, logits } => {
                let DiagonalGaussian { mean, log_variance } = components;
                let gaussians =
                    DiagonalGaussian { mean: mean.shallow_clone(), log_variance: log_variance.shallow_clone() };
                Some(Components { gaussians, log_weights: logits.log_softmax(-1, Kind::Float) })
            }
            Prior::Vamp { pseudo_inputs } => {
                let gaussians = encode(&pseudo_inputs.clamp(0.0, 1.0));
                let [n_replicas, n, _] = axes(&gaussians.mean);
                let log_weight = -(n as f64).ln();
                let log_weights = Tensor::full([n_replicas, 1, n], log_weight, (Kind::Float, gaussians.mean.device()));
                Some(Components { gaussians, log_weights })
            }
        }
    }
}

fn axes(tensor: &Tensor) -> [i64; 3] {
    let size = tensor.size();
    [size[0], size[1], size[2]]
}

impl Components {
    /// log p(z) in nats for `z` of shape `[R, N, D]`; the result is `[R, N]`. `mask` is 1 for a replica's own dimensions,
    /// `[R, 1, D]`.
    ///
    /// The squares are multiplied out, so that N·K densities are three matrix products and no `[R, N, K, D]` exists.
    pub fn log_density(&self, z: &Tensor, mask: &Tensor) -> Tensor {
        let DiagonalGaussian { mean, log_variance } = &self.gaussians;
        let precision = (-log_variance).exp() * mask; // [R, K, D]
        let scaled = mean * &precision;
        let log_two_pi = (2.0 * std::f64::consts::PI).ln();
        let constant = (mean * &scaled + (log_variance + log_two_pi) * mask).sum_dim_intlist(-1, false, Kind::Float);
        let squared = z.square().matmul(&precision.transpose(1, 2)) - z.matmul(&scaled.transpose(1, 2)) * 2.0;
        let per_component = (squared + constant.unsqueeze(1)) * -0.5 + &self.log_weights; // [R, N, K]
        per_component.logsumexp(-1, false)
    }

    /// `n` draws for every replica from its own seed; shape `[R, n, D]`, zero in the padding.
    pub fn sample(&self, parameters: &Parameters, n: usize, stream: Stream, step: u64) -> Tensor {
        let replicas = parameters.replicas();
        let device = parameters.device();
        let one: Vec<_> = replicas.iter().map(|replica| crate::noise::Drawer { width: 1, ..*replica }).collect();
        let uniform = uniforms(&one, n, 1, Stream::Component, stream as u64, step, Device::Cpu).to_device(device);
        let cumulative = self.log_weights.exp().cumsum(-1, Kind::Float); // [R, 1, K]
        let last = cumulative.size()[2] - 1;
        let chosen =
            uniform.gt_tensor(&cumulative).to_kind(Kind::Int64).sum_dim_intlist(-1, true, Kind::Int64).clamp_max(last);
        let padded = parameters.padded_width();
        let chosen = chosen.expand([-1, -1, padded as i64], false);
        let DiagonalGaussian { mean, log_variance } = &self.gaussians;
        let q = DiagonalGaussian {
            mean: mean.gather(1, &chosen, false),
            log_variance: log_variance.gather(1, &chosen, false),
        };
        q.sample(&normals(replicas, n, padded, stream, 0, step, device))
    }
}

#[cfg(test)]
mod tests {
    use spec::Init;

    use super::*;
    use crate::noise::Drawer;

    fn components() -> Components {
        let options = (Kind::Float, Device::Cpu);
        Components {
            gaussians: DiagonalGaussian {
                mean: Tensor::randn([1, 4, 2], options),
                log_variance: Tensor::randn([1, 4, 2], options) * 0.5 - 1.0,
            },
            log_weights: Tensor::randn([1, 1, 4], options).log_softmax(-1, Kind::Float),
        }
    }

    #[test]
    fn density_is_that_of_each_component_weighted_and_integrates_to_one() {
        let prior = components();
        let axis = (Tensor::arange(400, (Kind::Float, Device::Cpu)) - 199.5) * 0.04;
        let grid = Tensor::meshgrid(&[&axis, &axis]);
        let z = Tensor::stack(&grid, -1).view([1, -1, 2]);
        let ours = prior.log_density(&z, &Tensor::ones([1, 1, 2], (Kind::Float, Device::Cpu)));
        let by_component: Vec<Tensor> = (0..4)
            .map(|k| {
                let part = |all: &Tensor| all.narrow(1, k, 1);
                let q = DiagonalGaussian {
                    mean: part(&prior.gaussians.mean),
                    log_variance: part(&prior.gaussians.log_variance),
                };
                q.log_density(&z) + prior.log_weights.select(-1, k)
            })
            .collect();
        let textbook = Tensor::stack(&by_component, -1).logsumexp(-1, false);
        assert!((&ours - textbook).abs().max().double_value(&[]) < 1e-3);
        let mass = ours.exp().sum(Kind::Double).double_value(&[]) * 0.04 * 0.04;
        assert!((mass - 1.0).abs() < 1e-3, "{mass}");
    }

    #[test]
    fn draws_have_the_mean_of_the_mixture() {
        let prior = components();
        let parameters = Parameters::new(vec![Drawer { seed: 3, width: 2 }], Init::Pytorch, Device::Cpu);
        let n = 100_000;
        let draws = prior.sample(&parameters, n, Stream::Prior, 0).to_kind(Kind::Double);
        let mean = prior.log_weights.exp().matmul(&prior.gaussians.mean).view([2]).to_kind(Kind::Double);
        let error = (draws.mean_dim(&[0i64, 1][..], false, Kind::Double) - mean).abs();
        let spread = draws.std_dim(&[0i64, 1][..], true, false) / (n as f64).sqrt();
        assert!((error / spread).max().double_value(&[]) < 5.0);
    }
}
