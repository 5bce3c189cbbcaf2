//! Test images with their reconstructions below: a row per latent dimension, a block per β.

use super::facets::{self, Along, Facet, LABEL};
use super::{PAGE, Page, Pages, seed_note, with_arrays};
use crate::colour::INK;
use crate::drawing::{Anchor, Drawing, NORMAL, WIDTH};
use crate::font;
use crate::sweep::{Arrays, Group};
use crate::tiles::{Images, Zoom, sheet};

/// The most images side by side.
const MAX_COLUMNS: usize = 10;
/// The fewest, as long as they need not shrink.
const MIN_COLUMNS: usize = 6;
/// A width in points at which an image is seen well.
const LARGE: f64 = 20.0;
const GAP: f64 = 0.96;

/// One row of images.
struct Row<'a> {
    label: String,
    images: &'a Images,
}

pub fn draw(groups: &[&Group]) -> Pages {
    let groups = with_arrays(groups)?;
    let along = Along::choose(&groups);
    let blocks = facets::rows(&groups, along);
    let first = groups.first().and_then(|g| g.arrays()).map(|(_, a)| a).ok_or("there are no arrays")?;
    if first.originals.n == 0 {
        return Err("the finished runs have stored no reconstructions".to_owned());
    }
    let label = |group: &Group| match along.value(group) {
        empty if empty.is_empty() => "model".to_owned(),
        label => label,
    };
    let widest = groups.iter().map(|g| font::width(&label(g), NORMAL)).fold(font::width("original", NORMAL), f64::max);
    let layout = Layout::of(&first.originals, widest.min(130.0) + 6.0);

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

/// How many images of which size a row holds.
struct Layout {
    columns: usize,
    zoom: Zoom,
    left: f64,
    room: f64,
    tile: f64,
    pitch: f64,
}

impl Layout {
    fn of(images: &Images, label: f64) -> Layout {
        let room = WIDTH - label - 6.0;
        let most = MAX_COLUMNS.min(images.n).max(1);
        let fit = |columns: usize| {
            Zoom::fitting(images.width, ((room - GAP * (columns - 1) as f64) / columns as f64).min(40.0))
        };
        let least = MIN_COLUMNS.min(most);
        let is_up = |c: &usize| matches!(fit(*c), Zoom::Up(_));
        let is_large = |c: &usize| is_up(c) && fit(*c).points(images.width) >= LARGE;
        let columns = (least..=most).rev().find(is_large).or_else(|| (least..=most).rev().find(is_up));
        let columns = columns.unwrap_or(most.min(8));
        let zoom = fit(columns);
        let wide = columns as f64 * zoom.points(images.width) + GAP * (columns - 1) as f64;
        let tile = zoom.points(images.height);
        Layout { columns, zoom, left: (WIDTH - wide - label) / 2.0 + label, room: label, tile, pitch: tile + GAP }
    }

    fn row(&self, drawing: &mut Drawing, row: &Row<'_>, top: f64) {
        let images = row.images.first(self.columns);
        let text = facets::shorten(&row.label, self.room - 5.0, NORMAL);
        let place = (self.left - 5.0, top + self.tile / 2.0 + 0.36 * NORMAL);
        drawing.text(place, text, NORMAL, INK, Anchor::End);
        if images.n > 0 {
            drawing.image((self.left, top), sheet(&images, self.columns, self.zoom, GAP));
        }
    }
}
