//! How groups become rows of panels and lines within them.

use serde_json::Value;
use spec::{listed, setting_title};

use crate::colour::{self, Colour};
use crate::marker::Marker;
use crate::records::{Group, differing_others, is_shared, phrase_shared};
use crate::setting::{LATENT_DIM, QUANTITIES, Setting, equation, phrase};
use crate::variant;

use super::{Choice, spread};

/// The most lines in one panel.
pub const MAX_LINES: usize = 8;

/// Groups shown in one row of panels.
#[derive(Clone, Debug)]
pub struct Facet<'a> {
    /// What they share: `β = 0.5`; empty when there is one row only.
    pub label: String,
    /// Its groups, in order.
    pub groups: Vec<&'a Group>,
}

/// A group's values of some settings; absent where its model does not have the setting.
pub type Level = Vec<Option<Value>>;

/// One line, or bar, or set of points.
#[derive(Clone, Debug)]
pub struct Style {
    /// What it stands for.
    pub level: Level,
    /// For the legend.
    pub label: String,
    /// Its colour.
    pub colour: Colour,
    /// Its marker.
    pub marker: Marker,
}

/// What tells the lines of a panel, its points, or the panels of a row from one another: one setting, or several that are
/// told together.
#[derive(Clone, Debug, PartialEq)]
pub struct Along {
    paths: Vec<String>,
}

impl Along {
    /// The setting at a path.
    pub fn path(path: &str) -> Along {
        Along { paths: vec![path.to_owned()] }
    }

    /// All other settings than quantities at which these groups differ, but for those that are `taken`.
    pub fn others(groups: &[&Group], taken: &[Along]) -> Along {
        let is_taken = |path: &String| taken.iter().any(|along| along.paths.contains(path));
        Along { paths: differing_others(groups).into_iter().filter(|path| !is_taken(path)).collect() }
    }

    /// The first of latent dimension, β and other settings that has more than one value in some row; where each row would
    /// have a single one, the first that has more than one value at all. All of them together where some models lack one of the
    /// quantities, as far as a panel has room for so many lines: a row of its own would be called by what it lacks.
    pub fn choose(groups: &[&Group]) -> Along {
        let swept = swept(groups, &[]);
        let lacks =
            |along: &Along| along.quantity().is_some() && along.levels(groups).len() > along.levels_had(groups).len();
        if groups.len() <= MAX_LINES && swept.iter().any(lacks) {
            return Along::all(groups);
        }
        let compares =
            |along: &&Along| rows(groups, std::slice::from_ref(*along)).iter().any(|row| row.groups.len() > 1);
        let chosen = swept.iter().find(compares).or(swept.first()).cloned();
        chosen.unwrap_or_else(|| Along::path(LATENT_DIM))
    }

    /// All settings at which these groups differ.
    pub fn all(groups: &[&Group]) -> Along {
        Along::all_but(groups, &[])
    }

    /// All settings at which these groups differ, but for those that are `taken`.
    pub fn all_but(groups: &[&Group], taken: &[Along]) -> Along {
        Along { paths: swept(groups, taken).into_iter().flat_map(|along| along.paths).collect() }
    }

    /// Whether there is no such setting.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// A group's values.
    pub fn level(&self, group: &Group) -> Level {
        self.paths.iter().map(|path| group.value(path).cloned()).collect()
    }

    /// The distinct levels, each with its first group.
    fn levels<'a>(&self, groups: &[&'a Group]) -> Vec<(Level, &'a Group)> {
        let mut levels: Vec<(Level, &Group)> = Vec::new();
        for group in groups {
            let level = self.level(group);
            if !levels.iter().any(|(known, _)| *known == level) {
                levels.push((level, group));
            }
        }
        levels
    }

    /// As [`Along::levels`], without those of models that have none of the settings.
    fn levels_had<'a>(&self, groups: &[&'a Group]) -> Vec<(Level, &'a Group)> {
        let levels = self.levels(groups).into_iter();
        levels.filter(|(level, _)| level.iter().any(Option::is_some)).collect()
    }

    /// The quantity, where this is one.
    fn quantity(&self) -> Option<&str> {
        match self.paths.as_slice() {
            [path] if QUANTITIES.contains(&path.as_str()) => Some(path),
            _ => None,
        }
    }

    /// A group's values, in words.
    pub fn value(&self, group: &Group) -> String {
        if let Some(path) = self.quantity() {
            return equation(path, group.value(path)).unwrap_or_default();
        }
        if self.paths.iter().any(|path| QUANTITIES.contains(&path.as_str())) {
            let (quantities, others) = self.paths.iter().cloned().partition(|path| QUANTITIES.contains(&path.as_str()));
            let quantities: Vec<String> = quantities;
            let each = quantities.iter().map(|path| Along::path(path));
            return told(&each.chain([Along { paths: others }]).collect::<Vec<_>>(), group);
        }
        let settings: Vec<&Setting> = self.paths.iter().filter_map(|path| group.key.setting(path)).collect();
        match (settings.as_slice(), self.paths.as_slice()) {
            // Nothing tells the groups apart.
            ([], []) => String::new(),
            ([], _) => format!("no {}", self.name()),
            (settings, _) => phrase(settings),
        }
    }

    /// The name of what varies, for captions.
    pub fn name(&self) -> String {
        match self.paths.as_slice() {
            [path] => setting_title(path),
            _ => "setting".to_owned(),
        }
    }
}

/// What tells the groups from one another besides what is `taken`: quantities first, then other settings together.
fn swept(groups: &[&Group], taken: &[Along]) -> Vec<Along> {
    let is_taken = |path: &str| taken.iter().any(|along| along.paths.iter().any(|taken| taken == path));
    let quantities = QUANTITIES.iter().filter(|path| !is_taken(path)).map(|path| Along::path(path));
    quantities.chain([Along::others(groups, taken)]).filter(|along| along.levels_had(groups).len() > 1).collect()
}

/// What tells the groups from one another, for captions: `latent dimension D and β`.
pub fn each(groups: &[&Group]) -> String {
    listed(&swept(groups, &[]).iter().map(Along::name).collect::<Vec<_>>(), "and")
}

/// One row for each combination of the settings that do not vary `within` rows.
pub fn rows<'a>(groups: &[&'a Group], within: &[Along]) -> Vec<Facet<'a>> {
    let between = swept(groups, within);
    let mut rows: Vec<(Vec<Level>, Facet<'a>)> = Vec::new();
    for group in groups {
        let levels: Vec<Level> = between.iter().map(|along| along.level(group)).collect();
        match rows.iter_mut().find(|(known, _)| *known == levels) {
            Some((_, row)) => row.groups.push(group),
            None => {
                let label = told(&between, group);
                rows.push((levels, Facet { label, groups: vec![group] }));
            }
        }
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

/// A group's values of several settings, in words: those of quantities last, and quantities that its model does not have only where
/// there is nothing else to say.
fn told(alongs: &[Along], group: &Group) -> String {
    let (quantities, others): (Vec<&Along>, Vec<&Along>) = alongs.iter().partition(|along| along.quantity().is_some());
    let (present, absent): (Vec<&Along>, Vec<&Along>) =
        quantities.into_iter().partition(|along| along.level(group).iter().any(Option::is_some));
    let mut said: Vec<&Along> = others.into_iter().chain(present).collect();
    said.sort_by_key(|along| QUANTITIES.iter().position(|path| along.quantity() == Some(path)));
    let said = if said.is_empty() { absent } else { said };
    said.into_iter().map(|along| along.value(group)).filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ")
}

/// As [`rows`], of some of a figure's groups, with what tells these from the others ahead of each label, and the quantities in which
/// they differ from the others behind it.
pub fn rows_of<'a>(groups: &[&'a Group], all: &[&Group], within: &[Along], of: &str) -> Vec<Facet<'a>> {
    let own = swept(groups, within);
    let differs = |along: &Along| along.quantity().is_some() && !own.contains(along);
    let others: Vec<Along> = swept(all, within).into_iter().filter(differs).collect();
    let labelled = |row: Facet<'a>| {
        let had = others.iter().filter(|along| along.level(row.groups[0]).iter().any(Option::is_some));
        let quantities = had.map(|along| along.value(row.groups[0])).collect::<Vec<_>>().join(", ");
        let words = [of.to_owned(), row.label, quantities].into_iter().filter(|words| !words.is_empty());
        Facet { label: words.collect::<Vec<_>>().join("; "), ..row }
    };
    rows(groups, within).into_iter().map(labelled).collect()
}

/// What tells a group from the others, in words.
pub fn title(group: &Group, all: &[&Group], along: &Along) -> String {
    let between = swept(all, std::slice::from_ref(along));
    told(&[between, vec![along.clone()]].concat(), group)
}

/// Whether a row has more than [`MAX_LINES`] lines.
fn is_crowded(groups: &[&Group], along: &Along) -> bool {
    rows(groups, std::slice::from_ref(along)).iter().any(|row| row.groups.len() > MAX_LINES)
}

/// The lines' looks, for every level in order; of [`MAX_LINES`] levels where a row would have more.
pub fn styles(groups: &[&Group], along: &Along) -> Vec<Style> {
    let mut ordered: Vec<&Group> = groups.to_vec();
    if let Some(path) = along.quantity() {
        let number = |group: &Group| group.number(path).unwrap_or(f64::INFINITY);
        ordered.sort_by(|a, b| number(a).total_cmp(&number(b)));
    }
    let levels = along.levels(&ordered);
    let levels = if is_crowded(groups, along) { spread(&levels, MAX_LINES) } else { levels };
    let n_present = levels.iter().filter(|(level, _)| level.iter().any(Option::is_some)).count();
    let colour = |i| match along.quantity() {
        Some(_) if i < n_present => colour::ordered(i, n_present),
        // Models without the quantity come last.
        Some(_) => colour::INK,
        None => colour::category(i),
    };
    let style = |(i, (level, group)): (usize, (Level, &Group))| Style {
        level,
        label: along.value(group),
        colour: colour(i),
        marker: Marker::of(i),
    };
    levels.into_iter().enumerate().map(style).collect()
}

/// Leaves out the lines that a panel has no room for.
pub(super) fn thin(choice: &mut Choice<'_>, along: &Along) {
    let n_levels = along.levels(&choice.groups).len();
    let kept: Vec<Level> = styles(&choice.groups, along).into_iter().map(|style| style.level).collect();
    if kept.len() < n_levels {
        let why = format!("{MAX_LINES} of {n_levels} lines are drawn, evenly spaced");
        choice.leave_out(&why, |group| kept.contains(&along.level(group)));
    }
}

/// What all groups share of what the experiment varies, and their latent dimension and β: `bernoulli, D = 20, β = 1`. For the
/// name of a single line.
pub fn shared(groups: &[&Group]) -> String {
    let Some(first) = groups.first() else { return String::new() };
    let quantities = QUANTITIES.iter().filter(|path| is_shared(groups, path));
    let quantities = quantities.filter_map(|path| match (*path, first.value(path)) {
        (path, None) if path != LATENT_DIM => None,
        (path, value) => equation(path, value),
    });
    let words = [phrase_shared(groups)].into_iter().filter(|words| !words.is_empty());
    let words = words.chain(quantities).collect::<Vec<_>>().join(", ");
    // Where nothing else is to be said there is still what the models are.
    let kind = || first.value("model.kind").filter(|_| is_shared(groups, "model.kind"));
    if words.is_empty() { kind().and_then(|kind| variant::told("model.kind", kind)).unwrap_or_default() } else { words }
}

/// How many panels stand side by side, at most `most`, so that the rows of one facet are about equally long.
pub fn columns(facets: &[Facet<'_>], most: usize) -> usize {
    let widest = facets.iter().map(|facet| facet.groups.len()).max().unwrap_or(1).max(1);
    widest.div_ceil(widest.div_ceil(most.max(1)))
}

/// Panels side by side.
#[derive(Clone, Debug)]
pub struct PanelRow<'a> {
    /// Above them: what they share; empty where their titles say all.
    pub label: String,
    /// Each with its title.
    pub panels: Vec<(&'a Group, String)>,
}

/// Panels in rows of at most `most`, a row or more for each facet. Where that would leave a quarter of their room empty, they
/// stand one after the other instead, each with its whole title.
pub fn panel_rows<'a>(groups: &[&'a Group], along: &Along, most: usize) -> Vec<PanelRow<'a>> {
    let facets = rows(groups, std::slice::from_ref(along));
    let n_columns = columns(&facets, most);
    let in_rows = |label: &str, panels: Vec<(&'a Group, String)>, n_columns: usize| {
        let row = |panels: &[(&'a Group, String)]| PanelRow { label: label.to_owned(), panels: panels.to_vec() };
        panels.chunks(n_columns).map(row).collect::<Vec<_>>()
    };
    let n_rows: usize = facets.iter().map(|facet| facet.groups.len().div_ceil(n_columns)).sum();
    if facets.len() > 1 && 4 * groups.len() <= 3 * n_rows * n_columns {
        let panels: Vec<(&Group, String)> = groups.iter().map(|group| (*group, title(group, groups, along))).collect();
        let n_columns = groups.len().div_ceil(groups.len().div_ceil(most));
        return in_rows("", panels, n_columns);
    }
    let of = |facet: &Facet<'a>| {
        let panels = facet.groups.iter().map(|group| (*group, along.value(group))).collect();
        in_rows(&facet.label, panels, n_columns)
    };
    facets.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::figure::random::{cell, groups, without_seed};
    use crate::setting::{BETA, keys};

    /// A β that all of a family share, and another family has another one, is told beside the family.
    #[test]
    fn rows_of_a_family_say_in_which_quantities_it_differs() {
        let cell = |kind: Value, beta: f64, hidden: usize| -> spec::Cell {
            let model = serde_json::json!({ "kind": kind, "hidden": [hidden], "latent_dim": 2 });
            let text = serde_json::json!({
                "dataset": { "name": "glyphs" }, "model": model, "objective": { "beta": beta },
                "optimizer": { "adam": {} }, "training": {},
            });
            serde_json::from_value(text).expect("the cell is valid")
        };
        let of = |kind: Value, beta: f64| [4, 8].map(|hidden| cell(kind.clone(), beta, hidden));
        let cells = [of(serde_json::json!("vae"), 1.0), of(serde_json::json!({ "vae-gan": {} }), 0.02)].concat();
        let groups = groups(&cells, |_| Default::default());
        let all: Vec<&Group> = groups.iter().collect();
        let rows = rows_of(&all[2..], &all, &[Along::others(&all, &[])], "VAE-GANs");
        assert_eq!(rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["VAE-GANs; β = 0.02"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn keys_tell_cells_apart_by_what_they_have(cells in prop::collection::vec(cell(), 1..14)) {
            let keys = keys(&cells);
            for (cell, key) in cells.iter().zip(&keys) {
                for (other, other_key) in cells.iter().zip(&keys) {
                    prop_assert_eq!(without_seed(cell) == without_seed(other), key == other_key);
                }
                for setting in &key.settings {
                    prop_assert!(cell.has(&setting.path), "{} of {:?}", setting.path, cell.model.kind);
                    prop_assert_eq!(Some(setting.value.clone()), cell.value_at(&setting.path));
                }
            }
        }

        #[test]
        fn no_line_row_or_title_stands_for_two_groups(cells in prop::collection::vec(cell(), 1..14)) {
            let groups = groups(&cells, |_| Default::default());
            let groups: Vec<&Group> = groups.iter().collect();
            let mut alongs: Vec<Along> =
                groups.iter().flat_map(|group| &group.key.settings).map(|setting| Along::path(&setting.path)).collect();
            alongs.extend([Along::choose(&groups), Along::others(&groups, &[]), Along::all(&groups), Along::path(LATENT_DIM)]);
            for along in alongs {
                let mut titles: Vec<String> = groups.iter().map(|group| title(group, &groups, &along)).collect();
                titles.sort();
                titles.dedup();
                prop_assert_eq!(titles.len(), groups.len(), "{:?} along {:?}", titles, along);
                let beta = Along::path(BETA);
                for within in [vec![along.clone()], vec![along, beta]] {
                    let rows = rows(&groups, &within);
                    prop_assert_eq!(rows.iter().map(|row| row.groups.len()).sum::<usize>(), groups.len());
                    for row in rows {
                        let level = |group: &&Group| within.iter().map(|along| along.level(group)).collect::<Vec<_>>();
                        let levels: Vec<Vec<Level>> = row.groups.iter().map(level).collect();
                        for (index, level) in levels.iter().enumerate() {
                            prop_assert!(!levels[..index].contains(level), "{} has {:?} twice", row.label, level);
                        }
                    }
                }
            }
        }
    }
}
