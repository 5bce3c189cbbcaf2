//! Linear VAEs beside the closed form: the KL of each latent dimension, and rate against distortion with water-filling.

use spec::{Cell, Metric};

use super::facets::{self, Along, Level};
use super::{Choice, Drawn, Page, Shown};
use crate::axis::{PlotAxis, number, range};
use crate::closed_form::{WaterFilling, kl_per_dim, measured, predicted, squared_error};
use crate::colour::{self, Colour, GREY, INK};
use crate::drawing::{Drawing, Paper};
use crate::legend::{self, LegendEntry, Swatch};
use crate::marker::Marker;
use crate::notes;
use crate::panel::{Labels, Panel, y_label_room};
use crate::records::{Group, OverSeeds};
use crate::setting::LATENT_DIM;

/// Height of the panels, in points.
const HEIGHT: f64 = 165.0;

/// One group's points.
struct Model {
    colour: Colour,
    marker: Marker,
    /// By theory and as measured, of each latent dimension.
    kl: Vec<(f64, OverSeeds)>,
    /// As measured; `None` where the number of pixels is not known.
    rate_distortion: Option<(OverSeeds, OverSeeds)>,
}

/// Models of one variance and β, whatever their width.
struct Setting {
    level: Level,
    label: String,
    colour: Colour,
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let none = "no model is a linear VAE with a Gaussian of fixed variance on gray images";
    choice.keep("no closed form", none, |group| level(&group.cell).is_some())?;
    let none = "no finished run was measured against its closed form";
    choice.keep("not measured against the closed form", none, |group| !kl_per_dim(group).is_empty())?;
    let width = Along::path(LATENT_DIM);
    facets::thin(&mut choice, &width);
    let others = Along::all_but(&choice.groups, std::slice::from_ref(&width));
    facets::thin(&mut choice, &others);
    let (groups, paper) = (choice.groups.as_slice(), choice.paper);
    let settings = settings(groups, &others);
    let widths = facets::styles(groups, &width);
    let n_pixels = n_pixels(groups);
    let mut shown = Vec::new();
    let mut models = Vec::new();
    for group in groups {
        let setting = settings.iter().find(|setting| setting.level == others.level(group));
        let style = widths.iter().find(|style| style.level == width.level(group));
        let (Some(setting), Some(style)) = (setting, style) else { continue };
        shown.push(Shown::new(group, [setting.label.clone(), style.label.clone()]));
        models.push(Model {
            colour: setting.colour,
            marker: style.marker,
            kl: kl_per_dim(group),
            rate_distortion: n_pixels.and_then(|n_pixels| rate_distortion(group, n_pixels)),
        });
    }
    let curves: Vec<Vec<(f64, f64)>> = n_pixels
        .map_or_else(Vec::new, |n_pixels| water_filling(groups, n_pixels).iter().map(WaterFilling::curve).collect());
    let mut entries: Vec<LegendEntry> = settings
        .iter()
        .filter(|setting| !setting.label.is_empty())
        .map(|setting| LegendEntry::new(Swatch::Square(setting.colour), setting.label.clone()))
        .collect();
    entries
        .extend(widths.iter().map(|style| LegendEntry::new(Swatch::Marker(GREY, style.marker), style.label.clone())));
    entries.push(LegendEntry::new(Swatch::Line(INK, 0.7, None), "closed form"));
    let drawing = page(&models, &curves, &entries, paper);
    let caption = format!(
        "Linear VAEs on the training images after training against their optimum in closed form (Lucas et al. 2019); {}. {}: the KL of each \
         latent dimension, the largest first, against ½ ln(λᵢ/θ), and 0 where that is negative, with θ = βσ² and the eigenvalues λᵢ of the data's covariance; on \
         the line both are equal.{}",
        notes::seeds(groups, "small points"),
        if is_stacked(paper) { "Above" } else { "Left" },
        if curves.is_empty() {
            String::new()
        } else {
            let place = if is_stacked(paper) { "Below" } else { "Right" };
            format!(
                " {place}: the squared error per image, summed over its pixels (white is 1) at a draw of z, against the rate; the lines are reverse \
             water-filling for each latent width, with λᵢ and residual power from the closed form at the width's smallest θ."
            )
        },
    );
    Ok(choice.into_pages(vec![Page { drawing, caption, shown }]))
}

/// Whether one panel stands below the other.
fn is_stacked(paper: Paper) -> bool {
    paper.columns(2) < 2
}

/// The water level θ = βσ²; `None` for a model without a closed form.
fn level(cell: &Cell) -> Option<f64> {
    Some(cell.objective.beta * cell.closed_form_variance()?)
}

/// By θ, in an order of colours; more than one setting may have the same.
fn settings(groups: &[&Group], others: &Along) -> Vec<Setting> {
    let mut found: Vec<(Option<f64>, Level, String)> = Vec::new();
    for group in groups {
        let (theta, own) = (level(&group.cell), others.level(group));
        if !found.iter().any(|(_, known, _)| *known == own) {
            let label = match (others.is_empty(), theta) {
                (false, Some(theta)) => {
                    format!("{} (θ = {})", others.value(group), number((theta * 1e9).round() / 1e9))
                }
                _ => String::new(),
            };
            found.push((theta, own, label));
        }
    }
    found.sort_by(|(a, ..), (b, ..)| a.unwrap_or_default().total_cmp(&b.unwrap_or_default()));
    let n = found.len();
    let setting = |(index, (_, level, label))| Setting { level, label, colour: colour::ordered(index, n) };
    found.into_iter().enumerate().map(setting).collect()
}

/// Pixels of an image of these models, whose images are of one shape.
fn n_pixels(groups: &[&Group]) -> Option<usize> {
    let stored = groups.iter().find_map(|group| group.images(record::ArrayName::Samples));
    let stored = stored.map(|images| images.channels * images.height * images.width);
    stored.or_else(|| Some(groups.first()?.cell.dataset.name.known()?.image.n_pixels()))
}

/// KL in nats per image and squared error, as measured.
fn rate_distortion(group: &Group, n_pixels: usize) -> Option<(OverSeeds, OverSeeds)> {
    let variance = group.cell.closed_form_variance()?;
    let errors = measured(group, Metric::Reconstruction)?.values;
    let errors = errors.into_iter().map(|value| squared_error(value, variance, n_pixels)).collect();
    Some((measured(group, Metric::Kl)?, OverSeeds::of(Metric::Mse, errors)?))
}

/// Of each latent width and training images, from the model with the lowest level.
fn water_filling(groups: &[&Group], n_pixels: usize) -> Vec<WaterFilling> {
    let mut lowest: Vec<(f64, &Group)> = Vec::new();
    for group in groups {
        let Some(theta) = level(&group.cell) else { continue };
        let is_alike = |other: &Group| {
            other.cell.model.latent_dim == group.cell.model.latent_dim && other.cell.dataset == group.cell.dataset
        };
        match lowest.iter_mut().find(|(_, other)| is_alike(other)) {
            Some(known) if theta < known.0 => *known = (theta, group),
            Some(_) => {}
            None => lowest.push((theta, group)),
        }
    }
    let one = |(theta, group): (f64, &Group)| {
        let kl: Vec<f64> = kl_per_dim(group).into_iter().map(|(predicted, _)| predicted).collect();
        let variance = group.cell.closed_form_variance()?;
        let error = squared_error(predicted(group, Metric::Reconstruction)?, variance, n_pixels);
        Some(WaterFilling::new(&kl, error, theta))
    };
    lowest.into_iter().filter_map(one).collect()
}

fn page(models: &[Model], curves: &[Vec<(f64, f64)>], entries: &[LegendEntry], paper: Paper) -> Drawing {
    let mut drawing = Drawing::on(paper);
    let top = 3.0 + legend::draw(&mut drawing, entries, 2.0) + 6.0;
    let kl = || models.iter().flat_map(|model| &model.kl);
    let (_, most) = range(kl().flat_map(|(predicted, over)| over.extent().into_iter().chain([*predicted])));
    let axis = PlotAxis::between(-0.03 * most, 1.05 * most.max(1e-9), 6);
    let points = || models.iter().filter_map(|model| model.rate_distortion.as_ref());
    let rates = points().flat_map(|(rate, _)| rate.extent()).chain(curves.iter().flatten().map(|(rate, _)| *rate));
    let errors = points().flat_map(|(_, error)| error.extent()).chain(curves.iter().flatten().map(|(_, error)| *error));
    let (x, y) = (PlotAxis::around(rates, 6), PlotAxis::around(errors, 6));
    let (side, gap, right) = (14.0, 17.0, 8.0);
    let rooms = [y_label_room(&axis), y_label_room(&y)];
    let width = match is_stacked(paper) {
        true => paper.width - side - right - rooms[0].max(rooms[1]),
        false => (paper.width - 2.0 * side - gap - right - rooms[0] - rooms[1]) / 2.0,
    };

    let panel = Panel { left: side + rooms[0], top, width, height: HEIGHT, x: axis.clone(), y: axis };
    let labels = Labels {
        title: None,
        x: Some("KL of a dimension by theory (nats)"),
        y: Some("KL of a dimension, measured (nats)"),
        x_ticks: true,
        y_ticks: true,
    };
    panel.frame(&mut drawing, labels);
    panel.line(&mut drawing, &[(panel.x.low, panel.x.low), (panel.x.high, panel.x.high)], INK, 0.7, None);
    for model in models {
        for (predicted, over) in &model.kl {
            if let Some(interval) = over.interval() {
                panel.error_bar(&mut drawing, *predicted, interval, model.colour);
            }
            panel.singles(&mut drawing, *predicted, over.singles(), model.colour);
            model.marker.draw(&mut drawing, panel.at(*predicted, over.mean()), model.colour);
        }
    }
    drawing.height = panel.bottom() + 23.0;
    if points().next().is_none() {
        return drawing;
    }

    let (left, top) = match is_stacked(paper) {
        true => (side + rooms[1], panel.bottom() + 30.0),
        false => (panel.right() + gap + side + rooms[1], top),
    };
    let panel = Panel { left, top, width, height: HEIGHT, x, y };
    drawing.height = panel.bottom() + 23.0;
    let labels = Labels {
        title: None,
        x: Some("rate: KL (nats per image)"),
        y: Some("distortion: squared error per image"),
        x_ticks: true,
        y_ticks: true,
    };
    panel.frame(&mut drawing, labels);
    for curve in curves {
        panel.line(&mut drawing, curve, INK, 0.7, None);
    }
    for model in models {
        let Some((rate, error)) = &model.rate_distortion else { continue };
        if let Some(interval) = error.interval() {
            panel.error_bar(&mut drawing, rate.mean(), interval, model.colour);
        }
        if let Some((low, high)) = rate.interval() {
            panel.line(&mut drawing, &[(low, error.mean()), (high, error.mean())], model.colour, 0.7, None);
        }
        for (&rate, error) in rate.singles().iter().zip(error.singles()) {
            panel.singles(&mut drawing, rate, std::slice::from_ref(error), model.colour);
        }
        model.marker.draw(&mut drawing, panel.at(rate.mean(), error.mean()), model.colour);
    }
    drawing
}
