//! Tables of the final terms, and as CSV for programs; [`crate::tex`] makes them for papers.

mod closed_form;
mod images;

use std::collections::BTreeSet;

use record::summary::Estimate;
use serde_json::Value;
use spec::metric::{Input, Role, Unit};
use spec::{Metric, Scale, Split, Term};

use crate::axis::number;
use crate::csv;
use crate::notes;
use crate::records::{
    self, Group, MeasurementKey, Part, Records, differing_others, phrase_among, phrase_shared, terms_in_nats,
};
use crate::setting::{BETA, LATENT_DIM};
use crate::warnings::Warning;

/// One table: a line for each group of runs that differ in their seed alone.
#[derive(Clone, Debug)]
pub struct Table {
    /// The experiment's name.
    pub experiment: String,
    /// Its files' name without a suffix.
    pub name: String,
    /// What its lines have in common and what its numbers are.
    pub caption: String,
    /// What its numbers are.
    pub columns: Vec<Column>,
    /// Its lines.
    pub lines: Vec<Line>,
    /// The scale of its numbers in nats; `None` where what it has is measured in images, whatever the likelihood.
    pub scale: Option<Scale>,
    /// The settings other than latent dimension and β at which the lines differ.
    pub paths: Vec<String>,
    /// Whether there is something to say of these settings.
    pub has_phrases: bool,
}

/// A sentence about bounds on mutual information and marginal KL that say little.
const SATURATED: &str =
    " Bounds called saturated say little: the KL is above the logarithm of the number of images less 2 nats.";

/// One quantity.
#[derive(Clone, Debug)]
pub struct Column {
    /// For people.
    pub title: String,
    /// For programs.
    pub key: String,
    /// Digits behind the point.
    pub decimals: usize,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Names its group on a page.
    pub anchor: String,
    /// The scale of its models' nats.
    pub scale: Scale,
    /// Its settings in words, but for β and the latent dimension.
    pub phrase: String,
    /// Weight of the KL term; `None` for a model without one.
    pub beta: Option<f64>,
    /// Width of the latent space; `None` for a model without one.
    pub latent_dim: Option<f64>,
    /// By path; `None` where its model has no such setting.
    pub settings: Vec<Option<Value>>,
    /// How many seeds the means are over.
    pub n: usize,
    /// One for each column, over seeds.
    pub values: Vec<Option<Estimate>>,
    /// The column in which this line is the best of the table.
    pub best: Option<usize>,
}

impl Table {
    fn new(
        records: &Records,
        name: String,
        caption: String,
        columns: Vec<Column>,
        lines: Vec<Line>,
        groups: &[&Group],
    ) -> Table {
        let has_phrases = lines.iter().any(|line| line.phrase != lines[0].phrase);
        let (experiment, scale) = (records.name.clone(), Some(groups[0].cell.scale()));
        Table { experiment, name, caption, columns, lines, scale, paths: differing_others(groups), has_phrases }
    }

    /// Whether a line differs from the one before in more than the latent dimension.
    pub fn begins_block(&self, index: usize) -> bool {
        let block = |line: &Line| (line.phrase.clone(), line.beta);
        index == 0 || block(&self.lines[index - 1]) != block(&self.lines[index])
    }
}

/// The final terms, what else was measured and what has a closed form, each a table for each scale and the test images; and what was measured in images,
/// which stands together whatever the likelihood.
pub fn tables(records: &Records) -> Vec<Table> {
    let mut tables = Vec::new();
    for part in records.by_basis() {
        tables.push(terms(records, &part));
        tables.extend(measures(records, &part));
        tables.extend(closed_form::table(records, &part));
    }
    for part in records.by_dataset() {
        tables.extend(images::tables(records, &part));
    }
    tables
}

fn terms(records: &Records, part: &Part<'_>) -> Table {
    let groups = part.groups.as_slice();
    let objectives = !records::minimise_alike(groups);
    // What is counted stands behind what is in nats.
    let others = Metric::per_epoch().filter(|metric| metric.about().unit != Unit::Nats);
    let terms = records::terms(groups, terms_in_nats().chain(others));
    let terms: Vec<Term> = terms.into_iter().filter(|term| !(objectives && term.is_minimised())).collect();
    let column = |term: &Term| Column {
        title: term.title.to_owned(),
        key: term.key.to_owned(),
        decimals: term.metric.about().decimals,
    };
    let columns: Vec<Column> = terms.iter().map(column).collect();
    let mut lines = lines(groups, |group| terms.iter().map(|&term| Some(group.last_term(term)?.estimate)).collect());
    // The ELBO alone ranks runs of different β; the other terms are traded against each other.
    let elbo = terms.iter().position(|term| term.metric == Metric::Elbo);
    let best = elbo.and_then(|column| best(&lines, column));
    if let Some(best) = best {
        lines[best].best = elbo;
    }
    let caption = format!(
        "{} on {}: {} on the test images after training, in nats per image ({}){}; {}.{}{}{}{}{}{}{}",
        records.name,
        records.dataset,
        if elbo.is_some() { "terms of the ELBO" } else { "the terms of models without a bound" },
        scale(part),
        if terms.iter().any(|term| term.metric == Metric::ActiveUnits) { ", and active units" } else { "" },
        over(&lines),
        if best.is_some() { " The ELBO in bold is the best, and its interval overlaps no other." } else { "" },
        if objectives { " What is minimised differs between these models, so that it has no column." } else { "" },
        notes::floor(groups),
        notes::exact(groups),
        notes::given(groups, false),
        notes::missing(records),
        notes::warned(records, groups, Warning::concerns_numbers),
    );
    Table::new(records, format!("elbo-terms{}", part.suffix), caption, columns, lines, groups)
}

/// The line with the largest value in a column, if its interval overlaps that of no other line; of a single seed nothing is known.
fn best(lines: &[Line], column: usize) -> Option<usize> {
    let of = |line: &Line| line.values[column];
    let valued = || lines.iter().enumerate().filter_map(|(index, line)| Some((index, of(line)?)));
    let (best, largest) = valued().max_by(|(_, a), (_, b)| a.mean.total_cmp(&b.mean))?;
    let low = largest.mean - largest.half_width?;
    let mut others = valued().filter(|(index, _)| *index != best).peekable();
    others.peek()?;
    others.all(|(_, other)| other.half_width.is_some_and(|half| other.mean + half < low)).then_some(best)
}

/// What was measured on the trained models besides the terms and in images; none where that is nothing or the floor alone.
fn measures(records: &Records, part: &Part<'_>) -> Option<Table> {
    let groups = part.groups.as_slice();
    let has_floor = notes::gray_bce_floor(groups).is_some();
    let measures = measured(groups, |measure| {
        // Terms of training images stand beside their closed form, in a table of their own.
        let is_term = measure.metric.about().per_epoch.is_some() && measure.split == Split::Train;
        let is_tabled = !is_term && !matches!(measure.metric.about().role, Role::Images | Role::Curve);
        is_tabled && !(has_floor && measure.is_floor())
    });
    if measures.is_empty() {
        return None;
    }
    let (columns, lines) = columns(groups, &measures);
    let units = units(&measures);
    let caption = format!(
        "{} on {}: measured on the trained models on the test images ({}), in nats per image{}; {}.{}{}{}{}{}{}{}",
        records.name,
        records.dataset,
        scale(part),
        if units.is_empty() { String::new() } else { format!(" ({units})") },
        over(&lines),
        notes_on_fewer(&measures),
        if measures.iter().any(|measure| measure.width.is_some()) {
            " The density of latent means depends on the units of each model's latent space and ranks no models."
        } else {
            ""
        },
        if measures.iter().any(|measure| measure.settings.saturated == Some(true)) { SATURATED } else { "" },
        notes::given(groups, measures.iter().any(|measure| measure.settings.input == Some(Input::Corrupted))),
        notes::clipped(groups),
        notes::missing(records),
        notes::warned(records, groups, Warning::concerns_measures),
    );
    Some(Table::new(records, format!("evaluation{}", part.suffix), caption, columns, lines, groups))
}

/// What was measured on some run of these groups and is wanted, in the order of columns: what all groups have comes before what some
/// have.
fn measured<'a>(groups: &[&'a Group], is_wanted: impl Fn(&MeasurementKey) -> bool) -> Vec<&'a MeasurementKey> {
    let all = groups.iter().flat_map(|group| &group.runs).flat_map(|run| &run.measures).map(|(measure, _)| measure);
    let wanted: BTreeSet<&MeasurementKey> = all.filter(|measure| is_wanted(measure)).collect();
    let of_all = |wanted: &&MeasurementKey| groups.iter().all(|group| group.measure(|one| one == *wanted).is_some());
    let (whole, some): (Vec<&MeasurementKey>, Vec<&MeasurementKey>) = wanted.into_iter().partition(of_all);
    [whole, some].concat()
}

/// A column for each of these measures, and the lines that have their values.
fn columns(groups: &[&Group], measures: &[&MeasurementKey]) -> (Vec<Column>, Vec<Line>) {
    let column = |measure: &&MeasurementKey| Column {
        title: measure.title(),
        key: measure.name(),
        decimals: measure.metric.about().decimals,
    };
    let value = |group: &Group, wanted: &MeasurementKey| Some(group.measure(|one| one == wanted)?.estimate);
    let lines = lines(groups, |group| measures.iter().map(|wanted| value(group, wanted)).collect());
    (measures.iter().map(column).collect(), lines)
}

/// The units of these measures but for nats: `PSNR: dB; equivalent blur: pixels`.
fn units(measures: &[&MeasurementKey]) -> String {
    let abouts = measures.iter().map(|measure| measure.metric.about());
    let abouts = abouts.filter(|about| !matches!(about.unit, Unit::Nats | Unit::None));
    let units: BTreeSet<String> = abouts.map(|about| format!("{}: {}", about.title, about.unit.words())).collect();
    units.into_iter().collect::<Vec<_>>().join("; ")
}

/// A sentence about columns over a part of the images.
fn notes_on_fewer(measures: &[&MeasurementKey]) -> &'static str {
    if measures.iter().any(|measure| measure.images.is_some()) {
        " A column that names a number of images is over so many, and does not compare with what is over all."
    } else {
        ""
    }
}

fn lines(groups: &[&Group], values: impl Fn(&Group) -> Vec<Option<Estimate>>) -> Vec<Line> {
    let paths = differing_others(groups);
    let line = |group: &&Group| Line {
        anchor: group.anchor(),
        scale: group.cell.scale(),
        phrase: phrase_among(group, groups),
        beta: group.number(BETA),
        latent_dim: group.number(LATENT_DIM),
        settings: paths.iter().map(|path| group.value(path).cloned()).collect(),
        n: group.runs.len(),
        values: values(group),
        best: None,
    };
    groups.iter().map(line).collect()
}

/// What the numbers are on, and of which models where there is no column that says so: `scale gray-bce: VAE, Bernoulli`.
fn scale(part: &Part<'_>) -> String {
    let shared = phrase_shared(&part.groups);
    let whose = if part.suffix.is_empty() || shared.is_empty() { String::new() } else { format!(": {shared}") };
    format!("scale {}{whose}", part.basis)
}

/// What the numbers are means over.
fn over(lines: &[Line]) -> String {
    let seeds: BTreeSet<usize> = lines.iter().map(|line| line.n).collect();
    match seeds.into_iter().collect::<Vec<_>>().as_slice() {
        [1] => "one seed each, so without intervals".to_owned(),
        [n] => format!("mean ± half width of the 95 % t-interval over n = {n} seeds"),
        [1, ..] => "mean ± half width of the 95 % t-interval over n seeds, without one where n = 1".to_owned(),
        _ => "mean ± half width of the 95 % t-interval over n seeds".to_owned(),
    }
}

/// One line per group, six digits behind the point; what is absent is an empty field.
pub fn csv(table: &Table) -> String {
    let keys = table.columns.iter().flat_map(|column| [column.key.clone(), format!("{}_half_width_95", column.key)]);
    let head = ["scale", "variant", "beta", "latent_dim"].map(str::to_owned).into_iter();
    let head = head.chain(table.paths.iter().cloned()).chain(["n_seeds".to_owned()]).chain(keys);
    let lines = table.lines.iter().map(|line| {
        let quantity = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let number = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
        let setting = |value: &Option<Value>| value.as_ref().map(written).unwrap_or_default();
        let group =
            [line.scale.as_str().to_owned(), line.phrase.clone(), quantity(line.beta), quantity(line.latent_dim)];
        let settings = line.settings.iter().map(setting).chain([line.n.to_string()]);
        let values = line.values.iter().flat_map(|e| [number(e.map(|e| e.mean)), number(e.and_then(|e| e.half_width))]);
        group.into_iter().chain(settings).chain(values).collect()
    });
    csv::write(std::iter::once(head.collect()).chain(lines))
}

/// A setting's value for programs: words bare, anything else as JSON.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// A quantity as short as it can be told, or what stands for one that a model does not have.
pub fn quantity(value: Option<f64>, absent: &str) -> String {
    value.map_or_else(|| absent.to_owned(), number)
}

/// Mean and half width with so many decimals; whole counts of one run have none.
pub fn rounded(estimate: &Estimate, decimals: usize) -> (String, Option<String>) {
    if decimals == 1 && estimate.half_width.is_none_or(|h| h == 0.0) && estimate.mean.fract() == 0.0 {
        return (format!("{:.0}", estimate.mean), None);
    }
    (format!("{:.decimals$}", estimate.mean), estimate.half_width.map(|h| format!("{h:.decimals$}")))
}
