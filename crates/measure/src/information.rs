//! What codes tell of images: mutual information and marginal KL of diagonal Gaussian posteriors, each between two bounds.

use std::ops::Range;
use std::thread;

use crate::mean::{Mean, Sums};

/// Posteriors that are evaluated side by side.
const LANES: usize = 16;
/// Draws that a block of posteriors is evaluated at while it is in the cache.
const DRAWS: usize = 32;
/// Summands that are smaller than the largest by this factor, in nats, change no sum in double precision.
const NEGLIGIBLE: f32 = 40.0;
/// A number that is known between two estimates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// In expectation no larger than the number.
    pub lower: Mean,
    /// In expectation no smaller.
    pub upper: Mean,
}

/// KL(q(z|x) ‖ p(z)) and its two parts (Hoffman & Johnson 2016): KL = I(x; z) + KL(q(z) ‖ p(z)), where q(z) is the mean of q(z|x)
/// over images. In nats, means over images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Information {
    /// KL(q(z|x) ‖ p(z)) in closed form.
    pub kl: Mean,
    /// I(x; z).
    pub mutual_information: Bounds,
    /// KL(q(z) ‖ p(z)).
    pub marginal_kl: Bounds,
}

/// The information of N posteriors q(z|x_i) = N(mean, diag exp(log_variance)) with one draw z_i of each, under the prior N(0, I).
/// Rows of `means`, `log_variances` and `draws`, `[N, width]`, are images. `None` of fewer than two images.
///
/// Lower bound of I, at most ln N: mean_i log q(z_i|x_i) − log (1/N) Σ_j q(z_i|x_j), its own posterior among the N; upper bound:
/// mean_i log q(z_i|x_i) − log (1/(N−1)) Σ_{j≠i} q(z_i|x_j), its own left out (Poole et al. 2019, §2). The marginal KL is the closed KL
/// minus I, image by image, so that the upper bound of one and the lower of the other add up to the KL exactly. Standard errors are
/// over images, those of the sums over j left out.
pub fn information(
    means: &[f32],
    log_variances: &[f32],
    draws: &[f32],
    width: usize,
    n_threads: usize,
) -> Option<Information> {
    let n = draws.len().checked_div(width).filter(|n| *n > 1)?;
    let posteriors = Posteriors::new(means, log_variances, width);
    let share = n.div_ceil(n_threads.max(1)).next_multiple_of(DRAWS);
    let parts: Vec<Range<usize>> = (0..n).step_by(share).map(|start| start..(start + share).min(n)).collect();
    let found: Vec<Vec<LogDensities>> = thread::scope(|scope| {
        let posteriors = &posteriors;
        let spawned: Vec<_> =
            parts.into_iter().map(|part| scope.spawn(move || posteriors.log_densities(draws, part))).collect();
        // A thread has only its slices' bounds to fail at.
        spawned.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let (count, without_own) = ((n as f64).ln(), ((n - 1) as f64).ln());
    let mut sums = [Sums::default(); 5];
    let rows = means.chunks_exact(width).zip(log_variances.chunks_exact(width));
    for (LogDensities { own, others }, (mean, log_variance)) in found.into_iter().flatten().zip(rows) {
        let per_dimension = mean.iter().zip(log_variance).map(|(mean, log_variance)| {
            let (mean, log_variance) = (f64::from(*mean), f64::from(*log_variance));
            0.5 * (mean * mean + log_variance.exp() - 1.0 - log_variance)
        });
        let kl: f64 = per_dimension.sum();
        let lower = own - (log_add(own, others) - count);
        let upper = own - (others - without_own);
        for (sums, value) in sums.iter_mut().zip([kl, lower, upper, kl - upper, kl - lower]) {
            sums.add(value);
        }
    }
    let [kl, lower, upper, marginal_lower, marginal_upper] = sums.map(|sums| sums.mean());
    Some(Information {
        kl: kl?,
        mutual_information: Bounds { lower: lower?, upper: upper? },
        marginal_kl: Bounds { lower: marginal_lower?, upper: marginal_upper? },
    })
}

/// log (eᵃ + eᵇ).
fn log_add(a: f64, b: f64) -> f64 {
    let (larger, smaller) = if a > b { (a, b) } else { (b, a) };
    larger + (smaller - larger).exp().ln_1p()
}

/// Of a draw z_i.
#[derive(Clone, Copy, Debug)]
struct LogDensities {
    /// log q(z_i|x_i).
    own: f64,
    /// log Σ_{j≠i} q(z_i|x_j).
    others: f64,
}

/// All posteriors, [`LANES`] of them a block: for each dimension their means, then their ½/σ².
#[derive(Debug)]
struct Posteriors {
    width: usize,
    blocks: Vec<f32>,
    /// −½ Σ (ln σ² + ln 2π); minus infinity where a block has no posterior.
    log_norms: Vec<f32>,
}

impl Posteriors {
    fn new(means: &[f32], log_variances: &[f32], width: usize) -> Posteriors {
        let n = means.len() / width;
        let n_blocks = n.div_ceil(LANES);
        let mut blocks = vec![0.0; n_blocks * 2 * width * LANES];
        let mut log_norms = vec![f32::NEG_INFINITY; n_blocks * LANES];
        for j in 0..n {
            let (block, lane) = (j / LANES, j % LANES);
            let mut sum = 0.0f64;
            for d in 0..width {
                let at = (block * width + d) * 2 * LANES + lane;
                let log_variance = f64::from(log_variances[j * width + d]);
                blocks[at] = means[j * width + d];
                blocks[at + LANES] = (0.5 * (-log_variance).exp()) as f32;
                sum += log_variance + std::f64::consts::TAU.ln();
            }
            log_norms[j] = (-0.5 * sum) as f32;
        }
        Posteriors { width, blocks, log_norms }
    }

    /// Of the draws of a part of the images.
    fn log_densities(&self, draws: &[f32], part: Range<usize>) -> Vec<LogDensities> {
        let mut found = Vec::with_capacity(part.len());
        for start in part.clone().step_by(DRAWS) {
            let images = start..(start + DRAWS).min(part.end);
            let mut sums: Vec<(f32, LogSum)> = images.clone().map(|_| (f32::NAN, LogSum::default())).collect();
            let blocks = self.blocks.chunks_exact(2 * self.width * LANES).zip(self.log_norms.chunks_exact(LANES));
            for (b, (block, log_norms)) in blocks.enumerate() {
                for (i, (own, others)) in images.clone().zip(&mut sums) {
                    let z = &draws[i * self.width..(i + 1) * self.width];
                    let mut log_q = log_q(z, block, log_norms);
                    if i / LANES == b {
                        *own = std::mem::replace(&mut log_q[i % LANES], f32::NEG_INFINITY);
                    }
                    others.add(&log_q);
                }
            }
            found.extend(sums.into_iter().map(|(own, others)| LogDensities { own: own.into(), others: others.log() }));
        }
        found
    }
}

/// log q(z|x_j) of a block of posteriors.
fn log_q(z: &[f32], block: &[f32], log_norms: &[f32]) -> [f32; LANES] {
    let mut sums = [0.0f32; LANES];
    for (z, of_dimension) in z.iter().zip(block.chunks_exact(2 * LANES)) {
        let (means, precisions) = of_dimension.split_at(LANES);
        for ((sum, mean), half_precision) in sums.iter_mut().zip(means).zip(precisions) {
            let difference = z - mean;
            *sum += difference * difference * half_precision;
        }
    }
    for (sum, log_norm) in sums.iter_mut().zip(log_norms) {
        *sum = log_norm - *sum;
    }
    sums
}

/// The logarithm of a sum of exponentials that comes in pieces.
#[derive(Clone, Copy, Debug)]
struct LogSum {
    largest: f32,
    /// Of e^(summand − largest).
    sum: f64,
}

impl Default for LogSum {
    fn default() -> LogSum {
        LogSum { largest: f32::NEG_INFINITY, sum: 0.0 }
    }
}

impl LogSum {
    fn add(&mut self, summands: &[f32; LANES]) {
        let largest = summands.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if largest > self.largest {
            self.sum *= f64::from(self.largest - largest).exp();
            self.largest = largest;
        }
        if largest > self.largest - NEGLIGIBLE {
            let pieces = summands.iter().map(|summand| (summand - self.largest).exp());
            self.sum += f64::from(pieces.sum::<f32>());
        }
    }

    fn log(self) -> f64 {
        f64::from(self.largest) + self.sum.ln()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// Posteriors N(scale·x, σ²) of standard normal x in each dimension, and a draw of each.
    fn channel(n: usize, width: usize, scale: f64, sigma: f64) -> [Vec<f32>; 3] {
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        let mut normal = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
        let means: Vec<f32> = (0..n * width).map(|_| (scale * normal()) as f32).collect();
        let draws = means.iter().map(|mean| mean + (sigma * normal()) as f32).collect();
        [means, vec![(2.0 * sigma.ln()) as f32; n * width], draws]
    }

    fn of(n: usize, width: usize, scale: f64, sigma: f64, n_threads: usize) -> Information {
        let [means, log_variances, draws] = channel(n, width, scale, sigma);
        information(&means, &log_variances, &draws, width, n_threads).unwrap()
    }

    #[test]
    fn both_parts_add_up_to_the_kl() {
        for (n, width, scale, sigma) in [(37, 3, 0.7, 0.4), (200, 1, 1.0, 0.01), (64, 5, 0.0, 1.0)] {
            let Information { kl, mutual_information, marginal_kl } = of(n, width, scale, sigma, 2);
            for sum in [
                mutual_information.lower.value + marginal_kl.upper.value,
                mutual_information.upper.value + marginal_kl.lower.value,
            ] {
                assert!((sum - kl.value).abs() < 1e-9 * kl.value.abs().max(1.0), "{sum} and {}", kl.value);
            }
            assert_eq!((kl.n, mutual_information.lower.n), (n, n));
        }
    }

    /// Written out in double precision; with any number of threads.
    #[test]
    fn bounds_are_those_of_the_formula() {
        let (n, width) = (45, 3);
        let [means, mut log_variances, draws] = channel(n, width, 1.2, 0.5);
        log_variances.iter_mut().enumerate().for_each(|(at, value)| *value += (at % 7) as f32 * 0.3 - 1.0);
        let log_q = |i: usize, j: usize| -> f64 {
            let of = |d: usize| {
                let at = j * width + d;
                let [mean, log_variance, z] = [means[at], log_variances[at], draws[i * width + d]].map(f64::from);
                -0.5 * ((z - mean).powi(2) / log_variance.exp() + log_variance + std::f64::consts::TAU.ln())
            };
            (0..width).map(of).sum()
        };
        let mean = |with_own: bool| {
            let of = |i: usize| {
                let others: Vec<f64> = (0..n).filter(|&j| with_own || j != i).map(|j| log_q(i, j).exp()).collect();
                log_q(i, i) - (others.iter().sum::<f64>() / others.len() as f64).ln()
            };
            (0..n).map(of).sum::<f64>() / n as f64
        };
        for n_threads in [1, 2, 7] {
            let found = information(&means, &log_variances, &draws, width, n_threads).unwrap().mutual_information;
            assert!((found.lower.value - mean(true)).abs() < 1e-5, "{found:?} and {}", mean(true));
            assert!((found.upper.value - mean(false)).abs() < 1e-5, "{found:?} and {}", mean(false));
        }
        assert_eq!(information(&means[..3], &log_variances[..3], &draws[..3], 3, 1), None);
    }

    /// I = ½ ln(1 + scale²/σ²) a dimension, and q(z) is N(0, scale² + σ²).
    #[test]
    fn a_gaussian_channel_lies_between_the_bounds() {
        let (width, scale, sigma) = (2, 0.8, 0.5);
        let found = of(4000, width, scale, sigma, 2);
        let variance: f64 = scale * scale + sigma * sigma;
        let information = width as f64 * 0.5 * (1.0 + scale * scale / (sigma * sigma)).ln();
        let marginal = width as f64 * 0.5 * (variance - 1.0 - variance.ln());
        for (name, Bounds { lower, upper }, truth) in
            [("I", found.mutual_information, information), ("marginal", found.marginal_kl, marginal)]
        {
            assert!(upper.value > lower.value, "{name}: {lower:?} and {upper:?}");
            let error = 4.0 * lower.standard_error.unwrap();
            assert!(lower.value - error < truth && truth < upper.value + error, "{name} {truth}: {lower:?}, {upper:?}");
            assert!(upper.value - lower.value < 0.05, "{name}: {lower:?} and {upper:?}");
        }
    }

    #[test]
    fn posteriors_that_never_meet_saturate_at_the_number_of_images() {
        let n = 100;
        let found = of(n, 4, 1.0, 1e-4, 1);
        let lower = found.mutual_information.lower;
        assert!((lower.value - (n as f64).ln()).abs() < 1e-6 && lower.standard_error.unwrap() < 1e-6, "{lower:?}");
        assert!(found.mutual_information.upper.value > 100.0 * lower.value, "{found:?}");
        assert!(spec::metric::is_saturated(found.kl.value, n as u64));
    }
}
