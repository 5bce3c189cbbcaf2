//! The dimensions of a model's latent space: what each tells of images, and where codes lie in it.

use record::{ArrayName, Run};
use spec::metric::ACTIVE_UNIT_VARIANCE;
use spec::{Cell, LatentSpace};

use crate::arrays;
use crate::collect::numbers;
use crate::error::FiguresError;

/// A dimension's range reaches so many standard deviations to both sides of its mean.
const REACH: f64 = 3.0;

/// A dimension of a latent space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dimension {
    /// Its place in z, from 0.
    pub index: usize,
    /// Its KL on the test images, in nats per image; `None` of a model whose KL is no sum over dimensions.
    pub kl: Option<f64>,
    /// The variance over test images of its posterior mean or code; `None` of a model without encoder.
    pub variance: Option<f64>,
    /// Whether that is above 0.01 (Burda et al. 2016, §5.2).
    pub is_active: Option<bool>,
    /// The lower end of its range: see [`dimensions`].
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The dimensions of a finished run's latents, the largest KL first; where there is none, the largest variance of codes; else in
/// their own order. A range is three standard deviations to both sides of the mean, over what the encoder says of all test images
/// (the variance of its means and the mean of its variances); 0…1 of bits; −3…3 of a model without encoder.
///
/// # Errors
/// If the run's metrics or arrays cannot be read.
pub fn dimensions(run: &Run, cell: &Cell) -> Result<Vec<Dimension>, FiguresError> {
    let kept = run.manifest()?.kept_epoch.map(|kept| kept.epoch);
    let kl = numbers(&run.metrics()?, kept, cell).kl_per_dim;
    let codes = arrays::latents_of(run, ArrayName::LatentMean)?.filter(|codes| codes.n > 0);
    let noise = arrays::latents_of(run, ArrayName::LatentLogVariance)?;
    let variances = codes.as_ref().map(arrays::Latents::variances);
    let mut all: Vec<Dimension> = (0..cell.model.latent_dim)
        .map(|index| {
            let variance = variances.as_ref().map(|variances| variances[index]);
            let noise = noise.as_ref().map_or(0.0, |log| log.mean_over_images(index, f64::exp));
            let (low, high) = match (cell.model.latent_space(), &codes) {
                (Some(LatentSpace::Bits), _) => (0.0, 1.0),
                (_, None) => (-REACH, REACH),
                (_, Some(codes)) => {
                    let mean = codes.mean_over_images(index, |value| value);
                    let half = REACH * (variance.unwrap_or(0.0) + noise).sqrt();
                    (mean - half, mean + half)
                }
            };
            let is_active = variance.map(|variance| variance > ACTIVE_UNIT_VARIANCE);
            Dimension { index, kl: kl.get(index).copied(), variance, is_active, low, high }
        })
        .collect();
    let rank = |dimension: &Dimension| dimension.kl.or(dimension.variance).unwrap_or(0.0);
    all.sort_by(|one, other| rank(other).total_cmp(&rank(one)));
    Ok(all)
}
