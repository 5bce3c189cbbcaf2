//! A worker's job: the cells of one cohort, from the run store and back into it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use data::{Places, Splits};
use model::ImageShape;
use record::usage::Usage;
use record::{Provenance, RunWriter, Split, Store};
use serde::{Deserialize, Serialize};
use spec::{Cell, Evaluation, ModelKind};
use tch::Device;

use crate::arrays::{self, Decoded};
use crate::cohort::{Cohort, Position};
use crate::evaluate::{self, At};
use crate::fit::{Fitted, fit};
use crate::import::{Outside, measure_outside};
use crate::measure::measure;
use crate::mixture::MixtureFit;
use crate::recorder::{Out, Recorder, STATE};
use crate::usage::use_model;
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Train those whose runs are not done.
    #[default]
    Train,
    /// Measure this on the trained models of those whose runs are done.
    Evaluate(Evaluation),
    /// Measure the single cell's model with weights from outside; the rows are printed as one line of JSON, and nothing is
    /// stored.
    Weights(Outside),
    /// Use the trained model of the one cell, whose run is done.
    Use(Usage),
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

/// Do the job's task: train, evaluate and record its cells, or measure more on the models they have, or use one. What is done already is
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
    if let Task::Use(asked) = &job.task {
        return use_model(first, asked, settings, signal);
    }
    let places = Places::from_env(settings.data.clone())?;
    let splits = data::load(&first.dataset, &places)?;
    if let Task::Weights(outside) = &job.task {
        let [cell] = job.cells.as_slice() else {
            anyhow::bail!("weights from outside are of one model, and there are {} cells", job.cells.len());
        };
        let rows = measure_outside(cell, outside, &splits, settings.device)?;
        writeln!(out, "{}", serde_json::to_string(&rows)?)?;
        return Ok(Outcome::Done);
    }
    let store = Store::open(&settings.results)?;
    let mut out = Out::new(out, signal);
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
    members: Vec<Member>,
    splits: &Splits,
    settings: &Settings,
    signal: &Arc<AtomicUsize>,
    out: &mut Out<'_>,
) -> anyhow::Result<Outcome> {
    match members.first().map(|member| member.cell.model.kind) {
        // Its parameters are no tensors of a cohort: one after the other.
        Some(ModelKind::GaussianMixture { .. }) => {
            let mut outcome = Outcome::Done;
            for member in members {
                match train_mixture(member, splits, settings, signal, out)? {
                    Outcome::Done => {}
                    Outcome::SomeFailed => outcome = Outcome::SomeFailed,
                    Outcome::Interrupted(signal) => return Ok(Outcome::Interrupted(signal)),
                }
            }
            Ok(outcome)
        }
        _ => train_cohort(members, splits, settings, signal, out),
    }
}

fn train_cohort(
    mut members: Vec<Member>,
    splits: &Splits,
    settings: &Settings,
    signal: &Arc<AtomicUsize>,
    out: &mut Out<'_>,
) -> anyhow::Result<Outcome> {
    let cells = members.iter().map(|member| member.cell.clone()).collect();
    let mut cohort = Cohort::new(cells, image_shape(&splits.train), settings.device)?;
    for (replica, member) in members.iter_mut().enumerate() {
        if let Some(saved) = member.saved.take() {
            cohort.restore(replica, saved, member.position)?;
        }
    }
    let writers = members.into_iter().map(|member| member.writer).collect();
    let mut recorder = Recorder::start(writers, cohort.position, settings.checkpoint_every, signal, out)?;
    if fit(&mut cohort, splits, settings.device, &mut recorder)? == Fitted::Stopped {
        return recorder.interrupt(cohort.position);
    }
    let betas: Vec<f64> = cohort.cells.iter().map(|cell| cell.objective.beta).collect();
    if cohort.living().next().is_some() {
        let at = At { split: Split::Test, epoch: cohort.position.epoch, betas: &betas, n_train: splits.train.shape.n };
        let sums = evaluate::evaluate(cohort.model.as_ref(), &splits.test, &at, settings.device);
        let of_corrupted =
            evaluate::reconstruction_of_corrupted(cohort.model.as_ref(), &splits.test, &at, settings.device);
        let arrays = arrays::arrays(cohort.model.as_ref(), splits, &cohort.cells, settings.device)?;
        let sharpness = evaluate::sharpness_of_data(&splits.test);
        for (replica, Decoded { arrays, latent_log_density }) in arrays.into_iter().enumerate() {
            let of_corrupted = of_corrupted.as_ref().map(|means| means[replica]);
            let mut rows = evaluate::rows(&cohort.cells[replica], &sums[replica], of_corrupted, &splits.test);
            rows.extend(latent_log_density.map(|mean| evaluate::latent_log_density(mean, &splits.test)));
            rows.extend(sharpness.clone());
            rows.extend(evaluate::sharpness_of_decoded(&arrays));
            recorder.finish(replica, &rows, &arrays, &cohort.model.parameters().export(replica))?;
        }
    }
    Ok(if cohort.alive.iter().all(|&alive| alive) { Outcome::Done } else { Outcome::SomeFailed })
}

fn train_mixture(
    member: Member,
    splits: &Splits,
    settings: &Settings,
    signal: &Arc<AtomicUsize>,
    out: &mut Out<'_>,
) -> anyhow::Result<Outcome> {
    let Member { cell, writer, position, saved } = member;
    let mut mixture = MixtureFit::new(cell, position, saved, &splits.train, settings.device)?;
    let mut recorder = Recorder::start(vec![writer], position, settings.checkpoint_every, signal, out)?;
    match mixture.fit(splits, &mut recorder)? {
        Fitted::Stopped => recorder.interrupt(mixture.position),
        Fitted::Complete if mixture.is_alive => {
            let (mut rows, arrays) = (mixture.rows(&splits.test), mixture.arrays(&splits.test)?);
            rows.extend(evaluate::sharpness_of_data(&splits.test));
            rows.extend(evaluate::sharpness_of_decoded(&arrays));
            recorder.finish(0, &rows, &arrays, &mixture.export())?;
            Ok(Outcome::Done)
        }
        Fitted::Complete => Ok(Outcome::SomeFailed),
    }
}
