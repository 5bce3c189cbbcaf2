//! Quantities against the latent dimension: a panel for each quantity, a line for each β, a row for each of what else differs.

use super::facets::{self, Along, Facet, Style};
use super::labels::LABEL;
use super::stacks::{Place, StackRow, Stacks};
use super::{Choice, Drawn, Page, Shown};
use crate::axis::{PlotAxis, number};
use crate::colour::INK;
use crate::drawing::{Drawing, NORMAL, Paper};
use crate::legend::{self, LegendEntry, Swatch};
use crate::panel::{Labels, Panel, y_label_room};
use crate::records::{Group, OverSeeds, numbers};
use crate::setting::{BETA, GroupKey, LATENT_DIM};

/// A value over seeds; `None` for a model that has no such thing.
type Value = Box<dyn Fn(&Group) -> Option<OverSeeds>>;

/// What a panel is of.
pub struct Quantity {
    /// Above the panel.
    pub title: &'static str,
    /// Beside the row's first panel, where all have the same.
    pub unit: &'static str,
    /// Quantities of the same axis have the same span.
    pub axis: &'static str,
    /// Its value.
    pub of: Value,
}

/// One line: its look, and for each quantity `(latent dimension, value over seeds)`.
struct Line {
    style: Style,
    series: Vec<Vec<(f64, OverSeeds)>>,
}

/// One row of panels.
struct Row {
    label: String,
    lines: Vec<Line>,
    shown: Vec<Shown>,
}

/// What is said of the groups that are drawn.
pub struct Said {
    /// What the panels show: `Terms of the ELBO …`.
    pub what: String,
    /// Further sentences, each with a space ahead.
    pub remarks: String,
}

/// Draws those of the quantities that some group has, of the groups that have some of them; `caption` says what they are.
pub fn draw(mut choice: Choice<'_>, quantities: Vec<Quantity>, caption: impl Fn(&[&Group]) -> Said) -> Drawn {
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

    let (groups, paper) = (choice.groups.as_slice(), choice.paper);
    let has = |quantity: &Quantity| groups.iter().any(|group| (quantity.of)(group).is_some());
    let quantities: Vec<Quantity> = quantities.into_iter().filter(has).collect();
    let mut styles = facets::styles(groups, &along);
    if let [only] = styles.as_mut_slice() {
        only.label = facets::shared(groups);
    }
    let row = |facet: Facet<'_>| {
        let own = |style: &Style| -> Vec<&Group> {
            facet.groups.iter().filter(|group| along.level(group) == style.level).copied().collect()
        };
        let of = |style: &Style, quantity: &Quantity| {
            let point = |group: &Group| Some((group.number(LATENT_DIM)?, (quantity.of)(group)?));
            own(style).into_iter().filter_map(point).collect()
        };
        let line =
            |s: &Style| Line { style: s.clone(), series: quantities.iter().map(|quantity| of(s, quantity)).collect() };
        let at = |group: &Group| number(group.number(LATENT_DIM).unwrap_or_default());
        let shown = |style: &Style| {
            let called = |group: &Group| [facet.label.clone(), style.label.clone(), at(group)];
            own(style).into_iter().map(|group| Shown::new(group, called(group))).collect::<Vec<_>>()
        };
        let lines =
            styles.iter().map(line).filter(|line| line.series.iter().any(|series| !series.is_empty())).collect();
        let shown = styles.iter().flat_map(shown).collect();
        Row { label: facet.label, lines, shown }
    };
    let rows: Vec<Row> = facets::rows(groups, &within).into_iter().map(row).collect();
    let x = PlotAxis::at(&numbers(groups, LATENT_DIM));
    let height = if rows.len() == 1 { 120.0 } else { 90.0 };
    let n_stacked = quantities.len().div_ceil(paper.per_row(quantities.len())).max(1);
    let stacked = 45.0 * (n_stacked - 1) as f64;
    let per_page = (((paper.tall - 60.0) / ((height + LABEL + 6.0) * n_stacked as f64 + stacked)) as usize).max(1);
    let Said { what, remarks } = caption(groups);
    let lines = if many_betas { ", a line for each β" } else { "" };
    let caption = format!(
        "{what}, against the latent dimension{lines}; {}.{remarks}",
        crate::notes::seeds(groups, "small points")
    );
    let pages = rows.chunks(per_page).map(|rows| Page {
        drawing: page(rows, &quantities, &styles, (&x, height, paper)),
        caption: caption.clone(),
        shown: rows.iter().flat_map(|row| row.shown.clone()).collect(),
    });
    let pages = pages.collect();
    Ok(choice.into_pages(pages))
}

fn page(
    rows: &[Row],
    quantities: &[Quantity],
    styles: &[Style],
    (x, height, paper): (&PlotAxis, f64, Paper),
) -> Drawing {
    let mut drawing = Drawing::on(paper);
    let is_used = |style: &&Style| rows.iter().flat_map(|row| &row.lines).any(|line| line.style.level == style.level);
    let styles = styles.iter().filter(is_used).filter(|style| !style.label.is_empty());
    let entries: Vec<LegendEntry> =
        styles.map(|s| LegendEntry::new(Swatch::Marked(s.colour, s.marker), s.label.clone())).collect();
    let below_legend = 3.0 + legend::draw(&mut drawing, &entries, 2.0);
    let axis = |index: usize| {
        let alike = (0..quantities.len()).filter(|other| quantities[*other].axis == quantities[index].axis);
        let lines = || rows.iter().flat_map(|row| &row.lines);
        let values = alike.flat_map(|other| lines().flat_map(move |line| &line.series[other]));
        PlotAxis::around(values.flat_map(|(_, over)| over.extent()), 5)
    };
    let axes: Vec<PlotAxis> = (0..quantities.len()).map(axis).collect();
    let unit = quantities.first().map(|quantity| quantity.unit).filter(|unit| !unit.is_empty());
    let x_title = spec::setting_title(LATENT_DIM);
    let (side, gap, right) = (if unit.is_some() { 12.0 } else { 4.0 }, 10.0, 5.0);
    let titles: Vec<&str> = quantities.iter().map(|quantity| quantity.title).collect();
    let stacks = Stacks { x, axes: &axes, titles: &titles, height, side, gap, right, between: 18.0 };
    let has = |row: &Row, index: usize| row.lines.iter().any(|line| !line.series[index].is_empty());
    let stacked: Vec<StackRow<'_>> = rows
        .iter()
        .map(|row| StackRow { label: &row.label, has: (0..axes.len()).map(|index| has(row, index)).collect() })
        .collect();
    let bottom = stacks.draw(&mut drawing, below_legend, &stacked, |drawing, place| {
        let Place { row, column, panel, is_first, is_last, is_leftmost, .. } = place;
        if let Some(unit) = unit.filter(|_| *is_leftmost) {
            let beside = panel.left - y_label_room(&panel.y) - 3.5;
            drawing.upright((beside, panel.top + height / 2.0), unit, NORMAL, INK);
        }
        let labels = Labels { x: is_last.then_some(&*x_title), x_ticks: *is_last, y_ticks: true, ..Labels::default() };
        panel.frame(drawing, labels);
        if *is_first {
            place.title(drawing);
        }
        rows[*row].lines.iter().for_each(|line| line_in(drawing, panel, line, *column));
    });
    drawing.height = bottom + 22.5;
    drawing
}

/// Draws the means of a line with their intervals and single seeds.
fn line_in(drawing: &mut Drawing, panel: &Panel, line: &Line, column: usize) {
    let series = &line.series[column];
    let means: Vec<(f64, f64)> = series.iter().map(|(x, over)| (*x, over.mean())).collect();
    panel.line(drawing, &means, line.style.colour, 1.0, None);
    for (x, over) in series {
        if let Some(interval) = over.interval() {
            panel.error_bar(drawing, *x, interval, line.style.colour);
        }
        panel.singles(drawing, *x, over.singles(), line.style.colour);
        line.style.marker.draw(drawing, panel.at(*x, over.mean()), line.style.colour);
    }
}
