//! The claims of an experiment, judged by its finished runs.

pub mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use record::verdict::{Effect, Judgement, Rule, Verdict, change, conjunction, holm, interpolated, judge};
use serde_json::Value;
use spec::{
    Arm, Cell, Claim, ClaimPart, Comparison, Conditions, Expect, Experiment, Matched, Metric, MetricSettings, Split,
};
use spec::{claims_hash, differing_paths, listed, setting_title};

use crate::axis::{fixed, number};
use crate::records::{Group, RunNumbers};
use crate::setting::{equation, words};
use crate::variant;

/// What is said where verdicts stand together.
pub const NOTE: &str = "Effects are mean differences paired by seed, positive where they support the claim, ± half the width of their \
                        95 % t-interval [l, u]. A claim that something rises or falls holds if l > δ and fails if u < δ (reversed if \
                        u < 0); one that something stays holds if the interval lies within ±δ and fails if it lies outside; a claim of \
                        several parts holds if all do and fails if one does; anything else is undecided. Holm: the same, adjusted for \
                        the number of claims. Intervals cover the randomness of training, not the choice of test images.";

/// All claims of an experiment with their verdicts.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// In the order of the file; at least one.
    pub claims: Vec<JudgedClaim>,
    /// SHA-256 of the claims as they stand in the file, in hexadecimal.
    pub rule: String,
    /// What sets these runs apart from those that the file asks for, in words: fewer epochs, other settings.
    pub caveat: Option<String>,
}

/// A claim with its verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedClaim {
    /// Its id.
    pub id: String,
    /// The sentence.
    pub text: String,
    /// What it rests on; at least one.
    pub comparisons: Vec<JudgedComparison>,
    /// Of all comparisons together.
    pub judgement: Judgement,
    /// Adjusted for the number of claims.
    pub holm: Verdict,
}

/// Two groups of runs that a claim compares in one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedComparison {
    /// The part of the claim.
    pub part: ClaimPart,
    /// What is compared with what.
    pub compared: Comparison,
    /// Paired by seed, positive where it supports the claim; `None` where nothing was measured.
    pub effect: Option<Effect>,
    /// Its verdict.
    pub judgement: Judgement,
    /// Why there is no verdict, in words.
    pub lack: Option<String>,
    /// Seeds that the experiment has on both sides and the effect has not, since a run is not finished or lacks the metric.
    pub without: Vec<u64>,
}

/// Judges the claims of an experiment; `None` where it makes none.
pub fn judged(experiment: &Experiment, groups: &[Group]) -> Option<Judged> {
    let rule = claims_hash(&experiment.claims)?;
    let runs: Vec<(Cell, &RunNumbers)> =
        groups.iter().flat_map(|group| group.runs.iter().map(|run| (with_seed(&group.cell, run.seed), run))).collect();
    let compare = |claim: &Claim| -> Vec<JudgedComparison> {
        let parts = claim.parts.iter();
        parts
            .flat_map(|part| part.comparisons().into_iter().map(|one| compared(part, one, &runs, experiment)))
            .collect()
    };
    let compared: Vec<Vec<JudgedComparison>> = experiment.claims.iter().map(compare).collect();
    let of_claim = |comparisons: &Vec<JudgedComparison>| {
        conjunction(&comparisons.iter().map(|one| one.judgement).collect::<Vec<_>>())
    };
    let judgements: Vec<Judgement> = compared.iter().map(of_claim).collect();
    let adjusted = holm(&judgements);
    let claims = experiment.claims.iter().zip(compared).zip(judgements.into_iter().zip(adjusted));
    let claims = claims.map(|((claim, comparisons), (judgement, holm))| JudgedClaim {
        id: claim.id.clone(),
        text: claim.text.clone(),
        comparisons,
        judgement,
        holm,
    });
    Some(Judged { claims: claims.collect(), rule, caveat: caveat(experiment) })
}

fn with_seed(cell: &Cell, seed: u64) -> Cell {
    let mut cell = cell.clone();
    cell.training.seed = seed;
    cell
}

/// What makes these runs others than those that the file asks for.
fn caveat(experiment: &Experiment) -> Option<String> {
    if let Some(percent) = experiment.epochs_percent {
        return Some(format!("shortened: trained for at most {percent} % of the epochs that the file asks for"));
    }
    let is_of_cells = |set: &&String| {
        let of = set.split(['.', '=']).next().unwrap_or_default().trim();
        !["name", "question", "source", "launch", "figures", "execution"].contains(&of)
    };
    let set: Vec<String> = experiment.written.set.iter().filter(is_of_cells).map(|set| format!("`{set}`")).collect();
    (!set.is_empty()).then(|| format!("not as the file has it: {}", set.join(", ")))
}

fn compared(
    part: &ClaimPart,
    one: Comparison,
    runs: &[(Cell, &RunNumbers)],
    experiment: &Experiment,
) -> JudgedComparison {
    let (sign, rule) = match part.expect {
        Expect::Rises => (1.0, Rule::Superiority),
        Expect::Falls => (-1.0, Rule::Superiority),
        Expect::Stays => (1.0, Rule::Equivalence),
    };
    let (effect, lack) = match changes(part, &one, runs, &experiment.arms) {
        Ok(changes) => match Effect::of(&changes, sign) {
            Some(effect) if effect.estimate.n < 2 => (Some(effect), Some("one common seed".to_owned())),
            Some(effect) => (Some(effect), None),
            None => (None, Some("no common seed".to_owned())),
        },
        Err(lack) => (None, Some(lack)),
    };
    let judgement = judge(effect.as_ref(), rule, one.delta);
    let mut without = common_seeds(&one, experiment);
    let has = |seed: u64| effect.iter().any(|effect| effect.differences.iter().any(|(other, _)| *other == seed));
    without.retain(|seed| !has(*seed));
    JudgedComparison { part: part.clone(), compared: one, effect, judgement, lack, without }
}

/// What changes, by seed, less the change that is taken off; or why nothing can be said.
fn changes(
    part: &ClaimPart,
    one: &Comparison,
    runs: &[(Cell, &RunNumbers)],
    arms: &[Arm],
) -> Result<Vec<(u64, f64)>, String> {
    let between = |from: &Conditions, to: &Conditions| -> Result<Vec<(u64, f64)>, String> {
        Ok(change(&side(part, from, runs, arms)?, &side(part, to, runs, arms)?))
    };
    let whole = between(&one.from, &one.to)?;
    match &one.less {
        None => Ok(whole),
        Some((from, to)) => Ok(change(&between(from, to)?, &whole)),
    }
}

/// The seeds that the experiment has at all ends.
fn common_seeds(one: &Comparison, experiment: &Experiment) -> Vec<u64> {
    let seeds = |conditions: &Conditions| -> BTreeSet<u64> {
        let meant = experiment.cells.iter().filter(|cell| conditions.hold(cell, &experiment.arms));
        meant.map(|cell| cell.training.seed).collect()
    };
    let common = one.ends().map(seeds).reduce(|all, of_end| all.intersection(&of_end).copied().collect());
    common.into_iter().flatten().collect()
}

/// The metric of each seed on one side; or why there is none.
fn side(
    part: &ClaimPart,
    conditions: &Conditions,
    runs: &[(Cell, &RunNumbers)],
    arms: &[Arm],
) -> Result<Vec<(u64, f64)>, String> {
    let meant: Vec<&(Cell, &RunNumbers)> = runs.iter().filter(|(cell, _)| conditions.hold(cell, arms)).collect();
    if meant.is_empty() {
        return Err(format!("no finished run: {}", told(conditions)));
    }
    if differing_paths(meant.iter().map(|(cell, _)| cell)).iter().any(|path| !part.may_differ(path)) {
        return Err(format!("runs that differ in more than their seed: {}", told(conditions)));
    }
    let settings = conditions.settings.as_deref().unwrap_or(&part.settings);
    let measured: Result<Vec<Option<f64>>, String> =
        meant.iter().map(|(_, run)| value(part.metric, settings, run)).collect();
    let of_runs: Vec<(&RunNumbers, f64)> =
        meant.iter().zip(measured?).filter_map(|((_, run), value)| Some((*run, value?))).collect();
    if of_runs.is_empty() {
        return Err(format!("no `{}` on record: {}", part.metric, told(conditions)));
    }
    let of_seeds = match &part.at {
        None => of_runs.into_iter().map(|(run, value)| (run.seed, value)).collect(),
        Some(at) => matched(&of_runs, at).ok_or_else(|| {
            let (low, high) = range(&of_runs, at.metric);
            format!("`{}` of {} is outside {low}–{high}: {}", at.metric, number(at.value), told(conditions))
        })?,
    };
    match part.log {
        true if of_seeds.iter().any(|(_, value)| *value <= 0.0) => {
            Err(format!("a value of `{}` is not above zero and has no logarithm: {}", part.metric, told(conditions)))
        }
        true => Ok(of_seeds.into_iter().map(|(seed, value)| (seed, value.ln())).collect()),
        false => Ok(of_seeds),
    }
}

/// The values of runs where another metric has a value, between the runs of each seed; `None` where no seed's runs enclose it.
fn matched(runs: &[(&RunNumbers, f64)], at: &Matched) -> Option<Vec<(u64, f64)>> {
    let seeds: BTreeSet<u64> = runs.iter().map(|(run, _)| run.seed).collect();
    let of_seed = |seed: u64| -> Vec<(f64, f64)> {
        let own = runs.iter().filter(|(run, _)| run.seed == seed);
        own.filter_map(|(run, value)| Some((run.result()?.get(at.metric)?, *value))).collect()
    };
    let found = seeds.into_iter().filter_map(|seed| Some((seed, interpolated(&of_seed(seed), at.value)?)));
    Some(found.collect::<Vec<_>>()).filter(|found| !found.is_empty())
}

/// The least and the largest value of a metric in these runs, for people.
fn range(runs: &[(&RunNumbers, f64)], metric: Metric) -> (String, String) {
    let values: Vec<f64> = runs.iter().filter_map(|(run, _)| run.result()?.get(metric)).collect();
    let told = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| fixed(value, metric.about().decimals));
    (told(values.iter().copied().reduce(f64::min)), told(values.iter().copied().reduce(f64::max)))
}

/// What a run has of a metric with these settings; an error where it has several that the settings do not tell apart.
fn value(metric: Metric, wanted: &MetricSettings, run: &RunNumbers) -> Result<Option<f64>, String> {
    let of_epoch = run.result().and_then(|terms| terms.get(metric));
    if *wanted == MetricSettings::default() && of_epoch.is_some() {
        return Ok(of_epoch);
    }
    let fields_wanted = wanted.fields();
    let has_all = |settings: &MetricSettings| {
        let fields = settings.fields();
        fields_wanted.iter().all(|(name, value)| fields.get(name) == Some(value))
    };
    let rows = run.measures.iter().filter(|(key, _)| key.metric == metric && key.split == Split::Test);
    let rows: Vec<_> = rows.filter(|(key, _)| has_all(&key.settings)).collect();
    match rows.as_slice() {
        [] => Ok(None),
        [(_, value)] => Ok(Some(*value)),
        several => match several.iter().find(|(key, _)| key.settings == *wanted) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let settings: BTreeSet<String> = several.iter().map(|(key, _)| key.settings.to_string()).collect();
                let settings: Vec<String> = settings.into_iter().collect();
                Err(format!("`{metric}` is on record with several settings: {}", settings.join("; ")))
            }
        },
    }
}

impl JudgedComparison {
    /// What is measured, for people: `KL`, `sharpness (of reconstructions)`, `ln of sharpness`, `equivalent blur at KL = 25`.
    pub fn metric(&self) -> String {
        let ClaimPart { metric, settings, log, at, .. } = &self.part;
        // Where the ends have settings of their own, these are told as what changes.
        let is_told = [&self.compared.from, &self.compared.to].iter().any(|end| end.settings.is_none());
        let settings = if is_told { settings.to_string() } else { String::new() };
        let with = if settings.is_empty() { String::new() } else { format!(" ({settings})") };
        let at = at.iter().map(|at| format!(" at {} = {}", at.metric.about().title, number(at.value)));
        format!("{}{}{with}{}", if *log { "ln of " } else { "" }, metric.about().title, at.collect::<String>())
    }

    /// What changes, for people: `β = 0.5 → 4`, and with an interaction `D = 2 → 20, by β = 0.25 → 4`.
    pub fn change(&self) -> String {
        let (from, to) = (&self.compared.from, &self.compared.to);
        // What one end alone says of itself: another arm, or a path that the other end is silent about.
        let own = |end: &Conditions, other: &Conditions| -> String {
            let arm = end.arm.iter().filter(|_| end.arm != other.arm).cloned();
            let values = end.values.iter().filter(|(path, _)| !other.values.contains_key(*path));
            let values = values.map(|(path, value)| named(path, value));
            let settings =
                end.settings.iter().filter(|_| end.settings != other.settings).map(|settings| settings.to_string());
            let own: Vec<String> = arm.chain(values).chain(settings).collect();
            if own.is_empty() { "…".to_owned() } else { own.join(", ") }
        };
        let owns = (own(from, to), own(to, from));
        let ends = (owns.0 != owns.1).then(|| format!("{} → {}", owns.0, owns.1));
        let across = self.compared.less.iter().flat_map(|(less, _)| pairs(less, from)).map(|pair| format!("by {pair}"));
        ends.into_iter().chain(pairs(from, to)).chain(across).collect::<Vec<_>>().join(", ")
    }

    /// What both groups have in common, for people: `gray, D = 20`; empty where nothing is said of it.
    pub fn common(&self) -> String {
        let (from, to) = (&self.compared.from, &self.compared.to);
        let arm = from.arm.clone().filter(|arm| to.arm.as_ref() == Some(arm));
        let less = self.compared.less.as_ref().map_or(from, |(less, _)| less);
        let values = from
            .values
            .iter()
            .filter(|(path, value)| [to, less].iter().all(|end| end.values.get(*path) == Some(value)));
        let values = values.map(|(path, value)| (path.clone(), value.clone())).collect();
        told(&Conditions { arm, values, settings: None })
    }

    /// What the effect and δ are in: `nats per image`, `log ratio`.
    pub fn unit(&self) -> &'static str {
        if self.part.log { "log ratio" } else { self.part.metric.about().unit.words() }
    }

    /// As [`JudgedComparison::unit`], as short as it can be.
    pub fn short_unit(&self) -> &'static str {
        match self.unit() {
            "nats per image" => "nats",
            "latent dimensions" => "dimensions",
            unit => unit,
        }
    }

    /// Digits behind the point: enough for δ.
    fn decimals(&self) -> usize {
        let of_metric = self.part.metric.about().decimals;
        let of_delta = (1.0 - self.part.delta.log10().floor()).clamp(0.0, 6.0) as usize;
        if self.part.log { of_delta.max(2) } else { of_metric.max(of_delta).min(6) }
    }

    /// The mean effect with its sign: `+1.20`; `None` where nothing was measured.
    pub fn mean(&self) -> Option<String> {
        let mean = self.effect.as_ref()?.estimate.mean;
        let text = fixed(mean, self.decimals());
        Some(if text.starts_with('−') { text } else { format!("+{text}") })
    }

    /// Half the width of its interval: `0.15`; `None` for a single seed.
    pub fn half_width(&self) -> Option<String> {
        Some(fixed(self.effect.as_ref()?.estimate.half_width?, self.decimals()))
    }

    /// The effect: `+1.20 ± 0.15`; an en dash where nothing was measured.
    pub fn told_effect(&self) -> String {
        let half = self.half_width().map_or_else(String::new, |half| format!(" ± {half}"));
        self.mean().map_or_else(|| "–".to_owned(), |mean| format!("{mean}{half}"))
    }

    /// δ as it is written; 0 for a step.
    pub fn told_delta(&self) -> String {
        number(self.compared.delta)
    }

    /// How many seeds the effect is over.
    pub fn n(&self) -> usize {
        self.effect.as_ref().map_or(0, |effect| effect.estimate.n)
    }

    /// Its verdict, and what is wanting: `holds`, `holds (without seed 3)`, `not measured (no finished run: D = 2)`.
    pub fn told_verdict(&self) -> String {
        match &self.lack {
            Some(lack) => format!("{} ({lack})", self.judgement.verdict.words()),
            None => self.verdict_and_wanting(),
        }
    }

    /// Its verdict, and the seeds that the effect is without: `holds`, `holds (without seeds 3 and 4)`.
    pub fn verdict_and_wanting(&self) -> String {
        let verdict = self.judgement.verdict.words();
        let seeds: Vec<String> = self.without.iter().map(u64::to_string).collect();
        match seeds.len() {
            n if n == 0 || self.effect.is_none() => verdict.to_owned(),
            n => format!("{verdict} (without {} {})", if n == 1 { "seed" } else { "seeds" }, listed(&seeds, "and")),
        }
    }
}

/// Conditions for people: `gray, β = 1, of samples`.
fn told(conditions: &Conditions) -> String {
    let values = conditions.values.iter().map(|(path, value)| named(path, value));
    let settings = conditions.settings.iter().map(|settings| settings.to_string());
    conditions.arm.iter().cloned().chain(values).chain(settings).collect::<Vec<_>>().join(", ")
}

/// What has one value at one end and another at the other: `β = 0.5 → 4`.
fn pairs(from: &Conditions, to: &Conditions) -> Vec<String> {
    let pair = |(path, before): (&String, &Value)| {
        let after = to.values.get(path).filter(|after| *after != before)?;
        Some(format!("{} → {}", named(path, before), variant::told(path, after).unwrap_or_else(|| words(after))))
    };
    from.values.iter().filter_map(pair).collect()
}

/// A setting with its value: `β = 1`, `σ = 0.1`, `Bernoulli`.
fn named(path: &str, value: &Value) -> String {
    let told = equation(path, Some(value)).or_else(|| variant::told(path, value));
    told.unwrap_or_else(|| variant::field(&setting_title(path), value))
}
