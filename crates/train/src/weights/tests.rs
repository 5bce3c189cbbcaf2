//! Weights from outside: what is taken, in which types, and how everything else is refused.

use model::ImageShape;
use spec::Cell;
use tch::Device;
use tempfile::TempDir;

use super::*;

const IMAGE: ImageShape = ImageShape { channels: 1, height: 3, width: 2 };

fn model(latent_dim: usize, seed: u64) -> Box<dyn model::Family> {
    let cell: Cell = serde_json::from_value(serde_json::json!({
        "dataset": { "name": "glyphs" }, "model": { "hidden": [4], "latent_dim": latent_dim }, "objective": {},
        "training": { "seed": seed },
    }))
    .unwrap();
    model::build(&[&cell], IMAGE, Device::Cpu).unwrap().unwrap()
}

/// A folder with one file of these bytes.
fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    fs_err::write(&path, bytes).unwrap();
    (folder, path)
}

/// The outcome for a model of two latent dimensions: its parameters, or the error in one line.
fn imported(bytes: &[u8]) -> Result<Vec<NamedTensor>, String> {
    let (_folder, path) = file(bytes);
    let own = model(2, 1);
    let before = own.parameters().export(0);
    let result = Weights::from_outside(&path).and_then(|weights| weights.load(own.parameters(), 0));
    let after = own.parameters().export(0);
    if result.is_err() {
        assert!(before.iter().zip(&after).all(|(before, after)| before.tensor == after.tensor), "it has changed");
    }
    result.map(|()| after).map_err(|error| format!("{error:#}").replace(&path.display().to_string(), "FILE"))
}

fn bytes(tensors: &[NamedTensor]) -> Vec<u8> {
    to_bytes(tensors, HashMap::new()).unwrap()
}

#[test]
fn what_another_model_exported_is_taken() {
    let other = model(2, 2).parameters().export(0);
    let after = imported(&bytes(&other)).unwrap();
    assert_eq!(after.len(), 10);
    assert!(after.iter().zip(&other).all(|(one, other)| one.name == other.name && one.tensor == other.tensor));
}

#[test]
fn double_and_half_precision_are_converted() {
    let other = model(2, 2).parameters().export(0);
    let doubled: Vec<NamedTensor> = other
        .iter()
        .map(|one| NamedTensor { name: one.name.clone(), tensor: one.tensor.to_kind(Kind::Double) })
        .collect();
    let after = imported(&bytes(&doubled)).unwrap();
    assert!(after.iter().zip(&other).all(|(one, other)| one.tensor == other.tensor));

    for (dtype, kind, precision) in [(Dtype::F16, Kind::Half, 1e-3), (Dtype::BF16, Kind::BFloat16, 8e-3)] {
        let half = |one: &NamedTensor| {
            let half = one.tensor.to_kind(kind);
            let mut bytes = vec![0u8; half.numel() * 2];
            half.copy_data_u8(&mut bytes, half.numel());
            let shape = one.tensor.size().iter().map(|&length| length as usize).collect();
            StoredTensor { name: one.name.clone(), dtype, shape, bytes }
        };
        let file = TensorFile { tensors: other.iter().map(half).collect(), metadata: HashMap::new() };
        let after = imported(&file.to_bytes().unwrap()).unwrap();
        for (one, other) in after.iter().zip(&other) {
            let difference = (&one.tensor - &other.tensor).abs().max().double_value(&[]);
            assert!(difference > 0.0 && difference < precision, "{dtype:?}: {} differs by {difference}", one.name);
        }
    }
}

#[test]
fn missing_and_unexpected_tensors_are_all_named() {
    let mut tensors = model(2, 2).parameters().export(0);
    for (old, new) in [("mean.weight", "fc21.weight"), ("mean.bias", "fc21.bias")] {
        tensors.iter_mut().filter(|one| one.name == old).for_each(|one| new.clone_into(&mut one.name));
    }
    let error = imported(&bytes(&tensors)).unwrap_err();
    let wanted = "`FILE` does not hold this model's parameters: missing: `mean.weight`, `mean.bias`; \
                  unexpected: `fc21.bias`, `fc21.weight`\nhint: the model's parameters are `encoder.0.weight`, ";
    assert!(error.starts_with(wanted), "{error}");

    tensors = model(2, 2).parameters().export(0);
    tensors.push(NamedTensor { name: "step".to_owned(), tensor: Tensor::from_slice(&[1f32]) });
    let error = imported(&bytes(&tensors)).unwrap_err();
    assert!(error.starts_with("`FILE` does not hold this model's parameters: unexpected: `step`\nhint: "), "{error}");
}

#[test]
fn another_shape_is_refused() {
    let error = imported(&bytes(&model(3, 2).parameters().export(0))).unwrap_err();
    let wanted = "`FILE` does not hold this model's parameters: parameter `mean.weight` has shape [3, 4], \
                  and the model's is [2, 4]\nhint: ";
    assert!(error.starts_with(wanted), "{error}");
}

#[test]
fn values_that_are_not_finite_and_integers_are_refused() {
    let mut tensors = model(2, 2).parameters().export(0);
    let _ = tensors[3].tensor.fill_(f64::INFINITY);
    let error = imported(&bytes(&tensors)).unwrap_err();
    assert_eq!(error, format!("`{}` in `FILE` holds a value that is not finite in single precision", tensors[3].name));

    let bytes = 7i64.to_le_bytes().to_vec();
    let integer = StoredTensor { name: "mean.bias".to_owned(), dtype: Dtype::I64, shape: vec![1], bytes };
    let file = TensorFile { tensors: vec![integer], metadata: HashMap::new() };
    let error = imported(&file.to_bytes().unwrap()).unwrap_err();
    assert_eq!(error, "`mean.bias` in `FILE` has the type I64\nhint: save it as float32");
}

#[test]
fn files_that_are_cut_short_or_something_else_are_refused() {
    let whole = bytes(&model(2, 2).parameters().export(0));
    for length in [0, 4, 8, 50, whole.len() / 2, whole.len() - 1] {
        let error = imported(&whole[..length]).unwrap_err();
        assert!(
            error.starts_with("cannot read `FILE` as safetensors: ") && error.contains("\nhint: write it with "),
            "{length}: {error}"
        );
    }
    for other in [b"PK\x03\x04 a checkpoint of torch.save".as_slice(), &[0xff; 4096]] {
        let error = imported(other).unwrap_err();
        assert!(
            error.starts_with("cannot read `FILE` as safetensors: ") && error.contains("\nhint: write it with "),
            "{error}"
        );
    }
    let error = Weights::from_outside(Path::new("/nowhere/weights.safetensors")).unwrap_err();
    assert!(format!("{error:#}").contains("/nowhere/weights.safetensors"), "{error:#}");
}
