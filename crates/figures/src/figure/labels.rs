//! Labels of rows and titles of panels: broken into lines where they are wider than their room.

use crate::colour;
use crate::drawing::{Anchor, Drawing, NORMAL, Paper, Point};
use crate::font;

/// Height of a row's label of one line, in points.
pub const LABEL: f64 = 13.0;
/// Distance of the lines of a text, in points.
pub const LINE: f64 = 9.5;

/// The lines of a row's label `(a) β = 0.5`; none when there is one row only.
pub fn row_label_lines(paper: Paper, index: usize, label: &str) -> Vec<String> {
    if label.is_empty() {
        return Vec::new();
    }
    wrap(&format!("({}) {label}", letter(index)), paper.width - 8.0, NORMAL)
}

/// Height of a row's label beyond that of one line, in points.
pub fn row_label_extra(paper: Paper, index: usize, label: &str) -> f64 {
    LINE * row_label_lines(paper, index, label).len().saturating_sub(1) as f64
}

/// Writes `(a) β = 0.5` above a row; nothing when there is one row only. Returns the height beyond one line, in points.
pub fn row_label(drawing: &mut Drawing, index: usize, label: &str, top: f64) -> f64 {
    let lines = row_label_lines(drawing.paper, index, label);
    for (below, line) in lines.iter().enumerate() {
        drawing.text((3.0, top + 8.0 + LINE * below as f64), line, NORMAL, colour::INK, Anchor::Start);
    }
    LINE * lines.len().saturating_sub(1) as f64
}

/// The titles of panels side by side, each within `room` points.
pub struct Titles {
    lines: Vec<Vec<String>>,
    /// Height of the tallest beyond that of one line, in points.
    pub extra: f64,
}

impl Titles {
    /// Breaks the titles into lines.
    pub fn of(titles: impl IntoIterator<Item = String>, room: f64) -> Titles {
        let lines: Vec<Vec<String>> = titles.into_iter().map(|title| wrap(&title, room, NORMAL)).collect();
        let most = lines.iter().map(Vec::len).max().unwrap_or(0);
        Titles { lines, extra: LINE * most.saturating_sub(1) as f64 }
    }

    /// Writes the `index`th title, centred at `middle` as far as the page is wide enough, its last line on `baseline`.
    pub fn draw(&self, drawing: &mut Drawing, index: usize, (middle, baseline): Point) {
        let lines = || self.lines.get(index).into_iter().flatten();
        let half = lines().map(|line| font::width(line, NORMAL)).fold(0.0, f64::max) / 2.0 + 1.0;
        let middle = middle.min(drawing.paper.width - half).max(half);
        let first = baseline - LINE * lines().count().saturating_sub(1) as f64;
        for (below, line) in lines().enumerate() {
            drawing.text((middle, first + LINE * below as f64), line, NORMAL, colour::INK, Anchor::Middle);
        }
    }
}

/// `a`, `b`, …, `z`, `aa`, ….
pub fn letter(index: usize) -> String {
    let last = char::from(b'a' + (index % 26) as u8);
    if index < 26 { last.to_string() } else { format!("{}{last}", letter(index / 26 - 1)) }
}

/// The text in lines of at most `room` points, broken behind commas, and between words or behind a hyphen where a part
/// alone is too long, and anywhere in a word that is too long even so.
pub fn wrap(text: &str, room: f64, size: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    wrap_at(&[", ", " ", "-"], text, (room, size), &mut lines);
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Adds the text to the last line and to new ones, broken behind the first of the separators where that is enough.
fn wrap_at(separators: &[&str], text: &str, (room, size): (f64, f64), lines: &mut Vec<String>) {
    let fits = |line: &str| font::width(line.trim_end(), size) <= room;
    let Some((separator, finer)) = separators.split_first() else {
        lines.push(String::new());
        for letter in text.chars() {
            match lines.last_mut() {
                Some(line) if line.is_empty() || fits(&format!("{line}{letter}")) => line.push(letter),
                _ => lines.push(letter.to_string()),
            }
        }
        return;
    };
    for part in text.split_inclusive(separator) {
        match lines.last_mut() {
            Some(line) if fits(&format!("{line}{part}")) => line.push_str(part),
            _ if fits(part) => lines.push(part.to_owned()),
            _ => wrap_at(finer, part, (room, size), lines),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_titles_are_broken_and_say_all() {
        let text = "importance-weighted doubly-reparametrised, samples 50";
        let lines = wrap(text, 95.0, NORMAL);
        assert_eq!(lines, ["importance-weighted", "doubly-reparametrised,", "samples 50"]);
        assert_eq!(wrap("D = 2, β = 1", 95.0, NORMAL), ["D = 2, β = 1"]);
        let narrow = wrap(text, 50.0, NORMAL);
        assert!(narrow.iter().all(|line| font::width(line, NORMAL) <= 50.0), "{narrow:?}");
        assert_eq!(narrow[..2], ["importance-", "weighted"]);
        let word = "doppelt-reparametrisiertegewichtungen";
        let lines = wrap(word, 50.0, NORMAL);
        assert!(lines.iter().all(|line| font::width(line, NORMAL) <= 50.0), "{lines:?}");
        assert_eq!(lines.concat(), word);
    }
}
