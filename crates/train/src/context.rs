//! What all tasks of a worker share: its settings, device and signal, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::bail;
use data::{Folders, Images, Splits};
use model::ImageShape;
use protocol::WorkerSettings;
use record::Store;
use spec::Cell;
use tch::Device;

/// The settings, device and signal of a task.
#[derive(Debug)]
pub struct TaskContext {
    /// As the job says.
    pub settings: WorkerSettings,
    /// Where tensors live.
    pub device: Device,
    /// The signal that asks to stop; 0 for none.
    pub signal: Arc<AtomicUsize>,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskOutcome {
    /// Everything is done.
    Done,
    /// Some run failed; the others are done.
    SomeFailed,
    /// This signal stopped it; runs that were not done can resume from a checkpoint.
    Interrupted(usize),
}

impl TaskContext {
    /// For a job's settings; `signal` is set when a signal arrives.
    pub fn new(settings: WorkerSettings, signal: Arc<AtomicUsize>) -> TaskContext {
        let device = match settings.device {
            spec::Device::Cpu => Device::Cpu,
            spec::Device::Cuda => Device::Cuda(0),
        };
        TaskContext { settings, device, signal }
    }

    /// The run store.
    ///
    /// Errors when the results folder is no folder.
    pub fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.settings.results)?)
    }

    /// The images of a cell.
    ///
    /// Errors when they cannot be read.
    pub fn splits(&self, cell: &Cell) -> anyhow::Result<Splits> {
        let splits = data::load(&cell.dataset, &Folders::from_env(self.settings.data.clone())?)?;
        if matches!(cell.training.keep, spec::Keep::Best { .. }) && splits.validation.is_none() {
            bail!(
                "`training.keep: best` is the best epoch on the validation images, and these images have none\nhint: hold some out, such as by `dataset.validation: 1000`"
            );
        }
        Ok(splits)
    }

    /// Time between checkpoints at the ends of epochs, at least.
    pub fn checkpoint_every(&self) -> Duration {
        Duration::from_secs(self.settings.checkpoint_every_seconds)
    }

    /// Whether a signal asks to stop.
    pub fn is_stopped(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// The outcome of a task that a signal stopped.
    pub fn interrupted(&self) -> TaskOutcome {
        TaskOutcome::Interrupted(self.signal.load(Ordering::Relaxed))
    }
}

/// The shape of one image of these.
pub fn image_shape(images: &Images) -> ImageShape {
    let data::Shape { channels, height, width, .. } = images.shape;
    ImageShape { channels, height, width }
}
