//! Rate against distortion: KL and reconstruction at the end, a line through the β of whatever else differs.

use spec::Metric;

use super::labels::{LABEL, Titles};
use super::through_betas::{self, BetaLine};
use super::{Choice, Drawn, Page};
use crate::axis::{PlotAxis, fixed, number, range};
use crate::colour::{Colour, GREY, INK};
use crate::drawing::{Anchor, Drawing, Paper, Point, SMALL};
use crate::font;
use crate::legend::{self, LegendEntry, Swatch};
use crate::marker::Marker;
use crate::notes;
use crate::panel::{Labels, Panel, y_label_room};
use crate::records::{Group, OverSeeds};
use crate::setting::BETA;

/// One line: its look and its points by β.
struct Line {
    colour: Colour,
    marker: Marker,
    points: Vec<RatePoint>,
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
    let paper = choice.paper;
    let pages = through_betas::pages(&mut choice)?;
    let pages = pages.iter().map(|of| {
        let caption = format!(
            "Rate against distortion on the test images after training, in nats per image{}; {}.{} On a dotted line the \
             ELBO is constant, and it is better further down and to the left.",
            if of.label.is_empty() { String::new() } else { format!(" ({})", of.label) },
            notes::seeds(&of.groups, "small points"),
            of.sentence(),
        );
        let line = |line: &BetaLine<'_>| Line {
            colour: line.colour,
            marker: line.marker,
            points: line.groups.iter().filter_map(|group| point(group)).collect(),
        };
        let lines: Vec<Line> = of.lines.iter().map(line).collect();
        Page { drawing: page(&lines, of.entries(), &of.label, paper), caption, shown: of.shown() }
    });
    let pages = pages.collect();
    Ok(choice.into_pages(pages))
}

/// `None` for a model without a KL, a reconstruction or a β.
fn point(group: &Group) -> Option<RatePoint> {
    let (kl, reconstruction) = (group.last(Metric::Kl)?, group.last(Metric::Reconstruction)?);
    Some(RatePoint { beta: group.number(BETA)?, kl, reconstruction })
}

fn page(lines: &[Line], mut entries: Vec<LegendEntry>, title: &str, paper: Paper) -> Drawing {
    let mut drawing = Drawing::on(paper);
    entries.push(LegendEntry::new(Swatch::Line(GREY, 0.5, Some((1.2, 2.4))), "constant ELBO"));
    let mut top = 3.0 + legend::draw(&mut drawing, &entries, 2.0) + 5.0;
    if !title.is_empty() {
        let titles = Titles::of([title.to_owned()], paper.width - 16.0);
        top += titles.extra;
        titles.draw(&mut drawing, 0, (paper.width / 2.0, top + 6.0));
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
    let width = paper.width - left - 40.0;
    let panel = Panel { left, top, width, height: width.min(190.0), x, y };
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

/// A rectangle: left, top, right, bottom.
type Place = [f64; 4];

/// The β of the points of lines beside them, where each name is nearer to its own point than to any other and covers nothing; a
/// point that is alone has its β in the legend.
fn name_betas(drawing: &mut Drawing, panel: &Panel, lines: &[Line]) {
    let at = |p: &RatePoint| panel.at(p.kl.mean(), p.reconstruction.mean());
    let strokes: Vec<Vec<Point>> = lines.iter().map(|line| line.points.iter().map(at).collect()).collect();
    let markers: Vec<Point> = strokes.concat();
    let mut taken: Vec<Place> = markers.iter().map(|(x, y)| [x - 2.0, y - 2.0, x + 2.0, y + 2.0]).collect();
    let mut ordered: Vec<&Line> = lines.iter().filter(|line| line.points.len() > 1).collect();
    ordered.sort_by(|a, b| reach(b).total_cmp(&reach(a)));
    for p in ordered.into_iter().flat_map(|line| &line.points) {
        let own = at(p);
        let text = format!("β = {}", number(p.beta));
        let is_free = |place: &Place| {
            place[0] > panel.left
                && place[2] < panel.right()
                && place[1] > panel.top
                && place[3] < panel.bottom()
                && markers.iter().all(|&other| other == own || away(place, other) > away(place, own) + NEARER)
                && taken.iter().all(|other| is_apart(place, other))
                && strokes.iter().flat_map(|line| line.windows(2)).all(|ends| is_clear(place, ends[0], ends[1]))
        };
        let Some(place) = places(own, font::width(&text, SMALL)).into_iter().find(is_free) else { continue };
        drawing.text((place[0], place[3] - 1.5), text, SMALL, INK, Anchor::Start);
        taken.push(place);
    }
}

/// How much nearer a name is to its own point than to others, in points.
const NEARER: f64 = 3.0;

/// Where a name of this width may stand. Lines fall to the right, so that they leave the first two corners free.
fn places((x, y): Point, wide: f64) -> [Place; 6] {
    let tall = SMALL + 0.5;
    let corner = |left: f64, top: f64| [left, top, left + wide, top + tall];
    [
        corner(x - 4.0 - wide, y + 1.5),
        corner(x + 4.0, y - tall - 3.5),
        corner(x - wide / 2.0, y + 4.0),
        corner(x - wide / 2.0, y - tall - 4.0),
        corner(x + 5.0, y - tall / 2.0),
        corner(x - 5.0 - wide, y - tall / 2.0),
    ]
}

/// How far a point lies from a rectangle.
fn away(place: &Place, (x, y): Point) -> f64 {
    let outside = |value: f64, low: f64, high: f64| (low - value).max(value - high).max(0.0);
    outside(x, place[0], place[2]).hypot(outside(y, place[1], place[3]))
}

fn is_apart(one: &Place, other: &Place) -> bool {
    one[2] < other[0] || other[2] < one[0] || one[3] < other[1] || other[3] < one[1]
}

/// Whether a stroke passes beside a rectangle.
fn is_clear(place: &Place, from: Point, to: Point) -> bool {
    let n = 100;
    (0..=n)
        .map(|i| f64::from(i) / f64::from(n))
        .all(|t| away(place, (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1))) > 0.5)
}

fn reach(line: &Line) -> f64 {
    let (low, high) = range(line.points.iter().map(|p| p.kl.mean()));
    high - low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawing::Mark;

    /// Two points so close that a name to the lower left of the second would stand below the first.
    #[test]
    fn a_name_is_nearest_to_its_own_point() {
        let over = |metric, value| OverSeeds::of(metric, vec![value]);
        let point = |(beta, kl, loss): (f64, f64, f64)| {
            Some(RatePoint { beta, kl: over(Metric::Kl, kl)?, reconstruction: over(Metric::Reconstruction, loss)? })
        };
        let line = |points: [(f64, f64, f64); 3]| Line {
            colour: INK,
            marker: Marker::of(0),
            points: points.into_iter().filter_map(point).collect(),
        };
        let lines = [
            line([(0.5, 5.3, 132.2), (1.0, 4.3, 133.2), (4.0, 2.6, 138.2)]),
            line([(0.5, 31.0, 63.8), (1.0, 22.3, 69.8), (4.0, 8.0, 98.3)]),
            line([(0.5, 13.3, 94.9), (1.0, 10.8, 96.8), (4.0, 6.0, 107.9)]),
            line([(0.5, 22.1, 71.3), (1.0, 17.3, 75.3), (4.0, 8.4, 96.6)]),
        ];
        let (x, y) = (PlotAxis::between(1.0, 33.0, 7), PlotAxis::between(57.0, 143.0, 6));
        let panel = Panel { left: 34.0, top: 20.0, width: 320.0, height: 190.0, x, y };
        let mut drawing = Drawing::on(Paper::default());
        name_betas(&mut drawing, &panel, &lines);
        let mut n_named = 0;
        for mark in &drawing.marks {
            let Mark::Text { at: (left, baseline), text, .. } = mark else { continue };
            let place = [*left, baseline - SMALL + 1.0, left + font::width(text, SMALL), baseline + 1.5];
            let nearest = lines.iter().flat_map(|line| &line.points).min_by(|a, b| {
                let away = |p: &RatePoint| away(&place, panel.at(p.kl.mean(), p.reconstruction.mean()));
                away(a).total_cmp(&away(b))
            });
            assert_eq!(nearest.map(|p| format!("β = {}", number(p.beta))).as_ref(), Some(text));
            n_named += 1;
        }
        assert!(n_named >= 7, "{n_named} of 12");
    }
}
