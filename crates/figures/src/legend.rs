//! A legend in rows above the panels, where it hides no data.

use crate::colour::{Colour, INK};
use crate::drawing::{Anchor, Drawing, NORMAL, Point, WIDTH};
use crate::font;
use crate::marker::Marker;

/// How one entry looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Swatch {
    /// A line, solid or dashed.
    Line(Colour, f64, Option<(f64, f64)>),
    /// A line with a marker on it.
    Marked(Colour, Marker),
    /// A marker alone.
    Marker(Colour, Marker),
    /// A filled square.
    Square(Colour),
    /// No swatch: the text heads the entries behind it.
    Heading,
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct LegendEntry {
    /// How it looks.
    pub swatch: Swatch,
    /// What it stands for.
    pub text: String,
}

impl LegendEntry {
    /// An entry of this look and text.
    pub fn new(swatch: Swatch, text: impl Into<String>) -> LegendEntry {
        LegendEntry { swatch, text: text.into() }
    }
}

const ROW: f64 = 11.5;
const BETWEEN: f64 = 11.0;

/// Draws the entries in centred rows from `top` down; returns the height they take, in points.
pub fn draw(drawing: &mut Drawing, entries: &[LegendEntry], top: f64) -> f64 {
    let room = WIDTH - 12.0;
    let mut rows: Vec<(f64, Vec<(&LegendEntry, f64)>)> = Vec::new();
    for entry in entries {
        let wide = sample_width(entry.swatch) + font::width(&entry.text, NORMAL);
        match rows.last_mut() {
            Some((used, row)) if *used + BETWEEN + wide <= room => {
                *used += BETWEEN + wide;
                row.push((entry, wide));
            }
            _ => rows.push((wide, vec![(entry, wide)])),
        }
    }
    for (index, (used, row)) in rows.iter().enumerate() {
        let baseline = top + ROW * index as f64 + 8.5;
        let mut left = (WIDTH - used) / 2.0;
        for (entry, wide) in row {
            swatch(drawing, entry.swatch, (left, baseline - 2.8));
            let text_left = left + sample_width(entry.swatch);
            drawing.text((text_left, baseline), &entry.text, NORMAL, INK, Anchor::Start);
            left += wide + BETWEEN;
        }
    }
    ROW * rows.len() as f64
}

fn sample_width(swatch: Swatch) -> f64 {
    match swatch {
        Swatch::Line(..) | Swatch::Marked(..) => 19.0,
        Swatch::Marker(..) | Swatch::Square(..) => 9.0,
        Swatch::Heading => 0.0,
    }
}

fn swatch(drawing: &mut Drawing, swatch: Swatch, (x, y): Point) {
    match swatch {
        Swatch::Line(colour, width, None) => drawing.path(vec![(x, y), (x + 15.0, y)], colour, width),
        Swatch::Line(colour, width, Some(dash)) => drawing.dashed(vec![(x, y), (x + 15.0, y)], colour, width, dash),
        Swatch::Marked(colour, marker) => {
            drawing.path(vec![(x, y), (x + 15.0, y)], colour, 1.0);
            marker.draw(drawing, (x + 7.5, y), colour);
        }
        Swatch::Marker(colour, marker) => marker.draw(drawing, (x + 3.0, y), colour),
        Swatch::Square(colour) => drawing.bar((x, y - 3.0), (x + 6.0, y + 3.0), colour),
        Swatch::Heading => {}
    }
}
