//! What theory says of a linear VAE with Gaussian decoder at its optimum: it is probabilistic PCA (Lucas et al. 2019).

use std::f64::consts::PI;

/// The optimum of a β-VAE whose encoder and decoder are affine, q(z|x) Gaussian with a diagonal covariance that is the same for
/// all x, p(z) = N(0, I), p(x|z) = N(Wz + μ, σ²I): reverse water-filling of the eigenvalues λ of the data's covariance with the
/// water level θ = βσ². All in nats per image, means over the data that the eigenvalues are of.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedForm {
    eigenvalues: Vec<f64>,
    latent_dim: usize,
    variance: f64,
    beta: f64,
}

impl ClosedForm {
    /// For the eigenvalues of the covariance of all P pixels, in any order, with 1/N in its denominator; `latent_dim` D, `variance` σ².
    pub fn new(eigenvalues: &[f64], latent_dim: usize, variance: f64, beta: f64) -> ClosedForm {
        // Rounding leaves those of pixels that are always black a little below zero.
        let mut eigenvalues: Vec<f64> = eigenvalues.iter().map(|value| value.max(0.0)).collect();
        eigenvalues.sort_by(|a, b| b.total_cmp(a));
        ClosedForm { eigenvalues, latent_dim, variance, beta }
    }

    /// The water level θ = βσ², in squared gray values.
    pub fn level(&self) -> f64 {
        self.beta * self.variance
    }

    /// The eigenvalues of active directions: the D largest, as far as they are above θ.
    fn active(&self) -> &[f64] {
        let n = self.eigenvalues.iter().take(self.latent_dim).take_while(|&&value| value > self.level()).count();
        &self.eigenvalues[..n]
    }

    /// KL of each latent dimension, the largest first, 0 of those that are not active: ½ ln(λ/θ).
    pub fn kl_per_dim(&self) -> Vec<f64> {
        let active = self.active().iter().map(|value| 0.5 * (value / self.level()).ln());
        active.chain(std::iter::repeat(0.0)).take(self.latent_dim).collect()
    }

    /// KL over all dimensions.
    pub fn kl(&self) -> f64 {
        self.kl_per_dim().iter().sum()
    }

    /// −E_q[log p(x|z)]: the squared error is θ along an active direction and λ along any other.
    pub fn reconstruction(&self) -> f64 {
        let (n_active, n_pixels) = (self.active().len(), self.eigenvalues.len() as f64);
        let error = n_active as f64 * self.level() + self.eigenvalues[n_active..].iter().sum::<f64>();
        0.5 * n_pixels * (2.0 * PI * self.variance).ln() + 0.5 * error / self.variance
    }

    /// −(reconstruction + KL), without β.
    pub fn elbo(&self) -> f64 {
        -(self.reconstruction() + self.kl())
    }

    /// How many dimensions have a posterior mean whose variance 1 − θ/λ is above a threshold.
    pub fn active_units(&self, variance_above: f64) -> usize {
        self.active().iter().filter(|&&value| 1.0 - self.level() / value > variance_above).count()
    }

    /// Mean log p(x): exact, of N(μ, WWᵀ + σ²I), where WWᵀ has the eigenvalues λ − θ.
    pub fn log_likelihood(&self) -> f64 {
        let n_active = self.active().len();
        let term = |(i, value): (usize, &f64)| {
            let of_model = if i < n_active { value - self.level() + self.variance } else { self.variance };
            (2.0 * PI * of_model).ln() + value / of_model
        };
        -0.5 * self.eigenvalues.iter().enumerate().map(term).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn the_bound_is_tight_at_beta_one() {
        let of = |d, variance| ClosedForm::new(&[0.3, 4.0, 2.0, 0.7, 0.0], d, variance, 1.0);
        for (d, variance) in [(1, 0.5), (3, 0.5), (5, 0.1), (2, 3.0)] {
            near(of(d, variance).elbo(), of(d, variance).log_likelihood());
        }
        // Discarded directions alone tell the best σ² at β = 1: their mean eigenvalue.
        let best = (0.7 + 0.3 + 0.0) / 3.0;
        for other in [0.9 * best, 1.1 * best] {
            assert!(of(2, best).elbo() > of(2, other).elbo());
        }
    }

    #[test]
    fn the_gap_at_other_beta_is_that_of_the_posteriors() {
        let (variance, eigenvalues) = (0.4, [4.0, 2.0, 0.7]);
        for beta in [0.5, 2.0] {
            let one = ClosedForm::new(&eigenvalues, 2, variance, beta);
            let theta = beta * variance;
            // KL(q(z|x) ‖ p(z|x)) of each active direction, a mean over x.
            let gap: f64 = eigenvalues
                .iter()
                .take(2)
                .filter(|&&l| l > theta)
                .map(|l| {
                    let w = (l - theta).sqrt();
                    let (tau2, m) = (variance / (w * w + variance), w / (w * w + variance));
                    let r = (theta / l) / tau2;
                    0.5 * (r - 1.0 - r.ln() + l * (w / l - m).powi(2) / tau2)
                })
                .sum();
            near(one.log_likelihood() - one.elbo(), gap);
        }
    }

    #[test]
    fn water_rises_over_the_small_eigenvalues() {
        let one = ClosedForm::new(&[8.0, 2.0, 1.005, 0.5], 4, 1.0, 1.0);
        let kl = one.kl_per_dim();
        near(kl[0], 0.5 * 8f64.ln());
        near(kl[1], 0.5 * 2f64.ln());
        assert_eq!((kl.len(), kl[3]), (4, 0.0));
        // 1 − 1/1.005 is below the threshold.
        assert_eq!((one.active().len(), one.active_units(0.01)), (3, 2));
        near(one.reconstruction(), 2.0 * (2.0 * PI).ln() + 0.5 * (3.0 + 0.5));
    }
}
