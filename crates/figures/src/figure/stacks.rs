//! Panels side by side in rows with a label each; those that the page is too narrow for stand in a further stack below.

use super::grid::Grid;
use super::labels::{self, LABEL, Titles};
use crate::axis::PlotAxis;
use crate::drawing::Drawing;
use crate::panel::{Panel, y_label_room};

/// Room above a row of panels for one line of titles, in points.
const TITLE: f64 = 13.0;

/// How panels are laid out; lengths in points.
pub struct Stacks<'a> {
    /// The horizontal axis of all.
    pub x: &'a PlotAxis,
    /// The vertical axis of each column.
    pub axes: &'a [PlotAxis],
    /// What [`Place::title`] writes above each column, in as many lines as it takes; empty where panels have titles of their own.
    pub titles: &'a [&'static str],
    /// Of a panel.
    pub height: f64,
    /// Left of all panels.
    pub side: f64,
    /// Between two columns.
    pub gap: f64,
    /// Right of all panels.
    pub right: f64,
    /// Below a stack, for the labels of its axes.
    pub between: f64,
}

/// A row of panels.
pub struct StackRow<'a> {
    /// Above the row; empty where there is none.
    pub label: &'a str,
    /// Whether there is something to draw, by column.
    pub has: Vec<bool>,
}

/// A panel that is drawn.
pub struct Place<'a> {
    /// Its row.
    pub row: usize,
    /// Its column.
    pub column: usize,
    /// Where it lies.
    pub panel: Panel,
    /// Whether it is the first of its column, which has the column's title.
    pub is_first: bool,
    /// Whether it is the last of its column, which has the labels of the horizontal axis.
    pub is_last: bool,
    /// Whether it is the first of its row in this stack.
    pub is_leftmost: bool,
    titles: &'a Titles,
    index: usize,
}

impl Stacks<'_> {
    /// Lays out the rows from `top` on, writes their labels and calls `inside` for each panel; the lower end of the last.
    pub fn draw(
        &self,
        drawing: &mut Drawing,
        mut top: f64,
        rows: &[StackRow<'_>],
        mut inside: impl FnMut(&mut Drawing, &Place<'_>),
    ) -> f64 {
        let Stacks { x, axes, height, side, gap, right, .. } = *self;
        let per_row = drawing.paper.per_row(axes.len());
        let all: Vec<usize> = (0..axes.len()).collect();
        for (stack, columns) in all.chunks(per_row).enumerate() {
            let rooms: f64 = columns.iter().map(|&column| y_label_room(&axes[column])).sum();
            let n = per_row as f64;
            let width = (drawing.paper.width - side - right - gap * (n - 1.0) - rooms) / n;
            let titles = columns.iter().filter_map(|&column| Some((*self.titles.get(column)?).to_owned()));
            let titles = Titles::of(titles, width + gap);
            top += TITLE + titles.extra + if stack > 0 { self.between } else { 0.0 };
            let of_stack = |row: &StackRow<'_>| columns.iter().map(|&column| row.has[column]).collect();
            let grid = Grid::new(rows.iter().map(of_stack).collect());
            for (row, StackRow { label, .. }) in rows.iter().enumerate() {
                if !label.is_empty() {
                    let above = if row == 0 { top - TITLE - titles.extra } else { top };
                    top += labels::row_label(drawing, row, label, above);
                    top += if row == 0 { LABEL - 2.0 } else { LABEL };
                }
                let above = grid.room_above(row);
                top += if above > 0.0 { above + titles.extra } else { 0.0 };
                let mut left = side;
                for (index, &column) in columns.iter().enumerate() {
                    left += y_label_room(&axes[column]);
                    if grid.has(row, index) {
                        let panel = Panel { left, top, width, height, x: x.clone(), y: axes[column].clone() };
                        let is_first = grid.is_first(row, index);
                        let (is_last, is_leftmost) = (grid.is_last(row, index), grid.is_leftmost(row, index));
                        let titles = &titles;
                        inside(drawing, &Place { row, column, panel, is_first, is_last, is_leftmost, titles, index });
                    }
                    left += width + gap;
                }
                top += height + 7.0 + grid.room_below(row);
            }
        }
        top - 7.0
    }
}

impl Place<'_> {
    /// Writes the column's title above the panel.
    pub fn title(&self, drawing: &mut Drawing) {
        let middle = self.panel.left + self.panel.width / 2.0;
        self.titles.draw(drawing, self.index, (middle, self.panel.top - 4.0));
    }
}
