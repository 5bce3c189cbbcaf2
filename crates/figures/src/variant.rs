//! What tells a cell from the others of its sweep, in words.

use std::collections::BTreeMap;

use serde_json::Value;
use spec::{Cell, ModelKind, Scale, differing_paths};

use crate::axis::number;

/// The variant of each cell: what tells it from the other cells of its scale besides seed, β and latent dimension, in
/// words. (Cells of different scales are never drawn together, so that their likelihoods need no mention.)
///
/// Settings that follow from β and the latent dimension (such as a width chosen per latent dimension) are left out,
/// since those two tell the cells apart already.
pub fn variants_of(cells: &[Cell]) -> Vec<String> {
    let mut variants = vec![String::new(); cells.len()];
    for scale in Scale::ALL {
        let places: Vec<usize> = (0..cells.len()).filter(|&i| cells[i].scale() == scale).collect();
        let of_scale: Vec<&Cell> = places.iter().map(|&i| &cells[i]).collect();
        for (place, variant) in places.into_iter().zip(variants_within(&of_scale)) {
            variants[place] = variant;
        }
    }
    variants
}

fn variants_within(cells: &[&Cell]) -> Vec<String> {
    let paths = differing_paths(cells.iter().copied());
    let value = |index: usize, path: &str| cells[index].value_at(path).map_or_else(|| "–".to_owned(), |v| words(&v));
    let mut kept: Vec<&String> = Vec::new();
    for path in &paths {
        if ["training.seed", "objective.beta", "model.latent_dim"].contains(&path.as_str()) {
            continue;
        }
        // A family is named, whatever else tells it apart.
        if path == "model.kind" {
            kept.push(path);
            continue;
        }
        let mut seen: BTreeMap<(u64, usize), String> = BTreeMap::new();
        let follows = (0..cells.len()).all(|i| {
            let place = (cells[i].objective.beta.to_bits(), cells[i].model.latent_dim);
            *seen.entry(place).or_insert_with(|| value(i, path)) == value(i, path)
        });
        if !follows {
            kept.push(path);
        }
    }
    let tail = |path: &str| path.rsplit('.').next().unwrap_or(path).replace('_', " ");
    let unique = |path: &str| kept.iter().filter(|other| tail(other) == tail(path)).count() == 1;
    (0..cells.len())
        .map(|i| {
            let is_mixture = matches!(cells[i].model.kind, ModelKind::GaussianMixture { .. });
            let applies = |path: &&&String| !is_mixture || **path == "model.kind" || !path.starts_with("model.");
            // What a cell does without is said only where there is nothing else to say.
            let (absent, mut said): (Vec<&&String>, Vec<_>) = kept
                .iter()
                .filter(applies)
                .partition(|path| ABSENT.contains(&(path.as_str(), value(i, path).as_str())));
            if said.is_empty() {
                said.extend(absent.first());
            }
            let words = said.into_iter().map(|path| {
                let value = value(i, path);
                match path.as_str() {
                    // These values say of themselves what they are the values of.
                    "dataset.name" | "model.kind" | "model.likelihood" | "objective.kind" => value,
                    "objective.warm_up_epochs" if value == "0" => "no warm-up".to_owned(),
                    "objective.warm_up_epochs" => format!("warm-up {value} epochs"),
                    "objective.cycles" => format!("cycles {value}"),
                    "model.hidden" if value == NOTHING => "no hidden layers".to_owned(),
                    path => {
                        let name = if unique(path) { tail(path) } else { path.replace(['.', '_'], " ") };
                        format!("{name} {value}")
                    }
                }
            });
            words.collect::<Vec<_>>().join(", ")
        })
        .collect()
}

/// Settings at the value that switches them off.
const ABSENT: [(&str, &str); 7] = [
    ("objective.warm_up_epochs", "0"),
    ("objective.cycles", "1"),
    ("model.corruption", "none"),
    ("model.latent", "gaussian"),
    ("model.prior", "standard"),
    ("model.net", "mlp"),
    ("optimizer.adam.schedule", "constant"),
];

/// An empty list in words.
const NOTHING: &str = "none";

/// A setting's value in words; a variant with settings as `masking fraction 0.5` or `gan spectral-norm`.
pub fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), number),
        Value::Array(items) if items.is_empty() => NOTHING.to_owned(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join("-"),
        Value::Null => "–".to_owned(),
        Value::Object(variant) => {
            variant.iter().map(|(name, settings)| format!("{name} {}", settings_in_words(settings))).collect()
        }
        Value::Bool(yes) => yes.to_string(),
    }
}

/// A variant's settings: numbers with their names, words without.
fn settings_in_words(settings: &Value) -> String {
    let Value::Object(fields) = settings else { return words(settings) };
    let pairs = fields.iter().map(|(name, value)| match value {
        Value::String(_) | Value::Object(_) => words(value),
        _ => format!("{} {}", name.replace('_', " "), words(value)),
    });
    pairs.collect::<Vec<_>>().join(", ")
}

/// `a`, `a or b`, `a, b or c`; the last word is joined on with `conjunction`.
pub fn listed<W: AsRef<str>>(words: &[W], conjunction: &str) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.as_slice() {
        [others @ .., last] if !others.is_empty() => format!("{} {conjunction} {last}", others.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(latent_dim: usize, beta: f64, seed: u64, learning_rate: f64, hidden: usize) -> Cell {
        serde_json::from_value(serde_json::json!({
            "dataset": { "name": "glyphs" },
            "model": { "hidden": [hidden], "latent_dim": latent_dim },
            "objective": { "beta": beta },
            "optimizer": { "adam": { "learning_rate": learning_rate } },
            "training": { "seed": seed },
        }))
        .expect("the cell is valid")
    }

    #[test]
    fn other_settings_make_variants() {
        let cells = [cell(2, 1.0, 0, 1e-3, 400), cell(2, 1.0, 0, 1e-4, 400), cell(5, 1.0, 1, 1e-3, 400)];
        assert_eq!(variants_of(&cells), ["learning rate 0.001", "learning rate 0.0001", "learning rate 0.001"]);
    }

    #[test]
    fn what_a_cell_does_without_is_said_only_where_nothing_else_is() {
        let mut cells = [cell(2, 1.0, 0, 1e-3, 400), cell(2, 1.0, 0, 1e-3, 400), cell(2, 1.0, 0, 1e-3, 400)];
        cells[1].objective.warm_up_epochs = 2;
        cells[1].objective.cycles = 4;
        cells[2].model.corruption = spec::Corruption::Masking { fraction: 0.5 };
        let said = variants_of(&cells);
        assert_eq!(said[1..], ["warm-up 2 epochs, cycles 4", "corruption masking fraction 0.5"]);
        assert_eq!(said[0], "corruption none");
    }

    #[test]
    fn defaults_go_without_saying_and_no_layers_are_said() {
        let mut cells = vec![cell(2, 1.0, 0, 1e-3, 400); 4];
        cells[1].model.kind = ModelKind::Autoencoder;
        cells[1].model.hidden.clear();
        cells[2].model.latent = spec::Latent::Bernoulli { temperature: 1.0, final_temperature: 0.5, anneal_epochs: 10 };
        cells[3].model.net = spec::Net::Conv { channels: vec![8, 16], kernel: 3, stride: 2 };
        let said = variants_of(&cells);
        assert_eq!(said[..2], ["vae, hidden 400", "autoencoder, no hidden layers"]);
        assert!(said[2].starts_with("vae, hidden 400, latent bernoulli"), "{}", said[2]);
        assert_eq!(said[3], "vae, net conv channels 8-16, kernel 3, stride 2, hidden 400");
        cells.truncate(1);
        cells.extend(vec![cell(2, 1.0, 0, 1e-3, 400); 1]);
        cells[1].model.prior = spec::Prior::Mixture { components: 10 };
        assert_eq!(variants_of(&cells), ["prior standard", "prior mixture components 10"]);
    }

    #[test]
    fn families_and_likelihoods_are_named_without_their_keys() {
        let mut cells = [cell(2, 1.0, 0, 1e-3, 400), cell(2, 1.0, 0, 1e-3, 400), cell(2, 1.0, 0, 1e-3, 400)];
        cells[1].model.kind = ModelKind::Autoencoder;
        cells[2].model.kind = ModelKind::GaussianMixture { components: 5, floor: 0.1 };
        cells[2].model.hidden.clear();
        cells[2].model.latent_dim = 0;
        cells[0].dataset.pixels = spec::Pixels::Gray;
        for cell in &mut cells[..2] {
            cell.model.likelihood = spec::Likelihood::Gaussian { sigma: 1.0 };
        }
        let variants = variants_of(&cells);
        assert_eq!(variants[0], "vae");
        assert_eq!(variants[1], "autoencoder");
        assert_eq!(variants[2], "gaussian-mixture components 5, floor 0.1");
        let said = |value| words(&value);
        assert_eq!(
            said(serde_json::json!({ "gan": { "regulariser": { "gradient-penalty": { "weight": 1.0 } } } })),
            "gan gradient-penalty weight 1"
        );
        assert_eq!(
            said(serde_json::json!({ "gaussian-shared": { "variance": "optimal" } })),
            "gaussian-shared optimal"
        );
    }

    #[test]
    fn settings_that_follow_from_the_latent_dimension_do_not() {
        let cells = [cell(2, 1.0, 0, 1e-3, 100), cell(5, 1.0, 0, 1e-3, 400), cell(5, 4.0, 1, 1e-3, 400)];
        assert_eq!(variants_of(&cells), ["", "", ""]);
    }
}
