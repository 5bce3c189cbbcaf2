//! Fits a Gaussian mixture over pixels: an epoch is one step of expectation maximisation.

use std::time::Instant;

use anyhow::Context as _;
use data::{Images, Splits};
use model::mixture::{Covariance, EmSettings, GaussianMixture};
use model::noise::{NoiseKey, Stream};
use model::parameters::NamedTensor;
use record::{Array, ArrayName, Arrays, EpochMetrics, MetricsRow};
use spec::{Cell, Measurement, Metric, MetricSettings, ModelKind, Split};
use tch::{Device, Kind, Tensor};

use crate::arrays::N_SAMPLES;
use crate::batches::in_order;
use crate::evaluate::BATCH;
use crate::fit::{FitOutcome, Observer};
use crate::position::Position;
use crate::statistics::Mean;
use crate::{rows, weights};

/// A mixture and how far its fit is.
#[derive(Debug)]
pub struct MixtureFit {
    /// Epochs completed.
    pub position: Position,
    /// Whether its numbers are finite.
    pub is_alive: bool,
    cell: Cell,
    mixture: GaussianMixture,
    /// Training images, `[N, P]`.
    data: Tensor,
    variance_floor: f64,
    device: Device,
}

impl MixtureFit {
    /// From a k-means++ start, or from a checkpoint's tensors.
    ///
    /// Errors when the cell is no mixture, has more components than there are images, or the tensors are not a mixture's.
    pub fn new(
        cell: Cell,
        position: Position,
        saved: Option<Vec<NamedTensor>>,
        train: &Images,
        device: Device,
    ) -> anyhow::Result<MixtureFit> {
        let ModelKind::GaussianMixture { components, floor } = cell.model.kind else {
            anyhow::bail!("`{}` is no Gaussian mixture", cell.readable_name());
        };
        let data = in_order(train, 0, train.shape.n, 1, device).squeeze_dim(0);
        let settings = EmSettings {
            n_components: components,
            covariance: Covariance::Diagonal,
            variance_floor: floor * floor,
            tolerance: f64::MIN_POSITIVE,
            max_steps: cell.training.epochs,
            seed: cell.training.seed,
        };
        let mixture = match saved {
            Some(tensors) => GaussianMixture::import(&tensors, device).context("the checkpoint is damaged")?,
            None => GaussianMixture::start(&data, &settings)?,
        };
        Ok(MixtureFit {
            position,
            is_alive: true,
            cell,
            mixture,
            data,
            variance_floor: settings.variance_floor,
            device,
        })
    }

    /// Steps from where the fit stands to the last epoch.
    ///
    /// The row of the training split is what the step started from; the other splits are evaluated after it.
    pub fn fit(&mut self, splits: &Splits, observer: &mut dyn Observer) -> anyhow::Result<FitOutcome> {
        let epochs = self.cell.training.epochs as u32;
        while self.position.epoch < epochs {
            if observer.stop() {
                observer.checkpoint(self.position, &|_| self.save(), true)?;
                return Ok(FitOutcome::Stopped);
            }
            observer.progress(self.position, epochs, 1)?;
            let started = Instant::now();
            let log_likelihood = match self.mixture.step(&self.data, self.variance_floor) {
                Ok(log_likelihood) => log_likelihood,
                Err(error) => {
                    self.is_alive = false;
                    observer.failed(0, &format!("epoch {}: {error}", self.position.epoch + 1))?;
                    return Ok(FitOutcome::Complete);
                }
            };
            self.position.epoch += 1;
            self.position.step += 1;
            let n = splits.train.shape.n as u64;
            let mut rows = vec![self.row(Split::Train, n, log_likelihood, started)];
            for (split, images) in [(Split::Validation, splits.validation.as_ref()), (Split::Test, Some(&splits.test))]
            {
                let Some(images) = images else { continue };
                let started = Instant::now();
                rows.push(self.row(split, images.shape.n as u64, self.log_density(images).value, started));
            }
            observer.epoch(0, &rows)?;
            observer.checkpoint(self.position, &|_| self.save(), false)?;
        }
        Ok(FitOutcome::Complete)
    }

    /// log p(x) of a whole split, in nats per image.
    fn log_density(&self, images: &Images) -> Mean {
        let mut sum = [0.0; 2];
        for start in (0..images.shape.n).step_by(BATCH) {
            let end = (start + BATCH).min(images.shape.n);
            let x = in_order(images, start, end, 1, self.device).squeeze_dim(0);
            let density = self.mixture.log_density(&x).to_kind(Kind::Double);
            sum[0] += density.sum(Kind::Double).double_value(&[]);
            sum[1] += density.square().sum(Kind::Double).double_value(&[]);
        }
        Mean::of(sum, images.shape.n as f64)
    }

    /// A mixture's bound is log p(x) itself: the posterior over its components is exact.
    fn row(&self, split: Split, images: u64, log_likelihood: f64, started: Instant) -> MetricsRow {
        MetricsRow {
            run_id: self.cell.run_id(),
            split,
            epoch: self.position.epoch,
            step: self.position.step,
            images,
            scale: self.cell.scale(),
            terms: EpochMetrics::from([(Metric::Elbo, log_likelihood), (Metric::Objective, -log_likelihood)]),
            objective_samples: None,
            objective_batch: None,
            beta: self.cell.objective.beta,
            kl_per_dim: Vec::new(),
            latent_mean_variance: Vec::new(),
            learning_rate: 0.0,
            gradient_norm: None,
            seconds: started.elapsed().as_secs_f64(),
        }
    }

    /// A checkpoint, as the bytes of a safetensors file.
    pub fn save(&self) -> anyhow::Result<Vec<u8>> {
        weights::to_bytes(&self.mixture.export(), self.position.to_metadata())
    }

    /// The tensors of `model.safetensors`: `weights`, `means`, `variances`.
    pub fn export(&self) -> Vec<NamedTensor> {
        self.mixture.export()
    }

    /// The row of evaluation.parquet: −log p(x), exact.
    pub fn rows(&self, test: &Images) -> Vec<Measurement> {
        let Mean { value, standard_error } = self.log_density(test);
        let exact = MetricSettings { exact: Some(true), ..MetricSettings::default() };
        vec![rows::mean(Metric::Nll, Mean { value: -value, standard_error }, test.shape.n, exact)]
    }

    /// `n` draws from the mixture, `[n, P]`; with more of them the first stay what they are.
    pub fn draws(&self, n: usize) -> Tensor {
        let mut generator = NoiseKey::new(Stream::Prior, 0, 0).generator(self.cell.training.seed);
        self.mixture.sample(n, &mut generator).to_kind(Kind::Float).contiguous().to_device(Device::Cpu)
    }

    /// The first draws from the mixture, for figures.
    ///
    /// Errors only for a bug: shapes that do not agree.
    pub fn arrays(&self, test: &Images) -> anyhow::Result<Arrays> {
        let draws = self.draws(N_SAMPLES);
        let mut values = vec![0f32; draws.numel()];
        draws.copy_data(&mut values, draws.numel());
        let shape = vec![N_SAMPLES, test.shape.channels, test.shape.height, test.shape.width];
        Ok(Arrays::from_iter([(ArrayName::Samples, Array::new(shape, values)?)]))
    }
}
