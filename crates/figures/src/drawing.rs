//! A figure as a list of marks in points, before any output format knows of it.

use spec::Style;
use spec::style::Palette;

use crate::colour::Colour;
use crate::tiles::Sheet;

/// Ticks' labels, in points of the layout.
pub const SMALL: f64 = 7.0;
/// Axis titles, legends and panel titles, in points of the layout.
pub const NORMAL: f64 = 8.0;
/// Points of an inch.
const INCH: f64 = 72.0;

/// What figures are laid out on. The layout's points are those in which text has [`NORMAL`]'s size: where text is to be larger, the
/// whole figure is, and the layout has so much less room.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paper {
    /// Width of every figure, in points of the layout.
    pub width: f64,
    /// The tallest figure; what does not fit goes on to another file.
    pub tall: f64,
    /// Points of the printed page for one of the layout.
    pub scale: f64,
    /// The colours of what is drawn.
    pub palette: Palette,
}

impl Default for Paper {
    fn default() -> Paper {
        Paper::of(&Style::default())
    }
}

impl Paper {
    /// The width of the default style, for which layouts are made.
    const USUAL: f64 = 396.0;

    /// That of a style.
    pub fn of(style: &Style) -> Paper {
        let scale = style.font / NORMAL;
        Paper { width: style.width * INCH / scale, tall: 560.0 / scale, scale, palette: style.palette }
    }

    /// How many of `most` panels stand side by side.
    pub fn columns(self, most: usize) -> usize {
        ((most as f64 * self.share()).round() as usize).clamp(1, most.max(1))
    }

    /// How many of `n` panels stand in a row where rows are about equally long.
    pub fn per_row(self, n: usize) -> usize {
        n.div_ceil(n.div_ceil(self.columns(n)).max(1)).max(1)
    }

    /// A length that grows with the page's width, from the one that suits the usual page.
    pub fn wide(self, usual: f64) -> f64 {
        usual * self.share()
    }

    fn share(self) -> f64 {
        self.width / Paper::USUAL
    }
}

/// A position on the page in points, from the upper left corner.
pub type Point = (f64, f64);

/// Which point of a text its position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// What can be drawn; every length is in points.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// A polyline.
    Path {
        /// Its corners.
        points: Vec<Point>,
        /// Its colour.
        colour: Colour,
        /// Its width.
        width: f64,
        /// Lengths of a dash and of the gap behind it; solid when absent.
        dash: Option<(f64, f64)>,
    },
    /// A filled polygon.
    Area {
        /// Its corners.
        points: Vec<Point>,
        /// Its colour.
        colour: Colour,
        /// 0 for invisible, 1 for opaque.
        opacity: f64,
    },
    /// A filled disc.
    Dot {
        /// Its centre.
        at: Point,
        /// Its radius.
        radius: f64,
        /// Its colour.
        colour: Colour,
        /// 0 for invisible, 1 for opaque.
        opacity: f64,
    },
    /// One line of text.
    Text {
        /// Where its anchor lies, on the baseline.
        at: Point,
        /// What it says.
        text: String,
        /// Font size.
        size: f64,
        /// Its colour.
        colour: Colour,
        /// Which point of the text lies at `at`.
        anchor: Anchor,
        /// Whether it reads from below to above.
        upright: bool,
    },
    /// A sheet of images at 600 pixels per inch.
    Image {
        /// The upper left corner.
        at: Point,
        /// The pixels.
        sheet: Sheet,
    },
}

/// A figure's marks and its height; the width is its paper's.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// What it is laid out on.
    pub paper: Paper,
    /// Height in points.
    pub height: f64,
    /// In drawing order; images are laid over everything else.
    pub marks: Vec<Mark>,
}

impl Drawing {
    /// An empty page of no height yet.
    pub fn on(paper: Paper) -> Drawing {
        Drawing { paper, height: 0.0, marks: Vec::new() }
    }

    /// A solid polyline.
    pub fn path(&mut self, points: Vec<Point>, colour: Colour, width: f64) {
        self.marks.push(Mark::Path { points, colour, width, dash: None });
    }

    /// A dashed polyline.
    pub fn dashed(&mut self, points: Vec<Point>, colour: Colour, width: f64, dash: (f64, f64)) {
        self.marks.push(Mark::Path { points, colour, width, dash: Some(dash) });
    }

    /// A filled polygon.
    pub fn area(&mut self, points: Vec<Point>, colour: Colour, opacity: f64) {
        self.marks.push(Mark::Area { points, colour, opacity });
    }

    /// A filled, opaque rectangle.
    pub fn bar(&mut self, (left, top): Point, (right, bottom): Point, colour: Colour) {
        self.area(vec![(left, top), (right, top), (right, bottom), (left, bottom)], colour, 1.0);
    }

    /// A small point for the value of a single seed, beside the mark of their mean.
    pub fn single(&mut self, at: Point, colour: Colour) {
        self.marks.push(Mark::Dot { at, radius: 0.9, colour, opacity: 0.55 });
    }

    /// Horizontal text whose anchor lies at `at`, on the baseline.
    pub fn text(&mut self, at: Point, text: impl Into<String>, size: f64, colour: Colour, anchor: Anchor) {
        self.marks.push(Mark::Text { at, text: text.into(), size, colour, anchor, upright: false });
    }

    /// Text that reads upwards, centred at `at`, which lies on its baseline.
    pub fn upright(&mut self, at: Point, text: impl Into<String>, size: f64, colour: Colour) {
        self.marks.push(Mark::Text { at, text: text.into(), size, colour, anchor: Anchor::Middle, upright: true });
    }

    /// A sheet of images with its upper left corner at the device pixel nearest to `at`.
    pub fn image(&mut self, at: Point, sheet: Sheet) {
        let snap = |v: f64| (v / crate::tiles::DEVICE_PIXEL).round() * crate::tiles::DEVICE_PIXEL;
        self.marks.push(Mark::Image { at: (snap(at.0), snap(at.1)), sheet });
    }

    /// Every position that a mark names, in points.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        self.marks.iter().flat_map(|mark| match mark {
            Mark::Path { points, .. } | Mark::Area { points, .. } => points.clone(),
            Mark::Dot { at, .. } | Mark::Text { at, .. } | Mark::Image { at, .. } => vec![*at],
        })
    }
}
