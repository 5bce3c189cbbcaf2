//! p(x|z), pixels independent given z: what the decoder's output means, and the parameters it has of its own.

mod bernoulli;
mod continuous_bernoulli;
mod discretised_logistic;
mod gaussian;
mod laplace;

use std::fmt::Debug;

use spec::{Cell, Likelihood as Spec, SharedVariance};
use tch::{Device, Tensor};

use crate::parameters::{BufferUpdate, Parameters, Part};

/// p(x|z) of every replica. The decoder's output is `[R, B, P]`, or a multiple of P with several values a pixel; images
/// are `[R, B, P]` in 0…1.
pub trait Likelihood: Debug {
    /// log p(x|z) in nats; `[R, B]`. A density may be positive.
    fn log_prob(&self, output: &Tensor, x: &Tensor) -> Tensor;

    /// As [`Likelihood::log_prob`] while training, with what that changes beside the trained parameters.
    fn train(&self, output: &Tensor, x: &Tensor) -> (Tensor, Vec<BufferUpdate>) {
        (self.log_prob(output, x), Vec::new())
    }

    /// E[x|z]; `[R, B, P]`.
    fn mean(&self, output: &Tensor) -> Tensor;

    /// A draw of x, `[R, B, P]`, made of draws uniform in 0…1 of that shape.
    fn sample(&self, output: &Tensor, uniform: &Tensor) -> Tensor;
}

/// The spec's likelihood, for cells with the same variant; adds the parameters it needs.
pub fn new(parameters: &mut Parameters, cells: &[&Cell], likelihood: Spec) -> Box<dyn Likelihood> {
    let device = parameters.device();
    let mut own = parameters.of(Part::Likelihood);
    match likelihood {
        Spec::Bernoulli => Box::new(bernoulli::Bernoulli),
        Spec::ContinuousBernoulli => Box::new(continuous_bernoulli::ContinuousBernoulli),
        Spec::Gaussian { .. } => Box::new(gaussian::Fixed { sigma: scales(cells, device) }),
        Spec::Laplace { .. } => Box::new(laplace::Laplace { scale: scales(cells, device) }),
        Spec::GaussianShared { variance: SharedVariance::Learned } => Box::new(gaussian::Learned::new(&mut own)),
        Spec::GaussianShared { variance: SharedVariance::Optimal } => Box::new(gaussian::Optimal::new(&mut own)),
        Spec::GaussianPerPixel { floor } => Box::new(gaussian::PerPixel { floor }),
        Spec::DiscretisedLogistic => Box::new(discretised_logistic::DiscretisedLogistic::new(&mut own)),
    }
}

/// The scale of each replica's pixels where the spec gives it, and not a number where it does not; `[R, 1, 1]`.
fn scales(cells: &[&Cell], device: Device) -> Tensor {
    let scale = |cell: &&Cell| match cell.model.likelihood {
        Spec::Gaussian { sigma: scale } | Spec::Laplace { scale } => scale as f32,
        Spec::Bernoulli
        | Spec::ContinuousBernoulli
        | Spec::GaussianShared { .. }
        | Spec::GaussianPerPixel { .. }
        | Spec::DiscretisedLogistic => f32::NAN,
    };
    Tensor::from_slice(&cells.iter().map(scale).collect::<Vec<_>>()).view([-1, 1, 1]).to_device(device)
}

/// Standard normal draws from draws uniform in 0…1.
fn normal(uniform: &Tensor) -> Tensor {
    (uniform.clamp(1e-7, 1.0 - 1e-7) * 2.0 - 1.0).erfinv() * std::f64::consts::SQRT_2
}
