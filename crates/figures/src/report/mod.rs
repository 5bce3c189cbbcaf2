//! The report: one HTML page that needs nothing besides itself.

use std::fmt::Write as _;

use spec::FigureKind;

use crate::axis::fixed;
use crate::escape::xml;
use crate::figure::Figure;
use crate::records::Records;
use crate::table::{self, Table};
use record::summary::Estimate;

const STYLE: &str = include_str!("style.css");

/// The page. `figures` are drawn figures with their SVG.
pub fn html(records: &Records, figures: &[(String, Figure)], skipped: &[(FigureKind, String)]) -> String {
    let name = xml(&records.name);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<h1>{name}</h1>\n<p class=\"lead\">{}</p>\n</header>\n",
        lead(records)
    );
    axes(&mut out, records);
    out.push_str("<section id=\"results\">\n<h2>Results</h2>\n");
    for table in table::tables(records) {
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
    left_out(&mut out, records, skipped);
    origins(&mut out, records);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn lead(records: &Records) -> String {
    let n_done = records.n_cells - records.missing.len();
    let runs = match (n_done, records.n_cells) {
        (1, 1) => "One finished run".to_owned(),
        (done, all) if done == all => format!("{all} finished runs"),
        (done, all) => format!("{done} of {all} runs finished"),
    };
    format!(
        "{runs} on {}. {} All numbers are nats per image, means over the whole split.",
        xml(&records.dataset),
        xml(&records.training)
    )
}

fn axes(out: &mut String, records: &Records) {
    if records.axes.is_empty() {
        return;
    }
    out.push_str("<section id=\"sweep\">\n<h2>Sweep</h2>\n<table class=\"plain\">\n<tbody>\n");
    for (path, values) in &records.axes {
        let values: Vec<String> = values.iter().map(|v| xml(v)).collect();
        let between = if values.iter().any(|value| value.contains(',')) { "; " } else { ", " };
        let values = values.join(between);
        let _ = writeln!(out, "<tr><th scope=\"row\"><code>{}</code></th><td>{values}</td></tr>", xml(path));
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

fn results(out: &mut String, table: &Table) {
    let _ = write!(out, "<div class=\"wide\"><table>\n<caption>{}</caption>\n<thead><tr>", xml(&table.caption));
    if table.has_phrases {
        out.push_str("<th scope=\"col\" class=\"text\">setting</th>");
    }
    out.push_str("<th scope=\"col\">β</th><th scope=\"col\">D</th><th scope=\"col\">n</th>");
    for column in &table.columns {
        let _ = write!(out, "<th scope=\"col\">{}</th>", xml(&column.title));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (index, line) in table.lines.iter().enumerate() {
        out.push_str(if index > 0 && table.begins_block(index) { "<tr class=\"new\">" } else { "<tr>" });
        if table.has_phrases {
            let _ = write!(out, "<td class=\"text\">{}</td>", xml(&line.phrase));
        }
        let [beta, latent_dim] = [line.beta, line.latent_dim].map(|value| table::quantity(value, "–"));
        let _ = write!(out, "<td>{beta}</td><td>{latent_dim}</td><td>{}</td>", line.n);
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

fn left_out(out: &mut String, records: &Records, skipped: &[(FigureKind, String)]) {
    if records.missing.is_empty() && skipped.is_empty() {
        return;
    }
    out.push_str("<section id=\"left-out\">\n<h2>Left out</h2>\n<ul>\n");
    for (kind, reason) in skipped {
        let _ = writeln!(out, "<li>Figure <code>{}</code>: {}.</li>", kind.name(), xml(reason));
    }
    for (name, status) in &records.missing {
        let _ = writeln!(out, "<li>Run <code>{}</code>: {}.</li>", xml(name), xml(status));
    }
    out.push_str("</ul>\n</section>\n");
}

fn origins(out: &mut String, records: &Records) {
    out.push_str(
        "<section id=\"provenance\">\n<h2>Where the numbers come from</h2>\n<table class=\"plain\">\n<tbody>\n",
    );
    for (name, values) in records.origins.iter().filter(|(_, values)| !values.is_empty()) {
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
