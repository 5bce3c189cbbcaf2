//! One run's folder: where its files are, and reading what it recorded; nothing here writes.

use std::path::{Path, PathBuf};

use spec::metric::MEASURES_VERSION;
use spec::{Evaluation, Measurement, Metric, MetricSettings, ModelKind, RunId, Split};

use crate::arrays::{Array, ArrayName, Arrays};
use crate::checkpoint::{self, LatestCheckpoint};
use crate::error::RecordError;
use crate::manifest::RunManifest;
use crate::rows::MetricsRow;
use crate::{evaluation, files, metrics};

/// A run that is or will be in a store; making one touches no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    id: RunId,
    folder: PathBuf,
}

impl Run {
    pub(crate) fn new(id: RunId, folder: PathBuf) -> Run {
        Run { id, folder }
    }

    /// The run's id.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// The run's folder, `results/runs/<run-id>`.
    pub fn dir(&self) -> &Path {
        &self.folder
    }

    /// `run.json`: what was run, with what, where, when.
    pub fn manifest_file(&self) -> PathBuf {
        self.folder.join("run.json")
    }

    /// `metrics.parquet`: one row per epoch and split; up to about an epoch behind while the run trains.
    pub fn metrics_file(&self) -> PathBuf {
        self.folder.join("metrics.parquet")
    }

    /// `metrics/`: one parquet file per epoch while the run trains.
    pub fn segments_dir(&self) -> PathBuf {
        self.folder.join("metrics")
    }

    /// `evaluation.parquet`: numbers measured on the trained model.
    pub fn evaluation_file(&self) -> PathBuf {
        self.folder.join("evaluation.parquet")
    }

    /// `arrays.h5`: images and latents for figures.
    pub fn arrays_file(&self) -> PathBuf {
        self.folder.join("arrays.h5")
    }

    /// `model.safetensors`: the parameters; written through [`files::write_atomically`].
    pub fn model_file(&self) -> PathBuf {
        self.folder.join("model.safetensors")
    }

    /// What to say where `model.safetensors` cannot be read for this reason, and what to do: there is no other copy.
    pub fn unreadable_model(&self, reason: &str) -> String {
        format!(
            "the trained model of run `{}` cannot be read: {reason}\nhint: remove the run's folder `{}` and `elbo sweep` its experiment again",
            self.id,
            self.folder.display()
        )
    }

    /// `checkpoint/`: what resuming needs.
    pub fn checkpoint_dir(&self) -> PathBuf {
        self.folder.join("checkpoint")
    }

    /// `log.jsonl`: events, one JSON object a line.
    pub fn log_file(&self) -> PathBuf {
        self.folder.join("log.jsonl")
    }

    /// `run.json`.
    ///
    /// # Errors
    /// If it is missing, damaged or of a newer major version.
    pub fn manifest(&self) -> Result<RunManifest, RecordError> {
        RunManifest::read(&self.manifest_file())
    }

    /// All metrics rows on record, in order of epoch and split; none before the first epoch.
    ///
    /// Reads the segments while there are any, which hold every epoch that was completed, and `metrics.parquet`
    /// otherwise.
    ///
    /// # Errors
    /// If a file is damaged or of a newer major version.
    pub fn metrics(&self) -> Result<Vec<MetricsRow>, RecordError> {
        // A run that ends merges its segments and removes them: the second look then finds the merged file. More
        // looks are needed only if the run is started over at just this moment.
        for _ in 0..10 {
            match self.read_segments() {
                Ok(rows) if !rows.is_empty() => return Ok(rows),
                Ok(_) => match metrics::read(&self.metrics_file()) {
                    Err(error) if error.is_not_found() => return Ok(Vec::new()),
                    other => return other,
                },
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Vec::new())
    }

    /// The rows of all segments, in order of epoch and split.
    pub(crate) fn read_segments(&self) -> Result<Vec<MetricsRow>, RecordError> {
        let mut rows = Vec::new();
        for (_, path) in self.segments()? {
            rows.extend(metrics::read(&path)?);
        }
        Ok(rows)
    }

    /// Epoch and path of each segment, in order of epoch.
    pub(crate) fn segments(&self) -> Result<Vec<(u32, PathBuf)>, RecordError> {
        let folder = self.segments_dir();
        let mut segments: Vec<(u32, PathBuf)> = files::names(&folder)?
            .into_iter()
            .filter_map(|name| {
                let epoch = name.strip_prefix("epoch-")?.strip_suffix(".parquet")?.parse().ok()?;
                Some((epoch, folder.join(name)))
            })
            .collect();
        segments.sort();
        Ok(segments)
    }

    /// The numbers measured on the trained model; none before it was evaluated.
    ///
    /// # Errors
    /// If the file is damaged or of a newer major version.
    pub fn evaluation(&self) -> Result<Vec<Measurement>, RecordError> {
        let mut rows = match evaluation::read(&self.evaluation_file()) {
            Err(error) if error.is_not_found() => Vec::new(),
            other => other?,
        };
        // Earlier versions called it `nll` whatever the scale.
        if rows.iter().any(|row| row.metric == Metric::Nll) {
            let name = self.manifest()?.scale.nll();
            rows.iter_mut().filter(|row| row.metric == Metric::Nll).for_each(|row| row.metric = name);
        }
        Ok(rows)
    }

    /// Whether −log p(x) of the test images is on record as `evaluation` asks: with as many samples or exact, of as many images.
    ///
    /// # Errors
    /// If the file is damaged or of a newer major version.
    pub fn is_evaluated(&self, evaluation: &Evaluation) -> Result<bool, RecordError> {
        let rows = self.evaluation()?;
        let on_test = |metric: Metric| rows.iter().filter(move |row| row.split == Split::Test && row.metric == metric);
        // A run's own evaluation is over the whole split.
        let n_test = on_test(Metric::Elbo).map(|row| row.n).max();
        let n_asked = match (evaluation.images.map(|images| images as u64), n_test) {
            (Some(images), Some(n_test)) => Some(images.min(n_test)),
            (images, n_test) => images.or(n_test),
        };
        let wanted = MetricSettings::samples(evaluation.importance_samples);
        let is_wanted = |settings: &MetricSettings| *settings == wanted || settings.exact == Some(true);
        Ok(on_test(self.manifest()?.scale.nll())
            .any(|row| is_wanted(&row.settings) && n_asked.is_none_or(|n| row.n == n)))
    }

    /// Whether the run's model has a bound on log p(x), or log p(x) itself.
    ///
    /// # Errors
    /// If `run.json` is damaged or of a newer major version.
    pub fn has_bound(&self) -> Result<bool, RecordError> {
        Ok(match self.manifest()?.cell.model.kind {
            ModelKind::Vae | ModelKind::VaeGan { .. } | ModelKind::GaussianMixture { .. } => true,
            ModelKind::Autoencoder | ModelKind::Gan { .. } => false,
        })
    }

    /// Whether a model that is done lacks metrics that this program measures every model by; those of a Gaussian mixture over pixels
    /// are measured while it is fitted alone.
    ///
    /// # Errors
    /// If `run.json` is damaged or of a newer major version.
    pub fn lacks_measures(&self) -> Result<bool, RecordError> {
        let manifest = self.manifest()?;
        let is_mixture = matches!(manifest.cell.model.kind, ModelKind::GaussianMixture { .. });
        Ok(manifest.measures < MEASURES_VERSION && !is_mixture)
    }

    /// Whether −log p(x) is to be measured for `evaluation` and is not on record: of a model without a bound there is none.
    ///
    /// # Errors
    /// If the file is damaged or of a newer major version.
    pub fn lacks_evaluation(&self, evaluation: &Evaluation) -> Result<bool, RecordError> {
        Ok(self.has_bound()? && !self.is_evaluated(evaluation)?)
    }

    /// The arrays for figures.
    ///
    /// # Errors
    /// If the file is missing, damaged or of a newer major version.
    pub fn arrays(&self) -> Result<Arrays, RecordError> {
        Arrays::read(&self.arrays_file())
    }

    /// One of the arrays for figures, without reading the others; `None` where the run has none of this name.
    ///
    /// # Errors
    /// If there is no such file, it is damaged or of a newer major version.
    pub fn array(&self, name: ArrayName) -> Result<Option<Array>, RecordError> {
        Arrays::read_one(&self.arrays_file(), name)
    }

    /// The newest whole checkpoint; reads and hashes all its files.
    ///
    /// # Errors
    /// If the folder cannot be listed; damaged checkpoints are no error.
    pub fn latest_checkpoint(&self) -> Result<LatestCheckpoint, RecordError> {
        checkpoint::latest(&self.checkpoint_dir())
    }
}

/// Whether a run's folder holds nothing but its lock and temporary files.
pub(crate) fn is_unwritten(folder: &Path) -> Result<bool, RecordError> {
    let written = |name: &String| name != "lock" && files::temporary_pid(name).is_none();
    Ok(!files::names(folder)?.iter().any(written))
}
