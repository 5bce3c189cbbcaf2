//! Numbers, durations and values as people read them.

use record::{RunManifest, Status};
use serde_json::Value;
use spec::metric::Unit;
use spec::{Metric, MetricSettings};

use crate::text_table::{TableEntry, Tone};

/// A size in bytes to three digits: `512 B`, `1.4 MB`, in powers of 1000.
pub fn bytes(n: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 99.95 { 0 } else { 1 };
    format!("{value:.digits$} {}", units[unit])
}

/// A count and its noun: `1 run`, `2 runs`.
pub fn counted(n: usize, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{s}")
}

/// The first of some names, and how many there are besides: `a and 3 more`.
pub fn first_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first, others @ ..] => format!("{first} and {} more", others.len()),
    }
}

/// A number with two decimals and a true minus sign, as in the tables of papers.
pub fn number(value: f64) -> String {
    with_decimals(value, 2)
}

fn with_decimals(value: f64, n: usize) -> String {
    let digits = format!("{value:.n$}");
    match digits.strip_prefix('-') {
        Some(zero) if zero.bytes().all(|byte| matches!(byte, b'0' | b'.')) => zero.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => digits,
    }
}

/// A metric's value with the decimals it asks for, at least two.
pub fn measured(metric: Metric, value: f64) -> String {
    with_decimals(value, metric.about().decimals.max(2))
}

/// As [`measured`], with an en dash for what there is not.
pub fn optional(metric: Metric, value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| measured(metric, value))
}

/// A metric's mean and half the width of its 95 % interval; no interval for one seed.
pub fn interval(metric: Metric, mean: f64, half_width: Option<f64>) -> String {
    match half_width {
        Some(half) => format!("{} ± {}", measured(metric, mean), measured(metric, half)),
        None => measured(metric, mean),
    }
}

/// The settings of a metric, with the number of images where they are not the whole split and the width of the latent space that
/// it is a density over: `samples 5, 50 images`.
pub fn settings_on(settings: &MetricSettings, images: Option<u64>, width: Option<usize>) -> String {
    let images = images.map(|n| counted(usize::try_from(n).unwrap_or(usize::MAX), "image"));
    let width = width.map(|width| counted(width, "dimension"));
    let parts = [Some(settings.to_string()).filter(|settings| !settings.is_empty()), images, width];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A metric's name with what it was computed with: `nll (samples 5, 50 images)`.
pub fn metric_with(metric: &str, settings: &MetricSettings, images: Option<u64>, width: Option<usize>) -> String {
    match settings_on(settings, images, width) {
        none if none.is_empty() => metric.to_owned(),
        settings => format!("{metric} ({settings})"),
    }
}

/// A value of a spec as YAML on one line, without what is absent: `{ name: glyphs, pixels: gray }`.
pub fn flow(set: &Value) -> String {
    match set {
        Value::String(text) if text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') => {
            text.clone()
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let present = map.iter().filter(|(_, value)| !value.is_null());
            format!(
                "{{ {} }}",
                present.map(|(key, value)| format!("{key}: {}", flow(value))).collect::<Vec<_>>().join(", ")
            )
        }
        other => other.to_string(),
    }
}

/// A value of a spec, without the quotes of JSON; a variant with settings as `masking fraction=0.5`.
pub fn value(set: &Value) -> String {
    match set {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        // A β of 1 is a float in JSON, and `1` to whoever wrote it.
        Value::Number(number) => number.to_string().trim_end_matches(".0").to_owned(),
        Value::Object(variant) => {
            let words = variant.iter().map(|(name, inner)| match inner {
                Value::Object(settings) => {
                    let pairs = settings.iter().map(|(key, set)| format!("{key}={}", value(set)));
                    std::iter::once(name.clone()).chain(pairs).collect::<Vec<_>>().join(" ")
                }
                other => format!("{name} {}", value(other)),
            });
            words.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// A status in its colour.
pub fn status(status: &Status) -> TableEntry {
    let tone = match status {
        Status::New => Tone::Plain,
        Status::Running { .. } | Status::Resumable { .. } => Tone::Busy,
        Status::Failed { .. } => Tone::Bad,
        Status::Done => Tone::Good,
    };
    TableEntry::toned(status.word(), tone)
}

/// How far a run is: `12/20`, or `60/500 → 48` where the weights of epoch 48 were kept.
pub fn epoch(manifest: &RunManifest) -> String {
    let epoch = manifest.last_epoch.as_ref().map_or(0, |last| last.epoch);
    let kept = manifest.kept_epoch.as_ref().map(|kept| format!(" → {}", kept.epoch));
    format!("{epoch}/{}{}", manifest.cell.training.epochs, kept.unwrap_or_default())
}

/// Why a run is in its status, in one line: the reason of a failure, the process that trains it, the epoch kept.
pub fn remark(status: &Status) -> String {
    match status {
        Status::New | Status::Done => String::new(),
        Status::Running { pid: Some(pid) } => format!("by process {pid}"),
        Status::Running { pid: None } => String::new(),
        Status::Resumable { epoch } => format!("from epoch {epoch}"),
        Status::Failed { reason } => reason.lines().next().unwrap_or_default().to_owned(),
    }
}

/// What the numbers of a table are in: `nats per image`, and which of its columns are in something else; active units, which
/// are a count, go without saying.
pub fn units(metrics: impl IntoIterator<Item = Metric>, name: impl Fn(Metric) -> &'static str) -> String {
    let of = |metric: Metric| match metric.about().unit {
        Unit::Nats | Unit::Dimensions => None,
        unit => Some(format!(", {} in {}", name(metric), unit.words())),
    };
    let others: String = metrics.into_iter().filter_map(of).collect();
    format!("nats per image{others}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_nats_is_named() {
        assert_eq!(units([Metric::Elbo, Metric::ActiveUnits, Metric::Kl], Metric::name), "nats per image");
        let others = units([Metric::Elbo, Metric::PosteriorSigma, Metric::Psnr], Metric::name);
        assert_eq!(others, "nats per image, posterior_sigma in units of z, psnr in dB");
    }

    #[test]
    fn sizes_and_numbers_are_rounded() {
        assert_eq!(
            ["0 B", "999 B", "1.0 kB", "1.5 MB", "250 MB"],
            [0, 999, 1000, 1_500_000, 250_000_000].map(bytes).each_ref().map(String::as_str)
        );
        assert_eq!([number(-105.564), number(-0.001), number(3.0)], ["−105.56", "0.00", "3.00"]);
        assert_eq!(interval(Metric::Elbo, -1.0, Some(0.25)), "−1.00 ± 0.25");
        assert_eq!([measured(Metric::Sharpness, 0.02086), measured(Metric::Sharpness, -0.00001)], ["0.0209", "0.0000"]);
        assert_eq!(settings_on(&MetricSettings::samples(5), Some(50), None), "samples 5, 50 images");
        assert_eq!([Some(1), None].map(|n| settings_on(&MetricSettings::default(), n, None)), ["1 image", ""]);
        assert_eq!([1.0, 0.5, 1e-8, 100.0].map(|number| value(&number.into())), ["1", "0.5", "1e-8", "100"]);
    }
}
