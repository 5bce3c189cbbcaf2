//! Every term of the objective against the epoch: a column per term, a row per β, a line per latent dimension.

use spec::{Metric, Term, listed};

use super::facets::{self, Along, Facet, MAX_LINES, Style};
use super::grid::Grid;
use super::labels::{self, LABEL};
use super::{Choice, Drawn, Page, Shown};
use crate::axis::{PlotAxis, range};
use crate::colour::{GREY, INK};
use crate::drawing::{Drawing, Mark, Paper, SMALL};
use crate::legend::{self, LegendEntry, Swatch};
use crate::notes;
use crate::panel::{Labels, Panel, y_label_room};
use crate::records::{Epoch, Group, OverSeeds, RunNumbers, minimise_alike, terms_in_nats};

/// Room for the labels of the horizontal axis, in points.
const BELOW: f64 = 22.5;
/// Over how many epochs β rises.
const WARM_UP: &str = "objective.warm_up_epochs";
const SOLID: f64 = 1.0;
const THIN: f64 = 0.7;
/// Width of a single seed's line.
const SEED: f64 = 0.35;
const DASH: (f64, f64) = (2.4, 1.6);
/// The most markers of a curve, so that it stays a curve.
const MAX_MARKERS: usize = 6;
/// Their size; 1 is a marker 4 points wide.
const MARKER: f64 = 0.75;

/// A term over epochs: `(epoch, the term over seeds)`.
type Series = Vec<(f64, OverSeeds)>;

/// One group's curves.
#[derive(Clone, Debug)]
struct Curve {
    style: Style,
    /// By drawn term, on the test and on the training images; empty where there is no such term.
    terms: Vec<(Series, Series)>,
}

/// One row of panels.
#[derive(Clone, Debug)]
struct Row {
    label: String,
    curves: Vec<Curve>,
    shown: Vec<Shown>,
}

impl Row {
    /// Whether a group of this row has the term.
    fn has(&self, term: usize) -> bool {
        self.curves.iter().map(|curve| &curve.terms[term]).any(|(test, train)| !test.is_empty() || !train.is_empty())
    }
}

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let none = "no finished run has metrics on the test images";
    choice.keep("no metrics on the test images", none, |group| group.runs.iter().any(|run| !run.test.is_empty()))?;
    let along = along(&choice.groups);
    facets::thin(&mut choice, &along);
    let (groups, paper) = (choice.groups.as_slice(), choice.paper);
    // A panel for each term that some model has: a GAN has no bound, and most have no discriminator.
    let drawn: Vec<Metric> =
        terms_in_nats().filter(|&term| groups.iter().any(|group| group.last(term).is_some())).collect();
    let families = families(groups);
    let mut styles = facets::styles(groups, &along);
    if let [only] = styles.as_mut_slice() {
        only.label = facets::shared(groups);
    }
    let rows: Vec<Row> = families
        .iter()
        .flat_map(|(family, of)| facets::rows_of(of, groups, std::slice::from_ref(&along), family))
        .map(|facet| {
            let (mut curves, mut shown) = (Vec::new(), Vec::new());
            for group in &facet.groups {
                let Some(style) = styles.iter().find(|style| style.level == along.level(group)) else { continue };
                curves.push(Curve { style: style.clone(), terms: series(group, &drawn) });
                shown.push(Shown::new(group, [facet.label.clone(), style.label.clone()]));
            }
            Row { label: facet.label, curves, shown }
        })
        .collect();
    let axes = Axes::of(&rows, &drawn);
    let height = if rows.len() == 1 { 104.0 } else { 74.0 };
    let apart = is_sparse(&rows, drawn.len());
    let row_height = height + LABEL + 6.0 + if apart { LABEL + BELOW } else { 0.0 };
    // Where the page is narrow, terms stand below each other.
    let n_stacked = drawn.len().div_ceil(paper.per_row(drawn.len()));
    let stacked = (n_stacked - 1) as f64 * (row_height + LABEL + BELOW);
    let per_page = (((paper.tall - 60.0) / (row_height + stacked)) as usize).max(1);
    let caption = format!(
        "{} against the epoch, in nats per image: test images solid, training images (averaged while the \
         weights change) dashed; {}{}.{}{}{}{}{}{}{}",
        if drawn.contains(&Metric::Elbo) { "ELBO terms" } else { "Terms of the objective" },
        notes::seeds(groups, "thin lines"),
        if groups.iter().any(|group| group.runs.len() > 1) { " (of the test images)" } else { "" },
        if rows.len() > 1 { format!(" One colour per {}.", along.name()) } else { String::new() },
        if minimise_alike(groups) { "" } else { " Objectives are of what each model minimises, and do not compare." },
        warm_up(groups),
        notes::floor(groups),
        notes::exact(groups),
        notes::clean(groups),
        if axes.cut { " Some of the first epochs lie beyond the panels." } else { "" },
    );
    let pages = rows.chunks(per_page).map(|rows| Page {
        drawing: page(rows, &drawn, &styles, &axes, (height, apart, paper)),
        caption: caption.clone(),
        shown: rows.iter().flat_map(|row| row.shown.clone()).collect(),
    });
    let pages = pages.collect();
    Ok(choice.into_pages(pages))
}

/// Why an objective may rise while all else gets better: ` β rises over 3 epochs, and the objective with it.`
fn warm_up(groups: &[&Group]) -> String {
    let rises = |group: &&Group| group.cell.has(WARM_UP) && group.cell.objective.warm_up_epochs > 0;
    let told = |group: &&Group| match (group.cell.objective.warm_up_epochs, group.cell.objective.cycles) {
        (epochs, 1) => format!("over {epochs} epochs"),
        (epochs, cycles) => format!("over {epochs} epochs in each of {cycles} cycles"),
    };
    let mut all: Vec<String> = groups.iter().filter(|group| rises(group)).map(told).collect();
    let of = if all.len() < groups.len() { " of some models" } else { "" };
    all.dedup();
    if all.is_empty() {
        String::new()
    } else {
        format!(" β{of} rises {}, and the objective with it.", listed(&all, "or"))
    }
}

/// What tells the lines of a panel from one another. Where rows would leave a quarter of their panels empty, since some models
/// lack a term, all lines share one row as far as it has room for them.
fn along(groups: &[&Group]) -> Along {
    let chosen = Along::choose(groups);
    let terms: Vec<Metric> =
        terms_in_nats().filter(|&term| groups.iter().any(|group| group.last(term).is_some())).collect();
    let rows = facets::rows(groups, std::slice::from_ref(&chosen));
    let has = |row: &Facet<'_>, term: Metric| row.groups.iter().any(|group| group.last(term).is_some());
    let n_filled: usize = rows.iter().map(|row| terms.iter().filter(|&&term| has(row, term)).count()).sum();
    let is_sparse = rows.len() > 1 && 4 * n_filled <= 3 * rows.len() * terms.len();
    if is_sparse && groups.len() <= MAX_LINES && families(groups).len() < 2 { Along::all(groups) } else { chosen }
}

/// Groups by what they mean by their losses, each with a name where there are several: a GAN's generator has nothing to share an
/// axis with a bound.
fn families<'a>(groups: &[&'a Group]) -> Vec<(String, Vec<&'a Group>)> {
    let mut families: Vec<(Vec<Term>, Vec<&Group>)> = Vec::new();
    for group in groups {
        let losses: Vec<Term> = Metric::losses().map(|metric| group.cell.term(metric)).collect();
        match families.iter_mut().find(|(known, _)| *known == losses) {
            Some((_, family)) => family.push(group),
            None => families.push((losses, vec![group])),
        }
    }
    let is_one = families.len() < 2;
    let name = |losses: &[Term]| match losses.first() {
        Some(objective) if !is_one && objective.is_minimised() => "without a discriminator".to_owned(),
        Some(objective) if !is_one => format!("objective: {}", objective.title),
        _ => String::new(),
    };
    families.into_iter().map(|(losses, family)| (name(&losses), family)).collect()
}

fn series(group: &Group, terms: &[Metric]) -> Vec<(Series, Series)> {
    let series = |term: Metric, of: fn(&RunNumbers) -> &[Epoch]| {
        let mut epochs: Vec<u32> = group.runs.iter().flat_map(|run| of(run).iter().map(|t| t.epoch)).collect();
        epochs.sort_unstable();
        epochs.dedup();
        let at = |epoch: u32| {
            let values = group.runs.iter().filter_map(|run| of(run).iter().find(|t| t.epoch == epoch));
            OverSeeds::of(term, values.filter_map(|t| t.terms.get(term)).collect())
        };
        epochs.into_iter().filter_map(|epoch| Some((f64::from(epoch), at(epoch)?))).collect()
    };
    terms.iter().map(|&term| (series(term, |run| &run.test), series(term, |run| &run.train))).collect()
}

/// The axes of all pages, so that panels can be compared.
struct Axes {
    /// By drawn term: as far as models that have it were trained.
    x: Vec<PlotAxis>,
    /// By drawn term; losses have each row's own, since their values depend on β and on the family.
    shared: Vec<Option<PlotAxis>>,
    /// Whether some of the first epochs lie beyond the axes.
    cut: bool,
    /// Epochs of the test images before this one do not count for the axes.
    from: f64,
}

/// Where both curves count for the axes: at first the training images' is a mean over weights that change fast.
fn settled(last: f64) -> f64 {
    (1.0 + (0.1 * last).ceil()).min(last)
}

/// The values that the axes span: those of the test images from an epoch on, those of the training images once settled.
fn values<'a>(rows: impl Iterator<Item = &'a Row>, term: usize, from: f64, last: f64) -> Vec<f64> {
    let of = |series: &Series, from: f64| -> Vec<f64> {
        series.iter().filter(|(epoch, _)| *epoch >= from).flat_map(|(_, over)| over.extent()).collect()
    };
    rows.flat_map(|row| &row.curves)
        .flat_map(|curve| {
            let (test, train) = &curve.terms[term];
            [of(test, from), of(train, from.max(settled(last)))].concat()
        })
        .collect()
}

impl Axes {
    fn of(rows: &[Row], drawn: &[Metric]) -> Axes {
        let epochs = rows.iter().flat_map(|row| &row.curves).flat_map(|c| &c.terms).flat_map(|(test, _)| test);
        let (first, last) = range(epochs.map(|(epoch, _)| *epoch));
        let span = |from: f64, term: usize| {
            let (low, high) = range(values(rows.iter(), term, from, last));
            high - low
        };
        // What a hardly trained network scores would flatten all that comes after.
        let late = settled(last);
        let is_steep = |term| span(first, term) > 2.5 * span(late, term);
        let from = if last > 5.0 && (0..drawn.len()).any(is_steep) { late } else { first };
        let axis = |term: usize| PlotAxis::around(values(rows.iter(), term, from, last), 5);
        let own = |term: usize| Metric::losses().any(|loss| loss == drawn[term]);
        let shared: Vec<Option<PlotAxis>> = (0..drawn.len()).map(|term| (!own(term)).then(|| axis(term))).collect();
        let all = rows.iter().flat_map(|row| &row.curves).flat_map(|c| c.terms.iter().zip(&shared));
        let is_beyond = |over: &OverSeeds, axis: &PlotAxis| over.mean() < axis.low || over.mean() > axis.high;
        let cut = all
            .filter_map(|((test, train), axis)| Some((test.iter().chain(train), axis.as_ref()?)))
            .any(|(mut series, axis)| series.any(|(_, over)| is_beyond(over, axis)));
        let x = |term: usize| {
            let tests = rows.iter().flat_map(|row| &row.curves).map(|curve| &curve.terms[term].0);
            let (first, last) = range(tests.flatten().map(|(epoch, _)| *epoch));
            if last > first {
                PlotAxis::whole(first.min(1.0), last, 4)
            } else {
                PlotAxis::whole(first - 0.5, last + 0.5, 3)
            }
        };
        Axes { x: (0..drawn.len()).map(x).collect(), shared, cut, from }
    }

    fn y(&self, row: &Row, term: usize) -> PlotAxis {
        let own = || PlotAxis::around(values(std::iter::once(row), term, self.from, self.x[term].high), 5);
        self.shared[term].clone().unwrap_or_else(own)
    }
}

/// Whether a quarter of the panels or more would be empty if each term had one column for all rows: then each row has its own.
fn is_sparse(rows: &[Row], n_terms: usize) -> bool {
    let n_filled: usize = rows.iter().map(|row| (0..n_terms).filter(|&term| row.has(term)).count()).sum();
    4 * n_filled <= 3 * rows.len() * n_terms
}

fn page(
    rows: &[Row],
    drawn: &[Metric],
    styles: &[Style],
    axes: &Axes,
    (height, apart, paper): (f64, bool, Paper),
) -> Drawing {
    let mut drawing = Drawing::on(paper);
    let is_here =
        |style: &&Style| rows.iter().flat_map(|row| &row.curves).any(|curve| curve.style.level == style.level);
    let entry = |s: &Style| LegendEntry::new(Swatch::Marked(s.colour, s.marker), s.label.clone());
    let mut entries: Vec<LegendEntry> = styles.iter().filter(is_here).map(entry).collect();
    entries.push(LegendEntry::new(Swatch::Line(GREY, SOLID, None), "test"));
    entries.push(LegendEntry::new(Swatch::Line(GREY, THIN, Some(DASH)), "train"));
    let mut top = 3.0 + legend::draw(&mut drawing, &entries, 2.0) + 13.0;
    let size = if apart { 1 } else { rows.len() };
    for (index, rows) in rows.chunks(size).enumerate() {
        let terms: Vec<usize> = (0..drawn.len()).filter(|&term| rows.iter().any(|row| row.has(term))).collect();
        let per_row = paper.per_row(terms.len());
        for (stack, columns) in terms.chunks(per_row).enumerate() {
            // The labels of the axes below, and the titles of the columns.
            top += if index + stack > 0 { BELOW + LABEL } else { 0.0 };
            top = table(&mut drawing, rows, index * size, (drawn, columns, per_row), axes, height, top);
        }
    }
    drawing.height = top - 7.0 + BELOW;
    drawing
}

/// Rows of panels with a column for each of these terms, as wide as `n` columns leave them; `first` is the number of the first one. Returns where
/// the next may begin.
fn table(
    drawing: &mut Drawing,
    rows: &[Row],
    first: usize,
    (drawn, columns, n): (&[Metric], &[usize], usize),
    axes: &Axes,
    height: f64,
    mut top: f64,
) -> f64 {
    let room = |term: usize| rows.iter().map(|row| y_label_room(&axes.y(row, term))).fold(0.0, f64::max);
    let rooms: Vec<f64> = columns.iter().map(|&term| room(term)).collect();
    let (title, gap, right) = (11.5, 7.0, 6.5);
    let width = (drawing.paper.width - title - right - gap * (n - 1) as f64 - rooms.iter().sum::<f64>()) / n as f64;
    let grid = Grid::new(rows.iter().map(|row| columns.iter().map(|&term| row.has(term)).collect()).collect());
    for (index, row) in rows.iter().enumerate() {
        if !row.label.is_empty() {
            let above = if index == 0 { top - 13.0 } else { top };
            top += labels::row_label(drawing, first + index, &row.label, above);
            top += if index == 0 { LABEL - 2.0 } else { LABEL };
        }
        top += grid.room_above(index);
        let mut left = title;
        for (column, (&term, &room)) in columns.iter().zip(&rooms).enumerate() {
            left += room;
            if !grid.has(index, column) {
                left += width + gap;
                continue;
            }
            if grid.is_leftmost(index, column) {
                drawing.upright((left - room - 3.5, top + height / 2.0), "nats per image", SMALL, INK);
            }
            let is_last = grid.is_last(index, column);
            let panel = Panel { left, top, width, height, x: axes.x[term].clone(), y: axes.y(row, term) };
            let labels = Labels {
                title: grid.is_first(index, column).then(|| drawn[term].about().title),
                x: is_last.then_some("epoch"),
                y: None,
                x_ticks: is_last,
                y_ticks: true,
            };
            panel.frame(drawing, labels);
            for (place, curve) in row.curves.iter().enumerate() {
                curve_in(drawing, &panel, curve, term, place as f64 / row.curves.len() as f64);
            }
            left += width + gap;
        }
        top += height + 7.0 + grid.room_below(index);
    }
    top
}

/// Draws a curve. Its markers stand between those of the curves before it: `place` is its share of the way from one of its own
/// to the next.
fn curve_in(drawing: &mut Drawing, panel: &Panel, curve: &Curve, term: usize, place: f64) {
    let (test, train) = &curve.terms[term];
    let colour = curve.style.colour;
    let means = |series: &Series| series.iter().map(|(x, over)| (*x, over.mean())).collect::<Vec<_>>();
    let band = test.iter().filter_map(|(x, over)| over.interval().map(|(low, high)| (*x, low, high)));
    panel.band(drawing, &band.collect::<Vec<_>>(), colour);
    for seed in 0..test.iter().map(|(_, over)| over.singles().len()).max().unwrap_or(0) {
        let own = test.iter().filter_map(|(x, over)| Some((*x, *over.singles().get(seed)?)));
        panel.line(drawing, &own.collect::<Vec<_>>(), colour, SEED, None);
    }
    // A single epoch makes no line.
    if let [(x, only)] = train.as_slice() {
        drawing.marks.push(Mark::Dot { at: panel.at(*x, only.mean()), radius: 1.2, colour: GREY, opacity: 1.0 });
    }
    panel.line(drawing, &means(train), colour, THIN, Some(DASH));
    let test = means(test);
    panel.line(drawing, &test, colour, SOLID, None);
    let between = test.len().div_ceil(MAX_MARKERS).max(1);
    for &(x, y) in test.iter().skip((place * between as f64) as usize).step_by(between) {
        let at = panel.at(x, y);
        if at.1 >= panel.top && at.1 <= panel.bottom() {
            curve.style.marker.draw_sized(drawing, at, colour, MARKER);
        }
    }
}
