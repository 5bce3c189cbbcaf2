//! Noise as a pure function of (seed, stream, epoch, step), so that a resumed run or another cohort sees the same draws.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt as _};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;
use tch::{Device, Tensor};

/// What noise is drawn for; streams of one seed are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Initial weights; `epoch` is the parameter's index.
    Weights = 1,
    /// The order of the training images; one draw per epoch.
    Shuffle = 2,
    /// ε of the reparametrisation while training.
    Latent = 3,
    /// ε of the reparametrisation while evaluating the training, validation and test split.
    EvaluateTrain = 4,
    /// See [`Stream::EvaluateTrain`].
    EvaluateValidation = 5,
    /// See [`Stream::EvaluateTrain`].
    EvaluateTest = 6,
    /// z of samples from the prior.
    Prior = 7,
    /// The dynamic binarisation of training images.
    Pixels = 8,
    /// The first centres of a Gaussian mixture.
    Mixture = 9,
    /// The corruption of a denoising model's input.
    Corruption = 10,
    /// Draws of x from p(x|z).
    Decoder = 11,
    /// z of importance sampling.
    Importance = 12,
    /// Draws of z from the prior while training: a discrepancy's, a generator's.
    PriorTrain = 13,
    /// Which component of a prior that is a mixture.
    Component = 14,
    /// Which training images stand for the aggregate posterior, and ε of their z.
    Aggregate = 15,
    /// z of an importance-weighted objective while evaluating; `epoch` is a hash of the batch's key, `step` the portion.
    HeldOutBound = 16,
    /// z of reconstructions from draws; `epoch` is the number of the draw.
    Reconstruction = 17,
}

/// What noise is a function of, besides a run's seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseKey {
    /// What is drawn.
    pub stream: Stream,
    /// In which epoch.
    pub epoch: u64,
    /// In which step of it.
    pub step: u64,
}

impl NoiseKey {
    /// The noise of `stream` in step `step` of epoch `epoch`.
    pub fn new(stream: Stream, epoch: u64, step: u64) -> NoiseKey {
        NoiseKey { stream, epoch, step }
    }

    /// A single number that stands for (seed, stream, epoch, step): each word seeds a generator whose first output is
    /// carried into the next.
    pub fn hash(self, seed: u64) -> u64 {
        [self.stream as u64, self.epoch, self.step].into_iter().fold(seed, |state, word| {
            Xoshiro256PlusPlus::seed_from_u64(Xoshiro256PlusPlus::seed_from_u64(state).next_u64() ^ word).next_u64()
        })
    }

    /// The generator for (seed, stream, epoch, step).
    pub fn generator(self, seed: u64) -> impl Rng {
        Xoshiro256PlusPlus::seed_from_u64(self.hash(seed))
    }

    /// `n` numbers below `below`, each as likely; none where `below` is 0.
    pub fn choices(self, seed: u64, n: usize, below: usize) -> Vec<u32> {
        let below = u32::try_from(below).unwrap_or(u32::MAX);
        let mut generator = self.generator(seed);
        let n = if below == 0 { 0 } else { n };
        (0..n).map(|_| generator.random_range(0..below)).collect()
    }
}

/// The order in which epoch `epoch` visits `n` images: a permutation of `0..n`.
pub fn permutation(seed: u64, epoch: u64, n: usize) -> Vec<u32> {
    let n = u32::try_from(n).unwrap_or(u32::MAX);
    let mut order: Vec<u32> = (0..n).collect();
    order.shuffle(&mut NoiseKey::new(Stream::Shuffle, epoch, 0).generator(seed));
    order
}

/// A replica of a cohort: the seed of its noise and its own latent width.
#[derive(Clone, Copy, Debug)]
pub struct Replica {
    /// The run's seed.
    pub seed: u64,
    /// The run's own latent width, at most the padded one.
    pub width: usize,
}

/// Standard normal draws, shape `[R, n, padded]`; zero beyond a replica's own width, so that padding draws nothing.
pub fn normals(replicas: &[Replica], n: usize, padded: usize, key: NoiseKey, device: Device) -> Tensor {
    draws(replicas, n, padded, |seed| key.generator(seed), |generator| generator.sample(StandardNormal), device)
}

/// Draws uniform in 0…1, 1 excluded, in the same manner.
pub fn uniforms(replicas: &[Replica], n: usize, padded: usize, key: NoiseKey, device: Device) -> Tensor {
    draws(replicas, n, padded, |seed| key.generator(seed), |generator| generator.random(), device)
}

fn draws<G: Rng>(
    replicas: &[Replica],
    n: usize,
    padded: usize,
    generator: impl Fn(u64) -> G,
    draw: impl Fn(&mut G) -> f32,
    device: Device,
) -> Tensor {
    let mut values = vec![0f32; replicas.len() * n * padded];
    for (replica, block) in replicas.iter().zip(values.chunks_exact_mut((n * padded).max(1))) {
        let mut generator = generator(replica.seed);
        for row in block.chunks_exact_mut(padded) {
            for value in &mut row[..replica.width] {
                *value = draw(&mut generator);
            }
        }
    }
    Tensor::from_slice(&values).view([replicas.len() as i64, n as i64, padded as i64]).to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_draws_the_same_numbers_in_any_cohort() {
        let alone = normals(&[Replica { seed: 3, width: 2 }], 5, 2, NoiseKey::new(Stream::Latent, 1, 7), Device::Cpu);
        let both = [Replica { seed: 1, width: 4 }, Replica { seed: 3, width: 2 }];
        let together = normals(&both, 5, 4, NoiseKey::new(Stream::Latent, 1, 7), Device::Cpu);
        assert_eq!(together.get(1).narrow(1, 0, 2), alone.get(0));
        assert_eq!(together.get(1).narrow(1, 2, 2).abs().sum(tch::Kind::Float).double_value(&[]), 0.0);
    }

    #[test]
    fn draws_differ_between_seeds_streams_epochs_and_steps() {
        let base = NoiseKey::new(Stream::Latent, 2, 3).hash(1);
        for other in [
            NoiseKey::new(Stream::Latent, 2, 3).hash(2),
            NoiseKey::new(Stream::Shuffle, 2, 3).hash(1),
            NoiseKey::new(Stream::Latent, 3, 3).hash(1),
            NoiseKey::new(Stream::Latent, 2, 4).hash(1),
            NoiseKey::new(Stream::Latent, 3, 2).hash(1),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let draws =
            normals(&[Replica { seed: 9, width: 50 }], 2000, 50, NoiseKey::new(Stream::Latent, 0, 0), Device::Cpu);
        let n = 100_000f64;
        let mean = draws.mean(tch::Kind::Double).double_value(&[]);
        let variance = draws.square().mean(tch::Kind::Double).double_value(&[]) - mean * mean;
        assert!(mean.abs() < 5.0 / n.sqrt(), "{mean}");
        assert!((variance - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{variance}");
    }

    #[test]
    fn an_epoch_visits_every_image_once() {
        let mut order = permutation(5, 2, 1000);
        assert_ne!(order, permutation(5, 3, 1000));
        order.sort_unstable();
        assert!(order.into_iter().eq(0..1000));
    }
}
