//! Posterior means of test images in two latent dimensions, coloured by class.

use super::facets::{self, Along};
use super::labels::{self, LABEL, Titles};
use super::{Choice, Drawn, PAGE, Page, Shown};
use crate::arrays::{Latents, RunArrays};
use crate::axis::{PlotAxis, range};
use crate::colour::{self, BLUE, Colour, N_CLASSES};
use crate::drawing::{Drawing, Mark, WIDTH};
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
const MIN_POINTS: usize = 500;
/// The most points in a panel: more would only cover one another.
const MAX_POINTS_PER_PANEL: usize = 3000;

/// One panel's points.
struct Cloud {
    label: String,
    shown: Shown,
    /// Which two dimensions, counted from 1.
    dims: (usize, usize),
    points: Vec<(f64, f64, Colour)>,
}

impl Cloud {
    /// Axes around the points, both of one length, so that distances compare; of at least one unit, which is the prior's
    /// standard deviation, so that a collapsed posterior looks it.
    fn axes(&self) -> (PlotAxis, PlotAxis) {
        let (left, right) = range(self.points.iter().map(|(x, ..)| *x));
        let (low, high) = range(self.points.iter().map(|(_, y, _)| *y));
        let reach = 0.55 * (right - left).max(high - low).max(1.0);
        let around = |from: f64, to: f64| PlotAxis::between((from + to) / 2.0 - reach, (from + to) / 2.0 + reach, 4);
        (around(left, right), around(low, high))
    }
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    choice.keep_with_arrays()?;
    let none = "no finished run has stored latents of two dimensions or more";
    let has = |g: &Group| g.arrays().is_some_and(|(_, a)| a.latents.as_ref().is_some_and(|z| z.dim >= 2 && z.n > 0));
    choice.keep("no stored latents of two dimensions or more", none, has)?;
    let groups = choice.groups.as_slice();
    let along = Along::choose(groups);
    let blocks = facets::rows(groups, std::slice::from_ref(&along));
    let columns = facets::columns(&blocks, MAX_COLUMNS);
    let rows: Vec<(String, Vec<&Group>)> = blocks
        .iter()
        .flat_map(|block| {
            block.groups.chunks(columns).map(|chunk| (block.label.clone(), chunk.to_vec())).collect::<Vec<_>>()
        })
        .collect();
    let n_classes = groups.iter().filter_map(|g| classes(g.arrays()?.1)).max();
    let coloured = n_classes.is_some_and(|n| n <= N_CLASSES);
    let per_page = (((PAGE - 40.0) / (panel_size(columns) + LABEL + 26.0)) as usize).max(1);
    let n_panels: usize = rows.iter().take(per_page).map(|(_, groups)| groups.len()).sum();
    let n_points = (MAX_POINTS / n_panels.max(1)).clamp(MIN_POINTS, MAX_POINTS_PER_PANEL);
    let (mut shown, mut stored) = (0, 0);
    let clouds: Vec<(String, Vec<Cloud>)> = rows
        .into_iter()
        .map(|(label, groups)| {
            let cloud = |group: &&Group| {
                let (_, arrays) = group.arrays()?;
                let latents = arrays.latents.as_ref()?;
                (shown, stored) = (latents.n.min(n_points), latents.n);
                let labels = arrays.labels.as_deref().filter(|_| coloured);
                let title = along.value(group);
                let shown = Shown::new(group, [label.clone(), title.clone()]);
                Some(cloud(latents, labels, n_points, title, shown))
            };
            let clouds = groups.iter().filter_map(cloud).collect();
            (label, clouds)
        })
        .collect();
    let caption = format!(
        "Posterior means of {shown} of {stored} test images{}, {}. Latent dimensions are counted from 1; where there are \
         more than two, those are shown whose mean varies most over the images.",
        match n_classes {
            Some(_) if coloured => ", coloured by class".to_owned(),
            Some(n) => format!("; {n} classes are too many to colour"),
            None => "; the data has no classes".to_owned(),
        },
        notes::seed_of_arrays(groups)
    );
    let n_coloured = if coloured { n_classes.unwrap_or(0) } else { 0 };
    let pages = clouds.chunks(per_page).map(|rows| Page {
        drawing: page(rows, columns, n_coloured),
        caption: caption.clone(),
        shown: rows.iter().flat_map(|(_, clouds)| clouds).map(|cloud| cloud.shown.clone()).collect(),
    });
    let pages = pages.collect();
    Ok(choice.into_pages(pages))
}

/// How many classes the labels name.
fn classes(arrays: &RunArrays) -> Option<usize> {
    arrays.labels.as_ref()?.iter().max().map(|&most| usize::from(most) + 1)
}

/// Coloured by the images' classes where there are `labels`.
fn cloud(latents: &Latents, labels: Option<&[u8]>, n_points: usize, label: String, shown: Shown) -> Cloud {
    let Latents { n, dim, .. } = *latents;
    let at = |image: usize, d: usize| f64::from(latents.mean[image * dim + d]);
    let variance = |d: usize| {
        let mean = (0..n).map(|i| at(i, d)).sum::<f64>() / n as f64;
        (0..n).map(|i| (at(i, d) - mean).powi(2)).sum::<f64>() / n as f64
    };
    let mut order: Vec<(usize, f64)> = (0..dim).map(|d| (d, variance(d))).collect();
    if dim > 2 {
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
    }
    let (first, second) = (order[0].0, order[1].0);
    let class = |image: usize| labels?.get(image).map(|&class| usize::from(class));
    let colour = |image: usize| class(image).map_or(BLUE, colour::class);
    let points = super::spread(&(0..n).collect::<Vec<_>>(), n_points)
        .into_iter()
        .map(|image| (at(image, first), at(image, second), colour(image)))
        .filter(|(x, y, _)| x.is_finite() && y.is_finite())
        .collect();
    Cloud { label, shown, dims: (first + 1, second + 1), points }
}

const LEFT: f64 = 30.0;
const BETWEEN: f64 = 4.0;

fn panel_size(columns: usize) -> f64 {
    ((WIDTH - 6.0 - BETWEEN * (columns - 1) as f64) / columns as f64 - LEFT).min(200.0)
}

fn page(rows: &[(String, Vec<Cloud>)], columns: usize, n_classes: usize) -> Drawing {
    let mut drawing = Drawing::new();
    let mut top = 4.0;
    if n_classes > 0 {
        let mut entries = vec![LegendEntry::new(Swatch::Heading, "class")];
        let entry =
            |class: usize| LegendEntry::new(Swatch::Marker(colour::class(class), Marker::Disc), class.to_string());
        entries.extend((0..n_classes).map(entry));
        top = 3.0 + legend::draw(&mut drawing, &entries, 2.0) + 3.0;
    }
    let size = panel_size(columns);
    let start = (WIDTH - (size + LEFT) * columns as f64 - BETWEEN * (columns - 1) as f64) / 2.0;
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
            let (x, y) = cloud.axes();
            let left = start + LEFT + column as f64 * (size + LEFT + BETWEEN);
            let panel = Panel { left, top, width: size, height: size, x, y };
            let (x, y) = (subscript(cloud.dims.0), subscript(cloud.dims.1));
            let labels = Labels { title: None, x: Some(&x), y: Some(&y), x_ticks: true, y_ticks: true };
            panel.frame(&mut drawing, labels);
            titles.draw(&mut drawing, column, (left + size / 2.0, top - 4.0));
            for &(x, y, colour) in &cloud.points {
                drawing.marks.push(Mark::Dot { at: panel.at(x, y), radius: 0.6, colour, opacity: 1.0 });
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
