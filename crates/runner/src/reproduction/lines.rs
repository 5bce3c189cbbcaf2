//! What the committed records say of every row of a `reference`.

use std::collections::BTreeSet;

use record::published::PublishedRow;
use record::summary::estimate;
use spec::{Cell, Experiment, MetricSettings, Reference, ReferenceMetric, ReferenceRow, RunId};

/// An experiment that is held against published numbers, with its records.
#[derive(Clone, Debug)]
pub struct SetUp {
    /// The experiment's file, as one would type it.
    pub file: String,
    /// The experiment.
    pub experiment: Experiment,
    /// What was published.
    pub reference: Reference,
    /// What was obtained.
    pub records: Vec<PublishedRow>,
}

/// A published number and the one obtained.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Where it comes from.
    pub set_up: &'a SetUp,
    /// The published number.
    pub row: &'a ReferenceRow,
    /// The number obtained; `None` before any run that it concerns is on record.
    pub obtained: Option<Obtained<'a>>,
    /// Runs that it concerns: one for each seed.
    pub n_planned: usize,
    /// What became of it.
    pub verdict: Verdict,
}

/// A number obtained.
#[derive(Clone, Debug)]
pub struct Obtained<'a> {
    /// Mean over seeds, in the metric's unit.
    pub mean: f64,
    /// How sure it is.
    pub uncertainty: Uncertainty,
    /// Seeds.
    pub n_seeds: usize,
    /// Epochs the runs were trained for.
    pub epochs: u32,
    /// Seconds of training, all runs together.
    pub seconds: f64,
    /// What they were trained on.
    pub processors: BTreeSet<&'a str>,
    /// One of the records it comes from.
    pub example: &'a PublishedRow,
    /// Records of the runs it comes from, of all metrics.
    pub records: Vec<&'a PublishedRow>,
}

/// How sure a number is, in its own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Uncertainty {
    /// Half the width of the 95 % interval of the mean over seeds.
    OverSeeds(f64),
    /// Standard error over images, of a single seed.
    OverImages(f64),
    /// A single seed's, of a metric without a standard error.
    Unknown,
}

/// What became of a published number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the tolerance, or in the published order.
    Reproduced,
    /// Not so.
    NotReproduced,
    /// The reference names neither a tolerance nor an order.
    NotJudged,
    /// There is no number yet, or none to compare it with.
    NotRun,
}

impl Verdict {
    /// `yes`, `no`, `not judged` or `not run`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Reproduced => "yes",
            Verdict::NotReproduced => "no",
            Verdict::NotJudged => "not judged",
            Verdict::NotRun => "not run",
        }
    }
}

impl Line<'_> {
    /// Whether the runs are on a shorter schedule than the published one.
    pub fn is_shortened(&self) -> bool {
        let full = self.row.full_epochs.unwrap_or(0);
        self.obtained.as_ref().is_some_and(|obtained| (obtained.epochs as usize) < full)
    }

    /// The command that trains what the number comes from.
    pub fn command(&self) -> String {
        format!("./just sweep {}", self.set_up.file)
    }
}

/// All lines of the table, in the order of the files and of their rows.
pub fn lines(set_ups: &[SetUp]) -> Vec<Line<'_>> {
    set_ups.iter().flat_map(lines_of).collect()
}

fn lines_of(set_up: &SetUp) -> Vec<Line<'_>> {
    let obtained: Vec<Option<Obtained<'_>>> = set_up.reference.rows.iter().map(|row| obtained(set_up, row)).collect();
    let mean_of = |id: &str| {
        let place = set_up.reference.rows.iter().position(|row| row.id == id)?;
        obtained[place].as_ref().map(|obtained| obtained.mean)
    };
    let judge = |row: &ReferenceRow| {
        let Some(mean) = mean_of(&row.id) else { return Verdict::NotRun };
        let is_within = row.tolerance.map(|tolerance| (mean - row.value).abs() <= tolerance);
        let is_ordered = match row.below.as_deref().map(mean_of) {
            Some(None) => return Verdict::NotRun,
            Some(Some(other)) => Some(mean < other && mean.is_sign_negative() == row.value.is_sign_negative()),
            None => None,
        };
        match (is_within, is_ordered) {
            (None, None) => Verdict::NotJudged,
            (Some(false), _) | (_, Some(false)) => Verdict::NotReproduced,
            _ => Verdict::Reproduced,
        }
    };
    let verdicts: Vec<Verdict> = set_up.reference.rows.iter().map(judge).collect();
    let rows = set_up.reference.rows.iter().zip(obtained).zip(verdicts);
    rows.map(|((row, obtained), verdict)| {
        let n_planned = concerned(&set_up.experiment, row).count();
        Line { set_up, row, obtained, n_planned, verdict }
    })
    .collect()
}

fn concerned<'a>(experiment: &'a Experiment, row: &'a ReferenceRow) -> impl Iterator<Item = &'a Cell> {
    experiment.cells.iter().filter(|cell| row.concerns(cell))
}

/// The number of a row, over the runs that it concerns and that are on record.
fn obtained<'a>(set_up: &'a SetUp, row: &ReferenceRow) -> Option<Obtained<'a>> {
    let runs: BTreeSet<RunId> = concerned(&set_up.experiment, row).map(Cell::run_id).collect();
    let mut numbers = Vec::new();
    let mut used = BTreeSet::new();
    for run in &runs {
        let records: Vec<&PublishedRow> = set_up.records.iter().filter(|record| record.run_id == *run).collect();
        if let Some(number) = number(&records, row.metric, &set_up.experiment) {
            numbers.push(number);
            used.insert(run);
        }
    }
    let values: Vec<f64> = numbers.iter().map(|number| number.value).collect();
    let estimate = estimate(&values)?;
    let first = numbers.first()?;
    let uncertainty = match (estimate.half_width, first.standard_error) {
        (Some(half_width), _) => Uncertainty::OverSeeds(half_width),
        (None, Some(error)) => Uncertainty::OverImages(error),
        (None, None) => Uncertainty::Unknown,
    };
    Some(Obtained {
        mean: estimate.mean,
        uncertainty,
        n_seeds: estimate.n,
        epochs: numbers.iter().map(|number| number.record.epochs).min()?,
        seconds: numbers.iter().map(|number| number.record.seconds).sum(),
        processors: numbers.iter().map(|number| number.record.processor.as_str()).collect(),
        example: first.record,
        records: set_up.records.iter().filter(|record| used.contains(&record.run_id)).collect(),
    })
}

/// A run's number for a row.
struct Number<'a> {
    value: f64,
    standard_error: Option<f64>,
    record: &'a PublishedRow,
}

fn number<'a>(records: &[&'a PublishedRow], metric: ReferenceMetric, experiment: &Experiment) -> Option<Number<'a>> {
    let (measured, factor) = metric.metric();
    let of_metric = || records.iter().copied().filter(|record| record.metric == measured);
    if measured.about().per_epoch.is_none() {
        let asked = MetricSettings::samples(experiment.evaluation?.importance_samples);
        let record = of_metric().find(|record| record.settings == asked)?;
        return Some(Number { value: factor * record.value, standard_error: record.standard_error, record });
    }
    let last = of_metric().filter(|record| record.epoch.is_some()).max_by_key(|record| record.epoch)?;
    // The trained model is measured with the noise of the last epoch, so that this is an error of the same number.
    let repeated = of_metric().find(|record| record.epoch.is_none() && record.settings.repeat_last_epoch(measured));
    let standard_error = repeated.and_then(|record| record.standard_error);
    Some(Number { value: factor * last.value, standard_error, record: last })
}
