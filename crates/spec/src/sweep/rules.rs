//! Rules of `exclude` and `when`: what they match, and whether they can.

use super::random::DistributionKind;
use super::{Assignment, Sweep, contains};
use crate::diagnostic::{Problem, Span};
use crate::experiment::{section_as_json, section_problem};
use crate::fields::{self, SECTIONS};
use crate::node::{Entry, Node, Text, Value, split};
use crate::suggest;

impl Sweep {
    /// Complains about a value in `exclude` or `if` that its path never takes: most likely it is misspelt, and would
    /// silently do nothing.
    ///
    /// `written` is the spec as in the file, `overridden` has every `--set` in it; a value of either may be meant.
    pub fn check_rules_apply(&self, written: &Node, overridden: &Node) -> Result<(), Problem> {
        let bases = [meaning(written, &SECTIONS), meaning(overridden, &SECTIONS)];
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

/// The tree as it will be read: defaults filled in, shorthands written out. A section that cannot be read stays as written.
pub(super) fn meaning(tree: &Node, sections: &[&str]) -> Node {
    let mut meant = Node::empty_map(tree.span);
    for section in sections {
        let written = tree.get(section).cloned().unwrap_or(Node { value: Value::Null, span: tree.span });
        let read = section_as_json(&written, section).map(|json| from_json(&json, written.span));
        let node = read.unwrap_or(written);
        // Sections are words without dots, so this cannot fail.
        let _ = meant.set(&[*section], node.span, node);
    }
    meant
}

/// The sections that some patterns look at; only these need to be read for them.
pub(super) fn sections_of<'a>(patterns: impl IntoIterator<Item = &'a Assignment>) -> Vec<&'static str> {
    let mut sections: Vec<&str> = Vec::new();
    for pattern in patterns {
        let section = SECTIONS.into_iter().find(|section| contains(section, &pattern.path));
        sections.extend(section.filter(|section| !sections.contains(section)));
    }
    sections
}

pub(super) fn matches(meaning: &Node, patterns: &[Assignment]) -> bool {
    patterns.iter().all(|pattern| meaning.at(&split(&pattern.path)).is_some_and(|value| value.matches(&pattern.value)))
}

/// Reads a rule's value at its place in the base, for its type.
pub(super) fn check_value(base: &Node, assignment: &Assignment, is_pattern: bool) -> Result<(), Problem> {
    let attempt = |value: &Node| -> Result<(), Problem> {
        let section = assignment.path.split('.').next().unwrap_or_default();
        let mut tree = base.clone();
        let one = Assignment { value: value.clone(), ..assignment.clone() };
        // Where the base has another variant, the value cannot be tried; the cells it is for will tell.
        if one.apply(&mut tree).is_err() {
            return Ok(());
        }
        let Some(node) = tree.get(section) else { return Ok(()) };
        match section_problem(node, section, assignment.key_span) {
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

pub(super) fn within(inner: Span, outer: Span) -> bool {
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
                .map(|(key, value)| Entry { key: key.clone(), key_span: span, value: from_json(value, span) })
                .collect(),
        ),
    };
    Node { value, span }
}
