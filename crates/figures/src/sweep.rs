//! The finished runs of an experiment as plain numbers, grouped by everything but the seed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use spec::{Cell, ModelKind, Scale, differing_paths};

use crate::axis::number;
use crate::stats::{Estimate, estimate};
use crate::tiles::Images;

/// What figures, tables and the report are made of.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The experiment's name.
    pub name: String,
    /// The dataset's name.
    pub dataset: String,
    /// The swept settings: path and values.
    pub axes: Vec<(String, Vec<String>)>,
    /// How many runs the experiment has.
    pub n_cells: usize,
    /// Runs that are not finished: name and why.
    pub missing: Vec<(String, String)>,
    /// By scale, variant, β and latent dimension, in this order.
    pub groups: Vec<Group>,
    /// Where the numbers come from: a name and the distinct values over the runs.
    pub provenance: Vec<(String, Vec<String>)>,
}

/// What tells one group from another.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The scale of its likelihood.
    pub scale: Scale,
    /// The other swept settings in words; empty when there are none.
    pub variant: String,
    /// Weight of the KL term.
    pub beta: f64,
    /// Width of the latent space.
    pub latent_dim: usize,
}

/// The name of the floor of the cross-entropy on gray values among a run's measures.
pub const FLOOR: &str = "gray_bce_floor (test)";

/// Runs that differ in their seed alone.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they share.
    pub key: Key,
    /// The finished runs, by seed; at least one.
    pub runs: Vec<Run>,
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

/// Images and latents of one run.
#[derive(Clone, Debug, Default)]
pub struct Arrays {
    /// Test images.
    pub originals: Images,
    /// Their reconstructions; none without an encoder.
    pub reconstructions: Images,
    /// The same corrupted, and what the model makes of that.
    pub denoising: Option<Denoising>,
    /// Decoded draws from the prior.
    pub samples: Images,
    /// Decoded draws from the aggregate posterior.
    pub samples_aggregate: Option<Images>,
    /// Decoded draws from a Gaussian mixture fitted to latent means.
    pub samples_mixture: Option<Images>,
    /// Decoded straight lines between latents.
    pub interpolation_linear: Option<Path>,
    /// Decoded great arcs between the same latents.
    pub interpolation_spherical: Option<Path>,
    /// Decoded grid over two latent dimensions, row by row, square.
    pub manifold: Option<Images>,
    /// Posterior means of test images, shape `[n, latent_dim]`; empty without an encoder.
    pub latent_mean: Vec<f32>,
    /// Classes of the same images.
    pub labels: Option<Vec<u8>>,
}

/// What a model makes of corrupted images.
#[derive(Clone, Debug, PartialEq)]
pub struct Denoising {
    /// The originals, corrupted as in training.
    pub corrupted: Images,
    /// Their reconstructions.
    pub denoised: Images,
}

/// Decoded paths between latents.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Images of one path, both ends included.
    pub steps: usize,
    /// One path after another.
    pub images: Images,
}

impl Group {
    /// A term on the test images at the end, over seeds; `None` where the model has no such term.
    pub fn last(&self, term: Term) -> Option<Estimate> {
        let values: Vec<f64> = self.runs.iter().filter_map(|run| term.of(run.test.last()?)).collect();
        estimate(&values)
    }

    /// Active units on the test images at the end, over seeds; `None` without an encoder.
    pub fn active_units(&self) -> Option<Estimate> {
        estimate(&self.runs.iter().filter_map(|run| run.active_units.map(f64::from)).collect::<Vec<_>>())
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

impl Sweep {
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

    /// `3 of 36 runs are missing.`, for captions; empty when none is.
    pub fn missing_note(&self) -> String {
        match self.missing.len() {
            0 => String::new(),
            1 => format!(" 1 of {} runs is missing.", self.n_cells),
            n => format!(" {n} of {} runs are missing.", self.n_cells),
        }
    }
}

/// The distinct latent dimensions, ascending.
pub fn latent_dims(groups: &[&Group]) -> Vec<usize> {
    groups.iter().map(|g| g.key.latent_dim).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The distinct β, ascending.
pub fn betas(groups: &[&Group]) -> Vec<f64> {
    let mut betas: Vec<f64> = groups.iter().map(|g| g.key.beta).collect();
    betas.sort_by(f64::total_cmp);
    betas.dedup();
    betas
}

/// The distinct variants, in order.
pub fn variants<'a>(groups: &[&'a Group]) -> Vec<&'a str> {
    let mut variants: Vec<&str> = Vec::new();
    for group in groups {
        if !variants.contains(&group.key.variant.as_str()) {
            variants.push(&group.key.variant);
        }
    }
    variants
}

/// What the reconstruction term cannot fall below on gray values: the smallest cross-entropy, in nats per image. Absent
/// where it was not measured or where it differs between groups.
pub fn gray_bce_floor(groups: &[&Group]) -> Option<f64> {
    let floors: Vec<f64> = groups.iter().filter_map(|g| g.measure(FLOOR)).map(|e| e.mean).collect();
    let first = *floors.first()?;
    floors.iter().all(|floor| (floor - first).abs() <= 1e-6 * first.abs()).then_some(first)
}

/// ` On gray values the reconstruction term has the floor 63.25 nats per image.`, or nothing where there is no floor.
pub fn floor_note(groups: &[&Group]) -> String {
    gray_bce_floor(groups).map_or_else(String::new, |floor| {
        format!(" On gray values the reconstruction term has the floor {floor:.2} nats per image.")
    })
}

/// How many seeds the means are over, in words.
pub fn seeds_note(groups: &[&Group]) -> String {
    let least = groups.iter().map(|g| g.runs.len()).min().unwrap_or(0);
    let most = groups.iter().map(|g| g.runs.len()).max().unwrap_or(0);
    match (least, most) {
        (1, 1) => "one seed, so without an interval".to_owned(),
        (a, b) if a == b => format!("mean over {a} seeds with its 95 % t-interval"),
        (a, b) => format!("mean over {a} to {b} seeds with its 95 % t-interval"),
    }
}

/// The variant of each cell: what tells it from the other cells of its scale besides seed, β and latent dimension, in
/// words. (Cells of different scales are never drawn together, so that their likelihoods need no mention.)
///
/// Settings that follow from β and the latent dimension (such as a width chosen per latent dimension) are left out,
/// since those two tell the cells apart already.
pub fn variants_of(cells: &[Cell]) -> Vec<String> {
    let mut variants = vec![String::new(); cells.len()];
    for scale in Scale::ALL {
        let places: Vec<usize> = (0..cells.len()).filter(|&i| cells[i].scale() == scale).collect();
        let of_scale: Vec<&Cell> = places.iter().map(|&i| &cells[i]).collect();
        for (place, variant) in places.into_iter().zip(variants_within(&of_scale)) {
            variants[place] = variant;
        }
    }
    variants
}

fn variants_within(cells: &[&Cell]) -> Vec<String> {
    let paths = differing_paths(cells.iter().copied());
    let value = |index: usize, path: &str| cells[index].value_at(path).map_or_else(|| "–".to_owned(), |v| words(&v));
    let mut kept: Vec<&String> = Vec::new();
    for path in &paths {
        if ["training.seed", "objective.beta", "model.latent_dim"].contains(&path.as_str()) {
            continue;
        }
        // A family is named, whatever else tells it apart.
        if path == "model.kind" {
            kept.push(path);
            continue;
        }
        let mut seen: BTreeMap<(u64, usize), String> = BTreeMap::new();
        let follows = (0..cells.len()).all(|i| {
            let place = (cells[i].objective.beta.to_bits(), cells[i].model.latent_dim);
            *seen.entry(place).or_insert_with(|| value(i, path)) == value(i, path)
        });
        if !follows {
            kept.push(path);
        }
    }
    let tail = |path: &str| path.rsplit('.').next().unwrap_or(path).replace('_', " ");
    let unique = |path: &str| kept.iter().filter(|other| tail(other) == tail(path)).count() == 1;
    (0..cells.len())
        .map(|i| {
            let is_mixture = matches!(cells[i].model.kind, ModelKind::GaussianMixture { .. });
            let applies = |path: &&&String| !is_mixture || **path == "model.kind" || !path.starts_with("model.");
            // What a cell does without is said only where there is nothing else to say.
            let (absent, mut said): (Vec<&&String>, Vec<_>) = kept
                .iter()
                .filter(applies)
                .partition(|path| ABSENT.contains(&(path.as_str(), value(i, path).as_str())));
            if said.is_empty() {
                said.extend(absent.first());
            }
            let words = said.into_iter().map(|path| {
                let value = value(i, path);
                match path.as_str() {
                    // These values say of themselves what they are the values of.
                    "dataset.name" | "model.kind" | "model.likelihood" | "objective.kind" => value,
                    "objective.warm_up_epochs" if value == "0" => "no warm-up".to_owned(),
                    "objective.warm_up_epochs" => format!("warm-up {value} epochs"),
                    "objective.cycles" => format!("cycles {value}"),
                    path => {
                        let name = if unique(path) { tail(path) } else { path.replace(['.', '_'], " ") };
                        format!("{name} {value}")
                    }
                }
            });
            words.collect::<Vec<_>>().join(", ")
        })
        .collect()
}

/// Settings at the value that switches them off.
const ABSENT: [(&str, &str); 3] =
    [("objective.warm_up_epochs", "0"), ("objective.cycles", "1"), ("model.corruption", "none")];

/// A setting's value in words; a variant with settings as `masking fraction 0.5` or `gan spectral-norm`.
pub fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), number),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join("-"),
        Value::Null => "–".to_owned(),
        Value::Object(variant) => {
            variant.iter().map(|(name, settings)| format!("{name} {}", settings_in_words(settings))).collect()
        }
        Value::Bool(yes) => yes.to_string(),
    }
}

/// A variant's settings: numbers with their names, words without.
fn settings_in_words(settings: &Value) -> String {
    let Value::Object(fields) = settings else { return words(settings) };
    let pairs = fields.iter().map(|(name, value)| match value {
        Value::String(_) | Value::Object(_) => words(value),
        _ => format!("{} {}", name.replace('_', " "), words(value)),
    });
    pairs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(latent_dim: usize, beta: f64, seed: u64, learning_rate: f64, hidden: usize) -> Cell {
        serde_json::from_value(serde_json::json!({
            "dataset": { "name": "glyphs" },
            "model": { "hidden": [hidden], "latent_dim": latent_dim },
            "objective": { "beta": beta },
            "optimizer": { "adam": { "learning_rate": learning_rate } },
            "training": { "seed": seed },
        }))
        .expect("the cell is valid")
    }

    #[test]
    fn other_settings_make_variants() {
        let cells = [cell(2, 1.0, 0, 1e-3, 400), cell(2, 1.0, 0, 1e-4, 400), cell(5, 1.0, 1, 1e-3, 400)];
        assert_eq!(variants_of(&cells), ["learning rate 0.001", "learning rate 0.0001", "learning rate 0.001"]);
    }

    #[test]
    fn what_a_cell_does_without_is_said_only_where_nothing_else_is() {
        let mut cells = [cell(2, 1.0, 0, 1e-3, 400), cell(2, 1.0, 0, 1e-3, 400), cell(2, 1.0, 0, 1e-3, 400)];
        cells[1].objective.warm_up_epochs = 2;
        cells[1].objective.cycles = 4;
        cells[2].model.corruption = spec::Corruption::Masking { fraction: 0.5 };
        let said = variants_of(&cells);
        assert_eq!(said[1..], ["warm-up 2 epochs, cycles 4", "corruption masking fraction 0.5"]);
        assert_eq!(said[0], "corruption none");
    }

    #[test]
    fn families_and_likelihoods_are_named_without_their_keys() {
        let mut cells = [cell(2, 1.0, 0, 1e-3, 400), cell(2, 1.0, 0, 1e-3, 400), cell(2, 1.0, 0, 1e-3, 400)];
        cells[1].model.kind = ModelKind::Autoencoder;
        cells[2].model.kind = ModelKind::GaussianMixture { components: 5, floor: 0.1 };
        cells[2].model.hidden.clear();
        cells[2].model.latent_dim = 0;
        cells[0].dataset.pixels = spec::Pixels::Gray;
        for cell in &mut cells[..2] {
            cell.model.likelihood = spec::Likelihood::Gaussian { sigma: 1.0 };
        }
        let variants = variants_of(&cells);
        assert_eq!(variants[0], "vae");
        assert_eq!(variants[1], "autoencoder");
        assert_eq!(variants[2], "gaussian-mixture components 5, floor 0.1");
        let said = |value| words(&value);
        assert_eq!(
            said(serde_json::json!({ "gan": { "regulariser": { "gradient-penalty": { "weight": 1.0 } } } })),
            "gan gradient-penalty weight 1"
        );
        assert_eq!(
            said(serde_json::json!({ "gaussian-shared": { "variance": "optimal" } })),
            "gaussian-shared optimal"
        );
    }

    #[test]
    fn settings_that_follow_from_the_latent_dimension_do_not() {
        let cells = [cell(2, 1.0, 0, 1e-3, 100), cell(5, 1.0, 0, 1e-3, 400), cell(5, 4.0, 1, 1e-3, 400)];
        assert_eq!(variants_of(&cells), ["", "", ""]);
    }
}
