//! YAML text → [`Node`] tree, within tight limits on size, depth and aliases.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{self, ErrorKind, Event, Parser, ScalarStyle, ScanError};

use crate::diagnostic::{Problem, Span, quote};
use crate::node::{Entry, Node, Text, Value};

/// Bytes of the largest experiment file that is read.
pub(crate) const MAX_BYTES: u64 = 1 << 20;
/// Nested lists and mappings.
const MAX_DEPTH: usize = 32;
/// Values in a file, those that aliases repeat included.
const MAX_NODES: usize = 100_000;

/// Reads one YAML document.
///
/// `text` is a part of source `source` that begins at byte `offset`. An empty document is a null node.
pub(crate) fn parse(text: &str, source: usize, offset: usize) -> Result<Node, Problem> {
    let options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        // Without this, comments between entries count against a budget that long files of notes exceed.
        emit_comments: false,
    };
    let mut builder = Builder { text, source, offset, ..Builder::default() };
    for item in Parser::new_from_str_with_options(text, options) {
        let (event, span) = item.map_err(|error| scan_problem(&error, source, offset, text))?;
        let tag_span = span.tag_span().map(|span| builder.span(&span));
        let span = builder.span(&span);
        builder.event(event, span, tag_span.unwrap_or(span))?;
    }
    let end = Span::new(source, offset, offset + text.len());
    Ok(builder.root.unwrap_or(Node { value: Value::Null, span: end }))
}

#[derive(Default)]
struct Builder<'a> {
    text: &'a str,
    source: usize,
    offset: usize,
    n_nodes: usize,
    n_documents: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
}

/// A list or mapping whose end has not come yet.
struct Open {
    start: Span,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashMap<String, Span>, key: Option<(String, Span)> },
}

impl Builder<'_> {
    fn span(&self, span: &granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or(self.text.len()..self.text.len());
        Span::new(self.source, self.offset + range.start, self.offset + range.end.max(range.start))
    }

    fn event(&mut self, event: Event<'_>, span: Span, tag_span: Span) -> Result<(), Problem> {
        if let Event::Scalar(_, _, _, Some(tag))
        | Event::SequenceStart(_, _, Some(tag))
        | Event::MappingStart(_, _, Some(tag)) = &event
        {
            return Err(Problem::new(format!("the YAML tag `{}` is not known here", quote(&tag.original())))
                .at(tag_span)
                .hint("leave out the tag; a variant with settings is written as a mapping, such as `gaussian: { sigma: 1 }`"));
        }
        match event {
            Event::DocumentStart(..) => {
                self.n_documents += 1;
                if self.n_documents > 1 {
                    return Err(Problem::new("a second YAML document")
                        .at(span)
                        .hint("an experiment file holds one document: remove the `---`, or make two files"));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, _) => {
                let value = match style {
                    ScalarStyle::Plain => resolve(&text),
                    _ => Value::Text(Text { text: text.into_owned(), quoted: true }),
                };
                self.place(Node { value, span }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.open(span, anchor, Content::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                self.open(span, anchor, Content::Map { entries: Vec::new(), seen: HashMap::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let span = Span::new(self.source, open.start.start, span.end.max(open.start.end));
                let value = match open.content {
                    Content::List(items) => Value::List(items),
                    Content::Map { entries, .. } => Value::Map(entries),
                };
                // The node was counted when it was opened.
                self.n_nodes -= 1;
                self.place(Node { value, span }, open.anchor)
            }
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id) else {
                    return Err(Problem::new("an alias inside of its own anchor").at(span).hint("write out the value"));
                };
                if self.open.len() + node.depth() > MAX_DEPTH {
                    return Err(too_deep().at(span));
                }
                let mut node = node.clone();
                self.n_nodes += node.size() - 1;
                node.span = span;
                self.place(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, start: Span, anchor: usize, content: Content) -> Result<(), Problem> {
        if matches!(self.open.last(), Some(Open { content: Content::Map { key: None, .. }, .. })) {
            return Err(key_problem("a list or mapping", start));
        }
        self.count(start)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep().at(start));
        }
        self.open.push(Open { start, anchor, content });
        Ok(())
    }

    fn count(&mut self, span: Span) -> Result<(), Problem> {
        self.n_nodes += 1;
        if self.n_nodes > MAX_NODES {
            return Err(Problem::new(format!("more than {MAX_NODES} values, aliases written out"))
                .at(span)
                .hint("a spec is small: list fewer values, and do not nest aliases (`*name`)"));
        }
        Ok(())
    }

    /// Puts a finished node where it belongs: into the innermost open list or mapping, or at the root.
    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.count(node.span)?;
        if anchor != 0 {
            // Copies for anchors count as values, so that nested anchors cannot multiply.
            self.n_nodes += node.size() - 1;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, seen, key }) => match key.take() {
                Some((key, key_span)) => entries.push(Entry { key, key_span, value: node }),
                None => {
                    let text = key_text(&node).ok_or_else(|| key_problem(&node.describe(), node.span))?;
                    if text == "<<" {
                        return Err(Problem::new("merge keys (`<<`) are not supported")
                            .at(node.span)
                            .hint("write out the keys; variations of one spec are what `sweep` and `--set` are for"));
                    }
                    if let Some(first) = seen.insert(text.clone(), node.span) {
                        let line = self.text[..first.start - self.offset].matches('\n').count() + 1;
                        return Err(Problem::new(format!("the key `{}` is given twice", quote(&text)))
                            .at(node.span)
                            .value(quote(&text))
                            .note(format!("it is given first in line {line}"))
                            .hint("keep one of the two"));
                    }
                    *key = Some((text, node.span));
                }
            },
        }
        Ok(())
    }
}

/// A key as text; numbers and truth values may be keys, though no key of a spec is one.
fn key_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.text.clone()),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => Some(node.written()),
        _ => None,
    }
}

fn key_problem(found: &str, span: Span) -> Problem {
    Problem::new(format!("a key must be a word, found {found}")).at(span).hint("write `key: value`")
}

fn too_deep() -> Problem {
    Problem::new(format!("lists and mappings nested more than {MAX_DEPTH} deep"))
        .hint("a spec is a few levels deep: is a bracket too many?")
}

/// A plain scalar by YAML 1.2's core schema.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    // A number is short; and only what begins as a number does is tried as one (Rust also reads `inf` and `nan`).
    let looks_numeric =
        text.len() <= 400 && text.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if looks_numeric {
        if let Some(value) = integer(text) {
            return Value::Int(value);
        }
        if let Some(value) = float(text) {
            return Value::Float(value);
        }
    }
    Value::Text(Text { text: text.to_owned(), quoted: false })
}

fn integer(text: &str) -> Option<i128> {
    if let Some(digits) = text.strip_prefix("0x") {
        return digits.starts_with(|c: char| c.is_ascii_hexdigit()).then(|| i128::from_str_radix(digits, 16).ok())?;
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return digits.starts_with(|c: char| c.is_digit(8)).then(|| i128::from_str_radix(digits, 8).ok())?;
    }
    text.parse().ok()
}

fn float(text: &str) -> Option<f64> {
    text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-')).then(|| text.parse().ok())?
}

/// The scanner's errors in words that someone who does not know YAML's grammar can act on.
fn scan_problem(error: &ScanError, source: usize, offset: usize, text: &str) -> Problem {
    let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    let mut at = last_content(text, at);
    let (message, hint) = match error.kind() {
        ErrorKind::RecursionLimitExceeded => return too_deep().at(Span::new(source, offset + at, offset + at + 1)),
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => {
            // The scanner may have gone past it.
            let line_start = text[..at].rfind('\n').map_or(0, |at| at + 1);
            at = text[line_start..at].find('\t').map_or(at, |tab| line_start + tab);
            ("a tab, which YAML does not allow here".to_owned(), "use spaces instead of tabs".to_owned())
        }
        ErrorKind::UnknownAnchor => (
            "an alias (`*name`) without an anchor (`&name`) before it".to_owned(),
            "write out the value, or put text that begins with `*` in quotes".to_owned(),
        ),
        ErrorKind::UnclosedFlowCollection { open } => {
            (format!("`{open}` is never closed"), format!("add a `{}`", closing(*open)))
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            (format!("`{open}` is closed by `{close}`"), format!("close it by `{}`", closing(*open)))
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            ("a closing bracket without an opening one".to_owned(), "remove it, or add the opening one".to_owned())
        }
        ErrorKind::UnexpectedEofFlowSequence | ErrorKind::ExpectedFlowSequenceSeparator => (
            "a list `[…]` that is not closed before this, or lacks a comma".to_owned(),
            "write `[a, b, c]`; is the `]` missing?".to_owned(),
        ),
        ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator => (
            "a mapping `{…}` that is not closed before this, or lacks a comma".to_owned(),
            "write `{ a: 1, b: 2 }`; is the `}` missing, here or in a line above?".to_owned(),
        ),
        ErrorKind::FlowMappingValueAdjacentCollection => {
            ("no space after `:`".to_owned(), "write `key: value`, with a space".to_owned())
        }
        ErrorKind::UnclosedQuotedScalar => {
            ("a quote that is never closed".to_owned(), "add the closing quote".to_owned())
        }
        ErrorKind::InvalidQuotedScalarIndent | ErrorKind::DocumentIndicatorInQuotedScalar => {
            ("a quote above is not closed before this".to_owned(), "add the closing quote".to_owned())
        }
        ErrorKind::UnknownQuotedScalarEscape => (
            "a backslash in double quotes that stands before no known letter".to_owned(),
            "write `\\\\`, or use single quotes, in which a backslash is itself".to_owned(),
        ),
        ErrorKind::MappingValueNotAllowed => {
            let line = &text[text[..at].rfind('\n').map_or(0, |at| at + 1)..at];
            let hint = if line.contains(": ") {
                "put text that holds `: ` in quotes; several keys in a line are `{ a: 1, b: 2 }`"
            } else {
                "in the line above, is the `:` or the space after it missing? or is this line indented too far?"
            };
            ("a `:` where no key can be".to_owned(), hint.to_owned())
        }
        ErrorKind::SimpleKeyExpected => {
            ("a line that is no `key: value`".to_owned(), "is the `:` missing, or the space after it?".to_owned())
        }
        ErrorKind::ExpectedDocumentStart if text.starts_with('%') => (
            "a line that begins with `%` is an instruction to the YAML reader".to_owned(),
            "remove it, or add a line `---` after it".to_owned(),
        ),
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedDocumentStart
        | ErrorKind::InvalidSimpleKey
        | ErrorKind::MappingKeyNotAllowed => (
            "this does not continue what stands above it".to_owned(),
            "keys of one mapping begin in one column; is the indentation off, or a `:` missing?".to_owned(),
        ),
        ErrorKind::UnexpectedCharacter { character: '`' } => {
            ("a value cannot begin with a backtick".to_owned(), "put the text in quotes".to_owned())
        }
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => (
            format!("the character `{}` cannot stand in YAML", character.escape_default()),
            "remove it; is this an experiment file at all?".to_owned(),
        ),
        ErrorKind::UnexpectedCharacter { character } => {
            (format!("a value cannot begin with `{}`", character.escape_default()), "put the text in quotes".to_owned())
        }
        other => (format!("this is not YAML: {other}"), "compare it with a file in `experiments/`".to_owned()),
    };
    let width = text[at..].chars().next().map_or(0, char::len_utf8);
    Problem::new(message).at(Span::new(source, offset + at, offset + at + width)).hint(hint)
}

fn closing(open: char) -> char {
    if open == '[' { ']' } else { '}' }
}

/// `at`, moved back over white space when nothing but that follows, so that the place is one with content.
fn last_content(text: &str, at: usize) -> usize {
    let mut at = at;
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    if text[at..].trim().is_empty() {
        let end = text[..at].trim_end().len();
        return text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    }
    at
}
