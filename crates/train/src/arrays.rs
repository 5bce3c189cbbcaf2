//! The arrays that figures are drawn from.

use data::Images;
use model::Family;
use model::noise::{Drawer, Stream};
use record::{Array, Arrays};
use tch::{Device, Kind, Tensor};

use crate::batches::in_order;
use crate::evaluate::BATCH;

/// Test images whose reconstructions are kept.
const N_RECONSTRUCTIONS: usize = 20;
/// Samples from the prior that are kept.
pub(crate) const N_SAMPLES: usize = 100;
/// Points along each axis of the two-dimensional latent manifold.
const N_MANIFOLD: usize = 20;

/// What the replicas' figures are drawn from; one for each replica.
pub fn arrays(model: &dyn Family, test: &Images, device: Device) -> anyhow::Result<Vec<Arrays>> {
    let replicas = model.parameters().replicas();
    let padded = model.parameters().padded_width();
    let chosen = one_of_each_class(test);
    tch::no_grad(|| {
        let mut means = vec![Vec::new(); replicas.len()];
        let mut log_variances = vec![None::<Vec<f32>>; replicas.len()];
        let mut has_encoder = false;
        for start in (0..test.shape.n).step_by(BATCH) {
            let x = in_order(test, start, (start + BATCH).min(test.shape.n), replicas.len(), device);
            let Some(q) = model.encode(&x) else { break };
            has_encoder = true;
            let (mean, log_variance) = (q.mean(), q.log_variance());
            for (r, replica) in replicas.iter().enumerate() {
                let own = |values: &Tensor| to_vec(&values.get(r as i64).narrow(1, 0, replica.width as i64));
                means[r].extend(own(&mean));
                if let Some(log_variance) = &log_variance {
                    log_variances[r].get_or_insert_default().extend(own(log_variance));
                }
            }
        }

        let decode = |z: &Tensor| model.decode_mean(&z.to_device(device));
        let reconstructions = has_encoder.then(|| {
            let latent = |(replica, means): (&Drawer, &Vec<f32>)| -> Vec<f32> {
                let of =
                    |&i: &usize| pad(&means[i * replica.width..(i + 1) * replica.width], padded).collect::<Vec<_>>();
                chosen.iter().flat_map(of).collect()
            };
            let latents: Vec<f32> = replicas.iter().zip(&means).flat_map(latent).collect();
            decode(&Tensor::from_slice(&latents).view([replicas.len() as i64, -1, padded as i64]))
        });
        let samples = decode(&model.sample_prior(N_SAMPLES, Stream::Prior, 0));
        let manifolds = replicas.iter().any(|replica| replica.width == 2).then(|| {
            let grid = manifold_grid(padded);
            decode(&grid.unsqueeze(0).expand([replicas.len() as i64, -1, -1], false).contiguous())
        });

        let images = |values: &Tensor, r: usize, leading: &[usize]| -> anyhow::Result<Array> {
            let shape = [test.shape.channels, test.shape.height, test.shape.width];
            Ok(Array::new([leading, &shape].concat(), to_vec(&values.get(r as i64)))?)
        };
        let originals = chosen.iter().flat_map(|&i| test.image(i)).map(|&byte| f32::from(byte) / 255.0).collect();
        let shape = [chosen.len(), test.shape.channels, test.shape.height, test.shape.width];
        let originals = Array::new(shape.to_vec(), originals)?;
        let latents = means.into_iter().zip(log_variances);
        replicas
            .iter()
            .zip(latents)
            .enumerate()
            .map(|(r, (replica, (mean, log_variance)))| {
                let manifold = manifolds.as_ref().filter(|_| replica.width == 2);
                let latent_shape = vec![test.shape.n, replica.width];
                Ok(Arrays {
                    originals: Some(originals.clone()),
                    reconstructions: reconstructions.as_ref().map(|all| images(all, r, &[chosen.len()])).transpose()?,
                    samples: images(&samples, r, &[N_SAMPLES])?,
                    manifold: manifold.map(|all| images(all, r, &[N_MANIFOLD, N_MANIFOLD])).transpose()?,
                    latent_mean: has_encoder.then(|| Array::new(latent_shape.clone(), mean)).transpose()?,
                    latent_log_variance: log_variance.map(|values| Array::new(latent_shape, values)).transpose()?,
                    labels: test.labels.clone().filter(|_| has_encoder),
                    ..Arrays::default()
                })
            })
            .collect()
    })
}

/// Quantiles of the standard normal along both axes, 5 % to 95 %: equal steps of prior probability (Kingma & Welling
/// 2014, fig. 4). The first axis runs from high to low, so that up is up in a picture; shape `[g², D]`.
fn manifold_grid(padded: usize) -> Tensor {
    let options = (Kind::Double, Device::Cpu);
    let quantiles = Tensor::linspace(0.05, 0.95, N_MANIFOLD as i64, options).special_ndtri().to_kind(Kind::Float);
    let down = quantiles.flip([0]).view([-1, 1]).expand([N_MANIFOLD as i64, N_MANIFOLD as i64], false);
    let right = quantiles.view([1, -1]).expand([N_MANIFOLD as i64, N_MANIFOLD as i64], false);
    let z = Tensor::stack(&[right, down], -1).view([-1, 2]);
    z.constant_pad_nd([0, padded as i64 - 2])
}

/// Up to [`N_RECONSTRUCTIONS`] images: class after class the first of each, then the second, …; without labels the first.
fn one_of_each_class(images: &Images) -> Vec<usize> {
    let n = images.shape.n.min(N_RECONSTRUCTIONS);
    let Some(labels) = &images.labels else { return (0..n).collect() };
    let mut seen = [0usize; 256];
    let mut order: Vec<(usize, u8, usize)> = labels
        .iter()
        .enumerate()
        .map(|(i, &label)| {
            seen[usize::from(label)] += 1;
            (seen[usize::from(label)], label, i)
        })
        .collect();
    order.sort_unstable();
    order.into_iter().take(n).map(|(_, _, i)| i).collect()
}

fn pad(values: &[f32], width: usize) -> impl Iterator<Item = f32> + '_ {
    values.iter().copied().chain(std::iter::repeat(0.0)).take(width)
}

fn to_vec(tensor: &Tensor) -> Vec<f32> {
    let tensor = tensor.to_kind(Kind::Float).contiguous().to_device(Device::Cpu);
    let mut values = vec![0f32; tensor.numel()];
    tensor.copy_data(&mut values, tensor.numel());
    values
}
