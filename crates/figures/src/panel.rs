//! A panel: two axes, a frame, and what is drawn inside of it.

use crate::axis::PlotAxis;
use crate::colour::{Colour, GREY, INK, PALE};
use crate::drawing::{Anchor, Drawing, NORMAL, Point, SMALL};
use crate::font;

/// Width of axis lines, in points.
const AXIS_LINE: f64 = 0.5;
/// Length of ticks, in points.
const TICK: f64 = 2.2;

/// The plotting area of two axes, in points.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Width without labels.
    pub width: f64,
    /// Height without labels.
    pub height: f64,
    /// The horizontal axis.
    pub x: PlotAxis,
    /// The vertical axis.
    pub y: PlotAxis,
}

/// What is written around a panel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Labels<'a> {
    /// Above it, centred.
    pub title: Option<&'a str>,
    /// Below the horizontal axis.
    pub x: Option<&'a str>,
    /// Left of the vertical axis.
    pub y: Option<&'a str>,
    /// Whether the horizontal ticks carry their values.
    pub x_ticks: bool,
    /// Whether the vertical ticks carry their values.
    pub y_ticks: bool,
}

impl Panel {
    /// Lower edge.
    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// Right edge.
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Where a pair of values lies.
    pub fn at(&self, x: f64, y: f64) -> Point {
        (self.left + self.x.fraction(x) * self.width, self.bottom() - self.y.fraction(y) * self.height)
    }

    /// Grid, axes, ticks and labels; to be drawn before the data.
    pub fn frame(&self, drawing: &mut Drawing, labels: Labels<'_>) {
        for (value, label) in &self.y.ticks {
            let (_, y) = self.at(self.x.low, *value);
            drawing.path(vec![(self.left, y), (self.right(), y)], PALE, 0.4);
            drawing.path(vec![(self.left - TICK, y), (self.left, y)], GREY, AXIS_LINE);
            if labels.y_ticks {
                drawing.text((self.left - TICK - 1.6, y + 0.36 * SMALL), label, SMALL, INK, Anchor::End);
            }
        }
        for (value, label) in &self.x.ticks {
            let (x, _) = self.at(*value, self.y.low);
            drawing.path(vec![(x, self.bottom()), (x, self.bottom() + TICK)], GREY, AXIS_LINE);
            if labels.x_ticks {
                drawing.text((x, self.bottom() + TICK + 7.4), label, SMALL, INK, Anchor::Middle);
            }
        }
        let corners = vec![(self.left, self.top), (self.left, self.bottom()), (self.right(), self.bottom())];
        drawing.path(corners, GREY, AXIS_LINE);
        // A title that is wider than the panel stays on the page.
        let page = drawing.paper.width;
        let middle = |title: &str| {
            let half = font::width(title, NORMAL) / 2.0 + 1.0;
            (self.left + self.width / 2.0).min(page - half).max(half)
        };
        if let Some(title) = labels.title {
            drawing.text((middle(title), self.top - 4.0), title, NORMAL, INK, Anchor::Middle);
        }
        if let Some(title) = labels.x {
            let below = if labels.x_ticks { 19.5 } else { 11.0 };
            drawing.text((middle(title), self.bottom() + below), title, NORMAL, INK, Anchor::Middle);
        }
        if let Some(title) = labels.y {
            let beside = if labels.y_ticks { TICK + 1.6 + self.y_label_width() + 3.5 } else { TICK + 3.5 };
            drawing.upright((self.left - beside, self.top + self.height / 2.0), title, NORMAL, INK);
        }
    }

    /// Width of the widest label of the vertical axis, in points.
    pub fn y_label_width(&self) -> f64 {
        y_label_width(&self.y)
    }

    /// A line through values, cut at the panel's edges.
    pub fn line(&self, drawing: &mut Drawing, values: &[Point], colour: Colour, width: f64, dash: Option<(f64, f64)>) {
        let points: Vec<Point> = values.iter().map(|&(x, y)| self.at(x, y)).collect();
        for piece in self.cut(&points) {
            match dash {
                Some(dash) => drawing.dashed(piece, colour, width, dash),
                None => drawing.path(piece, colour, width),
            }
        }
    }

    /// The area between two lines over the same `x`, cut at the panel's upper and lower edge.
    pub fn band(&self, drawing: &mut Drawing, values: &[(f64, f64, f64)], colour: Colour) {
        if values.len() < 2 {
            return;
        }
        let clamp = |(x, y): Point| (x, y.clamp(self.top, self.bottom()));
        let below = values.iter().map(|&(x, low, _)| clamp(self.at(x, low)));
        let above = values.iter().rev().map(|&(x, _, high)| clamp(self.at(x, high)));
        drawing.area(below.chain(above).collect(), colour, 0.2);
    }

    /// A vertical bar from `low` to `high` with short ends, cut at the panel's edges.
    pub fn error_bar(&self, drawing: &mut Drawing, x: f64, (low, high): (f64, f64), colour: Colour) {
        let ((x, from), (_, to)) = (self.at(x, low), self.at(x, high));
        let (from, to) = (from.clamp(self.top, self.bottom()), to.clamp(self.top, self.bottom()));
        drawing.path(vec![(x, from), (x, to)], colour, 0.7);
        for y in [from, to] {
            drawing.path(vec![(x - 1.6, y), (x + 1.6, y)], colour, 0.7);
        }
    }

    /// Each seed's own value at one place of the horizontal axis, as small points.
    pub fn singles(&self, drawing: &mut Drawing, x: f64, values: &[f64], colour: Colour) {
        for at in values.iter().map(|&value| self.at(x, value)).filter(|at| (self.top..=self.bottom()).contains(&at.1))
        {
            drawing.single(at, colour);
        }
    }

    /// The pieces of a polyline within the panel.
    fn cut(&self, points: &[Point]) -> Vec<Vec<Point>> {
        let mut pieces: Vec<Vec<Point>> = Vec::new();
        for pair in points.windows(2) {
            let Some((from, to)) = self.cut_segment(pair[0], pair[1]) else { continue };
            match pieces.last_mut() {
                Some(piece) if piece.last() == Some(&from) => piece.push(to),
                _ => pieces.push(vec![from, to]),
            }
        }
        pieces
    }

    /// The part of a segment within the panel (Liang and Barsky's algorithm).
    fn cut_segment(&self, (x0, y0): Point, (x1, y1): Point) -> Option<(Point, Point)> {
        let (dx, dy) = (x1 - x0, y1 - y0);
        let (mut from, mut to) = (0.0f64, 1.0f64);
        // A hair of tolerance keeps lines along an edge.
        let e = 1e-6;
        for (p, q) in [
            (-dx, x0 - self.left + e),
            (dx, self.right() - x0 + e),
            (-dy, y0 - self.top + e),
            (dy, self.bottom() - y0 + e),
        ] {
            if p == 0.0 {
                if q < 0.0 {
                    return None;
                }
            } else if p < 0.0 {
                from = from.max(q / p);
            } else {
                to = to.min(q / p);
            }
        }
        let at = |t: f64| {
            if t <= 0.0 {
                (x0, y0)
            } else if t >= 1.0 {
                (x1, y1)
            } else {
                (x0 + t * dx, y0 + t * dy)
            }
        };
        (from < to).then(|| (at(from), at(to)))
    }
}

/// Width of the widest label of a vertical axis, in points.
pub fn y_label_width(axis: &PlotAxis) -> f64 {
    axis.ticks.iter().map(|(_, label)| font::width(label, SMALL)).fold(0.0, f64::max)
}

/// How far the labels below an axis may reach beyond its end.
pub fn x_label_overhang(x: &PlotAxis) -> f64 {
    x.ticks.iter().map(|(_, label)| font::width(label, SMALL) / 2.0).fold(0.0, f64::max)
}

/// Room left of a panel for the labels of its vertical axis, in points.
pub fn y_label_room(axis: &PlotAxis) -> f64 {
    y_label_width(axis) + TICK + 1.6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_the_edges() {
        let panel = Panel {
            left: 0.0,
            top: 0.0,
            width: 10.0,
            height: 10.0,
            x: PlotAxis::between(0.0, 10.0, 4),
            y: PlotAxis::between(0.0, 10.0, 4),
        };
        let mut drawing = Drawing::on(crate::drawing::Paper::default());
        panel.line(&mut drawing, &[(0.0, -10.0), (5.0, 5.0), (10.0, 5.0)], INK, 1.0, None);
        assert_eq!(drawing.marks.len(), 1);
        assert!(drawing.points().all(|(x, y)| (0.0..=10.0).contains(&x) && (-0.01..=10.01).contains(&y)));
        panel.line(&mut drawing, &[(0.0, -10.0), (5.0, -5.0)], INK, 1.0, None);
        assert_eq!(drawing.marks.len(), 1);
    }
}
