//! Cells trained together as one program: their model, optimizer and position.

use anyhow::{Context as _, bail};
use model::parameters::NamedTensor;
use model::{Family, ImageShape};
use spec::{Cell, Keep, Optimizer};
use tch::{Device, Tensor};

use crate::best::Comparison;
use crate::optimizer::Adam;
use crate::position::Position;
use crate::schedule;
use crate::statistics::Sums;

/// A freshly initialised model of the cells' family, one replica a cell.
///
/// Errors without a cell, for a family that is not trained by gradients, and for more convolutions than the image allows.
pub fn build(cells: &[&Cell], image: ImageShape, device: Device) -> anyhow::Result<Box<dyn Family>> {
    model::build(cells, image, device)
        .context("write fewer convolutions in `model.net.conv.channels`, or a smaller stride")?
        .context("a cohort needs at least one cell, of a family that is trained by gradients")
}

/// Everything that training changes, for cells that share the shapes of their tensors but for the latent width.
#[derive(Debug)]
pub struct Cohort {
    /// The cells, one a replica.
    pub cells: Vec<Cell>,
    /// Their model.
    pub model: Box<dyn Family>,
    /// Their optimizer.
    pub optimizer: Adam,
    /// Epochs and steps completed.
    pub position: Position,
    /// Sums over this epoch's batches so far; one for each replica.
    pub sums: Vec<Sums>,
    /// Whether a replica is still trained; one with a non-finite value stays in the tensors and is ignored.
    pub alive: Vec<bool>,
    /// What each replica remembers of the epochs that were compared, where the best one is kept.
    pub comparisons: Vec<Comparison>,
}

impl Cohort {
    /// Freshly initialised, for images of this shape.
    pub fn new(cells: Vec<Cell>, image: ImageShape, device: Device) -> anyhow::Result<Cohort> {
        let model = build(&cells.iter().collect::<Vec<_>>(), image, device)?;
        let settings = cells
            .iter()
            .map(|cell| {
                let Optimizer::Adam(adam) = &cell.optimizer;
                adam.clone()
            })
            .collect();
        let parameters: Vec<_> = model.parameters().iter().map(|parameter| &parameter.tensor).collect();
        let optimizer = Adam::new(&parameters, settings);
        let n = cells.len();
        let position = Position::default();
        let comparisons = (0..n).map(|_| Comparison::default()).collect();
        Ok(Cohort {
            cells,
            model,
            optimizer,
            position,
            sums: vec![Sums::default(); n],
            alive: vec![true; n],
            comparisons,
        })
    }

    /// Replicas that are still trained: those that neither failed nor waited in vain for a better epoch.
    pub fn trained(&self) -> impl Iterator<Item = usize> + '_ {
        let is_over = |replica: usize| self.comparisons[replica].is_over(self.cells[replica].training.keep);
        (0..self.cells.len()).filter(move |&replica| self.alive[replica] && !is_over(replica))
    }

    /// Compares the epoch that was just evaluated with those before, where a replica keeps its best one.
    pub fn compare(&mut self, replica: usize, objective: f64) {
        if self.cells[replica].training.keep != Keep::Last {
            let parameters = || {
                let exported = self.model.parameters().export(replica);
                exported.into_iter().map(|one| NamedTensor { tensor: one.tensor.copy(), ..one }).collect()
            };
            self.comparisons[replica].add(self.position.epoch, objective, parameters);
        }
    }

    /// The epoch whose weights are each replica's model.
    pub fn kept_epochs(&self) -> Vec<u32> {
        let kept = |comparison: &Comparison| comparison.best.as_ref().map_or(self.position.epoch, |best| best.epoch);
        self.comparisons.iter().map(kept).collect()
    }

    /// Sets the model's parameters to those that are kept.
    pub fn restore_best(&mut self) -> anyhow::Result<()> {
        for (replica, comparison) in self.comparisons.iter().enumerate() {
            if let Some(best) = &comparison.best {
                self.model.parameters().import(replica, &best.parameters)?;
            }
        }
        Ok(())
    }

    /// β of each replica after so many epochs.
    pub fn betas(&self, progress: f64) -> Vec<f64> {
        self.cells.iter().map(|cell| schedule::beta(&cell.objective, &cell.training, progress)).collect()
    }

    /// Factor of the step sizes after so many epochs; the cells of a cohort share their schedule.
    pub fn rate(&self, progress: f64) -> f64 {
        self.cells.first().map_or(1.0, |cell| {
            let Optimizer::Adam(adam) = &cell.optimizer;
            schedule::rate(&adam.schedule, &cell.training, progress)
        })
    }

    /// One replica's checkpoint, as the bytes of a safetensors file.
    pub fn save(&self, replica: usize) -> anyhow::Result<Vec<u8>> {
        let parameters = self.model.parameters();
        let renamed = |prefix: &str, list: Vec<NamedTensor>| -> Vec<NamedTensor> {
            list.into_iter()
                .map(|one| NamedTensor { name: format!("{prefix}{}", one.name), tensor: one.tensor })
                .collect()
        };
        let moments = |list: &[Tensor]| parameters.export_of(&list.iter().collect::<Vec<_>>(), replica);
        let mut tensors = renamed(PARAMETER, parameters.export(replica));
        tensors.extend(renamed(FIRST, moments(&self.optimizer.first)));
        tensors.extend(renamed(SECOND, moments(&self.optimizer.second)));
        tensors.extend(self.sums[replica].to_tensors());
        tensors.extend(self.comparisons[replica].to_tensors());
        crate::weights::to_bytes(&tensors, self.position.to_metadata())
    }

    /// Resume one replica from a checkpoint of [`Cohort::save`]. All replicas of a cohort must be at the same position.
    pub fn restore(&mut self, replica: usize, tensors: Vec<NamedTensor>, position: Position) -> anyhow::Result<()> {
        let part = |prefix: &str| -> Vec<NamedTensor> {
            tensors
                .iter()
                .filter_map(|one| {
                    let name = one.name.strip_prefix(prefix)?.to_owned();
                    Some(NamedTensor { name, tensor: one.tensor.shallow_clone() })
                })
                .collect()
        };
        let parameters = self.model.parameters();
        parameters.import(replica, &part(PARAMETER))?;
        parameters.import_into(&self.optimizer.first.iter().collect::<Vec<_>>(), replica, &part(FIRST))?;
        parameters.import_into(&self.optimizer.second.iter().collect::<Vec<_>>(), replica, &part(SECOND))?;
        self.sums[replica] = match Sums::from_tensors(&tensors)? {
            Some(sums) => sums,
            // Where an epoch begins they are zero.
            None if position.step_in_epoch == 0 => Sums::default(),
            None => bail!(
                "the checkpoint in the middle of epoch {} was written by an earlier version of elbo, whose sums over the epoch cannot be read\nhint: let that version go on to the epoch's end, or remove the run's folder and train the run anew",
                position.epoch + 1
            ),
        };
        self.comparisons[replica] = Comparison::from_tensors(&tensors)?;
        self.position = position;
        self.optimizer.step = position.step;
        Ok(())
    }
}

const PARAMETER: &str = "parameter.";
const FIRST: &str = "first.";
const SECOND: &str = "second.";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_checkpoint_without_named_sums_goes_on_at_the_start_of_an_epoch_alone() {
        let cell: Cell = serde_json::from_value(serde_json::json!({
            "dataset": { "name": "glyphs" }, "model": { "hidden": [3], "latent_dim": 2 },
        }))
        .unwrap();
        let image = ImageShape { channels: 1, height: 4, width: 4 };
        let mut cohort = Cohort::new(vec![cell], image, Device::Cpu).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.safetensors");
        fs_err::write(&file, cohort.save(0).unwrap()).unwrap();
        let earlier = || {
            let mut tensors = crate::weights::Weights::read(&file).unwrap().tensors;
            tensors.retain(|one| !one.name.starts_with("sums."));
            tensors.push(NamedTensor { name: "sums".to_owned(), tensor: Tensor::from_slice(&[0.0; 18]) });
            tensors
        };
        let at = |step_in_epoch: u64| Position { epoch: 2, step_in_epoch, step: 10 + step_in_epoch };
        cohort.restore(0, earlier(), at(0)).unwrap();
        assert_eq!((cohort.position, &cohort.sums[0]), (at(0), &Sums::default()));
        let refused = cohort.restore(0, earlier(), at(3)).unwrap_err().to_string();
        assert!(refused.contains("in the middle of epoch 3") && refused.contains("hint: "), "{refused}");
    }
}
