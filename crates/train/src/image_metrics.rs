//! What is measured on images that models make: one pass over the test split feeds the crate `measure`.

use data::{Images, Shape};
use measure::{Blur, BlurScale, Contrast, Curves, Fidelity, Mean, Transfer};
use model::kl;
use model::noise::{NoiseKey, Stream};
use model::{Family, Posterior, StepContext};
use spec::metric::{Band, Decode, Subject};
use spec::{ImageShape, Measurement, Metric, MetricSettings, Split};
use tch::{Device, Kind, Tensor};

use crate::arrays::to_vec;
use crate::batches::in_order;
use crate::evaluate::BATCH;

/// Draws of z that an averaged reconstruction is the mean of.
const N_DRAWS: usize = 8;

/// The test images as what others are judged by.
pub struct Judge<'a> {
    test: &'a Images,
    shape: ImageShape,
    pixels: Vec<f32>,
    mean_image: Vec<f32>,
    contrast: Option<Contrast>,
    scale: Option<BlurScale>,
}

impl<'a> Judge<'a> {
    /// By these images.
    pub fn new(test: &'a Images) -> Judge<'a> {
        let Shape { channels, height, width, .. } = test.shape;
        let shape = ImageShape { channels, height, width };
        let pixels: Vec<f32> = test.pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let mut contrast = Contrast::of(shape);
        if let Some(contrast) = &mut contrast {
            pixels.chunks_exact(shape.n_pixels()).for_each(|image| contrast.add(image));
        }
        let scale = BlurScale::of(pixels.chunks_exact(shape.n_pixels()), shape).filter(|_| contrast.is_some());
        let mean_image = measure::mean_image(&pixels, shape);
        Judge { test, shape, pixels, mean_image, contrast, scale }
    }

    /// What is measured on the test images alone: their sharpness, unless they are too small to have one.
    pub fn of_data(&self) -> Option<Measurement> {
        let sharpness = self.contrast.as_ref()?.sharpness()?;
        Some(row(Metric::Sharpness, sharpness, MetricSettings::of(Subject::Data)))
    }

    /// What is measured on draws `[n, P]` of a model that has no means of images.
    pub fn of_draws(&self, draws: &Tensor) -> Vec<Measurement> {
        let mut contrast = Contrast::of(self.shape);
        if let Some(contrast) = &mut contrast {
            to_vec(draws).chunks_exact(self.shape.n_pixels()).for_each(|image| contrast.add(image));
        }
        self.sharpness(contrast.as_ref(), Subject::Draws)
    }

    /// What is measured on the images that each replica of a trained model makes: its reconstructions of all test images, at the
    /// posterior's mean, at a draw of z, and as the mean over [`N_DRAWS`] draws; and as many samples from the prior. All are decoder means.
    pub fn of_model(&self, model: &dyn Family, device: Device) -> Vec<Vec<Measurement>> {
        let n_replicas = model.parameters().replicas().len();
        let mut seen: Vec<Seen> = (0..n_replicas).map(|_| Seen::new(self)).collect();
        tch::no_grad(|| {
            let prior = model.generator().sample_prior(self.test.shape.n, NoiseKey::new(Stream::Prior, 0, 0));
            for (i, start) in (0..self.test.shape.n).step_by(BATCH).enumerate() {
                let end = (start + BATCH).min(self.test.shape.n);
                let z = prior.narrow(1, start as i64, (end - start) as i64).to_device(device);
                let mut made = Made::from_encoder(model, self.test, [start, end], i as u64, device);
                made.samples = to_vec(&model.generator().mean(&z));
                let images = &self.pixels[start * self.shape.n_pixels()..end * self.shape.n_pixels()];
                // Replicas are independent of each other.
                let n_threads = usize::try_from(tch::get_num_threads()).unwrap_or(1).max(1);
                std::thread::scope(|scope| {
                    let share = n_replicas.div_ceil(n_threads);
                    for (chunk, seen) in seen.chunks_mut(share).enumerate() {
                        let made = &made;
                        scope.spawn(move || {
                            for (offset, seen) in seen.iter_mut().enumerate() {
                                seen.add(images, made, chunk * share + offset);
                            }
                        });
                    }
                });
            }
        });
        seen.into_iter().map(|seen| self.rows(&seen)).collect()
    }

    fn rows(&self, seen: &Seen) -> Vec<Measurement> {
        let mut rows = Vec::new();
        for (decode, looked) in
            [(None, &seen.mean), (Some(Decode::Draw), &seen.draw), (Some(Decode::Average), &seen.average)]
        {
            let Fidelities { fidelity, contrast } = looked;
            let settings = || MetricSettings::default().decoded(decode);
            rows.extend(fidelity.mse().map(|mse| row(Metric::Mse, mse, settings())));
            rows.extend(fidelity.psnr().map(|psnr| row(Metric::Psnr, psnr, settings())));
            rows.extend(fidelity.ssim().map(|ssim| row(Metric::Ssim, ssim, settings())));
            let sharp = self.sharpness(contrast.as_ref(), Subject::Reconstructions).into_iter();
            rows.extend(sharp.map(|row| Measurement { settings: row.settings.clone().decoded(decode), ..row }));
        }
        rows.extend(self.sharpness(seen.samples.as_ref(), Subject::Samples));
        for (band, explained) in [Band::Low, Band::Middle, Band::High].into_iter().zip(seen.transfer.explained_power())
        {
            rows.extend(explained.map(|power| row(Metric::ExplainedPower, power, MetricSettings::band(band))));
        }
        if seen.n_reconstructions > 0 {
            rows.extend(curves(&seen.transfer.curves(), seen.n_reconstructions));
        }
        rows
    }

    /// Sharpness of images, in itself and by the data's; nothing of no image.
    fn sharpness(&self, contrast: Option<&Contrast>, of: Subject) -> Vec<Measurement> {
        let mut rows = Vec::new();
        let Some(contrast) = contrast else { return rows };
        let settings = || MetricSettings::of(of);
        rows.extend(contrast.sharpness().map(|sharpness| row(Metric::Sharpness, sharpness, settings())));
        let (Some(own), Some(data)) = (contrast.normalised(), self.contrast.as_ref().and_then(Contrast::normalised))
        else {
            return rows;
        };
        let by = |value: f64| value / data.value;
        let ratio = Mean { value: by(own.value), standard_error: own.standard_error.map(by), ..own };
        rows.push(row(Metric::SharpnessRatio, ratio, settings()));
        if let Some(Blur::Sigma(sigma)) = self.scale.as_ref().map(|scale| scale.blur(own)) {
            rows.push(row(Metric::EquivalentBlur, sigma, settings()));
        }
        rows
    }
}

/// A row of the test split.
pub(crate) fn row(metric: Metric, Mean { value, standard_error, n }: Mean, settings: MetricSettings) -> Measurement {
    Measurement { metric, split: Split::Test, value, standard_error, n: n as u64, settings }
}

fn curves(curves: &Curves, n: usize) -> Vec<Measurement> {
    let Curves { frequency, power: _, gain, power_ratio, coherence } = curves;
    let of = |metric: Metric, values: &[f64]| -> Vec<Measurement> {
        let at = |(frequency, value): (&f64, &f64)| {
            // Four digits name a ring.
            let settings =
                MetricSettings { frequency: Some((frequency * 1e4).round() / 1e4), ..MetricSettings::default() };
            row(metric, Mean { value: *value, standard_error: None, n }, settings)
        };
        frequency.iter().zip(values).map(at).collect()
    };
    [of(Metric::Gain, gain), of(Metric::PowerRatio, power_ratio), of(Metric::Coherence, coherence)].concat()
}

/// What was made of a batch of images, `[R, B, P]` each; empty where the model makes none.
#[derive(Debug, Default)]
struct Made {
    mean: Vec<f32>,
    draw: Vec<f32>,
    average: Vec<f32>,
    samples: Vec<f32>,
}

impl Made {
    /// Reconstructions of the images `start..end`, the `i`-th batch.
    fn from_encoder(model: &dyn Family, test: &Images, [start, end]: [usize; 2], i: u64, device: Device) -> Made {
        let Some(encoder) = model.encoder() else { return Made::default() };
        let n_replicas = model.parameters().replicas().len();
        let q = encoder.posterior(&in_order(test, start, end, n_replicas, device));
        let mean = to_vec(&model.generator().mean(&q.mean()));
        if !q.is_distribution() {
            return Made { mean, ..Made::default() };
        }
        let draw = |k: usize| {
            let key = NoiseKey::new(Stream::Reconstruction, k as u64, i);
            let at =
                StepContext { key, progress: 0.0, betas: vec![1.0; n_replicas], n_train: test.shape.n, noise: None };
            model.generator().mean(&encoder.draw(&q, &at))
        };
        let first = draw(0);
        let sum = (1..N_DRAWS).fold(first.shallow_clone(), |sum, k| sum + draw(k));
        Made { mean, draw: to_vec(&first), average: to_vec(&(sum / N_DRAWS as f64)), samples: Vec::new() }
    }
}

/// What is measured of one way to reconstruct.
#[derive(Debug)]
struct Fidelities {
    fidelity: Fidelity,
    contrast: Option<Contrast>,
}

/// What is measured of a replica.
#[derive(Debug)]
struct Seen {
    n_pixels: usize,
    n_reconstructions: usize,
    mean: Fidelities,
    draw: Fidelities,
    average: Fidelities,
    transfer: Transfer,
    samples: Option<Contrast>,
}

impl Seen {
    fn new(judge: &Judge<'_>) -> Seen {
        let shape = judge.shape;
        let with = |fidelity: Fidelity| Fidelities { fidelity, contrast: Contrast::of(shape) };
        Seen {
            n_pixels: shape.n_pixels(),
            n_reconstructions: 0,
            mean: with(Fidelity::of(shape)),
            draw: with(Fidelity::without_ssim()),
            average: with(Fidelity::without_ssim()),
            transfer: Transfer::new(shape, judge.mean_image.clone()),
            samples: Contrast::of(shape),
        }
    }

    /// Adds a batch of images and what the replica made of it.
    fn add(&mut self, images: &[f32], made: &Made, replica: usize) {
        let n_pixels = self.n_pixels;
        let own = |all: &'_ [f32]| -> std::ops::Range<usize> {
            if all.is_empty() { 0..0 } else { replica * images.len()..(replica + 1) * images.len() }
        };
        let pairs = |all: &'_ [f32]| own(all).step_by(n_pixels).zip((0..images.len()).step_by(n_pixels));
        for (at, from) in pairs(&made.mean) {
            let image = &images[from..from + n_pixels];
            self.transfer.add(image, &made.mean[at..at + n_pixels]);
            self.n_reconstructions += 1;
        }
        for (looked, all) in
            [(&mut self.mean, &made.mean), (&mut self.draw, &made.draw), (&mut self.average, &made.average)]
        {
            for (at, from) in pairs(all) {
                let (image, made) = (&images[from..from + n_pixels], &all[at..at + n_pixels]);
                looked.fidelity.add(image, made);
                if let Some(contrast) = &mut looked.contrast {
                    contrast.add(made);
                }
            }
        }
        if let Some(contrast) = &mut self.samples {
            made.samples[own(&made.samples)].chunks_exact(n_pixels).for_each(|image| contrast.add(image));
        }
    }
}

/// The halves of the KL from N(0, I) of each replica, means over the test images: Σ ½(σ² − 1 − ln σ²) and Σ ½μ²; `None` for a model
/// whose q(z|x) is no Gaussian.
pub fn kl_halves(model: &dyn Family, test: &Images, device: Device) -> Option<Vec<[Measurement; 2]>> {
    let encoder = model.encoder()?;
    let n_replicas = model.parameters().replicas().len();
    let mut sums = vec![[measure::Sums::default(); 2]; n_replicas];
    for start in (0..test.shape.n).step_by(BATCH) {
        let end = (start + BATCH).min(test.shape.n);
        let q = tch::no_grad(|| encoder.posterior(&in_order(test, start, end, n_replicas, device)));
        let Posterior::Gaussian(q) = q else { return None };
        let over_dimensions = |values: Tensor| to_vec(&values.sum_dim_intlist(-1, false, Kind::Double));
        let halves = [kl::of_variance(&q), kl::of_mean(&q)].map(over_dimensions);
        for (half, values) in halves.iter().enumerate() {
            for (sums, values) in sums.iter_mut().zip(values.chunks_exact(end - start)) {
                values.iter().for_each(|value| sums[half].add(f64::from(*value)));
            }
        }
    }
    let of = |metric: Metric, sums: &measure::Sums| Some(row(metric, sums.mean()?, MetricSettings::default()));
    sums.iter().map(|[variance, mean]| Some([of(Metric::KlVariance, variance)?, of(Metric::KlMean, mean)?])).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;
    use spec::Cell;

    use super::*;

    const SHAPE: ImageShape = ImageShape { channels: 1, height: 12, width: 13 };

    fn images() -> Images {
        let shape = Shape { n: 700, channels: 1, height: 12, width: 13 };
        let pixels = (0..shape.n * SHAPE.n_pixels()).map(|i| ((i * 2_654_435_761) >> 7) as u8).collect();
        Images { pixels, shape, labels: None, factors: None }
    }

    fn model(latent_dims: [usize; 2]) -> Box<dyn Family> {
        let cell = |latent_dim: usize| -> Cell {
            let model = json!({ "hidden": [8], "latent_dim": latent_dim });
            serde_json::from_value(json!({ "dataset": { "name": { "folder": "/images" } }, "model": model })).unwrap()
        };
        let cells = latent_dims.map(cell);
        model::build(&cells.iter().collect::<Vec<_>>(), SHAPE, Device::Cpu).unwrap().unwrap()
    }

    fn value(rows: &[Measurement], metric: Metric, settings: &MetricSettings) -> Mean {
        let row = rows.iter().find(|row| row.metric == metric && row.settings == *settings).unwrap();
        Mean { value: row.value, standard_error: row.standard_error, n: row.n as usize }
    }

    #[test]
    fn fidelity_is_that_of_each_image_on_average() {
        let (test, model) = (images(), model([2, 3]));
        let rows = &Judge::new(&test).of_model(model.as_ref(), Device::Cpu)[1];
        let made = tch::no_grad(|| {
            let x = in_order(&test, 0, test.shape.n, 2, Device::Cpu);
            to_vec(&model.generator().mean(&model.encoder().unwrap().posterior(&x).mean()).get(1))
        });
        let pixels: Vec<f32> = test.pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let pairs = || pixels.chunks(SHAPE.n_pixels()).zip(made.chunks(SHAPE.n_pixels()));
        let ssim = measure::Ssim::of(SHAPE).unwrap();
        let of = |metric: Metric, x: &[f32], y: &[f32]| match metric {
            Metric::Mse => measure::mse(x, y),
            Metric::Psnr => measure::psnr(x, y),
            _ => ssim.between(x, y),
        };
        for metric in [Metric::Mse, Metric::Psnr, Metric::Ssim] {
            let values: Vec<f64> = pairs().map(|(x, y)| of(metric, x, y)).collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            let found = value(rows, metric, &MetricSettings::default());
            assert!((found.value - mean).abs() < 1e-6, "{metric}: {found:?} and {mean}");
            assert!((found.standard_error.unwrap() - (squares / (n - 1.0) / n).sqrt()).abs() < 1e-6, "{found:?}");
            assert_eq!(found.n, 700);
        }
    }

    #[test]
    fn sharpness_is_of_the_whole_split_and_as_many_samples() {
        let (test, model) = (images(), model([2, 3]));
        let rows = &Judge::new(&test).of_model(model.as_ref(), Device::Cpu)[1];
        let made = tch::no_grad(|| {
            let generator = model.generator();
            let x = in_order(&test, 0, test.shape.n, 2, Device::Cpu);
            let reconstructions = generator.mean(&model.encoder().unwrap().posterior(&x).mean());
            let samples = generator.mean(&generator.sample_prior(test.shape.n, NoiseKey::new(Stream::Prior, 0, 0)));
            [(Subject::Reconstructions, reconstructions), (Subject::Samples, samples)]
        });
        for (subject, images) in made {
            let mut contrast = Contrast::of(SHAPE).unwrap();
            to_vec(&images.get(1)).chunks(SHAPE.n_pixels()).for_each(|image| contrast.add(image));
            let (found, expected) =
                (value(rows, Metric::Sharpness, &MetricSettings::of(subject)), contrast.sharpness().unwrap());
            assert!((found.value - expected.value).abs() < 1e-9, "{subject:?}: {found:?} and {expected:?}");
        }
    }

    /// An average over draws of z is nearer to the image than one draw, and the two are not the decoding of the mean.
    #[test]
    fn three_ways_to_decode_are_three() {
        let (test, model) = (images(), model([4, 4]));
        let rows = &Judge::new(&test).of_model(model.as_ref(), Device::Cpu)[0];
        let mse = |decode| value(rows, Metric::Mse, &MetricSettings::default().decoded(decode)).value;
        let (mean, draw, average) = (mse(None), mse(Some(Decode::Draw)), mse(Some(Decode::Average)));
        assert!(average < draw && mean != average && mean != draw, "{mean} {draw} {average}");
    }

    #[test]
    fn the_halves_of_the_kl_are_the_kl() {
        let (test, model) = (images(), model([2, 5]));
        let halves = &kl_halves(model.as_ref(), &test, Device::Cpu).unwrap()[1];
        let x = in_order(&test, 0, test.shape.n, 2, Device::Cpu);
        let key = NoiseKey::new(Stream::EvaluateTest, 1, 0);
        let at = StepContext { key, progress: 0.0, betas: vec![1.0; 2], n_train: test.shape.n, noise: None };
        let kl = tch::no_grad(|| model.evaluate(&x, &at).kl.unwrap().get(1).mean(Kind::Double).double_value(&[]));
        let [variances, means] = halves;
        assert!((variances.value + means.value - kl).abs() < 1e-5 * kl, "{halves:?} and {kl}");
        assert_eq!([variances.metric, means.metric], [Metric::KlVariance, Metric::KlMean]);
    }
}
