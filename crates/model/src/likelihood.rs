//! p(x|z): minus the log-likelihood of an image given the decoder's output, in nats per image.

use tch::{Kind, Tensor};

/// −log p(x|z) with pixels Bernoulli(sigmoid(logits)): Σ softplus(l) − x·l; `logits` and `x` are `[R, B, P]`, the result
/// `[R, B]`. On gray values it is the cross-entropy, whose floor is the entropy of the gray values.
///
/// The derivative, sigmoid(l) − x, shares its sigmoid with the value, so both are computed here in few passes over the
/// pixels: softplus(l) = max(l, 0) − log max(s, 1 − s) with s = sigmoid(l), and max(s, 1 − s) = ½ + |s − ½| ≥ ½ keeps
/// the logarithm exact to an ulp for any l.
pub fn bernoulli(logits: &Tensor, x: &Tensor) -> Tensor {
    let (value, mut s) = tch::no_grad(|| {
        let s = logits.sigmoid();
        let larger = (&s - 0.5).abs_().g_add_scalar_(0.5);
        let linear = logits.relu().g_sub_(&(x * logits));
        (linear.sum_dim_intlist(-1, false, Kind::Float) - sum_of_logs(&larger), s)
    });
    if !logits.requires_grad() {
        return value;
    }
    with_derivative(value, logits, &s.g_sub_(x))
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

/// −log p(x|z) with pixels N(mean, σ²): Σ ½(x − mean)²/σ² + P(log σ + ½ log 2π); `mean` and `x` are `[R, B, P]`,
/// `sigma` `[R, 1, 1]`, the result `[R, B]`. A density: it may be negative.
pub fn gaussian(mean: &Tensor, x: &Tensor, sigma: &Tensor) -> Tensor {
    let n_pixels = x.size().last().copied().unwrap_or(0) as f64;
    let squares = (x - mean).square().sum_dim_intlist(-1, false, Kind::Float);
    let sigma = sigma.squeeze_dim(-1);
    squares / (sigma.square() * 2.0) + (sigma.log() + half_log_two_pi()) * n_pixels
}

/// −log p(x|z) with pixels N(mean, σ²) and a standard deviation for every pixel; all `[R, B, P]`, the result `[R, B]`.
pub fn gaussian_per_pixel(mean: &Tensor, x: &Tensor, sigma: &Tensor) -> Tensor {
    let per_pixel = ((x - mean) / sigma).square() * 0.5 + sigma.log() + half_log_two_pi();
    per_pixel.sum_dim_intlist(-1, false, Kind::Float)
}

fn half_log_two_pi() -> f64 {
    0.5 * (2.0 * std::f64::consts::PI).ln()
}

/// −log p(x|z) under the continuous Bernoulli (Loaiza-Ganem & Cunningham 2019): the cross-entropy minus log C per pixel,
/// where C = l / tanh(l/2) normalises the density on 0…1; `[R, B, P]` to `[R, B]`.
pub fn continuous_bernoulli(logits: &Tensor, x: &Tensor) -> Tensor {
    let (far, is_near) = away_from_zero(logits);
    let log_tanh = (far.abs() * 0.5).tanh().log();
    let square = logits.square();
    // log(l / tanh(l/2)) = log 2 + l²/12 − 7l⁴/1440 + …
    let series = &square / 12.0 - square.square() * (7.0 / 1440.0) + 2f64.ln();
    let log_normaliser = series.where_self(&is_near, &(far.abs().log() - log_tanh));
    bernoulli(logits, x) - log_normaliser.sum_dim_intlist(-1, false, Kind::Float)
}

/// The mean of a continuous Bernoulli pixel: 1/(1 − e⁻ˡ) − 1/l; of the shape of `logits`.
pub fn continuous_bernoulli_mean(logits: &Tensor) -> Tensor {
    let (far, is_near) = away_from_zero(logits);
    let mean = ((&far * 0.5).tanh().reciprocal() + 1.0) * 0.5 - far.reciprocal();
    (logits / 12.0 + 0.5).where_self(&is_near, &mean)
}

/// Draws of a continuous Bernoulli by the inverse of its distribution function; `uniform` is in 0…1 and of the shape of
/// `logits`.
pub fn continuous_bernoulli_sample(logits: &Tensor, uniform: &Tensor) -> Tensor {
    let (far, is_near) = away_from_zero(logits);
    // With positive l the roles of 0 and 1 are swapped, so that the exponential never overflows.
    let down = -far.abs();
    let inverse = (uniform * down.expm1()).log1p() / &down;
    let inverse = (-&inverse + 1.0).where_self(&far.gt(0.0), &inverse);
    uniform.where_self(&is_near, &inverse)
}

/// Logits of which those near zero, where a series is better, are replaced by 1; and which those are.
fn away_from_zero(logits: &Tensor) -> (Tensor, Tensor) {
    let is_near = logits.abs().lt(0.05);
    (logits.ones_like().where_self(&is_near, logits), is_near)
}

/// −log P(x|z) for 8-bit gray levels under a logistic with this mean, cut into 256 bins whose outer ones reach to
/// infinity (Kingma et al. 2016, §D; Salimans et al. 2017); `mean` and `x` are `[R, B, P]`, `scale` `[R, 1, 1]`.
///
/// With a and b the standardised upper and lower edges of a bin, sigmoid(a) − sigmoid(b) is
/// sigmoid(a)·sigmoid(−b)·(1 − e^{b − a}), whose logarithm is exact however far x is from the mean.
pub fn discretised_logistic(mean: &Tensor, x: &Tensor, scale: &Tensor) -> Tensor {
    let half_bin = 0.5 / 255.0;
    let centred = x - mean;
    let upper = (&centred + half_bin) / scale;
    let lower = (&centred - half_bin) / scale;
    let (up, down) = (upper.log_sigmoid(), (-lower).log_sigmoid());
    let width = -(-(scale.reciprocal() / 255.0)).expm1();
    let inner = &up + &down + width.log();
    let log_p = up.where_self(&x.lt(half_bin), &down.where_self(&x.gt(1.0 - half_bin), &inner));
    -log_p.sum_dim_intlist(-1, false, Kind::Float)
}

/// A tensor with the value `value` whose derivative by `input` is `derivative`; shapes `[R, B]`, `[R, B, P]`, `[R, B, P]`.
fn with_derivative(value: Tensor, input: &Tensor, derivative: &Tensor) -> Tensor {
    let carrier = (input * derivative).sum_dim_intlist(-1, false, Kind::Float);
    let correction = value - carrier.detach();
    carrier + correction
}

#[cfg(test)]
mod tests;
