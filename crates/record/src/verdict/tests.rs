//! Verdicts against scipy's tests, and what must be so of any effects.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::golden::{CASES, HOLM};
use super::*;

fn effect(values: &[f64]) -> Effect {
    let zeros: Vec<(u64, f64)> = (0..values.len() as u64).map(|seed| (seed, 0.0)).collect();
    let to: Vec<(u64, f64)> = values.iter().enumerate().map(|(seed, value)| (seed as u64, *value)).collect();
    Effect::of(&change(&zeros, &to), 1.0).unwrap()
}

#[test]
fn verdicts_and_p_values_are_those_of_scipy() {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-12 + 1e-10 * b.abs();
    for (values, delta, (low, high), superiority, equivalence) in CASES {
        let effect = effect(values);
        let found = effect.interval().unwrap();
        assert!(near(found.0, *low) && near(found.1, *high), "{values:?}: {found:?}");
        for (rule, (verdict, holds, fails)) in [(Rule::Superiority, superiority), (Rule::Equivalence, equivalence)] {
            let found = judge(Some(&effect), rule, *delta);
            assert_eq!(found.verdict, *verdict, "{values:?}");
            assert!(near(found.p_holds, *holds) && near(found.p_fails, *fails), "{values:?}: {found:?}");
        }
    }
}

#[test]
fn adjusted_p_values_are_those_of_statsmodels() {
    let judged: Vec<Judgement> =
        CASES.iter().map(|(values, delta, ..)| judge(Some(&effect(values)), Rule::Superiority, *delta)).collect();
    for (found, expected) in adjusted(&judged).iter().zip(HOLM) {
        assert!((found - expected).abs() < 1e-10, "{found} against {expected}");
    }
    let single: Vec<Verdict> = judged.iter().map(|one| one.verdict).collect();
    assert_eq!(holm(&judged), single);
    // The same among a hundred claims of which nothing is known.
    let mut many = judged.clone();
    many.extend(std::iter::repeat_n(judge(None, Rule::Superiority, 1.0), 100));
    assert_eq!(holm(&many)[1..3], [Verdict::Holds, Verdict::Fails]);
    assert_eq!((many[4].verdict, holm(&many)[4]), (Verdict::Fails, Verdict::Undecided));
    assert_eq!(holm(&many)[50], Verdict::NotMeasured);
}

#[test]
fn effects_are_paired_by_the_seeds_that_both_have() {
    let changes = change(&[(0, 1.0), (1, 2.0), (9, 50.0)], &[(1, 5.0), (0, 2.0), (7, 0.0)]);
    assert_eq!(changes, [(0, 1.0), (1, 3.0)]);
    let found = Effect::of(&changes, -1.0).unwrap();
    assert_eq!((found.differences, found.estimate.mean), (vec![(0, -1.0), (1, -3.0)], -2.0));
    assert_eq!(Effect::of(&change(&[(0, 1.0)], &[(1, 1.0)]), 1.0), None);
}

#[test]
fn what_was_not_measured_or_has_one_seed_is_not_judged() {
    assert_eq!(judge(None, Rule::Superiority, 1.0), Judgement::without(Verdict::NotMeasured));
    assert_eq!(judge(Some(&effect(&[3.0])), Rule::Equivalence, 1.0), Judgement::without(Verdict::TooFewSeeds));
}

#[test]
fn seeds_that_agree_to_the_last_digit_decide() {
    let one = |value: f64, rule| judge(Some(&effect(&[value; 3])), rule, 1.0).verdict;
    let superior = [2.0, 1.0, 0.5, -1.0].map(|value| one(value, Rule::Superiority));
    assert_eq!(superior, [Verdict::Holds, Verdict::Undecided, Verdict::Fails, Verdict::Reversed]);
    let equivalent = [0.0, 1.0, 2.0].map(|value| one(value, Rule::Equivalence));
    assert_eq!(equivalent, [Verdict::Holds, Verdict::Undecided, Verdict::Fails]);
}

#[test]
fn a_conjunction_is_as_weak_as_its_weakest_part() {
    use Verdict::{Fails, Holds, NotMeasured, Reversed, TooFewSeeds, Undecided};
    for (parts, verdict) in [
        (&[Reversed][..], Reversed),
        (&[Holds, Holds], Holds),
        (&[Holds, Undecided], Undecided),
        (&[Holds, Reversed], Fails),
        (&[NotMeasured, Fails], Fails),
        (&[Undecided, TooFewSeeds], TooFewSeeds),
        (&[Undecided, TooFewSeeds, NotMeasured], NotMeasured),
    ] {
        let parts: Vec<Judgement> = parts.iter().map(|&verdict| Judgement::without(verdict)).collect();
        assert_eq!(conjunction(&parts).verdict, verdict);
    }
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-3.0..3.0f64, 2..7)
}

proptest! {
    #[test]
    fn a_verdict_is_decided_where_its_p_value_is_below_five_percent(values in values(), delta in 0.0..2.0f64) {
        let effect = effect(&values);
        for rule in [Rule::Superiority, Rule::Equivalence] {
            let found = judge(Some(&effect), rule, delta);
            let decided = (found.verdict == Verdict::Holds, matches!(found.verdict, Verdict::Fails | Verdict::Reversed));
            // Within rounding of the level either is right.
            for (is_decided, p) in [(decided.0, found.p_holds), (decided.1, found.p_fails)] {
                prop_assert!((p - 0.025).abs() < 1e-9 || is_decided == (p < 0.025), "{found:?}");
            }
        }
    }

    #[test]
    fn nothing_holds_whose_interval_includes_the_bound(
        values in prop_oneof![values(), prop::collection::vec(prop::sample::select(vec![-1.0, 0.0, 1.0, 2.0]), 2..7)],
        delta in prop_oneof![0.0..2.0f64, prop::sample::select(vec![0.0, 1.0])],
        others in prop::collection::vec(values(), 0..4),
    ) {
        let effect = effect(&values);
        let (low, high) = effect.interval().unwrap();
        for rule in [Rule::Superiority, Rule::Equivalence] {
            let bounds = if rule == Rule::Superiority { vec![delta] } else { vec![-delta, delta] };
            if bounds.into_iter().all(|bound| !(low..=high).contains(&bound)) {
                continue;
            }
            let one = judge(Some(&effect), rule, delta);
            prop_assert_ne!(one.verdict, Verdict::Holds);
            // Nor as a part of a claim, nor adjusted.
            let rest = others.iter().map(|values| judge(Some(&self::effect(values)), rule, delta));
            let all: Vec<Judgement> = std::iter::once(one).chain(rest).collect();
            prop_assert_ne!(conjunction(&all).verdict, Verdict::Holds);
            prop_assert_ne!(holm(&all)[0], Verdict::Holds);
        }
    }

    #[test]
    fn the_opposite_of_what_holds_is_reversed(values in values(), delta in 0.01..2.0f64) {
        let opposite: Vec<f64> = values.iter().map(|value| -value).collect();
        let judged = |values: &[f64], rule| judge(Some(&effect(values)), rule, delta);
        if judged(&values, Rule::Superiority).verdict == Verdict::Holds {
            prop_assert_eq!(judged(&opposite, Rule::Superiority).verdict, Verdict::Reversed);
            prop_assert_eq!(judged(&values, Rule::Equivalence).verdict, Verdict::Fails);
        }
        // Equivalence has no direction.
        prop_assert_eq!(judged(&values, Rule::Equivalence).verdict, judged(&opposite, Rule::Equivalence).verdict);
    }

    #[test]
    fn a_larger_delta_never_helps_superiority_and_never_harms_equivalence(
        values in values(), delta in 0.0..2.0f64, more in 0.0..2.0f64
    ) {
        let effect = effect(&values);
        let holds = |rule, delta| judge(Some(&effect), rule, delta).verdict == Verdict::Holds;
        prop_assert!(holds(Rule::Superiority, delta) || !holds(Rule::Superiority, delta + more));
        prop_assert!(!holds(Rule::Equivalence, delta) || holds(Rule::Equivalence, delta + more));
    }

    #[test]
    fn holm_decides_nothing_that_a_claim_alone_does_not(
        cases in prop::collection::vec((values(), 0.0..1.0f64), 1..8)
    ) {
        let judged: Vec<Judgement> =
            cases.iter().map(|(values, delta)| judge(Some(&effect(values)), Rule::Superiority, *delta)).collect();
        for (one, adjusted) in judged.iter().zip(holm(&judged)) {
            prop_assert!(adjusted == one.verdict || adjusted == Verdict::Undecided);
        }
        prop_assert!(adjusted(&judged).iter().zip(&judged).all(|(adjusted, one)| *adjusted >= one.p()));
        prop_assert_eq!(holm(&judged[..1])[0], judged[0].verdict);
    }
}

#[test]
fn points_are_joined_by_lines_in_whatever_order_they_are_and_not_prolonged() {
    let points = [(30.0, 1.0), (10.0, 3.0), (20.0, 1.5)];
    let at = [5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 30.1].map(|x| interpolated(&points, x));
    assert_eq!(at, [None, Some(3.0), Some(2.25), Some(1.5), Some(1.25), Some(1.0), None]);
    assert_eq!(
        [interpolated(&[], 1.0), interpolated(&[(2.0, 7.0)], 2.0), interpolated(&[(2.0, 7.0)], 1.0)],
        [None, Some(7.0), None]
    );
}
