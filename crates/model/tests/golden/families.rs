//! Every net, decoder, latent, prior and objective against PyTorch's own layers and distributions; the dump is
//! `tools/golden_families.py`'s.

use model::parameters::NamedTensor;
use model::{Family, ImageShape, StepContext};
use serde_json::{Value, json};
use spec::Cell;
use tch::{Device, Kind, Tensor};

use crate::formula::values;
use crate::harness::{assert_close, assert_gradients, first_step, numbers, vector};

/// The tensor numbers of the images and of the noise in the formula.
const IMAGES: u64 = 100;
const NOISE: u64 = 200;

fn dump() -> Value {
    serde_json::from_str(include_str!("families.json")).unwrap()
}

/// Terms of one replica against PyTorch's list of numbers, or `null` where there is no such term.
#[track_caller]
fn assert_term(what: &str, ours: Option<&Tensor>, replica: i64, theirs: &Value) {
    match ours {
        Some(ours) => assert_close(what, &vector(&ours.get(replica)), &numbers(theirs), 1e-5, 1.0),
        None => assert!(theirs.is_null(), "{what} is missing"),
    }
}

/// One case of the dump, in a cohort whose replica `golden` of these latent widths has the golden weights.
struct Case<'a> {
    name: &'a str,
    case: &'a Value,
    n_images: i64,
    n_samples: i64,
    latent: i64,
    betas: Vec<f64>,
    progress: f64,
    n_train: usize,
    golden: usize,
    model: Box<dyn Family>,
}

impl<'a> Case<'a> {
    fn new(dump: &'a Value, case: &'a Value, golden: usize, widths: &[i64]) -> Case<'a> {
        let cells: Vec<Cell> = widths
            .iter()
            .map(|width| {
                let mut model = case["model"].clone();
                model["latent_dim"] = json!(width);
                serde_json::from_value(json!({
                    "dataset": { "name": { "folder": "/images" } }, "model": model, "objective": case["objective"],
                }))
                .unwrap()
            })
            .collect();
        let [channels, height, width] = [0, 1, 2].map(|axis| case["image"][axis].as_u64().unwrap() as usize);
        let image = ImageShape { channels, height, width };
        let model = model::build(&cells.iter().collect::<Vec<_>>(), image, Device::Cpu).unwrap().unwrap();
        let mut weights: Vec<NamedTensor> = case["weights"].as_array().unwrap().iter().map(weight).collect();
        if let Some(seen) = model.parameters().iter().find(|one| one.name == "likelihood.log_sigma_weight") {
            // How much has been averaged so far: given values have no such thing.
            let tensor = Tensor::zeros([1, 1], (Kind::Float, Device::Cpu));
            weights.push(NamedTensor { name: seen.name.clone(), tensor });
        }
        assert_eq!(weights.len(), model.parameters().iter().count(), "{}: number of parameters", case["name"]);
        model.parameters().import(golden, &weights).unwrap();
        Case {
            name: case["name"].as_str().unwrap(),
            case,
            n_images: dump["batch"].as_i64().unwrap(),
            n_samples: dump["samples"].as_i64().unwrap(),
            latent: case["model"]["latent_dim"].as_i64().unwrap(),
            betas: cells.iter().map(|cell| cell.objective.beta).collect(),
            progress: dump["progress"].as_f64().unwrap(),
            n_train: dump["n_train"].as_u64().unwrap() as usize,
            golden,
            model,
        }
    }

    fn n_replicas(&self) -> i64 {
        self.betas.len() as i64
    }

    /// `[R, B, P]`: gray levels of 8 bits, black and white among them, the same for every replica.
    fn images(&self) -> Tensor {
        let n_pixels: i64 = numbers(&self.case["image"]).iter().product::<f64>() as i64;
        let unit = values(IMAGES, &[1, self.n_images, n_pixels], 0.6) + 0.5;
        ((unit.clamp(0.0, 1.0) * 255.0).round() / 255.0).repeat([self.n_replicas(), 1, 1])
    }

    /// A step with the noise of `n` samples an image, all images of the first sample first.
    fn step(&self, n: i64) -> StepContext {
        let of = |key: &str| self.case["noise"][key].as_f64().unwrap();
        let number = if n == 1 { NOISE } else { NOISE + 1 };
        let noise = values(number, &[1, n * self.n_images, self.latent], of("bound")) + of("shift");
        let padding = self.model.parameters().padded_width() as i64 - self.latent;
        let noise = noise.constant_pad_nd([0, padding]);
        first_step(self.betas.clone(), self.progress, self.n_train, noise.repeat([self.n_replicas(), 1, 1]))
    }

    /// Draws of z an image that the ELBO is a mean over.
    fn n_draws(&self) -> i64 {
        self.case["objective"]["samples"].as_i64().unwrap_or(1)
    }

    fn check_evaluation(&self) {
        let (x, theirs, golden) = (self.images(), &self.case["evaluation"], self.golden as i64);
        let terms = self.model.evaluate(&x, &self.step(self.n_draws()));
        let what = |term: &str| format!("{}, evaluated: {term}", self.name);
        assert_term(&what("reconstruction"), terms.reconstruction.as_ref(), golden, &theirs["reconstruction"]);
        assert_term(&what("kl"), terms.kl.as_ref(), golden, &theirs["kl"]);
        let at = self.step(self.n_samples);
        let log_weights = self.model.density().map(|density| density.log_weights(&x, self.n_samples as usize, &at));
        assert_term(&what("log weights"), log_weights.as_ref(), golden, &theirs["log_weights"]);
    }

    fn check_step(&self) {
        let is_importance_weighted = self.case["objective"]["kind"]["importance-weighted"].is_object();
        let n = if is_importance_weighted { self.n_samples } else { self.n_draws() };
        let step = self.model.train(&self.images(), &self.step(n));
        let (theirs, golden) = (&self.case["terms"], self.golden as i64);
        let what = |term: &str| format!("{}: {term}", self.name);
        let terms = &step.terms;
        assert_term(&what("reconstruction"), terms.reconstruction.as_ref(), golden, &theirs["reconstruction"]);
        assert_term(&what("kl"), terms.kl.as_ref(), golden, &theirs["kl"]);
        assert_term(&what("objective"), Some(&terms.objective), golden, &theirs["objective"]);
        assert_gradients(self.name, self.model.as_ref(), &step, self.golden, &self.case["gradients"], 5e-5);
    }
}

fn weight(formula: &Value) -> NamedTensor {
    let of = |key: &str| formula[key].as_f64().unwrap();
    let shape: Vec<i64> = numbers(&formula["shape"]).iter().map(|&length| length as i64).collect();
    let tensor = values(of("number") as u64, &shape, of("bound")) + of("offset");
    NamedTensor { name: formula["name"].as_str().unwrap().to_owned(), tensor }
}

fn check(golden: usize, widths: &[i64]) {
    let dump = dump();
    let cases = dump["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 38);
    for case in cases {
        let case = Case::new(&dump, case, golden, widths);
        case.check_evaluation();
        case.check_step();
    }
}

#[test]
fn every_variant_has_the_terms_and_gradients_of_pytorch() {
    check(0, &[3]);
}

#[test]
fn it_has_them_in_a_cohort_of_other_widths_too() {
    check(1, &[2, 3, 5]);
}

#[test]
fn mmd_is_that_of_the_wasserstein_autoencoders_code() {
    let dump = dump();
    let z = values(300, &[1, 8, 3], 1.5).set_requires_grad(true);
    let mmd = model::objective::mmd(
        &z,
        &values(301, &[1, 8, 3], 2.0),
        &Tensor::full([1, 1, 1], 3.0, (Kind::Float, Device::Cpu)),
    );
    assert_close("mmd", &vector(&mmd), &[dump["mmd"]["value"].as_f64().unwrap()], 1e-5, 0.1);
    let slopes = Tensor::run_backward(&[mmd.sum(Kind::Float)], &[&z], false, false);
    assert_close("its gradient", &vector(&slopes[0]), &numbers(&dump["mmd"]["gradient"]), 1e-5, 0.1);
}
