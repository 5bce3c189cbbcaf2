//! Fitting a mixture by expectation maximisation (Dempster, Laird & Rubin 1977), under a floor on its variances.
//!
//! A mixture's likelihood is unbounded: a component that closes in on one row grows without limit. So variances, or for
//! full covariances all eigenvalues, are held at or above a floor, and the fit maximises the likelihood **under that
//! constraint**. Its exact M step is the usual one with what lies below the floor raised to it: for one dimension
//! −½(log σ² + s/σ²) rises up to σ² = s and falls beyond, and for full covariances tr(Σ⁻¹S) is least, at given eigenvalues
//! of Σ, where Σ has the eigenvectors of S, which leaves that same problem for each eigenvalue. So the mean log-likelihood
//! itself, without any penalty, rises at every step up to rounding.

use tch::{Kind, Tensor};

use super::{Covariance, GaussianMixture, LogJoint, MixtureError, Spread};

/// A component that is responsible for fewer rows than this keeps its mean and covariance; its weight follows the data, to
/// zero if need be. Leaving a component as it is lowers the expected log-likelihood in no case, so a step still rises.
const FEWEST_ROWS: f64 = 1e-6;

/// Settings of expectation maximisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmSettings {
    /// Components, `K`.
    pub n_components: usize,
    /// The shape of their covariances.
    pub covariance: Covariance,
    /// Least variance of any component in any direction, in squared units of the data.
    pub variance_floor: f64,
    /// The fit ends when the mean log-likelihood ℓ rises in a step by less than this times max(1, |ℓ|).
    pub tolerance: f64,
    /// The fit ends after this many steps in any case.
    pub max_steps: usize,
    /// Of the start; the steps draw nothing.
    pub seed: u64,
}

impl EmSettings {
    pub(super) fn check(&self) -> Result<(), MixtureError> {
        let values = [
            ("n_components", self.n_components as f64),
            ("variance_floor", self.variance_floor),
            ("tolerance", self.tolerance),
        ];
        match values.into_iter().find(|(_, value)| !(value.is_finite() && *value > 0.0)) {
            Some((name, value)) => Err(MixtureError::Setting { name, value }),
            None => Ok(()),
        }
    }
}

/// A fitted mixture.
#[derive(Debug)]
pub struct EmFit {
    /// The mixture after the last step.
    pub mixture: GaussianMixture,
    /// Mean log-likelihood of the training rows **before** each step, in nats per row; the mixture's own is no lower than
    /// the last.
    pub log_likelihoods: Vec<f64>,
    /// Whether the tolerance ended the fit, rather than the number of steps.
    pub is_converged: bool,
}

/// What the E step adds up over rows; rows are relative to a centre.
struct Moments {
    /// Σₙ log p(xₙ), in nats.
    log_likelihood: f64,
    /// Nₖ = Σₙ rₙₖ, `[K]`.
    counts: Tensor,
    /// Σₙ rₙₖ xₙ, `[K, D]`.
    first: Tensor,
    /// Σₙ rₙₖ xₙ², `[K, D]`, or Σₙ rₙₖ xₙ xₙᵀ, `[K, D, D]`.
    second: Tensor,
}

impl GaussianMixture {
    /// Start a mixture on `data`, `[N, D]`, and step until the tolerance is met.
    ///
    /// Errors as [`GaussianMixture::start`] and [`GaussianMixture::step`] do.
    pub fn fit(data: &Tensor, settings: &EmSettings) -> Result<EmFit, MixtureError> {
        let mut mixture = GaussianMixture::start(data, settings)?;
        let mut log_likelihoods: Vec<f64> = Vec::new();
        for step in 0..settings.max_steps {
            let now = mixture.step(data, settings.variance_floor).map_err(|error| match error {
                MixtureError::NotFinite { quantity, .. } => MixtureError::NotFinite { quantity, step },
                other => other,
            })?;
            let before = log_likelihoods.last().copied();
            log_likelihoods.push(now);
            if before.is_some_and(|before| now - before < settings.tolerance * now.abs().max(1.0)) {
                return Ok(EmFit { mixture, log_likelihoods, is_converged: true });
            }
        }
        Ok(EmFit { mixture, log_likelihoods, is_converged: false })
    }

    /// One E and one M step on `data`, `[N, D]`; gives the mean log-likelihood **before** the update, in nats per row.
    ///
    /// The mean log-likelihood does not fall, up to rounding, if no variance (or eigenvalue of a covariance) was below
    /// `variance_floor` before; none is after.
    ///
    /// Errors when the data's shape does not fit, the floor is not positive, or the log-likelihood is not finite; then the
    /// mixture is as it was.
    pub fn step(&mut self, data: &Tensor, variance_floor: f64) -> Result<f64, MixtureError> {
        if !(variance_floor.is_finite() && variance_floor > 0.0) {
            return Err(MixtureError::Setting { name: "variance_floor", value: variance_floor });
        }
        match data.size()[..] {
            [n, d] if n > 0 && d == self.n_dimensions() => {
                tch::no_grad(|| self.expect_and_maximise(data, variance_floor))
            }
            _ => Err(MixtureError::Data { found: data.size(), n_components: self.n_components() }),
        }
    }

    fn expect_and_maximise(&mut self, data: &Tensor, variance_floor: f64) -> Result<f64, MixtureError> {
        let density = LogJoint::new(self);
        let moments = self.moments(data, &density);
        if !moments.log_likelihood.is_finite() {
            return Err(MixtureError::NotFinite { quantity: "the log-likelihood", step: 0 });
        }
        let covariance = self.covariance();
        let is_occupied = moments.counts.ge(FEWEST_ROWS).unsqueeze(1);
        let counts = moments.counts.clamp_min(FEWEST_ROWS).unsqueeze(1);
        let means = moments.first / &counts;
        let (spread, old, is_occupied_spread) = match &self.spread {
            Spread::Diagonal { variances } => {
                (moments.second / &counts - means.square(), variances, is_occupied.shallow_clone())
            }
            Spread::Full { covariances, .. } => {
                let outer = means.unsqueeze(2) * means.unsqueeze(1);
                (moments.second / counts.unsqueeze(2) - outer, covariances, is_occupied.unsqueeze(2))
            }
        };
        let spread = floored(covariance, &spread, variance_floor)?.where_self(&is_occupied_spread, old);
        self.spread = Spread::new(covariance, spread)?;
        self.means = (means + &density.center).where_self(&is_occupied, &self.means);
        self.weights = &moments.counts / moments.counts.sum(Kind::Double);
        Ok(moments.log_likelihood / data.size()[0] as f64)
    }

    /// The E step: responsibilities, and at once what the M step needs of them.
    fn moments(&self, data: &Tensor, density: &LogJoint) -> Moments {
        let (k, d) = (self.n_components(), self.n_dimensions());
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Double, self.means.device()));
        let second = match self.covariance() {
            Covariance::Diagonal => zeros(&[k, d]),
            Covariance::Full => zeros(&[k, d, d]),
        };
        let mut moments = Moments { log_likelihood: 0.0, counts: zeros(&[k]), first: zeros(&[k, d]), second };
        for rows in data.split(self.n_rows(), 0) {
            let rows = density.centre(&rows);
            let log_joint = density.at(&rows);
            let log_density = log_joint.logsumexp([1], true);
            let responsibilities = (log_joint - &log_density).exp();
            moments.log_likelihood += log_density.sum(Kind::Double).double_value(&[]);
            moments.counts += responsibilities.sum_dim_intlist(0, false, Kind::Double);
            moments.first += responsibilities.tr().matmul(&rows);
            moments.second += match self.spread {
                Spread::Diagonal { .. } => responsibilities.tr().matmul(&rows.square()),
                Spread::Full { .. } => {
                    let weighted = (responsibilities.unsqueeze(2) * rows.unsqueeze(1)).view([-1, k * d]);
                    weighted.tr().matmul(&rows).view([k, d, d])
                }
            };
        }
        moments
    }
}

/// Variances `[K, D]`, or eigenvalues of covariances `[K, D, D]`, that lie below the floor raised to it.
pub(super) fn floored(covariance: Covariance, spread: &Tensor, floor: f64) -> Result<Tensor, MixtureError> {
    match covariance {
        Covariance::Diagonal => Ok(spread.clamp_min(floor)),
        Covariance::Full => {
            let (eigenvalues, vectors) = spread.f_linalg_eigh("L")?;
            let raised = (&vectors * eigenvalues.clamp_min(floor).unsqueeze(1)).matmul(&vectors.transpose(1, 2));
            // Exactly symmetric, whatever the rounding of the product.
            Ok((&raised + raised.transpose(1, 2)) * 0.5)
        }
    }
}
