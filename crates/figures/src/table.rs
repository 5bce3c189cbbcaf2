//! Tables of the final terms, as CSV for programs and as TeX (booktabs) for papers.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use spec::Scale;

use crate::axis::number;
use crate::escape;
use crate::stats::Estimate;
use crate::sweep::{Group, Sweep, Term, variants};

/// One table: a line for each group of runs that differ in their seed alone.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its files' name without a suffix.
    pub name: String,
    /// What its lines have in common and what its numbers are.
    pub caption: String,
    /// Its lines.
    pub lines: Vec<Line>,
    /// The scale of all its numbers.
    pub scale: Scale,
    /// Whether the lines differ in other settings than latent dimension and β.
    pub has_variants: bool,
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
    /// ELBO, reconstruction, KL and objective on the test images at the end, in nats per image.
    pub terms: Vec<Option<Estimate>>,
    /// Active units on the test images at the end.
    pub active_units: Option<Estimate>,
    /// By term: whether it is the best of the table (for the objective: of the lines with this β).
    pub best: Vec<bool>,
}

/// The final terms, one table for each scale.
pub fn tables(sweep: &Sweep) -> Vec<Table> {
    let scales = sweep.scales();
    let several = scales.len() > 1;
    scales.into_iter().map(|(scale, groups)| table(sweep, scale, &groups, several)).collect()
}

fn table(sweep: &Sweep, scale: Scale, groups: &[&Group], several: bool) -> Table {
    let mut lines: Vec<Line> = groups
        .iter()
        .map(|group| Line {
            variant: group.key.variant.clone(),
            beta: group.key.beta,
            latent_dim: group.key.latent_dim,
            n: group.runs.len(),
            terms: Term::ALL.iter().map(|&term| group.last(term)).collect(),
            active_units: group.active_units(),
            best: vec![false; Term::ALL.len()],
        })
        .collect();
    // The ELBO alone ranks runs of different β; the other terms are traded against each other.
    let mean = |line: &Line| line.terms[0].map(|e| e.mean);
    let best = lines.iter().filter_map(mean).fold(f64::NEG_INFINITY, f64::max);
    if lines.len() > 1 {
        for line in &mut lines {
            line.best[0] = mean(line) == Some(best);
        }
    }
    let seeds: BTreeSet<usize> = lines.iter().map(|line| line.n).collect();
    let over = match seeds.iter().copied().collect::<Vec<_>>().as_slice() {
        [1] => "one seed each, so without intervals".to_owned(),
        [n] => format!("mean ± half width of the 95 % t-interval over n = {n} seeds"),
        _ => "mean ± half width of the 95 % t-interval over n seeds".to_owned(),
    };
    let name = if several { format!("elbo-terms-{}", scale.as_str()) } else { "elbo-terms".to_owned() };
    let caption = format!(
        "{} on {}: terms of the ELBO on the test images after training, in nats per image (scale {}), and active units; \
         {over}. Best ELBO in bold.{}",
        sweep.name,
        sweep.dataset,
        scale.as_str(),
        sweep.missing_note(),
    );
    Table { name, caption, lines, scale, has_variants: variants(groups).len() > 1 }
}

/// One line per group, full precision; an absent interval is an empty field.
pub fn csv(table: &Table) -> String {
    let mut out = String::from("scale,variant,beta,latent_dim,n_seeds");
    for name in ["elbo", "reconstruction", "kl", "objective", "active_units"] {
        let _ = write!(out, ",{name},{name}_half_width_95");
    }
    out.push('\n');
    for line in &table.lines {
        let variant = escape::csv(&line.variant);
        let _ = write!(out, "{},{variant},{},{},{}", table.scale.as_str(), line.beta, line.latent_dim, line.n);
        for estimate in line.terms.iter().chain([&line.active_units]) {
            let mean = estimate.map_or_else(String::new, |e| e.mean.to_string());
            let half = estimate.and_then(|e| e.half_width).map_or_else(String::new, |h| h.to_string());
            let _ = write!(out, ",{mean},{half}");
        }
        out.push('\n');
    }
    out
}

/// A `table` environment that needs the package booktabs.
pub fn tex(table: &Table) -> String {
    let mut out = String::from("% needs \\usepackage{booktabs}\n\\begin{table}\n  \\centering\n  \\small\n");
    let _ = writeln!(out, "  \\caption{{{}}}", escape::tex(&table.caption));
    let _ = writeln!(out, "  \\label{{tab:{}}}", table.name);
    let variant = if table.has_variants { "l" } else { "" };
    let _ = writeln!(out, "  \\begin{{tabular}}{{{variant}rrrrrrrr}}\n    \\toprule");
    let head = if table.has_variants { "setting & " } else { "" };
    let _ = writeln!(
        out,
        "    {head}$\\beta$ & $D$ & $n$ & ELBO & reconstruction & KL & objective & active units \\\\\n    \\midrule"
    );
    let mut previous: Option<(&str, f64)> = None;
    for line in &table.lines {
        let block = (line.variant.as_str(), line.beta);
        if previous.is_some_and(|p| p != block) {
            out.push_str("    \\addlinespace\n");
        }
        let is_new = previous != Some(block);
        previous = Some(block);
        if table.has_variants {
            let _ = write!(out, "    {} & ", if is_new { escape::tex(&line.variant) } else { String::new() });
        } else {
            out.push_str("    ");
        }
        let beta = if is_new { number(line.beta) } else { String::new() };
        let _ = write!(out, "{} & {} & {}", escape::tex(&beta), line.latent_dim, line.n);
        for (estimate, best) in line.terms.iter().zip(&line.best) {
            let _ = write!(out, " & {}", tex_number(estimate.as_ref(), *best, 2));
        }
        let _ = writeln!(out, " & {} \\\\", tex_number(line.active_units.as_ref(), false, 1));
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
