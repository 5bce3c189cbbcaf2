//! Every path of a cell with what may stand there: what hints are made of.

use crate::suggest;
use crate::{corruption, dataset, kind, latent, likelihood, model, net, objective, optimizer, prior, training};

/// The parts of a spec that make a cell; only these can be swept.
pub(crate) const SECTIONS: [&str; 5] = ["dataset", "model", "objective", "optimizer", "training"];

/// Every top-level key.
pub(crate) const TOP_LEVEL: [&str; 17] = [
    "name",
    "question",
    "source",
    "launch",
    "dataset",
    "model",
    "objective",
    "optimizer",
    "training",
    "execution",
    "sweep",
    "arms",
    "claims",
    "evaluation",
    "reference",
    "figures",
    "style",
];

/// A path of a cell.
pub(crate) struct Field {
    pub path: &'static str,
    /// What to write, as a clause that follows "write ".
    pub write: &'static str,
    /// What it is called for people, where that is not the last part of its path.
    title: Option<&'static str>,
    /// The value that switches it off, in words.
    off: Option<&'static str>,
}

pub(crate) const fn field(path: &'static str, write: &'static str) -> Field {
    Field { path, write, title: None, off: None }
}

impl Field {
    pub const fn title(self, title: &'static str) -> Field {
        Field { title: Some(title), ..self }
    }

    pub const fn off(self, value: &'static str) -> Field {
        Field { off: Some(value), ..self }
    }
}

/// Every path of a cell, in the order of the spec, then the others of the same file; a test compares them with what a cell holds.
fn parts() -> [&'static [Field]; 12] {
    [
        &*dataset::FIELDS,
        kind::FIELDS,
        net::FIELDS,
        latent::FIELDS,
        prior::FIELDS,
        likelihood::FIELDS,
        corruption::FIELDS,
        model::FIELDS,
        objective::FIELDS,
        optimizer::FIELDS,
        training::FIELDS,
        OF_EXPERIMENT,
    ]
}

/// Not of a cell.
const OF_EXPERIMENT: &[Field] = &[
    field("name", "a name of lowercase letters, digits and hyphens, such as `latent-dims`"),
    field("question", "the question that the experiment asks, as text"),
    field("source", "the paper, figure or table that the experiment follows, as text"),
    field("launch", "the command that starts the experiment, as text"),
    field("execution.jobs", "how many cohorts train at once, such as `2`; leave it out for as many as fit"),
    field("execution.threads", "how many threads every worker uses, such as `1`; leave it out for a fair share"),
    field("execution.cohort", "how many cells train together at most, such as `8`"),
    field("execution.device", "`cpu` or `cuda`"),
    field("arms.label", "a word such as `gray` that claims name the arm by"),
    field(
        "claims",
        "a list of claims, each `{ id: 4a, text: …, metric: kl, from: …, to: …, expect: rises, delta: 1 }`",
    ),
    field("claims.id", "a short name for the claim, such as `4a`"),
    field("claims.text", "the sentence that is claimed, as text"),
    field("claims.of", "the cells that it is about, such as `{ arm: gray, objective.beta: 1 }`; leave it out for all"),
    field("claims.from", "the cells to begin with, such as `{ model.latent_dim: 2 }`"),
    field("claims.to", "the cells to end with, such as `{ model.latent_dim: 20 }`"),
    field("claims.along", "a path with its values in order, such as `{ objective.beta: [0.5, 1, 2] }`"),
    field(
        "claims.across",
        "a path with two values between which the change is compared, such as `{ objective.beta: [0.25, 4] }`",
    ),
    field(
        "claims.at",
        "where ends of several cells are compared, such as `{ metric: kl, value: 25, along: objective.beta }`",
    ),
    field("claims.at.metric", "what both ends have the same of, measured at each epoch, such as `kl`"),
    field("claims.at.value", "how much of it, such as `25`"),
    field("claims.at.along", "the path in which the cells of an end differ, such as `objective.beta`"),
    field("claims.expect", "`rises`, `falls` or `stays`: what the metric does from `from` to `to`"),
    field("claims.delta", "the smallest change that counts, in the metric's unit, such as `0.5`"),
    field("claims.log", "`true` to compare ratios, by the logarithms of the values"),
    field("claims.metric", "a metric's name such as `kl`, or `{ sharpness: { of: samples } }`"),
    field("claims.all", "a list of parts that must all hold, each `{ metric: kl, expect: falls, delta: 1 }`"),
    field("evaluation", "`{ importance_samples: 5000 }`; leave it out to measure nothing more"),
    field("evaluation.importance_samples", "how many samples estimate log p(x) of each image, such as `5000`"),
    field("evaluation.images", "how many test images it is estimated on, such as `1000`; leave it out for all"),
    field("reference.set_up", "the published set-up in a few words"),
    field("reference.rows", "a list of published numbers, each `{ id: A, metric: negative-elbo, published: …, … }`"),
    field("reference.rows.id", "a short name for the row, such as `D1`"),
    field(
        "reference.rows.metric",
        "`negative-elbo`, `reconstruction`, `kl`, `nll` (by importance sampling) or `active-units`",
    ),
    field("reference.rows.published", "what was published, as text in quotes, such as `\"105.56 (pytorch/examples)\"`"),
    field("reference.rows.value", "the published number, such as `105.56`"),
    field("reference.rows.tolerance", "how far off still counts as reproduced, such as `0.5`"),
    field("reference.rows.below", "the id of the row whose number is larger"),
    field("reference.rows.where", "the cells that are meant, such as `{ model.latent_dim: 20 }`; leave it out for all"),
    field(
        "reference.rows.full_epochs",
        "the epochs of the published schedule, such as `10`; leave it out if they are not stated",
    ),
    field("reference.rows.tuned", "`true` where settings were chosen by how near they come to the published number"),
    field("reference.rows.note", "what differs from what was published, as text"),
    field("style", "`neurips`, `icml` or `slides`, or `{ width: 3.25, font: 8, palette: gray, formats: [pdf] }`"),
    field("figures", "a list such as `[loss-curves, samples]`; leave it out for every figure that fits, `[]` for none"),
];

fn fields() -> impl Iterator<Item = &'static Field> {
    parts().into_iter().flatten()
}

/// What the setting at a path is called on axes and in captions: `family`, `learning rate`.
pub fn setting_title(path: &str) -> String {
    let title = fields().find(|field| field.path == path).and_then(|field| field.title);
    title.map_or_else(|| path.rsplit('.').next().unwrap_or(path).replace('_', " "), str::to_owned)
}

/// Whether a value, in words, is the one that switches the setting at a path off, such as `none` for `model.corruption`.
pub fn is_switched_off(path: &str, value: &str) -> bool {
    fields().any(|field| field.path == path && field.off == Some(value))
}

/// What to write at a path.
pub(crate) fn write_at(path: &str) -> Option<&'static str> {
    if path.starts_with("dataset.name.") {
        return Some("a path, absolute or relative to the experiment file's folder");
    }
    // A part of a claim has the keys of a claim.
    let path = path.replacen("claims.all.", "claims.", 1);
    fields().find(|field| field.path == path).map(|field| field.write)
}

/// As [`write_at`], of a path with the places of items in it, such as `reference.rows[0].id`.
pub(crate) fn write_at_item(path: &str) -> Option<&'static str> {
    write_at(&path.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect::<String>())
}

/// The paths of a cell that end in `key`, such as `model.latent_dim` for `latent_dim`.
pub(crate) fn paths_ending_in(key: &str) -> impl Iterator<Item = &'static str> {
    cell_paths().filter(move |path| path.rsplit('.').next() == Some(key))
}

/// Every path of a cell.
pub(crate) fn cell_paths() -> impl Iterator<Item = &'static str> {
    fields().map(|field| field.path).filter(|path| {
        SECTIONS.iter().any(|section| path.strip_prefix(section).is_some_and(|rest| rest.starts_with('.')))
    })
}

/// "did you mean": the paths that end in the last part of `path`, or the nearest one.
pub(crate) fn meant_by(path: &str) -> Option<String> {
    let (section, key) =
        path.split_once('.').map_or(("", path), |(section, _)| (section, path.rsplit('.').next().unwrap_or(path)));
    let of_section = paths_ending_in(key).find(|whole| whole.split('.').next() == Some(section));
    let meant: Vec<&str> = match of_section {
        Some(whole) => vec![whole],
        None if paths_ending_in(key).next().is_some() => paths_ending_in(key).collect(),
        None => suggest::nearest(path, cell_paths()).into_iter().collect(),
    };
    let meant: Vec<String> = meant.into_iter().map(|path| format!("`{path}`")).collect();
    (!meant.is_empty()).then(|| format!("did you mean {}?", meant.join(" or ")))
}

/// A hint for a path that is no path of a cell.
pub(crate) fn hint_for_path(path: &str) -> String {
    // The settings of a variant are left out here: there are many, and its own hint names them.
    let is_setting =
        |path: &&str| cell_paths().any(|other| path.strip_prefix(other).is_some_and(|rest| rest.starts_with('.')));
    meant_by(path).unwrap_or_else(|| {
        format!("paths that can be swept are {}", suggest::list(cell_paths().filter(|path| !is_setting(path))))
    })
}

/// Whether a path has no default.
pub(crate) fn is_required(path: &str) -> bool {
    path.starts_with("dataset.name") || ["name", "model.hidden", "model.latent_dim"].contains(&path)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, VecDeque};

    use serde_json::{Value, json};

    use super::*;
    use crate::check::RawCell;

    /// Paths of all values of a cell's JSON.
    fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    leaves(value, &format!("{path}.{key}"), found);
                }
            }
            _ => {
                found.insert(path.trim_start_matches('.').to_owned());
            }
        }
    }

    /// A cell as JSON with its defaults filled in, or why it cannot be read. Whether its parts go together is not asked.
    fn filled_in(raw: &Value) -> Result<Value, String> {
        let raw: RawCell = serde_json::from_value(raw.clone()).map_err(|error| error.to_string())?;
        let RawCell { dataset, model, objective, optimizer, training } = raw;
        let cell = crate::Cell { dataset, model, objective, optimizer, training };
        Ok(serde_json::to_value(&cell).expect("a cell is JSON"))
    }

    fn with(cell: &Value, path: &str, value: Value) -> Value {
        let mut cell = cell.clone();
        *cell.pointer_mut(&format!("/{}", path.replace('.', "/"))).expect("the path is the cell's") = value;
        cell
    }

    /// The variants that can stand at a path, by what is said about a word that is none.
    fn variants(cell: &Value, path: &str) -> Vec<String> {
        let complaint = filled_in(&with(cell, path, json!("?"))).err().unwrap_or_default();
        let Some((_, variants)) = complaint.split_once("unknown variant `?`") else { return Vec::new() };
        variants.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// The cell with a variant at a path: the word, or with such settings as it needs.
    fn with_variant(cell: &Value, path: &str, variant: &str) -> Value {
        let mut settings = json!({});
        for _ in 0..8 {
            let complaint = match filled_in(&with(cell, path, json!({ variant: settings }))) {
                Ok(cell) => return cell,
                Err(complaint) => complaint,
            };
            match complaint.split('`').nth(1).filter(|_| complaint.contains("missing field")) {
                Some(missing) => settings[missing] = json!([1]),
                None if complaint.contains("expected f64") => {
                    let last = settings.as_object().and_then(|settings| settings.keys().next_back().cloned());
                    settings[last.expect("a setting was of the wrong type")] = json!(0.5);
                }
                None => break,
            }
        }
        filled_in(&with(cell, path, json!(variant))).expect("a variant without settings is a word")
    }

    /// Every path of every variant of every part: a field that is added to a part needs its line there.
    #[test]
    fn every_path_of_a_cell_is_listed() {
        let plain = json!({
            "dataset": { "name": "glyphs" }, "model": { "hidden": [400], "latent_dim": 20 },
            "objective": {}, "optimizer": { "adam": {} }, "training": {},
        });
        let mut cells = VecDeque::from([filled_in(&plain).expect("the cell can be read")]);
        let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
        while let Some(cell) = cells.pop_front() {
            let mut paths = BTreeSet::new();
            leaves(&cell, "", &mut paths);
            for path in &paths {
                // Sources of the user's own are written with a path, for which there is one line.
                if path != "dataset.name" && seen.insert(path.clone()) {
                    cells.extend(variants(&cell, path).iter().map(|variant| with_variant(&cell, path, variant)));
                }
            }
            found.extend(paths);
        }
        assert_eq!(found, cell_paths().map(str::to_owned).collect());
    }
}
