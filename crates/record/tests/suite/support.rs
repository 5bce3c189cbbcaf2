//! Cells, rows and arrays for the tests.

use record::{Array, ArrayName, Arrays, MetricsRow, Provenance};
use spec::{Cell, Dataset, Measurement, Metric, MetricSettings, Model, Objective, Optimizer, Source, Split, Training};

use crate::made_up::{measured, row};

/// A small configuration; its run's id depends on the arguments.
pub fn cell(latent_dim: usize, seed: u64) -> Cell {
    Cell {
        dataset: Dataset::plain(Source::named("glyphs").unwrap()),
        model: Model {
            kind: Default::default(),
            net: Default::default(),
            hidden: vec![16],
            activation: Default::default(),
            init: Default::default(),
            latent_dim,
            latent: Default::default(),
            prior: Default::default(),
            likelihood: Default::default(),
            corruption: Default::default(),
            latent_noise: 0.0,
        },
        objective: Objective::default(),
        optimizer: Optimizer::default(),
        training: Training { epochs: 3, seed, ..Training::default() },
    }
}

/// Code, versions and machine that the tests pretend.
pub fn provenance() -> Provenance {
    Provenance { device: "cpu".to_owned(), threads: 1, ..Provenance::default() }
}

/// The training and test row of an epoch: values that no other epoch or split has.
pub fn rows(cell: &Cell, epoch: u32) -> Vec<MetricsRow> {
    [Split::Train, Split::Test]
        .into_iter()
        .map(|split| {
            let kl_per_dim = (0..cell.model.latent_dim).map(|dim| f64::from(epoch) + dim as f64 / 8.0).collect();
            let reconstruction = 100.0 / f64::from(epoch + 1) + if split == Split::Test { 1.0 } else { 0.0 };
            MetricsRow { step: 10 * u64::from(epoch), ..row(cell, epoch, split, reconstruction, kl_per_dim) }
        })
        .collect()
}

/// A number measured on a model.
pub fn evaluation(metric: Metric, value: f64) -> Measurement {
    measured(metric, value, 0.5, MetricSettings::samples(64))
}

/// Small arrays whose values are all different.
pub fn arrays() -> Arrays {
    let array = |shape: &[usize]| {
        let n = shape.iter().product::<usize>();
        Array { shape: shape.to_vec(), values: (0..n).map(|index| index as f32 / n as f32).collect() }
    };
    let mut arrays = Arrays::from_iter([
        (ArrayName::Originals, array(&[3, 1, 4, 5])),
        (ArrayName::Reconstructions, array(&[3, 1, 4, 5])),
        (ArrayName::Samples, array(&[6, 1, 4, 5])),
        (ArrayName::Manifold, array(&[2, 2, 1, 4, 5])),
        (ArrayName::LatentMean, array(&[7, 2])),
        (ArrayName::LatentLogVariance, array(&[7, 2])),
    ]);
    arrays.labels = Some(vec![0, 1, 2, 3, 4, 5, 255]);
    arrays
}

/// As [`arrays`], with all that a file may hold.
pub fn all_arrays() -> Arrays {
    let mut arrays = arrays();
    let mut add = |name: ArrayName, first: f32, shape: &[usize]| {
        let n = shape.iter().product::<usize>();
        let values = (0..n).map(|index| first + index as f32).collect();
        arrays.insert(name, Array { shape: shape.to_vec(), values });
    };
    add(ArrayName::DecoderSamples, 1e3, &[3, 1, 4, 5]);
    add(ArrayName::Corrupted, 2e3, &[3, 1, 4, 5]);
    add(ArrayName::Denoised, 3e3, &[3, 1, 4, 5]);
    add(ArrayName::SamplesAggregate, 4e3, &[8, 1, 4, 5]);
    add(ArrayName::SamplesMixture, 5e3, &[9, 1, 4, 5]);
    add(ArrayName::ManifoldZ1, 8e3, &[2]);
    add(ArrayName::ManifoldZ2, 9e3, &[2]);
    add(ArrayName::InterpolationEnds, 1e4, &[2, 2, 1, 4, 5]);
    add(ArrayName::InterpolationAngle, 90.0, &[2]);
    add(ArrayName::InterpolationLinear, 6e3, &[2, 3, 1, 4, 5]);
    add(ArrayName::InterpolationSpherical, 7e3, &[2, 3, 1, 4, 5]);
    arrays
}
