//! Markers of different shape, so that lines differ by more than their colour.

use crate::colour::Colour;
use crate::drawing::{Drawing, Point};

/// A shape about 4 points wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// A disc.
    Disc,
    /// A square on its side.
    Square,
    /// A triangle that points up.
    Up,
    /// A square on its corner.
    Diamond,
    /// A triangle that points down.
    Down,
}

impl Marker {
    /// The `index`th marker; they repeat.
    pub fn of(index: usize) -> Marker {
        [Marker::Disc, Marker::Square, Marker::Up, Marker::Diamond, Marker::Down][index % 5]
    }

    /// Draws the marker around a point.
    pub fn draw(self, drawing: &mut Drawing, (x, y): Point, colour: Colour) {
        let corners: &[Point] = match self {
            Marker::Disc => {
                drawing.marks.push(crate::drawing::Mark::Dot { at: (x, y), radius: 2.0, colour, opacity: 1.0 });
                return;
            }
            Marker::Square => &[(-1.8, -1.8), (1.8, -1.8), (1.8, 1.8), (-1.8, 1.8)],
            Marker::Up => &[(-2.2, 1.7), (0.0, -2.3), (2.2, 1.7)],
            Marker::Diamond => &[(-2.5, 0.0), (0.0, -2.5), (2.5, 0.0), (0.0, 2.5)],
            Marker::Down => &[(-2.2, -1.7), (0.0, 2.3), (2.2, -1.7)],
        };
        drawing.area(corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect(), colour, 1.0);
    }
}
