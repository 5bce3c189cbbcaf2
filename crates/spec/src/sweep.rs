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

mod random;
mod read;
mod rules;

use crate::diagnostic::{Problem, Span, quote};
use crate::fields::{self, SECTIONS};
use crate::node::{Node, split};
use crate::suggest;
use random::{DistributionKind, Random};
use rules::{check_value, matches, meaning, sections_of, within};

pub(crate) use rules::from_json;

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

/// A rule: cells that match `condition` are given the values of `set`.
#[derive(Clone, Debug)]
struct When {
    condition: Vec<Assignment>,
    set: Vec<Assignment>,
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

impl Sweep {
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
            let meaning = meaning(&cell.tree, &sections_of(self.exclude.iter().flatten()));
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
        let sections = sections_of(self.when.iter().flat_map(|rule| &rule.condition));
        let mut seen = meaning(&cell.tree, &sections);
        for rule in &self.when {
            if !matches(&seen, &rule.condition) {
                continue;
            }
            for assignment in rule.set.iter().chain(overrides) {
                let applied = assignment.apply(&mut cell.tree);
                applied.map_err(|problem| cell.describe().into_iter().fold(problem, Problem::note))?;
            }
            cell.assigned.extend(rule.set.iter().cloned());
            seen = meaning(&cell.tree, &sections);
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
