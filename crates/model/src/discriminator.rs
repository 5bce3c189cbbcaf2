//! Discriminators: the network that tells data from what a generator makes, its losses, and what keeps it smooth.

use spec::{ImageShape, Model, Regulariser, TooDeep};
use tch::{Kind, Tensor};

use crate::layers::{Linear, Network};
use crate::nets::trunk;
use crate::parameters::{Buffer, BufferUpdate, Initialiser, Parameter, Parameters, Part, Width};

/// Singular values count as no less than this, so that a weight of zeros stays one.
const LEAST_SINGULAR_VALUE: f64 = 1e-12;

/// D of every replica: the spec's convolutions and dense layers, then a linear map to the log-odds that an image is of
/// the data.
///
/// The nonlinearity is the spec's, as everywhere else; the literature mostly has leaky ReLU here.
#[derive(Debug)]
pub struct Discriminator {
    features: Network,
    logit: Linear,
    smooth: Smooth,
}

/// What keeps D smooth.
#[derive(Debug)]
enum Smooth {
    /// For every weight the vector u of its power iteration, `[R, out]`, in the order of the weights.
    SpectralNorm(Vec<Buffer>),
    /// γ of R1.
    GradientPenalty(f64),
}

/// D as its weights are now: those of spectral norm divided.
#[derive(Debug)]
pub struct Critic {
    features: Network,
    logit: Linear,
}

/// D's output for images.
#[derive(Debug)]
pub struct CriticOutput {
    /// The last hidden layer, `[R, B, H]`; the images themselves without hidden layers.
    pub features: Tensor,
    /// Log-odds of being data, `[R, B]`.
    pub logits: Tensor,
}

impl CriticOutput {
    /// −log D(x), in nats; `[R, B]`. The discriminator's loss on data and the non-saturating one of a generator
    /// (Goodfellow et al. 2014, §3).
    pub fn as_data(&self) -> Tensor {
        (-&self.logits).softplus()
    }

    /// −log(1 − D(x)), in nats; `[R, B]`. The discriminator's loss on generated images.
    pub fn as_generated(&self) -> Tensor {
        self.logits.softplus()
    }
}

impl Discriminator {
    /// Freshly initialised, its parameters named `discriminator.0.weight` … and `logit.weight`; with spectral norm each
    /// weight has a vector `discriminator.0.u` beside it. Errors when the convolutions are more than the image allows.
    pub fn new(
        parameters: &mut Parameters,
        model: &Model,
        regulariser: Regulariser,
        image: ImageShape,
    ) -> Result<Discriminator, TooDeep> {
        let mut own = parameters.of(Part::Discriminator);
        let trunk = trunk(&mut own, "discriminator", model, image)?;
        let logit = Linear::new(&mut own, "logit", trunk.width, Width::Fixed(1));
        let smooth = match regulariser {
            Regulariser::GradientPenalty { weight } => Smooth::GradientPenalty(weight),
            Regulariser::SpectralNorm => {
                let of_weight = |parameter: &Parameter| {
                    let module = parameter.name.strip_suffix(".weight")?;
                    Some((format!("{module}.u"), matrix(&parameter.tensor).size()[1] as usize))
                };
                let is_own = |parameter: &&Parameter| parameter.part == Part::Discriminator;
                let weights: Vec<_> = own.parameters().iter().filter(is_own).filter_map(of_weight).collect();
                let start = Initialiser::Normal(0.0, 1.0);
                let buffer = |(name, n): (String, usize)| own.buffer(&name, &[Width::Fixed(n)], start);
                Smooth::SpectralNorm(weights.into_iter().map(buffer).collect())
            }
        };
        Ok(Discriminator { features: trunk.network, logit, smooth })
    }

    /// D as it is now.
    pub fn critic(&self) -> Critic {
        let mut vectors = self.vectors().iter();
        self.with_weights(&mut |weight| match vectors.next() {
            Some(u) => normalised(weight, &u.tensor),
            None => weight.shallow_clone(),
        })
    }

    /// D in a training step, and what that changes: with spectral norm, one step of power iteration goes before.
    pub fn critic_in_training(&self) -> (Critic, Vec<BufferUpdate>) {
        let (mut vectors, mut updates) = (self.vectors().iter(), Vec::new());
        let critic = self.with_weights(&mut |weight| match vectors.next() {
            Some(u) => {
                let next = iterated(weight, &u.tensor);
                let weight = normalised(weight, &next);
                updates.push(u.next(next));
                weight
            }
            None => weight.shallow_clone(),
        });
        (critic, updates)
    }

    /// Of each weight's power iteration; none without spectral norm.
    fn vectors(&self) -> &[Buffer] {
        match &self.smooth {
            Smooth::SpectralNorm(vectors) => vectors,
            Smooth::GradientPenalty(_) => &[],
        }
    }

    fn with_weights(&self, of: &mut dyn FnMut(&Tensor) -> Tensor) -> Critic {
        let features = self.features.with_weights(of);
        Critic { features, logit: self.logit.with_weight(of(&self.logit.weight)) }
    }

    /// R1 (Mescheder et al. 2018, eq. 9): γ/2·‖∇ₓ log-odds‖² at data `x`, `[R, B, P]`; differentiable, `[R, B]`. `None`
    /// with spectral norm.
    pub fn penalty(&self, critic: &Critic, x: &Tensor) -> Option<Tensor> {
        let Smooth::GradientPenalty(weight) = self.smooth else { return None };
        let x = x.detach().set_requires_grad(true);
        // What D says of an image does not depend on the others, so that the sum's gradient is each one's.
        let logits = critic.of(&x).logits.sum(Kind::Float);
        let gradient = Tensor::run_backward(&[logits], &[x], true, true).pop()?;
        Some(gradient.square().sum_dim_intlist(-1, false, Kind::Float) * (weight / 2.0))
    }
}

impl Critic {
    /// D's output for images `x`, `[R, B, P]`.
    pub fn of(&self, x: &Tensor) -> CriticOutput {
        let features = self.features.forward(x);
        let logits = self.logit.forward(&features).squeeze_dim(-1);
        CriticOutput { features, logits }
    }
}

/// A weight as matrices from inputs to outputs, `[R, out, in]`; a convolution's inputs are its channels and kernel.
fn matrix(weight: &Tensor) -> Tensor {
    if weight.dim() == 3 { weight.transpose(1, 2) } else { weight.flatten(2, -1) }
}

/// The direction Wᵀu, `[R, in, 1]`, for matrices `[R, out, in]` and u `[R, out, 1]`.
fn right(matrix: &Tensor, u: &Tensor) -> Tensor {
    direction(&matrix.transpose(1, 2).bmm(u))
}

fn direction(vector: &Tensor) -> Tensor {
    vector / vector.norm_scalaropt_dim(2.0, [1], true).clamp_min(LEAST_SINGULAR_VALUE)
}

/// One step of power iteration (Miyato et al. 2018, algorithm 1) from u, `[R, out]`: W v/‖W v‖ with v = Wᵀu/‖Wᵀu‖.
fn iterated(weight: &Tensor, u: &Tensor) -> Tensor {
    tch::no_grad(|| {
        let matrix = matrix(weight);
        direction(&matrix.bmm(&right(&matrix, &u.unsqueeze(-1)))).squeeze_dim(-1)
    })
}

/// W/σ with σ = uᵀWv, an estimate of the largest singular value; u and v = Wᵀu/‖Wᵀu‖ are constants to the derivative
/// (Miyato et al. 2018, eq. 8 and 11).
fn normalised(weight: &Tensor, u: &Tensor) -> Tensor {
    let matrix = matrix(weight);
    let (u, v) = tch::no_grad(|| {
        // A copy: an update of the buffer must not change what a derivative needs.
        let u = direction(&u.unsqueeze(-1).copy());
        let v = right(&matrix, &u);
        (u, v)
    });
    let sigma = u.transpose(1, 2).bmm(&matrix.bmm(&v)).clamp_min(LEAST_SINGULAR_VALUE);
    let axes: Vec<i64> = std::iter::once(-1).chain(std::iter::repeat_n(1, weight.dim() - 1)).collect();
    weight / sigma.view(axes.as_slice())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tch::Device;

    use super::*;

    fn pseudo_random(shape: &[i64]) -> Tensor {
        let n = shape.iter().product::<i64>();
        ((Tensor::arange(n, (Kind::Double, Device::Cpu)) + 1.0) * 78.233).sin().view(shape)
    }

    fn largest_singular_values(weight: &Tensor) -> Tensor {
        matrix(weight).svd(true, true).1.select(-1, 0)
    }

    /// Weights of two replicas, a linear map's and a convolution's, with vectors after many steps of power iteration.
    fn cases() -> Vec<(Tensor, Tensor)> {
        [(vec![2, 7, 5], 5), (vec![2, 4, 3, 3, 3], 4)]
            .into_iter()
            .map(|(shape, outputs)| {
                let (weight, u) = (pseudo_random(&shape), pseudo_random(&[2, outputs]) + 0.3);
                let u = (0..2000).fold(u, |u, _| iterated(&weight, &u));
                (weight, u)
            })
            .collect()
    }

    #[test]
    fn the_largest_singular_value_becomes_one() {
        for (weight, u) in cases() {
            let before = largest_singular_values(&weight);
            assert!((before - 1.0).abs().min().double_value(&[]) > 0.1);
            let after = largest_singular_values(&normalised(&weight, &u));
            assert!((&after - 1.0).abs().max().double_value(&[]) < 1e-6, "{after}");
        }
    }

    /// At the singular vectors, holding them constant does not change the derivative.
    #[test]
    fn the_derivative_is_that_of_division_by_the_largest_singular_value() {
        for (weight, u) in cases() {
            let direction = (pseudo_random(&weight.size()) * 3.0).cos();
            let weight = weight.set_requires_grad(true);
            let value = (normalised(&weight, &u) * &direction).sum(Kind::Double);
            let slope = Tensor::run_backward(&[value], &[&weight], false, false).pop().unwrap();
            let there = (pseudo_random(&weight.size()) * 5.0).sin();
            let value = |h: f64| {
                let weight = weight.detach() + &there * h;
                let axes: Vec<i64> = std::iter::once(-1).chain(std::iter::repeat_n(1, weight.dim() - 1)).collect();
                let sigma = largest_singular_values(&weight).view(axes.as_slice());
                (weight / sigma * &direction).sum(Kind::Double).double_value(&[])
            };
            let expected = (value(1e-5) - value(-1e-5)) / 2e-5;
            let found = (slope * &there).sum(Kind::Double).double_value(&[]);
            assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{found} {expected}");
        }
    }
}
