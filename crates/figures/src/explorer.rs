//! The latent explorer of the report: decoders small enough to be put into a page, with what is needed to move through their
//! latent spaces. What they decode there is measured against the stored weights when the page is made.

mod decoder;
mod quantise;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use record::tensors::TensorFile;
use record::{ArrayName, Store};
use spec::layout::{Layer as Described, Map as DescribedMap};
use spec::{Cell, Experiment, ImageShape, LatentSpace, ModelKind, RunId};

pub use self::decoder::{Decoder, Dense, Layer, Mean, Quantised};
use self::quantise::quantised;
use crate::arrays::RunArrays;
use crate::colour::N_CLASSES;
use crate::dimensions::{Dimension, dimensions};
use crate::error::FiguresError;
use crate::figure::facets::{self, Along};
use crate::figure::spread;
use crate::findings::capitalised;
use crate::records::{Group, Records};
use crate::setting::{GroupKey, keys};
use crate::tiles::ImageStack;

/// The most decoders in a page.
const MOST_MODELS: usize = 5;
/// The most characters that they may take together. With all that is beside them they stay below a megabyte.
const MOST_CHARACTERS: usize = 940_000;
/// Test images that one can choose from.
const N_IMAGES: usize = 10;
/// Points of a plane.
const N_POINTS: usize = 600;
/// Points along a side of the grids over a plane by which weights are rounded, and on which they are measured then.
const N_SIDES: [usize; 2] = [15, 21];
/// As many codes of test images, and points anywhere, where there is no plane.
const N_CODES: usize = 200;
/// The share of points beyond each edge of a plane.
const OUTLIERS: f64 = 0.004;
/// The standard deviations of the prior that a plane reaches at least.
pub const CIRCLES: [f64; 2] = [1.0, 2.0];

/// What the page's explorer is made of.
#[derive(Clone, Debug)]
pub struct Explorer {
    /// Of all images.
    pub image: ImageShape,
    /// Test images that paths go between, the same for all models; none where no model has an encoder.
    pub originals: ImageStack,
    /// What each of them is, for those who do not see it.
    pub names: Vec<String>,
    /// Names of the classes that points are coloured by; none without classes, or with too many.
    pub classes: Vec<String>,
    /// The decoders, those that compare best first.
    pub models: Vec<Explored>,
    /// Width of their latent spaces.
    pub latent_dim: usize,
    /// How many other groups have no place in it.
    pub n_others: usize,
}

/// A model in the explorer.
#[derive(Clone, Debug)]
pub struct Explored {
    /// What tells it from the others.
    pub label: String,
    /// Its run.
    pub run: RunId,
    /// Its seed.
    pub seed: u64,
    /// Where its latents lie.
    pub space: LatentSpace,
    /// With weights of 8 bits.
    pub decoder: Decoder<Quantised>,
    /// In the order of their KL.
    pub dimensions: Vec<Dimension>,
    /// z of each of the originals; none without encoder.
    pub codes: Vec<Vec<f64>>,
    /// Its plane; of two dimensions only.
    pub plane: Option<Plane>,
    /// What 8 bits do.
    pub deviation: Deviation,
}

/// The plane of two latent dimensions.
#[derive(Clone, Debug)]
pub struct Plane {
    /// Both ends of z₁ and z₂ that are shown; both are of one length.
    pub view: [(f64, f64); 2],
    /// Posterior means, or codes, of test images.
    pub points: Vec<(f64, f64)>,
    /// Their classes; none where the explorer has none.
    pub classes: Vec<u8>,
    /// Images whose means are stored.
    pub n_stored: usize,
}

/// How far images by weights of 8 bits lie from those by the stored ones, white being 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deviation {
    /// Of the worst pixel of all.
    pub largest: f64,
    /// A mean over pixels and points.
    pub mean: f64,
    /// Points at which both were decoded.
    pub n_points: usize,
}

/// The explorer of an experiment's records, or why there is none.
///
/// # Errors
/// If the metrics or arrays of a run that has a model cannot be read.
pub fn explorer(
    experiment: &Experiment,
    store: &Store,
    records: &Records,
) -> Result<Result<Explorer, String>, FiguresError> {
    let candidates = candidates(&records.groups);
    let chosen = in_order(&candidates);
    let first = chosen.first().and_then(|group| Some((group.arrays()?.1, image_shape(group.arrays()?.1)?)));
    let Some((first, image)) = first else {
        return Ok(Err(
            "no finished run has a dense decoder that fits into the page, of latents that are no bits".into()
        ));
    };
    let originals = first.images(ArrayName::Originals).map(|images| images.first(N_IMAGES)).unwrap_or_default();
    let keys = keys(&experiment.cells);
    let (mut models, mut stored): (Vec<Explored>, Vec<Stored<'_>>) = (Vec::new(), Vec::new());
    let mut characters = 0;
    for group in chosen {
        let Some((seed, arrays)) = group.arrays() else { continue };
        let is_own = |(cell, key): &(&Cell, &GroupKey)| cell.training.seed == seed && **key == group.key;
        let Some((cell, _)) = experiment.cells.iter().zip(&keys).find(is_own) else { continue };
        let Some(size) = n_characters(cell, image) else { continue };
        if models.len() == MOST_MODELS || characters + size > MOST_CHARACTERS {
            continue;
        }
        let run = store.run(&cell.run_id());
        let file = match TensorFile::read(&run.model_file()) {
            Err(error) if error.is_not_found() => continue,
            other => other?,
        };
        let Ok(decoder) = Decoder::read(cell, image, &file) else { continue };
        let Some(explored) = explored(cell, arrays, dimensions(&run, cell)?, originals.n) else { continue };
        characters += size;
        models.push(explored);
        stored.push(Stored { group, arrays, decoder });
    }
    if models.is_empty() {
        return Ok(Err("no finished run with a dense decoder has its weights on record".into()));
    }
    share_views(&mut models);
    let along = Along::choose(&candidates);
    let classes = classes(first);
    for (model, Stored { group, arrays, decoder }) in models.iter_mut().zip(&stored) {
        let title = facets::title(group, &candidates, &along);
        model.label = capitalised(&if title.is_empty() { facets::shared(&candidates) } else { title });
        let [rounded_at, measured_at] = tried(model, arrays);
        model.decoder = quantised(decoder, &rounded_at);
        model.deviation = deviation(decoder, &model.decoder, &measured_at);
        if let Some(plane) = model.plane.as_mut().filter(|_| classes.is_empty()) {
            plane.classes.clear();
        }
    }
    Ok(Ok(Explorer {
        image,
        names: names(first, originals.n),
        originals: if models.iter().all(|model| model.codes.is_empty()) { ImageStack::default() } else { originals },
        classes,
        latent_dim: models[0].dimensions.len(),
        n_others: records.groups.len() - models.len(),
        models,
    }))
}

/// What an explored model is held against.
struct Stored<'a> {
    group: &'a Group,
    arrays: &'a RunArrays,
    decoder: Decoder<Dense>,
}

/// The groups with a dense decoder that fits, of the width that is explored, and of the same images: two latent dimensions where
/// there are, else the fewest; with encoders where there are.
fn candidates(groups: &[Group]) -> Vec<&Group> {
    let fits = |group: &&Group| {
        let model = &group.cell.model;
        let size = group.arrays().and_then(|(_, arrays)| n_characters(&group.cell, image_shape(arrays)?));
        let is_space = matches!(model.latent_space(), Some(space) if space != LatentSpace::Bits);
        is_space && size.is_some_and(|size| size <= MOST_CHARACTERS)
    };
    let mut all: Vec<&Group> = groups.iter().filter(fits).collect();
    let has_codes = |group: &Group| group.arrays().is_some_and(|(_, arrays)| arrays.latents.is_some());
    if all.iter().any(|group| has_codes(group)) {
        all.retain(|group| has_codes(group));
    }
    let width = |group: &Group| group.cell.model.latent_dim;
    let least = all.iter().map(|group| width(group)).min_by_key(|&width| (width != 2, width));
    all.retain(|group| Some(width(group)) == least);
    let Some(&first) = all.first() else { return all };
    let images = |group: &Group| group.images(ArrayName::Originals).cloned();
    all.retain(|group| images(group) == images(first));
    all
}

/// Those that compare best first: an autoencoder and the model whose β is nearest to 1, or the smallest β and the largest.
fn in_order<'a>(groups: &[&'a Group]) -> Vec<&'a Group> {
    let is_autoencoder = |group: &&&Group| group.cell.model.kind == ModelKind::Autoencoder;
    let beta = |group: &Group| group.cell.objective.beta;
    let others = || groups.iter().filter(|group| !is_autoencoder(group));
    let pair = match (groups.iter().find(is_autoencoder), others().next()) {
        (Some(autoencoder), Some(_)) => {
            let far = |group: &Group| beta(group).ln().abs();
            [Some(autoencoder), others().min_by(|one, other| far(one).total_cmp(&far(other)))]
        }
        _ => {
            let smallest = groups.iter().min_by(|one, other| beta(one).total_cmp(&beta(other)));
            // The first of several.
            let largest = groups.iter().rev().max_by(|one, other| beta(one).total_cmp(&beta(other)));
            [smallest, largest]
        }
    };
    let mut order: Vec<&Group> = pair.into_iter().flatten().copied().collect();
    order.extend(groups);
    let mut seen: Vec<&Group> = Vec::new();
    for group in order {
        if !seen.iter().any(|known| std::ptr::eq(*known, group)) {
            seen.push(group);
        }
    }
    seen
}

/// Characters of base64 that a model's decoder takes in the page; `None` where it is not dense.
fn n_characters(cell: &Cell, image: ImageShape) -> Option<usize> {
    let chain = cell.model.layout(image).ok()?.decoder?;
    let bytes = chain.layers.iter().map(|layer| {
        let (map, maps, most) = match layer {
            Described::Hidden(map) => (map, cell.model.maps_per_hidden_layer(), usize::MAX),
            Described::Output(map) => (map, 1, image.n_pixels()),
            Described::Reshape { .. } => return None,
        };
        let DescribedMap::Linear { inputs, outputs } = map else { return None };
        // A byte for each weight, and scale and bias of each output in single precision.
        let width = cell.model.latent_dim;
        Some(maps * (inputs.of(width) + 8) * outputs.of(width).min(most))
    });
    Some(bytes.sum::<Option<usize>>()?.div_ceil(3) * 4)
}

fn image_shape(arrays: &RunArrays) -> Option<ImageShape> {
    let ImageStack { channels, height, width, .. } = *arrays.images(ArrayName::Samples)?;
    Some(ImageShape { channels, height, width })
}

/// Names of the classes, where they can be told apart by colour.
fn classes(arrays: &RunArrays) -> Vec<String> {
    let n = arrays.labels.as_ref().and_then(|labels| labels.iter().max()).map_or(0, |&most| usize::from(most) + 1);
    if n > N_CLASSES {
        return Vec::new();
    }
    (0..n).map(|class| class_name(arrays, class)).collect()
}

/// Its name, or its number where the data has no names.
fn class_name(arrays: &RunArrays, class: usize) -> String {
    arrays.class_names.get(class).cloned().unwrap_or_else(|| class.to_string())
}

/// `test image 3, class 7`
fn names(arrays: &RunArrays, n: usize) -> Vec<String> {
    let places = record::arrays::originals(arrays.labels.as_deref(), arrays.latents.as_ref().map_or(0, |z| z.n), n);
    let class = |place: usize| Some(usize::from(*arrays.labels.as_ref()?.get(place)?));
    let name = |place: usize| match class(place) {
        Some(class) => format!("test image {place}, class {}", class_name(arrays, class)),
        None => format!("test image {place}"),
    };
    places.into_iter().map(name).collect()
}

/// A model without its label, its decoder, and what that deviates by.
fn explored(cell: &Cell, arrays: &RunArrays, dimensions: Vec<Dimension>, n_originals: usize) -> Option<Explored> {
    let space = cell.model.latent_space()?;
    let labels = arrays.labels.as_deref();
    let codes = arrays.latents.as_ref().map_or_else(Vec::new, |latents| {
        let places = record::arrays::originals(labels, latents.n, n_originals);
        places.into_iter().map(|place| latents.of(place)).collect()
    });
    let plane = arrays.latents.as_ref().filter(|latents| latents.dim == 2).map(|latents| {
        let images = spread(&(0..latents.n).collect::<Vec<_>>(), N_POINTS);
        let points: Vec<(f64, f64)> = images.iter().map(|&i| (latents.at(i, 0), latents.at(i, 1))).collect();
        let classes = labels.map_or_else(Vec::new, |labels| images.iter().map(|&image| labels[image]).collect());
        let all: Vec<(f64, f64)> = (0..latents.n).map(|i| (latents.at(i, 0), latents.at(i, 1))).collect();
        let ends: Vec<(f64, f64)> = codes.iter().map(|code| (code[0], code[1])).collect();
        Plane { view: view(&all, &ends, space), points, classes, n_stored: latents.n }
    });
    let plane = plane.or_else(|| {
        // A generator without encoder has a plane without points.
        let ends = dimensions.iter().map(|dimension| (dimension.low, dimension.high));
        let view: [(f64, f64); 2] = ends.collect::<Vec<_>>().try_into().ok()?;
        Some(Plane { view, points: Vec::new(), classes: Vec::new(), n_stored: 0 })
    });
    let (label, deviation) = (String::new(), Deviation::default());
    let decoder = Decoder { layers: Vec::new(), mean: Mean::Clamp };
    Some(Explored {
        label,
        run: cell.run_id(),
        seed: cell.training.seed,
        space,
        decoder,
        dimensions,
        codes,
        plane,
        deviation,
    })
}

/// The points by which weights are rounded, and others at which they are measured then: over the plane; of more dimensions anywhere
/// within their ranges, and at codes of test images.
fn tried(model: &Explored, arrays: &RunArrays) -> [Vec<Vec<f64>>; 2] {
    if let Some(plane) = &model.plane {
        return N_SIDES.map(|side| grid(plane.view, side));
    }
    let codes = |odd: usize| -> Vec<Vec<f64>> {
        let Some(latents) = &arrays.latents else { return Vec::new() };
        (odd..latents.n).step_by(2).take(N_CODES).map(|image| latents.of(image)).collect()
    };
    [0, 1].map(|odd| [codes(odd), anywhere(&model.dimensions, odd as u64)].concat())
}

/// What a plane shows: nearly all points, the prior's circles and the ends of all paths, with a margin, as a square.
fn view(points: &[(f64, f64)], ends: &[(f64, f64)], space: LatentSpace) -> [(f64, f64); 2] {
    let reach = if space == LatentSpace::Normal { CIRCLES[1] } else { 0.0 };
    let along = |at: fn(&(f64, f64)) -> f64| {
        let mut sorted: Vec<f64> = points.iter().map(at).filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        // A few outliers would leave little room for all others.
        let beyond = (sorted.len() as f64 * OUTLIERS) as usize;
        let kept = sorted.get(beyond..sorted.len() - beyond).unwrap_or_default();
        let shown = kept.iter().copied().chain(ends.iter().map(at).filter(|value| value.is_finite()));
        shown.fold((-reach, reach), |(low, high), value| (low.min(value), high.max(value)))
    };
    squared([along(|point| point.0), along(|point| point.1)], 1.06)
}

/// Two ranges about the same middles, both as long as the longer, times a factor.
fn squared(ends: [(f64, f64); 2], factor: f64) -> [(f64, f64); 2] {
    let half = ends.iter().map(|(low, high)| (high - low) / 2.0).fold(f64::MIN_POSITIVE, f64::max) * factor;
    ends.map(|(low, high)| (f64::midpoint(low, high) - half, f64::midpoint(low, high) + half))
}

/// Planes of one kind of latent space show the same part of it, so that a point is at one place in all of them.
fn share_views(models: &mut [Explored]) {
    for space in [LatentSpace::Normal, LatentSpace::Learned] {
        let views: Vec<[(f64, f64); 2]> = models
            .iter()
            .filter(|model| model.space == space)
            .filter_map(|model| model.plane.as_ref().map(|plane| plane.view))
            .collect();
        let ends = |axis: usize| {
            let all = views.iter().map(|view| view[axis]);
            all.reduce(|(low, high), (other_low, other_high)| (low.min(other_low), high.max(other_high)))
        };
        let Some(view) = ends(0).zip(ends(1)).map(|(x, y)| squared([x, y], 1.0)) else { continue };
        for plane in models.iter_mut().filter(|model| model.space == space).filter_map(|model| model.plane.as_mut()) {
            plane.view = view;
        }
    }
}

/// The points of a grid over a plane, so many along a side.
fn grid(view: [(f64, f64); 2], side: usize) -> Vec<Vec<f64>> {
    let at = |(low, high): (f64, f64), step: usize| low + (high - low) * step as f64 / (side - 1) as f64;
    (0..side * side).map(|i| vec![at(view[0], i % side), at(view[1], i / side)]).collect()
}

/// Points spread within the ranges of all dimensions, others for each `seed`.
fn anywhere(dimensions: &[Dimension], seed: u64) -> Vec<Vec<f64>> {
    // Knuth's linear congruential generator: nothing hangs on these points but that they lie everywhere.
    let mut state = seed;
    let mut share = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut point = || {
        let mut z = vec![0.0; dimensions.len()];
        for dimension in dimensions {
            z[dimension.index] = dimension.low + share() * (dimension.high - dimension.low);
        }
        z
    };
    (0..N_CODES).map(|_| point()).collect()
}

/// Both decoders at these points.
fn deviation(stored: &Decoder<Dense>, quantised: &Decoder<Quantised>, points: &[Vec<f64>]) -> Deviation {
    let (mut largest, mut sum, mut n) = (0.0_f64, 0.0, 0_usize);
    for z in points {
        for (one, other) in stored.decode(z).into_iter().zip(quantised.decode(z)) {
            let difference = (one - other).abs();
            largest = largest.max(difference);
            sum += difference;
            n += 1;
        }
    }
    Deviation { largest, mean: sum / n.max(1) as f64, n_points: points.len() }
}

impl Explorer {
    /// Decoder means along the straight line between the codes of the first two originals, for each model; without codes along its
    /// first dimension.
    pub fn paths(&self, steps: usize) -> Vec<ImageStack> {
        let share = |step: usize| step as f64 / (steps.max(2) - 1) as f64;
        let path = |model: &Explored| {
            let [from, to] = match &model.codes[..] {
                [from, to, ..] => [from.clone(), to.clone()],
                _ => {
                    let end = |end: fn(&Dimension) -> f64| {
                        let first = model.dimensions.first();
                        let at = |index: usize| first.filter(|first| first.index == index).map_or(0.0, end);
                        (0..model.dimensions.len()).map(at).collect::<Vec<f64>>()
                    };
                    [end(|dimension| dimension.low), end(|dimension| dimension.high)]
                }
            };
            let at = |step: usize| -> Vec<f64> {
                from.iter().zip(&to).map(|(from, to)| from + share(step) * (to - from)).collect()
            };
            (0..steps).flat_map(|step| model.decoder.decode(&at(step))).map(|value| value as f32).collect()
        };
        let ImageShape { channels, height, width } = self.image;
        let images = |values: Vec<f32>| ImageStack { n: steps, channels, height, width, values };
        self.models.iter().map(path).map(images).collect()
    }
}
