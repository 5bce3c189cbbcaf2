//! Test images with their reconstructions below: a row per latent dimension, a block per β.

use record::ArrayName;
use spec::{Corruption, ModelKind};

use super::facets::{self, Along};
use super::rows::{Block, Row, RowLayout, pages};
use super::{Choice, Drawn};
use crate::notes;
use crate::records::Group;
use crate::tiles::ImageStack;

const ORIGINAL: &str = "original";

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    choice.keep_with_arrays()?;
    let none = "the finished runs have stored no reconstructions";
    let has = |group: &Group| {
        [ArrayName::Originals, ArrayName::Reconstructions].iter().all(|&name| group.images(name).is_some())
    };
    choice.keep("no stored reconstructions", none, has)?;
    let groups = choice.groups.as_slice();
    let Some(first) = groups.first().and_then(|group| given(group)) else {
        return Err(none.to_owned());
    };
    let along = Along::choose(groups);
    let label = |group: &Group| along.value(group);
    let labels: Vec<String> = groups.iter().map(|group| label(group)).collect();
    let layout = RowLayout::of(choice.paper, first, labels.iter().map(String::as_str).chain([ORIGINAL]));

    let mut blocks: Vec<Block<'_>> = Vec::new();
    for facet in facets::rows(groups, std::slice::from_ref(&along)) {
        // Models that were given other images, such as binarised ones, have a block of their own.
        for alike in facet.groups.chunk_by(|a, b| given(a) == given(b)) {
            let originals = given(alike[0]).map(|images| Row { label: ORIGINAL.to_owned(), group: None, images });
            let rows = alike.iter().filter_map(|group| {
                Some(Row { label: label(group), group: Some(group), images: group.images(ArrayName::Reconstructions)? })
            });
            blocks.push(Block {
                head: originals.into_iter().collect(),
                title: facet.label.clone(),
                parts: vec![rows.collect()],
            });
        }
    }
    let shared = facets::shared(groups);
    let denoises = groups.iter().any(|group| group.cell.model.corruption != Corruption::None);
    let caption = format!(
        "Test images (top row) and the decoder's means of their {}, {}{}.{}{}",
        posterior_means(groups),
        if groups.len() == 1 { format!("for {shared}, ") } else { format!("one row per {}, ", facets::each(groups)) },
        notes::seed_of_arrays(groups),
        if denoises { " What models were given is not corrupted here." } else { "" },
        notes::clipped(groups),
    );
    let pages = pages(&blocks, &layout, &caption);
    Ok(choice.into_pages(pages))
}

/// What is decoded: autoencoders have codes and no posterior.
fn posterior_means(groups: &[&Group]) -> &'static str {
    let is_plain = |group: &&Group| matches!(group.cell.model.kind, ModelKind::Autoencoder);
    match (groups.iter().any(is_plain), groups.iter().all(is_plain)) {
        (_, true) => "codes",
        (true, false) => "posterior means (of autoencoders, which have no posterior, their codes)",
        (false, _) => "posterior means",
    }
}

/// The images that a model was given.
fn given(group: &Group) -> Option<&ImageStack> {
    group.images(ArrayName::Originals)
}
