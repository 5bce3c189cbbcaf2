//! Means over seeds: which runs are pooled, and with which arithmetic.

use record::summary::{Member, estimate, over_seeds};
use record::{ArrayName, Arrays, RunWriter, Store};
use spec::{Axis, Metric, Split};

use crate::support::{all_arrays, cell, evaluation, provenance, rows};

fn axes() -> Vec<Axis> {
    let axis = |path: &str, values: &[u64]| Axis {
        path: path.to_owned(),
        values: values.iter().map(|&value| value.into()).collect(),
    };
    vec![axis("model.latent_dim", &[2, 5]), axis("training.seed", &[0, 1, 2])]
}

#[test]
fn an_estimate_has_students_interval() {
    let found = estimate(&[1.0, 2.0, 4.0]).unwrap();
    assert!((found.mean - 7.0 / 3.0).abs() < 1e-12);
    assert!((found.standard_deviation.unwrap() - (7.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    // 4.3027 · 1.5275 / √3
    assert!((found.half_width.unwrap() - 3.794_582_6).abs() < 1e-6, "{found:?}");
    assert_eq!(found.n, 3);
}

#[test]
fn one_seed_has_no_interval_and_none_no_mean() {
    let found = estimate(&[-3.0]).unwrap();
    assert_eq!((found.mean, found.standard_deviation, found.half_width, found.n), (-3.0, None, None, 1));
    assert_eq!(estimate(&[]), None);
}

#[test]
fn a_value_that_is_not_finite_is_never_left_out() {
    assert!(estimate(&[1.0, f64::NAN]).unwrap().mean.is_nan());
}

#[test]
fn runs_are_pooled_only_if_nothing_but_the_seed_differs() {
    let mut slower = cell(2, 0);
    slower.training.batch_size = 64;
    let cells = [cell(2, 0), cell(2, 1), cell(5, 0), slower];
    let members: Vec<_> = cells
        .iter()
        .map(|cell| Member {
            cell,
            metrics: rows(cell, 1),
            evaluation: vec![evaluation(Metric::PseudoNll, cell.training.seed as f64)],
            kept: None,
        })
        .collect();
    let summary = over_seeds(&axes(), &members);
    let n: Vec<_> = summary
        .iter()
        .filter(|row| row.metric == Metric::Elbo && row.split == Split::Test)
        .map(|row| (row.group.clone(), row.epoch, row.estimate.n))
        .collect();
    let group = |latent_dim: u64| vec![("model.latent_dim".to_owned(), latent_dim.into())];
    assert_eq!(n, [(group(2), Some(1), 2), (group(5), Some(1), 1), (group(2), Some(1), 1)]);
    let nll: Vec<_> = summary.iter().filter(|row| row.metric == Metric::PseudoNll).collect();
    assert_eq!((nll[0].epoch, nll[0].estimate.mean, nll[0].estimate.n), (None, 0.5, 2));
}

#[test]
fn a_sweeps_summary_is_written_for_other_readers() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let cells: Vec<_> = [(2, 0), (2, 1), (5, 0)].into_iter().map(|(latent_dim, seed)| cell(latent_dim, seed)).collect();
    // One run is done, one under way, one not begun.
    for (cell, epochs) in cells.iter().zip([2, 1]) {
        let mut writer = RunWriter::start(&store, cell, &provenance()).unwrap();
        for epoch in 1..=epochs {
            writer.epoch(&rows(cell, epoch)).unwrap();
        }
        match epochs {
            2 => writer.finish(1.0).unwrap(),
            _ => writer.interrupt().unwrap(),
        }
    }
    let summary = store.summary(&axes(), &cells).unwrap();
    let n: Vec<_> = summary.iter().filter(|row| row.metric == Metric::Kl && row.split == Split::Train).collect();
    assert_eq!(n.iter().map(|row| (row.epoch, row.estimate.n)).collect::<Vec<_>>(), [(Some(1), 2), (Some(2), 1)]);
    let path = store.write_summary("latent-dims", &summary).unwrap();
    assert_eq!(path, folder.path().join("sweeps/latent-dims/summary.parquet"));
    assert!(store.write_summary("empty", &[]).unwrap().is_file());
}

#[test]
fn arrays_may_be_empty() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let cell = cell(2, 0);
    let mut writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
    let none = |shape: &[usize]| record::Array { shape: shape.to_vec(), values: Vec::new() };
    let arrays = Arrays::from_iter([
        (ArrayName::Originals, none(&[0, 1, 28, 28])),
        (ArrayName::Reconstructions, none(&[0, 1, 28, 28])),
        (ArrayName::Samples, none(&[0, 1, 28, 28])),
        (ArrayName::LatentMean, none(&[0, 2])),
        (ArrayName::LatentLogVariance, none(&[0, 2])),
    ]);
    writer.arrays(&arrays).unwrap();
    assert_eq!(writer.run().arrays().unwrap(), arrays);
}

#[test]
fn arrays_of_every_kind_of_model_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let gan = Arrays::from_iter([(ArrayName::Samples, all_arrays().remove(ArrayName::Samples))]);
    let mut autoencoder = all_arrays();
    autoencoder.remove(ArrayName::LatentLogVariance);
    for name in [ArrayName::ManifoldZ1, ArrayName::ManifoldZ2, ArrayName::Manifold] {
        autoencoder.remove(name);
    }
    autoencoder.labels = None;
    let mut named = all_arrays();
    named.class_names = vec!["ankle boot".to_owned(), "Été".to_owned()];
    for (seed, arrays) in [gan, autoencoder, named].into_iter().enumerate() {
        let mut writer = RunWriter::start(&store, &cell(2, seed as u64), &provenance()).unwrap();
        writer.arrays(&arrays).unwrap();
        assert_eq!(writer.run().arrays().unwrap(), arrays);
        let latents = writer.run().array(ArrayName::LatentMean).unwrap();
        assert_eq!(latents.as_ref(), arrays.get(ArrayName::LatentMean));
    }
}

/// Seeds keep different epochs, so that no epoch's mean is that of the models.
#[test]
fn the_epochs_that_were_kept_are_averaged_over_seeds() {
    let cells = [cell(2, 0), cell(2, 1)];
    let member = |(cell, kept)| {
        let metrics = (1..=3).flat_map(|epoch| rows(cell, epoch)).collect();
        Member { cell, metrics, evaluation: Vec::new(), kept: Some(kept) }
    };
    let summary = over_seeds(&axes(), &cells.iter().zip([1, 3]).map(member).collect::<Vec<_>>());
    let kept: Vec<_> = summary.iter().filter(|row| row.epoch.is_none() && row.metric == Metric::Elbo).collect();
    let elbo = |cell, epoch| rows(cell, epoch)[1].terms.get(Metric::Elbo).unwrap();
    let of_test = kept.iter().find(|row| row.split == Split::Test).unwrap();
    assert_eq!((kept.len(), of_test.estimate.n), (2, 2));
    assert_eq!(of_test.estimate.mean, (elbo(&cells[0], 1) + elbo(&cells[1], 3)) / 2.0);
}
