//! The best epoch on the validation images so far, and whether to wait for a better one.

use anyhow::Context as _;
use model::parameters::NamedTensor;
use spec::Keep;
use tch::Tensor;

/// An epoch whose weights are kept.
#[derive(Debug)]
pub struct Best {
    /// Epochs completed.
    pub epoch: u32,
    /// The objective on the validation images, in nats per image.
    pub objective: f64,
    /// The model's parameters after it, in PyTorch's layout.
    pub parameters: Vec<NamedTensor>,
}

/// What one replica remembers of the epochs that were compared.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The epoch with the least objective; `None` before the first that was compared.
    pub best: Option<Best>,
    /// Epochs compared since, none of which was better.
    waited: u32,
}

impl Comparison {
    /// Compares an epoch; `parameters` gives the replica's, on storage of their own.
    pub fn add(&mut self, epoch: u32, objective: f64, parameters: impl FnOnce() -> Vec<NamedTensor>) {
        if self.best.as_ref().is_some_and(|best| best.objective <= objective) {
            self.waited += 1;
            return;
        }
        self.best = Some(Best { epoch, objective, parameters: parameters() });
        self.waited = 0;
    }

    /// Whether no more epochs are waited for.
    pub fn is_over(&self, keep: Keep) -> bool {
        match keep {
            Keep::Last => false,
            Keep::Best { patience } => patience > 0 && self.waited as usize >= patience,
        }
    }

    /// For a checkpoint: `comparison`, doubles of the best epoch, its objective and the epochs since, and its parameters; nothing
    /// before the first epoch that was compared.
    pub fn to_tensors(&self) -> Vec<NamedTensor> {
        let Some(best) = &self.best else { return Vec::new() };
        let numbers = [f64::from(best.epoch), best.objective, f64::from(self.waited)];
        let mut tensors = vec![NamedTensor { name: COMPARISON.to_owned(), tensor: Tensor::from_slice(&numbers) }];
        tensors.extend(
            best.parameters
                .iter()
                .map(|one| NamedTensor { name: format!("{BEST}{}", one.name), tensor: one.tensor.shallow_clone() }),
        );
        tensors
    }

    /// The inverse of [`Comparison::to_tensors`], from all tensors of a checkpoint.
    ///
    /// # Errors
    /// If the numbers are not three.
    pub fn from_tensors(tensors: &[NamedTensor]) -> anyhow::Result<Comparison> {
        let Some(numbers) = tensors.iter().find(|one| one.name == COMPARISON) else { return Ok(Comparison::default()) };
        let mut values = vec![0f64; numbers.tensor.numel()];
        numbers.tensor.f_copy_data(&mut values, numbers.tensor.numel()).context("the checkpoint's `comparison`")?;
        let [epoch, objective, waited] =
            values.try_into().ok().context("the checkpoint's `comparison` has a strange length")?;
        let parameters = tensors.iter().filter_map(|one| {
            let name = one.name.strip_prefix(BEST)?.to_owned();
            Some(NamedTensor { name, tensor: one.tensor.shallow_clone() })
        });
        let best = Best { epoch: epoch as u32, objective, parameters: parameters.collect() };
        Ok(Comparison { best: Some(best), waited: waited as u32 })
    }
}

const COMPARISON: &str = "comparison";
const BEST: &str = "best.";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn parameters(value: f64) -> Vec<NamedTensor> {
        vec![NamedTensor { name: "weight".to_owned(), tensor: Tensor::from_slice(&[value]) }]
    }

    #[test]
    fn the_first_of_the_best_epochs_is_kept_and_patience_counts_from_it() {
        let mut comparison = Comparison::default();
        let keep = Keep::Best { patience: 2 };
        for (epoch, objective, is_over) in [(1, 3.0, false), (2, 2.0, false), (3, 2.0, false), (4, 2.5, true)] {
            comparison.add(epoch, objective, || parameters(objective));
            assert_eq!(comparison.is_over(keep), is_over, "epoch {epoch}");
            // What a checkpoint holds of it is all of it.
            comparison = Comparison::from_tensors(&comparison.to_tensors()).unwrap();
            assert_eq!(comparison.is_over(keep), is_over, "epoch {epoch}");
            assert!(!comparison.is_over(Keep::Best { patience: 0 }) && !comparison.is_over(Keep::Last));
        }
        let best = comparison.best.unwrap();
        assert_eq!((best.epoch, best.objective, best.parameters.len()), (2, 2.0, 1));
        assert_eq!(best.parameters[0].tensor.double_value(&[0]), 2.0);
        assert!(Comparison::from_tensors(&parameters(1.0)).unwrap().best.is_none());
    }
}
