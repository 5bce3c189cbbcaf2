//! A legend in rows above the panels, where it hides no data.

use crate::colour::{Colour, INK};
use crate::drawing::{Anchor, Drawing, NORMAL, Point, WIDTH};
use crate::font;
use crate::marker::Marker;

/// How one entry looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// A line, solid or dashed.
    Line(Colour, f64, Option<(f64, f64)>),
    /// A line with a marker on it.
    Marked(Colour, Marker),
    /// A marker alone.
    Marker(Colour, Marker),
    /// A filled square.
    Square(Colour),
    /// No sample: the text heads the entries behind it.
    Heading,
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct LegendEntry {
    /// How it looks.
    pub sample: Sample,
    /// What it stands for.
    pub text: String,
}

impl LegendEntry {
    /// An entry of this look and text.
    pub fn new(sample: Sample, text: impl Into<String>) -> LegendEntry {
        LegendEntry { sample, text: text.into() }
    }
}

const ROW: f64 = 11.5;
const BETWEEN: f64 = 11.0;

/// Draws the entries in centred rows from `top` down; returns the height they take, in points.
pub fn draw(drawing: &mut Drawing, entries: &[LegendEntry], top: f64) -> f64 {
    let room = WIDTH - 12.0;
    let mut rows: Vec<(f64, Vec<(&LegendEntry, f64)>)> = Vec::new();
    for entry in entries {
        let wide = sample_width(entry.sample) + font::width(&entry.text, NORMAL);
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
            sample(drawing, entry.sample, (left, baseline - 2.8));
            let text_left = left + sample_width(entry.sample);
            drawing.text((text_left, baseline), &entry.text, NORMAL, INK, Anchor::Start);
            left += wide + BETWEEN;
        }
    }
    ROW * rows.len() as f64
}

fn sample_width(sample: Sample) -> f64 {
    match sample {
        Sample::Line(..) | Sample::Marked(..) => 19.0,
        Sample::Marker(..) | Sample::Square(..) => 9.0,
        Sample::Heading => 0.0,
    }
}

fn sample(drawing: &mut Drawing, sample: Sample, (x, y): Point) {
    match sample {
        Sample::Line(colour, width, None) => drawing.path(vec![(x, y), (x + 15.0, y)], colour, width),
        Sample::Line(colour, width, Some(dash)) => drawing.dashed(vec![(x, y), (x + 15.0, y)], colour, width, dash),
        Sample::Marked(colour, marker) => {
            drawing.path(vec![(x, y), (x + 15.0, y)], colour, 1.0);
            marker.draw(drawing, (x + 7.5, y), colour);
        }
        Sample::Marker(colour, marker) => marker.draw(drawing, (x + 3.0, y), colour),
        Sample::Square(colour) => drawing.bar((x, y - 3.0), (x + 6.0, y + 3.0), colour),
        Sample::Heading => {}
    }
}
