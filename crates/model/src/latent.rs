//! Distributions over the latent space: the diagonal Gaussian q(z|x) and its divergence from the standard normal.

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
        let log_two_pi = (2.0 * std::f64::consts::PI).ln();
        let squared = (z - &self.mean).square() / self.log_variance.exp();
        ((squared + &self.log_variance + log_two_pi) * -0.5).sum_dim_intlist(-1, false, Kind::Float)
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
