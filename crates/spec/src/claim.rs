//! Claims about an experiment's results, written down before anything is trained and judged once the runs are there.
//!
//! ```yaml
//! claims:
//!   - id: 4a
//!     text: Reconstructions get less blurred as the latent space widens.
//!     metric: { sharpness: { of: reconstructions } }
//!     of:     { arm: gray, objective.beta: 1 }         # the cells that it is about
//!     from:   { model.latent_dim: 2 }
//!     to:     { model.latent_dim: 20 }
//!     expect: rises                                    # rises | falls | stays
//!     delta:  0.001                                    # the smallest change that counts, in the metric's unit
//!   - id: 1
//!     text: A larger β lowers the KL and the number of active units.
//!     of:     { arm: gray, model.latent_dim: 20 }
//!     along:  { objective.beta: [0.25, 0.5, 1, 2, 4] } # from the first to the last, and each step in the same direction
//!     expect: falls
//!     all:                                             # a claim of several parts, which have what is written above them
//!       - { metric: kl, delta: 1 }
//!       - { metric: active_units, delta: 1 }
//! ```
//!
//! What else a comparison may be of:
//!
//! ```yaml
//!     from:   { settings: { of: samples } }            # at one end measured with other settings than `metric` says
//!     across: { objective.beta: [0.25, 4] }            # how much more the metric changes at the second value than at the first
//!     at:     { metric: kl, value: 25, along: objective.beta }   # each end where it has this KL, between its values of β
//! ```
//!
//! With `across` the effect is an interaction, the difference of two changes. With `at` an end has a cell for each value of the path
//! `along`, and its metric is interpolated linearly between the two neighbours in `metric` that enclose the value, by seed; a seed whose
//! cells do not enclose it is left out, and said.
//!
//! The metric is that of the test images: at the last epoch, or at the one that was kept, of what is measured at each epoch, and a
//! row of `evaluation.parquet` of what is measured on the trained model. Two cells are compared for each seed. With `log: true`
//! logarithms are compared, so that `delta: 0.1` is a change by 10 %. How a claim is judged: `record/src/verdict.rs`.

mod check;
mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};

use crate::cell::Cell;
use crate::diagnostic::Span;
use crate::experiment::Arm;
use crate::metric::{Metric, MetricSettings};
use crate::run_id::canonical_text;
use crate::sweep::from_json;
use crate::text::hexadecimal;

pub(crate) use check::check_cells;
pub(crate) use read::read;

/// A sentence about results, and what decides whether it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Names it, such as `4a`: letters, digits and hyphens; each once in an experiment.
    pub id: String,
    /// The sentence.
    pub text: String,
    /// What must hold for it, all of them; at least one.
    pub parts: Vec<ClaimPart>,
}

/// One change of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimPart {
    /// What is measured, on the test images.
    pub metric: Metric,
    /// What it was computed with; settings that are absent may be any.
    pub settings: MetricSettings,
    /// The cells that it is about.
    pub of: Conditions,
    /// Which of them are compared.
    pub contrast: Contrast,
    /// Between which values the change itself is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub across: Option<Across>,
    /// At which value of another metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Matched>,
    /// Which way the metric is claimed to go.
    pub expect: Expect,
    /// The smallest change that counts, above 0: in the unit of the metric, or of its logarithm.
    pub delta: f64,
    /// Whether natural logarithms of the values are compared.
    pub log: bool,
}

/// Two values between which a change is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Across {
    /// The path.
    pub path: String,
    /// The change there is taken off.
    pub from: Value,
    /// The change there counts.
    pub to: Value,
}

/// Where ends are compared that have several cells a seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matched {
    /// What both ends are to have the same of, on the test images at the last epoch or the one that was kept.
    pub metric: Metric,
    /// How much of it.
    pub value: f64,
    /// The path in which the cells of an end differ.
    pub along: String,
}

/// Which cells: those of an arm, if one is named, that have these values. A value matches as in a sweep's `exclude`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// The label of an arm.
    pub arm: Option<String>,
    /// Value by path.
    pub values: BTreeMap<String, Value>,
    /// What the metric is computed with there, in place of what the part says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Box<MetricSettings>>,
}

/// What is compared with what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contrast {
    /// Some cells with others.
    Ends {
        /// Where the change begins.
        from: Conditions,
        /// Where it ends.
        to: Conditions,
    },
    /// The first value with the last one, and each with the next.
    Along {
        /// The path.
        path: String,
        /// Its values in order; two at least.
        values: Vec<Value>,
    },
}

/// Which way a metric is claimed to go from the first to the second of two groups.
#[derive(Clone, Copy, Debug, EnumIter, IntoStaticStr, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Expect {
    /// Up.
    Rises,
    /// Down.
    Falls,
    /// Neither, by more than what counts: the two are equivalent.
    Stays,
}

impl Expect {
    /// The word in specs.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Expect> {
        Expect::iter()
    }
}

/// Two groups of cells that a part of a claim compares.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Where the change begins.
    pub from: Conditions,
    /// Where it ends.
    pub to: Conditions,
    /// The ends of another change that is taken off this one.
    pub less: Option<(Conditions, Conditions)>,
    /// The smallest change that counts; 0 for a step on the way, which need only have the direction.
    pub delta: f64,
    /// Whether it is a step on the way between others.
    pub is_step: bool,
}

impl ClaimPart {
    /// Whether cells of one end may differ in this path: in their seed, and in what another metric is matched along.
    pub fn may_differ(&self, path: &str) -> bool {
        path == "training.seed" || self.at.as_ref().is_some_and(|at| at.along == path)
    }

    /// What is compared: the ends first, then each step between them where there are several.
    pub fn comparisons(&self) -> Vec<Comparison> {
        let between = |from: &Conditions, to: &Conditions, delta: f64, is_step: bool| {
            let ends = |value: Option<(&String, &Value)>| {
                let also = value.map(|(path, value)| Conditions::at(path, value)).unwrap_or_default();
                (self.of.and(from).and(&also), self.of.and(to).and(&also))
            };
            let across = self.across.as_ref();
            let (from, to) = ends(across.map(|across| (&across.path, &across.to)));
            let less = across.map(|across| ends(Some((&across.path, &across.from))));
            Comparison { from, to, less, delta, is_step }
        };
        match &self.contrast {
            Contrast::Ends { from, to } => vec![between(from, to, self.delta, false)],
            Contrast::Along { path, values } => {
                let ends = values.first().zip(values.last());
                let ends = ends.map(|(from, to)| (from, to, self.delta, false));
                // A step that is to be none is held against the same δ.
                let delta = if self.expect == Expect::Stays { self.delta } else { 0.0 };
                let steps = values.windows(2).filter(|_| values.len() > 2);
                let steps = steps.map(|pair| (&pair[0], &pair[1], delta, true));
                let at = |value: &Value| Conditions::at(path, value);
                ends.into_iter()
                    .chain(steps)
                    .map(|(from, to, delta, is_step)| between(&at(from), &at(to), delta, is_step))
                    .collect()
            }
        }
    }
}

impl Comparison {
    /// Both ends, and those of the change that is taken off.
    pub fn ends(&self) -> impl Iterator<Item = &Conditions> {
        [&self.from, &self.to].into_iter().chain(self.less.iter().flat_map(|(from, to)| [from, to]))
    }
}

impl Conditions {
    /// Of one path alone.
    fn at(path: &str, value: &Value) -> Conditions {
        Conditions { values: BTreeMap::from([(path.to_owned(), value.clone())]), ..Conditions::default() }
    }

    /// These and others, which win where both have a word.
    fn and(&self, other: &Conditions) -> Conditions {
        let Conditions { arm, mut values, settings } = self.clone();
        values.extend(other.values.clone());
        Conditions { arm: other.arm.clone().or(arm), values, settings: other.settings.clone().or(settings) }
    }

    /// For people: `gray, objective.beta 1, model.latent_dim 20, of samples`.
    pub fn words(&self) -> String {
        let bare = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let values = self.values.iter().map(|(path, value)| format!("{path} {}", bare(value)));
        let settings = self.settings.iter().map(|settings| settings.to_string());
        self.arm.iter().cloned().chain(values).chain(settings).collect::<Vec<_>>().join(", ")
    }

    /// Whether a cell is among those that are meant.
    pub fn hold(&self, cell: &Cell, arms: &[Arm]) -> bool {
        let is_in = |label: &String| {
            let id = cell.run_id();
            arms.iter().any(|arm| arm.label == *label && arm.runs.contains(&id))
        };
        has_values(cell, &self.values) && self.arm.as_ref().is_none_or(is_in)
    }
}

/// Whether a cell has these values by path; a value matches as in a sweep's `exclude`.
pub(crate) fn has_values(cell: &Cell, values: &BTreeMap<String, Value>) -> bool {
    let nowhere = Span::new(0, 0, 0);
    values.iter().all(|(path, pattern)| {
        let value = cell.value_at(path).map(|value| from_json(&value, nowhere));
        value.is_some_and(|value| value.matches(&from_json(pattern, nowhere)))
    })
}

/// The SHA-256 of the claims' canonical JSON, 64 hexadecimal digits: it changes with any word or number of them, and not with the
/// order of keys, comments or `1` for `1.0`. `None` without claims.
pub fn claims_hash(claims: &[Claim]) -> Option<String> {
    // Every field is a number, a word or a list of them, so this cannot fail.
    let json = serde_json::to_value(claims).unwrap_or_default();
    let digest = Sha256::digest(canonical_text(&of_one_kind(json)).as_bytes());
    (!claims.is_empty()).then(|| hexadecimal(&digest))
}

/// With every number as a float: `1` is `1.0`.
fn of_one_kind(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Number(number), |float| json!(float)),
        Value::Array(items) => Value::Array(items.into_iter().map(of_one_kind).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, of_one_kind(value))).collect())
        }
        other => other,
    }
}
