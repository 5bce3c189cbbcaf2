//! SVG, through plotters.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plotters::element::DashedPathElement;
use plotters::prelude::{Circle, DrawingArea, IntoDrawingArea, PathElement, Polygon, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontFamily, FontStyle, FontTransform, IntoFont, RGBAColor, ShapeStyle, TextStyle};

use super::{UNITS, WIDTH_UNITS, png};
use crate::colour::Colour;
use crate::drawing::{Anchor, Drawing, Mark, Point};
use crate::error::FiguresError;
use crate::font;
use crate::tiles::{DEVICE_PIXEL, SHEET_PIXELS, Sheet};

/// What plotters puts between the anchor at a text's top and its baseline, in em.
const TOP_TO_BASELINE: f64 = 0.76;
/// What plotters divides a font's size by when it writes it.
const SIZE_OVER_EM: f64 = 1.24;

/// The drawing as SVG, 5.5 inches wide; `label` is what a screen reader says.
///
/// # Errors
/// [`FiguresError::Draw`] when a position is not finite or plotters fails.
pub fn svg(drawing: &Drawing, label: &str) -> Result<String, FiguresError> {
    font::register()?;
    if let Some((x, y)) = drawing.points().find(|(x, y)| !x.is_finite() || !y.is_finite()) {
        return Err(FiguresError::Draw(format!("a mark of {label} lies at ({x}, {y})")));
    }
    // Heights are whole hundredths of an inch, so that they are whole pixels too.
    let height = ((drawing.height * UNITS / 12.0).ceil() as u32).max(1) * 12;
    let mut body = String::new();
    {
        let area = SVGBackend::with_string(&mut body, (WIDTH_UNITS, height)).into_drawing_area();
        for mark in &drawing.marks {
            plot(&area, mark).map_err(|e| FiguresError::Draw(format!("{label}: {e}")))?;
        }
        area.present().map_err(|e| FiguresError::Draw(format!("{label}: {e}")))?;
    }
    let marks = body.split_once('\n').map_or("", |(_, rest)| rest);
    let marks = marks.trim_end().strip_suffix("</svg>").unwrap_or(marks);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"5.5in\" height=\"{}in\" viewBox=\"0 0 {WIDTH_UNITS} {height}\" \
         stroke-linejoin=\"round\" role=\"img\" aria-label=\"{}\">\n\
         <rect width=\"{WIDTH_UNITS}\" height=\"{height}\" fill=\"#FFFFFF\"/>\n{marks}",
        f64::from(height) / 1200.0,
        super::super::escape::xml(label),
    );
    for mark in &drawing.marks {
        if let Mark::Image { at, sheet } = mark {
            let (x, y) = units(*at);
            let (width, height) = units((sheet.width_points(), sheet.height_points()));
            let data = STANDARD.encode(png::encode(sheet.width, sheet.height, sheet.channels, &sheet.pixels)?);
            // Both names are needed: SVG 1.1's for older viewers, CSS's for browsers.
            writeln!(
                svg,
                "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
                 image-rendering=\"optimizeSpeed\" style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{data}\"/>"
            )
            .map_err(|e| FiguresError::Draw(e.to_string()))?;
            svg.push_str(&gaps(sheet, (x, y)));
        }
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// The white between tiles once more, as the page's white: what shows figures on a dark page turns round that, and not images.
fn gaps(sheet: &Sheet, (left, top): (i32, i32)) -> String {
    let units = |pixels: usize| (pixels as f64 * DEVICE_PIXEL / SHEET_PIXELS as f64 * UNITS).round() as i32;
    let bar = |[x, y, width, height]: &[usize; 4]| {
        let (x, y) = (left + units(*x), top + units(*y));
        format!("M{x} {y}h{}v{}h-{}z", units(*width), units(*height), units(*width))
    };
    let bars: String = sheet.gaps.iter().map(bar).collect();
    if bars.is_empty() { String::new() } else { format!("<path fill=\"#FFFFFF\" d=\"{bars}\"/>\n") }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn plot(area: &Area<'_>, mark: &Mark) -> Result<(), String> {
    match mark {
        Mark::Path { points, colour, width, dash: None } => {
            let style = stroke(*colour, *width);
            area.draw(&PathElement::new(all_units(points), style)).map_err(|e| e.to_string())
        }
        Mark::Path { points, colour, width, dash: Some((on, off)) } => {
            let style = stroke(*colour, *width);
            let dashed = DashedPathElement::new(all_units(points), length(*on), length(*off), style);
            area.draw(&dashed).map_err(|e| e.to_string())
        }
        Mark::Area { points, colour, opacity } => {
            area.draw(&Polygon::new(all_units(points), fill(*colour, *opacity))).map_err(|e| e.to_string())
        }
        Mark::Dot { at, radius, colour, opacity } => {
            area.draw(&Circle::new(units(*at), length(*radius), fill(*colour, *opacity))).map_err(|e| e.to_string())
        }
        Mark::Text { at, text, size, colour, anchor, upright } => {
            let em = (size * UNITS).round();
            let (position, transform) = if *upright {
                // Turned by a quarter to the left, what was below the anchor is to its right.
                (units((at.0 - TOP_TO_BASELINE * em / UNITS, at.1)), FontTransform::Rotate270)
            } else {
                (units((at.0, at.1 - TOP_TO_BASELINE * em / UNITS)), FontTransform::None)
            };
            let across = match anchor {
                Anchor::Start => HPos::Left,
                Anchor::Middle => HPos::Center,
                Anchor::End => HPos::Right,
            };
            let font = (FontFamily::Name(font::FAMILY), written_size(em), FontStyle::Normal).into_font();
            let ink = rgba(*colour, 1.0);
            let style = TextStyle::from(font.transform(transform)).color(&ink).pos(Pos::new(across, VPos::Top));
            area.draw_text(text, &style, position).map_err(|e| e.to_string())
        }
        Mark::Image { .. } => Ok(()),
    }
}

/// The size that plotters writes as `em` exactly.
fn written_size(em: f64) -> f64 {
    let size = em * SIZE_OVER_EM;
    [size, size.next_up(), size.next_down()].into_iter().find(|s| s / SIZE_OVER_EM == em).unwrap_or(size)
}

fn units((x, y): Point) -> (i32, i32) {
    ((x * UNITS).round() as i32, (y * UNITS).round() as i32)
}

fn all_units(points: &[Point]) -> Vec<(i32, i32)> {
    points.iter().copied().map(units).collect()
}

fn length(points: f64) -> u32 {
    ((points * UNITS).round() as u32).max(1)
}

fn rgba(Colour(r, g, b): Colour, opacity: f64) -> RGBAColor {
    RGBAColor(r, g, b, opacity)
}

fn stroke(colour: Colour, width: f64) -> ShapeStyle {
    ShapeStyle { color: rgba(colour, 1.0), filled: false, stroke_width: length(width) }
}

fn fill(colour: Colour, opacity: f64) -> ShapeStyle {
    ShapeStyle { color: rgba(colour, opacity), filled: true, stroke_width: 0 }
}
