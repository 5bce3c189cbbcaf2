//! `elbo diff`: what two runs differ in, and their numbers side by side.

use std::collections::BTreeMap;

use anyhow::Result;
use record::summary::images_of_fewer;
use record::{Run, RunManifest, Status};
use serde::Serialize;
use serde_json::Value;
use spec::metric::Unit;
use spec::{Basis, Metric, Split, Term};

use crate::commands::show::flat_settings;
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;
use crate::text;
use crate::text_table::{Align, TextTable};

#[derive(Serialize)]
struct DiffJson {
    runs: [RunJson; 2],
    settings: Vec<SettingJson>,
    metrics: Vec<MetricJson>,
}

#[derive(Serialize)]
struct RunJson {
    run_id: String,
    name: String,
    status: &'static str,
    scale: &'static str,
}

/// A setting that differs; `null` where a run has no such setting.
#[derive(Serialize)]
struct SettingJson {
    path: String,
    a: Option<Value>,
    b: Option<Value>,
}

/// A number of both runs, in nats per image unless the metric's name says otherwise.
#[derive(Serialize)]
struct MetricJson {
    split: &'static str,
    /// Its name, with what it was computed with.
    metric: String,
    #[serde(skip)]
    kind: Metric,
    a: Option<f64>,
    b: Option<f64>,
    /// b − a; `null` where one is missing, where the test images differ, and for nats where the scales do.
    difference: Option<f64>,
}

/// Prints the differences.
///
/// # Errors
/// If there is no such run, or its files cannot be read.
pub fn diff(settings: &Settings, a: &str, b: &str, json: bool) -> Result<Outcome> {
    let store = settings.store()?;
    let (a, b) = (store.find(a)?, store.find(b)?);
    let manifests = [a.manifest()?, b.manifest()?];
    let statuses = [a.status()?, b.status()?];
    let bases = manifests.each_ref().map(|manifest| manifest.cell.basis());
    let [a_basis, b_basis] = &bases;
    // Images and latents are measured alike on every scale.
    let compares =
        |metric: Metric| a_basis == b_basis || (a_basis.images == b_basis.images && metric.about().unit != Unit::Nats);
    let found = DiffJson {
        settings: differing_settings(&manifests),
        metrics: side_by_side(numbers(&a, &manifests[0])?, numbers(&b, &manifests[1])?, compares),
        runs: [described(&manifests[0], &statuses[0]), described(&manifests[1], &statuses[1])],
    };
    if json {
        output::print_json(&found)?;
    } else {
        output::print(&to_text(&found, &bases, settings.is_coloured))?;
    }
    Ok(Outcome::Well)
}

fn described(manifest: &RunManifest, status: &Status) -> RunJson {
    RunJson {
        run_id: manifest.run_id.to_string(),
        name: manifest.name.clone(),
        status: status.word(),
        scale: manifest.scale.as_str(),
    }
}

fn differing_settings([a, b]: &[RunManifest; 2]) -> Vec<SettingJson> {
    let first = flat_settings(&a.cell);
    let mut second: BTreeMap<String, Value> = flat_settings(&b.cell).into_iter().collect();
    let mut differing = Vec::new();
    for (path, a) in first {
        let b = second.remove(&path);
        if b.as_ref() != Some(&a) {
            differing.push(SettingJson { path, a: Some(a), b });
        }
    }
    differing.extend(second.into_iter().map(|(path, b)| SettingJson { path, a: None, b: Some(b) }));
    differing
}

/// Numbers of one run, or of both side by side, by split and source, with the metric of each.
type Numbers<T> = BTreeMap<(Split, MetricSource), (Metric, T)>;

/// First what the last epoch has, or the one kept, in the order of metrics; then by name what was measured on the trained model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MetricSource {
    LastEpoch(Term),
    Evaluation(String),
}

fn numbers(run: &Run, manifest: &RunManifest) -> Result<Numbers<f64>> {
    let mut numbers = Numbers::new();
    let of = |metric: Metric| MetricSource::LastEpoch(manifest.cell.term(metric));
    for (split, terms) in manifest.result().iter().flat_map(|epoch| &epoch.splits) {
        // Losses of two β are no matter of a difference; a model without a bound has nothing else.
        let units = [(Metric::ActiveUnits, terms.get(Metric::ActiveUnits))];
        let shown = terms.shown().into_iter().chain(units).filter_map(|(metric, value)| Some((metric, value?)));
        numbers.extend(shown.map(|(metric, value)| ((*split, of(metric)), (metric, value))));
    }
    let evaluation = run.evaluation()?;
    for row in &evaluation {
        if row.settings.repeat_last_epoch(row.metric) && numbers.contains_key(&(row.split, of(row.metric))) {
            continue;
        }
        let width = row.metric.is_over_latents().then_some(manifest.cell.model.latent_dim);
        let name = text::metric_with(row.metric.name(), &row.settings, images_of_fewer(row, &evaluation), width);
        numbers.insert((row.split, MetricSource::Evaluation(name)), (row.metric, row.value));
    }
    Ok(numbers)
}

fn side_by_side(a: Numbers<f64>, b: Numbers<f64>, compares: impl Fn(Metric) -> bool) -> Vec<MetricJson> {
    let mut both: Numbers<[Option<f64>; 2]> = BTreeMap::new();
    for (side, numbers) in [a, b].into_iter().enumerate() {
        for (key, (metric, value)) in numbers {
            both.entry(key).or_insert((metric, [None; 2])).1[side] = Some(value);
        }
    }
    let rows = both.into_iter().map(|((split, source), (kind, [a, b]))| {
        let difference = a.zip(b).filter(|_| compares(kind)).map(|(a, b)| b - a);
        let metric = match source {
            MetricSource::LastEpoch(term) => term.key.to_owned(),
            MetricSource::Evaluation(name) => name,
        };
        MetricJson { split: split.as_str(), metric, kind, a, b, difference }
    });
    rows.collect()
}

fn to_text(found: &DiffJson, bases: &[Basis; 2], is_coloured: bool) -> String {
    use Align::{Left, Right};
    let [a, b] = &found.runs;
    let mut text = format!("a  {}  {}\nb  {}  {}\n\n", a.run_id, a.name, b.run_id, b.name);
    if found.settings.is_empty() {
        text.push_str("no setting differs\n");
    } else {
        let mut table = TextTable::new([("setting", Left), ("a", Left), ("b", Left)]);
        for setting in &found.settings {
            let shown = |value: &Option<Value>| text::value(value.as_ref().unwrap_or(&Value::Null));
            table.row(vec![setting.path.as_str().into(), shown(&setting.a).into(), shown(&setting.b).into()]);
        }
        text.push_str(&table.render(is_coloured));
    }
    if !found.metrics.is_empty() {
        let mut table =
            TextTable::new([("split", Left), ("metric", Left), ("a", Right), ("b", Right), ("b − a", Right)]);
        for row in &found.metrics {
            let shown = |value: Option<f64>| text::optional(row.kind, value);
            table.row(vec![
                row.split.into(),
                row.metric.as_str().into(),
                shown(row.a).into(),
                shown(row.b).into(),
                shown(row.difference).into(),
            ]);
        }
        text.push('\n');
        text.push_str(&table.render(is_coloured));
    }
    let [a, b] = bases;
    if a.images != b.images {
        text.push_str(&format!(
            "\nno differences of numbers: a is over the test images {}, b over {}, which cannot be compared\n",
            a.images, b.images
        ));
    } else if a.scale != b.scale {
        text.push_str(&format!(
            "\nno differences of nats: a is on the scale {}, b on {}, which cannot be compared\n",
            a.scale, b.scale
        ));
    }
    text
}
