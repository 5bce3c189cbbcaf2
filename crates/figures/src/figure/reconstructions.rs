//! Test images with their reconstructions below: a row per latent dimension, a block per β.

use record::ArrayName;

use super::facets::{self, Along, Facet};
use super::rows::{Block, Row, RowLayout, pages};
use super::{Pages, with_arrays};
use crate::notes;
use crate::records::Group;

pub fn draw(groups: &[&Group]) -> Pages {
    let groups: Vec<&Group> = with_arrays(groups)?;
    let groups: Vec<&Group> =
        groups.into_iter().filter(|group| group.images(ArrayName::Reconstructions).is_some()).collect();
    let Some(first) = groups.first().and_then(|group| group.images(ArrayName::Originals)) else {
        return Err("the finished runs have stored no reconstructions".to_owned());
    };
    let along = Along::choose(&groups);
    let blocks = facets::rows(&groups, std::slice::from_ref(&along));
    let label = |group: &Group| along.value(group);
    let labels: Vec<String> = groups.iter().map(|group| label(group)).collect();
    let layout = RowLayout::of(first, labels.iter().map(String::as_str).chain(["original"]));

    let blocks: Vec<Block<'_>> = blocks
        .iter()
        .map(|block| {
            let originals = block.groups.first().and_then(|group| group.images(ArrayName::Originals));
            Block {
                head: originals.map(|images| Row { label: "original".to_owned(), images }).into_iter().collect(),
                title: block.label.clone(),
                parts: vec![rows(block, &label)],
            }
        })
        .collect();
    let shared = facets::shared(&groups);
    let caption = format!(
        "Test images (top row) and the decoder's means of their posterior means, {}{}.",
        if groups.len() == 1 { format!("for {shared}, ") } else { format!("one row per {}, ", facets::each(&groups)) },
        notes::seed_of_arrays(&groups)
    );
    Ok(pages(&blocks, &layout, &caption))
}

fn rows<'a>(block: &Facet<'a>, label: &impl Fn(&Group) -> String) -> Vec<Row<'a>> {
    let row = |group: &&'a Group| Some(Row { label: label(group), images: group.images(ArrayName::Reconstructions)? });
    block.groups.iter().filter_map(row).collect()
}
