//! The difference between two groups of runs, seed by seed where they share seeds, and how sure it is.

use crate::student::t_95;
use crate::summary::{Estimate, estimate};

/// One value for each seed of a group: the seed and the value.
pub type BySeed = [(u64, f64)];

/// The mean difference between two groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// What the second group has more than the first, in the unit of the values.
    pub mean: f64,
    /// Half the width of its 95 % confidence interval by Student's t.
    pub half_width: f64,
    /// The seeds it is from; the smaller group's where they share none.
    pub n: usize,
    /// Whether it is the mean of differences between runs of the same seed.
    pub is_paired: bool,
}

/// The difference `to` − `from`, and its interval; `None` where it has none, since a group has a single value.
///
/// Groups that share at least two seeds are compared seed by seed, over those alone: what a seed does to both cancels. Others
/// are compared by their means; of the number of degrees of freedom, which is between that of the smaller group and that of both
/// together, the smallest is taken (Welch 1938 gives the exact one), so that the interval is never too narrow.
pub fn difference(from: &BySeed, to: &BySeed) -> Option<Difference> {
    let other = |seed: u64| to.iter().find(|(other, _)| *other == seed).map(|(_, value)| *value);
    let paired: Vec<f64> = from.iter().filter_map(|(seed, value)| Some(other(*seed)? - value)).collect();
    if paired.len() > 1 {
        let Estimate { mean, half_width, n, .. } = estimate(&paired)?;
        return Some(Difference { mean, half_width: half_width?, n, is_paired: true });
    }
    let [a, b] = [from, to].map(|group| estimate(&group.iter().map(|(_, value)| *value).collect::<Vec<_>>()));
    let (a, b) = (a?, b?);
    let n = a.n.min(b.n);
    let variance = |e: &Estimate| e.standard_deviation.map(|deviation| deviation.powi(2) / e.n as f64);
    let half_width = t_95(n)? * (variance(&a)? + variance(&b)?).sqrt();
    Some(Difference { mean: b.mean - a.mean, half_width, n, is_paired: false })
}

/// Whether two groups differ for certain: neither is a single run, their 95 % intervals do not overlap, and that of their
/// difference does not hold zero.
pub fn clear_difference(from: &BySeed, to: &BySeed) -> Option<Difference> {
    let ends = |group: &BySeed| {
        let Estimate { mean, half_width, .. } = estimate(&group.iter().map(|(_, value)| *value).collect::<Vec<_>>())?;
        Some((mean - half_width?, mean + half_width?))
    };
    let ((from_low, from_high), (to_low, to_high)) = (ends(from)?, ends(to)?);
    let is_clear = |found: &Difference| {
        let is_apart = if found.mean > 0.0 { from_high < to_low } else { to_high < from_low };
        is_apart && found.mean.abs() > found.half_width
    };
    difference(from, to).filter(is_clear)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn seeds(values: &[f64]) -> Vec<(u64, f64)> {
        values.iter().enumerate().map(|(seed, value)| (seed as u64, *value)).collect()
    }

    #[test]
    fn the_same_seeds_are_compared_one_by_one() {
        let found = difference(&seeds(&[1.0, 2.0, 3.0]), &seeds(&[2.0, 3.5, 4.0])).unwrap();
        // Differences 1, 1.5 and 1: the deviation is 0.2887, and t for two degrees of freedom 4.3027.
        assert!((found.mean - 7.0 / 6.0).abs() < 1e-12 && found.is_paired && found.n == 3);
        assert!((found.half_width - 4.302_652_73 * 0.288_675_13 / 3f64.sqrt()).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn other_seeds_are_compared_by_their_means() {
        let other = [(7, 5.0), (8, 6.0), (9, 7.0)];
        let found = difference(&seeds(&[1.0, 2.0, 3.0]), &other).unwrap();
        assert_eq!((found.mean, found.n, found.is_paired), (4.0, 3, false));
        assert!((found.half_width - 4.302_652_73 * (2.0f64 / 3.0).sqrt()).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn one_run_tells_no_difference() {
        assert_eq!(difference(&seeds(&[1.0]), &seeds(&[2.0, 2.1])), None);
        assert_eq!(difference(&[], &seeds(&[2.0, 2.1])), None);
        assert_eq!(clear_difference(&seeds(&[1.0]), &seeds(&[100.0])), None);
    }

    proptest::proptest! {
        /// What is called clear has intervals apart, the right sign, and is clear the other way round.
        #[test]
        fn clear_is_apart(
            from in proptest::collection::vec(-10.0..10.0f64, 1..6),
            to in proptest::collection::vec(-10.0..10.0f64, 1..6),
        ) {
            let (a, b) = (estimate(&from).unwrap(), estimate(&to).unwrap());
            let (from, to) = (seeds(&from), seeds(&to));
            match clear_difference(&from, &to) {
                Some(found) => {
                    let gap = (b.mean - a.mean).abs() - a.half_width.unwrap() - b.half_width.unwrap();
                    proptest::prop_assert!(gap > 0.0 && found.n > 1 && found.mean.abs() > found.half_width);
                    let back = clear_difference(&to, &from).unwrap();
                    proptest::prop_assert!((back.mean + found.mean).abs() < 1e-9);
                }
                None => proptest::prop_assert_eq!(clear_difference(&to, &from), None),
            }
        }
    }
}
