//! The Gaussian mixture, a baseline without networks: p(x) = Σₖ wₖ N(x; μₖ, Σₖ), its density, samples and parameters.
//!
//! Everything is computed in double precision, in chunks of rows, so that memory does not grow with the data. Data may be
//! `f32` or `f64`. There is no replica axis: a mixture is fitted alone.

mod em;
mod start;

pub use em::{EmFit, EmSettings};

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use tch::{Device, Kind, Tensor};

use crate::parameters::NamedTensor;

/// The shape of the components' covariances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covariance {
    /// Independent dimensions: for pixels.
    Diagonal,
    /// Any covariance: for latent spaces of up to about 64 dimensions, since a step costs N·K·D² and holds K·D².
    Full,
}

/// What can be wrong with a mixture's data, settings or parameters.
#[derive(Debug, thiserror::Error)]
pub enum MixtureError {
    /// The data cannot be modelled.
    #[error(
        "data of shape {found:?} does not fit a mixture of {n_components} components\nhint: data is [N, D], with at least one row per component and the D of the means"
    )]
    Data {
        /// The data's shape.
        found: Vec<i64>,
        /// Components of the mixture.
        n_components: i64,
    },
    /// A setting is out of its range.
    #[error("`{name}` of a mixture is `{value}`\nhint: it must be positive and finite")]
    Setting {
        /// The setting.
        name: &'static str,
        /// As given.
        value: f64,
    },
    /// A quantity is infinite or not a number.
    #[error("{quantity} is not finite at step {step} of a mixture's fit\nhint: does the data hold values that are?")]
    NotFinite {
        /// What is not finite.
        quantity: &'static str,
        /// Steps done before.
        step: usize,
    },
    /// A parameter is absent.
    #[error("parameter `{name}` is missing\nhint: a mixture has `weights`, `means`, and `variances` or `covariances`")]
    Missing {
        /// The parameter.
        name: &'static str,
    },
    /// A parameter's shape is not what the means ask for.
    #[error(
        "parameter `{name}` has shape {found:?}, and {expected} is expected\nhint: K is the number of weights, D the means' width"
    )]
    Shape {
        /// The parameter.
        name: &'static str,
        /// As given.
        found: Vec<i64>,
        /// As it must be, in K and D.
        expected: &'static str,
    },
    /// A parameter's values are none of a mixture.
    #[error("parameter `{name}` is not valid\nhint: {hint}")]
    Values {
        /// The parameter.
        name: &'static str,
        /// What its values must be.
        hint: &'static str,
    },
    /// A computation failed in libtorch.
    #[error(
        "libtorch could not compute a mixture: {0}\nhint: a larger `variance_floor` helps where components collapse"
    )]
    Torch(#[from] tch::TchError),
}

/// A mixture of `K` Gaussians over `D` dimensions; parameters are of kind double.
#[derive(Debug)]
pub struct GaussianMixture {
    /// `[K]`, not negative, summing to one.
    weights: Tensor,
    /// `[K, D]`.
    means: Tensor,
    spread: Spread,
}

/// The components' covariances.
#[derive(Debug)]
enum Spread {
    /// Variances `[K, D]`.
    Diagonal { variances: Tensor },
    /// Covariances `[K, D, D]` and their lower Cholesky factors.
    Full { covariances: Tensor, factors: Tensor },
}

impl Spread {
    /// From variances `[K, D]` or covariances `[K, D, D]`. Errors when a covariance is not positive definite.
    fn new(covariance: Covariance, values: Tensor) -> Result<Spread, MixtureError> {
        match covariance {
            Covariance::Diagonal => Ok(Spread::Diagonal { variances: values }),
            Covariance::Full => {
                let (factors, failed) = values.f_linalg_cholesky_ex(false, false)?;
                if failed.count_nonzero(0).int64_value(&[]) > 0 {
                    return Err(MixtureError::Values { name: "covariances", hint: "they must be positive definite" });
                }
                Ok(Spread::Full { covariances: values, factors })
            }
        }
    }
}

impl GaussianMixture {
    /// A mixture from its named tensors, such as [`GaussianMixture::export`] gives: `weights` `[K]`, `means` `[K, D]`, and
    /// `variances` `[K, D]` or `covariances` `[K, D, D]`.
    ///
    /// Errors when one is missing, has another shape, or holds values that are none of a mixture.
    pub fn import(given: &[NamedTensor], device: Device) -> Result<GaussianMixture, MixtureError> {
        let find = |name: &'static str| {
            let found = given.iter().find(|exported| exported.name == name).ok_or(MixtureError::Missing { name })?;
            let tensor = found.tensor.detach().to_kind(Kind::Double).to_device(device);
            match is_all(&tensor.isfinite()) {
                true => Ok(tensor),
                false => Err(MixtureError::Values { name, hint: "they must be finite" }),
            }
        };
        let (weights, means) = (find("weights")?, find("means")?);
        let shape = |name, tensor: &Tensor, expected| MixtureError::Shape { name, found: tensor.size(), expected };
        let [k, d] = means.size()[..] else { return Err(shape("means", &means, "[K, D]")) };
        if k == 0 || weights.size() != [k] {
            return Err(shape("weights", &weights, "[K]"));
        }
        let sum = weights.sum(Kind::Double).double_value(&[]);
        if !is_all(&weights.ge(0.0)) || (sum - 1.0).abs() > 1e-6 {
            return Err(MixtureError::Values { name: "weights", hint: "they must not be negative, and sum to one" });
        }
        let spread = if given.iter().any(|exported| exported.name == "covariances") {
            let covariances = find("covariances")?;
            if covariances.size() != [k, d, d] {
                return Err(shape("covariances", &covariances, "[K, D, D]"));
            }
            let asymmetry = (&covariances - covariances.transpose(1, 2)).abs();
            if !is_all(&asymmetry.le_tensor(&(covariances.abs().max() * 1e-6))) {
                return Err(MixtureError::Values { name: "covariances", hint: "they must be symmetric" });
            }
            Spread::new(Covariance::Full, covariances)?
        } else {
            let variances = find("variances")?;
            if variances.size() != [k, d] {
                return Err(shape("variances", &variances, "[K, D]"));
            }
            if !is_all(&variances.gt(0.0)) {
                return Err(MixtureError::Values { name: "variances", hint: "they must be positive" });
            }
            Spread::new(Covariance::Diagonal, variances)?
        };
        Ok(GaussianMixture { weights, means, spread })
    }

    /// The parameters as named tensors of kind double, contiguous, on the CPU: `weights` `[K]`, `means` `[K, D]`, and
    /// `variances` `[K, D]` or `covariances` `[K, D, D]`.
    pub fn export(&self) -> Vec<NamedTensor> {
        let (name, spread) = match &self.spread {
            Spread::Diagonal { variances } => ("variances", variances),
            Spread::Full { covariances, .. } => ("covariances", covariances),
        };
        [("weights", &self.weights), ("means", &self.means), (name, spread)]
            .into_iter()
            .map(|(name, tensor)| NamedTensor {
                name: name.to_owned(),
                tensor: tensor.contiguous().to_device(Device::Cpu).copy(),
            })
            .collect()
    }

    /// Components, `K`.
    pub fn n_components(&self) -> i64 {
        self.weights.size()[0]
    }

    /// Dimensions, `D`.
    pub fn n_dimensions(&self) -> i64 {
        self.means.size()[1]
    }

    /// The shape of the covariances.
    pub fn covariance(&self) -> Covariance {
        match self.spread {
            Spread::Diagonal { .. } => Covariance::Diagonal,
            Spread::Full { .. } => Covariance::Full,
        }
    }

    /// log p(x) per row, in nats; `[N, D]` to `[N]`, of kind double.
    pub fn log_density(&self, x: &Tensor) -> Tensor {
        let joint = LogJoint::new(self);
        let chunks = x.split(self.n_rows(), 0);
        let parts: Vec<_> = chunks.iter().map(|rows| joint.at(&joint.centre(rows)).logsumexp([1], false)).collect();
        Tensor::cat(&parts, 0)
    }

    /// `n` draws from the mixture, a pure function of the generator's state; shape `[n, D]`, of kind double.
    pub fn sample(&self, n: usize, generator: &mut impl Rng) -> Tensor {
        let n_dimensions = self.n_dimensions();
        let (component, normal) = self.draw(n, generator);
        let mean = self.means.index_select(0, &component);
        match &self.spread {
            Spread::Diagonal { variances } => mean + variances.sqrt().index_select(0, &component) * normal,
            Spread::Full { factors, .. } => {
                let rows = n_rows(n_dimensions * n_dimensions);
                let parts: Vec<_> = normal
                    .split(rows, 0)
                    .iter()
                    .zip(component.split(rows, 0))
                    .map(|(normal, component)| {
                        factors.index_select(0, &component).matmul(&normal.unsqueeze(-1)).squeeze_dim(-1)
                    })
                    .collect();
                mean + Tensor::cat(&parts, 0)
            }
        }
    }

    /// The means E[x|k] of the components k of `n` draws; `[n, D]`. Those of [`GaussianMixture::sample`] by the same generator
    /// are of the same components.
    pub fn sample_means(&self, n: usize, generator: &mut impl Rng) -> Tensor {
        self.means.index_select(0, &self.draw(n, generator).0)
    }

    /// Components of `n` draws, `[n]`, and noise N(0, I) for each, `[n, D]`.
    fn draw(&self, n: usize, generator: &mut impl Rng) -> (Tensor, Tensor) {
        let n_dimensions = self.n_dimensions();
        let mut uniform = Vec::with_capacity(n);
        let mut normal: Vec<f64> = Vec::with_capacity(n * n_dimensions as usize);
        for _ in 0..n {
            uniform.push(generator.random::<f64>());
            normal.extend((0..n_dimensions).map(|_| generator.sample::<f64, _>(StandardNormal)));
        }
        let device = self.means.device();
        let uniform = Tensor::from_slice(&uniform).to_device(device).unsqueeze(1);
        let normal = Tensor::from_slice(&normal).view([n as i64, n_dimensions]).to_device(device);
        // Divided by its last entry, so that this is exactly one and no uniform number lies beyond it.
        let cumulative = self.weights.cumsum(0, Kind::Double);
        let cumulative = &cumulative / cumulative.select(0, -1);
        (uniform.ge_tensor(&cumulative).sum_dim_intlist(1, false, Kind::Int64), normal)
    }

    /// Rows to be treated at once.
    fn n_rows(&self) -> i64 {
        let (k, d) = (self.n_components(), self.n_dimensions());
        n_rows(match self.spread {
            Spread::Diagonal { .. } => k.max(d),
            Spread::Full { .. } => k * d,
        })
    }
}

/// Rows of a chunk whose widest intermediate has this width: at most 4096, and 32 MiB of doubles.
fn n_rows(width: i64) -> i64 {
    ((1 << 22) / width.max(1)).clamp(1, 4096)
}

/// Whether a tensor of booleans is true throughout.
fn is_all(condition: &Tensor) -> bool {
    condition.all().int64_value(&[]) != 0
}

/// log(wₖ N(x; μₖ, Σₖ)) prepared for many rows: a product of matrices per chunk.
///
/// Squares are expanded, ‖x − μ‖² = ‖x‖² − 2x·μ + ‖μ‖², which loses digits where the data lies far from the origin compared
/// with a component's width; so rows and means are first taken relative to the mixture's mean.
struct LogJoint {
    /// The mixture's mean, `[D]`.
    center: Tensor,
    /// What does not depend on x, `[K]`.
    constant: Tensor,
    form: Form,
}

enum Form {
    /// Factors of x and of x², `[D, K]`.
    Diagonal { linear: Tensor, square: Tensor },
    /// The inverse Cholesky factors side by side, `[D, K·D]`, and what they make of the means, `[K·D]`.
    Full { whitening: Tensor, means: Tensor },
}

impl LogJoint {
    fn new(mixture: &GaussianMixture) -> LogJoint {
        let (k, d) = (mixture.n_components(), mixture.n_dimensions());
        let center = mixture.weights.unsqueeze(0).matmul(&mixture.means).squeeze_dim(0);
        let means = &mixture.means - &center;
        // A component of weight zero has a logarithm of −∞ here, and so takes no part in any sum of exponentials.
        let normaliser = mixture.weights.log() - 0.5 * d as f64 * (2.0 * std::f64::consts::PI).ln();
        match &mixture.spread {
            Spread::Diagonal { variances } => {
                let linear = &means / variances;
                let squared = (&means * &linear + variances.log()).sum_dim_intlist(1, false, Kind::Double);
                let square = (variances.reciprocal() * -0.5).tr();
                LogJoint {
                    center,
                    constant: normaliser - squared * 0.5,
                    form: Form::Diagonal { linear: linear.tr(), square },
                }
            }
            Spread::Full { factors, .. } => {
                let identity = Tensor::eye(d, (Kind::Double, factors.device())).expand([k, d, d], false);
                let inverse = factors.linalg_solve_triangular(&identity, false, true, false);
                let log_diagonal = factors.diagonal(0, 1, 2).log().sum_dim_intlist(1, false, Kind::Double);
                let means = inverse.matmul(&means.unsqueeze(-1)).reshape([k * d]);
                let whitening = inverse.permute([2, 0, 1]).reshape([d, k * d]);
                LogJoint { center, constant: normaliser - log_diagonal, form: Form::Full { whitening, means } }
            }
        }
    }

    /// Rows relative to the mixture's mean, of kind double and on its device; `[n, D]`.
    fn centre(&self, rows: &Tensor) -> Tensor {
        rows.to_kind(Kind::Double).to_device(self.center.device()) - &self.center
    }

    /// log(wₖ N(x; μₖ, Σₖ)) in nats, of centred rows; `[n, D]` to `[n, K]`.
    fn at(&self, rows: &Tensor) -> Tensor {
        match &self.form {
            Form::Diagonal { linear, square } => rows.matmul(linear) + rows.square().matmul(square) + &self.constant,
            Form::Full { whitening, means } => {
                let k = self.constant.size()[0];
                let whitened = (rows.matmul(whitening) - means).view([rows.size()[0], k, rows.size()[1]]);
                &self.constant - whitened.square().sum_dim_intlist(2, false, Kind::Double) * 0.5
            }
        }
    }
}
