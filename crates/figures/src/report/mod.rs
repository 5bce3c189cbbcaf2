//! The report: one HTML page that needs nothing besides itself.

use std::fmt::Write as _;

use spec::FigureKind;

use crate::axis::{fixed, number};
use crate::escape::xml;
use crate::figure::Figure;
use crate::stats::Estimate;
use crate::sweep::Sweep;
use crate::table::{self, Table};

const STYLE: &str = include_str!("style.css");

/// The page. `figures` are drawn figures with their SVG.
pub fn html(sweep: &Sweep, figures: &[(String, Figure)], skipped: &[(FigureKind, String)]) -> String {
    let name = xml(&sweep.name);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<h1>{name}</h1>\n<p class=\"lead\">{}</p>\n</header>\n",
        lead(sweep)
    );
    axes(&mut out, sweep);
    out.push_str("<section id=\"results\">\n<h2>Results</h2>\n");
    for table in table::tables(sweep) {
        results(&mut out, &table);
    }
    out.push_str("</section>\n");
    if !figures.is_empty() {
        out.push_str("<section id=\"figures\">\n<h2>Figures</h2>\n");
        for (index, (svg, figure)) in figures.iter().enumerate() {
            let _ = write!(
                out,
                "<figure id=\"{}\">\n<div class=\"plate\">\n{svg}</div>\n<figcaption><b>Figure {}.</b> {}</figcaption>\n</figure>\n",
                xml(&figure.name),
                index + 1,
                xml(&figure.caption),
            );
        }
        out.push_str("</section>\n");
    }
    left_out(&mut out, sweep, skipped);
    provenance(&mut out, sweep);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn lead(sweep: &Sweep) -> String {
    let n_done = sweep.n_cells - sweep.missing.len();
    let runs = match (n_done, sweep.n_cells) {
        (1, 1) => "One finished run".to_owned(),
        (done, all) if done == all => format!("{all} finished runs"),
        (done, all) => format!("{done} of {all} runs finished"),
    };
    format!(
        "{runs} on {}. {} All numbers are nats per image, means over the whole split.",
        xml(&sweep.dataset),
        xml(&sweep.training)
    )
}

fn axes(out: &mut String, sweep: &Sweep) {
    if sweep.axes.is_empty() {
        return;
    }
    out.push_str("<section id=\"sweep\">\n<h2>Sweep</h2>\n<table class=\"plain\">\n<tbody>\n");
    for (path, values) in &sweep.axes {
        let values: Vec<String> = values.iter().map(|v| xml(v)).collect();
        let between = if values.iter().any(|value| value.contains(',')) { "; " } else { ", " };
        let values = values.join(between);
        let _ = writeln!(out, "<tr><th scope=\"row\"><code>{}</code></th><td>{values}</td></tr>", xml(path));
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

fn results(out: &mut String, table: &Table) {
    let _ = write!(out, "<div class=\"wide\"><table>\n<caption>{}</caption>\n<thead><tr>", xml(&table.caption));
    if table.has_variants {
        out.push_str("<th scope=\"col\" class=\"text\">setting</th>");
    }
    out.push_str("<th scope=\"col\">β</th><th scope=\"col\">D</th><th scope=\"col\">n</th>");
    for column in &table.columns {
        let _ = write!(out, "<th scope=\"col\">{}</th>", xml(&column.title));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let mut previous: Option<(&str, f64)> = None;
    for line in &table.lines {
        let block = (line.variant.as_str(), line.beta);
        let is_new = previous.is_some_and(|p| p != block);
        previous = Some(block);
        out.push_str(if is_new { "<tr class=\"new\">" } else { "<tr>" });
        if table.has_variants {
            let _ = write!(out, "<td class=\"text\">{}</td>", xml(&line.variant));
        }
        let _ = write!(out, "<td>{}</td><td>{}</td><td>{}</td>", number(line.beta), line.latent_dim, line.n);
        for (index, (estimate, column)) in line.values.iter().zip(&table.columns).enumerate() {
            cell(out, estimate.as_ref(), line.best == Some(index), column.decimals);
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn cell(out: &mut String, estimate: Option<&Estimate>, best: bool, decimals: usize) {
    let Some(estimate) = estimate else {
        out.push_str("<td>–</td>");
        return;
    };
    let (mean, half) = table::rounded(estimate, decimals);
    let mean = mean.replace('-', "−");
    let half = half.map_or_else(String::new, |half| format!(" <span class=\"pm\">± {half}</span>"));
    let class = if best { " class=\"best\"" } else { "" };
    let _ = write!(out, "<td{class}>{mean}{half}</td>");
}

fn left_out(out: &mut String, sweep: &Sweep, skipped: &[(FigureKind, String)]) {
    if sweep.missing.is_empty() && skipped.is_empty() {
        return;
    }
    out.push_str("<section id=\"left-out\">\n<h2>Left out</h2>\n<ul>\n");
    for (kind, reason) in skipped {
        let _ = writeln!(out, "<li>Figure <code>{}</code>: {}.</li>", kind.name(), xml(reason));
    }
    for (name, status) in &sweep.missing {
        let _ = writeln!(out, "<li>Run <code>{}</code>: {}.</li>", xml(name), xml(status));
    }
    out.push_str("</ul>\n</section>\n");
}

fn provenance(out: &mut String, sweep: &Sweep) {
    out.push_str(
        "<section id=\"provenance\">\n<h2>Where the numbers come from</h2>\n<table class=\"plain\">\n<tbody>\n",
    );
    for (name, values) in sweep.provenance.iter().filter(|(_, values)| !values.is_empty()) {
        let values: Vec<String> = values.iter().map(|v| xml(v)).collect();
        let _ = writeln!(out, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", xml(name), values.join("<br>"));
    }
    let _ = writeln!(
        out,
        "</tbody>\n</table>\n<p class=\"note\">D: width of the latent space; n: number of seeds; ± is the half width of \
         the {} % t-interval over seeds. An active unit is a latent dimension with Var<sub>x</sub>(E<sub>q</sub>[z]) &gt; \
         {}.</p>\n</section>",
        fixed(95.0, 0),
        0.01
    );
}
