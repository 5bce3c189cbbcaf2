//! How long training takes: from stored runs of a similar shape, else from a stated rough rate.

use std::collections::HashMap;

use record::ListedRun;
use spec::{Cell, Device};

use crate::plan::parallelism::Parallelism;
use crate::plan::work::Work;

/// Parameters × images that one thread of a CPU trains in a second, when nothing better is known.
pub const ROUGH_CPU_RATE: f64 = 1e10;
/// The same for a GPU.
pub const ROUGH_GPU_RATE: f64 = 5e11;

/// What a cell's training still takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeEstimate {
    /// Wall-clock seconds, if its cohort takes the sum of its cells.
    pub seconds: f64,
    /// Whether it rests on no stored run.
    pub is_rough: bool,
}

/// How long one stored run took.
#[derive(Clone, Debug)]
struct Sample {
    cell: Cell,
    device: String,
    work: Work,
    /// Seconds of an epoch, for this run's part of its cohort.
    seconds_per_epoch: f64,
}

/// Knows how long stored runs took.
#[derive(Debug)]
pub struct Estimator<'a> {
    folders: &'a data::Folders,
    /// Of the training images of each dataset; `None` if it cannot be looked at.
    shapes: HashMap<String, Option<data::Shape>>,
    samples: Vec<Sample>,
    parallelism: Option<Parallelism>,
}

impl<'a> Estimator<'a> {
    /// Knows nothing yet.
    pub fn new(folders: &'a data::Folders) -> Estimator<'a> {
        Estimator { folders, shapes: HashMap::new(), samples: Vec::new(), parallelism: None }
    }

    /// Learns from stored runs, for a layout.
    pub fn learn(&mut self, runs: &[ListedRun], parallelism: Parallelism) {
        self.parallelism = Some(parallelism);
        for run in runs.iter().map(|run| &run.manifest) {
            let Some(epochs) = run.last_epoch.as_ref().map(|last| last.epoch).filter(|&epochs| epochs > 0) else {
                continue;
            };
            let Some(work) = self.work(&run.cell) else { continue };
            let shared = run.timing.seconds / run.provenance.cohort.len().max(1) as f64;
            if shared > 0.0 {
                let device = run.provenance.device.clone();
                let seconds_per_epoch = shared / f64::from(epochs);
                self.samples.push(Sample { cell: run.cell.clone(), device, work, seconds_per_epoch });
            }
        }
    }

    /// The size of a cell's training; `None` if its images cannot be looked at, or its convolutions are more than they
    /// allow.
    pub fn work(&mut self, cell: &Cell) -> Option<Work> {
        let key = serde_json::to_string(&cell.dataset).ok()?;
        let look = || data::shape(&cell.dataset, self.folders).ok();
        let shape = (*self.shapes.entry(key).or_insert_with(look))?;
        Work::of(cell, shape.image(), shape.n).ok()
    }

    /// What `cell` still takes after so many epochs.
    pub fn estimate(&mut self, cell: &Cell, epochs_behind: u32) -> Option<TimeEstimate> {
        let work = self.work(cell)?;
        let parallelism = self.parallelism?;
        let epochs = (cell.training.epochs as f64 - f64::from(epochs_behind)).max(0.0);
        let (device, rough_rate) = match parallelism.device {
            Device::Cpu => ("cpu", ROUGH_CPU_RATE * parallelism.threads as f64),
            Device::Cuda => ("cuda", ROUGH_GPU_RATE),
        };
        let mut known: Vec<f64> = self
            .samples
            .iter()
            .filter(|sample| sample.device == device && is_similar(sample, cell, &work))
            .map(|sample| sample.seconds_per_epoch * work.per_epoch() / sample.work.per_epoch())
            .collect();
        known.sort_by(f64::total_cmp);
        Some(match known.get(known.len() / 2) {
            Some(&median) => TimeEstimate { seconds: epochs * median, is_rough: false },
            None => TimeEstimate { seconds: epochs * work.per_epoch() / rough_rate, is_rough: true },
        })
    }
}

/// Whether a stored run says how long an epoch of `cell` takes: the same batches, as many layers, and both parameters
/// and images within a factor of two.
fn is_similar(sample: &Sample, cell: &Cell, work: &Work) -> bool {
    let within_two = |a: u64, b: u64| a > 0 && b > 0 && a <= 2 * b && b <= 2 * a;
    sample.cell.training.batch_size == cell.training.batch_size
        && sample.cell.model.hidden.len() == cell.model.hidden.len()
        && within_two(sample.work.multiplications, work.multiplications)
        && within_two(sample.work.images, work.images)
}
