//! The finished runs of an experiment as plain numbers, grouped by everything but the seed.

use record::summary::{Estimate, estimate};
use serde_json::Value;
use spec::{Cell, ObjectiveKind, Scale};

use crate::arrays::Arrays;
use crate::setting::Key;

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
    /// By scale, other settings, β and latent dimension, in this order.
    pub groups: Vec<Group>,
    /// Where the numbers come from: a name and the distinct values over the runs.
    pub origins: Vec<(String, Vec<String>)>,
}

/// The name of the floor of the cross-entropy on gray values among a run's measures.
pub const FLOOR: &str = "gray_bce_floor (test)";

/// Runs that differ in their seed alone.
#[derive(Clone, Debug)]
pub struct Group {
    /// What tells it from the other groups.
    pub key: Key,
    /// The cell of one of its runs; the others differ in the seed.
    pub cell: Cell,
    /// The finished runs, by seed; at least one.
    pub runs: Vec<Run>,
    /// The cell as JSON.
    settings: Value,
}

/// The numbers of one finished run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// On the training images, by epoch.
    pub train: Vec<Terms>,
    /// On the test images, by epoch.
    pub test: Vec<Terms>,
    /// KL of each latent dimension on the test images at the end, in nats per image; empty where there is none.
    pub kl_per_dim: Vec<f64>,
    /// Active units on the test images at the end; `None` without an encoder.
    pub active_units: Option<u32>,
    /// What else was measured on the trained model: its name with split and settings, and the value.
    pub measures: Vec<(String, f64)>,
    /// Images and latents; read for a group's first run only.
    pub arrays: Option<Arrays>,
}

/// The terms at one epoch, in nats per image; `None` where the model has no such term.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// Epochs completed.
    pub epoch: u32,
    /// −(reconstruction + KL).
    pub elbo: Option<f64>,
    /// −E_q[log p(x|z)].
    pub reconstruction: Option<f64>,
    /// KL(q(z|x) ‖ p(z)).
    pub kl: Option<f64>,
    /// What is minimised: reconstruction + β·KL, or the loss of a GAN's generator.
    pub objective: f64,
    /// Loss of a GAN's discriminator.
    pub discriminator: Option<f64>,
}

/// One of the terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// −(reconstruction + KL).
    Elbo,
    /// −E_q[log p(x|z)].
    Reconstruction,
    /// KL(q(z|x) ‖ p(z)).
    Kl,
    /// What is minimised: reconstruction + β·KL, or the loss of a GAN's generator.
    Objective,
    /// Loss of a GAN's discriminator.
    Discriminator,
}

impl Term {
    /// In the order of panels and columns.
    pub const ALL: [Term; 5] = [Term::Elbo, Term::Reconstruction, Term::Kl, Term::Objective, Term::Discriminator];

    /// For titles.
    pub fn title(self) -> &'static str {
        match self {
            Term::Elbo => "ELBO",
            Term::Reconstruction => "reconstruction",
            Term::Kl => "KL",
            Term::Objective => "objective",
            Term::Discriminator => "discriminator",
        }
    }

    /// Its value; `None` where the model has no such term.
    pub fn of(self, terms: &Terms) -> Option<f64> {
        match self {
            Term::Elbo => terms.elbo,
            Term::Reconstruction => terms.reconstruction,
            Term::Kl => terms.kl,
            Term::Objective => Some(terms.objective),
            Term::Discriminator => terms.discriminator,
        }
    }
}

impl Group {
    /// A group of these runs.
    pub fn new(key: Key, cell: Cell, runs: Vec<Run>) -> Group {
        // Every field is a number, a word or a list of them, so this cannot fail.
        let settings = serde_json::to_value(&cell).unwrap_or_default();
        Group { key, cell, runs, settings }
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

    /// A term on the test images at the end, over seeds; `None` where the model has no such term.
    pub fn last(&self, term: Term) -> Option<Estimate> {
        let values: Vec<f64> = self.runs.iter().filter_map(|run| term.of(run.test.last()?)).collect();
        estimate(&values)
    }

    /// Active units on the test images at the end, over seeds; `None` without an encoder.
    pub fn active_units(&self) -> Option<Estimate> {
        estimate(&self.runs.iter().filter_map(|run| run.active_units.map(f64::from)).collect::<Vec<_>>())
    }

    /// Whether its training objective is an importance-weighted bound.
    pub fn is_importance_weighted(&self) -> bool {
        matches!(self.cell.objective.kind, ObjectiveKind::ImportanceWeighted { .. })
    }

    /// Whether the evaluated splits have this term as training has it. An importance-weighted bound is trained with many
    /// samples of z and evaluated with one.
    pub fn is_evaluated_as_trained(&self, term: Term) -> bool {
        !(self.is_importance_weighted() && term == Term::Objective)
    }

    /// A measure on the trained models, over seeds.
    pub fn measure(&self, name: &str) -> Option<Estimate> {
        let of = |run: &Run| run.measures.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
        estimate(&self.runs.iter().filter_map(of).collect::<Vec<_>>())
    }

    /// As [`Group::measure`], for a metric on the test images, or else on whichever split it was measured, one of
    /// whose settings reads `setting`, such as `of samples`.
    pub fn measure_with(&self, metric: &str, setting: &str) -> Option<Estimate> {
        let notes = |name: &str| -> Option<Vec<String>> {
            let notes = name.strip_prefix(metric)?.strip_prefix(" (")?.strip_suffix(')')?;
            Some(notes.split(", ").map(str::to_owned).collect())
        };
        let is_one = |notes: &[String]| notes.iter().skip(1).any(|note| note == setting);
        let names = self.runs.iter().flat_map(|run| run.measures.iter().map(|(name, _)| name));
        let found = || names.clone().filter(|name| notes(name).is_some_and(|notes| is_one(&notes)));
        let is_test = |name: &&String| notes(name).is_some_and(|notes| notes.first().is_some_and(|n| n == "test"));
        self.measure(found().find(is_test).or_else(|| found().next())?)
    }

    /// The arrays of the run with the smallest seed that has any.
    pub fn arrays(&self) -> Option<(u64, &Arrays)> {
        self.runs.iter().find_map(|run| run.arrays.as_ref().map(|arrays| (run.seed, arrays)))
    }
}

impl Records {
    /// The groups of one scale after another; values of two scales are never drawn together.
    pub fn scales(&self) -> Vec<(Scale, Vec<&Group>)> {
        let mut scales: Vec<(Scale, Vec<&Group>)> = Vec::new();
        for group in &self.groups {
            match scales.iter_mut().find(|(scale, _)| *scale == group.key.scale) {
                Some((_, groups)) => groups.push(group),
                None => scales.push((group.key.scale, vec![group])),
            }
        }
        scales
    }
}

/// The distinct values of a setting that is a number, ascending.
pub fn numbers(groups: &[&Group], path: &str) -> Vec<f64> {
    let mut numbers: Vec<f64> = groups.iter().filter_map(|group| group.number(path)).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    numbers
}

/// The ends of the 95 % interval; the mean twice where there is none.
pub fn interval(estimate: &Estimate) -> (f64, f64) {
    let half = estimate.half_width.unwrap_or(0.0);
    (estimate.mean - half, estimate.mean + half)
}
