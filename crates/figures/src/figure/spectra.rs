//! What reconstructions keep of images at each spatial frequency: gain, power ratio and coherence, a line for each latent width.

use spec::metric::Band;
use spec::{Metric, MetricSettings, Split};

use super::facets::{self, Along, Facet, Style};
use super::labels::LABEL;
use super::stacks::{Place, StackRow, Stacks};
use super::{Choice, Drawn, Page, Shown};
use crate::axis::{PlotAxis, number};
use crate::colour::{FAINT, GREY};
use crate::drawing::{Drawing, Paper};
use crate::legend::{self, LegendEntry, Swatch};
use crate::notes;
use crate::panel::{Labels, Panel};
use crate::records::{Group, OverSeeds};

/// A panel each.
const CURVES: [Metric; 3] = [Metric::Gain, Metric::PowerRatio, Metric::Coherence];
/// Size of markers, against those of lines with few points.
const MARKER: f64 = 0.7;
/// Where a perfect reconstruction lies is dotted.
const DOTS: (f64, f64) = (1.2, 2.4);

/// A metric by frequency in cycles per pixel, ascending.
type Curve = Vec<(f64, OverSeeds)>;

/// One line of a row, in each of its panels.
struct Line {
    style: Style,
    curves: Vec<Curve>,
}

/// One row of panels.
struct Row {
    label: String,
    lines: Vec<Line>,
    shown: Vec<Shown>,
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let none = "the spectra of no finished run's reconstructions were measured";
    let has = |group: &Group| CURVES.iter().any(|metric| !curve(group, *metric).is_empty());
    choice.keep("no spectra measured", none, has)?;
    let along = Along::choose(&choice.groups);
    facets::thin(&mut choice, &along);
    let (groups, paper) = (choice.groups.as_slice(), choice.paper);
    let mut styles = facets::styles(groups, &along);
    if let [only] = styles.as_mut_slice() {
        only.label = facets::shared(groups);
    }
    let row = |facet: Facet<'_>| {
        let own = |style: &Style| facet.groups.iter().find(|group| along.level(group) == style.level).copied();
        let pairs: Vec<(&Style, &Group)> = styles.iter().filter_map(|style| Some((style, own(style)?))).collect();
        let line = |(style, group): &(&Style, &Group)| Line {
            style: (*style).clone(),
            curves: CURVES.iter().map(|metric| curve(group, *metric)).collect(),
        };
        let shown = |(style, group): &(&Style, &Group)| Shown::new(group, [facet.label.clone(), style.label.clone()]);
        Row {
            label: facet.label.clone(),
            lines: pairs.iter().map(line).collect(),
            shown: pairs.iter().map(shown).collect(),
        }
    };
    let rows: Vec<Row> = facets::rows(groups, std::slice::from_ref(&along)).into_iter().map(row).collect();
    let height = if rows.len() == 1 { 120.0 } else { 84.0 };
    let n_stacked = CURVES.len().div_ceil(paper.per_row(CURVES.len()));
    let per_page = (((paper.tall - 60.0) / ((height + LABEL + 7.0) * n_stacked as f64 + 35.5 * (n_stacked - 1) as f64))
        as usize)
        .max(1);
    let [low, high] = Band::EDGES.map(number);
    let caption = format!(
        "What reconstructions, decoded at the posterior's mean, keep of the test images at each spatial frequency, a mean over rings of equal frequency; \
         {}. Gain: how much of a wave of the image comes back. Power ratio: the power of reconstructions over that of the images, in which invented edges count as \
         well. Coherence: how far the reconstruction's waves follow from the image's. All are 1 (dotted) for a perfect reconstruction. The upright lines at {low} and \
         {high} cycles per pixel part the bands low (shapes), middle (strokes) and high (edges).{}",
        notes::seeds(groups, "thin lines"),
        notes::clipped(groups),
    );
    let pages = rows.chunks(per_page).map(|rows| Page {
        drawing: page(rows, height, paper),
        caption: caption.clone(),
        shown: rows.iter().flat_map(|row| row.shown.clone()).collect(),
    });
    let pages = pages.collect();
    Ok(choice.into_pages(pages))
}

fn curve(group: &Group, metric: Metric) -> Curve {
    let keys = group.runs.iter().flat_map(|run| &run.measures).map(|(key, _)| key);
    let of_metric = keys.filter(|key| key.metric == metric && key.split == Split::Test);
    let mut frequencies: Vec<f64> = of_metric.filter_map(|key| key.settings.frequency).collect();
    frequencies.sort_by(f64::total_cmp);
    frequencies.dedup();
    let at = |frequency: f64| {
        let settings = MetricSettings { frequency: Some(frequency), ..MetricSettings::default() };
        Some((frequency, group.measured(metric, Split::Test, &settings)?))
    };
    frequencies.into_iter().filter_map(at).collect()
}

fn page(rows: &[Row], height: f64, paper: Paper) -> Drawing {
    let mut drawing = Drawing::on(paper);
    let mut entries: Vec<LegendEntry> = Vec::new();
    for Style { colour, marker, label, .. } in rows.iter().flat_map(|row| &row.lines).map(|line| &line.style) {
        let entry = LegendEntry::new(Swatch::Marked(*colour, *marker), label.clone());
        if !label.is_empty() && !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    let top = 3.0 + legend::draw(&mut drawing, &entries, 2.0);
    let curves = |column: usize| rows.iter().flat_map(|row| &row.lines).flat_map(move |line| &line.curves[column]);
    let axis = |column: usize| {
        let values = curves(column).flat_map(|(_, over)| over.extent());
        // What a perfect reconstruction has is in every panel.
        PlotAxis::around(values.chain([0.0, 1.0]), 6)
    };
    let axes: Vec<PlotAxis> = (0..CURVES.len()).map(axis).collect();
    let frequencies = (0..CURVES.len()).flat_map(curves).map(|(frequency, _)| *frequency);
    let x = PlotAxis::from_zero(frequencies, 6);
    let (side, gap, right) = (4.0, 8.0, 5.0);
    let has = |row: &Row, column: usize| row.lines.iter().any(|line| !line.curves[column].is_empty());
    let stacks = Stacks { x: &x, axes: &axes, titles: &[], height, side, gap, right, between: 15.5 };
    let stacked: Vec<StackRow<'_>> = rows
        .iter()
        .map(|row| StackRow { label: &row.label, has: (0..axes.len()).map(|column| has(row, column)).collect() })
        .collect();
    let bottom = stacks.draw(&mut drawing, top, &stacked, |drawing, place| {
        let Place { row, column, panel, is_first, is_last, .. } = place;
        let labels = Labels {
            title: is_first.then(|| CURVES[*column].about().title),
            x: is_last.then_some("cycles per pixel"),
            y: None,
            x_ticks: *is_last,
            y_ticks: true,
        };
        panel.frame(drawing, labels);
        curves_in(drawing, panel, &rows[*row].lines, *column);
    });
    drawing.height = bottom + 22.5;
    drawing
}

fn curves_in(drawing: &mut Drawing, panel: &Panel, lines: &[Line], column: usize) {
    for edge in Band::EDGES {
        panel.line(drawing, &[(edge, panel.y.low), (edge, panel.y.high)], FAINT, 0.5, None);
    }
    panel.line(drawing, &[(panel.x.low, 1.0), (panel.x.high, 1.0)], GREY, 0.6, Some(DOTS));
    for line in lines {
        let (curve, colour) = (&line.curves[column], line.style.colour);
        let band = curve.iter().filter_map(|(x, over)| over.interval().map(|(low, high)| (*x, low, high)));
        panel.band(drawing, &band.collect::<Vec<_>>(), colour);
        for seed in 0..curve.iter().map(|(_, over)| over.singles().len()).max().unwrap_or(0) {
            let own = curve.iter().filter_map(|(x, over)| Some((*x, *over.singles().get(seed)?)));
            panel.line(drawing, &own.collect::<Vec<_>>(), colour, 0.3, None);
        }
        let means: Vec<(f64, f64)> = curve.iter().map(|(x, over)| (*x, over.mean())).collect();
        panel.line(drawing, &means, colour, 1.0, None);
        for (x, y) in means {
            line.style.marker.draw_sized(drawing, panel.at(x, y), colour, MARKER);
        }
    }
}
