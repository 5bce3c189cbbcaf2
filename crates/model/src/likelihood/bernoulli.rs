//! Binary pixels; on gray values, minus the cross-entropy.

use tch::{Kind, Tensor};

use super::distribution::Likelihood;
use crate::fused::multiply_add;

/// Pixels are Bernoulli(sigmoid(output)). On gray values −log p is the cross-entropy, whose floor is the entropy of the
/// gray values.
#[derive(Debug)]
pub struct Bernoulli;

impl Likelihood for Bernoulli {
    fn log_prob(&self, output: &Tensor, x: &Tensor) -> Tensor {
        log_prob(output, x)
    }

    fn log_prob_of_pairs(&self, output: &Tensor, x: &Tensor) -> Option<Tensor> {
        Some(log_prob_of_pairs(output, x, log_prob))
    }

    fn is_bernoulli(&self) -> bool {
        true
    }

    fn mean(&self, output: &Tensor) -> Tensor {
        output.sigmoid()
    }

    fn sample(&self, output: &Tensor, uniform: &Tensor) -> Tensor {
        uniform.lt_tensor(&output.sigmoid()).to_kind(Kind::Float)
    }
}

/// Σ x·l − softplus(l) for logits l; `logits` and `x` are `[R, B, P]`, the result `[R, B]`.
///
/// The derivative, x − sigmoid(l), shares its sigmoid with the value, so both are computed here in few passes over the
/// pixels: softplus(l) = max(l, 0) − log max(s, 1 − s) with s = sigmoid(l), and max(s, 1 − s) = ½ + |s − ½| ≥ ½ keeps
/// the logarithm exact to an ulp for any l.
pub(super) fn log_prob(logits: &Tensor, x: &Tensor) -> Tensor {
    let (value, mut s) = tch::no_grad(|| {
        let s = logits.sigmoid();
        let larger = (&s - 0.5).abs_().g_add_scalar_(0.5);
        let linear = logits.relu().g_sub_(&(x * logits));
        (sum_of_logs(&larger) - linear.sum_dim_intlist(-1, false, Kind::Float), s)
    });
    if !logits.requires_grad() {
        return value;
    }
    with_slope(value, logits, &s.g_sub_(x))
}

/// Σ x·l + A(l) of every pair of logits `[R, n, P]` and images `[R, B, P]`, where A is `log_prob` of black images; `[R, n, B]`.
pub(super) fn log_prob_of_pairs(logits: &Tensor, x: &Tensor, log_prob: fn(&Tensor, &Tensor) -> Tensor) -> Tensor {
    logits.matmul(&x.transpose(-1, -2)) + log_prob(logits, &logits.zeros_like()).unsqueeze(-1)
}

/// Σ log v over the last axis for values in ½…1: one logarithm for a product of up to a hundred values, whose smallest,
/// 2⁻¹⁰⁰, is far from underflow.
fn sum_of_logs(values: &Tensor) -> Tensor {
    let mut size = values.size();
    let n = size.pop().unwrap_or(1);
    let group = (1..=n.clamp(1, 100)).rev().find(|group| n % group == 0).unwrap_or(1);
    size.extend([n / group, group]);
    values.view(size.as_slice()).prod_dim_int(-1, false, Kind::Float).log().sum_dim_intlist(-1, false, Kind::Float)
}

/// Values that [`log_prob_of_row`] sums side by side, and blocks of them that its products run over: 2⁶⁴ is far from overflow.
const LANES: usize = 16;
const BLOCKS: usize = 64;

/// Σ x·l − softplus(l) for the logits l of one image, softplus(l) = max(l, 0) + log(1 + e^−|l|), in nats; `FUSED` where the processor
/// multiplies and adds in one instruction. To be inlined into a function that is compiled for it.
#[inline(always)]
pub(crate) fn log_prob_of_row<const FUSED: bool>(logits: &[f32], x: &[f32]) -> f32 {
    let linear = |l: f32, x: f32| multiply_add::<FUSED>(l, x, -l.max(0.0));
    let mut linears = [0f32; LANES];
    let mut total = 0f64;
    for (logits, x) in logits.chunks(LANES * BLOCKS).zip(x.chunks(LANES * BLOCKS)) {
        let (logits, last_logits) = logits.as_chunks::<LANES>();
        let (x, last_x) = x.as_chunks::<LANES>();
        let mut products = [1f32; LANES];
        for (logits, x) in logits.iter().zip(x) {
            for i in 0..LANES {
                linears[i] += linear(logits[i], x[i]);
                products[i] *= 1.0 + exp_of_minus::<FUSED>(logits[i].abs());
            }
        }
        for ((product, &l), &x) in products.iter_mut().zip(last_logits).zip(last_x) {
            total += f64::from(linear(l, x));
            *product *= 1.0 + exp_of_minus::<FUSED>(l.abs());
        }
        total -= products.iter().map(|&product| f64::from(product).ln()).sum::<f64>();
    }
    (total + linears.iter().map(|&linear| f64::from(linear)).sum::<f64>()) as f32
}

/// e^−v for v ≥ 0, to about an ulp; e^−87 for any larger v. Without a branch, so that many are computed at once: v = −n ln 2 − f with
/// a whole n and |f| ≤ ½ ln 2, and e^f by its series (Cody & Waite 1980).
#[inline(always)]
fn exp_of_minus<const FUSED: bool>(v: f32) -> f32 {
    /// Adding 1.5·2²³ rounds to a whole number, which then stands in the lowest bits.
    const TO_WHOLE: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first of which has few digits, so that its multiples are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = (-v).max(-87.0);
    let shifted = multiply_add::<FUSED>(x, std::f32::consts::LOG2_E, TO_WHOLE);
    let n = shifted - TO_WHOLE;
    let f = multiply_add::<FUSED>(n, -LN_2[1], multiply_add::<FUSED>(n, -LN_2[0], x));
    let series = [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0]
        .into_iter()
        .fold(1.0 / 720.0, |sum, coefficient| multiply_add::<FUSED>(sum, f, coefficient));
    series * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// A tensor with the value `value` that falls with `input` at the rate `slope`; shapes `[R, B]`, `[R, B, P]`, `[R, B, P]`.
fn with_slope(value: Tensor, input: &Tensor, slope: &Tensor) -> Tensor {
    let carrier = -(input * slope).sum_dim_intlist(-1, false, Kind::Float);
    let correction = value - carrier.detach();
    carrier + correction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bernoulli_equals_the_textbook_form_at_ordinary_and_extreme_logits() {
        let logits = Tensor::from_slice(&[-200f32, -30.0, -3.0, -0.1, 0.0, 0.1, 3.0, 30.0, 200.0]).view([1, 9, 1]);
        for x in [0f64, 0.3, 1.0] {
            let gray = logits.full_like(x);
            let ours = -log_prob(&logits, &gray);
            let l = logits.to_kind(Kind::Double);
            let textbook = (l.clamp_min(0.0) + (-l.abs()).exp().log1p() - &l * x).squeeze_dim(-1);
            let difference = ((ours.to_kind(Kind::Double) - &textbook).abs() / (textbook.abs() + 1.0)).max();
            assert!(difference.double_value(&[]) < 2e-7, "{}", difference.double_value(&[]));
        }
    }

    #[test]
    fn bernoulli_is_as_exact_over_many_pixels_whatever_their_number() {
        for n in [784, 787, 4096, 12_288] {
            let logits = Tensor::randn([1, 3, n], (Kind::Float, tch::Device::Cpu)) * 5.0;
            let x = Tensor::rand([1, 3, n], (Kind::Float, tch::Device::Cpu));
            let ours = (-log_prob(&logits, &x)).to_kind(Kind::Double);
            let (l, x) = (logits.to_kind(Kind::Double), x.to_kind(Kind::Double));
            let textbook =
                (l.clamp_min(0.0) + (-l.abs()).exp().log1p() - &l * x).sum_dim_intlist(-1, false, Kind::Double);
            let difference = ((ours - &textbook).abs() / textbook).max().double_value(&[]);
            assert!(difference < 1e-6, "{n} pixels: {difference}");
        }
    }

    #[test]
    fn the_density_of_a_row_is_that_of_the_tensor() {
        for n in [0usize, 1, 15, 784, 787, 1024, 1040, 4096] {
            let logits: Vec<f32> = (0..n).map(|i| ((i * 7919) % 613) as f32 * 0.2 - 60.0).collect();
            let x: Vec<f32> = (0..n).map(|i| ((i * 31) % 17) as f32 / 16.0).collect();
            let exact = |(&l, &x): (&f32, &f32)| {
                let (l, x) = (f64::from(l), f64::from(x));
                x * l - l.max(0.0) - (-l.abs()).exp().ln_1p()
            };
            let exact: f64 = logits.iter().zip(&x).map(exact).sum();
            for found in [log_prob_of_row::<true>(&logits, &x), log_prob_of_row::<false>(&logits, &x)] {
                let difference = (f64::from(found) - exact).abs() / (exact.abs() + 1.0);
                assert!(difference < 3e-7, "{n} pixels: {found} and {exact}");
            }
        }
    }

    #[test]
    fn the_exponential_is_exact_to_an_ulp_or_two() {
        for i in 0..=10_000u16 {
            let v = f32::from(i) * 0.0087;
            for found in [exp_of_minus::<true>(v), exp_of_minus::<false>(v)] {
                let exact = (-f64::from(v)).exp();
                assert!((f64::from(found) - exact).abs() < 2.5e-7 * exact, "{v}: {found} and {exact}");
            }
        }
    }

    #[test]
    fn bernoulli_has_the_derivative_autograd_finds() {
        let logits = (Tensor::randn([2, 3, 50], (Kind::Float, tch::Device::Cpu)) * 4.0).set_requires_grad(true);
        let x = Tensor::rand([2, 3, 50], (Kind::Float, tch::Device::Cpu));
        let weight = Tensor::rand([2, 3], (Kind::Float, tch::Device::Cpu));
        let ours =
            Tensor::run_backward(&[((-log_prob(&logits, &x)) * &weight).sum(Kind::Float)], &[&logits], false, false);
        let textbook = logits.binary_cross_entropy_with_logits::<Tensor>(&x, None, None, tch::Reduction::None);
        let textbook = (textbook.sum_dim_intlist(-1, false, Kind::Float) * &weight).sum(Kind::Float);
        let theirs = Tensor::run_backward(&[textbook], &[&logits], false, false);
        assert!((&ours[0] - &theirs[0]).abs().max().double_value(&[]) < 1e-6);
    }
}
