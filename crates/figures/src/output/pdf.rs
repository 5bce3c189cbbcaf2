//! PDF, from the SVG, with the same bytes every time.

use svg2pdf::{ConversionOptions, PageOptions};

use super::{DPI, tree};
use crate::error::FiguresError;

/// The SVG as a PDF of the same size, text as text, without a date or an identifier.
///
/// # Errors
/// [`FiguresError::Draw`] when the SVG cannot be read or converted.
pub fn pdf(svg: &str) -> Result<Vec<u8>, FiguresError> {
    let tree = tree(svg)?;
    let mut pdf = svg2pdf::to_pdf(&tree, ConversionOptions::default(), PageOptions { dpi: DPI })
        .map_err(|e| FiguresError::Draw(format!("the SVG cannot become a PDF: {e}")))?;
    sort_resources(&mut pdf);
    Ok(pdf)
}

/// svg2pdf writes the entries of a resource dictionary in the order of a hash map, another one in every process. They
/// are put in order here; the length, and with it every offset in the file, stays what it is.
fn sort_resources(pdf: &mut [u8]) {
    for kind in ["/XObject <<\n", "/ExtGState <<\n", "/Font <<\n", "/ColorSpace <<\n", "/Pattern <<\n", "/Shading <<\n"]
    {
        let mut from = 0;
        while let Some(found) = find(&pdf[from..], kind.as_bytes()) {
            let start = from + found + kind.len();
            let end = start + entries(&pdf[start..]);
            let mut lines: Vec<Vec<u8>> =
                pdf[start..end].split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
            lines.sort_by_key(|line| (line.len(), line.clone()));
            pdf[start..end].copy_from_slice(&lines.concat());
            from = end;
        }
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

/// How many bytes the lines of the form `/name number 0 R` take.
fn entries(bytes: &[u8]) -> usize {
    let is_entry = |line: &&[u8]| {
        std::str::from_utf8(line).is_ok_and(|l| l.ends_with(" 0 R\n") && l.trim_start().starts_with('/'))
    };
    bytes.split_inclusive(|&b| b == b'\n').take_while(is_entry).map(<[u8]>::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_sorted_in_place() {
        let mut pdf = b"  /XObject <<\n    /x10 7 0 R\n    /x2 9 0 R\n    /x1 8 0 R\n  >>\n".to_vec();
        sort_resources(&mut pdf);
        assert_eq!(pdf, b"  /XObject <<\n    /x1 8 0 R\n    /x2 9 0 R\n    /x10 7 0 R\n  >>\n");
    }
}
