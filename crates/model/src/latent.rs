//! Distributions over the latent space: q(z|x), diagonal Gaussian or bits, and its divergence from the standard prior.

use tch::{Kind, Tensor};

/// q(z|x) = N(mean, diag exp(log_variance)); both of shape `[R, B, D]`.
#[derive(Debug)]
pub struct DiagonalGaussian {
    /// Mean, `[R, B, D]`.
    pub mean: Tensor,
    /// Logarithm of the variance, `[R, B, D]`.
    pub log_variance: Tensor,
}

impl DiagonalGaussian {
    /// z = mean + exp(½·log_variance)·ε, the reparametrisation (Kingma & Welling 2014, §2.4); shape `[R, B, D]`.
    pub fn sample(&self, noise: &Tensor) -> Tensor {
        &self.mean + (&self.log_variance * 0.5).exp() * noise
    }

    /// KL(q(z|x) ‖ N(0, I)) per image and dimension, in nats; shape `[R, B, D]`.
    ///
    /// ½(exp(log_variance) + mean² − 1 − log_variance), Kingma & Welling 2014, appendix B. The course form
    /// Σ(exp(σ) − (1 + σ) + m²) with σ the log-variance is twice this.
    pub fn kl_per_dim(&self) -> Tensor {
        (self.log_variance.exp() + self.mean.square() - 1.0 - &self.log_variance) * 0.5
    }

    /// log q(z|x) summed over dimensions, in nats; `z` and the result's leading axes are `[R, B]`.
    pub fn log_density(&self, z: &Tensor) -> Tensor {
        self.log_density_per_dim(z).sum_dim_intlist(-1, false, Kind::Float)
    }

    /// log q(z_d|x) of every dimension, in nats; the shape of `z`, with which mean and variance may be broadcast.
    pub fn log_density_per_dim(&self, z: &Tensor) -> Tensor {
        let log_two_pi = (2.0 * std::f64::consts::PI).ln();
        let squared = (z - &self.mean).square() / self.log_variance.exp();
        (squared + &self.log_variance + log_two_pi) * -0.5
    }
}

/// q(z|x): independent bits, the probability of 1 being sigmoid(logits); `[R, B, D]`.
#[derive(Debug)]
pub struct Bits {
    /// Log-odds of 1, `[R, B, D]`.
    pub logits: Tensor,
}

impl Bits {
    /// z relaxed to 0…1: sigmoid((logits + logit(u))/temperature) with u uniform in 0…1, the binary Concrete
    /// distribution (Maddison et al. 2017, appendix B); `temperature` broadcasts, the result is `[R, B, D]`.
    pub fn relaxed(&self, uniform: &Tensor, temperature: &Tensor) -> Tensor {
        ((&self.logits + logit(uniform)) / temperature).sigmoid()
    }

    /// z as bits, from the same draws: the limit of [`Bits::relaxed`] at temperature 0.
    pub fn hard(&self, uniform: &Tensor) -> Tensor {
        (&self.logits + logit(uniform)).gt(0.0).to_kind(Kind::Float)
    }

    /// KL(q(z|x) ‖ Bernoulli(½)) per image and dimension: log 2 − H(q), in nats, exact; `[R, B, D]`.
    pub fn kl_per_dim(&self) -> Tensor {
        let q = self.logits.sigmoid();
        &q * self.logits.log_sigmoid() + (-&q + 1.0) * (-&self.logits).log_sigmoid() + 2f64.ln()
    }

    /// log q(z|x) of bits `z`, per dimension, in nats; `[R, B, D]`.
    pub fn log_probability_per_dim(&self, z: &Tensor) -> Tensor {
        z * self.logits.log_sigmoid() + (-z + 1.0) * (-&self.logits).log_sigmoid()
    }
}

fn logit(uniform: &Tensor) -> Tensor {
    uniform.clamp(1e-7, 1.0 - 1e-7).logit(None::<f64>)
}

/// What an encoder says about an image's code.
#[derive(Debug)]
pub enum Posterior {
    /// A normal distribution with a diagonal covariance.
    Gaussian(DiagonalGaussian),
    /// Independent bits.
    Bits(Bits),
    /// The code itself, `[R, B, D]`.
    Point(Tensor),
}

impl Posterior {
    /// E[z|x]: means, probabilities of 1, or the code; `[R, B, D]`.
    pub fn mean(&self) -> Tensor {
        match self {
            Posterior::Gaussian(q) => q.mean.shallow_clone(),
            Posterior::Bits(q) => q.logits.sigmoid(),
            Posterior::Point(z) => z.shallow_clone(),
        }
    }

    /// Logarithm of the variance of z given x, `[R, B, D]`; `None` for a code without one.
    pub fn log_variance(&self) -> Option<Tensor> {
        match self {
            Posterior::Gaussian(q) => Some(q.log_variance.shallow_clone()),
            Posterior::Bits(q) => Some(q.logits.log_sigmoid() + (-&q.logits).log_sigmoid()),
            Posterior::Point(_) => None,
        }
    }
}

#[cfg(test)]
mod bits {
    use super::*;

    #[test]
    fn kl_is_log_two_minus_the_entropy() {
        for p in [1e-6f64, 0.1, 0.5, 0.73, 1.0 - 1e-6] {
            let q = Bits { logits: Tensor::from_slice(&[(p / (1.0 - p)).ln()]).view([1, 1, 1]) };
            let expected = p * (2.0 * p).ln() + (1.0 - p) * (2.0 * (1.0 - p)).ln();
            assert!((q.kl_per_dim().double_value(&[0, 0, 0]) - expected).abs() < 1e-9, "{p}");
        }
        let certain = Bits { logits: Tensor::from_slice(&[-200f32, 200.0]).view([1, 1, 2]) };
        let kl = certain.kl_per_dim();
        assert!((kl - 2f64.ln()).abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn relaxed_bits_become_hard_ones_as_the_temperature_falls_and_have_their_probability() {
        let uniform = ((Tensor::arange(10_000, (Kind::Double, tch::Device::Cpu)) + 0.5) / 10_000.0).view([1, -1, 1]);
        let q = Bits { logits: uniform.full_like(0.8) };
        let hard = q.hard(&uniform);
        let p = 1.0 / (1.0 + (-0.8f64).exp());
        assert!((hard.mean(Kind::Double).double_value(&[]) - p).abs() < 1e-3);
        let cold = q.relaxed(&uniform, &Tensor::from_slice(&[1e-4f64]).view([1, 1, 1]));
        assert!((cold - &hard).abs().mean(Kind::Double).double_value(&[]) < 1e-3);
        let warm = q.relaxed(&uniform, &Tensor::from_slice(&[1f64]).view([1, 1, 1]));
        assert!(
            warm.gt(0.01).logical_and(&warm.lt(0.99)).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]) > 0.9
        );
    }

    #[test]
    fn probabilities_of_all_words_sum_to_one() {
        let q = Bits { logits: Tensor::from_slice(&[0.3f64, -2.0, 5.0]).view([1, 1, 3]) };
        let mass: f64 = (0..8)
            .map(|word| {
                let bits: Vec<f64> = (0..3).map(|bit| f64::from(word >> bit & 1)).collect();
                let z = Tensor::from_slice(&bits).view([1, 1, 3]);
                q.log_probability_per_dim(&z).sum(Kind::Double).double_value(&[]).exp()
            })
            .sum();
        assert!((mass - 1.0).abs() < 1e-12);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let kl = q.kl_per_dim().double_value(&[0, 0, 0]);
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
        let drawer = [crate::noise::Drawer { seed: 4, width: 1 }];
        let noise = crate::noise::normals(&drawer, n, 1, crate::noise::Stream::Latent, 0, 0, tch::Device::Cpu);
        let q = gaussian(mean, log_variance);
        let z = q.sample(&noise.to_kind(Kind::Double));
        let prior = gaussian(0.0, 0.0);
        let ratio = q.log_density(&z) - prior.log_density(&z);
        let estimate = ratio.mean(Kind::Double).double_value(&[]);
        let error = ratio.std(true).double_value(&[]) / (n as f64).sqrt();
        let kl = q.kl_per_dim().double_value(&[0, 0, 0]);
        assert!((estimate - kl).abs() < 5.0 * error, "{estimate} ± {error} against {kl}");
    }

    #[test]
    fn the_course_form_is_twice_the_kl() {
        let (m, sigma) = (0.6f64, -0.3f64);
        let course = sigma.exp() - (1.0 + sigma) + m * m;
        assert!((course - 2.0 * gaussian(m, sigma).kl_per_dim().double_value(&[0, 0, 0])).abs() < 1e-12);
    }
}
