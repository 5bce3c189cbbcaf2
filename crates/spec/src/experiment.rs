//! One experiment file, read, checked and expanded.

mod about;
mod arms;
mod cells;
mod load;
mod overrides;
mod shortened;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::claim::{self, Claim};
use crate::dataset::{Dataset, Identity};
use crate::de;
use crate::diagnostic::{MAX_PROBLEMS, Problem, Source, Sources, Span, SpecError, quote};
use crate::evaluation::{self, Evaluation};
use crate::fields::{self, TOP_LEVEL};
use crate::figure::FigureKind;
use crate::node::{Node, Value};
use crate::paths;
use crate::reference::{self, Reference};
use crate::registered;
use crate::run_id::RunId;
use crate::style::{self, Style};
use crate::suggest;
use crate::yaml;
use about::read_about;
use arms::origins;
use cells::{Expanded, Given, expand};
use load::{read, too_large};
use overrides::read_overrides;
use shortened::EpochShare;

pub use about::About;
pub use arms::Arm;
pub(crate) use cells::{section_as_json, section_problem};

/// A checked experiment file with all its cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Names the sweep's folder: lowercase letters, digits and hyphens.
    pub name: String,
    /// What it asks, whom it follows and how it is started; never part of a run's id.
    pub about: About,
    /// Every cell of the sweep, each once, in the order of the sweep; at least one.
    pub cells: Vec<Cell>,
    /// Which of its runs are of which arm; empty where the file has no arms.
    pub arms: Vec<Arm>,
    /// What varies: the swept paths in the order of the file, then any other path at which cells differ.
    pub axes: Vec<Axis>,
    /// What to draw; all that fit when the spec does not say.
    pub figures: Vec<FigureKind>,
    /// How they look.
    pub style: Style,
    /// What to measure on the trained models beyond what every run records; nothing when absent. An arm may have its own: see
    /// [`Experiment::evaluation_of`].
    pub evaluation: Option<Evaluation>,
    /// The published numbers it is held against.
    pub reference: Option<Reference>,
    /// What is claimed of its results, and judged once they are there.
    pub claims: Vec<Claim>,
    /// How to run it.
    pub execution: Execution,
    /// What `--set` shortened beside what it names, one sentence each.
    pub shortened: Vec<String>,
    /// How much of the file's epochs its cells are trained for, in percent, where `--set training.epochs=25%` takes a share.
    pub epochs_percent: Option<u32>,
    /// The file it was read from.
    pub written: Written,
}

/// An experiment as it was written, before anything was made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The file's path, as it was given.
    pub file: PathBuf,
    /// All that the file held.
    pub text: String,
    /// What was set over it, each as `path=value`.
    pub set: Vec<String>,
}

/// A path that was swept, and the values it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// The path in the spec, such as `model.latent_dim`.
    pub path: String,
    /// The distinct values in the cells, in the order of the file.
    pub values: Vec<serde_json::Value>,
}

/// How to run an experiment; cannot change the results and is never part of a run's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Execution {
    /// Cohorts that train at the same time; as many as fit when absent.
    pub jobs: Option<usize>,
    /// Threads of each worker; a fair share when absent.
    pub threads: Option<usize>,
    /// Cells of a cohort at most.
    pub cohort: Option<usize>,
    /// Where tensors live.
    pub device: Device,
}

/// Where tensors live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// In main memory.
    #[default]
    Cpu,
    /// On the first NVIDIA GPU.
    Cuda,
}

impl Device {
    /// `cpu` or `cuda`.
    pub fn as_str(self) -> &'static str {
        match self {
            Device::Cpu => "cpu",
            Device::Cuda => "cuda",
        }
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Experiment {
    /// What is measured on the model of `run` beyond what every run records: what the first of its arms asks for that asks for
    /// anything; where there are no arms, what the file does.
    pub fn evaluation_of(&self, run: &RunId) -> Option<Evaluation> {
        evaluation_of(run, self.evaluation, &self.arms)
    }

    /// Reads, checks and expands an experiment file.
    ///
    /// `overrides` are `path=value` as given to `--set`, the value in YAML: `training.epochs=2`, `model.hidden=[64]`,
    /// `sweep.grid.training.seed=[0, 1]`, `sweep=null`. They win over everything in the file.
    ///
    /// # Errors
    /// If the file cannot be read, is larger than 1 MiB, is not UTF-8 or YAML, or holds anything that is not a valid
    /// experiment. Every problem that was found is in the error.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Experiment, SpecError> {
        Experiment::load_with(path, overrides, None)
    }

    /// As [`Experiment::load`], with a data folder in which datasets may be registered too, see [`registered`].
    ///
    /// # Errors
    /// As [`Experiment::load`].
    pub fn load_with(path: &Path, overrides: &[String], data: Option<&Path>) -> Result<Experiment, SpecError> {
        let file = path.display().to_string();
        match read(path) {
            Ok(bytes) => Experiment::parse_with(&file, &bytes, overrides, data),
            Err(problem) => {
                Err(SpecError::new(vec![problem], &Sources(vec![Source { name: file, text: String::new() }])))
            }
        }
    }

    /// The same experiment with the user's own images known by their content: each cell has the digest that `identify` gives
    /// for its dataset, and cells that are the same run then are one.
    ///
    /// # Errors
    /// The first of `identify`.
    pub fn identified<E>(
        mut self,
        mut identify: impl FnMut(&Dataset) -> Result<Option<Identity>, E>,
    ) -> Result<Experiment, E> {
        let mut renamed = HashMap::new();
        for cell in &mut self.cells {
            if let Some(identity) = identify(&cell.dataset)? {
                let before = cell.run_id();
                cell.dataset = cell.dataset.clone().identified(&identity);
                renamed.insert(before, cell.run_id());
            }
        }
        for arm in &mut self.arms {
            let mut seen = HashSet::new();
            let now = arm.runs.iter().map(|id| renamed.get(id).unwrap_or(id).clone());
            arm.runs = now.filter(|id| seen.insert(id.clone())).collect();
        }
        let mut seen = HashSet::new();
        self.cells.retain(|cell| seen.insert(cell.run_id()));
        for axis in &mut self.axes {
            let mut found: Vec<serde_json::Value> = Vec::new();
            for value in self.cells.iter().filter_map(|cell| cell.value_at(&axis.path)) {
                if !found.contains(&value) {
                    found.push(value);
                }
            }
            let listed = std::mem::take(&mut axis.values);
            found.sort_by_key(|value| listed.iter().position(|other| other == value).unwrap_or(usize::MAX));
            axis.values = found;
        }
        Ok(self)
    }

    /// As [`Experiment::load`], of a file's bytes; `file` is its path, for messages and for relative paths in it.
    ///
    /// # Errors
    /// As [`Experiment::load`].
    pub fn parse(file: &str, text: &[u8], overrides: &[String]) -> Result<Experiment, SpecError> {
        Experiment::parse_with(file, text, overrides, None)
    }

    fn parse_with(file: &str, text: &[u8], overrides: &[String], data: Option<&Path>) -> Result<Experiment, SpecError> {
        let mut sources = Sources(vec![Source { name: file.to_owned(), text: String::new() }]);
        match std::str::from_utf8(text) {
            _ if text.len() as u64 > yaml::MAX_BYTES => Err(vec![too_large()]),
            Ok(text) => {
                // A byte-order mark would shift every column by one.
                text.strip_prefix('\u{feff}').unwrap_or(text).clone_into(&mut sources.0[0].text);
                parse(&mut sources, Path::new(file), overrides, data)
            }
            Err(error) => {
                sources.0[0].text = String::from_utf8_lossy(text).into_owned();
                // Up to the first bad byte both texts are the same.
                let at = error.valid_up_to();
                Err(vec![
                    Problem::new(format!("the file is not UTF-8: byte {} is `0x{:02x}`", at + 1, text[at]))
                        .at(Span::new(0, at, at + 1))
                        .hint("save it as UTF-8 text; is it an experiment file at all?"),
                ])
            }
        }
        .map_err(|problems| SpecError::new(problems, &sources))
    }
}

fn parse(
    sources: &mut Sources,
    file: &Path,
    overrides: &[String],
    data: Option<&Path>,
) -> Result<Experiment, Vec<Problem>> {
    let mut tree = yaml::parse(&sources.0[0].text, 0, 0).map_err(|problem| vec![problem])?;
    match &tree.value {
        Value::Map(_) => {}
        Value::Null => {
            let at = Span::new(0, 0, 0);
            return Err(vec![
                Problem::new("the experiment file is empty")
                    .at(at)
                    .hint("it needs at least `name`, `dataset` and `model`; start from a file in `experiments/`"),
            ]);
        }
        _ => {
            return Err(vec![
                Problem::new(format!("expected a mapping, found {}", tree.describe()))
                    .at(tree.span)
                    .value(tree.written())
                    .hint(format!("write `key: value` lines; keys are {}", suggest::list(TOP_LEVEL))),
            ]);
        }
    }

    let folder = paths::folder_of(file);
    let registered = registered::folders(&folder, data);
    registered::put_in(&mut tree, "", &registered).map_err(|problem| vec![problem])?;
    let written = tree.clone();
    let mut overrides = read_overrides(overrides, sources, &mut tree)?;
    registered::put_in(&mut tree, "", &registered).map_err(|problem| vec![problem])?;
    for set in &mut overrides.for_cells {
        registered::put_in(&mut set.value, &set.path, &registered).map_err(|problem| vec![problem])?;
    }
    let sweep_is_overridden = sources.0.iter().skip(1).any(|source| source.text.trim_start().starts_with("sweep"));
    let mut problems: Vec<Problem> = tree
        .entries()
        .iter()
        .filter(|entry| !TOP_LEVEL.contains(&entry.key.as_str()))
        .take(MAX_PROBLEMS)
        .map(|entry| de::unknown_key(entry, "", &TOP_LEVEL))
        .collect();
    let name = keep(read_name(&tree), &mut problems);
    let about = read_about(&tree, &mut problems);
    let execution = keep(read_execution(&tree), &mut problems).unwrap_or_default();
    let figures = keep(read_figures(&tree), &mut problems).flatten();
    let style = tree.get("style").map(|node| style::read(node, entry_span(&tree, "style")));
    let style = keep(style.transpose(), &mut problems).flatten().unwrap_or_default();
    let evaluation = keep(evaluation::read(&tree, ""), &mut problems).flatten();
    let reference = keep(reference::read(&tree), &mut problems).flatten();

    let claims = claim::read(&tree).map_err(|more| problems.extend(more)).unwrap_or_default();

    let mut shortened = Vec::new();
    let given = Given { overrides: &overrides.for_cells, epochs: overrides.epochs, folder: &folder };
    let expanded = origins(&tree, &written, evaluation).and_then(|origins| {
        let expanded = expand(&origins, top(&tree), given, &mut shortened)?;
        // A rule may well apply to nothing once the sweep itself is another than the file's.
        if !sweep_is_overridden {
            for origin in &origins {
                let checked = origin.sweep.check_rules_apply(&origin.written, &origin.base);
                checked.map_err(|problem| vec![problem])?;
            }
        }
        Ok(expanded)
    });
    let Expanded { cells, arms, axes } = expanded.map_err(|more| problems.extend(more)).unwrap_or_default();
    let is_evaluated = |run: &RunId| evaluation_of(run, evaluation, &arms).is_some();
    // With `--set`, the cells may well be others than those that the numbers were published for.
    if let Some(reference) = reference.as_ref().filter(|_| problems.is_empty() && sources.0.len() == 1) {
        problems.extend(reference::check_cells(&tree, reference, &is_evaluated, &cells).err());
    }
    if problems.is_empty() && sources.0.len() == 1 {
        problems.extend(claim::check_cells(&tree, &claims, &is_evaluated, &cells, &arms));
    }
    match name {
        Some(name) if problems.is_empty() => {
            let figures = figures.unwrap_or_else(|| {
                FigureKind::ALL.iter().copied().filter(|figure| figure.fits(&cells, &claims)).collect()
            });
            let (text, set) =
                (sources.0[0].text.clone(), sources.0.iter().skip(1).map(|set| set.text.clone()).collect());
            let written = Written { file: file.to_owned(), text, set };
            let epochs_percent = overrides.epochs.map(EpochShare::percent);
            Ok(Experiment {
                name,
                about,
                cells,
                arms,
                axes,
                figures,
                style,
                evaluation,
                reference,
                claims,
                execution,
                shortened,
                epochs_percent,
                written,
            })
        }
        _ => {
            problems.sort_by_key(|problem| problem.span.map(|span| (span.source, span.start)));
            Err(problems)
        }
    }
}

/// See [`Experiment::evaluation_of`].
fn evaluation_of(run: &RunId, of_file: Option<Evaluation>, arms: &[Arm]) -> Option<Evaluation> {
    match arms {
        [] => of_file,
        arms => arms.iter().filter(|arm| arm.runs.contains(run)).find_map(|arm| arm.evaluation),
    }
}

fn keep<T>(result: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

/// The place of what is missing from the file as a whole: its first key.
fn top(tree: &Node) -> Span {
    tree.entries().first().map_or(tree.span, |entry| entry.key_span)
}

pub(crate) fn entry_span(tree: &Node, key: &str) -> Span {
    tree.entries().iter().find(|entry| entry.key == key).map_or_else(|| top(tree), |entry| entry.key_span)
}

fn read_name(tree: &Node) -> Result<String, Problem> {
    const MOST: usize = 64;
    let form = fields::write_at("name").unwrap_or_default();
    let Some(node) = tree.get("name") else {
        return Err(Problem::new("missing key `name`")
            .at(top(tree))
            .hint(format!("add `name: …`: {form}; it becomes a folder's name")));
    };
    let name: String = de::read(node, "name", entry_span(tree, "name"))?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let valid =
        name.len() <= MOST && name.starts_with(|c: char| c != '-') && !name.ends_with('-') && name.chars().all(allowed);
    if valid {
        return Ok(name);
    }
    let problem = Problem::new(format!("`{}` cannot be an experiment's name", quote(&name)))
        .at(node.span)
        .path("name")
        .value(quote(&name));
    let slug: String = name.to_lowercase().chars().map(|c| if allowed(c) { c } else { '-' }).take(MOST).collect();
    let slug = slug.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    let slug = if slug.is_empty() { "latent-dims" } else { &slug };
    Err(problem.hint(format!(
        "it becomes a folder's name: lowercase letters, digits and hyphens between them, at most {MOST}; write `{slug}`"
    )))
}

fn read_execution(tree: &Node) -> Result<Execution, Problem> {
    const MOST: usize = 4096;
    let Some(node) = tree.get("execution") else { return Ok(Execution::default()) };
    let execution: Execution = de::read(node, "execution", entry_span(tree, "execution"))?;
    for (key, value) in [("jobs", execution.jobs), ("threads", execution.threads), ("cohort", execution.cohort)] {
        if let Some(value) = value
            && !(1..=MOST).contains(&value)
        {
            let path = format!("execution.{key}");
            let hint = fields::write_at(&path).unwrap_or_default();
            return Err(Problem::new(format!("`{path}` must be from 1 to {MOST}, found `{value}`"))
                .at(tree.nearest_span(&["execution", key]))
                .path(path)
                .value(value.to_string())
                .hint(format!("write {hint}")));
        }
    }
    Ok(execution)
}

/// The figures asked for; none if the spec leaves the choice.
fn read_figures(tree: &Node) -> Result<Option<Vec<FigureKind>>, Problem> {
    let Some(node) = tree.get("figures") else { return Ok(None) };
    let figures: Option<Vec<FigureKind>> = de::read(node, "figures", entry_span(tree, "figures"))?;
    let mut seen = HashSet::new();
    for (n, figure) in figures.iter().flatten().enumerate() {
        if !seen.insert(*figure) {
            let at = match &node.value {
                Value::List(items) => items[n].span,
                _ => node.span,
            };
            return Err(Problem::new(format!("the figure `{figure}` is listed twice"))
                .at(at)
                .path("figures")
                .value(figure.name())
                .hint("keep one of the two"));
        }
    }
    Ok(figures)
}
