//! The plane of a two-dimensional latent space, decoded.

use record::ArrayName;
use spec::{LatentSpace, listed};

use super::facets::{self, Along};
use super::labels::{self, LABEL, Titles};
use super::{Choice, Drawn, Page, Shown, spread};
use crate::axis::{PlotAxis, fixed};
use crate::colour::{GREY, INK};
use crate::drawing::{Anchor, Drawing, NORMAL, Paper, SMALL};
use crate::font;
use crate::notes;
use crate::records::Group;
use crate::setting::LATENT_DIM;
use crate::tiles::{ImageStack, Zoom, sheet};

/// Room below a plane for the horizontal axis, in points.
const BELOW: f64 = 12.0;
/// Between planes side by side, in points.
const BETWEEN: f64 = 8.0;
/// The widest plane, in points.
const WIDEST: f64 = 290.0;
/// The largest image, in points.
const LARGEST: f64 = 40.0;
/// Length of ticks, in points.
const TICK: f64 = 2.2;
/// Ticks of an axis, at most.
const MAX_TICKS: usize = 4;

/// What is drawn of one model.
struct Plane<'a> {
    group: &'a Group,
    images: &'a ImageStack,
    /// z₁ of the columns and z₂ of the rows, both ascending; `None` where a run has not stored them.
    axes: Option<[Vec<f64>; 2]>,
}

impl<'a> Plane<'a> {
    fn of(group: &'a Group) -> Option<Plane<'a>> {
        let images = group.images(ArrayName::Manifold)?;
        let axis = |name: ArrayName| -> Option<Vec<f64>> {
            let mut places: Vec<f64> = group.arrays()?.1.vector(name)?.iter().map(|&z| f64::from(z)).collect();
            places.sort_by(f64::total_cmp);
            (places.len() == images.n.isqrt()).then_some(places)
        };
        let axes = axis(ArrayName::ManifoldZ1).zip(axis(ArrayName::ManifoldZ2)).map(|(z1, z2)| [z1, z2]);
        Some(Plane { group, images, axes })
    }

    fn side(&self) -> usize {
        self.images.n.isqrt().max(1)
    }

    /// The labels of both axes' ticks, each with how many images it lies from the beginning, when `kept` rows and columns
    /// are shown.
    fn ticks(&self, kept: &[usize]) -> [Vec<(f64, String)>; 2] {
        let of = |axis: &Vec<f64>| ticks(&kept.iter().filter_map(|&i| axis.get(i).copied()).collect::<Vec<_>>());
        self.axes.as_ref().map_or_else(Default::default, |axes| [of(&axes[0]), of(&axes[1])])
    }
}

/// Round values between the first and the last of some ascending places, each with its position in units of a place's width.
/// Where places lie unevenly, as quantiles do, so do round values.
fn ticks(places: &[f64]) -> Vec<(f64, String)> {
    let (Some(&low), Some(&high)) = (places.first(), places.last()) else { return Vec::new() };
    if !low.is_finite() || !high.is_finite() {
        return Vec::new();
    }
    if places.len() <= 2 || high <= low {
        return places.iter().enumerate().map(|(i, &z)| (i as f64 + 0.5, crate::axis::number(z))).collect();
    }
    let position = |z: f64| {
        let i = places.partition_point(|&place| place <= z).clamp(1, places.len() - 1) - 1;
        let step = places[i + 1] - places[i];
        i as f64 + 0.5 + if step > 0.0 { (z - places[i]) / step } else { 0.0 }
    };
    PlotAxis::between(low, high, MAX_TICKS).ticks.into_iter().map(|(z, label)| (position(z), label)).collect()
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let is_plane = |group: &Group| group.number(LATENT_DIM) == Some(2.0);
    choice.keep("not of two latent dimensions", "no run has latent dimension 2", is_plane)?;
    let none = "the runs with latent dimension 2 have stored no manifold";
    choice.keep("no stored manifold", none, |group| group.images(ArrayName::Manifold).is_some())?;
    let (chosen, paper) = (choice.groups.as_slice(), choice.paper);
    let planes: Vec<Plane<'_>> = chosen.iter().filter_map(|group| Plane::of(group)).collect();
    let along = Along::choose(chosen);
    let layout = Layout::of(&planes, paper);
    let titled = planes.len() > 1;
    let title = |plane: &Plane<'_>| facets::title(plane.group, chosen, &along);

    let mut pages = Vec::new();
    let (mut drawing, mut shown) = (Drawing::on(paper), Vec::new());
    let mut top = 2.0;
    for (row, chunk) in planes.chunks(layout.columns).enumerate() {
        let letter = |column: usize| labels::letter(row * layout.columns + column);
        let titles = chunk.iter().enumerate().map(|(column, plane)| format!("({}) {}", letter(column), title(plane)));
        let titles = Titles::of(titles, layout.pitch() - 4.0);
        let above = if titled { LABEL - 1.0 + titles.extra } else { 4.0 };
        if row > 0 && top + above + layout.tall + BELOW > paper.tall {
            drawing.height = top;
            pages.push((std::mem::replace(&mut drawing, Drawing::on(paper)), std::mem::take(&mut shown)));
            top = 2.0;
        }
        top += above;
        // A last row with fewer planes stands in the middle.
        let start = (paper.width + BETWEEN - layout.pitch() * chunk.len() as f64) / 2.0 + layout.left;
        for (column, plane) in chunk.iter().enumerate() {
            shown.push(Shown::new(plane.group, titled.then(|| title(plane))));
            let left = start + layout.pitch() * column as f64;
            if titled {
                titles.draw(&mut drawing, column, (left + layout.wide / 2.0, top - 4.0));
            }
            plane_at(&mut drawing, plane, &layout, (left, top));
        }
        top += layout.tall + BELOW + 5.0;
    }
    drawing.height = top - 2.0;
    pages.push((drawing, shown));
    let sides: Vec<String> = distinct(planes.iter().map(|plane| {
        let side = layout.kept(plane.side()).len();
        format!("{side} × {side}")
    }));
    let caption = format!(
        "Decoder means on a grid of {} points over the two latent dimensions, z₁ to the right and z₂ upwards{}, {}.{}",
        listed(&sides, "or"),
        if titled {
            format!(", one plane per {}", facets::each(chosen))
        } else {
            format!(" ({})", facets::shared(chosen))
        },
        notes::seed_of_arrays(chosen),
        distinct(planes.iter().map(reach)).concat()
    );
    let page = |(drawing, shown)| Page { drawing, caption: caption.clone(), shown };
    let pages = pages.into_iter().map(page).collect();
    Ok(choice.into_pages(pages))
}

fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// What a plane covers: a sentence.
fn reach(plane: &Plane<'_>) -> String {
    let Some([z1, _]) = &plane.axes else {
        return " Runs of earlier versions have not stored where their grid lies.".to_owned();
    };
    let end = |z: Option<&f64>| fixed(z.copied().unwrap_or(f64::NAN), 2);
    match plane.group.cell.model.latent_space() {
        Some(LatentSpace::Normal) => format!(
            " Under the prior N(0, I) the grid has equal steps of probability from the 5 % to the 95 % quantile, z from {} to {}.",
            end(z1.first()),
            end(z1.last())
        ),
        Some(LatentSpace::Learned) => {
            " Under a learned prior it has equal steps of probability from the 5 % to the 95 % quantile of each dimension, \
             measured on draws."
                .to_owned()
        }
        Some(LatentSpace::Bits) => " Latents that are bits have these values alone.".to_owned(),
        Some(LatentSpace::Codes) => {
            " An autoencoder has no prior: its grid has equal steps over the middle 99 % of the test images' codes.".to_owned()
        }
        None => String::new(),
    }
}

/// How planes stand on a page; every length is in points.
struct Layout {
    columns: usize,
    /// Rows and columns of a plane's grid that are shown, at most.
    most: usize,
    /// Room left of a plane.
    left: f64,
    /// The widest and the tallest plane.
    wide: f64,
    tall: f64,
}

impl Layout {
    fn of(planes: &[Plane<'_>], paper: Paper) -> Layout {
        // Rows that are full, as far as there is a way.
        let columns = match planes.len() {
            0 | 1 => 1,
            2 | 4 => 2,
            _ => 3,
        };
        let columns = paper.columns(columns);
        let width = |(_, label): &(f64, String)| font::width(label, SMALL);
        let all = |plane: &Plane<'_>| (0..plane.side()).collect::<Vec<_>>();
        let widest = planes.iter().flat_map(|plane| plane.ticks(&all(plane))[1].iter().map(width).collect::<Vec<_>>());
        let left = widest.fold(font::width("z₂", NORMAL), f64::max) + TICK + 2.0;
        let room = ((paper.width - 2.0 - BETWEEN * (columns - 1) as f64) / columns as f64 - left).min(WIDEST);
        let largest = planes.iter().max_by_key(|plane| plane.side());
        // The largest part of a grid, both ends included and evenly, in which a pixel is still a pixel.
        let side = largest.map_or(1, Plane::side);
        let pixels = |plane: &Plane<'_>| plane.images.width.max(plane.images.height);
        let is_even = |most: &usize| side < 2 || (side - 1).is_multiple_of(most - 1);
        let is_up = |most: &usize| {
            largest.is_none_or(|plane| matches!(Zoom::fitting(pixels(plane), room / *most as f64), Zoom::Up(_)))
        };
        let most = (2..=side.max(2)).rev().filter(is_even).find(is_up).unwrap_or(side);
        let mut layout = Layout { columns, most, left, wide: room, tall: room };
        let sizes: Vec<(f64, f64)> = planes.iter().map(|plane| layout.size(plane)).collect();
        layout.wide = sizes.iter().map(|(wide, _)| *wide).fold(0.0, f64::max);
        layout.tall = sizes.iter().map(|(_, tall)| *tall).fold(0.0, f64::max);
        layout
    }

    /// From a plane to the one beside it.
    fn pitch(&self) -> f64 {
        self.left + self.wide + BETWEEN
    }

    /// Which rows and columns of a grid are shown.
    fn kept(&self, side: usize) -> Vec<usize> {
        spread(&(0..side).collect::<Vec<_>>(), self.most)
    }

    fn zoom(&self, plane: &Plane<'_>) -> Zoom {
        let n = self.kept(plane.side()).len() as f64;
        Zoom::fitting(plane.images.width.max(plane.images.height), (self.wide.min(self.tall) / n).min(LARGEST))
    }

    /// Width and height of a plane.
    fn size(&self, plane: &Plane<'_>) -> (f64, f64) {
        let (n, zoom) = (self.kept(plane.side()).len() as f64, self.zoom(plane));
        (n * zoom.points(plane.images.width), n * zoom.points(plane.images.height))
    }
}

fn plane_at(drawing: &mut Drawing, plane: &Plane<'_>, layout: &Layout, (left, top): (f64, f64)) {
    let kept = layout.kept(plane.side());
    let side = plane.side();
    let indices: Vec<usize> =
        kept.iter().flat_map(|&row| kept.iter().map(move |&column| row * side + column)).collect();
    let zoom = layout.zoom(plane);
    let (wide, tall) = layout.size(plane);
    // A smaller plane stands in the middle of its room.
    let left = left + (layout.wide - wide) / 2.0;
    drawing.image((left, top), sheet(&plane.images.pick(&indices), kept.len(), zoom, 0.0));
    let bottom = top + tall;
    let [across, up] = plane.ticks(&kept);
    let mut free = left - 4.0;
    for (position, label) in &across {
        let x = left + position / kept.len() as f64 * wide;
        drawing.path(vec![(x, bottom), (x, bottom + TICK)], GREY, 0.5);
        let half = font::width(label, SMALL) / 2.0;
        if x - half >= free && x + half <= left + wide - 10.0 {
            drawing.text((x, bottom + TICK + 7.4), label, SMALL, INK, Anchor::Middle);
            free = x + half + 3.0;
        }
    }
    let mut free = bottom + 4.0;
    for (position, label) in &up {
        let y = bottom - position / kept.len() as f64 * tall;
        drawing.path(vec![(left - TICK, y), (left, y)], GREY, 0.5);
        if y + 3.5 <= free && y - 3.5 >= top + 7.0 {
            drawing.text((left - TICK - 1.6, y + 0.36 * SMALL), label, SMALL, INK, Anchor::End);
            free = y - 4.5;
        }
    }
    drawing.text((left + wide, bottom + TICK + 7.4), "z₁", NORMAL, INK, Anchor::End);
    drawing.text((left - TICK - 1.6, top + 5.5), "z₂", NORMAL, INK, Anchor::End);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_values_lie_where_uneven_places_put_them() {
        let quantiles = [-1.6, -0.8, 0.0, 0.8, 1.6];
        let found = ticks(&quantiles);
        let labels: Vec<&str> = found.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["−1", "0", "1"]);
        for ((position, _), expected) in found.iter().zip([1.25, 2.5, 3.75]) {
            assert!((position - expected).abs() < 1e-9, "{found:?}");
        }
        assert_eq!(ticks(&[0.0, 1.0]), [(0.5, "0".to_owned()), (1.5, "1".to_owned())]);
        assert_eq!(ticks(&[f64::NAN, 1.0, 2.0]), []);
        assert_eq!(ticks(&[2.0, 2.0, 2.0]).len(), 3);
    }
}
