//! q(z|x): a diagonal Gaussian, independent bits, or the code itself.

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

    /// log q(z|x) summed over dimensions, in nats; `z` and the result's leading axes are `[R, B]`.
    pub fn log_prob(&self, z: &Tensor) -> Tensor {
        self.log_prob_per_dim(z).sum_dim_intlist(-1, false, Kind::Float)
    }

    /// log q(z_d|x) of every dimension, in nats; the shape of `z`, with which mean and variance may be broadcast.
    pub fn log_prob_per_dim(&self, z: &Tensor) -> Tensor {
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

    /// log q(z|x) of bits `z`, per dimension, in nats; `[R, B, D]`.
    pub fn log_prob_per_dim(&self, z: &Tensor) -> Tensor {
        z * self.logits.log_sigmoid() + (-z + 1.0) * (-&self.logits).log_sigmoid()
    }
}

fn logit(uniform: &Tensor) -> Tensor {
    uniform.clamp(1e-7, 1.0 - 1e-7).logit(None::<f64>)
}

/// What an encoder says about an image's code; its tensors are `[R, B, D]`.
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

    /// Whether z is drawn at all, rather than being the code itself.
    pub fn is_distribution(&self) -> bool {
        match self {
            Posterior::Gaussian(_) | Posterior::Bits(_) => true,
            Posterior::Point(_) => false,
        }
    }

    /// Whether draws of it are relaxed while training, where E_q is then no expectation under q.
    pub fn is_relaxed_in_training(&self) -> bool {
        match self {
            Posterior::Bits(_) => true,
            Posterior::Gaussian(_) | Posterior::Point(_) => false,
        }
    }

    /// Images that it is about.
    pub fn n_images(&self) -> usize {
        let parameter = match self {
            Posterior::Gaussian(q) => &q.mean,
            Posterior::Bits(q) => &q.logits,
            Posterior::Point(z) => z,
        };
        parameter.size()[1] as usize
    }

    /// z from noise of the shape of the result, which is standard normal for a Gaussian and uniform in 0…1 for bits;
    /// `temperature` relaxes bits, which are hard without.
    pub fn draw(&self, noise: impl FnOnce() -> Tensor, temperature: Option<f64>) -> Tensor {
        match (self, temperature) {
            (Posterior::Gaussian(q), _) => q.sample(&noise()),
            (Posterior::Bits(q), Some(temperature)) => q.relaxed(&noise(), &Tensor::from(temperature as f32)),
            (Posterior::Bits(q), None) => q.hard(&noise()),
            (Posterior::Point(z), _) => z.shallow_clone(),
        }
    }

    /// log q(z|x) of every dimension, in nats; `[R, B, D]`. `None` for a code, which has no density.
    pub fn log_prob_per_dim(&self, z: &Tensor) -> Option<Tensor> {
        match self {
            Posterior::Gaussian(q) => Some(q.log_prob_per_dim(z)),
            Posterior::Bits(q) => Some(q.log_prob_per_dim(z)),
            Posterior::Point(_) => None,
        }
    }

    /// `n` copies, all images of the first copy first: `[R, n·B, D]`.
    pub fn repeated(&self, n: usize) -> Posterior {
        self.with(|tensor| repeated(tensor, n))
    }

    /// The same distribution, its parameters constants to the derivative.
    pub fn detached(&self) -> Posterior {
        self.with(Tensor::detach)
    }

    fn with(&self, of: impl Fn(&Tensor) -> Tensor) -> Posterior {
        match self {
            Posterior::Gaussian(q) => {
                Posterior::Gaussian(DiagonalGaussian { mean: of(&q.mean), log_variance: of(&q.log_variance) })
            }
            Posterior::Bits(q) => Posterior::Bits(Bits { logits: of(&q.logits) }),
            Posterior::Point(z) => Posterior::Point(of(z)),
        }
    }
}

/// `n` copies of `[R, B, …]` behind each other: `[R, n·B, …]`.
pub(crate) fn repeated(x: &Tensor, n: usize) -> Tensor {
    if n == 1 { x.shallow_clone() } else { x.repeat([1, n as i64, 1]) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                q.log_prob_per_dim(&z).sum(Kind::Double).double_value(&[]).exp()
            })
            .sum();
        assert!((mass - 1.0).abs() < 1e-12);
    }
}
