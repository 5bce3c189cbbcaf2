//! What was run: source, models in words, what was swept and what was fixed, the command and the file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use spec::{Cell, Corruption, Experiment, ImageShape};

use super::{code, models, plain_table, xml};
use crate::records::Records;
use crate::setting::{LATENT_DIM, words};
use record::ArrayName;

/// The most different values of a part that are told one by one.
const MAX_TOLD: usize = 12;

/// What was run, as tables.
pub fn html(experiment: &Experiment, records: &Records, command: &str) -> String {
    let about = &experiment.about;
    let cells = &experiment.cells;
    let shape = |cell: &Cell| shape(cell, records);
    let with = cells.iter().filter(|cell| cell.has(LATENT_DIM));
    let widths: BTreeSet<usize> = with.map(|cell| cell.model.latent_dim).collect();
    let varies = widths.len() > 1;
    let told = |of: &dyn Fn(&Cell) -> String| told(cells.iter().map(of));
    let with = |path: &str| cells.iter().filter(|cell| cell.has(path)).cloned().collect::<Vec<_>>();
    let told_of = |path: &str, of: &dyn Fn(&Cell) -> String| self::told(with(path).iter().map(of));
    let betas: BTreeSet<u64> = cells.iter().map(|cell| cell.objective.beta.to_bits()).collect();
    let is_corrupted = cells.iter().any(|cell| cell.model.corruption != Corruption::None);
    let is_noisy = cells.iter().any(|cell| cell.model.latent_noise > 0.0);
    let seeds: BTreeSet<u64> = cells.iter().map(|cell| cell.training.seed).collect();
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let rows = [
        ("source", about.source.as_deref().map(code).unwrap_or_default()),
        ("images", told(&|cell| models::images(cell, shape(cell)))),
        ("architecture", told(&|cell| models::architecture(cell, shape(cell), varies))),
        ("p(x|z)", told_of("model.likelihood", &models::likelihood)),
        ("q(z|x)", told_of("model.latent", &models::latent)),
        ("p(z)", told_of("model.prior", &models::prior)),
        ("corruption", if is_corrupted { told_of("model.corruption", &models::corruption) } else { String::new() }),
        ("noise", if is_noisy { told_of("model.latent_noise", &models::latent_noise) } else { String::new() }),
        ("objective", told_of("objective", &|cell| models::objective(cell, betas.len() > 1))),
        ("optimizer", told_of("optimizer", &models::optimizer)),
        ("training", told(&models::training)),
        ("seeds", seeds.join(", ")),
        ("command", command_line(command)),
        ("launch", about.launch.as_deref().map(command_line).unwrap_or_default()),
    ];
    let rows = rows.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value));
    format!("{}{}{}", plain_table(rows), swept(records), fixed(cells))
}

fn command_line(text: &str) -> String {
    format!("<code class=\"command\">{}</code>", xml(text))
}

/// Height, width and channels of a cell's images, as its dataset or its records tell.
fn shape(cell: &Cell, records: &Records) -> Option<ImageShape> {
    let stored = || {
        let group = records.groups.iter().find(|group| group.cell.dataset.name == cell.dataset.name)?;
        let images = group.images(ArrayName::Originals).or_else(|| group.images(ArrayName::Samples))?;
        Some(ImageShape { channels: images.channels, height: images.height, width: images.width })
    };
    cell.dataset.name.known().map(|known| known.image).or_else(stored)
}

/// The different texts, each on a line.
fn told(texts: impl Iterator<Item = String>) -> String {
    let mut distinct: Vec<String> = Vec::new();
    for text in texts {
        let text = xml(&text);
        if !distinct.contains(&text) {
            distinct.push(text);
        }
    }
    let more = distinct.len().saturating_sub(MAX_TOLD);
    distinct.truncate(MAX_TOLD);
    if more > 0 {
        distinct.push(format!("and {more} more"));
    }
    distinct.join("<br>")
}

fn swept(records: &Records) -> String {
    if records.axes.is_empty() {
        return String::new();
    }
    let rows = records.axes.iter().map(|(path, values)| {
        let between = if values.iter().any(|value| value.contains(',')) { "; " } else { ", " };
        (format!("<code>{}</code>", xml(path)), xml(&values.join(between)))
    });
    format!("<h3>Swept</h3>\n{}", plain_table(rows))
}

/// Every setting that all cells share whose models have it, defaults included.
fn fixed(cells: &[Cell]) -> String {
    let mut found: BTreeMap<String, Option<Value>> = BTreeMap::new();
    for (path, value) in cells.iter().flat_map(settings) {
        let known = found.entry(path).or_insert_with(|| Some(value.clone()));
        if known.as_ref() != Some(&value) {
            *known = None;
        }
    }
    let shared = found.into_iter().filter_map(|(path, value)| Some((path, value?)));
    let mut out = String::from("<h3>Fixed</h3>\n<p class=\"fixed\">");
    for (path, value) in shared {
        out.push_str(&format!("<span><code>{}</code> {}</span> ", xml(&path), xml(&words(&value))));
    }
    out.push_str("</p>\n");
    out
}

/// Path and value of each setting that a cell's model has.
fn settings(cell: &Cell) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let Ok(Value::Object(sections)) = serde_json::to_value(cell) else { return found };
    for (section, fields) in &sections {
        let Value::Object(fields) = fields else { continue };
        for (field, value) in fields {
            match value {
                // The only optimizer there is has its settings one level deeper.
                Value::Object(inner) if section == "optimizer" => {
                    found.extend(inner.iter().map(|(key, value)| (format!("{section}.{field}.{key}"), value.clone())));
                }
                Value::Null => {}
                value => found.push((format!("{section}.{field}"), value.clone())),
            }
        }
    }
    found.retain(|(path, _)| cell.has(path));
    found
}

/// The file that the experiment was read from, as it was, and what was set over it.
pub fn file(experiment: &Experiment) -> String {
    let written = &experiment.written;
    let set = match written.set.is_empty() {
        true => String::new(),
        false => {
            let set: Vec<String> = written.set.iter().map(|set| format!("<code>{}</code>", xml(set))).collect();
            format!("<p>Set over the file: {}.</p>\n", set.join(", "))
        }
    };
    format!(
        "<p class=\"note\"><code>{}</code></p>\n<pre><code>{}</code></pre>\n{set}",
        xml(&written.file.display().to_string()),
        xml(written.text.trim_end())
    )
}
