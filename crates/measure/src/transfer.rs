//! What reconstructions keep of images at each spatial frequency.

use rustfft::num_complex::Complex;
use spec::ImageShape;
use spec::metric::Band;

use crate::mean::{Mean, RatioSums};
use crate::spectrum::{PairSpectrum, radial_frequencies};

/// What reconstructions keep of images over radial frequency; each a value for each of `frequency`.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// Mean frequency of the ring, in cycles per pixel.
    pub frequency: Vec<f64>,
    /// Share of the images' power in the ring.
    pub power: Vec<f64>,
    /// Re S_xx̂/S_xx: what an image's wave comes back with on average; 1 for a perfect reconstruction.
    pub gain: Vec<f64>,
    /// P_x̂/P_x: as much power, be it of the image's own waves or of invented ones.
    pub power_ratio: Vec<f64>,
    /// |S_xx̂|²/(S_xx S_x̂x̂), from 0 to 1: how far the reconstruction's waves follow from the image's.
    pub coherence: Vec<f64>,
}

/// Sums over images, fed one after another with its reconstruction.
pub struct Transfer {
    shape: ImageShape,
    mean_image: Vec<f32>,
    spectrum: PairSpectrum,
    frequencies: Vec<f64>,
    bands: [RatioSums; 3],
    n: usize,
    /// For each coefficient of each channel.
    sums: Vec<Cross>,
}

/// Sums over images at one frequency.
#[derive(Clone, Copy, Debug, Default)]
struct Cross {
    data: f64,
    made: f64,
    cross: Complex<f64>,
    made_mean: Complex<f64>,
}

impl Transfer {
    /// For images of this shape with this mean over all of them, `[channels, height, width]`, which says nothing about one of them.
    pub fn new(shape: ImageShape, mean_image: Vec<f32>) -> Transfer {
        Transfer {
            shape,
            mean_image,
            spectrum: PairSpectrum::of(shape),
            frequencies: radial_frequencies(shape),
            bands: Default::default(),
            n: 0,
            sums: vec![Cross::default(); shape.n_pixels()],
        }
    }

    /// Adds an image and its reconstruction, `[channels, height, width]` each.
    pub fn add(&mut self, image: &[f32], made: &[f32]) {
        let size = self.shape.height * self.shape.width;
        let (mut residual, mut data) = ([0.0; 3], [0.0; 3]);
        self.n += 1;
        for channel in 0..self.shape.channels {
            let own = channel * size..(channel + 1) * size;
            let mean = &self.mean_image[own.clone()];
            let pairs = image[own.clone()].iter().zip(&made[own.clone()]).zip(mean);
            let pairs = pairs.map(|((x, y), mean)| (f64::from(x - mean), f64::from(y - mean)));
            for (at, [x, y]) in self.spectrum.transform(pairs).enumerate() {
                let band = Band::EDGES.iter().filter(|edge| self.frequencies[at] >= **edge).count();
                residual[band] += (x - y).norm_sqr();
                data[band] += x.norm_sqr();
                let sums = &mut self.sums[own.start + at];
                sums.data += x.norm_sqr();
                sums.made += y.norm_sqr();
                sums.cross += x.conj() * y;
                sums.made_mean += y;
            }
        }
        for (band, (residual, data)) in self.bands.iter_mut().zip(residual.into_iter().zip(data)) {
            band.add(residual, data);
        }
    }

    /// 1 − P_residual/P_data in the bands below, between and above [`Band::EDGES`], the mean image taken off the data; 1 is perfect, 0 as
    /// good as the mean image, and negative worse. `None` where the images have no power in a band.
    pub fn explained_power(&self) -> [Option<Mean>; 3] {
        self.bands.map(|band| {
            band.ratio().map(|Mean { value, standard_error, n }| Mean { value: 1.0 - value, standard_error, n })
        })
    }

    /// The curves over rings of one cycle per image's side, up to half a cycle per pixel; rings without power are left out. The
    /// reconstructions' own mean is taken off them.
    pub fn curves(&self) -> Curves {
        let side = self.shape.height.min(self.shape.width) as f64;
        let n_rings = (side / 2.0) as usize + 1;
        let mut rings = vec![Ring::default(); n_rings];
        for (at, sums) in self.sums.iter().enumerate() {
            let frequency = self.frequencies[at % self.frequencies.len()];
            let Some(ring) = rings.get_mut((frequency * side).round() as usize) else { continue };
            let made = sums.made - sums.made_mean.norm_sqr() / self.n.max(1) as f64;
            ring.count += 1.0;
            ring.frequency += frequency;
            ring.data += sums.data;
            ring.made += made;
            ring.cross += sums.cross.re;
            // Of each frequency by itself: within a ring the gain may vary.
            if sums.data * made > 0.0 {
                ring.coherent += sums.cross.norm_sqr() / made;
            }
        }
        let total: f64 = self.sums.iter().map(|sums| sums.data).sum();
        let there: Vec<Ring> = rings.into_iter().filter(|ring| ring.data > 1e-12 * total).collect();
        let each = |of: fn(&Ring) -> f64| there.iter().map(of).collect();
        Curves {
            frequency: each(|ring| ring.frequency / ring.count),
            power: there.iter().map(|ring| ring.data / total).collect(),
            gain: each(|ring| ring.cross / ring.data),
            power_ratio: each(|ring| ring.made / ring.data),
            coherence: each(|ring| ring.coherent / ring.data),
        }
    }
}

/// Sums over the frequencies of a ring.
#[derive(Clone, Copy, Debug, Default)]
struct Ring {
    count: f64,
    frequency: f64,
    data: f64,
    made: f64,
    /// Re S_xx̂.
    cross: f64,
    /// The data's power times the coherence.
    coherent: f64,
}

impl std::fmt::Debug for Transfer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transfer").field("shape", &self.shape).field("n", &self.n).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::f64::consts::TAU;

    use super::*;

    const SHAPE: ImageShape = ImageShape { channels: 1, height: 16, width: 20 };

    /// Noise that is the same on every machine.
    fn noise(n: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut state = seed;
        let mut value = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u32 << 24) as f32 - 0.5
        };
        (0..n).map(|_| (0..320).map(|_| value()).collect()).collect()
    }

    fn mean_of(images: &[Vec<f32>]) -> Vec<f32> {
        (0..320).map(|pixel| images.iter().map(|image| image[pixel]).sum::<f32>() / images.len() as f32).collect()
    }

    /// Under a blur that wraps around, by its own definition as a sum over pixels.
    fn blurred(image: &[f32], sigma: f64) -> Vec<f32> {
        let along = |image: &[f32], n: usize, stride: usize, at: usize| -> f32 {
            let position = at / stride % n;
            let weight = |d: usize| {
                let waves = |k: usize| {
                    let omega = TAU * k.min(n - k) as f64 / n as f64;
                    (-0.5 * (sigma * omega).powi(2)).exp() * (TAU * (k * d) as f64 / n as f64).cos()
                };
                (0..n).map(waves).sum::<f64>() / n as f64
            };
            let value = |other: usize| image[at - position * stride + other * stride];
            (0..n).map(|other| weight((other + n - position) % n) as f32 * value(other)).sum()
        };
        let rows: Vec<f32> = (0..320).map(|at| along(image, 20, 1, at)).collect();
        (0..320).map(|at| along(&rows, 16, 20, at)).collect()
    }

    #[test]
    fn a_blur_has_its_own_gain_and_is_coherent() {
        let images = noise(60, 7);
        let mut transfer = Transfer::new(SHAPE, mean_of(&images));
        images.iter().for_each(|image| transfer.add(image, &blurred(image, 0.8)));
        let curves = transfer.curves();
        assert!(curves.frequency.len() > 7);
        for (i, frequency) in curves.frequency.iter().enumerate() {
            // A ring has frequencies around its own.
            let expected = (-0.5 * (0.8 * TAU * frequency).powi(2)).exp();
            assert!((curves.gain[i] - expected).abs() < 0.03, "at {frequency}: {} and {expected}", curves.gain[i]);
            assert!((curves.power_ratio[i] - expected.powi(2)).abs() < 0.05);
            assert!(curves.coherence[i] > 0.999, "{}", curves.coherence[i]);
        }
    }

    #[test]
    fn invented_waves_have_power_and_no_coherence() {
        let (images, others) = (noise(400, 3), noise(400, 4));
        let mut transfer = Transfer::new(SHAPE, mean_of(&images));
        images.iter().zip(&others).for_each(|(image, other)| transfer.add(image, other));
        let curves = transfer.curves();
        let [_, _, high] = transfer.explained_power();
        assert!((high.unwrap().value + 1.0).abs() < 0.1, "noise of the data's power explains −1");
        assert!((curves.power_ratio[5] - 1.0).abs() < 0.1 && curves.gain[5].abs() < 0.1 && curves.coherence[5] < 0.05);
    }

    #[test]
    fn the_bands_share_the_squared_error() {
        let images = noise(40, 5);
        let made: Vec<Vec<f32>> = images.iter().map(|image| blurred(image, 0.5)).collect();
        let mean = mean_of(&images);
        let mut transfer = Transfer::new(SHAPE, mean.clone());
        images.iter().zip(&made).for_each(|(image, made)| transfer.add(image, made));
        let squared = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        let residual: f64 = images.iter().zip(&made).map(|(image, made)| squared(image, made)).sum();
        let data: f64 = images.iter().map(|image| squared(image, &mean)).sum();
        let of_sums = |which: fn(&Cross) -> f64| transfer.sums.iter().map(which).sum::<f64>() * 320.0;
        assert!((of_sums(|sums| sums.data) / data - 1.0).abs() < 1e-5, "Parseval");
        let of_bands = of_sums(|sums| sums.data + sums.made - 2.0 * sums.cross.re);
        assert!((of_bands / residual - 1.0).abs() < 1e-4);
        let explained = transfer.explained_power().map(|band| band.unwrap().value);
        assert!(explained[0] > explained[1] && explained[1] > explained[2], "{explained:?}");
        // The mean image explains nothing.
        let mut nothing = Transfer::new(SHAPE, mean.clone());
        images.iter().for_each(|image| nothing.add(image, &mean));
        assert!(nothing.explained_power().iter().all(|band| band.unwrap().value.abs() < 1e-6));
    }
}
