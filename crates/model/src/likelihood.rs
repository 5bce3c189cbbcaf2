//! p(x|z), pixels independent given z: what the decoder's output means, and the parameters it has of its own.

mod bernoulli;
mod continuous_bernoulli;
mod discretised_logistic;
mod distribution;
mod gaussian;
mod laplace;

use spec::{Cell, Likelihood as Spec, SharedVariance};
use tch::{Device, Tensor};

pub use distribution::Likelihood;

use crate::parameters::{Parameters, Part};

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
