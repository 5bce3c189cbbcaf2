//! `elbo show`: one run's settings, where it stands, and its numbers.

use std::collections::BTreeSet;

use anyhow::Result;
use record::summary::images_of_fewer;
use record::{Continued, MetricsRow, RunManifest, Status, ThreadSpan};
use serde::Serialize;
use serde_json::Value;
use spec::{Cell, Measurement, Metric};

use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;
use crate::text;
use crate::text_table::{Align, TableEntry, TextTable, Tone};

/// The JSON: run.json's keys, and what only the store knows.
#[derive(Serialize)]
struct ShowJson {
    #[serde(flatten)]
    manifest: Value,
    /// `new`, `running`, `resumable`, `failed` or `done`.
    status: &'static str,
    /// Why it failed.
    reason: Option<String>,
    /// Epochs completed.
    epoch: u32,
    folder: String,
    evaluation: Vec<Measurement>,
}

/// Prints one run.
///
/// # Errors
/// If there is no such run, or its files cannot be read.
pub fn show(settings: &Settings, run: &str, json: bool) -> Result<Outcome> {
    let run = settings.store()?.find(run)?;
    let (manifest, status, evaluation) = (run.manifest()?, run.status()?, run.evaluation()?);
    if json {
        let mut value = serde_json::to_value(&manifest)?;
        if let Value::Object(keys) = &mut value {
            keys.remove("status");
        }
        output::print_json(&ShowJson {
            manifest: value,
            status: status.word(),
            reason: match &status {
                Status::Failed { reason } => Some(reason.clone()),
                _ => None,
            },
            epoch: manifest.last_epoch.as_ref().map_or(0, |last| last.epoch),
            folder: run.dir().display().to_string(),
            evaluation,
        })?;
    } else {
        let mut text = head(&manifest, &status, &run.dir().display().to_string(), settings.is_coloured);
        text.push_str(&settings_table(&manifest.cell).render(settings.is_coloured));
        let kept = manifest.kept_epoch.as_ref().map(|kept| kept.epoch);
        if let Some((numbers, shown)) = numbers(&run.metrics()?, kept, &evaluation) {
            text.push_str(&format!("\nmeans over images, {}:\n", text::units(shown, Metric::name)));
            text.push_str(&numbers.render(settings.is_coloured));
        }
        output::print(&text)?;
    }
    Ok(Outcome::Well)
}

fn head(manifest: &RunManifest, status: &Status, folder: &str, is_coloured: bool) -> String {
    let epoch = manifest.last_epoch.as_ref().map_or(0, |last| last.epoch);
    let provenance = &manifest.provenance;
    let code = provenance.git.as_ref().map(|git| {
        let changed = if git.dirty_patch_sha256.is_some() { ", with changes" } else { "" };
        format!("{}{changed}", git.commit.chars().take(12).collect::<String>())
    });
    let versions: Vec<String> = provenance.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let machine = [&provenance.host.name, &provenance.host.cpu, &provenance.device];
    let machine: Vec<&str> = machine.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    let mut table = TextTable::new([("", Align::Left), ("", Align::Left)]);
    let mut line = |name: &str, entry: TableEntry| table.row(vec![TableEntry::toned(name, Tone::Dim), entry]);
    line("run", manifest.run_id.to_string().into());
    line("name", manifest.name.as_str().into());
    line("status", text::status(status));
    line("", text::remark(status).into());
    line("epochs", format!("{epoch} of {}", manifest.cell.training.epochs).into());
    if let Some(kept) = &manifest.kept_epoch {
        line("kept", format!("the weights of epoch {}, the best on the validation images", kept.epoch).into());
    }
    if let Some(Continued { run_id, epoch }) = &manifest.continues {
        line("continues", format!("{run_id}, from epoch {epoch} on").into());
    }
    line("scale", manifest.scale.as_str().into());
    line("started", manifest.timing.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string().into());
    let shared = match provenance.cohort.len() {
        0 | 1 => String::new(),
        n => format!(", shared by the {n} runs of its cohort"),
    };
    line("time", format!("{}{shared}", spec::duration(manifest.timing.seconds)).into());
    line("machine", machine.join(", ").into());
    line("threads", threads(manifest).into());
    line("code", code.unwrap_or_default().into());
    line("versions", versions.join(", ").into());
    line("folder", folder.into());
    // The table has no heads; its lines without a value say nothing.
    let lines = table.render(is_coloured);
    lines.lines().skip(1).filter(|line| line.contains("  ")).map(|line| format!("{line}\n")).collect::<String>() + "\n"
}

/// The numbers of threads that a run was trained with: `2, 1 from step 469`.
fn threads(manifest: &RunManifest) -> String {
    let one = |span: &ThreadSpan| match span.from_step {
        0 => span.threads.to_string(),
        step => format!("{} from step {step}", span.threads),
    };
    manifest.threads().iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Every setting with its path, as `--set` and `--where` take it.
fn settings_table(cell: &Cell) -> TextTable {
    let mut table = TextTable::new([("setting", Align::Left), ("value", Align::Left)]);
    for (path, value) in flat_settings(cell) {
        table.row(vec![path.into(), text::value(&value).into()]);
    }
    table
}

/// Path and value of every setting of a cell that has a meaning in it.
pub fn flat_settings(cell: &Cell) -> Vec<(String, Value)> {
    fn visit(path: &str, value: Value, into: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(keys) => {
                for (key, value) in keys {
                    let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                    visit(&path, value, into);
                }
            }
            Value::Null => {}
            value => into.push((path.to_owned(), value)),
        }
    }
    let mut settings = Vec::new();
    visit("", serde_json::to_value(cell).unwrap_or_default(), &mut settings);
    // How images are brought to a size says nothing where none is asked for.
    settings.retain(|(path, _)| path != "dataset.fit" || cell.dataset.size.is_some());
    settings
}

/// A table of the numbers, and the metrics in it.
fn numbers(
    metrics: &[MetricsRow],
    kept: Option<u32>,
    evaluation: &[Measurement],
) -> Option<(TextTable, BTreeSet<Metric>)> {
    use Align::{Left, Right};
    let mut table = TextTable::new([
        ("split", Left),
        ("metric", Left),
        ("value", Right),
        ("std. error", Right),
        ("settings", Left),
    ]);
    let epoch = kept.or_else(|| metrics.iter().map(|row| row.epoch).max());
    let of_epoch = metrics.iter().filter(|row| Some(row.epoch) == epoch);
    let mut shown = BTreeSet::new();
    for (row, (metric, value)) in of_epoch.flat_map(|row| row.terms.shown().into_iter().map(move |term| (row, term))) {
        shown.insert(metric);
        table.row(vec![
            row.split.as_str().into(),
            metric.name().into(),
            text::optional(metric, value).into(),
            "".into(),
            TableEntry::toned(format!("at epoch {}", row.epoch), Tone::Dim),
        ]);
    }
    let of_epoch = shown.clone();
    let is_new = |row: &&Measurement| !(of_epoch.contains(&row.metric) && row.settings.repeat_last_epoch(row.metric));
    for row in evaluation.iter().filter(is_new) {
        shown.insert(row.metric);
        table.row(vec![
            row.split.as_str().into(),
            row.metric.name().into(),
            text::measured(row.metric, row.value).into(),
            row.standard_error.map(|error| text::measured(row.metric, error)).unwrap_or_default().into(),
            TableEntry::toned(text::settings_on(&row.settings, images_of_fewer(row, evaluation), None), Tone::Dim),
        ]);
    }
    (epoch.is_some() || !evaluation.is_empty()).then_some((table, shown))
}
