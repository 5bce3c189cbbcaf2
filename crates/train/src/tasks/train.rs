//! Trains cells as cohorts, from the run store and back into it; runs that were stopped resume from their checkpoints.

use std::collections::BTreeMap;

use data::Splits;
use model::parameters::NamedTensor;
use record::{ListedRun, Provenance, RecordError, RunWriter, Store, ThreadSpan};
use spec::{Cell, Measurement, ModelKind, Split};
use tch::Device;

use crate::arrays::{self, ReplicaArrays};
use crate::cohort::Cohort;
use crate::context::{TaskContext, TaskOutcome, image_shape};
use crate::evaluate::SplitContext;
use crate::fit::{FitOutcome, Observer as _, fit};
use crate::image_metrics::Judge;
use crate::messages::MessageWriter;
use crate::mixture::MixtureFit;
use crate::position::Position;
use crate::recorder::{Recorder, STATE};
use crate::rows;
use crate::threads::{self, Watch};
use crate::weights::Weights;

/// Train the cells whose runs are not done.
///
/// Errors are those that concern all cells alike; what concerns one is recorded as its run's failure.
pub(super) fn train(cells: &[Cell], context: &TaskContext, out: &mut MessageWriter<'_>) -> anyhow::Result<TaskOutcome> {
    let Some(first) = cells.first() else { return Ok(TaskOutcome::Done) };
    let (splits, store) = (context.splits(first)?, context.store()?);
    let provenance = provenance(cells, context, &splits);
    let stored = store.runs()?.runs;
    let mut groups: BTreeMap<(Position, Vec<ThreadSpan>), Vec<Member>> = BTreeMap::new();
    for cell in cells {
        if let Some(member) = Member::open(&store, &stored, cell, &provenance)? {
            let past = match member.position.step {
                0 => Vec::new(),
                step => member.writer.thread_history().iter().filter(|span| span.from_step <= step).copied().collect(),
            };
            groups.entry((member.position, past)).or_default().push(member);
        }
    }
    // Runs that stopped at different steps, or with different threads, cannot share one program; each group resumes by itself.
    all(groups, |((_, past), members)| train_group(members, &past, &splits, context, out))
}

/// Does `train` for one after the other, until a signal stops it.
fn all<T>(
    parts: impl IntoIterator<Item = T>,
    mut train: impl FnMut(T) -> anyhow::Result<TaskOutcome>,
) -> anyhow::Result<TaskOutcome> {
    let mut outcome = TaskOutcome::Done;
    for part in parts {
        match train(part)? {
            TaskOutcome::Done => {}
            TaskOutcome::SomeFailed => outcome = TaskOutcome::SomeFailed,
            TaskOutcome::Interrupted(signal) => return Ok(TaskOutcome::Interrupted(signal)),
        }
    }
    Ok(outcome)
}

fn provenance(cells: &[Cell], context: &TaskContext, splits: &Splits) -> Provenance {
    let device = match context.settings.device {
        spec::Device::Cpu => "cpu",
        spec::Device::Cuda => "cuda",
    };
    let cohort = cells.iter().map(Cell::run_id).collect();
    let mut provenance = Provenance::gather(device, context.settings.threads.count.get(), cohort);
    provenance.versions.insert("libtorch".to_owned(), env!("LIBTORCH_VERSION").to_owned());
    provenance.data_sha256.clone_from(&splits.digest);
    provenance.neighbour_distance = splits.neighbour_distance;
    provenance
}

/// One run of a cohort: its cell, its writer, and the checkpoint it resumes from.
struct Member {
    cell: Cell,
    writer: RunWriter,
    position: Position,
    saved: Option<Vec<NamedTensor>>,
}

impl Member {
    /// From the run's own checkpoint, or else from the end of one of `stored` that was trained on the same images for fewer epochs;
    /// `None` when the run is done.
    fn open(
        store: &Store,
        stored: &[ListedRun],
        cell: &Cell,
        provenance: &Provenance,
    ) -> anyhow::Result<Option<Member>> {
        let mut writer = match RunWriter::start(store, cell, provenance) {
            Err(RecordError::AlreadyDone { .. }) => return Ok(None),
            other => other?,
        };
        let latest = writer.latest_checkpoint()?;
        for damaged in &latest.damaged {
            eprintln!("warning: {damaged}; going on from an earlier state");
        }
        let mut begun = None;
        if latest.checkpoint.is_none()
            && let Some(shorter) = store.beginning_of(cell, stored)?
            && shorter.manifest.provenance.data_sha256 == provenance.data_sha256
        {
            begun = writer.begin_with(&store.run(&shorter.manifest.run_id))?;
        }
        let (mut position, mut saved) = (Position::default(), None);
        if let Some(checkpoint) = latest.checkpoint.as_ref().or(begun.as_ref()) {
            let state = Weights::read(&checkpoint.path.join(STATE))?;
            position = Position::from_metadata(&state.metadata)?;
            saved = Some(state.tensors);
        }
        if begun.is_none() {
            writer.forget_after(position.epoch)?;
        }
        Ok(Some(Member { cell: cell.clone(), writer, position, saved }))
    }
}

fn train_group(
    mut members: Vec<Member>,
    past: &[ThreadSpan],
    splits: &Splits,
    context: &TaskContext,
    out: &mut MessageWriter<'_>,
) -> anyhow::Result<TaskOutcome> {
    let position = members.first().map_or_else(Position::default, |member| member.position);
    let mut watch = match context.device {
        Device::Cpu => threads::begin(context.settings.threads, past, position.step),
        // Its operations do not wait for threads of the machine.
        _ => Watch::fixed(context.settings.threads.count.get()),
    };
    if let Some(last) = past.last().filter(|last| last.threads != watch.now()) {
        eprintln!(
            "warning: trained with {} thread{} so far, from step {} on with {}: the numbers differ by rounding from those of an uninterrupted run",
            last.threads,
            if last.threads == 1 { "" } else { "s" },
            position.step,
            watch.now()
        );
    }
    threads::set(watch.now());
    for member in &mut members {
        member.writer.set_threads(position.step, watch.now())?;
    }
    match members.first().map(|member| member.cell.model.kind) {
        // Its parameters are no tensors of a cohort: one after the other.
        Some(ModelKind::GaussianMixture { .. }) => all(members, |member| train_mixture(member, splits, context, out)),
        _ => train_cohort(members, splits, &mut watch, context, out),
    }
}

fn train_cohort(
    mut members: Vec<Member>,
    splits: &Splits,
    watch: &mut Watch,
    context: &TaskContext,
    out: &mut MessageWriter<'_>,
) -> anyhow::Result<TaskOutcome> {
    let cells = members.iter().map(|member| member.cell.clone()).collect();
    let mut cohort = Cohort::new(cells, image_shape(&splits.train), context.device)?;
    for (replica, member) in members.iter_mut().enumerate() {
        if let Some(saved) = member.saved.take() {
            cohort.restore(replica, saved, member.position)?;
        }
    }
    let writers = members.into_iter().map(|member| member.writer).collect();
    let mut recorder = Recorder::start(writers, cohort.position, context, out)?;
    if fit(&mut cohort, splits, context.device, watch, &mut recorder)? == FitOutcome::Stopped {
        return recorder.interrupt(cohort.position);
    }
    // The end of training, from which a run of more epochs goes on.
    recorder.checkpoint(cohort.position, &|replica| cohort.save(replica), true)?;
    if cohort.alive.contains(&true) {
        cohort.restore_best()?;
        let arrays = arrays::arrays(cohort.model.as_ref(), splits, &cohort.cells, context.device)?;
        let rows = rows_of_kept(&cohort, splits, &arrays, context.device);
        for (replica, (ReplicaArrays { arrays, .. }, rows)) in arrays.iter().zip(rows).enumerate() {
            let kept = cohort.comparisons[replica].best.as_ref().map(|best| best.epoch);
            recorder.finish(replica, &rows, arrays, &cohort.model.parameters().export(replica), kept)?;
        }
    }
    Ok(if cohort.alive.iter().all(|&alive| alive) { TaskOutcome::Done } else { TaskOutcome::SomeFailed })
}

/// What is measured on the models of a cohort, each with the noise of the epoch whose weights were kept, so that its numbers are that
/// epoch's.
fn rows_of_kept(cohort: &Cohort, splits: &Splits, arrays: &[ReplicaArrays], device: Device) -> Vec<Vec<Measurement>> {
    let betas: Vec<f64> = cohort.cells.iter().map(|cell| cell.objective.beta).collect();
    let mut by_epoch: BTreeMap<u32, Vec<Vec<Measurement>>> = BTreeMap::new();
    let mut rows_at = |epoch: u32, replica: usize| {
        let rows = by_epoch.entry(epoch).or_insert_with(|| {
            let at = SplitContext { split: Split::Test, epoch, betas: &betas, n_train: splits.train.shape.n };
            rows::of_cohort(cohort, splits, &at, arrays, device)
        });
        std::mem::take(&mut rows[replica])
    };
    cohort.kept_epochs().into_iter().enumerate().map(|(replica, epoch)| rows_at(epoch, replica)).collect()
}

fn train_mixture(
    member: Member,
    splits: &Splits,
    context: &TaskContext,
    out: &mut MessageWriter<'_>,
) -> anyhow::Result<TaskOutcome> {
    let Member { cell, writer, position, saved } = member;
    let mut mixture = MixtureFit::new(cell, position, saved, &splits.train, context.device)?;
    let mut recorder = Recorder::start(vec![writer], position, context, out)?;
    match mixture.fit(splits, &mut recorder)? {
        FitOutcome::Stopped => recorder.interrupt(mixture.position),
        FitOutcome::Complete if mixture.is_alive => {
            recorder.checkpoint(mixture.position, &|_| mixture.save(), true)?;
            let (mut rows, arrays) = (mixture.rows(&splits.test), mixture.arrays(&splits.test)?);
            let judge = Judge::new(&splits.test);
            rows.extend(judge.of_data());
            rows.extend(judge.of_draws(&mixture.draws(splits.test.shape.n)));
            recorder.finish(0, &rows, &arrays, &mixture.export(), None)?;
            Ok(TaskOutcome::Done)
        }
        FitOutcome::Complete => Ok(TaskOutcome::SomeFailed),
    }
}
