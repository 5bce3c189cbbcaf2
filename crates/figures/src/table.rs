//! Tables of the final terms, as CSV for programs and as TeX (booktabs) for papers.

use std::collections::BTreeSet;

use spec::Scale;

use crate::axis::number;
use crate::escape;
use crate::stats::Estimate;
use crate::sweep::{FLOOR, Group, Sweep, Term, floor_note, gray_bce_floor, one_sample_note, variants};

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
    /// Whether the lines differ in other settings than latent dimension and β.
    pub has_variants: bool,
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
    /// Other swept settings, in words.
    pub variant: String,
    /// Weight of the KL term.
    pub beta: f64,
    /// Width of the latent space.
    pub latent_dim: usize,
    /// How many seeds the means are over.
    pub n: usize,
    /// One for each column, over seeds.
    pub values: Vec<Option<Estimate>>,
    /// The column in which this line is the best of the table.
    pub best: Option<usize>,
}

/// The final terms and what else was measured, each a table for each scale.
pub fn tables(sweep: &Sweep) -> Vec<Table> {
    let scales = sweep.scales();
    let several = scales.len() > 1;
    let mut tables = Vec::new();
    for (scale, groups) in scales {
        let name = |name: &str| if several { format!("{name}-{}", scale.as_str()) } else { name.to_owned() };
        tables.push(terms(sweep, scale, &groups, name("elbo-terms")));
        tables.extend(measures(sweep, scale, &groups, name("evaluation")));
    }
    tables
}

fn terms(sweep: &Sweep, scale: Scale, groups: &[&Group], name: String) -> Table {
    let mut columns: Vec<Column> = Term::ALL
        .iter()
        .map(|term| Column { title: term.title().to_owned(), key: term.title().to_lowercase(), decimals: 2 })
        .collect();
    columns.push(Column { title: "active units".to_owned(), key: "active_units".to_owned(), decimals: 1 });
    let values = |group: &Group| {
        let terms = Term::ALL.iter().map(|&term| group.last(term));
        terms.chain([group.active_units()]).collect()
    };
    let mut lines = lines(groups, values);
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
        sweep.name,
        sweep.dataset,
        if has_bound { "terms of the ELBO" } else { "the terms of models without a bound" },
        scale.as_str(),
        over(&lines),
        if has_bound { " Best ELBO in bold." } else { "" },
        floor_note(groups),
        one_sample_note(groups),
        sweep.missing_note(),
    );
    // Models of other families have no use for a column, such as the discriminator's.
    let is_used: Vec<bool> = (0..columns.len()).map(|i| lines.iter().any(|line| line.values[i].is_some())).collect();
    let mut used = is_used.iter();
    columns.retain(|_| used.next() == Some(&true));
    for line in &mut lines {
        let mut used = is_used.iter();
        line.values.retain(|_| used.next() == Some(&true));
    }
    Table { name, caption, columns, lines, scale, has_variants: variants(groups).len() > 1 }
}

/// What was measured on the trained models besides the terms; none where that is nothing or the floor alone.
fn measures(sweep: &Sweep, scale: Scale, groups: &[&Group], name: String) -> Option<Table> {
    let names: BTreeSet<&String> =
        groups.iter().flat_map(|g| &g.runs).flat_map(|run| run.measures.iter().map(|(name, _)| name)).collect();
    let has_floor = gray_bce_floor(groups).is_some();
    let names: Vec<&String> = names.into_iter().filter(|name| !(has_floor && *name == FLOOR)).collect();
    if names.is_empty() {
        return None;
    }
    // Squared gray values are small.
    let is_sharpness = |name: &str| name.starts_with("sharpness");
    let decimals = |name: &str| if is_sharpness(name) { 4 } else { 2 };
    let column =
        |name: &&String| Column { title: name.replace('_', " "), key: (*name).clone(), decimals: decimals(name) };
    let lines = lines(groups, |group| names.iter().map(|name| group.measure(name)).collect());
    let caption = format!(
        "{} on {}: measured on the trained models (scale {}), in nats per image unless the name says otherwise{}; {}.{}",
        sweep.name,
        sweep.dataset,
        scale.as_str(),
        if names.iter().any(|name| is_sharpness(name)) { " (sharpness: squared gray values)" } else { "" },
        over(&lines),
        sweep.missing_note(),
    );
    let columns = names.iter().map(column).collect();
    Some(Table { name, caption, columns, lines, scale, has_variants: variants(groups).len() > 1 })
}

fn lines(groups: &[&Group], values: impl Fn(&Group) -> Vec<Option<Estimate>>) -> Vec<Line> {
    let line = |group: &&Group| Line {
        variant: group.key.variant.clone(),
        beta: group.key.beta,
        latent_dim: group.key.latent_dim,
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

/// One line per group, six digits behind the point; an absent interval is an empty field.
pub fn csv(table: &Table) -> String {
    let mut out = String::from("scale,variant,beta,latent_dim,n_seeds");
    for column in &table.columns {
        let half_width = escape::csv(&format!("{}_half_width_95", column.key));
        out.push_str(&format!(",{},{half_width}", escape::csv(&column.key)));
    }
    out.push('\n');
    for line in &table.lines {
        let variant = escape::csv(&line.variant);
        out.push_str(&format!("{},{variant},{},{},{}", table.scale.as_str(), line.beta, line.latent_dim, line.n));
        for estimate in &line.values {
            let mean = estimate.map_or_else(String::new, |e| format!("{:.6}", e.mean));
            let half = estimate.and_then(|e| e.half_width).map_or_else(String::new, |h| format!("{h:.6}"));
            out.push_str(&format!(",{mean},{half}"));
        }
        out.push('\n');
    }
    out
}

/// A `table` environment that needs the package booktabs.
pub fn tex(table: &Table) -> String {
    let (variant, head) = if table.has_variants { ("l", "setting & ") } else { ("", "") };
    let titles: Vec<String> = table.columns.iter().map(|column| escape::tex(&column.title)).collect();
    let mut out = format!(
        "% needs \\usepackage{{booktabs}}\n\\begin{{table}}\n  \\centering\n  \\small\n  \\caption{{{}}}\n  \\label{{tab:{}}}\n  \
         \\begin{{tabular}}{{{variant}rrr{}}}\n    \\toprule\n    {head}$\\beta$ & $D$ & $n$ & {} \\\\\n    \\midrule\n",
        escape::tex(&table.caption),
        table.name,
        "r".repeat(titles.len()),
        titles.join(" & "),
    );
    let mut previous: Option<(&str, f64)> = None;
    for line in &table.lines {
        let block = (line.variant.as_str(), line.beta);
        if previous.is_some_and(|p| p != block) {
            out.push_str("    \\addlinespace\n");
        }
        let is_new = previous != Some(block);
        previous = Some(block);
        let mut fields = Vec::new();
        if table.has_variants {
            fields.push(if is_new { escape::tex(&line.variant) } else { String::new() });
        }
        fields.push(if is_new { escape::tex(&number(line.beta)) } else { String::new() });
        fields.extend([line.latent_dim.to_string(), line.n.to_string()]);
        for (index, (estimate, column)) in line.values.iter().zip(&table.columns).enumerate() {
            fields.push(tex_number(estimate.as_ref(), line.best == Some(index), column.decimals));
        }
        out.push_str(&format!("    {} \\\\\n", fields.join(" & ")));
    }
    out.push_str("    \\bottomrule\n  \\end{tabular}\n\\end{table}\n");
    out
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
