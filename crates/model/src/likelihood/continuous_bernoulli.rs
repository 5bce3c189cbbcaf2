//! The continuous Bernoulli, a density on 0…1 (Loaiza-Ganem & Cunningham 2019).

use tch::{Kind, Tensor};

use super::bernoulli;
use super::distribution::Likelihood;

/// The density of a pixel is proportional to λˣ(1 − λ)¹⁻ˣ on 0…1, with λ = sigmoid(output), clipped.
///
/// Where pixels are exactly 0 or 1 the density has no bound: it grows with the logit for ever. The authors' code clips λ to 1e-4 …
/// 1 − 1e-4, which allows 2.22 nats a pixel.
#[derive(Debug)]
pub struct ContinuousBernoulli {
    /// The logit of the largest λ.
    largest: f64,
}

impl ContinuousBernoulli {
    /// With λ in `clip` … 1 − `clip`; 0 does not clip.
    pub fn new(clip: f64) -> ContinuousBernoulli {
        ContinuousBernoulli { largest: ((1.0 - clip) / clip).ln() }
    }

    fn logits(&self, output: &Tensor) -> Tensor {
        if self.largest.is_finite() { output.clamp(-self.largest, self.largest) } else { output.shallow_clone() }
    }
}

impl Likelihood for ContinuousBernoulli {
    fn log_prob(&self, output: &Tensor, x: &Tensor) -> Tensor {
        log_prob(&self.logits(output), x)
    }

    fn log_prob_of_pairs(&self, output: &Tensor, x: &Tensor) -> Option<Tensor> {
        Some(bernoulli::log_prob_of_pairs(&self.logits(output), x, log_prob))
    }

    fn mean(&self, output: &Tensor) -> Tensor {
        mean(&self.logits(output))
    }

    fn sample(&self, output: &Tensor, uniform: &Tensor) -> Tensor {
        sample(&self.logits(output), uniform)
    }
}

/// log C − cross-entropy, summed over pixels, where C = l / tanh(l/2) normalises the density on 0…1; `[R, B, P]` to `[R, B]`.
fn log_prob(logits: &Tensor, x: &Tensor) -> Tensor {
    let (far, is_near) = away_from_zero(logits, SERIES);
    let log_tanh = (far.abs() * 0.5).tanh().log();
    let square = logits.square();
    // log(l / tanh(l/2)) = log 2 + l²/12 − 7l⁴/1440 + …
    let series = &square / 12.0 - square.square() * (7.0 / 1440.0) + 2f64.ln();
    let log_normaliser = series.where_self(&is_near, &(far.abs().log() - log_tanh));
    bernoulli::log_prob(logits, x) + log_normaliser.sum_dim_intlist(-1, false, Kind::Float)
}

/// The mean of a continuous Bernoulli pixel: 1/(1 − e⁻ˡ) − 1/l; of the shape of `logits`.
fn mean(logits: &Tensor) -> Tensor {
    let (far, is_near) = away_from_zero(logits, SERIES);
    let mean = ((&far * 0.5).tanh().reciprocal() + 1.0) * 0.5 - far.reciprocal();
    (logits / 12.0 + 0.5).where_self(&is_near, &mean)
}

/// Draws of a continuous Bernoulli by the inverse of its distribution function, log(1 + u·(eˡ − 1))/l; `uniform` is in 0…1 and of the
/// shape of `logits`.
fn sample(logits: &Tensor, uniform: &Tensor) -> Tensor {
    let (far, is_near) = away_from_zero(logits, NEARLY_UNIFORM);
    // With positive l the roles of 0 and 1 are swapped, so that the exponential never overflows.
    let down = -far.abs();
    let inverse = (uniform * down.expm1()).log1p() / &down;
    let inverse = (-&inverse + 1.0).where_self(&far.gt(0.0), &inverse);
    // u + l·u(1 − u)/2 + …
    let series = uniform + logits * uniform * (-uniform + 1.0) * 0.5;
    series.where_self(&is_near, &inverse)
}

/// Logits nearer to zero have a normaliser and a mean by their series.
const SERIES: f64 = 0.05;
/// Logits nearer to zero have draws by their series.
const NEARLY_UNIFORM: f64 = 1e-4;

/// Logits of which those nearer to zero than `distance`, where a series is better, are replaced by 1; and which those are.
fn away_from_zero(logits: &Tensor, distance: f64) -> (Tensor, Tensor) {
    let is_near = logits.abs().lt(distance);
    (logits.ones_like().where_self(&is_near, logits), is_near)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes and the weight of each of the midpoint rule on 0…1.
    fn unit_interval(n: i64) -> Tensor {
        ((Tensor::arange(n, (Kind::Double, tch::Device::Cpu)) + 0.5) / n as f64).view([1, n, 1])
    }

    #[test]
    fn continuous_bernoulli_integrates_to_one_with_the_mean_it_says() {
        for l in [-30.0f64, -3.0, -0.2, -0.049, -0.001, 0.0, 0.01, 0.0501, 1.0, 8.0, 40.0] {
            let x = unit_interval(400_000);
            let logits = x.full_like(l);
            let density = log_prob(&logits, &x).to_kind(Kind::Double).exp();
            let mass = density.mean(Kind::Double).double_value(&[]);
            let found = (density * x.squeeze_dim(-1)).mean(Kind::Double).double_value(&[]);
            let said = mean(&Tensor::from_slice(&[l])).double_value(&[0]);
            assert!((mass - 1.0).abs() < 2e-5, "logit {l}: mass {mass}");
            assert!((found - said).abs() < 2e-5, "logit {l}: mean {found}, {said} said");
        }
    }

    #[test]
    fn continuous_bernoulli_draws_have_the_mean_it_says() {
        for l in [-6.0f64, -0.5, -0.049, -2e-4, 0.0, 5e-5, 0.01, 0.049, 2.0, 12.0] {
            let uniform = unit_interval(100_000);
            let draws = sample(&uniform.full_like(l), &uniform);
            let said = mean(&Tensor::from_slice(&[l])).double_value(&[0]);
            assert!((draws.mean(Kind::Double).double_value(&[]) - said).abs() < 1e-6, "logit {l}");
            assert!(draws.min().double_value(&[]) >= 0.0 && draws.max().double_value(&[]) <= 1.0);
        }
    }

    /// On black pixels, whose density is the larger the smaller λ is.
    #[test]
    fn a_clip_bounds_the_density_on_black_and_white_pixels() {
        let black = Tensor::zeros([1, 1, 784], (Kind::Float, tch::Device::Cpu));
        let log_p = |clip: f64, output: f64| {
            let of = ContinuousBernoulli::new(clip).log_prob(&black.full_like(output), &black);
            of.double_value(&[0, 0])
        };
        assert!((log_p(1e-4, -30_000.0) - 1740.8).abs() < 0.1, "{}", log_p(1e-4, -30_000.0));
        assert_eq!(log_p(1e-4, -30_000.0), log_p(1e-4, -20.0));
        assert!(log_p(0.0, -30_000.0) > 8000.0);
        let clipped = ContinuousBernoulli::new(1e-4);
        let ends = Tensor::from_slice(&[-30_000f32, 30_000.0]).view([1, 1, 2]);
        let sum = clipped.mean(&ends).sum(Kind::Double).double_value(&[]);
        assert!((sum - 1.0).abs() < 1e-6 && clipped.mean(&ends).double_value(&[0, 0, 0]) > 0.1);
    }

    #[test]
    fn continuous_bernoulli_has_finite_derivatives_at_zero_and_far_out() {
        let logits =
            Tensor::from_slice(&[0f32, 1e-6, -0.05, 0.05, 90.0, -90.0]).view([1, 6, 1]).set_requires_grad(true);
        let x = logits.detach().full_like(0.3);
        let slopes = Tensor::run_backward(&[-log_prob(&logits, &x).sum(Kind::Float)], &[&logits], false, false);
        // At l = 0 the derivative is mean − x = 0.2.
        assert!((slopes[0].double_value(&[0, 0, 0]) - 0.2).abs() < 1e-6);
        assert!(slopes[0].isfinite().all().int64_value(&[]) == 1);
    }
}
