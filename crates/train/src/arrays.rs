//! The arrays that figures are drawn from.

use data::{Images, Splits};
use model::mixture::MixtureError;
use model::noise::Stream;
use model::{Family, Posterior, interpolation};
use record::{Array, ArrayName, Arrays};
use spec::{Cell, Split};
use tch::{Device, Kind, Tensor};

use crate::batches::{Batches, in_order};
use crate::evaluate::{BATCH, SplitContext};
use crate::manifold;
use crate::sampling::Sampler;
use crate::statistics::Mean;

/// Test images whose reconstructions are kept.
const N_RECONSTRUCTIONS: usize = 20;
/// Samples of each source that are kept.
pub(crate) const N_SAMPLES: usize = 100;
/// Pairs of test images between which is interpolated.
const N_PAIRS: usize = 5;
/// Latents on the way from one image of a pair to the other, both ends included.
const N_STEPS: usize = 10;

/// The arrays of one replica, and a metric that is computed with them.
#[derive(Debug)]
pub struct ReplicaArrays {
    /// The arrays.
    pub arrays: Arrays,
    /// log density of the test images' latent means under the mixture that is fitted to those of training images, in nats
    /// per image; `None` where there is no such mixture.
    pub latent_log_density: Option<Mean>,
}

/// The arrays that figures are drawn from; one for each replica.
pub fn arrays(
    model: &dyn Family,
    splits: &Splits,
    cells: &[Cell],
    device: Device,
) -> anyhow::Result<Vec<ReplicaArrays>> {
    let test = &splits.test;
    let replicas = model.parameters().replicas();
    let padded = model.parameters().padded_width();
    let chosen = record::arrays::originals(test.labels.as_deref(), test.shape.n, N_RECONSTRUCTIONS);
    tch::no_grad(|| {
        let generator = model.generator();
        let decode = |z: &Tensor| generator.mean(&z.to_device(device));
        let latents = encode_all(model, test, device);
        let z = latents.as_ref().map(|latents| of_images(&latents.mean, &chosen));
        let decoder_samples = z.as_ref().and_then(|z| generator.sample(&z.to_device(device), 0));
        let corrupted = corrupted(model, splits, &chosen, device);
        let denoised = corrupted.as_ref().zip(model.encoder()).map(|(x, encoder)| decode(&encoder.posterior(x).mean()));

        let sampler = Sampler::new(model, Batches::new(&splits.train, cells, device), device);
        let samples = decode(&sampler.prior(N_SAMPLES, 0));
        let aggregate = sampler.aggregate(N_SAMPLES, 0).map(|z| decode(&z));
        let mixtures = sampler.mixtures();
        let mixture = mixtures.as_ref().map(|mixtures| {
            let fitted = mixtures.iter().map(Result::as_ref).enumerate();
            let z = fitted.map(|(r, fitted)| fitted.map(|mixture| sampler.from_mixture(r, mixture, N_SAMPLES, 0)));
            OfSome::new(z.collect(), padded, decode)
        });
        let space = cells.first().and_then(|cell| cell.model.latent_space());
        let grids =
            space.and_then(|space| manifold::grids(model, space, latents.as_ref().map(|latents| &latents.mean)));
        let manifolds = grids.as_ref().map(|grids| decode(&grids.latents));

        let pairs = pairs(test, &chosen);
        let end = |of: fn(&(usize, usize)) -> usize| pairs.iter().map(of).collect::<Vec<_>>();
        let ends = latents.as_ref().filter(|_| !pairs.is_empty()).map(|latents| {
            let of = |end: Vec<usize>| of_images(&latents.mean, &end);
            (of(end(|pair| pair.0)), of(end(|pair| pair.1)))
        });
        let path = |between: fn(&Tensor, &Tensor, usize) -> Tensor| {
            ends.as_ref().map(|(from, to)| decode(&between(from, to, N_STEPS).flatten(1, 2)))
        };
        let linear = path(interpolation::linear);
        // Off the straight line probabilities would leave 0…1.
        let are_bits = latents.as_ref().is_some_and(|latents| latents.are_bits);
        let spherical = if are_bits { None } else { path(interpolation::spherical) };
        let angles = ends.as_ref().map(|(from, to)| interpolation::angle(from, to)); // [R, pairs]

        let images = |values: &Tensor, r: usize, leading: &[usize]| -> anyhow::Result<Array> {
            let shape = [test.shape.channels, test.shape.height, test.shape.width];
            Ok(Array::new([leading, &shape].concat(), to_vec(&values.get(r as i64)))?)
        };
        let some = |values: &Option<Tensor>, r: usize, leading: &[usize]| {
            values.as_ref().map(|all| images(all, r, leading)).transpose()
        };
        let (n, steps) = ([chosen.len()], [pairs.len(), N_STEPS]);
        let originals = images(&stacked(test, &chosen, 1, Device::Cpu), 0, &n)?;
        let both_ends: Vec<usize> = pairs.iter().flat_map(|pair| [pair.0, pair.1]).collect();
        let end_images = match &ends {
            Some(_) => Some(images(&stacked(test, &both_ends, 1, Device::Cpu), 0, &[pairs.len(), 2])?),
            None => None,
        };
        let reconstructions = z.as_ref().map(decode);
        replicas
            .iter()
            .enumerate()
            .map(|(r, replica)| {
                let own = |of_all: &Tensor| {
                    let values = to_vec(&of_all.get(r as i64).narrow(1, 0, replica.width as i64));
                    Array::new(vec![test.shape.n, replica.width], values)
                };
                let log_variance = latents.as_ref().and_then(|latents| latents.log_variance.as_ref());
                let grid = grids.as_ref().and_then(|grids| grids.of_replicas[r].as_ref());
                let manifold = match (&manifolds, grid) {
                    (Some(all), Some(grid)) => Some(images(all, r, &[grid.z2.len(), grid.z1.len()])?),
                    _ => None,
                };
                let axis = |values: &Vec<f32>| Array::new(vec![values.len()], values.clone());
                let angle = |all: &Tensor| Array::new(vec![pairs.len()], to_vec(&all.get(r as i64)));
                let mixture = mixture.as_ref().filter(|of_some| of_some.is_there[r]);
                let latent_log_density = match (&latents, mixtures.as_ref().map(|mixtures| &mixtures[r])) {
                    (Some(latents), Some(Ok(mixture))) => {
                        let own = latents.mean.get(r as i64).narrow(1, 0, replica.width as i64);
                        Some(mean(&mixture.log_density(&own)))
                    }
                    _ => None,
                };
                let mut arrays = Arrays::from_iter([
                    (ArrayName::Originals, Some(originals.clone())),
                    (ArrayName::Reconstructions, some(&reconstructions, r, &n)?),
                    (ArrayName::DecoderSamples, some(&decoder_samples, r, &n)?),
                    (ArrayName::Corrupted, some(&corrupted, r, &n)?),
                    (ArrayName::Denoised, some(&denoised, r, &n)?),
                    (ArrayName::Samples, Some(images(&samples, r, &[N_SAMPLES])?)),
                    (ArrayName::SamplesAggregate, some(&aggregate, r, &[N_SAMPLES])?),
                    (ArrayName::SamplesMixture, mixture.map(|all| images(&all.all, r, &[N_SAMPLES])).transpose()?),
                    (ArrayName::Manifold, manifold),
                    (ArrayName::ManifoldZ1, grid.map(|grid| axis(&grid.z1)).transpose()?),
                    (ArrayName::ManifoldZ2, grid.map(|grid| axis(&grid.z2)).transpose()?),
                    (ArrayName::InterpolationEnds, end_images.clone()),
                    (ArrayName::InterpolationAngle, angles.as_ref().map(angle).transpose()?),
                    (ArrayName::InterpolationLinear, some(&linear, r, &steps)?),
                    (ArrayName::InterpolationSpherical, some(&spherical, r, &steps)?),
                    (ArrayName::LatentMean, latents.as_ref().map(|latents| own(&latents.mean)).transpose()?),
                    (ArrayName::LatentLogVariance, log_variance.map(own).transpose()?),
                ]);
                arrays.labels = test.labels.clone().filter(|_| latents.is_some());
                arrays.class_names.clone_from(&splits.class_names);
                Ok(ReplicaArrays { arrays, latent_log_density })
            })
            .collect()
    })
}

/// The mean of values `[N]`, one an image.
fn mean(values: &Tensor) -> Mean {
    let values = values.to_kind(Kind::Double);
    let sum = |values: &Tensor| values.sum(Kind::Double).double_value(&[]);
    Mean::of([sum(&values), sum(&values.square())], values.numel() as f64)
}

/// What the encoder says about all images of a split, on the CPU.
struct Latents {
    /// `[R, N, D]`
    mean: Tensor,
    /// `[R, N, D]`
    log_variance: Option<Tensor>,
    are_bits: bool,
}

/// `None` for a model without an encoder.
fn encode_all(model: &dyn Family, images: &Images, device: Device) -> Option<Latents> {
    let encoder = model.encoder()?;
    let n_replicas = model.parameters().replicas().len();
    let (mut means, mut log_variances, mut are_bits) = (Vec::new(), Vec::new(), false);
    for start in (0..images.shape.n).step_by(BATCH) {
        let x = in_order(images, start, (start + BATCH).min(images.shape.n), n_replicas, device);
        let q = encoder.posterior(&x);
        are_bits = matches!(q, Posterior::Bits(_));
        means.push(q.mean().to_device(Device::Cpu));
        log_variances.extend(q.log_variance().map(|values| values.to_device(Device::Cpu)));
    }
    let log_variance = (!log_variances.is_empty()).then(|| Tensor::cat(&log_variances, 1));
    (!means.is_empty()).then(|| Latents { mean: Tensor::cat(&means, 1), log_variance, are_bits })
}

/// Images that some replicas have, and that are anything for the others.
struct OfSome {
    /// `[R, n, P]`
    all: Tensor,
    is_there: Vec<bool>,
}

impl OfSome {
    /// Decodes the latents `[n, D]` of those that have them, and tells why a trained replica has none.
    fn new(drawn: Vec<Result<Tensor, &MixtureError>>, padded: usize, decode: impl Fn(&Tensor) -> Tensor) -> OfSome {
        let none = || Tensor::zeros([N_SAMPLES as i64, padded as i64], (Kind::Float, Device::Cpu));
        let is_there = drawn.iter().map(Result::is_ok).collect();
        let z: Vec<Tensor> = drawn
            .into_iter()
            .map(|latents| match latents {
                Ok(latents) => latents.to_device(Device::Cpu),
                // A replica that failed: its reason is reported elsewhere.
                Err(MixtureError::NotFinite { .. }) => none(),
                Err(error) => {
                    eprintln!("warning: no samples from a mixture over latents: {error}");
                    none()
                }
            })
            .collect();
        OfSome { all: decode(&Tensor::stack(&z, 0)), is_there }
    }
}

/// The rows of latents `[R, N, D]` at these indices.
fn of_images(latents: &Tensor, indices: &[usize]) -> Tensor {
    latents.index_select(1, &Tensor::from_slice(&indices.iter().map(|&i| i as i64).collect::<Vec<_>>()))
}

/// The images at these indices, the same for all replicas; `[R, n, P]`.
fn stacked(images: &Images, indices: &[usize], n_replicas: usize, device: Device) -> Tensor {
    let each: Vec<Tensor> = indices.iter().map(|&i| in_order(images, i, i + 1, n_replicas, device)).collect();
    Tensor::cat(&each, 1)
}

/// Test images as the encoder of a denoising model sees them while training; `None` for another model.
fn corrupted(model: &dyn Family, splits: &Splits, indices: &[usize], device: Device) -> Option<Tensor> {
    let encoder = model.encoder()?;
    let n_replicas = model.parameters().replicas().len();
    let ones = vec![1.0; n_replicas];
    let at = SplitContext { split: Split::Test, epoch: 0, betas: &ones, n_train: splits.train.shape.n };
    encoder.corrupt(&stacked(&splits.test, indices, n_replicas, device), &at.batch(Stream::EvaluateTest, 0))
}

/// Up to [`N_PAIRS`] pairs of neighbours among these images, of different classes unless all are of one.
fn pairs(images: &Images, indices: &[usize]) -> Vec<(usize, usize)> {
    let all: Vec<(usize, usize)> = indices.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let labels = images.labels.as_deref();
    let differ = |&(a, b): &(usize, usize)| labels.is_none_or(|labels| labels[a] != labels[b]);
    let different: Vec<(usize, usize)> = all.iter().copied().filter(differ).collect();
    let mut pairs = if different.is_empty() { all } else { different };
    pairs.truncate(N_PAIRS);
    pairs
}

/// The values of a tensor in C order.
pub(crate) fn to_vec(tensor: &Tensor) -> Vec<f32> {
    let tensor = tensor.to_kind(Kind::Float).contiguous().to_device(Device::Cpu);
    let mut values = vec![0f32; tensor.numel()];
    tensor.copy_data(&mut values, tensor.numel());
    values
}
