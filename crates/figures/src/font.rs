//! The one font of all figures, compiled in, so that no system library or font folder is looked at.

use std::sync::{Arc, LazyLock};

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};
use resvg::usvg::fontdb;

use crate::error::FiguresError;

/// What SVG viewers are told. The fallbacks are narrower, so that text stays in its place where the font is missing.
pub const FAMILY: &str = "DejaVu Sans Condensed, Arial, Helvetica, sans-serif";

/// Height of a line over the em of this font: what the layout calls its size against what SVG calls font size.
const LINE_OVER_EM: f64 = 1.164_062_5;

/// The measuring is done at this size, since the layout rounds down to whole units.
const MEASURE: f64 = 1000.0;

static REGISTERED: LazyLock<bool> =
    LazyLock::new(|| register_font(FAMILY, FontStyle::Normal, dejavu::sans_condensed::regular()).is_ok());

static DATABASE: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut database = fontdb::Database::new();
    database.load_font_data(dejavu::sans_condensed::regular().to_vec());
    let name = database.faces().next().and_then(|face| face.families.first().map(|(name, _)| name.clone()));
    if let Some(name) = name {
        database.set_sans_serif_family(name);
    }
    Arc::new(database)
});

/// Makes the font known to the drawing library.
///
/// # Errors
/// [`FiguresError::Draw`] when the compiled-in font cannot be read.
pub fn register() -> Result<(), FiguresError> {
    if *REGISTERED { Ok(()) } else { Err(FiguresError::Draw("the compiled-in font cannot be read".into())) }
}

/// A font database that holds our font and nothing else.
pub fn database() -> Arc<fontdb::Database> {
    Arc::clone(&DATABASE)
}

/// Width of a text in points at a font size in points.
pub fn width(text: &str, size: f64) -> f64 {
    if !*REGISTERED {
        return 0.0;
    }
    let font = FontDesc::new(FontFamily::Name(FAMILY), MEASURE * LINE_OVER_EM, FontStyle::Normal);
    let units = font.layout_box(text).map_or(0, |((left, _), (right, _))| right - left);
    f64::from(units) / MEASURE * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_grow_with_the_text_and_the_size() {
        assert!(width("nats", 8.0) > 10.0 && width("nats", 8.0) < 20.0);
        assert!((width("nats", 16.0) / width("nats", 8.0) - 2.0).abs() < 1e-9);
    }
}
