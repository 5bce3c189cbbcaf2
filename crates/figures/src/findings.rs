//! What the records show, in sentences: rules over groups of runs, silent wherever a difference may be chance.

use record::difference::clear_difference;
use record::summary::{Estimate, estimate};
use spec::metric::Unit;
use spec::{Metric, Split, setting_title};

use crate::axis::fixed;
use crate::contrast::{Quantity, Series, are_comparable, name, series};
use crate::records::{Group, Records};
use crate::setting::{LATENT_DIM, words};

/// What is said of all findings where they stand together.
pub const NOTE: &str = "Differences are means over seeds, paired where the seeds are the same, ± half the width of their 95 % \
                        t-interval. Told are those whose intervals do not overlap; of single seeds nothing is told.";

/// A sentence with the rows that it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The sentence.
    pub text: String,
    /// What tells the rows that it is about from the others: `D = 20, β = 1`.
    pub rows: Vec<String>,
    /// The same as indices among the groups.
    pub(crate) groups: Vec<usize>,
    /// The same in as few words as the sentence leaves open: `D = 20`.
    pub(crate) labels: Vec<String>,
}

/// How a difference of a quantity is put into words.
struct Wording {
    quantity: Quantity,
    /// Behind the amount: `nats of ELBO`.
    unit: &'static str,
    /// Of more of it, and of less: for the first step of a sentence, then for later ones.
    more: [&'static str; 2],
    less: [&'static str; 2],
    /// Of the best of several.
    best: &'static str,
    is_higher_better: bool,
    decimals: usize,
}

impl Wording {
    /// The wording of a quantity that ranks models; `None` for one that does not.
    fn of(quantity: Quantity) -> Option<Wording> {
        let metric = match &quantity {
            Quantity::Last(metric) => *metric,
            Quantity::Measured(measure) => measure.metric,
        };
        let decimals = metric.about().decimals;
        let gain = (["gains", "gains"], ["loses", "loses"]);
        let (unit, (more, less), best, is_higher_better) = match metric {
            Metric::Elbo => ("nats of ELBO", gain, "the highest ELBO", true),
            Metric::Psnr => ("dB of PSNR", gain, "the highest PSNR", true),
            Metric::Nll => {
                let verbs = (["raises −log p(x) by", "raises it by"], ["lowers −log p(x) by", "lowers it by"]);
                ("nats", verbs, "the lowest −log p(x)", false)
            }
            Metric::PseudoNll => {
                let verbs =
                    (["raises pseudo −log p(x) by", "raises it by"], ["lowers pseudo −log p(x) by", "lowers it by"]);
                ("nats", verbs, "the lowest pseudo −log p(x)", false)
            }
            Metric::Reconstruction => {
                let verbs = (["adds", "adds"], ["saves", "saves"]);
                ("nats of reconstruction", verbs, "the lowest reconstruction", false)
            }
            _ => return None,
        };
        debug_assert!(matches!(metric.about().unit, Unit::Nats | Unit::Decibels));
        Some(Wording { quantity, unit, more, less, best, is_higher_better, decimals })
    }

    /// The values of groups that have this quantity as one that ranks them: without a KL there is no bound, and the
    /// reconstruction is what is minimised; with one it is traded against the KL.
    fn by_seed(&self, group: &Group) -> Vec<(u64, f64)> {
        let is_traded = self.quantity == Quantity::Last(Metric::Reconstruction) && group.last(Metric::Kl).is_some();
        if is_traded { Vec::new() } else { self.quantity.by_seed(group) }
    }

    /// `1.20 ± 0.30 nats of ELBO`.
    fn amount(&self, mean: f64, half_width: f64) -> String {
        format!("{} ± {}", fixed(mean.abs(), self.decimals), fixed(half_width, self.decimals))
    }
}

/// Everything that the rules find, the most general first.
pub fn findings(records: &Records) -> Vec<Finding> {
    let wordings: Vec<Wording> = quantities(records).into_iter().filter_map(Wording::of).collect();
    let series = series(records);
    let mut found = Vec::new();
    for wording in &wordings {
        found.extend(best_of_all(records, wording));
        for one in &series {
            found.extend(if one.is_ordered {
                steps(records, one, wording)
            } else {
                best_variant(records, one, wording)
            });
        }
    }
    found.extend(series.iter().filter_map(|one| switched_off(records, one)));
    found
}

/// What models are ranked by, as far as it was measured.
fn quantities(records: &Records) -> Vec<Quantity> {
    let mut quantities = vec![Quantity::Last(Metric::Elbo)];
    let measured = records.groups.iter().flat_map(|group| &group.runs).flat_map(|run| &run.measures);
    for metric in [Metric::Nll, Metric::PseudoNll, Metric::Psnr] {
        for (measure, _) in measured.clone().filter(|(key, _)| key.metric == metric && key.split == Split::Test) {
            let quantity = Quantity::Measured(measure.clone());
            if !quantities.contains(&quantity) {
                quantities.push(quantity);
            }
        }
    }
    quantities.insert(1, Quantity::Last(Metric::Reconstruction));
    quantities
}

/// A finding about some of a series' groups, or, without a series, of all.
fn finding(records: &Records, text: String, groups: Vec<usize>, series: Option<&Series<'_>>) -> Finding {
    let rows: Vec<String> = groups.iter().map(|&index| name(&records.groups[index])).collect();
    let labels =
        series.map_or_else(|| rows.clone(), |series| groups.iter().map(|&index| series.label(index)).collect());
    Finding { text, rows, groups, labels }
}

/// From a member to the next one: `D `, once said, and `2 → 5`; nothing and `σ² = 0.1 → σ = 1` where the two are not told alike.
fn step(series: &Series<'_>, index: usize) -> (String, String) {
    let (from, to) = (series.level(index), series.level(index + 1));
    match (from.split_once(" = "), to.split_once(" = ")) {
        (Some((symbol, from)), Some((other, to))) if symbol == other => {
            (format!("{symbol} "), format!("{from} → {to}"))
        }
        (Some(_), Some(_)) => (String::new(), format!("{from} → {to}")),
        _ => {
            let value = |(_, group): &(usize, &Group)| {
                group.key.setting(&series.path).map(|s| words(&s.value)).unwrap_or_default()
            };
            let [from, to] = [index, index + 1].map(|index| value(&series.members[index]));
            (format!("{} ", setting_title(&series.path)), format!("{from} → {to}"))
        }
    }
}

/// `At β = 1, D 2 → 5 gains 20.10 ± 0.42 nats of ELBO and 5 → 10 gains 8.20 ± 0.31 (n = 3).`
fn steps(records: &Records, series: &Series<'_>, wording: &Wording) -> Option<Finding> {
    let (mut said, mut groups, mut least) = (Vec::new(), Vec::new(), usize::MAX);
    for (index, pair) in series.members.windows(2).enumerate() {
        let [(from_index, from), (to_index, to)] = [pair[0], pair[1]];
        if !are_comparable(from, to) {
            continue;
        }
        let Some(found) = clear_difference(&wording.by_seed(from), &wording.by_seed(to)) else { continue };
        let [first, later] = if found.mean > 0.0 { wording.more } else { wording.less };
        let (symbol, step) = step(series, index);
        let amount = wording.amount(found.mean, found.half_width);
        said.push(match said.is_empty() {
            true => format!("{symbol}{step} {first} {amount} {}", wording.unit),
            false => format!("{step} {later} {amount}"),
        });
        groups.extend([from_index, to_index].into_iter().filter(|index| !groups.contains(index)).collect::<Vec<_>>());
        least = least.min(found.n);
    }
    (!said.is_empty()).then(|| {
        let text = sentence(&series.context(), &format!("{} (n = {least})", spec::listed(&said, "and")));
        finding(records, text, groups, Some(series))
    })
}

/// `At β = 1, prior vamp components 50 has the highest ELBO, 0.80 ± 0.30 nats above prior standard (n = 3).`
fn best_variant(records: &Records, series: &Series<'_>, wording: &Wording) -> Option<Finding> {
    let (text, groups) = first_and_second(&series.members, wording, |index| series.label(index))?;
    Some(finding(records, sentence(&series.context(), &text), groups, Some(series)))
}

/// The best of all groups that may be compared, where there are three or more.
fn best_of_all(records: &Records, wording: &Wording) -> Vec<Finding> {
    let mut sets: Vec<Vec<(usize, &Group)>> = Vec::new();
    for (index, group) in records.groups.iter().enumerate().filter(|(_, group)| !wording.by_seed(group).is_empty()) {
        match sets.iter_mut().find(|set| are_comparable(set[0].1, group)) {
            Some(set) => set.push((index, group)),
            None => sets.push(vec![(index, group)]),
        }
    }
    let is_several = sets.len() > 1;
    let of = |set: Vec<(usize, &Group)>| {
        let (text, groups) = first_and_second(&set, wording, |index| name(&records.groups[index]))?;
        let scale = if is_several { format!("On the scale {}", set[0].1.cell.scale()) } else { String::new() };
        Some(finding(records, sentence_after(&scale, &text), groups, None))
    };
    sets.into_iter().filter(|set| set.len() > 2).filter_map(of).collect()
}

/// The best of some groups, where it is clearly better than the second: `A has the highest ELBO, 0.80 ± 0.30 nats above B`.
fn first_and_second(
    members: &[(usize, &Group)],
    wording: &Wording,
    name: impl Fn(usize) -> String,
) -> Option<(String, Vec<usize>)> {
    let mean = |group: &Group| {
        let values: Vec<f64> = wording.by_seed(group).into_iter().map(|(_, value)| value).collect();
        estimate(&values).map(|e| if wording.is_higher_better { -e.mean } else { e.mean })
    };
    let mut ranked: Vec<(f64, usize, &Group)> =
        members.iter().filter_map(|&(index, group)| Some((mean(group)?, index, group))).collect();
    ranked.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
    let [(_, best, first), (_, next, second), ..] = ranked.as_slice() else { return None };
    if !are_comparable(first, second) {
        return None;
    }
    let found = clear_difference(&wording.by_seed(second), &wording.by_seed(first))?;
    let amount = wording.amount(found.mean, found.half_width);
    let beyond = if wording.is_higher_better { "above" } else { "below" };
    let unit = wording.unit.split(' ').next().unwrap_or_default();
    let text = format!(
        "{} has {}, {amount} {unit} {beyond} the next, {} (n = {})",
        name(*best),
        wording.best,
        name(*next),
        found.n
    );
    Some((text, vec![*best, *next]))
}

/// `At D = 20, β = 4 switches off 8 of 20 units (n = 3).`
fn switched_off(records: &Records, series: &Series<'_>) -> Option<Finding> {
    if !series.is_ordered || series.path == LATENT_DIM {
        return None;
    }
    let units = Quantity::Last(Metric::ActiveUnits);
    let mean = |group: &Group| group.last(Metric::ActiveUnits).map(|e| e.mean());
    // The first of those that use the most.
    let most = series.members.iter().filter_map(|(_, group)| mean(group)).fold(f64::NEG_INFINITY, f64::max);
    let reference = series.members.iter().position(|(_, group)| mean(group) == Some(most))?;
    let (reference_index, all) = series.members[reference];
    let (mut said, mut groups, mut least) = (Vec::new(), vec![reference_index], usize::MAX);
    for (position, (index, group)) in series.members.iter().enumerate() {
        let Some(found) = clear_difference(&units.by_seed(all), &units.by_seed(group)).filter(|d| d.mean < 0.0) else {
            continue;
        };
        let off =
            Estimate { mean: -found.mean, standard_deviation: None, half_width: Some(found.half_width), n: found.n };
        said.push(format!("{} switches off {}", series.level(position), count(&off)));
        groups.push(*index);
        least = least.min(found.n);
    }
    if said.is_empty() {
        return None;
    }
    let of = match most == all.cell.model.latent_dim as f64 {
        true => format!("of {most} units"),
        false => {
            let used = all.last(Metric::ActiveUnits).map_or_else(String::new, |e| count(&e.estimate));
            format!("of the {used} units that are active at {}", series.level(reference))
        }
    };
    let text = format!("{} {of} (n = {least})", spec::listed(&said, "and"));
    Some(finding(records, sentence(&series.context(), &text), groups, Some(series)))
}

/// A count over seeds: whole where every seed has the same.
fn count(estimate: &Estimate) -> String {
    match estimate.half_width {
        Some(half) if half > 0.0 => format!("{} ± {}", fixed(estimate.mean, 1), fixed(half, 1)),
        _ if estimate.mean.fract() == 0.0 => fixed(estimate.mean, 0),
        _ => fixed(estimate.mean, 1),
    }
}

/// What a setting is called: `D`, `β`, `learning rate`.
fn sentence(context: &str, text: &str) -> String {
    sentence_after(&if context.is_empty() { String::new() } else { format!("At {context}") }, text)
}

/// A sentence, behind where it holds.
fn sentence_after(place: &str, text: &str) -> String {
    match place {
        "" => format!("{}.", capitalised(text)),
        place => format!("{place}, {text}."),
    }
}

/// The same text with a large first letter; Greek ones are symbols and stay.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if first.is_ascii() => first.to_ascii_uppercase().to_string() + letters.as_str(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
