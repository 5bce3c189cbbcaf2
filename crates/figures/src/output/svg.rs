//! SVG, through plotters.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plotters::element::DashedPathElement;
use plotters::prelude::{Circle, DrawingArea, IntoDrawingArea, PathElement, Polygon, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontFamily, FontStyle, FontTransform, IntoFont, RGBAColor, ShapeStyle, TextStyle};
use spec::style::Palette;

use super::{UNITS, png};
use crate::colour::Colour;
use crate::drawing::{Anchor, Drawing, Mark, Point};
use crate::error::FiguresError;
use crate::font;
use crate::tiles::{DEVICE_PIXEL, SHEET_PIXELS, Sheet};

/// What plotters puts between the anchor at a text's top and its baseline, in em.
const TOP_TO_BASELINE: f64 = 0.76;
/// What plotters divides a font's size by when it writes it.
const SIZE_OVER_EM: f64 = 1.24;

/// The drawing as SVG, as wide as its paper; `label` is what a screen reader says.
///
/// # Errors
/// [`FiguresError::Draw`] when a position is not finite or plotters fails.
pub fn svg(drawing: &Drawing, label: &str) -> Result<String, FiguresError> {
    font::register()?;
    if let Some((x, y)) = drawing.points().find(|(x, y)| !x.is_finite() || !y.is_finite()) {
        return Err(FiguresError::Draw(format!("a mark of {label} lies at ({x}, {y})")));
    }
    let scale = Scale(UNITS * drawing.paper.scale, drawing.paper.palette);
    // Sizes are whole hundredths of an inch, so that they are whole pixels too.
    let height = ((drawing.height * scale.0 / 12.0).ceil() as u32).max(1) * 12;
    let page_width = ((drawing.paper.width * scale.0 / 12.0).round() as u32).max(1) * 12;
    let mut body = String::new();
    {
        let area = SVGBackend::with_string(&mut body, (page_width, height)).into_drawing_area();
        for mark in &drawing.marks {
            scale.plot(&area, mark).map_err(|e| FiguresError::Draw(format!("{label}: {e}")))?;
        }
        area.present().map_err(|e| FiguresError::Draw(format!("{label}: {e}")))?;
    }
    let marks = body.split_once('\n').map_or("", |(_, rest)| rest);
    let marks = marks.trim_end().strip_suffix("</svg>").unwrap_or(marks);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}in\" height=\"{}in\" viewBox=\"0 0 {page_width} {height}\" \
         stroke-linejoin=\"round\" role=\"img\" aria-label=\"{}\">\n\
         <rect width=\"{page_width}\" height=\"{height}\" fill=\"#FFFFFF\"/>\n{marks}",
        f64::from(page_width) / 1200.0,
        f64::from(height) / 1200.0,
        super::super::escape::xml(label),
    );
    for mark in &drawing.marks {
        if let Mark::Image { at, sheet } = mark {
            let (x, y) = scale.units(*at);
            let (width, height) = scale.units((sheet.width_points(), sheet.height_points()));
            let data = STANDARD.encode(png::encode(sheet.width, sheet.height, sheet.channels, &sheet.pixels)?);
            // Both names are needed: SVG 1.1's for older viewers, CSS's for browsers.
            writeln!(
                svg,
                "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
                 image-rendering=\"optimizeSpeed\" style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{data}\"/>"
            )
            .map_err(|e| FiguresError::Draw(e.to_string()))?;
            svg.push_str(&scale.gaps(sheet, (x, y)));
        }
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Units of the view box for a point of the layout, and the colours.
#[derive(Clone, Copy)]
struct Scale(f64, Palette);

impl Scale {
    /// The white between tiles once more, as the page's white: what shows figures on a dark page turns round that, and not images.
    fn gaps(self, sheet: &Sheet, (left, top): (i32, i32)) -> String {
        let units = |pixels: usize| (pixels as f64 * DEVICE_PIXEL / SHEET_PIXELS as f64 * self.0).round() as i32;
        let bar = |[x, y, width, height]: &[usize; 4]| {
            let (x, y) = (left + units(*x), top + units(*y));
            format!("M{x} {y}h{}v{}h-{}z", units(*width), units(*height), units(*width))
        };
        let bars: String = sheet.gaps.iter().map(bar).collect();
        if bars.is_empty() { String::new() } else { format!("<path fill=\"#FFFFFF\" d=\"{bars}\"/>\n") }
    }

    fn plot(self, area: &Area<'_>, mark: &Mark) -> Result<(), String> {
        match mark {
            Mark::Path { points, colour, width, dash: None } => {
                let style = self.stroke(*colour, *width);
                area.draw(&PathElement::new(self.all_units(points), style)).map_err(|e| e.to_string())
            }
            Mark::Path { points, colour, width, dash: Some((on, off)) } => {
                let style = self.stroke(*colour, *width);
                let dashed = DashedPathElement::new(self.all_units(points), self.length(*on), self.length(*off), style);
                area.draw(&dashed).map_err(|e| e.to_string())
            }
            Mark::Area { points, colour, opacity } => area
                .draw(&Polygon::new(self.all_units(points), self.fill(*colour, *opacity)))
                .map_err(|e| e.to_string()),
            Mark::Dot { at, radius, colour, opacity } => area
                .draw(&Circle::new(self.units(*at), self.length(*radius), self.fill(*colour, *opacity)))
                .map_err(|e| e.to_string()),
            Mark::Text { at, text, size, colour, anchor, upright } => {
                let em = (size * self.0).round();
                let (position, transform) = if *upright {
                    // Turned by a quarter to the left, what was below the anchor is to its right.
                    (self.units((at.0 - TOP_TO_BASELINE * em / self.0, at.1)), FontTransform::Rotate270)
                } else {
                    (self.units((at.0, at.1 - TOP_TO_BASELINE * em / self.0)), FontTransform::None)
                };
                let across = match anchor {
                    Anchor::Start => HPos::Left,
                    Anchor::Middle => HPos::Center,
                    Anchor::End => HPos::Right,
                };
                let font = (FontFamily::Name(font::FAMILY), written_size(em), FontStyle::Normal).into_font();
                let ink = self.rgba(*colour, 1.0);
                let style = TextStyle::from(font.transform(transform)).color(&ink).pos(Pos::new(across, VPos::Top));
                area.draw_text(text, &style, position).map_err(|e| e.to_string())
            }
            Mark::Image { .. } => Ok(()),
        }
    }

    fn units(self, (x, y): Point) -> (i32, i32) {
        ((x * self.0).round() as i32, (y * self.0).round() as i32)
    }

    fn all_units(self, points: &[Point]) -> Vec<(i32, i32)> {
        points.iter().copied().map(|point| self.units(point)).collect()
    }

    fn length(self, points: f64) -> u32 {
        ((points * self.0).round() as u32).max(1)
    }

    fn stroke(self, colour: Colour, width: f64) -> ShapeStyle {
        ShapeStyle { color: self.rgba(colour, 1.0), filled: false, stroke_width: self.length(width) }
    }
    fn rgba(self, colour: Colour, opacity: f64) -> RGBAColor {
        let Colour(r, g, b) = colour.of(self.1);
        RGBAColor(r, g, b, opacity)
    }

    fn fill(self, colour: Colour, opacity: f64) -> ShapeStyle {
        ShapeStyle { color: self.rgba(colour, opacity), filled: true, stroke_width: 0 }
    }
}

/// The size that plotters writes as `em` exactly.
fn written_size(em: f64) -> f64 {
    let size = em * SIZE_OVER_EM;
    [size, size.next_up(), size.next_down()].into_iter().find(|s| s / SIZE_OVER_EM == em).unwrap_or(size)
}
