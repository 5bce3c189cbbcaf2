//! What encoders say of test images in two latent dimensions, a colour and a marker for each class.

use std::f64::consts::TAU;

use spec::{LatentSpace, listed, thousands};

use super::facets::{self, Along, PanelRow};
use super::labels::{self, LABEL, Titles};
use super::{Choice, Drawn, Page, Shown};
use crate::arrays::{Latents, RunArrays};
use crate::axis::{PlotAxis, range};
use crate::colour::{self, BLUE, GREY, N_CLASSES};
use crate::drawing::{Drawing, Paper, Point};
use crate::legend::{self, LegendEntry, Swatch};
use crate::marker::Marker;
use crate::notes;
use crate::panel::{Labels, Panel};
use crate::records::Group;

/// The most panels side by side.
const MAX_COLUMNS: usize = 4;
/// The most points in one file, so that it stays a file one can open.
const MAX_POINTS: usize = 9000;
/// Fewer points than these in a panel are too few to see a class.
const MIN_POINTS: usize = 200;
/// Square points of a panel for each of its points: more would only cover one another.
const AREA_OF_POINT: f64 = 24.0;
/// A point's size; 1 is a marker 4 points wide.
const SIZE: f64 = 0.55;
/// The circle of the prior N(0, I), in its standard deviations.
const CIRCLE: f64 = 2.0;
/// How the circle is drawn.
const DASH: (f64, f64) = (2.4, 1.6);

/// A point with its class, where the data has classes.
type Classed = (Point, Option<usize>);

/// One panel's points.
struct Cloud {
    label: String,
    shown: Shown,
    space: LatentSpace,
    /// Which two dimensions, counted from 1.
    dims: (usize, usize),
    points: Vec<Classed>,
}

impl Cloud {
    /// What its axes must reach: all points, and the circle where there is one.
    fn reach(&self) -> [(f64, f64); 2] {
        let circle: &[f64] = match self.space {
            LatentSpace::Normal => &[-CIRCLE, CIRCLE],
            LatentSpace::Bits => &[0.0, 1.0],
            LatentSpace::Learned | LatentSpace::Codes => &[],
        };
        let of =
            |at: fn(&Point) -> f64| range(self.points.iter().map(|(point, _)| at(point)).chain(circle.iter().copied()));
        [of(|point| point.0), of(|point| point.1)]
    }
}

/// The axes of the clouds of one kind of latent space, both of one length, so that distances compare. Under N(0, I) latents have
/// a scale; under a learned prior, and as codes, each kind has its own.
struct Axes {
    space: LatentSpace,
    x: PlotAxis,
    y: PlotAxis,
}

impl Axes {
    /// For each kind of latent space.
    fn all(clouds: &[&Cloud]) -> Vec<Axes> {
        let mut found: Vec<Axes> = Vec::new();
        for space in clouds.iter().map(|cloud| cloud.space) {
            if found.iter().any(|axes| axes.space == space) {
                continue;
            }
            let own = || clouds.iter().filter(|cloud| cloud.space == space).map(|cloud| cloud.reach());
            let [(left, right), (low, high)] =
                [0, 1].map(|axis| range(own().flat_map(|reach| [reach[axis].0, reach[axis].1])));
            let half = 0.53 * (right - left).max(high - low).max(f64::MIN_POSITIVE);
            let around = |from: f64, to: f64| PlotAxis::between((from + to) / 2.0 - half, (from + to) / 2.0 + half, 4);
            found.push(Axes { space, x: around(left, right), y: around(low, high) });
        }
        found
    }
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    choice.keep_with_arrays()?;
    let none = "no finished run has stored latents of two dimensions or more";
    let has = |g: &Group| g.arrays().is_some_and(|(_, a)| a.latents.as_ref().is_some_and(|z| z.dim >= 2 && z.n > 0));
    choice.keep("no stored latents of two dimensions or more", none, has)?;
    let (groups, paper) = (choice.groups.as_slice(), choice.paper);
    let along = Along::choose(groups);
    let rows = facets::panel_rows(groups, &along, paper.columns(MAX_COLUMNS));
    let columns = rows.iter().map(|row| row.panels.len()).max().unwrap_or(1);
    let n_classes = groups.iter().filter_map(|g| classes(g.arrays()?.1)).max();
    let coloured = n_classes.is_some_and(|n| n <= N_CLASSES);
    let size = panel_size(columns, paper);
    let per_page = (((paper.tall - 40.0) / (size + LABEL + 26.0)) as usize).max(1);
    let n_panels: usize = rows.iter().take(per_page).map(|row| row.panels.len()).sum();
    let n_points = ((size * size / AREA_OF_POINT) as usize).max(MIN_POINTS).min(MAX_POINTS / n_panels.max(1));
    let (mut shown, mut stored) = (0, 0);
    let clouds: Vec<(String, Vec<Cloud>)> = rows
        .into_iter()
        .map(|PanelRow { label, panels }| {
            let cloud = |(group, title): (&Group, String)| {
                let (_, arrays) = group.arrays()?;
                let latents = arrays.latents.as_ref()?;
                (shown, stored) = (latents.n.min(n_points), latents.n);
                let labels = arrays.labels.as_deref().filter(|_| coloured);
                let (dims, points) = points(latents, labels, n_points);
                Some(Cloud {
                    shown: Shown::new(group, [label.clone(), title.clone()]),
                    label: title,
                    space: group.cell.model.latent_space()?,
                    dims,
                    points,
                })
            };
            let clouds = panels.into_iter().filter_map(cloud).collect();
            (label, clouds)
        })
        .collect();
    let all: Vec<&Cloud> = clouds.iter().flat_map(|(_, clouds)| clouds).collect();
    let axes = Axes::all(&all);
    let caption = format!(
        "{} of {} of {} test images{}, {}.{}{}{}",
        what(&all),
        thousands(shown as u64),
        thousands(stored as u64),
        match n_classes {
            Some(_) if coloured => ", a colour and a marker for each class".to_owned(),
            Some(n) => format!("; {n} classes are too many to tell apart"),
            None => "; the data has no classes".to_owned(),
        },
        notes::seed_of_arrays(groups),
        if all.iter().any(|cloud| cloud.space == LatentSpace::Normal) {
            " The dashed circle has two standard deviations of the prior N(0, I)."
        } else {
            ""
        },
        match axes.len() {
            1 if all.len() > 1 => " All panels have the same axes.",
            0 | 1 => "",
            _ =>
                " Panels of one kind of latents (under N(0, I), under a learned prior, bits, codes) have the same axes.",
        },
        if all.iter().any(|cloud| cloud.dims != (1, 2)) {
            " Latent dimensions are counted from 1; of more than two, those are shown whose value varies most over the images."
        } else {
            ""
        },
    );
    let n_coloured = if coloured { n_classes.unwrap_or(0) } else { 0 };
    let names = class_names(groups, n_coloured);
    let pages = clouds.chunks(per_page).map(|rows| Page {
        drawing: page(rows, columns, &names, &axes, paper),
        caption: caption.clone(),
        shown: rows.iter().flat_map(|(_, clouds)| clouds).map(|cloud| cloud.shown.clone()).collect(),
    });
    let pages = pages.collect();
    Ok(choice.into_pages(pages))
}

/// What the points are: `Posterior means and autoencoders' codes`.
fn what(clouds: &[&Cloud]) -> String {
    let has = |spaces: &[LatentSpace]| clouds.iter().any(|cloud| spaces.contains(&cloud.space));
    let kinds: [(&[LatentSpace], &str); 3] = [
        (&[LatentSpace::Normal, LatentSpace::Learned], "posterior means"),
        (&[LatentSpace::Bits], "posterior probabilities of bits"),
        (&[LatentSpace::Codes], "codes of autoencoders, which have no posterior,"),
    ];
    let words: Vec<&str> = kinds.into_iter().filter(|(spaces, _)| has(spaces)).map(|(_, words)| words).collect();
    let text = listed(&words, "and");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What `n` classes are called: their names where all groups agree on them, else their numbers.
fn class_names(groups: &[&Group], n: usize) -> Vec<String> {
    named(groups.iter().filter_map(|group| Some(&group.arrays()?.1.class_names[..])), n)
}

fn named<'a>(mut all: impl Iterator<Item = &'a [String]>, n: usize) -> Vec<String> {
    let names = all.next().filter(|first| all.all(|other| other == *first));
    (0..n).map(|class| names.and_then(|names| names.get(class).cloned()).unwrap_or_else(|| class.to_string())).collect()
}

/// How many classes the labels name.
fn classes(arrays: &RunArrays) -> Option<usize> {
    arrays.labels.as_ref()?.iter().max().map(|&most| usize::from(most) + 1)
}

/// The two dimensions that vary most, counted from 1, and the images in them, with their classes where there are `labels`.
fn points(latents: &Latents, labels: Option<&[u8]>, n_points: usize) -> ((usize, usize), Vec<Classed>) {
    let mut order: Vec<(usize, f64)> = latents.variances().into_iter().enumerate().collect();
    if order.len() > 2 {
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
    }
    let (first, second) = (order[0].0, order[1].0);
    let class = |image: usize| labels?.get(image).map(|&class| usize::from(class));
    let points = super::spread(&(0..latents.n).collect::<Vec<_>>(), n_points)
        .into_iter()
        .map(|image| ((latents.at(image, first), latents.at(image, second)), class(image)))
        .filter(|((x, y), _)| x.is_finite() && y.is_finite())
        .collect();
    ((first + 1, second + 1), points)
}

const LEFT: f64 = 30.0;
const BETWEEN: f64 = 4.0;

fn panel_size(columns: usize, paper: Paper) -> f64 {
    ((paper.width - 6.0 - BETWEEN * (columns - 1) as f64) / columns as f64 - LEFT).min(240.0)
}

fn page(rows: &[(String, Vec<Cloud>)], columns: usize, class_names: &[String], axes: &[Axes], paper: Paper) -> Drawing {
    let mut drawing = Drawing::on(paper);
    let mut top = 4.0;
    let mut entries = Vec::new();
    if !class_names.is_empty() {
        entries.push(LegendEntry::new(Swatch::Heading, "class"));
        let entry = |(class, name): (usize, &String)| {
            LegendEntry::new(Swatch::Marker(colour::class(class), Marker::of(class)), name.clone())
        };
        entries.extend(class_names.iter().enumerate().map(entry));
    }
    if rows.iter().flat_map(|(_, clouds)| clouds).any(|cloud| cloud.space == LatentSpace::Normal) {
        entries.push(LegendEntry::new(Swatch::Line(GREY, 0.7, Some(DASH)), "2σ of the prior"));
    }
    if !entries.is_empty() {
        top = 3.0 + legend::draw(&mut drawing, &entries, 2.0) + 3.0;
    }
    let size = panel_size(columns, paper);
    let start = (paper.width - (size + LEFT) * columns as f64 - BETWEEN * (columns - 1) as f64) / 2.0;
    let mut n_labels = 0;
    for (index, (label, clouds)) in rows.iter().enumerate() {
        let is_new = index == 0 || rows[index - 1].0 != *label;
        if !label.is_empty() && is_new {
            top += labels::row_label(&mut drawing, n_labels, label, top) + LABEL - 3.0;
            n_labels += 1;
        }
        let titles = Titles::of(clouds.iter().map(|cloud| cloud.label.clone()), size + LEFT - 9.0);
        top += 12.0 + titles.extra;
        for (column, cloud) in clouds.iter().enumerate() {
            let Some(axes) = axes.iter().find(|axes| axes.space == cloud.space) else { continue };
            let left = start + LEFT + column as f64 * (size + LEFT + BETWEEN);
            let panel = Panel { left, top, width: size, height: size, x: axes.x.clone(), y: axes.y.clone() };
            let (x, y) = (subscript(cloud.dims.0), subscript(cloud.dims.1));
            let labels = Labels { title: None, x: Some(&x), y: Some(&y), x_ticks: true, y_ticks: true };
            panel.frame(&mut drawing, labels);
            titles.draw(&mut drawing, column, (left + size / 2.0, top - 4.0));
            for &((x, y), class) in &cloud.points {
                let (marker, colour) =
                    class.map_or((Marker::Disc, BLUE), |class| (Marker::of(class), colour::class(class)));
                marker.draw_sized(&mut drawing, panel.at(x, y), colour, SIZE);
            }
            if cloud.space == LatentSpace::Normal {
                let on_circle = |i: u32| {
                    let angle = f64::from(i) / 72.0 * TAU;
                    (CIRCLE * angle.cos(), CIRCLE * angle.sin())
                };
                let circle: Vec<Point> = (0..=72).map(on_circle).collect();
                panel.line(&mut drawing, &circle, GREY, 0.7, Some(DASH));
            }
        }
        top += size + 24.0;
    }
    drawing.height = top - 2.0;
    drawing
}

/// `z₁₂`.
fn subscript(dim: usize) -> String {
    let digits = dim.to_string();
    let below = digits.bytes().filter_map(|b| char::from_u32(0x2080 + u32::from(b - b'0')));
    format!("z{}", below.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_their_names_where_all_groups_agree() {
        let fashion = ["T-shirt/top", "Trouser"].map(str::to_owned);
        let animals = ["cat", "dog"].map(str::to_owned);
        assert_eq!(named([&fashion[..], &fashion[..]].into_iter(), 3), ["T-shirt/top", "Trouser", "2"]);
        assert_eq!(named([&fashion[..], &animals[..]].into_iter(), 2), ["0", "1"]);
        assert_eq!(named([&[][..]].into_iter(), 2), ["0", "1"]);
    }
}
