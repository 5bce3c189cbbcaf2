//! Tables of results; captions stay in view where a table is wider than the page.

use std::fmt::Write as _;

use record::summary::Estimate;

use super::xml;
use crate::table::{self, Table};

/// The id of a row, which findings link to.
pub fn row_id(table: &Table, anchor: &str) -> String {
    xml(&format!("{}-{anchor}", table.name))
}

/// A table with its caption above it, outside of what scrolls.
pub fn html(table: &Table) -> String {
    let id = xml(&table.name);
    let mut out = format!(
        "<figure class=\"table\" id=\"{id}\">\n<figcaption id=\"{id}-caption\">{}</figcaption>\n\
         <div class=\"wide\" role=\"region\" tabindex=\"0\" aria-labelledby=\"{id}-caption\">\
         <table aria-labelledby=\"{id}-caption\">\n<thead><tr>",
        xml(&table.caption)
    );
    if table.has_phrases {
        out.push_str("<th scope=\"col\" class=\"text\">setting</th>");
    }
    out.push_str("<th scope=\"col\">β</th><th scope=\"col\">D</th><th scope=\"col\">n</th>");
    for column in &table.columns {
        let _ = write!(out, "<th scope=\"col\">{}</th>", xml(&column.title));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (index, line) in table.lines.iter().enumerate() {
        let class = if index > 0 && table.begins_block(index) { " class=\"new\"" } else { "" };
        let _ = write!(out, "<tr{class} id=\"{}\">", row_id(table, &line.anchor));
        if table.has_phrases {
            let _ = write!(out, "<td class=\"text\">{}</td>", xml(&line.phrase));
        }
        let [beta, latent_dim] = [line.beta, line.latent_dim].map(|value| table::quantity(value, "–"));
        let _ = write!(out, "<td>{beta}</td><td>{latent_dim}</td><td>{}</td>", line.n);
        for (index, (estimate, column)) in line.values.iter().zip(&table.columns).enumerate() {
            cell(&mut out, estimate.as_ref(), line.best == Some(index), column.decimals);
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n</figure>\n");
    out
}

fn cell(out: &mut String, estimate: Option<&Estimate>, best: bool, decimals: usize) {
    let Some(estimate) = estimate else {
        out.push_str("<td>–</td>");
        return;
    };
    let (mean, half) = table::rounded(estimate, decimals);
    let mean = mean.replace('-', "−");
    let half = half.map_or_else(String::new, |half| format!(" <span class=\"pm\">±\u{a0}{half}</span>"));
    let class = if best { " class=\"best\"" } else { "" };
    let _ = write!(out, "<td{class}>{mean}{half}</td>");
}
