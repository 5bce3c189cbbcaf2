//! The finished runs of an experiment as plain numbers, grouped by everything but the seed.

use std::collections::BTreeSet;

use spec::{Cell, Latent, ModelKind, Prior, Scale};

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
    /// How long, in which batches and on how many images the runs were trained: a sentence.
    pub training: String,
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
    /// What their samples are decoded from.
    pub source: Source,
    /// Whether their training objective is an importance-weighted bound.
    pub importance_weighted: bool,
    /// The finished runs, by seed; at least one.
    pub runs: Vec<Run>,
}

/// What a model's samples are decoded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The prior N(0, I).
    Normal,
    /// A prior of independent fair bits.
    Bits,
    /// A learned mixture of Gaussians as prior.
    Mixture,
    /// The VampPrior, a mixture of posteriors.
    Vamp,
    /// N(0, I), though the model is an autoencoder, which has no prior.
    NoPrior,
    /// N(0, I), which a GAN's generator maps to images.
    Noise,
    /// Nothing: the model is a mixture over pixels.
    Pixels,
}

impl Source {
    /// That of a cell's model.
    pub fn of(cell: &Cell) -> Source {
        match (cell.model.kind, cell.model.latent, cell.model.prior) {
            (ModelKind::GaussianMixture { .. }, ..) => Source::Pixels,
            (ModelKind::Autoencoder, ..) => Source::NoPrior,
            (ModelKind::Gan { .. }, ..) => Source::Noise,
            (_, Latent::Bernoulli { .. }, _) => Source::Bits,
            (_, Latent::Gaussian, Prior::Mixture { .. }) => Source::Mixture,
            (_, Latent::Gaussian, Prior::Vamp { .. }) => Source::Vamp,
            (_, Latent::Gaussian, Prior::Standard) => Source::Normal,
        }
    }
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

    /// Whether the evaluated splits have this term as training has it. An importance-weighted bound is trained with many
    /// samples of z and evaluated with one.
    pub fn is_evaluated_as_trained(&self, term: Term) -> bool {
        !(self.importance_weighted && term == Term::Objective)
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

/// What the objective of importance-weighted runs is on the test images; nothing where there are none.
pub fn one_sample_note(groups: &[&Group]) -> &'static str {
    if groups.iter().any(|group| group.importance_weighted) {
        " Importance-weighted bounds are evaluated with one sample of z: their objective on test images is reconstruction + \
         β·KL, not the bound."
    } else {
        ""
    }
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
