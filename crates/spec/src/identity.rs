//! Which cells are the same run, and what they are called.
//!
//! A run's id is the SHA-256 of the cell's canonical JSON, cut to 16 hex digits. Canonical means: keys sorted, no white space,
//! every number in one spelling, fields at their default left out, and fields that cannot change the result left out too.
//! So the order of keys, comments, `1` for `1.0`, the list of figures and the execution settings do not change an id, and
//! neither does a field that is added later, as long as it is at its default. A **default therefore never changes** unless
//! [`NUMBERS_VERSION`] is raised, since specs that leave the field out would keep the old runs.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::cell::{Adam, Cell, Dataset, Optimizer, Pixels, Source, Training};
use crate::model::{Corruption, Latent, Likelihood, Model, ModelKind, Net, Prior};
use crate::number::shortest;
use crate::objective::{Objective, ObjectiveKind};

/// Part of every run's id; raised when a change of the code moves numbers, so that old runs are not taken for new ones.
pub const NUMBERS_VERSION: u32 = 1;

/// Names a run: 16 lowercase hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

impl RunId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for RunId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> String {
        id.0
    }
}

/// Text that is no run id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a run id\nhint: a run id is 16 digits of 0-9 and a-f; `elbo list` shows them")]
pub struct RunIdError {
    text: String,
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<RunId, RunIdError> {
        RunId::try_from(text.to_owned())
    }
}

impl TryFrom<String> for RunId {
    type Error = RunIdError;

    fn try_from(text: String) -> Result<RunId, RunIdError> {
        let valid = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if valid { Ok(RunId(text)) } else { Err(RunIdError { text: crate::diagnostic::quote(&text) }) }
    }
}

/// What the numbers of a run are measured on; numbers of two scales are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Cross-entropy on gray values; its floor is not zero.
    GrayBce,
    /// Probability of binary pixels.
    Bernoulli,
    /// Probability of 8-bit gray levels.
    GrayLevels,
    /// A density over gray values in 0…1; may be negative.
    GaussianDensity,
}

impl Scale {
    /// All scales.
    pub const ALL: [Scale; 4] = [Scale::GrayBce, Scale::Bernoulli, Scale::GrayLevels, Scale::GaussianDensity];

    /// The name in columns and on axes: `gray-bce`, `bernoulli`, `gray-levels`, `gaussian-density`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scale::GrayBce => "gray-bce",
            Scale::Bernoulli => "bernoulli",
            Scale::GrayLevels => "gray-levels",
            Scale::GaussianDensity => "gaussian-density",
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Cell {
    /// The id of this cell's run.
    pub fn run_id(&self) -> RunId {
        let text = canonical_text(&json!({ "numbers_version": NUMBERS_VERSION, "cell": canonical(self) }));
        let digest = Sha256::digest(text.as_bytes());
        RunId(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// A name for people, such as `vae-mnist-z20-b1-s0` or `vae-conv-vamp-mnist-z40-b1-s0`, with a word for each part that is
    /// not a plain VAE's; several cells may share it.
    pub fn readable_name(&self) -> String {
        let images = self.dataset.name.readable_name();
        let (seed, width, beta) = (self.training.seed, self.model.latent_dim, shortest(self.objective.beta));
        let tags = self.tags();
        match self.model.kind {
            ModelKind::Vae => format!("vae{tags}-{images}-z{width}-b{beta}-s{seed}"),
            ModelKind::VaeGan { .. } => format!("vae-gan{tags}-{images}-z{width}-b{beta}-s{seed}"),
            ModelKind::Autoencoder => format!("autoencoder{tags}-{images}-z{width}-s{seed}"),
            ModelKind::Gan { .. } => format!("gan{tags}-{images}-z{width}-s{seed}"),
            ModelKind::GaussianMixture { components, .. } => format!("gaussian-mixture-{images}-k{components}-s{seed}"),
        }
    }

    /// A word for each part of the model and the objective that is not the default, each after a hyphen.
    fn tags(&self) -> String {
        let model = &self.model;
        let net = matches!(model.net, Net::Conv { .. }).then_some("conv");
        let latent = matches!(model.latent, Latent::Bernoulli { .. }).then_some("bits");
        let prior = match model.prior {
            Prior::Standard => None,
            Prior::Mixture { .. } => Some("mixture"),
            Prior::Vamp { .. } => Some("vamp"),
        };
        let likelihood = match model.likelihood {
            Likelihood::Bernoulli => None,
            Likelihood::ContinuousBernoulli => Some("cb"),
            Likelihood::Gaussian { .. } => Some("gaussian"),
            Likelihood::GaussianShared { .. } => Some("shared"),
            Likelihood::GaussianPerPixel { .. } => Some("per-pixel"),
            Likelihood::DiscretisedLogistic => Some("logistic"),
        };
        let corruption = (model.corruption != Corruption::None).then_some("denoising");
        let objective = match self.objective.kind {
            ObjectiveKind::Elbo => None,
            ObjectiveKind::FreeBits { .. } => Some("free-bits"),
            ObjectiveKind::Capacity { .. } => Some("capacity"),
            ObjectiveKind::ImportanceWeighted { .. } => Some("iw"),
            ObjectiveKind::TotalCorrelation => Some("tc"),
            ObjectiveKind::Mmd { .. } => Some("mmd"),
        };
        [net, latent, prior, likelihood, corruption, objective]
            .into_iter()
            .flatten()
            .map(|tag| format!("-{tag}"))
            .collect()
    }

    /// The value at a path as in the YAML, such as `model.latent_dim`; defaults are filled in.
    pub fn value_at(&self, path: &str) -> Option<Value> {
        let cell = self.to_json();
        path.split('.').try_fold(&cell, |value, key| value.get(key)).cloned()
    }

    /// What this cell's numbers are measured on.
    pub fn scale(&self) -> Scale {
        if matches!(self.model.kind, ModelKind::GaussianMixture { .. }) {
            return Scale::GaussianDensity;
        }
        match (self.model.likelihood, self.dataset.pixels) {
            (Likelihood::Gaussian { .. } | Likelihood::GaussianShared { .. }, _) => Scale::GaussianDensity,
            (Likelihood::GaussianPerPixel { .. } | Likelihood::ContinuousBernoulli, _) => Scale::GaussianDensity,
            (Likelihood::DiscretisedLogistic, _) => Scale::GrayLevels,
            (Likelihood::Bernoulli, Pixels::Gray) => Scale::GrayBce,
            (Likelihood::Bernoulli, Pixels::Static | Pixels::Dynamic) => Scale::Bernoulli,
        }
    }

    /// Equal for cells that can train as one program: the same but for latent width, β and its warm-up, learning rate,
    /// seed and the likelihood's scale.
    pub fn cohort_key(&self) -> String {
        let mut cell = self.clone();
        cell.model.latent_dim = self.model.latent_dim.min(1);
        cell.objective = Objective { kind: self.objective.kind, ..Objective::default() };
        cell.training.seed = 0;
        if let Likelihood::Gaussian { sigma } = &mut cell.model.likelihood {
            *sigma = 1.0;
        }
        match &mut cell.optimizer {
            Optimizer::Adam(adam) => adam.learning_rate = Adam::default().learning_rate,
        }
        canonical_text(&canonical(&cell))
    }

    /// The whole cell, defaults included.
    pub(crate) fn to_json(&self) -> Value {
        // Every field is a number, a word or a list of them, so this cannot fail.
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Source {
    /// A name for people: the dataset's, or that of the file or folder.
    pub fn readable_name(&self) -> String {
        match self {
            Source::Glyphs => "glyphs".to_owned(),
            Source::Mnist => "mnist".to_owned(),
            Source::FashionMnist => "fashion-mnist".to_owned(),
            Source::Hdf5(path) | Source::Idx(path) | Source::Folder(path) => {
                let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
                let slug: String =
                    stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
                let slug = slug.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
                if slug.is_empty() { "images".to_owned() } else { slug }
            }
        }
    }
}

/// The paths at which some of the cells differ, in the order of the spec: what `diff` and `compare` show.
///
/// Where cells differ in an enum's variant, the enum's own path is given (`model.likelihood`), not those of its settings.
pub fn differing_paths<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Vec<String> {
    let cells: Vec<Value> = cells.into_iter().map(Cell::to_json).collect();
    let mut paths = Vec::new();
    for section in crate::fields::SECTIONS {
        let sections: Vec<&Value> = cells.iter().filter_map(|cell| cell.get(section)).collect();
        differing(&sections, section, &mut paths);
    }
    let position = |path: &String| crate::fields::cell_paths().position(|known| known == path);
    paths.sort_by_key(|path| position(path).unwrap_or(usize::MAX));
    paths
}

fn differing(values: &[&Value], path: &str, paths: &mut Vec<String>) {
    let Some((first, rest)) = values.split_first() else { return };
    if rest.iter().all(|value| value == first) {
        return;
    }
    let maps: Vec<&Map<String, Value>> = values.iter().filter_map(|value| value.as_object()).collect();
    let same_keys = maps.len() == values.len()
        && maps.iter().all(|map| map.len() == maps[0].len() && map.keys().all(|key| maps[0].contains_key(key)));
    if !same_keys {
        paths.push(path.to_owned());
        return;
    }
    for key in maps[0].keys() {
        let inner: Vec<&Value> = maps.iter().filter_map(|map| map.get(key)).collect();
        differing(&inner, &format!("{path}.{key}"), paths);
    }
}

/// What the id is taken of: the cell without what is at its default and without what cannot change the result.
fn canonical(cell: &Cell) -> Value {
    // Exhaustive, so that a new section is thought about here.
    let Cell { dataset, model, objective, optimizer, training } = cell;
    let mut canonical = Map::new();

    let mut dataset = dataset.clone();
    if dataset.pixels == Pixels::Gray && dataset.validation == 0 {
        // Nothing is drawn with it.
        dataset.seed = 0;
    }
    canonical.insert("dataset".to_owned(), without(&DEFAULTS.dataset, to_map(&dataset), &["name"]));

    let mut model = without(&DEFAULTS.model, to_map(model), &["hidden", "latent_dim"]);
    for key in ["kind", "net", "latent", "prior", "likelihood", "corruption"] {
        drop_default_settings(&mut model, key, |written| {
            let whole = json!({ "hidden": [], "latent_dim": 1, key: written });
            serde_json::from_value::<Model>(whole).ok().and_then(|model| to_map(&model).remove(key))
        });
    }
    canonical.insert("model".to_owned(), model);

    let mut objective = without(&DEFAULTS.objective, to_map(objective), &[]);
    drop_default_settings(&mut objective, "kind", |written| {
        let whole = json!({ "kind": written });
        serde_json::from_value::<Objective>(whole).ok().and_then(|objective| to_map(&objective).remove("kind"))
    });
    canonical.insert("objective".to_owned(), objective);
    match optimizer {
        Optimizer::Adam(adam) => {
            // Adam is the default optimizer, so that Adam with its defaults is left out as a whole.
            let adam = without(&DEFAULTS.adam, to_map(adam), &[]);
            if adam.as_object().is_some_and(|settings| !settings.is_empty()) {
                canonical.insert("optimizer".to_owned(), json!({ "adam": adam }));
            }
        }
    }
    canonical.insert("training".to_owned(), without(&DEFAULTS.training, to_map(training), &[]));
    canonical.retain(|_, section| section.as_object().is_none_or(|section| !section.is_empty()));
    Value::Object(canonical)
}

/// Where `section[key]` is a variant with settings, leaves out those at their default. `read` gives the variant's value
/// from its written form.
fn drop_default_settings(section: &mut Value, key: &str, read: impl Fn(Value) -> Option<Value>) {
    let Some(Value::Object(variant)) = section.get_mut(key) else { return };
    for (name, settings) in variant.iter_mut() {
        // The second form is for a variant one of whose settings has no default.
        let default = [json!({}), json!({ "channels": [] })].into_iter().find_map(|none| read(json!({ name: none })));
        if let (Value::Object(settings), Some(default)) = (settings, default.as_ref().and_then(|value| value.get(name)))
        {
            settings.retain(|setting, value| setting == "channels" || default.get(setting) != Some(value));
        }
    }
}

/// Every section with all fields at their default.
struct Defaults {
    dataset: Map<String, Value>,
    model: Map<String, Value>,
    objective: Map<String, Value>,
    adam: Map<String, Value>,
    training: Map<String, Value>,
}

static DEFAULTS: LazyLock<Defaults> = LazyLock::new(|| {
    // Fields without a default have any value here; they are never left out.
    let dataset = Dataset {
        name: Source::Glyphs,
        pixels: Pixels::default(),
        validation: 0,
        seed: 0,
        train_images: None,
        test_images: None,
    };
    let model = Model {
        kind: Default::default(),
        net: Default::default(),
        hidden: Vec::new(),
        activation: Default::default(),
        init: Default::default(),
        latent_dim: 0,
        latent: Default::default(),
        prior: Default::default(),
        likelihood: Default::default(),
        corruption: Default::default(),
    };
    Defaults {
        dataset: to_map(&dataset),
        model: to_map(&model),
        objective: to_map(&Objective::default()),
        adam: to_map(&Adam::default()),
        training: to_map(&Training::default()),
    }
});

/// What is left of a section without the fields at their default.
fn without(default: &Map<String, Value>, mut section: Map<String, Value>, required: &[&str]) -> Value {
    section.retain(|key, value| required.contains(&key.as_str()) || default.get(key) != Some(value));
    Value::Object(section)
}

fn to_map<T: Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// JSON with sorted keys and one spelling for every number, whatever features serde_json was built with.
fn canonical_text(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries: Vec<String> = entries
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical_text(value)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical_text).collect::<Vec<_>>().join(",")),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            // Adding zero makes −0 the same as 0.
            (None, Some(float)) => format!("{:e}", float + 0.0),
            (None, None) => number.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens to an id when a later version adds a field: nothing, as long as the field is at its default.
    #[test]
    fn a_new_field_at_its_default_is_left_out() {
        let mut default = DEFAULTS.training.clone();
        let section = to_map(&Training { epochs: 7, ..Training::default() });
        let before = canonical_text(&without(&default, section.clone(), &[]));
        default.insert("ema_decay".to_owned(), json!(0.0));
        let with = |value: f64| {
            let mut section = section.clone();
            section.insert("ema_decay".to_owned(), json!(value));
            canonical_text(&without(&default, section, &[]))
        };
        assert_eq!(with(0.0), before);
        assert_ne!(with(0.5), before);
    }

    #[test]
    fn canonical_text_has_one_spelling() {
        let text = canonical_text(&json!({ "b": [1, 1.0, -0.0, 1e-3, u64::MAX], "a": { "d": null, "c": "\"" } }));
        assert_eq!(text, r#"{"a":{"c":"\"","d":null},"b":[1,1e0,0e0,1e-3,18446744073709551615]}"#);
    }
}
