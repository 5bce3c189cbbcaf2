//! How a set-up's terms went over the epochs, thinned out to what a table has room for.

use std::collections::{BTreeMap, BTreeSet};

use record::published::PublishedRow;
use record::summary::estimate;
use spec::{Metric, ReferenceMetric};

/// Numbers on the test images at one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Epochs completed.
    pub epoch: u32,
    /// A mean over seeds for each of [`shown`], `None` for what the models do not have.
    pub values: Vec<Option<f64>>,
}

/// What is shown of an epoch: the numbers that are measured at each.
pub fn shown() -> impl Iterator<Item = ReferenceMetric> {
    ReferenceMetric::all().filter(|metric| metric.metric().0.about().per_epoch.is_some())
}

/// The curve of some runs at the first epoch, the last, and those in between that follow 1, 2, 5, 10, 20, 50, …
pub fn curve(records: &[&PublishedRow]) -> Vec<Point> {
    let mut values: BTreeMap<(u32, Metric), Vec<f64>> = BTreeMap::new();
    for record in records {
        if let Some(epoch) = record.epoch {
            values.entry((epoch, record.metric)).or_default().push(record.value);
        }
    }
    let epochs: BTreeSet<u32> = values.keys().map(|(epoch, _)| *epoch).collect();
    let mean = |epoch: u32, of: ReferenceMetric| {
        let (metric, factor) = of.metric();
        Some(factor * estimate(values.get(&(epoch, metric))?)?.mean)
    };
    let point = |epoch: u32| Point { epoch, values: shown().map(|of| mean(epoch, of)).collect() };
    let is_shown = |epoch: &&u32| Some(*epoch) == epochs.last() || Some(*epoch) == epochs.first() || is_round(**epoch);
    epochs.iter().filter(is_shown).map(|&epoch| point(epoch)).collect()
}

/// Whether a number is 1, 2 or 5 times a power of ten.
fn is_round(mut n: u32) -> bool {
    while n > 9 && n.is_multiple_of(10) {
        n /= 10;
    }
    [1, 2, 5].contains(&n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_numbers_are_those_of_a_logarithmic_axis() {
        let round: Vec<u32> = (1..=200).filter(|&n| is_round(n)).collect();
        assert_eq!(round, [1, 2, 5, 10, 20, 50, 100, 200]);
    }
}
