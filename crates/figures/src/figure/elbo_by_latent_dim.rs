//! The ELBO's terms at the end against the latent dimension, a panel for each term, a line for each β.

use spec::Metric;

use super::facets::{self, Along, Style};
use super::grid::Grid;
use super::labels::{self, LABEL};
use super::{PAGE, Page, Pages};
use crate::axis::PlotAxis;
use crate::colour::INK;
use crate::drawing::{Drawing, NORMAL, WIDTH};
use crate::legend::{self, LegendEntry, Swatch};
use crate::notes;
use crate::panel::{Labels, Panel, y_label_room};
use crate::records::{Group, interval, numbers};
use crate::setting::{BETA, LATENT_DIM};
use record::summary::Estimate;

/// One line: its look, and for each term `(latent dimension, estimate over seeds)`.
struct Line {
    style: Style,
    terms: Vec<Vec<(f64, Estimate)>>,
}

pub fn draw(groups: &[&Group]) -> Pages {
    let has = |group: &&Group, term: &Metric| group.last(*term).is_some();
    let terms: Vec<Metric> = Metric::bound().filter(|term| groups.iter().any(|group| has(group, term))).collect();
    let groups: &[&Group] = &groups.iter().copied().filter(|g| terms.iter().any(|t| has(g, t))).collect::<Vec<_>>();
    if groups.is_empty() {
        return Err("no finished run has any of the ELBO's terms".to_owned());
    }
    let without_bound = groups.iter().filter(|group| !has(group, &Metric::Elbo)).count();
    let dims = numbers(groups, LATENT_DIM);
    if dims.len() < 2 {
        return Err(format!("there is a single latent dimension ({})", dims.first().map_or(0.0, |d| *d)));
    }
    let latent_dim = Along::path(LATENT_DIM);
    let many_betas = numbers(groups, BETA).len() > 1;
    let along = if many_betas { Along::path(BETA) } else { Along::others(groups, &[]) };
    let styles = facets::styles(groups, &along);
    let lines = |groups: &[&Group]| -> Vec<Line> {
        let of = |style: &Style, term: &Metric| {
            let own = groups.iter().filter(|group| along.level(group) == style.level);
            own.filter_map(|group| Some((group.number(LATENT_DIM)?, group.last(*term)?))).collect()
        };
        let line = |s: &Style| Line { style: s.clone(), terms: terms.iter().map(|term| of(s, term)).collect() };
        styles.iter().map(line).filter(|line| line.terms.iter().any(|term| !term.is_empty())).collect()
    };
    let mut rows: Vec<(String, Vec<Line>)> = facets::rows(groups, &[latent_dim, along.clone()])
        .into_iter()
        .map(|facet| (facet.label, lines(&facet.groups)))
        .collect();
    // A row with a single latent dimension shows nothing against it.
    rows.retain(|(_, lines)| range_of(lines).is_some_and(|(low, high)| low < high));
    if rows.is_empty() {
        return Err("no setting was trained with more than one latent dimension".to_owned());
    }
    if rows.len() == 1 {
        rows[0].0.clear();
    }
    let x = PlotAxis::at(&dims);
    let height = if rows.len() == 1 { 120.0 } else { 90.0 };
    let per_page = (((PAGE - 60.0) / (height + LABEL + 6.0)) as usize).max(1);
    let caption = format!(
        "Terms of the ELBO on the test images after training, in nats per image, against the latent dimension{}; {}.{}{}",
        if many_betas { ", a line for each β" } else { "" },
        notes::seeds(groups),
        facets::dropped_note(groups, &along),
        if without_bound > 0 { " Models without a bound have a reconstruction alone." } else { "" },
    );
    let single = facets::shared(groups);
    let pages = rows
        .chunks(per_page)
        .map(|rows| Page { drawing: page(rows, &terms, &styles, (&x, height), &single), caption: caption.clone() });
    Ok(pages.collect())
}

/// The smallest and the largest latent dimension of the lines.
fn range_of(lines: &[Line]) -> Option<(f64, f64)> {
    let dims = || lines.iter().flat_map(|line| &line.terms).flatten().map(|(dim, _)| *dim);
    Some((dims().reduce(f64::min)?, dims().reduce(f64::max)?))
}

fn page(
    rows: &[(String, Vec<Line>)],
    terms: &[Metric],
    styles: &[Style],
    (x, height): (&PlotAxis, f64),
    single: &str,
) -> Drawing {
    let mut drawing = Drawing::new();
    let label = |s: &Style| if s.label.is_empty() { single.to_owned() } else { s.label.clone() };
    let is_used = |style: &&Style| rows.iter().flat_map(|(_, lines)| lines).any(|line| line.style.label == style.label);
    let is_told = |style: &&Style| !label(style).is_empty();
    let styles = styles.iter().filter(is_used).filter(is_told);
    let entries: Vec<LegendEntry> =
        styles.map(|s| LegendEntry::new(Swatch::Marked(s.colour, s.marker), label(s))).collect();
    let mut top = 3.0 + legend::draw(&mut drawing, &entries, 2.0) + 13.0;
    let ends = |e: &Estimate| [interval(e).0, interval(e).1];
    let axis = |term: usize| {
        let lines = rows.iter().flat_map(|(_, lines)| lines);
        PlotAxis::around(lines.flat_map(|l| &l.terms[term]).flat_map(|(_, e)| ends(e)), 5)
    };
    let axes: Vec<PlotAxis> = (0..terms.len()).map(axis).collect();
    let x_title = spec::setting_title(LATENT_DIM);
    let (side, gap, right) = (12.0, 10.0, 5.0);
    let rooms: f64 = axes.iter().map(y_label_room).sum();
    let n = terms.len() as f64;
    let width = (WIDTH - side - right - gap * (n - 1.0) - rooms) / n;
    let has = |lines: &[Line], term: usize| lines.iter().any(|line| !line.terms[term].is_empty());
    let grid = Grid::new(rows.iter().map(|(_, lines)| (0..terms.len()).map(|t| has(lines, t)).collect()).collect());
    for (index, (label, lines)) in rows.iter().enumerate() {
        if !label.is_empty() {
            top += labels::row_label(&mut drawing, index, label, if index == 0 { top - 13.0 } else { top });
            top += if index == 0 { LABEL - 2.0 } else { LABEL };
        }
        top += grid.room_above(index);
        let mut left = side;
        for (term, y) in axes.iter().enumerate() {
            left += y_label_room(y);
            if term == 0 {
                drawing.upright((8.5, top + height / 2.0), "nats per image", NORMAL, INK);
            }
            if !grid.has(index, term) {
                left += width + gap;
                continue;
            }
            let is_last = grid.is_last(index, term);
            let panel = Panel { left, top, width, height, x: x.clone(), y: y.clone() };
            let labels = Labels {
                title: grid.is_first(index, term).then(|| terms[term].about().title),
                x: is_last.then_some(&*x_title),
                y: None,
                x_ticks: is_last,
                y_ticks: true,
            };
            panel.frame(&mut drawing, labels);
            for line in lines {
                let series = &line.terms[term];
                let means: Vec<(f64, f64)> = series.iter().map(|(x, e)| (*x, e.mean)).collect();
                panel.line(&mut drawing, &means, line.style.colour, 1.0, None);
                for (x, estimate) in series {
                    if estimate.half_width.is_some() {
                        panel.error_bar(&mut drawing, *x, interval(estimate), line.style.colour);
                    }
                    line.style.marker.draw(&mut drawing, panel.at(*x, estimate.mean), line.style.colour);
                }
            }
            left += width + gap;
        }
        top += height + 7.0 + grid.room_below(index);
    }
    drawing.height = top - 7.0 + 22.5;
    drawing
}
