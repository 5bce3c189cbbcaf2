//! PDF, from the SVG, with the same bytes every time.

use krilla::geom::Size;
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::{Document, SerializeSettings};
use krilla_svg::{SurfaceExt as _, SvgSettings};

use super::{DPI, tree};
use crate::error::FiguresError;

/// The SVG as a PDF of the same size, text as text, with a title, without a date or an identifier.
///
/// # Errors
/// [`FiguresError::Draw`] when the SVG cannot be read or converted.
pub fn pdf(svg: &str, title: &str) -> Result<Vec<u8>, FiguresError> {
    let failed = |reason: &str| FiguresError::Draw(format!("the SVG cannot become a PDF: {reason}"));
    let tree = tree(svg)?;
    let points = |pixels: f32| pixels * 72.0 / DPI;
    let size = Size::from_wh(points(tree.size().width()), points(tree.size().height()))
        .ok_or_else(|| failed("it has no size"))?;
    let mut document = Document::new_with(SerializeSettings { xmp_metadata: false, ..SerializeSettings::default() });
    document.set_metadata(Metadata::new().title(title.to_owned()).creator("elbo".to_owned()));
    let mut page = document.start_page_with(PageSettings::new(size));
    let mut surface = page.surface();
    surface.draw_svg(&tree, size, SvgSettings::default()).ok_or_else(|| failed("it cannot be drawn"))?;
    surface.finish();
    page.finish();
    document.finish().map_err(|e| failed(&format!("{e:?}")))
}
