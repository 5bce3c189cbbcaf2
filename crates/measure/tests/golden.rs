//! Against scikit-image and SciPy: `tools/golden_measure.py` made the numbers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use measure::{BlurScale, Ssim, psnr};
use serde_json::Value;
use spec::ImageShape;

/// Smooth shapes and grain, as the script has them.
fn images(n: usize, shape: ImageShape, grain_over: usize) -> Vec<Vec<f32>> {
    let ImageShape { channels, height, width } = shape;
    let pixel = |i: usize, at: usize| {
        let (c, y, x) = (at / (height * width), at / width % height, at % width);
        let (a, b) = (x as i64 - 9 - i as i64, 2 * y as i64 - 25 + 3 * i as i64 - 2 * c as i64);
        let is_inside = a * a + b * b < 60 + 20 * i as i64;
        let grain = (i * 7919 + c * 6101 + y * 104_729 + x * 1_299_709) % 97 / grain_over;
        (if is_inside { 150 + grain } else { grain }) as f32 / 255.0
    };
    (0..n).map(|i| (0..channels * height * width).map(|at| pixel(i, at)).collect()).collect()
}

fn golden() -> Value {
    serde_json::from_str(include_str!("golden.json")).unwrap()
}

#[test]
fn fidelity_is_that_of_scikit_image() {
    let shape = ImageShape { channels: 2, height: 24, width: 28 };
    let (clean, made, ssim) = (images(6, shape, 1), images(6, shape, 3), Ssim::of(shape).unwrap());
    let golden = golden();
    for (i, (clean, made)) in clean.iter().zip(&made).enumerate() {
        let (found, expected) = (ssim.between(clean, made), golden["ssim"][i].as_f64().unwrap());
        assert!((found - expected).abs() < 1e-9, "SSIM of {i}: {found} and {expected}");
        let (found, expected) = (psnr(clean, made), golden["psnr"][i].as_f64().unwrap());
        assert!((found - expected).abs() < 1e-5, "PSNR of {i}: {found} and {expected}");
    }
}

/// SciPy's kernel is sampled in pixels and not exact for waves of two pixels.
#[test]
fn blur_lowers_sharpness_as_that_of_scipy() {
    let shape = ImageShape { channels: 1, height: 24, width: 28 };
    let images = images(6, shape, 1);
    let scale = BlurScale::of(images.iter().map(Vec::as_slice), shape).unwrap();
    for (sigma, ratio) in golden()["sharpness_ratio_after_blur"].as_object().unwrap() {
        let (found, expected) =
            (scale.sharpness(sigma.parse().unwrap()) / scale.sharpness(0.0), ratio.as_f64().unwrap());
        assert!((found / expected - 1.0).abs() < 0.02, "σ = {sigma}: {found} and {expected}");
    }
}
