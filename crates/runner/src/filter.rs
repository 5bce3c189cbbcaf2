//! Conditions on the settings of runs: `model.latent_dim=20`, `objective.beta>=1`.

use std::cmp::Ordering;

use anyhow::{Result, bail};
use serde_json::Value;
use spec::{Cell, Pattern};

use crate::commands::data;
use crate::text;

/// How a setting is compared with a value.
#[derive(Clone, Copy, Debug)]
enum Sign {
    /// It is what the value asks for.
    Equal,
    /// It is not.
    Unequal,
    /// It is a number that stands so to the value.
    Ordered(fn(Ordering) -> bool),
}

/// How a value is compared, longer signs before the shorter ones they begin with.
const SIGNS: [(&str, Sign); 6] = [
    ("!=", Sign::Unequal),
    ("<=", Sign::Ordered(Ordering::is_le)),
    (">=", Sign::Ordered(Ordering::is_ge)),
    ("=", Sign::Equal),
    ("<", Sign::Ordered(Ordering::is_lt)),
    (">", Sign::Ordered(Ordering::is_gt)),
];

/// One condition.
#[derive(Clone, Debug)]
pub struct Condition {
    path: String,
    sign: Sign,
    value: String,
    pattern: Pattern,
}

impl Condition {
    /// Reads conditions as they were typed.
    ///
    /// # Errors
    /// If one has no sign of comparison, no path before it, or asks for the order of what is no number.
    pub fn parse_all(texts: &[String]) -> Result<Vec<Condition>> {
        texts.iter().map(|text| Condition::parse(text)).collect()
    }

    fn parse(text: &str) -> Result<Condition> {
        let Some(at) = text.find(['=', '!', '<', '>']).filter(|&at| at > 0) else {
            bail!(
                "`{text}` is not a condition\nhint: write a path of the spec, a sign and a value: --where model.latent_dim=20"
            );
        };
        let (path, rest) = text.split_at(at);
        let Some((written, sign)) = SIGNS.into_iter().find(|(written, _)| rest.starts_with(written)) else {
            bail!("`{text}` has no sign of comparison\nhint: use one of = != < <= > >=");
        };
        let value = rest[written.len()..].trim().to_owned();
        let pattern = Pattern::read(&value);
        if matches!(sign, Sign::Ordered(_)) && pattern.number().is_none() {
            bail!("`{text}` asks for an order, and `{value}` is no number\nhint: compare text with = or !=");
        }
        Ok(Condition { path: path.trim().to_owned(), sign, value, pattern })
    }

    /// Whether a cell meets the condition. A path the cell does not have differs from every value.
    pub fn holds(&self, cell: &Cell) -> bool {
        let found = cell.value_at(&self.path);
        // As in the rules of a sweep, or as tables write the value.
        let is_meant = |found: &Value| {
            self.pattern.matches(found)
                || text::value(found) == self.value
                || self.path == "dataset.name" && data::is_named(cell, &self.value)
        };
        match self.sign {
            Sign::Equal => found.as_ref().is_some_and(is_meant),
            Sign::Unequal => !found.as_ref().is_some_and(is_meant),
            Sign::Ordered(accepts) => {
                let both = found.and_then(|found| found.as_f64()).zip(self.pattern.number());
                both.and_then(|(found, given)| found.partial_cmp(&given)).is_some_and(accepts)
            }
        }
    }

    /// An error if no cell at all has this path, or none a number where numbers are compared: then it is likely a slip.
    ///
    /// # Errors
    /// If `cells` is not empty and none of them has the path.
    pub fn check_path<'a>(&self, cells: impl IntoIterator<Item = &'a Cell>) -> Result<()> {
        let mut cells = cells.into_iter().peekable();
        let (is_any, mut found) =
            (cells.peek().is_some(), cells.filter_map(|cell| cell.value_at(&self.path)).peekable());
        if is_any && found.peek().is_none() {
            bail!(
                "no run has a setting `{}`\nhint: `elbo show RUN` lists a run's settings with their paths",
                self.path
            );
        }
        if is_any && matches!(self.sign, Sign::Ordered(_)) && found.all(|value| !value.is_number()) {
            bail!("`{}` is no number, so that it has no order\nhint: compare it with = or !=", self.path);
        }
        Ok(())
    }
}

/// The order of two values of a spec: numbers by size, before text by letters, before nothing.
pub fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Number(_) => 0,
        Value::Null => 2,
        _ => 1,
    };
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => rank(a).cmp(&rank(b)).then_with(|| text::value(a).cmp(&text::value(b))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn signs_are_read_whole() {
        let read = |text: &str| Condition::parse(text).map(|condition| (condition.path, condition.value));
        assert_eq!(read("a.b>=1").ok(), Some(("a.b".to_owned(), "1".to_owned())));
        assert_eq!(read("a!=x=y").ok(), Some(("a".to_owned(), "x=y".to_owned())));
        assert!(read("=1").is_err());
        assert!(read("a").is_err());
        assert!(read("a!1").is_err());
        assert!(read("a>b").is_err());
    }

    #[test]
    fn numbers_are_ordered_by_size() {
        assert_eq!(order(&json!(2), &json!(10)), Ordering::Less);
        assert_eq!(order(&Value::Null, &json!("a")), Ordering::Greater);
    }
}
