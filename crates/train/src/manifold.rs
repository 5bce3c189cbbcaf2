//! The grid over a latent space of two dimensions whose points are decoded: it covers what the model's prior covers.

use model::Family;
use model::noise::{NoiseKey, Stream};
use spec::LatentSpace;
use tch::{Device, Kind, Tensor};

use crate::arrays::to_vec;

/// Points along each axis.
const N_SIDE: i64 = 16;
/// The grid has equal steps of prior probability between these quantiles (Kingma & Welling 2014, fig. 4).
const PRIOR_QUANTILES: [f64; 2] = [0.05, 0.95];
/// Codes have no prior: the grid has equal steps between these quantiles of them.
const CODE_QUANTILES: [f64; 2] = [0.005, 0.995];
/// Draws by which the quantiles of a learned prior are measured.
const N_DRAWS: usize = 10_000;

/// The grid of one replica; z₁ is the first latent dimension.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grid {
    /// z₁ of the columns, from left to right.
    pub z1: Vec<f32>,
    /// z₂ of the rows, from top to bottom: from high to low, so that up is up in a picture.
    pub z2: Vec<f32>,
}

impl Grid {
    /// Both axes at these places, ascending, `[g, 2]`.
    fn at(places: &Tensor) -> Grid {
        let axis = |dimension: i64| to_vec(&places.select(1, dimension));
        Grid { z1: axis(0), z2: axis(1).into_iter().rev().collect() }
    }

    /// Row after row, `[g², D]`; zero in the padding.
    fn latents(&self, padded: usize) -> Tensor {
        let point = |&z2: &f32| self.z1.iter().flat_map(move |&z1| [z1, z2]);
        let z: Vec<f32> = self.z2.iter().flat_map(point).collect();
        Tensor::from_slice(&z).view([-1, 2]).constant_pad_nd([0, padded as i64 - 2])
    }
}

/// The grids of a cohort.
pub(crate) struct Grids {
    /// `None` where a latent space does not have two dimensions.
    pub of_replicas: Vec<Option<Grid>>,
    /// All of them, `[R, g², D]`; zero where there is none.
    pub latents: Tensor,
}

/// The grids of a cohort whose latents lie in such a space; `None` where no replica has two dimensions.
///
/// `codes` are the posterior means of images, `[R, N, D]`, of a model that has an encoder.
pub(crate) fn grids(model: &dyn Family, space: LatentSpace, codes: Option<&Tensor>) -> Option<Grids> {
    let (replicas, padded) = (model.parameters().replicas(), model.parameters().padded_width());
    replicas.iter().find(|replica| replica.width == 2)?;
    let options = (Kind::Double, Device::Cpu);
    let between = |[low, high]: [f64; 2]| Tensor::linspace(low, high, N_SIDE, options);
    let both = |places: &Tensor| Tensor::stack(&[places, places], 1);
    let draws = (space == LatentSpace::Learned)
        .then(|| model.generator().sample_prior(N_DRAWS, NoiseKey::new(Stream::Prior, 1, 0)));
    // Quantiles of both dimensions of one replica's latents, `[q, 2]`.
    let quantiles = |latents: &Tensor, replica: usize, at: &Tensor| {
        let own = latents.get(replica as i64).narrow(1, 0, 2).to_device(Device::Cpu).to_kind(Kind::Double);
        own.quantile(at, 0, false, "linear")
    };
    let places = |replica: usize| match space {
        LatentSpace::Normal => Some(both(&between(PRIOR_QUANTILES).special_ndtri())),
        LatentSpace::Learned => Some(quantiles(draws.as_ref()?, replica, &between(PRIOR_QUANTILES))),
        LatentSpace::Bits => Some(both(&Tensor::from_slice(&[0.0, 1.0]))),
        LatentSpace::Codes => {
            let ends = quantiles(codes?, replica, &Tensor::from_slice(&CODE_QUANTILES)); // [2, 2]
            let share = between([0.0, 1.0]).unsqueeze(1);
            Some(ends.get(0) * (-&share + 1.0) + ends.get(1) * share)
        }
    };
    let of_replicas: Vec<Option<Grid>> = replicas
        .iter()
        .enumerate()
        .map(|(r, replica)| places(r).filter(|_| replica.width == 2).map(|places| Grid::at(&places)))
        .collect();
    let n_points = of_replicas.iter().flatten().map(|grid| grid.z1.len() * grid.z2.len()).next()? as i64;
    let none = || Tensor::zeros([n_points, padded as i64], (Kind::Float, Device::Cpu));
    let latents: Vec<Tensor> =
        of_replicas.iter().map(|grid| grid.as_ref().map_or_else(none, |grid| grid.latents(padded))).collect();
    Some(Grids { latents: Tensor::stack(&latents, 0), of_replicas })
}
