//! KL of each latent dimension, sorted, with the border between active and inactive units.

use spec::Metric;

use super::facets::{self, Along};
use super::labels::{self, LABEL, Titles};
use super::{Choice, Drawn, PAGE, Page, Shown};
use crate::axis::{PlotAxis, fixed};
use crate::colour::{BLUE, FAINT, GREY, INK};
use crate::drawing::{Anchor, Drawing, SMALL, WIDTH};
use crate::font;
use crate::legend::{self, LegendEntry, Swatch};
use crate::notes;
use crate::panel::{Labels, Panel, y_label_room};
use crate::records::{Group, OverSeeds};

/// The most panels side by side.
const MAX_COLUMNS: usize = 4;
/// The most bars in a panel.
const MAX_BARS: usize = 128;

/// One panel's bars.
struct Bars {
    label: String,
    shown: Shown,
    /// By rank, largest first.
    kl: Vec<OverSeeds>,
    /// Active units, a mean over seeds, where they were counted.
    active: Option<f64>,
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let none = "no finished run has a KL that is a sum over latent dimensions";
    let has = |group: &Group| group.runs.iter().any(|run| !run.kl_per_dim.is_empty());
    choice.keep("no KL that is a sum over latent dimensions", none, has)?;
    let groups = choice.groups.as_slice();
    let along = Along::choose(groups);
    let rows: Vec<(String, Vec<Bars>)> = facets::rows(groups, std::slice::from_ref(&along))
        .into_iter()
        .flat_map(|facet| {
            let bars: Vec<&Group> = facet.groups;
            let n_rows = bars.len().div_ceil(MAX_COLUMNS);
            let per_row = bars.len().div_ceil(n_rows.max(1));
            let bars_of = |group: &&Group| bars_of(group, &along, &facet.label);
            let chunk = |chunk: &[&Group]| (facet.label.clone(), chunk.iter().map(bars_of).collect::<Vec<_>>());
            bars.chunks(per_row.max(1)).map(chunk).collect::<Vec<_>>()
        })
        .collect();
    // One scale for all panels of all pages, so that their bars can be compared.
    let ends =
        rows.iter().flat_map(|(_, bars)| bars).flat_map(|b| &b.kl).flat_map(OverSeeds::extent).map(|end| 1.12 * end);
    let y = PlotAxis::from_zero(ends, 4);
    let height = if rows.len() == 1 { 100.0 } else { 66.0 };
    let per_page = (((PAGE - 60.0) / (height + LABEL + 24.0)) as usize).max(1);
    let caption = format!(
        "KL of each latent dimension on the test images, in nats per image, largest first; {} at each rank. Blue: active \
         units, Var_x(E_q[z]) > 0.01; the dashed line is the border (number of active units, a mean over seeds).{}",
        notes::seeds(groups, "points"),
        if groups.iter().flat_map(|g| &g.runs).any(|run| run.kl_per_dim.len() > MAX_BARS) {
            " Only the 128 largest are drawn."
        } else {
            ""
        },
    );
    let pages = rows.chunks(per_page).map(|rows| Page {
        drawing: page(rows, &y, height),
        caption: caption.clone(),
        shown: rows.iter().flat_map(|(_, bars)| bars).map(|bars| bars.shown.clone()).collect(),
    });
    let pages = pages.collect();
    Ok(choice.into_pages(pages))
}

fn bars_of(group: &Group, along: &Along, row: &str) -> Bars {
    let mut sorted: Vec<Vec<f64>> = group.runs.iter().map(|run| run.kl_per_dim.clone()).collect();
    for kl in &mut sorted {
        kl.sort_by(|a, b| b.total_cmp(a));
    }
    let n = sorted.iter().map(Vec::len).max().unwrap_or(0).min(MAX_BARS);
    let rank = |r: usize| OverSeeds::of(Metric::Kl, sorted.iter().filter_map(|kl| kl.get(r).copied()).collect());
    let label = along.value(group);
    Bars {
        shown: Shown::new(group, [row.to_owned(), label.clone()]),
        label,
        kl: (0..n).filter_map(rank).collect(),
        active: group.last(Metric::ActiveUnits).map(|over| over.mean()),
    }
}

fn page(rows: &[(String, Vec<Bars>)], y: &PlotAxis, height: f64) -> Drawing {
    let mut drawing = Drawing::new();
    let mut entries = vec![LegendEntry::new(Swatch::Square(BLUE), "active")];
    if rows
        .iter()
        .flat_map(|(_, bars)| bars)
        .any(|bars| bars.active.is_some_and(|active| active < bars.kl.len() as f64))
    {
        entries.push(LegendEntry::new(Swatch::Square(FAINT), "inactive"));
        entries.push(LegendEntry::new(Swatch::Line(GREY, 0.7, Some((2.4, 1.6))), "border of active units"));
    }
    let mut top = 3.0 + legend::draw(&mut drawing, &entries, 2.0) + 14.0;
    let columns = rows.iter().map(|(_, bars)| bars.len()).max().unwrap_or(1);
    let room = y_label_room(y);
    let (title, gap, right) = (12.0, 9.0, 4.0);
    let width = (WIDTH - title - right - room - gap * (columns - 1) as f64) / columns as f64;
    let width = width.min(230.0);
    let start = (WIDTH - (title + room + width * columns as f64 + gap * (columns - 1) as f64 + right)) / 2.0;
    let mut n_labels = 0;
    for (index, (label, bars)) in rows.iter().enumerate() {
        let is_last = index + 1 == rows.len();
        let is_new = index == 0 || rows[index - 1].0 != *label;
        if !label.is_empty() && is_new {
            top += labels::row_label(&mut drawing, n_labels, label, if index == 0 { top - 14.0 } else { top });
            n_labels += 1;
            top += if index == 0 { LABEL - 1.0 } else { LABEL };
        }
        let same_titles = index > 0 && rows[index - 1].1.iter().map(|b| &b.label).eq(bars.iter().map(|b| &b.label));
        let titles = Titles::of(bars.iter().map(|bars| bars.label.clone()), width + gap - 3.0);
        if !same_titles {
            top += titles.extra + if index > 0 { 14.0 } else { 0.0 };
        }
        for (column, bars_here) in bars.iter().enumerate() {
            let n = bars_here.kl.len().max(1);
            let panel = Panel {
                left: start + title + room + column as f64 * (width + gap),
                top,
                width,
                height,
                x: PlotAxis::whole(0.5, n as f64 + 0.5, 5),
                y: y.clone(),
            };
            let labels = Labels {
                title: None,
                x: (is_last).then_some("rank of dimension"),
                y: None,
                x_ticks: true,
                y_ticks: column == 0,
            };
            panel.frame(&mut drawing, labels);
            if !same_titles {
                titles.draw(&mut drawing, column, (panel.left + width / 2.0, top - 4.0));
            }
            if column == 0 {
                drawing.upright((start + 8.5, top + height / 2.0), "KL (nats per image)", SMALL, INK);
            }
            bars_in(&mut drawing, &panel, bars_here);
        }
        top += height + 15.0;
    }
    drawing.height = top - 15.0 + 22.5;
    drawing
}

fn bars_in(drawing: &mut Drawing, panel: &Panel, bars: &Bars) {
    let n = bars.kl.len();
    let slot = panel.width / n.max(1) as f64;
    let half = (0.4 * slot).min(6.0);
    for (rank, over) in bars.kl.iter().enumerate() {
        let (x, y) = panel.at(rank as f64 + 1.0, over.mean().max(0.0));
        let is_active = bars.active.is_none_or(|active| (rank as f64) + 0.5 < active);
        let colour = if is_active { BLUE } else { FAINT };
        drawing.bar((x - half, y.min(panel.bottom())), (x + half, panel.bottom()), colour);
        if slot <= 5.0 {
            continue;
        }
        if let Some((low, high)) = over.interval() {
            let (from, to) = (panel.at(0.5, low.max(0.0)).1, panel.at(0.5, high).1);
            drawing.path(vec![(x, from), (x, to.max(panel.top))], INK, 0.5);
        }
        panel.singles(drawing, rank as f64 + 1.0, over.singles(), INK);
    }
    let Some(active) = bars.active else { return };
    if active < n as f64 {
        let (x, _) = panel.at(active + 0.5, 0.0);
        drawing.dashed(vec![(x, panel.bottom()), (x, panel.top + 10.0)], GREY, 0.7, (2.4, 1.6));
    }
    let whole = (active - active.round()).abs() < 1e-9;
    let text = format!("{} of {n} active", fixed(active, usize::from(!whole)));
    if font::width(&text, SMALL) < panel.width {
        drawing.text((panel.right() - 1.0, panel.top + 6.0), text, SMALL, GREY, Anchor::End);
    }
}
