//! Colours that colour-blind readers can tell apart.

use spec::style::Palette;

/// Red, green and blue, 0…255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// The colour of a palette: gray ones keep their luma (ITU-R BT.601).
    pub fn of(self, palette: Palette) -> Colour {
        let Colour(red, green, blue) = self;
        match palette {
            Palette::Colour => self,
            Palette::Gray => {
                let luma = (0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)).round() as u8;
                Colour(luma, luma, luma)
            }
        }
    }
}

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
/// A paler tone of it.
pub const LIGHT_BLUE: Colour = Colour(0x7F, 0xB8, 0xD9);

/// Ten colours from dark to light, of which any two differ by 16 ΔE₀₀ or more for protanopes and deuteranopes, by 24 for
/// other readers, and by five steps of lightness, so that a print in grayscale still has an order. They were found by a
/// search over a grid of sRGB under these conditions, which the test below holds.
const DISTINCT: [Colour; 10] = [
    Colour(0x33, 0x33, 0x33),
    Colour(0x77, 0x22, 0x00),
    Colour(0x00, 0x00, 0xFF),
    Colour(0xAA, 0x22, 0x77),
    Colour(0x99, 0x66, 0x00),
    Colour(0x11, 0x77, 0xFF),
    Colour(0xFF, 0x55, 0x77),
    Colour(0x00, 0xBB, 0xAA),
    Colour(0xCC, 0xAA, 0xFF),
    Colour(0x99, 0xDD, 0x11),
];

/// The order in which lines take the colours: neighbours far apart, the palest last.
const OF_LINES: [usize; 10] = [5, 1, 7, 3, 0, 6, 4, 2, 9, 8];

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
    Colour(0xAD, 0xDC, 0x30),
];

/// How many classes [`class`] tells apart.
pub const N_CLASSES: usize = DISTINCT.len();

/// The `index`th of some categories without an order.
pub fn category(index: usize) -> Colour {
    DISTINCT[OF_LINES[index % OF_LINES.len()]]
}

/// The colour of a class in a scatter plot.
pub fn class(index: usize) -> Colour {
    DISTINCT[index % DISTINCT.len()]
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

#[cfg(test)]
mod tests {
    use super::*;

    type Vector = [f64; 3];
    type Matrix = [Vector; 3];

    /// Linear sRGB to CIE XYZ (IEC 61966-2-1).
    const TO_XYZ: Matrix = [
        [0.412_456_4, 0.357_576_1, 0.180_437_5],
        [0.212_672_9, 0.715_152_2, 0.072_175],
        [0.019_333_9, 0.119_192, 0.950_304_1],
    ];
    /// What a protanope and a deuteranope see, on linear sRGB: Viénot, Brettel & Mollon 1999 and Machado, Oliveira & Fernandes
    /// 2009 (severity 1).
    const DICHROMATS: [(&str, Matrix); 4] = [
        ("protanope, Viénot", [[0.112_38, 0.887_62, 0.0], [0.112_38, 0.887_62, 0.0], [0.004_01, -0.004_01, 1.0]]),
        ("deuteranope, Viénot", [[0.292_75, 0.707_25, 0.0], [0.292_75, 0.707_25, 0.0], [-0.022_34, 0.022_34, 1.0]]),
        (
            "protanope, Machado",
            [
                [0.152_286, 1.052_583, -0.204_868],
                [0.114_503, 0.786_281, 0.099_216],
                [-0.003_882, -0.048_116, 1.051_998],
            ],
        ),
        (
            "deuteranope, Machado",
            [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_82, 0.042_94, 0.968_881]],
        ),
    ];
    const NOTHING: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

    fn apply(matrix: &Matrix, vector: Vector) -> Vector {
        matrix.map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
    }

    /// CIE L*a*b* under D65 of a colour as somebody sees it.
    fn lab(Colour(red, green, blue): Colour, seen: &Matrix) -> Vector {
        let linear = |byte: u8| {
            let value = f64::from(byte) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let rgb = apply(seen, [red, green, blue].map(linear)).map(|value| value.clamp(0.0, 1.0));
        let [x, y, z] = apply(&TO_XYZ, rgb);
        let f = |t: f64| if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 };
        let (x, y, z) = (f(x / 0.950_47), f(y), f(z / 1.088_83));
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    /// ΔE₀₀ of two colours in L*a*b* (Sharma, Wu & Dalal 2005).
    fn ciede2000([l1, a1, b1]: Vector, [l2, a2, b2]: Vector) -> f64 {
        let seventh = |c: f64| (c.powi(7) / (c.powi(7) + 25f64.powi(7))).sqrt();
        let g = 0.5 * (1.0 - seventh((a1.hypot(b1) + a2.hypot(b2)) / 2.0));
        let (a1, a2) = (a1 * (1.0 + g), a2 * (1.0 + g));
        let (c1, c2) = (a1.hypot(b1), a2.hypot(b2));
        let (h1, h2) = (b1.atan2(a1).to_degrees().rem_euclid(360.0), b2.atan2(a2).to_degrees().rem_euclid(360.0));
        let gray = c1 * c2 == 0.0;
        let dh = if gray { 0.0 } else { (h2 - h1 + 180.0).rem_euclid(360.0) - 180.0 };
        let dh = 2.0 * (c1 * c2).sqrt() * (dh / 2.0).to_radians().sin();
        let (l, c) = (f64::midpoint(l1, l2), f64::midpoint(c1, c2));
        let h = match h1 + h2 {
            sum if gray => sum,
            sum if (h1 - h2).abs() <= 180.0 => sum / 2.0,
            sum if sum < 360.0 => (sum + 360.0) / 2.0,
            sum => (sum - 360.0) / 2.0,
        };
        let cos = |degrees: f64| degrees.to_radians().cos();
        let t =
            1.0 - 0.17 * cos(h - 30.0) + 0.24 * cos(2.0 * h) + 0.32 * cos(3.0 * h + 6.0) - 0.2 * cos(4.0 * h - 63.0);
        let turn = 30.0 * (-((h - 275.0) / 25.0).powi(2)).exp();
        let dl = (l2 - l1) / (1.0 + 0.015 * (l - 50.0).powi(2) / (20.0 + (l - 50.0).powi(2)).sqrt());
        let dc = (c2 - c1) / (1.0 + 0.045 * c);
        let dh = dh / (1.0 + 0.015 * c * t);
        let mixed = -(2.0 * turn).to_radians().sin() * 2.0 * seventh(c);
        (dl * dl + dc * dc + dh * dh + mixed * dc * dh).sqrt()
    }

    /// The least ΔE₀₀ between two of the colours as somebody sees them.
    fn least(colours: &[Colour], seen: &Matrix) -> f64 {
        let seen: Vec<Vector> = colours.iter().map(|colour| lab(*colour, seen)).collect();
        let pairs = seen.iter().enumerate().flat_map(|(i, one)| seen[..i].iter().map(|other| ciede2000(*one, *other)));
        pairs.fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn the_difference_of_colours_is_that_of_the_published_pairs() {
        // Sharma, Wu & Dalal 2005, table 1: pairs 1, 7, 17 and 21.
        for (one, other, expected) in [
            ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
            ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
            ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
            ([50.0, 2.5, 0.0], [50.0, 3.1736, 0.5854], 1.0),
        ] {
            assert!((ciede2000(one, other) - expected).abs() < 1e-4, "{one:?} {other:?}: {}", ciede2000(one, other));
        }
    }

    #[test]
    fn classes_are_told_apart_by_protanopes_and_deuteranopes_and_in_grayscale() {
        let classes: Vec<Colour> = (0..N_CLASSES).map(class).collect();
        let lines: Vec<Colour> = (0..N_CLASSES).map(category).collect();
        for colours in [&classes, &lines] {
            for (name, seen) in &DICHROMATS {
                assert!(least(colours, seen) >= 15.0, "{name}: {}", least(colours, seen));
            }
            assert!(least(colours, &NOTHING) >= 24.0);
        }
        let lightness: Vec<f64> = classes.iter().map(|colour| lab(*colour, &NOTHING)[0]).collect();
        assert!(lightness.windows(2).all(|pair| pair[1] - pair[0] >= 5.0), "{lightness:?}");
        // The palest is still seen on white.
        assert!(lightness[N_CLASSES - 1] <= 85.0, "{lightness:?}");
    }

    #[test]
    fn values_with_an_order_grow_lighter() {
        for n in 2..9 {
            let lightness: Vec<f64> = (0..n).map(|i| lab(ordered(i, n), &NOTHING)[0]).collect();
            assert!(lightness.windows(2).all(|pair| pair[1] > pair[0] + 3.0), "{lightness:?}");
        }
    }
}
