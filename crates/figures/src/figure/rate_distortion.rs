//! Rate against distortion: KL and reconstruction at the end, a line through the β of each latent dimension.

use spec::Metric;

use super::facets::{self, Along, Facet, Style};
use super::labels::{LABEL, Titles};
use super::{Page, Pages};
use crate::axis::{PlotAxis, fixed, number, range};
use crate::colour::{GREY, INK};
use crate::drawing::{Anchor, Drawing, SMALL, WIDTH};
use crate::font;
use crate::legend::{self, LegendEntry, Swatch};
use crate::notes;
use crate::panel::{Labels, Panel, y_label_room};
use crate::records::{Group, interval, numbers};
use crate::setting::{BETA, LATENT_DIM};
use record::summary::Estimate;

/// One line: its look and its points by β.
struct Line {
    style: Style,
    points: Vec<RatePoint>,
}

/// One group's numbers.
struct RatePoint {
    beta: f64,
    kl: Estimate,
    reconstruction: Estimate,
}

pub fn draw(groups: &[&Group]) -> Pages {
    let has_both = |g: &&Group| g.last(Metric::Kl).is_some() && g.last(Metric::Reconstruction).is_some();
    let groups: &[&Group] = &groups.iter().copied().filter(has_both).collect::<Vec<_>>();
    if groups.is_empty() {
        return Err("no finished run has both a reconstruction and a KL".to_owned());
    }
    let betas = numbers(groups, BETA);
    if betas.len() < 2 {
        return Err(format!("there is a single β ({})", betas.first().map_or_else(String::new, |b| number(*b))));
    }
    let (beta, latent_dim) = (Along::path(BETA), Along::path(LATENT_DIM));
    let styles = facets::styles(groups, &latent_dim);
    let mut pages = Vec::new();
    for Facet { label, groups: of_page } in facets::rows(groups, &[beta, latent_dim.clone()]) {
        let mut lines: Vec<Line> = styles.iter().map(|s| Line { style: s.clone(), points: Vec::new() }).collect();
        for group in of_page {
            let line = lines.iter_mut().find(|line| line.style.level == latent_dim.level(group));
            let (Some(line), Some(beta), Some(kl), Some(reconstruction)) =
                (line, group.number(BETA), group.last(Metric::Kl), group.last(Metric::Reconstruction))
            else {
                continue;
            };
            line.points.push(RatePoint { beta, kl, reconstruction });
        }
        lines.retain(|line| !line.points.is_empty());
        // A single point is beside nothing that it could be compared with.
        if lines.iter().map(|line| line.points.len()).sum::<usize>() < 2 {
            continue;
        }
        for line in &mut lines {
            line.points.sort_by(|a, b| a.beta.total_cmp(&b.beta));
        }
        let caption = format!(
            "Rate against distortion on the test images after training, in nats per image{}; {}. Each line runs through \
             β = {}; on a dotted line the ELBO is constant, and it is better further down and to the left.",
            if label.is_empty() { String::new() } else { format!(" ({label})") },
            notes::seeds(groups),
            betas.iter().map(|b| number(*b)).collect::<Vec<_>>().join(", "),
        );
        pages.push(Page { drawing: page(&lines, &label), caption });
    }
    if pages.is_empty() { Err("no variant was trained with more than one β".to_owned()) } else { Ok(pages) }
}

fn page(lines: &[Line], title: &str) -> Drawing {
    let mut drawing = Drawing::new();
    let entries: Vec<LegendEntry> = lines
        .iter()
        .map(|l| LegendEntry::new(Swatch::Marked(l.style.colour, l.style.marker), l.style.label.clone()))
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
    let ends = |e: &Estimate| [interval(e).0, interval(e).1];
    let (low, high) = range(points().flat_map(|p| ends(&p.kl)));
    let pad = 0.06 * (high - low).max(1e-9);
    let x = PlotAxis::between(low - pad, high + pad, 7);
    // Room below for the names of β.
    let (low, high) = range(points().flat_map(|p| ends(&p.reconstruction)));
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
        let means: Vec<(f64, f64)> = line.points.iter().map(|p| (p.kl.mean, p.reconstruction.mean)).collect();
        panel.line(&mut drawing, &means, line.style.colour, 1.0, None);
        for p in &line.points {
            if p.reconstruction.half_width.is_some() {
                panel.error_bar(&mut drawing, p.kl.mean, interval(&p.reconstruction), line.style.colour);
            }
            if p.kl.half_width.is_some() {
                let (low, high) = interval(&p.kl);
                panel.line(
                    &mut drawing,
                    &[(low, p.reconstruction.mean), (high, p.reconstruction.mean)],
                    line.style.colour,
                    0.7,
                    None,
                );
            }
            line.style.marker.draw(&mut drawing, panel.at(p.kl.mean, p.reconstruction.mean), line.style.colour);
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

/// The β of the points on the longest line, beside them.
fn name_betas(drawing: &mut Drawing, panel: &Panel, lines: &[Line]) {
    let Some(line) = lines.iter().max_by(|a, b| reach(a).total_cmp(&reach(b))) else { return };
    for p in &line.points {
        let (x, y) = panel.at(p.kl.mean, p.reconstruction.mean);
        let text = format!("β = {}", number(p.beta));
        // The line falls to the right, so that it leaves both of these corners free.
        let fits = x - 5.0 - font::width(&text, SMALL) > panel.left && y + SMALL + 4.0 < panel.bottom();
        if fits {
            drawing.text((x - 4.0, y + SMALL + 1.5), text, SMALL, INK, Anchor::End);
        } else {
            drawing.text((x + 4.0, y - 4.0), text, SMALL, INK, Anchor::Start);
        }
    }
}

fn reach(line: &Line) -> f64 {
    let (low, high) = range(line.points.iter().map(|p| p.kl.mean));
    high - low
}
