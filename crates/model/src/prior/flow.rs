//! A prior that is a normalising flow: affine couplings carry z to a draw from N(0, I) (Dinh et al. 2017, Real NVP).

use tch::{Kind, Tensor};

use crate::layers::Linear;
use crate::mask::Mask;
use crate::parameters::{Registrar, Width};
use crate::posterior::DiagonalGaussian;

/// z = f_1(f_2(… f_L(u))) with u ~ N(0, I); all f are learned.
#[derive(Debug)]
pub struct Flow {
    couplings: Vec<Coupling>,
}

/// Dimensions that are kept say by how much the others are scaled and shifted: z' = z·exp(s) + t, with s in ±1.
#[derive(Debug)]
struct Coupling {
    /// 1 where a dimension is kept, 0 where it is changed: every second one; `[D]`.
    kept: Tensor,
    hidden: Linear,
    log_scale: Linear,
    shift: Linear,
}

impl Flow {
    /// Freshly initialised.
    pub fn new(parameters: &mut Registrar<'_>, n_couplings: usize, width: usize) -> Flow {
        let width = Width::Fixed(width);
        let padded = parameters.parameters().padded_width() as i64;
        let dimensions = Tensor::arange(padded, (Kind::Int64, parameters.parameters().device()));
        let coupling = |n: usize| {
            let mut linear = |name: &str, inputs: Width, outputs: Width| {
                Linear::new(parameters, &format!("prior.couplings.{n}.{name}"), inputs, outputs)
            };
            Coupling {
                kept: dimensions.remainder(2).eq(n as i64 % 2).to_kind(Kind::Float),
                hidden: linear("hidden", Width::Latent, width),
                log_scale: linear("log_scale", width, Width::Latent),
                shift: linear("shift", width, Width::Latent),
            }
        };
        Flow { couplings: (0..n_couplings).map(coupling).collect() }
    }

    /// log p(z) = log N(u; 0, I) − Σ s in nats, for `z` of shape `[R, N, D]`; the result is `[R, N]`.
    pub fn log_prob(&self, z: &Tensor, mask: &Mask) -> Tensor {
        let (u, log_scales) = self.couplings.iter().fold((z.shallow_clone(), z.zeros_like()), |(z, sum), coupling| {
            let (log_scale, shift) = coupling.log_scale_and_shift(&z, mask);
            ((z - shift) * (-&log_scale).exp(), sum + log_scale)
        });
        let standard = DiagonalGaussian { mean: u.zeros_like(), log_variance: u.zeros_like() };
        mask.sum(&(standard.log_prob_per_dim(&u) - log_scales))
    }

    /// Draws of z from draws `u` of N(0, I), `[R, n, D]`.
    pub fn sample(&self, u: &Tensor, mask: &Mask) -> Tensor {
        self.couplings.iter().rev().fold(u.shallow_clone(), |z, coupling| {
            let (log_scale, shift) = coupling.log_scale_and_shift(&z, mask);
            z * log_scale.exp() + shift
        })
    }
}

impl Coupling {
    /// s and t, `[R, N, D]`, which depend on the kept dimensions alone; zero there and in the padding.
    fn log_scale_and_shift(&self, z: &Tensor, mask: &Mask) -> (Tensor, Tensor) {
        let is_changed = mask.apply(&(-&self.kept + 1.0));
        let changed = |values: Tensor| values * &is_changed;
        let hidden = self.hidden.forward(&(z * &self.kept)).tanh();
        (changed(self.log_scale.forward(&hidden).tanh()), changed(self.shift.forward(&hidden)))
    }
}

#[cfg(test)]
mod tests {
    use spec::Init;
    use tch::Device;

    use super::*;
    use crate::noise::{NoiseKey, Replica, Stream};
    use crate::parameters::{Parameters, Part};

    /// In two dimensions, with weights that bend the density well away from a Gaussian's.
    fn bent() -> (Parameters, Flow, Mask) {
        let mut parameters = Parameters::new(vec![Replica { seed: 3, width: 2 }], Init::Pytorch, Device::Cpu);
        let flow = Flow::new(&mut parameters.of(Part::Prior), 4, 16);
        tch::no_grad(|| {
            for parameter in parameters.iter() {
                let _ = parameter.tensor.shallow_clone().g_mul_scalar_(3.0);
            }
        });
        let mask = Mask::new(&parameters);
        (parameters, flow, mask)
    }

    /// The midpoint rule over ±20 along both axes: `[1, N, 2]`, and the area of a cell.
    fn grid() -> (Tensor, f64) {
        let axis = (Tensor::arange(1600, (Kind::Float, Device::Cpu)) - 799.5) * 0.025;
        (Tensor::stack(&Tensor::meshgrid(&[&axis, &axis]), -1).view([1, -1, 2]), 0.025 * 0.025)
    }

    /// What is known of a distribution: mass, means, second moments and something that is no polynomial.
    fn functions(z: &Tensor) -> Tensor {
        let [x, y] = [0, 1].map(|d| z.select(-1, d).to_kind(Kind::Double));
        let bent = (&x * 2.0 + &y).sin();
        Tensor::stack(&[x.ones_like(), x.shallow_clone(), y.shallow_clone(), x.square(), &x * &y, bent], -1)
    }

    #[test]
    fn the_density_integrates_to_one_and_is_that_of_the_draws() {
        let (parameters, flow, mask) = bent();
        tch::no_grad(|| {
            let (z, area) = grid();
            let density = flow.log_prob(&z, &mask).to_kind(Kind::Double).exp().unsqueeze(-1) * area;
            let by_quadrature = (functions(&z) * density).sum_dim_intlist(1, false, Kind::Double).get(0);
            assert!((by_quadrature.double_value(&[0]) - 1.0).abs() < 1e-3, "{by_quadrature}");

            let n = 200_000;
            let draws = flow.sample(&parameters.normals(n, NoiseKey::new(Stream::Prior, 0, 0)), &mask);
            let of_draws = functions(&draws).get(0);
            let error = (of_draws.mean_dim(0, false, Kind::Double) - &by_quadrature).abs();
            let spread = of_draws.std_dim(0, true, false) / (n as f64).sqrt() + 1e-3;
            assert!((error / spread).max().double_value(&[]) < 5.0, "{by_quadrature}");
            // Not a standard normal by chance: the first dimension has another variance.
            let variance = by_quadrature.double_value(&[3]) - by_quadrature.double_value(&[1]).powi(2);
            assert!((variance - 1.0).abs() > 0.1, "{variance}");
        });
    }

    #[test]
    fn padding_stays_zero_and_changes_no_density() {
        let width = |width| Replica { seed: 3, width };
        let of = |replicas: Vec<Replica>| {
            let mut parameters = Parameters::new(replicas, Init::Pytorch, Device::Cpu);
            let flow = Flow::new(&mut parameters.of(Part::Prior), 3, 5);
            let mask = Mask::new(&parameters);
            let z = flow.sample(&parameters.normals(4, NoiseKey::new(Stream::Prior, 0, 0)), &mask);
            (flow.log_prob(&z, &mask).get(0), z.get(0))
        };
        let (alone, z_alone) = of(vec![width(3)]);
        let (beside, z_beside) = of(vec![width(3), width(6)]);
        assert!((alone - beside).abs().max().double_value(&[]) < 1e-5);
        assert!((z_alone - z_beside.narrow(-1, 0, 3)).abs().max().double_value(&[]) < 1e-6);
        assert_eq!(z_beside.narrow(-1, 3, 3).abs().max().double_value(&[]), 0.0);
    }
}
