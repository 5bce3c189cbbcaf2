//! Means and ratios over images, with their standard errors.

/// A number over images with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The number, in the metric's unit.
    pub value: f64,
    /// Its standard error over images; `None` for a single image.
    pub standard_error: Option<f64>,
    /// How many images it is over.
    pub n: usize,
}

/// A running sum of one value an image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    n: usize,
    sum: f64,
    squares: f64,
}

impl Sums {
    /// Adds an image's value.
    pub fn add(&mut self, value: f64) {
        self.n += 1;
        self.sum += value;
        self.squares += value * value;
    }

    /// The mean; its standard error is the standard deviation over images, n − 1 in its denominator, divided by √n. `None` of no image.
    pub fn mean(&self) -> Option<Mean> {
        let n = self.n as f64;
        let value = self.sum / n;
        let squared_deviations = (self.squares - value * self.sum).max(0.0);
        let standard_error = (self.n > 1).then(|| (squared_deviations / (n - 1.0) / n).sqrt());
        (self.n > 0).then_some(Mean { value, standard_error, n: self.n })
    }
}

/// A ratio of two sums over images, of one value each an image: images without contrast weigh nothing, where a mean of ratios
/// would divide by their zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RatioSums {
    n: usize,
    above: f64,
    below: f64,
    above_squared: f64,
    below_squared: f64,
    product: f64,
}

impl RatioSums {
    /// Adds an image's value above and below the line.
    pub fn add(&mut self, above: f64, below: f64) {
        self.n += 1;
        self.above += above;
        self.below += below;
        self.above_squared += above * above;
        self.below_squared += below * below;
        self.product += above * below;
    }

    /// The ratio r; its standard error is that of the mean of above − r·below, divided by the mean below (the ratio estimator's,
    /// Cochran 1977, §6.4). `None` where the sum below is not positive.
    pub fn ratio(&self) -> Option<Mean> {
        if self.below.is_nan() || self.below <= 0.0 {
            return None;
        }
        let (n, value) = (self.n as f64, self.above / self.below);
        let squares = self.above_squared - 2.0 * value * self.product + value * value * self.below_squared;
        let standard_error = (self.n > 1).then(|| (squares.max(0.0) / (n - 1.0) * n).sqrt() / self.below);
        Some(Mean { value, standard_error, n: self.n })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_mean_has_the_error_of_the_mean() {
        let mut sums = Sums::default();
        assert_eq!(sums.mean(), None);
        [1.0, 2.0, 6.0].into_iter().for_each(|value| sums.add(value));
        let Mean { value, standard_error, n } = sums.mean().unwrap();
        assert_eq!((value, n), (3.0, 3));
        // Deviations −2, −1, 3: variance 7.
        assert!((standard_error.unwrap() - (7.0f64 / 3.0).sqrt()).abs() < 1e-12);
    }

    /// As the spread of the ratio over many sets of images says.
    #[test]
    fn a_ratio_has_the_error_that_repetitions_show() {
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let (mut ratios, mut errors) = (Sums::default(), Sums::default());
        for _ in 0..2000 {
            let mut sums = RatioSums::default();
            for _ in 0..400 {
                let below = uniform() + 0.1;
                sums.add(below * (0.5 + uniform()), below);
            }
            let ratio = sums.ratio().unwrap();
            ratios.add(ratio.value);
            errors.add(ratio.standard_error.unwrap());
        }
        let spread = ratios.mean().unwrap().standard_error.unwrap() * 2000f64.sqrt();
        let said = errors.mean().unwrap().value;
        assert!((ratios.mean().unwrap().value - 1.0).abs() < 0.003);
        assert!((said / spread - 1.0).abs() < 0.05, "{said} and {spread}");
    }

    #[test]
    fn images_without_contrast_weigh_nothing() {
        let mut sums = RatioSums::default();
        assert_eq!(sums.ratio(), None);
        sums.add(2.0, 4.0);
        sums.add(0.0, 0.0);
        assert_eq!(sums.ratio().unwrap().value, 0.5);
    }
}
