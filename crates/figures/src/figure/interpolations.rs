//! Decoded paths between the latents of two test images: straight lines above great arcs.

use record::ArrayName;

use super::facets::{self, Along};
use super::rows::{Block, Row, RowLayout, pages};
use super::{Choice, Drawn, spread};
use crate::arrays::Paths;
use crate::notes;
use crate::records::Group;
use crate::tiles::ImageStack;

const LINEAR: &str = "linear";
const SPHERICAL: &str = "spherical";
/// The most images of a path.
const MAX_STEPS: usize = 11;
/// The most rows of all models together, but for the one pair that each has.
const MAX_ROWS: usize = 12;
/// The most pairs of one model.
const MAX_PAIRS: usize = 4;

/// The two paths between one pair of images.
type Pair = Vec<(&'static str, ImageStack)>;

fn pairs(group: &Group, n_pairs: usize) -> Vec<Pair> {
    let Some((_, arrays)) = group.arrays() else { return Vec::new() };
    let names = [(LINEAR, ArrayName::InterpolationLinear), (SPHERICAL, ArrayName::InterpolationSpherical)];
    let paths = names.map(|(label, name)| (label, arrays.paths(name)));
    let of =
        |pair: usize| -> Pair { paths.iter().filter_map(|(name, path)| Some((*name, row((*path)?, pair)?))).collect() };
    (0..n_pairs).map(of).filter(|pair| !pair.is_empty()).collect()
}

/// Both ends of a path and evenly spread images between them.
fn row(path: Paths<'_>, pair: usize) -> Option<ImageStack> {
    let steps: Vec<usize> = (pair * path.steps..(pair + 1) * path.steps).collect();
    let images = path.images.pick(&spread(&steps, MAX_STEPS));
    (images.n > 0).then_some(images)
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    choice.keep_with_arrays()?;
    let none = "the finished runs have stored no interpolations";
    choice.keep("no stored interpolations", none, |group| !pairs(group, 1).is_empty())?;
    let groups = choice.groups.as_slice();
    let n_pairs = (MAX_ROWS / (2 * groups.len()).max(1)).clamp(1, MAX_PAIRS);
    let found: Vec<Vec<Pair>> = groups.iter().map(|group| pairs(group, n_pairs)).collect();
    let images = || found.iter().flatten().flatten().map(|(_, images)| images);
    let Some(first) = images().next() else {
        return Err(none.to_owned());
    };
    let along = Along::choose(groups);
    let columns = images().map(|images| images.n).max().unwrap_or(1);
    let layout = RowLayout::of_columns(first, [LINEAR, SPHERICAL], columns);
    let blocks: Vec<Block<'_>> = groups
        .iter()
        .zip(&found)
        .map(|(group, pairs)| Block {
            head: Vec::new(),
            title: if groups.len() > 1 { facets::title(group, groups, &along) } else { String::new() },
            parts: pairs
                .iter()
                .map(|pair| pair.iter().map(|(name, images)| row_of(group, name, images)).collect())
                .collect(),
        })
        .collect();
    let caption = format!(
        "Decoder means between the latents of two test images, which are at the ends: along the straight line and along \
         the great arc{}, {}.",
        if groups.len() == 1 { format!("; {}", facets::shared(groups)) } else { String::new() },
        notes::seed_of_arrays(groups)
    );
    let pages = pages(&blocks, &layout, &caption);
    Ok(choice.into_pages(pages))
}

fn row_of<'a>(group: &'a Group, name: &str, images: &'a ImageStack) -> Row<'a> {
    Row { label: name.to_owned(), group: Some(group), images }
}
