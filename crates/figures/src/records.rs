//! The finished runs of an experiment as plain numbers, grouped by everything but the seed.

use record::summary::{Estimate, estimate, images_of_fewer};
use record::{ArrayName, EpochMetrics};
use serde_json::Value;
use spec::metric::{Subject, Unit};
use spec::{Basis, Cell, Measurement, Metric, MetricSettings, RunId, Split, Term};

use crate::arrays::RunArrays;
use crate::claims::Judged;
use crate::setting::{GroupKey, phrase};
use crate::tiles::ImageStack;
use crate::warnings::Warning;

/// What figures, tables and the report are made of.
#[derive(Clone, Debug)]
pub struct Records {
    /// The experiment's name.
    pub name: String,
    /// The dataset's name.
    pub dataset: String,
    /// The swept settings: path and values.
    pub axes: Vec<(String, Vec<String>)>,
    /// How long, in which batches and on how many images the runs were trained: a sentence.
    pub training: String,
    /// How many runs the experiment has.
    pub n_cells: usize,
    /// Runs that are not finished: name and why.
    pub missing: Vec<(String, String)>,
    /// Every run of the experiment, in its order.
    pub runs: Vec<KnownRun>,
    /// By other settings, β and latent dimension, in this order.
    pub groups: Vec<Group>,
    /// Where the numbers come from: a name and the distinct values over the runs.
    pub origins: Vec<(String, Vec<String>)>,
    /// What makes comparisons of the finished runs less than they seem.
    pub warnings: Vec<Warning>,
    /// The experiment's claims with their verdicts; `None` where it makes none.
    pub judged: Option<Judged>,
}

/// A run of the experiment, finished or not.
#[derive(Clone, Debug)]
pub struct KnownRun {
    /// Its id.
    pub id: RunId,
    /// For people.
    pub name: String,
    /// How far it is: `done`, `failed`, `resumable from epoch 3`.
    pub status: String,
    /// Why it failed; nothing for any other.
    pub reason: Option<String>,
}

/// Runs that differ in their seed alone.
#[derive(Clone, Debug)]
pub struct Group {
    /// What tells it from the other groups.
    pub key: GroupKey,
    /// The cell of one of its runs; the others differ in the seed.
    pub cell: Cell,
    /// The finished runs, by seed; at least one.
    pub runs: Vec<RunNumbers>,
    /// The cell as JSON.
    settings: Value,
}

/// The numbers of one finished run.
#[derive(Clone, Debug, Default)]
pub struct RunNumbers {
    /// Its seed.
    pub seed: u64,
    /// On the training images, by epoch.
    pub train: Vec<Epoch>,
    /// On the test images, by epoch.
    pub test: Vec<Epoch>,
    /// The epoch whose weights are the model, where that need not be the last.
    pub kept: Option<u32>,
    /// KL of each latent dimension on the test images at the end, or at the epoch kept, in nats per image; empty where there is none.
    pub kl_per_dim: Vec<f64>,
    /// The variance over test images of each dimension's posterior mean; `None` where the means were not stored.
    pub latent_variances: Option<Vec<f64>>,
    /// What else was measured on the trained model, and the value.
    pub measures: Vec<(MeasurementKey, f64)>,
    /// The standard deviation of p(x|z), where one is learned for all pixels.
    pub sigma: Option<f64>,
    /// How far test images are from their neighbours in the source that were trained on, against images drawn at random.
    pub neighbour_distance: Option<f64>,
    /// Images and latents; read for a group's first run only.
    pub arrays: Option<RunArrays>,
}

/// What was measured at one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// Epochs completed.
    pub epoch: u32,
    /// The values of the metrics that the model has.
    pub terms: EpochMetrics,
}

/// The fewest seeds whose interval is drawn; that of fewer is so wide that it hides what it is about, so that the seeds'
/// own values are drawn instead.
pub const FEWEST_FOR_INTERVAL: usize = 4;

/// A number over the seeds of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct OverSeeds {
    /// Its mean and interval.
    pub estimate: Estimate,
    /// Each seed's value.
    pub values: Vec<f64>,
    /// No value is below this.
    least: f64,
}

impl OverSeeds {
    /// Of these values of a metric; `None` without any.
    pub fn of(metric: Metric, values: Vec<f64>) -> Option<OverSeeds> {
        let least = if metric.is_never_negative() { 0.0 } else { f64::NEG_INFINITY };
        Some(OverSeeds { estimate: estimate(&values)?, values, least })
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.estimate.mean
    }

    /// The ends of the 95 % interval, where there are seeds enough to draw it; within what the metric can be.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let half = self.estimate.half_width.filter(|_| self.values.len() >= FEWEST_FOR_INTERVAL)?;
        // An estimate of what cannot be negative may be, by chance.
        Some(((self.mean() - half).max(self.least.min(self.mean())), self.mean() + half))
    }

    /// The seeds' own values, where there are several but too few for an interval.
    pub fn singles(&self) -> &[f64] {
        if (2..FEWEST_FOR_INTERVAL).contains(&self.values.len()) { &self.values } else { &[] }
    }

    /// All that is drawn of it, for axes.
    pub fn extent(&self) -> Vec<f64> {
        let (low, high) = self.interval().unwrap_or((self.mean(), self.mean()));
        [low, high].into_iter().chain(self.singles().iter().copied()).collect()
    }
}

/// The metrics of an epoch in nats per image that compare between models, in the order of panels and columns.
pub fn terms_in_nats() -> impl Iterator<Item = Metric> {
    Metric::per_epoch().filter(|metric| metric.about().unit == Unit::Nats && !metric.needs_settings())
}

/// The terms of these metrics that some of the groups have, in order.
pub fn terms(groups: &[&Group], metrics: impl IntoIterator<Item = Metric>) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::new();
    for metric in metrics {
        for group in groups.iter().filter(|group| group.last(metric).is_some()) {
            let term = group.cell.term(metric);
            if !terms.contains(&term) {
                terms.push(term);
            }
        }
    }
    terms
}

/// Whether those of the groups that minimise a bound or a reconstruction minimise the same: their values can be compared.
pub fn minimise_alike(groups: &[&Group]) -> bool {
    let one =
        |group: &&&Group| group.cell.term(Metric::Objective).is_minimised() && group.last(Metric::Objective).is_some();
    let of = |group: &Group| (std::mem::discriminant(&group.cell.model.kind), group.value("objective").cloned());
    let mut minimised = groups.iter().filter(one).map(|group| of(group));
    minimised.next().is_none_or(|first| minimised.all(|other| other == first))
}

/// What was measured on a trained model: numbers with equal keys may stand in one column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MeasurementKey {
    /// The metric.
    pub metric: Metric,
    /// The images it was measured on.
    pub split: Split,
    /// What it was computed with.
    pub settings: MetricSettings,
    /// How many images it is a mean over, where that is not the whole split.
    pub images: Option<u64>,
    /// Width of the latent space that it is a density over.
    pub width: Option<usize>,
}

impl MeasurementKey {
    /// Of a row among all of a run's.
    pub fn of(row: &Measurement, all: &[Measurement], cell: &Cell) -> MeasurementKey {
        let Measurement { metric, split, settings, .. } = row;
        let width = metric.is_over_latents().then_some(cell.model.latent_dim);
        MeasurementKey {
            metric: *metric,
            split: *split,
            settings: settings.clone(),
            images: images_of_fewer(row, all),
            width,
        }
    }

    /// For programs: `nll (test, samples 5000, 50 images)`.
    pub fn name(&self) -> String {
        let parts = std::iter::once(self.split.to_string()).chain(self.settings_in_words());
        format!("{} ({})", self.metric, parts.collect::<Vec<_>>().join(", "))
    }

    /// For people: `−log p(x) (samples 5000, 50 images)`.
    pub fn title(&self) -> String {
        let split = (self.split != Split::Test).then(|| self.split.to_string());
        let parts: Vec<String> = split.into_iter().chain(self.settings_in_words()).collect();
        let title = self.metric.about().title;
        if parts.is_empty() { title.to_owned() } else { format!("{title} ({})", parts.join(", ")) }
    }

    fn settings_in_words(&self) -> impl Iterator<Item = String> {
        let settings = Some(self.settings.to_string()).filter(|settings| !settings.is_empty());
        let images = self.images.map(|n| format!("{n} image{}", if n == 1 { "" } else { "s" }));
        let width = self.width.map(|width| format!("{width} dimensions"));
        settings.into_iter().chain(images).chain(width)
    }

    /// Whether it is the floor of the cross-entropy on gray values, of the test images.
    pub fn is_floor(&self) -> bool {
        self.metric == Metric::GrayBceFloor && self.split == Split::Test
    }
}

impl RunNumbers {
    /// What the model has on the test images: at the last epoch, or at the one that was kept.
    pub fn result(&self) -> Option<&EpochMetrics> {
        let kept = |epoch: &&Epoch| self.kept.is_none_or(|kept| epoch.epoch == kept);
        self.test.iter().rev().find(kept).map(|epoch| &epoch.terms)
    }
}

impl Group {
    /// A group of these runs.
    pub fn new(key: GroupKey, cell: Cell, runs: Vec<RunNumbers>) -> Group {
        // Every field is a number, a word or a list of them, so this cannot fail.
        let settings = serde_json::to_value(&cell).unwrap_or_default();
        Group { key, cell, runs, settings }
    }

    /// A name for places on a page, which no other group has: the id of one of its runs.
    pub fn anchor(&self) -> String {
        self.cell.run_id().to_string()
    }

    /// The value at a path, which need not tell the group from others; `None` where its model has no such setting.
    pub fn value(&self, path: &str) -> Option<&Value> {
        let value = path.split('.').try_fold(&self.settings, |value, key| value.get(key));
        value.filter(|_| self.cell.has(path))
    }

    /// As [`Group::value`], of a setting that is a number.
    pub fn number(&self, path: &str) -> Option<f64> {
        self.value(path)?.as_f64()
    }

    /// A metric of the test images at the last epoch, or at the one that each run kept, over seeds; `None` where the model has no
    /// such thing.
    pub fn last(&self, metric: Metric) -> Option<OverSeeds> {
        OverSeeds::of(metric, self.runs.iter().filter_map(|run| run.result()?.get(metric)).collect())
    }

    /// As [`Group::last`], of a term; `None` where these models mean something else by the metric.
    pub fn last_term(&self, term: Term) -> Option<OverSeeds> {
        if self.cell.term(term.metric) == term { self.last(term.metric) } else { None }
    }

    /// What each run has of the first measure of it that is `wanted`, over seeds.
    pub fn measure(&self, wanted: impl Fn(&MeasurementKey) -> bool) -> Option<OverSeeds> {
        let of = |run: &RunNumbers| run.measures.iter().find(|(measure, _)| wanted(measure)).map(|(_, value)| *value);
        let key = self.runs.iter().flat_map(|run| &run.measures).map(|(measure, _)| measure).find(|key| wanted(key))?;
        OverSeeds::of(key.metric, self.runs.iter().filter_map(of).collect())
    }

    /// What each run has of a metric that was computed with these settings, over seeds.
    pub fn measured(&self, metric: Metric, split: Split, settings: &MetricSettings) -> Option<OverSeeds> {
        self.measure(|key| key.metric == metric && key.split == split && key.settings == *settings)
    }

    /// The sharpness of these images: of the test split, or else of whichever it was measured on.
    pub fn sharpness(&self, of: Subject) -> Option<OverSeeds> {
        let wanted = MetricSettings::of(of);
        let is_one = |measure: &MeasurementKey| measure.metric == Metric::Sharpness && measure.settings == wanted;
        self.measured(Metric::Sharpness, Split::Test, &wanted).or_else(|| self.measure(is_one))
    }

    /// Images of the run whose arrays are shown; `None` where its model has none.
    pub fn images(&self, name: ArrayName) -> Option<&ImageStack> {
        self.arrays()?.1.images(name)
    }

    /// The arrays of the run with the smallest seed that has any.
    pub fn arrays(&self) -> Option<(u64, &RunArrays)> {
        self.runs.iter().find_map(|run| run.arrays.as_ref().map(|arrays| (run.seed, arrays)))
    }
}

/// Groups whose numbers may stand beside each other.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Behind the name of a file, `-gray-bce`; empty where there is one part only.
    pub suffix: String,
    /// What its numbers are on, in words.
    pub basis: String,
    /// The groups, in order.
    pub groups: Vec<&'a Group>,
}

impl Records {
    /// The groups by what their numbers in nats are on: values of two scales, or of other test images, never stand together.
    pub fn by_basis(&self) -> Vec<Part<'_>> {
        let bases: Vec<Basis> = self.groups.iter().map(|group| group.cell.basis()).collect();
        let several_scales = bases.iter().any(|basis| basis.scale != bases[0].scale);
        let several_images = Basis::share_a_scale(&bases);
        let words = |basis: &Basis| match several_images {
            true => format!("{}, on {}", basis.scale, basis.images),
            false => basis.scale.to_string(),
        };
        let suffix = |basis: &Basis| {
            let scale = several_scales.then(|| basis.scale.to_string());
            let images = several_images.then(|| basis.images.to_string());
            scale.into_iter().chain(images).collect::<Vec<_>>().join(" ")
        };
        parts(self.groups.iter().zip(&bases).map(|(group, basis)| (group, words(basis), suffix(basis))))
    }

    /// The groups by the dataset whose images they saw: what is measured in images stands together whatever the likelihood.
    pub fn by_dataset(&self) -> Vec<Part<'_>> {
        let name = |group: &Group| group.cell.dataset.name.readable_name();
        let several = self.groups.iter().any(|group| group.cell.dataset.name != self.groups[0].cell.dataset.name);
        let suffix = |group: &Group| if several { name(group) } else { String::new() };
        parts(self.groups.iter().map(|group| (group, name(group), suffix(group))))
    }
}

/// Parts of groups, each with what its part is called and the words of its files' suffix.
fn parts<'a>(groups: impl Iterator<Item = (&'a Group, String, String)>) -> Vec<Part<'a>> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    for (group, basis, words) in groups {
        match parts.iter_mut().find(|part| part.basis == basis) {
            Some(part) => part.groups.push(group),
            None => {
                let dashed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
                let slug: String = words.chars().map(dashed).collect();
                let slug = slug.split('-').filter(|word| !word.is_empty()).map(|word| format!("-{word}"));
                parts.push(Part { suffix: slug.collect(), basis, groups: vec![group] });
            }
        }
    }
    parts
}

/// The paths, but for those of quantities, at which some of these groups differ; in the order of the spec.
pub fn differing_others(groups: &[&Group]) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for setting in groups.iter().flat_map(|group| group.key.others()) {
        let differs = || groups.iter().any(|group| group.value(&setting.path) != groups[0].value(&setting.path));
        if !paths.contains(&setting.path) && differs() {
            paths.push(setting.path.clone());
        }
    }
    paths
}

/// What of a group's other settings tells it from these groups, in words.
pub fn phrase_among(group: &Group, groups: &[&Group]) -> String {
    let paths = differing_others(groups);
    phrase(&paths.iter().filter_map(|path| group.key.setting(path)).collect::<Vec<_>>())
}

/// What of the other settings all these groups share, in words: `bernoulli`.
pub fn phrase_shared(groups: &[&Group]) -> String {
    let Some(first) = groups.first() else { return String::new() };
    phrase(&first.key.others().filter(|setting| is_shared(groups, &setting.path)).collect::<Vec<_>>())
}

/// Whether these groups have the same value of a setting.
pub fn is_shared(groups: &[&Group], path: &str) -> bool {
    groups.iter().all(|group| group.value(path) == groups[0].value(path))
}

/// The distinct values of a setting that is a number, ascending.
pub fn numbers(groups: &[&Group], path: &str) -> Vec<f64> {
    let mut numbers: Vec<f64> = groups.iter().filter_map(|group| group.number(path)).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    numbers
}
