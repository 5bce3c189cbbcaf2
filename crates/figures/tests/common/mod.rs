//! Made-up but plausible records: every number is a formula of the cell, so that they are the same everywhere.
#![expect(dead_code, reason = "the tests and the example each use a part")]

#[path = "../../../record/tests/suite/made_up.rs"]
mod made_up;

use std::path::Path;

use made_up::measured;

use record::{Array, ArrayName, Arrays, MetricsRow, Provenance, RunEditor, RunWriter, Store};
use spec::metric::{Band, Decode, Input, Subject};
use spec::{Cell, Experiment, Measurement, Metric, MetricSettings, Split};

/// A 36-run sweep.
pub const SWEEP: &str = "
name: latent-dims
dataset: { name: mnist }
model: { hidden: [400], latent_dim: 20 }
training: { epochs: 20 }
sweep:
  grid: { model.latent_dim: [2, 5, 10, 20], objective.beta: [0.5, 1, 4], training.seed: [0, 1, 2] }
";

/// What the images of a run look like.
#[derive(Clone, Copy)]
pub struct Look {
    /// 1 or 3.
    pub channels: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Along a side of the manifold.
    pub grid: usize,
    /// Images with stored latents.
    pub n_latents: usize,
    /// Samples from the prior.
    pub n_samples: usize,
}

impl Look {
    /// MNIST's.
    pub const MNIST: Look = Look { channels: 1, width: 28, height: 28, grid: 20, n_latents: 2000, n_samples: 64 };
    /// A few tiny images, for golden files.
    pub const TINY: Look = Look { channels: 1, width: 4, height: 4, grid: 3, n_latents: 30, n_samples: 9 };
}

pub fn experiment(text: &str) -> Experiment {
    Experiment::parse("made-up.yaml", text.as_bytes(), &[]).unwrap()
}

/// What a model has.
#[derive(Clone, Copy, PartialEq)]
pub enum Family {
    /// All terms.
    Vae,
    /// All terms, but the KL is no sum over dimensions.
    Mixture,
    /// A reconstruction alone.
    Autoencoder,
    /// No term and no encoder, but a discriminator.
    Gan,
}

/// Writes finished runs for the cells that `keep` keeps.
pub fn fill(root: &Path, experiment: &Experiment, look: Look, keep: impl Fn(&Cell) -> bool) -> Store {
    fill_families(root, experiment, look, |cell| keep(cell).then_some(Family::Vae))
}

/// Writes finished runs for the cells that have a family.
pub fn fill_families(
    root: &Path,
    experiment: &Experiment,
    look: Look,
    family: impl Fn(&Cell) -> Option<Family>,
) -> Store {
    let store = Store::open(root).unwrap();
    for cell in &experiment.cells {
        let Some(family) = family(cell) else { continue };
        let mut writer = RunWriter::start(&store, cell, &Provenance::default()).unwrap();
        for epoch in 1..=cell.training.epochs as u32 {
            writer.epoch(&[Split::Train, Split::Test].map(|split| of_family(family, row(cell, epoch, split)))).unwrap();
        }
        let mut arrays = arrays(cell, look);
        match family {
            Family::Gan => arrays = Arrays::from_iter([(ArrayName::Samples, arrays.remove(ArrayName::Samples))]),
            Family::Autoencoder => drop(arrays.remove(ArrayName::LatentLogVariance)),
            Family::Vae | Family::Mixture => {}
        }
        writer.arrays(&arrays).unwrap();
        if matches!(family, Family::Vae | Family::Mixture) {
            writer.evaluation(&evaluation(cell)).unwrap();
        }
        writer.finish(12.5).unwrap();
    }
    store
}

/// The row of another model with as good a reconstruction.
fn of_family(family: Family, row: MetricsRow) -> MetricsRow {
    let without_bound = |terms: Vec<(Metric, f64)>| MetricsRow {
        terms: terms.into_iter().collect(),
        kl_per_dim: Vec::new(),
        latent_mean_variance: Vec::new(),
        ..row.clone()
    };
    let reconstruction = row.terms.get(Metric::Reconstruction).unwrap();
    match family {
        Family::Vae => row,
        Family::Mixture => MetricsRow { kl_per_dim: Vec::new(), ..row },
        Family::Autoencoder => {
            without_bound(vec![(Metric::Reconstruction, reconstruction), (Metric::Objective, reconstruction)])
        }
        Family::Gan => without_bound(vec![
            (Metric::Objective, 0.7 + 0.2 / f64::from(row.epoch)),
            (Metric::Discriminator, 1.38 - 0.3 / f64::from(row.epoch)),
        ]),
    }
}

fn evaluation(cell: &Cell) -> Vec<Measurement> {
    let row = |metric: Metric, value: f64, settings: MetricSettings| measured(metric, value, None, settings);
    let elbo = row_of_last_epoch(cell).terms.get(Metric::Elbo).unwrap();
    let nll = -elbo - 4.5 + 0.1 * normal(cell.training.seed);
    let mut rows = vec![
        row(Metric::Elbo, elbo, MetricSettings::samples(1)),
        row(cell.scale().nll(), nll, MetricSettings::samples(5000)),
    ];
    if let Some(samples @ 2..) = cell.objective_samples() {
        rows.push(row(Metric::ImportanceBound, elbo + 0.5 * samples as f64, MetricSettings::samples(samples)));
    }
    if cell.scale() == spec::Scale::GrayBce {
        rows.push(row(Metric::GrayBceFloor, 63.25, MetricSettings::default()));
    }
    rows
}

fn row_of_last_epoch(cell: &Cell) -> MetricsRow {
    row(cell, cell.training.epochs as u32, Split::Test)
}

/// Evenly spread in 0…1, a function of the key alone.
fn noise(key: u64) -> f64 {
    let mut x = key.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

fn normal(key: u64) -> f64 {
    (0..12).map(|i| noise(key * 12 + i)).sum::<f64>() - 6.0
}

/// KL by rank at the end: a falling profile of which the smaller part vanishes under a large β.
fn kl_per_dim(cell: &Cell) -> Vec<f64> {
    let beta = cell.objective.beta;
    let each = |d: usize| {
        let capacity = 3.4 * (-(d as f64) / 14.0).exp() - 0.62 * beta.max(1e-4).ln() - 0.25;
        let jitter = 0.03 * normal(cell.training.seed * 977 + d as u64);
        if capacity > 0.15 { capacity + jitter } else { 0.002 + 0.003 * noise(d as u64) }
    };
    // The dimensions of a real run come in no order.
    let dim = cell.model.latent_dim;
    (0..dim).map(|d| each((d * 7 + 3) % dim)).collect()
}

fn row(cell: &Cell, epoch: u32, split: Split) -> MetricsRow {
    let (beta, dim, e) = (cell.objective.beta, cell.model.latent_dim as f64, f64::from(epoch));
    let key = cell.training.seed * 10_007 + u64::from(epoch) * 13 + split as u64 + cell.model.latent_dim as u64 * 101;
    let learnt = 1.0 - 0.55 * (-(e - 1.0) / 2.5).exp() - 0.04 / e;
    let kl_per_dim = kl_per_dim(cell).iter().map(|kl| kl * learnt).collect();
    let floor = 78.0 + 150.0 / (dim + 0.3) + 9.0 * beta.ln().max(-0.4) * (dim / 20.0).sqrt();
    let gap = if split == Split::Test { 1.2 } else { 0.35 * (1.0 - e / 8.0) + 38.0 * (-(e - 1.0) * 1.8).exp() };
    let reconstruction = floor + 34.0 * (-(e - 1.0) / 1.9).exp() + 5.0 / e + gap + 0.35 * normal(key);
    made_up::row(cell, epoch, split, reconstruction, kl_per_dim)
}

/// A ring with a bar whose shape depends on the class and on `(a, b)`.
fn image(class: usize, a: f64, b: f64, blur: f64, look: Look) -> Vec<f32> {
    let mut values = Vec::with_capacity(look.channels * look.width * look.height);
    for channel in 0..look.channels {
        for row in 0..look.height {
            for column in 0..look.width {
                let x = (column as f64 + 0.5) / look.width as f64 * 2.0 - 1.0;
                let y = (row as f64 + 0.5) / look.height as f64 * 2.0 - 1.0;
                let (x, y) = (x - 0.25 * a * y, y);
                let radius = 0.42 + 0.05 * (class % 3) as f64 + 0.06 * b;
                let ring = ((x * x / (0.5 + 0.06 * (class % 4) as f64) + y * y).sqrt() - radius).abs();
                let turn = class as f64 * 0.61 + 0.2 * b;
                let bar = (x * turn.cos() + y * turn.sin()).abs();
                let inside = (x * x + y * y).sqrt() < 0.72;
                let distance = if class.is_multiple_of(2) {
                    ring
                } else if inside {
                    bar.min(ring + 0.1)
                } else {
                    1.0
                };
                let width = 0.09 + blur;
                let value = 1.0 / (1.0 + ((distance - width) / (0.02 + 0.5 * blur)).exp());
                let tint = [1.0, 0.75, 0.4][(channel + class) % 3];
                values.push((value * if look.channels == 3 { tint } else { 1.0 }) as f32);
            }
        }
    }
    values
}

fn images(n: usize, look: Look, of: impl Fn(usize) -> Vec<f32>) -> Array {
    let values: Vec<f32> = (0..n).flat_map(of).collect();
    Array::new(vec![n, look.channels, look.height, look.width], values).unwrap()
}

pub fn arrays(cell: &Cell, look: Look) -> Arrays {
    let dim = cell.model.latent_dim;
    let blur = 0.16 / dim.max(1) as f64 + 0.01 * cell.objective.beta;
    let of = |i: usize, blur: f64| image(i % 10, normal(i as u64), normal(i as u64 + 500), blur, look);
    let n = 16;
    let (labels, latents): (Vec<u8>, Vec<Vec<f32>>) = (0..look.n_latents)
        .map(|i| {
            let class = (noise(i as u64 + 7) * 10.0) as usize;
            let angle = class as f64 * 0.628;
            let at = |d: usize| {
                let used = if d % 4 == 1 || dim == 2 { 1.0 } else { 0.3 / (1 + d) as f64 };
                let centre = if d.is_multiple_of(2) { angle.cos() } else { angle.sin() } * 1.3;
                (used * (centre * (0.4 + 0.12 * (class % 4) as f64) + 0.28 * normal((i * 64 + d) as u64))) as f32
            };
            (class as u8, (0..dim).map(at).collect())
        })
        .unzip();
    let side = look.grid;
    let manifold = (dim == 2).then(|| {
        let at = |i: usize| (i as f64 / (side - 1).max(1) as f64 - 0.5) * 4.0;
        let cell = |i: usize| {
            let (y, x) = (at(i / side), at(i % side));
            let class = ((y.atan2(x) / 0.628).round() as i64).rem_euclid(10) as usize;
            image(class, x, y, 0.08, look)
        };
        let array = images(side * side, look, cell);
        Array::new(vec![side, side, look.channels, look.height, look.width], array.values).unwrap()
    });
    let axis = |sign: f32| {
        let at = |i: usize| (i as f32 / (side - 1).max(1) as f32 - 0.5) * 4.0 * sign;
        (dim == 2).then(|| Array::new(vec![side], (0..side).map(at).collect()).unwrap())
    };
    let latent_mean = Array::new(vec![look.n_latents, dim], latents.concat()).unwrap();
    let latent_log_variance = Array::new(vec![look.n_latents, dim], vec![-1.0; look.n_latents * dim]).unwrap();
    let samples = images(look.n_samples, look, |i| {
        image((noise(i as u64) * 10.0) as usize, 1.4 * normal(i as u64), normal(i as u64 + 9), blur * 1.5, look)
    });
    let mut arrays = Arrays::from_iter([
        (ArrayName::Originals, Some(images(n, look, |i| of(i, 0.0)))),
        (ArrayName::Reconstructions, Some(images(n, look, |i| of(i, blur)))),
        (ArrayName::Samples, Some(samples)),
        (ArrayName::Manifold, manifold),
        (ArrayName::ManifoldZ1, axis(1.0)),
        (ArrayName::ManifoldZ2, axis(-1.0)),
        (ArrayName::LatentMean, Some(latent_mean)),
        (ArrayName::LatentLogVariance, Some(latent_log_variance)),
    ]);
    arrays.labels = Some(labels);
    arrays
}

/// What only some runs have measured: other sources of samples, interpolations, denoised images, and sharpness.
pub fn measure_more(store: &Store, experiment: &Experiment, look: Look) {
    let n = 16;
    for cell in &experiment.cells {
        let run = store.run(&cell.run_id());
        if run.manifest().is_err() {
            continue;
        }
        let blur = 0.16 / cell.model.latent_dim.max(1) as f64 + 0.01 * cell.objective.beta;
        let drawn = |first: u64, spread: f64, blur: f64| {
            images(n, look, |i| {
                let key = first + i as u64;
                image((noise(key) * 10.0) as usize, spread * normal(key), spread * normal(key + 9), blur, look)
            })
        };
        let paths = |bend: f64| {
            let (pairs, steps) = (4, 9);
            let at = |i: usize| {
                let (pair, t) = (i / steps, (i % steps) as f64 / (steps - 1) as f64);
                let class = if t < 0.5 { 3 * pair + 1 } else { 3 * pair + 2 };
                let (a, b) = (normal(pair as u64), normal(pair as u64 + 50));
                let blur = blur + bend * (t * (1.0 - t));
                image(class % 10, a + t * (b - a), b - t * a, blur, look)
            };
            let array = images(pairs * steps, look, at);
            let shape = vec![pairs, steps, look.channels, look.height, look.width];
            Array::new(shape, array.values).unwrap()
        };
        let mut arrays = arrays(cell, look);
        let mut corrupted = arrays.get(ArrayName::Originals).unwrap().clone();
        for (index, value) in corrupted.values.iter_mut().enumerate() {
            *value += 0.35 * normal(index as u64 + 77) as f32;
        }
        arrays.insert(ArrayName::Corrupted, corrupted);
        let denoised =
            images(n, look, |i| image(i % 10, normal(i as u64) + 0.1, normal(i as u64 + 500), 1.3 * blur + 0.02, look));
        arrays.insert(ArrayName::Denoised, denoised);
        arrays.insert(ArrayName::SamplesAggregate, drawn(1000, 1.0, 1.2 * blur));
        arrays.insert(ArrayName::SamplesMixture, drawn(2000, 1.1, 1.3 * blur));
        let ends = images(8, look, |i| {
            let pair = i / 2;
            let (a, b) = (normal(pair as u64), normal(pair as u64 + 50));
            if i % 2 == 0 {
                image((3 * pair + 1) % 10, a, b, 0.0, look)
            } else {
                image((3 * pair + 2) % 10, b, -a + b, 0.0, look)
            }
        });
        let shape = vec![4, 2, look.channels, look.height, look.width];
        arrays.insert(ArrayName::InterpolationEnds, Array::new(shape, ends.values).unwrap());
        let angles = Array::new(vec![4], vec![87.3, 112.0, 174.2, 64.8]).unwrap();
        arrays.insert(ArrayName::InterpolationAngle, angles);
        arrays.insert(ArrayName::InterpolationLinear, paths(0.5));
        arrays.insert(ArrayName::InterpolationSpherical, paths(0.2));
        let mut editor = RunEditor::open(&run).unwrap();
        editor.arrays(&arrays).unwrap();
        let row = |of: Subject, value: f64| measured(Metric::Sharpness, value, 0.001, MetricSettings::of(of));
        let sharp = 0.31 * (-6.0 * blur).exp() + 0.002 * normal(cell.training.seed + 3);
        let of_corrupted = MetricSettings { input: Some(Input::Corrupted), ..MetricSettings::samples(1) };
        let denoised = measured(Metric::Reconstruction, 120.0 + 50.0 * blur, 0.001, of_corrupted);
        let rows = [
            row(Subject::Data, 0.31),
            row(Subject::Reconstructions, sharp),
            row(Subject::Samples, 0.86 * sharp),
            denoised,
        ];
        editor.evaluation(&rows).unwrap();
    }
}

/// What linear VAEs have beside their closed form: eigenvalues 4, 2, 1, … of the data, and measured numbers a little off the optimum.
pub fn measure_closed_form(store: &Store, experiment: &Experiment, look: Look) {
    let n_pixels = (look.channels * look.width * look.height) as f64;
    for cell in &experiment.cells {
        let Some(variance) = cell.closed_form_variance() else { continue };
        let (beta, d) = (cell.objective.beta, cell.model.latent_dim);
        let theta = beta * variance;
        let eigenvalues: Vec<f64> = (0..6).map(|i| 4.0 * 0.5f64.powi(i)).collect();
        let active: Vec<f64> = eigenvalues.iter().take(d).filter(|value| **value > theta).copied().collect();
        let kl: Vec<f64> = (0..d).map(|i| active.get(i).map_or(0.0, |value| 0.5 * (value / theta).ln())).collect();
        let error = active.len() as f64 * theta + eigenvalues[active.len()..].iter().sum::<f64>();
        let rec = 0.5 * n_pixels * (std::f64::consts::TAU * variance).ln() + 0.5 * error / variance;
        let total: f64 = kl.iter().sum();
        let off = |key: u64| 0.01 * normal(cell.training.seed * 31 + key).abs();
        let row = |metric: Metric, value: f64, settings: MetricSettings| Measurement {
            split: Split::Train,
            ..measured(metric, value, None, settings)
        };
        let closed = |settings: MetricSettings| MetricSettings { closed_form: Some(true), ..settings };
        let active_units = MetricSettings { variance_above: Some(0.01), ..MetricSettings::default() };
        let one = || MetricSettings::samples(1);
        let mut rows = vec![
            row(Metric::Elbo, -rec - total - 30.0 * off(1), one()),
            row(Metric::Reconstruction, rec + 20.0 * off(1), one()),
            row(Metric::Kl, total + 10.0 * off(1), one()),
            row(Metric::ActiveUnits, active.len() as f64, active_units.clone()),
            row(Metric::Elbo, -rec - total, closed(MetricSettings::default())),
            row(Metric::Reconstruction, rec, closed(MetricSettings::default())),
            row(Metric::Kl, total, closed(MetricSettings::default())),
            row(Metric::ActiveUnits, active.len() as f64, closed(active_units)),
        ];
        for (i, kl) in kl.into_iter().enumerate() {
            let settings = MetricSettings { dimension: Some(i + 1), ..MetricSettings::default() };
            rows.push(row(Metric::KlDimension, kl + 3.0 * off(2 + i as u64), settings.clone()));
            rows.push(row(Metric::KlDimension, kl, closed(settings)));
        }
        RunEditor::open(&store.run(&cell.run_id())).unwrap().evaluation(&rows).unwrap();
    }
}

/// What is measured in images of models with an encoder: wider latent spaces and a smaller β blur less.
pub fn measure_images(store: &Store, experiment: &Experiment) {
    for cell in &experiment.cells {
        let run = store.run(&cell.run_id());
        if run.manifest().is_err() {
            continue;
        }
        let (d, beta, seed) = (cell.model.latent_dim as f64, cell.objective.beta, cell.training.seed);
        let lost = (1.0 / d + 0.03 * beta) * (1.0 + 0.03 * normal(seed + 5));
        let row = |metric: Metric, value: f64, settings: MetricSettings| measured(metric, value, None, settings);
        let mut rows = Vec::new();
        for of in [Subject::Reconstructions, Subject::Samples] {
            let is_sharper = of == Subject::Samples && d == 5.0 && beta == 1.0;
            let ratio = if is_sharper { 1.05 } else { 1.0 - lost };
            // What was decoded in another way is another quantity.
            rows.push(row(Metric::EquivalentBlur, 9.0, MetricSettings::of(of).decoded(Some(Decode::Draw))));
            rows.push(row(Metric::SharpnessRatio, ratio, MetricSettings::of(of)));
            if !is_sharper {
                rows.push(row(Metric::EquivalentBlur, 1.5 * lost, MetricSettings::of(of)));
            }
        }
        rows.push(row(Metric::Psnr, 12.0 + 4.0 / lost.sqrt(), MetricSettings::default()));
        rows.push(row(Metric::Ssim, 1.0 - 0.6 * lost, MetricSettings::default()));
        for (i, band) in [Band::Low, Band::Middle, Band::High].into_iter().enumerate() {
            rows.push(row(Metric::ExplainedPower, 1.0 - lost * (i as f64 + 0.5), MetricSettings::band(band)));
        }
        for i in 0..8 {
            let frequency = 0.05 * f64::from(i);
            let at = || MetricSettings { frequency: Some(frequency), ..MetricSettings::default() };
            let gain = (-8.0 * lost * frequency).exp();
            rows.push(row(Metric::Gain, gain, at()));
            rows.push(row(Metric::PowerRatio, gain * gain + 0.02, at()));
            rows.push(row(Metric::Coherence, gain.sqrt(), at()));
        }
        RunEditor::open(&run).unwrap().evaluation(&rows).unwrap();
    }
}
