//! How a set-up's terms went over the epochs, thinned out to what a table has room for.

use std::collections::{BTreeMap, BTreeSet};

use record::published::PublishedRow;
use record::summary::estimate;

/// Terms of the bound on the test images at one epoch: means over seeds, `None` for what the models do not have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Epochs completed.
    pub epoch: u32,
    /// −ELBO, nats per image.
    pub negative_elbo: Option<f64>,
    /// −E_q[log p(x|z)], nats per image.
    pub reconstruction: Option<f64>,
    /// KL(q(z|x) ‖ p(z)), nats per image.
    pub kl: Option<f64>,
    /// Latent dimensions in use.
    pub active_units: Option<f64>,
}

/// The curve of some runs at the first epoch, the last, and those in between that follow 1, 2, 5, 10, 20, 50, …
pub fn curve(records: &[&PublishedRow]) -> Vec<Point> {
    let mut values: BTreeMap<(u32, &str), Vec<f64>> = BTreeMap::new();
    for record in records {
        if let Some(epoch) = record.epoch {
            values.entry((epoch, record.metric.as_str())).or_default().push(record.value);
        }
    }
    let epochs: BTreeSet<u32> = values.keys().map(|(epoch, _)| *epoch).collect();
    let mean = |epoch: u32, metric: &'static str| Some(estimate(values.get(&(epoch, metric))?)?.mean);
    let point = |epoch: u32| Point {
        epoch,
        negative_elbo: mean(epoch, "elbo").map(|elbo| -elbo),
        reconstruction: mean(epoch, "reconstruction"),
        kl: mean(epoch, "kl"),
        active_units: mean(epoch, "active_units"),
    };
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
