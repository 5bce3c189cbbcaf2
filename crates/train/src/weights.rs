//! Tensors of one run to and from safetensors files.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use model::parameters::Exported;
use record::Run;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use tch::{Kind, Tensor};

/// Named tensors as the bytes of a safetensors file, with `metadata` in its header; single and double precision.
pub fn to_bytes(tensors: &[Exported], metadata: HashMap<String, String>) -> anyhow::Result<Vec<u8>> {
    let mut stored = Vec::with_capacity(tensors.len());
    for Exported { name, tensor } in tensors {
        let n = tensor.numel();
        let shape: Vec<usize> = tensor.size().iter().map(|&length| length as usize).collect();
        let (dtype, bytes) = match tensor.kind() {
            Kind::Float => {
                let mut values = vec![0f32; n];
                tensor.copy_data(&mut values, n);
                (Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
            }
            Kind::Double => {
                let mut values = vec![0f64; n];
                tensor.copy_data(&mut values, n);
                (Dtype::F64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            other => bail!("`{name}` has the type {other:?}, which is not stored"),
        };
        stored.push((name.clone(), dtype, shape, bytes));
    }
    let views = stored
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    Ok(serialize(views, Some(metadata))?)
}

/// The parameters of a run that is done.
///
/// Errors name the file and say what can be done: the run has no other copy of them.
pub fn read_stored(run: &Run) -> anyhow::Result<Vec<Exported>> {
    let reason = match read(&run.model_file()) {
        Ok((parameters, _)) => return Ok(parameters),
        Err(error) => format!("{error:#}"),
    };
    bail!(run.unreadable_model(&reason))
}

/// The tensors and the metadata of a safetensors file.
///
/// Errors name the file when it cannot be read, is not in the format, or holds another type than f32 and f64.
pub fn read(path: &Path) -> anyhow::Result<(Vec<Exported>, HashMap<String, String>)> {
    let bytes = fs_err::read(path)?;
    let what = || format!("cannot read `{}` as safetensors", path.display());
    let (_, header) = SafeTensors::read_metadata(&bytes).with_context(what)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let file = SafeTensors::deserialize(&bytes).with_context(what)?;
    let mut tensors = Vec::new();
    for (name, view) in file.iter() {
        let shape: Vec<i64> = view.shape().iter().map(|&length| length as i64).collect();
        let tensor = match view.dtype() {
            Dtype::F32 => Tensor::from_slice(
                &view.data().as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect::<Vec<_>>(),
            ),
            Dtype::F64 => Tensor::from_slice(
                &view.data().as_chunks().0.iter().map(|&value| f64::from_le_bytes(value)).collect::<Vec<_>>(),
            ),
            other => bail!("`{name}` in `{}` has the type {other:?}\nhint: save it as float32", path.display()),
        };
        tensors.push(Exported { name: name.to_owned(), tensor: tensor.view(shape.as_slice()) });
    }
    Ok((tensors, metadata))
}
