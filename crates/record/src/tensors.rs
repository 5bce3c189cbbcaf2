//! Named tensors in the safetensors format: names, types, shapes and bytes, whatever they mean.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{SafeTensorError, TensorView};
use safetensors::{SafeTensors, serialize};

pub use safetensors::Dtype;

use crate::error::RecordError;

/// A tensor as a file holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTensor {
    /// Its name, such as `encoder.0.weight`.
    pub name: String,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// Its shape; empty for a single number.
    pub shape: Vec<usize>,
    /// Its numbers in C order, little-endian.
    pub bytes: Vec<u8>,
}

/// What a file in the safetensors format holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TensorFile {
    /// The tensors, sorted by name.
    pub tensors: Vec<StoredTensor>,
    /// The texts in its header.
    pub metadata: HashMap<String, String>,
}

impl TensorFile {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`RecordError::Io`] if the file cannot be read, [`RecordError::NotSafetensors`] if it is cut short or of another format.
    pub fn read(path: &Path) -> Result<TensorFile, RecordError> {
        let bytes = fs_err::read(path)?;
        TensorFile::from_bytes(&bytes)
            .map_err(|error| RecordError::NotSafetensors { path: path.to_owned(), reason: error.to_string() })
    }

    fn from_bytes(bytes: &[u8]) -> Result<TensorFile, SafeTensorError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let file = SafeTensors::deserialize(bytes)?;
        let stored = |(name, view): (&str, TensorView<'_>)| StoredTensor {
            name: name.to_owned(),
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        };
        let mut tensors: Vec<StoredTensor> = file.iter().map(stored).collect();
        tensors.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(TensorFile { tensors, metadata: header.metadata().clone().unwrap_or_default() })
    }

    /// The bytes of a file that holds this.
    ///
    /// # Errors
    /// [`RecordError::Refused`] if a tensor has not as many bytes as its type and shape say.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        let refused = |reason: String| RecordError::refused(reason, "this is a bug of elbo: report it");
        let mut views = Vec::with_capacity(self.tensors.len());
        for StoredTensor { name, dtype, shape, bytes } in &self.tensors {
            let view = TensorView::new(*dtype, shape.clone(), bytes)
                .map_err(|error| refused(format!("cannot write the tensor `{name}`: {error}")))?;
            views.push((name, view));
        }
        serialize(views, Some(self.metadata.clone())).map_err(|error| refused(format!("cannot write tensors: {error}")))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn tensor(name: &str, dtype: Dtype, shape: &[usize], bytes: &[u8]) -> StoredTensor {
        StoredTensor { name: name.to_owned(), dtype, shape: shape.to_vec(), bytes: bytes.to_vec() }
    }

    fn file() -> TensorFile {
        let tensors = vec![
            tensor("a", Dtype::F32, &[2, 1], &[0, 0, 128, 63, 0, 0, 0, 64]),
            tensor("b.weight", Dtype::F16, &[3], &[1, 2, 3, 4, 5, 6]),
            tensor("c", Dtype::F64, &[], &[1, 2, 3, 4, 5, 6, 7, 8]),
            tensor("d", Dtype::I64, &[0, 4], &[]),
        ];
        TensorFile { tensors, metadata: HashMap::from([("epoch".to_owned(), "3".to_owned())]) }
    }

    #[test]
    fn names_types_shapes_bytes_and_texts_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        fs_err::write(&path, file().to_bytes().unwrap()).unwrap();
        assert_eq!(TensorFile::read(&path).unwrap(), file());
    }

    #[test]
    fn files_that_are_cut_short_or_of_another_format_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let whole = file().to_bytes().unwrap();
        let cut = [0, 4, 8, 50, whole.len() - 1].map(|length| whole[..length].to_vec());
        let others = [b"PK\x03\x04 something else".to_vec(), vec![0xff; 4096], [&whole[..], &[0]].concat()];
        for bytes in cut.into_iter().chain(others) {
            fs_err::write(&path, &bytes).unwrap();
            let error = TensorFile::read(&path).unwrap_err();
            let start = format!("cannot read `{}` as safetensors: ", path.display());
            assert!(
                matches!(error, RecordError::NotSafetensors { .. }) && error.to_string().starts_with(&start),
                "{error}"
            );
        }
        let absent = folder.path().join("absent.safetensors");
        let error = TensorFile::read(&absent).unwrap_err();
        assert!(error.is_not_found() && error.to_string().contains(&absent.display().to_string()), "{error}");
    }

    #[test]
    fn a_tensor_with_too_few_bytes_is_not_written() {
        let short = TensorFile { tensors: vec![tensor("a", Dtype::F32, &[2], &[0; 7])], ..TensorFile::default() };
        let error = short.to_bytes().unwrap_err().to_string();
        assert!(error.contains("`a`"), "{error}");
    }
}
