//! log p(x|z) at many z of one image, such as the draws that estimate its log p(x), for a tenth of the multiplications.
//!
//! The decoder is y = W₂ relu(W₁z + b₁) + b₂. Draws from one posterior lie close together, so that most rectified units are on
//! in all of them or off in all of them. With the units that are on at the mean of the draws as a mask m, and a = W₁z + b₁,
//!
//! > y = W₂(m·W₁) z + W₂(m·b₁) + b₂ + Σ_j |a_j| W₂ⱼ over the units j whose state at z is not that at the mean,
//!
//! since relu(a) − m·a is |a| where the two differ and 0 elsewhere. Nothing is approximated: the first terms are a map from the
//! few latent dimensions, and of 400 units about thirty differ at a draw of a trained model. The rest is done for one draw after
//! another, while its values lie in the processor's nearest cache.

use tch::Tensor;

use crate::fused::multiply_add;
use crate::layers::{Layer, Map, Network};
use crate::likelihood::bernoulli;
use spec::Activation;

/// Draws an image from which on it is worth while: what is prepared for an image takes as long as some thirty draws.
pub(crate) const FEWEST_DRAWS: usize = 64;

/// A decoder with one layer of rectified units, one for each replica; on the CPU.
#[derive(Debug)]
pub(crate) struct Nearby {
    replicas: Vec<Decoder>,
    n_pixels: usize,
}

/// The weights of one replica, row by row.
#[derive(Debug)]
struct Decoder {
    /// W₁, `[D, H]`, and b₁.
    hidden: Affine,
    /// W₂, `[H, P]`, and b₂.
    output: Affine,
}

/// y = x·W + b.
#[derive(Debug)]
struct Affine {
    /// `[in, out]`
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Nearby {
    /// `None` where `decoder` is another network, or not on the CPU.
    pub fn of(decoder: &Network) -> Option<Nearby> {
        let [Layer::Activated(Map::Linear(hidden), Activation::Relu), Layer::Map(Map::Linear(output))] =
            decoder.layers.as_slice()
        else {
            return None;
        };
        if hidden.weight.device() != tch::Device::Cpu {
            return None;
        }
        let affine = |weight: &Tensor, bias: &Tensor, r: i64| Affine {
            weight: values(&weight.get(r)),
            bias: values(&bias.get(r)),
        };
        let replicas = (0..hidden.weight.size()[0]).map(|r| Decoder {
            hidden: affine(&hidden.weight, &hidden.bias, r),
            output: affine(&output.weight, &output.bias, r),
        });
        Some(Nearby { replicas: replicas.collect(), n_pixels: output.weight.size()[2] as usize })
    }

    /// log p(x|z) in nats of `z`, `[R, n, B, D]`, and images `x`, `[R, B, P]`, whose pixels are Bernoulli with the decoder's output
    /// for log-odds; the result is `[R, n, B]`. On as many threads as libtorch has.
    pub fn bernoulli_log_prob(&self, z: &Tensor, x: &Tensor) -> Tensor {
        let size = z.size();
        let [n_replicas, n, n_images, width] = [0, 1, 2, 3].map(|axis| size[axis] as usize);
        let (z, x) = (values(&z.transpose(1, 2)), values(x)); // [R, B, n, D]
        let mut log_prob = vec![0f32; n_replicas * n_images * n]; // [R, B, n]
        let one_image = (n * width).max(1);
        let jobs: Vec<Job<'_>> = log_prob
            .chunks_exact_mut(n.max(1))
            .zip(z.chunks_exact(one_image).zip(x.chunks_exact(self.n_pixels.max(1))))
            .enumerate()
            .map(|(i, (log_prob, (z, x)))| Job { decoder: &self.replicas[i / n_images.max(1)], x, z, log_prob })
            .collect();
        let n_threads = usize::try_from(tch::get_num_threads()).unwrap_or(1).clamp(1, jobs.len().max(1));
        let queue = std::sync::Mutex::new(jobs.into_iter());
        let work = || {
            let next = || queue.lock().ok()?.next();
            while let Some(job) = next() {
                run(job);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..n_threads {
                scope.spawn(work);
            }
            work();
        });
        Tensor::from_slice(&log_prob).view([size[0], size[2], size[1]]).transpose(1, 2)
    }
}

/// All draws of one image: `x` is `[P]`, `z` `[n, D]`.
struct Job<'a> {
    decoder: &'a Decoder,
    x: &'a [f32],
    z: &'a [f32],
    log_prob: &'a mut [f32],
}

/// With the widest instructions that this processor has.
#[cfg(target_arch = "x86_64")]
fn run(job: Job<'_>) {
    #[target_feature(enable = "avx512f")]
    fn with_avx512(job: Job<'_>) {
        of_image::<true>(job);
    }
    #[target_feature(enable = "avx2,fma")]
    fn with_avx2(job: Job<'_>) {
        of_image::<true>(job);
    }
    if is_x86_feature_detected!("avx512f") {
        #[expect(unsafe_code, reason = "calls a function compiled for AVX-512")]
        // SAFETY: the processor has what the function is compiled for.
        unsafe {
            with_avx512(job);
        }
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        #[expect(unsafe_code, reason = "calls a function compiled for AVX2 and FMA")]
        // SAFETY: the processor has what the function is compiled for.
        unsafe {
            with_avx2(job);
        }
    } else {
        of_image::<false>(job);
    }
}

/// Every other processor that libtorch is made for multiplies and adds in one instruction.
#[cfg(not(target_arch = "x86_64"))]
fn run(job: Job<'_>) {
    of_image::<true>(job);
}

/// `FUSED` where the processor multiplies and adds in one instruction.
#[inline(always)]
fn of_image<const FUSED: bool>(Job { decoder, x, z, log_prob }: Job<'_>) {
    let (n_hidden, n_pixels) = (decoder.hidden.bias.len(), decoder.output.bias.len());
    let width = decoder.hidden.weight.len() / n_hidden;
    let mut mean = vec![0f32; width];
    for row in z.chunks_exact(width) {
        add::<FUSED>(&mut mean, 1.0 / log_prob.len() as f32, row);
    }
    let mut at_mean = vec![0f32; n_hidden];
    decoder.hidden.of::<FUSED>(&mean, &mut at_mean);
    let is_on: Vec<bool> = at_mean.into_iter().map(|a| a > 0.0).collect();
    let near = decoder.masked::<FUSED>(&is_on);
    // Bits that a pre-activation's sign is held against: where they agree the unit is as at the mean.
    let signs: Vec<u32> = is_on.iter().map(|&is_on| u32::from(is_on) << 31).collect();

    let (mut hidden, mut output) = (vec![0f32; n_hidden], vec![0f32; n_pixels]);
    let mut differing = vec![0u32; n_hidden + 1];
    let row = |j: u32| &decoder.output.weight[j as usize * n_pixels..][..n_pixels];
    for (z, log_prob) in z.chunks_exact(width).zip(log_prob) {
        decoder.hidden.of::<FUSED>(z, &mut hidden);
        near.of::<FUSED>(z, &mut output);
        let mut n_differing = 0;
        for (j, (a, sign)) in hidden.iter().zip(&signs).enumerate() {
            differing[n_differing] = j as u32;
            n_differing += usize::from((a.to_bits() ^ sign) >> 31 == 0);
        }
        let (fours, rest) = differing[..n_differing].as_chunks::<4>();
        for four in fours {
            add_four::<FUSED>(&mut output, four.map(|j| hidden[j as usize].abs()), four.map(row));
        }
        for &j in rest {
            add::<FUSED>(&mut output, hidden[j as usize].abs(), row(j));
        }
        *log_prob = bernoulli::log_prob_of_row::<FUSED>(&output, x);
    }
}

impl Decoder {
    /// W₂(m·W₁), `[D, P]`, and W₂(m·b₁) + b₂, where m is 1 for units that are on.
    #[inline(always)]
    fn masked<const FUSED: bool>(&self, is_on: &[bool]) -> Affine {
        let (n_hidden, n_pixels) = (self.hidden.bias.len(), self.output.bias.len());
        let width = self.hidden.weight.len() / n_hidden;
        let mut near = Affine { weight: vec![0f32; width * n_pixels], bias: self.output.bias.clone() };
        for j in (0..n_hidden).filter(|&j| is_on[j]) {
            let row = &self.output.weight[j * n_pixels..][..n_pixels];
            add::<FUSED>(&mut near.bias, self.hidden.bias[j], row);
            for (d, own) in near.weight.chunks_exact_mut(n_pixels).enumerate() {
                add::<FUSED>(own, self.hidden.weight[d * n_hidden + j], row);
            }
        }
        near
    }
}

impl Affine {
    /// At `x`, `[in]`; `y` is `[out]`.
    #[inline(always)]
    fn of<const FUSED: bool>(&self, x: &[f32], y: &mut [f32]) {
        y.copy_from_slice(&self.bias);
        let n = y.len();
        let row = |d: usize| &self.weight[d * n..][..n];
        let (fours, rest) = x.as_chunks::<4>();
        for (i, four) in fours.iter().enumerate() {
            add_four::<FUSED>(y, *four, [0, 1, 2, 3].map(|k| row(4 * i + k)));
        }
        for (i, &x) in rest.iter().enumerate() {
            add::<FUSED>(y, x, row(4 * fours.len() + i));
        }
    }
}

/// `y` + `factor`·`x`.
#[inline(always)]
fn add<const FUSED: bool>(y: &mut [f32], factor: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = multiply_add::<FUSED>(factor, *x, *y);
    }
}

/// `y` and four multiples, in one pass over `y`.
#[inline(always)]
fn add_four<const FUSED: bool>(y: &mut [f32], factors: [f32; 4], x: [&[f32]; 4]) {
    let [a, b, c, d] = x;
    for ((((y, a), b), c), d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        let sum = multiply_add::<FUSED>(factors[0], *a, *y);
        let sum = multiply_add::<FUSED>(factors[1], *b, sum);
        let sum = multiply_add::<FUSED>(factors[2], *c, sum);
        *y = multiply_add::<FUSED>(factors[3], *d, sum);
    }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    let mut values = vec![0f32; tensor.numel()];
    tensor.contiguous().copy_data(&mut values, tensor.numel());
    values
}

#[cfg(test)]
mod tests {
    use spec::{Init, layout::Width};
    use tch::{Device, Kind};

    use super::*;
    use crate::layers::Builder;
    use crate::likelihood::{Likelihood, bernoulli::Bernoulli};
    use crate::noise::Replica;
    use crate::parameters::{Parameters, Part};

    const WIDTHS: [usize; 2] = [3, 5];
    const N_PIXELS: i64 = 49;

    fn decoder(activation: Activation) -> Network {
        let replicas = WIDTHS.iter().map(|&width| Replica { seed: width as u64, width }).collect();
        let mut parameters = Parameters::new(replicas, Init::default(), Device::Cpu);
        let mut own = parameters.of(Part::Decoder);
        let mut builder = Builder::new(&mut own, "decoder", activation);
        builder.linear(Width::Latent, Width::Fixed(37), true);
        builder.linear(Width::Fixed(37), Width::Fixed(N_PIXELS as usize), false);
        builder.finish()
    }

    fn wave(size: &[i64], frequency: f64) -> Tensor {
        let n = size.iter().product::<i64>();
        (Tensor::arange(n, (Kind::Float, Device::Cpu)) * frequency).sin().view(size)
    }

    /// Whether the draws lie close together or far apart: nothing is approximated.
    #[test]
    fn it_is_the_density_of_the_decoder_at_every_draw() {
        let network = decoder(Activation::Relu);
        let nearby = Nearby::of(&network).expect("one layer of rectified units");
        let x = (wave(&[2, 3, N_PIXELS], 12.99) + 1.0) * 0.5;
        for (n, spread) in [(1, 1.0), (7, 0.0), (66, 0.1), (66, 9.0)] {
            let z = wave(&[2, 1, 3, 5], 0.7) * 3.0 + wave(&[2, n, 3, 5], 78.233) * spread;
            let _ = z.get(0).narrow(-1, 3, 2).zero_();
            let found = tch::no_grad(|| nearby.bernoulli_log_prob(&z, &x));
            let expected = tch::no_grad(|| {
                let output = network.forward(&z.view([2, n * 3, 5]));
                Bernoulli.log_prob(&output, &x.repeat([1, n, 1])).view([2, n, 3])
            });
            let difference = (found - &expected).abs().max().double_value(&[]);
            assert!(difference < 1e-4, "{n} draws: off by {difference}");
        }
    }

    /// What a processor without fused instructions computes is the same to a few ulp.
    #[test]
    fn it_is_the_same_without_fused_instructions() {
        let network = decoder(Activation::Relu);
        let nearby = Nearby::of(&network).expect("one layer of rectified units");
        let (x, z) = (values(&((wave(&[N_PIXELS], 12.99) + 1.0) * 0.5)), values(&wave(&[9, 5], 1.3)));
        let job = |log_prob| Job { decoder: &nearby.replicas[1], x: &x, z: &z, log_prob };
        let mut found = [[0f32; 9]; 2];
        let [fused, plain] = &mut found;
        of_image::<true>(job(fused));
        of_image::<false>(job(plain));
        for (fused, plain) in found[0].iter().zip(found[1]) {
            assert!((fused - plain).abs() < 1e-4 * fused.abs(), "{fused} and {plain}");
        }
    }

    #[test]
    fn other_decoders_are_left_to_their_layers() {
        for activation in [Activation::Tanh, Activation::Softplus, Activation::Gated] {
            assert!(Nearby::of(&decoder(activation)).is_none(), "{activation:?}");
        }
    }
}
