//! `elbo compare`: an experiment's cells beside each other, mean ± 95 % interval over seeds.

use anyhow::{Result, bail};
use record::summary::SummaryRow;
use record::{Split, Status, Store};
use serde::Serialize;
use serde_json::{Map, Value};
use spec::{Cell, Experiment, Scale};

use crate::Outcome;
use crate::args::CompareArgs;
use crate::filter::{self, Condition};
use crate::output;
use crate::settings::Settings;
use crate::table::{Align, Entry, Table};
use crate::text;

/// What is compared when nothing is asked for.
const USUAL_METRICS: [&str; 3] = ["elbo", "reconstruction", "kl"];

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct Question {
    by: Option<String>,
    metrics: Vec<String>,
    split: Split,
    conditions: Vec<Condition>,
}

impl Question {
    /// Reads what was typed.
    ///
    /// # Errors
    /// If a condition cannot be read or there is no such split.
    pub fn resolve(args: &CompareArgs) -> Result<Question> {
        let Some(split) = Split::from_name(&args.split) else { bail!("there is no split `{}`", args.split) };
        let usual = || USUAL_METRICS.map(str::to_owned).to_vec();
        Ok(Question {
            by: args.by.clone(),
            metrics: if args.metrics.is_empty() { usual() } else { args.metrics.clone() },
            split,
            conditions: Condition::parse_all(&args.conditions)?,
        })
    }

    /// What stands under a sweep: the ELBO and its terms on the test images.
    pub fn usual() -> Question {
        Question {
            by: None,
            metrics: USUAL_METRICS.map(str::to_owned).to_vec(),
            split: Split::Test,
            conditions: Vec::new(),
        }
    }
}

#[derive(Serialize)]
struct CompareJson<'a> {
    name: &'a str,
    split: &'static str,
    scale: Option<&'static str>,
    rows: Vec<RowJson>,
}

/// One metric of the runs that differ in nothing but their seed.
#[derive(Serialize)]
struct RowJson {
    /// Value by path, of each axis but the seed.
    group: Map<String, Value>,
    metric: String,
    /// What a metric of the evaluation was computed with.
    settings: Value,
    /// `null` for what was measured on the trained model.
    epoch: Option<u32>,
    mean: f64,
    standard_deviation: Option<f64>,
    half_width_95: Option<f64>,
    /// Seeds.
    n: usize,
}

/// Prints the comparison.
///
/// # Errors
/// If records cannot be read, a path or metric is unknown, or the runs are on different scales.
pub fn compare(settings: &Settings, experiment: &Experiment, question: &Question, json: bool) -> Result<Outcome> {
    let store = settings.store()?;
    for condition in &question.conditions {
        condition.check_path(&experiment.cells)?;
    }
    let chosen: Vec<&Cell> = experiment
        .cells
        .iter()
        .filter(|cell| question.conditions.iter().all(|condition| condition.holds(cell)))
        .collect();
    if let Some(path) = &question.by
        && !experiment.axes.iter().any(|axis| axis.path == *path)
    {
        let axes: Vec<&str> = experiment.axes.iter().map(|axis| axis.path.as_str()).collect();
        bail!("`{path}` does not vary in `{}`\nhint: what varies is {}", experiment.name, listed(&axes));
    }
    let (cells, n_missing) = done(&chosen, &store)?;
    let scale = single_scale(&cells)?;
    let rows = rows(experiment, &cells, question, &store)?;
    if json {
        let scale = scale.map(|scale| scale.as_str());
        let rows = rows.into_iter().map(to_json).collect();
        output::print_json(&CompareJson { name: &experiment.name, split: question.split.as_str(), scale, rows })?;
    } else if !rows.is_empty() {
        let heading = scale.map(|scale| heading(question.split, scale)).unwrap_or_default();
        let table = match &question.by {
            Some(path) => by_path(&rows, question, path, settings.is_coloured),
            None => one_row_each(&rows, question, settings.is_coloured),
        };
        output::print(&format!("{heading}{table}"))?;
    }
    if cells.is_empty() {
        output::say(&format!(
            "none of the {} is done\nhint: `elbo plan` shows what is missing",
            text::counted(chosen.len(), "cell")
        ));
    } else if n_missing > 0 {
        output::say(&format!("{n_missing} of {} are not done and left out", text::counted(chosen.len(), "cell")));
    }
    Ok(Outcome::Well)
}

/// The table under a sweep, one part for each scale, since scales are never mixed.
///
/// # Errors
/// If records cannot be read.
pub fn results(experiment: &Experiment, store: &Store, is_coloured: bool) -> Result<String> {
    let (cells, _) = done(&experiment.cells.iter().collect::<Vec<_>>(), store)?;
    let question = Question::usual();
    let mut text = String::new();
    for scale in [Scale::GrayBce, Scale::Bernoulli, Scale::GaussianDensity] {
        let of_scale: Vec<Cell> = cells.iter().filter(|cell| cell.scale() == scale).cloned().collect();
        if !of_scale.is_empty() {
            let rows = rows(experiment, &of_scale, &question, store)?;
            text.push_str(&heading(question.split, scale));
            text.push_str(&one_row_each(&rows, &question, is_coloured));
        }
    }
    Ok(text)
}

fn heading(split: Split, scale: Scale) -> String {
    format!("{split} split, nats per image, scale {}, mean ± 95 % interval over seeds\n", scale.as_str())
}

/// The cells whose runs are done, and how many are not.
fn done(cells: &[&Cell], store: &Store) -> Result<(Vec<Cell>, usize)> {
    let mut done = Vec::new();
    for cell in cells {
        if store.run(&cell.run_id()).status()? == Status::Done {
            done.push((*cell).clone());
        }
    }
    let n_missing = cells.len() - done.len();
    Ok((done, n_missing))
}

/// The scale that all cells are on.
fn single_scale(cells: &[Cell]) -> Result<Option<Scale>> {
    let mut scales: Vec<&str> = cells.iter().map(|cell| cell.scale().as_str()).collect();
    scales.sort_unstable();
    scales.dedup();
    if scales.len() > 1 {
        bail!(
            "these runs are on different scales, which cannot be compared: {}\n\
             gray-bce is a cross-entropy on gray values, bernoulli a likelihood of binary pixels, gaussian-density a \
             density: equal numbers mean different things\n\
             hint: pick one by the setting that sets them apart, such as `--where dataset.pixels=gray` or `--where model.likelihood=bernoulli`",
            listed(&scales)
        );
    }
    Ok(cells.first().map(Cell::scale))
}

/// Whether a number of the evaluation is the one that the last epoch has anyway: a term from a single sample.
pub fn is_of_last_epoch(metric: &str, settings: &str) -> bool {
    USUAL_METRICS.contains(&metric) && settings == r#"{"samples":1}"#
}

/// The asked-for rows of each group, at its last epoch or of its evaluation; groups in the experiment's order.
fn rows(experiment: &Experiment, cells: &[Cell], question: &Question, store: &Store) -> Result<Vec<SummaryRow>> {
    let summary = store.summary(&experiment.axes, cells)?;
    for metric in &question.metrics {
        if !cells.is_empty() && !summary.iter().any(|row| row.metric == *metric && row.split == question.split) {
            let mut known: Vec<&str> =
                summary.iter().filter(|row| row.split == question.split).map(|row| row.metric.as_str()).collect();
            known.sort_unstable();
            known.dedup();
            bail!("no run has a metric `{metric}` on the {} split\nhint: there are {}", question.split, listed(&known));
        }
    }
    let last_epoch = |row: &SummaryRow| {
        let same_group = summary.iter().filter(|other| other.group == row.group && other.split == row.split);
        same_group.filter_map(|other| other.epoch).max()
    };
    let is_asked = |row: &&SummaryRow| {
        row.split == question.split
            && question.metrics.contains(&row.metric)
            && (row.epoch.is_some() || !is_of_last_epoch(&row.metric, &row.settings))
            && (row.epoch.is_none() || row.epoch == last_epoch(row))
    };
    Ok(summary.iter().filter(is_asked).cloned().collect())
}

fn to_json(row: SummaryRow) -> RowJson {
    RowJson {
        group: row.group.into_iter().collect(),
        metric: row.metric,
        settings: serde_json::from_str(&row.settings).unwrap_or(Value::String(row.settings)),
        epoch: row.epoch,
        mean: row.estimate.mean,
        standard_deviation: row.estimate.standard_deviation,
        half_width_95: row.estimate.half_width,
        n: row.estimate.n,
    }
}

/// A metric's name with the settings it was computed with.
fn title(row: &SummaryRow) -> String {
    match text::settings(&row.settings) {
        settings if settings.is_empty() => row.metric.clone(),
        settings => format!("{} ({settings})", row.metric),
    }
}

fn entry(row: Option<&&SummaryRow>) -> Entry {
    row.map(|row| text::interval(row.estimate.mean, row.estimate.half_width)).unwrap_or_default().into()
}

/// Items in order of first appearance, each once.
fn distinct<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

/// The metrics' titles, in the order they were asked for.
fn titles(rows: &[SummaryRow], question: &Question) -> Vec<String> {
    let of = |metric: &String| distinct(rows.iter().filter(|row| row.metric == *metric).map(title));
    question.metrics.iter().flat_map(of).collect()
}

/// One line for each group, one column for each metric.
fn one_row_each(rows: &[SummaryRow], question: &Question, is_coloured: bool) -> String {
    let titles = titles(rows, question);
    let paths: Vec<&str> =
        rows.first().map(|row| row.group.iter().map(|(path, _)| short(path)).collect()).unwrap_or_default();
    let heads = paths.iter().map(|path| (*path, Align::Right));
    let heads = heads.chain(titles.iter().map(|title| (title.as_str(), Align::Right))).chain([("seeds", Align::Right)]);
    let mut table = Table::new(heads);
    for group in distinct(rows.iter().map(|row| &row.group)) {
        let members: Vec<&SummaryRow> = rows.iter().filter(|row| row.group == *group).collect();
        let mut entries: Vec<Entry> = group.iter().map(|(_, value)| text::value(value).into()).collect();
        entries.extend(titles.iter().map(|wanted| entry(members.iter().find(|row| title(row) == *wanted))));
        entries.push(members.iter().map(|row| row.estimate.n).max().unwrap_or(0).to_string().into());
        table.row(entries);
    }
    table.render(is_coloured)
}

/// One table for each metric: a column for each value at `path`, a line for what else varies.
fn by_path(rows: &[SummaryRow], question: &Question, path: &str, is_coloured: bool) -> String {
    let value_of = |row: &SummaryRow| {
        row.group.iter().find(|(other, _)| other == path).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let rest_of = |row: &SummaryRow| -> Vec<(String, Value)> {
        row.group.iter().filter(|(other, _)| other != path).cloned().collect()
    };
    let mut values = distinct(rows.iter().map(value_of));
    values.sort_by(filter::order);
    let mut text = String::new();
    for wanted in titles(rows, question) {
        let of_metric: Vec<&SummaryRow> = rows.iter().filter(|row| title(row) == wanted).collect();
        let rest: Vec<String> =
            of_metric.first().map(|row| rest_of(row)).unwrap_or_default().into_iter().map(|(path, _)| path).collect();
        let heads = rest.iter().map(|path| (short(path).to_owned(), Align::Right));
        let heads =
            heads.chain(values.iter().map(|value| (format!("{} {}", short(path), text::value(value)), Align::Right)));
        let mut table = Table::new(heads);
        for group in distinct(of_metric.iter().map(|row| rest_of(row))) {
            let mut entries: Vec<Entry> = group.iter().map(|(_, value)| text::value(value).into()).collect();
            entries.extend(
                values
                    .iter()
                    .map(|value| entry(of_metric.iter().find(|row| rest_of(row) == group && value_of(row) == *value))),
            );
            table.row(entries);
        }
        text.push_str(&format!("\n{wanted}\n{}", table.render(is_coloured)));
    }
    text
}

/// A path's last part, which is what a column has room for.
fn short(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn listed(items: &[&str]) -> String {
    if items.is_empty() {
        "nothing".to_owned()
    } else {
        items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ")
    }
}
