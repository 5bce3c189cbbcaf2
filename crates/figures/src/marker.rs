//! Markers of different shape, so that lines and points differ by more than their colour.

use crate::colour::Colour;
use crate::drawing::{Drawing, Mark, Point};

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
    /// An upright cross.
    Plus,
    /// A circle.
    Ring,
    /// A cross on its corner.
    Cross,
    /// The outline of a square.
    Frame,
    /// The outline of a triangle that points up.
    Tent,
}

/// How many markers [`Marker::of`] tells apart.
pub const N_MARKERS: usize = 10;

impl Marker {
    /// The `index`th marker; they repeat.
    pub fn of(index: usize) -> Marker {
        const ALL: [Marker; N_MARKERS] = [
            Marker::Disc,
            Marker::Square,
            Marker::Up,
            Marker::Diamond,
            Marker::Down,
            Marker::Plus,
            Marker::Ring,
            Marker::Cross,
            Marker::Frame,
            Marker::Tent,
        ];
        ALL[index % N_MARKERS]
    }

    /// Draws the marker around a point.
    pub fn draw(self, drawing: &mut Drawing, at: Point, colour: Colour) {
        self.draw_sized(drawing, at, colour, 1.0);
    }

    /// As [`Marker::draw`], so many times as large.
    pub fn draw_sized(self, drawing: &mut Drawing, (x, y): Point, colour: Colour, size: f64) {
        const SQUARE: &[Point] = &[(-1.8, -1.8), (1.8, -1.8), (1.8, 1.8), (-1.8, 1.8)];
        const UP: &[Point] = &[(-2.2, 1.7), (0.0, -2.3), (2.2, 1.7)];
        // An arm's half width, and how far it reaches.
        const PLUS: &[Point] = &[
            (-0.6, -2.2),
            (0.6, -2.2),
            (0.6, -0.6),
            (2.2, -0.6),
            (2.2, 0.6),
            (0.6, 0.6),
            (0.6, 2.2),
            (-0.6, 2.2),
            (-0.6, 0.6),
            (-2.2, 0.6),
            (-2.2, -0.6),
            (-0.6, -0.6),
        ];
        let around = |corners: &[Point]| corners.iter().map(|(dx, dy)| (x + size * dx, y + size * dy)).collect();
        let closed = |corners: &[Point]| {
            let mut outline: Vec<Point> = around(corners);
            outline.extend(outline.first().copied());
            outline
        };
        let line = 0.8 * size;
        match self {
            Marker::Disc => drawing.marks.push(Mark::Dot { at: (x, y), radius: 2.0 * size, colour, opacity: 1.0 }),
            Marker::Square => drawing.area(around(SQUARE), colour, 1.0),
            Marker::Up => drawing.area(around(UP), colour, 1.0),
            Marker::Diamond => drawing.area(around(&[(-2.5, 0.0), (0.0, -2.5), (2.5, 0.0), (0.0, 2.5)]), colour, 1.0),
            Marker::Down => drawing.area(around(&[(-2.2, -1.7), (0.0, 2.3), (2.2, -1.7)]), colour, 1.0),
            Marker::Plus => drawing.area(around(PLUS), colour, 1.0),
            Marker::Cross => {
                let half = std::f64::consts::FRAC_1_SQRT_2;
                let turned: Vec<Point> = PLUS.iter().map(|(dx, dy)| ((dx - dy) * half, (dx + dy) * half)).collect();
                drawing.area(around(&turned), colour, 1.0);
            }
            Marker::Ring => {
                let corner = |i: usize| {
                    let angle = f64::from(i as u32) * std::f64::consts::TAU / 12.0;
                    (1.8 * angle.cos(), 1.8 * angle.sin())
                };
                drawing.path(closed(&(0..12).map(corner).collect::<Vec<_>>()), colour, line);
            }
            Marker::Frame => drawing.path(closed(SQUARE), colour, line),
            Marker::Tent => drawing.path(closed(UP), colour, line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::N_CLASSES;

    #[test]
    fn every_class_has_a_marker_of_its_own() {
        for index in 0..N_CLASSES {
            assert!((0..index).all(|other| Marker::of(other) != Marker::of(index)), "{index}");
        }
    }
}
