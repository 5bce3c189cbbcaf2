//! A decoder's weights in 8 bits.
//!
//! Each weight of a row is rounded to an integer times the row's step, one after the other, so that it makes up for the errors of those
//! before it on the row's output at given points (the greedy algorithm of Lybrand & Saab 2021, "A greedy algorithm for quantizing
//! neural networks"). Inputs of a decoder are few and smooth, hence alike at many points, so that this comes some ten times nearer to
//! the stored weights than rounding each for itself.

use super::decoder::{Decoder, Dense, Quantised};

/// The largest weight of a row has this integer.
const LARGEST: f64 = 127.0;

/// The decoder with weights of 8 bits, which decodes at these points as nearly as may be what the stored one does.
pub fn quantised(stored: &Decoder<Dense>, points: &[Vec<f64>]) -> Decoder<Quantised> {
    // What the layers before make of the points: with the stored weights, and with those of 8 bits.
    let (mut exact, mut rounded) = (points.to_vec(), points.to_vec());
    let mut layers = Vec::new();
    for layer in &stored.layers {
        let small = {
            let inputs = Inputs::new(&exact, &rounded);
            layer.map(|dense| inputs.quantise(dense))
        };
        exact = exact.iter().map(|x| layer.apply(x)).collect();
        rounded = rounded.iter().map(|x| small.apply(x)).collect();
        layers.push(small);
    }
    Decoder { layers, mean: stored.mean }
}

/// The inputs of a map, each at all points.
struct Inputs {
    /// `[inputs, points]`
    exact: Vec<Vec<f64>>,
    /// Of the same shape.
    rounded: Vec<Vec<f64>>,
    /// The squared length of each of `rounded`.
    squares: Vec<f64>,
    /// The inputs by that, the largest first: those that matter least have the last word, in small steps.
    order: Vec<usize>,
}

impl Inputs {
    /// From points, each with all its inputs.
    fn new(exact: &[Vec<f64>], rounded: &[Vec<f64>]) -> Inputs {
        let n = exact.first().map_or(0, Vec::len);
        let by_input = |points: &[Vec<f64>]| -> Vec<Vec<f64>> {
            (0..n).map(|input| points.iter().map(|point| point[input]).collect()).collect()
        };
        let (exact, rounded) = (by_input(exact), by_input(rounded));
        let squares: Vec<f64> = rounded.iter().map(|input| dot(input, input)).collect();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&one, &other| squares[other].total_cmp(&squares[one]));
        Inputs { exact, rounded, squares, order }
    }

    fn quantise(&self, dense: &Dense) -> Quantised {
        let n = self.order.len().max(1);
        let (mut weight, mut scale) = (Vec::with_capacity(dense.weight.len()), Vec::with_capacity(dense.bias.len()));
        for row in dense.weight.chunks(n) {
            let step = (row.iter().fold(0.0, |most: f32, w| most.max(w.abs())) / LARGEST as f32).max(f32::MIN_POSITIVE);
            weight.extend(self.row(row, f64::from(step)));
            scale.push(step);
        }
        Quantised { weight, scale, bias: dense.bias.clone() }
    }

    /// The integers of a row.
    fn row(&self, row: &[f32], step: f64) -> Vec<i8> {
        let mut integers = vec![0_i8; row.len()];
        // What the row's output lacks at each point, of the inputs so far.
        let mut lacks = vec![0.0; self.exact.first().map_or(0, Vec::len)];
        for &input in &self.order {
            let weight = f64::from(row[input]);
            let (exact, rounded, square) = (&self.exact[input], &self.rounded[input], self.squares[input]);
            for (lack, x) in lacks.iter_mut().zip(exact) {
                *lack += weight * x;
            }
            // An input that is nowhere on says nothing of its weight.
            let best = if square > 0.0 { dot(&lacks, rounded) / square } else { weight };
            let integer = (best / step).round().clamp(-LARGEST, LARGEST);
            for (lack, x) in lacks.iter_mut().zip(rounded) {
                *lack -= integer * step * x;
            }
            integers[input] = integer as i8;
        }
        integers
    }
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}
