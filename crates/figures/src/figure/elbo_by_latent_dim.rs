//! The ELBO's terms at the end against the latent dimension, a panel for each term, a line for each β.

use spec::Metric;

use super::facets::{self, Along, Facet, Style};
use super::grid::Grid;
use super::labels::{self, LABEL};
use super::{Choice, Drawn, PAGE, Page, Shown};
use crate::axis::{PlotAxis, number};
use crate::colour::INK;
use crate::drawing::{Drawing, NORMAL, WIDTH};
use crate::legend::{self, LegendEntry, Swatch};
use crate::notes;
use crate::panel::{Labels, Panel, y_label_room};
use crate::records::{Group, OverSeeds, numbers};
use crate::setting::{BETA, GroupKey, LATENT_DIM};

/// One line: its look, and for each term `(latent dimension, the term over seeds)`.
struct Line {
    style: Style,
    terms: Vec<Vec<(f64, OverSeeds)>>,
}

/// One row of panels.
struct Row {
    label: String,
    lines: Vec<Line>,
    shown: Vec<Shown>,
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let has = |group: &Group, term: &Metric| group.last(*term).is_some();
    let none = "no finished run has any of the ELBO's terms";
    choice.keep("no term of the ELBO", none, |group| Metric::bound().any(|term| has(group, &term)))?;
    let none = "no finished run has a latent space";
    choice.keep("no latent space", none, |group| group.number(LATENT_DIM).is_some())?;
    let dims = numbers(&choice.groups, LATENT_DIM);
    if let [dim] = dims.as_slice() {
        return Err(format!("there is a single latent dimension ({dim})"));
    }
    let latent_dim = Along::path(LATENT_DIM);
    let many_betas = numbers(&choice.groups, BETA).len() > 1;
    let along = if many_betas { Along::path(BETA) } else { Along::others(&choice.groups, &[]) };
    facets::thin(&mut choice, &along);
    let within = [latent_dim, along.clone()];
    // A row with a single latent dimension shows nothing against it.
    let rows = facets::rows(&choice.groups, &within);
    let compared = rows.iter().filter(|row| numbers(&row.groups, LATENT_DIM).len() > 1).flat_map(|row| &row.groups);
    let compared: Vec<GroupKey> = compared.map(|group| group.key.clone()).collect();
    let none = "no setting was trained with more than one latent dimension";
    choice.keep("trained with a single latent dimension", none, |group| compared.contains(&group.key))?;

    let groups = choice.groups.as_slice();
    let terms: Vec<Metric> = Metric::bound().filter(|term| groups.iter().any(|group| has(group, term))).collect();
    let without_bound = groups.iter().filter(|group| !has(group, &Metric::Elbo)).count();
    let mut styles = facets::styles(groups, &along);
    if let [only] = styles.as_mut_slice() {
        only.label = facets::shared(groups);
    }
    let row = |facet: Facet<'_>| {
        let own = |style: &Style| -> Vec<&Group> {
            facet.groups.iter().filter(|group| along.level(group) == style.level).copied().collect()
        };
        let of = |style: &Style, term: &Metric| {
            own(style).into_iter().filter_map(|group| Some((group.number(LATENT_DIM)?, group.last(*term)?))).collect()
        };
        let line = |s: &Style| Line { style: s.clone(), terms: terms.iter().map(|term| of(s, term)).collect() };
        let at = |group: &Group| number(group.number(LATENT_DIM).unwrap_or_default());
        let shown = |style: &Style| {
            let called = |group: &Group| [facet.label.clone(), style.label.clone(), at(group)];
            own(style).into_iter().map(|group| Shown::new(group, called(group))).collect::<Vec<_>>()
        };
        let lines = styles.iter().map(line).filter(|line| line.terms.iter().any(|term| !term.is_empty())).collect();
        let shown = styles.iter().flat_map(shown).collect();
        Row { label: facet.label, lines, shown }
    };
    let rows: Vec<Row> = facets::rows(groups, &within).into_iter().map(row).collect();
    let x = PlotAxis::at(&numbers(groups, LATENT_DIM));
    let height = if rows.len() == 1 { 120.0 } else { 90.0 };
    let per_page = (((PAGE - 60.0) / (height + LABEL + 6.0)) as usize).max(1);
    let caption = format!(
        "Terms of the ELBO on the test images after training, in nats per image, against the latent dimension{}; {}.{}",
        if many_betas { ", a line for each β" } else { "" },
        notes::seeds(groups, "small points"),
        if without_bound > 0 { " Models without a bound have a reconstruction alone." } else { "" },
    );
    let pages = rows.chunks(per_page).map(|rows| Page {
        drawing: page(rows, &terms, &styles, (&x, height)),
        caption: caption.clone(),
        shown: rows.iter().flat_map(|row| row.shown.clone()).collect(),
    });
    let pages = pages.collect();
    Ok(choice.into_pages(pages))
}

fn page(rows: &[Row], terms: &[Metric], styles: &[Style], (x, height): (&PlotAxis, f64)) -> Drawing {
    let mut drawing = Drawing::new();
    let is_used = |style: &&Style| rows.iter().flat_map(|row| &row.lines).any(|line| line.style.level == style.level);
    let styles = styles.iter().filter(is_used).filter(|style| !style.label.is_empty());
    let entries: Vec<LegendEntry> =
        styles.map(|s| LegendEntry::new(Swatch::Marked(s.colour, s.marker), s.label.clone())).collect();
    let mut top = 3.0 + legend::draw(&mut drawing, &entries, 2.0) + 13.0;
    let axis = |term: usize| {
        let lines = rows.iter().flat_map(|row| &row.lines);
        PlotAxis::around(lines.flat_map(|l| &l.terms[term]).flat_map(|(_, over)| over.extent()), 5)
    };
    let axes: Vec<PlotAxis> = (0..terms.len()).map(axis).collect();
    let x_title = spec::setting_title(LATENT_DIM);
    let (side, gap, right) = (12.0, 10.0, 5.0);
    let rooms: f64 = axes.iter().map(y_label_room).sum();
    let n = terms.len() as f64;
    let width = (WIDTH - side - right - gap * (n - 1.0) - rooms) / n;
    let has = |lines: &[Line], term: usize| lines.iter().any(|line| !line.terms[term].is_empty());
    let grid = Grid::new(rows.iter().map(|row| (0..terms.len()).map(|t| has(&row.lines, t)).collect()).collect());
    for (index, Row { label, lines, .. }) in rows.iter().enumerate() {
        if !label.is_empty() {
            top += labels::row_label(&mut drawing, index, label, if index == 0 { top - 13.0 } else { top });
            top += if index == 0 { LABEL - 2.0 } else { LABEL };
        }
        top += grid.room_above(index);
        let mut left = side;
        for (term, y) in axes.iter().enumerate() {
            left += y_label_room(y);
            if !grid.has(index, term) {
                left += width + gap;
                continue;
            }
            if grid.is_leftmost(index, term) {
                drawing.upright((left - y_label_room(y) - 3.5, top + height / 2.0), "nats per image", NORMAL, INK);
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
                let means: Vec<(f64, f64)> = series.iter().map(|(x, over)| (*x, over.mean())).collect();
                panel.line(&mut drawing, &means, line.style.colour, 1.0, None);
                for (x, over) in series {
                    if let Some(interval) = over.interval() {
                        panel.error_bar(&mut drawing, *x, interval, line.style.colour);
                    }
                    panel.singles(&mut drawing, *x, over.singles(), line.style.colour);
                    line.style.marker.draw(&mut drawing, panel.at(*x, over.mean()), line.style.colour);
                }
            }
            left += width + gap;
        }
        top += height + 7.0 + grid.room_below(index);
    }
    drawing.height = top - 7.0 + 22.5;
    drawing
}
