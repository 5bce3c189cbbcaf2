//! `--set path=value`.

use super::shortened::EpochShare;
use crate::diagnostic::{Problem, Source, Sources, Span, quote};
use crate::fields::{self, SECTIONS, TOP_LEVEL};
use crate::node::{Node, Value};
use crate::suggest;
use crate::sweep::{Assignment, check_path};
use crate::yaml;

/// What `--set` says of cells, to be applied to each of them again.
#[derive(Default)]
pub(super) struct Overrides {
    pub for_cells: Vec<Assignment>,
    /// So much of the epochs that each cell has otherwise.
    pub epochs: Option<EpochShare>,
}

/// Puts every override into the tree, those about the sweep also into the sweeps that arms have of their own.
pub(super) fn read_overrides(
    overrides: &[String],
    sources: &mut Sources,
    tree: &mut Node,
) -> Result<Overrides, Vec<Problem>> {
    let mut read = Overrides::default();
    let mut problems = Vec::new();
    let sets_epochs = |text: &String| text.split_once('=').is_some_and(|(path, _)| path.trim() == "training.epochs");
    let last_epochs = overrides.iter().rposition(sets_epochs).unwrap_or(0);
    for (n, text) in overrides.iter().enumerate() {
        let source = n + 1;
        sources.0.push(Source { name: "--set".to_owned(), text: text.clone() });
        match read_override(text, source) {
            Ok((assignment, segments)) => {
                let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
                if segments == ["training", "epochs"] {
                    match EpochShare::read(&assignment.value) {
                        // Of several, the last one counts, and a share is one of what the file says.
                        _ if last_epochs > n => continue,
                        Ok(None) => {}
                        Ok(share) => {
                            read.epochs = share;
                            continue;
                        }
                        Err(problem) => {
                            problems.push(problem);
                            continue;
                        }
                    }
                }
                let set = match segments[0] {
                    "sweep" => set_in_sweeps(tree, &segments, &assignment),
                    _ => tree.set(&segments, assignment.key_span, assignment.value.clone()),
                };
                if let Err(problem) = set {
                    problems.push(problem);
                } else if SECTIONS.contains(&segments[0]) {
                    read.for_cells.push(assignment);
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(read) } else { Err(problems) }
}

/// Sets a path in the sweep of the file and of each arm that has one of its own.
fn set_in_sweeps(tree: &mut Node, segments: &[&str], assignment: &Assignment) -> Result<(), Problem> {
    let set = |tree: &mut Node| tree.set(segments, assignment.key_span, assignment.value.clone());
    set(tree)?;
    let Value::Map(entries) = &mut tree.value else { return Ok(()) };
    let arms = entries.iter_mut().find(|entry| entry.key == "arms").map(|entry| &mut entry.value.value);
    let Some(Value::List(arms)) = arms else { return Ok(()) };
    arms.iter_mut().filter(|arm| arm.get("sweep").is_some()).try_for_each(set)
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
    if value.trim().is_empty() {
        return Err(Problem::new(format!("`{}` is given no value", quote(path.trim())))
            .at(whole)
            .value(quote(text))
            .hint("write one behind `=`; `null` takes out what the file says"));
    }
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
    if segments.len() > 1
        && matches!(first, "name" | "question" | "source" | "launch" | "arms" | "claims" | "figures" | "reference")
        || segments.iter().any(String::is_empty)
    {
        return Err(Problem::new(format!("unknown path `{}`", quote(path)))
            .at(key_span)
            .value(quote(path))
            .hint(format!("give `{first}` as a whole: `--set {first}=…`")));
    }
    Ok((Assignment { path: path.to_owned(), key_span, value }, segments))
}
