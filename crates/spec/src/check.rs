//! Raw → valid: ranges of every value, and rules about values that go together.

use std::fmt;

use serde::Deserialize;

use crate::cell::Cell;
use crate::dataset::Dataset;
use crate::model::Model;
use crate::number::shortest;
use crate::objective::Objective;
use crate::optimizer::Optimizer;
use crate::training::Training;

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
        let dataset = dataset.settled();
        let cell = Cell { dataset, model, objective, optimizer, training };
        cell.check()?;
        Ok(cell)
    }
}

impl Cell {
    /// Whether every value is in its range and goes with the others.
    ///
    /// A cell that was read is valid already; this is for one that was put together or changed in code.
    ///
    /// # Errors
    /// Every complaint, in the order of the spec.
    pub fn check(&self) -> Result<(), CheckError> {
        let mut checks = Checks { complaints: Vec::new() };
        self.dataset.check(&mut checks);
        self.model.check(&mut checks);
        self.objective.check(&self.training, &mut checks);
        self.optimizer.check(&mut checks);
        self.training.check(&mut checks);
        self.check_together(&mut checks);
        match checks.complaints.is_empty() {
            true => Ok(()),
            false => Err(CheckError { complaints: checks.complaints }),
        }
    }

    /// Values that have no meaning together: each refusal says why, and what would work.
    fn check_together(&self, checks: &mut Checks) {
        let model = &self.model;
        if let Some(written) = self.dataset.pixels.drawn() {
            model.kind.check_drawn_pixels(model.likelihood, written, checks);
        }
        // Images of other datasets are looked at when they are read.
        if let Some(known) = self.dataset.name.known() {
            model.net.check_image(known.image, checks);
        }
        model.kind.check_parts(self, checks);
        self.training.check_keep(self, checks);
    }
}

/// Collects complaints.
pub(crate) struct Checks {
    pub(crate) complaints: Vec<Complaint>,
}

impl Checks {
    pub fn complain(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.complaints.push(Complaint { path: path.to_owned(), message: message.into(), hint: hint.into() });
    }

    pub fn within(&mut self, path: &str, value: usize, range: std::ops::RangeInclusive<usize>) {
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
    pub fn positive(&mut self, path: &str, value: f64, such_as: &str) {
        let single = value as f32;
        if !(single.is_finite() && single > 0.0) {
            let message = format!("`{path}` must be above 0 and finite in single precision, found `{}`", shown(value));
            self.complain(path, message, format!("write a positive number such as `{such_as}`"));
        }
    }

    pub fn not_negative(&mut self, path: &str, value: f64, such_as: &str) {
        if !(0.0..=1e9).contains(&value) {
            let message = format!("`{path}` must be finite and not negative (from 0 to 1e9), found `{}`", shown(value));
            self.complain(path, message, format!("write a number such as `{such_as}`"));
        }
    }

    /// A standard deviation of pixels, named `what` in the message.
    pub fn deviation(&mut self, path: &str, what: &str, value: f64) {
        if !(1e-6..=1e6).contains(&value) {
            let message = format!(
                "`{what}` must be a finite standard deviation above 0 (from 1e-6 to 1e6), found `{}`",
                shown(value)
            );
            self.complain(path, message, "write a number such as `1` or `0.1`; pixels are in 0…1");
        }
    }
}

/// A number in a message.
pub(crate) fn shown(value: f64) -> String {
    if value.is_finite() { shortest(value) } else { format!("{value}") }
}
