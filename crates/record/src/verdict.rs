//! Whether a claim holds: effects paired by seed, and the rule of the verdict.
//!
//! An **effect** is a difference between two groups of runs, one value for each seed that both have, oriented so that a positive one
//! supports the claim; of an interaction, a difference between two such differences. [l, u] is the 95 % interval of its mean by Student's t, δ the smallest effect that counts.
//!
//! - Superiority holds if l > δ and fails if u < δ; it is *reversed* if u < 0. Anything else is undecided.
//! - Equivalence holds if [l, u] lies within (−δ, δ) and fails if it is disjoint from [−δ, δ] (two one-sided tests, Schuirmann 1987).
//! - A conjunction holds if all parts hold and fails if one fails.
//!
//! An interval that includes the bound decides nothing.
//!
//! [`holm`] adjusts the verdicts of several claims for their number (Holm 1979). Intervals cover the randomness of training, which
//! seeds differ in, and not the choice of test images, which all runs share.

use strum::{Display, EnumIter, IntoStaticStr};

use crate::difference::BySeed;
use crate::student::upper_tail;
use crate::summary::{Estimate, estimate};

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

/// The level of the intervals, and of the adjusted verdicts: 5 %, half of it to each side.
const LEVEL: f64 = 0.05;

/// What became of a claim.
#[derive(Clone, Copy, Debug, Display, EnumIter, IntoStaticStr, PartialEq, Eq)]
#[strum(serialize_all = "kebab-case")]
pub enum Verdict {
    /// It is so.
    Holds,
    /// It is not so.
    Fails,
    /// It is not so, and the effect goes the other way.
    Reversed,
    /// The runs do not tell.
    Undecided,
    /// Fewer than two seeds are common to what is compared, so that there is no interval.
    TooFewSeeds,
    /// Some of what is compared has no finished run with the metric.
    NotMeasured,
}

impl Verdict {
    /// For people: `holds`, `too few seeds`.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Fails => "fails",
            Verdict::Reversed => "reversed",
            Verdict::Undecided => "undecided",
            Verdict::TooFewSeeds => "too few seeds",
            Verdict::NotMeasured => "not measured",
        }
    }

    /// What tells it without words or colour, in front of [`Verdict::words`].
    pub fn sign(self) -> &'static str {
        match self {
            Verdict::Holds => "✓",
            Verdict::Fails => "✗",
            Verdict::Reversed => "↩",
            Verdict::Undecided => "?",
            Verdict::TooFewSeeds | Verdict::NotMeasured => "–",
        }
    }

    /// For programs: `holds`, `too-few-seeds`.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What is claimed of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is above δ.
    Superiority,
    /// It is within δ of zero.
    Equivalence,
}

/// The difference between two groups, paired by seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The difference of each seed that both groups have, oriented; at least one.
    pub differences: Vec<(u64, f64)>,
    /// Their mean and its interval; that is `None` for a single seed.
    pub estimate: Estimate,
}

/// A verdict with the one-sided p-values that it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// By the intervals.
    pub verdict: Verdict,
    /// Of the hypothesis that the claim does not hold; 1 where nothing was measured.
    pub p_holds: f64,
    /// Of the hypothesis that it does not fail; 1 where nothing was measured.
    pub p_fails: f64,
}

/// `to` − `from` of each seed that both have.
pub fn change(from: &BySeed, to: &BySeed) -> Vec<(u64, f64)> {
    let other = |seed: u64| to.iter().find(|(other, _)| *other == seed).map(|(_, value)| *value);
    from.iter().filter_map(|(seed, value)| Some((*seed, other(*seed)? - value))).collect()
}

/// The y at this x, on the line between the two of the points (x, y) that enclose it most closely; `None` where they do not.
pub fn interpolated(points: &[(f64, f64)], x: f64) -> Option<f64> {
    let mut points = points.to_vec();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let after = points.iter().position(|point| point.0 >= x)?;
    let (next_x, next_y) = points[after];
    if next_x == x {
        return Some(next_y);
    }
    let (last_x, last_y) = *points.get(after.checked_sub(1)?)?;
    Some(last_y + (next_y - last_y) * (x - last_x) / (next_x - last_x))
}

impl Effect {
    /// `sign` times the change of each seed; `None` without one.
    pub fn of(changes: &BySeed, sign: f64) -> Option<Effect> {
        let differences: Vec<(u64, f64)> = changes.iter().map(|(seed, change)| (*seed, sign * change)).collect();
        let values: Vec<f64> = differences.iter().map(|(_, value)| *value).collect();
        Some(Effect { estimate: estimate(&values)?, differences })
    }

    /// The ends of its 95 % interval; `None` for a single seed.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let Estimate { mean, half_width, .. } = self.estimate;
        half_width.map(|half| (mean - half, mean + half))
    }

    /// Probability of a mean as large as this one, or larger, if `null` were the truth.
    fn p_above(&self, null: f64) -> f64 {
        let Estimate { mean, standard_deviation, n, .. } = self.estimate;
        let Some(deviation) = standard_deviation else { return 1.0 };
        let error = deviation / (n as f64).sqrt();
        if error > 0.0 {
            return upper_tail((mean - null) / error, n - 1);
        }
        // Seeds that agree to the last digit.
        if mean > null { 0.0 } else { 1.0 }
    }

    /// As [`Effect::p_above`], or smaller.
    fn p_below(&self, null: f64) -> f64 {
        let opposite =
            Effect { differences: Vec::new(), estimate: Estimate { mean: -self.estimate.mean, ..self.estimate } };
        opposite.p_above(-null)
    }
}

impl Judgement {
    /// Of what has no interval.
    fn without(verdict: Verdict) -> Judgement {
        Judgement { verdict, p_holds: 1.0, p_fails: 1.0 }
    }

    /// Two-sided: of whichever of holding and failing is nearer.
    pub fn p(&self) -> f64 {
        (2.0 * self.p_holds.min(self.p_fails)).min(1.0)
    }
}

/// Judges one effect; `None` is one that could not be measured. δ is 0 or more, in the unit of the effect.
pub fn judge(effect: Option<&Effect>, rule: Rule, delta: f64) -> Judgement {
    let Some(effect) = effect else { return Judgement::without(Verdict::NotMeasured) };
    let Some((low, high)) = effect.interval() else { return Judgement::without(Verdict::TooFewSeeds) };
    match rule {
        Rule::Superiority => {
            let verdict = match () {
                () if low > delta => Verdict::Holds,
                () if high < 0.0 => Verdict::Reversed,
                () if high < delta => Verdict::Fails,
                () => Verdict::Undecided,
            };
            Judgement { verdict, p_holds: effect.p_above(delta), p_fails: effect.p_below(delta) }
        }
        Rule::Equivalence => {
            let verdict = match () {
                () if -delta < low && high < delta => Verdict::Holds,
                () if low > delta || high < -delta => Verdict::Fails,
                () => Verdict::Undecided,
            };
            let p_holds = effect.p_above(-delta).max(effect.p_below(delta));
            Judgement { verdict, p_holds, p_fails: effect.p_above(delta).min(effect.p_below(-delta)) }
        }
    }
}

/// Judges a claim of several parts, of which there is at least one. That one of `n` parts fails is `n` times as easily chance.
pub fn conjunction(parts: &[Judgement]) -> Judgement {
    let has = |wanted: Verdict| parts.iter().any(|part| part.verdict == wanted);
    let verdict = match parts {
        [one] => one.verdict,
        _ if has(Verdict::Fails) || has(Verdict::Reversed) => Verdict::Fails,
        _ if has(Verdict::NotMeasured) => Verdict::NotMeasured,
        _ if has(Verdict::TooFewSeeds) => Verdict::TooFewSeeds,
        _ if has(Verdict::Undecided) => Verdict::Undecided,
        _ => Verdict::Holds,
    };
    let p_holds = parts.iter().map(|part| part.p_holds).fold(0.0, f64::max);
    let p_fails = parts.iter().map(|part| part.p_fails).fold(1.0, f64::min);
    Judgement { verdict, p_holds, p_fails: (p_fails * parts.len() as f64).min(1.0) }
}

/// The two-sided p-values of some claims, adjusted for their number by Holm's step-down procedure: whichever claims have one below
/// 5 % are decided, and the chance that any of these decisions is wrong is at most 5 %.
pub fn adjusted(judgements: &[Judgement]) -> Vec<f64> {
    let n = judgements.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| judgements[a].p().total_cmp(&judgements[b].p()));
    let (mut adjusted, mut largest) = (vec![1.0; n], 0.0f64);
    for (rank, index) in order.into_iter().enumerate() {
        largest = largest.max((judgements[index].p() * (n - rank) as f64).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

/// The verdicts of some claims, adjusted for their number; one that is decided by itself may be undecided among many. A claim that
/// could not be judged counts as one of them. Of a reversed one it is adjusted that it fails, not that it goes the other way.
pub fn holm(judgements: &[Judgement]) -> Vec<Verdict> {
    let verdict = |(one, p): (&Judgement, f64)| match one.verdict {
        Verdict::Holds | Verdict::Fails | Verdict::Reversed if p >= LEVEL => Verdict::Undecided,
        verdict => verdict,
    };
    judgements.iter().zip(adjusted(judgements)).map(verdict).collect()
}
