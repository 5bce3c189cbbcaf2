//! Ten whole training steps of the 784-400-20 model against PyTorch's, from the dump that `tools/golden.py` wrote.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../model/tests/golden/formula.rs"]
mod formula;

use formula::values;
use model::noise::{NoiseKey, Stream};
use model::parameters::NamedTensor;
use model::{Family, ImageShape, StepContext, Vae};
use serde_json::Value;
use spec::Cell;
use tch::{Device, Kind, Tensor};
use train::optimizer::Adam;

const BATCH: i64 = 6;

fn cell(latent_dim: usize) -> Cell {
    let text = format!(
        r#"{{"dataset": {{"name": "mnist"}}, "model": {{"hidden": [400], "latent_dim": {latent_dim}}},
            "objective": {{}}, "optimizer": {{"adam": {{}}}}, "training": {{}}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

/// The objectives of the replica with the golden weights, which is the last.
fn objectives(latent_dims: &[usize], settings: Vec<spec::Adam>, beta: f64, n_steps: usize) -> Vec<f64> {
    let cells: Vec<Cell> = latent_dims.iter().map(|&width| cell(width)).collect();
    let golden = cells.len() - 1;
    let image = ImageShape { channels: 1, height: 28, width: 28 };
    let vae = Vae::new(&cells.iter().collect::<Vec<_>>(), image, Device::Cpu).unwrap().unwrap();
    let weights: Vec<NamedTensor> = vae
        .parameters()
        .export(golden)
        .into_iter()
        .enumerate()
        .map(|(t, one)| {
            // A bias comes after its weight, and shares its fan-in.
            let fan_in = [784, 784, 400, 400, 400, 400, 20, 20, 400, 400][t];
            NamedTensor { tensor: values(t as u64, &one.tensor.size(), f64::from(fan_in).powf(-0.5)), name: one.name }
        })
        .collect();
    vae.parameters().import(golden, &weights).unwrap();
    let tensors: Vec<&Tensor> = vae.parameters().iter().map(|parameter| &parameter.tensor).collect();
    let mut adam = Adam::new(&tensors, settings);
    let n = cells.len() as i64;
    let padded = vae.parameters().padded_width() as i64;
    (0..n_steps as u64)
        .map(|step| {
            let x = (values(100 + step, &[1, BATCH, 784], 0.5) + 0.5).repeat([n, 1, 1]);
            let epsilon = values(200 + step, &[1, BATCH, 20], 2.0).constant_pad_nd([0, padded - 20]).repeat([n, 1, 1]);
            let betas = vec![beta; cells.len()];
            let at = StepContext {
                key: NoiseKey::new(Stream::Latent, 0, step),
                progress: 0.0,
                betas,
                n_train: 60_000,
                noise: Some(epsilon),
            };
            let trained = vae.train(&x, &at);
            let own = trained.terms.objective.get(golden as i64).mean(Kind::Double);
            adam.update(&tensors, &trained.gradients(vae.parameters()), 1.0).unwrap();
            own.double_value(&[])
        })
        .collect()
}

fn check(latent_dims: &[usize], learning_rates: &[f64]) {
    let dump: Value = serde_json::from_str(include_str!("golden/adam-784-400-20.json")).unwrap();
    let theirs: Vec<f64> = dump["objectives"].as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect();
    assert_eq!(theirs.len(), 10);
    let settings = learning_rates.iter().map(|&learning_rate| spec::Adam { learning_rate, ..spec::Adam::default() });
    let ours = objectives(latent_dims, settings.collect(), dump["beta"].as_f64().unwrap(), theirs.len());
    for (step, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert!((ours / theirs - 1.0).abs() < 1e-5, "step {step}: {ours} against PyTorch's {theirs}");
    }
}

#[test]
fn ten_steps_are_those_of_pytorch() {
    check(&[20], &[1e-3]);
}

#[test]
fn they_are_in_a_cohort_with_other_widths_and_learning_rates_too() {
    check(&[24, 20], &[1e-3, 1e-3]);
    check(&[3, 24, 20], &[5e-2, 1e-4, 1e-3]);
}

#[test]
fn tensors_that_do_not_fit_are_refused() {
    let one = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
    let mut adam = Adam::new(&[&one], vec![spec::Adam::default(); 2]);
    let error = adam.update(&[&one], &[Tensor::zeros([2, 3], (Kind::Int64, Device::Cpu))], 1.0).unwrap_err();
    assert!(error.to_string().contains("adam"), "{error}");
    assert!(adam.update(&[&one], &[], 1.0).is_err());
}
