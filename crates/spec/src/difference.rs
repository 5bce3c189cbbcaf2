//! At which settings cells differ.

use serde_json::{Map, Value};

use crate::cell::Cell;
use crate::fields::{SECTIONS, cell_paths};

/// The paths at which some of the cells differ, in the order of the spec: what `diff` and `compare` show.
///
/// Where cells differ in an enum's variant, the enum's own path is given (`model.likelihood`), not those of its settings.
pub fn differing_paths<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Vec<String> {
    let mut cells: Vec<Value> = cells.into_iter().map(Cell::to_json).collect();
    name_by_content(&mut cells);
    let mut paths = Vec::new();
    for section in SECTIONS {
        let sections: Vec<&Value> = cells.iter().filter_map(|cell| cell.get(section)).collect();
        differing(&sections, section, &mut paths);
    }
    let position = |path: &String| cell_paths().position(|known| known == path);
    paths.sort_by_key(|path| position(path).unwrap_or(usize::MAX));
    paths
}

/// Images of the user's own that are the same have one name wherever they lie; those that have another name are not told
/// apart by their digest as well.
fn name_by_content(cells: &mut [Value]) {
    let names: Vec<Value> = cells.iter().map(|cell| cell["dataset"]["name"].clone()).collect();
    let digests: Vec<Value> = cells.iter().map(|cell| cell["dataset"]["digest"].clone()).collect();
    for n in 0..cells.len() {
        let first = digests.iter().position(|digest| *digest == digests[n] && !digest.is_null()).unwrap_or(n);
        cells[n]["dataset"]["name"] = names[first].clone();
    }
    if cells.iter().any(|cell| cell["dataset"]["name"] != cells[0]["dataset"]["name"]) {
        cells.iter_mut().for_each(|cell| cell["dataset"]["digest"] = Value::Null);
    }
}

fn differing(values: &[&Value], path: &str, paths: &mut Vec<String>) {
    let Some((first, rest)) = values.split_first() else { return };
    if rest.iter().all(|value| value == first) {
        return;
    }
    let maps: Vec<&Map<String, Value>> = values.iter().filter_map(|value| value.as_object()).collect();
    let same_keys = maps.len() == values.len()
        && maps.iter().all(|map| map.len() == maps[0].len() && map.keys().all(|key| maps[0].contains_key(key)));
    if !same_keys {
        paths.push(path.to_owned());
        return;
    }
    for key in maps[0].keys() {
        let inner: Vec<&Value> = maps.iter().filter_map(|map| map.get(key)).collect();
        differing(&inner, &format!("{path}.{key}"), paths);
    }
}
