//! A linear VAE arrives where theory says: every term of the bound means what it says.

use std::path::Path;

use record::Store;
use spec::{Cell, Measurement, Metric, Split};

use crate::support::{SIDE, train};

/// 1,000 gray images of three waves with random heights, and a little noise.
fn waves(folder: &Path) {
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0
    };
    for (name, n) in [("train", 1000u32), ("t10k", 100)] {
        let mut bytes = vec![0, 0, 8, 3];
        bytes.extend([n, SIDE as u32, SIDE as u32].iter().flat_map(|value| value.to_be_bytes()));
        for _ in 0..n {
            let heights = [random() * 0.22, random() * 0.14, random() * 0.08];
            for at in 0..SIDE * SIDE {
                let (y, x) = ((at / SIDE) as f64, (at % SIDE) as f64);
                let wave = |k: f64, along: f64| (std::f64::consts::TAU * k * (along + 0.5) / SIDE as f64).cos();
                let value = 0.5 + heights[0] * wave(1.0, x) + heights[1] * wave(1.0, y) + heights[2] * wave(2.0, x);
                bytes.push(((value + 0.02 * random()) * 255.0).round().clamp(0.0, 255.0) as u8);
            }
        }
        std::fs::write(folder.join(format!("{name}-images-idx3-ubyte")), bytes).unwrap();
    }
}

fn cell(images: &Path, latent_dim: usize, sigma: f64, beta: f64) -> Cell {
    serde_json::from_value(serde_json::json!({
        "dataset": { "name": { "idx": images }, "pixels": "gray" },
        "model": { "hidden": [], "latent_dim": latent_dim, "likelihood": { "gaussian": { "sigma": sigma } } },
        "objective": { "beta": beta },
        "optimizer": { "adam": { "learning_rate": 2e-2, "schedule": "cosine" } },
        "training": { "epochs": 100, "batch_size": 20, "seed": 1 },
    }))
    .unwrap()
}

#[test]
fn a_trained_linear_model_has_the_terms_of_the_closed_form() {
    let (images, results) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    waves(images.path());
    // Water levels under all three waves, over the third, and over the third and the second.
    let cells =
        [(3, 0.15, 1.0), (2, 0.15, 0.5), (3, 0.25, 2.0)].map(|(d, sigma, beta)| cell(images.path(), d, sigma, beta));
    train(results.path(), &cells);
    let store = Store::open(results.path()).unwrap();
    let mut active = Vec::new();
    for cell in &cells {
        let rows: Vec<Measurement> = store
            .run(&cell.run_id())
            .evaluation()
            .unwrap()
            .into_iter()
            .filter(|row| row.split == Split::Train)
            .collect();
        let of = |metric: Metric, is_theory: bool| {
            let is_one =
                move |row: &&Measurement| row.metric == metric && row.settings.closed_form.is_some() == is_theory;
            rows.iter().filter(is_one).map(|row| row.value).collect::<Vec<_>>()
        };
        for metric in [Metric::Elbo, Metric::Reconstruction] {
            let (found, expected) = (of(metric, false), of(metric, true));
            assert_eq!((found.len(), expected.len()), (1, 1), "{metric}");
            let (found, expected) = (found[0], expected[0]);
            assert!((found - expected).abs() < 0.2, "{metric}: {found} and {expected}");
        }
        let (found, expected) = (of(Metric::KlDimension, false), of(Metric::KlDimension, true));
        assert_eq!((found.len(), expected.len()), (cell.model.latent_dim, cell.model.latent_dim));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 0.1, "KL of dimensions: {found} and {expected}");
        }
        assert_eq!(of(Metric::ActiveUnits, false), of(Metric::ActiveUnits, true));
        active.extend(of(Metric::ActiveUnits, true));
    }
    assert_eq!(active, [3.0, 2.0, 2.0]);
}
