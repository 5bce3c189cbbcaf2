//! What the committed records say of every row of a `reference`.

use std::collections::BTreeSet;

use record::published::PublishedRow;
use record::summary::estimate;
use spec::{Cell, Experiment, Keep, MetricSettings, Reference, ReferenceMetric, ReferenceRow};

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
    /// The numbers versions of the programs that trained and measured them.
    pub numbers_versions: BTreeSet<u32>,
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
    /// Within the tolerance, and so is its interval's half-width.
    Reproduced {
        /// With settings that were chosen by the number they were to reach.
        is_tuned: bool,
    },
    /// Within the tolerance, or too near to it to tell, of a single seed or with a wider interval.
    NotEnoughSeeds {
        /// With settings that were chosen by the number they were to reach.
        is_tuned: bool,
    },
    /// In the published order and with the published sign; its value was not to be reproduced.
    OrderOnly,
    /// Not so.
    NotReproduced,
    /// The reference names neither a tolerance nor an order.
    NotJudged,
    /// There is no number yet, or none to compare it with.
    NotRun,
}

impl Verdict {
    /// `yes`, `tuned`, `not enough seeds`, `order only`, `no`, `not judged` or `not run`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Reproduced { is_tuned: false } => "yes",
            Verdict::Reproduced { is_tuned: true } => "tuned",
            Verdict::NotEnoughSeeds { is_tuned: false } => "not enough seeds",
            Verdict::NotEnoughSeeds { is_tuned: true } => "tuned, not enough seeds",
            Verdict::OrderOnly => "order only",
            Verdict::NotReproduced => "no",
            Verdict::NotJudged => "not judged",
            Verdict::NotRun => "not run",
        }
    }

    /// Of a number that is to be within `tolerance`.
    fn of_value(row: &ReferenceRow, tolerance: f64, obtained: &Obtained<'_>) -> Verdict {
        let (distance, is_tuned) = ((obtained.mean - row.value).abs(), row.tuned);
        match obtained.half_width() {
            Some(half_width) if half_width <= tolerance => match distance <= tolerance {
                true => Verdict::Reproduced { is_tuned },
                false => Verdict::NotReproduced,
            },
            // An interval that leaves the tolerance's on no side says nothing.
            Some(half_width) if distance - half_width <= tolerance => Verdict::NotEnoughSeeds { is_tuned },
            None if distance <= tolerance => Verdict::NotEnoughSeeds { is_tuned },
            Some(_) | None => Verdict::NotReproduced,
        }
    }

    /// Of a number that is to be below another.
    fn of_order(row: &ReferenceRow, obtained: &Obtained<'_>, other: &Obtained<'_>) -> Verdict {
        if obtained.mean >= other.mean || obtained.mean.is_sign_negative() != row.value.is_sign_negative() {
            return Verdict::NotReproduced;
        }
        match obtained.half_width().zip(other.half_width()) {
            Some((own, others)) if obtained.mean + own < other.mean - others => Verdict::OrderOnly,
            Some(_) | None => Verdict::NotEnoughSeeds { is_tuned: row.tuned },
        }
    }
}

impl Obtained<'_> {
    /// Half the width of the 95 % interval over seeds; `None` for a single seed.
    pub fn half_width(&self) -> Option<f64> {
        match self.uncertainty {
            Uncertainty::OverSeeds(half_width) => Some(half_width),
            Uncertainty::OverImages(_) | Uncertainty::Unknown => None,
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
    let of_id = |id: &str| {
        let place = set_up.reference.rows.iter().position(|row| row.id == id)?;
        obtained[place].as_ref()
    };
    let judge = |row: &ReferenceRow| {
        let Some(own) = of_id(&row.id) else { return Verdict::NotRun };
        let of_order = match row.below.as_deref().map(of_id) {
            Some(None) => return Verdict::NotRun,
            Some(Some(other)) => Some(Verdict::of_order(row, own, other)),
            None => None,
        };
        let of_value = row.tolerance.map(|tolerance| Verdict::of_value(row, tolerance, own));
        match (of_value, of_order) {
            (None, None) => Verdict::NotJudged,
            // What has both is judged by its value, once it is in order.
            (Some(_), Some(unordered @ (Verdict::NotReproduced | Verdict::NotEnoughSeeds { .. }))) => unordered,
            (Some(verdict), _) | (None, Some(verdict)) => verdict,
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
    let mut numbers = Vec::new();
    let mut used = BTreeSet::new();
    for cell in concerned(&set_up.experiment, row) {
        let records: Vec<&PublishedRow> = set_up.records.iter().filter(|record| record.is_of(cell)).collect();
        if let Some(number) = number(&records, row.metric, cell, &set_up.experiment) {
            used.insert(&number.record.run_id);
            numbers.push(number);
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
        numbers_versions: numbers.iter().map(|number| number.record.numbers_version).collect(),
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

fn number<'a>(
    records: &[&'a PublishedRow],
    metric: ReferenceMetric,
    cell: &Cell,
    experiment: &Experiment,
) -> Option<Number<'a>> {
    let (measured, factor) = metric.metric();
    let of_metric = || records.iter().copied().filter(|record| record.metric == measured);
    if measured.about().per_epoch.is_none() {
        let asked = MetricSettings::samples(experiment.evaluation_of(&cell.run_id())?.importance_samples);
        let record = of_metric().find(|record| record.settings == asked)?;
        return Some(Number { value: factor * record.value, standard_error: record.standard_error, record });
    }
    // Where a run keeps its best epoch, the last one is not that of its model.
    let repeated = of_metric().find(|record| record.epoch.is_none() && record.settings.repeat_last_epoch(measured));
    if cell.training.keep != Keep::Last {
        let record = repeated?;
        return Some(Number { value: factor * record.value, standard_error: record.standard_error, record });
    }
    let last = of_metric().filter(|record| record.epoch.is_some()).max_by_key(|record| record.epoch)?;
    // The trained model is measured with the noise of the last epoch, so that this is an error of the same number.
    let standard_error = repeated.and_then(|record| record.standard_error);
    Some(Number { value: factor * last.value, standard_error, record: last })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use spec::{Metric, Scale};

    use super::*;

    const TEXT: &str = "
name: held
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 3 }
sweep: { grid: { model.latent_dim: [2, 5, 7], training.seed: [0, 1, 2] } }
reference:
  set_up: glyphs
  rows:
    - { id: A, metric: negative-elbo, published: '100', value: 100, tolerance: 1.5, where: { model.latent_dim: 2 } }
    - { id: B, metric: negative-elbo, published: '100', value: 100, tolerance: 1.5, tuned: true, where: { model.latent_dim: 2 } }
    - { id: G, metric: negative-elbo, published: '900', value: 900, where: { model.latent_dim: 5 } }
    - { id: H, metric: negative-elbo, published: '700', value: 700, below: G, where: { model.latent_dim: 2 } }
    - { id: N, metric: negative-elbo, published: '-700', value: -700, below: G, where: { model.latent_dim: 2 } }
    - { id: I, metric: negative-elbo, published: '1', value: 1, below: H, where: { model.latent_dim: 7 } }
";

    /// The verdicts for the rows of [`TEXT`], with these −ELBO of the seeds of latent dimension 2, made by this numbers version.
    fn verdicts(values: &[f64], numbers_version: u32) -> Vec<&'static str> {
        let experiment = Experiment::parse("held.yaml", TEXT.as_bytes(), &[]).unwrap();
        let record = |cell: &Cell, value: f64| PublishedRow {
            set_up: String::new(),
            experiment: "held".to_owned(),
            run_id: cell.run_id_at(numbers_version),
            seed: cell.training.seed,
            swept: String::new(),
            scale: Scale::GrayBce,
            epoch: Some(3),
            metric: Metric::Elbo,
            value: -value,
            standard_error: None,
            n: 10_000,
            settings: MetricSettings::default(),
            epochs: 3,
            seconds: 1.0,
            processor: String::new(),
            numbers_version,
        };
        let of_width = |width: usize| experiment.cells.iter().filter(move |cell| cell.model.latent_dim == width);
        let mut records: Vec<PublishedRow> =
            of_width(2).zip(values).map(|(cell, value)| record(cell, *value)).collect();
        records.extend(of_width(5).zip([500.0, 501.0, 502.0]).map(|(cell, value)| record(cell, value)));
        let reference = experiment.reference.clone().unwrap();
        let set_ups = [SetUp { file: String::new(), experiment, reference, records }];
        let lines = lines(&set_ups);
        let of_2 = lines[0].obtained.as_ref();
        assert!(of_2.is_none_or(|obtained| obtained.numbers_versions == BTreeSet::from([numbers_version])));
        lines.iter().map(|line| line.verdict.as_str()).collect()
    }

    #[test]
    fn a_verdict_asks_for_seeds_settings_and_values() {
        let said = |values: &[f64]| verdicts(values, spec::NUMBERS_VERSION);
        assert_eq!(said(&[100.1, 100.4, 99.9]), ["yes", "tuned", "not judged", "order only", "no", "not run"]);
        // One seed, however near; or an interval wider than the tolerance, as long as it reaches the tolerance.
        let few = ["not enough seeds", "tuned, not enough seeds", "not judged", "not enough seeds", "no", "not run"];
        assert_eq!(said(&[100.1]), few);
        assert_eq!(said(&[99.0, 101.0, 103.0])[..3], few[..3]);
        assert_eq!(said(&[104.0])[..2], ["no", "no"]);
        assert_eq!(said(&[101.6, 101.7, 101.8])[..2], ["no", "no"]);
        assert_eq!(said(&[110.0, 112.0, 114.0])[..2], ["no", "no"]);
        // Above the other, or so near that the intervals meet.
        assert_eq!(said(&[600.0, 600.1, 600.2])[3], "no");
        assert_eq!(said(&[497.0, 499.0, 501.0])[3], "not enough seeds");
        assert_eq!(said(&[])[..2], ["not run", "not run"]);
    }

    /// Ids contain the numbers version, and committed records outlive it.
    #[test]
    fn records_of_an_older_numbers_version_are_of_the_same_cells() {
        assert_eq!(verdicts(&[100.1, 100.4, 99.9], 0)[0], "yes");
    }
}
