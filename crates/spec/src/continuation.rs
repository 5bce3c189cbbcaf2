//! Which runs are the beginning of a longer one.

use crate::cell::Cell;
use crate::optimizer::{Optimizer, Schedule};

impl Cell {
    /// Whether training this cell passes through the end of training `shorter`, bit for bit: the same cell for more epochs, and
    /// nothing in it is stretched over the epochs there are, as a cosine schedule or the cycles of a warm-up are.
    pub fn goes_on_from(&self, shorter: &Cell) -> bool {
        let Optimizer::Adam(adam) = &self.optimizer;
        let is_stretched = match adam.schedule {
            Schedule::Constant | Schedule::Steps { .. } | Schedule::Burda => self.objective.cycles > 1,
            Schedule::Cosine => true,
        };
        let mut as_long = shorter.clone();
        as_long.training.epochs = self.training.epochs;
        !is_stretched && self.training.epochs > shorter.training.epochs && *self == as_long
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cell(epochs: usize, change: impl Fn(&mut serde_json::Value)) -> Cell {
        let mut cell = json!({
            "dataset": { "name": "glyphs" }, "model": { "hidden": [8], "latent_dim": 2 }, "objective": {},
            "optimizer": { "adam": {} }, "training": { "epochs": epochs },
        });
        change(&mut cell);
        serde_json::from_value(cell).expect("the cell is valid")
    }

    #[test]
    fn more_epochs_of_the_same_cell_go_on() {
        let plain = |epochs| cell(epochs, |_| {});
        assert!(plain(20).goes_on_from(&plain(10)));
        assert!(!plain(10).goes_on_from(&plain(10)) && !plain(10).goes_on_from(&plain(20)));
        let other_seed = cell(10, |cell| cell["training"]["seed"] = json!(1));
        assert!(!plain(20).goes_on_from(&other_seed));
    }

    #[test]
    fn what_is_stretched_over_the_epochs_starts_anew() {
        let goes_on = |section: &str, value: serde_json::Value| {
            let with = |epochs| cell(epochs, |cell| cell[section] = value.clone());
            with(20).goes_on_from(&with(10))
        };
        let schedule = |schedule: serde_json::Value| goes_on("optimizer", json!({ "adam": { "schedule": schedule } }));
        assert!(!schedule(json!("cosine")));
        assert!(schedule(json!("burda")) && schedule(json!({ "steps": { "after": [5, 15], "factor": 0.1 } })));
        assert!(goes_on("objective", json!({ "warm_up_epochs": 8 })));
        assert!(!goes_on("objective", json!({ "warm_up_epochs": 2, "cycles": 3 })));
    }
}
