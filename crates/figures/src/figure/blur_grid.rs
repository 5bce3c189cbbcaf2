//! The same test images as reconstructed by each model, in a grid, with their equivalent blur.

use record::ArrayName;
use spec::metric::Subject;

use super::blur::Blur;
use super::facets::{self, Along, Style};
use super::labels::{self, LABEL, LINE, Titles};
use super::{Choice, Drawn, Page, Shown};
use crate::colour::INK;
use crate::drawing::{Anchor, Drawing, Paper, SMALL};
use crate::notes;
use crate::records::Group;
use crate::tiles::{ImageStack, Zoom, sheet};

const ORIGINAL: &str = "original";
/// Images along a side of a cell, where there are enough.
const SIDE: usize = 2;
/// The largest image, in points.
const LARGEST: f64 = 30.0;
/// Between the images of a cell, in points.
const GAP: f64 = 0.96;
/// Between cells, in points.
const BETWEEN: f64 = 8.0;
/// From images to the middle of the text below, in points.
const BELOW: f64 = 8.0;

/// One line of cells.
struct Line<'a> {
    /// Of its row, where it is the row's first.
    label: Option<(usize, String)>,
    originals: &'a ImageStack,
    /// By column.
    cells: Vec<Option<Cell<'a>>>,
}

/// What a model makes of the originals.
struct Cell<'a> {
    images: &'a ImageStack,
    /// In lines.
    below: Vec<String>,
    shown: Shown,
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    choice.keep_with_arrays()?;
    let none = "the finished runs have stored no reconstructions";
    let has = |group: &Group| images(group).is_some();
    choice.keep("no stored reconstructions", none, has)?;
    let none = "the blur of no finished run's reconstructions was measured";
    choice.keep("no blur measured", none, |group| Blur::of(group, Subject::Reconstructions).is_some())?;
    let along = Along::choose(&choice.groups);
    facets::thin(&mut choice, &along);
    let groups = choice.groups.as_slice();
    let Some((first, _)) = groups.first().and_then(|group| images(group)) else { return Err(none.to_owned()) };
    let mut styles = facets::styles(groups, &along);
    if let [only] = styles.as_mut_slice() {
        only.label = facets::shared(groups);
    }
    let layout = Layout::of(choice.paper, first, &styles);
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (index, facet) in facets::rows(groups, std::slice::from_ref(&along)).into_iter().enumerate() {
        let begins = lines.len();
        for group in &facet.groups {
            let column = styles.iter().position(|style| style.level == along.level(group));
            let found = images(group).zip(Blur::of(group, Subject::Reconstructions));
            let (Some(column), Some(((originals, images), blur))) = (column, found) else { continue };
            // Models that were given other images stand in another line.
            let place =
                lines[begins..].iter().position(|line| line.originals == originals && line.cells[column].is_none());
            let place = place.map_or(lines.len(), |place| begins + place);
            if place == lines.len() {
                let label = (place == begins && !facet.label.is_empty()).then(|| (index, facet.label.clone()));
                lines.push(Line { label, originals, cells: styles.iter().map(|_| None).collect() });
            }
            lines[place].cells[column] = Some(Cell {
                images,
                below: labels::wrap(&blur.words(), layout.cell + BETWEEN - 1.0, SMALL),
                shown: Shown::new(group, [facet.label.clone(), styles[column].label.clone()]),
            });
        }
    }
    let is_sharper = |group: &&Group| matches!(Blur::of(group, Subject::Reconstructions), Some(Blur::Ratio(_)));
    let caption = format!(
        "Test images and their reconstructions, decoded at the posterior's mean ({}); below them the equivalent blur over the whole \
         test split, σ in pixels of the Gaussian blur of the test images that makes these as sharp for their contrast; {}.{}{}",
        notes::seed_of_arrays(groups),
        notes::seeds_of_text(groups),
        if groups.iter().any(is_sharper) {
            " Where reconstructions of some seed are sharper than the test images, so that they have no such blur, stands the ratio of Var(∇²x)/Var(x) to the test images'."
        } else {
            ""
        },
        notes::clipped(groups),
    );
    let pages = layout.pages(&lines, &styles, &caption);
    Ok(choice.into_pages(pages))
}

/// Originals and reconstructions.
fn images(group: &Group) -> Option<(&ImageStack, &ImageStack)> {
    Some((group.images(ArrayName::Originals)?, group.images(ArrayName::Reconstructions)?))
}

/// Where cells lie; every length is in points.
struct Layout {
    /// Images along a side of a cell.
    side: usize,
    zoom: Zoom,
    /// Width and height of a cell.
    cell: f64,
    height: f64,
    left: f64,
    paper: Paper,
}

impl Layout {
    fn of(paper: Paper, images: &ImageStack, styles: &[Style]) -> Layout {
        let n = styles.len() as f64 + 1.0;
        let room = (paper.width - 12.0 - BETWEEN * (n - 1.0)) / n;
        let side = if images.n >= SIDE * SIDE { SIDE } else { 1 };
        let gaps = GAP * (side - 1) as f64;
        let zoom = Zoom::fitting(images.width, ((room - gaps) / side as f64).min(LARGEST));
        let cell = zoom.points(images.width) * side as f64 + gaps;
        let height = zoom.points(images.height) * side as f64 + gaps;
        Layout { side, zoom, cell, height, paper, left: (paper.width - n * cell - BETWEEN * (n - 1.0)) / 2.0 }
    }

    /// The left edge of a column; the originals' is the first.
    fn column(&self, index: usize) -> f64 {
        self.left + index as f64 * (self.cell + BETWEEN)
    }

    /// Lines under the columns' titles, one page after another.
    fn pages(&self, lines: &[Line<'_>], styles: &[Style], caption: &str) -> Vec<Page> {
        let titles = Titles::of(styles.iter().map(|style| style.label.clone()), self.cell + BETWEEN - 2.0);
        let mut pages: Vec<Page> = Vec::new();
        let mut top = f64::INFINITY;
        for line in lines {
            let label = line
                .label
                .as_ref()
                .map_or(0.0, |(index, text)| LABEL + labels::row_label_extra(self.paper, *index, text));
            let n_below = line.cells.iter().flatten().map(|cell| cell.below.len()).max().unwrap_or(1);
            let height = label + self.height + BELOW + LINE * (n_below - 1) as f64 + 6.0;
            if top + height > self.paper.tall {
                let mut drawing = Drawing::on(self.paper);
                top = 11.0 + titles.extra;
                for index in 0..styles.len() {
                    titles.draw(&mut drawing, index, (self.column(index + 1) + self.cell / 2.0, top - 2.5));
                }
                pages.push(Page { drawing, caption: caption.to_owned(), shown: Vec::new() });
            }
            let Some(page) = pages.last_mut() else { break };
            if let Some((index, text)) = &line.label {
                labels::row_label(&mut page.drawing, *index, text, top);
            }
            top += label;
            self.cell(&mut page.drawing, 0, top, (line.originals, &[ORIGINAL.to_owned()]));
            for (column, cell) in line.cells.iter().enumerate() {
                let Some(cell) = cell else { continue };
                self.cell(&mut page.drawing, column + 1, top, (cell.images, &cell.below));
                page.shown.push(cell.shown.clone());
            }
            top += height - label;
            page.drawing.height = top;
        }
        pages
    }

    fn cell(&self, drawing: &mut Drawing, column: usize, top: f64, (images, below): (&ImageStack, &[String])) {
        let left = self.column(column);
        drawing.image((left, top), sheet(&images.first(self.side * self.side), self.side, self.zoom, GAP));
        for (index, text) in below.iter().enumerate() {
            let at = (left + self.cell / 2.0, top + self.height + BELOW + LINE * index as f64);
            drawing.text(at, text, SMALL, INK, Anchor::Middle);
        }
    }
}
