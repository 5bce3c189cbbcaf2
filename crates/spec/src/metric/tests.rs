//! Names, settings and the table of metrics.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[test]
fn names_are_those_in_files() {
    let names: Vec<&str> = Metric::all().map(Metric::name).collect();
    assert_eq!(
        names,
        [
            "elbo",
            "reconstruction",
            "kl",
            "objective",
            "active_units",
            "discriminator",
            "posterior_sigma",
            "importance_bound",
            "nll",
            "pseudo_nll",
            "effective_samples",
            "nll_quadrature",
            "pseudo_nll_quadrature",
            "gap_quadrature",
            "latent_log_density",
            "gray_bce_floor",
            "sharpness",
            "psnr",
            "mse",
            "ssim",
            "equivalent_blur",
            "sharpness_ratio",
            "explained_power",
            "gain",
            "power_ratio",
            "coherence",
            "kl_variance",
            "kl_mean",
            "kl_dimension",
            "mutual_information",
            "marginal_kl",
        ]
    );
    for metric in Metric::all() {
        assert_eq!(metric.name().parse(), Ok(metric));
        assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
    }
}

#[test]
fn the_table_is_complete() {
    for metric in Metric::all() {
        let about = metric.about();
        assert!(!about.title.is_empty() && !about.source.is_empty(), "{metric}");
        assert!(about.per_epoch.is_some() || about.of_trained, "`{metric}` is recorded nowhere");
    }
}

#[test]
fn settings_are_the_text_in_files() {
    let corrupted = MetricSettings { input: Some(Input::Corrupted), samples: Some(1), ..MetricSettings::default() };
    let active = MetricSettings { variance_above: Some(0.01), ..MetricSettings::default() };
    let exact = MetricSettings { exact: Some(true), ..MetricSettings::default() };
    let lower = MetricSettings { bound: Some(Bound::Lower), saturated: Some(true), ..MetricSettings::default() };
    let cases = [
        (lower, r#"{"bound":"lower","saturated":true}"#, "bound lower, saturated"),
        (MetricSettings::default(), "{}", ""),
        (MetricSettings::samples(5000), r#"{"samples":5000}"#, "samples 5000"),
        (corrupted, r#"{"input":"corrupted","samples":1}"#, "input corrupted, samples 1"),
        (MetricSettings::of(Subject::Data), r#"{"of":"data"}"#, "of data"),
        (active, r#"{"variance_above":0.01}"#, "variance above 0.01"),
        (exact, r#"{"exact":true}"#, "exact"),
    ];
    for (settings, json, words) in cases {
        assert_eq!((settings.to_json().as_str(), settings.to_string().as_str()), (json, words));
        assert_eq!(serde_json::from_str::<MetricSettings>(json).unwrap(), settings);
    }
    assert!(serde_json::from_str::<MetricSettings>(r#"{"neighbours":3}"#).is_err());
}

#[test]
fn a_term_from_one_sample_is_that_of_the_last_epoch() {
    assert!(MetricSettings::samples(1).repeat_last_epoch(Metric::Kl));
    assert!(!MetricSettings::samples(2).repeat_last_epoch(Metric::Kl));
    assert!(!MetricSettings::samples(1).repeat_last_epoch(Metric::Nll));
    let active = |variance_above| MetricSettings { variance_above, ..MetricSettings::default() };
    assert!(active(Some(0.01)).repeat_last_epoch(Metric::ActiveUnits));
    assert!(!active(Some(0.1)).repeat_last_epoch(Metric::ActiveUnits));
}

#[test]
fn bounds_saturate_two_nats_below_the_logarithm_of_the_number_of_images() {
    assert!(is_saturated(9.1, 60_000) && !is_saturated(8.9, 60_000));
    assert!(is_saturated(2.7, 100) && !is_saturated(2.6, 100));
}
