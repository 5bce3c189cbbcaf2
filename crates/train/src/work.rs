//! A worker's job: the cells of one cohort, from the run store and back into it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use data::{Places, Splits};
use model::ImageShape;
use record::{Event, MetricsRow, Provenance, RunWriter, Split, Store};
use serde::{Deserialize, Serialize};
use spec::{Cell, Evaluation};
use tch::Device;

use crate::arrays;
use crate::cohort::{Cohort, Position};
use crate::evaluate::{self, At};
use crate::fit::{Fitted, Observer, fit};
use crate::measure::measure;
use crate::weights;

/// What a worker is given on its standard input: cells that share a cohort key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// What is done with the cells.
    #[serde(default)]
    pub task: Task,
    /// The cells, one a replica.
    pub cells: Vec<Cell>,
}

/// What a worker does with its cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Train those whose runs are not done.
    #[default]
    Train,
    /// Measure this on the trained models of those whose runs are done.
    Evaluate(Evaluation),
}

/// Where and with what a worker works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The run store's folder.
    pub results: PathBuf,
    /// The user's folder of datasets.
    pub data: Option<PathBuf>,
    /// Threads within an operation of libtorch.
    pub threads: usize,
    /// Where tensors live.
    pub device: Device,
    /// Least time between two checkpoints at epoch boundaries.
    pub checkpoint_every: Duration,
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every run is done.
    Done,
    /// Some run failed; the others are done.
    SomeFailed,
    /// This signal stopped it; runs that were not done stand at a checkpoint.
    Interrupted(usize),
}

/// Do the job's task: train, evaluate and record its cells, or measure more on the models they have. What is done already is
/// left out.
///
/// Errors are those that concern all cells alike, such as data that cannot be read; what concerns one is recorded as
/// its run's failure.
pub fn work(job: Job, settings: &Settings, signal: &Arc<AtomicUsize>, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    let Some(first) = job.cells.first() else { return Ok(Outcome::Done) };
    if let Some(other) = job.cells.iter().find(|cell| cell.cohort_key() != first.cohort_key()) {
        anyhow::bail!(
            "`{}` and `{}` cannot train as one cohort\nhint: a cohort's cells differ in latent width, β, learning rate, seed and likelihood scale alone",
            first.readable_name(),
            other.readable_name()
        );
    }
    let places = Places::from_env(settings.data.clone())?;
    let splits = data::load(&first.dataset, &places)?;
    let store = Store::open(&settings.results)?;
    let mut out = Out { to: out, signal: Arc::clone(signal) };
    if let Task::Evaluate(asked) = job.task {
        return measure(job.cells, &asked, &splits, &store, settings.device, signal, &mut out);
    }

    let provenance = provenance(&job, settings, &splits);
    let mut some_failed = false;
    let mut by_position: BTreeMap<Position, Vec<Member>> = BTreeMap::new();
    for cell in job.cells {
        match Member::open(&store, cell, &provenance)? {
            Some(member) => by_position.entry(member.position).or_default().push(member),
            None => continue,
        }
    }
    // Runs that stopped at different steps cannot share one program; each group goes on from where it stands.
    for (_, members) in by_position {
        match train_group(members, &splits, settings, signal, &mut out)? {
            Outcome::Done => {}
            Outcome::SomeFailed => some_failed = true,
            Outcome::Interrupted(signal) => return Ok(Outcome::Interrupted(signal)),
        }
    }
    Ok(if some_failed { Outcome::SomeFailed } else { Outcome::Done })
}

fn provenance(job: &Job, settings: &Settings, splits: &Splits) -> Provenance {
    let device = if settings.device == Device::Cpu { "cpu" } else { "cuda" };
    let cohort = job.cells.iter().map(Cell::run_id).collect();
    let mut provenance = Provenance::gather(device, settings.threads, cohort);
    provenance.versions.insert("libtorch".to_owned(), env!("LIBTORCH_VERSION").to_owned());
    provenance.data_sha256.clone_from(&splits.digest);
    provenance
}

pub(crate) fn image_shape(images: &data::Images) -> ImageShape {
    let shape = images.shape;
    ImageShape { channels: shape.channels, height: shape.height, width: shape.width }
}

/// One run of a cohort: its cell, its writer, and the checkpoint it goes on from.
struct Member {
    cell: Cell,
    writer: RunWriter,
    position: Position,
    saved: Option<Vec<model::parameters::Exported>>,
}

impl Member {
    /// `None` when the run is done.
    fn open(store: &Store, cell: Cell, provenance: &Provenance) -> anyhow::Result<Option<Member>> {
        let mut writer = match RunWriter::start(store, &cell, provenance) {
            Err(record::RecordError::AlreadyDone { .. }) => return Ok(None),
            other => other?,
        };
        let latest = writer.latest_checkpoint()?;
        for damaged in &latest.damaged {
            eprintln!("warning: {damaged}; going on from an earlier state");
        }
        let (mut position, mut saved) = (Position::default(), None);
        if let Some(checkpoint) = latest.checkpoint {
            let (tensors, metadata) = weights::read(&checkpoint.path.join(STATE))?;
            position = Position::from_metadata(&metadata)?;
            saved = Some(tensors);
        }
        writer.forget_after(position.epoch)?;
        Ok(Some(Member { cell, writer, position, saved }))
    }
}

fn train_group(
    mut members: Vec<Member>,
    splits: &Splits,
    settings: &Settings,
    signal: &Arc<AtomicUsize>,
    out: &mut Out<'_>,
) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let cells = members.iter().map(|member| member.cell.clone()).collect();
    let mut cohort = Cohort::new(cells, image_shape(&splits.train), settings.device)?;
    for (replica, member) in members.iter_mut().enumerate() {
        if let Some(saved) = member.saved.take() {
            cohort.restore(replica, saved, member.position)?;
        }
        let event = Event::Started { run_id: member.writer.run().id().clone(), from_epoch: member.position.epoch };
        member.writer.log(&event)?;
        out.event(&event);
    }

    let writers = members.into_iter().map(|member| Some(member.writer)).collect();
    let mut recorder = Recorder {
        writers,
        out,
        signal,
        every: settings.checkpoint_every,
        last_checkpoint: Instant::now(),
        last_progress: None,
    };
    let fitted = fit(&mut cohort, splits, settings.device, &mut recorder)?;
    let mut writers = recorder.writers;
    if fitted == Fitted::Stopped {
        for mut writer in writers.into_iter().flatten() {
            let event = Event::Interrupted { run_id: writer.run().id().clone(), epoch: cohort.position.epoch };
            writer.log(&event)?;
            writer.interrupt()?;
            out.event(&event);
        }
        return Ok(Outcome::Interrupted(signal.load(Ordering::Relaxed)));
    }

    let betas: Vec<f64> = cohort.cells.iter().map(|cell| cell.objective.beta).collect();
    if cohort.living().next().is_some() {
        let at = At { split: Split::Test, epoch: cohort.position.epoch, betas: &betas, n_train: splits.train.shape.n };
        let sums = evaluate::evaluate(cohort.model.as_ref(), &splits.test, &at, settings.device);
        let arrays = arrays::arrays(cohort.model.as_ref(), &splits.test, settings.device)?;
        for ((replica, writer), arrays) in writers.iter_mut().enumerate().zip(arrays) {
            let Some(mut writer) = writer.take() else { continue };
            writer.evaluation(&evaluate::rows(&cohort.cells[replica], &sums[replica], &splits.test))?;
            writer.arrays(&arrays)?;
            let bytes = weights::to_bytes(&cohort.model.parameters().export(replica), Default::default())?;
            record::files::write_bytes_atomically(&writer.model_path(), &bytes)?;
            let event = Event::Finished { run_id: writer.run().id().clone(), seconds: started.elapsed().as_secs_f64() };
            writer.log(&event)?;
            writer.finish(started.elapsed().as_secs_f64())?;
            out.event(&event);
        }
    }
    Ok(if cohort.alive.iter().all(|&alive| alive) { Outcome::Done } else { Outcome::SomeFailed })
}

/// Standard output: a reader that is gone counts as a request to stop, so that nothing is lost.
pub(crate) struct Out<'a> {
    to: &'a mut dyn Write,
    signal: Arc<AtomicUsize>,
}

impl Out<'_> {
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
struct Recorder<'a, 'b> {
    /// `None` for a run that failed.
    writers: Vec<Option<RunWriter>>,
    out: &'a mut Out<'b>,
    signal: &'a AtomicUsize,
    every: Duration,
    last_checkpoint: Instant,
    last_progress: Option<Instant>,
}

pub(crate) const PROGRESS_EVERY: Duration = Duration::from_millis(200);
const STATE: &str = "state.safetensors";

impl Observer for Recorder<'_, '_> {
    fn progress(&mut self, cohort: &Cohort, steps_per_epoch: u64) -> anyhow::Result<()> {
        if self.last_progress.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY) {
            self.last_progress = Some(Instant::now());
            self.out.event(&Event::Progress {
                epoch: cohort.position.epoch + 1,
                epochs: cohort.cells.first().map_or(0, |cell| cell.training.epochs) as u32,
                step: cohort.position.step_in_epoch,
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

    fn checkpoint(&mut self, cohort: &Cohort, stopping: bool) -> anyhow::Result<()> {
        if !stopping && self.last_checkpoint.elapsed() < self.every {
            return Ok(());
        }
        for (replica, writer) in self.writers.iter_mut().enumerate() {
            let Some(writer) = writer else { continue };
            let bytes = cohort.save(replica)?;
            let write = |folder: &std::path::Path| fs_err::write(folder.join(STATE), &bytes);
            writer.checkpoint(cohort.position.epoch, cohort.position.step, write)?;
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
