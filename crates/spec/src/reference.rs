//! Published numbers that an experiment is held against.
//!
//! ```yaml
//! reference:
//!   set_up: gray MNIST, 784-400-20-400-784, batch 128
//!   rows:
//!     - { id: A, metric: negative-elbo, published: "105.56 (pytorch/examples)", value: 105.56, tolerance: 0.5,
//!         full_epochs: 10 }
//! ```
//!
//! A row is one published number. It concerns the experiment's cells that match its `where`, all of them when there is none;
//! these differ in nothing but their seed, so that a mean over them is one over seeds. The number is reproduced when the one
//! obtained is within `tolerance` of `value`, over enough seeds that its interval is no wider than that, and with settings that were
//! not chosen by it (`tuned`). With `below`, its order is reproduced when it is smaller than that of another row and has the sign
//! that was published. A row with neither is shown and not judged.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};

use crate::cell::Cell;
use crate::claim::has_values;
use crate::de;
use crate::diagnostic::{Problem, Span, quote};
use crate::difference::differing_paths;
use crate::experiment::entry_span;
use crate::metric::Metric;
use crate::node::{Node, Value};
use crate::run_id::RunId;
use crate::suggest;
use crate::sweep::check_path;

/// Characters of a row's id at most.
const MAX_ID: usize = 32;

/// What was published about an experiment's set-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The set-up in a few words, for a table.
    pub set_up: String,
    /// The published numbers; at least one.
    pub rows: Vec<ReferenceRow>,
}

/// One published number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceRow {
    /// Names the row, such as `D1`: letters, digits and hyphens; each once in an experiment.
    pub id: String,
    /// Which number of a run it is held against.
    pub metric: ReferenceMetric,
    /// What was published, as text: the number, its uncertainty, where.
    pub published: String,
    /// The published number, in the metric's unit.
    pub value: f64,
    /// How far the number obtained may be from `value` to count as reproduced; in the metric's unit.
    #[serde(default)]
    pub tolerance: Option<f64>,
    /// The id of a row whose number this one's is below, with the sign of `value`.
    #[serde(default)]
    pub below: Option<String>,
    /// Value by path of the cells it concerns; all cells when empty.
    #[serde(default, rename = "where")]
    pub cells: BTreeMap<String, serde_json::Value>,
    /// Epochs of the published schedule; a run of fewer is one on a shortened schedule. `None` where the source does not
    /// state it.
    #[serde(default)]
    pub full_epochs: Option<usize>,
    /// Whether settings that the source leaves open were chosen by how near they come to `value`: agreement then shows little.
    #[serde(default)]
    pub tuned: bool,
    /// What else there is to say, such as what differs from the published set-up.
    #[serde(default)]
    pub note: Option<String>,
}

/// A number of a trained run, measured on the test images: a [`Metric`], or its negative.
#[derive(Clone, Copy, Debug, EnumIter, IntoStaticStr, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ReferenceMetric {
    /// −ELBO after the last epoch, one sample per image; nats per image.
    NegativeElbo,
    /// `−E_q[log p(x|z)]` after the last epoch, one sample per image; nats per image.
    Reconstruction,
    /// KL(q(z|x) ‖ p(z)) after the last epoch; nats per image.
    Kl,
    /// −log p(x) by importance sampling, see [`crate::Evaluation`]; nats per image.
    Nll,
    /// Latent dimensions in use, `Var_x(E_q[z]) > 0.01`, after the last epoch.
    ActiveUnits,
}

impl ReferenceMetric {
    /// The name in specs and tables, such as `negative-elbo`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// All of them, in the order of tables.
    pub fn all() -> impl Iterator<Item = ReferenceMetric> {
        ReferenceMetric::iter()
    }

    /// What is measured, and the factor, 1 or −1, that makes it this number.
    pub fn metric(self) -> (Metric, f64) {
        match self {
            ReferenceMetric::NegativeElbo => (Metric::Elbo, -1.0),
            ReferenceMetric::Reconstruction => (Metric::Reconstruction, 1.0),
            ReferenceMetric::Kl => (Metric::Kl, 1.0),
            ReferenceMetric::Nll => (Metric::Nll, 1.0),
            ReferenceMetric::ActiveUnits => (Metric::ActiveUnits, 1.0),
        }
    }

    /// For people, such as `−ELBO`.
    pub fn title(self) -> String {
        let (metric, factor) = self.metric();
        format!("{}{}", if factor < 0.0 { "−" } else { "" }, metric.about().title)
    }
}

impl ReferenceRow {
    /// Whether the row is about this cell. A value matches as in a sweep's `exclude`.
    pub fn concerns(&self, cell: &Cell) -> bool {
        has_values(cell, &self.cells)
    }
}

/// The section `reference`; none if the experiment is held against nothing.
pub(crate) fn read(tree: &Node) -> Result<Option<Reference>, Problem> {
    let Some(node) = tree.get("reference") else { return Ok(None) };
    let reference: Option<Reference> = de::read(node, "reference", entry_span(tree, "reference"))?;
    let Some(reference) = reference else { return Ok(None) };
    if reference.rows.is_empty() {
        let form = "list at least one published number: `- { id: A, metric: negative-elbo, published: …, value: …, \
                    tolerance: …, full_epochs: … }`";
        return Err(Problem::new("`reference.rows` is empty")
            .at(tree.nearest_span(&["reference", "rows"]))
            .path("reference.rows")
            .value("[]")
            .hint(form));
    }
    let mut ids = BTreeSet::new();
    for (n, row) in reference.rows.iter().enumerate() {
        let reader = Reader { tree, n };
        reader.check_id(row, &mut ids)?;
        reader.check_numbers(row)?;
        if let Some(below) = &row.below {
            reader.check_below(row, below, &reference.rows)?;
        }
        for path in row.cells.keys() {
            check_path(path, reader.key("where", path), &format!("reference.rows[{n}].where"))?;
        }
    }
    Ok(Some(reference))
}

/// Whether every row concerns cells that can answer it.
pub(crate) fn check_cells(
    tree: &Node,
    reference: &Reference,
    is_evaluated: &dyn Fn(&RunId) -> bool,
    cells: &[Cell],
) -> Result<(), Problem> {
    for (n, row) in reference.rows.iter().enumerate() {
        let reader = Reader { tree, n };
        let concerned: Vec<Cell> = cells.iter().filter(|cell| row.concerns(cell)).cloned().collect();
        if row.metric == ReferenceMetric::Nll && !concerned.iter().all(|cell| is_evaluated(&cell.run_id())) {
            return Err(reader
                .problem("metric", "`nll` is estimated by importance sampling, which this experiment does not ask for")
                .value("nll")
                .hint("add `evaluation: { importance_samples: 5000 }`"));
        }
        if concerned.is_empty() {
            return Err(reader
                .problem("where", format!("the row `{}` concerns no cell of this experiment", quote(&row.id)))
                .value(reader.written("where"))
                .hint("`elbo plan` shows the cells; leave `where` out for all of them"));
        }
        if row.metric == ReferenceMetric::Nll
            && let Some(cell) = concerned.iter().find(|cell| cell.scale().nll() != Metric::Nll)
        {
            let message = format!(
                "the row `{}` concerns gray pixels under a Bernoulli decoder, which have no `nll`",
                quote(&row.id)
            );
            return Err(reader
                .problem("metric", message)
                .value("nll")
                .hint(format!("on {} there is no likelihood; write `metric: negative-elbo`", cell.scale())));
        }
        let mut differing = differing_paths(&concerned);
        differing.retain(|path| path != "training.seed");
        if let Some(path) = differing.first() {
            let values: BTreeSet<String> =
                concerned.iter().filter_map(|cell| cell.value_at(path)).map(|value| value.to_string()).collect();
            let shown = suggest::list(values.iter().map(String::as_str).take(12));
            return Err(reader
                .problem("where", format!("the row `{}` concerns cells that differ in `{path}`", quote(&row.id)))
                .value(reader.written("where"))
                .hint(format!("pick one by `where: {{ {path}: … }}`; its values here are {shown}")));
        }
    }
    Ok(())
}

/// Where the `n`-th row was written.
struct Reader<'a> {
    tree: &'a Node,
    n: usize,
}

impl Reader<'_> {
    fn row(&self) -> Option<&Node> {
        match &self.tree.at(&["reference", "rows"])?.value {
            Value::List(items) => items.get(self.n),
            _ => None,
        }
    }

    fn span(&self, keys: &[&str]) -> Span {
        self.row().map_or_else(|| entry_span(self.tree, "reference"), |row| row.nearest_span(keys))
    }

    /// The position of a key within the mapping at `field`.
    fn key(&self, field: &str, key: &str) -> Span {
        let entries = self.row().and_then(|row| row.get(field)).map(Node::entries).unwrap_or_default();
        entries.iter().find(|entry| entry.key == key).map_or_else(|| self.span(&[field]), |entry| entry.key_span)
    }

    fn written(&self, field: &str) -> String {
        self.row().and_then(|row| row.get(field)).map(Node::written).unwrap_or_default()
    }

    fn problem(&self, field: &str, message: impl Into<String>) -> Problem {
        Problem::new(message).at(self.span(&[field])).path(format!("reference.rows[{}].{field}", self.n))
    }

    fn check_id<'a>(&self, row: &'a ReferenceRow, seen: &mut BTreeSet<&'a str>) -> Result<(), Problem> {
        let is_plain = row.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if row.id.is_empty() || row.id.len() > MAX_ID || !is_plain {
            return Err(self
                .problem("id", format!("`{}` cannot be a row's id", quote(&row.id)))
                .value(quote(&row.id))
                .hint(format!("write letters, digits and hyphens, at most {MAX_ID}, such as `D1`")));
        }
        if !seen.insert(&row.id) {
            return Err(self
                .problem("id", format!("the id `{}` stands twice", row.id))
                .value(&*row.id)
                .hint("give every row an id of its own"));
        }
        Ok(())
    }

    fn check_numbers(&self, row: &ReferenceRow) -> Result<(), Problem> {
        let complain = |field: &str, message: String, hint: &str| {
            Err(self.problem(field, message).value(self.written(field)).hint(hint))
        };
        if !row.value.is_finite() {
            return complain("value", format!("`value` must be finite, found `{}`", row.value), "write a number");
        }
        if let Some(tolerance) = row.tolerance.filter(|tolerance| !(tolerance.is_finite() && *tolerance > 0.0)) {
            let hint = "write how far off still counts as reproduced, such as `0.5`";
            return complain("tolerance", format!("`tolerance` must be above 0 and finite, found `{tolerance}`"), hint);
        }
        if row.full_epochs == Some(0) {
            let hint = "write the epochs of the published schedule, such as `10`";
            return complain("full_epochs", "`full_epochs` must be at least 1, found `0`".to_owned(), hint);
        }
        Ok(())
    }

    fn check_below(&self, row: &ReferenceRow, below: &str, rows: &[ReferenceRow]) -> Result<(), Problem> {
        let problem = |message: String| self.problem("below", message).value(quote(below));
        let ids = || rows.iter().map(|other| other.id.as_str()).filter(|id| *id != row.id);
        match rows.iter().find(|other| other.id == below) {
            None => {
                let message = format!("there is no row `{}`", quote(below));
                Err(problem(message).hint(format!("the other rows are {}", suggest::list(ids()))))
            }
            Some(other) if other.id == row.id => {
                Err(problem(format!("the row `{below}` cannot be below itself")).hint("name another row"))
            }
            Some(other) if other.metric != row.metric => {
                let (own, others) = (row.metric.name(), other.metric.name());
                let message = format!("`{own}` of `{}` cannot be compared with `{others}` of `{below}`", row.id);
                Err(problem(message).hint("name a row of the same metric"))
            }
            Some(_) => Ok(()),
        }
    }
}
