//! Test images, the same corrupted, and what the models make of those.

use record::ArrayName;

use super::facets::{self, Along};
use super::rows::{Block, Row, RowLayout, pages};
use super::{Choice, Drawn};
use crate::notes;
use crate::records::Group;
use crate::tiles::ImageStack;

const ORIGINAL: &str = "original";
const CORRUPTED: &str = "corrupted";
const DENOISED: &str = "denoised";

/// One model's images.
struct Found<'a> {
    group: &'a Group,
    originals: &'a ImageStack,
    corrupted: &'a ImageStack,
    denoised: &'a ImageStack,
}

impl<'a> Found<'a> {
    /// Originals and corrupted images.
    fn given(&self) -> (&'a ImageStack, &'a ImageStack) {
        (self.originals, self.corrupted)
    }
}

fn found<'a>(group: &'a Group) -> Option<Found<'a>> {
    Some(Found {
        group,
        originals: group.images(ArrayName::Originals)?,
        corrupted: group.images(ArrayName::Corrupted)?,
        denoised: group.images(ArrayName::Denoised)?,
    })
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    choice.keep_with_arrays()?;
    let none = "no finished run was trained on corrupted images and has stored them";
    choice.keep("not trained on corrupted images", none, |group| found(group).is_some())?;
    let groups = choice.groups.as_slice();
    let Some(first) = groups.first().and_then(|group| found(group)) else { return Err(none.to_owned()) };
    let along = Along::choose(groups);
    let label = |group: &Group| match along.value(group) {
        value if groups.len() > 1 => value,
        _ => DENOISED.to_owned(),
    };
    let labels: Vec<String> = groups.iter().map(|group| label(group)).collect();
    let layout =
        RowLayout::of(choice.paper, first.originals, labels.iter().map(String::as_str).chain([CORRUPTED, ORIGINAL]));
    let row = |label: &str, images| Row { label: label.to_owned(), group: None, images };
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for facet in facets::rows(groups, std::slice::from_ref(&along)) {
        // Models that were given the same images stand together below them.
        let mut given: Vec<Vec<Found<'_>>> = Vec::new();
        for found in facet.groups.iter().filter_map(|group| found(group)) {
            match given.iter_mut().find(|alike| alike[0].given() == found.given()) {
                Some(alike) => alike.push(found),
                None => given.push(vec![found]),
            }
        }
        for (index, alike) in given.iter().enumerate() {
            let (originals, corrupted) = alike[0].given();
            let denoised = alike.iter().map(|found| Row {
                label: label(found.group),
                group: Some(found.group),
                images: found.denoised,
            });
            blocks.push(Block {
                head: vec![row(ORIGINAL, originals)],
                title: if index == 0 { facet.label.clone() } else { String::new() },
                parts: vec![std::iter::once(row(CORRUPTED, corrupted)).chain(denoised).collect()],
            });
        }
    }
    let caption = format!(
        "Test images; below them the same, corrupted as in training, and the reconstructions of the corrupted ones, {}{}.",
        if groups.len() == 1 {
            format!("for {}, ", facets::shared(groups))
        } else {
            format!("one row per {}, ", facets::each(groups))
        },
        notes::seed_of_arrays(groups)
    );
    let pages = pages(&blocks, &layout, &caption);
    Ok(choice.into_pages(pages))
}
