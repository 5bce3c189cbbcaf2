//! How the gradient of the ELBO reaches the encoder, and noise on a code.

use model::parameters::Part;
use serde_json::{Value, json};
use tch::{Kind, Tensor};

use crate::{at_step, build, cell, images, largest};

/// Gradients of the encoder's mean over many steps, one a row, and of all of its and the other parameters at the last.
fn encoder_slopes(objective: &Value, n: u64) -> (Tensor, f64, f64) {
    let cells = [cell(&json!({ "hidden": [4] }), objective, 2, 5)];
    let model = build(&cells);
    let (mut of_encoder, mut of_decoder, mut heads) = (0.0f64, 0.0f64, Vec::new());
    for step in 0..n {
        let gradients = model.train(&images(1), &at_step(&cells, step)).gradients(model.parameters());
        for (parameter, gradient) in model.parameters().iter().zip(gradients) {
            match parameter.part {
                Part::Encoder => of_encoder = of_encoder.max(largest(&gradient)),
                _ => of_decoder = of_decoder.max(largest(&gradient)),
            }
            if parameter.name == "mean.bias" {
                heads.push(Vec::<f64>::try_from(gradient.to_kind(Kind::Double).view(-1)).unwrap());
            }
        }
    }
    (Tensor::from_slice2(&heads), of_encoder, of_decoder)
}

/// With β = 0 the reconstruction is all there is: where z is a constant, none of it reaches the encoder.
#[test]
fn without_reparametrisation_the_encoder_gets_no_gradient_of_the_reconstruction() {
    let (_, of_encoder, of_decoder) = encoder_slopes(&json!({ "gradient": "detached", "beta": 0.0 }), 3);
    assert_eq!(of_encoder, 0.0);
    assert!(of_decoder > 0.0);
}

/// The score function's gradient is that of the reparametrised draw on average, with far more variance.
#[test]
fn the_score_function_has_the_same_mean_gradient_and_more_variance() {
    let [reparametrised, score] = ["reparametrised", "score-function"].map(|gradient| {
        let (slopes, ..) = encoder_slopes(&json!({ "gradient": gradient, "samples": 20 }), 1500);
        (slopes.mean_dim(0, false, Kind::Double), slopes.std_dim(0, true, false))
    });
    let error = (score.1.square() + reparametrised.1.square()).sqrt() / 1500f64.sqrt();
    let off = ((&score.0 - &reparametrised.0).abs() / error).max().double_value(&[]);
    assert!(off < 5.0, "{} where the reparametrised gradient is {}", score.0, reparametrised.0);
    assert!((score.1 / reparametrised.1).min().double_value(&[]) > 10.0);
}

/// Noise on the code is a matter of training alone.
#[test]
fn an_evaluated_code_has_no_noise() {
    let evaluated = |noise: f64, is_trained: bool| {
        let cells = [cell(&json!({ "kind": "autoencoder", "latent_noise": noise }), &json!({}), 3, 5)];
        let (model, x, at) = (build(&cells), images(1), at_step(&cells, 0));
        let terms = if is_trained { model.train(&x, &at).terms } else { model.evaluate(&x, &at) };
        terms.objective.mean(Kind::Double).double_value(&[])
    };
    assert_eq!(evaluated(0.5, false), evaluated(0.0, false));
    assert_ne!(evaluated(0.5, true), evaluated(0.0, true));
}
