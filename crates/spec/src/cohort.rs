//! Which cells can train as one program.

use crate::cell::Cell;
use crate::objective::Objective;
use crate::optimizer::{Adam, Optimizer};
use crate::run_id::{canonical, canonical_text};

impl Cell {
    /// Equal for cells that can train as one program: the same but for latent width, β and its warm-up, learning rate,
    /// seed and the likelihood's scale.
    pub fn cohort_key(&self) -> String {
        let mut cell = self.clone();
        cell.model.latent_dim = self.model.latent_dim.min(1);
        cell.model.likelihood = self.model.likelihood.of_cohort();
        let Objective { kind, gradient, kl_parts, samples, .. } = self.objective;
        cell.objective = Objective { kind, gradient, kl_parts, samples, ..Objective::default() };
        cell.training.seed = 0;
        match &mut cell.optimizer {
            Optimizer::Adam(adam) => adam.learning_rate = Adam::default().learning_rate,
        }
        canonical_text(&canonical(&cell))
    }
}
