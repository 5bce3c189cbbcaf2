//! Test images with their reconstructions below: a row per latent dimension, a block per β.

use super::facets::{self, Along, Facet, LABEL};
use super::rows::{Layout, Row};
use super::{PAGE, Page, Pages, seed_note, with_arrays};
use crate::drawing::Drawing;
use crate::sweep::{Arrays, Group};
use crate::tiles::Images;

pub fn draw(groups: &[&Group]) -> Pages {
    let groups: Vec<&Group> = with_arrays(groups)?;
    let groups: Vec<&Group> =
        groups.into_iter().filter(|g| g.arrays().is_some_and(|(_, a)| a.reconstructions.n > 0)).collect();
    let Some((_, first)) = groups.first().and_then(|g| g.arrays()) else {
        return Err("the finished runs have stored no reconstructions".to_owned());
    };
    let along = Along::choose(&groups);
    let blocks = facets::rows(&groups, along);
    let label = |group: &Group| match along.value(group) {
        empty if empty.is_empty() => "model".to_owned(),
        label => label,
    };
    let labels: Vec<String> = groups.iter().map(|group| label(group)).collect();
    let layout = Layout::of(&first.originals, labels.iter().map(String::as_str).chain(["original"]));

    let mut pages: Vec<Drawing> = Vec::new();
    let mut drawing = Drawing::new();
    let mut top = 2.0;
    let mut shown: Option<&Images> = None;
    for (index, block) in blocks.iter().enumerate() {
        let rows = rows(block, &label);
        let height = rows.len() as f64 * layout.pitch + LABEL + layout.pitch + 4.0;
        if top + height > PAGE && !drawing.marks.is_empty() {
            drawing.height = top;
            pages.push(std::mem::take(&mut drawing));
            (top, shown) = (2.0, None);
        }
        // The originals head the page; they come again only where a block has others.
        if let Some((_, arrays)) = block.groups.first().and_then(|g| g.arrays())
            && shown != Some(&arrays.originals)
        {
            layout.row(&mut drawing, &Row { label: "original".to_owned(), images: &arrays.originals }, top);
            top += layout.pitch + 2.0;
            shown = Some(&arrays.originals);
        }
        if !block.label.is_empty() {
            facets::row_label(&mut drawing, index, &block.label, top);
            top += LABEL - 1.0;
        }
        for row in &rows {
            if top + layout.pitch > PAGE + 60.0 {
                drawing.height = top;
                pages.push(std::mem::take(&mut drawing));
                top = 2.0;
            }
            layout.row(&mut drawing, row, top);
            top += layout.pitch;
        }
        top += 4.0;
    }
    drawing.height = top;
    pages.push(drawing);
    let shared = facets::shared(&groups);
    let caption = format!(
        "Test images (top row) and the decoder's means of their posterior means, {}{}.",
        if groups.len() == 1 { format!("for {shared}, ") } else { format!("one row per {}, ", along.name()) },
        seed_note(&groups)
    );
    Ok(pages.into_iter().map(|drawing| Page { drawing, caption: caption.clone() }).collect())
}

fn rows<'a>(block: &Facet<'a>, label: &impl Fn(&Group) -> String) -> Vec<Row<'a>> {
    let row = |group: &&'a Group| {
        let (_, arrays): (u64, &'a Arrays) = group.arrays()?;
        Some(Row { label: label(group), images: &arrays.reconstructions })
    };
    block.groups.iter().filter_map(row).collect()
}
