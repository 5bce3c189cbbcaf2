//! How long training takes: counted in steps and images, and priced at what these cost on this machine.

use std::collections::HashMap;

use protocol::{Pace, Trial};
use spec::{Cell, Device, ModelKind};

use crate::plan::work::Work;

/// Latents of training images that a mixture is fitted to once a model is trained, and steps of that fit: as often as not.
const FITTED: (u64, f64) = (10_000, 10.0);
/// How often a trained model goes over the test images: its numbers, its images and its latents.
const LAST_PASSES: f64 = 3.0;
/// Bytes of images that are read in a second.
const READ_RATE: f64 = 1e8;

/// What training takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeEstimate {
    /// Wall-clock seconds of its process, start-up included.
    pub seconds: f64,
    /// Whether it was not timed itself, but is judged by the arithmetic of another model that was.
    pub is_rough: bool,
}

/// What there is to do for a cohort, and how its pace is found out.
#[derive(Clone, Debug)]
pub struct Job {
    /// What is timed.
    pub trial: Trial,
    /// Where it computes.
    pub device: Device,
    /// Of one of its cells, the largest.
    work: Work,
    epochs: f64,
    /// Whether its cells are trained one after the other, by steps over all images.
    is_mixture: bool,
}

/// Knows how large the images of datasets are.
#[derive(Debug)]
pub struct Sizes<'a> {
    folders: &'a data::Folders,
    /// Of the training images of each dataset; `None` if it cannot be looked at.
    shapes: HashMap<String, Option<data::Shape>>,
}

impl<'a> Sizes<'a> {
    /// Has looked at nothing yet.
    pub fn new(folders: &'a data::Folders) -> Sizes<'a> {
        Sizes { folders, shapes: HashMap::new() }
    }

    fn shape(&mut self, cell: &Cell) -> Option<data::Shape> {
        let key = serde_json::to_string(&cell.dataset).ok()?;
        let look = || data::shape(&cell.dataset, self.folders).ok();
        *self.shapes.entry(key).or_insert_with(look)
    }

    /// The size of a cell's training; `None` if its images cannot be looked at, or its convolutions are more than they
    /// allow.
    pub fn work(&mut self, cell: &Cell) -> Option<Work> {
        let shape = self.shape(cell)?;
        Work::of(cell, shape.image(), shape.n).ok()
    }

    /// What there is to do for these cells together, with so many threads and after so many epochs; `None` without a cell, and
    /// where [`Sizes::work`] has no answer.
    pub fn job(&mut self, cells: &[&Cell], threads: usize, device: Device, epochs_behind: u32) -> Option<Job> {
        let widest = cells.iter().max_by_key(|cell| cell.model.latent_dim)?;
        let (shape, work) = (self.shape(widest)?, self.work(widest)?);
        let trial = Trial {
            cells: cells.iter().map(|&cell| cell.clone()).collect(),
            image: [shape.channels, shape.height, shape.width],
            threads: threads.try_into().ok()?,
        };
        let is_mixture = matches!(widest.model.kind, ModelKind::GaussianMixture { .. });
        let epochs = (widest.training.epochs as f64 - f64::from(epochs_behind)).max(0.0);
        Some(Job { trial, device, work, epochs, is_mixture })
    }
}

impl Job {
    /// Multiplications of a step of the whole cohort.
    fn per_step(&self) -> f64 {
        (self.work.per_step() * self.trial.cells.len() as u64) as f64
    }

    /// What it takes at a pace, where a process starts within so many seconds.
    pub fn seconds(&self, pace: Pace, start_up: f64) -> f64 {
        let work = &self.work;
        let held_out = (work.test_images + work.validation_images) as f64;
        let fitted = work.images.min(FITTED.0) as f64 * FITTED.1;
        let (runs, steps) = match self.is_mixture {
            true => (self.trial.cells.len() as f64, work.images as f64),
            false => (1.0, work.steps() as f64),
        };
        let epoch = steps * pace.step + held_out * pace.image;
        let end = LAST_PASSES * work.test_images as f64 * pace.image + fitted * pace.latents;
        start_up + work.image_bytes as f64 / READ_RATE + runs * (self.epochs * epoch + end)
    }

    /// The pace of another job's model, made this one's by the ratio of their arithmetic.
    pub fn pace_by(&self, other: &Job, pace: Pace) -> Pace {
        let ratio = self.per_step() / other.per_step().max(1.0);
        let per_image = self.work.multiplications as f64 * self.trial.cells.len() as f64;
        let others = other.work.multiplications as f64 * other.trial.cells.len() as f64;
        let of_images = per_image / others.max(1.0);
        let step = if self.is_mixture || other.is_mixture { of_images } else { ratio };
        Pace { step: pace.step * step, image: pace.image * of_images, latents: pace.latents }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::work::tests::{MNIST, reference};

    fn job(epochs: usize, hidden: usize) -> Job {
        let mut cell = reference();
        (cell.training.epochs, cell.model.hidden) = (epochs, vec![hidden]);
        let work = Work::of(&cell, MNIST, 60_000).expect("MNIST's images are large enough");
        let trial = Trial { cells: vec![cell], image: [1, 28, 28], threads: std::num::NonZeroUsize::MIN };
        Job { trial, device: Device::Cpu, work, epochs: epochs as f64, is_mixture: false }
    }

    #[test]
    fn start_up_steps_and_what_comes_after_training_are_counted() {
        let pace = Pace { step: 0.01, image: 1e-5, latents: 1e-6 };
        let (one, ten) = (job(1, 400).seconds(pace, 2.0), job(10, 400).seconds(pace, 2.0));
        // 469 steps and 10,000 test images an epoch.
        assert!((ten - one - 9.0 * (4.69 + 0.1)).abs() < 1e-6, "{one} and {ten}");
        assert!((one - (2.0 + 0.4704 + 4.69 + 0.1 + 0.3 + 0.1)).abs() < 1e-6, "{one}");
    }

    #[test]
    fn what_was_not_timed_is_judged_by_its_arithmetic() {
        let pace = Pace { step: 0.01, image: 1e-5, latents: 1e-6 };
        let found = job(1, 800).pace_by(&job(1, 400), pace);
        assert!((0.019..0.021).contains(&found.step) && (1.9e-5..2.1e-5).contains(&found.image), "{found:?}");
    }
}
