//! A legend in rows above the panels, where it hides no data.

use crate::colour::{Colour, INK};
use crate::drawing::{Anchor, Drawing, NORMAL, Point};
use crate::figure::labels::{self, LINE};
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

/// An entry with its text in lines, and how wide it is.
struct Placed<'a> {
    entry: &'a LegendEntry,
    lines: Vec<String>,
    wide: f64,
}

/// The entries in rows of at most `room` points, as few as there is need for, and these about equally long; each row with its width.
fn balanced(entries: &[LegendEntry], room: f64) -> Vec<(f64, Vec<Placed<'_>>)> {
    let widest = in_rows(entries, room);
    let n_rows = widest.len();
    let narrower = (1..=20).rev().map(|part| room * (1.0 - f64::from(part) / 40.0)).map(|room| in_rows(entries, room));
    let n_lines = |rows: &[(f64, Vec<Placed<'_>>)]| -> usize {
        rows.iter().flat_map(|(_, row)| row).map(|placed| placed.lines.len()).sum()
    };
    let least = n_lines(&widest);
    narrower.into_iter().find(|rows| rows.len() == n_rows && n_lines(rows) == least).unwrap_or(widest)
}

fn in_rows(entries: &[LegendEntry], room: f64) -> Vec<(f64, Vec<Placed<'_>>)> {
    let mut rows: Vec<(f64, Vec<Placed<'_>>)> = Vec::new();
    for entry in entries {
        let sample = sample_width(entry.swatch);
        let lines = labels::wrap(&entry.text, room - sample, NORMAL);
        let wide = sample + lines.iter().map(|line| font::width(line, NORMAL)).fold(0.0, f64::max);
        let placed = Placed { entry, lines, wide };
        match rows.last_mut() {
            Some((used, row)) if *used + BETWEEN + wide <= room => {
                *used += BETWEEN + wide;
                row.push(placed);
            }
            _ => rows.push((wide, vec![placed])),
        }
    }
    rows
}

/// Draws the entries in centred rows from `top` down, one that is wider than the page in lines; returns the height they take, in
/// points.
pub fn draw(drawing: &mut Drawing, entries: &[LegendEntry], top: f64) -> f64 {
    let rows = balanced(entries, drawing.paper.width - 12.0);
    let mut below = top;
    for (used, row) in rows {
        let baseline = below + 8.5;
        let mut left = (drawing.paper.width - used) / 2.0;
        for Placed { entry, lines, wide } in &row {
            swatch(drawing, entry.swatch, (left, baseline - 2.8));
            let text_left = left + sample_width(entry.swatch);
            for (index, line) in lines.iter().enumerate() {
                drawing.text((text_left, baseline + LINE * index as f64), line, NORMAL, INK, Anchor::Start);
            }
            left += wide + BETWEEN;
        }
        let n_lines = row.iter().map(|placed| placed.lines.len()).max().unwrap_or(1);
        below += ROW + LINE * (n_lines - 1) as f64;
    }
    below - top
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_entry_is_left_alone_on_a_row() {
        let texts = ["prior N(0, I)", "mixture prior, 50 components", "VampPrior, 50 components", "test", "train"];
        let entries = texts.map(|text| LegendEntry::new(Swatch::Line(INK, 1.0, None), text));
        let rows = balanced(&entries, 384.0);
        assert_eq!(rows.iter().map(|(_, row)| row.len()).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(balanced(&entries[..2], 384.0).len(), 1);
    }
}
