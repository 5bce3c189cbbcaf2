//! How groups become rows of panels and lines within them.

use serde_json::Value;
use spec::{listed, setting_title};

use crate::colour::{self, Colour};
use crate::marker::Marker;
use crate::records::Group;
use crate::setting::{LATENT_DIM, QUANTITIES, Setting, equation, phrase};

use super::spread;

/// The most lines in one panel.
const MAX_LINES: usize = 8;

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

    /// All settings of some groups that titles tell, but for quantities and for those that are `taken`.
    pub fn others(groups: &[&Group], taken: &[Along]) -> Along {
        let mut paths: Vec<String> = Vec::new();
        for setting in groups.iter().flat_map(|group| group.key.others()) {
            let is_taken = taken.iter().any(|along| along.paths.contains(&setting.path));
            if !is_taken && !paths.contains(&setting.path) {
                paths.push(setting.path.clone());
            }
        }
        Along { paths }
    }

    /// The first of latent dimension, β and other settings that has more than one value in some row; where each row would
    /// have a single one, the first that has more than one value at all.
    pub fn choose(groups: &[&Group]) -> Along {
        let swept = swept(groups, &[]);
        let compares =
            |along: &&Along| rows(groups, std::slice::from_ref(*along)).iter().any(|row| row.groups.len() > 1);
        let chosen = swept.iter().find(compares).or(swept.first()).cloned();
        chosen.unwrap_or_else(|| Along::path(LATENT_DIM))
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
    let quantities = QUANTITIES.iter().map(|path| Along::path(path)).filter(|along| !taken.contains(along));
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
                let label = between.iter().map(|along| along.value(group)).collect::<Vec<_>>().join(", ");
                rows.push((levels, Facet { label, groups: vec![group] }));
            }
        }
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

/// What tells a group from the others, in words.
pub fn title(group: &Group, all: &[&Group], along: &Along) -> String {
    let own =
        rows(all, std::slice::from_ref(along)).into_iter().find(|row| row.groups.iter().any(|g| g.key == group.key));
    match own {
        Some(row) if !row.label.is_empty() => format!("{}, {}", along.value(group), row.label),
        _ => along.value(group),
    }
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

/// ` Only 8 of 20 values are drawn.`, or nothing when all are.
pub fn dropped_note(groups: &[&Group], along: &Along) -> String {
    if !is_crowded(groups, along) {
        return String::new();
    }
    format!(" {MAX_LINES} of {} values are drawn, evenly spaced.", along.levels(groups).len())
}

/// What all groups share of latent dimension and β, for figures with a single line: `D = 20, β = 1`.
pub fn shared(groups: &[&Group]) -> String {
    let words = QUANTITIES.iter().filter_map(|path| match Along::path(path).levels_had(groups).as_slice() {
        [(level, _)] => equation(path, level.first()?.as_ref()),
        [] if *path == LATENT_DIM => equation(path, None),
        _ => None,
    });
    words.collect::<Vec<_>>().join(", ")
}

/// How many panels stand side by side, at most `most`, so that the rows of one facet are about equally long.
pub fn columns(facets: &[Facet<'_>], most: usize) -> usize {
    let widest = facets.iter().map(|facet| facet.groups.len()).max().unwrap_or(1).max(1);
    widest.div_ceil(widest.div_ceil(most.max(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use spec::Cell;

    use super::*;
    use crate::setting::{BETA, keys};

    /// A valid cell, of few values for each setting, so that cells often share some.
    fn cell() -> impl Strategy<Value = Cell> {
        let kinds = [
            json!("vae"),
            json!("vae"),
            json!("autoencoder"),
            json!({ "gan": { "regulariser": "spectral-norm" } }),
            json!({ "gan": { "regulariser": { "gradient-penalty": { "weight": 1.0 } } } }),
            json!({ "gan": { "regulariser": { "gradient-penalty": { "weight": 10.0 } } } }),
            json!({ "vae-gan": { "weight": 1.0 } }),
            json!({ "gaussian-mixture": { "components": 5 } }),
            json!({ "gaussian-mixture": { "components": 10 } }),
        ];
        let model = (
            prop::sample::select(kinds.to_vec()),
            prop::sample::select(vec![json!([]), json!([8]), json!([8, 4])]),
            prop::sample::select(vec![2, 5, 10]),
            prop::sample::select(vec![
                json!("standard"),
                json!({ "mixture": { "components": 5 } }),
                json!({ "mixture": { "components": 6 } }),
                json!({ "vamp": { "components": 5 } }),
            ]),
            prop::sample::select(vec![
                json!("bernoulli"),
                json!("discretised-logistic"),
                json!("continuous-bernoulli"),
                json!({ "gaussian": { "sigma": 0.5 } }),
                json!({ "gaussian": { "sigma": 1.0 } }),
                json!({ "gaussian-shared": { "variance": "learned" } }),
            ]),
            prop::sample::select(vec![
                json!("none"),
                json!({ "gaussian": { "sigma": 0.5 } }),
                json!({ "masking": { "fraction": 0.5 } }),
            ]),
        );
        let training = (
            prop::sample::select(vec![
                json!("elbo"),
                json!({ "free-bits": { "nats": 0.5 } }),
                json!({ "capacity": {} }),
            ]),
            prop::sample::select(vec![0.5, 1.0, 4.0]),
            prop::sample::select(vec![(0, 1), (2, 1), (2, 2)]),
            prop::sample::select(vec![1e-3, 1e-4]),
            prop::sample::select(vec![64, 128]),
            0..3,
        );
        (model, training).prop_filter_map("the settings go together", |(model, training)| {
            let (kind, hidden, latent_dim, prior, likelihood, corruption) = model;
            let (objective, beta, (warm_up, cycles), learning_rate, batch_size, seed) = training;
            let name = kind.as_object().and_then(|variant| variant.keys().next()).cloned();
            // Most families lack something, which then stands at its default.
            let (is_vae, is_mixture) = (kind == "vae", name.as_deref() == Some("gaussian-mixture"));
            let has_beta = is_vae || name.as_deref() == Some("vae-gan");
            let mut model = json!({ "kind": kind });
            if !is_mixture {
                model["hidden"] = hidden;
                model["latent_dim"] = latent_dim.into();
            }
            if is_vae || kind == "autoencoder" {
                model["likelihood"] = likelihood;
                model["corruption"] = corruption;
            }
            if is_vae {
                model["prior"] = prior;
            }
            let whole = json!({
                "dataset": { "name": "glyphs" },
                "model": model,
                "objective": {
                    "kind": if is_vae { objective } else { json!("elbo") },
                    "beta": if has_beta { beta } else { 1.0 },
                    "warm_up_epochs": if has_beta { warm_up } else { 0 },
                    "cycles": if has_beta { cycles } else { 1 },
                },
                "optimizer": { "adam": { "learning_rate": if is_mixture { 1e-3 } else { learning_rate } } },
                "training": { "seed": seed, "batch_size": if is_mixture { 128 } else { batch_size } },
            });
            serde_json::from_value(whole).ok()
        })
    }

    fn without_seed(cell: &Cell) -> Cell {
        let mut cell = cell.clone();
        cell.training.seed = 0;
        cell
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
            let mut groups: Vec<Group> = Vec::new();
            for (key, cell) in keys(&cells).into_iter().zip(&cells) {
                if !groups.iter().any(|group| group.key == key) {
                    groups.push(Group::new(key, cell.clone(), Vec::new()));
                }
            }
            let scale = groups[0].key.scale;
            let groups: Vec<&Group> = groups.iter().filter(|group| group.key.scale == scale).collect();
            let mut alongs: Vec<Along> =
                groups.iter().flat_map(|group| &group.key.settings).map(|setting| Along::path(&setting.path)).collect();
            alongs.extend([Along::choose(&groups), Along::others(&groups, &[]), Along::path(LATENT_DIM)]);
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
