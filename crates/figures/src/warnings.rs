//! What makes a comparison of these runs less than it seems: rules over records, and over what an experiment asks for.

use record::summary::estimate;
use spec::metric::FEW_EFFECTIVE_SAMPLES;
use spec::{Cell, FigureKind, Likelihood, Metric, Net, SharedVariance};

use crate::axis::fixed;
use crate::contrast::{are_comparable, name, series};
use crate::records::{Epoch, Group, Part, Records, RunNumbers};
use crate::setting::keys;

/// Fewer seeds than this tell little: the interval of two is more than twelve standard errors wide to each side.
const FEW: usize = 3;
/// How much longer a training is thought of: a tenth, and one epoch at least.
const LONGER: f64 = 0.1;
/// Without anything to compare with, a change of so many nats counts.
const A_NAT: f64 = 1.0;
/// Epochs at the end that a trend is taken from: a fifth, from two to ten.
const LATE: (f64, usize, usize) = (0.2, 2, 10);
/// A learned σ this many times the root of the mean squared error is still on its way there.
const FAR: f64 = 1.1;
/// Neighbours that differ so much less than images drawn at random are near duplicates.
const NEAR: f64 = 0.5;

/// What may be amiss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WarningKind {
    /// A bound still moves at the end of training by as much as what is compared.
    NotConverged,
    /// Means are over fewer than three seeds.
    FewSeeds,
    /// A learned σ is still far above the error that it should equal.
    SlowSigma,
    /// A transposed convolution's kernel is not divisible by its stride.
    Checkerboard,
    /// Test images are near duplicates of training images.
    NearDuplicates,
    /// An estimate of log p(x) hangs on a few importance samples.
    FewSamples,
}

impl WarningKind {
    /// For programs: `not-converged`.
    pub fn name(self) -> &'static str {
        match self {
            WarningKind::NotConverged => "not-converged",
            WarningKind::FewSeeds => "few-seeds",
            WarningKind::SlowSigma => "slow-sigma",
            WarningKind::Checkerboard => "checkerboard",
            WarningKind::NearDuplicates => "near-duplicates",
            WarningKind::FewSamples => "few-samples",
        }
    }
}

/// A warning.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// What is amiss, in a sentence without a full stop.
    pub text: String,
    /// What to do.
    pub hint: String,
    /// What captions say of it, in a sentence.
    pub note: String,
    /// What tells the rows that it is about from the others.
    pub rows: Vec<String>,
    /// The same as indices among the groups.
    pub(crate) groups: Vec<usize>,
}

impl Warning {
    /// Whether a figure of this kind shows what the warning is about.
    pub fn concerns(&self, kind: FigureKind) -> bool {
        match kind {
            FigureKind::LossCurves
            | FigureKind::ElboByLatentDim
            | FigureKind::RateDistortion
            | FigureKind::KlPerDim
            | FigureKind::ClosedForm
            | FigureKind::ExplainedPower
            | FigureKind::Claims => self.concerns_numbers(),
            FigureKind::Sharpness | FigureKind::Spectra | FigureKind::BlurGrid | FigureKind::BlurByLatentDim => {
                self.concerns_numbers() || self.kind == WarningKind::Checkerboard
            }
            FigureKind::Reconstructions | FigureKind::Denoising => {
                matches!(self.kind, WarningKind::Checkerboard | WarningKind::NearDuplicates)
            }
            FigureKind::Samples | FigureKind::Manifold | FigureKind::SampleSources | FigureKind::Interpolations => {
                self.kind == WarningKind::Checkerboard
            }
            FigureKind::LatentScatter => false,
        }
    }

    /// Whether the terms of the bound mean less for it.
    pub fn concerns_numbers(&self) -> bool {
        match self.kind {
            WarningKind::NotConverged
            | WarningKind::FewSeeds
            | WarningKind::SlowSigma
            | WarningKind::NearDuplicates => true,
            WarningKind::Checkerboard | WarningKind::FewSamples => false,
        }
    }

    /// Whether what was measured on trained models means less for it.
    pub fn concerns_measures(&self) -> bool {
        self.concerns_numbers() || self.kind == WarningKind::FewSamples
    }
}

/// All warnings about the finished runs, in the order of [`WarningKind`].
pub fn warnings(records: &Records) -> Vec<Warning> {
    let groups: Vec<(&Cell, usize)> = records.groups.iter().map(|group| (&group.cell, group.runs.len())).collect();
    let mut found = not_converged(records);
    found.extend(few_seeds(&groups));
    found.extend(slow_sigma(records));
    found.extend(checkerboard(&groups));
    found.extend(near_duplicates(records));
    found.extend(few_samples(records));
    for warning in &mut found {
        warning.rows = warning.groups.iter().map(|&index| name(&records.groups[index])).collect();
    }
    found
}

/// What can be told of an experiment before anything is trained.
pub fn of_design(cells: &[Cell]) -> Vec<Warning> {
    let mut groups: Vec<(crate::setting::GroupKey, &Cell, usize)> = Vec::new();
    for (key, cell) in keys(cells).into_iter().zip(cells) {
        match groups.iter_mut().find(|(other, ..)| *other == key) {
            Some((_, _, n)) => *n += 1,
            None => groups.push((key, cell, 1)),
        }
    }
    let groups: Vec<(&Cell, usize)> = groups.into_iter().map(|(_, cell, n)| (cell, n)).collect();
    few_seeds(&groups).into_iter().chain(checkerboard(&groups)).collect()
}

fn warning(kind: WarningKind, groups: Vec<usize>, note: String, text: String, hint: &str) -> Warning {
    Warning { kind, text, hint: hint.to_owned(), note, rows: Vec::new(), groups }
}

/// What a model is judged by while it trains: its bound, or the reconstruction where it has no KL to trade that against.
fn headline(group: &Group) -> Option<Metric> {
    let has = |metric| group.last(metric).is_some();
    match has(Metric::Elbo) {
        true => Some(Metric::Elbo),
        false => (has(Metric::Reconstruction) && !has(Metric::Kl)).then_some(Metric::Reconstruction),
    }
}

/// How a metric of the test images moves at the end of training, in nats per image and epoch: the slope of a straight line
/// through the last epochs, a mean over seeds. `None` where it is not twice its standard error.
fn trend(group: &Group, metric: Metric) -> Option<f64> {
    let slopes: Vec<(f64, f64)> = group.runs.iter().filter_map(|run| slope(run, metric)).collect();
    let n = slopes.len() as f64;
    let mean = slopes.iter().map(|(slope, _)| slope).sum::<f64>() / n;
    let error = slopes.iter().map(|(_, variance)| variance).sum::<f64>().sqrt() / n;
    (mean.is_finite() && mean.abs() > 2.0 * error).then_some(mean)
}

/// Slope and its variance, by least squares; of two epochs the variance is not known, and none.
///
/// A run whose best epoch is kept, and not its last, went on until it got no better: `None`.
fn slope(run: &RunNumbers, metric: Metric) -> Option<(f64, f64)> {
    if run.kept.is_some_and(|kept| run.test.last().is_none_or(|last| last.epoch != kept)) {
        return None;
    }
    let of = |epoch: &Epoch| Some((f64::from(epoch.epoch), epoch.terms.get(metric)?));
    let all: Vec<(f64, f64)> = run.test.iter().filter_map(of).collect();
    let (share, least, most) = LATE;
    let n = ((share * all.len() as f64).ceil() as usize).clamp(least, most) + 1;
    let late = &all[all.len().saturating_sub(n)..];
    if late.len() < 2 {
        return None;
    }
    let n = late.len() as f64;
    let [x, y] = [late.iter().map(|p| p.0).sum::<f64>() / n, late.iter().map(|p| p.1).sum::<f64>() / n];
    let xx: f64 = late.iter().map(|p| (p.0 - x).powi(2)).sum();
    let slope = late.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / xx;
    let rest: f64 = late.iter().map(|p| (p.1 - y - slope * (p.0 - x)).powi(2)).sum();
    let variance = if n > 2.0 { rest / (n - 2.0) / xx } else { 0.0 };
    Some((slope, variance))
}

/// A bound that still moves.
struct Moving {
    index: usize,
    /// In nats per image and epoch; positive where it gets better.
    slope: f64,
    /// The smallest difference that it is compared over, in nats per image.
    difference: Option<f64>,
    /// What a tenth more of training would change, in units of that difference.
    weight: f64,
    metric: Metric,
}

fn not_converged(records: &Records) -> Vec<Warning> {
    let compared = series(records);
    let mut moving: Vec<Moving> = Vec::new();
    for (index, group) in records.groups.iter().enumerate() {
        let Some(metric) = headline(group) else { continue };
        let Some(slope) = trend(group, metric) else { continue };
        let mean = |group: &Group| (headline(group) == Some(metric)).then(|| group.last(metric)).flatten();
        // Next to it in a series, or else anything that it stands in a table with.
        let mut others: Vec<usize> = Vec::new();
        for series in &compared {
            let Some(at) = series.members.iter().position(|(member, _)| *member == index) else { continue };
            let is_near = |other: &usize| !series.is_ordered || other.abs_diff(at) == 1;
            others.extend((0..series.members.len()).filter(is_near).map(|other| series.members[other].0));
        }
        if others.is_empty() {
            others = (0..records.groups.len()).collect();
        }
        let apart = |&other: &usize| {
            let other_group = &records.groups[other];
            let (one, two) = (mean(group)?, mean(other_group)?);
            // A difference that is less than its own uncertainty is none yet.
            let unsure = one.estimate.half_width.unwrap_or(0.0).max(two.estimate.half_width.unwrap_or(0.0));
            (other != index && are_comparable(group, other_group)).then(|| (one.mean() - two.mean()).abs().max(unsure))
        };
        let difference = others.iter().filter_map(apart).min_by(f64::total_cmp);
        let epochs = group.runs.iter().filter_map(|run| run.test.last()).map(|last| last.epoch).max().unwrap_or(0);
        let more = slope.abs() * (LONGER * f64::from(epochs)).max(1.0);
        let weight = more / difference.unwrap_or(A_NAT).max(f64::MIN_POSITIVE);
        let slope = if metric == Metric::Reconstruction { -slope } else { slope };
        if weight >= 1.0 && more > 0.01 {
            moving.push(Moving { index, slope, difference, weight, metric });
        }
    }
    // Rates of two scales have nothing to do with each other.
    let of_part = |part: Part<'_>| {
        let is_here = |one: &&Moving| part.groups.iter().any(|group| group.key == records.groups[one.index].key);
        let here: Vec<&Moving> = moving.iter().filter(is_here).collect();
        let (rising, falling): (Vec<&Moving>, Vec<&Moving>) = here.into_iter().partition(|one| one.slope > 0.0);
        [told(records, &rising, true), told(records, &falling, false)]
    };
    records.by_basis().into_iter().flat_map(of_part).flatten().collect()
}

/// One warning about all on one scale that move the same way, which names the worst.
fn told(records: &Records, moving: &[&Moving], is_rising: bool) -> Option<Warning> {
    let worst = moving.iter().max_by(|a, b| a.weight.total_cmp(&b.weight))?;
    let what = match worst.metric {
        Metric::Elbo => "test ELBO",
        _ => "test reconstruction",
    };
    let verb = match (worst.metric == Metric::Elbo, is_rising) {
        (true, true) | (false, false) => "rising",
        (true, false) | (false, true) => "falling",
    };
    let rate = nats(worst.slope.abs());
    let whose = whose(records, moving.iter().map(|one| one.index).collect::<Vec<_>>().as_slice(), worst.index);
    let over = match worst.difference {
        Some(difference) => {
            format!(", where differences of {} nats are compared; comparison premature", nats(difference))
        }
        None => String::new(),
    };
    let (state, hint, note) = match is_rising {
        true => ("not converged", "train for more epochs (`training.epochs`)", "Not converged"),
        false => (
            "trained for too long",
            "train for fewer epochs, or hold out validation images and keep the best epoch (`training.keep: best`)",
            "Trained for too long",
        ),
    };
    let note = match worst.difference {
        Some(_) => format!("{note}: a {what} is still {verb} by {rate} nats an epoch; comparison premature."),
        None => format!("{note}: the {what} is still {verb} by {rate} nats an epoch."),
    };
    let text = format!("{state}: {what} still {verb} by {rate} nats an epoch{whose}{over}");
    Some(warning(WarningKind::NotConverged, moving.iter().map(|one| one.index).collect(), note, text, hint))
}

/// ` at D = 20, β = 1, and of 3 others too`: whose value is told, among all that are meant.
fn whose(records: &Records, all: &[usize], told: usize) -> String {
    if records.groups.len() == 1 {
        return String::new();
    }
    let others = match all.len() - 1 {
        0 => String::new(),
        1 => ", and one other so too".to_owned(),
        n => format!(", and {n} others so too"),
    };
    format!(" at {}{others}", name(&records.groups[told]))
}

/// To two significant digits below ten: `18.5`, `0.32`.
fn nats(value: f64) -> String {
    let decimals = match value {
        v if v >= 100.0 => 0,
        v if v >= 1.0 => 1,
        v if v >= 0.1 => 2,
        _ => 3,
    };
    fixed(value, decimals)
}

/// Means over a single seed or two, where settings are compared.
fn few_seeds(groups: &[(&Cell, usize)]) -> Option<Warning> {
    let few: Vec<usize> = (0..groups.len()).filter(|&index| groups[index].1 < FEW).collect();
    if few.is_empty() || groups.len() < 2 {
        return None;
    }
    let most = few.iter().map(|&index| groups[index].1).max().unwrap_or(0);
    let (seeds, why) = match most {
        1 => ("one seed each", "there is no interval, and a difference may be the seed's"),
        _ => ("one or two seeds each", "intervals are too wide to tell differences"),
    };
    let who = match few.len() == groups.len() {
        true => format!("all {} settings", groups.len()),
        false => format!("{} of {} settings", few.len(), groups.len()),
    };
    Some(warning(
        WarningKind::FewSeeds,
        few,
        format!("Too few seeds ({seeds}): a difference may be the seed's."),
        format!("too few seeds: {who} have {seeds}: {why}"),
        "train three seeds or more of each (`training.seed` in the sweep)",
    ))
}

/// Values of an image; `None` where neither the dataset nor the records tell.
fn n_pixels(group: &Group) -> Option<usize> {
    let known = group.cell.dataset.name.known().map(|known| known.image.n_pixels());
    known.or_else(|| {
        group.images(record::ArrayName::Originals).map(|images| images.channels * images.height * images.width)
    })
}

/// A learned σ that is still far from √(mean squared error), where the likelihood is largest. The error follows from the
/// reconstruction term, which is P·(log σ + ½ log 2π) + P·MSE / 2σ² for P pixels.
fn slow_sigma(records: &Records) -> Option<Warning> {
    struct Slow {
        index: usize,
        sigma: f64,
        error: f64,
        cost: f64,
    }
    let learned = Likelihood::GaussianShared { variance: SharedVariance::Learned };
    let mut slow: Vec<Slow> = Vec::new();
    for (index, group) in records.groups.iter().enumerate().filter(|(_, group)| group.cell.model.likelihood == learned)
    {
        let Some(pixels) = n_pixels(group).map(|n| n as f64) else { continue };
        let sigmas: Vec<f64> = group.runs.iter().filter_map(|run| run.sigma).collect();
        let (Some(sigma), Some(reconstruction)) = (estimate(&sigmas), group.last(Metric::Reconstruction)) else {
            continue;
        };
        let sigma = sigma.mean;
        let constant = sigma.ln() + 0.5 * (2.0 * std::f64::consts::PI).ln();
        let error = (2.0 * sigma.powi(2) * (reconstruction.mean() / pixels - constant)).max(0.0).sqrt();
        if error > 0.0 && sigma > FAR * error {
            let cost = pixels * ((sigma / error).ln() + 0.5 * ((error / sigma).powi(2) - 1.0));
            slow.push(Slow { index, sigma, error, cost });
        }
    }
    let worst = slow.iter().max_by(|a, b| a.cost.total_cmp(&b.cost))?;
    let indices: Vec<usize> = slow.iter().map(|one| one.index).collect();
    let [sigma, error] = [worst.sigma, worst.error].map(|value| fixed(value, 3));
    let cost = nats(worst.cost);
    let whose = whose(records, &indices, worst.index);
    Some(warning(
        WarningKind::SlowSigma,
        indices,
        format!("The learned σ is still on its way: {sigma} where the error is {error}, which costs {cost} nats."),
        format!(
            "the learned σ crawls: it is {sigma} after training{whose}, where the error is {error}, which costs {cost} nats per image"
        ),
        "`optimal` sets σ to the error: `likelihood: { gaussian-shared: { variance: optimal } }`",
    ))
}

/// Transposed convolutions whose kernel overlaps unevenly (Odena, Dumoulin & Olah 2016).
fn checkerboard(groups: &[(&Cell, usize)]) -> Option<Warning> {
    let uneven = |cell: &Cell| match cell.model.net {
        Net::Conv { kernel, stride, .. } if stride > 1 && !kernel.is_multiple_of(stride) => Some((kernel, stride)),
        Net::Conv { .. } | Net::Mlp => None,
    };
    let all: Vec<usize> = (0..groups.len()).filter(|&index| uneven(groups[index].0).is_some()).collect();
    let (kernel, stride) = uneven(groups[*all.first()?].0)?;
    let better = kernel.next_multiple_of(stride);
    Some(warning(
        WarningKind::Checkerboard,
        all,
        format!("A kernel of {kernel} with stride {stride} overlaps unevenly and may draw checkerboards."),
        format!(
            "prone to checkerboards: a kernel of {kernel} is not divisible by its stride of {stride}, so that transposed \
             convolutions overlap unevenly (Odena et al. 2016)"
        ),
        &format!("write `kernel: {better}`"),
    ))
}

/// Test images whose neighbours in the source were trained on and hardly differ from them, such as frames of a film.
fn near_duplicates(records: &Records) -> Option<Warning> {
    let near = |group: &Group| group.runs.iter().filter_map(|run| run.neighbour_distance).find(|&ratio| ratio < NEAR);
    let found: Vec<(usize, f64)> =
        records.groups.iter().enumerate().filter_map(|(index, group)| Some((index, near(group)?))).collect();
    let least = found.iter().map(|(_, ratio)| *ratio).min_by(f64::total_cmp)?;
    let percent = fixed(100.0 * least, 0);
    Some(warning(
        WarningKind::NearDuplicates,
        found.into_iter().map(|(index, _)| index).collect(),
        "Test images are near duplicates of training images, which flatters every number of the test split.".to_owned(),
        format!(
            "near duplicates across the split: single images are held out whose neighbours in the source are trained on and differ \
             from them by {percent} % of what two images drawn at random do, as frames of a film; test numbers flatter"
        ),
        "hold out whole stretches: put them into folders `train` and `test`",
    ))
}

/// Estimates of −log p(x) that hang on a few importance samples, which makes them too large.
fn few_samples(records: &Records) -> Option<Warning> {
    let few = |group: &Group| {
        let effective = group.runs.iter().flat_map(|run| &run.measures).filter_map(|(measure, value)| {
            let is_few = measure.metric == Metric::EffectiveSamples && *value < FEW_EFFECTIVE_SAMPLES;
            is_few.then_some((*value, measure.settings.samples?))
        });
        effective.min_by(|a, b| a.0.total_cmp(&b.0))
    };
    let found: Vec<(usize, (f64, usize))> =
        records.groups.iter().enumerate().filter_map(|(index, group)| Some((index, few(group)?))).collect();
    let (worst, (least, samples)) = *found.iter().min_by(|(_, a), (_, b)| a.0.total_cmp(&b.0))?;
    let indices: Vec<usize> = found.into_iter().map(|(index, _)| index).collect();
    let (least, whose) = (fixed(least, 1), whose(records, &indices, worst));
    Some(warning(
        WarningKind::FewSamples,
        indices,
        format!("An estimate of −log p(x) hangs on {least} effective samples of {samples} and is too large."),
        format!(
            "−log p(x) hangs on few importance samples: {least} effective ones of {samples}{whose}; it is too large, and differences may come of that"
        ),
        "raise `evaluation.importance_samples`; where that does not help, q(z|x) is far from p(z|x)",
    ))
}

#[cfg(test)]
mod tests;
