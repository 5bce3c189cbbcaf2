//! `random`: distributions, and draws that are the same on every machine.

use sha2::{Digest as _, Sha256};

use super::check_path;
use super::read::wrong;
use crate::de;
use crate::diagnostic::{MAX_PROBLEMS, Problem, Span, quote};
use crate::fields::{self, SECTIONS};
use crate::node::{Node, Value};
use crate::number;
use crate::suggest;

/// The `random` part: how many draws, and of what.
#[derive(Clone, Debug)]
pub(super) struct Random {
    pub count: usize,
    pub seed: u64,
    pub draws: Vec<(String, Span, Distribution)>,
}

#[derive(Clone, Debug)]
pub(super) struct Distribution {
    pub span: Span,
    pub kind: DistributionKind,
}

#[derive(Clone, Debug)]
pub(super) enum DistributionKind {
    Uniform(f64, f64),
    LogUniform(f64, f64),
    Integer(i128, i128),
    Choice(Vec<Node>),
}

pub(super) fn read_random(node: &Node, at: Span) -> Result<Option<Random>, Vec<Problem>> {
    let path = "sweep.random";
    let form = "write `{ count: 10, seed: 0, objective.beta: { log-uniform: [0.1, 10] } }`";
    let entries = match &node.value {
        Value::Null => return Ok(None),
        Value::Map(entries) => entries,
        _ => return Err(vec![wrong("a mapping", node, path, form)]),
    };
    let mut random = Random { count: 0, seed: 0, draws: Vec::new() };
    let mut problems = Vec::new();
    for entry in entries {
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
        let inner = format!("{path}.{}", entry.key);
        match entry.key.as_str() {
            "count" => match de::read::<u64>(&entry.value, &inner, entry.key_span) {
                Ok(0) => problems.push(
                    Problem::new("`count` must be at least 1, found `0`")
                        .at(entry.value.span)
                        .path(inner)
                        .value("0")
                        .hint("write how many draws to make"),
                ),
                Ok(count) => random.count = usize::try_from(count).unwrap_or(usize::MAX),
                Err(problem) => problems.push(problem.hint("write how many draws to make, such as `10`")),
            },
            "seed" => match de::read::<u64>(&entry.value, &inner, entry.key_span) {
                Ok(seed) => random.seed = seed,
                Err(problem) => problems.push(problem.hint("write a whole number, such as `0`")),
            },
            key if !key.contains('.') && !SECTIONS.contains(&key) => {
                let hint = match fields::paths_ending_in(key).next().and_then(|_| fields::meant_by(key)) {
                    Some(hint) => hint,
                    None => suggest::hint(key, &["count", "seed"], "keys here are paths such as `objective.beta`, and"),
                };
                problems.push(
                    Problem::new(format!("unknown key `{}`", quote(key)))
                        .at(entry.key_span)
                        .path(path)
                        .value(quote(key))
                        .hint(hint),
                );
            }
            key => match check_path(key, entry.key_span, path).and_then(|()| read_distribution(&entry.value, &inner)) {
                Ok(kind) => {
                    let distribution = Distribution { span: entry.value.span, kind };
                    random.draws.push((key.to_owned(), entry.key_span, distribution));
                }
                Err(problem) => problems.push(problem),
            },
        }
    }
    if problems.is_empty() && node.get("count").is_none() {
        problems.push(
            Problem::new("missing key `count`").at(at).path(path).hint("add how many draws to make: `count: 10`"),
        );
    }
    if problems.is_empty() && random.draws.is_empty() {
        problems.push(Problem::new("no path to draw values for").at(at).path(path).hint(form));
    }
    if problems.is_empty() { Ok(Some(random)) } else { Err(problems) }
}

const DISTRIBUTIONS: [&str; 4] = ["uniform", "log-uniform", "integer", "choice"];

fn read_distribution(node: &Node, path: &str) -> Result<DistributionKind, Problem> {
    let form =
        "write `{ uniform: [a, b] }`, `{ log-uniform: [a, b] }`, `{ integer: [a, b] }` or `{ choice: [a, b, c] }`";
    let [entry] = node.entries() else {
        return Err(wrong("one distribution", node, path, form));
    };
    let inner = format!("{path}.{}", entry.key);
    let problem =
        |message: String| Problem::new(message).at(entry.value.span).path(&*inner).value(entry.value.written());
    if !DISTRIBUTIONS.contains(&entry.key.as_str()) {
        return Err(Problem::new(format!("unknown distribution `{}`", quote(&entry.key)))
            .at(entry.key_span)
            .path(path)
            .value(quote(&entry.key))
            .hint(suggest::hint(&entry.key, &DISTRIBUTIONS, "distributions are")));
    }
    let items = match &entry.value.value {
        Value::List(items) => items,
        _ => return Err(wrong("a list", &entry.value, &inner, form)),
    };
    if entry.key == "choice" {
        return match items.is_empty() {
            true => Err(problem("`choice` has no values".to_owned()).hint("list the values to choose from")),
            false => Ok(DistributionKind::Choice(items.clone())),
        };
    }
    let [from, to] = &items[..] else {
        return Err(
            problem(format!("expected two numbers, the least and the greatest, found {}", items.len())).hint(form)
        );
    };
    fn number_at<T: serde::de::DeserializeOwned>(node: &Node, path: &str) -> Result<T, Problem> {
        de::read(node, path, node.span)
            .map_err(|problem| problem.hint("write two numbers, the least and the greatest: `[a, b]`"))
    }
    if entry.key == "integer" {
        let (from, to) = (number_at::<i64>(from, &inner)?, number_at::<i64>(to, &inner)?);
        return match from <= to {
            true => Ok(DistributionKind::Integer(from.into(), to.into())),
            false => Err(problem(format!("the least number `{from}` is above the greatest `{to}`"))
                .hint(format!("write `[{to}, {from}]`"))),
        };
    }
    let (from, to) = (number_at::<f64>(from, &inner)?, number_at::<f64>(to, &inner)?);
    let (a, b) = (number::shortest(from), number::shortest(to));
    if !(from.is_finite() && to.is_finite() && (to - from).is_finite()) {
        return Err(problem("the range of a distribution must be finite".to_owned())
            .hint("write two numbers such as `[0.1, 10]`"));
    }
    if from > to {
        return Err(
            problem(format!("the least number `{a}` is above the greatest `{b}`")).hint(format!("write `[{b}, {a}]`"))
        );
    }
    if entry.key == "uniform" {
        return Ok(DistributionKind::Uniform(from, to));
    }
    if from < 1e-300 {
        return Err(problem(format!("`log-uniform` needs a range above 0, found `{a}`"))
            .hint("write a positive least number such as `1e-4`"));
    }
    Ok(DistributionKind::LogUniform(from, to))
}

impl Distribution {
    /// The value of the `n`-th draw for `path`.
    pub fn draw(&self, seed: u64, path: &str, n: usize) -> Node {
        let digest = Sha256::digest(format!("{seed} {path} {n}").as_bytes());
        let bits = digest.iter().take(8).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        // 53 bits, as many as a double holds: from 0 to below 1.
        let unit = (bits >> 11) as f64 / (1u64 << 53) as f64;
        let value = match &self.kind {
            DistributionKind::Uniform(a, b) => Value::Float(rounded(a + (b - a) * unit, *a, *b)),
            DistributionKind::LogUniform(a, b) => {
                let (from, to) = (number::ln(*a), number::ln(*b));
                Value::Float(rounded(number::exp(from + (to - from) * unit), *a, *b))
            }
            DistributionKind::Integer(a, b) => {
                let n_values = (b - a + 1) as u128;
                Value::Int(a + (n_values.saturating_mul(bits.into()) >> 64) as i128)
            }
            DistributionKind::Choice(values) => {
                let n = (values.len() as u128 * u128::from(bits)) >> 64;
                return values[n as usize].clone();
            }
        };
        Node { value, span: self.span }
    }
}

/// Six digits, unless the range is too narrow for them; never out of the range.
fn rounded(value: f64, a: f64, b: f64) -> f64 {
    let narrow = (b - a).abs() < 1e-3 * a.abs().max(b.abs());
    let value = if narrow { value } else { number::round(value) };
    value.clamp(a, b)
}
