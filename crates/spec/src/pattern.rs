//! What a setting may be asked to be, as the rules of a sweep ask it: a word, a number, a choice, a variant with settings.

use crate::diagnostic::Span;
use crate::node::{Node, Text, Value};
use crate::sweep::from_json;
use crate::yaml;

/// A value that settings are held against.
///
/// A word also matches the variant of its name whatever its settings (`gaussian` is `{ gaussian: { sigma: 1 } }`), a mapping
/// whatever has at least its keys, and a list is a choice.
#[derive(Clone, Debug)]
pub struct Pattern(Node);

impl Pattern {
    /// Reads YAML; what is none, such as a path with odd characters, is the text that it is.
    pub fn read(text: &str) -> Pattern {
        let as_text = || Node {
            value: Value::Text(Text { text: text.to_owned(), quoted: true }),
            span: Span::new(0, 0, text.len()),
        };
        Pattern(yaml::parse(text, 0, 0).unwrap_or_else(|_| as_text()))
    }

    /// The number that is asked for, if it is one and finite.
    pub fn number(&self) -> Option<f64> {
        match self.0.value {
            Value::Int(value) => Some(value as f64),
            Value::Float(value) => Some(value).filter(|value| value.is_finite()),
            _ => None,
        }
    }

    /// Whether a setting's value, with defaults filled in, is what is asked for.
    pub fn matches(&self, value: &serde_json::Value) -> bool {
        from_json(value, self.0.span).matches(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_match_variants_and_numbers_match_by_size() {
        let matches = |pattern: &str, value| Pattern::read(pattern).matches(&value);
        assert!(matches("gaussian", json!({ "gaussian": { "sigma": 1.0 } })));
        assert!(matches("{ gaussian: { sigma: 1 } }", json!({ "gaussian": { "sigma": 1.0 } })));
        assert!(!matches("{ gaussian: { sigma: 2 } }", json!({ "gaussian": { "sigma": 1.0 } })));
        assert!(!matches("gaussian", json!("gaussian-shared")));
        assert!(matches("[2, 20]", json!(20)) && matches("20.0", json!(20)) && !matches("20", json!("2")));
        assert!(matches("[8]", json!([8])) && !matches("[9]", json!([8])));
        assert!(matches("a: b: [", json!("a: b: [")));
        assert_eq!(
            ["1e-3", "5", "abc", ".inf"].map(|text| Pattern::read(text).number()),
            [Some(1e-3), Some(5.0), None, None]
        );
    }
}
