//! What an experiment asks, whom it follows, and how it is started: texts for people, without effect on any run.

use serde::{Deserialize, Serialize};

use super::entry_span;
use crate::de;
use crate::diagnostic::{Problem, quote};
use crate::fields;
use crate::node::Node;

/// Letters of a text at most: what a page's head has room for.
const MOST: usize = 2000;

/// What is said of an experiment in its own file; nothing where the file is silent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The question that it asks.
    pub question: Option<String>,
    /// The paper, figure or table that it follows.
    pub source: Option<String>,
    /// The command that starts it.
    pub launch: Option<String>,
}

/// Reads `question`, `source` and `launch`.
pub(super) fn read_about(tree: &Node, problems: &mut Vec<Problem>) -> About {
    let mut text = |key: &str| {
        read_text(tree, key).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        })
    };
    About { question: text("question"), source: text("source"), launch: text("launch") }
}

/// The text at a top-level key, its lines joined.
fn read_text(tree: &Node, key: &str) -> Result<Option<String>, Problem> {
    let Some(node) = tree.get(key) else { return Ok(None) };
    let Some(text) = de::read::<Option<String>>(node, key, entry_span(tree, key))? else { return Ok(None) };
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let n_letters = joined.chars().count();
    let problem = match n_letters {
        0 => format!("`{key}` is empty"),
        n if n > MOST => format!("`{key}` has {n_letters} letters, more than {MOST}"),
        _ => return Ok(Some(joined)),
    };
    let hint = format!("write {}, or leave it out", fields::write_at(key).unwrap_or("a text"));
    Err(Problem::new(problem).at(node.span).path(key).value(quote(&joined)).hint(hint))
}
