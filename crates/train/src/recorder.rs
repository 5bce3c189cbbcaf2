//! Records training: rows and files in the run store, events on standard output.

use std::time::Instant;

use model::parameters::NamedTensor;
use protocol::Event;
use record::{Arrays, MetricsRow, RunWriter};
use spec::{Measurement, Metric, Split};

use crate::context::{TaskContext, TaskOutcome};
use crate::fit::{Observer, Save};
use crate::messages::MessageWriter;
use crate::position::Position;
use crate::threads::ThreadChange;
use crate::weights;

/// What the training loop tells goes through this into the run store and to standard output.
pub(crate) struct Recorder<'a, 'b> {
    /// `None` for a run that failed or is finished.
    writers: Vec<Option<RunWriter>>,
    out: &'a mut MessageWriter<'b>,
    context: &'a TaskContext,
    started: Instant,
    last_checkpoint: Instant,
}

/// The file of a checkpoint that holds tensors.
pub(crate) const STATE: &str = "state.safetensors";

impl<'a, 'b> Recorder<'a, 'b> {
    /// Tells that runs start, or resume from a checkpoint at `position`.
    pub(crate) fn start(
        mut writers: Vec<RunWriter>,
        position: Position,
        context: &'a TaskContext,
        out: &'a mut MessageWriter<'b>,
    ) -> anyhow::Result<Recorder<'a, 'b>> {
        for writer in &mut writers {
            let event = Event::Started { run_id: writer.run().id().clone(), from_epoch: position.epoch };
            writer.log(&event)?;
            out.event(event);
        }
        let writers = writers.into_iter().map(Some).collect();
        let now = Instant::now();
        Ok(Recorder { writers, out, context, started: now, last_checkpoint: now })
    }

    /// Leaves the runs at the checkpoint that was just written.
    pub(crate) fn interrupt(self, position: Position) -> anyhow::Result<TaskOutcome> {
        for mut writer in self.writers.into_iter().flatten() {
            let event = Event::Interrupted { run_id: writer.run().id().clone(), epoch: position.epoch };
            writer.log(&event)?;
            writer.interrupt()?;
            self.out.event(event);
        }
        Ok(self.context.interrupted())
    }

    /// Records what a run ends with, unless it failed before; `kept` is the epoch whose weights `model` are, where that need not be
    /// the last.
    pub(crate) fn finish(
        &mut self,
        replica: usize,
        rows: &[Measurement],
        arrays: &Arrays,
        model: &[NamedTensor],
        kept: Option<u32>,
    ) -> anyhow::Result<()> {
        let Some(mut writer) = self.writers[replica].take() else { return Ok(()) };
        if let Some(epoch) = kept {
            writer.keep(epoch);
        }
        writer.evaluation(rows)?;
        writer.arrays(arrays)?;
        record::files::write_bytes_atomically(&writer.model_path(), &weights::to_bytes(model, Default::default())?)?;
        let seconds = self.started.elapsed().as_secs_f64();
        let event = Event::Finished { run_id: writer.run().id().clone(), seconds };
        writer.log(&event)?;
        writer.finish(seconds)?;
        self.out.event(event);
        Ok(())
    }
}

impl Observer for Recorder<'_, '_> {
    fn progress(&mut self, position: Position, epochs: u32, steps_per_epoch: u64) -> anyhow::Result<()> {
        self.out.progress(position.epoch + 1, epochs, position.step_in_epoch, steps_per_epoch);
        Ok(())
    }

    fn epoch(&mut self, replica: usize, rows: &[MetricsRow]) -> anyhow::Result<()> {
        let Some(writer) = &mut self.writers[replica] else { return Ok(()) };
        writer.epoch(rows)?;
        let elbo = |split| rows.iter().find(|row| row.split == split)?.terms.get(Metric::Elbo);
        let event = Event::Epoch {
            run_id: writer.run().id().clone(),
            epoch: rows.first().map_or(0, |row| row.epoch),
            train_elbo: elbo(Split::Train),
            test_elbo: elbo(Split::Test),
            seconds: rows.iter().map(|row| row.seconds).sum(),
        };
        writer.log(&event)?;
        self.out.event(event);
        Ok(())
    }

    fn checkpoint(&mut self, position: Position, save: &Save<'_>, stopping: bool) -> anyhow::Result<()> {
        if !stopping && self.last_checkpoint.elapsed() < self.context.checkpoint_every() {
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

    fn threads(&mut self, position: Position, change: &ThreadChange) -> anyhow::Result<()> {
        for writer in self.writers.iter_mut().flatten() {
            writer.set_threads(position.step, change.to)?;
            let event = Event::Threads {
                run_id: writer.run().id().clone(),
                epoch: position.epoch,
                step: position.step,
                from: change.from,
                to: change.to,
                seconds_before: change.seconds_before,
                seconds_after: change.seconds_after,
            };
            writer.log(&event)?;
            self.out.event(event);
        }
        Ok(())
    }

    fn failed(&mut self, replica: usize, reason: &str) -> anyhow::Result<()> {
        let Some(mut writer) = self.writers[replica].take() else { return Ok(()) };
        let event = Event::Failed { run_id: writer.run().id().clone(), reason: reason.to_owned() };
        writer.log(&event)?;
        writer.fail(reason)?;
        self.out.event(event);
        Ok(())
    }

    fn stop(&mut self) -> bool {
        self.context.is_stopped()
    }
}
