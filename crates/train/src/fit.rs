//! The training loop: one function, read from top to bottom.

use std::time::Instant;

use data::{Images, Splits};
use model::noise::{NoiseKey, Stream};
use model::{Step, StepContext};
use record::MetricsRow;
use spec::{Metric, Optimizer, Split};
use tch::{Device, Kind, Tensor};

use crate::batches::Batches;
use crate::cohort::Cohort;
use crate::evaluate::{SplitContext, batch_of, evaluate};
use crate::position::Position;
use crate::schedule;
use crate::statistics::{BatchSums, NonFinite, Sums};
use crate::threads::{ThreadChange, Watch};

/// The gradient's norm is measured on every so many steps.
const STEPS_PER_GRADIENT_NORM: u64 = 16;

/// What is called while the loop runs.
pub trait Observer {
    /// Steps of this epoch were taken.
    fn progress(&mut self, position: Position, epochs: u32, steps_per_epoch: u64) -> anyhow::Result<()>;
    /// A replica completed an epoch: a row for each split.
    fn epoch(&mut self, replica: usize, rows: &[MetricsRow]) -> anyhow::Result<()>;
    /// An epoch ended, or training stops (`stopping`); `save` gives the checkpoint of a replica.
    fn checkpoint(&mut self, position: Position, save: &Save<'_>, stopping: bool) -> anyhow::Result<()>;
    /// From this position on the cohort is trained with another number of threads.
    fn threads(&mut self, position: Position, change: &ThreadChange) -> anyhow::Result<()>;
    /// A replica failed: a value is not finite.
    fn failed(&mut self, replica: usize, reason: &str) -> anyhow::Result<()>;
    /// Whether to stop before the next step.
    fn stop(&mut self) -> bool;
}

/// Makes a replica's checkpoint, as the bytes of a safetensors file.
pub type Save<'a> = dyn Fn(usize) -> anyhow::Result<Vec<u8>> + 'a;

/// How [`fit`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FitOutcome {
    /// All epochs were trained that are asked for, or no replica is left.
    Complete,
    /// The observer stopped it; checkpoints were written.
    Stopped,
}

/// Train a cohort from its position to its last epoch, or until none of its replicas waits for a better one; `watch` chooses the
/// number of threads.
///
/// The numbers of the training split are running means over the epoch's batches, as each was trained; validation and
/// test are evaluated whole after the epoch.
pub fn fit(
    cohort: &mut Cohort,
    splits: &Splits,
    device: Device,
    watch: &mut Watch,
    observer: &mut dyn Observer,
) -> anyhow::Result<FitOutcome> {
    let epochs = cohort.cells.first().map_or(0, |cell| cell.training.epochs) as u32;
    let mut batches = Batches::new(&splits.train, &cohort.cells, device);
    let steps = batches.n_steps() as u64;

    while cohort.position.epoch < epochs && cohort.trained().next().is_some() {
        let epoch = cohort.position.epoch;
        let started = Instant::now();
        batches.start_epoch(u64::from(epoch));

        while cohort.position.step_in_epoch < steps {
            if observer.stop() {
                observer.checkpoint(cohort.position, &|replica| cohort.save(replica), true)?;
                return Ok(FitOutcome::Stopped);
            }
            let step_started = Instant::now();
            let (step, progress) =
                (cohort.position.step_in_epoch, schedule::progress(epoch, cohort.position.step_in_epoch, steps));
            let sums = train_step(cohort, &batches, progress)?;
            add(cohort, &sums, observer)?;
            if cohort.trained().next().is_none() {
                return Ok(FitOutcome::Complete);
            }
            let mut pass = || drop(gradients(cohort, &batches, step, progress));
            if let Some(change) = watch.after_step(step_started.elapsed().as_secs_f64(), &mut pass) {
                observer.threads(cohort.position, &change)?;
            }
            observer.progress(cohort.position, epochs, steps)?;
        }

        let train_seconds = started.elapsed().as_secs_f64();
        cohort.position.epoch += 1;
        cohort.position.step_in_epoch = 0;
        record_epoch(cohort, splits, steps, train_seconds, device, observer)?;
        cohort.sums.fill(Sums::default());
        observer.checkpoint(cohort.position, &|replica| cohort.save(replica), false)?;
    }
    Ok(FitOutcome::Complete)
}

/// One optimizer step on the next batch; the batch's terms come back summed over its images.
pub(crate) fn train_step(cohort: &mut Cohort, batches: &Batches<'_>, progress: f64) -> anyhow::Result<BatchSums> {
    let (step, gradients) = gradients(cohort, batches, cohort.position.step_in_epoch, progress);
    if cohort.position.step_in_epoch.is_multiple_of(STEPS_PER_GRADIENT_NORM) {
        for (replica, norm) in gradient_norms(&gradients).into_iter().enumerate() {
            let sum = &mut cohort.sums[replica].gradient_norm;
            *sum = [sum[0] + norm, sum[1] + 1.0];
        }
    }
    cohort.model.parameters_mut().update(&step.buffers);
    let parameters = cohort.model.parameters();
    let tensors: Vec<&Tensor> = parameters.iter().map(|parameter| &parameter.tensor).collect();
    cohort.optimizer.update(&tensors, &gradients, cohort.rate(progress))?;
    cohort.position.step_in_epoch += 1;
    cohort.position.step += 1;
    Ok(BatchSums::read(&step.terms, parameters.padded_width()))
}

/// What a batch says, with the gradient of every parameter; changes nothing.
pub(crate) fn gradients(cohort: &Cohort, batches: &Batches<'_>, step: u64, progress: f64) -> (Step, Vec<Tensor>) {
    let x = batches.batch(step as usize);
    let at = StepContext {
        key: NoiseKey::new(Stream::Latent, u64::from(cohort.position.epoch), step),
        progress,
        betas: cohort.betas(progress),
        n_train: batches.n_images(),
        noise: None,
    };
    let step = cohort.model.train(&x, &at);
    let gradients = step.gradients(cohort.model.parameters());
    (step, gradients)
}

/// Euclidean norm of each replica's gradient over all parameters.
fn gradient_norms(gradients: &[Tensor]) -> Vec<f64> {
    let squares: Vec<Tensor> = gradients
        .iter()
        .map(|gradient| gradient.flatten(1, -1).square().sum_dim_intlist(1, false, Kind::Double))
        .collect();
    let norms = Tensor::stack(&squares, 0).sum_dim_intlist(0, false, Kind::Double).sqrt().to_device(Device::Cpu);
    let mut values = vec![0f64; norms.numel()];
    norms.copy_data(&mut values, norms.numel());
    values
}

/// Add a batch to every living replica's sums; one with a value that is not finite ends here.
fn add(cohort: &mut Cohort, sums: &BatchSums, observer: &mut dyn Observer) -> anyhow::Result<()> {
    for replica in cohort.trained().collect::<Vec<_>>() {
        let width = cohort.cells[replica].model.latent_dim;
        if let Err(NonFinite { quantity, value }) = sums.add_to(&mut cohort.sums[replica], replica, width) {
            let position = cohort.position;
            cohort.alive[replica] = false;
            let reason = format!(
                "`{quantity}` is {value} at step {} (epoch {})\nhint: try a smaller learning rate; the checkpoint before it is kept",
                position.step,
                position.epoch + 1
            );
            observer.failed(replica, &reason)?;
        }
    }
    Ok(())
}

/// Evaluate and record the epoch that was just completed.
fn record_epoch(
    cohort: &mut Cohort,
    splits: &Splits,
    steps: u64,
    train_seconds: f64,
    device: Device,
    observer: &mut dyn Observer,
) -> anyhow::Result<()> {
    let epoch = cohort.position.epoch;
    // The weights that the epoch's last step was trained with.
    let last = schedule::progress(epoch - 1, steps - 1, steps);
    let (betas, rate) = (cohort.betas(last), cohort.rate(last));
    let mut measured = vec![(Split::Train, cohort.sums.clone(), train_seconds)];
    let held_out: [(Split, Option<&Images>); 2] =
        [(Split::Validation, splits.validation.as_ref()), (Split::Test, Some(&splits.test))];
    for (split, images) in held_out {
        let Some(images) = images else { continue };
        let started = Instant::now();
        let at = SplitContext { split, epoch, betas: &betas, n_train: splits.train.shape.n };
        let sums = evaluate(cohort.model.as_ref(), images, &at, batch_of(&cohort.cells), device);
        measured.push((split, sums, started.elapsed().as_secs_f64()));
    }
    for replica in cohort.trained().collect::<Vec<_>>() {
        let rows: Vec<_> = measured
            .iter()
            .map(|(split, sums, seconds)| row(cohort, replica, *split, &sums[replica], betas[replica], rate, *seconds))
            .collect();
        let not_finite = |row: &MetricsRow| row.terms.iter().find(|(_, value)| !value.is_finite());
        match rows.iter().find_map(|row| Some((row.split, not_finite(row)?))) {
            Some((split, (quantity, value))) => {
                cohort.alive[replica] = false;
                let reason = format!("`{quantity}` on the {split} split is {value} after epoch {epoch}");
                observer.failed(replica, &reason)?;
            }
            None => {
                observer.epoch(replica, &rows)?;
                let cell = &cohort.cells[replica];
                let validation = rows.iter().find(|row| row.split == Split::Validation);
                if let Some(objective) = validation.and_then(|row| row.terms.get(Metric::Objective))
                    && schedule::is_final(&cell.objective, &cell.training, epoch, steps)
                {
                    cohort.compare(replica, objective);
                }
            }
        }
    }
    Ok(())
}

/// A row of metrics.parquet from a replica's sums over a split; `rate` is what its step size was multiplied with.
fn row(cohort: &Cohort, replica: usize, split: Split, sums: &Sums, beta: f64, rate: f64, seconds: f64) -> MetricsRow {
    let cell = &cohort.cells[replica];
    let Optimizer::Adam(adam) = &cell.optimizer;
    let [norm, n_norms] = sums.gradient_norm;
    MetricsRow {
        run_id: cell.run_id(),
        split,
        epoch: cohort.position.epoch,
        step: cohort.position.step,
        images: sums.images as u64,
        scale: cell.scale(),
        terms: sums.terms(),
        objective_samples: cell.objective_samples().map(|n| n as u32),
        objective_batch: cell.objective_batch().map(|n| n as u32),
        beta,
        kl_per_dim: sums.kl_per_dim(),
        latent_mean_variance: sums.latent_mean_variance(),
        learning_rate: adam.learning_rate * rate,
        gradient_norm: (n_norms > 0.0).then(|| norm / n_norms),
        seconds,
    }
}
