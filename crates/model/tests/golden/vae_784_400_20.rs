//! The 784-400-20 model with Bernoulli and Gaussian decoders; the dump is `tools/golden.py`'s.

use model::parameters::NamedTensor;
use model::{Family, ImageShape, Vae};
use serde_json::Value;
use spec::{Cell, Likelihood};
use tch::{Device, Tensor};

use crate::formula::values;
use crate::harness::{assert_gradients, assert_within, first_step, numbers, vector};

const BATCH: usize = 6;

fn cell(latent_dim: usize, likelihood: Likelihood) -> Cell {
    let text = format!(
        r#"{{"dataset": {{"name": "mnist"}}, "model": {{"hidden": [400], "latent_dim": {latent_dim}}},
        "objective": {{}}, "optimizer": {{"adam": {{}}}}, "training": {{}}}}"#
    );
    let mut cell: Cell = serde_json::from_str(&text).unwrap();
    cell.model.likelihood = likelihood;
    cell
}

/// The weights of `tools/golden.py`, in the order of PyTorch's `parameters()`.
fn weights() -> Vec<NamedTensor> {
    let shapes: [(&str, i64, i64); 5] = [
        ("encoder.0", 784, 400),
        ("mean", 400, 20),
        ("log_variance", 400, 20),
        ("decoder.0", 20, 400),
        ("decoder.2", 400, 784),
    ];
    let mut list = Vec::new();
    for (i, (name, inputs, outputs)) in shapes.into_iter().enumerate() {
        let bound = (inputs as f64).powf(-0.5);
        let t = 2 * i as u64;
        list.push(NamedTensor { name: format!("{name}.weight"), tensor: values(t, &[outputs, inputs], bound) });
        list.push(NamedTensor { name: format!("{name}.bias"), tensor: values(t + 1, &[outputs], bound) });
    }
    list
}

const MNIST: ImageShape = ImageShape { channels: 1, height: 28, width: 28 };

fn vae(cells: &[Cell]) -> Vae {
    Vae::new(&cells.iter().collect::<Vec<_>>(), MNIST, Device::Cpu).unwrap().unwrap()
}

/// Runs every case of the dump in a cohort whose replica `golden` of `cells` has the golden weights.
fn check(golden: usize, widths: &[usize]) {
    let dump: Value = serde_json::from_str(include_str!("vae-784-400-20.json")).unwrap();
    let cases = dump["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let likelihood = match case["likelihood"].as_str().unwrap() {
            "bernoulli" => Likelihood::Bernoulli,
            _ => Likelihood::Gaussian { sigma: case["sigma"].as_f64().unwrap() },
        };
        let cells: Vec<Cell> = widths.iter().map(|&width| cell(width, likelihood)).collect();
        let vae = vae(&cells);
        vae.parameters().import(golden, &weights()).unwrap();
        let padded = vae.parameters().padded_width() as i64;
        let n_replicas = cells.len() as i64;
        let x = (values(100, &[1, BATCH as i64, 784], 0.5) + 0.5).repeat([n_replicas, 1, 1]);
        let epsilon =
            values(200, &[1, BATCH as i64, 20], 2.0).constant_pad_nd([0, padded - 20]).repeat([n_replicas, 1, 1]);
        let betas = vec![case["beta"].as_f64().unwrap(); cells.len()];
        let step = vae.train(&x, &first_step(betas, 0.0, 60_000, epsilon));
        let terms = &step.terms;
        let own = |tensor: &Tensor| vector(&tensor.get(golden as i64));
        let reconstruction = own(terms.reconstruction.as_ref().unwrap());
        assert_within("reconstruction", &reconstruction, &numbers(&case["reconstruction"]), 2e-3);
        assert_within("kl", &own(terms.kl.as_ref().unwrap()), &numbers(&case["kl"]), 1e-5);
        let first = vector(&terms.kl_per_dim.as_ref().unwrap().get(golden as i64).get(0).narrow(0, 0, 20));
        assert_within("kl_per_dim", &first, &numbers(&case["kl_per_dim_of_first_image"]), 1e-6);
        assert_gradients("784-400-20", &vae, &step, golden, &case["gradients"], 1e-5);
    }
}

#[test]
fn terms_and_gradients_are_those_of_pytorch() {
    check(0, &[20]);
}

#[test]
fn they_are_in_a_cohort_of_other_widths_too() {
    check(1, &[5, 20, 33]);
}

#[test]
fn padding_stays_exactly_zero() {
    let cells = [cell(3, Likelihood::Bernoulli), cell(8, Likelihood::Bernoulli)];
    let vae = vae(&cells);
    let x = values(100, &[2, BATCH as i64, 784], 0.5) + 0.5;
    let epsilon = values(200, &[2, BATCH as i64, 8], 2.0);
    let step = vae.train(&x, &first_step(vec![1.0; 2], 0.0, 60_000, epsilon));
    assert_eq!(vector(&step.terms.kl_per_dim.as_ref().unwrap().get(0).narrow(1, 3, 5).abs().max()), [0.0]);
    let gradients = step.gradients(vae.parameters());
    for (parameter, gradient) in vae.parameters().iter().zip(&gradients) {
        let padding = match parameter.name.as_str() {
            "mean.weight" | "log_variance.weight" | "mean.bias" | "log_variance.bias" => {
                gradient.get(0).narrow(1, 3, 5)
            }
            "decoder.0.weight" => gradient.get(0).narrow(0, 3, 5),
            _ => continue,
        };
        assert_eq!(vector(&padding.abs().max()), [0.0], "{}", parameter.name);
    }
}
