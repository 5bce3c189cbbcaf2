//! Groups that differ in one setting alone, which is what a difference can be put down to.

use serde_json::Value;
use spec::Metric;

use crate::records::{Group, MeasurementKey, Records, RunNumbers};
use crate::setting::{GroupKey, Setting, equation, phrase};

/// A number that groups are compared by.
#[derive(Clone, Debug, PartialEq)]
pub enum Quantity {
    /// A metric of the test images at the last epoch.
    Last(Metric),
    /// What was measured on the trained models.
    Measured(MeasurementKey),
}

impl Quantity {
    /// The value of each of a group's runs that has it, with its seed.
    pub fn by_seed(&self, group: &Group) -> Vec<(u64, f64)> {
        let of = |run: &RunNumbers| match self {
            Quantity::Last(metric) => run.result()?.get(*metric),
            Quantity::Measured(wanted) => {
                run.measures.iter().find(|(measure, _)| measure == wanted).map(|(_, value)| *value)
            }
        };
        group.runs.iter().filter_map(|run| Some((run.seed, of(run)?))).collect()
    }
}

/// Groups that have everything in common but one setting, of which each has another value.
#[derive(Clone, Debug)]
pub struct Series<'a> {
    /// The setting's path.
    pub path: String,
    /// Index among all groups, and the group; by value where those are numbers, else in the order of the file.
    pub members: Vec<(usize, &'a Group)>,
    /// Whether the values are numbers.
    pub is_ordered: bool,
}

impl Series<'_> {
    /// What the members have in common and other groups have otherwise: `prior vamp components 50, β = 1`; empty where there is
    /// no such thing.
    pub fn context(&self) -> String {
        let without = |group: &Group| {
            let others = group.key.settings.iter().filter(|setting| setting.path != self.path).cloned();
            GroupKey { settings: others.collect() }.name()
        };
        self.members.first().map_or_else(String::new, |(_, group)| without(group))
    }

    /// As [`Series::level`], of the member with this index among all groups.
    pub fn label(&self, index: usize) -> String {
        let position = self.members.iter().position(|(member, _)| *member == index);
        position.map_or_else(String::new, |position| self.level(position))
    }

    /// A member's value in words: `D = 20`, `prior standard`.
    pub fn level(&self, index: usize) -> String {
        let (_, group) = self.members[index];
        let Some(setting) = group.key.setting(&self.path) else { return String::new() };
        equation(&self.path, Some(&setting.value)).unwrap_or_else(|| phrase(&[setting]))
    }
}

/// What tells a group from the others: `prior standard, D = 20, β = 1`; `all runs` for a group that is alone.
pub fn name(group: &Group) -> String {
    match group.key.name() {
        none if none.is_empty() => "all runs".to_owned(),
        name => name,
    }
}

/// Whether numbers of two groups may be compared: on one scale, of the same images.
pub fn are_comparable(one: &Group, other: &Group) -> bool {
    one.cell.basis() == other.cell.basis()
}

/// A group's settings but for one; equal for groups that differ in that alone.
fn others<'a>(group: &'a Group, path: &str) -> Vec<(&'a str, &'a Value)> {
    let is_other = |setting: &&Setting| setting.path != path;
    group.key.settings.iter().filter(is_other).map(|setting| (setting.path.as_str(), &setting.value)).collect()
}

/// Every series of at least two groups, by path in the order of the spec, then by its first group.
pub fn series(records: &Records) -> Vec<Series<'_>> {
    let mut paths: Vec<&str> = Vec::new();
    for setting in records.groups.iter().flat_map(|group| &group.key.settings) {
        if !paths.contains(&setting.path.as_str()) {
            paths.push(&setting.path);
        }
    }
    let mut found = Vec::new();
    for path in paths {
        let mut of_path: Vec<Series<'_>> = Vec::new();
        let with = records.groups.iter().enumerate().filter(|(_, group)| group.key.setting(path).is_some());
        for (index, group) in with {
            let is_like = |series: &&mut Series<'_>| {
                let first = series.members[0].1;
                are_comparable(first, group) && others(first, path) == others(group, path)
            };
            match of_path.iter_mut().find(is_like) {
                Some(series) => series.members.push((index, group)),
                None => {
                    of_path.push(Series { path: path.to_owned(), members: vec![(index, group)], is_ordered: false })
                }
            }
        }
        for mut series in of_path.into_iter().filter(|series| series.members.len() > 1) {
            let number = |group: &Group| group.key.setting(path).and_then(|setting| setting.value.as_f64());
            series.is_ordered = series.members.iter().all(|(_, group)| number(group).is_some());
            if series.is_ordered {
                series.members.sort_by(|(_, a), (_, b)| number(a).unwrap_or(0.0).total_cmp(&number(b).unwrap_or(0.0)));
            }
            found.push(series);
        }
    }
    found
}
