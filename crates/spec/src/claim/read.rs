//! The section `claims`, read part by part.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Across, Claim, ClaimPart, Conditions, Contrast, Expect, Matched};
use crate::de;
use crate::diagnostic::{MAX_PROBLEMS, Problem, Span, quote};
use crate::experiment::entry_span;
use crate::metric::{Metric, MetricSettings};
use crate::node::{self, Node};
use crate::suggest;
use crate::sweep::check_path;

/// Claims of an experiment, and parts of a claim, at most.
const MOST: usize = 100;
/// Letters of an id and of a sentence at most.
const MAX_ID: usize = 16;
const MAX_TEXT: usize = 500;
/// The key of a condition that names an arm.
const ARM: &str = "arm";
/// The key of an end that has settings of the metric.
const SETTINGS: &str = "settings";

/// A claim as it is written; `all` and its own part exclude each other in the metric alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClaim {
    /// A number, or a word.
    id: Value,
    text: String,
    #[serde(default)]
    all: Option<Vec<RawPart>>,
    #[serde(default)]
    metric: Option<Value>,
    #[serde(default)]
    of: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    from: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    to: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    along: Option<BTreeMap<String, Vec<Value>>>,
    #[serde(default)]
    across: Option<BTreeMap<String, Vec<Value>>>,
    #[serde(default)]
    at: Option<Matched>,
    #[serde(default)]
    expect: Option<Expect>,
    #[serde(default)]
    delta: Option<f64>,
    #[serde(default)]
    log: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPart {
    #[serde(default)]
    metric: Option<Value>,
    #[serde(default)]
    of: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    from: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    to: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    along: Option<BTreeMap<String, Vec<Value>>>,
    #[serde(default)]
    across: Option<BTreeMap<String, Vec<Value>>>,
    #[serde(default)]
    at: Option<Matched>,
    #[serde(default)]
    expect: Option<Expect>,
    #[serde(default)]
    delta: Option<f64>,
    #[serde(default)]
    log: Option<bool>,
}

/// The section `claims`; empty where nothing is claimed.
pub(crate) fn read(tree: &Node) -> Result<Vec<Claim>, Vec<Problem>> {
    let Some(node) = tree.get("claims") else { return Ok(Vec::new()) };
    let at = entry_span(tree, "claims");
    let raw: Option<Vec<RawClaim>> = de::read(node, "claims", at).map_err(|problem| vec![problem])?;
    let Some(raw) = raw else { return Ok(Vec::new()) };
    if raw.is_empty() || raw.len() > MOST {
        let problem = Problem::new(format!("`claims` has {} entries, not 1 to {MOST}", raw.len())).at(node.span);
        return Err(vec![problem.path("claims").hint("list claims, or leave `claims` out")]);
    }
    let mut ids: Vec<String> = Vec::new();
    let (mut claims, mut problems) = (Vec::new(), Vec::new());
    for (n, raw) in raw.into_iter().enumerate() {
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
        match read_claim(tree, n, raw, &ids) {
            Ok(claim) => {
                ids.push(claim.id.clone());
                claims.push(claim);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(claims) } else { Err(problems) }
}

fn read_claim(tree: &Node, n: usize, raw: RawClaim, ids: &[String]) -> Result<Claim, Problem> {
    let RawClaim { id, text, all, metric, of, from, to, along, across, at, expect, delta, log } = raw;
    let place = Place::of(tree, n, None);
    let id = match id {
        Value::String(id) => id,
        other => other.to_string(),
    };
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if id.is_empty() || id.len() > MAX_ID || !is_plain {
        let problem = place.problem("id", format!("`{}` cannot be a claim's id", quote(&id)));
        return Err(problem.hint(format!("write letters, digits and hyphens, at most {MAX_ID}, such as `4a`")));
    }
    if ids.contains(&id) {
        return Err(place
            .problem("id", format!("the id `{id}` stands twice"))
            .hint("give every claim an id of its own"));
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() || text.chars().count() > MAX_TEXT {
        let problem = place.problem("text", format!("the sentence of a claim has 1 to {MAX_TEXT} letters"));
        return Err(problem.hint("write what is claimed as one sentence"));
    }
    let shared = RawPart { metric, of, from, to, along, across, at, expect, delta, log };
    let parts = match all {
        None => vec![read_part(&place, shared)?],
        Some(parts) if (1..=MOST).contains(&parts.len()) => {
            let parts = parts.into_iter().enumerate();
            parts
                .map(|(m, part)| read_part(&Place::of(tree, n, Some(m)), part.or(&shared)))
                .collect::<Result<_, _>>()?
        }
        Some(_) => {
            let problem = place.problem("all", format!("`all` has 1 to {MOST} parts"));
            return Err(problem.hint("write `all: [{ metric: kl, expect: falls, delta: 1 }, …]`, or leave `all` out"));
        }
    };
    Ok(Claim { id, text, parts })
}

impl RawPart {
    /// What the part says, and what stands above it where it says nothing. Its own ends or values are in place of those above.
    fn or(self, shared: &RawPart) -> RawPart {
        let shared = shared.clone();
        let is_own = self.from.is_some() || self.to.is_some() || self.along.is_some();
        let (from, to, along) = match is_own {
            true => (self.from, self.to, self.along),
            false => (shared.from, shared.to, shared.along),
        };
        RawPart {
            metric: self.metric.or(shared.metric),
            of: self.of.or(shared.of),
            from,
            to,
            along,
            across: self.across.or(shared.across),
            at: self.at.or(shared.at),
            expect: self.expect.or(shared.expect),
            delta: self.delta.or(shared.delta),
            log: self.log.or(shared.log),
        }
    }
}

fn read_part(place: &Place<'_>, raw: RawPart) -> Result<ClaimPart, Problem> {
    let RawPart { metric, of, from, to, along, across, at, expect, delta, log } = raw;
    let missing = |key: &str, hint: String| Err(place.problem("", format!("a claim without `{key}`")).hint(hint));
    let write = |key: &str| crate::fields::write_at(&format!("claims.{key}")).unwrap_or_default();
    if metric.is_none() {
        return missing(
            "metric",
            "add `metric: …`, a name such as `kl` or `{ sharpness: { of: samples } }`".to_owned(),
        );
    }
    let (metric, settings) = read_metric(place)?;
    let Some(expect) = expect else { return missing("expect", format!("add `expect: …`: {}", write("expect"))) };
    let Some(delta) = delta else { return missing("delta", format!("add `delta: …`: {}", write("delta"))) };
    if !(delta.is_finite() && delta > 0.0) {
        let problem = place.problem("delta", format!("`delta` must be above 0 and finite, found `{delta}`"));
        return Err(problem.hint(format!("write {}", write("delta"))));
    }
    let contrast = match (from, to, along) {
        (Some(from), Some(to), None) => {
            Contrast::Ends { from: conditions(place, "from", from)?, to: conditions(place, "to", to)? }
        }
        (None, None, Some(along)) => read_along(place, along)?,
        (None, None, None) => {
            let hint = format!("add `from: …` and `to: …`, or `along: …`: {}", write("along"));
            return missing("from", hint);
        }
        (Some(_), None, None) => return missing("to", format!("add `to: …`: {}", write("to"))),
        (None, Some(_), None) => return missing("from", format!("add `from: …`: {}", write("from"))),
        (_, _, Some(_)) => {
            let problem = place.problem("along", "a claim has `from` and `to`, or `along`, not both".to_owned());
            return Err(problem.hint("`along` compares its first value with its last one, and each with the next"));
        }
    };
    let of = conditions(place, "of", of.unwrap_or_default())?;
    let across = across.map(|across| read_across(place, across)).transpose()?;
    if let Some(at) = &at {
        check_matched(place, at)?;
    }
    Ok(ClaimPart { metric, settings, of, contrast, across, at, expect, delta, log: log.unwrap_or(false) })
}

/// A name, or a name with settings.
fn read_metric(place: &Place<'_>) -> Result<(Metric, MetricSettings), Problem> {
    let path = place.path("metric");
    let Some(node) = place.node(&["metric"]) else { return Ok((Metric::Elbo, MetricSettings::default())) };
    let by_name = |name: &str, at: Span| {
        name.parse::<Metric>().map_err(|_| {
            let names: Vec<&str> = Metric::all().map(Metric::name).collect();
            let problem = Problem::new(format!("there is no metric `{}`", quote(name))).at(at).path(path.as_str());
            problem.value(quote(name)).hint(match suggest::nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("metrics are {}", suggest::list(names)),
            })
        })
    };
    match (node.word(), node.entries()) {
        (Some(word), _) => Ok((by_name(word, node.span)?, MetricSettings::default())),
        (None, [entry]) => {
            let metric = by_name(&entry.key, entry.key_span)?;
            Ok((metric, de::read(&entry.value, &format!("{path}.{}", entry.key), entry.key_span)?))
        }
        _ => Err(place
            .problem("metric", format!("expected a metric, found {}", node.describe()))
            .hint("write a name such as `kl`, or one with settings: `{ sharpness: { of: samples } }`")),
    }
}

fn read_along(place: &Place<'_>, along: BTreeMap<String, Vec<Value>>) -> Result<Contrast, Problem> {
    let form = "write one path with its values in order, such as `{ objective.beta: [0.5, 1, 2] }`";
    let (path, values) = one_path(place, "along", along, form)?;
    if values.len() < 2 {
        let problem = place.problem("along", "`along` has fewer than two values".to_owned());
        return Err(problem.hint(form));
    }
    Ok(Contrast::Along { path, values })
}

fn read_across(place: &Place<'_>, across: BTreeMap<String, Vec<Value>>) -> Result<Across, Problem> {
    let form = "write one path with two values, such as `{ objective.beta: [0.25, 4] }`";
    let (path, values) = one_path(place, "across", across, form)?;
    match <[Value; 2]>::try_from(values) {
        Ok([from, to]) if from != to => Ok(Across { path, from, to }),
        Ok(_) => Err(place.problem("across", "`across` has the same value twice".to_owned()).hint(form)),
        Err(values) => {
            Err(place.problem("across", format!("`across` has {} values, not two", values.len())).hint(form))
        }
    }
}

/// The only path of a mapping.
fn one_path(
    place: &Place<'_>,
    field: &str,
    paths: BTreeMap<String, Vec<Value>>,
    form: &str,
) -> Result<(String, Vec<Value>), Problem> {
    let n_paths = paths.len();
    let mut paths = paths.into_iter();
    let (Some((path, values)), 1) = (paths.next(), n_paths) else {
        return Err(place.problem(field, format!("`{field}` has {n_paths} paths, not one")).hint(form));
    };
    check_path(&path, place.key(field, &path), &place.path(field))?;
    Ok((path, values))
}

/// What is matched is on record for each epoch, at a value that is a number, over a path of cells.
fn check_matched(place: &Place<'_>, Matched { metric, value, along }: &Matched) -> Result<(), Problem> {
    check_path(along, place.key("at", "along"), &place.path("at.along"))?;
    if metric.about().per_epoch.is_none() {
        let problem = place.problem("at", format!("`{metric}` is not measured at each epoch"));
        return Err(problem.hint("match one that is, such as `kl`"));
    }
    if !value.is_finite() {
        let problem = place.problem("at", format!("`value` must be finite, found `{value}`"));
        return Err(problem.hint("write a number such as `25`, in the unit of the metric"));
    }
    Ok(())
}

fn conditions(place: &Place<'_>, field: &str, mut values: BTreeMap<String, Value>) -> Result<Conditions, Problem> {
    let arm = match values.remove(ARM) {
        None => None,
        Some(Value::String(label)) => Some(label),
        Some(_) => {
            let problem = Problem::new("an arm is named by its label").at(place.key(field, ARM));
            return Err(problem.path(place.path(field)).hint("write the label of an arm, such as `arm: gray`"));
        }
    };
    let settings = match (values.remove(SETTINGS), place.node(&[field, SETTINGS])) {
        (Some(_), Some(_)) if field == "of" => {
            let problem = Problem::new("`of` has settings of the metric").at(place.key(field, SETTINGS));
            return Err(problem
                .path(place.path(field))
                .hint("write them at the metric, such as `metric: { equivalent_blur: { of: samples } }`; `from` and `to` may have others"));
        }
        (Some(_), Some(node)) => {
            let path = format!("{}.{SETTINGS}", place.path(field));
            Some(de::read(node, &path, place.key(field, SETTINGS))?)
        }
        (_, _) => None,
    };
    for path in values.keys() {
        check_path(path, place.key(field, path), &place.path(field))?;
    }
    Ok(Conditions { arm, values, settings })
}

/// Where the `n`-th claim was written, or a part of it.
pub(super) struct Place<'a> {
    claim: Option<&'a Node>,
    part: Option<&'a Node>,
    path: String,
    at: Span,
}

impl<'a> Place<'a> {
    pub fn of(tree: &'a Node, n: usize, part: Option<usize>) -> Place<'a> {
        let item = |node: Option<&'a Node>, n: usize| match node.map(|node| &node.value) {
            Some(node::Value::List(items)) => items.get(n),
            _ => None,
        };
        let claim = item(tree.get("claims"), n);
        let inner = part.and_then(|m| item(claim.and_then(|claim| claim.get("all")), m));
        let path = format!("claims[{n}]{}", part.map_or_else(String::new, |m| format!(".all[{m}]")));
        let at = inner.or(claim).and_then(|node| node.entries().first());
        Place { claim, part: inner, path, at: at.map_or_else(|| entry_span(tree, "claims"), |entry| entry.key_span) }
    }

    /// What the part says at a path, or else the claim.
    fn node(&self, path: &[&str]) -> Option<&'a Node> {
        let own = self.part.and_then(|part| part.at(path));
        own.or_else(|| self.claim.and_then(|claim| claim.at(path)))
    }

    /// Whether the claim is written in parts.
    pub fn has_parts(&self) -> bool {
        self.claim.is_some_and(|claim| claim.get("all").is_some())
    }

    /// Whether `key` stands in the mapping at `field`.
    pub fn says(&self, field: &str, key: &str) -> bool {
        self.node(&[field, key]).is_some()
    }

    pub fn path(&self, field: &str) -> String {
        if field.is_empty() { self.path.clone() } else { format!("{}.{field}", self.path) }
    }

    /// The position of a key within the mapping at `field`.
    fn key(&self, field: &str, key: &str) -> Span {
        let entries = self.node(&[field]).map(Node::entries).unwrap_or_default();
        entries.iter().find(|entry| entry.key == key).map_or(self.at, |entry| entry.key_span)
    }

    /// A problem with what is written at `field`; with the whole where that is empty.
    pub fn problem(&self, field: &str, message: String) -> Problem {
        let problem = Problem::new(message).path(self.path(field));
        match self.node(&[field]) {
            Some(node) => problem.at(node.span).value(node.written()),
            None => problem.at(self.at),
        }
    }
}
