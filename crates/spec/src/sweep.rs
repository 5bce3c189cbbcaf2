//! Sweeps: one spec → many cells.
//!
//! ```yaml
//! sweep:
//!   grid:    { model.latent_dim: [2, 20], training.seed: [0, 1, 2] }     # every combination: 2 × 3
//!   zip:     { objective.beta: [1, 4], training.epochs: [20, 40] }       # side by side: 2 rows
//!   random:  { count: 5, seed: 0, optimizer.adam.learning_rate: { log-uniform: [1e-4, 1e-2] } }
//!   exclude: [{ model.latent_dim: 2, objective.beta: 4 }]
//!   include: [{ model.latent_dim: 100, training.seed: 0 }]
//!   when:    [{ if: { model.latent_dim: 2 }, set: { training.epochs: 50 } }]
//! ```
//!
//! A path is what leads to a value in the spec, with dots: `optimizer.adam.learning_rate`. Only what makes a cell can be
//! swept: `dataset`, `model`, `objective`, `optimizer` and `training`. Several seeds are a sweep over `training.seed`.
//!
//! Cells come about in this order:
//!
//! 1. **The spec without `sweep`**, with every `--set` in it, is the base.
//! 2. **`grid` × `zip` × `random`**: every combination of the grid's values, with every row of the zip (the first values of
//!    all its lists, the second ones, …), with every random draw. The path that is written first varies slowest. A spec
//!    without any of the three has one such cell, the base itself, or none if it has an `include`.
//! 3. **`exclude`** removes those that match all of an entry's values.
//! 4. **`include`** adds one cell for each entry: the base with the entry's values. It is never excluded.
//! 5. **`when`** changes cells, included ones too: from the first rule to the last, a cell that matches all of `if` is given
//!    the values of `set`; a later rule sees what an earlier one has set.
//! 6. **`--set`** is applied again, so that it always wins, over a swept path too: `--set training.seed=0` leaves of each
//!    three seeds one.
//! 7. Every cell is read and checked by itself, so a combination that is not valid can be excluded or mended by `when`.
//! 8. **Cells that are the same run become one**; the first one stays.
//!
//! A value matches in `exclude` and `if` by what it means: `1` is `1.0`, and a field that is left out has its default. A word
//! matches the variant of its name with any settings (`model.likelihood: gaussian`), a mapping whatever has at least its keys,
//! and a list any of its items, or, where the value is a list itself, that list (`model.hidden: [400]`).
//!
//! `random` needs a `count`, has a `seed` (0 when left out), and for every path one of `{ uniform: [a, b] }`,
//! `{ log-uniform: [a, b] }` (both rounded to six digits), `{ integer: [a, b] }` (both ends included) and `{ choice: [ … ] }`.
//! A draw is a function of the seed, the path and the draw's number alone, the same on every machine: a larger count adds draws
//! and changes none, and so does another path. Every combination of the grid gets the same draws, so that they can be compared.
//!
//! At most 10,000 cells come out of the steps 2 and 4.

use sha2::{Digest as _, Sha256};

use crate::de;
use crate::diagnostic::{MAX_PROBLEMS, Problem, Span, quote};
use crate::fields::{self, SECTIONS};
use crate::node::{Node, Text, Value, split};
use crate::number;
use crate::suggest;

/// Cells that a sweep may make, before equal ones are made one.
pub const MAX_CELLS: usize = 10_000;
/// Entries of `exclude`, and of `when`.
const MAX_RULES: usize = 256;

/// The `sweep` section, every part of it of the right form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sweep {
    pub grid: Vec<SweptPath>,
    pub zip: Vec<SweptPath>,
    random: Option<Random>,
    exclude: Vec<Vec<Assignment>>,
    include: Vec<Vec<Assignment>>,
    when: Vec<When>,
}

/// A path and the values it takes.
#[derive(Clone, Debug)]
pub(crate) struct SweptPath {
    pub path: String,
    key_span: Span,
    pub values: Vec<Node>,
}

/// A path and one value.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub path: String,
    pub key_span: Span,
    pub value: Node,
}

#[derive(Clone, Debug)]
struct When {
    condition: Vec<Assignment>,
    set: Vec<Assignment>,
}

#[derive(Clone, Debug)]
struct Random {
    count: usize,
    seed: u64,
    draws: Vec<(String, Span, Distribution)>,
}

#[derive(Clone, Debug)]
struct Distribution {
    span: Span,
    kind: DistributionKind,
}

#[derive(Clone, Debug)]
enum DistributionKind {
    Uniform(f64, f64),
    LogUniform(f64, f64),
    Integer(i128, i128),
    Choice(Vec<Node>),
}

/// One cell before it is read: its tree, and what the sweep set in it.
#[derive(Clone, Debug)]
pub(crate) struct RawSwept {
    pub tree: Node,
    pub assigned: Vec<Assignment>,
}

impl Assignment {
    pub fn apply(&self, tree: &mut Node) -> Result<(), Problem> {
        tree.set(&split(&self.path), self.key_span, self.value.clone())
    }
}

// ---- reading the section

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

    fn swept(&self) -> impl Iterator<Item = (&str, Span)> {
        let lists = self.grid.iter().chain(&self.zip).map(|swept| (swept.path.as_str(), swept.key_span));
        let draws = self.random.iter().flat_map(|random| &random.draws).map(|(path, span, _)| (path.as_str(), *span));
        lists.chain(draws)
    }

    /// Two axes over one value, of which one would silently win.
    fn overlaps(&self) -> Vec<Problem> {
        let swept: Vec<(&str, Span)> = self.swept().collect();
        let mut problems = Vec::new();
        for (n, (path, span)) in swept.iter().enumerate() {
            let overlapping = swept[..n].iter().find(|(other, _)| contains(other, path) || contains(path, other));
            if let Some((other, _)) = overlapping {
                let message = if other == path {
                    format!("`{path}` is swept twice")
                } else {
                    format!("`{path}` and `{other}` are both swept, and one is within the other")
                };
                problems.push(
                    Problem::new(message)
                        .at(*span)
                        .path("sweep")
                        .value(*path)
                        .hint("sweep it in one of `grid`, `zip` and `random`"),
                );
            }
        }
        problems
    }

    /// The paths in the order they are written, with the values that are listed for them.
    pub fn listed(&self) -> Vec<(&str, Vec<&Node>)> {
        let lists = self.grid.iter().chain(&self.zip).map(|swept| (swept.path.as_str(), swept.values.iter().collect()));
        let draws = self.random.iter().flat_map(|random| &random.draws).map(|(path, _, distribution)| {
            let values = match &distribution.kind {
                DistributionKind::Choice(values) => values.iter().collect(),
                _ => Vec::new(),
            };
            (path.as_str(), values)
        });
        lists.chain(draws).collect()
    }
}

/// Whether the path `inner` is `outer` or leads into it.
pub(crate) fn contains(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn wrong(what: &str, node: &Node, path: &str, hint: &str) -> Problem {
    Problem::new(format!("expected {what}, found {}", node.describe()))
        .at(node.span)
        .path(path)
        .value(node.written())
        .hint(hint)
}

/// Complains about a path that leads to nothing in a cell.
pub(crate) fn check_path(path: &str, span: Span, within: &str) -> Result<(), Problem> {
    let known = SECTIONS.contains(&path)
        || fields::cell_paths().any(|known| contains(path, known))
        || ["hdf5", "idx", "folder"].iter().any(|kind| path.strip_prefix("dataset.name.") == Some(kind));
    if known {
        return Ok(());
    }
    let problem = Problem::new(format!("unknown path `{}`", quote(path))).at(span).path(within).value(quote(path));
    let first = path.split('.').next().unwrap_or(path);
    if fields::TOP_LEVEL.contains(&first) && !SECTIONS.contains(&first) {
        return Err(problem.hint(format!(
            "`{first}` is the same for all cells; what can be swept is in {}",
            suggest::list(SECTIONS)
        )));
    }
    Err(problem.hint(fields::hint_for_path(path)))
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

fn read_random(node: &Node, at: Span) -> Result<Option<Random>, Vec<Problem>> {
    let path = "sweep.random";
    let form = "write `{ count: 10, seed: 0, objective.beta: { log-uniform: [0.1, 10] } }`";
    let entries = match &node.value {
        Value::Null => return Ok(None),
        Value::Map(entries) => entries,
        _ => return Err(vec![wrong("a mapping", node, path, form)]),
    };
    let mut random = Random { count: 0, seed: 0, draws: Vec::new() };
    let mut problems = Vec::new();
    for entry in entries {
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
        let inner = format!("{path}.{}", entry.key);
        match entry.key.as_str() {
            "count" => match de::read::<u64>(&entry.value, &inner, entry.key_span) {
                Ok(0) => problems.push(
                    Problem::new("`count` must be at least 1, found `0`")
                        .at(entry.value.span)
                        .path(inner)
                        .value("0")
                        .hint("write how many draws to make"),
                ),
                Ok(count) => random.count = usize::try_from(count).unwrap_or(usize::MAX),
                Err(problem) => problems.push(problem.hint("write how many draws to make, such as `10`")),
            },
            "seed" => match de::read::<u64>(&entry.value, &inner, entry.key_span) {
                Ok(seed) => random.seed = seed,
                Err(problem) => problems.push(problem.hint("write a whole number, such as `0`")),
            },
            key if !key.contains('.') && !SECTIONS.contains(&key) => {
                let hint = match fields::paths_ending_in(key).next().and_then(|_| fields::meant_by(key)) {
                    Some(hint) => hint,
                    None => suggest::hint(key, &["count", "seed"], "keys here are paths such as `objective.beta`, and"),
                };
                problems.push(
                    Problem::new(format!("unknown key `{}`", quote(key)))
                        .at(entry.key_span)
                        .path(path)
                        .value(quote(key))
                        .hint(hint),
                );
            }
            key => match check_path(key, entry.key_span, path).and_then(|()| read_distribution(&entry.value, &inner)) {
                Ok(kind) => {
                    let distribution = Distribution { span: entry.value.span, kind };
                    random.draws.push((key.to_owned(), entry.key_span, distribution));
                }
                Err(problem) => problems.push(problem),
            },
        }
    }
    if problems.is_empty() && node.get("count").is_none() {
        problems.push(
            Problem::new("missing key `count`").at(at).path(path).hint("add how many draws to make: `count: 10`"),
        );
    }
    if problems.is_empty() && random.draws.is_empty() {
        problems.push(Problem::new("no path to draw values for").at(at).path(path).hint(form));
    }
    if problems.is_empty() { Ok(Some(random)) } else { Err(problems) }
}

const DISTRIBUTIONS: [&str; 4] = ["uniform", "log-uniform", "integer", "choice"];

fn read_distribution(node: &Node, path: &str) -> Result<DistributionKind, Problem> {
    let form =
        "write `{ uniform: [a, b] }`, `{ log-uniform: [a, b] }`, `{ integer: [a, b] }` or `{ choice: [a, b, c] }`";
    let [entry] = node.entries() else {
        return Err(wrong("one distribution", node, path, form));
    };
    let inner = format!("{path}.{}", entry.key);
    let problem =
        |message: String| Problem::new(message).at(entry.value.span).path(&*inner).value(entry.value.written());
    if !DISTRIBUTIONS.contains(&entry.key.as_str()) {
        return Err(Problem::new(format!("unknown distribution `{}`", quote(&entry.key)))
            .at(entry.key_span)
            .path(path)
            .value(quote(&entry.key))
            .hint(suggest::hint(&entry.key, &DISTRIBUTIONS, "distributions are")));
    }
    let items = match &entry.value.value {
        Value::List(items) => items,
        _ => return Err(wrong("a list", &entry.value, &inner, form)),
    };
    if entry.key == "choice" {
        return match items.is_empty() {
            true => Err(problem("`choice` has no values".to_owned()).hint("list the values to choose from")),
            false => Ok(DistributionKind::Choice(items.clone())),
        };
    }
    let [from, to] = &items[..] else {
        return Err(
            problem(format!("expected two numbers, the least and the greatest, found {}", items.len())).hint(form)
        );
    };
    fn number_at<T: serde::de::DeserializeOwned>(node: &Node, path: &str) -> Result<T, Problem> {
        de::read(node, path, node.span)
            .map_err(|problem| problem.hint("write two numbers, the least and the greatest: `[a, b]`"))
    }
    if entry.key == "integer" {
        let (from, to) = (number_at::<i64>(from, &inner)?, number_at::<i64>(to, &inner)?);
        return match from <= to {
            true => Ok(DistributionKind::Integer(from.into(), to.into())),
            false => Err(problem(format!("the least number `{from}` is above the greatest `{to}`"))
                .hint(format!("write `[{to}, {from}]`"))),
        };
    }
    let (from, to) = (number_at::<f64>(from, &inner)?, number_at::<f64>(to, &inner)?);
    let (a, b) = (number::shortest(from), number::shortest(to));
    if !(from.is_finite() && to.is_finite() && (to - from).is_finite()) {
        return Err(problem("the range of a distribution must be finite".to_owned())
            .hint("write two numbers such as `[0.1, 10]`"));
    }
    if from > to {
        return Err(
            problem(format!("the least number `{a}` is above the greatest `{b}`")).hint(format!("write `[{b}, {a}]`"))
        );
    }
    if entry.key == "uniform" {
        return Ok(DistributionKind::Uniform(from, to));
    }
    if from < 1e-300 {
        return Err(problem(format!("`log-uniform` needs a range above 0, found `{a}`"))
            .hint("write a positive least number such as `1e-4`"));
    }
    Ok(DistributionKind::LogUniform(from, to))
}

// ---- making cells

impl Sweep {
    /// How many cells the steps 2 and 4 make.
    fn n_cells(&self) -> Option<usize> {
        let grid = self.grid.iter().try_fold(1usize, |n, swept| n.checked_mul(swept.values.len()))?;
        let product = grid.checked_mul(self.n_rows())?.checked_mul(self.n_draws())?;
        let product = if self.only_includes() { 0 } else { product };
        product.checked_add(self.include.len())
    }

    fn n_rows(&self) -> usize {
        self.zip.first().map_or(1, |swept| swept.values.len())
    }

    fn n_draws(&self) -> usize {
        self.random.as_ref().map_or(1, |random| random.count)
    }

    fn only_includes(&self) -> bool {
        !self.include.is_empty() && self.grid.is_empty() && self.zip.is_empty() && self.random.is_none()
    }

    /// The cells' trees, from step 2 to step 6.
    ///
    /// `base` has the overrides in it; `at` is the place of the section.
    pub fn expand<'a>(
        &'a self,
        base: &'a Node,
        overrides: &'a [Assignment],
        at: Span,
    ) -> Result<impl Iterator<Item = Result<RawSwept, Problem>> + use<'a>, Problem> {
        let n_cells = self.n_cells().filter(|n| *n <= MAX_CELLS);
        if n_cells.is_none() {
            let mut factors: Vec<String> = self.grid.iter().map(|swept| swept.values.len().to_string()).collect();
            factors.truncate(12);
            if !self.zip.is_empty() {
                factors.push(self.n_rows().to_string());
            }
            if self.random.is_some() {
                factors.push(self.n_draws().to_string());
            }
            let mut factors = factors.join(" × ");
            if !self.include.is_empty() {
                factors += &format!(" + {}", self.include.len());
            }
            return Err(Problem::new(format!("the sweep has more than {MAX_CELLS} cells ({factors})"))
                .at(at)
                .path("sweep")
                .hint("sweep fewer values, `zip` lists that belong together, or draw some at `random`"));
        }
        self.check_rules(base)?;
        let product = if self.only_includes() { 0 } else { n_cells.unwrap_or(0) - self.include.len() };
        let made = (0..product).filter_map(move |n| self.product_cell(n, base, overrides).transpose());
        let included = self.include.iter().map(move |entry| RawSwept::new(base, entry.clone(), overrides));
        Ok(made.chain(included).map(move |cell| cell.and_then(|cell| self.apply_when(cell, overrides))))
    }

    /// The n-th combination; none if it is excluded.
    fn product_cell(&self, n: usize, base: &Node, overrides: &[Assignment]) -> Result<Option<RawSwept>, Problem> {
        let mut rest = n;
        let draw = rest % self.n_draws();
        rest /= self.n_draws();
        let row = rest % self.n_rows();
        rest /= self.n_rows();
        let mut assigned = Vec::new();
        for swept in self.grid.iter().rev() {
            assigned.push(swept.assignment(rest % swept.values.len()));
            rest /= swept.values.len();
        }
        assigned.reverse();
        assigned.extend(self.zip.iter().map(|swept| swept.assignment(row)));
        if let Some(random) = &self.random {
            assigned.extend(random.draws.iter().map(|(path, key_span, distribution)| Assignment {
                path: path.clone(),
                key_span: *key_span,
                value: distribution.draw(random.seed, path, draw),
            }));
        }
        let cell = RawSwept::new(base, assigned, overrides)?;
        if !self.exclude.is_empty() {
            let meaning = meaning(&cell.tree);
            if self.exclude.iter().any(|entry| matches(&meaning, entry)) {
                return Ok(None);
            }
        }
        Ok(Some(cell))
    }

    fn apply_when(&self, mut cell: RawSwept, overrides: &[Assignment]) -> Result<RawSwept, Problem> {
        if self.when.is_empty() {
            return Ok(cell);
        }
        let mut seen = meaning(&cell.tree);
        for rule in &self.when {
            if !matches(&seen, &rule.condition) {
                continue;
            }
            for assignment in rule.set.iter().chain(overrides) {
                let applied = assignment.apply(&mut cell.tree);
                applied.map_err(|problem| cell.describe().into_iter().fold(problem, Problem::note))?;
            }
            cell.assigned.extend(rule.set.iter().cloned());
            seen = meaning(&cell.tree);
        }
        Ok(cell)
    }

    /// Whether what rules compare with and set could be read at all; a rule that applies to no cell is read nowhere else.
    fn check_rules(&self, base: &Node) -> Result<(), Problem> {
        let when = self.when.iter().flat_map(|rule| [(&rule.condition, true), (&rule.set, false)]);
        let rules = self.exclude.iter().map(|entry| (entry, true)).chain(when);
        for (assignments, is_pattern) in rules {
            for assignment in assignments {
                check_value(base, assignment, is_pattern)?;
            }
        }
        Ok(())
    }
}

// ---- rules that can never apply

impl Sweep {
    /// Complains about a value in `exclude` or `if` that its path never takes: most likely it is misspelt, and would
    /// silently do nothing.
    ///
    /// `written` is the spec as in the file, `overridden` has every `--set` in it; a value of either may be meant.
    pub fn check_rules_apply(&self, written: &Node, overridden: &Node) -> Result<(), Problem> {
        let bases = [meaning(written), meaning(overridden)];
        let excluded = self.exclude.iter().flatten().map(|pattern| (pattern, "sweep.exclude"));
        let conditions = self.when.iter().flat_map(|rule| &rule.condition).map(|pattern| (pattern, "sweep.when"));
        for (pattern, path) in excluded.chain(conditions) {
            // Settings of a variant may be left out, so that what is listed cannot be compared with them as it stands.
            if matches!(pattern.value.value, Value::Map(_)) {
                continue;
            }
            let Some(values) = self.values_of(&pattern.path, &bases) else { continue };
            if values.is_empty() || values.iter().any(|value| value.matches(&pattern.value)) {
                continue;
            }
            let mut shown: Vec<String> = Vec::new();
            for value in values {
                let text = value.written();
                if !shown.contains(&text) {
                    shown.push(text);
                }
            }
            let more = shown.len().saturating_sub(12);
            shown.truncate(12);
            let values = suggest::list(shown.iter().map(String::as_str));
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let value = pattern.value.written();
            return Err(Problem::new(format!("`{}` is never `{value}`, so this matches no cell", pattern.path))
                .at(pattern.value.span)
                .path(path)
                .value(value)
                .hint(format!("its values here are {values}{more}")));
        }
        Ok(())
    }

    /// Every value that a path may take; none where that cannot be told.
    fn values_of<'a>(&'a self, path: &str, bases: &'a [Node]) -> Option<Vec<&'a Node>> {
        let base: Vec<&Node> = bases.iter().filter_map(|base| base.at(&split(path))).collect();
        if base.is_empty() && !fields::is_required(path) {
            return None;
        }
        let draws = self.random.iter().flat_map(|random| &random.draws);
        if draws
            .clone()
            .any(|(drawn, _, distribution)| drawn == path && !matches!(distribution.kind, DistributionKind::Choice(_)))
        {
            return None;
        }
        let mut values = Vec::new();
        let sets = self.include.iter().chain(self.when.iter().map(|rule| &rule.set)).flatten();
        let all = self.listed().into_iter().chain(sets.map(|set| (set.path.as_str(), vec![&set.value])));
        for (other, listed) in all {
            if other == path {
                values.extend(listed);
            } else if contains(other, path) || contains(path, other) {
                return None;
            }
        }
        values.extend(base);
        Some(values)
    }
}

impl RawSwept {
    fn new(base: &Node, assigned: Vec<Assignment>, overrides: &[Assignment]) -> Result<RawSwept, Problem> {
        let mut tree = base.clone();
        for assignment in assigned.iter().chain(overrides) {
            assignment.apply(&mut tree)?;
        }
        Ok(RawSwept { tree, assigned })
    }

    /// Whether the sweep set what stands at `span`.
    pub fn has_set(&self, span: Span) -> bool {
        self.assigned.iter().any(|assignment| within(span, assignment.value.span))
    }

    /// What the sweep set, for a message.
    pub fn describe(&self) -> Option<String> {
        let mut set: Vec<String> =
            self.assigned.iter().take(6).map(|a| format!("{}: {}", a.path, a.value.written())).collect();
        if self.assigned.len() > 6 {
            set.push("…".to_owned());
        }
        (!set.is_empty()).then(|| format!("in the cell {{ {} }}", set.join(", ")))
    }
}

impl SweptPath {
    fn assignment(&self, n: usize) -> Assignment {
        Assignment { path: self.path.clone(), key_span: self.key_span, value: self.values[n].clone() }
    }
}

impl Distribution {
    /// The value of the `n`-th draw for `path`.
    fn draw(&self, seed: u64, path: &str, n: usize) -> Node {
        let digest = Sha256::digest(format!("{seed} {path} {n}").as_bytes());
        let bits = digest.iter().take(8).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        // 53 bits, as many as a double holds: from 0 to below 1.
        let unit = (bits >> 11) as f64 / (1u64 << 53) as f64;
        let value = match &self.kind {
            DistributionKind::Uniform(a, b) => Value::Float(rounded(a + (b - a) * unit, *a, *b)),
            DistributionKind::LogUniform(a, b) => {
                let (from, to) = (number::ln(*a), number::ln(*b));
                Value::Float(rounded(number::exp(from + (to - from) * unit), *a, *b))
            }
            DistributionKind::Integer(a, b) => {
                let n_values = (b - a + 1) as u128;
                Value::Int(a + (n_values.saturating_mul(bits.into()) >> 64) as i128)
            }
            DistributionKind::Choice(values) => {
                let n = (values.len() as u128 * u128::from(bits)) >> 64;
                return values[n as usize].clone();
            }
        };
        Node { value, span: self.span }
    }
}

/// Six digits, unless the range is too narrow for them; never out of the range.
fn rounded(value: f64, a: f64, b: f64) -> f64 {
    let narrow = (b - a).abs() < 1e-3 * a.abs().max(b.abs());
    let value = if narrow { value } else { number::round(value) };
    value.clamp(a, b)
}

// ---- matching

/// The tree as it will be read: defaults filled in, shorthands written out. A section that cannot be read stays as written.
fn meaning(tree: &Node) -> Node {
    let mut meant = Node::empty_map(tree.span);
    for section in SECTIONS {
        let written = tree.get(section).cloned().unwrap_or(Node { value: Value::Null, span: tree.span });
        let read = crate::experiment::section_as_json(&written, section).map(|json| from_json(&json, written.span));
        let node = read.unwrap_or(written);
        // Sections are words without dots, so this cannot fail.
        let _ = meant.set(&[section], node.span, node.clone());
    }
    meant
}

fn matches(meaning: &Node, patterns: &[Assignment]) -> bool {
    patterns.iter().all(|pattern| meaning.at(&split(&pattern.path)).is_some_and(|value| value.matches(&pattern.value)))
}

/// Reads a rule's value at its place in the base, for its type.
fn check_value(base: &Node, assignment: &Assignment, is_pattern: bool) -> Result<(), Problem> {
    let attempt = |value: &Node| -> Result<(), Problem> {
        let section = assignment.path.split('.').next().unwrap_or_default();
        let mut tree = base.clone();
        let one = Assignment { value: value.clone(), ..assignment.clone() };
        // Where the base has another variant, the value cannot be tried; the cells it is for will tell.
        if one.apply(&mut tree).is_err() {
            return Ok(());
        }
        let Some(node) = tree.get(section) else { return Ok(()) };
        match crate::experiment::section_problem(node, section, assignment.key_span) {
            // What is wrong elsewhere in the section is reported with the cells.
            Some(problem) if problem.span.is_some_and(|span| within(span, value.span)) => Err(problem),
            _ => Ok(()),
        }
    };
    let whole = attempt(&assignment.value);
    let (Err(problem), true, Value::List(choices)) = (&whole, is_pattern, &assignment.value.value) else {
        return whole;
    };
    // A list of what the field may be.
    let is_choice = problem.span == Some(assignment.value.span)
        || choices.first().is_some_and(|choice| matches!(choice.value, Value::List(_)));
    if is_choice { choices.iter().try_for_each(attempt) } else { whole }
}

fn within(inner: Span, outer: Span) -> bool {
    inner.source == outer.source && inner.start >= outer.start && inner.end <= outer.end
}

pub(crate) fn from_json(json: &serde_json::Value, span: Span) -> Node {
    let value = match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole.into()),
            (None, float) => Value::Float(float.unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::Text(Text { text: text.clone(), quoted: false }),
        serde_json::Value::Array(items) => Value::List(items.iter().map(|item| from_json(item, span)).collect()),
        serde_json::Value::Object(map) => Value::Map(
            map.iter()
                .map(|(key, value)| crate::node::Entry {
                    key: key.clone(),
                    key_span: span,
                    value: from_json(value, span),
                })
                .collect(),
        ),
    };
    Node { value, span }
}
