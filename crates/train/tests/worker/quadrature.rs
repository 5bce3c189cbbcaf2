//! What is integrated over a plane of z: beside its estimate by sampling, for the models that have one.

use protocol::Task;
use record::{RunEditor, Store};
use spec::{Cell, Evaluation, Measurement, Metric, MetricSettings};

use crate::support::{cell, done, images, job, train};

fn rows(results: &std::path::Path, cell: &Cell, metric: Metric) -> Vec<Measurement> {
    let rows = Store::open(results).unwrap().run(&cell.run_id()).evaluation().unwrap();
    rows.into_iter().filter(|row| row.metric == metric).collect()
}

#[test]
fn a_plane_of_codes_is_integrated_over_and_agrees_with_sampling() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let [mut plane, mut wider, gray] = [(2, 0), (3, 0), (2, 1)].map(|(d, seed)| cell(images.path(), d, seed, 3));
    for cell in [&mut plane, &mut wider] {
        cell.dataset.pixels = spec::Pixels::Static;
    }
    train(results.path(), &[plane.clone(), wider.clone()]);
    train(results.path(), std::slice::from_ref(&gray));

    for (cell, by_quadrature, by_sampling, other) in [
        (&plane, Metric::NllQuadrature, Metric::Nll, Metric::PseudoNllQuadrature),
        (&gray, Metric::PseudoNllQuadrature, Metric::PseudoNll, Metric::NllQuadrature),
    ] {
        let [nll] = rows(results.path(), cell, by_quadrature).try_into().unwrap();
        let [gap] = rows(results.path(), cell, Metric::GapQuadrature).try_into().unwrap();
        assert_eq!((nll.settings.to_json().as_str(), nll.n), (r#"{"grid":601}"#, 150));
        assert_eq!(gap.settings, nll.settings);
        assert!(rows(results.path(), cell, other).is_empty());

        let evaluation = Evaluation { importance_samples: 2000, images: None };
        let (code, ..) = done(&job(results.path(), Task::Evaluate(Some(evaluation)), std::slice::from_ref(cell)));
        assert_eq!(code, Some(0));
        let [sampled] = rows(results.path(), cell, by_sampling).try_into().unwrap();
        assert!((sampled.value - nll.value).abs() < 0.02, "{sampled:?} and {nll:?}");
        // One draw of z an image has an error over draws that is smaller than that over images.
        let elbo = &rows(results.path(), cell, Metric::Elbo)[0];
        let difference = -elbo.value - nll.value - gap.value;
        assert!(gap.value > 0.0 && difference.abs() < 4.0 * elbo.standard_error.unwrap(), "{gap:?}, {elbo:?}, {nll:?}");
    }
    assert!(rows(results.path(), &wider, Metric::NllQuadrature).is_empty());
    assert!(rows(results.path(), &wider, Metric::GapQuadrature).is_empty());
}

/// Runs of versions that measured less are measured again, without being trained.
#[test]
fn earlier_runs_get_their_integral_later() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let cell = cell(images.path(), 2, 0, 1);
    train(results.path(), std::slice::from_ref(&cell));
    let store = Store::open(results.path()).unwrap();
    let run = store.run(&cell.run_id());
    let whole = run.evaluation().unwrap();
    let (manifest, path) = (run.manifest().unwrap(), run.manifest_file());
    let text = std::fs::read_to_string(&path).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(manifest.measures, spec::metric::MEASURES_VERSION);
    value["measures"] = 1.into();
    std::fs::write(&path, value.to_string()).unwrap();
    std::fs::remove_file(run.evaluation_file()).unwrap();
    let older: Vec<Measurement> = whole.iter().filter(|row| row.settings.grid.is_none()).cloned().collect();
    RunEditor::open(&run).unwrap().evaluation(&older).unwrap();
    assert!(older.len() < whole.len() && run.lacks_measures().unwrap());
    let (code, ..) = done(&job(results.path(), Task::Evaluate(None), std::slice::from_ref(&cell)));
    assert_eq!(code, Some(0));
    let of_grid = |row: &&Measurement| row.settings == MetricSettings { grid: Some(601), ..MetricSettings::default() };
    let measured = run.evaluation().unwrap();
    let [before, after] = [&whole, &measured].map(|rows| rows.iter().filter(of_grid).cloned().collect::<Vec<_>>());
    assert_eq!(before, after);
    assert!(!run.lacks_measures().unwrap());
}
