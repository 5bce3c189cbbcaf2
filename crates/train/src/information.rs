//! What the codes of test images tell of them: bounds on mutual information and marginal KL.

use data::Images;
use measure::Information;
use model::noise::{NoiseKey, Stream};
use model::{Family, Posterior, StepContext};
use spec::metric::{Bound, is_saturated};
use spec::{Cell, Measurement, Metric, MetricSettings, Prior};
use tch::{Device, Tensor};

use crate::arrays::to_vec;
use crate::batches::in_order;
use crate::evaluate::BATCH;
use crate::image_metrics::row;

/// The first test images whose codes are paired with each other's posteriors.
const N_IMAGES: usize = 10_000;

/// Posteriors of a replica and a draw of each, `[N, D]` of its own dimensions.
#[derive(Debug, Default)]
struct Codes {
    means: Vec<f32>,
    log_variances: Vec<f32>,
    draws: Vec<f32>,
}

/// Bounds on I(x; z) and KL(q(z) ‖ p(z)) over the first test images, see [`measure::information`], for each replica with Gaussian
/// posteriors and the prior N(0, I); nothing for others.
pub fn rows(model: &dyn Family, cells: &[&Cell], test: &Images, device: Device) -> Vec<Vec<Measurement>> {
    let codes = tch::no_grad(|| codes(model, test, device)).unwrap_or_default();
    let n_threads = usize::try_from(tch::get_num_threads()).unwrap_or(1);
    let of_replica = |(replica, cell): (usize, &&Cell)| {
        let codes = codes.get(replica).filter(|_| cell.model.prior == Prior::Standard)?;
        let width = model.parameters().replicas()[replica].width;
        measure::information(&codes.means, &codes.log_variances, &codes.draws, width, n_threads)
    };
    cells.iter().enumerate().map(of_replica).map(|found| found.map(of).unwrap_or_default()).collect()
}

fn of(Information { kl, mutual_information, marginal_kl }: Information) -> Vec<Measurement> {
    let saturated = is_saturated(kl.value, kl.n as u64).then_some(true);
    let bounds = [(Metric::MutualInformation, mutual_information), (Metric::MarginalKl, marginal_kl)];
    let both = |(metric, bounds): (Metric, measure::Bounds)| {
        [(Bound::Lower, bounds.lower), (Bound::Upper, bounds.upper)].map(|(bound, mean)| {
            row(metric, mean, MetricSettings { bound: Some(bound), saturated, ..MetricSettings::default() })
        })
    };
    bounds.into_iter().flat_map(both).collect()
}

/// `None` for a model whose q(z|x) is no Gaussian.
fn codes(model: &dyn Family, test: &Images, device: Device) -> Option<Vec<Codes>> {
    let encoder = model.encoder()?;
    let replicas = model.parameters().replicas();
    let mut codes: Vec<Codes> = replicas.iter().map(|_| Codes::default()).collect();
    let n_images = N_IMAGES.min(test.shape.n);
    for (i, start) in (0..n_images).step_by(BATCH).enumerate() {
        let q = encoder.posterior(&in_order(test, start, (start + BATCH).min(n_images), replicas.len(), device));
        // The draws that reconstructions are decoded from.
        let key = NoiseKey::new(Stream::Reconstruction, 0, i as u64);
        let betas = vec![1.0; replicas.len()];
        let z = encoder.draw(&q, &StepContext { key, progress: 0.0, betas, n_train: test.shape.n, noise: None });
        let Posterior::Gaussian(q) = q else { return None };
        for (replica, codes) in codes.iter_mut().enumerate() {
            let own =
                |tensor: &Tensor| to_vec(&tensor.get(replica as i64).narrow(-1, 0, replicas[replica].width as i64));
            codes.means.extend(own(&q.mean));
            codes.log_variances.extend(own(&q.log_variance));
            codes.draws.extend(own(&z));
        }
    }
    Some(codes)
}
