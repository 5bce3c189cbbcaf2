//! The cells of an experiment: read, checked, each once; which arm has which, and what varies among them.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Serialize;

use super::arms::{Arm, Origin};
use super::shortened::{EpochShare, shorten};
use super::{Axis, keep};
use crate::cell::Cell;
use crate::check::{Complaint, RawCell};
use crate::dataset::Dataset;
use crate::de;
use crate::diagnostic::{Problem, Span};
use crate::difference::differing_paths;
use crate::model::Model;
use crate::node::{Node, Value, split};
use crate::objective::Objective;
use crate::optimizer::Optimizer;
use crate::sweep::{Assignment, MAX_CELLS, RawSwept, Sweep, contains, from_json};
use crate::training::Training;

/// A section of a cell as JSON, defaults filled in; none if it cannot be read.
pub(crate) fn section_as_json(node: &Node, section: &str) -> Option<serde_json::Value> {
    read_section(node, section, node.span).ok()
}

/// Why a section of a cell cannot be read.
pub(crate) fn section_problem(node: &Node, section: &str, at: Span) -> Option<Problem> {
    read_section(node, section, at).err()
}

fn read_section(node: &Node, section: &str, at: Span) -> Result<serde_json::Value, Problem> {
    fn json<T: serde::de::DeserializeOwned + Serialize>(
        node: &Node,
        path: &str,
        at: Span,
    ) -> Result<serde_json::Value, Problem> {
        Ok(serde_json::to_value(de::read::<T>(node, path, at)?).unwrap_or_default())
    }
    match section {
        "dataset" => json::<Dataset>(node, section, at),
        "model" => json::<Model>(node, section, at),
        "objective" => json::<Objective>(node, section, at),
        "optimizer" => {
            let optimizer: Option<Optimizer> = de::read(node, section, at)?;
            Ok(serde_json::to_value(optimizer.unwrap_or_default()).unwrap_or_default())
        }
        _ => json::<Training>(node, section, at),
    }
}

/// The cells of an experiment, which arm has which, and what varies among them.
#[derive(Default)]
pub(super) struct Expanded {
    pub cells: Vec<Cell>,
    pub arms: Vec<Arm>,
    pub axes: Vec<Axis>,
}

/// What `--set` says of cells.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub overrides: &'a [Assignment],
    pub epochs: Option<EpochShare>,
    /// Where relative paths begin.
    pub folder: &'a Path,
}

/// Every cell of all sweeps, read and checked, each once; `notes` gets what [`shorten`] says.
pub(super) fn expand(
    origins: &[Origin],
    top: Span,
    given: Given<'_>,
    notes: &mut Vec<String>,
) -> Result<Expanded, Vec<Problem>> {
    let mut expanded = Expanded::default();
    let mut seen = HashSet::new();
    for origin in origins {
        let in_arm = |problem: Problem| match &origin.label {
            Some(label) => problem.note(format!("in the arm `{label}`")),
            None => problem,
        };
        let swept = origin.sweep.expand(&origin.base, given.overrides, origin.at);
        let mut runs = Vec::new();
        for raw in swept.map_err(|problem| vec![in_arm(problem)])? {
            let raw = raw.map_err(|problem| vec![in_arm(problem)])?;
            let cell = read_cell(&raw, top, given, notes)
                .map_err(|problems| problems.into_iter().map(in_arm).collect::<Vec<_>>())?;
            let id = cell.run_id();
            if seen.insert(id.clone()) {
                expanded.cells.push(cell);
            }
            if !runs.contains(&id) {
                runs.push(id);
            }
        }
        if runs.is_empty() {
            let problem = Problem::new("the sweep has no cell left").at(origin.at).path("sweep");
            return Err(vec![in_arm(problem.hint("`exclude` matches every combination; exclude fewer"))]);
        }
        expanded.arms.extend(origin.label.clone().map(|label| Arm { label, runs, evaluation: origin.evaluation }));
    }
    if expanded.cells.len() > MAX_CELLS {
        let problem = Problem::new(format!("the arms have {} cells together", expanded.cells.len())).path("arms");
        return Err(vec![problem.at(top).hint(format!("at most {MAX_CELLS} go into one experiment; make it several"))]);
    }
    expanded.axes = axes(origins.iter().map(|origin| &origin.sweep), &expanded.cells);
    Ok(expanded)
}

fn read_cell(raw: &RawSwept, top: Span, given: Given<'_>, notes: &mut Vec<String>) -> Result<Cell, Vec<Problem>> {
    let tree = &raw.tree;
    let mut problems = Vec::new();
    let dataset = section::<Dataset>(tree, "dataset", top, &mut problems);
    let model = section::<Model>(tree, "model", top, &mut problems);
    let objective = section::<Option<Objective>>(tree, "objective", top, &mut problems).flatten().unwrap_or_default();
    let optimizer = section::<Option<Optimizer>>(tree, "optimizer", top, &mut problems).flatten().unwrap_or_default();
    let training = section::<Option<Training>>(tree, "training", top, &mut problems).flatten().unwrap_or_default();
    if let (Some(dataset), Some(model), true) = (dataset, model, problems.is_empty()) {
        let mut raw_cell = RawCell { dataset, model, objective, optimizer, training };
        shorten(&mut raw_cell, given.overrides, given.epochs, notes);
        match raw_cell.check() {
            Ok(mut cell) => {
                cell.dataset.name = cell.dataset.name.resolved_in(given.folder);
                // The folder may have a name that no cell can hold.
                match cell.check() {
                    Ok(()) => return Ok(cell),
                    Err(error) => problems.extend(error.complaints.iter().map(|complaint| complained(complaint, tree))),
                }
            }
            Err(error) => problems.extend(error.complaints.iter().map(|complaint| complained(complaint, tree))),
        }
    }
    Err(problems.into_iter().map(|problem| in_sweep(problem, raw)).collect())
}

/// Adds what the sweep has to do with a problem of one of its cells.
fn in_sweep(problem: Problem, raw: &RawSwept) -> Problem {
    // These are about several values, any of which may be swept.
    const TOGETHER: [&str; 3] = ["dataset.pixels", "dataset.validation", "objective.warm_up_epochs"];
    let is_together = problem.path.as_deref().is_some_and(|path| TOGETHER.contains(&path));
    let is_swept = problem.span.is_some_and(|span| raw.has_set(span));
    let set = raw.assigned.iter().find(|set| Some(set.value.span) == problem.span);
    let hint = match set {
        Some(set) if set.path == "model.hidden" && !matches!(set.value.value, Value::List(_)) => {
            let written = set.value.written();
            Some(format!("each of the swept values is a list itself: `model.hidden: [[{written}], …]`"))
        }
        Some(set)
            if matches!(set.value.value, Value::Float(_)) && problem.message.starts_with("expected a whole number") =>
        {
            Some("draw whole numbers by `{ integer: [a, b] }`, and list them without a point".to_owned())
        }
        _ => None,
    };
    let problem = match raw.describe() {
        Some(cell) if is_together || is_swept => problem.note(cell),
        _ => problem,
    };
    match hint {
        Some(hint) => problem.hint_instead(hint),
        None => problem,
    }
}

fn section<T: serde::de::DeserializeOwned>(
    tree: &Node,
    key: &str,
    top: Span,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let missing = Node { value: Value::Null, span: top };
    let entry = tree.entries().iter().find(|entry| entry.key == key);
    if entry.is_none() && (key == "dataset" || key == "model") {
        let such_as = match key {
            "dataset" => "add `dataset: { name: glyphs }`, or another dataset's name",
            _ => "add `model: { hidden: [400], latent_dim: 20 }`",
        };
        problems.push(Problem::new(format!("missing section `{key}`")).at(top).hint(such_as));
        return None;
    }
    let (node, at) = entry.map_or((&missing, top), |entry| (&entry.value, entry.key_span));
    keep(de::read(node, key, at), problems)
}

/// A complaint at the place of its value.
fn complained(complaint: &Complaint, tree: &Node) -> Problem {
    let (path, item) = match complaint.path.split_once('[') {
        Some((path, item)) => (path, item.trim_end_matches(']').parse::<usize>().ok()),
        None => (complaint.path.as_str(), None),
    };
    let keys = split(path);
    let node = tree.at(&keys);
    let node = match (node.map(|node| &node.value), item) {
        (Some(Value::List(items)), Some(item)) => items.get(item),
        _ => node,
    };
    let span = match node {
        Some(node) if !matches!(node.value, Value::Map(_) | Value::Null) => node.span,
        _ => tree.nearest_span(&keys),
    };
    let problem = Problem::new(&*complaint.message).at(span).path(&*complaint.path).hint(&*complaint.hint);
    match node {
        Some(node) => problem.value(node.written()),
        None => problem,
    }
}

/// The swept paths with the values that cells have, then every other path at which cells differ.
fn axes<'a>(sweeps: impl Iterator<Item = &'a Sweep>, cells: &[Cell]) -> Vec<Axis> {
    let mut listed: Vec<(&str, Vec<&Node>)> = Vec::new();
    for (path, values) in sweeps.flat_map(Sweep::listed) {
        match listed.iter_mut().find(|(known, _)| contains(known, path) || contains(path, known)) {
            Some((known, of_known)) if *known == path => of_known.extend(values),
            Some(_) => {}
            None => listed.push((path, values)),
        }
    }
    let mut paths: Vec<String> = listed.iter().map(|(path, _)| (*path).to_owned()).collect();
    for path in differing_paths(cells) {
        if !paths.iter().any(|known| contains(known, &path) || contains(&path, known)) {
            paths.push(path);
        }
    }
    let cells: Vec<serde_json::Value> = cells.iter().map(Cell::to_json).collect();
    paths
        .into_iter()
        .map(|path| {
            let pointer = format!("/{}", path.replace('.', "/"));
            let mut values: Vec<serde_json::Value> = Vec::new();
            let mut seen = HashSet::new();
            for value in cells.iter().filter_map(|cell| cell.pointer(&pointer)) {
                if seen.insert(value.to_string()) {
                    values.push(value.clone());
                }
            }
            // An excluded cell must not change the order that the file lists.
            let listed = listed.iter().find(|(known, _)| *known == path).map(|(_, values)| &values[..]);
            let order = |node: &Node| match node.value {
                Value::Int(value) if value.unsigned_abs() < 1 << 53 => crate::number::shortest(value as f64),
                Value::Float(value) => crate::number::shortest(value),
                _ => node.written(),
            };
            let mut indices = HashMap::new();
            for (n, node) in listed.unwrap_or_default().iter().enumerate() {
                indices.entry(order(node)).or_insert(n);
            }
            values.sort_by_cached_key(|value| {
                let value = from_json(value, Span::new(0, 0, 0));
                indices.get(&order(&value)).copied().unwrap_or(usize::MAX)
            });
            Axis { path, values }
        })
        .collect()
}
