//! What becomes of a training run's progress: rows and files in the run store, events on standard output.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use model::parameters::Exported;
use record::{Arrays, EvaluationRow, Event, MetricsRow, RunWriter, Split};

use crate::cohort::Position;
use crate::fit::{Observer, Save};
use crate::weights;
use crate::work::Outcome;

/// Standard output: a reader that is gone counts as a request to stop, so that nothing is lost.
pub(crate) struct Out<'a> {
    to: &'a mut dyn Write,
    signal: Arc<AtomicUsize>,
}

impl<'a> Out<'a> {
    /// Writes to `to`; `signal` is set when that fails.
    pub(crate) fn new(to: &'a mut dyn Write, signal: &Arc<AtomicUsize>) -> Out<'a> {
        Out { to, signal: Arc::clone(signal) }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        let written = serde_json::to_string(event).map_err(std::io::Error::from).and_then(|line| {
            writeln!(self.to, "{line}")?;
            self.to.flush()
        });
        if written.is_err() {
            let _ = self.signal.compare_exchange(
                0,
                signal_hook::consts::SIGTERM as usize,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }
}

/// Passes on what the training loop tells: into the run store and to standard output.
pub(crate) struct Recorder<'a, 'b> {
    /// `None` for a run that failed or is finished.
    writers: Vec<Option<RunWriter>>,
    out: &'a mut Out<'b>,
    signal: &'a AtomicUsize,
    every: Duration,
    started: Instant,
    last_checkpoint: Instant,
    last_progress: Option<Instant>,
}

pub(crate) const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// The file of a checkpoint that holds tensors.
pub(crate) const STATE: &str = "state.safetensors";

impl<'a, 'b> Recorder<'a, 'b> {
    /// Says that the runs go on from a position.
    pub(crate) fn start(
        mut writers: Vec<RunWriter>,
        position: Position,
        every: Duration,
        signal: &'a AtomicUsize,
        out: &'a mut Out<'b>,
    ) -> anyhow::Result<Recorder<'a, 'b>> {
        for writer in &mut writers {
            let event = Event::Started { run_id: writer.run().id().clone(), from_epoch: position.epoch };
            writer.log(&event)?;
            out.event(&event);
        }
        let writers = writers.into_iter().map(Some).collect();
        let now = Instant::now();
        Ok(Recorder { writers, out, signal, every, started: now, last_checkpoint: now, last_progress: None })
    }

    /// Leaves the runs at the checkpoint that was just written.
    pub(crate) fn interrupt(self, position: Position) -> anyhow::Result<Outcome> {
        for mut writer in self.writers.into_iter().flatten() {
            let event = Event::Interrupted { run_id: writer.run().id().clone(), epoch: position.epoch };
            writer.log(&event)?;
            writer.interrupt()?;
            self.out.event(&event);
        }
        Ok(Outcome::Interrupted(self.signal.load(Ordering::Relaxed)))
    }

    /// Records what a run ends with, unless it failed before.
    pub(crate) fn finish(
        &mut self,
        replica: usize,
        rows: &[EvaluationRow],
        arrays: &Arrays,
        model: &[Exported],
    ) -> anyhow::Result<()> {
        let Some(mut writer) = self.writers[replica].take() else { return Ok(()) };
        writer.evaluation(rows)?;
        writer.arrays(arrays)?;
        record::files::write_bytes_atomically(&writer.model_path(), &weights::to_bytes(model, Default::default())?)?;
        let seconds = self.started.elapsed().as_secs_f64();
        let event = Event::Finished { run_id: writer.run().id().clone(), seconds };
        writer.log(&event)?;
        writer.finish(seconds)?;
        self.out.event(&event);
        Ok(())
    }
}

impl Observer for Recorder<'_, '_> {
    fn progress(&mut self, position: Position, epochs: u32, steps_per_epoch: u64) -> anyhow::Result<()> {
        if self.last_progress.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY) {
            self.last_progress = Some(Instant::now());
            self.out.event(&Event::Progress {
                epoch: position.epoch + 1,
                epochs,
                step: position.step_in_epoch,
                steps: steps_per_epoch,
            });
        }
        Ok(())
    }

    fn epoch(&mut self, replica: usize, rows: &[MetricsRow]) -> anyhow::Result<()> {
        let Some(writer) = &mut self.writers[replica] else { return Ok(()) };
        writer.epoch(rows)?;
        let elbo = |split| rows.iter().find(|row| row.split == split).and_then(|row| row.elbo);
        let event = Event::Epoch {
            run_id: writer.run().id().clone(),
            epoch: rows.first().map_or(0, |row| row.epoch),
            train_elbo: elbo(Split::Train),
            test_elbo: elbo(Split::Test),
            seconds: rows.iter().map(|row| row.seconds).sum(),
        };
        writer.log(&event)?;
        self.out.event(&event);
        Ok(())
    }

    fn checkpoint(&mut self, position: Position, save: &Save<'_>, stopping: bool) -> anyhow::Result<()> {
        if !stopping && self.last_checkpoint.elapsed() < self.every {
            return Ok(());
        }
        for (replica, writer) in self.writers.iter_mut().enumerate() {
            let Some(writer) = writer else { continue };
            let bytes = save(replica)?;
            let write = |folder: &std::path::Path| fs_err::write(folder.join(STATE), &bytes);
            writer.checkpoint(position.epoch, position.step, write)?;
        }
        self.last_checkpoint = Instant::now();
        Ok(())
    }

    fn failed(&mut self, replica: usize, reason: &str) -> anyhow::Result<()> {
        let Some(mut writer) = self.writers[replica].take() else { return Ok(()) };
        let event = Event::Failed { run_id: writer.run().id().clone(), reason: reason.to_owned() };
        writer.log(&event)?;
        writer.fail(reason)?;
        self.out.event(&event);
        Ok(())
    }

    fn stop(&mut self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }
}
