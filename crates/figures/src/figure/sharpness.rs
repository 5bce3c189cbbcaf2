//! Sharpness of reconstructions and samples beside that of the data: a line of points for each model.

use std::collections::BTreeSet;

use spec::Metric;
use spec::metric::Subject;

use super::facets::{self, Along, Facet};
use super::labels::{self, LABEL, LINE};
use super::{Choice, Drawn, Page, Shown};
use crate::axis::PlotAxis;
use crate::colour::{BLUE, Colour, INK, PALE, category};
use crate::drawing::{Anchor, Drawing, NORMAL, Paper};
use crate::font;
use crate::legend::{self, LegendEntry, Swatch};
use crate::marker::Marker;
use crate::notes;
use crate::panel::{Labels, Panel};
use crate::records::{Group, OverSeeds};

/// Height of a model's line whose label has one line of text, in points.
const PITCH: f64 = 15.0;
/// Room for labels, in points; longer ones are broken.
const LABEL_ROOM: f64 = 200.0;
/// The two kinds of points stand this far above and below the middle of their line, in points.
const ASIDE: f64 = 2.6;
/// Room above the first line and below the last, in points.
const PAD: f64 = 2.5;

/// One model's numbers, over seeds.
#[derive(Clone, Debug)]
struct Line {
    label: String,
    shown: Shown,
    data: Option<OverSeeds>,
    reconstructions: Option<OverSeeds>,
    samples: Option<OverSeeds>,
    draws: Option<OverSeeds>,
}

impl Line {
    fn all(&self) -> impl Iterator<Item = &OverSeeds> {
        [&self.data, &self.reconstructions, &self.samples, &self.draws].into_iter().flatten()
    }
}

/// What is drawn as points: a look, a name, and how far below the middle of the line.
struct Series {
    name: &'static str,
    colour: Colour,
    marker: Marker,
    below: f64,
    of: fn(&Line) -> Option<&OverSeeds>,
}

fn series() -> [Series; 3] {
    let (blue, orange) = (BLUE, category(1));
    [
        Series {
            name: "reconstructions",
            colour: blue,
            marker: Marker::Disc,
            below: -ASIDE,
            of: |l| l.reconstructions.as_ref(),
        },
        Series { name: "samples", colour: orange, marker: Marker::Up, below: ASIDE, of: |l| l.samples.as_ref() },
        Series {
            name: "draws with noise",
            colour: category(2),
            marker: Marker::Diamond,
            below: ASIDE,
            of: |l| l.draws.as_ref(),
        },
    ]
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let of = |group: &Group, subject| group.sharpness(subject).is_some();
    let made = [Subject::Reconstructions, Subject::Samples, Subject::Draws];
    let has = |group: &Group| made.into_iter().any(|subject| of(group, subject));
    choice.keep("no sharpness measured", "the sharpness of no finished run's images was measured", has)?;
    let groups = choice.groups.as_slice();
    let along = Along::choose(groups);
    let lines = |facet: &Facet<'_>| facet.groups.iter().map(|group| line(group, &along, &facet.label)).collect();
    let facets: Vec<(String, Vec<Line>)> = facets::rows(groups, std::slice::from_ref(&along))
        .into_iter()
        .map(|facet| (facet.label.clone(), lines(&facet)))
        .collect();
    let ends = facets.iter().flat_map(|(_, lines)| lines).flat_map(Line::all).flat_map(OverSeeds::extent);
    let x = PlotAxis::from_zero(ends, 7);
    let caption = format!(
        "Sharpness of test images, of their reconstructions and of samples from the prior, both of them decoder means: the \
         variance of the Laplacian of gray values, cut off at 0 and 1, a mean over images{}; {}. Blurred images lie left of the data's line.{}{}",
        images_in_words(groups),
        notes::seeds(groups, "small points"),
        match facets.iter().flat_map(|(_, lines)| lines).any(|line| line.draws.is_some()) {
            true => " Noise sharpens too: draws of a model without decoder means have it.",
            false => "",
        },
        notes::clipped(groups),
    );
    let paper = choice.paper;
    let all = || facets.iter().flat_map(|(_, lines)| lines);
    let most = all().map(|line| labels::wrap(&line.label, label_room(paper), NORMAL).len()).max().unwrap_or(1);
    let pitch = PITCH.max(LINE * most as f64 + 4.0);
    // A facet's lines stay together where they fit.
    let height = |lines: &[Line]| LABEL + pitch * lines.len() as f64 + 2.0 * PAD + 6.0;
    let mut pages: Vec<Vec<(usize, &str, &[Line])>> = Vec::new();
    let mut used = f64::INFINITY;
    let most = ((paper.tall - 80.0) / pitch) as usize;
    for (index, (label, lines)) in facets.iter().enumerate() {
        for lines in lines.chunks(most) {
            if used + height(lines) > paper.tall - 50.0 {
                pages.push(Vec::new());
                used = 0.0;
            }
            used += height(lines);
            if let Some(page) = pages.last_mut() {
                page.push((index, label, lines));
            }
        }
    }
    let pages = pages.iter().map(|facets| Page {
        drawing: page(facets, &x, pitch, paper),
        caption: caption.clone(),
        shown: facets.iter().flat_map(|(_, _, lines)| *lines).map(|line| line.shown.clone()).collect(),
    });
    let pages = pages.collect();
    Ok(choice.into_pages(pages))
}

/// Room for the lines' labels, in points.
fn label_room(paper: Paper) -> f64 {
    paper.wide(LABEL_ROOM).min(LABEL_ROOM)
}

/// Over how many images: the whole split, or how many they are where older runs measured fewer.
fn images_in_words(groups: &[&Group]) -> String {
    let keys = groups.iter().flat_map(|group| &group.runs).flat_map(|run| &run.measures).map(|(key, _)| key);
    let fewer: BTreeSet<u64> =
        keys.filter(|key| key.metric == Metric::Sharpness).filter_map(|key| key.images).collect();
    let fewer: Vec<String> = fewer.iter().map(u64::to_string).collect();
    if fewer.is_empty() {
        ", the whole split and as many samples".to_owned()
    } else {
        format!(", of which some models have only {}", fewer.join(" or "))
    }
}

fn line(group: &Group, along: &Along, row: &str) -> Line {
    let of = |subject| group.sharpness(subject);
    let (data, reconstructions) = (of(Subject::Data), of(Subject::Reconstructions));
    let label = along.value(group);
    let shown = Shown::new(group, [row.to_owned(), label.clone()]);
    Line { label, shown, data, reconstructions, samples: of(Subject::Samples), draws: of(Subject::Draws) }
}

fn page(facets: &[(usize, &str, &[Line])], x: &PlotAxis, pitch: f64, paper: Paper) -> Drawing {
    let mut drawing = Drawing::on(paper);
    let lines = || facets.iter().flat_map(|(_, _, lines)| *lines);
    let is_drawn = |series: &Series| lines().any(|line| (series.of)(line).is_some());
    let marked = |series: Series| LegendEntry::new(Swatch::Marker(series.colour, series.marker), series.name);
    let mut entries: Vec<LegendEntry> = series().into_iter().filter(is_drawn).map(marked).collect();
    if lines().any(|line| line.data.is_some()) {
        entries.push(LegendEntry::new(Swatch::Line(INK, 1.0, None), "data"));
    }
    let mut top = 3.0 + legend::draw(&mut drawing, &entries, 2.0) + 5.0;
    let widest = lines().map(|line| font::width(&line.label, NORMAL)).fold(0.0, f64::max).min(label_room(paper));
    let left = widest + 12.0;
    for (place, (index, label, lines)) in facets.iter().enumerate() {
        top += labels::row_label(&mut drawing, *index, label, top - 2.0);
        top += if label.is_empty() { 0.0 } else { LABEL };
        let height = pitch * lines.len() as f64 + 2.0 * PAD;
        // The lines' own axis has no values to show.
        let y = PlotAxis { ticks: Vec::new(), ..PlotAxis::between(0.0, 1.0, 1) };
        let panel = Panel { left, top, width: paper.width - left - 10.0, height, x: x.clone(), y };
        let is_last = place + 1 == facets.len();
        let title = is_last.then_some("sharpness: variance of the Laplacian (squared gray value)");
        for (value, _) in &x.ticks {
            let (at, _) = panel.at(*value, 0.0);
            drawing.path(vec![(at, top), (at, panel.bottom())], PALE, 0.4);
        }
        panel.frame(&mut drawing, Labels { x: title, x_ticks: is_last, ..Labels::default() });
        // One stroke for neighbours on the same data.
        let mut row = 0;
        for alike in lines.chunk_by(|a, b| a.data == b.data) {
            let from = if row == 0 { top } else { top + PAD + pitch * row as f64 };
            row += alike.len();
            let to = if row == lines.len() { panel.bottom() } else { top + PAD + pitch * row as f64 };
            if let Some(data) = &alike[0].data {
                let (x, _) = panel.at(data.mean(), 0.0);
                drawing.path(vec![(x, from), (x, to)], INK, 1.0);
            }
        }
        for (row, line) in lines.iter().enumerate() {
            line_in(&mut drawing, &panel, line, top + PAD + pitch * (row as f64 + 0.5));
        }
        top += height + 6.0;
    }
    drawing.height = top - 6.0 + 22.5;
    drawing
}

fn line_in(drawing: &mut Drawing, panel: &Panel, line: &Line, middle: f64) {
    let texts = labels::wrap(&line.label, label_room(drawing.paper), NORMAL);
    let first = middle + 0.36 * NORMAL - LINE * texts.len().saturating_sub(1) as f64 / 2.0;
    for (below, text) in texts.into_iter().enumerate() {
        drawing.text((panel.left - 5.0, first + LINE * below as f64), text, NORMAL, INK, Anchor::End);
    }
    for series in series() {
        let Some(over) = (series.of)(line) else { continue };
        let y = middle + series.below;
        for &value in over.singles() {
            drawing.single((panel.at(value, 0.0).0, y), series.colour);
        }
        if let Some((low, high)) = over.interval() {
            let (from, to) = (panel.at(low.max(panel.x.low), 0.0).0, panel.at(high, 0.0).0);
            drawing.path(vec![(from, y), (to, y)], series.colour, 0.7);
            for end in [from, to] {
                drawing.path(vec![(end, y - 1.6), (end, y + 1.6)], series.colour, 0.7);
            }
        }
        series.marker.draw(drawing, (panel.at(over.mean(), 0.0).0, y), series.colour);
    }
}
