//! Arms: several families of cells in one file.
//!
//! ```yaml
//! dataset: { name: mnist }
//! model:   { hidden: [400], latent_dim: 20 }
//! sweep:   { grid: { model.latent_dim: [2, 20], training.seed: [0, 1, 2] } }
//! arms:
//!   - label: gray                                    # the file as it stands
//!   - { label: binary, dataset: { pixels: dynamic } }
//!   - { label: wide, model: { latent_dim: 50 }, sweep: { grid: { training.seed: [0, 1, 2] } } }
//! ```
//!
//! An arm is the file with the arm's own sections laid over it: settings that the arm does not name stay the file's, and another
//! variant of a setting (`likelihood`, `prior`, …) takes the place of the file's. A `sweep` or an `evaluation` of an arm is in place of
//! the file's, and `null` there is none. The
//! cells of the experiment are those of all arms, each once; an arm's label is no part of a run's id. `--set` applies to every arm, a
//! path in `sweep` also to the sweeps that arms have of their own.

use serde::{Deserialize, Serialize};

use super::entry_span;
use crate::de;
use crate::diagnostic::{MAX_PROBLEMS, Problem, Span, quote};
use crate::evaluation::{self, Evaluation};
use crate::fields::SECTIONS;
use crate::node::{Node, Value, split};
use crate::run_id::RunId;
use crate::sweep::Sweep;

/// Arms of an experiment at most.
const MOST: usize = 64;
/// Letters of a label at most.
const MAX_LABEL: usize = 32;
const KEYS: [&str; 8] = ["label", "dataset", "model", "objective", "optimizer", "training", "sweep", "evaluation"];
const FORM: &str = "write a list of mappings: `- { label: binary, dataset: { pixels: dynamic } }`";

/// A family of an experiment's cells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// What claims and tables call it: lowercase letters, digits and hyphens; each once in an experiment.
    pub label: String,
    /// The runs of its cells, in the order of its sweep; at least one.
    pub runs: Vec<RunId>,
    /// What to measure on its trained models beyond what every run records: its own, or else the file's.
    pub evaluation: Option<Evaluation>,
}

/// What cells are made from: an arm, or the whole file where it has none.
pub(super) struct Origin {
    /// `None` for the whole file.
    pub label: Option<String>,
    /// The sections of a cell, with every `--set` in them.
    pub base: Node,
    /// As `base`, without any `--set`.
    pub written: Node,
    pub sweep: Sweep,
    /// Where the sweep stands.
    pub at: Span,
    pub evaluation: Option<Evaluation>,
}

/// Every arm, or the whole file, whose `evaluation` is given; `written` is the tree before `--set`.
pub(super) fn origins(
    tree: &Node,
    written: &Node,
    evaluation: Option<Evaluation>,
) -> Result<Vec<Origin>, Vec<Problem>> {
    let whole = |label: Option<String>, path: &str, arm: &Node| -> Result<Origin, Vec<Problem>> {
        let own = arm.entries().iter().find(|entry| entry.key == "sweep");
        let (sweep, at) = match own {
            Some(entry) => (Some(&entry.value), entry.key_span),
            None => (tree.get("sweep"), entry_span(tree, "sweep")),
        };
        let sweep = sweep.map_or_else(|| Ok(Sweep::default()), Sweep::read)?;
        check_nothing_is_lost(label.as_deref(), arm, &sweep)?;
        let evaluation = match arm.entries().iter().any(|entry| entry.key == "evaluation") {
            true => evaluation::read(arm, path).map_err(|problem| vec![problem])?,
            false => evaluation,
        };
        Ok(Origin { label, base: laid_over(tree, arm), written: laid_over(written, arm), sweep, at, evaluation })
    };
    let Some(node) = tree.get("arms").filter(|node| !matches!(node.value, Value::Null)) else {
        return Ok(vec![whole(None, "", &Node::empty_map(tree.span))?]);
    };
    let items = match &node.value {
        Value::List(items) if (1..=MOST).contains(&items.len()) => items,
        Value::List(items) => {
            let message = if items.is_empty() {
                "`arms` is empty".to_owned()
            } else {
                format!("`arms` has {} entries, more than {MOST}", items.len())
            };
            let problem = Problem::new(message).at(node.span).path("arms").value(node.written());
            return Err(vec![problem.hint(format!("{FORM}, or leave `arms` out"))]);
        }
        _ => {
            let message = format!("expected a list of arms, found {}", node.describe());
            return Err(vec![Problem::new(message).at(node.span).path("arms").value(node.written()).hint(FORM)]);
        }
    };
    let mut labels: Vec<String> = Vec::new();
    let mut origins = Vec::new();
    let mut problems = Vec::new();
    for (n, item) in items.iter().enumerate() {
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
        match read_label(item, &format!("arms[{n}]"), &labels) {
            Ok(label) => {
                labels.push(label.clone());
                match whole(Some(label), &format!("arms[{n}]."), item) {
                    Ok(origin) => origins.push(origin),
                    Err(more) => problems.extend(more),
                }
            }
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(origins) } else { Err(problems) }
}

/// The label of an arm that has only keys of an arm.
fn read_label(item: &Node, path: &str, taken: &[String]) -> Result<String, Vec<Problem>> {
    if !matches!(item.value, Value::Map(_)) {
        let message = format!("expected an arm, found {}", item.describe());
        return Err(vec![Problem::new(message).at(item.span).path(path).value(item.written()).hint(FORM)]);
    }
    let unknown: Vec<Problem> = item
        .entries()
        .iter()
        .filter(|entry| !KEYS.contains(&entry.key.as_str()))
        .map(|entry| de::unknown_key(entry, path, &KEYS))
        .collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let Some(entry) = item.entries().iter().find(|entry| entry.key == "label") else {
        let at = item.entries().first().map_or(item.span, |entry| entry.key_span);
        let problem = Problem::new("an arm without `label`").at(at).path(path);
        return Err(vec![problem.hint("add `label: …`, a word such as `gray` that claims name the arm by")]);
    };
    let path = format!("{path}.label");
    let label: String = de::read(&entry.value, &path, entry.key_span).map_err(|problem| vec![problem])?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_plain = (1..=MAX_LABEL).contains(&label.len())
        && label.chars().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-');
    let problem = |message: String| Problem::new(message).at(entry.value.span).path(path.as_str()).value(quote(&label));
    if !is_plain {
        let hint =
            format!("write lowercase letters, digits and hyphens between them, at most {MAX_LABEL}, such as `gray`");
        return Err(vec![problem(format!("`{}` cannot be an arm's label", quote(&label))).hint(hint)]);
    }
    if taken.contains(&label) {
        return Err(vec![
            problem(format!("two arms have the label `{label}`")).hint("give every arm a label of its own"),
        ]);
    }
    Ok(label)
}

/// Complains about a value of an arm that its sweep would set in every cell.
fn check_nothing_is_lost(label: Option<&str>, arm: &Node, sweep: &Sweep) -> Result<(), Vec<Problem>> {
    let (Some(label), listed) = (label, sweep.listed()) else { return Ok(()) };
    let lost = listed.iter().find_map(|(path, _)| Some((path, arm.at(&split(path))?)));
    let Some((path, value)) = lost else { return Ok(()) };
    let message = format!("the arm `{label}` sets `{path}`, which its sweep sets in every cell");
    let problem = Problem::new(message).at(value.span).path(*path).value(value.written());
    Err(vec![problem.hint("give the arm a `sweep` of its own without this path; `sweep: null` for none at all")])
}

/// The sections of a cell in `tree`, with those of `arm` over them.
fn laid_over(tree: &Node, arm: &Node) -> Node {
    let sections = |node: &Node| {
        let entries = node.entries().iter().filter(|entry| SECTIONS.contains(&entry.key.as_str()));
        Node { value: Value::Map(entries.cloned().collect()), span: node.span }
    };
    let mut base = sections(tree);
    for entry in sections(arm).entries() {
        let Value::Map(entries) = &mut base.value else { continue };
        match entries.iter_mut().find(|other| other.key == entry.key) {
            // An optimizer is a variant, the other sections are settings.
            Some(other) => lay_over(&mut other.value, &entry.value, entry.key != "optimizer"),
            None => entries.push(entry.clone()),
        }
    }
    base
}

/// Lays a value over another. In a spec, settings and variants take turns: a section has settings, `likelihood` is a variant, what
/// stands in `gaussian` are settings. Settings are merged; a variant is merged with itself and replaces any other.
fn lay_over(below: &mut Node, above: &Node, are_settings: bool) {
    let (Value::Map(entries), Value::Map(over)) = (&mut below.value, &above.value) else {
        *below = above.clone();
        return;
    };
    let is_known = |key: &str| entries.iter().any(|entry| entry.key == key);
    if !are_settings && !over.iter().any(|entry| is_known(&entry.key)) {
        *below = above.clone();
        return;
    }
    for entry in over {
        match entries.iter_mut().find(|other| other.key == entry.key) {
            Some(other) => {
                other.key_span = entry.key_span;
                lay_over(&mut other.value, &entry.value, !are_settings);
            }
            None => entries.push(entry.clone()),
        }
    }
}
