//! Text files of binary images, an image a line, its values `0` or `1` with a space between them; raw or gzip-compressed.

use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};
use spec::hexadecimal;

use crate::error::DataError;
use crate::idx::{Array, contents, unreadable};
use crate::images::bytes;

const HINT: &str = "the file is not what its name says, or was damaged in transfer; fetch it again";

/// Reads images of `n_pixels` values, in `length` bytes at most, as an array [n, n_pixels] of 0 and 255.
pub(crate) fn read(path: &Path, n_pixels: usize, length: u64) -> Result<Array, DataError> {
    let (stream, _) = contents(path)?;
    parse(path, stream, n_pixels, length)
}

fn parse(path: &Path, stream: impl Read, n_pixels: usize, length: u64) -> Result<Array, DataError> {
    let bad = |problem: String| DataError::file(path, problem, HINT);
    let mut stream = stream.take(length + 1);
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
    let mut values = bytes(length as usize / 2)?;
    let mut is_value = true;
    loop {
        let n_read = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n_read) => n_read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(path, error)),
        };
        digest.update(&buffer[..n_read]);
        for &byte in &buffer[..n_read] {
            let n_in_line = values.len() % n_pixels;
            match (is_value, byte) {
                (true, b'0' | b'1') => values.push(if byte == b'1' { 255 } else { 0 }),
                (false, b' ') if n_in_line > 0 => {}
                (false, b'\n') if n_in_line == 0 => {}
                _ => {
                    let line = (values.len() - usize::from(!is_value)) / n_pixels + 1;
                    let place = (values.len() - usize::from(!is_value)) % n_pixels + 1;
                    let found = char::from(byte).escape_default();
                    let problem = match (is_value, byte) {
                        (false, b'\n') => format!("holds {n_in_line} values in line {line}, not {n_pixels}"),
                        (false, b' ') => format!("holds more than {n_pixels} values in line {line}"),
                        _ => format!("holds `{found}` at value {place} of line {line}, where `0` or `1` is expected"),
                    };
                    return Err(bad(problem));
                }
            }
            is_value = !is_value;
        }
    }
    let n = values.len() / n_pixels;
    if stream.limit() == 0 {
        return Err(bad(format!("goes on after the {} images that it should hold", length as usize / 2 / n_pixels)));
    }
    if values.len() % n_pixels > 0 || !is_value {
        return Err(bad(format!("ends in the middle of image {}", values.len().div_ceil(n_pixels))));
    }
    Ok(Array { shape: vec![n, n_pixels], values, digest: hexadecimal(&digest.finalize()) })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn read_text(text: &str) -> Result<Array, String> {
        parse(Path::new("a.amat"), text.as_bytes(), 3, 1000).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_of_values_are_images() {
        let array = read_text("0 1 1\n1 0 0\n").unwrap();
        assert_eq!((array.shape, array.values), (vec![2, 3], vec![0, 255, 255, 255, 0, 0]));
        assert_eq!(array.digest, hexadecimal(&Sha256::digest("0 1 1\n1 0 0\n")));
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_told_by_line_and_value() {
        let cases = [
            ("0 1 1\n1 0", "ends in the middle of image 2"),
            ("0 1 1\n1 0 0", "ends in the middle of image 2"),
            ("0 1 1\n1 2 0\n", "holds `2` at value 2 of line 2"),
            ("0 1\n1 0 0\n", "holds 2 values in line 1, not 3"),
            ("0 1 1 1\n", "holds more than 3 values in line 1"),
            ("<html>", "holds `<` at value 1 of line 1"),
            ("0 1 1\r\n", "holds `\\r` at value 3 of line 1"),
            ("0,1,1\n", "holds `,` at value 1 of line 1"),
        ];
        for (text, problem) in cases {
            let message = read_text(text).err().unwrap();
            assert!(message.contains(problem) && message.contains("hint: "), "{text:?}: {message}");
        }
        let longer = parse(Path::new("a.amat"), &b"0 1 1\n0 1 1\n"[..], 3, 6).err().unwrap().to_string();
        assert!(longer.contains("goes on after the 1 images"), "{longer}");
    }
}
