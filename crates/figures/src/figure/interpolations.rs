//! Decoded paths between the latents of two test images: straight lines above arcs, the images themselves at the ends.

use record::{ArrayName, NEARLY_OPPOSITE};

use super::facets::{self, Along};
use super::rows::{Block, Row, RowLayout, pages};
use super::{Choice, Drawn, spread};
use crate::arrays::Paths;
use crate::axis::fixed;
use crate::notes;
use crate::records::Group;
use crate::tiles::ImageStack;

const LINEAR: &str = "linear";
const SPHERICAL: &str = "spherical";
/// What marks a pair of latents that lie nearly opposite to each other.
const OPPOSITE_SIGN: &str = "†";
/// The most images of a path.
const MAX_STEPS: usize = 9;
/// The most rows of all models together, but for the one pair that each has.
const MAX_ROWS: usize = 12;
/// The most pairs of one model.
const MAX_PAIRS: usize = 4;

/// The two paths between one pair of images: what they are called, and the images of a row.
type Pair = Vec<(String, ImageStack)>;

/// The pairs of a group; none where its run has stored no paths, or none with the images at their ends.
fn pairs(group: &Group, n_pairs: usize) -> Vec<Pair> {
    let Some((_, arrays)) = group.arrays() else { return Vec::new() };
    let (Some(ends), Some(angles)) =
        (arrays.paths(ArrayName::InterpolationEnds), arrays.vector(ArrayName::InterpolationAngle))
    else {
        return Vec::new();
    };
    let paths = [(LINEAR, ArrayName::InterpolationLinear), (SPHERICAL, ArrayName::InterpolationSpherical)];
    let pair = |(pair, angle): (usize, &f32)| -> Pair {
        let row = |(name, array): &(&str, ArrayName)| {
            let label = if *name == SPHERICAL { spherical(*angle) } else { (*name).to_owned() };
            Some((label, row(arrays.paths(*array)?, ends, pair)?))
        };
        paths.iter().filter_map(row).collect()
    };
    angles.iter().enumerate().take(n_pairs).map(pair).filter(|pair| !pair.is_empty()).collect()
}

/// The name of an arc: `spherical, 87°`.
fn spherical(angle: f32) -> String {
    if angle.is_nan() {
        return SPHERICAL.to_owned();
    }
    let sign = if angle >= NEARLY_OPPOSITE { format!(" {OPPOSITE_SIGN}") } else { String::new() };
    format!("{SPHERICAL}, {}°{sign}", fixed(f64::from(angle), 0))
}

/// The first image, the decoded latents from the one to the other, evenly spread, and the other image.
fn row(path: Paths<'_>, ends: Paths<'_>, pair: usize) -> Option<ImageStack> {
    let steps: Vec<usize> = (pair * path.steps..(pair + 1) * path.steps).collect();
    let decoded = path.images.pick(&spread(&steps, MAX_STEPS));
    let ends = ends.images.pick(&[pair * ends.steps, (pair + 1) * ends.steps - 1]);
    if decoded.n == 0 || ends.n != 2 {
        return None;
    }
    let (first, last) = ends.values.split_at(ends.values.len() / 2);
    let values = [first, &decoded.values, last].concat();
    Some(ImageStack { n: decoded.n + 2, values, ..decoded })
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    choice.keep_with_arrays()?;
    let none = "the finished runs have stored no interpolations with the images at their ends";
    choice.keep("no stored interpolations with the images at their ends", none, |group| !pairs(group, 1).is_empty())?;
    let groups = choice.groups.as_slice();
    let n_pairs = (MAX_ROWS / (2 * groups.len()).max(1)).clamp(1, MAX_PAIRS);
    let found: Vec<Vec<Pair>> = groups.iter().map(|group| pairs(group, n_pairs)).collect();
    let rows = || found.iter().flatten().flatten();
    let Some((_, first)) = rows().next() else {
        return Err(none.to_owned());
    };
    let along = Along::choose(groups);
    let steps = rows().map(|(_, images)| images.n - 2).max().unwrap_or(1);
    let layout = RowLayout::of_paths(choice.paper, first, rows().map(|(label, _)| label.as_str()), steps);
    let blocks: Vec<Block<'_>> = groups
        .iter()
        .zip(&found)
        .map(|(group, pairs)| Block {
            head: Vec::new(),
            title: if groups.len() > 1 { facets::title(group, groups, &along) } else { String::new() },
            parts: pairs.iter().map(|pair| pair.iter().map(|row| row_of(group, row)).collect()).collect(),
        })
        .collect();
    let has = |text: &str| rows().any(|(label, _)| label.contains(text));
    let caption = format!(
        "Between two test images, which stand at both ends: decoder means at equal steps along the straight line between their \
         latents{}{}, {}.{}",
        if has(SPHERICAL) {
            ", and along the arc on which the direction turns evenly by the angle that is written and the norm changes evenly"
        } else {
            ""
        },
        if groups.len() == 1 { format!("; {}", facets::shared(groups)) } else { String::new() },
        notes::seed_of_arrays(groups),
        if has(OPPOSITE_SIGN) {
            format!(
                " {OPPOSITE_SIGN} Nearly opposite latents (from {}° on): which way the arc turns hangs on little, and the \
                 straight line passes close to the origin.",
                fixed(f64::from(NEARLY_OPPOSITE), 0)
            )
        } else {
            String::new()
        }
    );
    let pages = pages(&blocks, &layout, &caption);
    Ok(choice.into_pages(pages))
}

fn row_of<'a>(group: &'a Group, (label, images): &'a (String, ImageStack)) -> Row<'a> {
    Row { label: label.clone(), group: Some(group), images }
}
