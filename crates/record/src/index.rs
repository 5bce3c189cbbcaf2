//! `runs.parquet`: the index of all runs, for people who read the store with other tools; always rebuildable.

use serde_json::Value;
use spec::metric::Subject;
use spec::{Measurement, Metric, Split};

use crate::error::RecordError;
use crate::files;
use crate::parquet::{self, Values};
use crate::status::Status;
use crate::store::{ListedRun, Listing, Store};
use crate::summary::images_of_fewer;

impl Store {
    /// Writes `runs.parquet` anew from all `run.json`, one row per run, and returns what it was made from. Removes
    /// leftovers of killed processes beside it.
    ///
    /// # Errors
    /// If the runs cannot be listed or the file cannot be written; a run that cannot be read is left out and reported.
    pub fn rebuild_index(&self) -> Result<Listing, RecordError> {
        let listing = self.runs()?;
        files::create_folder(self.root())?;
        for leftover in files::stale_leftovers(self.root())? {
            files::remove(&leftover)?;
        }
        let evaluations: Vec<Vec<Measurement>> = listing.runs.iter().map(|run| self.evaluation_of(run)).collect();
        parquet::extend(&self.index_file(), "runs", columns(&listing.runs, &evaluations))?;
        Ok(listing)
    }

    /// What was measured on the model of a run that is done; nothing where that cannot be read, which `elbo show` says.
    fn evaluation_of(&self, run: &ListedRun) -> Vec<Measurement> {
        match run.status {
            Status::Done => self.run(&run.manifest.run_id).evaluation().unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

/// The one row that a metric of the trained model is listed by: on all test images, uncorrupted, of reconstructions where it may
/// be of several, and from the most samples.
fn listed(evaluation: &[Measurement], metric: Metric) -> Option<&Measurement> {
    let is_meant = |row: &&Measurement| {
        row.metric == metric
            && row.split == Split::Test
            && row.settings.input.is_none()
            && row.settings.decode.is_none()
            && row.settings.of.is_none_or(|of| of == Subject::Reconstructions)
            && images_of_fewer(row, evaluation).is_none()
    };
    evaluation.iter().filter(is_meant).max_by_key(|row| row.settings.samples)
}

fn columns(runs: &[ListedRun], evaluations: &[Vec<Measurement>]) -> Vec<(&'static str, Values)> {
    let text = |value: &dyn Fn(&ListedRun) -> String| Values::Text(runs.iter().map(value).collect());
    let test = |metric: Metric| {
        // What a metric's name does not mean of this model, such as a GAN's loss, has no place in its column.
        let is_meant = |run: &ListedRun| run.manifest.cell.term(metric).key == metric.name();
        let value =
            |run: &ListedRun| run.manifest.result()?.splits.get(&Split::Test)?.get(metric).filter(|_| is_meant(run));
        Values::OptionalF64(runs.iter().map(value).collect())
    };
    let at = |path: &'static str| move |run: &ListedRun| run.manifest.cell.value_at(path);
    let text_at = |path| {
        let get = at(path);
        Values::OptionalText(runs.iter().map(|run| get(run).map(plain)).collect())
    };
    let float_at = |path| {
        let get = at(path);
        Values::OptionalF64(runs.iter().map(|run| get(run)?.as_f64()).collect())
    };
    let trained = |metric: Metric| {
        Values::OptionalF64(evaluations.iter().map(|rows| listed(rows, metric).map(|row| row.value)).collect())
    };
    let mut columns = vec![
        ("run_id", text(&|run| run.manifest.run_id.to_string())),
        ("name", text(&|run| run.manifest.name.clone())),
        ("status", text(&|run| run.status.word().to_owned())),
        ("dataset", text_at("dataset.name")),
        ("pixels", text_at("dataset.pixels")),
        ("model", text_at("model.kind")),
        ("likelihood", text_at("model.likelihood")),
        ("latent_dim", Values::U64(runs.iter().map(|run| run.manifest.cell.model.latent_dim as u64).collect())),
        ("beta", Values::F64(runs.iter().map(|run| run.manifest.cell.objective.beta).collect())),
        ("learning_rate", float_at("optimizer.adam.learning_rate")),
        ("batch_size", Values::U64(runs.iter().map(|run| run.manifest.cell.training.batch_size as u64).collect())),
        ("seed", Values::U64(runs.iter().map(|run| run.manifest.seed).collect())),
        ("epochs", Values::U64(runs.iter().map(|run| run.manifest.cell.training.epochs as u64).collect())),
        (
            "last_epoch",
            Values::OptionalU32(runs.iter().map(|run| Some(run.manifest.last_epoch.as_ref()?.epoch)).collect()),
        ),
        ("scale", text(&|run| run.manifest.scale.as_str().to_owned())),
        ("test_elbo", test(Metric::Elbo)),
        ("test_reconstruction", test(Metric::Reconstruction)),
        ("test_kl", test(Metric::Kl)),
        ("seconds", Values::F64(runs.iter().map(|run| run.manifest.timing.seconds).collect())),
        ("started", text(&|run| run.manifest.timing.started.to_string())),
        ("ended", Values::OptionalText(runs.iter().map(|run| Some(run.manifest.timing.ended?.to_string())).collect())),
        (
            "commit",
            Values::OptionalText(
                runs.iter().map(|run| Some(run.manifest.provenance.git.as_ref()?.commit.clone())).collect(),
            ),
        ),
        ("host", text(&|run| run.manifest.provenance.host.name.clone())),
        ("device", text(&|run| run.manifest.provenance.device.clone())),
        (
            "kept_epoch",
            Values::OptionalU32(runs.iter().map(|run| Some(run.manifest.kept_epoch.as_ref()?.epoch)).collect()),
        ),
    ];
    for metric in Metric::all() {
        let name = match metric {
            // These three stand further to the left.
            Metric::Elbo | Metric::Reconstruction | Metric::Kl => continue,
            Metric::Objective => "test_objective",
            Metric::ActiveUnits => "test_active_units",
            Metric::Discriminator => "test_discriminator",
            Metric::PosteriorSigma => "test_posterior_sigma",
            Metric::ImportanceBound => "test_importance_bound",
            Metric::Nll => "test_nll",
            // Newer than the columns behind these.
            Metric::PseudoNll => continue,
            // Over fewer images than the test split has.
            Metric::NllQuadrature | Metric::PseudoNllQuadrature | Metric::GapQuadrature => continue,
            Metric::LatentLogDensity => "test_latent_log_density",
            Metric::GrayBceFloor => "test_gray_bce_floor",
            Metric::Sharpness => "test_sharpness",
            Metric::Psnr => "test_psnr",
            Metric::EffectiveSamples => "test_effective_samples",
            Metric::Mse => "test_mse",
            Metric::Ssim => "test_ssim",
            Metric::EquivalentBlur => "test_equivalent_blur",
            Metric::SharpnessRatio => "test_sharpness_ratio",
            Metric::KlVariance => "test_kl_variance",
            Metric::KlMean => "test_kl_mean",
            // Several numbers each, one for a band, a frequency, a dimension or a bound.
            Metric::ExplainedPower
            | Metric::Gain
            | Metric::PowerRatio
            | Metric::Coherence
            | Metric::KlDimension
            | Metric::MutualInformation
            | Metric::MarginalKl => continue,
        };
        columns.push((name, if metric.about().per_epoch.is_some() { test(metric) } else { trained(metric) }));
    }
    let samples = |rows: &Vec<Measurement>| {
        let row = listed(rows, Metric::Nll).or_else(|| listed(rows, Metric::PseudoNll));
        row?.settings.samples?.try_into().ok()
    };
    columns.push(("test_nll_samples", Values::OptionalU32(evaluations.iter().map(samples).collect())));
    columns.push(("test_pseudo_nll", trained(Metric::PseudoNll)));
    columns
}

/// Text as it is, anything else as JSON.
fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What reads columns by their place goes on to find them there.
    #[test]
    fn columns_of_newer_metrics_stand_at_the_end() {
        let names: Vec<&str> = columns(&[], &[]).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names[names.len() - 2..], ["test_nll_samples", "test_pseudo_nll"]);
        assert_eq!(names.iter().filter(|name| **name == "test_pseudo_nll").count(), 1);
    }
}
