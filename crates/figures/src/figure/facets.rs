//! How groups become rows of panels and lines within them.

use crate::axis::number;
use crate::colour::{self, Colour};
use crate::drawing::{Anchor, Drawing, NORMAL, Point, WIDTH};
use crate::font;
use crate::marker::Marker;
use crate::sweep::{Group, betas, latent_dims, variants};
use crate::variant::listed;

use super::spread;

/// The most lines in one panel.
const MAX_LINES: usize = 8;

/// Groups shown in one row of panels.
#[derive(Clone, Debug)]
pub struct Facet<'a> {
    /// What they share: `β = 0.5`; empty when there is one row only.
    pub label: String,
    /// Its groups, in order.
    pub groups: Vec<&'a Group>,
}

/// One line, or bar, or set of points.
#[derive(Clone, Debug)]
pub struct Style {
    /// For the legend.
    pub label: String,
    /// Its colour.
    pub colour: Colour,
    /// Its marker.
    pub marker: Marker,
}

/// What tells the lines of a panel from one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// The width of the latent space.
    LatentDim,
    /// The weight of the KL term.
    Beta,
    /// Other settings.
    Variant,
}

impl Along {
    /// The first of latent dimension, β and other settings that has more than one value in some row; where each row would
    /// have a single one, the first that has more than one value at all.
    pub fn choose(groups: &[&Group]) -> Along {
        let all = [Along::LatentDim, Along::Beta, Along::Variant];
        let is_swept = |along: &Along| match along {
            Along::LatentDim => latent_dims(groups).len() > 1,
            Along::Beta => betas(groups).len() > 1,
            Along::Variant => variants(groups).len() > 1,
        };
        let compares = |along: &Along| rows(groups, *along).iter().any(|row| row.groups.len() > 1);
        let swept = || all.into_iter().filter(is_swept);
        swept().find(compares).or_else(|| swept().next()).unwrap_or(Along::LatentDim)
    }

    /// A group's value, in words.
    pub fn value(self, group: &Group) -> String {
        match self {
            Along::LatentDim => format!("D = {}", group.key.latent_dim),
            Along::Beta => format!("β = {}", number(group.key.beta)),
            Along::Variant => group.key.variant.clone(),
        }
    }

    /// The name of what varies, for captions.
    pub fn name(self) -> &'static str {
        match self {
            Along::LatentDim => "latent dimension D",
            Along::Beta => "β",
            Along::Variant => "setting",
        }
    }
}

/// What tells the groups from one another, for captions: `latent dimension D and β`.
pub fn each(groups: &[&Group]) -> String {
    let swept = [
        (Along::LatentDim, latent_dims(groups).len()),
        (Along::Beta, betas(groups).len()),
        (Along::Variant, variants(groups).len()),
    ];
    let names: Vec<&str> = swept.into_iter().filter(|(_, n)| *n > 1).map(|(along, _)| along.name()).collect();
    listed(&names, "and")
}

/// One row for each combination of what `along` is not.
pub fn rows<'a>(groups: &[&'a Group], along: Along) -> Vec<Facet<'a>> {
    let (many_betas, many_variants) = (betas(groups).len() > 1, variants(groups).len() > 1);
    let many_dims = latent_dims(groups).len() > 1;
    let mut rows: Vec<Facet<'a>> = Vec::new();
    for group in groups {
        let mut words = Vec::new();
        if many_dims && along != Along::LatentDim {
            words.push(format!("D = {}", group.key.latent_dim));
        }
        if many_betas && along != Along::Beta {
            words.push(format!("β = {}", number(group.key.beta)));
        }
        if many_variants && along != Along::Variant {
            words.push(group.key.variant.clone());
        }
        let label = words.join(", ");
        match rows.iter_mut().find(|row| row.label == label) {
            Some(row) => row.groups.push(group),
            None => rows.push(Facet { label, groups: vec![group] }),
        }
    }
    rows
}

/// What tells a group from the others, in words.
pub fn title(group: &Group, all: &[&Group], along: Along) -> String {
    match rows(all, along).into_iter().find(|row| row.groups.iter().any(|g| g.key == group.key)) {
        Some(row) if !row.label.is_empty() => format!("{}, {}", along.value(group), row.label),
        _ => along.value(group),
    }
}

/// Whether a row has more than [`MAX_LINES`] lines.
fn is_crowded(groups: &[&Group], along: Along) -> bool {
    rows(groups, along).iter().any(|row| row.groups.len() > MAX_LINES)
}

/// The lines' looks, for every value of `along` in order; of [`MAX_LINES`] values where a row would have more.
pub fn styles(groups: &[&Group], along: Along) -> Vec<Style> {
    let mut ordered: Vec<&Group> = groups.to_vec();
    match along {
        Along::LatentDim => ordered.sort_by_key(|g| g.key.latent_dim),
        Along::Beta => ordered.sort_by(|a, b| a.key.beta.total_cmp(&b.key.beta)),
        Along::Variant => {}
    }
    let mut labels: Vec<String> = Vec::new();
    for group in ordered {
        let label = along.value(group);
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let labels = if is_crowded(groups, along) { spread(&labels, MAX_LINES) } else { labels };
    let n = labels.len();
    let colour = |i| if along == Along::Variant { colour::category(i) } else { colour::ordered(i, n) };
    let style = |(i, label)| Style { label, colour: colour(i), marker: Marker::of(i) };
    labels.into_iter().enumerate().map(style).collect()
}

/// ` Only 8 of 20 values are drawn.`, or nothing when all are.
pub fn dropped_note(groups: &[&Group], along: Along) -> String {
    let mut labels: Vec<String> = groups.iter().map(|group| along.value(group)).collect();
    labels.sort();
    labels.dedup();
    if !is_crowded(groups, along) {
        return String::new();
    }
    format!(" {MAX_LINES} of {} values are drawn, evenly spaced.", labels.len())
}

/// What all groups share of latent dimension and β, for figures with a single line: `D = 20, β = 1`.
pub fn shared(groups: &[&Group]) -> String {
    let mut words = Vec::new();
    if let [dim] = latent_dims(groups)[..] {
        words.push(format!("D = {dim}"));
    }
    if let [beta] = betas(groups)[..] {
        words.push(format!("β = {}", number(beta)));
    }
    words.join(", ")
}

/// Height of a row's label of one line, in points.
pub const LABEL: f64 = 13.0;
/// Distance of the lines of a text, in points.
pub const LINE: f64 = 9.5;

/// The lines of a row's label `(a) β = 0.5`; none when there is one row only.
pub fn row_label_lines(index: usize, label: &str) -> Vec<String> {
    if label.is_empty() {
        return Vec::new();
    }
    wrap(&format!("({}) {label}", letter(index)), WIDTH - 8.0, NORMAL)
}

/// Height of a row's label beyond that of one line, in points.
pub fn row_label_extra(index: usize, label: &str) -> f64 {
    LINE * row_label_lines(index, label).len().saturating_sub(1) as f64
}

/// Writes `(a) β = 0.5` above a row; nothing when there is one row only. Returns the height beyond one line, in points.
pub fn row_label(drawing: &mut Drawing, index: usize, label: &str, top: f64) -> f64 {
    let lines = row_label_lines(index, label);
    for (below, line) in lines.iter().enumerate() {
        drawing.text((3.0, top + 8.0 + LINE * below as f64), line, NORMAL, colour::INK, Anchor::Start);
    }
    LINE * lines.len().saturating_sub(1) as f64
}

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
        let middle = middle.min(WIDTH - half).max(half);
        for (above, line) in lines().rev().enumerate() {
            drawing.text((middle, baseline - LINE * above as f64), line, NORMAL, colour::INK, Anchor::Middle);
        }
    }
}

/// `a`, `b`, …, `z`, `aa`, ….
pub fn letter(index: usize) -> String {
    let last = char::from(b'a' + (index % 26) as u8);
    if index < 26 { last.to_string() } else { format!("{}{last}", letter(index / 26 - 1)) }
}

/// How many panels stand side by side, at most `most`, so that the rows of one facet are about equally long.
pub fn columns(facets: &[Facet<'_>], most: usize) -> usize {
    let widest = facets.iter().map(|facet| facet.groups.len()).max().unwrap_or(1).max(1);
    widest.div_ceil(widest.div_ceil(most.max(1)))
}

/// The text in lines of at most `room` points, broken behind commas, and between words or behind a hyphen where a part
/// alone is too long; what is too long even so is cut.
pub fn wrap(text: &str, room: f64, size: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    wrap_at(&[", ", " ", "-"], text, (room, size), &mut lines);
    lines.iter().map(|line| shorten(line.trim_end(), room, size)).collect()
}

/// Adds the text to the last line and to new ones, broken behind the first of the separators where that is enough.
fn wrap_at(separators: &[&str], text: &str, (room, size): (f64, f64), lines: &mut Vec<String>) {
    let Some((separator, finer)) = separators.split_first() else { return lines.push(text.to_owned()) };
    let fits = |line: &str| font::width(line.trim_end(), size) <= room;
    for part in text.split_inclusive(separator) {
        match lines.last_mut() {
            Some(line) if fits(&format!("{line}{part}")) => line.push_str(part),
            _ if fits(part) => lines.push(part.to_owned()),
            _ => wrap_at(finer, part, (room, size), lines),
        }
    }
}

/// The text, cut with an ellipsis so that it fits into `room` points.
pub fn shorten(text: &str, room: f64, size: f64) -> String {
    if font::width(text, size) <= room {
        return text.to_owned();
    }
    let mut kept: String = text.to_owned();
    while kept.pop().is_some() {
        let candidate = format!("{}…", kept.trim_end());
        if font::width(&candidate, size) <= room {
            return candidate;
        }
    }
    String::new()
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
    }
}
