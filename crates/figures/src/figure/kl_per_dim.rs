//! KL of each latent dimension, sorted, active and inactive units told apart.

use spec::Metric;
use spec::metric::ACTIVE_UNIT_VARIANCE;

use super::facets::{self, Along, PanelRow};
use super::labels::{self, LABEL, Titles};
use super::{Choice, Drawn, Page, Shown};
use crate::axis::{PlotAxis, fixed};
use crate::colour::{BLUE, Colour, FAINT, GREY, INK, LIGHT_BLUE};
use crate::drawing::{Anchor, Drawing, Paper, SMALL};
use crate::font;
use crate::legend::{self, LegendEntry, Swatch};
use crate::notes;
use crate::panel::{Labels, Panel, y_label_room};
use crate::records::{Group, OverSeeds, RunNumbers};

/// The most panels side by side.
const MAX_COLUMNS: usize = 4;
/// The most bars in a panel.
const MAX_BARS: usize = 128;
/// Height of the smallest bar, in points.
const LEAST: f64 = 1.2;

/// One panel's bars.
struct Bars {
    label: String,
    shown: Shown,
    /// By rank, largest first.
    kl: Vec<OverSeeds>,
    /// By rank, whether the unit is active.
    activity: Vec<Activity>,
    /// Active units, a mean over seeds, where their variance is known.
    active: Option<f64>,
}

/// Whether the units of one rank are active, over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    All,
    Some,
    None,
    /// The posterior means were not stored.
    Unknown,
}

impl Activity {
    const EVERY: [Activity; 4] = [Activity::All, Activity::Some, Activity::None, Activity::Unknown];

    fn look(self) -> (Colour, &'static str) {
        match self {
            Activity::All => (BLUE, "active"),
            Activity::Some => (LIGHT_BLUE, "active in some seeds"),
            Activity::None => (FAINT, "inactive"),
            Activity::Unknown => (GREY, "not known whether active"),
        }
    }

    /// Of what each seed's unit is.
    fn of(seeds: &[bool]) -> Activity {
        match (seeds.contains(&true), seeds.contains(&false)) {
            (true, false) => Activity::All,
            (true, true) => Activity::Some,
            (false, true) => Activity::None,
            (false, false) => Activity::Unknown,
        }
    }
}

/// Whether each unit of a run is active, in the order of its KL, largest first; `None` where that is not known.
fn active_by_rank(run: &RunNumbers) -> Option<Vec<bool>> {
    let variances = run.latent_variances.as_ref().filter(|variances| variances.len() == run.kl_per_dim.len())?;
    let mut order: Vec<usize> = (0..variances.len()).collect();
    order.sort_by(|&a, &b| run.kl_per_dim[b].total_cmp(&run.kl_per_dim[a]));
    Some(order.into_iter().map(|d| variances[d] > ACTIVE_UNIT_VARIANCE).collect())
}

/// How far letters reach below the line that they stand on, in points.
const DESCENT: f64 = 2.0;

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let none = "no finished run has a KL that is a sum over latent dimensions";
    let has = |group: &Group| group.runs.iter().any(|run| !run.kl_per_dim.is_empty());
    choice.keep("no KL that is a sum over latent dimensions", none, has)?;
    let (groups, paper) = (choice.groups.as_slice(), choice.paper);
    let along = Along::choose(groups);
    let rows: Vec<(String, Vec<Bars>)> = facets::panel_rows(groups, &along, paper.columns(MAX_COLUMNS))
        .into_iter()
        .map(|PanelRow { label, panels }| {
            let bars = panels.into_iter().map(|(group, title)| bars_of(group, title, &label)).collect();
            (label, bars)
        })
        .collect();
    // One scale for all panels of all pages, so that their bars can be compared.
    let ends =
        rows.iter().flat_map(|(_, bars)| bars).flat_map(|b| &b.kl).flat_map(OverSeeds::extent).map(|end| 1.12 * end);
    let y = PlotAxis::from_zero(ends, 4);
    let height = if rows.len() == 1 { 100.0 } else { 66.0 };
    let per_page = (((paper.tall - 60.0) / (height + LABEL + 24.0)) as usize).max(1);
    let caption = format!(
        "KL of each latent dimension on the test images, in nats per image, largest first; {} at each rank. A unit is \
         active if its posterior mean varies over the test images, Var_x(E_q[z]) > {ACTIVE_UNIT_VARIANCE}, whatever its KL.{}{}",
        notes::seeds(groups, "points"),
        if groups.iter().flat_map(|g| &g.runs).any(|run| run.kl_per_dim.len() > MAX_BARS) {
            " Only the 128 largest are drawn."
        } else {
            ""
        },
        if rows.iter().flat_map(|(_, bars)| bars).flat_map(|bars| &bars.kl).any(|kl| is_raised(kl.mean(), &y, height)) {
            " A KL too small to see is drawn as the thinnest bar."
        } else {
            ""
        },
    );
    let pages = rows.chunks(per_page).map(|rows| Page {
        drawing: page(rows, &y, height, paper),
        caption: caption.clone(),
        shown: rows.iter().flat_map(|(_, bars)| bars).map(|bars| bars.shown.clone()).collect(),
    });
    let pages = pages.collect();
    Ok(choice.into_pages(pages))
}

fn bars_of(group: &Group, label: String, row: &str) -> Bars {
    let mut sorted: Vec<Vec<f64>> = group.runs.iter().map(|run| run.kl_per_dim.clone()).collect();
    for kl in &mut sorted {
        kl.sort_by(|a, b| b.total_cmp(a));
    }
    let n = sorted.iter().map(Vec::len).max().unwrap_or(0).min(MAX_BARS);
    let rank = |r: usize| OverSeeds::of(Metric::Kl, sorted.iter().filter_map(|kl| kl.get(r).copied()).collect());
    let active: Vec<Vec<bool>> = group.runs.iter().filter_map(active_by_rank).collect();
    let activity = |r: usize| Activity::of(&active.iter().filter_map(|seed| seed.get(r).copied()).collect::<Vec<_>>());
    let n_active = active.iter().flatten().filter(|is_active| **is_active).count();
    Bars {
        shown: Shown::new(group, [row.to_owned(), label.clone()]),
        label,
        kl: (0..n).filter_map(rank).collect(),
        activity: (0..n).map(activity).collect(),
        active: (!active.is_empty()).then(|| n_active as f64 / active.len() as f64),
    }
}

fn page(rows: &[(String, Vec<Bars>)], y: &PlotAxis, height: f64, paper: Paper) -> Drawing {
    let mut drawing = Drawing::on(paper);
    let has = |activity: &Activity| rows.iter().flat_map(|(_, bars)| bars).any(|bars| bars.activity.contains(activity));
    let entry = |activity: Activity| {
        let (colour, name) = activity.look();
        LegendEntry::new(Swatch::Square(colour), name)
    };
    let entries: Vec<LegendEntry> = Activity::EVERY.into_iter().filter(has).map(entry).collect();
    let mut top = 3.0 + legend::draw(&mut drawing, &entries, 2.0) + 14.0;
    let columns = rows.iter().map(|(_, bars)| bars.len()).max().unwrap_or(1);
    let room = y_label_room(y);
    let (title, gap, right) = (12.0, 9.0, 4.0);
    let width = (paper.width - title - right - room - gap * (columns - 1) as f64) / columns as f64;
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
                left: title + room + column as f64 * (width + gap),
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
                drawing.upright((8.5, top + height / 2.0), "KL (nats per image)", SMALL, INK);
            }
            bars_in(&mut drawing, &panel, bars_here);
        }
        top += height + 15.0;
    }
    drawing.height = top - 15.0 + 22.5;
    drawing
}

/// Whether a bar is drawn higher than its value, so that it is seen.
fn is_raised(kl: f64, y: &PlotAxis, height: f64) -> bool {
    kl / (y.high - y.low) * height < LEAST
}

fn bars_in(drawing: &mut Drawing, panel: &Panel, bars: &Bars) {
    let n = bars.kl.len();
    let slot = panel.width / n.max(1) as f64;
    let half = (0.4 * slot).min(6.0);
    for (rank, over) in bars.kl.iter().enumerate() {
        let (x, y) = panel.at(rank as f64 + 1.0, over.mean().max(0.0));
        let (colour, _) = bars.activity[rank].look();
        // Even a KL of nothing leaves a bar to see.
        drawing.bar((x - half, y.min(panel.bottom() - LEAST)), (x + half, panel.bottom()), colour);
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
    let whole = (active - active.round()).abs() < 1e-9;
    let text = format!("{} of {n} active", fixed(active, usize::from(!whole)));
    if font::width(&text, SMALL) < panel.width {
        drawing.text((panel.right() - 1.0, baseline(panel, bars)), text, SMALL, GREY, Anchor::End);
    }
}

/// Where a text in a panel's upper corner stands clear of the lines behind it, as far as the bars leave room.
fn baseline(panel: &Panel, bars: &Bars) -> f64 {
    let height_of = |value: f64| panel.at(0.5, value).1;
    let highest = bars.kl.iter().flat_map(OverSeeds::extent).map(height_of).fold(panel.bottom(), f64::min);
    let is_clear = |baseline: &f64| {
        let is_apart = |line: f64| line < baseline - SMALL || line > baseline + DESCENT;
        panel.y.ticks.iter().all(|(tick, _)| is_apart(height_of(*tick))) && baseline + DESCENT < highest
    };
    let first = panel.top + 6.0;
    (0..30).map(|step| first + 0.5 * f64::from(step)).find(is_clear).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Gaussian units whose posterior is narrow but never moves, KL and activity disagree.
    #[test]
    fn a_count_is_not_crossed_by_a_line() {
        let over = |value| OverSeeds::of(Metric::Kl, vec![value]);
        let cell: spec::Cell = serde_json::from_value(serde_json::json!({
            "dataset": { "name": "glyphs" }, "model": { "hidden": [8], "latent_dim": 2 },
            "objective": {}, "optimizer": { "adam": {} }, "training": {},
        }))
        .expect("the cell is valid");
        let groups = crate::figure::random::groups(&[cell], |_| Default::default());
        let bars = Bars {
            label: String::new(),
            shown: Shown::new(&groups[0], []),
            kl: [2.5, 2.4].into_iter().filter_map(over).collect(),
            activity: vec![Activity::All; 2],
            active: Some(2.0),
        };
        // A line at 3, just below the upper end.
        let y = PlotAxis::between(0.0, 3.24, 4);
        let panel = Panel { left: 30.0, top: 40.0, width: 80.0, height: 66.0, x: PlotAxis::whole(0.5, 2.5, 5), y };
        let mut drawing = Drawing::on(Paper::default());
        bars_in(&mut drawing, &panel, &bars);
        let texts = drawing.marks.iter().filter_map(|mark| match mark {
            crate::drawing::Mark::Text { at, .. } => Some(at.1),
            _ => None,
        });
        let line = panel.at(0.5, 3.0).1;
        let baselines: Vec<f64> = texts.collect();
        assert!(baselines.len() == 1 && line < baselines[0] - SMALL + 1e-9, "{baselines:?} and {line}");
    }

    #[test]
    fn a_unit_is_active_by_its_variance_and_not_by_the_rank_of_its_kl() {
        let run = RunNumbers {
            kl_per_dim: vec![0.1, 3.0, 0.5],
            latent_variances: Some(vec![0.9, 0.001, 0.4]),
            ..RunNumbers::default()
        };
        assert_eq!(active_by_rank(&run), Some(vec![false, true, true]));
        assert_eq!(active_by_rank(&RunNumbers { latent_variances: None, ..run }), None);
        let over_seeds = [&[true, true][..], &[true, false], &[false], &[]].map(Activity::of);
        assert_eq!(over_seeds, Activity::EVERY);
    }
}
