//! One function per output format: a drawing becomes SVG, and the SVG becomes PDF and PNG.

mod pdf;
mod png;
mod svg;

pub use self::{pdf::pdf, png::png, svg::svg};

use resvg::usvg;

use crate::error::FiguresError;
use crate::font;

/// Pixels per inch of the PNG files.
pub const DPI: f32 = 300.0;
/// Units of the SVG's view box per point: 1200 per inch, so that a device pixel of 300 per inch is 4 units.
pub const UNITS: f64 = 1200.0 / 72.0;

/// The parsed SVG, at 300 pixels per inch, with our font alone.
fn tree(svg: &str) -> Result<usvg::Tree, FiguresError> {
    let options = usvg::Options {
        dpi: DPI,
        font_family: font::FAMILY.to_owned(),
        fontdb: font::database(),
        ..usvg::Options::default()
    };
    usvg::Tree::from_str(svg, &options).map_err(|e| FiguresError::Draw(format!("the SVG cannot be read back: {e}")))
}
