//! `--set path=value`.

use crate::diagnostic::{Problem, Source, Sources, Span, quote};
use crate::fields::{self, SECTIONS, TOP_LEVEL};
use crate::node::Node;
use crate::suggest;
use crate::sweep::{Assignment, check_path};
use crate::yaml;

/// Puts every override into the tree; those that are about cells are returned, to be applied to each cell again.
pub(super) fn read_overrides(
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
    if segments.len() > 1 && matches!(first, "name" | "question" | "source" | "launch" | "figures" | "reference")
        || segments.iter().any(String::is_empty)
    {
        return Err(Problem::new(format!("unknown path `{}`", quote(path)))
            .at(key_span)
            .value(quote(path))
            .hint(format!("give `{first}` as a whole: `--set {first}=…`")));
    }
    Ok((Assignment { path: path.to_owned(), key_span, value }, segments))
}
