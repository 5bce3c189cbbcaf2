//! The claims as a forest plot: one row for each comparison, its effect in units of δ with its interval, the verdict beside it.

use record::verdict::Verdict;
use spec::Expect;

use super::Figure;
use super::labels::{LINE, wrap};
use crate::axis::{fixed, number};
use crate::claims::{Judged, JudgedClaim, JudgedComparison};
use crate::colour::{BLUE, Colour, GREY, INK, LIGHT_BLUE, PALE};
use crate::drawing::{Anchor, Drawing, NORMAL, Paper, SMALL};
use crate::font;
use crate::notes;
use crate::records::Records;

/// Why there is no figure.
pub const NONE: &str = "the experiment makes no claims";

/// Left edge of the plot, its right edge, and the left edge of the verdicts, in points of the usual page.
const PLOT: (f64, f64) = (160.0, 318.0);
const VERDICTS: f64 = 326.0;
/// Height of a comparison's line of text, and of the room above a claim, in points.
const ROW: f64 = 11.0;
const GAP: f64 = 6.0;
/// Height above the first claim and below the last one, in points.
const TOP: f64 = 6.0;
const FOOT: f64 = 26.0;
/// Effects that may have a tick, in units of δ.
const TICKS: [f64; 11] = [0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 1e4, 1e5, 1e6];

/// A row's label broken into lines, with what it shows.
struct Row<'a> {
    label: Vec<String>,
    verdict: Vec<String>,
    comparison: &'a JudgedComparison,
}

/// A claim's sentence broken into lines, with its rows.
struct Block<'a> {
    title: Vec<String>,
    verdict: String,
    rows: Vec<Row<'a>>,
}

impl Row<'_> {
    fn height(&self) -> f64 {
        ROW + LINE * (self.label.len().max(self.verdict.len()).max(1) - 1) as f64
    }
}

impl Block<'_> {
    fn height(&self) -> f64 {
        GAP + LINE * self.title.len() as f64 + 2.0 + self.rows.iter().map(Row::height).sum::<f64>()
    }
}

/// The figure's pages; an error where there is nothing to draw.
pub fn figures(records: &Records, paper: Paper) -> Result<Vec<Figure>, String> {
    let judged = records.judged.as_ref().ok_or(NONE)?;
    if judged.claims.iter().flat_map(|claim| &claim.comparisons).all(|one| one.effect.is_none()) {
        return Err("no claim has been measured".to_owned());
    }
    let axis = Axis::of(judged, paper);
    let mut pages: Vec<Vec<Block<'_>>> = Vec::new();
    let mut used = f64::INFINITY;
    for block in judged.claims.iter().map(|claim| block(claim, paper)) {
        if used + block.height() > paper.tall - TOP - FOOT {
            pages.push(Vec::new());
            used = 0.0;
        }
        used += block.height();
        if let Some(page) = pages.last_mut() {
            page.push(block);
        }
    }
    let n = pages.len();
    let caption = format!("{}{}", caption(judged), notes::missing(records));
    let figure = |(index, blocks): (usize, Vec<Block<'_>>)| {
        let (number, of) = match n {
            1 => (String::new(), String::new()),
            n => (format!("-{}", index + 1), format!(" Part {} of {n}.", index + 1)),
        };
        Figure {
            name: format!("claims{number}"),
            caption: format!("{caption}{of}"),
            drawing: draw(&axis, &blocks, paper),
        }
    };
    Ok(pages.into_iter().enumerate().map(figure).collect())
}

fn caption(judged: &Judged) -> String {
    let caveat = judged.caveat.as_ref().map_or_else(String::new, |caveat| format!(" The runs are {caveat}."));
    format!(
        "Claims and what their verdicts rest on: effects paired by seed, positive where they support the claim, in units of the \
         smallest effect that counts (δ); bars are 95 % t-intervals of the mean, small points the seeds’ own differences, the shaded \
         band is ±δ. A claim that something rises or falls holds where its interval lies right of the band, a step on the way, \
         which has no band, right of zero; one that something stays holds where it lies within the band. The axis is linear near zero and logarithmic beyond \
         (asinh). Intervals cover the randomness of training, not the choice of test images.{caveat}"
    )
}

fn block(claim: &JudgedClaim, paper: Paper) -> Block<'_> {
    let beside = paper.width - paper.wide(VERDICTS);
    let title = format!("{}: {}", claim.id, claim.text);
    let verdict = match claim.holm == claim.judgement.verdict {
        true => signed(claim.judgement.verdict),
        false => format!("{} (Holm: {})", signed(claim.judgement.verdict), signed(claim.holm)),
    };
    let room = paper.width - 12.0 - font::width(&verdict, NORMAL).max(beside - 4.0);
    let row = |comparison| Row {
        label: wrap(&label(comparison), paper.wide(PLOT.0) - 18.0, SMALL),
        verdict: wrap(
            &format!("{} {}", comparison.judgement.verdict.sign(), comparison.verdict_and_wanting()),
            beside - 3.0,
            SMALL,
        ),
        comparison,
    };
    Block { title: wrap(&title, room, NORMAL), verdict, rows: claim.comparisons.iter().map(row).collect() }
}

/// A verdict with its sign: `✓ holds`.
fn signed(verdict: Verdict) -> String {
    format!("{} {}", verdict.sign(), verdict.words())
}

/// What is compared, and the smallest effect that counts: `KL, β = 0.25 → 4 (δ 1 nats)`.
fn label(one: &JudgedComparison) -> String {
    let delta = match one.compared.is_step && one.part.expect != Expect::Stays {
        true => String::new(),
        false => format!(" (δ {} {})", number(one.part.delta), one.short_unit()),
    };
    format!("{}, {}{delta}", one.metric(), one.change())
}

/// A horizontal axis in units of δ, linear near zero and logarithmic beyond.
struct Axis {
    low: f64,
    high: f64,
    /// Its ends on the page.
    left: f64,
    right: f64,
}

impl Axis {
    fn of(judged: &Judged, paper: Paper) -> Axis {
        let (mut low, mut high) = (-2.0f64, 2.0f64);
        for one in judged.claims.iter().flat_map(|claim| &claim.comparisons) {
            let Some(effect) = &one.effect else { continue };
            let (from, to) = effect.interval().unwrap_or((effect.estimate.mean, effect.estimate.mean));
            let seeds = effect.differences.iter().map(|(_, value)| *value);
            for value in seeds.chain([from, to]).map(|value| value / one.part.delta).filter(|value| value.is_finite()) {
                // An interval of two seeds may reach anywhere; it is cut at the edge.
                let value = value.clamp(-1e6, 1e6);
                (low, high) = (low.min(1.15 * value), high.max(1.15 * value));
            }
        }
        Axis { low, high, left: paper.wide(PLOT.0), right: paper.wide(PLOT.1) }
    }

    fn at(&self, value: f64) -> f64 {
        let (low, high) = (self.low.asinh(), self.high.asinh());
        let fraction = ((value.asinh() - low) / (high - low)).clamp(0.0, 1.0);
        self.left + fraction * (self.right - self.left)
    }

    /// Ticks within the axis whose labels do not touch, from zero outwards.
    fn ticks(&self) -> Vec<f64> {
        let mut ticks: Vec<f64> = Vec::new();
        for value in TICKS.into_iter().flat_map(|value| [value, -value]) {
            let half = font::width(&fixed(value, 0), SMALL) / 2.0;
            let is_free = |other: &f64| {
                (self.at(*other) - self.at(value)).abs() > half + font::width(&fixed(*other, 0), SMALL) / 2.0 + 4.0
            };
            if (self.low..=self.high).contains(&value) && ticks.iter().all(is_free) {
                ticks.push(value);
            }
        }
        ticks
    }
}

fn draw(axis: &Axis, blocks: &[Block<'_>], paper: Paper) -> Drawing {
    let mut drawing = Drawing::on(paper);
    let bottom = TOP + blocks.iter().map(Block::height).sum::<f64>() + 2.0;
    drawing.height = bottom + FOOT;
    let ticks = axis.ticks();
    let mut top = TOP;
    for block in blocks {
        // The grid leaves room for the sentence above its rows.
        let first = top + GAP + LINE * block.title.len() as f64 + 2.0;
        let last = top + block.height();
        let mut y = first;
        for row in &block.rows {
            // A step on the way is held against zero.
            if row.comparison.compared.delta > 0.0 {
                drawing.area(rectangle(axis.at(-1.0), y, axis.at(1.0), y + row.height()), LIGHT_BLUE, 0.22);
            }
            y += row.height();
        }
        for &tick in ticks.iter().filter(|tick| **tick != 0.0) {
            drawing.path(vec![(axis.at(tick), first), (axis.at(tick), last)], PALE, 0.4);
        }
        drawing.path(vec![(axis.at(0.0), first), (axis.at(0.0), last)], GREY, 0.5);
        for (index, line) in block.title.iter().enumerate() {
            drawing.text((3.0, top + GAP + LINE * index as f64 + 7.0), line, NORMAL, INK, Anchor::Start);
        }
        drawing.text((paper.width - 3.0, top + GAP + 7.0), &block.verdict, NORMAL, INK, Anchor::End);
        let mut y = first;
        for row in &block.rows {
            draw_row(&mut drawing, axis, row, y);
            y += row.height();
        }
        top += block.height();
    }
    drawing.path(vec![(axis.left, bottom), (axis.right, bottom)], GREY, 0.5);
    for &tick in &ticks {
        drawing.path(vec![(axis.at(tick), bottom), (axis.at(tick), bottom + 2.2)], GREY, 0.5);
        drawing.text((axis.at(tick), bottom + 9.6), fixed(tick, 0), SMALL, INK, Anchor::Middle);
    }
    let middle = f64::midpoint(axis.left, axis.right);
    drawing.text((middle, bottom + 20.0), "effect in units of δ", NORMAL, INK, Anchor::Middle);
    drawing
}

fn draw_row(drawing: &mut Drawing, axis: &Axis, row: &Row<'_>, top: f64) {
    for (index, line) in row.label.iter().enumerate() {
        drawing.text((12.0, top + 7.5 + LINE * index as f64), line, SMALL, GREY, Anchor::Start);
    }
    let one = row.comparison;
    let colour = colour(one.judgement.verdict);
    for (index, line) in row.verdict.iter().enumerate() {
        drawing.text(
            (drawing.paper.wide(VERDICTS), top + 7.5 + LINE * index as f64),
            line,
            SMALL,
            colour,
            Anchor::Start,
        );
    }
    let Some(effect) = &one.effect else { return };
    let (y, delta) = (top + 5.2, one.part.delta);
    let at = |value: f64| axis.at(value / delta);
    for (_, value) in &effect.differences {
        drawing.single((at(*value), y + 2.6), colour);
    }
    if let Some((low, high)) = effect.interval() {
        drawing.path(vec![(at(low), y), (at(high), y)], colour, 0.9);
        for end in [low, high] {
            drawing.path(vec![(at(end), y - 1.6), (at(end), y + 1.6)], colour, 0.9);
        }
    }
    let x = at(effect.estimate.mean);
    drawing.bar((x - 1.7, y - 1.7), (x + 1.7, y + 1.7), colour);
}

fn rectangle(left: f64, top: f64, right: f64, bottom: f64) -> Vec<(f64, f64)> {
    vec![(left, top), (right, top), (right, bottom), (left, bottom)]
}

/// Verdicts are told by sign and word; a colour only makes them quicker to find.
fn colour(verdict: Verdict) -> Colour {
    match verdict {
        Verdict::Holds => BLUE,
        Verdict::Fails | Verdict::Reversed => Colour(0xB3, 0x3A, 0x00),
        Verdict::Undecided | Verdict::TooFewSeeds | Verdict::NotMeasured => GREY,
    }
}
