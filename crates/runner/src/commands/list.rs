//! `elbo list`: the stored runs.

use std::cmp::Ordering;

use anyhow::{Result, bail};
use record::{EpochMetrics, ListedRun, Status, Store};
use serde::Serialize;
use serde_json::Value;
use spec::metric::Unit;
use spec::{Cell, Measurement, Metric, Split};

use crate::args::ListArgs;
use crate::commands::data;
use crate::filter::{self, Condition};
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;
use crate::text;
use crate::text_table::{Align, TableEntry, TextTable, Tone};

/// Which runs, in which order.
#[derive(Clone, Debug)]
pub struct Selection {
    dataset: Option<String>,
    status: Option<String>,
    conditions: Vec<Condition>,
    key: String,
    is_reversed: bool,
}

impl Selection {
    /// Reads what was typed.
    ///
    /// # Errors
    /// If a condition cannot be read.
    pub fn resolve(args: &ListArgs) -> Result<Selection> {
        let (key, is_reversed) = match args.sort.strip_prefix('-') {
            Some(key) => (key, true),
            None => (args.sort.as_str(), false),
        };
        Ok(Selection {
            dataset: args.dataset.clone(),
            status: args.status.clone(),
            conditions: Condition::parse_all(&args.conditions)?,
            key: key.to_owned(),
            is_reversed,
        })
    }

    fn takes(&self, run: &ListedRun) -> bool {
        self.status.as_ref().is_none_or(|status| status == run.status.word())
            && self.dataset.as_ref().is_none_or(|name| data::is_named(&run.manifest.cell, name))
            && self.conditions.iter().all(|condition| condition.holds(&run.manifest.cell))
    }
}

/// One run in the JSON.
#[derive(Serialize)]
struct RunJson<'a> {
    run_id: String,
    name: &'a str,
    /// `new`, `running`, `resumable`, `failed` or `done`.
    status: &'static str,
    /// Why it failed.
    reason: Option<&'a str>,
    /// Epochs completed.
    epoch: Option<u32>,
    /// The epoch whose weights are the model, where that need not be the last.
    kept_epoch: Option<u32>,
    /// Epochs in all.
    epochs: usize,
    scale: &'static str,
    /// At `kept_epoch`, or else at `epoch`, on `split`; means over images; `null` for terms of the bound that the model does not have.
    #[serde(flatten)]
    terms: EpochMetrics,
    /// `test`, or else `validation` or `train`, whichever was measured.
    split: Option<&'static str>,
    /// What was measured on the trained model.
    evaluation: Vec<Measurement>,
    started: String,
    /// Wall-clock seconds of its training, shared by all runs of its cohort.
    seconds: f64,
    cell: &'a Cell,
}

#[derive(Serialize)]
struct ListJson<'a> {
    runs: Vec<RunJson<'a>>,
}

/// Prints the runs.
///
/// # Errors
/// If the store cannot be read, or a path in a condition or in the order is one that no run has.
pub fn list(settings: &Settings, selection: &Selection, json: bool) -> Result<Outcome> {
    let store = settings.store()?;
    let listing = store.runs()?;
    for unreadable in &listing.unreadable {
        output::say(&format!("warning: left out `{}`: {}", unreadable.path.display(), unreadable.error));
    }
    for condition in &selection.conditions {
        condition.check_path(listing.runs.iter().map(|run| &run.manifest.cell))?;
    }
    let n_stored = listing.runs.len();
    let mut runs: Vec<&ListedRun> = listing.runs.iter().filter(|run| selection.takes(run)).collect();
    let is_apart = sort(&mut runs, &selection.key, selection.is_reversed)?;
    if json {
        let runs: Result<Vec<RunJson<'_>>> = runs.iter().map(|run| to_json(run, &store)).collect();
        output::print_json(&ListJson { runs: runs? })?;
    } else if n_stored == 0 {
        output::say(&format!(
            "no runs in `{}` yet\nhint: `elbo sweep experiments/sweep.yaml` trains some; --results names another folder",
            settings.results.display()
        ));
    } else if runs.is_empty() {
        output::say(&format!("none of the {} meets these conditions", text::counted(n_stored, "stored run")));
    } else {
        output::print(&format!("{}\n{}\n", to_table(&runs).render(settings.is_coloured), legend(&runs)))?;
        if is_apart {
            output::say(&format!("sorted by {} within each scale and each test split: {APART}", selection.key));
        }
    }
    Ok(Outcome::Well)
}

/// Why runs are not ranked all together.
const APART: &str = "nats of two scales, or over other images, cannot be compared";

/// Whether the order is one within each scale and each test split, of which there are several.
fn sort(runs: &mut [&ListedRun], key: &str, is_reversed: bool) -> Result<bool> {
    // A run without the value comes last, whichever way the others go.
    let by_value = |value: &dyn Fn(&ListedRun) -> Value, a: &ListedRun, b: &ListedRun| match (value(a), value(b)) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (a, b) if is_reversed => filter::order(&b, &a),
        (a, b) => filter::order(&a, &b),
    };
    let value: Box<dyn Fn(&ListedRun) -> Value> = match key {
        "name" => {
            // The store lists by name, numbers in it by size.
            if is_reversed {
                runs.reverse();
            }
            return Ok(false);
        }
        "id" => Box::new(|run| run.manifest.run_id.to_string().into()),
        "status" => Box::new(|run| run.status.word().into()),
        "started" => Box::new(|run| run.manifest.timing.started.as_millisecond().into()),
        "seconds" => Box::new(|run| run.manifest.timing.seconds.into()),
        path => {
            if let Some(metric) = Metric::listed().find(|metric| metric.name() == path) {
                let of = move |run: &ListedRun| measured(run).and_then(|(_, terms)| terms.get(metric)).into();
                // Nats are ranked apart where they cannot be compared.
                let basis = |run: &ListedRun| {
                    let split = measured(run).map(|(split, _)| split);
                    (metric.about().unit == Unit::Nats).then(|| (run.manifest.cell.basis(), split))
                };
                runs.sort_by(|a, b| basis(a).cmp(&basis(b)).then_with(|| by_value(&of, a, b)));
                return Ok(runs.windows(2).any(|pair| basis(pair[0]) != basis(pair[1])));
            }
            if !runs.is_empty() && runs.iter().all(|run| run.manifest.cell.value_at(path).is_none()) {
                let metrics: Vec<&str> = Metric::listed().map(Metric::name).collect();
                bail!(
                    "cannot sort by `{path}`: no run has such a setting\nhint: use name, id, status, started, seconds, {}, or a path such as model.latent_dim",
                    metrics.join(", ")
                );
            }
            let path = path.to_owned();
            Box::new(move |run| run.manifest.cell.value_at(&path).unwrap_or_default())
        }
    };
    runs.sort_by(|a, b| by_value(&*value, a, b));
    Ok(false)
}

/// The terms at the latest epoch, or at the one that was kept, on the split that says most.
fn measured(run: &ListedRun) -> Option<(Split, &EpochMetrics)> {
    let splits = &run.manifest.result()?.splits;
    let best = [Split::Test, Split::Validation, Split::Train];
    best.into_iter().find_map(|split| splits.get(&split).map(|terms| (split, terms)))
}

fn to_json<'a>(run: &'a ListedRun, store: &Store) -> Result<RunJson<'a>> {
    let manifest = &run.manifest;
    let measured = measured(run);
    Ok(RunJson {
        run_id: manifest.run_id.to_string(),
        name: &manifest.name,
        status: run.status.word(),
        reason: match &run.status {
            Status::Failed { reason } => Some(reason),
            _ => None,
        },
        epoch: manifest.last_epoch.as_ref().map(|last| last.epoch),
        kept_epoch: manifest.kept_epoch.as_ref().map(|kept| kept.epoch),
        epochs: manifest.cell.training.epochs,
        scale: manifest.scale.as_str(),
        terms: measured.map(|(_, terms)| terms.clone()).unwrap_or_default(),
        split: measured.map(|(split, _)| split.as_str()),
        evaluation: store.run(&manifest.run_id).evaluation()?,
        started: manifest.timing.started.to_string(),
        seconds: manifest.timing.seconds,
        cell: &manifest.cell,
    })
}

/// What the numbers of the table are.
fn legend(runs: &[&ListedRun]) -> String {
    let has_other = runs.iter().filter_map(|run| measured(run)).any(|(split, _)| split != Split::Test);
    let otherwise = if has_other { ", else on those for validation or training" } else { "" };
    let has_kept = runs.iter().any(|run| run.manifest.kept_epoch.is_some());
    let kept = if has_kept { " or the one kept (→)" } else { "" };
    format!(
        "{}; at the latest epoch{kept}, on the test images{otherwise}: ELBO = −(rec. + KL), {}",
        text::counted(runs.len(), "run"),
        text::units(shown(runs), |metric| metric.about().title)
    )
}

/// The metrics that have a column: the bound's terms, and diagnostics where a run has them.
fn shown(runs: &[&ListedRun]) -> Vec<Metric> {
    let has =
        |metric: &Metric| runs.iter().any(|run| measured(run).is_some_and(|(_, terms)| terms.get(*metric).is_some()));
    Metric::bound().chain(Metric::while_training().filter(has)).collect()
}

fn to_table(runs: &[&ListedRun]) -> TextTable {
    use Align::{Left, Right};
    let metrics = shown(runs);
    let title = |metric: &Metric| match metric {
        Metric::Reconstruction => "rec.",
        other => other.about().title,
    };
    let heads = [("run", Left), ("name", Left), ("status", Left), ("epoch", Right)].into_iter();
    let heads = heads.chain(metrics.iter().map(|metric| (title(metric), Right)));
    let mut table = TextTable::new(heads.chain([("scale", Left), ("time", Right), ("", Left)]));
    for run in runs {
        let manifest = &run.manifest;
        let terms = measured(run).map(|(_, terms)| terms);
        let mut entries = vec![
            TableEntry::toned(manifest.run_id.to_string(), Tone::Dim),
            manifest.name.as_str().into(),
            text::status(&run.status),
            text::epoch(manifest).into(),
        ];
        // Nothing where nothing was measured yet, a dash for what the model does not have.
        let shown = |terms: &EpochMetrics, metric: Metric| text::optional(metric, terms.get(metric));
        entries
            .extend(metrics.iter().map(|&metric| terms.map_or_else(String::new, |terms| shown(terms, metric)).into()));
        entries.extend([
            manifest.scale.as_str().into(),
            spec::duration(manifest.timing.seconds).into(),
            text::remark(&run.status).into(),
        ]);
        table.row(entries);
    }
    table
}
