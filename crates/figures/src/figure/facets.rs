//! How groups become rows of panels and lines within them.

use crate::axis::number;
use crate::colour::{self, Colour};
use crate::drawing::{Anchor, Drawing, NORMAL, WIDTH};
use crate::font;
use crate::marker::Marker;
use crate::sweep::{Group, betas, latent_dims, variants};

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
    /// The first of latent dimension, β and other settings that has more than one value.
    pub fn choose(groups: &[&Group]) -> Along {
        if latent_dims(groups).len() > 1 {
            Along::LatentDim
        } else if betas(groups).len() > 1 {
            Along::Beta
        } else if variants(groups).len() > 1 {
            Along::Variant
        } else {
            Along::LatentDim
        }
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

/// The lines' looks, for every value of `along` in order; at most [`MAX_LINES`].
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
    let labels = spread(&labels, MAX_LINES);
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
    if labels.len() <= MAX_LINES {
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

/// Height of a row's label, in points.
pub const LABEL: f64 = 13.0;

/// Writes `(a) β = 0.5` above a row; nothing when there is one row only.
pub fn row_label(drawing: &mut Drawing, index: usize, label: &str, top: f64) {
    if !label.is_empty() {
        let text = shorten(&format!("({}) {label}", letter(index)), WIDTH - 8.0, NORMAL);
        drawing.text((3.0, top + 8.0), text, NORMAL, colour::INK, Anchor::Start);
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

/// The text in lines of at most `room` points, broken behind commas; what is too long even so is cut.
pub fn wrap(text: &str, room: f64, size: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in text.split(", ") {
        match lines.last_mut() {
            Some(line) if font::width(&format!("{line}, {part}"), size) <= room => *line = format!("{line}, {part}"),
            _ => lines.push(part.to_owned()),
        }
    }
    lines.into_iter().map(|line| shorten(&line, room, size)).collect()
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
