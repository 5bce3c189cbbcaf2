//! Arrays as NPY files, which `numpy.load` opens: single precision, little-endian, C order.

use std::path::Path;

use crate::arrays::Array;
use crate::error::RecordError;

const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";

/// An array of single precision as the bytes of an NPY file of version 1.0.
pub fn to_bytes(array: &Array) -> Vec<u8> {
    encode("<f4", &array.shape, array.values.iter().flat_map(|value| value.to_le_bytes()))
}

/// Values of the type that NumPy calls `descr`, in C order, as the bytes of an NPY file of version 1.0.
pub(crate) fn encode(descr: &str, shape: &[usize], values: impl Iterator<Item = u8>) -> Vec<u8> {
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    // Python writes `(3, 4)` and `(3,)`.
    let lengths = if shape.len() == 1 { lengths.trim_end() } else { lengths.trim_end_matches(", ") };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({lengths}), }}");
    // The values begin at a multiple of 64 bytes.
    let unpadded = MAGIC.len() + 2 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&(header.len() as u16).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend(values);
    bytes
}

/// Reads an NPY file such as [`to_bytes`] gives.
///
/// # Errors
/// If the file is missing, damaged, or of another version, type or order.
pub fn read(path: &Path) -> Result<Array, RecordError> {
    let bytes = fs_err::read(path)?;
    let read = || {
        let found = decode(&bytes)?;
        if found.descr != "<f4" {
            return Err("it does not hold float32 values in C order");
        }
        let (values, rest) = found.data.as_chunks();
        let values = values.iter().map(|&value| f32::from_le_bytes(value)).collect();
        let array = Array::new(found.shape, values).ok().filter(|_| rest.is_empty());
        array.ok_or("it has more or fewer values than its shape says")
    };
    read().map_err(|reason| RecordError::Damaged {
        path: path.to_owned(),
        reason: reason.to_owned(),
        hint: "save it with `numpy.save` as float32 in C order".to_owned(),
    })
}

/// What an NPY file holds.
pub(crate) struct Npy<'a> {
    /// NumPy's name of the values' type, such as `<f4`.
    pub(crate) descr: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: &'a [u8],
}

/// Header and values of an NPY file in C order; an error says what is wrong with it.
pub(crate) fn decode(bytes: &[u8]) -> Result<Npy<'_>, &'static str> {
    const CUT: &str = "it ends within its header";
    let rest = bytes.strip_prefix(MAGIC).ok_or("it is no NPY file of version 1.0")?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(CUT)?;
    let (header, data) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length))).ok_or(CUT)?;
    let header = String::from_utf8_lossy(header);
    if !header.contains("'fortran_order': False") {
        return Err("its values are not in C order");
    }
    let descr = header.split_once("'descr': '").and_then(|(_, rest)| rest.split_once('\''));
    let descr = descr.ok_or("it does not say its type")?.0.to_owned();
    let lengths = header.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(lengths, _)| lengths);
    let lengths = lengths.ok_or("it does not say its shape")?.split(',').map(str::trim);
    let shape: Result<Vec<usize>, _> = lengths.filter(|length| !length.is_empty()).map(str::parse).collect();
    let shape = shape.map_err(|_| "its shape is not made of whole numbers")?;
    Ok(Npy { descr, shape, data })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn arrays_come_back_and_values_are_aligned() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        for shape in [vec![6], vec![2, 3], vec![1, 2, 3, 1], vec![0, 4]] {
            let n = shape.iter().product();
            let array = Array::new(shape, (0..n).map(|i| i as f32 - 2.5).collect()).unwrap();
            let bytes = to_bytes(&array);
            assert_eq!((bytes.len() - 4 * n) % 64, 0);
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&path).unwrap(), array);
            for cut in [0, 5, 9, 40, bytes.len() - 1] {
                std::fs::write(&path, &bytes[..cut]).unwrap();
                assert!(read(&path).unwrap_err().to_string().contains("hint: "), "{cut} bytes");
            }
        }
    }

    #[test]
    fn the_header_is_numpys_own() {
        // As `numpy.save` of numpy 2 writes it.
        let one = String::from_utf8_lossy(&to_bytes(&Array::new(vec![3], vec![0.0; 3]).unwrap())[10..]).into_owned();
        assert!(one.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), } "), "{one}");
        let two = String::from_utf8_lossy(&to_bytes(&Array::new(vec![1, 2], vec![0.0; 2]).unwrap())[10..]).into_owned();
        assert!(two.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), } "), "{two}");
    }
}
