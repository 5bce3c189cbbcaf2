//! What is wrong with a spec, where, and what to do about it; rendered as a compiler would.

use std::fmt::{self, Write as _};
use std::ops::{Deref, DerefMut};

/// Problems that are shown of one spec; who has more has made one mistake many times.
pub(crate) const MAX_PROBLEMS: usize = 20;

/// Where a piece of the tree was written: bytes `start..end` of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// 0 is the experiment file, n is the n-th `--set`.
    pub source: usize,
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(source: usize, start: usize, end: usize) -> Span {
        Span { source, start, end }
    }
}

/// One text that spans point into.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub name: String,
    pub text: String,
}

/// Every text that took part in a spec: the file first, then each `--set`.
#[derive(Clone, Debug)]
pub(crate) struct Sources(pub Vec<Source>);

/// A problem as it is found; it becomes a [`Diagnostic`] once the sources are at hand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problem(Box<Details>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    pub message: String,
    pub span: Option<Span>,
    /// The path in the spec, such as `model.latent_dim`; empty for the spec as a whole.
    pub path: Option<String>,
    /// The offending value, as it would be written.
    pub value: Option<String>,
    pub notes: Vec<String>,
    pub hint: Option<String>,
}

impl Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl Problem {
    pub fn new(message: impl Into<String>) -> Problem {
        Problem(Box::new(Details { message: message.into(), ..Details::default() }))
    }

    pub fn at(mut self, span: Span) -> Problem {
        self.span.get_or_insert(span);
        self
    }

    pub fn path(mut self, path: impl Into<String>) -> Problem {
        self.path.get_or_insert_with(|| path.into());
        self
    }

    pub fn value(mut self, value: impl Into<String>) -> Problem {
        self.value.get_or_insert_with(|| value.into());
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Problem {
        self.notes.push(note.into());
        self
    }

    pub fn hint_instead(mut self, hint: String) -> Problem {
        self.hint = Some(hint);
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }
}

/// One problem with a spec.
///
/// `Display` gives the message, the place with the line itself, the path, and a hint, over several lines:
///
/// ```text
/// unknown key `latent_dims`
///   --> experiments/x.yaml:7:12
///    |
///  7 |   model: { latent_dims: 20 }
///    |            ^^^^^^^^^^^
///    = in `model`
///    hint: did you mean `latent_dim`?
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// The experiment file, or `--set`.
    pub file: String,
    /// Line and column, both from 1, the column in characters; none where there is no content to point at.
    pub position: Option<(usize, usize)>,
    /// The path in the spec, such as `model.latent_dim`.
    pub path: Option<String>,
    /// The offending value as written, cut short when long.
    pub value: Option<String>,
    /// More about the place, such as which cell of a sweep is meant.
    pub notes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
    snippet: Option<Snippet>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Snippet {
    line: String,
    indent: usize,
    width: usize,
}

/// Characters of a line that a snippet shows.
const SNIPPET_WIDTH: usize = 100;

impl Diagnostic {
    pub(crate) fn new(problem: Problem, sources: &Sources) -> Diagnostic {
        let source = sources.0.get(problem.span.map_or(0, |span| span.source));
        let (position, snippet) = match (source, problem.span) {
            (Some(source), Some(span)) if !source.text.is_empty() => {
                let (position, snippet) = locate(&source.text, span);
                (Some(position), Some(snippet))
            }
            _ => (None, None),
        };
        let problem = *problem.0;
        Diagnostic {
            message: problem.message,
            file: source.map_or_else(String::new, |source| source.name.clone()),
            position,
            path: problem.path.filter(|path| !path.is_empty()),
            value: problem.value,
            notes: problem.notes,
            hint: problem.hint,
            snippet,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let number = self.position.map_or_else(String::new, |(line, _)| line.to_string());
        let gutter = " ".repeat(number.len() + 2);
        write!(f, "\n{}--> {}", &gutter[1..], self.file)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if let Some(snippet) = &self.snippet {
            write!(f, "\n{gutter}|\n {number} | {}", snippet.line)?;
            write!(f, "\n{gutter}| {}{}", " ".repeat(snippet.indent), "^".repeat(snippet.width))?;
        }
        if let Some(path) = &self.path {
            write!(f, "\n{gutter}= in `{path}`")?;
        }
        for note in &self.notes {
            write!(f, "\n{gutter}= {note}")?;
        }
        if let Some(hint) = &self.hint {
            let hint = hint.replace('\n', &format!("\n{gutter}      "));
            write!(f, "\n{gutter}hint: {hint}")?;
        }
        Ok(())
    }
}

/// Line, column and the line itself, with what the span covers of it.
fn locate(text: &str, span: Span) -> ((usize, usize), Snippet) {
    let start = floor_char_boundary(text, span.start);
    let end = floor_char_boundary(text, span.end).max(start);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find(['\n', '\r']).map_or(text.len(), |at| start + at);
    let number = text[..line_start].matches('\n').count() + 1;
    let before = text[line_start..start].chars().count();
    let covered = text[start..end.min(line_end).max(start)].trim_end().chars().count().max(1);

    // A long line is shown around the span only; the walk stays near the span so that huge lines cost nothing.
    let skip = if before > SNIPPET_WIDTH * 2 / 3 { before - SNIPPET_WIDTH / 3 } else { 0 };
    let mut shown = String::new();
    if skip > 0 {
        shown.push('…');
    }
    let mut rest = text[line_start..line_end].chars().skip(skip);
    shown.extend(rest.by_ref().take(SNIPPET_WIDTH).map(printable));
    if rest.next().is_some() {
        shown.push('…');
    }
    let indent = before - skip + usize::from(skip > 0);
    let width = covered.min(shown.chars().count().saturating_sub(indent)).max(1);
    ((number, before + 1), Snippet { line: shown, indent, width })
}

/// One column for every character, whatever it would do to a terminal.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        c if is_unseen(c) => '\u{fffd}',
        c => c,
    }
}

/// Control characters, and those without a width or that turn text around.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// `text` for a message: control characters escaped, cut short when long.
pub(crate) fn quote(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut quoted = String::new();
    for (n, character) in text.chars().enumerate() {
        if n == SHOWN {
            quoted.push('…');
            break;
        }
        match character {
            c if is_unseen(c) => {
                let _ = write!(quoted, "{}", c.escape_default());
            }
            c => quoted.push(c),
        }
    }
    quoted
}

/// Why a spec was refused: every problem found, each with its place and a hint.
///
/// Print it as `error: {error}`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SpecError {
    diagnostics: Vec<Diagnostic>,
    has_more: bool,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.diagnostics.iter().enumerate() {
            if n > 0 {
                f.write_str("\n\nerror: ")?;
            }
            write!(f, "{diagnostic}")?;
        }
        if self.has_more {
            write!(f, "\n\nthere may be more problems than the {} shown here", self.diagnostics.len())?;
        }
        Ok(())
    }
}

impl SpecError {
    pub(crate) fn new(problems: Vec<Problem>, sources: &Sources) -> SpecError {
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        let has_more = problems.len() >= MAX_PROBLEMS;
        for problem in problems.into_iter().take(MAX_PROBLEMS) {
            let diagnostic = Diagnostic::new(problem, sources);
            if !diagnostics.contains(&diagnostic) {
                diagnostics.push(diagnostic);
            }
        }
        SpecError { diagnostics, has_more }
    }

    /// The problems, in the order of the file; at least one.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}
