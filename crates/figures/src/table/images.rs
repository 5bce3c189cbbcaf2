//! Tables of what was measured in the images that models make.

use std::collections::BTreeSet;

use spec::Metric;
use spec::metric::{Role, Subject};

use super::{Table, columns, measured, notes_on_fewer, over, units};
use crate::notes;
use crate::records::{Group, MeasurementKey, Part, Records};
use crate::warnings::Warning;

/// What one asks of reconstructions and samples, and the same reconstructions decoded in three ways; none of models that make
/// no images, or whose images were not measured.
pub fn tables(records: &Records, part: &Part<'_>) -> impl Iterator<Item = Table> {
    [quality(records, part), decoding(records, part)].into_iter().flatten()
}

fn quality(records: &Records, part: &Part<'_>) -> Option<Table> {
    let wanted = |measure: &MeasurementKey| {
        measure.metric.about().role == Role::Images
            && measure.settings.decode.is_none()
            // What the data have is the same in every line.
            && measure.settings.of != Some(Subject::Data)
    };
    let what = "reconstructions, decoded at the posterior's mean, and samples from the prior, all decoder means unless they are called draws";
    table(records, part, "images", what, wanted)
}

/// Sharpness and fidelity by how the reconstruction was decoded: none where it was in one way only, as an autoencoder's.
fn decoding(records: &Records, part: &Part<'_>) -> Option<Table> {
    let groups = part.groups.as_slice();
    let decoded = measured(groups, |measure| measure.settings.decode.is_some());
    let metrics: BTreeSet<Metric> = decoded.iter().map(|measure| measure.metric).collect();
    let of = decoded.iter().map(|measure| measure.settings.of).collect::<Vec<_>>();
    if metrics.is_empty() {
        return None;
    }
    // The sharpness in itself says less than that by the data's, and the squared error what the PSNR says.
    let is_said = |metric: Metric| metrics.contains(&metric) && !matches!(metric, Metric::Sharpness | Metric::Mse);
    let wanted = |measure: &MeasurementKey| is_said(measure.metric) && of.contains(&measure.settings.of);
    let what = "reconstructions decoded at the posterior's mean, at a draw of z, and as the average over several draws, all decoder \
                means: what an average over the posterior blurs";
    table(records, part, "decoding", what, wanted)
}

fn table(
    records: &Records,
    part: &Part<'_>,
    name: &str,
    what: &str,
    is_wanted: impl Fn(&MeasurementKey) -> bool,
) -> Option<Table> {
    let has = |group: &&&Group| !measured(&[**group], &is_wanted).is_empty();
    let groups: Vec<&Group> = part.groups.iter().filter(has).copied().collect();
    let measures = measured(&groups, &is_wanted);
    if measures.is_empty() {
        return None;
    }
    let (columns, lines) = columns(&groups, &measures);
    let units = units(&measures);
    let caption = format!(
        "{} on {}: {what}, measured on the test images{}; {}.{}{}{}",
        records.name,
        part.basis,
        if units.is_empty() { String::new() } else { format!(" ({units})") },
        over(&lines),
        notes_on_fewer(&measures),
        notes::missing(records),
        notes::warned(records, &groups, Warning::concerns_numbers),
    );
    let table = Table::new(records, format!("{name}{}", part.suffix), caption, columns, lines, &groups);
    Some(Table { scale: None, ..table })
}
