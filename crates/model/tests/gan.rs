//! GANs and VAE-GANs: losses and gradients against those written out, and that the game leads to the data.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use model::discriminator::Discriminator;
use model::noise::{NoiseKey, Replica, Stream};
use model::parameters::NamedTensor;
use model::{Family, ImageShape, Parameters, StepContext};
use serde_json::{Value, json};
use spec::{Cell, Regulariser};
use tch::{Device, Kind, Tensor};

const IMAGE: ImageShape = ImageShape { channels: 1, height: 6, width: 5 };
const BATCH: usize = 16;

fn cell(model: Value) -> Cell {
    let mut whole = json!({ "hidden": [10], "latent_dim": 3 });
    whole.as_object_mut().unwrap().extend(model.as_object().unwrap().clone());
    let dataset = json!({ "name": { "folder": "/images" } });
    serde_json::from_value(json!({ "dataset": dataset, "model": whole, "training": { "seed": 3 } })).unwrap()
}

fn build(model: Value) -> Box<dyn Family> {
    model::build(&[&cell(model)], IMAGE, Device::Cpu).unwrap().unwrap()
}

fn at_step(step: u64) -> StepContext {
    let key = NoiseKey::new(Stream::Latent, 0, step);
    StepContext { key, progress: 0.0, betas: vec![1.0], n_train: 100, noise: None }
}

/// Uniform in 0…1, `[1, BATCH, P]`.
fn images() -> Tensor {
    let n = (BATCH * IMAGE.n_pixels()) as i64;
    (Tensor::arange(n, (Kind::Float, Device::Cpu)) * 12.9898).sin().abs().view([1, BATCH as i64, -1])
}

/// Almost no penalty, and no spectral norm: the losses alone.
fn plain() -> Value {
    json!({ "gradient-penalty": { "weight": 1e-30 } })
}

fn named<'a>(parameters: &'a Parameters, name: &str) -> &'a Tensor {
    &parameters.iter().find(|parameter| parameter.name == name).unwrap().tensor
}

fn largest(tensor: &Tensor) -> f64 {
    tensor.abs().max().double_value(&[])
}

fn set_to_zero(parameters: &Parameters, wanted: impl Fn(&str) -> bool) {
    let mut own = parameters.export(0);
    for one in own.iter_mut().filter(|one| wanted(&one.name)) {
        one.tensor = one.tensor.zeros_like();
    }
    parameters.import(0, &own).unwrap();
}

fn is_logit(name: &str) -> bool {
    name.starts_with("logit.")
}

#[test]
fn a_discriminator_that_knows_nothing_costs_log_two_an_image() {
    let log_two = 2f64.ln();
    for regulariser in [json!("spectral-norm"), plain()] {
        let gan = build(json!({ "kind": { "gan": { "regulariser": regulariser } } }));
        set_to_zero(gan.parameters(), is_logit);
        for terms in [gan.train(&images(), &at_step(0)).terms, gan.evaluate(&images(), &at_step(0))] {
            assert!(largest(&(terms.objective - log_two)) < 1e-6);
            assert!(largest(&(terms.discriminator.unwrap() - 2.0 * log_two)) < 1e-6);
        }
    }
    let vae_gan = build(json!({ "kind": { "vae-gan": { "weight": 0.25 } }, "hidden": [] }));
    set_to_zero(vae_gan.parameters(), is_logit);
    let x = images();
    let terms = vae_gan.evaluate(&x, &at_step(0));
    assert!(largest(&(terms.discriminator.unwrap() - 3.0 * log_two)) < 1e-6);
    // Without hidden layers the features are the pixels.
    let encoder = vae_gan.encoder().unwrap();
    let z = encoder.draw(&encoder.posterior(&x), &at_step(0));
    let distance = (vae_gan.generator().mean(&z) - &x).square().sum_dim_intlist(-1, false, Kind::Float) * 0.5;
    let expected = terms.kl.unwrap() + distance * 1.25 + 2.0 * log_two;
    assert!(largest(&(terms.objective - expected)) < 1e-4);
}

/// G and D written out for one hidden layer, and the two losses of Goodfellow et al. 2014 with logarithms of D.
#[test]
fn gradients_are_those_of_the_losses_written_out() {
    let gan = build(json!({ "kind": { "gan": { "regulariser": plain() } } }));
    let parameters = gan.parameters();
    let layer = |name: &str, x: &Tensor| {
        x.matmul(named(parameters, &format!("{name}.weight"))) + named(parameters, &format!("{name}.bias"))
    };
    let d = |x: &Tensor| layer("logit", &layer("discriminator.0", x).relu()).sigmoid();
    let z = parameters.normals(BATCH, NoiseKey::new(Stream::PriorTrain, 0, 7));
    let made = layer("generator.2", &layer("generator.0", &z).relu()).sigmoid();
    let of_generator = -d(&made).log().mean(Kind::Float);
    let of_discriminator = -(d(&images()).log() + (-d(&made.detach()) + 1.0).log()).mean(Kind::Float);

    let step = gan.train(&images(), &at_step(7));
    assert!(largest(&(step.terms.objective.mean(Kind::Float) - &of_generator)) < 1e-6);
    assert!(largest(&(step.terms.discriminator.as_ref().unwrap().mean(Kind::Float) - &of_discriminator)) < 1e-6);
    let gradients = step.gradients(parameters);
    for (i, parameter) in parameters.iter().enumerate() {
        let loss = if parameter.name.starts_with("generator") { &of_generator } else { &of_discriminator };
        let expected = Tensor::run_backward(&[loss], &[&parameter.tensor], true, false).pop().unwrap();
        let difference = largest(&(&gradients[i] - &expected));
        assert!(difference < 1e-5 * largest(&expected).max(1e-2), "{}: {difference}", parameter.name);
    }
}

/// With pixels for features, a variance of 1 and a discriminator that knows nothing, a VAE-GAN's encoder is trained as a
/// VAE's, and its decoder with γ times the gradient.
#[test]
fn a_vae_gan_compares_features_as_a_gaussian_vae_does_pixels() {
    let common = json!({ "hidden": [], "likelihood": { "gaussian": { "sigma": 1.0 } } });
    let with = |kind: Value| {
        let mut model = common.clone();
        model["kind"] = kind;
        build(model)
    };
    let (vae, vae_gan) = (with(json!("vae")), with(json!({ "vae-gan": { "weight": 0.25 } })));
    vae.parameters().import(0, &vae_gan.parameters().export(0)).unwrap();
    set_to_zero(vae_gan.parameters(), is_logit);
    let gradients = |model: &dyn Family| -> Vec<NamedTensor> {
        let gradients = model.train(&images(), &at_step(0)).gradients(model.parameters());
        model.parameters().export_of(&gradients.iter().collect::<Vec<_>>(), 0)
    };
    let of_vae_gan = gradients(vae_gan.as_ref());
    for one in gradients(vae.as_ref()) {
        let other = &of_vae_gan.iter().find(|other| other.name == one.name).unwrap().tensor;
        let expected = if one.name.starts_with("decoder") { one.tensor * 0.25 } else { one.tensor };
        assert!(largest(&(other - &expected)) < 1e-4 * largest(&expected), "{}", one.name);
    }
    let (ours, theirs) = (vae_gan.evaluate(&images(), &at_step(1)), vae.evaluate(&images(), &at_step(1)));
    assert_eq!(ours.reconstruction.unwrap(), theirs.reconstruction.unwrap());
    assert_eq!(ours.kl.unwrap(), theirs.kl.unwrap());
}

/// Corruption is the encoder's alone: the bound of a denoising VAE-GAN is that of the VAE with its parameters.
#[test]
fn a_denoising_vae_gan_is_measured_as_its_vae() {
    let denoising = |kind: Value| build(json!({ "kind": kind, "corruption": { "masking": {} } }));
    let (vae, vae_gan) = (denoising(json!("vae")), denoising(json!({ "vae-gan": {} })));
    vae.parameters().import(0, &vae_gan.parameters().export(0)).unwrap();
    let of = |model: &dyn Family| {
        let encoder = model.encoder().unwrap();
        encoder.evaluate_from(&encoder.corrupt(&images(), &at_step(1)).unwrap(), &images(), &at_step(1))
    };
    let (ours, theirs) = (of(vae_gan.as_ref()), of(vae.as_ref()));
    assert_eq!(ours.reconstruction.unwrap(), theirs.reconstruction.unwrap());
    assert!(largest(&(ours.kl.as_ref().unwrap() - vae_gan.evaluate(&images(), &at_step(1)).kl.unwrap())) > 1e-4);
    assert_eq!(ours.kl.unwrap(), theirs.kl.unwrap());
}

fn discriminator(model: Value, regulariser: Regulariser) -> (Parameters, Discriminator) {
    let model = cell(model).model;
    let mut parameters = Parameters::new(vec![Replica { seed: 5, width: 3 }], model.init, Device::Cpu);
    let discriminator = Discriminator::new(&mut parameters, &model, regulariser, IMAGE).unwrap();
    (parameters, discriminator)
}

/// The penalty and its derivative by the parameters, which needs the second derivative of every layer.
#[test]
fn the_gradient_penalty_equals_finite_differences() {
    let weight = 4.0;
    for model in [
        json!({ "activation": "tanh" }),
        json!({ "activation": "softplus", "hidden": [10, 8] }),
        json!({ "activation": "gated" }),
        json!({ "activation": "relu" }),
        json!({ "activation": "tanh", "net": { "conv": { "channels": [3, 2] } } }),
        json!({ "activation": "relu", "net": { "conv": { "channels": [3], "kernel": 4 } } }),
        json!({ "activation": "gated", "net": { "conv": { "channels": [3] } }, "hidden": [] }),
    ] {
        let (parameters, discriminator) = discriminator(model.clone(), Regulariser::GradientPenalty { weight });
        let x = images();
        let penalty = || discriminator.penalty(&discriminator.critic(), &x).unwrap();
        let logits = |x: &Tensor| discriminator.critic().of(x).logits.to_kind(Kind::Double);
        let ours = penalty();
        let mut squared = Tensor::zeros([1, BATCH as i64], (Kind::Double, Device::Cpu));
        let h = 1e-2;
        for pixel in 0..IMAGE.n_pixels() as i64 {
            let there = x.zeros_like();
            let _ = there.narrow(-1, pixel, 1).fill_(h);
            let slope = (logits(&(&x + &there)) - logits(&(&x - &there))) / (2.0 * h);
            squared += slope.square();
        }
        let expected = squared * (weight / 2.0);
        let difference = largest(&(&ours - &expected)) / largest(&expected);
        // Some pixels move an image across the kink of a relu.
        assert!(difference < if model["activation"] == "relu" { 0.05 } else { 5e-3 }, "{model}: {difference}");

        if model["activation"] == "relu" && model.get("net").is_some() {
            // Too many kinks for finite differences of the penalty itself.
            continue;
        }
        let trained: Vec<&Tensor> = parameters.iter().map(|parameter| &parameter.tensor).collect();
        let total = || penalty().sum(Kind::Double);
        // The last bias moves no gradient, so that it has no part in the penalty.
        let (last, moved) = trained.split_last().unwrap();
        assert_eq!(last.size(), [1, 1, 1]);
        for (parameter, tensor) in
            parameters.iter().zip(moved).filter(|(parameter, _)| parameter.name.ends_with("weight"))
        {
            let slope = Tensor::run_backward(&[total()], &[*tensor], false, false).pop().unwrap();
            let length = slope.norm().double_value(&[]);
            let along = |factor: f64| {
                tch::no_grad(|| {
                    let _ = tensor.shallow_clone().g_add_(&(&slope * (factor / length)));
                });
            };
            let h = 1e-3;
            along(h);
            let above = total().double_value(&[]);
            along(-2.0 * h);
            let below = total().double_value(&[]);
            along(h);
            let found = (above - below) / (2.0 * h);
            assert!((found / length - 1.0).abs() < 0.02, "{model}, {}: {found} and {length}", parameter.name);
        }
    }
}

/// The vectors of power iteration move with a training step's update, and neither pass changes anything by itself.
#[test]
fn passes_change_no_parameter_and_a_step_moves_power_iteration_alone() {
    for kind in [json!({ "gan": {} }), json!({ "vae-gan": {} })] {
        let mut model = build(json!({ "kind": kind, "net": { "conv": { "channels": [2] } } }));
        let state = |model: &dyn Family| -> Vec<NamedTensor> {
            // What is exported may be the parameter itself.
            let copied = |one: NamedTensor| NamedTensor { tensor: one.tensor.copy(), ..one };
            model.parameters().export(0).into_iter().map(copied).collect()
        };
        let moved = |before: &[NamedTensor], model: &dyn Family| -> Vec<String> {
            let differs = |(one, other): &(&NamedTensor, NamedTensor)| one.tensor != other.tensor;
            before.iter().zip(state(model)).filter(differs).map(|(one, _)| one.name.clone()).collect()
        };
        let before = state(model.as_ref());
        model.evaluate(&images(), &at_step(0));
        let step = model.train(&images(), &at_step(0));
        assert!(moved(&before, model.as_ref()).is_empty());
        model.parameters_mut().update(&step.buffers);
        let moved = moved(&before, model.as_ref());
        assert_eq!(moved, ["discriminator.0.u", "discriminator.3.u", "logit.u"], "{kind}");
    }
}

/// A discriminator of spectral norm and relu has slopes of at most 1.
#[test]
fn spectral_norm_bounds_the_slope() {
    let (mut parameters, discriminator) = discriminator(json!({ "hidden": [10, 8] }), Regulariser::SpectralNorm);
    tch::no_grad(|| {
        for parameter in parameters.iter().filter(|parameter| parameter.is_trained) {
            let _ = parameter.tensor.shallow_clone().g_mul_scalar_(50.0);
        }
    });
    (0..300).for_each(|_| parameters.update(&discriminator.critic_in_training().1));
    let critic = discriminator.critic();
    let x = images();
    let there = x.flip([1]);
    let rise = (critic.of(&x).logits - critic.of(&there).logits).abs();
    let run = (&x - &there).square().sum_dim_intlist(-1, false, Kind::Float).sqrt();
    let steepest = (rise / run).max().double_value(&[]);
    assert!(steepest > 0.0 && steepest <= 1.0 + 1e-4, "{steepest}");
}

/// Adam's steps on what the family says to train.
fn fit(model: &mut dyn Family, x: &Tensor, n_steps: u64) {
    // Tensors this small are slower with more.
    tch::set_num_threads(1);
    let (rate, beta1, beta2) = (3e-3, 0.5, 0.99f64);
    let zeros = || -> Vec<Tensor> { model.parameters().iter().map(|p| p.tensor.detach().zeros_like()).collect() };
    let (mut first, mut second) = (zeros(), zeros());
    for step in 0..n_steps {
        let step_taken = model.train(x, &at_step(step));
        let gradients = step_taken.gradients(model.parameters());
        model.parameters_mut().update(&step_taken.buffers);
        tch::no_grad(|| {
            for (i, parameter) in model.parameters().iter().enumerate() {
                first[i] = &first[i] * beta1 + &gradients[i] * (1.0 - beta1);
                second[i] = &second[i] * beta2 + gradients[i].square() * (1.0 - beta2);
                let root = (&second[i] / (1.0 - beta2.powi(step as i32 + 1))).sqrt() + 1e-8;
                let _ = parameter.tensor.shallow_clone().g_sub_(&(&first[i] / root * rate));
            }
        });
    }
}

#[test]
fn training_leads_the_generator_to_the_data() {
    let n_pixels = IMAGE.n_pixels() as i64;
    // A bright left half, of a brightness that differs between images.
    let shape = Tensor::arange(n_pixels, (Kind::Float, Device::Cpu)).remainder(5.0).lt(2.0).to_kind(Kind::Float);
    let brightness = Tensor::linspace(0.5, 1.0, BATCH as i64, (Kind::Float, Device::Cpu)).view([1, -1, 1]);
    let x = shape.view([1, 1, -1]) * brightness;
    for kind in [
        json!({ "gan": {} }),
        json!({ "gan": { "regulariser": { "gradient-penalty": { "weight": 1.0 } } } }),
        json!({ "vae-gan": {} }),
        json!({ "vae-gan": { "regulariser": { "gradient-penalty": { "weight": 1.0 } } } }),
    ] {
        let mut model = build(json!({ "kind": kind }));
        let distance = |model: &dyn Family| {
            let key = NoiseKey::new(Stream::Prior, 0, 0);
            let made = tch::no_grad(|| model.generator().mean(&model.generator().sample_prior(500, key)));
            let mean = |x: &Tensor| x.mean_dim(1, false, Kind::Float);
            (mean(&made) - mean(&x)).square().mean(Kind::Double).sqrt().double_value(&[])
        };
        let before = distance(model.as_ref());
        fit(model.as_mut(), &x, 400);
        let after = distance(model.as_ref());
        assert!(after < before / 3.0, "{kind}: the mean image was {before} away, and is {after}");
    }
}
