//! Evaluation of a whole split, and the arrays that figures are drawn from.

use data::Images;
use model::Vae;
use model::noise::{Stream, normals};
use record::{Array, Arrays, EvaluationRow, Split};
use spec::{Cell, Scale};
use tch::{Device, Kind, Tensor};

use crate::batches::in_order;
use crate::statistics::{ACTIVE_UNIT_VARIANCE, BatchSums, Mean, Sums};

/// Images evaluated at once; also fixes which noise an image sees.
const BATCH: usize = 500;
/// Test images whose reconstructions are kept.
const N_RECONSTRUCTIONS: usize = 20;
/// Samples from the prior that are kept.
const N_SAMPLES: usize = 100;
/// Points along each axis of the two-dimensional latent manifold.
const N_MANIFOLD: usize = 20;

/// Sums over every image of a split, the partial last batch included; one for each replica. One sample of z per image,
/// whose noise depends on (seed, split, epoch) alone.
pub fn evaluate(model: &Vae, images: &Images, split: Split, epoch: u64, betas: &[f64], device: Device) -> Vec<Sums> {
    let stream = match split {
        Split::Train => Stream::EvaluateTrain,
        Split::Validation => Stream::EvaluateValidation,
        Split::Test => Stream::EvaluateTest,
    };
    let replicas = model.parameters.replicas();
    let mut sums = vec![Sums::default(); replicas.len()];
    tch::no_grad(|| {
        for (i, start) in (0..images.shape.n).step_by(BATCH).enumerate() {
            let end = (start + BATCH).min(images.shape.n);
            let x = in_order(images, start, end, replicas.len(), device);
            let padded = model.parameters.padded_width();
            let epsilon = normals(replicas, end - start, padded, stream, epoch, i as u64, device);
            let batch = BatchSums::read(&model.elbo_terms(&x, &epsilon));
            for (replica, sum) in sums.iter_mut().enumerate() {
                if batch.add_to(sum, replica, replicas[replica].width, betas[replica]).is_err() {
                    // A mean with this image left out would be wrong, so that the whole is not finite.
                    sum.negative_elbo[0] = f64::NAN;
                }
            }
        }
    });
    sums
}

/// The rows of evaluation.parquet that every trained run has, from its sums over the test split.
pub fn rows(cell: &Cell, sums: &Sums, test: &Images) -> Vec<EvaluationRow> {
    let n = sums.images as u64;
    let row = |metric: &str, value: f64, standard_error: Option<f64>, settings: serde_json::Value| EvaluationRow {
        metric: metric.to_owned(),
        split: Split::Test,
        value,
        standard_error,
        n,
        settings: settings.to_string(),
    };
    let one_sample = || serde_json::json!({ "samples": 1 });
    let mean = |name: &str, sign: f64, sum: [f64; 2]| {
        let Mean { value, standard_error } = sums.mean(sum);
        row(name, sign * value, Some(standard_error), one_sample())
    };
    let mut rows = vec![
        mean("elbo", -1.0, sums.negative_elbo),
        mean("reconstruction", 1.0, sums.reconstruction),
        mean("kl", 1.0, sums.kl),
        row(
            "active_units",
            f64::from(sums.active_units()),
            None,
            serde_json::json!({ "variance_above": ACTIVE_UNIT_VARIANCE }),
        ),
    ];
    if cell.scale() == Scale::GrayBce {
        rows.push(row("gray_bce_floor", data::gray_bce_floor(test), None, serde_json::json!({})));
    }
    rows
}

/// What the replicas' figures are drawn from; one for each replica.
pub fn arrays(model: &Vae, test: &Images, device: Device) -> anyhow::Result<Vec<Arrays>> {
    let replicas = model.parameters.replicas();
    let padded = model.parameters.padded_width();
    let chosen = one_of_each_class(test);
    tch::no_grad(|| {
        let mut means = vec![Vec::new(); replicas.len()];
        let mut log_variances = vec![Vec::new(); replicas.len()];
        for start in (0..test.shape.n).step_by(BATCH) {
            let x = in_order(test, start, (start + BATCH).min(test.shape.n), replicas.len(), device);
            let q = model.encode(&x);
            for (r, replica) in replicas.iter().enumerate() {
                let own = |values: &Tensor| to_vec(&values.get(r as i64).narrow(1, 0, replica.width as i64));
                means[r].extend(own(&q.mean));
                log_variances[r].extend(own(&q.log_variance));
            }
        }

        let of_chosen: Vec<f32> = replicas
            .iter()
            .zip(&means)
            .flat_map(|(replica, means)| {
                chosen.iter().flat_map(|&i| pad(&means[i * replica.width..(i + 1) * replica.width], padded))
            })
            .collect();
        let of_chosen = Tensor::from_slice(&of_chosen).view([replicas.len() as i64, -1, padded as i64]);
        let prior = normals(replicas, N_SAMPLES, padded, Stream::Prior, 0, 0, Device::Cpu);
        let decode = |z: &Tensor| model.decode_mean(&z.to_device(device));
        let (reconstructions, samples) = (decode(&of_chosen), decode(&prior));
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
                    originals: originals.clone(),
                    reconstructions: images(&reconstructions, r, &[chosen.len()])?,
                    samples: images(&samples, r, &[N_SAMPLES])?,
                    manifold: manifold.map(|all| images(all, r, &[N_MANIFOLD, N_MANIFOLD])).transpose()?,
                    latent_mean: Array::new(latent_shape.clone(), mean)?,
                    latent_log_variance: Array::new(latent_shape, log_variance)?,
                    labels: test.labels.clone(),
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
