//! Tables of the final terms, as CSV for programs and as TeX (booktabs) for papers.

use std::collections::{BTreeMap, BTreeSet};

use record::summary::Estimate;
use serde_json::Value;
use spec::metric::Unit;
use spec::{Metric, Scale};

use crate::axis::number;
use crate::csv;
use crate::escape;
use crate::notes;
use crate::records::{Group, MeasurementKey, Part, Records, differing_others, phrase_among, terms_in_nats};
use crate::setting::{BETA, LATENT_DIM};

/// One table: a line for each group of runs that differ in their seed alone.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its files' name without a suffix.
    pub name: String,
    /// What its lines have in common and what its numbers are.
    pub caption: String,
    /// What its numbers are.
    pub columns: Vec<Column>,
    /// Its lines.
    pub lines: Vec<Line>,
    /// The scale of all its numbers.
    pub scale: Scale,
    /// The settings other than latent dimension and β at which the lines differ.
    pub paths: Vec<String>,
    /// Whether there is something to say of these settings.
    pub has_phrases: bool,
}

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
    fn new(name: String, caption: String, columns: Vec<Column>, lines: Vec<Line>, groups: &[&Group]) -> Table {
        let has_phrases = lines.iter().any(|line| line.phrase != lines[0].phrase);
        let scale = groups[0].cell.scale();
        Table { name, caption, columns, lines, scale, paths: differing_others(groups), has_phrases }
    }

    /// Whether a line differs from the one before in more than the latent dimension.
    pub fn begins_block(&self, index: usize) -> bool {
        let block = |line: &Line| (line.phrase.clone(), line.beta);
        index == 0 || block(&self.lines[index - 1]) != block(&self.lines[index])
    }
}

/// The final terms and what else was measured, each a table for each scale and the test images.
pub fn tables(records: &Records) -> Vec<Table> {
    let mut tables = Vec::new();
    for part in records.by_basis() {
        tables.push(terms(records, &part));
        tables.extend(measures(records, &part));
    }
    tables
}

fn terms(records: &Records, part: &Part<'_>) -> Table {
    let groups = part.groups.as_slice();
    // What is counted stands behind what is in nats.
    let others = Metric::per_epoch().filter(|metric| !terms_in_nats().any(|term| term == *metric));
    let metrics: Vec<Metric> = terms_in_nats().chain(others).collect();
    let column = |metric: &Metric| Column {
        title: metric.about().title.to_owned(),
        key: metric.name().to_owned(),
        decimals: metric.about().decimals,
    };
    let mut columns: Vec<Column> = metrics.iter().map(column).collect();
    let mut lines = lines(groups, |group| metrics.iter().map(|&metric| group.last(metric)).collect());
    // The ELBO alone ranks runs of different β; the other terms are traded against each other.
    let elbo = |line: &Line| line.values[0].map(|e| e.mean);
    let best = lines.iter().filter_map(elbo).fold(f64::NEG_INFINITY, f64::max);
    if lines.len() > 1 {
        for line in &mut lines {
            line.best = (elbo(line) == Some(best)).then_some(0);
        }
    }
    let has_bound = lines.iter().any(|line| elbo(line).is_some());
    let caption = format!(
        "{} on {}: {} on the test images after training, in nats per image (scale {}), and active units; {}.{}{}{}{}",
        records.name,
        records.dataset,
        if has_bound { "terms of the ELBO" } else { "the terms of models without a bound" },
        part.basis,
        over(&lines),
        if has_bound { " Best ELBO in bold." } else { "" },
        notes::floor(groups),
        notes::one_sample(groups),
        notes::missing(records),
    );
    // Models of other families have no use for a column, such as the discriminator's.
    let is_used: Vec<bool> = (0..columns.len()).map(|i| lines.iter().any(|line| line.values[i].is_some())).collect();
    let mut used = is_used.iter();
    columns.retain(|_| used.next() == Some(&true));
    for line in &mut lines {
        let mut used = is_used.iter();
        line.values.retain(|_| used.next() == Some(&true));
    }
    Table::new(format!("elbo-terms{}", part.suffix), caption, columns, lines, groups)
}

/// What was measured on the trained models besides the terms; none where that is nothing or the floor alone.
fn measures(records: &Records, part: &Part<'_>) -> Option<Table> {
    let groups = part.groups.as_slice();
    let all = groups.iter().flat_map(|group| &group.runs).flat_map(|run| &run.measures);
    let by_name: BTreeMap<String, &MeasurementKey> = all.map(|(measure, _)| (measure.name(), measure)).collect();
    let has_floor = notes::gray_bce_floor(groups).is_some();
    let measures: Vec<&MeasurementKey> =
        by_name.into_values().filter(|measure| !(has_floor && measure.is_floor())).collect();
    if measures.is_empty() {
        return None;
    }
    let column = |measure: &&MeasurementKey| {
        let key = measure.name();
        Column { title: key.replace('_', " "), key, decimals: measure.metric.about().decimals }
    };
    let lines = lines(groups, |group| measures.iter().map(|&wanted| group.measure(|one| one == wanted)).collect());
    let abouts = measures.iter().map(|measure| measure.metric.about()).filter(|about| about.unit != Unit::Nats);
    let units: BTreeSet<String> = abouts.map(|about| format!("{}: {}", about.title, about.unit.words())).collect();
    let units: Vec<String> = units.into_iter().collect();
    let caption = format!(
        "{} on {}: measured on the trained models (scale {}), in nats per image unless the name says otherwise{}; {}.{}",
        records.name,
        records.dataset,
        part.basis,
        if units.is_empty() { String::new() } else { format!(" ({})", units.join("; ")) },
        over(&lines),
        notes::missing(records),
    );
    let columns = measures.iter().map(column).collect();
    Some(Table::new(format!("evaluation{}", part.suffix), caption, columns, lines, groups))
}

fn lines(groups: &[&Group], values: impl Fn(&Group) -> Vec<Option<Estimate>>) -> Vec<Line> {
    let paths = differing_others(groups);
    let line = |group: &&Group| Line {
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

/// What the numbers are means over.
fn over(lines: &[Line]) -> String {
    let seeds: BTreeSet<usize> = lines.iter().map(|line| line.n).collect();
    match seeds.into_iter().collect::<Vec<_>>().as_slice() {
        [1] => "one seed each, so without intervals".to_owned(),
        [n] => format!("mean ± half width of the 95 % t-interval over n = {n} seeds"),
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
            [table.scale.as_str().to_owned(), line.phrase.clone(), quantity(line.beta), quantity(line.latent_dim)];
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

/// A `table` environment that needs the package booktabs.
pub fn tex(table: &Table) -> String {
    let (setting, head) = if table.has_phrases { ("l", "setting & ") } else { ("", "") };
    let titles: Vec<String> = table.columns.iter().map(|column| escape::tex(&column.title)).collect();
    let mut out = format!(
        "% needs \\usepackage{{booktabs}}\n\\begin{{table}}\n  \\centering\n  \\small\n  \\caption{{{}}}\n  \\label{{tab:{}}}\n  \
         \\begin{{tabular}}{{{setting}rrr{}}}\n    \\toprule\n    {head}$\\beta$ & $D$ & $n$ & {} \\\\\n    \\midrule\n",
        escape::tex(&table.caption),
        table.name,
        "r".repeat(titles.len()),
        titles.join(" & "),
    );
    for (index, line) in table.lines.iter().enumerate() {
        let is_new = table.begins_block(index);
        if is_new && index > 0 {
            out.push_str("    \\addlinespace\n");
        }
        let once = |text: String| if is_new { escape::tex(&text) } else { String::new() };
        let mut fields = Vec::new();
        if table.has_phrases {
            fields.push(once(line.phrase.clone()));
        }
        fields.push(once(quantity(line.beta, "--")));
        fields.extend([quantity(line.latent_dim, "--"), line.n.to_string()]);
        for (index, (estimate, column)) in line.values.iter().zip(&table.columns).enumerate() {
            fields.push(tex_number(estimate.as_ref(), line.best == Some(index), column.decimals));
        }
        out.push_str(&format!("    {} \\\\\n", fields.join(" & ")));
    }
    out.push_str("    \\bottomrule\n  \\end{tabular}\n\\end{table}\n");
    out
}

/// A quantity as short as it can be told, or what stands for one that a model does not have.
pub fn quantity(value: Option<f64>, absent: &str) -> String {
    value.map_or_else(|| absent.to_owned(), number)
}

fn tex_number(estimate: Option<&Estimate>, best: bool, decimals: usize) -> String {
    let Some(estimate) = estimate else { return "--".to_owned() };
    let (mean, half) = rounded(estimate, decimals);
    let mean = if best { format!("\\mathbf{{{mean}}}") } else { mean };
    match half {
        Some(half) => format!("${mean} \\pm {half}$"),
        None => format!("${mean}$"),
    }
}

/// Mean and half width with so many decimals; whole counts of one run have none.
pub fn rounded(estimate: &Estimate, decimals: usize) -> (String, Option<String>) {
    if decimals == 1 && estimate.half_width.is_none_or(|h| h == 0.0) && estimate.mean.fract() == 0.0 {
        return (format!("{:.0}", estimate.mean), None);
    }
    (format!("{:.decimals$}", estimate.mean), estimate.half_width.map(|h| format!("{h:.decimals$}")))
}
