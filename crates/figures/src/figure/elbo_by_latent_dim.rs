//! The ELBO's terms at the end against the latent dimension, a panel for each term, a line for each β.

use super::facets::{self, Along, Grid, LABEL, Style};
use super::{PAGE, Page, Pages};
use crate::axis::Axis;
use crate::colour::INK;
use crate::drawing::{Drawing, NORMAL, WIDTH};
use crate::legend::{self, Entry, Sample};
use crate::panel::{Labels, Panel, y_label_room};
use crate::stats::{Estimate, interval};
use crate::sweep::{Group, Term, betas, latent_dims, seeds_note};

const TERMS: [Term; 3] = [Term::Elbo, Term::Reconstruction, Term::Kl];

/// One line: its look, and for each term `(latent dimension, estimate over seeds)`.
struct Line {
    style: Style,
    terms: Vec<Vec<(f64, Estimate)>>,
}

pub fn draw(groups: &[&Group]) -> Pages {
    let has = |group: &&Group, term: &Term| group.last(*term).is_some();
    let terms: Vec<Term> = TERMS.into_iter().filter(|term| groups.iter().any(|group| has(group, term))).collect();
    let groups: &[&Group] = &groups.iter().copied().filter(|g| terms.iter().any(|t| has(g, t))).collect::<Vec<_>>();
    if groups.is_empty() {
        return Err("no finished run has any of the ELBO's terms".to_owned());
    }
    let without_bound = groups.iter().filter(|group| !has(group, &Term::Elbo)).count();
    let dims = latent_dims(groups);
    if dims.len() < 2 {
        return Err(format!("there is a single latent dimension ({})", dims.first().map_or(0, |d| *d)));
    }
    let many_betas = betas(groups).len() > 1;
    let along = if many_betas { Along::Beta } else { Along::Variant };
    let styles = facets::styles(groups, along);
    // The latent dimension is on the horizontal axis, so that it does not make rows.
    let mut rows: Vec<(String, Vec<Line>)> = Vec::new();
    for group in groups {
        let label = if many_betas { group.key.variant.clone() } else { String::new() };
        let Some(style) = styles.iter().find(|s| s.label == along.value(group)) else { continue };
        let place = rows.iter().position(|(l, _)| *l == label).unwrap_or_else(|| {
            rows.push((label, Vec::new()));
            rows.len() - 1
        });
        let lines = &mut rows[place].1;
        let index = lines.iter().position(|line| line.style.label == style.label).unwrap_or_else(|| {
            lines.push(Line { style: style.clone(), terms: vec![Vec::new(); terms.len()] });
            lines.len() - 1
        });
        for (series, term) in lines[index].terms.iter_mut().zip(&terms) {
            if let Some(estimate) = group.last(*term) {
                series.push((group.key.latent_dim as f64, estimate));
            }
        }
    }
    // A row with a single latent dimension shows nothing against it.
    rows.retain(|(_, lines)| range_of(lines).is_some_and(|(low, high)| low < high));
    if rows.is_empty() {
        return Err("no setting was trained with more than one latent dimension".to_owned());
    }
    if rows.len() == 1 {
        rows[0].0.clear();
    }
    let x = Axis::at(&dims.iter().map(|&d| d as f64).collect::<Vec<_>>());
    let height = if rows.len() == 1 { 120.0 } else { 90.0 };
    let per_page = (((PAGE - 60.0) / (height + LABEL + 6.0)) as usize).max(1);
    let caption = format!(
        "Terms of the ELBO on the test images after training, in nats per image, against the latent dimension{}; {}.{}{}",
        if many_betas { ", a line for each β" } else { "" },
        seeds_note(groups),
        facets::dropped_note(groups, along),
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
    terms: &[Term],
    styles: &[Style],
    (x, height): (&Axis, f64),
    single: &str,
) -> Drawing {
    let mut drawing = Drawing::new();
    let label = |s: &Style| if s.label.is_empty() { single.to_owned() } else { s.label.clone() };
    let is_used = |style: &&Style| rows.iter().flat_map(|(_, lines)| lines).any(|line| line.style.label == style.label);
    let styles = styles.iter().filter(is_used);
    let entries: Vec<Entry> = styles.map(|s| Entry::new(Sample::Marked(s.colour, s.marker), label(s))).collect();
    let mut top = 3.0 + legend::draw(&mut drawing, &entries, 2.0) + 13.0;
    let ends = |e: &Estimate| [interval(e).0, interval(e).1];
    let axis = |term: usize| {
        let lines = rows.iter().flat_map(|(_, lines)| lines);
        Axis::around(lines.flat_map(|l| &l.terms[term]).flat_map(|(_, e)| ends(e)), 5)
    };
    let axes: Vec<Axis> = (0..terms.len()).map(axis).collect();
    let (title, gap, right) = (12.0, 10.0, 5.0);
    let rooms: f64 = axes.iter().map(y_label_room).sum();
    let n = terms.len() as f64;
    let width = (WIDTH - title - right - gap * (n - 1.0) - rooms) / n;
    let has = |lines: &[Line], term: usize| lines.iter().any(|line| !line.terms[term].is_empty());
    let grid = Grid::new(rows.iter().map(|(_, lines)| (0..terms.len()).map(|t| has(lines, t)).collect()).collect());
    for (index, (label, lines)) in rows.iter().enumerate() {
        if !label.is_empty() {
            top += facets::row_label(&mut drawing, index, label, if index == 0 { top - 13.0 } else { top });
            top += if index == 0 { LABEL - 2.0 } else { LABEL };
        }
        top += grid.room_above(index);
        let mut left = title;
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
                title: grid.is_first(index, term).then(|| terms[term].title()),
                x: is_last.then_some("latent dimension D"),
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
