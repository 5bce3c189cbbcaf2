//! When warnings are given, and when not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use record::EpochMetrics;
use serde_json::{Value, json};

use super::*;
use crate::figure::random;
use crate::records::MeasurementKey;

fn cell(model: Value, seed: u64) -> Cell {
    let mut whole = json!({ "hidden": [8], "latent_dim": 20 });
    for (key, value) in model.as_object().unwrap() {
        whole[key] = value.clone();
    }
    serde_json::from_value(json!({
        "dataset": { "name": "mnist" }, "model": whole, "training": { "seed": seed, "epochs": 20 },
    }))
    .unwrap()
}

/// Widths of 10 and 20 with these seeds.
fn widths(seeds: u64) -> Vec<Cell> {
    [10, 20].iter().flat_map(|d| (0..seeds).map(move |seed| cell(json!({ "latent_dim": d }), seed))).collect()
}

/// Records in which the test ELBO of each cell has these values by epoch.
fn records(cells: &[Cell], elbo: impl Fn(&Cell, u32) -> f64) -> Records {
    let numbers = |cell: &Cell| {
        let terms = |epoch| EpochMetrics::from([(Metric::Elbo, elbo(cell, epoch)), (Metric::Kl, 20.0)]);
        let test = (1..=20).map(|epoch| Epoch { epoch, terms: terms(epoch) }).collect();
        RunNumbers { seed: cell.training.seed, test, ..RunNumbers::default() }
    };
    Records { groups: random::groups(cells, numbers), ..random::records(cells) }
}

fn of(records: &Records, kind: WarningKind) -> Vec<String> {
    warnings(records).into_iter().filter(|warning| warning.kind == kind).map(|warning| warning.text).collect()
}

#[test]
fn a_bound_that_still_rises_by_what_is_compared_is_told() {
    let at = |cell: &Cell, epoch: u32| -200.0 + 18.5 * f64::from(epoch) + cell.model.latent_dim as f64;
    let said = of(&records(&widths(3), at), WarningKind::NotConverged);
    assert_eq!(
        said,
        [
            "not converged: test ELBO still rising by 18.5 nats an epoch at D = 20, and one other so too, where differences of 10.0 nats are compared; comparison premature"
        ]
    );
}

/// The rate of one scale is not told of numbers on another.
#[test]
fn bounds_of_two_scales_are_told_apart() {
    let mut cells = widths(3);
    cells.extend(widths(3).into_iter().map(|mut cell| {
        cell.model.likelihood = Likelihood::Gaussian { sigma: 1.0 };
        cell
    }));
    let slope = |cell: &Cell| if cell.model.likelihood == Likelihood::Bernoulli { 18.5 } else { 40.0 };
    let at = |cell: &Cell, epoch: u32| -900.0 + slope(cell) * f64::from(epoch) + cell.model.latent_dim as f64;
    let said = of(&records(&cells, at), WarningKind::NotConverged);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("by 18.5 nats an epoch") && said[1].contains("by 40.0 nats an epoch"), "{said:?}");
}

#[test]
fn a_bound_that_has_settled_is_not() {
    let at = |cell: &Cell, epoch: u32| -100.0 - 50.0 * (-f64::from(epoch)).exp() + cell.model.latent_dim as f64;
    assert_eq!(of(&records(&widths(3), at), WarningKind::NotConverged), Vec::<String>::new());
    // The same slope matters less where more is compared.
    let at = |cell: &Cell, epoch: u32| -200.0 + 0.5 * f64::from(epoch) + 10.0 * cell.model.latent_dim as f64;
    assert_eq!(of(&records(&widths(3), at), WarningKind::NotConverged), Vec::<String>::new());
    // Noise without a trend is none.
    let at = |_: &Cell, epoch: u32| -100.0 + if epoch.is_multiple_of(2) { 0.3 } else { -0.3 };
    assert_eq!(of(&records(&widths(3), at), WarningKind::NotConverged), Vec::<String>::new());
}

#[test]
fn a_bound_that_falls_again_was_trained_for_too_long() {
    let at = |cell: &Cell, epoch: u32| -100.0 - 2.0 * f64::from(epoch) + 0.1 * cell.model.latent_dim as f64;
    let said = of(&records(&widths(3), at), WarningKind::NotConverged);
    assert!(
        said.len() == 1 && said[0].starts_with("trained for too long: test ELBO still falling by 2.0 nats"),
        "{said:?}"
    );
}

#[test]
fn seeds_are_too_few_below_three() {
    let flat = |_: &Cell, _: u32| -100.0;
    assert_eq!(
        of(&records(&widths(1), flat), WarningKind::FewSeeds),
        ["too few seeds: all 2 settings have one seed each: there is no interval, and a difference may be the seed's"]
    );
    assert_eq!(of(&records(&widths(2), flat), WarningKind::FewSeeds).len(), 1);
    assert_eq!(of(&records(&widths(3), flat), WarningKind::FewSeeds), Vec::<String>::new());
    // Where nothing is compared, one seed may do.
    assert_eq!(of(&records(&widths(1)[..1], flat), WarningKind::FewSeeds), Vec::<String>::new());
    let design: Vec<WarningKind> = of_design(&widths(1)).iter().map(|warning| warning.kind).collect();
    assert_eq!(design, [WarningKind::FewSeeds]);
}

#[test]
fn kernels_that_their_stride_does_not_divide_are_told() {
    let kinds = |kernel: usize, stride: usize| -> Vec<WarningKind> {
        let net = json!({ "conv": { "channels": [4], "kernel": kernel, "stride": stride } });
        of_design(&[cell(json!({ "net": net }), 0)]).iter().map(|warning| warning.kind).collect()
    };
    assert_eq!(kinds(3, 2), [WarningKind::Checkerboard]);
    assert_eq!(kinds(5, 3), [WarningKind::Checkerboard]);
    assert_eq!([kinds(4, 2), kinds(3, 1), kinds(3, 3)].concat(), []);
    assert_eq!(of_design(&[cell(json!({}), 0)]), []);
}

/// The reconstruction term of 784 pixels with this σ and this root of the mean squared error.
fn reconstruction(sigma: f64, error: f64) -> f64 {
    784.0 * (sigma.ln() + 0.5 * (2.0 * std::f64::consts::PI).ln() + 0.5 * (error / sigma).powi(2))
}

#[test]
fn a_learned_sigma_far_from_the_error_crawls() {
    let with = |variance: &str, sigma: f64, error: f64| {
        let cells = [cell(json!({ "likelihood": { "gaussian-shared": { "variance": variance } } }), 0)];
        let mut records = records(&cells, |_, _| -100.0);
        let run = &mut records.groups[0].runs[0];
        run.sigma = Some(sigma);
        run.test.last_mut().unwrap().terms.set(Metric::Reconstruction, reconstruction(sigma, error));
        of(&records, WarningKind::SlowSigma)
    };
    assert_eq!(
        with("learned", 0.4, 0.2),
        ["the learned σ crawls: it is 0.400 after training, where the error is 0.200, which costs 249 nats per image"]
    );
    assert_eq!(with("learned", 0.205, 0.2), Vec::<String>::new());
    assert_eq!(with("optimal", 0.4, 0.2), Vec::<String>::new());
}

#[test]
fn neighbours_across_the_split_are_told() {
    let with = |distance: Option<f64>| {
        let mut records = records(&widths(3), |_, _| -100.0);
        for run in records.groups.iter_mut().flat_map(|group| &mut group.runs) {
            run.neighbour_distance = distance;
        }
        of(&records, WarningKind::NearDuplicates)
    };
    assert!(with(Some(0.12))[0].contains("differ from them by 12 %"));
    assert_eq!([with(Some(0.9)), with(None)].concat(), Vec::<String>::new());
}

#[test]
fn an_estimate_that_hangs_on_few_importance_samples_is_told() {
    let with = |effective: f64| {
        let mut records = records(&widths(3), |_, _| -100.0);
        let measure = MeasurementKey {
            metric: Metric::EffectiveSamples,
            split: spec::Split::Test,
            settings: spec::MetricSettings::samples(100),
            images: None,
            width: None,
        };
        records.groups[1].runs[2].measures.push((measure, effective));
        records.warnings = warnings(&records);
        records
    };
    let records = with(9.5);
    assert_eq!(
        of(&records, WarningKind::FewSamples),
        [
            "−log p(x) hangs on few importance samples: 9.5 effective ones of 100 at D = 20; it is too large, and differences may come of that"
        ]
    );
    let captions: Vec<String> = crate::table::tables(&records).into_iter().map(|table| table.caption).collect();
    let is_warned = |caption: &String| caption.contains("hangs on 9.5 effective samples of 100");
    assert_eq!(captions.iter().map(is_warned).collect::<Vec<_>>(), [false, true], "{captions:?}");
    assert_eq!(of(&with(10.0), WarningKind::FewSamples), Vec::<String>::new());
}

#[test]
fn warnings_stand_in_the_captions_of_what_they_are_about() {
    let mut records = records(&widths(1), |cell, epoch| f64::from(epoch) * 20.0 + cell.model.latent_dim as f64);
    records.warnings = warnings(&records);
    let figures = crate::figure::figures(FigureKind::LossCurves, &records, crate::drawing::Paper::default()).unwrap();
    assert!(figures[0].caption.contains("comparison premature."), "{}", figures[0].caption);
    assert!(figures[0].caption.contains("Too few seeds"), "{}", figures[0].caption);
    let table = &crate::table::tables(&records)[0];
    assert!(table.caption.contains("comparison premature."), "{}", table.caption);
}
