//! A grid of panels, some of which are left out.

use super::labels::LABEL;

/// Which panels of a grid are drawn: a row has none for what its groups do not have.
pub struct Grid {
    /// By row, then column.
    is_drawn: Vec<Vec<bool>>,
}

impl Grid {
    /// By row, then column, whether there is something to draw.
    pub fn new(is_drawn: Vec<Vec<bool>>) -> Grid {
        Grid { is_drawn }
    }

    /// Whether the panel is drawn.
    pub fn has(&self, row: usize, column: usize) -> bool {
        self.is_drawn.get(row).is_some_and(|columns| columns.get(column) == Some(&true))
    }

    /// Whether the panel is its row's first, which has the title of the vertical axis.
    pub fn is_leftmost(&self, row: usize, column: usize) -> bool {
        self.has(row, column) && !(0..column).any(|other| self.has(row, other))
    }

    /// Whether the panel is its column's first, which has the column's title.
    pub fn is_first(&self, row: usize, column: usize) -> bool {
        self.has(row, column) && !(0..row).any(|other| self.has(other, column))
    }

    /// Whether the panel is its column's last, which has the labels of the horizontal axis.
    pub fn is_last(&self, row: usize, column: usize) -> bool {
        self.has(row, column) && !(row + 1..self.is_drawn.len()).any(|other| self.has(other, column))
    }

    /// Room above a row for titles of columns, in points; the first row has it anyway.
    pub fn room_above(&self, row: usize) -> f64 {
        let is_first = (0..self.is_drawn.get(row).map_or(0, Vec::len)).any(|column| self.is_first(row, column));
        if row > 0 && is_first { LABEL } else { 0.0 }
    }

    /// Room below a row for labels of the horizontal axis, in points; the last row has it anyway.
    pub fn room_below(&self, row: usize) -> f64 {
        let is_last = (0..self.is_drawn.get(row).map_or(0, Vec::len)).any(|column| self.is_last(row, column));
        if row + 1 < self.is_drawn.len() && is_last { 20.0 } else { 0.0 }
    }
}
