//! Times what cohorts compute on this machine, on made-up images: a few steps of each, within a second or two in all.

use std::time::Instant;

use data::{Images, Shape};
use model::ImageShape;
use model::mixture::{Covariance, EmSettings, GaussianMixture};
use protocol::{Calibration, Message, Pace, Trial};
use spec::{Cell, Latent, ModelKind, Split};
use tch::{Device, Kind, Tensor};

use crate::batches::{Batches, in_order};
use crate::cohort::Cohort;
use crate::context::{TaskContext, TaskOutcome};
use crate::evaluate::{BATCH, SplitContext, batch_of, evaluate};
use crate::fit::train_step;
use crate::messages::MessageWriter;
use crate::sampling;
use crate::threads;

/// Seconds after which no further trial is begun.
const BUDGET: f64 = 1.5;
/// Seconds after which a trial's part is not repeated, and repetitions at most.
const PART: (f64, usize) = (0.15, 8);

/// Times each trial, and answers with what was found.
///
/// Errors never: a cohort that cannot be built has no pace, and is refused with the reason when it is trained.
pub(super) fn calibrate(
    trials: &[Trial],
    context: &TaskContext,
    out: &mut MessageWriter<'_>,
) -> anyhow::Result<TaskOutcome> {
    let began = Instant::now();
    let mut paces = Vec::new();
    for trial in trials {
        let is_over = began.elapsed().as_secs_f64() > BUDGET || context.is_stopped();
        paces.push(if is_over { None } else { pace(trial, context.device).ok() });
    }
    out.message(&Message::Calibration(Calibration { paces, seconds: began.elapsed().as_secs_f64() }));
    Ok(if context.is_stopped() { context.interrupted() } else { TaskOutcome::Done })
}

fn pace(trial: &Trial, device: Device) -> anyhow::Result<Pace> {
    threads::set(trial.threads.get());
    match trial.cells.first() {
        Some(cell) if let ModelKind::GaussianMixture { components, floor } = cell.model.kind => {
            mixture_pace(trial, cell, components, floor, device)
        }
        _ => cohort_pace(trial, device),
    }
}

fn cohort_pace(trial: &Trial, device: Device) -> anyhow::Result<Pace> {
    let [channels, height, width] = trial.image;
    let mut cohort = Cohort::new(trial.cells.clone(), ImageShape { channels, height, width }, device)?;
    let batch_size = trial.cells.first().map_or(1, |cell| cell.training.batch_size);
    let (train, test) = (made_up(trial.image, batch_size), made_up(trial.image, BATCH));
    let mut batches = Batches::new(&train, &trial.cells, device);
    batches.start_epoch(0);
    let mut failure = None;
    let step = fastest(&mut || {
        cohort.position.step_in_epoch = 0;
        failure = train_step(&mut cohort, &batches, 0.0).err().or(failure.take());
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    let ones = vec![1.0; trial.cells.len()];
    let at = SplitContext { split: Split::Test, epoch: 0, betas: &ones, n_train: batch_size };
    let batch = batch_of(&trial.cells);
    let image = fastest(&mut || drop(evaluate(cohort.model.as_ref(), &test, &at, batch, device))) / BATCH as f64;
    let latents = trial.cells.iter().map(|cell| cell.model.latent_dim).max().unwrap_or(0);
    let has_mixture =
        cohort.model.encoder().is_some() && trial.cells.iter().all(|cell| cell.model.latent == Latent::Gaussian);
    let latents = if has_mixture { latents_step(latents)? * trial.cells.len() as f64 } else { 0.0 };
    Ok(Pace { step, image, latents })
}

/// Seconds of a step of EM over made-up latents, for each of them.
fn latents_step(width: usize) -> anyhow::Result<f64> {
    const N: usize = 1000;
    let spread = Tensor::arange((N * width) as i64, (Kind::Double, Device::Cpu));
    // Values of −1…1 without a pattern that ten Gaussians could find at once.
    let latents = (spread * 12.9898).sin().view([N as i64, width as i64]);
    let settings = EmSettings {
        n_components: sampling::N_COMPONENTS,
        covariance: sampling::covariance(width),
        variance_floor: 1e-6,
        tolerance: f64::MIN_POSITIVE,
        max_steps: 1,
        seed: 0,
    };
    em_step(&latents, &settings)
}

fn mixture_pace(trial: &Trial, cell: &Cell, components: usize, floor: f64, device: Device) -> anyhow::Result<Pace> {
    let images = made_up(trial.image, BATCH.max(components));
    let pixels = in_order(&images, 0, images.shape.n, 1, device).squeeze_dim(0);
    let settings = EmSettings {
        n_components: components,
        covariance: Covariance::Diagonal,
        variance_floor: floor * floor,
        tolerance: f64::MIN_POSITIVE,
        max_steps: 1,
        seed: cell.training.seed,
    };
    let step = em_step(&pixels, &settings)?;
    // A density is half of what a step computes.
    Ok(Pace { step, image: step / 2.0, latents: 0.0 })
}

/// Seconds of a step of EM, for each row of the data.
fn em_step(data: &Tensor, settings: &EmSettings) -> anyhow::Result<f64> {
    let mut mixture = GaussianMixture::start(data, settings)?;
    let mut failure = None;
    let seconds = fastest(&mut || failure = mixture.step(data, settings.variance_floor).err().or(failure.take()));
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(seconds / data.size()[0] as f64),
    }
}

/// Seconds of the fastest of a few calls, behind one that makes memory and threads ready: other work on the machine only adds.
fn fastest(part: &mut dyn FnMut()) -> f64 {
    let mut timed = || {
        let started = Instant::now();
        part();
        started.elapsed().as_secs_f64()
    };
    let began = Instant::now();
    timed();
    let mut fastest = timed();
    for _ in 2..PART.1 {
        if began.elapsed().as_secs_f64() > PART.0 {
            break;
        }
        fastest = fastest.min(timed());
    }
    fastest
}

/// Images of every value.
fn made_up([channels, height, width]: [usize; 3], n: usize) -> Images {
    let shape = Shape { n, channels, height, width };
    let value = |i: usize| ((i * 2_654_435_761) >> 7) as u8;
    Images { pixels: (0..n * shape.n_pixels()).map(value).collect(), shape, labels: None, factors: None }
}
