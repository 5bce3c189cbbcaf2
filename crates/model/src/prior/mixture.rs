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
    /// log p(z) in nats for `z` of shape `[R, N, D]`; the result is `[R, N]` in single precision.
    ///
    /// The squares are multiplied out, so that N·K densities are two matrix products and no `[R, N, K, D]` exists. That is
    /// done in double precision: z²/σ² and μ²/σ² are large where σ is small, and cancel.
    pub fn log_prob(&self, z: &Tensor, mask: &Mask) -> Tensor {
        let [z, mean, log_variance] =
            [z, &self.gaussians.mean, &self.gaussians.log_variance].map(|tensor| tensor.to_kind(Kind::Double));
        let precision = mask.apply(&(-&log_variance).exp()); // [R, K, D]
        let scaled = &mean * &precision;
        let log_two_pi = (2.0 * std::f64::consts::PI).ln();
        let constant =
            (mean * &scaled + mask.apply(&(log_variance + log_two_pi))).sum_dim_intlist(-1, false, Kind::Double);
        let squared = z.square().matmul(&precision.transpose(1, 2)) - z.matmul(&scaled.transpose(1, 2)) * 2.0;
        let per_component = (squared + constant.unsqueeze(1)) * -0.5 + &self.log_weights; // [R, N, K]
        per_component.logsumexp(-1, false).to_kind(Kind::Float)
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

    /// As the formula stands, in double precision and without multiplying out: values of `[R, N]` and their derivative by z.
    fn by_differences(prior: &Components, z: &Tensor) -> (Tensor, Tensor) {
        let double = |tensor: &Tensor| tensor.to_kind(Kind::Double);
        let z = double(z).detach().set_requires_grad(true);
        let all = DiagonalGaussian {
            mean: double(&prior.gaussians.mean).unsqueeze(1),
            log_variance: double(&prior.gaussians.log_variance).unsqueeze(1),
        };
        let per_component = all.log_prob_per_dim(&z.unsqueeze(2)).sum_dim_intlist(-1, false, Kind::Double);
        let value = (per_component + double(&prior.log_weights)).logsumexp(-1, false);
        let slope = Tensor::run_backward(&[value.sum(Kind::Double)], &[&z], false, false).remove(0);
        (value.detach(), slope)
    }

    /// Beside a component, within it, and between components; among means of the size that a trained prior has.
    #[test]
    fn narrow_components_have_their_density() {
        let (n_components, width) = (30, 20);
        let replicas = vec![Replica { seed: 3, width: width as usize }];
        let mask = Mask::new(&Parameters::new(replicas, Init::Pytorch, Device::Cpu));
        let options = (Kind::Float, Device::Cpu);
        for sigma in [1.0f64, 0.1, 0.01, 0.003, 0.001] {
            let prior = Components {
                gaussians: DiagonalGaussian {
                    mean: Tensor::randn([1, n_components, width], options) * 2.0,
                    log_variance: Tensor::full([1, n_components, width], 2.0 * sigma.ln(), options),
                },
                log_weights: Tensor::randn([1, 1, n_components], options).log_softmax(-1, Kind::Float),
            };
            let mean = &prior.gaussians.mean;
            let near = mean + Tensor::randn([1, n_components, width], options) * sigma;
            let beside = mean + Tensor::randn([1, n_components, width], options) * (5.0 * sigma);
            let z = Tensor::cat(&[near, beside], 1).set_requires_grad(true);
            let (expected, expected_slope) = by_differences(&prior, &z);
            let found = prior.log_prob(&z, &mask);
            let slope = Tensor::run_backward(&[found.sum(Kind::Float)], &[&z], false, false).remove(0);
            let error = (found - expected).abs().max().double_value(&[]);
            assert!(error < 1e-3, "σ = {sigma}: {error} nats");
            let error = (slope - &expected_slope).abs().max() / expected_slope.abs().max();
            assert!(error.double_value(&[]) < 1e-5, "σ = {sigma}: the derivative is {error} of the largest off");
        }
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
