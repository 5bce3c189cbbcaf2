//! Explained power of the three bands of spatial frequency against the KL, a line through the β of whatever else differs.

use spec::metric::Band;
use spec::{Metric, MetricSettings, Split};

use super::labels::{LABEL, Titles};
use super::through_betas::{self, BetaPage};
use super::{Choice, Drawn, Page};
use crate::axis::{PlotAxis, number, range};
use crate::colour::GREY;
use crate::drawing::{Drawing, Paper};
use crate::legend;
use crate::notes;
use crate::panel::{Labels, Panel, x_label_overhang, y_label_room};
use crate::records::{Group, OverSeeds};

/// A panel each.
const BANDS: [Band; 3] = [Band::Low, Band::Middle, Band::High];
/// Height of the panels, in points.
const HEIGHT: f64 = 130.0;

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let none = "the explained power of no finished run with a KL was measured";
    let has = |group: &Group| kl(group).is_some() && BANDS.iter().any(|band| explained(group, *band).is_some());
    choice.keep("no explained power beside a KL", none, has)?;
    let paper = choice.paper;
    let pages = through_betas::pages(&mut choice)?;
    let page = |of: &BetaPage<'_>| {
        let caption = format!(
            "Explained power of reconstructions, decoded at the posterior's mean, against the rate: 1 − power of the residual/power of the \
             test images, in three bands of spatial frequency{}; {}.{} Dotted: 1, where nothing is lost; at 0 a reconstruction is as good as the mean image.",
            if of.label.is_empty() { String::new() } else { format!(" ({})", of.label) },
            notes::seeds(&of.groups, "small points"),
            of.sentence(),
        );
        Page { drawing: drawing(of, paper), caption, shown: of.shown() }
    };
    let pages = pages.iter().map(page).collect();
    Ok(choice.into_pages(pages))
}

fn kl(group: &Group) -> Option<OverSeeds> {
    group.last(Metric::Kl)
}

fn explained(group: &Group, band: Band) -> Option<OverSeeds> {
    group.measured(Metric::ExplainedPower, Split::Test, &MetricSettings::band(band))
}

/// `low: below 0.09 cycles per pixel`, in words that fit above a panel.
fn title(band: Band) -> String {
    let [low, high] = Band::EDGES.map(number);
    match band {
        Band::Low => format!("low: below {low}"),
        Band::Middle => format!("middle: {low} to {high}"),
        Band::High => format!("high: above {high} cycles/pixel"),
    }
}

fn drawing(page: &BetaPage<'_>, paper: Paper) -> Drawing {
    let mut drawing = Drawing::on(paper);
    let mut top = 3.0 + legend::draw(&mut drawing, &page.entries(), 2.0) + 13.0;
    if !page.label.is_empty() {
        let titles = Titles::of([page.label.clone()], paper.width - 16.0);
        titles.draw(&mut drawing, 0, (paper.width / 2.0, top - 2.0 + titles.extra));
        top += titles.extra + LABEL;
    }
    let groups = || page.lines.iter().flat_map(|line| &line.groups).copied();
    let (low, high) = range(groups().filter_map(kl).flat_map(|over| over.extent()));
    let pad = 0.06 * (high - low).max(1e-9);
    let x = PlotAxis::between(low - pad, high + pad, 5);
    // One axis, so that the bands compare.
    let explained_by_all = groups().flat_map(|group| BANDS.into_iter().filter_map(move |band| explained(group, band)));
    let y = PlotAxis::around(explained_by_all.flat_map(|over| over.extent()).chain([1.0]), 6);
    let (side, gap, right) = (12.0, 11.0, (x_label_overhang(&x) + 1.0).max(6.0));
    let n_columns = paper.per_row(BANDS.len());
    let n = n_columns as f64;
    let width = (paper.width - side - right - y_label_room(&y) - gap * (n - 1.0)) / n;
    let mut left = side + y_label_room(&y);
    for (index, band) in BANDS.into_iter().enumerate() {
        let is_first = index % n_columns == 0;
        if is_first && index > 0 {
            top += HEIGHT + 23.0 + LABEL;
            left = side + y_label_room(&y);
        }
        let panel = Panel { left, top, width, height: HEIGHT, x: x.clone(), y: y.clone() };
        let labels = Labels {
            title: Some(&title(band)),
            x: Some("KL (nats per image)"),
            y: is_first.then_some("explained power"),
            x_ticks: true,
            y_ticks: is_first,
        };
        panel.frame(&mut drawing, labels);
        panel.line(&mut drawing, &[(x.low, 1.0), (x.high, 1.0)], GREY, 0.6, Some((1.2, 2.4)));
        for line in &page.lines {
            let pair = |group: &&Group| Some((kl(group)?, explained(group, band)?));
            let points: Vec<(OverSeeds, OverSeeds)> = line.groups.iter().filter_map(pair).collect();
            let means: Vec<(f64, f64)> = points.iter().map(|(kl, power)| (kl.mean(), power.mean())).collect();
            panel.line(&mut drawing, &means, line.colour, 1.0, None);
            for (kl, power) in &points {
                if let Some(interval) = power.interval() {
                    panel.error_bar(&mut drawing, kl.mean(), interval, line.colour);
                }
                if let Some((low, high)) = kl.interval() {
                    panel.line(&mut drawing, &[(low, power.mean()), (high, power.mean())], line.colour, 0.7, None);
                }
                for (&kl, power) in kl.singles().iter().zip(power.singles()) {
                    panel.singles(&mut drawing, kl, std::slice::from_ref(power), line.colour);
                }
                line.marker.draw(&mut drawing, panel.at(kl.mean(), power.mean()), line.colour);
            }
        }
        left += width + gap;
    }
    drawing.height = top + HEIGHT + 23.0;
    drawing
}
