//! What runs are called for people.

use serde_json::Value;

use crate::cell::Cell;
use crate::net::Net;
use crate::number::shortest;
use crate::run_id::canonical;

/// Parts of a model whose variant [`Cell::tags`] names.
const TAGGED: [&str; 7] = [
    "model.kind",
    "model.net",
    "model.latent",
    "model.prior",
    "model.likelihood",
    "model.corruption",
    "objective.kind",
];
/// What every name says, where its model has it.
const SAID: [&str; 5] =
    ["dataset.name", "model.latent_dim", "objective.beta", "training.seed", "model.kind.gaussian-mixture.components"];
/// Short words for settings that are often set; the others are called by the last part of their path.
const SHORT: [(&str, &str); 10] = [
    ("dataset.seed", "dataseed"),
    ("dataset.train_images", "train"),
    ("dataset.test_images", "test"),
    ("dataset.validation", "val"),
    ("model.hidden", "h"),
    ("objective.warm_up_epochs", "warmup"),
    ("optimizer.adam.learning_rate", "lr"),
    ("training.batch_size", "batch"),
    ("training.epochs", "e"),
    ("training.keep.best.patience", "patience"),
];

impl Cell {
    /// A name for people, such as `vae-mnist-z20-b1-s0` or `vae-conv-vamp-mnist-z40-b1-channels8x16-e50-s0`: a word for each part that
    /// is not a plain VAE's, then each setting that is not at its default. Dense layers are named unless they are one of 400. Cells on
    /// two files of one name may share it.
    pub fn readable_name(&self) -> String {
        let images = self.dataset.name.readable_name();
        let name = self.model.kind.readable_name(self, &self.tags(), &images);
        let others: String = self.other_settings().iter().map(|word| format!("-{word}")).collect();
        format!("{name}{others}-s{}", self.training.seed)
    }

    /// A word for each part of the model and the objective that is not the default, each after a hyphen.
    fn tags(&self) -> String {
        let model = &self.model;
        let parts = [
            model.net.tag(),
            model.latent.tag(),
            model.prior.tag(),
            model.likelihood.tag(),
            model.corruption.tag(),
            self.objective.kind.tag(),
        ];
        parts.into_iter().flatten().map(|tag| format!("-{tag}")).collect()
    }

    /// A word for each setting that is not at its default and that neither the tags nor every name say, in order of path.
    fn other_settings(&self) -> Vec<String> {
        let mut words = Vec::new();
        visit(String::new(), &canonical(self), &mut words);
        words.retain(|(path, _)| self.has(path) && !(path == "model.hidden" && self.has_usual_layers()));
        words.sort();
        words.into_iter().map(|(_, word)| word).collect()
    }

    /// Whether the dense layers need no word: one of 400, or none behind convolutions.
    fn has_usual_layers(&self) -> bool {
        match self.model.net {
            Net::Mlp => self.model.hidden == [400],
            Net::Conv { .. } => self.model.hidden.is_empty(),
        }
    }
}

/// Path and word of each setting at `path` and below.
fn visit(path: String, value: &Value, into: &mut Vec<(String, String)>) {
    if SAID.contains(&path.as_str()) {
        return;
    }
    let last = path.rsplit('.').next().unwrap_or_default();
    let short = SHORT.iter().find(|(known, _)| *known == path).map(|(_, short)| (*short).to_owned());
    let name = short.unwrap_or_else(|| last.replace('_', "-"));
    match value {
        Value::Object(settings) => {
            // The word of a variant with settings: its name, unless the tags have it.
            if let Some((variant, Value::Object(_))) = settings.iter().next()
                && path.contains('.')
                && path != "optimizer.adam"
                && !TAGGED.contains(&path.as_str())
                && !path.rsplit_once('.').is_some_and(|(parent, _)| TAGGED.contains(&parent))
            {
                into.push((path.clone(), variant.clone()));
            }
            for (key, value) in settings {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                visit(path, value, into);
            }
        }
        Value::String(_) if TAGGED.contains(&path.as_str()) => {}
        Value::String(word) if path == "objective.kl_parts" => into.push((path, format!("kl-{word}"))),
        Value::String(word) => into.push((path, word.clone())),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            let items = if items.is_empty() { "0".to_owned() } else { items.join("x") };
            into.push((path, format!("{name}{items}")));
        }
        Value::Number(_) | Value::Bool(_) => into.push((path, format!("{name}{}", written(value)))),
        Value::Null => {}
    }
}

fn written(value: &Value) -> String {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(float) => shortest(float),
        None => value.to_string(),
    }
}
