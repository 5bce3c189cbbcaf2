//! The `sweep` section of a spec, read part by part.

use super::random::read_random;
use super::{Assignment, MAX_CELLS, MAX_RULES, Sweep, SweptPath, When, check_path};
use crate::de;
use crate::diagnostic::{MAX_PROBLEMS, Problem, quote};
use crate::node::{Node, Value};

const KEYS: [&str; 6] = ["grid", "zip", "random", "exclude", "include", "when"];

impl Sweep {
    /// Reads the section; every problem in it is reported.
    pub fn read(node: &Node) -> Result<Sweep, Vec<Problem>> {
        let mut sweep = Sweep::default();
        let mut problems = Vec::new();
        let entries = match &node.value {
            Value::Null => return Ok(sweep),
            Value::Map(entries) => entries,
            _ => {
                return Err(vec![wrong(
                    "a mapping",
                    node,
                    "sweep",
                    "write `grid: { training.seed: [0, 1, 2] }` in it, for example",
                )]);
            }
        };
        for entry in entries {
            let path = format!("sweep.{}", entry.key);
            let value = &entry.value;
            let read = match entry.key.as_str() {
                "grid" => read_paths(value, &path).map(|paths| sweep.grid = paths),
                "zip" => read_zip(value, &path).map(|paths| sweep.zip = paths),
                "random" => read_random(value, entry.key_span).map(|random| sweep.random = random),
                "exclude" => read_rules(value, &path, MAX_RULES).map(|rules| sweep.exclude = rules),
                "include" => read_rules(value, &path, MAX_CELLS).map(|rules| sweep.include = rules),
                "when" => read_when(value).map(|rules| sweep.when = rules),
                _ if entry.key.contains('.') => Err(vec![
                    de::unknown_key(entry, "sweep", &KEYS)
                        .hint_instead(format!("write `grid: {{ {}: … }}` here", quote(&entry.key))),
                ]),
                _ => Err(vec![de::unknown_key(entry, "sweep", &KEYS)]),
            };
            problems.extend(read.err().unwrap_or_default());
        }
        problems.extend(sweep.overlaps());
        if problems.is_empty() { Ok(sweep) } else { Err(problems) }
    }
}

/// The value is not of the form that is asked for.
pub(super) fn wrong(what: &str, node: &Node, path: &str, hint: &str) -> Problem {
    Problem::new(format!("expected {what}, found {}", node.describe()))
        .at(node.span)
        .path(path)
        .value(node.written())
        .hint(hint)
}

fn read_paths(node: &Node, path: &str) -> Result<Vec<SweptPath>, Vec<Problem>> {
    let hint = "write each path with its values: `{ model.latent_dim: [2, 20], training.seed: [0, 1, 2] }`";
    let entries = match &node.value {
        Value::Null => return Ok(Vec::new()),
        Value::Map(entries) => entries,
        _ => return Err(vec![wrong("a mapping of paths to lists of values", node, path, hint)]),
    };
    let mut paths = Vec::new();
    let mut problems = Vec::new();
    for entry in entries {
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
        if let Err(problem) = check_path(&entry.key, entry.key_span, path) {
            problems.push(problem);
            continue;
        }
        let inner = format!("{path}.{}", entry.key);
        match &entry.value.value {
            Value::List(values) if values.is_empty() => {
                problems.push(
                    Problem::new(format!("`{}` has no values, so there would be no cells", entry.key))
                        .at(entry.value.span)
                        .path(inner)
                        .value("[]")
                        .hint("list at least one value, or remove the path"),
                );
            }
            Value::List(values) => {
                paths.push(SweptPath { path: entry.key.clone(), key_span: entry.key_span, values: values.clone() });
            }
            _ => {
                let at = if matches!(entry.value.value, Value::Null) { entry.key_span } else { entry.value.span };
                let hint = match &entry.value.value {
                    Value::Map(_) => format!(
                        "write the path with dots, such as `{}.{}: [ … ]`",
                        entry.key,
                        entry.value.entries().first().map_or("key", |inner| &inner.key)
                    ),
                    Value::Null => "write `[a, b, c]`".to_owned(),
                    _ => format!("write `[{}]`", entry.value.written()),
                };
                problems.push(
                    Problem::new(format!("expected a list of values, found {}", entry.value.describe()))
                        .at(at)
                        .path(inner)
                        .value(entry.value.written())
                        .hint(hint),
                );
            }
        }
    }
    if problems.is_empty() { Ok(paths) } else { Err(problems) }
}

fn read_zip(node: &Node, path: &str) -> Result<Vec<SweptPath>, Vec<Problem>> {
    let paths = read_paths(node, path)?;
    if let Some(first) = paths.first()
        && let Some(other) = paths.iter().find(|other| other.values.len() != first.values.len())
    {
        let message = format!(
            "`{}` has {} values and `{}` has {}; zipped lists go side by side",
            first.path,
            first.values.len(),
            other.path,
            other.values.len()
        );
        return Err(vec![
            Problem::new(message)
                .at(other.key_span)
                .path(path)
                .value(&*other.path)
                .hint("make the lists equally long, or use `grid` for every combination"),
        ]);
    }
    Ok(paths)
}

fn read_assignments(node: &Node, path: &str) -> Result<Vec<Assignment>, Vec<Problem>> {
    let hint = "write paths with one value each: `{ model.latent_dim: 2, objective.beta: 4 }`";
    let entries = match &node.value {
        Value::Map(entries) if !entries.is_empty() => entries,
        _ => return Err(vec![wrong("a mapping of paths to values", node, path, hint)]),
    };
    let mut assignments = Vec::new();
    let mut problems = Vec::new();
    for entry in entries {
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
        match check_path(&entry.key, entry.key_span, path) {
            Ok(()) => {
                assignments.push(Assignment {
                    path: entry.key.clone(),
                    key_span: entry.key_span,
                    value: entry.value.clone(),
                });
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(assignments) } else { Err(problems) }
}

fn read_list<'a>(node: &'a Node, path: &str, most: usize, hint: &str) -> Result<&'a [Node], Vec<Problem>> {
    match &node.value {
        Value::Null => Ok(&[]),
        Value::List(items) if items.len() > most => {
            let message = format!("`{path}` has {} entries, more than {most}", items.len());
            Err(vec![
                Problem::new(message)
                    .at(node.span)
                    .path(path)
                    .hint("use `grid` with fewer values, or several experiment files"),
            ])
        }
        Value::List(items) => Ok(items),
        _ => Err(vec![wrong("a list", node, path, hint)]),
    }
}

fn read_rules(node: &Node, path: &str, most: usize) -> Result<Vec<Vec<Assignment>>, Vec<Problem>> {
    let items = read_list(node, path, most, "write a list of mappings: `[{ model.latent_dim: 2 }]`")?;
    collect(items.iter().enumerate().map(|(n, item)| read_assignments(item, &format!("{path}[{n}]"))))
}

fn read_when(node: &Node) -> Result<Vec<When>, Vec<Problem>> {
    let form = "write `{ if: { model.latent_dim: 2 }, set: { training.epochs: 50 } }`";
    let items = read_list(node, "sweep.when", MAX_RULES, &format!("{form} as items of a list"))?;
    collect(items.iter().enumerate().map(|(n, item)| {
        let path = format!("sweep.when[{n}]");
        if let Some(entry) = item.entries().iter().find(|entry| !["if", "set"].contains(&entry.key.as_str())) {
            return Err(vec![de::unknown_key(entry, &path, &["if", "set"]).hint_instead(form.to_owned())]);
        }
        match (item.get("if"), item.get("set")) {
            (Some(condition), Some(set)) => Ok(When {
                condition: read_assignments(condition, &format!("{path}.if"))?,
                set: read_assignments(set, &format!("{path}.set"))?,
            }),
            (None, Some(_)) => Err(vec![Problem::new("a rule without `if`").at(item.span).path(path).hint(form)]),
            (Some(_), None) => Err(vec![Problem::new("a rule without `set`").at(item.span).path(path).hint(form)]),
            (None, None) => Err(vec![wrong("a rule with `if` and `set`", item, &path, form)]),
        }
    }))
}

fn collect<T>(results: impl Iterator<Item = Result<T, Vec<Problem>>>) -> Result<Vec<T>, Vec<Problem>> {
    let mut values = Vec::new();
    let mut problems = Vec::new();
    for result in results {
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
        match result {
            Ok(value) => values.push(value),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}
