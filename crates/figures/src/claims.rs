//! The claims of an experiment, judged by its finished runs.

pub mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use record::verdict::{Effect, Judgement, Rule, Verdict, conjunction, holm, judge};
use serde_json::Value;
use spec::{Arm, Cell, Claim, ClaimPart, Comparison, Conditions, Expect, Experiment, MetricSettings, Split};
use spec::{claims_hash, listed, setting_title};

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
    let sides = [&one.from, &one.to].map(|conditions| side(part, conditions, runs, &experiment.arms));
    let (effect, lack) = match &sides {
        [Ok(from), Ok(to)] => match Effect::of(from, to, sign) {
            Some(effect) if effect.estimate.n < 2 => (Some(effect), Some("one common seed".to_owned())),
            Some(effect) => (Some(effect), None),
            None => (None, Some("no common seed".to_owned())),
        },
        [Err(lack), _] | [_, Err(lack)] => (None, Some(lack.clone())),
    };
    let judgement = judge(effect.as_ref(), rule, one.delta);
    let mut without = common_seeds(&one, experiment);
    let has = |seed: u64| effect.iter().any(|effect| effect.differences.iter().any(|(other, _)| *other == seed));
    without.retain(|seed| !has(*seed));
    JudgedComparison { part: part.clone(), compared: one, effect, judgement, lack, without }
}

/// The seeds that the experiment has on both sides.
fn common_seeds(one: &Comparison, experiment: &Experiment) -> Vec<u64> {
    let seeds = |conditions: &Conditions| -> BTreeSet<u64> {
        let meant = experiment.cells.iter().filter(|cell| conditions.hold(cell, &experiment.arms));
        meant.map(|cell| cell.training.seed).collect()
    };
    seeds(&one.from).intersection(&seeds(&one.to)).copied().collect()
}

/// The metric of each run on one side, by seed; or why there is none.
fn side(
    part: &ClaimPart,
    conditions: &Conditions,
    runs: &[(Cell, &RunNumbers)],
    arms: &[Arm],
) -> Result<Vec<(u64, f64)>, String> {
    let meant: Vec<&(Cell, &RunNumbers)> = runs.iter().filter(|(cell, _)| conditions.hold(cell, arms)).collect();
    let group = |cell: &Cell| with_seed(cell, 0).run_id();
    let Some((first, _)) = meant.first() else { return Err(format!("no finished run: {}", told(conditions))) };
    if meant.iter().any(|(cell, _)| group(cell) != group(first)) {
        return Err(format!("runs that differ in more than their seed: {}", told(conditions)));
    }
    let measured: Result<Vec<Option<f64>>, String> = meant.iter().map(|(_, run)| value(part, run)).collect();
    let measured: Vec<Option<f64>> = measured?;
    let of_seeds = meant.iter().zip(measured).filter_map(|((_, run), value)| Some((run.seed, value?)));
    let of_seeds: Vec<(u64, f64)> = of_seeds.collect();
    if of_seeds.is_empty() {
        return Err(format!("no `{}` on record: {}", part.metric, told(conditions)));
    }
    match part.log {
        true if of_seeds.iter().any(|(_, value)| *value <= 0.0) => {
            Err(format!("a value of `{}` is not above zero and has no logarithm: {}", part.metric, told(conditions)))
        }
        true => Ok(of_seeds.into_iter().map(|(seed, value)| (seed, value.ln())).collect()),
        false => Ok(of_seeds),
    }
}

/// What a run has of a part's metric; an error where it has several that the settings do not tell apart.
fn value(part: &ClaimPart, run: &RunNumbers) -> Result<Option<f64>, String> {
    let of_epoch = run.result().and_then(|terms| terms.get(part.metric));
    if part.settings == MetricSettings::default() && of_epoch.is_some() {
        return Ok(of_epoch);
    }
    let wanted = part.settings.fields();
    let has_all = |settings: &MetricSettings| {
        let fields = settings.fields();
        wanted.iter().all(|(name, value)| fields.get(name) == Some(value))
    };
    let rows = run.measures.iter().filter(|(key, _)| key.metric == part.metric && key.split == Split::Test);
    let rows: Vec<_> = rows.filter(|(key, _)| has_all(&key.settings)).collect();
    match rows.as_slice() {
        [] => Ok(None),
        [(_, value)] => Ok(Some(*value)),
        several => match several.iter().find(|(key, _)| key.settings == part.settings) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let settings: BTreeSet<String> = several.iter().map(|(key, _)| key.settings.to_string()).collect();
                let settings: Vec<String> = settings.into_iter().collect();
                Err(format!("`{}` is on record with several settings: {}", part.metric, settings.join("; ")))
            }
        },
    }
}

impl JudgedComparison {
    /// What is measured, for people: `KL`, `sharpness (of reconstructions)`, `ln of sharpness`.
    pub fn metric(&self) -> String {
        let ClaimPart { metric, settings, log, .. } = &self.part;
        let settings = settings.to_string();
        let with = if settings.is_empty() { String::new() } else { format!(" ({settings})") };
        format!("{}{}{with}", if *log { "ln of " } else { "" }, metric.about().title)
    }

    /// What changes, for people: `β = 0.5 → 4`.
    pub fn change(&self) -> String {
        let (from, to) = (&self.compared.from, &self.compared.to);
        // What one end alone says of itself: another arm, or a path that the other end is silent about.
        let own = |end: &Conditions, other: &Conditions| -> String {
            let arm = end.arm.iter().filter(|_| end.arm != other.arm).cloned();
            let values = end.values.iter().filter(|(path, _)| !other.values.contains_key(*path));
            let own: Vec<String> = arm.chain(values.map(|(path, value)| named(path, value))).collect();
            if own.is_empty() { "…".to_owned() } else { own.join(", ") }
        };
        let owns = (own(from, to), own(to, from));
        let ends = (owns.0 != owns.1).then(|| format!("{} → {}", owns.0, owns.1));
        let pairs = from.values.iter().filter_map(|(path, before)| {
            let after = to.values.get(path).filter(|after| *after != before)?;
            Some(format!("{} → {}", named(path, before), variant::told(path, after).unwrap_or_else(|| words(after))))
        });
        ends.into_iter().chain(pairs).collect::<Vec<_>>().join(", ")
    }

    /// What both groups have in common, for people: `gray, D = 20`; empty where nothing is said of it.
    pub fn common(&self) -> String {
        let (from, to) = (&self.compared.from, &self.compared.to);
        let arm = from.arm.clone().filter(|arm| to.arm.as_ref() == Some(arm));
        let values = from.values.iter().filter(|(path, value)| to.values.get(*path) == Some(value));
        told(&Conditions { arm, values: values.map(|(path, value)| (path.clone(), value.clone())).collect() })
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

/// Conditions for people: `gray, β = 1`.
fn told(conditions: &Conditions) -> String {
    let values = conditions.values.iter().map(|(path, value)| named(path, value));
    conditions.arm.iter().cloned().chain(values).collect::<Vec<_>>().join(", ")
}

/// A setting with its value: `β = 1`, `σ = 0.1`, `Bernoulli`.
fn named(path: &str, value: &Value) -> String {
    let told = equation(path, Some(value)).or_else(|| variant::told(path, value));
    told.unwrap_or_else(|| variant::field(&setting_title(path), value))
}
