//! A YAML value that remembers where it was written, and the paths that lead through it.

use crate::diagnostic::{Problem, Span, quote};

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub value: Value,
    pub span: Span,
}

/// What YAML's core schema knows.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Text),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// Text, and whether it stood in quotes.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub text: String,
    pub quoted: bool,
}

/// A key and its value; a map has every key once.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

impl Node {
    pub fn empty_map(span: Span) -> Node {
        Node { value: Value::Map(Vec::new()), span }
    }

    /// The entries, none if the node is not a map.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The node at a path, if it was written.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The place of a path, or of the nearest thing around it that was written.
    pub fn nearest_span(&self, path: &[&str]) -> Span {
        let mut span = self.span;
        let mut node = self;
        for key in path {
            let Some(entry) = node.entries().iter().find(|entry| entry.key == *key) else { break };
            node = &entry.value;
            span = if matches!(node.value, Value::Map(_)) { entry.key_span } else { node.span };
        }
        span
    }

    /// The text of a plain word.
    pub fn word(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// What the node is, for a message: "the text `abc`".
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Int(value) => format!("`{value}`"),
            Value::Float(value) => format!("`{}`", float_text(*value)),
            Value::Text(Text { text, quoted: true }) => format!("the text `\"{}\"`", quote(text)),
            Value::Text(Text { text, quoted: false }) => format!("the text `{}`", quote(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }

    /// The node as one would write it on one line, cut short when long.
    pub fn written(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        quote(&out)
    }

    fn write(&self, out: &mut String) {
        // Far more than is shown; a large tree is not walked to its end.
        if out.len() > 500 {
            return;
        }
        match &self.value {
            Value::Null => out.push_str("null"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) => out.push_str(&value.to_string()),
            Value::Float(value) => out.push_str(&float_text(*value)),
            Value::Text(Text { text, quoted }) => {
                let mark = if *quoted { "\"" } else { "" };
                out.push_str(mark);
                out.push_str(text);
                out.push_str(mark);
            }
            Value::List(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    out.push_str(if n > 0 { ", " } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Value::Map(entries) => {
                out.push_str("{ ");
                for (n, entry) in entries.iter().enumerate() {
                    out.push_str(if n > 0 { ", " } else { "" });
                    out.push_str(&entry.key);
                    out.push_str(": ");
                    entry.value.write(out);
                }
                out.push_str(" }");
            }
        }
    }

    /// How many nodes the tree has.
    pub fn size(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.value.size()).sum::<usize>(),
            _ => 1,
        }
    }

    /// How many lists and mappings are nested in one another.
    pub fn depth(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Puts `value` at a path, making the mappings on the way.
    ///
    /// A word that names an enum's variant becomes a mapping when the path goes through it: with `likelihood: gaussian`,
    /// `model.likelihood.gaussian.sigma` can be set.
    ///
    /// # Errors
    /// If something else than a mapping is in the way.
    pub fn set(&mut self, path: &[&str], key_span: Span, value: Node) -> Result<(), Problem> {
        let mut node = self;
        for (depth, key) in path.iter().enumerate() {
            match &node.value {
                Value::Map(_) => {}
                Value::Null => node.value = Value::Map(Vec::new()),
                Value::Text(text) if text.text == *key => {
                    let inner =
                        Entry { key: text.text.clone(), key_span: node.span, value: Node::empty_map(node.span) };
                    node.value = Value::Map(vec![inner]);
                }
                _ => {
                    let (parent, whole) = (path[..depth].join("."), path.join("."));
                    let found = node.word().map_or_else(|| node.describe(), |word| format!("`{}`", quote(word)));
                    return Err(Problem::new(format!("`{whole}` cannot be set, for `{parent}` is {found}"))
                        .at(key_span)
                        .path(whole)
                        .hint(format!("give `{parent}` as a whole, such as `{{ {parent}: {{ {key}: … }} }}`")));
                }
            }
            let Value::Map(entries) = &mut node.value else { return Ok(()) };
            let at = match entries.iter().position(|entry| entry.key == *key) {
                Some(at) => at,
                None => {
                    entries.push(Entry {
                        key: (*key).to_owned(),
                        key_span,
                        value: Node { value: Value::Null, span: key_span },
                    });
                    entries.len() - 1
                }
            };
            let entry = &mut entries[at];
            if depth + 1 == path.len() {
                entry.key_span = key_span;
            }
            node = &mut entry.value;
        }
        *node = value;
        Ok(())
    }

    /// Whether this value is what `pattern` asks for.
    ///
    /// A word also matches the enum variant of its name whatever its settings, a mapping whatever has at least its keys, and
    /// a list is a choice; for a value that is a list itself, the choices are lists.
    pub fn matches(&self, pattern: &Node) -> bool {
        match (&self.value, &pattern.value) {
            (Value::List(items), Value::List(patterns)) => {
                let equal = items.len() == patterns.len()
                    && items.iter().zip(patterns).all(|(item, pattern)| item.matches(pattern));
                let is_choice = |pattern: &Node| matches!(pattern.value, Value::List(_)) && self.matches(pattern);
                equal || patterns.iter().any(is_choice)
            }
            (_, Value::List(choices)) => choices.iter().any(|choice| self.matches(choice)),
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => *a as f64 == *b,
            (Value::Text(a), Value::Text(b)) => a.text == b.text,
            (Value::Map(entries), Value::Text(word)) => matches!(&entries[..], [entry] if entry.key == word.text),
            (Value::Map(_), Value::Map(patterns)) => {
                patterns.iter().all(|pattern| self.get(&pattern.key).is_some_and(|value| value.matches(&pattern.value)))
            }
            _ => false,
        }
    }
}

fn float_text(value: f64) -> String {
    if value.is_nan() {
        ".nan".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { ".inf".to_owned() } else { "-.inf".to_owned() }
    } else {
        let text = crate::number::shortest(value);
        if text.contains(['.', 'e']) { text } else { text + ".0" }
    }
}

/// The parts of a path such as `model.latent_dim`.
pub(crate) fn split(path: &str) -> Vec<&str> {
    path.split('.').collect()
}
