//! What every comparison with PyTorch needs: numbers out of a dump, and how close they must be.

use model::noise::{NoiseKey, Stream};
use model::parameters::NamedTensor;
use model::{Family, Step, StepContext};
use serde_json::Value;
use tch::{Kind, Tensor};

/// The numbers of a list, of lists or of numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter().flat_map(|one| one.as_f64().map_or_else(|| numbers(one), |one| vec![one])).collect()
}

/// The values of a tensor in C order.
pub fn vector(tensor: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(tensor.to_kind(Kind::Double).contiguous().view(-1)).unwrap()
}

/// The first step of training, with this noise of z.
pub fn first_step(betas: Vec<f64>, progress: f64, n_train: usize, noise: Tensor) -> StepContext {
    StepContext { key: NoiseKey::new(Stream::Latent, 0, 0), progress, betas, n_train, noise: Some(noise) }
}

/// Each within `tolerance` of PyTorch's.
#[track_caller]
pub fn assert_within(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() <= tolerance, "{what}: {ours} against PyTorch's {theirs}, tolerance {tolerance}");
    }
}

/// Each within `tolerance` of the largest magnitude among `theirs`, which is at least `floor`.
#[track_caller]
pub fn assert_close(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64, floor: f64) {
    let scale = theirs.iter().fold(floor, |largest, number| largest.max(number.abs()));
    assert_within(what, ours, theirs, tolerance * scale);
}

/// The gradients of one replica against norm, sum and some entries of PyTorch's; those of parameters that are not trained
/// are not in `theirs`.
#[track_caller]
pub fn assert_gradients(what: &str, model: &dyn Family, step: &Step, replica: usize, theirs: &Value, tolerance: f64) {
    let parameters = model.parameters();
    let gradients = step.gradients(parameters);
    let exported = parameters.export_of(&gradients.iter().collect::<Vec<_>>(), replica);
    let n_trained = parameters.iter().filter(|parameter| parameter.is_trained).count();
    assert_eq!(n_trained, theirs.as_object().unwrap().len(), "{what}");
    for (parameter, NamedTensor { name, tensor }) in parameters.iter().zip(exported) {
        if !parameter.is_trained {
            continue;
        }
        let (what, theirs) = (format!("{what}: gradient of {name}"), &theirs[&name]);
        let (norm, sum) = (theirs["norm"].as_f64().unwrap(), theirs["sum"].as_f64().unwrap());
        let flat = vector(&tensor);
        assert_close(&what, &[flat.iter().map(|slope| slope * slope).sum::<f64>().sqrt()], &[norm], 5e-5, 1e-6);
        assert_within(&what, &[flat.iter().sum()], &[sum], 1e-3 * norm + 5e-5 * sum.abs());
        let entries: Vec<f64> = numbers(&theirs["at"]).iter().map(|&at| flat[at as usize]).collect();
        assert_close(&what, &entries, &numbers(&theirs["entries"]), tolerance, norm);
    }
}
