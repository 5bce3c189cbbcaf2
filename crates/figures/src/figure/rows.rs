//! Rows of images with their labels to the left, one page after another.

use super::labels::{self, LABEL, LINE};
use super::{Page, Shown};
use crate::colour::INK;
use crate::drawing::{Anchor, Drawing, NORMAL, Paper};
use crate::font;
use crate::records::Group;
use crate::tiles::{ImageStack, Zoom, sheet};

/// The most images side by side.
pub const MAX_COLUMNS: usize = 10;
/// The fewest, as long as they need not shrink.
const MIN_COLUMNS: usize = 6;
/// A width in points at which an image is seen well.
const LARGE: f64 = 20.0;
/// Room for labels, in points: the first in which each of them has two lines at most, which fit beside an image.
const LABEL_ROOMS: [f64; 3] = [130.0, 165.0, 200.0];
const GAP: f64 = 0.96;
/// How far the ends of a path stand apart from it.
const APART: f64 = 3.84;

/// One row of images.
pub struct Row<'a> {
    /// What they are.
    pub label: String,
    /// Whose they are; `None` for what all models are compared with.
    pub group: Option<&'a Group>,
    /// As many as a row has are drawn.
    pub images: &'a ImageStack,
}

impl Row<'_> {
    /// Whether it looks the same.
    fn is_like(&self, other: &Row<'_>) -> bool {
        self.label == other.label && self.images == other.images
    }
}

/// How many images of which size a row holds; every length is in points.
pub struct RowLayout {
    /// Images in a row.
    pub columns: usize,
    zoom: Zoom,
    left: f64,
    room: f64,
    tile: f64,
    /// From the top of a row to that of the next.
    pub pitch: f64,
    /// How far the first and the last image of a row stand apart from the others.
    apart: f64,
    paper: Paper,
}

impl RowLayout {
    /// For images like these: as many as stay large enough to be seen well.
    pub fn of<'a>(paper: Paper, images: &ImageStack, labels: impl IntoIterator<Item = &'a str>) -> RowLayout {
        let room = label_room(paper, labels);
        let (label, _) = room;
        let most = MAX_COLUMNS.min(images.n).max(1);
        let least = MIN_COLUMNS.min(most);
        let zoom = |columns: &usize| fitting(paper, images, label, *columns);
        let is_up = |columns: &usize| matches!(zoom(columns), Zoom::Up(_));
        let is_large = |columns: &usize| is_up(columns) && zoom(columns).points(images.width) >= LARGE;
        let columns = (least..=most).rev().find(is_large).or_else(|| (least..=most).rev().find(is_up));
        RowLayout::with(paper, images, room, columns.unwrap_or(most.min(8)), 0.0)
    }

    /// For paths of so many images between two ends, which stand apart.
    pub fn of_paths<'a>(
        paper: Paper,
        images: &ImageStack,
        labels: impl IntoIterator<Item = &'a str>,
        steps: usize,
    ) -> RowLayout {
        RowLayout::with(paper, images, label_room(paper, labels), steps + 2, APART)
    }

    fn with(paper: Paper, images: &ImageStack, (label, lines): (f64, usize), columns: usize, apart: f64) -> RowLayout {
        let zoom = fitting(paper, images, label + 2.0 * apart, columns);
        let gaps = GAP * columns.saturating_sub(1) as f64 + 2.0 * apart;
        let wide = columns as f64 * zoom.points(images.width) + gaps;
        let tile = zoom.points(images.height);
        let pitch = tile.max(lines as f64 * LINE) + GAP;
        let left = (paper.width - wide - label) / 2.0 + label;
        RowLayout { columns, zoom, left, room: label, tile, pitch, apart, paper }
    }

    /// Draws a row at `top`.
    pub fn row(&self, drawing: &mut Drawing, row: &Row<'_>, top: f64) {
        let images = row.images.first(self.columns);
        // Where labels need more height than images, both stand in the middle of it.
        let top = top + (self.pitch - GAP - self.tile) / 2.0;
        let lines = labels::wrap(&row.label, self.room - 5.0, NORMAL);
        let first = top + (self.tile - LINE * (lines.len() - 1) as f64) / 2.0 + 0.36 * NORMAL;
        for (below, line) in lines.iter().enumerate() {
            drawing.text((self.left - 5.0, first + LINE * below as f64), line, NORMAL, INK, Anchor::End);
        }
        let pitch = self.zoom.points(images.width) + GAP;
        let mut left = self.left;
        for part in self.parts(images.n) {
            let images = images.pick(&part.collect::<Vec<_>>());
            if images.n > 0 {
                drawing.image((left, top), sheet(&images, self.columns, self.zoom, GAP));
                left += pitch * images.n as f64 + self.apart;
            }
        }
    }

    /// The images of a row that stand together.
    fn parts(&self, n: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
        let ends = if self.apart > 0.0 && n > 2 { [0, 1, n - 1, n] } else { [0, n, n, n] };
        ends.into_iter().zip(ends.into_iter().skip(1)).map(|(from, to)| from..to).filter(|part| !part.is_empty())
    }
}

/// The room for labels, in points, and how many lines the longest of them has in it.
fn label_room<'a>(paper: Paper, labels: impl IntoIterator<Item = &'a str>) -> (f64, usize) {
    let labels: Vec<&str> = labels.into_iter().collect();
    let rooms = LABEL_ROOMS.map(|room| paper.wide(room).min(room));
    let is_enough = |room: &f64| labels.iter().all(|label| labels::wrap(label, *room, NORMAL).len() <= 2);
    let most = rooms.into_iter().find(is_enough).unwrap_or(rooms[rooms.len() - 1]);
    let widest = labels.iter().map(|label| font::width(label, NORMAL)).fold(0.0, f64::max);
    let room = widest.min(most) + 6.0;
    (room, labels.iter().map(|label| labels::wrap(label, room - 5.0, NORMAL).len()).max().unwrap_or(1))
}

fn fitting(paper: Paper, images: &ImageStack, label: f64, columns: usize) -> Zoom {
    let room = paper.width - label - 6.0;
    Zoom::fitting(images.width, ((room - GAP * columns.saturating_sub(1) as f64) / columns.max(1) as f64).min(40.0))
}

/// Rows that belong together: they stand under a title, on one page if they fit.
#[derive(Default)]
pub struct Block<'a> {
    /// What the rows of this block and perhaps of later ones are compared with: drawn above the title where a page begins
    /// or where the block before has another head.
    pub head: Vec<Row<'a>>,
    /// Above the rows; nothing where there is one block only.
    pub title: String,
    /// The rows; a gap comes before each part but the first.
    pub parts: Vec<Vec<Row<'a>>>,
}

/// The pages of all blocks, each with the same caption.
pub(super) fn pages(blocks: &[Block<'_>], layout: &RowLayout, caption: &str) -> Vec<Page> {
    const BETWEEN: f64 = 3.0;
    let new_page = || Page { drawing: Drawing::on(layout.paper), caption: caption.to_owned(), shown: Vec::new() };
    let mut pages = vec![new_page()];
    let mut top = 2.0;
    // The head that stands above.
    let mut above: &[Row<'_>] = &[];
    let mut n_titles = 0;
    for block in blocks {
        let is_same_head = |above: &[Row<'_>]| {
            above.len() == block.head.len() && above.iter().zip(&block.head).all(|(one, other)| one.is_like(other))
        };
        let extra = labels::row_label_extra(layout.paper, n_titles, &block.title);
        let title = if block.title.is_empty() { 0.0 } else { LABEL - 1.0 + extra };
        let n_rows: usize = block.parts.iter().map(Vec::len).sum();
        let head = if is_same_head(above) { 0.0 } else { block.head.len() as f64 * layout.pitch + BETWEEN };
        let height = head + title + n_rows as f64 * layout.pitch + BETWEEN * block.parts.len() as f64;
        let mut rows =
            block.parts.iter().flat_map(|part| part.iter().enumerate().map(|(i, row)| (i == 0, row))).peekable();
        let mut begins = true;
        while rows.peek().is_some() {
            let is_full = |pages: &[Page]| pages.last().is_some_and(|page| !page.drawing.marks.is_empty());
            let fits =
                if begins { top + height <= layout.paper.tall } else { top + layout.pitch <= layout.paper.tall + 60.0 };
            if !fits && is_full(&pages) {
                close(&mut pages, top);
                pages.push(new_page());
                (top, above, begins) = (2.0, &[], true);
            }
            let Some(page) = pages.last_mut() else { break };
            if begins {
                // What a page needs to be read alone: what its rows are compared with, and whose they are.
                if !is_same_head(above) {
                    for row in &block.head {
                        layout.row(&mut page.drawing, row, top);
                        top += layout.pitch;
                    }
                    top += BETWEEN;
                    above = &block.head;
                }
                labels::row_label(&mut page.drawing, n_titles, &block.title, top);
                top += title;
            }
            let Some((is_first, row)) = rows.next() else { break };
            if is_first && !begins {
                top += BETWEEN;
            }
            begins = false;
            layout.row(&mut page.drawing, row, top);
            top += layout.pitch;
            page.shown.extend(row.group.map(|group| Shown::new(group, [block.title.clone(), row.label.clone()])));
        }
        n_titles += usize::from(!block.title.is_empty());
        top += BETWEEN;
    }
    close(&mut pages, top);
    pages
}

/// The last page ends here.
fn close(pages: &mut [Page], bottom: f64) {
    if let Some(page) = pages.last_mut() {
        page.drawing.height = bottom;
    }
}
