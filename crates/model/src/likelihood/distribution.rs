//! What every likelihood is: densities, means and draws of pixels.

use std::fmt::Debug;

use tch::Tensor;

use crate::parameters::BufferUpdate;

/// p(x|z) of every replica. The decoder's output is `[R, B, P]`, or a multiple of P with several values a pixel; images
/// are `[R, B, P]` in 0…1.
pub trait Likelihood: Debug {
    /// log p(x|z) in nats; `[R, B]`. A density may be positive.
    fn log_prob(&self, output: &Tensor, x: &Tensor) -> Tensor;

    /// log p(x|z) in nats of every pair of outputs, `[R, n, …]`, and images, `[R, B, P]`; the result is `[R, n, B]`. `None` where that is no
    /// matrix product.
    fn log_prob_of_pairs(&self, _output: &Tensor, _x: &Tensor) -> Option<Tensor> {
        None
    }

    /// Whether pixels are Bernoulli with the decoder's output for log-odds.
    fn is_bernoulli(&self) -> bool {
        false
    }

    /// As [`Likelihood::log_prob`] while training, with what that changes beside the trained parameters.
    fn train(&self, output: &Tensor, x: &Tensor) -> (Tensor, Vec<BufferUpdate>) {
        (self.log_prob(output, x), Vec::new())
    }

    /// E[x|z]; `[R, B, P]`.
    fn mean(&self, output: &Tensor) -> Tensor;

    /// A draw of x, `[R, B, P]`, made of draws uniform in 0…1 of that shape.
    fn sample(&self, output: &Tensor, uniform: &Tensor) -> Tensor;
}

/// Standard normal draws from draws uniform in 0…1.
pub(super) fn normal(uniform: &Tensor) -> Tensor {
    (uniform.clamp(1e-7, 1.0 - 1e-7) * 2.0 - 1.0).erfinv() * std::f64::consts::SQRT_2
}
