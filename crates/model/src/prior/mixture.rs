//! Priors that are mixtures of diagonal Gaussians: learned components, or the posteriors of learned pseudo-inputs.

use tch::{Device, Kind, Tensor};

use crate::encoder::Encoder;
use crate::mask::Mask;
use crate::noise::{NoiseKey, Replica, Stream, uniforms};
use crate::parameters::{Initialiser, Parameters, Registrar, Width};
use crate::posterior::DiagonalGaussian;

/// Σ_k softmax(logits)_k N(mean_k, diag exp(log_variance_k)), all learned.
#[derive(Debug)]
pub struct Mixture {
    /// `[R, K, D]`
    mean: Tensor,
    /// `[R, K, D]`
    log_variance: Tensor,
    /// `[R, 1, K]`
    logits: Tensor,
}

/// (1/K) Σ_k q(z|u_k) with learned pseudo-inputs u (Tomczak & Welling 2018).
#[derive(Debug)]
pub struct Vamp {
    /// Clamped to 0…1 before they are encoded; `[R, K, P]`.
    pseudo_inputs: Tensor,
}

/// A mixture of diagonal Gaussians with weights, as the parameters are now.
#[derive(Debug)]
pub struct Components {
    /// `[R, K, D]`
    gaussians: DiagonalGaussian,
    /// Logarithms of the weights, `[R, 1, K]`.
    log_weights: Tensor,
}

impl Mixture {
    /// Freshly initialised.
    pub fn new(parameters: &mut Registrar<'_>, n_components: usize) -> Mixture {
        let axes = [Width::Fixed(n_components), Width::Latent];
        let mean = parameters.tensor("prior.means", &axes, Initialiser::Normal(0.0, 1.0));
        let log_variance = parameters.tensor("prior.log_variances", &axes, Initialiser::Constant(0.0));
        let axes = [Width::Fixed(1), Width::Fixed(n_components)];
        let logits = parameters.tensor("prior.logits", &axes, Initialiser::Constant(0.0));
        Mixture { mean, log_variance, logits }
    }

    /// Its components.
    pub fn components(&self) -> Components {
        let gaussians =
            DiagonalGaussian { mean: self.mean.shallow_clone(), log_variance: self.log_variance.shallow_clone() };
        Components { gaussians, log_weights: self.logits.log_softmax(-1, Kind::Float) }
    }
}

impl Vamp {
    /// Freshly initialised.
    pub fn new(parameters: &mut Registrar<'_>, n_components: usize, n_pixels: usize) -> Vamp {
        let axes = [Width::Fixed(n_components), Width::Fixed(n_pixels)];
        // As in the authors' code for binary images.
        let pseudo_inputs = parameters.tensor("prior.pseudo_inputs", &axes, Initialiser::Normal(0.05, 0.01));
        Vamp { pseudo_inputs }
    }

    /// Its components: what the encoder says about the pseudo-inputs.
    pub fn components(&self, encoder: &Encoder) -> Components {
        let q = encoder.posterior(&self.pseudo_inputs.clamp(0.0, 1.0));
        let mean = q.mean();
        let log_variance = q.log_variance().unwrap_or_else(|| mean.zeros_like());
        let gaussians = DiagonalGaussian { mean, log_variance };
        let [n_replicas, n_components] = [0, 1].map(|axis| gaussians.mean.size()[axis]);
        let log_weight = -(n_components as f64).ln();
        let log_weights =
            Tensor::full([n_replicas, 1, n_components], log_weight, (Kind::Float, gaussians.mean.device()));
        Components { gaussians, log_weights }
    }
}

impl Components {
    /// log p(z) in nats for `z` of shape `[R, N, D]`; the result is `[R, N]`.
    ///
    /// The squares are multiplied out, so that N·K densities are three matrix products and no `[R, N, K, D]` exists.
    pub fn log_prob(&self, z: &Tensor, mask: &Mask) -> Tensor {
        let DiagonalGaussian { mean, log_variance } = &self.gaussians;
        let precision = mask.apply(&(-log_variance).exp()); // [R, K, D]
        let scaled = mean * &precision;
        let log_two_pi = (2.0 * std::f64::consts::PI).ln();
        let constant =
            (mean * &scaled + mask.apply(&(log_variance + log_two_pi))).sum_dim_intlist(-1, false, Kind::Float);
        let squared = z.square().matmul(&precision.transpose(1, 2)) - z.matmul(&scaled.transpose(1, 2)) * 2.0;
        let per_component = (squared + constant.unsqueeze(1)) * -0.5 + &self.log_weights; // [R, N, K]
        per_component.logsumexp(-1, false)
    }

    /// `n` draws for every replica from its own seed; shape `[R, n, D]`, zero in the padding.
    pub fn sample(&self, n: usize, key: NoiseKey, parameters: &Parameters) -> Tensor {
        let device = parameters.device();
        let one: Vec<_> = parameters.replicas().iter().map(|replica| Replica { width: 1, ..*replica }).collect();
        let of_component = NoiseKey::new(Stream::Component, key.stream as u64, key.step);
        let uniform = uniforms(&one, n, 1, of_component, Device::Cpu).to_device(device);
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
        q.sample(&parameters.normals(n, key))
    }
}

#[cfg(test)]
mod tests {
    use spec::Init;

    use super::*;

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

    fn of_width_two() -> Parameters {
        Parameters::new(vec![Replica { seed: 3, width: 2 }], Init::Pytorch, Device::Cpu)
    }

    #[test]
    fn density_is_that_of_each_component_weighted_and_integrates_to_one() {
        let prior = components();
        let axis = (Tensor::arange(400, (Kind::Float, Device::Cpu)) - 199.5) * 0.04;
        let grid = Tensor::meshgrid(&[&axis, &axis]);
        let z = Tensor::stack(&grid, -1).view([1, -1, 2]);
        let ours = prior.log_prob(&z, &Mask::new(&of_width_two()));
        let by_component: Vec<Tensor> = (0..4)
            .map(|k| {
                let part = |all: &Tensor| all.narrow(1, k, 1);
                let q = DiagonalGaussian {
                    mean: part(&prior.gaussians.mean),
                    log_variance: part(&prior.gaussians.log_variance),
                };
                q.log_prob(&z) + prior.log_weights.select(-1, k)
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
        let n = 100_000;
        let draws = prior.sample(n, NoiseKey::new(Stream::Prior, 0, 0), &of_width_two()).to_kind(Kind::Double);
        let mean = prior.log_weights.exp().matmul(&prior.gaussians.mean).view([2]).to_kind(Kind::Double);
        let error = (draws.mean_dim(&[0i64, 1][..], false, Kind::Double) - mean).abs();
        let spread = draws.std_dim(&[0i64, 1][..], true, false) / (n as f64).sqrt();
        assert!((error / spread).max().double_value(&[]) < 5.0);
    }
}
