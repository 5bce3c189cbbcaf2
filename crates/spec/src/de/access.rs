//! What serde draws the items of lists, the entries of mappings and the settings of variants from.

use serde::de::{self, DeserializeSeed, Deserializer as _, IntoDeserializer as _, Visitor, value::StrDeserializer};

use super::{De, DeError};
use crate::diagnostic::{Problem, Span};
use crate::node::{Entry, Node, Value};

/// The items of a list, each read in turn.
pub(super) struct List<'a> {
    pub(super) items: std::slice::Iter<'a, Node>,
    pub(super) path: &'a str,
    /// Items given out so far.
    pub(super) n: usize,
}

impl<'de> de::SeqAccess<'de> for List<'_> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some(node) = self.items.next() else { return Ok(None) };
        let path = format!("{}[{}]", self.path, self.n);
        self.n += 1;
        seed.deserialize(De { node, path, at: node.span }).map(Some)
    }
}

/// The entries of a mapping, each read in turn.
pub(super) struct Map<'a> {
    pub(super) de: &'a De<'a>,
    pub(super) entries: std::slice::Iter<'a, Entry>,
    /// Whose key was given out last.
    pub(super) value: Option<&'a Entry>,
}

impl<'de> de::MapAccess<'de> for Map<'_> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DeError> {
        self.value = self.entries.next();
        let Some(entry) = self.value else { return Ok(None) };
        let key: StrDeserializer<'_, DeError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DeError> {
        let Some(entry) = self.value else { return Err(de::Error::custom("a value without a key")) };
        seed.deserialize(self.de.child(entry))
    }
}

/// A variant's name and settings.
pub(super) struct Variant<'a> {
    pub(super) word: &'a str,
    pub(super) span: Span,
    pub(super) path: &'a str,
    /// `None` for a word alone.
    pub(super) settings: Option<De<'a>>,
}

impl<'de, 'a> de::EnumAccess<'de> for Variant<'a> {
    type Error = DeError;
    type Variant = Variant<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Variant<'a>), DeError> {
        let word: StrDeserializer<'_, DeError> = self.word.into_deserializer();
        Ok((seed.deserialize(word)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_> {
    type Error = DeError;

    fn unit_variant(self) -> Result<(), DeError> {
        match self.settings {
            Some(settings)
                if !matches!(&settings.node.value, Value::Null)
                    && !matches!(&settings.node.value, Value::Map(entries) if entries.is_empty()) =>
            {
                Err(Problem::new(format!("`{}` has no settings, found {}", self.word, settings.node.describe()))
                    .at(settings.node.span)
                    .path(self.path)
                    .value(settings.node.written())
                    .hint(format!("write `{}: {}`", self.path.rsplit('.').next().unwrap_or(self.path), self.word))
                    .into())
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DeError> {
        match self.settings {
            Some(settings) => seed.deserialize(settings),
            None => {
                // A word alone is a variant with every setting at its default: `optimizer: adam`.
                let node = Node::empty_map(self.span);
                let path = format!("{}.{}", self.path, self.word);
                seed.deserialize(De { node: &node, path, at: self.span }).map_err(|DeError(problem)| {
                    if self.path != "dataset.name" {
                        return DeError(problem);
                    }
                    Problem::new(format!("`{}` needs a path", self.word))
                        .at(self.span)
                        .path(self.path)
                        .value(self.word)
                        .hint(format!("write `name: {{ {}: PATH }}`, relative to this file's folder", self.word))
                        .into()
                })
            }
        }
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, DeError> {
        match self.settings {
            Some(settings) => settings.deserialize_struct("", fields, visitor),
            None => {
                let node = Node::empty_map(self.span);
                let path = format!("{}.{}", self.path, self.word);
                De { node: &node, path, at: self.span }.deserialize_struct("", fields, visitor)
            }
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, DeError> {
        Err(de::Error::custom("no setting is a tuple"))
    }
}
