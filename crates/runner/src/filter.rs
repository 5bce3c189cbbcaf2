//! Conditions on the settings of runs: `model.latent_dim=20`, `objective.beta>=1`.

use std::cmp::Ordering;

use anyhow::{Result, bail};
use serde_json::Value;
use spec::Cell;

use crate::text;

/// Whether a setting that compares so with the given value is taken.
type Accepts = fn(Ordering) -> bool;

/// How a value is compared, longer signs before the shorter ones they begin with.
const SIGNS: [(&str, Accepts); 6] = [
    ("!=", Ordering::is_ne),
    ("<=", Ordering::is_le),
    (">=", Ordering::is_ge),
    ("=", Ordering::is_eq),
    ("<", Ordering::is_lt),
    (">", Ordering::is_gt),
];

/// One condition.
#[derive(Clone, Debug)]
pub struct Condition {
    path: String,
    accepts: Accepts,
    value: String,
}

impl Condition {
    /// Reads conditions as they were typed.
    ///
    /// # Errors
    /// If one has no sign of comparison, or no path before it.
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
        let Some((sign, accepts)) = SIGNS.into_iter().find(|(sign, _)| rest.starts_with(sign)) else {
            bail!("`{text}` has no sign of comparison\nhint: use one of = != < <= > >=");
        };
        Ok(Condition { path: path.trim().to_owned(), accepts, value: rest[sign.len()..].trim().to_owned() })
    }

    /// Whether a cell meets the condition. A path the cell does not have differs from every value.
    pub fn holds(&self, cell: &Cell) -> bool {
        match cell.value_at(&self.path) {
            Some(found) => compare(&found, &self.value).is_some_and(self.accepts),
            None => (self.accepts)(Ordering::Less) && (self.accepts)(Ordering::Greater),
        }
    }

    /// An error if no cell at all has this path, which is then likely a slip.
    ///
    /// # Errors
    /// If `cells` is not empty and none of them has the path.
    pub fn check_path<'a>(&self, cells: impl IntoIterator<Item = &'a Cell>) -> Result<()> {
        let mut cells = cells.into_iter().peekable();
        if cells.peek().is_some() && cells.all(|cell| cell.value_at(&self.path).is_none()) {
            bail!(
                "no run has a setting `{}`\nhint: `elbo show RUN` lists a run's settings with their paths",
                self.path
            );
        }
        Ok(())
    }
}

/// Numbers by size, anything else by text; `None` for an order that has no meaning.
fn compare(found: &Value, given: &str) -> Option<Ordering> {
    match (found.as_f64(), given.parse::<f64>()) {
        (Some(found), Ok(given)) => found.partial_cmp(&given),
        _ => Some(text::value(found).as_str().cmp(given)),
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
    }

    #[test]
    fn numbers_compare_by_size_and_text_by_letters() {
        assert_eq!(compare(&json!(20), "20.0"), Some(Ordering::Equal));
        assert_eq!(compare(&json!(5), "10"), Some(Ordering::Less));
        assert_eq!(compare(&json!("mnist"), "mnist"), Some(Ordering::Equal));
        assert_eq!(order(&json!(2), &json!(10)), Ordering::Less);
        assert_eq!(order(&Value::Null, &json!("a")), Ordering::Greater);
    }
}
