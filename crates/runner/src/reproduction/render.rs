//! The table of published and obtained numbers as CSV and as Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use spec::ReferenceMetric;

use super::curve::{Point, curve, shown as shown_metrics};
use super::lines::{Line, Obtained, Uncertainty};
use crate::text;

const COLUMNS: [&str; 25] = [
    "id",
    "set_up",
    "experiment",
    "metric",
    "scale",
    "published",
    "published_value",
    "obtained",
    "half_width_95_over_seeds",
    "standard_error_over_images",
    "seeds",
    "seeds_planned",
    "tolerance",
    "below",
    "reproduced",
    "epochs",
    "full_epochs",
    "importance_samples",
    "images",
    "seconds",
    "processor",
    "command",
    "note",
    "tuned",
    "numbers_version",
];

/// One line for each published number; fields without a value are empty.
pub fn csv(lines: &[Line<'_>]) -> String {
    let rows = lines.iter().map(|line| {
        let obtained = line.obtained.as_ref();
        let exact = |value: Option<f64>| value.map(|value| format!("{value:.4}")).unwrap_or_default();
        let whole = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
        let (over_seeds, over_images) = match obtained.map(|obtained| obtained.uncertainty) {
            Some(Uncertainty::OverSeeds(half_width)) => (Some(half_width), None),
            Some(Uncertainty::OverImages(error)) => (None, Some(error)),
            Some(Uncertainty::Unknown) | None => (None, None),
        };
        let fields: [String; COLUMNS.len()] = [
            line.row.id.clone(),
            line.set_up.reference.set_up.clone(),
            line.set_up.experiment.name.clone(),
            line.row.metric.name().to_owned(),
            obtained.map(|obtained| obtained.example.scale.to_string()).unwrap_or_default(),
            line.row.published.clone(),
            text::value(&line.row.value.into()),
            exact(obtained.map(|obtained| obtained.mean)),
            exact(over_seeds),
            exact(over_images),
            obtained.map_or(0, |obtained| obtained.n_seeds).to_string(),
            line.n_planned.to_string(),
            line.row.tolerance.map(|tolerance| text::value(&tolerance.into())).unwrap_or_default(),
            line.row.below.clone().unwrap_or_default(),
            line.verdict.as_str().to_owned(),
            whole(obtained.map(|obtained| obtained.epochs.into())),
            whole(line.row.full_epochs.map(|epochs| epochs as u64)),
            whole(obtained.filter(|_| line.row.metric == ReferenceMetric::Nll).and_then(samples)),
            whole(obtained.map(|obtained| obtained.example.n)),
            obtained.map(|obtained| format!("{:.0}", obtained.seconds)).unwrap_or_default(),
            obtained.map(|obtained| joined(&obtained.processors)).unwrap_or_default(),
            line.command(),
            line.row.note.clone().unwrap_or_default(),
            line.row.tuned.to_string(),
            obtained.map(|obtained| versions(&obtained.numbers_versions)).unwrap_or_default(),
        ];
        fields.to_vec()
    });
    figures::csv::write(std::iter::once(COLUMNS.map(str::to_owned).to_vec()).chain(rows))
}

const INTRODUCTION: &str = "\
# Published numbers, reproduced

`./just reproduce` trains the experiments in `experiments/reference/`, copies what this page needs of their runs into
`records/`, and writes this page and `reproduction.csv` from those records alone. A test rebuilds both and compares them
byte for byte, so edit neither.

All numbers are of the test images: nats per image, means over images, the smaller the better, but for active units, which
are counted. *Obtained* is the mean over seeds ± half its 95 % interval by Student's t; of a single seed it is the value with
its standard error over images (s.e.). *Reproduced* is `yes` only where the interval, too, is no wider than what the number may be off by;
`not enough seeds` where it is, or where there is a single seed; `tuned` where settings that the source leaves open were chosen by how near
they come to the published number, so that agreement shows little; `order only` where the order of set-ups and the sign are as published and
the value is not. Numbers on different scales (in parentheses) mean different things and are never
compared. *Training* is the wall-clock time of all seeds together. Below the table stands which numbers version
of the program obtained a number; CHANGELOG.md says what changed since then. `--data FOLDER` after a command says where MNIST lies.
";

/// A page for people: one table, notes, and the curves of set-ups on a shortened schedule.
pub fn markdown(lines: &[Line<'_>]) -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str(
        "\n| id | set-up | number | published | obtained | reproduced if | reproduced | schedule | training | command |\n",
    );
    page.push_str("|---|---|---|--:|--:|---|:-:|---|--:|---|\n");
    for line in lines {
        let obtained = line.obtained.as_ref();
        let fields = [
            format!("**{}**", line.row.id),
            line.set_up.reference.set_up.clone(),
            number(line),
            line.row.published.clone(),
            obtained.map_or_else(|| "–".to_owned(), |obtained| estimate(obtained, line)),
            criterion(line),
            line.verdict.as_str().to_owned(),
            schedule(line),
            obtained.map_or_else(|| "–".to_owned(), |obtained| spec::duration(obtained.seconds)),
            format!("`{}`", line.command()),
        ];
        let fields: Vec<String> = fields.iter().map(|field| field.replace('|', "\\|")).collect();
        let _ = writeln!(page, "| {} |", fields.join(" | "));
    }
    page.push_str(&notes(lines));
    page.push_str(&curves(lines));
    page
}

/// Which number it is, and on which scale.
fn number(line: &Line<'_>) -> String {
    let title = line.row.metric.title();
    let name = match line.row.metric {
        ReferenceMetric::NegativeElbo | ReferenceMetric::Reconstruction | ReferenceMetric::Kl => title,
        ReferenceMetric::ActiveUnits => return title,
        ReferenceMetric::Nll => {
            let asked = line.set_up.experiment.evaluation;
            let samples = asked.map(|asked| format!(", {} samples", spec::thousands(asked.importance_samples as u64)));
            let images = asked.and_then(|asked| asked.images);
            let images = images.map(|images| format!(", first {} images", spec::thousands(images as u64)));
            format!("{title}{}{}", samples.unwrap_or_default(), images.unwrap_or_default())
        }
    };
    let scale = line.set_up.experiment.cells.iter().find(|cell| line.row.concerns(cell)).map(|cell| cell.scale());
    scale.map_or_else(|| name.clone(), |scale| format!("{name} ({scale})"))
}

fn estimate(obtained: &Obtained<'_>, line: &Line<'_>) -> String {
    let seeds = match (obtained.n_seeds, line.n_planned) {
        (found, planned) if found < planned => format!("{found} of {} seeds", planned),
        (found, _) => text::counted(found, "seed"),
    };
    let digits = line.row.metric.metric().0.about().decimals;
    let number = |value: f64| decimals(Some(value), digits);
    let mean = number(obtained.mean);
    match obtained.uncertainty {
        Uncertainty::OverSeeds(half_width) => format!("**{mean}** ± {} ({seeds})", number(half_width)),
        Uncertainty::OverImages(error) => format!("**{mean}**, s.e. {} ({seeds})", number(error)),
        Uncertainty::Unknown => format!("**{mean}** ({seeds})"),
    }
}

fn criterion(line: &Line<'_>) -> String {
    let tolerance = line.row.tolerance.map(|tolerance| format!("within ± {}", text::value(&tolerance.into())));
    let below = line.row.below.as_ref().map(|below| {
        let sign = if line.row.value < 0.0 { "negative" } else { "positive" };
        format!("below {below}, {sign}")
    });
    let criteria: Vec<String> = tolerance.into_iter().chain(below).collect();
    if criteria.is_empty() { "–".to_owned() } else { criteria.join("; ") }
}

fn schedule(line: &Line<'_>) -> String {
    let full = line.row.full_epochs.map(|epochs| spec::thousands(epochs as u64));
    let trained = line.obtained.as_ref().map(|obtained| spec::thousands(obtained.epochs.into()));
    match (trained, full) {
        (None, None) => "–".to_owned(),
        (None, Some(full)) => format!("{full} epochs published"),
        (Some(trained), None) => format!("{trained} epochs; published schedule not stated"),
        (Some(trained), Some(full)) if line.is_shortened() => format!("shortened: {trained} of {full} epochs"),
        (Some(trained), Some(_)) => format!("{trained} epochs"),
    }
}

fn notes(lines: &[Line<'_>]) -> String {
    let mut text = String::new();
    for line in lines {
        if let Some(note) = &line.row.note {
            let _ = writeln!(text, "- **{}**: {note}", line.row.id);
        }
    }
    let processors: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| line.obtained.as_ref())
        .flat_map(|obtained| obtained.processors.clone())
        .collect();
    let mut by_version: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for line in lines {
        if let Some(obtained) = &line.obtained {
            by_version.entry(versions(&obtained.numbers_versions)).or_default().push(&line.row.id);
        }
    }
    for (version, ids) in by_version {
        let _ = writeln!(text, "- obtained by numbers version {version}: {}", ids.join(", "));
    }
    if !processors.is_empty() {
        let _ = writeln!(text, "- trained on: {}", joined(&processors));
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

/// A part for each set of runs that were trained for less than the published schedule.
fn curves(lines: &[Line<'_>]) -> String {
    let mut text = String::new();
    let mut shown: Vec<Vec<Point>> = Vec::new();
    for line in lines.iter().filter(|line| line.is_shortened()) {
        let Some(obtained) = &line.obtained else { continue };
        // Several rows may be about the same runs.
        let points = curve(&obtained.records);
        if shown.contains(&points) {
            continue;
        }
        if shown.is_empty() {
            text.push_str("\n## Shortened schedules, epoch by epoch\n\nOn the test images, means over seeds.\n");
        }
        let _ = writeln!(text, "\n### {}: {}\n", line.row.id, line.set_up.reference.set_up);
        let epochs: Vec<String> = points.iter().map(|point| spec::thousands(point.epoch.into())).collect();
        let _ = writeln!(text, "| epoch | {} |", epochs.join(" | "));
        let _ = writeln!(text, "|---|{}", "--:|".repeat(points.len()));
        for (i, metric) in shown_metrics().enumerate() {
            let digits = metric.metric().0.about().decimals;
            let values: Vec<String> = points.iter().map(|point| decimals(point.values[i], digits)).collect();
            let _ = writeln!(text, "| {} | {} |", metric.title(), values.join(" | "));
        }
        shown.push(points);
    }
    text
}

/// Importance samples of the number.
fn samples(obtained: &Obtained<'_>) -> Option<u64> {
    obtained.example.settings.samples.map(|samples| samples as u64)
}

/// Numbers versions in words.
fn versions(of: &BTreeSet<u32>) -> String {
    of.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn joined(words: &BTreeSet<&str>) -> String {
    words.iter().copied().collect::<Vec<_>>().join("; ")
}

/// A number with so many decimals and a true minus sign; a dash for none.
fn decimals(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}").replace('-', "−"))
}
