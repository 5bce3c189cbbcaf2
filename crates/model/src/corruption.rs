//! What is done to the encoder's input of a denoising model.

use spec::Corruption;
use tch::{Device, Kind, Tensor};

use crate::noise::{NoiseKey, Replica, normals, uniforms};

/// Corrupted images for `x` of shape `[R, B, P]` with values in 0…1; `None` when nothing is done. Each replica draws
/// from its own seed.
///
/// Normal noise is not clamped: the corrupted values may leave 0…1 (Vincent et al. 2010, §3.4).
pub fn corrupt(corruption: Corruption, x: &Tensor, seeds: &[u64], key: NoiseKey) -> Option<Tensor> {
    let size = x.size();
    let (n, n_pixels, device): (usize, usize, Device) = (size[1] as usize, size[2] as usize, x.device());
    let replicas: Vec<Replica> = seeds.iter().map(|&seed| Replica { seed, width: n_pixels }).collect();
    match corruption {
        Corruption::None => None,
        Corruption::Gaussian { sigma } => Some(x + normals(&replicas, n, n_pixels, key, device) * sigma),
        Corruption::Masking { fraction } => {
            let kept = uniforms(&replicas, n, n_pixels, key, device).ge(fraction).to_kind(Kind::Float);
            Some(x * kept)
        }
        Corruption::SaltAndPepper { fraction } => {
            let draw = uniforms(&replicas, n, n_pixels, key, device);
            // One draw decides both whether and which: the lower half of the fraction is pepper, the upper salt.
            let salt = draw.lt(fraction).to_kind(Kind::Float);
            let pepper = draw.lt(fraction / 2.0).to_kind(Kind::Float);
            Some(x * (-&salt + 1.0) + (salt - pepper))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Stream;

    fn corrupted(corruption: Corruption) -> Tensor {
        let x = Tensor::full([2, 50, 200], 0.4, (Kind::Float, Device::Cpu));
        corrupt(corruption, &x, &[1, 2], NoiseKey::new(Stream::Corruption, 0, 0)).unwrap_or(x)
    }

    fn share(values: &Tensor) -> f64 {
        values.to_kind(Kind::Double).mean(Kind::Double).double_value(&[])
    }

    #[test]
    fn each_corruption_changes_as_many_pixels_as_it_says() {
        let n = 20_000f64;
        let within = |share: f64, expected: f64| {
            (share - expected).abs() < 5.0 * (expected * (1.0 - expected) / n).sqrt().max(1e-9)
        };
        let masked = corrupted(Corruption::Masking { fraction: 0.3 });
        assert!(within(share(&masked.eq(0.0)), 0.3));
        assert!(within(share(&masked.eq(0.4f32 as f64)), 0.7), "the others stay");
        let salted = corrupted(Corruption::SaltAndPepper { fraction: 0.3 });
        assert!(within(share(&salted.eq(0.0)), 0.15));
        assert!(within(share(&salted.eq(1.0)), 0.15));
        let noisy = corrupted(Corruption::Gaussian { sigma: 0.2 }) - 0.4;
        assert!((share(&noisy.square()).sqrt() - 0.2).abs() < 0.01);
        assert_eq!(share(&corrupted(Corruption::None).eq(0.4f32 as f64)), 1.0);
    }

    #[test]
    fn replicas_draw_from_their_own_seeds() {
        let masked = corrupted(Corruption::Masking { fraction: 0.5 });
        assert_ne!(share(&masked.get(0).eq_tensor(&masked.get(1))), 1.0);
    }
}
