//! The table of linear VAEs: what was measured on the training images beside what theory says of the optimum.

use record::summary::estimate;

use super::{Column, Table, lines, over};
use crate::closed_form::{METRICS, largest_difference, measured, predicted};
use crate::notes;
use crate::records::{Group, Part, Records};
use crate::warnings::Warning;

/// A pair of columns for each term and the largest difference of the dimensions' KL; none where no model has a closed form.
pub fn table(records: &Records, part: &Part<'_>) -> Option<Table> {
    let groups: Vec<&Group> = part.groups.iter().filter(|group| largest_difference(group).is_some()).copied().collect();
    groups.first()?;
    let pair = |metric: &spec::Metric| {
        let about = metric.about();
        let column = |title: &str, key: &str| Column {
            title: format!("{}{title}", about.title),
            key: format!("{metric}{key}"),
            decimals: about.decimals,
        };
        [column("", " (train)"), column(" (theory)", " (train, closed form)")]
    };
    let difference = Column {
        title: "largest |ΔKL|".to_owned(),
        key: "kl_dimension_largest_difference (train)".to_owned(),
        decimals: 3,
    };
    let columns: Vec<Column> = METRICS.iter().flat_map(pair).chain([difference]).collect();
    let lines = lines(&groups, |group| {
        let of = |metric: &spec::Metric| {
            let by_theory = predicted(group, *metric).and_then(|value| estimate(&[value]));
            [measured(group, *metric).map(|over| over.estimate), by_theory]
        };
        METRICS.iter().flat_map(of).chain([largest_difference(group).map(|over| over.estimate)]).collect()
    });
    let caption = format!(
        "{} on {}: linear VAEs on the training images in one pass after training, beside the optimum in closed form (theory: Lucas et al. \
         2019), in nats per image, and active units; the last column is the largest difference of the KL of a latent dimension, the \
         dimensions in order of their KL; {}.{}{}",
        records.name,
        records.dataset,
        over(&lines),
        notes::missing(records),
        notes::warned(records, &groups, Warning::concerns_numbers),
    );
    Some(Table::new(records, format!("closed-form{}", part.suffix), caption, columns, lines, &groups))
}
