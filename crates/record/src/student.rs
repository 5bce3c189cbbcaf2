//! Student's t distribution: the quantile that a confidence interval of a mean over a few seeds needs, and the tails of a test.

/// How many standard errors a 95 % confidence interval of a mean reaches to each side, given `n` values: the 97.5 %
/// quantile of Student's t with n − 1 degrees of freedom. `None` for fewer than two values, which have no interval.
pub fn t_95(n: usize) -> Option<f64> {
    let degrees = n.checked_sub(1).filter(|&degrees| degrees > 0)?;
    Some(quantile(0.05, degrees as f64))
}

/// The t > 0 that is exceeded in absolute value with probability `two_sided`.
fn quantile(two_sided: f64, degrees: f64) -> f64 {
    // The probability falls with t, and 0.05 is reached between 1.9 and 12.8 for every number of degrees.
    let (mut low, mut high) = (0.0_f64, 1e3_f64);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if tail(middle, degrees) > two_sided {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// P(T ≥ t) for Student's t with `degrees` degrees of freedom, at least one.
pub fn upper_tail(t: f64, degrees: usize) -> f64 {
    let half = 0.5 * tail(t, degrees as f64);
    if t >= 0.0 { half } else { 1.0 - half }
}

/// P(|T| > t) = I_x(ν/2, 1/2) with x = ν/(ν + t²); Abramowitz & Stegun (1964), 26.7.1 and 26.5.27.
fn tail(t: f64, degrees: f64) -> f64 {
    regularized_beta(degrees / (degrees + t * t), 0.5 * degrees, 0.5)
}

/// I_x(a, b) by its continued fraction; Abramowitz & Stegun (1964), 26.5.8, and 26.5.2 where that converges slowly.
fn regularized_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - regularized_beta(1.0 - x, b, a);
    }
    let log_front = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    // Lentz's method for 1/(1 + d₁/(1 + d₂/(1 + …))).
    let tiny = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < tiny { tiny } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for coefficient in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + coefficient * d);
            c = away_from_zero(1.0 + coefficient / c);
            fraction *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    log_front.exp() * fraction / a
}

/// ln Γ(x) for x > 0 by Stirling's series, shifted to where it is good to 1e-15; Abramowitz & Stegun (1964), 6.1.41.
fn ln_gamma(x: f64) -> f64 {
    let mut shift = 0.0;
    let mut x = x;
    while x < 15.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse
        * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0))));
    shift + (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Roots of I_x(ν/2, 1/2) = 0.05, by mpmath 1.3 with 30 digits.
    #[test]
    fn quantiles_agree_with_a_computation_of_high_precision() {
        let table = [
            (2, 12.7062047361747),
            (3, 4.302652729749464),
            (4, 3.18244630528371),
            (5, 2.776445105197794),
            (6, 2.570581835636316),
            (10, 2.262157162798206),
            (11, 2.228138851986275),
            (30, 2.045229642132704),
            (101, 1.983971518523552),
            (1001, 1.962339080826408),
        ];
        for (n, expected) in table {
            let found = t_95(n).unwrap_or_default();
            assert!((found - expected).abs() < 1e-12 * expected, "n = {n}: {found} against {expected}");
        }
    }

    #[test]
    fn large_samples_reach_the_normal_quantile() {
        let found = t_95(10_000_000).unwrap_or_default();
        assert!((found - 1.959963984540054).abs() < 1e-6, "{found}");
    }

    #[test]
    fn quantiles_fall_with_every_value_added() {
        let quantiles: Vec<f64> = (2..3000).filter_map(t_95).collect();
        assert_eq!(quantiles.len(), 2998);
        assert!(quantiles.windows(2).all(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn one_value_has_no_interval() {
        assert_eq!((t_95(0), t_95(1)), (None, None));
    }
}
