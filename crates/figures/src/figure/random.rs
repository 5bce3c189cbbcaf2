//! Random sweeps with made-up numbers, for properties that every figure and table must have.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use record::{Array, ArrayName, Arrays, EpochMetrics};
use serde_json::json;
use spec::metric::{Band, Subject};
use spec::{Cell, Metric, MetricSettings, ModelKind, Split};

use crate::arrays::RunArrays;
use crate::records::{Epoch, Group, MeasurementKey, Records, RunNumbers};
use crate::setting::keys;

/// A valid cell, of few values for each setting, so that cells often share some.
pub fn cell() -> impl Strategy<Value = Cell> {
    let kinds = [
        json!("vae"),
        json!("vae"),
        json!("autoencoder"),
        json!({ "gan": { "regulariser": "spectral-norm" } }),
        json!({ "gan": { "regulariser": { "gradient-penalty": { "weight": 1.0 } } } }),
        json!({ "gan": { "regulariser": { "gradient-penalty": { "weight": 10.0 } } } }),
        json!({ "vae-gan": { "weight": 1.0 } }),
        json!({ "gaussian-mixture": { "components": 5 } }),
        json!({ "gaussian-mixture": { "components": 10 } }),
    ];
    let model = (
        prop::sample::select(kinds.to_vec()),
        prop::sample::select(vec![json!([]), json!([8]), json!([8, 4])]),
        prop::sample::select(vec![2, 5, 10]),
        prop::sample::select(vec![
            json!("standard"),
            json!({ "mixture": { "components": 5 } }),
            json!({ "mixture": { "components": 6 } }),
            json!({ "vamp": { "components": 5 } }),
        ]),
        prop::sample::select(vec![
            json!("bernoulli"),
            json!("discretised-logistic"),
            json!({ "continuous-bernoulli": {} }),
            json!({ "gaussian": { "sigma": 0.5 } }),
            json!({ "gaussian": { "sigma": 1.0 } }),
            json!({ "gaussian-shared": { "variance": "learned" } }),
        ]),
        prop::sample::select(vec![
            json!("none"),
            json!({ "gaussian": { "sigma": 0.5 } }),
            json!({ "masking": { "fraction": 0.5 } }),
        ]),
        prop::sample::select(vec![json!("relu"), json!("tanh")]),
        prop::sample::select(vec![json!("mlp"), json!({ "conv": { "channels": [2, 4] } })]),
        prop::sample::select(vec![json!("gaussian"), json!({ "bernoulli": {} })]),
    );
    let training = (
        prop::sample::select(vec![json!("elbo"), json!({ "free-bits": { "nats": 0.5 } }), json!({ "capacity": {} })]),
        prop::sample::select(vec![0.5, 1.0, 4.0]),
        prop::sample::select(vec![(0, 1), (2, 1), (2, 2)]),
        prop::sample::select(vec![1e-3, 1e-4]),
        prop::sample::select(vec![64, 128]),
        0..3,
        prop::sample::select(vec![("glyphs", "gray"), ("glyphs", "gray"), ("glyphs", "static"), ("mnist", "gray")]),
    );
    (model, training).prop_filter_map("the settings go together", |(model, training)| {
        let (kind, hidden, latent_dim, prior, likelihood, corruption, activation, net, latent) = model;
        let (objective, beta, (warm_up, cycles), learning_rate, batch_size, seed, (name, pixels)) = training;
        let family = kind.as_object().and_then(|variant| variant.keys().next()).cloned();
        // Most families lack something, which then stands at its default.
        let (is_vae, is_mixture) = (kind == "vae", family.as_deref() == Some("gaussian-mixture"));
        let has_beta = is_vae || family.as_deref() == Some("vae-gan");
        let mut model = json!({ "kind": kind });
        if !is_mixture {
            model["hidden"] = hidden;
            model["latent_dim"] = latent_dim.into();
            model["activation"] = activation;
            model["net"] = net;
        }
        if is_vae || kind == "autoencoder" {
            model["likelihood"] = likelihood;
            model["corruption"] = corruption;
        }
        let is_gaussian = latent == "gaussian";
        if is_vae {
            model["prior"] = if is_gaussian { prior } else { json!("standard") };
            model["latent"] = latent;
        }
        let whole = json!({
            "dataset": { "name": name, "pixels": pixels },
            "model": model,
            "objective": {
                "kind": if is_vae && is_gaussian { objective } else { json!("elbo") },
                "beta": if has_beta { beta } else { 1.0 },
                "warm_up_epochs": if has_beta { warm_up } else { 0 },
                "cycles": if has_beta { cycles } else { 1 },
            },
            "optimizer": { "adam": { "learning_rate": if is_mixture { 1e-3 } else { learning_rate } } },
            "training": { "seed": seed, "batch_size": if is_mixture { 128 } else { batch_size } },
        });
        serde_json::from_value(whole).ok()
    })
}

/// The cell as it is without a seed.
pub fn without_seed(cell: &Cell) -> Cell {
    let mut cell = cell.clone();
    cell.training.seed = 0;
    cell
}

/// The groups of cells, with the numbers of each cell's run.
pub fn groups(cells: &[Cell], numbers: impl Fn(&Cell) -> RunNumbers) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (key, cell) in keys(cells).into_iter().zip(cells) {
        match groups.iter_mut().find(|group| group.key == key) {
            Some(group) if group.runs.iter().any(|run| run.seed == cell.training.seed) => {}
            Some(group) => group.runs.push(numbers(cell)),
            None => groups.push(Group::new(key, cell.clone(), vec![numbers(cell)])),
        }
    }
    groups
}

/// Records of a sweep of these cells, all of whose runs are done.
pub fn records(cells: &[Cell]) -> Records {
    Records {
        name: "random".to_owned(),
        dataset: "glyphs".to_owned(),
        axes: Vec::new(),
        training: String::new(),
        n_cells: cells.len(),
        missing: Vec::new(),
        runs: Vec::new(),
        groups: groups(cells, numbers),
        origins: Vec::new(),
        warnings: Vec::new(),
        judged: None,
    }
}

/// What a model of this kind has, each number another one.
fn numbers(cell: &Cell) -> RunNumbers {
    let (d, seed) = (cell.model.latent_dim, cell.training.seed);
    let value = |i: u32| f64::from(i) + 0.1 * d as f64 + 0.01 * seed as f64 + cell.objective.beta;
    let (kl_per_dim, terms): (Vec<f64>, EpochMetrics) = match cell.model.kind {
        ModelKind::Vae | ModelKind::VaeGan { .. } => {
            let kl: Vec<f64> = (0..d).map(|i| value(i as u32) / 10.0).collect();
            let terms = [
                (Metric::Elbo, -value(90)),
                (Metric::Reconstruction, value(80)),
                (Metric::Kl, kl.iter().sum()),
                (Metric::Objective, value(95)),
                (Metric::ActiveUnits, d as f64),
            ];
            (kl, terms.into_iter().collect())
        }
        ModelKind::Autoencoder => {
            let terms = [(Metric::Reconstruction, value(70)), (Metric::Objective, value(70))];
            (Vec::new(), terms.into_iter().collect())
        }
        ModelKind::GaussianMixture { .. } => {
            (Vec::new(), [(Metric::Elbo, value(60)), (Metric::Objective, -value(60))].into_iter().collect())
        }
        ModelKind::Gan { .. } => {
            (Vec::new(), [(Metric::Objective, value(1)), (Metric::Discriminator, value(2))].into_iter().collect())
        }
    };
    let epoch = |epoch: u32| Epoch { epoch, terms: terms.clone() };
    let sharpness = |of: Subject, value: f64| {
        let (metric, settings) = (Metric::Sharpness, MetricSettings::of(of));
        (MeasurementKey { metric, split: Split::Test, settings, images: None, width: None }, value)
    };
    // Some runs were stopped before arrays were stored, some before anything was measured.
    let (has_arrays, has_sharpness) = (cell.training.batch_size == 64 || d != 5, d != 10);
    let mut measures = vec![sharpness(Subject::Data, 0.3), sharpness(Subject::Samples, value(0) / 50.0)];
    let has_encoder = matches!(cell.model.kind, ModelKind::Vae | ModelKind::Autoencoder | ModelKind::VaeGan { .. });
    measures.extend(of_images(has_encoder, &|i| value(i) / 100.0));
    if cell.closed_form_variance().is_some() {
        measures.extend(closed_form(cell, &kl_per_dim));
    }
    RunNumbers {
        kept: None,
        seed,
        train: vec![epoch(1), epoch(2)],
        test: vec![epoch(1), epoch(2)],
        latent_variances: has_arrays.then(|| kl_per_dim.iter().map(|kl| kl / 100.0).collect()),
        kl_per_dim,
        measures: if has_sharpness { measures } else { Vec::new() },
        arrays: has_arrays.then(|| arrays(cell)),
        ..RunNumbers::default()
    }
}

/// What is measured in images of models with or without an encoder; some are sharper than the test images.
fn of_images(has_encoder: bool, value: &dyn Fn(u32) -> f64) -> Vec<(MeasurementKey, f64)> {
    let row = |metric: Metric, settings: MetricSettings, value: f64| {
        (MeasurementKey { metric, split: Split::Test, settings, images: None, width: None }, value)
    };
    let mut rows = Vec::new();
    let subjects = if has_encoder { vec![Subject::Reconstructions, Subject::Samples] } else { vec![Subject::Samples] };
    for of in subjects {
        let ratio = 0.97 + value(0);
        rows.push(row(Metric::SharpnessRatio, MetricSettings::of(of), ratio));
        rows.extend((ratio < 1.0).then(|| row(Metric::EquivalentBlur, MetricSettings::of(of), 10.0 * (1.0 - ratio))));
    }
    if has_encoder {
        rows.extend([Metric::Psnr, Metric::Ssim].map(|metric| row(metric, MetricSettings::default(), value(20))));
        let bands = [Band::Low, Band::Middle, Band::High];
        rows.extend(bands.map(|band| row(Metric::ExplainedPower, MetricSettings::band(band), 1.0 - value(1))));
        for metric in [Metric::Gain, Metric::PowerRatio, Metric::Coherence] {
            let at = |frequency: f64| MetricSettings { frequency: Some(frequency), ..MetricSettings::default() };
            rows.extend([0.1, 0.2, 0.3].map(|frequency| row(metric, at(frequency), 1.0 - frequency * value(2))));
        }
    }
    rows
}

/// What theory says of a linear VAE, and what was measured a little beside it.
fn closed_form(cell: &Cell, kl_per_dim: &[f64]) -> Vec<(MeasurementKey, f64)> {
    let beside = 0.01 * (1.0 + cell.training.seed as f64);
    let row = |metric: Metric, settings: MetricSettings, value: f64| {
        (MeasurementKey { metric, split: Split::Train, settings, images: None, width: None }, value)
    };
    let closed = |settings: MetricSettings| MetricSettings { closed_form: Some(true), ..settings };
    let dimension = |i: usize| MetricSettings { dimension: Some(i + 1), ..MetricSettings::default() };
    let mut kl = kl_per_dim.to_vec();
    kl.sort_by(|a, b| b.total_cmp(a));
    let of_dimension = |(i, &kl): (usize, &f64)| {
        let measured = row(Metric::KlDimension, dimension(i), kl + beside);
        [measured, row(Metric::KlDimension, closed(dimension(i)), kl)]
    };
    let (total, reconstruction) = (kl.iter().sum::<f64>(), 900.0 + cell.objective.beta);
    let terms =
        [(Metric::Elbo, -reconstruction - total), (Metric::Reconstruction, reconstruction), (Metric::Kl, total)];
    let of_term = |(metric, value): (Metric, f64)| {
        [row(metric, MetricSettings::samples(1), value + beside), row(metric, closed(MetricSettings::default()), value)]
    };
    terms.into_iter().flat_map(of_term).chain(kl.iter().enumerate().flat_map(of_dimension)).collect()
}

/// Tiny images, of the kinds that a model of this kind has.
fn arrays(cell: &Cell) -> RunArrays {
    let d = cell.model.latent_dim;
    let array = |leading: &[usize]| {
        let shape = [leading, &[1, 3, 3]].concat();
        Array::new(shape.clone(), vec![0.5; shape.iter().product()]).unwrap()
    };
    let mut arrays = Arrays::from_iter([(ArrayName::Samples, Some(array(&[4])))]);
    if matches!(cell.model.kind, ModelKind::Vae | ModelKind::Autoencoder | ModelKind::VaeGan { .. }) {
        let latents = Array::new(vec![3, d], (0..3 * d).map(|i| i as f32).collect()).unwrap();
        for (name, array) in [
            (ArrayName::Originals, array(&[2])),
            (ArrayName::Reconstructions, array(&[2])),
            (ArrayName::SamplesAggregate, array(&[4])),
            (ArrayName::InterpolationLinear, array(&[2, 3])),
            (ArrayName::InterpolationEnds, array(&[2, 2])),
            (ArrayName::InterpolationAngle, Array::new(vec![2], vec![90.0, 170.0]).unwrap()),
            (ArrayName::LatentMean, latents),
        ] {
            arrays.insert(name, array);
        }
        if d == 2 {
            arrays.insert(ArrayName::Manifold, array(&[2, 2]));
            for name in [ArrayName::ManifoldZ1, ArrayName::ManifoldZ2] {
                arrays.insert(name, Array::new(vec![2], vec![-1.0, 1.0]).unwrap());
            }
        }
        if cell.model.corruption != spec::Corruption::None {
            arrays.insert(ArrayName::Corrupted, array(&[2]));
            arrays.insert(ArrayName::Denoised, array(&[2]));
        }
    }
    RunArrays::new(arrays)
}
