//! [`Node`] tree → typed values through serde, with every problem at its place.
//!
//! serde tells the deserialiser which fields and variants there are, so that what is allowed is never written down twice.

mod access;

use std::fmt;

use serde::de::{self, Deserializer, Visitor};

use crate::diagnostic::{Problem, Span, quote};
use crate::fields;
use crate::node::{Entry, Node, Text, Value};
use crate::suggest;

use access::{List, Map, Variant};

/// Reads a `T` that is written at `path`.
pub(crate) fn read<T: de::DeserializeOwned>(node: &Node, path: &str, at: Span) -> Result<T, Problem> {
    De::located(path, at, T::deserialize(De { node, path: path.to_owned(), at })).map_err(|error| error.0)
}

/// A problem that serde can carry.
#[derive(Debug)]
pub(crate) struct DeError(Problem);

impl fmt::Display for DeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for DeError {}

impl de::Error for DeError {
    fn custom<T: fmt::Display>(message: T) -> DeError {
        Problem::new(message.to_string()).into()
    }

    fn missing_field(field: &'static str) -> DeError {
        Problem::new(format!("missing key `{field}`")).value(field).into()
    }
}

impl From<Problem> for DeError {
    fn from(problem: Problem) -> DeError {
        DeError(problem)
    }
}

/// One node on its way to a typed value.
struct De<'a> {
    node: &'a Node,
    path: String,
    /// Where the node's key stands, for what is missing in the node.
    at: Span,
}

impl<'a> De<'a> {
    fn child(&self, entry: &'a Entry) -> De<'a> {
        let path = if self.path.is_empty() { entry.key.clone() } else { format!("{}.{}", self.path, entry.key) };
        De { node: &entry.value, path, at: entry.key_span }
    }

    /// The node is not what the field asks for.
    fn expected(&self, what: &str) -> DeError {
        let mut problem = Problem::new(format!("expected {what}, found {}", self.node.describe()));
        if let Some(hint) = self.hint(what) {
            problem = problem.hint(hint);
        }
        // An empty value has no place of its own.
        let at = if matches!(self.node.value, Value::Null) { self.at } else { self.node.span };
        problem.at(at).path(&self.path).value(self.node.written()).into()
    }

    fn hint(&self, what: &str) -> Option<String> {
        let path = self.path.split('[').next().unwrap_or(&self.path);
        let write = fields::write_at_item(&self.path).map(|write| format!("write {write}"));
        match &self.node.value {
            Value::Text(text) if what.contains("number") => number_hint(text).or(write),
            Value::Text(_) | Value::Int(_) if path == "model.hidden" && what == "a list" => {
                let widths = self.node.written();
                let are_widths = widths.chars().all(|c| c.is_ascii_digit() || c == ',' || c == ' ');
                if are_widths { Some(format!("write `[{widths}]`")) } else { write }
            }
            Value::Null if !fields::is_required(path) => {
                write.map(|write| format!("{write}; or remove the key to have its default"))
            }
            Value::List(_) if fields::cell_paths().any(|known| known == self.path) => write.map(|write| {
                format!(
                    "{write}; to try several values, list them in `sweep`: `grid: {{ {path}: {} }}`",
                    self.node.written()
                )
            }),
            _ => write,
        }
    }

    fn integer(&self) -> Result<i128, DeError> {
        match self.node.value {
            Value::Int(value) => Ok(value),
            Value::Float(value) if value.is_finite() && value.fract() == 0.0 && value.abs() < 1e15 => {
                let problem = Problem::new(format!("expected a whole number, found {}", self.node.describe()));
                let hint = format!("write it without point and exponent: `{}`", value as i64);
                Err(problem.at(self.node.span).path(&self.path).value(self.node.written()).hint(hint).into())
            }
            _ => Err(self.expected("a whole number")),
        }
    }

    fn unsigned(&self) -> Result<u64, DeError> {
        let value = self.integer()?;
        u64::try_from(value).map_err(|_| {
            let message = if value < 0 {
                format!("expected a whole number that is not negative, found `{value}`")
            } else {
                format!("`{value}` is too large: the largest whole number here is {}", u64::MAX)
            };
            let problem = Problem::new(message).at(self.node.span).path(&self.path).value(self.node.written());
            match self.hint("") {
                Some(hint) => problem.hint(hint).into(),
                None => problem.into(),
            }
        })
    }

    fn signed(&self) -> Result<i64, DeError> {
        let value = self.integer()?;
        i64::try_from(value).map_err(|_| self.expected("a whole number of 64 bits"))
    }

    fn float(&self) -> Result<f64, DeError> {
        match self.node.value {
            Value::Float(value) => Ok(value),
            Value::Int(value) => Ok(value as f64),
            _ => Err(self.expected("a number")),
        }
    }

    fn text(&self) -> Result<&'a str, DeError> {
        match &self.node.value {
            Value::Text(text) => Ok(&text.text),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
                let problem = Problem::new(format!("expected text, found {}", self.node.describe()));
                let hint = format!("put it in quotes: `\"{}\"`", self.node.written());
                Err(problem.at(self.node.span).path(&self.path).value(self.node.written()).hint(hint).into())
            }
            _ => Err(self.expected("text")),
        }
    }

    /// Gives what the visitor complains about the node's place, unless it came from deeper and has one.
    fn located<T>(path: &str, at: Span, result: Result<T, DeError>) -> Result<T, DeError> {
        result.map_err(|DeError(mut problem)| {
            let is_missing = problem.span.is_none() && problem.message.starts_with("missing key");
            if let Some(field) = problem.value.take_if(|_| is_missing) {
                let whole = if path.is_empty() { field.clone() } else { format!("{path}.{field}") };
                if let Some(write) = fields::write_at_item(&whole) {
                    problem = problem.hint(format!("add `{field}: …`: {write}"));
                }
            }
            problem.at(at).path(path).into()
        })
    }
}

/// The deserialiser's methods that read one kind of number.
macro_rules! numbers {
    ($($method:ident, $visit:ident, $read:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
            let value = self.$read()?;
            De::located(&self.path, self.node.span, visitor.$visit(value))
        })*
    };
}

impl<'de> Deserializer<'de> for De<'_> {
    type Error = DeError;

    numbers! {
        deserialize_u8, visit_u64, unsigned;
        deserialize_u16, visit_u64, unsigned;
        deserialize_u32, visit_u64, unsigned;
        deserialize_u64, visit_u64, unsigned;
        deserialize_i8, visit_i64, signed;
        deserialize_i16, visit_i64, signed;
        deserialize_i32, visit_i64, signed;
        deserialize_i64, visit_i64, signed;
        deserialize_i128, visit_i128, integer;
        deserialize_f32, visit_f64, float;
        deserialize_f64, visit_f64, float;
        deserialize_str, visit_str, text;
        deserialize_string, visit_str, text;
        deserialize_char, visit_str, text;
        deserialize_identifier, visit_str, text;
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.node.value {
            Value::Bool(value) => visitor.visit_bool(value),
            _ => Err(self.expected("`true` or `false`")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let Value::List(items) = &self.node.value else {
            return Err(self.expected("a list"));
        };
        let list = List { items: items.iter(), path: &self.path, n: 0 };
        De::located(&self.path, self.node.span, visitor.visit_seq(list))
    }

    /// A section: a mapping whose keys are all known. An empty value (`objective:`) is an empty mapping.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        let entries = match &self.node.value {
            Value::Map(entries) => &entries[..],
            Value::Null => &[],
            _ => return Err(self.not_a_section(fields)),
        };
        if let Some(entry) = entries.iter().find(|entry| !fields.contains(&entry.key.as_str())) {
            return Err(unknown_key(entry, &self.path, fields).into());
        }
        let map = Map { de: &self, entries: entries.iter(), value: None };
        De::located(&self.path, self.at, visitor.visit_map(map))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let Value::Map(entries) = &self.node.value else {
            return Err(self.expected("a mapping"));
        };
        let map = Map { de: &self, entries: entries.iter(), value: None };
        De::located(&self.path, self.at, visitor.visit_map(map))
    }

    /// A variant: a word, or a mapping of the variant's name to its settings.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        let (word, span, settings) = match &self.node.value {
            Value::Text(Text { text, .. }) => (text.as_str(), self.node.span, None),
            Value::Map(entries) => match &entries[..] {
                [entry] => (entry.key.as_str(), entry.key_span, Some(self.child(entry))),
                [] => return Err(self.expected(&one_of(variants))),
                [first, second, ..] => {
                    let known = || entries.iter().filter(|entry| variants.contains(&entry.key.as_str()));
                    if known().next().is_none() {
                        return Err(self.unknown_variant(&first.key, first.key_span, variants).into());
                    }
                    let message = format!("expected {}, found a mapping with {} keys", one_of(variants), entries.len());
                    let hint = format!(
                        "keep {}",
                        suggest::list(known().map(|entry| entry.key.as_str())).replace("`, `", "` or `")
                    );
                    return Err(Problem::new(message)
                        .at(second.key_span)
                        .path(&self.path)
                        .value(self.node.written())
                        .hint(hint)
                        .into());
                }
            },
            _ => return Err(self.expected(&one_of(variants))),
        };
        if !variants.contains(&word) {
            return Err(self.unknown_variant(word, span, variants).into());
        }
        let variant = Variant { word, span, path: &self.path, settings };
        De::located(&self.path, self.node.span, visitor.visit_enum(variant))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) if *value < 0 => self.deserialize_i64(visitor),
            Value::Int(_) => self.deserialize_u64(visitor),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_str(&text.text),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        u128 bytes byte_buf unit unit_struct tuple tuple_struct ignored_any
    }
}

impl De<'_> {
    fn not_a_section(&self, fields: &[&str]) -> DeError {
        let mut problem = Problem::new(format!("expected a mapping, found {}", self.node.describe()));
        let hint = match (self.path.as_str(), self.node.word()) {
            ("dataset", Some(word)) => format!("write `dataset: {{ name: {} }}`", quote(word)),
            _ if fields.len() == 1 && !matches!(self.node.value, Value::List(_)) => {
                format!("write `{{ {}: {} }}`", fields[0], self.node.written())
            }
            _ => format!(
                "write its keys as `{}: …`; they are {}",
                fields.first().unwrap_or(&"key"),
                suggest::list(fields.iter().copied())
            ),
        };
        problem = problem.hint(hint);
        problem.at(self.node.span).path(&self.path).value(self.node.written()).into()
    }

    fn unknown_variant(&self, word: &str, span: Span, variants: &[&str]) -> Problem {
        let problem = Problem::new(format!("unknown {} `{}`", self.noun(), quote(word)))
            .at(span)
            .path(&self.path)
            .value(quote(word));
        let looks_like_a_path =
            word.contains(['/', '\\']) || word.rsplit_once('.').is_some_and(|(_, end)| end.len() <= 4);
        if self.path == "dataset.name" && looks_like_a_path {
            let kind = if word.ends_with(".h5") || word.ends_with(".hdf5") { "hdf5" } else { "folder" };
            return problem.hint(format!("images of your own are `name: {{ {kind}: {} }}`", quote(word)));
        }
        let inner = fields::paths_ending_in(word)
            .find(|path| path.strip_prefix(&self.path).is_some_and(|rest| rest.starts_with('.')));
        if let Some(variant) = inner.and_then(|inner| inner[self.path.len() + 1..].split('.').next()) {
            let settings = self.node.written();
            return problem.hint(format!(
                "`{word}` belongs in `{0}`: write `{{ {variant}: {settings} }}`",
                format_args!("{}.{variant}", self.path)
            ));
        }
        let suggestion = suggest::nearest(word, variants.iter().copied());
        let suggestion = suggestion.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        // What is known of a list as a whole says nothing about one of its items.
        let is_field = !self.path.ends_with(']');
        let allowed = match fields::write_at_item(&self.path).filter(|_| is_field) {
            Some(write) => write.to_owned(),
            None => suggest::list(variants.iter().copied()),
        };
        problem.hint(format!("{suggestion}write {allowed}"))
    }

    fn noun(&self) -> &'static str {
        match self.path.as_str() {
            "dataset.name" => "dataset",
            "dataset.pixels" => "kind of pixels",
            "model.kind" => "kind of model",
            "model.activation" => "activation",
            "model.likelihood" => "likelihood",
            "optimizer" => "optimizer",
            "training.precision" => "precision",
            "execution.device" => "device",
            path if path.starts_with("figures") => "figure",
            path if path.starts_with("reference.") => "metric",
            _ => "value",
        }
    }
}

fn one_of(variants: &[&str]) -> String {
    let list = suggest::list(variants.iter().copied());
    if variants.len() == 1 { list } else { format!("one of {list}") }
}

/// What is wrong with text that was meant as a number.
fn number_hint(text: &Text) -> Option<String> {
    let is_number = |text: &str| text.starts_with(|c: char| !c.is_alphabetic()) && text.parse::<f64>().is_ok();
    if text.quoted && is_number(&text.text) {
        return Some("remove the quotes".to_owned());
    }
    if let Some((whole, fraction)) = text.text.split_once(',')
        && fraction.len() != 3
        && is_number(&format!("{whole}.{fraction}"))
    {
        return Some(format!("numbers are written with a point: `{whole}.{fraction}`"));
    }
    let plain = text.text.replace(['_', ','], "");
    (plain != text.text && is_number(&plain)).then(|| format!("numbers have no separators: write `{plain}`"))
}

/// A key that its section does not have.
pub(crate) fn unknown_key(entry: &Entry, path: &str, fields: &[&str]) -> Problem {
    let key = entry.key.as_str();
    let problem = Problem::new(format!("unknown key `{}`", quote(key))).at(entry.key_span).path(path).value(quote(key));
    if path == "dataset" && ["hdf5", "idx", "folder"].contains(&key) {
        return problem.hint(format!("write `name: {{ {key}: {} }}`", entry.value.written()));
    }
    if !key.is_empty() && key.len() < 10 && key.bytes().all(|byte| byte.is_ascii_digit()) && !path.is_empty() {
        return problem.hint(format!(
            "if the comma before it is a decimal one, write a point: `0.{key}`; keys here are {}",
            suggest::list(fields.iter().copied())
        ));
    }
    let near = suggest::nearest(key, fields.iter().copied());
    let elsewhere = fields::paths_ending_in(key).next();
    match (near, elsewhere) {
        (None, Some(whole)) => {
            let section = whole.strip_suffix(key).unwrap_or(whole).trim_end_matches('.');
            problem.hint(format!("`{key}` belongs in `{section}`"))
        }
        _ => problem.hint(suggest::hint(key, fields, "keys here are")),
    }
}
