//! Raw → valid: ranges of every value, and rules about values that go together.

mod model;
mod objective;
mod together;

use std::fmt;
use std::path::Path;

use serde::Deserialize;

use crate::cell::{Cell, Dataset, Optimizer, Schedule, Source, Training};
use crate::model::Model;
use crate::number::shortest;
use crate::objective::Objective;

/// A cell as it was written: every value of the right type, none checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCell {
    pub dataset: Dataset,
    pub model: Model,
    #[serde(default)]
    pub objective: Objective,
    #[serde(default)]
    pub optimizer: Optimizer,
    #[serde(default)]
    pub training: Training,
}

/// A value that no run can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The path in the spec, such as `model.latent_dim`.
    pub path: String,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message, self.hint)
    }
}

/// Why a cell is not valid: every complaint about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", complaints.iter().map(Complaint::to_string).collect::<Vec<_>>().join("\n"))]
pub struct CheckError {
    /// The complaints, at least one.
    pub complaints: Vec<Complaint>,
}

impl TryFrom<RawCell> for Cell {
    type Error = CheckError;

    fn try_from(raw: RawCell) -> Result<Cell, CheckError> {
        raw.check()
    }
}

impl RawCell {
    /// The valid cell.
    pub fn check(self) -> Result<Cell, CheckError> {
        let RawCell { dataset, model, objective, optimizer, training } = self;
        let cell = Cell { dataset, model, objective, optimizer, training };
        cell.check()?;
        Ok(cell)
    }
}

/// Hidden layers at most.
pub const MAX_HIDDEN_LAYERS: usize = 64;
/// Width of a hidden layer at most.
pub const MAX_HIDDEN_WIDTH: usize = 65_536;
/// Latent dimensions at most.
pub const MAX_LATENT_DIM: usize = 4096;

impl Cell {
    /// Whether every value is in its range and goes with the others.
    ///
    /// A cell that was read is valid already; this is for one that was put together or changed in code.
    ///
    /// # Errors
    /// Every complaint, in the order of the spec.
    pub fn check(&self) -> Result<(), CheckError> {
        let mut checks = Checks { complaints: Vec::new() };
        checks.dataset(&self.dataset);
        checks.model(&self.model);
        checks.objective(&self.objective, &self.training);
        checks.optimizer(&self.optimizer);
        checks.training(&self.training);
        checks.together(self);
        match checks.complaints.is_empty() {
            true => Ok(()),
            false => Err(CheckError { complaints: checks.complaints }),
        }
    }
}

struct Checks {
    complaints: Vec<Complaint>,
}

impl Checks {
    fn complain(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.complaints.push(Complaint { path: path.to_owned(), message: message.into(), hint: hint.into() });
    }

    fn within(&mut self, path: &str, value: usize, range: std::ops::RangeInclusive<usize>) {
        if !range.contains(&value) {
            let (from, to) = (range.start(), range.end());
            self.complain(
                path,
                format!("`{path}` must be from {from} to {to}, found `{value}`"),
                format!("write a whole number from {from} to {to}"),
            );
        }
    }

    /// A number that is computed with in single precision, and must not become zero or infinite there.
    fn positive(&mut self, path: &str, value: f64, such_as: &str) {
        let single = value as f32;
        if !(single.is_finite() && single > 0.0) {
            let message = format!("`{path}` must be above 0 and finite in single precision, found `{}`", shown(value));
            self.complain(path, message, format!("write a positive number such as `{such_as}`"));
        }
    }

    fn dataset(&mut self, dataset: &Dataset) {
        match &dataset.name {
            Source::Glyphs | Source::Mnist | Source::FashionMnist => {}
            Source::Hdf5(path) => self.place("hdf5", path),
            Source::Idx(path) => self.place("idx", path),
            Source::Folder(path) => self.place("folder", path),
        }
        let known = known_sizes(&dataset.name);
        for (path, asked, held) in [
            ("dataset.train_images", dataset.train_images, known.map(|known| known.0)),
            ("dataset.test_images", dataset.test_images, known.map(|known| known.1)),
        ] {
            match (asked, held) {
                (Some(0), _) => self.complain(
                    path,
                    format!("`{path}` must be at least 1, found `0`"),
                    "leave it out to use all images",
                ),
                (Some(asked), Some(held)) if asked > held => {
                    let message = format!("`{path}` is `{asked}`, but this dataset has {held} images there");
                    self.complain(path, message, format!("write at most {held}, or leave it out to use all"));
                }
                _ => {}
            }
        }
        let n_train = dataset.train_images.or(known.map(|known| known.0));
        if let Some(n_train) = n_train
            && dataset.validation >= n_train.max(1)
        {
            let message = format!(
                "`dataset.validation` holds out `{}` of {n_train} training images, which leaves none to train on",
                dataset.validation
            );
            self.complain("dataset.validation", message, format!("write a number below {n_train}"));
        }
    }

    fn place(&mut self, kind: &str, path: &Path) {
        let at = format!("dataset.name.{kind}");
        match path.to_str() {
            None => self.complain(
                &at,
                "the dataset's path is not UTF-8",
                "rename the folder, or link to it under another name",
            ),
            Some("") => self.complain(
                &at,
                format!("the path in `{kind}` is empty"),
                "write a path, relative to this file's folder or absolute",
            ),
            Some(text) if text.starts_with("~") || text.contains("/~/") => {
                self.complain(
                    &at,
                    "`~` does not stand for the home folder here",
                    "write the absolute path, or one relative to this file's folder",
                );
            }
            Some(text) if text.contains('\0') => self.complain(&at, "a path cannot hold a NUL character", "remove it"),
            Some(_) => {}
        }
    }

    fn optimizer(&mut self, optimizer: &Optimizer) {
        let Optimizer::Adam(adam) = optimizer;
        self.positive("optimizer.adam.learning_rate", adam.learning_rate, "1e-3");
        self.positive("optimizer.adam.epsilon", adam.epsilon, "1e-8");
        for (path, value, such_as) in
            [("optimizer.adam.beta1", adam.beta1, "0.9"), ("optimizer.adam.beta2", adam.beta2, "0.999")]
        {
            // At 1 in single precision the bias correction would divide by zero.
            if !(value >= 0.0 && (value as f32) < 1.0) {
                let message = format!("`{path}` must be from 0 to below 1, found `{}`", shown(value));
                self.complain(path, message, format!("write a number such as `{such_as}`"));
            }
        }
        if let Schedule::Steps { after, factor } = &adam.schedule {
            let rising = after.first().is_some_and(|&first| first > 0) && after.is_sorted_by(|a, b| a < b);
            if !rising {
                let path = "optimizer.adam.schedule.steps.after";
                let message = format!("`{path}` must be rising numbers of epochs from 1, found `{after:?}`");
                self.complain(path, message, "write a list such as `[100, 150]`");
            }
            if !(*factor as f32 > 0.0 && *factor <= 1.0) {
                let path = "optimizer.adam.schedule.steps.factor";
                let message = format!("`{path}` must be above 0 and at most 1, found `{}`", shown(*factor));
                self.complain(path, message, "write a number such as `0.1`");
            }
        }
    }

    fn training(&mut self, training: &Training) {
        self.within("training.epochs", training.epochs, 1..=1_000_000);
        self.within("training.batch_size", training.batch_size, 1..=1_000_000);
    }
}

/// Training and test images of a dataset whose size is known beforehand.
fn known_sizes(source: &Source) -> Option<(usize, usize)> {
    matches!(source, Source::Glyphs | Source::Mnist | Source::FashionMnist).then_some((60_000, 10_000))
}

/// Height and width of a dataset's images where they are known beforehand.
fn known_side(source: &Source) -> Option<usize> {
    known_sizes(source).map(|_| 28)
}

fn shown(value: f64) -> String {
    if value.is_finite() { shortest(value) } else { format!("{value}") }
}
