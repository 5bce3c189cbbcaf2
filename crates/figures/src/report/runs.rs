//! Every run of the experiment: its id, how far it is, and what failed and why.

use std::fmt::Write as _;

use super::xml;
use crate::records::Records;

/// Failures first, each reason once; then all runs.
pub fn html(records: &Records) -> String {
    let mut out = String::new();
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for run in &records.runs {
        let Some(reason) = &run.reason else { continue };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, names)) => names.push(&run.name),
            None => reasons.push((reason, vec![&run.name])),
        }
    }
    if !reasons.is_empty() {
        out.push_str("<ul class=\"failures\">\n");
        for (reason, names) in reasons {
            let names: Vec<String> = names.iter().map(|name| format!("<code>{}</code>", xml(name))).collect();
            let _ = writeln!(out, "<li>Failed: {}: {}</li>", names.join(", "), xml(reason));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("<table class=\"plain runs\">\n<thead><tr><th scope=\"col\">run</th><th scope=\"col\">id, its folder in <code>results/runs/</code></th><th scope=\"col\">status</th></tr></thead>\n<tbody>\n");
    for run in &records.runs {
        let id = run.id.to_string();
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td><a href=\"../../runs/{id}/\"><code>{id}</code></a></td><td>{}</td></tr>",
            xml(&run.name),
            xml(&run.status)
        );
    }
    out.push_str("</tbody>\n</table>\n");
    out
}
