//! Which cells are the same run: ids.
//!
//! A run's id is the SHA-256 of the cell's canonical JSON, cut to 16 hex digits. Canonical means: keys sorted, no white space,
//! every number in one spelling, fields at their default left out, and fields that cannot change the result left out too.
//! So the order of keys, comments, `1` for `1.0`, the list of figures and the execution settings do not change an id, and
//! neither does a field that is added later, as long as it is at its default. A **default therefore never changes** unless
//! [`NUMBERS_VERSION`] is raised, since specs that leave the field out would keep the old runs.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::cell::Cell;
use crate::dataset::{Dataset, OwnKind, OwnSource, Pixels, Source};
use crate::model::Model;
use crate::objective::Objective;
use crate::optimizer::{Adam, Optimizer};
use crate::text::hexadecimal;
use crate::training::Training;

/// Part of every run's id; raised when a change of the code moves numbers, so that old runs are not taken for new ones.
pub const NUMBERS_VERSION: u32 = 12;

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

impl Cell {
    /// The id of this cell's run.
    pub fn run_id(&self) -> RunId {
        self.run_id_at(NUMBERS_VERSION)
    }

    /// The id of this cell's run by a program of another numbers version, for records that outlive it.
    pub fn run_id_at(&self, numbers_version: u32) -> RunId {
        let text = canonical_text(&json!({ "numbers_version": numbers_version, "cell": canonical(self) }));
        let digest = Sha256::digest(text.as_bytes());
        RunId(hexadecimal(&digest[..8]))
    }
}

/// What the id is taken of: the cell without what is at its default and without what cannot change the result.
pub(crate) fn canonical(cell: &Cell) -> Value {
    // Exhaustive, so that a new section is thought about here.
    let Cell { dataset, model, objective, optimizer, training } = cell;
    let mut canonical = Map::new();

    let mut dataset = dataset.clone();
    let is_drawn = !matches!(dataset.pixels, Pixels::Gray | Pixels::Binary);
    if dataset.name.known().is_some() && !is_drawn && dataset.validation == 0 {
        // Nothing is drawn with it.
        dataset.seed = 0;
    }
    let mut section = to_map(&dataset);
    if let (Source::Own(_), Some(digest)) = (&dataset.name, section.remove("digest").filter(|digest| !digest.is_null()))
    {
        // Known by what it holds, wherever it lies and in whatever form.
        section.insert("name".to_owned(), json!({ "own": digest }));
    }
    canonical.insert("dataset".to_owned(), without(&DEFAULTS.dataset, section, &["name"]));

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
    let mut training = without(&DEFAULTS.training, to_map(training), &[]);
    drop_default_settings(&mut training, "keep", |written| {
        let whole = json!({ "keep": written });
        serde_json::from_value::<Training>(whole).ok().and_then(|training| to_map(&training).remove("keep"))
    });
    canonical.insert("training".to_owned(), training);
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
    let dataset = Dataset::plain(Source::Own(OwnSource { kind: OwnKind::Folder, path: PathBuf::new() }));
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
        latent_noise: 0.0,
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
pub(crate) fn canonical_text(value: &Value) -> String {
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
