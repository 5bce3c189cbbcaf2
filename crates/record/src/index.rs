//! `runs.parquet`: the index of all runs, for people who read the store with other tools; always rebuildable.

use serde_json::Value;
use spec::{Metric, Split};

use crate::error::RecordError;
use crate::files;
use crate::parquet::{self, Values};
use crate::store::{ListedRun, Listing, Store};

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
        parquet::extend(&self.index_file(), "runs", columns(&listing.runs))?;
        Ok(listing)
    }
}

fn columns(runs: &[ListedRun]) -> Vec<(&'static str, Values)> {
    let text = |value: &dyn Fn(&ListedRun) -> String| Values::Text(runs.iter().map(value).collect());
    let test = |metric: Metric| {
        let value = |run: &ListedRun| run.manifest.result()?.splits.get(&Split::Test)?.get(metric);
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
    vec![
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
    ]
}

/// Text as it is, anything else as JSON.
fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
