//! Draws from the prior, decoded: a grid per latent dimension, a row of grids per β.

use super::facets::{self, Along, LABEL};
use super::{PAGE, Page, Pages, seed_note, with_arrays};
use crate::colour::INK;
use crate::drawing::{Anchor, Drawing, NORMAL, WIDTH};
use crate::sweep::Group;
use crate::tiles::{Images, Zoom, sheet};

/// The most grids side by side.
const MAX_COLUMNS: usize = 4;
/// The most images along a grid's side.
const MAX_SIDE: usize = 10;
/// The smallest image that is still seen, in points.
const SMALLEST: f64 = 11.0;
/// The widest grid, in points.
const WIDEST: f64 = 230.0;
const GAP: f64 = 0.48;

pub fn draw(groups: &[&Group]) -> Pages {
    let groups: Vec<&Group> = with_arrays(groups)?;
    let groups: Vec<&Group> = groups.into_iter().filter(|g| g.arrays().is_some_and(|(_, a)| a.samples.n > 0)).collect();
    let Some((_, first)) = groups.first().and_then(|g| g.arrays()) else {
        return Err("the finished runs have stored no samples".to_owned());
    };
    let along = Along::choose(&groups);
    let blocks = facets::rows(&groups, along);
    let columns = facets::columns(&blocks, MAX_COLUMNS);
    let layout = Layout::of(&first.samples, columns);

    let mut pages = Vec::new();
    let mut drawing = Drawing::new();
    let mut top = 2.0;
    for (index, block) in blocks.iter().enumerate() {
        for (chunk_index, chunk) in block.groups.chunks(columns).enumerate() {
            let labelled = chunk_index == 0 && !block.label.is_empty();
            let height = LABEL + layout.tall + if labelled { LABEL } else { 0.0 };
            if top + height > PAGE && !drawing.marks.is_empty() {
                drawing.height = top;
                pages.push(std::mem::take(&mut drawing));
                top = 2.0;
            }
            if labelled {
                facets::row_label(&mut drawing, index, &block.label, top);
                top += LABEL - 2.0;
            }
            for (column, group) in chunk.iter().enumerate() {
                let Some((_, arrays)) = group.arrays() else { continue };
                let left = layout.left + column as f64 * (layout.wide + layout.between);
                let label = match along.value(group) {
                    empty if empty.is_empty() => facets::shared(&groups),
                    label => label,
                };
                let label = facets::shorten(&label, layout.wide + layout.between, NORMAL);
                drawing.text((left + layout.wide / 2.0, top + 8.0), label, NORMAL, INK, Anchor::Middle);
                let images = arrays.samples.first(layout.side * layout.side);
                drawing.image((left, top + LABEL - 1.0), sheet(&images, layout.side, layout.zoom, GAP));
            }
            top += LABEL - 1.0 + layout.tall + 6.0;
        }
    }
    drawing.height = top - 3.0;
    pages.push(drawing);
    let caption = format!(
        "Decoder means of draws from the prior N(0, I), the first {} of {} stored, {}{}.",
        (layout.side * layout.side).min(first.samples.n),
        first.samples.n,
        if groups.len() > 1 { format!("one grid per {}, ", along.name()) } else { String::new() },
        seed_note(&groups)
    );
    Ok(pages.into_iter().map(|drawing| Page { drawing, caption: caption.clone() }).collect())
}

/// The size of the grids, all equal.
struct Layout {
    side: usize,
    zoom: Zoom,
    left: f64,
    wide: f64,
    tall: f64,
    between: f64,
}

impl Layout {
    fn of(images: &Images, columns: usize) -> Layout {
        let between = 9.0;
        let room = ((WIDTH - 4.0 - between * (columns - 1) as f64) / columns as f64).min(WIDEST);
        let most = (images.n.isqrt()).clamp(1, MAX_SIDE);
        let tile = |side: usize| (room - GAP * (side - 1) as f64) / side as f64;
        let fits = |side: &usize| {
            let zoom = Zoom::fitting(images.width, tile(*side));
            matches!(zoom, Zoom::Up(_)) && zoom.points(images.width) >= SMALLEST
        };
        let side = (1..=most).rev().find(fits).unwrap_or(most.min(3));
        let zoom = Zoom::fitting(images.width, tile(side));
        let rows = images.n.min(side * side).div_ceil(side);
        let wide = side as f64 * zoom.points(images.width) + GAP * (side - 1) as f64;
        let tall = rows as f64 * zoom.points(images.height) + GAP * (rows - 1) as f64;
        let used = columns as f64 * wide + between * (columns - 1) as f64;
        Layout { side, zoom, left: (WIDTH - used) / 2.0, wide, tall, between }
    }
}
