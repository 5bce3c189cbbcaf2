//! The report: one HTML page that needs nothing besides itself.

mod claims;
mod explorer;
mod glossary;
mod models;
mod results;
mod runs;
mod set_up;

use std::fmt::Write as _;

use spec::{Experiment, FigureKind};

use crate::escape::xml;
use crate::figure::Figure;
use crate::findings::{self, Finding, capitalised, findings};
use crate::records::Records;
use crate::table;

pub use explorer::html as explorer;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");
/// The most findings that a page tells.
const MAX_FINDINGS: usize = 60;

/// What a page is made of.
pub struct Page<'a> {
    /// What was asked for.
    pub experiment: &'a Experiment,
    /// What was found.
    pub records: &'a Records,
    /// The latent explorer, or why there is none.
    pub explorer: &'a Result<String, String>,
    /// Drawn figures with their SVG.
    pub figures: &'a [(String, Figure)],
    /// Kinds of figures that make no sense for these records, and why.
    pub skipped: &'a [(FigureKind, String)],
    /// The command that the runs were started with.
    pub command: &'a str,
    /// How often the claims were changed since the sweep was first kept.
    pub n_changed: usize,
}

/// The page.
pub fn html(page: &Page<'_>) -> String {
    let Page { experiment, records, .. } = page;
    let title = title(experiment, records);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{} · {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<p class=\"eyebrow\">Experiment <code>{}</code></p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
        xml(&title),
        xml(&records.name),
        xml(&records.name),
        xml(&title),
        lead(records)
    );
    let tables = table::tables(records);
    let parts = parts(page, &tables);
    contents(&mut out, &parts);
    out.push_str("</header>\n");
    for Part { id, title, body } in &parts {
        let _ = write!(out, "<section id=\"{id}\">\n<h2>{title}</h2>\n{body}</section>\n");
    }
    let _ = write!(out, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

/// A section of the page.
struct Part {
    id: &'static str,
    title: &'static str,
    body: String,
}

/// The page's sections in order; those without content are left out.
fn parts(page: &Page<'_>, tables: &[table::Table]) -> Vec<Part> {
    let Page { experiment, records, explorer, figures, skipped, command, n_changed } = page;
    let part = |id, title, body| Part { id, title, body };
    let claims = records.judged.as_ref().map(|judged| claims::html(judged, *n_changed)).unwrap_or_default();
    let parts = vec![
        part("claims", "Claims", claims),
        part("findings", "Findings", told(records, tables)),
        part("warnings", "Warnings", warned(records)),
        part("set-up", "What was run", set_up::html(experiment, records, command)),
        part("results", "Results", tables.iter().map(results::html).collect()),
        part("explorer", "Latent explorer", explorer.as_ref().cloned().unwrap_or_default()),
        part("figures", "Figures", drawn(figures)),
        part("left-out", "Left out", left_out(skipped, explorer.as_ref().err())),
        part("runs", "Runs", runs::html(records)),
        part("yaml", "The experiment file", set_up::file(experiment)),
        part("words", "Words", glossary::html(page, tables)),
        part("provenance", "Where the numbers come from", origins(records)),
    ];
    parts.into_iter().filter(|part| !part.body.is_empty()).collect()
}

/// The question, or what is compared on which images: `VAE on glyphs, by latent dim and β`.
fn title(experiment: &Experiment, records: &Records) -> String {
    if let Some(question) = &experiment.about.question {
        return capitalised(question);
    }
    let kinds = models::kinds(&experiment.cells);
    let axes: Vec<String> = experiment
        .axes
        .iter()
        .filter(|axis| axis.path != "model.kind" && axis.path != "training.seed" && axis.values.len() > 1)
        .map(|axis| if axis.path == crate::setting::BETA { "β".to_owned() } else { spec::setting_title(&axis.path) })
        .collect();
    let by = if axes.is_empty() { String::new() } else { format!(", by {}", spec::listed(&axes, "and")) };
    format!("{} on {}{by}", spec::listed(&kinds, "and"), records.dataset)
}

fn lead(records: &Records) -> String {
    let n_done = records.n_cells - records.missing.len();
    let runs = match (n_done, records.n_cells) {
        (1, 1) => "One finished run".to_owned(),
        (done, all) if done == all => format!("{all} finished runs"),
        (done, all) => format!("{done} of {all} runs finished"),
    };
    let n_failed = records.runs.iter().filter(|run| run.reason.is_some()).count();
    let failed = match n_failed {
        0 => String::new(),
        n => format!(" (<a href=\"#runs\">{n} failed</a>)"),
    };
    format!(
        "{runs}{failed} on {}. {} All numbers are nats per image, means over the whole split, unless they say otherwise.",
        xml(&records.dataset),
        xml(&records.training)
    )
}

fn contents(out: &mut String, parts: &[Part]) {
    out.push_str("<nav aria-label=\"Contents\">");
    for Part { id, title, .. } in parts {
        let _ = write!(out, "<a href=\"#{id}\">{title}</a> ");
    }
    out.push_str("</nav>\n");
}

/// The findings, each with links to its rows.
fn told(records: &Records, tables: &[table::Table]) -> String {
    let found = findings(records);
    if records.groups.len() < 2 {
        return String::new();
    }
    if found.is_empty() {
        let why = match records.groups.iter().all(|group| group.runs.len() == 1) {
            true => "Every setting has a single seed, so that no difference can be told from chance.",
            false => "No difference between settings is larger than what the seeds differ by.",
        };
        return format!("<p>{why}</p>\n");
    }
    let mut out = String::from("<ul class=\"findings\">\n");
    for finding in found.iter().take(MAX_FINDINGS) {
        let _ = writeln!(out, "<li>{}{}</li>", unbroken(&finding.text), links(records, tables, finding));
    }
    if found.len() > MAX_FINDINGS {
        let _ = writeln!(out, "<li>{} more are in <code>elbo compare</code>’s list.</li>", found.len() - MAX_FINDINGS);
    }
    let _ = writeln!(out, "</ul>\n<p class=\"note\">{}</p>", findings::NOTE);
    out
}

/// Links to the rows of the first table that has them.
fn links(records: &Records, tables: &[table::Table], finding: &Finding) -> String {
    let rows = finding.groups.iter().zip(&finding.labels);
    let link = |(&index, name): (&usize, &String)| {
        let anchor = records.groups.get(index)?.anchor();
        let table = tables.iter().find(|table| table.lines.iter().any(|line| line.anchor == anchor))?;
        Some(format!("<a href=\"#{}\">{}</a>", results::row_id(table, &anchor), xml(name)))
    };
    let links: Vec<String> = rows.filter_map(link).collect();
    format!(" <span class=\"rows\">{}</span>", links.join(" "))
}

fn warned(records: &Records) -> String {
    if records.warnings.is_empty() {
        return String::new();
    }
    let mut out = String::from("<ul class=\"warnings\">\n");
    for warning in &records.warnings {
        let (text, hint) = (unbroken(&capitalised(&warning.text)), code(&warning.hint));
        let _ = writeln!(out, "<li>{text}. <span class=\"hint\">To do: {hint}.</span></li>");
    }
    out.push_str("</ul>\n");
    out
}

/// Text for HTML in which no line ends within `n = 3` or `± 0.2`.
fn unbroken(text: &str) -> String {
    const SPACE: &str = "\u{a0}";
    let text = xml(text).replace(" = ", &format!("{SPACE}={SPACE}"));
    text.replace("± ", &format!("±{SPACE}")).replace(" → ", &format!("{SPACE}→{SPACE}"))
}

/// Text for HTML, with what stands in backticks as code.
fn code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(i, part)| if i % 2 == 1 { format!("<code>{}</code>", xml(part)) } else { xml(part) }).collect()
}

fn drawn(figures: &[(String, Figure)]) -> String {
    let mut out = String::new();
    for (index, (svg, figure)) in figures.iter().enumerate() {
        let _ = write!(
            out,
            "<figure id=\"{}\">\n<div class=\"plate\">\n{svg}</div>\n<figcaption><b>Figure {}.</b> {}</figcaption>\n</figure>\n",
            xml(&figure.name),
            index + 1,
            xml(&figure.caption),
        );
    }
    out
}

fn left_out(skipped: &[(FigureKind, String)], no_explorer: Option<&String>) -> String {
    if skipped.is_empty() && no_explorer.is_none() {
        return String::new();
    }
    let mut out = String::from("<ul>\n");
    for (kind, reason) in skipped {
        let _ = writeln!(out, "<li>Figure <code>{}</code>: {}.</li>", kind.name(), xml(reason));
    }
    if let Some(reason) = no_explorer {
        let _ = writeln!(out, "<li>Latent explorer: {}.</li>", xml(reason));
    }
    out.push_str("</ul>\n");
    out
}

fn origins(records: &Records) -> String {
    let rows = records.origins.iter().filter(|(_, values)| !values.is_empty());
    let cells = rows.map(|(name, values)| {
        let values: Vec<String> = values.iter().map(|value| xml(value)).collect();
        (xml(name), values.join("<br>"))
    });
    plain_table(cells)
}

/// A table of names and what stands behind them, both HTML.
fn plain_table(rows: impl IntoIterator<Item = (String, String)>) -> String {
    let mut out = String::from("<table class=\"plain\">\n<tbody>\n");
    for (name, value) in rows {
        let _ = writeln!(out, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
    }
    out.push_str("</tbody>\n</table>\n");
    out
}
