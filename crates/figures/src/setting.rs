//! The settings at which an experiment's cells differ: who has which, and what they are called.

use serde_json::Value;
use spec::{Cell, differing_paths, is_switched_off};

use crate::axis::number;
use crate::variant;

/// The width of the latent space.
pub const LATENT_DIM: &str = "model.latent_dim";
/// The weight of the KL term.
pub const BETA: &str = "objective.beta";
/// Settings that are quantities with a symbol of their own; the others are told in words.
pub const QUANTITIES: [&str; 2] = [LATENT_DIM, BETA];
/// Groups are of cells that differ in this alone.
const SEED: &str = "training.seed";

/// A setting at which some cells of the experiment differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// As in the YAML: `model.latent_dim`.
    pub path: String,
    /// Its value.
    pub value: Value,
}

/// What tells one group from all others of the experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupKey {
    /// In the order of the spec; those that its model does not have are absent.
    pub settings: Vec<Setting>,
}

impl GroupKey {
    /// The setting at a path; `None` where cells do not differ in it or this model does not have it.
    pub fn setting(&self, path: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.path == path)
    }

    /// What is told in words.
    pub fn others(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter().filter(|setting| !QUANTITIES.contains(&setting.path.as_str()))
    }

    /// All that tells it from other groups, in words: `autoencoder, hidden 400, D = 20`; empty for an only group.
    pub fn name(&self) -> String {
        let others: Vec<&Setting> = self.others().collect();
        let quantity = |path: &&str| equation(path, Some(&self.setting(path)?.value));
        let words = [phrase(&others)].into_iter().filter(|words| !words.is_empty());
        words.chain(QUANTITIES.iter().filter_map(quantity)).collect::<Vec<_>>().join(", ")
    }
}

/// The key of each cell of an experiment; equal for cells that differ in their seed alone.
pub fn keys(cells: &[Cell]) -> Vec<GroupKey> {
    // What all have alike who have it at all tells nothing that whatever lets them have it does not tell.
    let differs = |path: &String| {
        let mut values = cells.iter().filter(|cell| cell.has(path)).map(|cell| cell.value_at(path));
        values.next().is_some_and(|first| values.any(|other| other != first))
    };
    let paths: Vec<String> = differing_paths(cells).into_iter().filter(|path| path != SEED && differs(path)).collect();
    let key = |cell: &Cell| {
        let had = paths.iter().filter(|path| cell.has(path));
        let setting = |path: &String| Setting { path: path.clone(), value: cell.value_at(path).unwrap_or_default() };
        GroupKey { settings: had.map(setting).collect() }
    };
    cells.iter().map(key).collect()
}

fn last_part(path: &str) -> String {
    path.rsplit('.').next().unwrap_or(path).replace('_', " ")
}

/// A quantity with its value, such as `D = 5`; `no β` where the model has none. `None` for settings that are told in words.
pub fn equation(path: &str, value: Option<&Value>) -> Option<String> {
    let (symbol, absent) = match path {
        LATENT_DIM => ("D", "no latent space"),
        BETA => ("β", "no β"),
        _ => return None,
    };
    Some(value.map_or_else(|| absent.to_owned(), |value| format!("{symbol} = {}", words(value))))
}

/// Settings of one group in words: `VAE, hidden 400, mixture prior, 10 components`.
pub fn phrase(settings: &[&Setting]) -> String {
    // What a model does without is said only where there is nothing else to say.
    let is_absent = |setting: &&&Setting| is_switched_off(&setting.path, &words(&setting.value));
    let (absent, mut said): (Vec<&Setting>, Vec<&Setting>) = settings.iter().partition(is_absent);
    if said.is_empty() {
        said.extend(absent.first());
    }
    let is_unique = |path: &str| settings.iter().filter(|other| last_part(&other.path) == last_part(path)).count() == 1;
    let one = |setting: &&Setting| {
        let value = words(&setting.value);
        match setting.path.as_str() {
            "dataset.name" => value,
            "objective.warm_up_epochs" if value == "0" => "no warm-up".to_owned(),
            "objective.warm_up_epochs" => format!("warm-up {value} epochs"),
            "model.hidden" if value == NOTHING => "no hidden layers".to_owned(),
            path => {
                let name = if is_unique(path) { last_part(path) } else { path.replace(['.', '_'], " ") };
                variant::told(path, &setting.value).unwrap_or_else(|| variant::field(&name, &setting.value))
            }
        }
    };
    said.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// An empty list in words.
const NOTHING: &str = "none";

/// A setting's value in the words of a spec; a variant with settings as `masking fraction 0.5` or `gan spectral-norm`.
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

#[cfg(test)]
mod tests {
    use spec::ModelKind;

    use super::*;

    fn phrases(cells: &[Cell]) -> Vec<String> {
        keys(cells).iter().map(|key| phrase(&key.others().collect::<Vec<_>>())).collect()
    }

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
        assert_eq!(phrases(&cells), ["learning rate 0.001", "learning rate 0.0001", "learning rate 0.001"]);
    }

    #[test]
    fn what_a_cell_does_without_is_said_only_where_nothing_else_is() {
        let mut cells = [cell(2, 1.0, 0, 1e-3, 400), cell(2, 1.0, 0, 1e-3, 400), cell(2, 1.0, 0, 1e-3, 400)];
        cells[1].objective.warm_up_epochs = 2;
        cells[1].objective.cycles = 4;
        cells[2].model.corruption = spec::Corruption::Masking { fraction: 0.5 };
        let said = phrases(&cells);
        assert_eq!(said[1..], ["warm-up 2 epochs, 4 cycles", "masked pixels, fraction 0.5"]);
        assert_eq!(said[0], "no corruption");
    }

    #[test]
    fn defaults_go_without_saying_and_no_layers_are_said() {
        let mut cells = vec![cell(2, 1.0, 0, 1e-3, 400); 4];
        cells[1].model.kind = ModelKind::Autoencoder;
        cells[1].model.hidden.clear();
        cells[2].model.latent = spec::Latent::Bernoulli { temperature: 1.0, final_temperature: 0.5, anneal_epochs: 10 };
        cells[3].model.net = spec::Net::Conv { channels: vec![8, 16], kernel: 3, stride: 2 };
        let said = phrases(&cells);
        assert_eq!(said[..2], ["VAE, hidden 400", "autoencoder, no hidden layers"]);
        assert!(said[2].starts_with("VAE, hidden 400, latent bits, "), "{}", said[2]);
        assert_eq!(said[3], "VAE, convolutional, channels 8-16, kernel 3, stride 2, hidden 400");
        cells.truncate(1);
        cells.extend(vec![cell(2, 1.0, 0, 1e-3, 400); 1]);
        cells[1].model.prior = spec::Prior::Mixture { components: 10 };
        assert_eq!(phrases(&cells), ["prior N(0, I)", "mixture prior, 10 components"]);
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
        let variants = phrases(&cells);
        assert_eq!(variants[0], "VAE");
        assert_eq!(variants[1], "autoencoder");
        assert_eq!(variants[2], "Gaussian mixture over pixels, 5 components, floor 0.1");
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
    fn a_setting_that_changes_with_the_latent_dimension_is_told() {
        let cells = [cell(2, 1.0, 0, 1e-3, 100), cell(5, 1.0, 0, 1e-3, 400), cell(5, 4.0, 1, 1e-3, 400)];
        let names: Vec<String> = keys(&cells).iter().map(GroupKey::name).collect();
        assert_eq!(names, ["hidden 100, D = 2, β = 1", "hidden 400, D = 5, β = 1", "hidden 400, D = 5, β = 4"]);
    }
}
