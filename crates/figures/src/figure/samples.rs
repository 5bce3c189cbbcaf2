//! Draws from the prior, decoded: a grid per model.

use record::ArrayName;
use spec::{Cell, Latent, ModelKind};

use super::facets::{self, Along, PanelRow};
use super::labels::{self, LABEL, Titles};
use super::{Choice, Drawn, Page, Shown};
use crate::drawing::{Drawing, Paper};
use crate::notes;
use crate::records::Group;
use crate::tiles::{ImageStack, Zoom, sheet};

/// The most grids side by side.
const MAX_COLUMNS: usize = 4;
/// The most images along a grid's side.
const MAX_SIDE: usize = 10;
/// The smallest image that is still seen, in points.
const SMALLEST: f64 = 11.0;
/// The widest grid, in points.
const WIDEST: f64 = 230.0;
const GAP: f64 = 0.48;

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    fn samples(group: &Group) -> Option<&ImageStack> {
        group.images(ArrayName::Samples)
    }
    choice.keep_with_arrays()?;
    let none = "the finished runs have stored no samples";
    choice.keep("no stored samples", none, |group| samples(group).is_some())?;
    let (groups, paper) = (choice.groups.as_slice(), choice.paper);
    let Some(first) = groups.first().and_then(|group| samples(group)) else { return Err(none.to_owned()) };
    let along = Along::choose(groups);
    let rows = facets::panel_rows(groups, &along, paper.columns(MAX_COLUMNS));
    let columns = rows.iter().map(|row| row.panels.len()).max().unwrap_or(1);
    let layout = GridLayout::of(first, columns, paper);

    let mut pages = Vec::new();
    let (mut drawing, mut shown) = (Drawing::on(paper), Vec::new());
    let mut top = 2.0;
    let mut n_labels = 0;
    for (index, PanelRow { label, panels }) in rows.iter().enumerate() {
        // A label stands where its rows begin, and again on the next page.
        let begins = index == 0 || rows[index - 1].label != *label;
        n_labels += usize::from(begins && !label.is_empty());
        let number = n_labels.max(1) - 1;
        let named = |(group, title): &(&Group, String)| self::title(group, title, groups.len());
        let titles = Titles::of(panels.iter().map(named), layout.wide + layout.between - 3.0);
        let labelled = |begins: bool| begins && !label.is_empty();
        let above = if labelled(begins) { LABEL + labels::row_label_extra(paper, number, label) } else { 0.0 };
        let is_full = top + LABEL + titles.extra + layout.tall + above > paper.tall && !drawing.marks.is_empty();
        if is_full {
            drawing.height = top;
            pages.push((std::mem::replace(&mut drawing, Drawing::on(paper)), std::mem::take(&mut shown)));
            top = 2.0;
        }
        if labelled(begins || is_full) {
            top += labels::row_label(&mut drawing, number, label, top) + LABEL - 2.0;
        }
        top += titles.extra;
        for (column, (group, title)) in panels.iter().enumerate() {
            let Some(images) = samples(group) else { continue };
            shown.push(Shown::new(group, [label.clone(), self::title(group, title, groups.len())]));
            let left = layout.left + column as f64 * (layout.wide + layout.between);
            titles.draw(&mut drawing, column, (left + layout.wide / 2.0, top + 8.0));
            let images = images.first(layout.side * layout.side);
            drawing.image((left, top + LABEL - 1.0), sheet(&images, layout.side, layout.zoom, GAP));
        }
        top += LABEL - 1.0 + layout.tall + 6.0;
    }
    drawing.height = top - 3.0;
    pages.push((drawing, shown));
    let n = (layout.side * layout.side).min(first.n);
    let caption = format!(
        "{}, {}, {}{}.{}",
        drawn(groups),
        if n < first.n { format!("the first {n} of {} stored", first.n) } else { format!("all {n} that are stored") },
        if groups.len() > 1 { format!("one grid per {}, ", facets::each(groups)) } else { String::new() },
        notes::seed_of_arrays(groups),
        notes::clipped(groups),
    );
    let page = |(drawing, shown)| Page { drawing, caption: caption.clone(), shown };
    let pages = pages.into_iter().map(page).collect();
    Ok(choice.into_pages(pages))
}

/// A grid's title; beside decoder means it marks what has noise.
fn title(group: &Group, title: &str, n_groups: usize) -> String {
    match DrawnFrom::of(&group.cell) {
        DrawnFrom::Pixels if n_groups > 1 => format!("{title}: draws with noise"),
        DrawnFrom::Prior(_) | DrawnFrom::NoPrior | DrawnFrom::Noise | DrawnFrom::Pixels => title.to_owned(),
    }
}

/// What a model's samples are decoded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawnFrom {
    /// The model's prior, in words.
    Prior(&'static str),
    /// N(0, I), though the model is an autoencoder, which has no prior.
    NoPrior,
    /// N(0, I), which a GAN's generator maps to images.
    Noise,
    /// Nothing: the model is a mixture over pixels.
    Pixels,
}

impl DrawnFrom {
    /// A model's.
    pub fn of(cell: &Cell) -> DrawnFrom {
        match (cell.model.kind, cell.model.latent, cell.model.prior) {
            (ModelKind::GaussianMixture { .. }, ..) => DrawnFrom::Pixels,
            (ModelKind::Autoencoder, ..) => DrawnFrom::NoPrior,
            (ModelKind::Gan { .. }, ..) => DrawnFrom::Noise,
            (_, Latent::Bernoulli { .. }, _) => DrawnFrom::Prior("the prior, independent fair bits"),
            (_, Latent::Gaussian, prior) => DrawnFrom::Prior(prior.caption()),
        }
    }
}

/// What the images are: how they are made, and of which draws.
fn drawn(groups: &[&Group]) -> String {
    let has = |source: DrawnFrom| groups.iter().any(|group| DrawnFrom::of(&group.cell) == source);
    let Some(first) = groups.first().map(|group| DrawnFrom::of(&group.cell)) else { return String::new() };
    if groups.iter().all(|group| DrawnFrom::of(&group.cell) == first) {
        let words = match first {
            DrawnFrom::Prior(prior) => return format!("Decoder means of draws from {prior}"),
            DrawnFrom::NoPrior => "Decoder means of draws from N(0, I) (autoencoders have no prior)",
            DrawnFrom::Noise => "Images that the generator makes of draws from N(0, I)",
            DrawnFrom::Pixels => "Draws from a Gaussian mixture over pixels, which has no latent space",
        };
        return words.to_owned();
    }
    let others = [
        (DrawnFrom::NoPrior, "N(0, I) for autoencoders, which have none"),
        (DrawnFrom::Noise, "N(0, I) for GANs"),
        (DrawnFrom::Pixels, "Gaussian mixtures over pixels are drawn from themselves, with their noise"),
    ];
    let remarks: Vec<&str> = others.into_iter().filter(|(source, _)| has(*source)).map(|(_, words)| words).collect();
    let remarks = if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join("; ")) };
    format!("Decoder means of draws from each model's prior{remarks}")
}

/// The size of the grids, all equal.
struct GridLayout {
    side: usize,
    zoom: Zoom,
    left: f64,
    wide: f64,
    tall: f64,
    between: f64,
}

impl GridLayout {
    fn of(images: &ImageStack, columns: usize, paper: Paper) -> GridLayout {
        let between = 9.0;
        let room = ((paper.width - 4.0 - between * (columns - 1) as f64) / columns as f64).min(WIDEST);
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
        GridLayout { side, zoom, left: (paper.width - used) / 2.0, wide, tall, between }
    }
}
