//! The plane of a two-dimensional latent space, decoded.

use record::ArrayName;

use super::facets::{self, Along};
use super::labels::{self, LABEL, Titles};
use super::{Choice, Drawn, PAGE, Page, Shown};
use crate::colour::INK;
use crate::drawing::{Anchor, Drawing, NORMAL, WIDTH};
use crate::notes;
use crate::records::Group;
use crate::setting::LATENT_DIM;
use crate::tiles::{ImageStack, Zoom, sheet};

/// Room for an axis' name, in points.
const NAME: f64 = 11.0;
/// The widest plane, in points.
const WIDEST: f64 = 290.0;

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let is_plane = |group: &Group| group.number(LATENT_DIM) == Some(2.0);
    choice.keep("not of two latent dimensions", "no run has latent dimension 2", is_plane)?;
    let none = "the runs with latent dimension 2 have stored no manifold";
    choice.keep("no stored manifold", none, |group| group.images(ArrayName::Manifold).is_some())?;
    let chosen = choice.groups.as_slice();
    let planes: Vec<(&Group, &ImageStack)> =
        chosen.iter().filter_map(|group| Some((*group, group.images(ArrayName::Manifold)?))).collect();
    let Some((_, first)) = planes.first() else { return Err(none.to_owned()) };
    let along = Along::choose(chosen);
    let (columns, zoom, stride) = layout(first, planes.len());
    let side = first.n.isqrt().div_ceil(stride);
    let (wide, tall) = (side as f64 * zoom.points(first.width), side as f64 * zoom.points(first.height));
    let used = columns as f64 * (NAME + wide) + 8.0 * (columns - 1) as f64;
    let start = ((WIDTH - used) / 2.0).max(0.0);

    let mut pages = Vec::new();
    let (mut drawing, mut shown) = (Drawing::new(), Vec::new());
    let mut top = 2.0;
    let titled = planes.len() > 1;
    for (row, chunk) in planes.chunks(columns).enumerate() {
        if row > 0 && top + LABEL + tall + NAME > PAGE {
            drawing.height = top;
            pages.push((std::mem::take(&mut drawing), std::mem::take(&mut shown)));
            top = 2.0;
        }
        let title = |(column, (group, _)): (usize, &(&Group, &ImageStack))| {
            format!("({}) {}", labels::letter(row * columns + column), facets::title(group, chosen, &along))
        };
        let titles = Titles::of(chunk.iter().enumerate().map(title), wide + NAME);
        if titled {
            top += LABEL - 1.0 + titles.extra;
        }
        for (column, (group, manifold)) in chunk.iter().enumerate() {
            let called = titled.then(|| facets::title(group, chosen, &along));
            shown.push(Shown::new(group, called));
            let left = start + NAME + column as f64 * (wide + NAME + 8.0);
            let middle = left + wide / 2.0;
            if titled {
                titles.draw(&mut drawing, column, (middle, top - 4.0));
            }
            let indices: Vec<usize> = kept(manifold.n.isqrt(), stride);
            drawing.image((left, top), sheet(&manifold.pick(&indices), side, zoom, 0.0));
            drawing.text((middle, top + tall + 8.5), "z₁", NORMAL, INK, Anchor::Middle);
            drawing.upright((left - 4.5, top + tall / 2.0), "z₂", NORMAL, INK);
        }
        top += tall + NAME + 5.0;
    }
    drawing.height = top - 2.0;
    pages.push((drawing, shown));
    let caption = format!(
        "Decoder means on a {side} × {side} grid over the two latent dimensions, z₁ to the right and z₂ upwards{}, {}.",
        if titled {
            format!(", one plane per {}", facets::each(chosen))
        } else {
            format!(" ({})", facets::shared(chosen))
        },
        notes::seed_of_arrays(chosen)
    );
    let page = |(drawing, shown)| Page { drawing, caption: caption.clone(), shown };
    let pages = pages.into_iter().map(page).collect();
    Ok(choice.into_pages(pages))
}

/// Planes side by side, the zoom, and which images of the grid are kept (every one, every second, …).
fn layout(images: &ImageStack, n: usize) -> (usize, Zoom, usize) {
    let side = images.n.isqrt().max(1);
    let room = |columns: usize| {
        let room = (WIDTH - 4.0 - 8.0 * (columns - 1) as f64) / columns as f64 - NAME;
        room.min(WIDEST)
    };
    for stride in 1..=side {
        let n_kept = side.div_ceil(stride);
        for columns in (1..=n.clamp(1, 3)).rev() {
            let zoom = Zoom::fitting(images.width.max(images.height), room(columns) / n_kept as f64);
            if matches!(zoom, Zoom::Up(_)) {
                return (columns, zoom, stride);
            }
        }
    }
    (1, Zoom::fitting(images.width.max(images.height), room(1)), side)
}

/// The images of a square grid in every `stride`th row and column.
fn kept(side: usize, stride: usize) -> Vec<usize> {
    let steps = || (0..side).step_by(stride);
    steps().flat_map(|row| steps().map(move |column| row * side + column)).collect()
}
