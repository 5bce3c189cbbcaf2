//! One experiment file, read, checked and expanded.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::cell::{Cell, Dataset, Model, Objective, Optimizer, Source as Images, Training};
use crate::check::RawCell;
use crate::de;
use crate::diagnostic::{MAX_PROBLEMS, Problem, Source, Sources, Span, SpecError, quote};
use crate::fields::{self, SECTIONS, TOP_LEVEL};
use crate::figure::FigureKind;
use crate::identity::differing_paths;
use crate::node::{Node, Value};
use crate::place;
use crate::suggest;
use crate::sweep::{Assignment, RawSwept, Sweep, check_path, contains};
use crate::yaml;

/// A checked experiment file with all its cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Names the sweep's folder: lowercase letters, digits and hyphens.
    pub name: String,
    /// Every cell of the sweep, each once, in the order of the sweep; at least one.
    pub cells: Vec<Cell>,
    /// What varies: the swept paths in the order of the file, then any other path at which cells differ.
    pub axes: Vec<Axis>,
    /// What to draw; all that fit when the spec does not say.
    pub figures: Vec<FigureKind>,
    /// How to run it.
    pub execution: Execution,
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
    /// Reads, checks and expands an experiment file.
    ///
    /// `overrides` are `path=value` as given to `--set`, the value in YAML: `training.epochs=2`, `model.hidden=[64]`,
    /// `sweep.grid.training.seed=[0, 1]`, `sweep=null`. They win over everything in the file.
    ///
    /// # Errors
    /// If the file cannot be read, is larger than 1 MiB, is not UTF-8 or YAML, or holds anything that is not a valid
    /// experiment. Every problem that was found is in the error.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Experiment, SpecError> {
        let file = path.display().to_string();
        match read(path) {
            Ok(bytes) => Experiment::parse(&file, &bytes, overrides),
            Err(problem) => {
                Err(SpecError::new(vec![problem], &Sources(vec![Source { name: file, text: String::new() }])))
            }
        }
    }

    /// As [`Experiment::load`], of a file's bytes; `file` is its path, for messages and for relative paths in it.
    ///
    /// # Errors
    /// As [`Experiment::load`].
    pub fn parse(file: &str, text: &[u8], overrides: &[String]) -> Result<Experiment, SpecError> {
        let mut sources = Sources(vec![Source { name: file.to_owned(), text: String::new() }]);
        match std::str::from_utf8(text) {
            _ if text.len() as u64 > yaml::MAX_BYTES => Err(vec![too_large()]),
            Ok(text) => {
                // A byte-order mark would shift every column by one.
                text.strip_prefix('\u{feff}').unwrap_or(text).clone_into(&mut sources.0[0].text);
                parse(&mut sources, Path::new(file), overrides)
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

fn too_large() -> Problem {
    Problem::new(format!("the file is larger than {} MiB", yaml::MAX_BYTES >> 20))
        .hint("an experiment file is a page of YAML; is this another file?")
}

/// The file's bytes; a file that is too large is not read.
fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let cannot = |error: &std::io::Error| {
        Problem::new(format!("cannot read the experiment file: {}", io_reason(error)))
            .hint("check the path, and whether you may read it")
    };
    let metadata = fs_err::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let hint = match similar_file(path) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => "give the path of a YAML file, such as `experiments/vae.yaml`".to_owned(),
            };
            Problem::new("there is no such experiment file").hint(hint)
        }
        _ => cannot(&error),
    })?;
    if metadata.is_dir() {
        let hint = "give the path of a YAML file in it";
        return Err(Problem::new("this is a folder, not an experiment file").hint(hint));
    }
    if metadata.len() > yaml::MAX_BYTES {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // A pipe or a device has no length beforehand.
    let file = fs_err::File::open(path).map_err(|error| cannot(&error))?;
    file.take(yaml::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    Ok(bytes)
}

/// The system's reason, without the path, which the place names already.
fn io_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        kind => kind.to_string(),
    }
}

/// An experiment file beside `path` whose name is like it.
fn similar_file(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .take(1000)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"))
        .collect();
    names.sort();
    let stem = |name: &str| name.trim_end_matches(".yaml").trim_end_matches(".yml").to_owned();
    let near = names.iter().find(|other| stem(other) == stem(name)).map(String::as_str);
    let near = near.or_else(|| suggest::nearest(name, names.iter().map(String::as_str)))?;
    Some(path.with_file_name(near).display().to_string())
}

fn parse(sources: &mut Sources, file: &Path, overrides: &[String]) -> Result<Experiment, Vec<Problem>> {
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

    let written = tree.clone();
    let overrides = read_overrides(overrides, sources, &mut tree)?;
    let sweep_is_overridden = sources.0.iter().skip(1).any(|source| source.text.trim_start().starts_with("sweep"));
    let mut problems: Vec<Problem> = tree
        .entries()
        .iter()
        .filter(|entry| !TOP_LEVEL.contains(&entry.key.as_str()))
        .take(MAX_PROBLEMS)
        .map(|entry| de::unknown_key(entry, "", &TOP_LEVEL))
        .collect();
    let name = keep(read_name(&tree), &mut problems);
    let execution = keep(read_execution(&tree), &mut problems).unwrap_or_default();
    let figures = keep(read_figures(&tree), &mut problems).flatten();

    let sweep_node = tree.get("sweep");
    let sweep = sweep_node.map_or_else(|| Ok(Sweep::default()), Sweep::read);
    let (cells, axes) = match sweep {
        Ok(sweep) => match expand(&sweep, &tree, &overrides, &place::folder_of(file)) {
            Ok(expanded) => {
                // A rule may well apply to nothing once the sweep itself is another than the file's.
                if !sweep_is_overridden {
                    problems.extend(sweep.check_rules_apply(&written, &tree).err());
                }
                expanded
            }
            Err(more) => {
                problems.extend(more);
                Default::default()
            }
        },
        Err(more) => {
            problems.extend(more);
            Default::default()
        }
    };
    match name {
        Some(name) if problems.is_empty() => {
            let figures =
                figures.unwrap_or_else(|| FigureKind::ALL.into_iter().filter(|figure| figure.fits(&cells)).collect());
            Ok(Experiment { name, cells, axes, figures, execution })
        }
        _ => {
            problems.sort_by_key(|problem| problem.span.map(|span| (span.source, span.start)));
            Err(problems)
        }
    }
}

fn keep<T>(result: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

/// The place of what is missing from the file as a whole: its first key.
fn top(tree: &Node) -> Span {
    tree.entries().first().map_or(tree.span, |entry| entry.key_span)
}

fn entry_span(tree: &Node, key: &str) -> Span {
    tree.entries().iter().find(|entry| entry.key == key).map_or_else(|| top(tree), |entry| entry.key_span)
}

// ---- `--set`

/// Puts every override into the tree; those that are about cells are returned, to be applied to each cell again.
fn read_overrides(
    overrides: &[String],
    sources: &mut Sources,
    tree: &mut Node,
) -> Result<Vec<Assignment>, Vec<Problem>> {
    let mut for_cells = Vec::new();
    let mut problems = Vec::new();
    for (n, text) in overrides.iter().enumerate() {
        let source = n + 1;
        sources.0.push(Source { name: "--set".to_owned(), text: text.clone() });
        match read_override(text, source) {
            Ok((assignment, segments)) => {
                let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
                if let Err(problem) = tree.set(&segments, assignment.key_span, assignment.value.clone()) {
                    problems.push(problem);
                } else if SECTIONS.contains(&segments[0]) {
                    for_cells.push(assignment);
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(for_cells) } else { Err(problems) }
}

fn read_override(text: &str, source: usize) -> Result<(Assignment, Vec<String>), Problem> {
    let whole = Span::new(source, 0, text.len());
    if text.len() as u64 > yaml::MAX_BYTES {
        return Err(Problem::new("the value is larger than 1 MiB").hint("put it into the experiment file"));
    }
    let Some((path, value)) = text.split_once('=') else {
        return Err(Problem::new("expected `path=value`")
            .at(whole)
            .value(quote(text))
            .hint("such as `--set training.epochs=2`"));
    };
    let key_span = Span::new(source, 0, path.len());
    let value = yaml::parse(value, source, path.len() + 1)?;
    let path = path.trim();
    let first = path.split('.').next().unwrap_or(path);
    if !TOP_LEVEL.contains(&first) {
        let hint = match fields::meant_by(path) {
            Some(hint) => hint,
            None => suggest::hint(first, &TOP_LEVEL, "a path begins with one of"),
        };
        return Err(Problem::new(format!("unknown path `{}`", quote(path))).at(key_span).value(quote(path)).hint(hint));
    }
    if SECTIONS.contains(&first) {
        check_path(path, key_span, "")?;
    }
    let mut segments: Vec<String> = path.splitn(3, '.').map(str::to_owned).collect();
    if first == "sweep" {
        // What follows is one swept path, dots and all; only `random` has keys of its own that need no more.
    } else {
        segments = path.split('.').map(str::to_owned).collect();
    }
    if segments.len() > 1 && matches!(first, "name" | "figures") || segments.iter().any(String::is_empty) {
        return Err(Problem::new(format!("unknown path `{}`", quote(path)))
            .at(key_span)
            .value(quote(path))
            .hint(format!("give `{first}` as a whole: `--set {first}=…`")));
    }
    Ok((Assignment { path: path.to_owned(), key_span, value }, segments))
}

// ---- what is not part of a cell

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

// ---- cells

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

/// Every cell of the sweep, read and checked, and what varies among them.
fn expand(
    sweep: &Sweep,
    tree: &Node,
    overrides: &[Assignment],
    folder: &Path,
) -> Result<(Vec<Cell>, Vec<Axis>), Vec<Problem>> {
    // Only what makes a cell is copied for every cell.
    let mut base = tree.clone();
    if let Value::Map(entries) = &mut base.value {
        entries.retain(|entry| SECTIONS.contains(&entry.key.as_str()));
    }
    let at = entry_span(tree, "sweep");
    let swept = sweep.expand(&base, overrides, at).map_err(|problem| vec![problem])?;
    let mut cells = Vec::new();
    let mut seen = HashSet::new();
    for raw in swept {
        let raw = raw.map_err(|problem| vec![problem])?;
        let cell = read_cell(&raw, top(tree), folder)?;
        if seen.insert(cell.run_id()) {
            cells.push(cell);
        }
    }
    if cells.is_empty() {
        return Err(vec![
            Problem::new("the sweep has no cell left")
                .at(at)
                .path("sweep")
                .hint("`exclude` matches every combination; exclude fewer"),
        ]);
    }
    let axes = axes(sweep, &cells);
    Ok((cells, axes))
}

fn read_cell(raw: &RawSwept, top: Span, folder: &Path) -> Result<Cell, Vec<Problem>> {
    let tree = &raw.tree;
    let mut problems = Vec::new();
    let dataset = section::<Dataset>(tree, "dataset", top, &mut problems);
    let model = section::<Model>(tree, "model", top, &mut problems);
    let objective = section::<Option<Objective>>(tree, "objective", top, &mut problems).flatten().unwrap_or_default();
    let optimizer = section::<Option<Optimizer>>(tree, "optimizer", top, &mut problems).flatten().unwrap_or_default();
    let training = section::<Option<Training>>(tree, "training", top, &mut problems).flatten().unwrap_or_default();
    if let (Some(dataset), Some(model), true) = (dataset, model, problems.is_empty()) {
        let raw_cell = RawCell { dataset, model, objective, optimizer, training };
        match raw_cell.check() {
            Ok(mut cell) => {
                match &mut cell.dataset.name {
                    Images::Glyphs | Images::Mnist | Images::FashionMnist => {}
                    Images::Hdf5(path) | Images::Idx(path) | Images::Folder(path) => {
                        *path = place::resolve(folder, path)
                    }
                }
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
fn complained(complaint: &crate::check::Complaint, tree: &Node) -> Problem {
    let (path, item) = match complaint.path.split_once('[') {
        Some((path, item)) => (path, item.trim_end_matches(']').parse::<usize>().ok()),
        None => (complaint.path.as_str(), None),
    };
    let keys = crate::node::split(path);
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
fn axes(sweep: &Sweep, cells: &[Cell]) -> Vec<Axis> {
    let listed = sweep.listed();
    let mut paths: Vec<String> = listed.iter().map(|(path, _)| (*path).to_owned()).collect();
    for path in differing_paths(cells) {
        if !paths.iter().any(|known| contains(known, &path) || contains(&path, known)) {
            paths.push(path);
        }
    }
    paths
        .into_iter()
        .map(|path| {
            let mut values: Vec<serde_json::Value> = Vec::new();
            let mut seen = HashSet::new();
            for value in cells.iter().filter_map(|cell| cell.value_at(&path)) {
                if seen.insert(value.to_string()) {
                    values.push(value);
                }
            }
            // An excluded cell must not change the order that the file lists.
            let order =
                listed.iter().find(|(known, _)| *known == path).map(|(_, values)| &values[..]).unwrap_or_default();
            values.sort_by_key(|value| {
                let value = crate::sweep::from_json(value, Span::new(0, 0, 0));
                order.iter().position(|listed| value.matches(listed)).unwrap_or(usize::MAX)
            });
            Axis { path, values }
        })
        .collect()
}
