//! log p(x) and the gap of the bound by quadrature, where the latent space is a plane.

use tch::{Kind, Tensor};

use crate::family::Density;
use crate::posterior::DiagonalGaussian;

/// Coarse steps along a side of a tile.
const TILE: usize = 6;
/// Fine steps in a coarse one.
const REFINEMENT: usize = 4;
/// Tiles whose densities are below the largest by so many nats are left out.
const NEGLIGIBLE: f64 = 25.0;

/// A square grid of z around the origin, in units of the prior's standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Tiles along a side, each of 24 steps.
    pub tiles: usize,
    /// The grid's corners are at ± this.
    pub half_width: f64,
}

impl Grid {
    /// 601 × 601 points on −5…5.
    pub const USUAL: Grid = Grid { tiles: 25, half_width: 5.0 };

    /// Points along a side.
    pub fn points(self) -> usize {
        self.tiles * TILE * REFINEMENT + 1
    }

    /// The width of a step.
    fn step(self) -> f64 {
        2.0 * self.half_width / (self.points() - 1) as f64
    }

    /// `n` points along a side, `every` steps apart from the step `first` on, with the logarithms of the trapezium rule's weights.
    fn side(self, first: usize, n: usize, every: usize) -> Side {
        let steps = || (0..n).map(|i| first + i * every);
        let is_end = |step: usize| step == 0 || step + 1 == self.points();
        Side {
            z: steps().map(|step| (step as f64 * self.step() - self.half_width) as f32).collect(),
            log_weights: steps().map(|step| (self.step() * if is_end(step) { 0.5 } else { 1.0 }).ln() as f32).collect(),
        }
    }

    /// The fine points along the `i`-th tile of a side; each belongs to one tile.
    fn of_tile(self, i: usize) -> Side {
        let is_last = i + 1 == self.tiles;
        self.side(i * TILE * REFINEMENT, TILE * REFINEMENT + usize::from(is_last), 1)
    }
}

/// Points along a side of a rectangle.
#[derive(Debug)]
struct Side {
    z: Vec<f32>,
    log_weights: Vec<f32>,
}

/// Points of the plane, the second coordinate fastest.
#[derive(Debug)]
struct Rectangle {
    /// The coordinates, `[1, n₁, 1, 1]` and `[1, 1, n₂, 1]`.
    coordinates: [Tensor; 2],
    /// The logarithm of each point's weight, `[1, n₁·n₂, 1]`.
    log_weights: Tensor,
}

impl Rectangle {
    fn new(first: &Side, second: &Side, like: &Tensor) -> Rectangle {
        let tensor = |values: &[f32], shape: [i64; 4]| Tensor::from_slice(values).view(shape).to_device(like.device());
        let log_weights = tensor(&first.log_weights, [1, -1, 1, 1]) + tensor(&second.log_weights, [1, 1, -1, 1]);
        Rectangle {
            coordinates: [tensor(&first.z, [1, -1, 1, 1]), tensor(&second.z, [1, 1, -1, 1])],
            log_weights: log_weights.reshape([1, -1, 1]),
        }
    }

    fn n_points(&self) -> i64 {
        self.log_weights.size()[1]
    }

    /// z of the points for each replica; `[R, n, 2]`.
    fn z(&self, n_replicas: i64) -> Tensor {
        let both = Tensor::broadcast_tensors(&self.coordinates);
        Tensor::stack(&both, -1).view([1, -1, 2]).expand([n_replicas, -1, -1], false)
    }

    /// Σ −½((z_d − mean_d)²/σ_d² + ln σ_d² + ln 2π) at the points; mean and ln σ² are `[R, B, 2]`, the result `[R, n, B]`.
    fn log_gaussian(&self, mean: &Tensor, log_variance: &Tensor) -> Tensor {
        let along = |d: i64| {
            let of = |tensor: &Tensor| tensor.select(-1, d).unsqueeze(1).unsqueeze(1); // [R, 1, 1, B]
            let (mean, log_variance) = (of(mean), of(log_variance));
            let squares = (&self.coordinates[d as usize] - mean).square() / log_variance.exp();
            (squares + log_variance + (2.0 * std::f64::consts::PI).ln()) * -0.5
        };
        let sum = along(0) + along(1);
        let size = sum.size();
        sum.reshape([size[0], self.n_points(), size[3]])
    }

    /// log p(z) under N(0, I); `[1, n, 1]`.
    fn log_prior(&self) -> Tensor {
        let zero = self.log_weights.new_zeros([1, 1, 2], (Kind::Float, self.log_weights.device()));
        self.log_gaussian(&zero, &zero)
    }
}

/// What an integral over the plane gives of each image; all `[R, B]`, in double precision.
#[derive(Debug)]
pub struct Quadrature {
    /// log p(x) = log ∫ p(z) p(x|z) dz, in nats.
    pub log_p: Tensor,
    /// KL(q(z|x) ‖ p(z|x)) = log p(x) − ELBO, in nats.
    pub gap: Tensor,
    /// ∫ q(z|x) dz over the grid: 1 where it holds all of q and its step resolves it.
    pub mass: Tensor,
}

/// log p(x) of images `x`, `[R, B, P]`, and the gap of the bound with the posteriors `q`, by the trapezium rule under the prior N(0, I).
/// `None` where the latent space is no plane, or p(x|z) of pairs no matrix product.
///
/// A grid four times as coarse finds the tiles in which an image has either density; in the others both are below e⁻²⁵ of their largest
/// value. Each tile is decoded once and paired with the images that it matters to, as many for each replica.
pub fn quadrature(density: &dyn Density, q: &DiagonalGaussian, x: &Tensor, grid: Grid) -> Option<Quadrature> {
    let DiagonalGaussian { mean, log_variance } = q;
    let shape = [x.size()[0], x.size()[1]];
    if mean.size()[2] != 2 {
        return None;
    }
    tch::no_grad(|| {
        let log_joint = |points: &Rectangle, x: &Tensor| {
            density.log_likelihood_of_pairs(&points.z(shape[0]), x).map(|pairs| pairs + points.log_prior())
        };

        let (mut joint, mut posterior) = (Vec::new(), Vec::new());
        let across = grid.side(0, grid.tiles * TILE + 1, REFINEMENT);
        for row in 0..grid.tiles {
            let along = grid.side(row * TILE * REFINEMENT, TILE + 1, REFINEMENT);
            let points = Rectangle::new(&along, &across, x);
            joint.push(largest_by_tile(&log_joint(&points, x)?));
            posterior.push(largest_by_tile(&points.log_gaussian(mean, log_variance)));
        }
        let [joint, posterior] = [joint, posterior].map(|rows| Tensor::cat(&rows, 1)); // [R, tiles², B]
        let peak = (log_variance + (2.0 * std::f64::consts::PI).ln()).sum_dim_intlist(-1, false, Kind::Float) * -0.5;
        let has_joint = joint.gt_tensor(&(joint.amax(1, true) - NEGLIGIBLE));
        let has_posterior = posterior.gt_tensor(&(peak.unsqueeze(1) - NEGLIGIBLE));
        let matters = has_joint.logical_or(&has_posterior);
        let n_images = matters.sum_dim_intlist(-1, false, Kind::Int64).amax(0, false);
        let n_images = Vec::<i64>::try_from(n_images).ok()?;

        let double = (Kind::Double, x.device());
        let mut log_p = Tensor::full(shape, f64::NEG_INFINITY, double);
        let (mut mass, mut excess) = (Tensor::zeros(shape, double), Tensor::zeros(shape, double));
        for (tile, n_images) in n_images.into_iter().enumerate().filter(|(_, n_images)| *n_images > 0) {
            let points = Rectangle::new(&grid.of_tile(tile / grid.tiles), &grid.of_tile(tile % grid.tiles), x);
            let chosen = matters.select(1, tile as i64).to_kind(Kind::Int).topk(n_images, -1, true, false).1; // [R, b]
            let of_chosen = |tensor: &Tensor| {
                tensor.gather(1, &chosen.unsqueeze(-1).expand([-1, -1, tensor.size()[2]], false), false)
            };
            let log_joint = log_joint(&points, &of_chosen(x))? + &points.log_weights;
            let log_q = points.log_gaussian(&of_chosen(mean), &of_chosen(log_variance)) + &points.log_weights;
            let weights = log_q.exp();
            let so_far = log_p.gather(1, &chosen, false);
            let of_tile = log_joint.logsumexp(1, false).to_kind(Kind::Double);
            log_p = log_p.scatter(1, &chosen, &so_far.logaddexp(&of_tile));
            let sum = |values: &Tensor| values.sum_dim_intlist(1, false, Kind::Double);
            mass = mass.scatter_add(1, &chosen, &sum(&weights));
            excess = excess.scatter_add(1, &chosen, &sum(&(weights * (log_q - log_joint))));
        }
        Some(Quadrature { gap: excess / &mass + &log_p, log_p, mass })
    })
}

/// The largest value in each tile of a row of tiles, ends included; `[R, n, B]` of coarse points to `[R, tiles, B]`.
fn largest_by_tile(values: &Tensor) -> Tensor {
    let (size, side) = (values.size(), (TILE + 1) as i64);
    let columns = values.view([size[0], side, size[1] / side, size[2]]).amax(1, false);
    columns.unfold(1, side, TILE as i64).amax(-1, false)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::{Value, json};
    use spec::{Cell, ImageShape};
    use tch::Device;

    use super::*;
    use crate::bounds::importance_sampled;
    use crate::family::{Family, StepContext};
    use crate::noise::{NoiseKey, Stream};
    use crate::posterior::Posterior;

    /// A cohort of these seeds whose codes matter.
    fn build(likelihood: &Value, seeds: &[u64]) -> Box<dyn Family> {
        let cell = |seed: &u64| -> Cell {
            serde_json::from_value(json!({
                "dataset": { "name": { "folder": "/images" } },
                "model": { "hidden": [12], "latent_dim": 2, "likelihood": likelihood },
                "training": { "seed": seed },
            }))
            .unwrap()
        };
        let cells: Vec<Cell> = seeds.iter().map(cell).collect();
        let image = ImageShape { channels: 1, height: 5, width: 4 };
        let model = crate::build(&cells.iter().collect::<Vec<_>>(), image, Device::Cpu).unwrap().unwrap();
        tch::no_grad(|| {
            for parameter in model.parameters().iter().filter(|parameter| parameter.name.starts_with("decoder")) {
                let _ = parameter.tensor.detach().g_mul_scalar_(4.0);
            }
        });
        model
    }

    fn images(n_replicas: i64) -> Tensor {
        ((Tensor::arange(60, (Kind::Float, Device::Cpu)) * 12.9898).sin().abs())
            .view([1, 3, 20])
            .repeat([n_replicas, 1, 1])
    }

    fn of(model: &dyn Family, grid: Grid) -> Option<Quadrature> {
        let x = images(model.parameters().replicas().len() as i64);
        let Posterior::Gaussian(q) = tch::no_grad(|| model.encoder().unwrap().posterior(&x)) else {
            panic!("no Gaussian")
        };
        quadrature(model.density().unwrap(), &q, &x, grid)
    }

    fn difference(a: &Tensor, b: &Tensor) -> f64 {
        (a - b).abs().max().double_value(&[])
    }

    #[test]
    fn a_finer_and_a_wider_grid_and_importance_sampling_agree() {
        // Many small products, which threads only hold up.
        tch::set_num_threads(1);
        for likelihood in [
            json!("bernoulli"),
            json!({ "continuous-bernoulli": {} }),
            json!({ "gaussian": { "sigma": 0.4 } }),
            json!({ "gaussian-shared": {} }),
        ] {
            let model = build(&likelihood, &[2]);
            let usual = of(model.as_ref(), Grid::USUAL).unwrap();
            let one = usual.mass.ones_like();
            assert!(difference(&usual.mass, &one) < 1e-3, "{likelihood}: {}", usual.mass);
            let finer = of(model.as_ref(), Grid { tiles: 32, half_width: 5.0 }).unwrap();
            let wider = of(model.as_ref(), Grid { tiles: 25, half_width: 6.0 }).unwrap();
            for other in [&finer.log_p, &wider.log_p] {
                assert!(difference(&usual.log_p, other) < 0.01, "{likelihood}: {} and {other}", usual.log_p);
            }
            assert!(difference(&usual.gap, &finer.gap) < 0.01, "{likelihood}: {} and {}", usual.gap, finer.gap);
            assert!(usual.gap.min().double_value(&[]) > 0.0, "{likelihood}: {usual:?}");

            let key = NoiseKey::new(Stream::Importance, 0, 0);
            let at = StepContext { key, progress: 0.0, betas: vec![1.0], n_train: 3, noise: None };
            let (density, n) = (model.density().unwrap(), 5_000);
            let sampled = importance_sampled(density, &images(1), n, &at);
            // Of log p̂, by the delta method: (1/S_eff − 1/S)^½.
            let error = (sampled.effective_samples.reciprocal() - 1.0 / n as f64).clamp_min(0.0).sqrt() * 4.0 + 1e-3;
            let off = (&usual.log_p - &sampled.log_p).abs();
            assert!(off.le_tensor(&error).all().int64_value(&[]) == 1, "{likelihood}: {off} of {error}");
            // The mean of log w is the ELBO, which the gap leads to.
            let log_weights = tch::no_grad(|| density.log_weights(&images(1), n, &at)).to_kind(Kind::Double);
            let elbo = log_weights.mean_dim(1, false, Kind::Double);
            let error = log_weights.std_dim(1, true, false) / (n as f64).sqrt() * 4.0 + 1e-3;
            let off = (&usual.log_p - &usual.gap - elbo).abs();
            assert!(off.le_tensor(&error).all().int64_value(&[]) == 1, "{likelihood}: {off} of {error}");
        }
    }

    /// Images are paired with other tiles in each replica.
    #[test]
    fn each_replica_is_integrated_as_alone() {
        let grid = Grid { tiles: 10, half_width: 5.0 };
        let together = of(build(&json!("bernoulli"), &[0, 1]).as_ref(), grid).unwrap();
        for seed in [0, 1] {
            let alone = of(build(&json!("bernoulli"), &[seed]).as_ref(), grid).unwrap();
            for (alone, together) in [(&alone.log_p, &together.log_p), (&alone.gap, &together.gap)] {
                assert!(difference(&alone.get(0), &together.get(seed as i64)) < 1e-4);
            }
        }
    }

    #[test]
    fn likelihoods_without_matrix_products_are_left_alone() {
        for likelihood in [json!({ "laplace": {} }), json!("discretised-logistic"), json!({ "gaussian-per-pixel": {} })]
        {
            assert!(of(build(&likelihood, &[0]).as_ref(), Grid::USUAL).is_none(), "{likelihood}");
        }
    }
}
