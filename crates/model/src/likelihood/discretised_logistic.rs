//! The discretised logistic: a probability for each of 256 gray levels (Kingma et al. 2016; Salimans et al. 2017).

use tch::{Kind, Tensor};

use super::distribution::Likelihood;
use crate::parameters::{Initialiser, Registrar, Width};

/// The output is the logistic's locations; the logarithm of its scale is a parameter.
#[derive(Debug)]
pub struct DiscretisedLogistic {
    /// `[R, 1, 1]`
    log_scale: Tensor,
}

impl DiscretisedLogistic {
    /// With the scale 0.1 at first.
    pub fn new(parameters: &mut Registrar<'_>) -> DiscretisedLogistic {
        let start = Initialiser::Constant(0.1f32.ln());
        let axes = [Width::Fixed(1), Width::Fixed(1)];
        DiscretisedLogistic { log_scale: parameters.tensor("likelihood.log_scale", &axes, start) }
    }
}

impl Likelihood for DiscretisedLogistic {
    fn log_prob(&self, output: &Tensor, x: &Tensor) -> Tensor {
        log_prob(output, x, &self.log_scale.exp())
    }

    fn mean(&self, output: &Tensor) -> Tensor {
        mean(output, &self.log_scale.exp())
    }

    fn sample(&self, output: &Tensor, uniform: &Tensor) -> Tensor {
        let logistic = uniform.clamp(1e-7, 1.0 - 1e-7).logit(None::<f64>);
        ((output + logistic * self.log_scale.exp()) * 255.0).round().clamp(0.0, 255.0) / 255.0
    }
}

/// log P(x|z) of 8-bit gray levels under a logistic with this mean, cut into 256 bins whose outer ones reach to
/// infinity (Kingma et al. 2016, §D; Salimans et al. 2017); `mean` and `x` are `[R, B, P]`, `scale` `[R, 1, 1]`.
///
/// With a and b the standardised upper and lower edges of a bin, sigmoid(a) − sigmoid(b) is
/// sigmoid(a)·sigmoid(−b)·(1 − e^{b − a}), whose logarithm is exact however far x is from the mean.
fn log_prob(mean: &Tensor, x: &Tensor, scale: &Tensor) -> Tensor {
    let half_bin = 0.5 / 255.0;
    let centred = x - mean;
    let upper = (&centred + half_bin) / scale;
    let lower = (&centred - half_bin) / scale;
    let (up, down) = (upper.log_sigmoid(), (-lower).log_sigmoid());
    let width = -(-(scale.reciprocal() / 255.0)).expm1();
    let inner = &up + &down + width.log();
    let log_p = up.where_self(&x.lt(half_bin), &down.where_self(&x.gt(1.0 - half_bin), &inner));
    log_p.sum_dim_intlist(-1, false, Kind::Float)
}

/// E[x|z] of 8-bit gray levels, (1/255) Σ_{k<255} P(x > (k + ½)/255) = (1/255) Σ_{k<255} sigmoid((location − (k + ½)/255)/scale): in
/// 0…1 wherever the location is; `location` and the result are `[R, B, P]`, `scale` `[R, 1, 1]`.
///
/// The 255 terms would each stay in the graph of derivatives, so that value and derivatives are summed up beside it.
fn mean(location: &Tensor, scale: &Tensor) -> Tensor {
    let n_edges = 255;
    let edge = |k: i32| (f64::from(k) + 0.5) / 255.0;
    if !(location.requires_grad() || scale.requires_grad()) {
        let mut sum = location.zeros_like();
        for k in 0..n_edges {
            let _ = sum.g_add_(&((location - edge(k)) / scale).sigmoid_());
        }
        return sum / 255.0;
    }
    let (value, by_location, by_scale) = tch::no_grad(|| {
        let mut sums = [location.zeros_like(), location.zeros_like(), location.zeros_like()];
        for k in 0..n_edges {
            let standardised = (location - edge(k)) / scale;
            let above = standardised.sigmoid();
            let density = &above * (-&above + 1.0) / scale;
            let _ = sums[0].g_add_(&above);
            let _ = sums[1].g_add_(&density);
            let _ = sums[2].g_sub_(&(density * standardised));
        }
        let [value, by_location, by_scale] = sums.map(|sum| sum / 255.0);
        (value, by_location, by_scale)
    });
    value + (location - location.detach()) * by_location + (scale - scale.detach()) * by_scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discretised_logistic_sums_to_one_over_the_gray_levels() {
        let levels = (Tensor::arange(256, (Kind::Double, tch::Device::Cpu)) / 255.0).view([1, 256, 1]);
        for (mean, scale) in [(0.5, 0.1), (0.0, 0.002), (1.3, 0.05), (-4.0, 0.3), (0.7, 1e-3)] {
            let scale = Tensor::from_slice(&[scale]).view([1, 1, 1]);
            let log_p = log_prob(&levels.full_like(mean), &levels, &scale);
            let mass = log_p.exp().sum(Kind::Double).double_value(&[]);
            assert!((mass - 1.0).abs() < 1e-6, "mean {mean}: {mass}");
        }
    }

    /// By its definition, the sum of level times probability, from far below black to far above white and for a scale much below a
    /// level; and the derivatives by differences.
    #[test]
    fn the_mean_is_that_of_the_gray_levels() {
        let levels = (Tensor::arange(256, (Kind::Double, tch::Device::Cpu)) / 255.0).view([1, 256, 1]);
        let tensor = |value: f64| Tensor::from_slice(&[value]).view([1, 1, 1]);
        for (location, scale) in
            [(-8.7, 0.5), (-0.02, 0.02), (0.0, 1e-3), (0.43, 0.1), (0.501, 3e-4), (1.0, 0.2), (3.0, 1.0)]
        {
            let p = log_prob(&levels.full_like(location), &levels, &tensor(scale)).to_kind(Kind::Double).exp();
            let expected = (p * levels.squeeze_dim(-1)).sum(Kind::Double).double_value(&[]);
            let found = mean(&tensor(location), &tensor(scale)).double_value(&[0, 0, 0]);
            assert!((found - expected).abs() < 1e-6, "location {location}, scale {scale}: {found}, not {expected}");
            let inputs = [location, scale].map(|value| tensor(value).set_requires_grad(true));
            let with_graph = mean(&inputs[0], &inputs[1]);
            assert!((with_graph.double_value(&[0, 0, 0]) - found).abs() < 1e-12);
            let slopes = Tensor::run_backward(&[with_graph], &inputs, false, false);
            let h = scale * 1e-4;
            let at = |location: f64, scale: f64| mean(&tensor(location), &tensor(scale)).double_value(&[0, 0, 0]);
            let differences = [
                (at(location + h, scale) - at(location - h, scale)) / (2.0 * h),
                (at(location, scale + h) - at(location, scale - h)) / (2.0 * h),
            ];
            for (slope, difference) in slopes.iter().zip(differences) {
                let slope = slope.double_value(&[0, 0, 0]);
                assert!((slope - difference).abs() < 1e-5 * (1.0 + difference.abs()), "{slope} and {difference}");
            }
        }
    }

    #[test]
    fn discretised_logistic_equals_the_difference_of_two_sigmoids() {
        let x = (Tensor::arange(256, (Kind::Double, tch::Device::Cpu)) / 255.0).view([1, 256, 1]);
        let (mean, scale) = (0.4, 0.05);
        let ours = -log_prob(&x.full_like(mean), &x, &Tensor::from_slice(&[scale]).view([1, 1, 1]));
        for level in 0..256i64 {
            let sigmoid = |edge: f64| 1.0 / (1.0 + (-(edge - mean) / scale).exp());
            let centre = level as f64 / 255.0;
            let upper = if level == 255 { 1.0 } else { sigmoid(centre + 0.5 / 255.0) };
            let lower = if level == 0 { 0.0 } else { sigmoid(centre - 0.5 / 255.0) };
            let (p, ours) = (upper - lower, ours.double_value(&[0, level]));
            assert!((ours + p.ln()).abs() < 1e-6 * p.ln().abs().max(1.0), "level {level}: {ours} against {}", -p.ln());
        }
    }
}
