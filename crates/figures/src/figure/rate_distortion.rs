//! Rate against distortion: KL and reconstruction at the end, a line through the β of whatever else differs.

use spec::Metric;

use super::facets::{self, Along, Facet, MAX_LINES};
use super::labels::{LABEL, Titles};
use super::{Choice, Drawn, Page, Shown};
use crate::axis::{PlotAxis, fixed, number, range};
use crate::colour::{self, Colour, GREY, INK};
use crate::drawing::{Anchor, Drawing, SMALL, WIDTH};
use crate::font;
use crate::legend::{self, LegendEntry, Swatch};
use crate::marker::Marker;
use crate::notes;
use crate::panel::{Labels, Panel, y_label_room};
use crate::records::{Group, OverSeeds, numbers};
use crate::setting::{BETA, LATENT_DIM};

/// One line: its look and its points by β.
struct Line {
    label: String,
    colour: Colour,
    marker: Marker,
    points: Vec<RatePoint>,
    shown: Vec<Shown>,
}

/// One group's numbers.
struct RatePoint {
    beta: f64,
    kl: OverSeeds,
    reconstruction: OverSeeds,
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let none = "no finished run has both a reconstruction and a KL";
    choice.keep("no KL beside a reconstruction", none, |group| point(group).is_some())?;
    if let [beta] = numbers(&choice.groups, BETA).as_slice() {
        return Err(format!("there is a single β ({})", number(*beta)));
    }
    let (beta, latent_dim) = (Along::path(BETA), Along::path(LATENT_DIM));
    // All on one page where there is room for as many lines, else a page for each of the other settings.
    let is_one = facets::rows(&choice.groups, std::slice::from_ref(&beta)).len() <= MAX_LINES;
    if !is_one {
        facets::thin(&mut choice, &latent_dim);
    }
    let groups = choice.groups.as_slice();
    let facets = match is_one {
        true => vec![Facet { label: String::new(), groups: groups.to_vec() }],
        false => facets::rows(groups, &[beta.clone(), latent_dim]),
    };
    let pages = facets.iter().map(|facet| {
        let lines = lines(facet, &beta, groups);
        let caption = format!(
            "Rate against distortion on the test images after training, in nats per image{}; {}.{} On a dotted line the \
             ELBO is constant, and it is better further down and to the left.",
            if facet.label.is_empty() { String::new() } else { format!(" ({})", facet.label) },
            notes::seeds(&facet.groups, "small points"),
            match betas(lines.iter().map(|line| &line.points)) {
                Some(betas) => format!(" Each line runs through β = {betas}."),
                None => " Lines run through the β of models that share all else.".to_owned(),
            },
        );
        let shown = lines.iter().flat_map(|line| line.shown.clone()).collect();
        Page { drawing: page(&lines, &facet.label), caption, shown }
    });
    let pages = pages.collect();
    Ok(choice.into_pages(pages))
}

/// `None` for a model without a KL, a reconstruction or a β.
fn point(group: &Group) -> Option<RatePoint> {
    let (kl, reconstruction) = (group.last(Metric::Kl)?, group.last(Metric::Reconstruction)?);
    Some(RatePoint { beta: group.number(BETA)?, kl, reconstruction })
}

/// The lines of a page; one that is alone is called by what its models share.
fn lines(facet: &Facet<'_>, beta: &Along, all: &[&Group]) -> Vec<Line> {
    let rows = facets::rows(&facet.groups, std::slice::from_ref(beta));
    let latent_dim = Along::path(LATENT_DIM);
    // Only the latent dimension tells the lines apart: they have the looks that they have on other pages.
    let is_quantity = Along::others(&facet.groups, &[]).is_empty();
    let styles = facets::styles(all, &latent_dim);
    let points_of = |row: &Facet<'_>| {
        let mut points: Vec<RatePoint> = row.groups.iter().filter_map(|group| point(group)).collect();
        points.sort_by(|a, b| a.beta.total_cmp(&b.beta));
        points
    };
    let shares_betas = betas(rows.iter().map(points_of)).is_some();
    let one = |(index, row): (usize, &Facet<'_>)| {
        let style = styles.iter().find(|style| is_quantity && style.level == latent_dim.level(row.groups[0]));
        let (colour, marker) =
            style.map_or((colour::category(index), Marker::of(index)), |style| (style.colour, style.marker));
        let points = points_of(row);
        let label = if rows.len() > 1 { row.label.clone() } else { facets::shared(&facet.groups) };
        let label = match betas([&points]) {
            Some(betas) if !shares_betas => format!("{label} (β = {betas})"),
            _ => label,
        };
        let at = |group: &Group| number(group.number(BETA).unwrap_or_default());
        let shown = row.groups.iter().map(|group| Shown::new(group, [facet.label.clone(), label.clone(), at(group)]));
        Line { shown: shown.collect(), label, colour, marker, points }
    };
    rows.iter().enumerate().map(one).collect()
}

/// The β of a line's points, where all lines have the same: `0.5, 1, 4`.
fn betas(lines: impl IntoIterator<Item = impl AsRef<[RatePoint]>>) -> Option<String> {
    let of = |points: &[RatePoint]| points.iter().map(|point| number(point.beta)).collect::<Vec<_>>().join(", ");
    let mut lines = lines.into_iter().map(|points| of(points.as_ref()));
    let first = lines.next()?;
    lines.all(|line| line == first).then_some(first)
}

fn page(lines: &[Line], title: &str) -> Drawing {
    let mut drawing = Drawing::new();
    let entries: Vec<LegendEntry> = lines
        .iter()
        .map(|l| LegendEntry::new(Swatch::Marked(l.colour, l.marker), l.label.clone()))
        .chain([LegendEntry::new(Swatch::Line(GREY, 0.5, Some((1.2, 2.4))), "constant ELBO")])
        .collect();
    let mut top = 3.0 + legend::draw(&mut drawing, &entries, 2.0) + 5.0;
    if !title.is_empty() {
        let titles = Titles::of([title.to_owned()], WIDTH - 16.0);
        top += titles.extra;
        titles.draw(&mut drawing, 0, (WIDTH / 2.0, top + 6.0));
        top += LABEL;
    }
    let points = || lines.iter().flat_map(|line| &line.points);
    let (low, high) = range(points().flat_map(|p| p.kl.extent()));
    let pad = 0.06 * (high - low).max(1e-9);
    let x = PlotAxis::between(low - pad, high + pad, 7);
    // Room below for the names of β.
    let (low, high) = range(points().flat_map(|p| p.reconstruction.extent()));
    let pad = 0.06 * (high - low).max(1e-9);
    let y = PlotAxis::between(low - 1.6 * pad, high + pad, 6);
    let left = 34.0f64.max(16.0 + y_label_room(&y));
    let panel = Panel { left, top, width: WIDTH - left - 40.0, height: 190.0, x, y };
    let labels = Labels {
        title: None,
        x: Some("rate: KL (nats per image)"),
        y: Some("distortion: reconstruction (nats per image)"),
        x_ticks: true,
        y_ticks: true,
    };
    panel.frame(&mut drawing, labels);
    guides(&mut drawing, &panel);
    for line in lines {
        let means: Vec<(f64, f64)> = line.points.iter().map(|p| (p.kl.mean(), p.reconstruction.mean())).collect();
        panel.line(&mut drawing, &means, line.colour, 1.0, None);
        for p in &line.points {
            if let Some(interval) = p.reconstruction.interval() {
                panel.error_bar(&mut drawing, p.kl.mean(), interval, line.colour);
            }
            if let Some((low, high)) = p.kl.interval() {
                let ends = [(low, p.reconstruction.mean()), (high, p.reconstruction.mean())];
                panel.line(&mut drawing, &ends, line.colour, 0.7, None);
            }
            for (&kl, reconstruction) in p.kl.singles().iter().zip(p.reconstruction.singles()) {
                panel.singles(&mut drawing, kl, std::slice::from_ref(reconstruction), line.colour);
            }
            line.marker.draw(&mut drawing, panel.at(p.kl.mean(), p.reconstruction.mean()), line.colour);
        }
    }
    name_betas(&mut drawing, &panel, lines);
    drawing.height = panel.bottom() + 23.0;
    drawing
}

/// Lines of constant ELBO, at round values, named at the panel's right edge or above it.
fn guides(drawing: &mut Drawing, panel: &Panel) {
    let (x, y) = (&panel.x, &panel.y);
    let axis = PlotAxis::between(x.low + y.low, x.high + y.high, 10);
    let mut previous = f64::INFINITY;
    // How far left of where a guide meets the lower edge it has risen above a line of text.
    let aside = (SMALL + 3.0) * (panel.width / (x.high - x.low)) / (panel.height / (y.high - y.low));
    for (sum, _) in &axis.ticks {
        // reconstruction = sum − KL
        let ends = [(x.low, sum - x.low), (x.high, sum - x.high)];
        panel.line(drawing, &ends, GREY, 0.4, Some((1.2, 2.4)));
        let text = fixed(-sum, usize::from(sum.fract().abs() > 1e-9));
        let (edge_x, edge_y) = panel.at(x.high, sum - x.high);
        let (foot_x, foot_y) = panel.at(sum - y.low, y.low);
        if (panel.top..=panel.bottom()).contains(&edge_y) {
            if previous - edge_y > SMALL + 1.0 {
                drawing.text((edge_x + 3.0, edge_y + 0.36 * SMALL), text, SMALL, GREY, Anchor::Start);
                previous = edge_y;
            }
        } else if foot_x - aside - font::width(&text, SMALL) > panel.left && foot_x < panel.right() {
            drawing.text((foot_x - aside, foot_y - 2.0), text, SMALL, GREY, Anchor::End);
        }
    }
    if previous - panel.top > 2.5 * SMALL {
        drawing.text((panel.right() + 3.0, panel.top + 1.0), "ELBO", SMALL, GREY, Anchor::Start);
    }
}

/// The β of the points beside them, from the longest line on, as far as they do not cover one another.
fn name_betas(drawing: &mut Drawing, panel: &Panel, lines: &[Line]) {
    let mut ordered: Vec<&Line> = lines.iter().collect();
    ordered.sort_by(|a, b| reach(b).total_cmp(&reach(a)));
    let markers: Vec<(f64, f64)> =
        lines.iter().flat_map(|line| &line.points).map(|p| panel.at(p.kl.mean(), p.reconstruction.mean())).collect();
    let mut taken: Vec<[f64; 4]> = markers.iter().map(|(x, y)| [x - 2.0, y - 2.0, x + 2.0, y + 2.0]).collect();
    for p in ordered.into_iter().flat_map(|line| &line.points) {
        let (x, y) = panel.at(p.kl.mean(), p.reconstruction.mean());
        let text = format!("β = {}", number(p.beta));
        let width = font::width(&text, SMALL);
        // Lines fall to the right, so that they leave both of these corners free.
        let below = [x - 4.0 - width, y + 1.5, x - 4.0, y + SMALL + 2.0];
        let above = [x + 4.0, y - SMALL - 4.0, x + 4.0 + width, y - 3.5];
        let is_free = |place: &[f64; 4]| {
            let is_apart = |other: &[f64; 4]| {
                place[2] < other[0] || other[2] < place[0] || place[3] < other[1] || other[3] < place[1]
            };
            place[0] > panel.left
                && place[2] < panel.right() + 30.0
                && place[3] < panel.bottom()
                && taken.iter().all(is_apart)
        };
        let Some(place) = [below, above].into_iter().find(is_free) else { continue };
        drawing.text((place[0], place[3] - 1.5), text, SMALL, INK, Anchor::Start);
        taken.push(place);
    }
}

fn reach(line: &Line) -> f64 {
    let (low, high) = range(line.points.iter().map(|p| p.kl.mean()));
    high - low
}
