//! Bounds on what codes tell of the test images.

use record::Store;
use spec::metric::{Bound, is_saturated};
use spec::{Cell, Measurement, Metric, MetricSettings};

use crate::support::{cell, images, train};

#[test]
fn the_kl_is_the_mutual_information_and_the_marginal_kl() {
    let (images, results) = (images(), tempfile::tempdir().unwrap());
    let cells = [(5, 1.0), (2, 50.0), (5, 0.001)].map(|(d, beta)| {
        let mut cell: Cell = cell(images.path(), d, 0, 3);
        cell.objective.beta = beta;
        cell
    });
    train(results.path(), &cells);
    let mut saturated = Vec::new();
    for cell in &cells {
        let rows = Store::open(results.path()).unwrap().run(&cell.run_id()).evaluation().unwrap();
        let of = |metric: Metric| rows.iter().filter(|row| row.metric == metric).cloned().collect::<Vec<Measurement>>();
        let kl = of(Metric::Kl)[0].value;
        let settings = |bound: Bound| MetricSettings {
            bound: Some(bound),
            saturated: is_saturated(kl, 150).then_some(true),
            ..MetricSettings::default()
        };
        let [information, marginal] = [Metric::MutualInformation, Metric::MarginalKl].map(|metric| {
            let [lower, upper] = <[Measurement; 2]>::try_from(of(metric)).unwrap();
            assert_eq!((&lower.settings, &upper.settings), (&settings(Bound::Lower), &settings(Bound::Upper)));
            assert!(lower.value <= upper.value && lower.n == 150, "{lower:?} and {upper:?}");
            [lower.value, upper.value]
        });
        for sum in [information[0] + marginal[1], information[1] + marginal[0]] {
            assert!((sum - kl).abs() < 1e-4 * kl.max(1.0), "{sum} and {kl}");
        }
        assert!(information[0] <= 150f64.ln() + 1e-6, "{information:?}");
        saturated.push(is_saturated(kl, 150));
    }
    assert!(saturated.contains(&true) && saturated.contains(&false), "{saturated:?}");
}
