//! Numbers as text, and elementary functions whose results are the same on every machine.

use std::f64::consts::LN_2;

/// The shortest text that reads back as `value`; an exponent only where it is shorter to read.
pub(crate) fn shortest(value: f64) -> String {
    let value = value + 0.0; // −0 is written 0
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e7).contains(&size) { format!("{value:e}") } else { format!("{value}") }
}

/// `value` rounded to six significant digits.
pub(crate) fn round(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// ln x for a positive normal x; only additions, multiplications and divisions, which every machine does alike.
pub(crate) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | (1023 << 52));
    // ln m = 2 artanh((m − 1)/(m + 1)), and the argument is at most 1/3.
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let mut sum = 0.0;
    for k in (0..20).rev() {
        sum = sum * t * t + 1.0 / f64::from(2 * k + 1);
    }
    f64::from(exponent) * LN_2 + 2.0 * t * sum
}

/// eˣ for |x| ≤ 700, in the same manner.
pub(crate) fn exp(x: f64) -> f64 {
    let k = (x / LN_2).round();
    let rest = x - k * LN_2;
    let mut sum = 1.0;
    for n in (1..22).rev() {
        sum = 1.0 + sum * rest / f64::from(n);
    }
    let scale = f64::from_bits(((k as i64 + 1023).clamp(1, 2046) as u64) << 52);
    sum * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_and_exponential_are_those_of_the_standard_library() {
        for x in [1e-300, 1e-8, 0.1, 0.5, 1.0, 1.5, 2.0, 3.25, 1e3, 1e9, 1e300] {
            assert!((ln(x) - x.ln()).abs() <= 1e-13 * x.ln().abs().max(1.0), "ln {x}");
        }
        for x in [-600.0, -20.5, -1.0, -1e-9, 0.0, 0.3, 1.0, 10.0, 345.6, 600.0] {
            assert!((exp(x) / f64::exp(x) - 1.0).abs() < 1e-12, "exp {x}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(shortest(1.0), "1");
        assert_eq!(shortest(0.001), "0.001");
        assert_eq!(shortest(1e-8), "1e-8");
        assert_eq!(shortest(0.0), "0");
        assert_eq!(round(0.123_456_789), 0.123_457);
    }
}
