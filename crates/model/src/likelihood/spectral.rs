//! Normal images whose noise is stationary: its waves are independent, with one standard deviation for each ring of frequencies.

use spec::ImageShape;
use tch::{Device, Kind, Tensor};

use super::distribution::{Likelihood, normal};
use super::gaussian::{RunningLogSigma, log_prob_of_pairs, log_prob_per_pixel};
use crate::parameters::{BufferUpdate, Registrar};

/// The output is means; the noise of each channel is stationary on the torus: independent in the orthonormal waves of [`Waves`], its
/// variance in ring r, the same for all channels, σ_r² = max(floor², mean of the squared residuals' coefficients in the ring over
/// waves, channels and batch). That is the maximum of the likelihood above the floor, as the mean squared error is for one σ (Rybkin et
/// al. 2021, eq. 7), and like it a constant to the derivative. With the log-determinant, so that it is a density.
///
/// Bredell et al. (2023) weigh residuals by an inverse filter with its log-determinant too, which a network makes of z; here the
/// spectrum is that of the residuals themselves. White residuals give the shared σ.
#[derive(Debug)]
pub struct Spectral {
    waves: Waves,
    /// The least standard deviation.
    floor: f64,
    /// Of each ring.
    log_sigma: RunningLogSigma,
}

impl Spectral {
    /// Before the first batch, with σ = 1.
    pub fn new(parameters: &mut Registrar<'_>, image: ImageShape, floor: f64, device: Device) -> Spectral {
        let waves = Waves::new(image, device);
        let log_sigma = RunningLogSigma::new(parameters, waves.n_rings);
        Spectral { waves, floor, log_sigma }
    }

    /// σ of every coefficient, `[R, 1, P]`, from `log_sigma` of rings, `[R, 1, rings]`.
    fn sigma(&self, log_sigma: &Tensor) -> Tensor {
        self.waves.of_coefficients(&log_sigma.exp())
    }

    /// σ of every coefficient as it is evaluated with, `[R, 1, P]`.
    fn evaluated_sigma(&self) -> Tensor {
        self.sigma(self.log_sigma.mean())
    }
}

/// Σ log N(c; 0, σ²) of the residual's coefficients c, which is log N(x; mean, C): the transform is orthonormal. The result is `[R, B]`.
fn log_prob(waves: &Waves, mean: &Tensor, x: &Tensor, sigma: &Tensor) -> Tensor {
    let coefficients = waves.coefficients(&(x - mean));
    log_prob_per_pixel(&coefficients.zeros_like(), &coefficients, sigma)
}

impl Likelihood for Spectral {
    fn log_prob(&self, output: &Tensor, x: &Tensor) -> Tensor {
        log_prob(&self.waves, output, x, &self.evaluated_sigma())
    }

    /// Of whitened coefficients, with the log-determinant of whitening.
    fn log_prob_of_pairs(&self, output: &Tensor, x: &Tensor) -> Option<Tensor> {
        let sigma = self.evaluated_sigma();
        let [mean, x] = [output, x].map(|image| self.waves.coefficients(image) / &sigma);
        let log_determinant = sigma.log().sum_dim_intlist(-1, true, Kind::Float);
        Some(log_prob_of_pairs(&mean, &x, &log_determinant.ones_like()) - log_determinant)
    }

    fn train(&self, output: &Tensor, x: &Tensor) -> (Tensor, Vec<BufferUpdate>) {
        let coefficients = self.waves.coefficients(&(x - output));
        let (sigma, updates) = tch::no_grad(|| {
            let power = self.waves.of_rings(&coefficients.square().mean_dim(&[1i64][..], true, Kind::Float));
            let log_sigma = power.clamp_min(self.floor * self.floor).log() * 0.5;
            (self.sigma(&log_sigma), self.log_sigma.with(&log_sigma))
        });
        (log_prob_per_pixel(&coefficients.zeros_like(), &coefficients, &sigma), updates)
    }

    fn mean(&self, output: &Tensor) -> Tensor {
        output.shallow_clone()
    }

    fn sample(&self, output: &Tensor, uniform: &Tensor) -> Tensor {
        output + self.waves.image(&(normal(uniform) * self.evaluated_sigma()))
    }
}

/// The real waves of a channel's discrete Fourier transform: products of cosines and sines along both sides, orthonormal. Those of one
/// pair of frequencies span what the complex waves of these frequencies span, so that any weights of radial frequency are the same.
#[derive(Debug)]
struct Waves {
    channels: i64,
    height: i64,
    width: i64,
    /// A wave a row, `[height, height]`.
    along_y: Tensor,
    /// A wave a row, `[width, width]`.
    along_x: Tensor,
    /// The ring of each coefficient of a channel, `[width·height]`.
    rings: Tensor,
    /// What makes the mean of each ring of a channel's coefficients, `[width·height, rings]`.
    means: Tensor,
    n_rings: usize,
}

impl Waves {
    /// Rings have the width of one cycle along the longer side: the ring of a wave is its frequency in cycles per pixel, times that side,
    /// rounded.
    fn new(ImageShape { channels, height, width }: ImageShape, device: Device) -> Waves {
        let (along_y, along_x) = (frequencies(height), frequencies(width));
        let longer = height.max(width) as f64;
        let of_all = along_x.iter().flat_map(|x| along_y.iter().map(move |y| x.hypot(*y)));
        let rings: Vec<i64> = of_all.map(|frequency| (frequency * longer).round() as i64).collect();
        let n_rings = rings.iter().max().map_or(0, |ring| *ring as usize + 1);
        let mut counts = vec![0f32; n_rings];
        rings.iter().for_each(|ring| counts[*ring as usize] += 1.0);
        let mut means = vec![0f32; rings.len() * n_rings];
        for (at, ring) in rings.iter().enumerate() {
            means[at * n_rings + *ring as usize] = 1.0 / counts[*ring as usize];
        }
        let square = |values: Vec<f32>, n: usize| Tensor::from_slice(&values).view([n as i64, -1]).to_device(device);
        Waves {
            channels: channels as i64,
            height: height as i64,
            width: width as i64,
            along_y: square(waves(height), height),
            along_x: square(waves(width), width),
            means: square(means, rings.len()),
            rings: Tensor::from_slice(&rings).to_device(device),
            n_rings,
        }
    }

    /// Coefficients of images `[R, B, P]` in the same shape: of each channel, those of one wave along x together.
    fn coefficients(&self, images: &Tensor) -> Tensor {
        let size = images.size();
        let rows = images.view([size[0], size[1], self.channels, self.height, self.width]);
        let along_x = rows.matmul(&self.along_x.transpose(0, 1));
        along_x.transpose(-1, -2).matmul(&self.along_y.transpose(0, 1)).reshape(size.as_slice())
    }

    /// The images that have these coefficients, `[R, B, P]`.
    fn image(&self, coefficients: &Tensor) -> Tensor {
        let size = coefficients.size();
        let columns = coefficients.view([size[0], size[1], self.channels, self.width, self.height]);
        columns.matmul(&self.along_y).transpose(-1, -2).matmul(&self.along_x).reshape(size.as_slice())
    }

    /// The mean over the coefficients of each ring and over channels, `[R, 1, rings]`, of `[R, 1, P]`.
    fn of_rings(&self, coefficients: &Tensor) -> Tensor {
        let n_replicas = coefficients.size()[0];
        let of_channel = coefficients.view([n_replicas, self.channels, -1]).mean_dim(&[1i64][..], true, Kind::Float);
        of_channel.matmul(&self.means)
    }

    /// The value of each coefficient's ring, `[R, 1, P]`, of `[R, 1, rings]`.
    fn of_coefficients(&self, rings: &Tensor) -> Tensor {
        rings.index_select(-1, &self.rings).repeat([1, 1, self.channels])
    }
}

/// The frequency of each wave of `n` pixels, in cycles per pixel: a constant, then cosine and sine of each, and for even `n` that of
/// alternating signs.
fn frequencies(n: usize) -> Vec<f64> {
    (0..n).map(|k| k.div_ceil(2) as f64 / n as f64).collect()
}

/// The waves in that order, each a row of `n` values.
fn waves(n: usize) -> Vec<f32> {
    let mut rows = Vec::with_capacity(n * n);
    for (k, frequency) in frequencies(n).into_iter().enumerate() {
        let is_alone = frequency == 0.0 || frequency == 0.5;
        let scale = (if is_alone { 1.0 } else { 2.0 } / n as f64).sqrt();
        let wave = |phase: f64| if is_alone || k % 2 == 1 { phase.cos() } else { phase.sin() };
        rows.extend((0..n).map(|at| (scale * wave(std::f64::consts::TAU * frequency * at as f64)) as f32));
    }
    rows
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use spec::Init;

    use super::*;
    use crate::noise::{NoiseKey, Replica, Stream, uniforms};
    use crate::parameters::{Parameters, Part};

    const FLOOR: f64 = 1e-3;
    const SHAPES: [(usize, usize, usize); 5] = [(1, 5, 5), (1, 4, 4), (1, 5, 8), (3, 6, 3), (2, 1, 7)];

    fn images(n_replicas: i64, n: i64, (channels, height, width): (usize, usize, usize), seed: f64) -> Tensor {
        let size = [n_replicas, n, (channels * height * width) as i64];
        let numbers = Tensor::arange(size.iter().product::<i64>(), (Kind::Double, Device::Cpu)) + seed;
        ((numbers * 12.9898).sin() * 43758.5453).fmod(1.0).view(size.as_slice()).to_kind(Kind::Float)
    }

    /// A likelihood of `n_replicas` after one batch of these residuals, with what that batch says.
    fn trained(shape: (usize, usize, usize), residuals: &Tensor) -> (Parameters, Spectral, Tensor) {
        let replicas: Vec<_> = (0..residuals.size()[0] as u64).map(|seed| Replica { seed, width: 1 }).collect();
        let mut parameters = Parameters::new(replicas, Init::Pytorch, Device::Cpu);
        let image = ImageShape { channels: shape.0, height: shape.1, width: shape.2 };
        let own = Spectral::new(&mut parameters.of(Part::Likelihood), image, FLOOR, Device::Cpu);
        let (log_prob, updates) = own.train(&residuals.zeros_like(), residuals);
        parameters.update(&updates);
        (parameters, own, log_prob)
    }

    /// The ring of each complex wave `[height, width]` and the mean squared coefficient of each ring, by the sum that defines the
    /// transform.
    fn spectrum(residuals: &Tensor, (channels, height, width): (usize, usize, usize)) -> (Vec<usize>, Vec<f64>) {
        let n = residuals.size()[0] as usize;
        let values = Vec::<f64>::try_from(residuals.to_kind(Kind::Double).contiguous().view(-1)).unwrap();
        let longer = height.max(width) as f64;
        let cycles = |k: usize, n: usize| k.min(n - k) as f64 / n as f64;
        let mut rings = Vec::new();
        let mut sums: Vec<[f64; 2]> = Vec::new();
        for (ky, kx) in (0..height).flat_map(|ky| (0..width).map(move |kx| (ky, kx))) {
            let ring = (cycles(ky, height).hypot(cycles(kx, width)) * longer).round() as usize;
            rings.push(ring);
            sums.resize(sums.len().max(ring + 1), [0.0; 2]);
            for plane in values.chunks_exact(height * width).take(n * channels) {
                let (mut re, mut im) = (0.0, 0.0);
                for (at, value) in plane.iter().enumerate() {
                    let (y, x) = (at / width, at % width);
                    let turns = (ky * y) as f64 / height as f64 + (kx * x) as f64 / width as f64;
                    re += value * (std::f64::consts::TAU * turns).cos();
                    im -= value * (std::f64::consts::TAU * turns).sin();
                }
                sums[ring][0] += (re * re + im * im) / (height * width) as f64;
                sums[ring][1] += 1.0;
            }
        }
        (rings, sums.into_iter().map(|[sum, count]| sum / count).collect())
    }

    /// The covariance of a channel with this variance of each ring: that of pixels which are so far apart is the mean over waves of the
    /// variance times the cosine of the distance; `[P, P]`.
    fn covariance(rings: &[usize], variances: &[f64], (channels, height, width): (usize, usize, usize)) -> Tensor {
        let size = height * width;
        let mut values = vec![0.0; size * size];
        for (a, b) in (0..size).flat_map(|a| (0..size).map(move |b| (a, b))) {
            let (dy, dx) = ((a / width) as f64 - (b / width) as f64, (a % width) as f64 - (b % width) as f64);
            for (wave, ring) in rings.iter().enumerate() {
                let (ky, kx) = ((wave / width) as f64, (wave % width) as f64);
                let turns = ky * dy / height as f64 + kx * dx / width as f64;
                values[a * size + b] += variances[*ring] * (std::f64::consts::TAU * turns).cos() / size as f64;
            }
        }
        let of_channel = Tensor::from_slice(&values).view([size as i64, size as i64]);
        let all: Vec<Tensor> = (0..channels).map(|_| of_channel.shallow_clone()).collect();
        Tensor::block_diag(&all)
    }

    /// log N(x; 0, covariance) by its definition; `x` is `[B, P]`.
    fn dense(x: &Tensor, covariance: &Tensor) -> Tensor {
        let x = x.to_kind(Kind::Double);
        let n_pixels = x.size()[1] as f64;
        let squares = (x.matmul(&covariance.inverse()) * &x).sum_dim_intlist(-1, false, Kind::Double);
        (squares + covariance.logdet() + n_pixels * std::f64::consts::TAU.ln()) * -0.5
    }

    fn largest(tensor: &Tensor) -> f64 {
        tensor.abs().max().double_value(&[])
    }

    /// Odd and even sides, as long and not, several channels and replicas: in training, in evaluation, and of pairs.
    #[test]
    fn the_density_is_that_of_a_multivariate_normal_with_a_stationary_covariance() {
        for shape in SHAPES {
            let residuals = images(2, 6, shape, 1.0) * Tensor::from_slice(&[1f32, 0.3]).view([2, 1, 1]);
            let (_parameters, own, in_training) = trained(shape, &residuals);
            let (mean, x) = (images(2, 4, shape, 500.0), images(2, 3, shape, 900.0));
            let pairs = own.log_prob_of_pairs(&mean, &x).unwrap(); // [R, 4, 3]
            for replica in 0..2 {
                let of_replica = residuals.get(replica);
                let (rings, power) = spectrum(&of_replica, shape);
                let c = covariance(&rings, &power, shape);
                let expected = dense(&of_replica, &c);
                let error = largest(&(in_training.get(replica) - &expected));
                assert!(error < 2e-3, "{shape:?}, replica {replica}: {error} of {expected}");
                for (at, image) in [(0i64, 2i64), (3, 1)] {
                    let difference = x.get(replica).narrow(0, image, 1) - mean.get(replica).narrow(0, at, 1);
                    let expected = dense(&difference, &c).double_value(&[0]);
                    let one = |tensor: &Tensor, at: i64| tensor.narrow(1, at, 1);
                    let found = own.log_prob(&one(&mean, at), &one(&x, image)).double_value(&[replica, 0]);
                    let of_pair = pairs.double_value(&[replica, at, image]);
                    assert!((found - expected).abs() < 5e-3, "{shape:?}: {found}, not {expected}");
                    assert!((of_pair - expected).abs() < 5e-3, "{shape:?}, pair: {of_pair}, not {expected}");
                }
            }
        }
    }

    /// Any other spectrum gives the residuals less likelihood; where they vanish the floor keeps it finite.
    #[test]
    fn the_spectrum_is_the_most_likely_one_above_the_floor() {
        let shape = (2, 6, 5);
        let residuals = images(1, 7, shape, 3.0);
        let (_parameters, own, at_optimum) = trained(shape, &residuals);
        let log_sigma = own.log_sigma.mean();
        let total = |log_sigma: &Tensor| {
            log_prob(&own.waves, &residuals.zeros_like(), &residuals, &own.sigma(log_sigma))
                .sum(Kind::Double)
                .double_value(&[])
        };
        let best = at_optimum.sum(Kind::Double).double_value(&[]);
        assert!((total(log_sigma) - best).abs() < 1e-2);
        for ring in 0..own.waves.n_rings as i64 {
            for step in [-0.3, 0.3] {
                let other = log_sigma.copy();
                let _ = other.narrow(-1, ring, 1).g_add_scalar_(step);
                assert!(total(&other) < best - 0.1, "ring {ring}, log σ {step:+}: {} of {best}", total(&other));
            }
        }
        let (_parameters, own, _) = trained(shape, &residuals.zeros_like());
        assert!(largest(&(own.log_sigma.mean().exp() - FLOOR)) < 1e-6);
    }

    #[test]
    fn draws_have_the_spectrum_of_the_residuals() {
        let shape = (2, 5, 8);
        let residuals = images(1, 6, shape, 7.0);
        let (_parameters, own, _) = trained(shape, &residuals);
        let (_, expected) = spectrum(&residuals.get(0), shape);
        let n = 20_000;
        let replica = [Replica { seed: 4, width: 80 }];
        let uniform = uniforms(&replica, n, 80, NoiseKey::new(Stream::Decoder, 0, 0), Device::Cpu);
        let mean = images(1, 1, shape, 11.0);
        let draws = own.sample(&mean.expand([1, n as i64, -1], false), &uniform) - mean;
        let squares = own.waves.coefficients(&draws).square().mean_dim(&[1i64][..], true, Kind::Float);
        let found = own.waves.of_rings(&squares);
        for (ring, expected) in expected.into_iter().enumerate() {
            let found = found.double_value(&[0, 0, ring as i64]);
            // Two coefficients at least: the constants of both channels.
            let error = expected * (2.0 / (2.0 * n as f64)).sqrt();
            assert!((found - expected).abs() < 5.0 * error, "ring {ring}: {found} drawn, {expected} said");
        }
        let (_, by_definition) = spectrum(&draws.get(0).narrow(0, 0, 200), shape);
        let of_some = own.waves.coefficients(&draws.narrow(1, 0, 200)).square();
        let of_some = own.waves.of_rings(&of_some.mean_dim(&[1i64][..], true, Kind::Float));
        for (ring, expected) in by_definition.into_iter().enumerate() {
            assert!((of_some.double_value(&[0, 0, ring as i64]) / expected - 1.0).abs() < 1e-4, "ring {ring}");
        }
    }

    #[test]
    fn waves_are_orthonormal_and_every_ring_has_some() {
        for (channels, height, width) in SHAPES {
            let waves = Waves::new(ImageShape { channels, height, width }, Device::Cpu);
            for one in [&waves.along_y, &waves.along_x] {
                let products = one.matmul(&one.transpose(0, 1));
                assert!(largest(&(products - Tensor::eye(one.size()[0], (Kind::Float, Device::Cpu)))) < 1e-6);
            }
            assert!(largest(&(waves.means.sum_dim_intlist(0i64, false, Kind::Float) - 1.0)) < 1e-5);
            let image = images(2, 3, (channels, height, width), 1.0);
            assert!(largest(&(waves.image(&waves.coefficients(&image)) - image)) < 1e-5);
        }
    }
}
