//! The embedded dataset: digits drawn as strokes with known factors of variation.
//!
//! 60,000 training and 10,000 test images of 28×28 gray values, white on black as in MNIST, the same bytes on every
//! machine. Each image is a pure function of its split and its index.
//!
//! # How an image is drawn
//!
//! 1. A style of its class is chosen: a list of strokes, each a list of knots (`strokes.rs`). There are 2 or 3 styles a
//!    class, 27 in all.
//! 2. The knots stray: each by itself, the ends of strokes farther, and all of them along a smooth random warp of the
//!    digit. How far is the factor `jitter`; where to is the only thing about an image that is not a factor, beside the
//!    pen's pressure.
//! 3. Smooth curves are laid through the knots, stretched by `aspect`, sheared by `slant`, scaled by `scale` and turned by
//!    `rotation`.
//! 4. As in MNIST, the centre of mass of the strokes is moved to the image's centre, and from there by `shift_x` and
//!    `shift_y`.
//! 5. A round pen of width `thickness`, its pressure changing slowly, inks the pixels; an edge fades over 1.7 pixels.
//!
//! # Factors
//!
//! Independent of each other but for `style`, whose number of values depends on the class; uniform in their range.
//!
//! | name | range | unit and meaning |
//! |---|---|---|
//! | `class` | 0 … 9 | the digit; every block of ten images holds each once, in random order |
//! | `style` | 0 … 1 or 2 | the way of writing the class; 0 and 1 for classes 0, 6 and 8, else 0 to 2 |
//! | `slant` | −0.2 … 0.6 | shear: pixels to the right per pixel up |
//! | `rotation` | −12 … 12 | degrees, clockwise |
//! | `scale` | 12 … 16.5 | pixels from the top to the bottom of the strokes, before jitter and rotation |
//! | `aspect` | 0.8 … 1.3 | factor on the width |
//! | `thickness` | 1.5 … 3.7 | pixels, the pen's width |
//! | `shift_x` | −2 … 2 | pixels to the right |
//! | `shift_y` | −2 … 2 | pixels down |
//! | `jitter` | 0 … 1 | how far the hand strays, from neat to shaky |
//!
//! # The same bytes everywhere
//!
//! Random numbers are integers (`noise.rs`). Geometry uses + − × ÷ and √ in IEEE double precision alone, which are rounded
//! alike on all machines; sine and cosine are polynomials. The digest of all bytes is pinned in [`SHA256`], and a cache
//! or a machine that has others is found out.

mod pen;
mod strokes;

use std::num::NonZeroUsize;
use std::thread;

use sha2::{Digest, Sha256};

use crate::images::{Factors, Images, Shape};
use crate::noise;
use pen::Dab;

/// Height and width of an image, in pixels.
pub const SIZE: usize = 28;
/// Number of training images.
pub const N_TRAIN: usize = 60_000;
/// Number of test images.
pub const N_TEST: usize = 10_000;
/// The factors' names, in the order of [`Factors`].
pub const FACTORS: [&str; 10] =
    ["class", "style", "slant", "rotation", "scale", "aspect", "thickness", "shift_x", "shift_y", "jitter"];
/// SHA-256 of pixels, labels and factors (little-endian doubles) of the training and then the test images.
pub const SHA256: &str = "b18c389cd1cd624b6c9117d74161315d16c910e4d0e4383c811029e0788b60c0";

/// The seed of everything: `glyphs` in ASCII, and a version that is raised when an image changes.
const KEY: u64 = 0x0067_6c79_7068_7301;

/// A part of the dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// 60,000 images.
    Train,
    /// 10,000 images.
    Test,
}

/// What an image is drawn from; the module's documentation has ranges and units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glyph {
    /// The digit.
    pub class: u8,
    /// The way of writing it.
    pub style: u8,
    /// Shear.
    pub slant: f64,
    /// Degrees.
    pub rotation: f64,
    /// Pixels.
    pub scale: f64,
    /// Factor on the width.
    pub aspect: f64,
    /// Pixels.
    pub thickness: f64,
    /// Pixels.
    pub shift_x: f64,
    /// Pixels.
    pub shift_y: f64,
    /// 0 for neat, 1 for shaky.
    pub jitter: f64,
    /// Seeds where the hand strays to and how hard it presses.
    pub hand: u64,
}

impl Glyph {
    /// What image `index` of `part` is drawn from.
    pub fn at(part: Part, index: usize) -> Glyph {
        let (part, index) = (part as u64, index as u64);
        let classes = noise::permutation(noise::key(&[KEY, part, index / 10, 0]), 10);
        let class = classes[(index % 10) as usize];
        let key = noise::key(&[KEY, part, index, 1]);
        let mut draw = Draws { key, n: 0 };
        Glyph {
            class: class as u8,
            style: noise::below(key, 0, strokes::STYLES[class].len() as u32) as u8,
            slant: draw.within(-0.2, 0.6),
            rotation: draw.within(-12.0, 12.0),
            scale: draw.within(12.0, 16.5),
            aspect: draw.within(0.8, 1.3),
            thickness: draw.within(1.5, 3.7),
            shift_x: draw.within(-2.0, 2.0),
            shift_y: draw.within(-2.0, 2.0),
            jitter: draw.within(0.0, 1.0),
            hand: noise::key(&[key, 2]),
        }
    }

    /// The values of [`FACTORS`].
    pub fn factors(&self) -> [f64; 10] {
        let Glyph { class, style, slant, rotation, scale, aspect, thickness, shift_x, shift_y, jitter, hand: _ } =
            *self;
        [f64::from(class), f64::from(style), slant, rotation, scale, aspect, thickness, shift_x, shift_y, jitter]
    }

    /// Draws the image, shape [28, 28].
    ///
    /// # Panics
    /// When `class` or `style` do not exist.
    pub fn draw(&self) -> [u8; SIZE * SIZE] {
        let mut draw = Draws { key: self.hand, n: 0 };
        let mut lines = self.lines(&mut draw);
        self.centre(&mut lines);
        let mut ink = [0.0; SIZE * SIZE];
        for line in &lines {
            // Pressure runs straight between four random values along the stroke.
            let pressure: [f64; 4] = std::array::from_fn(|_| 1.0 + draw.about(0.22));
            let n_pieces = line.len() - 1;
            let dab = |i: usize| {
                let along = i as f64 / n_pieces as f64 * 3.0;
                let from = (along as usize).min(2);
                let press = pressure[from] + (pressure[from + 1] - pressure[from]) * (along - from as f64);
                Dab { x: line[i].0, y: line[i].1, radius: self.thickness / 2.0 * press }
            };
            for i in 0..n_pieces {
                pen::ink(&mut ink, SIZE, dab(i), dab(i + 1));
            }
        }
        ink.map(|coverage| (coverage * 255.0 + 0.5) as u8)
    }

    /// The strokes as lines in pixels, around an arbitrary centre.
    fn lines(&self, draw: &mut Draws) -> Vec<Vec<(f64, f64)>> {
        let reach = 0.02 + 0.09 * self.jitter;
        let warp: [f64; 4] = std::array::from_fn(|_| draw.about(0.05 + 0.4 * self.jitter));
        let (sine, cosine) = pen::sine_cosine(self.rotation);
        let place = |(x, y): (f64, f64)| {
            let (x, y) = (x - 0.3, y - 0.5);
            let (x, y) = (x + warp[0] * y * y + warp[1] * x * y, y + warp[2] * x * x + warp[3] * x * y);
            let (x, y) = ((x * self.aspect - y * self.slant) * self.scale, y * self.scale);
            (x * cosine - y * sine, x * sine + y * cosine)
        };
        let strokes = strokes::STYLES[usize::from(self.class)][usize::from(self.style)];
        let mut lines = Vec::with_capacity(strokes.len());
        for stroke in strokes {
            let knots = pen::stray(stroke, |is_end| {
                let reach = if is_end { 1.5 * reach } else { reach };
                (draw.about(reach), draw.about(reach))
            });
            let mut line = Vec::new();
            pen::flatten(&knots, &mut line);
            lines.push(line.into_iter().map(place).collect());
        }
        lines
    }

    /// Moves the strokes' centre of mass to the image's centre plus the shift.
    fn centre(&self, lines: &mut [Vec<(f64, f64)>]) {
        let (mut mass, mut mass_x, mut mass_y) = (0.0, 0.0, 0.0);
        for line in lines.iter() {
            for pair in line.windows(2) {
                let length = pen::length(pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
                mass += length;
                mass_x += length * (pair[0].0 + pair[1].0) / 2.0;
                mass_y += length * (pair[0].1 + pair[1].1) / 2.0;
            }
        }
        let centre = SIZE as f64 / 2.0;
        let (move_x, move_y) = (centre + self.shift_x - mass_x / mass, centre + self.shift_y - mass_y / mass);
        for point in lines.iter_mut().flatten() {
            *point = (point.0 + move_x, point.1 + move_y);
        }
    }
}

/// Random numbers in the order in which they are asked for.
struct Draws {
    key: u64,
    n: u64,
}

impl Draws {
    /// Uniform in 0…1.
    fn unit(&mut self) -> f64 {
        self.n += 1;
        (noise::bits(self.key, self.n) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `low`…`high`.
    fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Bell-shaped in −`reach`…`reach`.
    fn about(&mut self, reach: f64) -> f64 {
        reach * (self.unit() + self.unit() + self.unit() - 1.5) / 1.5
    }
}

/// Draws the first `n` images of a part, on all cores.
pub fn images(part: Part, n: usize) -> Images {
    let n_pixels = SIZE * SIZE;
    let mut pixels = vec![0; n * n_pixels];
    let mut labels = vec![0; n];
    let mut values = vec![0.0; n * FACTORS.len()];
    let n_threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let block = n.div_ceil(n_threads).max(1);
    thread::scope(|scope| {
        let pixels = pixels.chunks_mut(block * n_pixels);
        let values = values.chunks_mut(block * FACTORS.len());
        for (thread, ((pixels, labels), values)) in pixels.zip(labels.chunks_mut(block)).zip(values).enumerate() {
            scope.spawn(move || {
                for (i, label) in labels.iter_mut().enumerate() {
                    let glyph = Glyph::at(part, thread * block + i);
                    *label = glyph.class;
                    values[i * FACTORS.len()..][..FACTORS.len()].copy_from_slice(&glyph.factors());
                    pixels[i * n_pixels..][..n_pixels].copy_from_slice(&glyph.draw());
                }
            });
        }
    });
    let shape = Shape { n, channels: 1, height: SIZE, width: SIZE };
    let factors = Factors { names: FACTORS.map(str::to_owned).to_vec(), values };
    Images { pixels, shape, labels: Some(labels), factors: Some(factors) }
}

/// The digest that [`SHA256`] pins.
pub fn digest(train: &Images, test: &Images) -> String {
    let mut digest = Sha256::new();
    for images in [train, test] {
        digest.update(&images.pixels);
        digest.update(images.labels.as_deref().unwrap_or_default());
        for value in images.factors.iter().flat_map(|factors| &factors.values) {
            digest.update(value.to_le_bytes());
        }
    }
    spec::hexadecimal(&digest.finalize())
}
