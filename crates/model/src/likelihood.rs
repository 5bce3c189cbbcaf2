//! p(x|z): what the decoder's output means, and the parameters it has of its own.

pub(crate) mod bernoulli;
mod continuous_bernoulli;
mod discretised_logistic;
mod distribution;
mod gaussian;
mod laplace;
mod spectral;

use spec::{Cell, ImageShape, Likelihood as Spec, SharedVariance};
use tch::{Device, Tensor};

pub use distribution::Likelihood;

use crate::parameters::{Parameters, Part};

/// The spec's likelihood of images of this shape, for cells with the same variant; adds the parameters it needs.
pub fn new(parameters: &mut Parameters, cells: &[&Cell], likelihood: Spec, image: ImageShape) -> Box<dyn Likelihood> {
    let device = parameters.device();
    let mut own = parameters.of(Part::Likelihood);
    match likelihood {
        Spec::Bernoulli => Box::new(bernoulli::Bernoulli),
        Spec::ContinuousBernoulli { clip } => Box::new(continuous_bernoulli::ContinuousBernoulli::new(clip)),
        Spec::Gaussian { .. } => Box::new(gaussian::Fixed { sigma: scales(cells, device) }),
        Spec::Laplace { .. } => Box::new(laplace::Laplace { scale: scales(cells, device) }),
        Spec::GaussianShared { variance: SharedVariance::Learned } => Box::new(gaussian::Learned::new(&mut own)),
        Spec::GaussianShared { variance: SharedVariance::Optimal } => Box::new(gaussian::Optimal::new(&mut own)),
        Spec::GaussianPerPixel { floor } => Box::new(gaussian::PerPixel { floor }),
        Spec::GaussianSpectral { floor } => Box::new(spectral::Spectral::new(&mut own, image, floor, device)),
        Spec::DiscretisedLogistic => Box::new(discretised_logistic::DiscretisedLogistic::new(&mut own)),
    }
}

/// The scale of each replica's pixels where the spec gives it, and not a number where it does not; `[R, 1, 1]`.
fn scales(cells: &[&Cell], device: Device) -> Tensor {
    let scale = |cell: &&Cell| match cell.model.likelihood {
        Spec::Gaussian { sigma: scale } | Spec::Laplace { scale } => scale as f32,
        Spec::Bernoulli
        | Spec::ContinuousBernoulli { .. }
        | Spec::GaussianShared { .. }
        | Spec::GaussianPerPixel { .. }
        | Spec::GaussianSpectral { .. }
        | Spec::DiscretisedLogistic => f32::NAN,
    };
    Tensor::from_slice(&cells.iter().map(scale).collect::<Vec<_>>()).view([-1, 1, 1]).to_device(device)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;
    use tch::Kind;

    use super::*;
    use crate::noise::{NoiseKey, Replica, Stream, uniforms};

    const N_DRAWS: i64 = 100_000;

    /// Every variant, with settings that are not its defaults too.
    fn all() -> Vec<serde_json::Value> {
        vec![
            json!("bernoulli"),
            json!("discretised-logistic"),
            json!({ "continuous-bernoulli": {} }),
            json!({ "continuous-bernoulli": { "clip": 0.0 } }),
            json!({ "gaussian": {} }),
            json!({ "gaussian": { "sigma": 0.1 } }),
            json!({ "laplace": {} }),
            json!({ "laplace": { "scale": 0.1 } }),
            json!({ "gaussian-shared": {} }),
            json!({ "gaussian-shared": { "variance": "optimal" } }),
            json!({ "gaussian-per-pixel": {} }),
            json!({ "gaussian-per-pixel": { "floor": 0.2 } }),
            json!({ "gaussian-spectral": {} }),
        ]
    }

    /// The property of any likelihood: `mean` is that of its draws, for outputs far outside 0…1 too.
    #[test]
    fn the_mean_of_draws_is_the_mean() {
        let outputs = [-9.0f32, -8.7, -1.0, -0.3, -0.02, 0.0, 1e-5, 0.02, 0.43, 0.5, 0.98, 1.0, 1.4, 3.0, 12.0];
        for likelihood in all() {
            let cell: Cell = serde_json::from_value(json!({
                "dataset": { "name": "glyphs" },
                "model": { "hidden": [1], "latent_dim": 1, "likelihood": likelihood },
            }))
            .unwrap();
            let own = cell.model.likelihood;
            let replica = Replica { seed: 0, width: 1 };
            let mut parameters = Parameters::new(vec![replica], cell.model.init, Device::Cpu);
            let image = ImageShape { channels: 1, height: 3, width: outputs.len() / 3 };
            let built = new(&mut parameters, &[&cell], own, image);
            let one = Tensor::from_slice(&outputs).view([1, 1, -1]).repeat([1, 1, own.outputs_per_pixel() as i64]);
            let seen = Replica { seed: 7, width: outputs.len() };
            let key = NoiseKey::new(Stream::Decoder, 0, 0);
            let uniform = uniforms(&[seen], N_DRAWS as usize, outputs.len(), key, Device::Cpu);
            let (draws, means) = tch::no_grad(|| {
                let draws = built.sample(&one.expand([1, N_DRAWS, -1], false), &uniform).to_kind(Kind::Double);
                (draws, built.mean(&one).to_kind(Kind::Double))
            });
            for (pixel, output) in outputs.iter().enumerate() {
                let draws = draws.select(2, pixel as i64);
                let (found, said) = (draws.mean(Kind::Double), means.double_value(&[0, 0, pixel as i64]));
                let deviation = draws.std(true).double_value(&[]);
                // One draw more or less, where nearly all are the same.
                let allowed = 5.0 * deviation / (N_DRAWS as f64).sqrt() + 1.0 / N_DRAWS as f64;
                let difference = (found.double_value(&[]) - said).abs();
                assert!(difference <= allowed, "{likelihood} at {output}: {found} drawn, {said} said");
            }
        }
    }
}
