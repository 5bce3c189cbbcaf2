//! Colours that colour-blind readers can tell apart.

/// Red, green and blue, 0…255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// Text.
pub const INK: Colour = Colour(0x22, 0x22, 0x22);
/// Axes and secondary text.
pub const GREY: Colour = Colour(0x66, 0x66, 0x66);
/// Guide lines.
pub const PALE: Colour = Colour(0xE3, 0xE3, 0xE3);
/// What is there but counts for little, such as inactive units.
pub const FAINT: Colour = Colour(0xBF, 0xC5, 0xCC);
/// The one accent of figures with a single series.
pub const BLUE: Colour = Colour(0x00, 0x72, 0xB2);

/// Okabe and Ito's palette with black, then what Tol's muted one has besides.
const CATEGORIES: [Colour; 10] = [
    Colour(0x00, 0x72, 0xB2),
    Colour(0xD5, 0x5E, 0x00),
    Colour(0x00, 0x9E, 0x73),
    Colour(0xCC, 0x79, 0xA7),
    Colour(0xE6, 0x9F, 0x00),
    Colour(0x56, 0xB4, 0xE9),
    Colour(0x00, 0x00, 0x00),
    Colour(0x88, 0x22, 0x55),
    Colour(0x99, 0x99, 0x33),
    Colour(0x33, 0x22, 0x88),
];

/// Tol's muted palette, its sand (too pale for small points) replaced by Okabe and Ito's orange, and black: ten classes.
const TOL_MUTED: [Colour; 10] = [
    Colour(0x33, 0x22, 0x88),
    Colour(0xCC, 0x66, 0x77),
    Colour(0xE6, 0x9F, 0x00),
    Colour(0x11, 0x77, 0x33),
    Colour(0x88, 0xCC, 0xEE),
    Colour(0x88, 0x22, 0x55),
    Colour(0x44, 0xAA, 0x99),
    Colour(0x99, 0x99, 0x33),
    Colour(0xAA, 0x44, 0x99),
    Colour(0x00, 0x00, 0x00),
];

/// Viridis from its dark end to its green, sampled evenly; the yellow end is too light for lines on white.
const VIRIDIS: [Colour; 9] = [
    Colour(0x44, 0x01, 0x54),
    Colour(0x47, 0x2D, 0x7B),
    Colour(0x3B, 0x52, 0x8B),
    Colour(0x2C, 0x72, 0x8E),
    Colour(0x21, 0x91, 0x8C),
    Colour(0x28, 0xAE, 0x80),
    Colour(0x5E, 0xC9, 0x62),
    Colour(0x8F, 0xD1, 0x44),
    Colour(0xAD, 0xC5, 0x2B),
];

/// How many classes [`class`] tells apart.
pub const N_CLASSES: usize = TOL_MUTED.len();

/// The `index`th of `n` categories without an order.
pub fn category(index: usize) -> Colour {
    CATEGORIES[index % CATEGORIES.len()]
}

/// The colour of a class in a scatter plot.
pub fn class(index: usize) -> Colour {
    TOL_MUTED[index % TOL_MUTED.len()]
}

/// The `index`th of `n` values that have an order, from dark to light.
pub fn ordered(index: usize, n: usize) -> Colour {
    if n < 2 {
        return BLUE;
    }
    // Few values keep to the darker part, where lines stand out better on white.
    let last = match n {
        2 => 4,
        3 => 5,
        4 | 5 => 6,
        _ => VIRIDIS.len() - 1,
    };
    let position = index.min(n - 1) as f64 / (n - 1) as f64 * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    let t = position - below as f64;
    let (a, b) = (VIRIDIS[below], VIRIDIS[above]);
    let mix = |a: u8, b: u8| (f64::from(a) + t * (f64::from(b) - f64::from(a))).round() as u8;
    Colour(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}
