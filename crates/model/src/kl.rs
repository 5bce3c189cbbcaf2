//! KL(q(z|x) ‖ p(z)): the pairs of posterior and prior for which it has a closed form.

use tch::Tensor;

use crate::posterior::{Bits, DiagonalGaussian, Posterior};
use crate::prior::Prior;

/// KL(q ‖ p) per image and dimension, in nats, `[R, B, D]`; `None` for a pair without a closed form, whose KL is estimated
/// from draws, and for a code, which has none.
pub fn kl_per_dim(q: &Posterior, p: &Prior) -> Option<Tensor> {
    match (q, p) {
        (Posterior::Gaussian(q), Prior::StandardNormal) => Some(of_gaussian(q)),
        (Posterior::Bits(q), Prior::FairBits) => Some(of_bits(q)),
        _ => None,
    }
}

/// KL(N(mean, diag variance) ‖ N(0, I)) = ½(variance + mean² − 1 − log variance), Kingma & Welling 2014, appendix B.
///
/// The course form Σ(exp(σ) − (1 + σ) + m²) with σ the log-variance is twice this.
fn of_gaussian(q: &DiagonalGaussian) -> Tensor {
    (q.log_variance.exp() + q.mean.square() - 1.0 - &q.log_variance) * 0.5
}

/// The half of that KL which the variances make, ½(variance − 1 − log variance), of each image and dimension in nats; `[R, B, D]`.
pub fn of_variance(q: &DiagonalGaussian) -> Tensor {
    (q.log_variance.exp() - 1.0 - &q.log_variance) * 0.5
}

/// The other half, of the means, ½mean²; `[R, B, D]`.
pub fn of_mean(q: &DiagonalGaussian) -> Tensor {
    q.mean.square() * 0.5
}

/// KL(q ‖ Bernoulli(½)) = log 2 − H(q), exact.
fn of_bits(bits: &Bits) -> Tensor {
    let q = bits.logits.sigmoid();
    &q * bits.logits.log_sigmoid() + (-&q + 1.0) * (-&bits.logits).log_sigmoid() + 2f64.ln()
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::noise::{NoiseKey, Replica, Stream, normals};

    fn gaussian(mean: f64, log_variance: f64) -> DiagonalGaussian {
        DiagonalGaussian {
            mean: Tensor::from_slice(&[mean]).view([1, 1, 1]),
            log_variance: Tensor::from_slice(&[log_variance]).view([1, 1, 1]),
        }
    }

    #[test]
    fn kl_equals_quadrature() {
        for (mean, log_variance) in [(0.0, 0.0), (1.5, -2.0), (-0.7, 0.9), (3.0, -6.0)] {
            let q = gaussian(mean, log_variance);
            let sd = (log_variance / 2.0f64).exp();
            // Simpson's rule over ±12 standard deviations.
            let n = 4000;
            let h = 24.0 * sd / n as f64;
            let integrand = |z: f64| {
                let log_q = -0.5 * ((z - mean) / sd).powi(2) - sd.ln() - 0.5 * (2.0 * std::f64::consts::PI).ln();
                let log_p = -0.5 * z * z - 0.5 * (2.0 * std::f64::consts::PI).ln();
                log_q.exp() * (log_q - log_p)
            };
            let sum: f64 = (0..=n)
                .map(|i| {
                    let weight = if i == 0 || i == n {
                        1.0
                    } else if i % 2 == 1 {
                        4.0
                    } else {
                        2.0
                    };
                    weight * integrand(mean - 12.0 * sd + i as f64 * h)
                })
                .sum();
            let quadrature = sum * h / 3.0;
            let kl = of_gaussian(&q).double_value(&[0, 0, 0]);
            assert!(
                (kl - quadrature).abs() < 1e-8,
                "mean {mean} log-variance {log_variance}: {kl} against {quadrature}"
            );
        }
    }

    #[test]
    fn kl_equals_the_mean_of_the_log_ratio() {
        let (mean, log_variance) = (0.8, -1.0);
        let n = 200_000;
        let replica = [Replica { seed: 4, width: 1 }];
        let noise = normals(&replica, n, 1, NoiseKey::new(Stream::Latent, 0, 0), tch::Device::Cpu);
        let q = gaussian(mean, log_variance);
        let z = q.sample(&noise.to_kind(Kind::Double));
        let prior = gaussian(0.0, 0.0);
        let ratio = q.log_prob(&z) - prior.log_prob(&z);
        let estimate = ratio.mean(Kind::Double).double_value(&[]);
        let error = ratio.std(true).double_value(&[]) / (n as f64).sqrt();
        let kl = of_gaussian(&q).double_value(&[0, 0, 0]);
        assert!((estimate - kl).abs() < 5.0 * error, "{estimate} ± {error} against {kl}");
    }

    #[test]
    fn the_course_form_is_twice_the_kl() {
        let (m, sigma) = (0.6f64, -0.3f64);
        let course = sigma.exp() - (1.0 + sigma) + m * m;
        assert!((course - 2.0 * of_gaussian(&gaussian(m, sigma)).double_value(&[0, 0, 0])).abs() < 1e-12);
    }

    #[test]
    fn kl_is_log_two_minus_the_entropy() {
        for p in [1e-6f64, 0.1, 0.5, 0.73, 1.0 - 1e-6] {
            let q = Bits { logits: Tensor::from_slice(&[(p / (1.0 - p)).ln()]).view([1, 1, 1]) };
            let expected = p * (2.0 * p).ln() + (1.0 - p) * (2.0 * (1.0 - p)).ln();
            assert!((of_bits(&q).double_value(&[0, 0, 0]) - expected).abs() < 1e-9, "{p}");
        }
        let certain = Bits { logits: Tensor::from_slice(&[-200f32, 200.0]).view([1, 1, 2]) };
        let kl = of_bits(&certain);
        assert!((kl - 2f64.ln()).abs().max().double_value(&[]) < 1e-6);
    }
}
