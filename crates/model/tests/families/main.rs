//! Every family, net, decoder, latent, prior and objective: what it trains, and that cohorts and padding do not matter.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod estimators;

use model::noise::{NoiseKey, Stream};
use model::{Family, ImageShape, StepContext};
use serde_json::{Value, json};
use spec::Cell;
use tch::{Device, Kind, Tensor};

const IMAGE: ImageShape = ImageShape { channels: 1, height: 9, width: 7 };
const BATCH: i64 = 8;

/// Settings that differ from the plain VAE's; each is a case of its own.
fn cases() -> Vec<(&'static str, Value, Value)> {
    let plain = json!({});
    let model = |name: &'static str, model: Value| (name, model, plain.clone());
    let objective = |name: &'static str, kind: Value| (name, plain.clone(), json!({ "kind": kind, "beta": 2.0 }));
    vec![
        model("plain", json!({})),
        model("autoencoder", json!({ "kind": "autoencoder" })),
        model("linear autoencoder", json!({ "kind": "autoencoder", "hidden": [], "likelihood": { "gaussian": {} } })),
        model("tanh", json!({ "activation": "tanh" })),
        model("softplus", json!({ "activation": "softplus", "init": "xavier" })),
        model("gated", json!({ "activation": "gated" })),
        model("conv", json!({ "net": { "conv": { "channels": [3, 4] } } })),
        model("conv, gated", json!({ "net": { "conv": { "channels": [3, 4] } }, "activation": "gated" })),
        model("conv, even kernel", json!({ "net": { "conv": { "channels": [3], "kernel": 4 } }, "hidden": [] })),
        model("conv, stride 3", json!({ "net": { "conv": { "channels": [3, 2], "kernel": 5, "stride": 3 } } })),
        model("conv, stride 1", json!({ "net": { "conv": { "channels": [2], "stride": 1 } } })),
        model("continuous bernoulli", json!({ "likelihood": { "continuous-bernoulli": {} } })),
        model("gaussian", json!({ "likelihood": { "gaussian": { "sigma": 0.3 } } })),
        model("laplace", json!({ "likelihood": { "laplace": { "scale": 0.2 } } })),
        model("gaussian-shared", json!({ "likelihood": { "gaussian-shared": {} } })),
        model("gaussian-shared, optimal", json!({ "likelihood": { "gaussian-shared": { "variance": "optimal" } } })),
        model("gaussian-per-pixel", json!({ "likelihood": { "gaussian-per-pixel": {} } })),
        model(
            "gaussian-per-pixel, conv",
            json!({ "likelihood": { "gaussian-per-pixel": {} }, "net": { "conv": { "channels": [3] } } }),
        ),
        model("gaussian-spectral, optimal", json!({ "likelihood": { "gaussian-spectral": {} } })),
        model("discretised-logistic", json!({ "likelihood": "discretised-logistic" })),
        model("bits", json!({ "latent": { "bernoulli": {} } })),
        model("mixture prior", json!({ "prior": { "mixture": { "components": 3 } } })),
        model("vamp prior", json!({ "prior": { "vamp": { "components": 3 } } })),
        model("flow prior", json!({ "prior": { "flow": { "couplings": 3, "hidden": 5 } } })),
        model("denoising, gaussian", json!({ "corruption": { "gaussian": {} } })),
        model("denoising, masking", json!({ "corruption": { "masking": {} }, "kind": "autoencoder" })),
        model("denoising, salt and pepper", json!({ "corruption": { "salt-and-pepper": {} } })),
        objective("free bits", json!({ "free-bits": { "nats": 0.01 } })),
        objective("capacity", json!({ "capacity": { "nats": 5.0 } })),
        objective("importance-weighted", json!({ "importance-weighted": { "samples": 3 } })),
        objective(
            "doubly reparametrised",
            json!({ "importance-weighted": { "samples": 3, "gradient": "doubly-reparametrised" } }),
        ),
        objective("total correlation", json!("total-correlation")),
        model("autoencoder, noise on the code", json!({ "kind": "autoencoder", "latent_noise": 0.3 })),
        ("several draws", plain.clone(), json!({ "samples": 3 })),
        ("several draws of bits", json!({ "latent": { "bernoulli": {} } }), json!({ "samples": 3 })),
        ("KL of means", plain.clone(), json!({ "kl_parts": "mean" })),
        ("KL of variances", plain.clone(), json!({ "kl_parts": "variance", "beta": 2.0 })),
        ("cut, detached", plain.clone(), json!({ "gradient": "detached" })),
        ("cut, score function", plain.clone(), json!({ "gradient": "score-function", "samples": 2 })),
        objective("mmd", json!({ "mmd": { "weight": 10.0 } })),
        model("gan", json!({ "kind": { "gan": {} } })),
        model("gan, gradient penalty", gan(penalty(), json!({}))),
        model("gan, gradient penalty, tanh", gan(penalty(), json!({ "activation": "tanh" }))),
        model("gan, gated", gan(json!("spectral-norm"), json!({ "activation": "gated" }))),
        model("gan, conv", gan(json!("spectral-norm"), json!({ "net": { "conv": { "channels": [3, 4] } } }))),
        model("gan, gradient penalty, conv", gan(penalty(), json!({ "net": { "conv": { "channels": [3, 4] } } }))),
        model("vae-gan", json!({ "kind": { "vae-gan": { "weight": 0.5 } } })),
        model("vae-gan, gradient penalty", json!({ "kind": { "vae-gan": { "regulariser": penalty() } } })),
        model("vae-gan, conv", json!({ "kind": { "vae-gan": {} }, "net": { "conv": { "channels": [3] } } })),
        model(
            "vae-gan, gaussian-shared, mixture prior, denoising",
            json!({ "kind": { "vae-gan": {} }, "likelihood": { "gaussian-shared": {} },
                    "prior": { "mixture": { "components": 3 } }, "corruption": { "gaussian": {} } }),
        ),
        model("vae-gan, bits", json!({ "kind": { "vae-gan": {} }, "latent": { "bernoulli": {} } })),
        (
            "vamp prior, importance-weighted",
            json!({ "prior": { "vamp": { "components": 3 } } }),
            json!({ "kind": { "importance-weighted": { "samples": 2 } } }),
        ),
    ]
}

fn penalty() -> Value {
    json!({ "gradient-penalty": { "weight": 3.0 } })
}

fn gan(regulariser: Value, mut more: Value) -> Value {
    more["kind"] = json!({ "gan": { "regulariser": regulariser } });
    more
}

/// Whether the family's losses are of several players, whose steps together lower none of them for certain.
fn is_adversarial(name: &str) -> bool {
    name.contains("gan")
}

fn cell(model: &Value, objective: &Value, latent_dim: usize, seed: u64) -> Cell {
    let mut whole = json!({ "hidden": [12], "latent_dim": latent_dim });
    whole.as_object_mut().unwrap().extend(model.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "dataset": { "name": { "folder": "/images" } }, "model": whole, "objective": objective,
        "training": { "seed": seed },
    }))
    .unwrap()
}

fn build(cells: &[Cell]) -> Box<dyn Family> {
    model::build(&cells.iter().collect::<Vec<_>>(), IMAGE, Device::Cpu).unwrap().unwrap()
}

fn at_step(cells: &[Cell], step: u64) -> StepContext {
    let betas = cells.iter().map(|cell| cell.objective.beta).collect();
    StepContext { key: NoiseKey::new(Stream::Latent, 1, step), progress: 1.5, betas, n_train: 1000, noise: None }
}

fn images(n_replicas: i64) -> Tensor {
    let n = BATCH * IMAGE.n_pixels() as i64;
    let one = (Tensor::arange(n, (Kind::Float, Device::Cpu)) * 12.9898).sin().abs();
    ((one.view([1, BATCH, -1]) * 255.0).round() / 255.0).repeat([n_replicas, 1, 1])
}

fn largest(tensor: &Tensor) -> f64 {
    if tensor.numel() == 0 { 0.0 } else { tensor.abs().max().double_value(&[]) }
}

/// Alone or beside a wider and a narrower replica of other seeds, a replica has the same terms and gradients.
#[test]
fn a_replica_in_a_cohort_is_the_replica_alone() {
    for (name, model, objective) in cases() {
        let alone = [cell(&model, &objective, 3, 7)];
        let cohort = [cell(&model, &objective, 2, 1), cell(&model, &objective, 3, 7), cell(&model, &objective, 5, 2)];
        let step = |cells: &[Cell], replica: usize| {
            let model = build(cells);
            let step = model.train(&images(cells.len() as i64), &at_step(cells, 4));
            let gradients = step.gradients(model.parameters());
            let own = model.parameters().export_of(&gradients.iter().collect::<Vec<_>>(), replica);
            (step.terms.objective.get(replica as i64), own)
        };
        let (objective_alone, gradients_alone) = step(&alone, 0);
        let (objective, gradients) = step(&cohort, 1);
        let scale = largest(&objective_alone).max(1.0);
        assert!(largest(&(&objective - &objective_alone)) < 1e-5 * scale, "{name}: {objective} {objective_alone}");
        for (one, other) in gradients.iter().zip(&gradients_alone) {
            let difference = largest(&(&one.tensor - &other.tensor));
            let scale = largest(&other.tensor).max(1e-3);
            assert!(difference < 2e-4 * scale, "{name}: {} differs by {difference} of {scale}", one.name);
        }
    }
}

/// What is trained gets a gradient that is finite and somewhere not zero, and padding gets none.
#[test]
fn every_parameter_is_trained_and_padding_is_not() {
    for (name, model, objective) in cases() {
        let cells = [cell(&model, &objective, 2, 1), cell(&model, &objective, 4, 2)];
        let model = build(&cells);
        let step = model.train(&images(2), &at_step(&cells, 0));
        let gradients = step.gradients(model.parameters());
        for (parameter, gradient) in model.parameters().iter().zip(&gradients) {
            assert!(gradient.isfinite().all().int64_value(&[]) == 1, "{name}: {}", parameter.name);
            assert_eq!(largest(gradient) > 0.0, parameter.is_trained, "{name}: {}", parameter.name);
        }
        let own = model.parameters().export_of(&gradients.iter().collect::<Vec<_>>(), 0);
        let squares = |tensor: &Tensor| tensor.to_kind(Kind::Double).square().sum(Kind::Double).double_value(&[]);
        let of_own: f64 = own.iter().map(|one| squares(&one.tensor)).sum();
        let of_all: f64 = gradients.iter().map(|gradient| squares(&gradient.get(0))).sum();
        assert!((of_own / of_all - 1.0).abs() < 1e-9, "{name}: padding has a gradient");
    }
}

/// The derivative along the gradient is what the gradient says; for objectives whose value is what is differentiated.
#[test]
fn the_objective_falls_along_its_gradient() {
    // Where the path through z is cut, the gradient is none of this batch's value.
    let is_a_slope = |name: &str| !is_adversarial(name) && !name.starts_with("cut");
    for (name, model, objective) in cases().into_iter().filter(|(name, ..)| is_a_slope(name)) {
        let cells = [cell(&model, &objective, 3, 5)];
        let model = build(&cells);
        let value = || {
            tch::no_grad(|| {
                model.train(&images(1), &at_step(&cells, 0)).terms.objective.mean(Kind::Double).double_value(&[])
            })
        };
        let step = model.train(&images(1), &at_step(&cells, 0));
        let gradients = step.gradients(model.parameters());
        let before = step.terms.objective.mean(Kind::Double).double_value(&[]);
        let norm: f64 = gradients.iter().map(|g| g.square().sum(Kind::Double).double_value(&[])).sum();
        let length = 1e-3 / norm.sqrt();
        tch::no_grad(|| {
            for (parameter, gradient) in model.parameters().iter().zip(&gradients) {
                let _ = parameter.tensor.shallow_clone().g_sub_(&(gradient * length));
            }
        });
        let fallen = before - value();
        let expected = length * norm;
        // A doubly reparametrised gradient is another estimate of the same slope, and an optimal variance moves along.
        let exact = !name.contains("doubly") && !name.contains("optimal");
        assert!(fallen > 0.0, "{name}: rises by {}", -fallen);
        assert!(!exact || (fallen / expected - 1.0).abs() < 0.2, "{name}: falls by {fallen}, {expected} expected");
    }
}

#[test]
fn shapes_are_those_of_the_images_and_latents() {
    for (name, model, objective) in cases() {
        let cells = [cell(&model, &objective, 2, 1), cell(&model, &objective, 4, 2)];
        let model = build(&cells);
        let x = images(2);
        let terms = model.evaluate(&x, &at_step(&cells, 0));
        assert_eq!(terms.objective.size(), [2, BATCH], "{name}");
        for term in [&terms.reconstruction, &terms.kl].into_iter().flatten() {
            assert_eq!(term.size(), [2, BATCH], "{name}");
        }
        assert_eq!(terms.discriminator.map(|term| term.size()), is_adversarial(name).then(|| vec![2, BATCH]), "{name}");
        let generator = model.generator();
        if let Some(encoder) = model.encoder() {
            let q = encoder.posterior(&x);
            // The mean over a replica's own dimensions, the first two of four.
            let sigma = q.log_variance().map(|log_variance| (log_variance.get(0).narrow(-1, 0, 2) * 0.5).exp());
            assert_eq!(terms.posterior_sigma.is_some(), sigma.is_some(), "{name}");
            for (ours, sigma) in terms.posterior_sigma.iter().zip(&sigma) {
                let expected = sigma.mean_dim(-1, false, Kind::Float);
                assert!(largest(&(ours.get(0) - expected)) < 1e-6, "{name}");
            }
            assert_eq!(q.mean().size(), [2, BATCH, 4], "{name}");
            let z = encoder.draw(&q, &at_step(&cells, 0));
            assert_eq!(largest(&z.get(0).narrow(-1, 2, 2)), 0.0, "{name}: padding");
            assert_eq!(generator.mean(&z).size(), x.size(), "{name}");
            assert_eq!(generator.sample(&z, 0).unwrap().size(), x.size(), "{name}");
        } else {
            assert!(name.starts_with("gan"), "{name} has no encoder");
        }
        let prior = generator.sample_prior(6, NoiseKey::new(Stream::Prior, 0, 0));
        assert_eq!(prior.size(), [2, 6, 4], "{name}");
        assert_eq!(largest(&prior.get(0).narrow(-1, 2, 2)), 0.0, "{name}: padding of the prior's draws");
    }
}

/// The KL that is estimated from samples for a mixture prior is, for a single component at the standard normal, the
/// closed form's.
#[test]
fn an_estimated_kl_is_the_exact_one_on_average() {
    let cells = [cell(&json!({ "prior": { "mixture": { "components": 1 } } }), &json!({}), 3, 1)];
    let mixture = build(&cells);
    let mut own = mixture.parameters().export(0);
    for one in own.iter_mut().filter(|one| one.name.starts_with("prior.")) {
        one.tensor = one.tensor.zeros_like();
    }
    mixture.parameters().import(0, &own).unwrap();
    let plain_cells = [cell(&json!({}), &json!({}), 3, 1)];
    let plain = build(&plain_cells);
    plain.parameters().import(0, &own).unwrap();
    let x = images(1);
    let exact = plain.evaluate(&x, &at_step(&plain_cells, 0)).kl.unwrap().to_kind(Kind::Double);
    let n = 1000;
    let draws: Vec<Tensor> =
        (0..n).map(|step| mixture.evaluate(&x, &at_step(&cells, step)).kl.unwrap().to_kind(Kind::Double)).collect();
    let draws = Tensor::stack(&draws, 0);
    let error = (draws.mean_dim(0, false, Kind::Double) - exact).abs();
    let spread = draws.std_dim(0, true, false) / (n as f64).sqrt();
    assert!((error / spread).max().double_value(&[]) < 5.0);
}

/// Fixed σ² is β = σ² on half the squared error: the gradients are the same but for the factor σ².
#[test]
fn a_fixed_variance_is_a_beta() {
    let sigma: f64 = 0.4;
    let gradients = |sigma: f64, beta: f64| {
        let model = json!({ "likelihood": { "gaussian": { "sigma": sigma } } });
        let cells = [cell(&model, &json!({ "beta": beta }), 3, 5)];
        let model = build(&cells);
        let step = model.train(&images(1), &at_step(&cells, 0));
        step.gradients(model.parameters())
    };
    for (narrow, wide) in gradients(sigma, 1.0).iter().zip(gradients(1.0, sigma * sigma)) {
        let difference = largest(&(narrow * (sigma * sigma) - &wide));
        assert!(difference < 1e-5 * largest(&wide).max(1.0), "{difference}");
    }
}

/// With the variance at its optimum the objective is P/2·(log MSE + 1 + log 2π) + KL, and so is its gradient.
#[test]
fn the_optimal_variance_is_the_mean_squared_error() {
    let model = json!({ "likelihood": { "gaussian-shared": { "variance": "optimal" } } });
    let cells = [cell(&model, &json!({}), 3, 5)];
    let mut model = build(&cells);
    let x = images(1);
    let at = at_step(&cells, 0);
    let step = model.train(&x, &at);
    model.parameters_mut().update(&step.buffers);
    let encoder = model.encoder().unwrap();
    let z = encoder.draw(&encoder.posterior(&x), &at);
    let mse = (model.generator().mean(&z) - &x).square().mean(Kind::Float);
    let n_pixels = IMAGE.n_pixels() as f64;
    let reconstruction = (mse.log() + 1.0 + (2.0 * std::f64::consts::PI).ln()) * (0.5 * n_pixels);
    let plugged = &reconstruction + step.terms.kl.as_ref().unwrap().mean(Kind::Float);
    let ours = step.terms.objective.mean(Kind::Float);
    assert!(largest(&(&ours - &plugged)) < 1e-3, "{ours} {plugged}");
    // From the first batch on, evaluation has the σ of what was trained on.
    let evaluated = tch::no_grad(|| model.evaluate(&x, &at)).objective.mean(Kind::Float);
    assert!(largest(&(&evaluated - &plugged)) < 1e-2, "{evaluated} {plugged}");
    let decoder: Vec<&Tensor> =
        model.parameters().iter().filter(|p| p.name.starts_with("decoder")).map(|p| &p.tensor).collect();
    let theirs = Tensor::run_backward(&[reconstruction], &decoder, false, false);
    let all = step.gradients(model.parameters());
    let ours = model.parameters().iter().zip(all).filter(|(p, _)| p.name.starts_with("decoder")).map(|(_, g)| g);
    for (ours, theirs) in ours.zip(theirs) {
        assert!(largest(&(&ours - &theirs)) < 1e-3 * largest(&theirs).max(1.0));
    }
}

/// k = 1 importance sample is the ELBO with its KL estimated, and more samples tighten the bound.
#[test]
fn importance_weighted_bounds_are_ordered() {
    let at_k = |samples: usize| {
        let objective = json!({ "kind": { "importance-weighted": { "samples": samples } } });
        let cells = [cell(&json!({}), &objective, 3, 5)];
        let model = build(&cells);
        let draws: Vec<f64> = (0..200)
            .map(|step| {
                tch::no_grad(|| model.train(&images(1), &at_step(&cells, step)))
                    .terms
                    .objective
                    .mean(Kind::Double)
                    .double_value(&[])
            })
            .collect();
        draws.iter().sum::<f64>() / draws.len() as f64
    };
    let bounds = [at_k(1), at_k(5), at_k(50)];
    assert!(bounds[0] > bounds[1] && bounds[1] > bounds[2], "{bounds:?}");
}

/// Evaluation has the objective of training, with all its samples, and the bound without β; in portions, of other noise.
#[test]
fn a_held_out_importance_weighted_bound_has_all_samples() {
    for (beta, samples) in [(1.0, 5), (2.0, 5), (1.0, 1200)] {
        let objective = json!({ "kind": { "importance-weighted": { "samples": samples } }, "beta": beta });
        let cells = [cell(&json!({}), &objective, 3, 5)];
        let model = build(&cells);
        let n = if samples > 5 { 20 } else { 400 };
        let of = |evaluated: bool| {
            let draws: Vec<Tensor> = (0..n)
                .map(|step| {
                    let (x, at) = (images(1), at_step(&cells, step));
                    let terms = tch::no_grad(|| match evaluated {
                        true => model.evaluate(&x, &at),
                        false => model.train(&x, &at).terms,
                    });
                    let plain = terms.importance_bound.unwrap();
                    if beta == 1.0 {
                        assert!(
                            largest(&(&plain + &terms.objective)) < 1e-3,
                            "at β = 1 the objective is minus the bound"
                        );
                    }
                    Tensor::stack(&[terms.objective, plain], 0).to_kind(Kind::Double).view(-1)
                })
                .collect();
            let draws = Tensor::stack(&draws, 0);
            (draws.mean_dim(0, false, Kind::Double), draws.std_dim(0, true, false) / (n as f64).sqrt())
        };
        let ((trained, one), (evaluated, other)) = (of(false), of(true));
        let errors = (&trained - &evaluated).abs() / (one.square() + other.square()).sqrt();
        assert!(errors.max().double_value(&[]) < 5.0, "β = {beta}: {trained} and {evaluated}");
    }
    let plain = [cell(&json!({}), &json!({ "kind": { "importance-weighted": { "samples": 1 } } }), 3, 5)];
    assert!(build(&plain).evaluate(&images(1), &at_step(&plain, 0)).importance_bound.is_none(), "it is the ELBO");
}

/// Averaged over draws, the doubly reparametrised gradient of the encoder is the reparametrised one, whatever β.
#[test]
fn doubly_reparametrised_gradients_have_the_same_mean() {
    let mean = |gradient: &str, beta: f64| {
        let kind = json!({ "importance-weighted": { "samples": 4, "gradient": gradient } });
        let objective = json!({ "kind": kind, "beta": beta });
        let cells = [cell(&json!({ "hidden": [4] }), &objective, 2, 5)];
        let model = build(&cells);
        let n = 1500;
        let heads: Vec<Vec<f64>> = (0..n)
            .map(|step| {
                let gradients = model.train(&images(1), &at_step(&cells, step)).gradients(model.parameters());
                let head = model.parameters().iter().zip(gradients).find(|(p, _)| p.name == "mean.bias").unwrap().1;
                Vec::<f64>::try_from(head.to_kind(Kind::Double).view(-1)).unwrap()
            })
            .collect();
        let all = Tensor::from_slice2(&heads);
        (all.mean_dim(0, false, Kind::Double), all.std_dim(0, true, false) / (n as f64).sqrt())
    };
    for beta in [0.0, 0.5, 1.0, 2.0] {
        let (plain, plain_error) = mean("reparametrised", beta);
        let (double, double_error) = mean("doubly-reparametrised", beta);
        let error = (plain_error.square() + double_error.square()).sqrt();
        let largest = ((&plain - &double).abs() / error).max().double_value(&[]);
        assert!(
            largest < 5.0,
            "β = {beta}: {double} where the plain gradient is {plain}, {largest} standard errors off"
        );
    }
}

/// On a linear-Gaussian model log p(x) is known: the ELBO falls short of it by KL(q(z|x) ‖ p(z|x)), and the importance-
/// sampled estimate approaches it.
#[test]
fn the_bound_and_its_gap_on_a_linear_gaussian_model() {
    let sigma: f64 = 0.7;
    let model = json!({ "hidden": [], "likelihood": { "gaussian": { "sigma": sigma } } });
    let cells = [cell(&model, &json!({}), 2, 3)];
    let model = build(&cells);
    let parameter = |name: &str| {
        let all = model.parameters().export(0);
        all.into_iter().find(|one| one.name == name).unwrap().tensor.to_kind(Kind::Double)
    };
    let (w, b) = (parameter("decoder.0.weight"), parameter("decoder.0.bias")); // [P, 2], [P]
    let x = images(1);
    let centred = x.get(0).to_kind(Kind::Double) - b; // [B, P]
    let n_pixels = IMAGE.n_pixels() as i64;
    let options = (Kind::Double, Device::Cpu);

    // p(x) = N(b, W·Wᵀ + σ²I); p(z|x) = N(S·Wᵀ(x − b)/σ², S) with S = (I + WᵀW/σ²)⁻¹.
    let covariance = w.matmul(&w.transpose(0, 1)) + Tensor::eye(n_pixels, options) * (sigma * sigma);
    let log_det = covariance.logdet().double_value(&[]);
    let solved = covariance.inverse().matmul(&centred.transpose(0, 1)).transpose(0, 1);
    let quadratic = (&centred * solved).sum_dim_intlist(-1, false, Kind::Double);
    let log_p = (quadratic + log_det + n_pixels as f64 * (2.0 * std::f64::consts::PI).ln()) * -0.5;
    let s = (Tensor::eye(2, options) + w.transpose(0, 1).matmul(&w) / (sigma * sigma)).inverse();
    let posterior_mean = centred.matmul(&w).matmul(&s) / (sigma * sigma);
    let q = model.encoder().unwrap().posterior(&x);
    let (mean, variance) =
        (q.mean().get(0).to_kind(Kind::Double), q.log_variance().unwrap().get(0).to_kind(Kind::Double).exp());
    let precision = s.inverse();
    let shift = &posterior_mean - &mean;
    let gap = (&variance * precision.diagonal(0, 0, 1)).sum_dim_intlist(-1, false, Kind::Double)
        + (shift.matmul(&precision) * &shift).sum_dim_intlist(-1, false, Kind::Double)
        - 2.0
        + s.logdet()
        - variance.log().sum_dim_intlist(-1, false, Kind::Double);
    let expected = &log_p - gap * 0.5;

    let n = 20_000;
    let draws: Vec<Tensor> = (0..n / 100)
        .map(|step| {
            let x = x.repeat([1, 100, 1]);
            let terms = model.evaluate(&x, &at_step(&cells, step));
            -(terms.reconstruction.unwrap() + terms.kl.unwrap()).view([100, BATCH]).to_kind(Kind::Double)
        })
        .collect();
    let draws = Tensor::cat(&draws, 0);
    let error = draws.mean_dim(0, false, Kind::Double) - &expected;
    let spread = draws.std_dim(0, true, false) / (n as f64).sqrt();
    assert!((error.abs() / (spread + 1e-4)).max().double_value(&[]) < 5.0, "{error}");

    let estimate =
        model::bounds::importance_sampled(model.density().unwrap(), &x, 50_000, &at_step(&cells, 0)).log_p.get(0);
    let short = largest(&(estimate - log_p));
    assert!(short < 0.05, "{short}");
}

/// The encoder sees what is left of the image, and the decoder is held against all of it.
#[test]
fn a_denoising_model_is_measured_on_the_clean_image() {
    let masking = json!({ "corruption": { "masking": { "fraction": 0.7 } }, "kind": "autoencoder" });
    let cells = [cell(&masking, &json!({}), 3, 5)];
    let (model, x, at) = (build(&cells), images(1), at_step(&cells, 2));
    let encoder = model.encoder().unwrap();
    let seen = encoder.corrupt(&x, &at).unwrap();
    let p = model.generator().mean(&encoder.posterior(&seen).mean());
    let expected = -(&x * p.log() + (-&x + 1.0) * (-&p + 1.0).log()).sum_dim_intlist(-1, false, Kind::Float);
    let found = encoder.evaluate_from(&seen, &x, &at).reconstruction.unwrap();
    assert!(largest(&(&found - expected)) < 1e-3);
    assert!(largest(&(found - model.evaluate(&x, &at).reconstruction.unwrap())) > 1e-2);
    let plain = [cell(&json!({}), &json!({}), 3, 5)];
    assert!(build(&plain).encoder().unwrap().corrupt(&x, &at).is_none());
}
