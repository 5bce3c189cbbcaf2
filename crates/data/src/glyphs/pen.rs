//! From knots to ink: smooth curves, a hand's small irregularities, and coverage of pixels.
//!
//! Every operation here is one of + − × ÷ and √ in IEEE double precision, which all machines round alike; no sine, no
//! power, no fused multiply-add.

use super::strokes::{Knot, Stroke};

/// A point of a flattened stroke, in pixels, with the pen's half width there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dab {
    pub x: f64,
    pub y: f64,
    pub radius: f64,
}

/// How many straight pieces stand for the curve between two knots.
const PIECES: usize = 7;

/// Flattens a stroke: centripetal Catmull-Rom curves through the knots (Yuksel, Schaefer & Keyser 2011), which neither
/// loop nor overshoot however unevenly the knots lie, broken at corners.
pub(super) fn flatten(knots: &[Knot], out: &mut Vec<(f64, f64)>) {
    let mut begin = 0;
    while begin + 1 < knots.len() {
        let mut end = begin + 1;
        while end + 1 < knots.len() && !knots[end].corner {
            end += 1;
        }
        smooth(&knots[begin..=end], out);
        begin = end;
    }
    if let Some(last) = knots.last() {
        out.push((last.x, last.y));
    }
}

/// Flattens the smooth curve through `knots`, leaving its last point to the caller.
fn smooth(knots: &[Knot], out: &mut Vec<(f64, f64)>) {
    let at = |i: usize| (knots[i].x, knots[i].y);
    for i in 0..knots.len() - 1 {
        let (p1, p2) = (at(i), at(i + 1));
        // Beyond its ends the curve goes on as it came.
        let p0 = if i > 0 { at(i - 1) } else { (2.0 * p1.0 - p2.0, 2.0 * p1.1 - p2.1) };
        let p3 = if i + 2 < knots.len() { at(i + 2) } else { (2.0 * p2.0 - p1.0, 2.0 * p2.1 - p1.1) };
        let t1 = knot_interval(p0, p1);
        let t2 = t1 + knot_interval(p1, p2);
        let t3 = t2 + knot_interval(p2, p3);
        for piece in 0..PIECES {
            let t = t1 + (t2 - t1) * piece as f64 / PIECES as f64;
            let a1 = between(p0, p1, 0.0, t1, t);
            let a2 = between(p1, p2, t1, t2, t);
            let a3 = between(p2, p3, t2, t3, t);
            let b1 = between(a1, a2, 0.0, t2, t);
            let b2 = between(a2, a3, t1, t3, t);
            out.push(between(b1, b2, t1, t2, t));
        }
    }
}

/// The square root of the distance, and never nought, so that coinciding knots do no harm.
fn knot_interval(a: (f64, f64), b: (f64, f64)) -> f64 {
    length(b.0 - a.0, b.1 - a.1).sqrt() + 1e-6
}

/// The straight line that is `a` at time `ta` and `b` at time `tb`, at time `t`.
fn between(a: (f64, f64), b: (f64, f64), ta: f64, tb: f64, t: f64) -> (f64, f64) {
    let w = (t - ta) / (tb - ta);
    (a.0 + (b.0 - a.0) * w, a.1 + (b.1 - a.1) * w)
}

/// Euclidean length.
pub(super) fn length(x: f64, y: f64) -> f64 {
    (x * x + y * y).sqrt()
}

/// Sine and cosine of an angle in degrees, by their series, right to 10⁻⁹ up to 60°.
pub(super) fn sine_cosine(degrees: f64) -> (f64, f64) {
    let x = degrees * 0.017_453_292_519_943_295;
    let q = x * x;
    let sine = x * (1.0 - q / 6.0 * (1.0 - q / 20.0 * (1.0 - q / 42.0 * (1.0 - q / 72.0 * (1.0 - q / 110.0)))));
    let cosine = 1.0 - q / 2.0 * (1.0 - q / 12.0 * (1.0 - q / 30.0 * (1.0 - q / 56.0 * (1.0 - q / 90.0))));
    (sine, cosine)
}

/// A stroke's knots after a hand has strayed from them.
pub(super) fn stray(stroke: Stroke, mut offset: impl FnMut(bool) -> (f64, f64)) -> Vec<Knot> {
    let last = stroke.len() - 1;
    let moved = |(i, knot): (usize, &Knot)| {
        let (dx, dy) = offset(i == 0 || i == last);
        Knot { x: knot.x + dx, y: knot.y + dy, corner: knot.corner }
    };
    stroke.iter().enumerate().map(moved).collect()
}

/// Over how many pixels the edge of a stroke fades from ink to paper.
const FADE: f64 = 1.7;

/// Inks the segment from `a` to `b` into `ink`, `size`×`size` coverages in 0…1, keeping the darker of old and new.
pub(super) fn ink(ink: &mut [f64], size: usize, a: Dab, b: Dab) {
    let reach = if a.radius > b.radius { a.radius } else { b.radius } + FADE;
    let clip = |v: f64| if v < 0.0 { 0 } else { (v as usize).min(size) };
    let (x0, x1) = if a.x < b.x { (a.x, b.x) } else { (b.x, a.x) };
    let (y0, y1) = if a.y < b.y { (a.y, b.y) } else { (b.y, a.y) };
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let square = dx * dx + dy * dy + 1e-12;
    for row in clip(y0 - reach)..clip(y1 + reach + 1.0) {
        for column in clip(x0 - reach)..clip(x1 + reach + 1.0) {
            let (px, py) = (column as f64 + 0.5 - a.x, row as f64 + 0.5 - a.y);
            let along = ((px * dx + py * dy) / square).clamp(0.0, 1.0);
            let distance = length(px - along * dx, py - along * dy);
            let radius = a.radius + (b.radius - a.radius) * along;
            let t = ((radius - distance) / FADE + 0.5).clamp(0.0, 1.0);
            let coverage = t * t * (3.0 - 2.0 * t);
            let pixel = &mut ink[row * size + column];
            if coverage > *pixel {
                *pixel = coverage;
            }
        }
    }
}
