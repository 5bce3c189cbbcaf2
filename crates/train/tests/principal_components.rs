//! A linear autoencoder against its known optimum, the principal components.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use model::noise::{NoiseKey, Stream};
use model::{Family, ImageShape, StepContext, Vae};
use serde_json::json;
use spec::Cell;
use tch::{Device, Kind, Tensor};
use train::optimizer::Adam;

const N_IMAGES: i64 = 400;
const N_PIXELS: i64 = 24;
const LATENT: i64 = 3;

/// Correlated images whose variance falls from one direction to the next.
fn images() -> Tensor {
    let generator = |n: i64, m: i64, phase: f64| {
        let i = Tensor::arange(n * m, (Kind::Double, Device::Cpu)) + phase;
        ((&i * 12.9898).sin() * 43_758.547).frac().abs().view([n, m])
    };
    let scales = (Tensor::arange(N_PIXELS, (Kind::Double, Device::Cpu)) * -0.25).exp();
    let mixed =
        ((generator(N_IMAGES, N_PIXELS, 0.5) - 0.5) * scales).matmul(&(generator(N_PIXELS, N_PIXELS, 0.1) - 0.5));
    (mixed * 3.0 + 0.5).to_kind(Kind::Float)
}

/// Mean over images of the squared error that so many principal components leave.
fn error_of_principal_components(x: &Tensor) -> (f64, Tensor) {
    let centred = x.to_kind(Kind::Double) - x.to_kind(Kind::Double).mean_dim(0, true, Kind::Double);
    // The eigenvalues of XᵀX, in rising order.
    let (eigenvalues, vectors) = centred.transpose(0, 1).matmul(&centred).linalg_eigh("L");
    let rest = eigenvalues.narrow(0, 0, N_PIXELS - LATENT).sum(Kind::Double).double_value(&[]);
    (rest / N_IMAGES as f64, vectors.narrow(1, N_PIXELS - LATENT, LATENT).transpose(0, 1))
}

#[test]
fn a_linear_autoencoder_finds_the_principal_components() {
    tch::set_num_threads(1);
    let cell: Cell = serde_json::from_value(json!({
        "dataset": { "name": { "folder": "/images" } },
        "model": { "kind": "autoencoder", "hidden": [], "latent_dim": LATENT, "likelihood": { "gaussian": {} } },
    }))
    .unwrap();
    let shape = ImageShape { channels: 1, height: 4, width: 6 };
    let model = Vae::new(&[&cell], shape, Device::Cpu).unwrap().unwrap();
    let x = images();
    let batch = x.view([1, N_IMAGES, N_PIXELS]);
    let key = NoiseKey::new(Stream::Latent, 0, 0);
    let at = StepContext { key, progress: 0.0, betas: vec![1.0], n_train: 1, noise: None };
    let parameters: Vec<&Tensor> = model.parameters().iter().map(|parameter| &parameter.tensor).collect();
    let mut adam = Adam::new(&parameters, vec![spec::Adam { learning_rate: 0.02, ..spec::Adam::default() }]);
    let n_steps = 3000;
    for step in 0..n_steps {
        let gradients = model.train(&batch, &at).gradients(model.parameters());
        let factor = 0.5 * (1.0 + (std::f64::consts::PI * f64::from(step) / f64::from(n_steps)).cos());
        adam.update(&parameters, &gradients, factor).unwrap();
    }
    let z = model.encoder().unwrap().posterior(&batch).mean();
    let made = model.generator().mean(&z).get(0).to_kind(Kind::Double);
    let error = (&made - x.to_kind(Kind::Double)).square().sum(Kind::Double).double_value(&[]) / N_IMAGES as f64;
    let (optimum, directions) = error_of_principal_components(&x);
    assert!(error >= optimum * (1.0 - 1e-6), "{error} is below the optimum {optimum}: the comparison is wrong");
    assert!(error < optimum * 1.01, "{error} against the optimum {optimum}");

    // The decoder's columns span the same space: what of them lies outside the components is nothing.
    let exported = model.parameters().export(0);
    let weight = &exported.iter().find(|one| one.name == "decoder.0.weight").unwrap().tensor; // [P, D]
    let weight = weight.to_kind(Kind::Double);
    let outside = &weight - directions.transpose(0, 1).matmul(&directions.matmul(&weight));
    let share = (outside.square().sum(Kind::Double) / weight.square().sum(Kind::Double)).double_value(&[]);
    assert!(share < 0.01, "{share} of the decoder lies outside the principal components");
}
