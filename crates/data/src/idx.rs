//! The IDX format of MNIST, raw or gzip-compressed.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use fs_err::File;
use sha2::{Digest, Sha256};
use spec::hexadecimal;

use crate::error::DataError;
use crate::images::bytes;

/// An array of unsigned bytes, out of one file.
pub(crate) struct Array {
    /// Lengths of the axes, the slowest first.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Vec<u8>,
    /// SHA-256 of the decompressed file, in hexadecimal.
    pub digest: String,
}

/// Deflate packs at most 1,032 bytes into one.
pub(crate) const DEFLATE_RATIO: u64 = 1_032;

const HINT: &str = "the file is not IDX, or was damaged in transfer; fetch it again";

/// `name` or `name.gz` in `folder`, also with a dot where MNIST's names have a dash before `idx`.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let names = [name.to_owned(), format!("{name}.gz"), dotted.clone(), format!("{dotted}.gz")];
    names.iter().map(|name| folder.join(name)).find(|path| path.exists())
}

/// As [`find`], compressed files alone.
pub(crate) fn find_compressed(folder: &Path, name: &str) -> Option<PathBuf> {
    let names = [format!("{name}.gz"), format!("{}.gz", name.replace("-idx", ".idx"))];
    names.iter().map(|name| folder.join(name)).find(|path| path.exists())
}

/// Reads an IDX file of unsigned bytes; whether it is compressed is told by its first bytes, not by its name.
pub(crate) fn read(path: &Path) -> Result<Array, DataError> {
    let (stream, at_most) = contents(path)?;
    parse(path, stream, at_most)
}

/// Lengths of the axes of an IDX file, the slowest first, out of its header alone.
pub(crate) fn shape(path: &Path) -> Result<Vec<usize>, DataError> {
    let (mut stream, at_most) = contents(path)?;
    Ok(header(path, &mut stream, at_most, &mut Sha256::new())?.0)
}

/// The decompressed bytes of a file, and how many there can be at most.
pub(crate) fn contents(path: &Path) -> Result<(Box<dyn Read>, u64), DataError> {
    let mut file = open(path)?;
    let length = file.metadata()?.len();
    let mut first = [0; 2];
    let n_read = file.read(&mut first)?;
    file.seek(SeekFrom::Start(0))?;
    if length == 0 {
        return Err(DataError::file(path, "the file is empty", "fetch it again"));
    }
    Ok(if n_read == 2 && first == [0x1f, 0x8b] {
        let stream = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file));
        (Box::new(stream), length.saturating_mul(DEFLATE_RATIO))
    } else {
        (Box::new(file), length)
    })
}

/// Opens a file, with a plain word for a folder.
pub(crate) fn open(path: &Path) -> Result<File, DataError> {
    if path.is_dir() {
        return Err(DataError::file(path, "is a folder where a file should be", "name the file itself"));
    }
    Ok(File::open(path)?)
}

fn bad(path: &Path, problem: String) -> DataError {
    DataError::file(path, problem, HINT)
}

pub(crate) fn unreadable(path: &Path, error: std::io::Error) -> DataError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => bad(path, "the file ends too early".to_owned()),
        _ => bad(path, format!("cannot be read or decompressed: {error}")),
    }
}

/// Reads the header of an IDX stream into `digest`: the lengths of the axes, and how many values they make. The stream
/// cannot be longer than `at_most` bytes, which guards against a header that lies.
fn header(
    path: &Path,
    stream: &mut impl Read,
    at_most: u64,
    digest: &mut Sha256,
) -> Result<(Vec<usize>, usize), DataError> {
    let bad = |problem| bad(path, problem);
    let unreadable = |error| unreadable(path, error);
    let mut header = [0; 4];
    stream.read_exact(&mut header).map_err(unreadable)?;
    let [0, 0, kind, n_axes @ 1..=4] = header else {
        return Err(bad(format!("begins with `{}`, which no IDX file does", hexadecimal(&header))));
    };
    if kind != 8 {
        let problem = format!("holds values of IDX type `0x{kind:02x}`, not unsigned bytes (`0x08`)");
        return Err(DataError::file(path, problem, "convert the values to unsigned bytes, 255 standing for 1.0"));
    }
    digest.update(header);
    let mut shape = Vec::new();
    for _ in 0..n_axes {
        let mut length = [0; 4];
        stream.read_exact(&mut length).map_err(unreadable)?;
        digest.update(length);
        shape.push(u32::from_be_bytes(length) as usize);
    }
    let declared = shape.iter().try_fold(1u64, |product, &length| product.checked_mul(length as u64));
    let total = declared.filter(|&total| total <= at_most).ok_or_else(|| {
        bad(format!("declares an array of {}, more than a file of its size can hold", written(&shape)))
    })?;
    if total == 0 {
        return Err(bad(format!("declares an array of {}, which is empty", written(&shape))));
    }
    let total = usize::try_from(total).map_err(|_| bad("is too large for this machine".to_owned()))?;
    Ok((shape, total))
}

/// Parses an IDX stream that cannot be longer than `at_most` bytes.
fn parse(path: &Path, mut stream: impl Read, at_most: u64) -> Result<Array, DataError> {
    let mut digest = Sha256::new();
    let (shape, total) = header(path, &mut stream, at_most, &mut digest)?;
    let mut values = bytes(total + 1)?;
    let limit = total as u64 + 1;
    stream.take(limit).read_to_end(&mut values).map_err(|error| unreadable(path, error))?;
    if values.len() < total {
        let problem = format!("ends after {} of the {total} values that its header declares", values.len());
        return Err(bad(path, problem));
    }
    if values.len() > total {
        return Err(bad(path, format!("goes on after the {total} values that its header declares")));
    }
    digest.update(&values);
    Ok(Array { shape, values, digest: hexadecimal(&digest.finalize()) })
}

/// A shape as `60000×28×28`.
pub(crate) fn written(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}
