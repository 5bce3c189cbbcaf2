//! The formula from which `tools/golden_formula.py` makes weights, images and noise.

use tch::Tensor;

/// Tensor number `t` of the golden dumps, uniform in ±`bound`.
pub fn values(t: u64, shape: &[i64], bound: f64) -> Tensor {
    let n = shape.iter().product::<i64>() as u64;
    let values: Vec<f32> = (0..n)
        .map(|k| {
            let hash = (k * 2654435761 + t * 974634621 + 12345) % (1 << 32);
            (((hash >> 8) as f64 / f64::from(1 << 24) - 0.5) * 2.0 * bound) as f32
        })
        .collect();
    Tensor::from_slice(&values).view(shape)
}
