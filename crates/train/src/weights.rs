//! Parameters to and from safetensors files: those of runs and checkpoints, and weights from outside, such as PyTorch's.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use model::Parameters;
use model::parameters::NamedTensor;
use record::tensors::{Dtype, StoredTensor, TensorFile};
use record::{RecordError, Run, Status};
use tch::{Kind, Tensor};

/// What a safetensors file holds, as tensors on the CPU.
#[derive(Debug)]
pub struct Weights {
    /// The file.
    pub file: PathBuf,
    /// Its tensors, sorted by name.
    pub tensors: Vec<NamedTensor>,
    /// The texts in its header.
    pub metadata: HashMap<String, String>,
}

impl Weights {
    /// Reads a file, every number in the precision that it is stored in: half, single or double.
    ///
    /// Errors name the file when it cannot be read, is not in the format, or holds another type.
    pub fn read(file: &Path) -> anyhow::Result<Weights> {
        Weights::of(file, TensorFile::read(file)?)
    }

    /// The parameters of a run.
    ///
    /// Errors when the run is not done, and name the file and say what can be done where it cannot be read: the run has no other
    /// copy of them.
    pub fn of_run(run: &Run) -> anyhow::Result<Weights> {
        let status = run.status()?;
        ensure!(
            status == Status::Done,
            "run `{}` is not done, so that there is no trained model\nhint: `elbo sweep` its experiment",
            run.id()
        );
        Weights::read(&run.model_file()).map_err(|error| anyhow!(run.unreadable_model(&format!("{error:#}"))))
    }

    /// Weights from outside the run store; numbers of half and double precision are converted to single.
    ///
    /// Errors as [`Weights::read`], and when a value is not finite.
    pub fn from_outside(file: &Path) -> anyhow::Result<Weights> {
        let stored = TensorFile::read(file).map_err(|error| match error {
            RecordError::NotSafetensors { .. } => {
                anyhow!("{error}\nhint: write it with `safetensors.torch.save_file(model.state_dict(), path)`")
            }
            other => other.into(),
        })?;
        let mut weights = Weights::of(file, stored)?;
        for NamedTensor { name, tensor } in &mut weights.tensors {
            *tensor = tensor.to_kind(Kind::Float);
            let is_finite = tensor.isfinite().all().int64_value(&[]) == 1;
            ensure!(is_finite, "`{name}` in `{}` holds a value that is not finite in single precision", file.display());
        }
        Ok(weights)
    }

    fn of(file: &Path, stored: TensorFile) -> anyhow::Result<Weights> {
        let tensor = |stored: StoredTensor| -> anyhow::Result<NamedTensor> {
            let StoredTensor { name, dtype, shape, bytes } = stored;
            let kind = match dtype {
                Dtype::F16 => Kind::Half,
                Dtype::BF16 => Kind::BFloat16,
                Dtype::F32 => Kind::Float,
                Dtype::F64 => Kind::Double,
                other => bail!("`{name}` in `{}` has the type {other:?}\nhint: save it as float32", file.display()),
            };
            let shape: Vec<i64> = shape.into_iter().map(|length| length as i64).collect();
            let tensor = Tensor::f_from_data_size(&bytes, &shape, kind)
                .with_context(|| format!("`{name}` in `{}` cannot be read", file.display()))?;
            Ok(NamedTensor { name, tensor })
        };
        let tensors = stored.tensors.into_iter().map(tensor).collect::<anyhow::Result<_>>()?;
        Ok(Weights { file: file.to_owned(), tensors, metadata: stored.metadata })
    }

    /// Sets one replica's parameters to these, which are in PyTorch's layout, see [`Parameters::export`].
    ///
    /// Errors name the file, and every tensor that is missing, unexpected or of another shape; then nothing has changed.
    pub fn load(&self, parameters: &Parameters, replica: usize) -> anyhow::Result<()> {
        let in_file = || format!("`{}` does not hold this model's parameters", self.file.display());
        let expected: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        let found: Vec<&str> = self.tensors.iter().map(|one| one.name.as_str()).collect();
        let missing = difference(&expected, &found);
        let unexpected = difference(&found, &expected);
        let told: Vec<String> = [("missing", missing), ("unexpected", unexpected)]
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", names.join(", ")))
            .collect();
        ensure!(
            told.is_empty(),
            "{}: {}\nhint: the model's parameters are {}",
            in_file(),
            told.join("; "),
            difference(&expected, &[]).join(", ")
        );
        parameters.import(replica, &self.tensors).with_context(in_file)
    }
}

/// Names in backticks that are in `these` and not in `those`.
fn difference(these: &[&str], those: &[&str]) -> Vec<String> {
    these.iter().filter(|name| !those.contains(name)).map(|name| format!("`{name}`")).collect()
}

/// Named tensors as the bytes of a safetensors file, with `metadata` in its header; single and double precision.
///
/// Errors for tensors of another type.
pub fn to_bytes(tensors: &[NamedTensor], metadata: HashMap<String, String>) -> anyhow::Result<Vec<u8>> {
    let stored = |NamedTensor { name, tensor }: &NamedTensor| -> anyhow::Result<StoredTensor> {
        let n = tensor.numel();
        let (dtype, bytes) = match tensor.kind() {
            Kind::Float => {
                let mut values = vec![0f32; n];
                tensor.copy_data(&mut values, n);
                (Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Kind::Double => {
                let mut values = vec![0f64; n];
                tensor.copy_data(&mut values, n);
                (Dtype::F64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            other => bail!("`{name}` has the type {other:?}, which is not stored"),
        };
        let shape = tensor.size().iter().map(|&length| length as usize).collect();
        Ok(StoredTensor { name: name.clone(), dtype, shape, bytes })
    };
    let tensors = tensors.iter().map(stored).collect::<anyhow::Result<_>>()?;
    Ok(TensorFile { tensors, metadata }.to_bytes()?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
