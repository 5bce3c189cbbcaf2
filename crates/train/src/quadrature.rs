//! −log p(x) and the gap of the bound by quadrature, of models whose latent space is a plane.

use data::{Images, Shape};
use measure::Sums;
use model::quadrature::{Grid, Quadrature, quadrature};
use model::{Family, Posterior};
use spec::{Cell, ImageShape, Measurement, Metric, MetricSettings, Prior};
use tch::{Device, Kind, Tensor};

use crate::batches::in_order;
use crate::image_metrics::row;

/// The first test images that are integrated for.
const N_IMAGES: usize = 2000;
/// Posteriors whose mass on the grid is further from 1 on average are not resolved by it, or lie outside.
const MASS_TOLERANCE: f64 = 1e-3;

/// −log p(x) and the gap of the first test images, for each replica with two latent dimensions, a Gaussian posterior and the prior N(0, I);
/// nothing for others, for likelihoods whose pairs are no matrix product, and where the grid does not resolve the posteriors.
pub fn rows(model: &dyn Family, cells: &[&Cell], test: &Images, device: Device) -> Vec<Vec<Measurement>> {
    let is_plane =
        |&replica: &usize| cells[replica].model.latent_dim == 2 && cells[replica].model.prior == Prior::Standard;
    let planes: Vec<usize> = (0..cells.len()).filter(is_plane).collect();
    let mut rows = vec![Vec::new(); cells.len()];
    let Some(Quadrature { log_p, gap, mass }) = integrals(model, cells, &planes, test, device) else { return rows };
    let found = by_replica(&log_p).into_iter().zip(by_replica(&gap)).zip(by_replica(&mass));
    for (replica, ((log_p, gap), mass)) in planes.into_iter().zip(found) {
        let off = mass.iter().map(|mass| (mass - 1.0).abs()).sum::<f64>() / mass.len() as f64;
        if off <= MASS_TOLERANCE {
            let nll: Vec<f64> = log_p.iter().map(|log_p| -log_p).collect();
            let metrics = [(cells[replica].scale().nll_quadrature(), nll), (Metric::GapQuadrature, gap)];
            rows[replica].extend(metrics.into_iter().filter_map(|(metric, values)| of(metric, &values)));
        }
    }
    rows
}

fn of(metric: Metric, values: &[f64]) -> Option<Measurement> {
    let mut sums = Sums::default();
    values.iter().for_each(|value| sums.add(*value));
    let settings = MetricSettings { grid: Some(Grid::USUAL.points()), ..MetricSettings::default() };
    Some(row(metric, sums.mean()?, settings))
}

/// Of these replicas, as a cohort of their own.
fn integrals(
    model: &dyn Family,
    cells: &[&Cell],
    planes: &[usize],
    test: &Images,
    device: Device,
) -> Option<Quadrature> {
    let Shape { channels, height, width, .. } = test.shape;
    let own: Vec<&Cell> = planes.iter().map(|&replica| cells[replica]).collect();
    // What could be built with the others can be built without them.
    let planar = model::build(&own, ImageShape { channels, height, width }, device).ok()??;
    for (to, &from) in planes.iter().enumerate() {
        planar.parameters().import(to, &model.parameters().export(from)).ok()?;
    }
    let (density, encoder) = (planar.density()?, planar.encoder()?);
    let x = in_order(test, 0, N_IMAGES.min(test.shape.n), planes.len(), device);
    match tch::no_grad(|| encoder.posterior(&x)) {
        Posterior::Gaussian(q) => quadrature(density, &q, &x, Grid::USUAL),
        Posterior::Bits(_) | Posterior::Point(_) => None,
    }
}

/// `[R, B]` in double precision.
fn by_replica(tensor: &Tensor) -> Vec<Vec<f64>> {
    let [n_replicas, n_images] = [0, 1].map(|axis| tensor.size()[axis] as usize);
    let tensor = tensor.to_kind(Kind::Double).contiguous().to_device(Device::Cpu);
    let mut values = vec![0f64; n_replicas * n_images];
    tensor.copy_data(&mut values, n_replicas * n_images);
    values.chunks(n_images.max(1)).map(<[f64]>::to_vec).collect()
}
