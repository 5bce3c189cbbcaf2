//! `elbo compare`: an experiment's cells beside each other, mean ± 95 % interval over seeds.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use figures::Assessment;
use record::summary::{SEED, SummaryRow};
use record::{Status, Store};
use serde::Serialize;
use serde_json::{Map, Value};
use spec::{Basis, Cell, Experiment, Metric, MetricSettings, Split};

use crate::args::CompareArgs;
use crate::assessment::{self, FindingJson, WarningJson};
use crate::filter::{self, Condition};
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;
use crate::text;
use crate::text_table::{Align, TableEntry, TextTable};
use crate::verdicts::{self, ClaimsJson};

/// What is said where there are several test splits.
const IMAGES: &str = "numbers over different test images cannot be compared";
/// What is said where there are several scales.
const SCALES: &str = "numbers on different scales cannot be compared: gray-bce is a cross-entropy on gray values, bernoulli a likelihood of \
                      binary pixels, gray-levels one of 256 gray levels, gaussian-density a density";
/// The most cells that a note names.
const NAMED: usize = 5;

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct CompareRequest {
    by: Option<String>,
    /// Empty for the usual ones, as far as the models have them.
    metrics: Vec<Metric>,
    /// What was asked for and is no metric.
    unknown: Option<String>,
    split: Split,
    conditions: Vec<Condition>,
}

impl CompareRequest {
    /// Reads what was typed.
    ///
    /// # Errors
    /// If a condition cannot be read or there is no such split.
    pub fn resolve(args: &CompareArgs) -> Result<CompareRequest> {
        let Some(split) = Split::from_name(&args.split) else { bail!("there is no split `{}`", args.split) };
        Ok(CompareRequest {
            by: args.by.clone(),
            metrics: args.metrics.iter().filter_map(|name| name.parse().ok()).collect(),
            unknown: args.metrics.iter().find(|name| name.parse::<Metric>().is_err()).cloned(),
            split,
            conditions: Condition::parse_all(&args.conditions)?,
        })
    }

    /// What stands under a sweep: these, or else the ELBO and its terms, on the test images.
    pub fn usual(metrics: Vec<Metric>) -> CompareRequest {
        CompareRequest { by: None, metrics, unknown: None, split: Split::Test, conditions: Vec::new() }
    }

    /// Refuses what no run has been measured for.
    ///
    /// # Errors
    /// If nothing was measured on the split, or no run has a metric that was asked for.
    fn check(&self, summary: &[SummaryRow]) -> Result<()> {
        if summary.is_empty() {
            return Ok(());
        }
        let metrics = metrics_on(summary, self.split);
        let mut known: Vec<&str> = metrics.iter().map(|metric| metric.name()).collect();
        known.sort_unstable();
        if known.is_empty() {
            let splits: Vec<&str> = distinct(summary.iter().map(|row| row.split.as_str()));
            bail!("nothing was measured on the {} split\nhint: --split may be {}", self.split, listed(&splits));
        }
        let absent = self.metrics.iter().find(|metric| !metrics.contains(metric)).map(|metric| metric.name());
        if let Some(metric) = self.unknown.as_deref().or(absent) {
            bail!("no run has a metric `{metric}` on the {} split\nhint: there are {}", self.split, listed(&known));
        }
        Ok(())
    }

    /// The metrics to show of a summary: those that were asked for, else the terms of the bound and diagnostics as far as its
    /// models have any, else their losses.
    fn metrics_of(&self, summary: &[SummaryRow]) -> Vec<Metric> {
        if !self.metrics.is_empty() {
            return self.metrics.clone();
        }
        let known = metrics_on(summary, self.split);
        let usual: Vec<Metric> = Metric::listed().filter(|metric| known.contains(metric)).collect();
        if usual.is_empty() { Metric::losses().filter(|metric| known.contains(metric)).collect() } else { usual }
    }
}

/// Every metric of a split, once.
fn metrics_on(summary: &[SummaryRow], split: Split) -> Vec<Metric> {
    distinct(summary.iter().filter(|row| row.split == split).map(|row| row.metric))
}

#[derive(Serialize)]
struct CompareJson<'a> {
    name: &'a str,
    split: &'static str,
    scale: Option<&'static str>,
    rows: Vec<RowJson>,
    findings: Vec<FindingJson>,
    warnings: Vec<WarningJson>,
    /// `null` where the experiment makes no claims, or only some of its cells are looked at.
    judged: Option<ClaimsJson>,
}

/// One metric of the runs that differ in nothing but their seed.
#[derive(Serialize)]
struct RowJson {
    /// Value by path, of each axis but the seed.
    group: Map<String, Value>,
    scale: &'static str,
    metric: Metric,
    /// What a metric of the evaluation was computed with.
    settings: MetricSettings,
    /// `null` for what was measured on the trained model.
    epoch: Option<u32>,
    /// How many images it is a mean over, where that is not the whole split.
    images: Option<u64>,
    mean: f64,
    standard_deviation: Option<f64>,
    half_width_95: Option<f64>,
    /// Seeds.
    n: usize,
}

/// Prints the comparison.
///
/// # Errors
/// If records cannot be read, or a path or metric is unknown.
pub fn compare(settings: &Settings, experiment: &Experiment, request: &CompareRequest, json: bool) -> Result<Outcome> {
    let store = settings.store()?;
    for condition in &request.conditions {
        condition.check_path(&experiment.cells)?;
    }
    let chosen: Vec<&Cell> = experiment
        .cells
        .iter()
        .filter(|cell| request.conditions.iter().all(|condition| condition.holds(cell)))
        .collect();
    if let Some(path) = &request.by {
        let axes: Vec<&str> =
            experiment.axes.iter().map(|axis| axis.path.as_str()).filter(|&axis| axis != SEED).collect();
        if path == SEED {
            bail!(
                "`{SEED}` is what numbers are averaged over\nhint: what else varies is {}; `elbo list` shows single runs",
                listed(&axes)
            );
        }
        if !axes.contains(&path.as_str()) {
            bail!("`{path}` does not vary in `{}`\nhint: what varies is {}", experiment.name, listed(&axes));
        }
    }
    let (cells, n_missing) = done(&chosen, &store)?;
    let summary = store.summary(&experiment.axes, &cells)?;
    request.check(&summary)?;
    let of_basis = |(basis, cells): (Basis, Vec<Cell>)| {
        let summary: Vec<SummaryRow> = summary.iter().filter(|row| row.basis == basis).cloned().collect();
        (basis, cells, rows(&summary, request))
    };
    let parts: Vec<(Basis, Vec<Cell>, Vec<SummaryRow>)> = by_basis(&cells).into_iter().map(of_basis).collect();
    let bases: Vec<Basis> = parts.iter().map(|(basis, ..)| basis.clone()).collect();
    let scales = bases.iter().any(|basis| basis.scale != bases[0].scale);
    let images = Basis::share_a_scale(&bases);
    let assessment = assessed(experiment, &chosen, request.split, &store)?;
    if json {
        let scale = parts.first().filter(|_| !scales).map(|(basis, ..)| basis.scale.as_str());
        let rows = parts.into_iter().flat_map(|(_, _, rows)| rows).map(to_json).collect();
        output::print_json(&CompareJson {
            name: &experiment.name,
            split: request.split.as_str(),
            scale,
            rows,
            findings: assessment.findings.into_iter().map(FindingJson::from).collect(),
            warnings: assessment.warnings.into_iter().map(WarningJson::from).collect(),
            judged: assessment.judged.map(ClaimsJson::from),
        })?;
    } else {
        let mut notes = Vec::new();
        for (basis, cells, rows) in parts.iter().filter(|(_, _, rows)| !rows.is_empty()) {
            let table = match &request.by {
                Some(path) => by_path(rows, request, path, settings.is_coloured),
                None => one_row_each(rows, request, settings.is_coloured),
            };
            output::print(&format!("{}{table}", heading(rows, request.split, basis, images)))?;
            notes.extend(without_bound(cells, request, &store)?);
        }
        output::print(&assessment::findings(&assessment))?;
        output::print(&verdicts::tables(assessment.judged.as_ref(), settings.is_coloured))?;
        notes.iter().for_each(|note| output::say(note));
        if scales {
            output::say(SCALES);
        }
        if images {
            output::say(IMAGES);
        }
        assessment::warn(&assessment.warnings);
    }
    let n_chosen = text::counted(chosen.len(), "cell");
    if chosen.is_empty() {
        let of = text::counted(experiment.cells.len(), "cell");
        output::say(&format!("none of the {of} meets these conditions\nhint: `elbo plan` lists the cells"));
    } else if cells.is_empty() {
        let none = if chosen.len() == 1 {
            "the cell is not done".to_owned()
        } else {
            format!("none of the {n_chosen} is done")
        };
        output::say(&format!("{none}\nhint: `elbo plan` shows what is missing"));
    } else if n_missing > 0 {
        output::say(&format!("{n_missing} of {n_chosen} are not done and left out"));
    }
    Ok(Outcome::Well)
}

/// What the chosen cells' runs show on the test images; nothing on another split.
fn assessed(experiment: &Experiment, chosen: &[&Cell], split: Split, store: &Store) -> Result<Assessment> {
    if split != Split::Test {
        return Ok(Assessment::default());
    }
    let cells: Vec<Cell> = chosen.iter().map(|cell| (*cell).clone()).collect();
    // Claims are about the whole experiment.
    let claims = if cells.len() == experiment.cells.len() { experiment.claims.clone() } else { Vec::new() };
    Ok(figures::assess(&Experiment { cells, claims, ..experiment.clone() }, store)?)
}

/// Cells by what their numbers are on.
fn by_basis(cells: &[Cell]) -> Vec<(Basis, Vec<Cell>)> {
    let mut bases: BTreeMap<Basis, Vec<Cell>> = BTreeMap::new();
    for cell in cells {
        bases.entry(cell.basis()).or_default().push(cell.clone());
    }
    bases.into_iter().collect()
}

/// The table under a sweep, one part for each scale, since scales are never mixed; with −log p(x) where it was asked for and is on record.
///
/// # Errors
/// If records cannot be read.
pub fn results(experiment: &Experiment, store: &Store, is_coloured: bool) -> Result<String> {
    let (cells, _) = done(&experiment.cells.iter().collect::<Vec<_>>(), store)?;
    let mut text = String::new();
    let bases = by_basis(&cells);
    let has_images = Basis::share_a_scale(&bases.iter().map(|(basis, _)| basis.clone()).collect::<Vec<_>>());
    for (basis, of_basis) in bases {
        let mut is_measured = false;
        for cell in &of_basis {
            let id = cell.run_id();
            let asked = experiment.evaluation_of(&id);
            is_measured = is_measured || asked.map_or(Ok(false), |asked| store.run(&id).is_evaluated(&asked))?;
        }
        // What was measured has a bound, and so its terms.
        let metrics = if is_measured { Metric::listed().chain([basis.scale.nll()]).collect() } else { Vec::new() };
        let request = CompareRequest::usual(metrics);
        let rows = rows(&store.summary(&experiment.axes, &of_basis)?, &request);
        text.push_str(&heading(&rows, request.split, &basis, has_images));
        text.push_str(&one_row_each(&rows, &request, is_coloured));
        if let Some(note) = without_bound(&of_basis, &request, store)? {
            text.push_str(&format!("{note}\n"));
        }
    }
    Ok(text)
}

/// Which of the cells have no ELBO, where it is asked for; a line.
fn without_bound(cells: &[Cell], request: &CompareRequest, store: &Store) -> Result<Option<String>> {
    if !request.metrics.is_empty() && !request.metrics.contains(&Metric::Elbo) {
        return Ok(None);
    }
    let mut names = Vec::new();
    for cell in cells {
        let manifest = store.run(&cell.run_id()).manifest()?;
        let last = manifest.result();
        if last.is_some_and(|last| last.splits.values().all(|terms| terms.get(Metric::Elbo).is_none())) {
            names.push(cell.readable_name());
        }
    }
    let named: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    let others = match names.len() - named.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Ok((!names.is_empty()).then(|| format!("no variational bound, hence no ELBO: {}{others}", listed(&named))))
}

/// What a table's numbers are; it names the test images where there are others.
fn heading(rows: &[SummaryRow], split: Split, basis: &Basis, has_images: bool) -> String {
    let metrics: BTreeSet<Metric> = rows.iter().map(|row| row.metric).collect();
    let units = text::units(metrics, Metric::name);
    let of = if has_images { format!(" of {}", basis.images) } else { String::new() };
    let over = match rows.iter().map(|row| row.estimate.n).max() {
        Some(2..) => "mean ± 95 % interval over seeds",
        _ => "one seed, so without an interval",
    };
    format!("{split} split{of}, {units}, scale {}, {over}\n", basis.scale)
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

/// The asked-for rows of each group, at its last epoch, or the one that each run kept, or of its evaluation; groups in the experiment's order.
fn rows(summary: &[SummaryRow], request: &CompareRequest) -> Vec<SummaryRow> {
    /// What is on record of a group's split: its last epoch, and whether its runs kept another.
    struct Curve<'a> {
        of: &'a SummaryRow,
        last_epoch: Option<u32>,
        is_kept: bool,
    }
    let is_same = |a: &SummaryRow, b: &SummaryRow| a.split == b.split && a.group == b.group;
    let mut curves: Vec<Curve<'_>> = Vec::new();
    // Rows of a group follow each other, so that the search ends at once.
    for row in summary {
        let index = curves.iter().rposition(|curve| is_same(curve.of, row)).unwrap_or_else(|| {
            curves.push(Curve { of: row, last_epoch: None, is_kept: false });
            curves.len() - 1
        });
        curves[index].last_epoch = curves[index].last_epoch.max(row.epoch);
        curves[index].is_kept |= row.is_of_kept_epoch();
    }
    let metrics = request.metrics_of(summary);
    let is_last = |row: &SummaryRow| {
        let curve = curves.iter().find(|curve| is_same(curve.of, row));
        curve.is_some_and(|curve| row.epoch == curve.last_epoch && !curve.is_kept)
    };
    let is_asked = |row: &&SummaryRow| {
        row.split == request.split
            && metrics.contains(&row.metric)
            && (row.epoch.is_some() || !row.settings.repeat_last_epoch(row.metric))
            && (row.epoch.is_none() || (!row.metric.needs_settings() && is_last(row)))
    };
    summary.iter().filter(is_asked).cloned().collect()
}

fn to_json(row: SummaryRow) -> RowJson {
    RowJson {
        group: row.group.into_iter().collect(),
        scale: row.basis.scale.as_str(),
        metric: row.metric,
        settings: row.settings,
        epoch: row.epoch,
        images: row.images,
        mean: row.estimate.mean,
        standard_deviation: row.estimate.standard_deviation,
        half_width_95: row.estimate.half_width,
        n: row.estimate.n,
    }
}

/// A metric's name with what it was computed with.
fn title(row: &SummaryRow) -> String {
    text::metric_with(row.term.key, &row.settings, row.images, row.width)
}

fn entry(row: Option<&&SummaryRow>) -> TableEntry {
    let shown = |row: &&SummaryRow| text::interval(row.metric, row.estimate.mean, row.estimate.half_width);
    row.map_or_else(|| "–".to_owned(), shown).into()
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
fn titles(rows: &[SummaryRow], request: &CompareRequest) -> Vec<String> {
    let of = |metric: Metric| distinct(rows.iter().filter(|row| row.metric == metric).map(title));
    match request.metrics.as_slice() {
        [] => Metric::listed().chain(Metric::losses()).flat_map(of).collect(),
        asked => asked.iter().copied().flat_map(of).collect(),
    }
}

/// One line for each group, one column for each metric.
fn one_row_each(rows: &[SummaryRow], request: &CompareRequest, is_coloured: bool) -> String {
    let titles = titles(rows, request);
    let paths: Vec<&str> =
        rows.first().map(|row| row.group.iter().map(|(path, _)| short(path)).collect()).unwrap_or_default();
    let heads = paths.iter().map(|path| (*path, Align::Right));
    let heads = heads.chain(titles.iter().map(|title| (title.as_str(), Align::Right))).chain([("seeds", Align::Right)]);
    let mut table = TextTable::new(heads);
    for group in distinct(rows.iter().map(|row| &row.group)) {
        let members: Vec<&SummaryRow> = rows.iter().filter(|row| row.group == *group).collect();
        let mut entries: Vec<TableEntry> = group.iter().map(|(_, value)| text::value(value).into()).collect();
        entries.extend(titles.iter().map(|wanted| entry(members.iter().find(|row| title(row) == *wanted))));
        entries.push(members.iter().map(|row| row.estimate.n).max().unwrap_or(0).to_string().into());
        table.row(entries);
    }
    table.render(is_coloured)
}

/// One table for each metric: a column for each value at `path`, a line for what else varies.
fn by_path(rows: &[SummaryRow], request: &CompareRequest, path: &str, is_coloured: bool) -> String {
    let value_of = |row: &SummaryRow| {
        row.group.iter().find(|(other, _)| other == path).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let rest_of = |row: &SummaryRow| -> Vec<(String, Value)> {
        row.group.iter().filter(|(other, _)| other != path).cloned().collect()
    };
    let mut values = distinct(rows.iter().map(value_of));
    values.sort_by(filter::order);
    let mut text = String::new();
    for wanted in titles(rows, request) {
        let of_metric: Vec<&SummaryRow> = rows.iter().filter(|row| title(row) == wanted).collect();
        let rest: Vec<String> =
            of_metric.first().map(|row| rest_of(row)).unwrap_or_default().into_iter().map(|(path, _)| path).collect();
        let heads = rest.iter().map(|path| (short(path).to_owned(), Align::Right));
        let heads =
            heads.chain(values.iter().map(|value| (format!("{} {}", short(path), text::value(value)), Align::Right)));
        let mut table = TextTable::new(heads);
        for group in distinct(of_metric.iter().map(|row| rest_of(row))) {
            let mut entries: Vec<TableEntry> = group.iter().map(|(_, value)| text::value(value).into()).collect();
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
