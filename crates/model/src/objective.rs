//! What a VAE minimises: each objective as its paper has it.

use spec::{Gradient, ImportanceGradient, KlParts, Objective as Spec, ObjectiveKind};
use tch::{Kind, Tensor};

use crate::bound::Bound;
use crate::kl;
use crate::mask::Mask;
use crate::posterior::{DiagonalGaussian, Posterior};

/// What an objective needs beside the bound.
pub struct Context<'a> {
    /// β of each replica, `[R, 1]`.
    pub beta: Tensor,
    /// Epochs of training behind this step.
    pub progress: f64,
    /// Training images.
    pub n_train: usize,
    /// Which latent dimensions are a replica's own.
    pub mask: &'a Mask,
    /// So many draws of z from the prior; `[R, n, D]`.
    pub prior: &'a dyn Fn(usize) -> Tensor,
}

/// An objective of a batch.
#[derive(Debug)]
pub struct Objective {
    /// What is minimised, in nats per image; `[R, B]`.
    pub value: Tensor,
    /// Where an estimate of the gradient is not the value's derivative: what is differentiated in its place.
    pub surrogates: Option<Surrogates>,
}

/// What is differentiated in an objective's place; both `[R, B]`.
#[derive(Debug)]
pub struct Surrogates {
    /// By the encoder's parameters.
    pub encoder: Tensor,
    /// By all others.
    pub others: Tensor,
}

/// The objective of a batch.
///
/// An autoencoder, which has no KL, minimises its reconstruction.
pub fn loss(objective: &Spec, bound: &Bound, context: &Context<'_>) -> Objective {
    let Context { beta, progress, n_train, mask, prior } = context;
    let reconstruction = bound.reconstruction(); // −E_q[log p(x|z)]
    let Some(kl) = bound.kl() else { return reconstruction.into() }; // KL(q(z|x) ‖ p(z))
    match objective.kind {
        // −E_q[log p(x|z)] + β·KL: minus the ELBO (Kingma & Welling 2014) at β = 1, else the β-VAE's (Higgins et al. 2017)
        ObjectiveKind::Elbo => {
            let weighted_kl = beta * parts_of_kl(objective.kl_parts, &bound.q, mask, kl);
            elbo(objective.gradient, bound, &reconstruction, &weighted_kl)
        }

        // β·Σ_d max(λ, KL_d) in the KL's place (Kingma et al. 2016, eq. 15)
        ObjectiveKind::FreeBits { nats } => match &bound.kl_per_dim {
            Some(kl_per_dim) => (reconstruction + beta * free_bits(kl_per_dim, mask, nats)).into(),
            None => (reconstruction + beta * kl).into(),
        },

        // β·|KL − C| with a capacity C that rises (Burgess et al. 2018, eq. 8), KL being the batch's mean as in the authors' code
        ObjectiveKind::Capacity { nats, rise_epochs } => {
            let kl = kl.mean_dim(1, true, Kind::Float); // [R, 1]
            (reconstruction + beta * (kl - capacity(nats, rise_epochs, *progress)).abs()).into()
        }

        // mutual information + β·total correlation + dimension-wise KL in the KL's place (Chen et al. 2018, eq. 4)
        ObjectiveKind::TotalCorrelation => match &bound.q {
            Posterior::Gaussian(q) => (reconstruction + total_correlation(q, &bound.z, mask, beta, *n_train)).into(),
            Posterior::Bits(_) | Posterior::Point(_) => (reconstruction + beta * kl).into(),
        },

        // β·KL + λ·MMD²(q(z), p(z)) (Zhao et al. 2019, eq. 6)
        ObjectiveKind::Mmd { weight } => {
            let discrepancy = mmd(&bound.z, &prior(bound.z.size()[1] as usize), mask.widths());
            (reconstruction + beta * kl + discrepancy * weight).into()
        }

        // −log (1/K) Σ_k p(x, z_k)/q(z_k|x) (Burda et al. 2016, eq. 8); with one draw it is minus the ELBO
        ObjectiveKind::ImportanceWeighted { gradient, .. } => match (bound.log_weights(beta), gradient) {
            (None, _) => (reconstruction + beta * kl).into(),
            (Some(log_w), ImportanceGradient::Reparametrised) => (-log_mean(&log_w)).into(),
            (Some(log_w), ImportanceGradient::DoublyReparametrised) => {
                Objective { value: -log_mean(&log_w), surrogates: Some(doubly_reparametrised(&log_w, beta)) }
            }
        },
    }
}

/// How log q(z|x) enters an objective while training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogQ {
    /// Only where the KL has no closed form.
    WithoutClosedKl,
    /// Of every draw.
    InWeights,
    /// Of every draw, the distribution's parameters being constants to the derivative.
    WithConstantParameters,
}

/// See [`LogQ`].
pub fn log_q(objective: &Spec) -> LogQ {
    match objective.kind {
        ObjectiveKind::ImportanceWeighted { gradient: ImportanceGradient::DoublyReparametrised, .. } => {
            LogQ::WithConstantParameters
        }
        ObjectiveKind::ImportanceWeighted { samples: 1, .. } => LogQ::WithoutClosedKl,
        ObjectiveKind::ImportanceWeighted { .. } => LogQ::InWeights,
        ObjectiveKind::Elbo => match objective.gradient {
            Gradient::Reparametrised | Gradient::Detached => LogQ::WithoutClosedKl,
            Gradient::ScoreFunction => LogQ::InWeights,
        },
        ObjectiveKind::FreeBits { .. }
        | ObjectiveKind::Capacity { .. }
        | ObjectiveKind::TotalCorrelation
        | ObjectiveKind::Mmd { .. } => LogQ::WithoutClosedKl,
    }
}

/// The parts of the KL that are minimised, `[R, B]`, of which `whole` is the sum.
fn parts_of_kl(parts: KlParts, q: &Posterior, mask: &Mask, whole: Tensor) -> Tensor {
    match (parts, q) {
        (KlParts::Variance, Posterior::Gaussian(q)) => mask.sum(&kl::of_variance(q)),
        (KlParts::Mean, Posterior::Gaussian(q)) => mask.sum(&kl::of_mean(q)),
        (KlParts::Both, _) | (_, Posterior::Bits(_) | Posterior::Point(_)) => whole,
    }
}

/// reconstruction + β·KL. By the score function the encoder's gradient of the reconstruction is that of f·log q(z|x), with
/// f = −log p(x|z) of each draw a constant: `∂E_q[f] = E_q[f·∂log q]` (Williams 1992).
fn elbo(gradient: Gradient, bound: &Bound, reconstruction: &Tensor, weighted_kl: &Tensor) -> Objective {
    let value = reconstruction + weighted_kl;
    match (gradient, &bound.log_q) {
        (Gradient::ScoreFunction, Some(log_q)) => {
            let scores = bound.mean_of_draws(&(-bound.log_likelihood.detach() * log_q));
            let surrogates = Surrogates { encoder: scores + weighted_kl, others: value.shallow_clone() };
            Objective { value, surrogates: Some(surrogates) }
        }
        (Gradient::Reparametrised | Gradient::Detached | Gradient::ScoreFunction, _) => value.into(),
    }
}

impl From<Tensor> for Objective {
    /// One whose derivative is its gradient.
    fn from(value: Tensor) -> Objective {
        Objective { value, surrogates: None }
    }
}

/// Logarithm of the mean over draws of the weights with these logarithms, `[R, n, B]`; `[R, B]`.
pub(crate) fn log_mean(log_weights: &Tensor) -> Tensor {
    log_weights.logsumexp(1, false) - (log_weights.size()[1] as f64).ln()
}

/// Doubly reparametrised gradients (Tucker et al. 2019, eq. 8, for any β) from log weights, `[R, n, B]`, in which
/// log q(z|x) has constant parameters; `beta` is `[R, 1]`.
///
/// With w = p(x|z)·(p(z)/q(z|x))^β and shares w̃ = w/Σw, the bound's derivative by a parameter φ of the encoder is
/// E[Σ w̃·(∂log w/∂z·∂z/∂φ − β·∂log q/∂φ)]. Its second part is reparametrised once more by
/// E_q[f·∂log q/∂φ] = E[∂f/∂z·∂z/∂φ], where f = w̃ and ∂w̃/∂z = (w̃ − w̃²)·∂log w/∂z. So the path through a draw weighs
/// w̃ − β·(w̃ − w̃²) = (1 − β)·w̃ + β·w̃², which at β = 1 is the paper's w̃².
fn doubly_reparametrised(log_weights: &Tensor, beta: &Tensor) -> Surrogates {
    let share = log_weights.detach().softmax(1, Kind::Float);
    let beta = beta.unsqueeze(1); // [R, 1, 1]
    let path = &share - beta * (&share - share.square());
    let weighted = |weight: &Tensor| -(weight * log_weights).sum_dim_intlist(1, false, Kind::Float);
    Surrogates { encoder: weighted(&path), others: weighted(&share) }
}

/// The capacity C of Burgess et al. (2018) after so many epochs: it rises linearly to `nats`, then stays.
fn capacity(nats: f64, rise_epochs: usize, progress: f64) -> f64 {
    if rise_epochs == 0 { nats } else { nats * (progress / rise_epochs as f64).min(1.0) }
}

/// Σ_d max(nats, KL_d) with KL_d a mean over the batch; `kl_per_dim` is `[R, B, D]`, the result `[R, 1]`, the same for
/// every image.
fn free_bits(kl_per_dim: &Tensor, mask: &Mask, nats: f64) -> Tensor {
    let mean = kl_per_dim.mean_dim(1, true, Kind::Float); // [R, 1, D]
    mask.sum(&mean.clamp_min(nats))
}

/// The KL term of the β-TC-VAE (Chen et al. 2018, eq. 4): mutual information + β·total correlation + dimension-wise KL,
/// with q(z) estimated by minibatch-weighted sampling from the batch itself; the result is `[R, B]`.
///
/// `z` is `[R, B, D]`; of a data set of N images, log q(z) ≈ log Σ_j q(z|x_j) − log(N·B).
fn total_correlation(q: &DiagonalGaussian, z: &Tensor, mask: &Mask, beta: &Tensor, n_train: usize) -> Tensor {
    let size = z.size();
    let log_nm = (n_train as f64).ln() + (size[1] as f64).ln();
    let others = DiagonalGaussian { mean: q.mean.unsqueeze(1), log_variance: q.log_variance.unsqueeze(1) };
    // [R, B (z), B (x), D]
    let pairs = mask.apply_to_pairs(&others.log_prob_per_dim(&z.unsqueeze(2)));
    let log_q_z = pairs.sum_dim_intlist(-1, false, Kind::Float).logsumexp(-1, false) - log_nm;
    let log_product = mask.sum(&(pairs.logsumexp(2, false) - log_nm));
    let log_q_z_given_x = mask.sum(&q.log_prob_per_dim(z));
    let standard = DiagonalGaussian { mean: z.zeros_like(), log_variance: z.zeros_like() };
    let log_p_z = mask.sum(&standard.log_prob_per_dim(z));

    let mutual_information = log_q_z_given_x - &log_q_z;
    let total_correlation = log_q_z - &log_product;
    let dimension_wise = log_product - log_p_z;
    mutual_information + beta * total_correlation + dimension_wise
}

/// The unbiased estimate of the squared maximum mean discrepancy between draws `z` and `prior`, both `[R, B, D]`, with
/// inverse multiquadratics C/(C + ‖z − z'‖²), C = 2·D·s for seven scales s (Tolstikhin et al. 2018, appendix); `[R, 1]`.
/// `widths` are the replicas' own D, `[R, 1, 1]`. Zero for a single image, of which there are no pairs.
pub fn mmd(z: &Tensor, prior: &Tensor, widths: &Tensor) -> Tensor {
    let n = z.size()[1] as f64;
    let distances = |a: &Tensor, b: &Tensor| {
        let squares = |x: &Tensor| x.square().sum_dim_intlist(-1, true, Kind::Float);
        (squares(a) + squares(b).transpose(1, 2) - a.matmul(&b.transpose(1, 2)) * 2.0).clamp_min(0.0)
    };
    let kernel = |distance: &Tensor| {
        [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0].iter().fold(distance.zeros_like(), |sum, scale| {
            let c = widths * (2.0 * scale);
            sum + &c / (&c + distance)
        })
    };
    let all = |kernel: &Tensor| kernel.sum_dim_intlist(&[1i64, 2][..], false, Kind::Float);
    // The diagonal compares each draw with itself and always adds 7.
    let within = |x: &Tensor| (all(&kernel(&distances(x, x))) - 7.0 * n) / (n * (n - 1.0)).max(1.0);
    let between = all(&kernel(&distances(z, prior))) * (2.0 / (n * n));
    if n < 2.0 { between.zeros_like().unsqueeze(-1) } else { (within(z) + within(prior) - between).unsqueeze(-1) }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::noise::Replica;
    use crate::parameters::Parameters;

    fn mask(n_replicas: usize, width: usize) -> Mask {
        let replicas = (0..n_replicas as u64).map(|seed| Replica { seed, width }).collect();
        Mask::new(&Parameters::new(replicas, spec::Init::Pytorch, Device::Cpu))
    }

    const OPTIONS: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// Both gradients by mean and log-variance of q of the bound of two draws in one dimension, in expectation: by the
    /// midpoint rule over both draws' noise, each point of the plane an image of its own.
    #[test]
    fn doubly_reparametrised_gradients_are_unbiased_for_every_beta() {
        let n = 240i64;
        let points = (Tensor::arange(n, (Kind::Double, Device::Cpu)) + 0.5) * (16.0 / n as f64) - 8.0;
        let weights = (points.square() * -0.5).softmax(0, Kind::Double);
        let of_pairs = weights.unsqueeze(1) * weights.unsqueeze(0);
        let pairs = Tensor::meshgrid(&[&points, &points]);
        let noise = Tensor::cat(&[pairs[0].flatten(0, -1), pairs[1].flatten(0, -1)], 0).view([1, -1, 1]);
        let gradient = |kind: ImportanceGradient, beta: f64| {
            let [mean, log_variance] =
                [0.7, -0.4].map(|value| Tensor::from_slice(&[value]).view([1, 1, 1]).set_requires_grad(true));
            let q = DiagonalGaussian { mean: mean.shallow_clone(), log_variance: log_variance.shallow_clone() };
            let z = q.sample(&noise);
            let of_draws = match kind {
                ImportanceGradient::Reparametrised => q.log_prob(&z),
                ImportanceGradient::DoublyReparametrised => {
                    DiagonalGaussian { mean: mean.detach(), log_variance: log_variance.detach() }.log_prob(&z)
                }
            };
            let standard = DiagonalGaussian { mean: z.zeros_like(), log_variance: z.zeros_like() };
            let bound = Bound {
                // Waves on a slope, as no Gaussian has.
                log_likelihood: ((&z * 2.0).sin() * 1.5 - (&z - 1.0).square() * 0.5).squeeze_dim(-1),
                log_prior: Some(standard.log_prob(&z)),
                log_q: Some(of_draws),
                output: z.shallow_clone(),
                z,
                q: Posterior::Gaussian(q),
                kl_per_dim: None,
                n_samples: 2,
            };
            let kind = ObjectiveKind::ImportanceWeighted { samples: 2, gradient: kind };
            let context = Context {
                beta: Tensor::from_slice(&[beta]).view([1, 1]),
                progress: 0.0,
                n_train: 1,
                mask: &mask(1, 1),
                prior: &|_| Tensor::new(),
            };
            let objective = Spec { kind, ..Spec::default() };
            let Objective { value, surrogates } = loss(&objective, &bound, &context);
            let differentiated = surrogates.map_or(value, |surrogates| surrogates.encoder);
            let expected = (differentiated.view([n, n]) * &of_pairs).sum(Kind::Double);
            let slopes = Tensor::run_backward(&[expected], &[&mean, &log_variance], false, false);
            [0, 1].map(|i| slopes[i].double_value(&[0, 0, 0]))
        };
        for beta in [0.0, 0.5, 1.0, 2.0] {
            let [plain, double] = [ImportanceGradient::Reparametrised, ImportanceGradient::DoublyReparametrised]
                .map(|kind| gradient(kind, beta));
            for (plain, double) in plain.into_iter().zip(double) {
                assert!((plain - double).abs() < 1e-4, "β = {beta}: {double} where the derivative is {plain}");
            }
        }
    }

    #[test]
    fn capacity_rises_linearly_then_stays() {
        let at = |progress| capacity(20.0, 4, progress);
        assert_eq!([at(0.0), at(1.0), at(4.0), at(9.0)], [0.0, 5.0, 20.0, 20.0]);
        assert_eq!(capacity(3.0, 0, 0.0), 3.0);
    }

    /// One image above the capacity and one as far below it: the batch is at C, and nothing holds either image to it.
    #[test]
    fn capacity_is_that_of_the_batch() {
        let of = |values: &[f32]| Tensor::from_slice(values).view([1, 2]);
        let kl_per_dim = of(&[1.0, 5.0]).unsqueeze(-1).set_requires_grad(true);
        let zeros = of(&[0.0; 2]).unsqueeze(-1);
        let bound = Bound {
            q: Posterior::Gaussian(DiagonalGaussian {
                mean: zeros.shallow_clone(),
                log_variance: zeros.shallow_clone(),
            }),
            z: zeros.shallow_clone(),
            output: zeros,
            log_likelihood: of(&[-10.0, -20.0]),
            log_prior: None,
            log_q: None,
            kl_per_dim: Some(kl_per_dim.shallow_clone()),
            n_samples: 1,
        };
        let with = |nats: f64| {
            let context = Context {
                beta: Tensor::from_slice(&[4.0f32]).view([1, 1]),
                progress: 0.0,
                n_train: 1,
                mask: &mask(1, 1),
                prior: &|_| Tensor::new(),
            };
            let kind = ObjectiveKind::Capacity { nats, rise_epochs: 0 };
            let value = loss(&Spec { kind, ..Spec::default() }, &bound, &context).value;
            let slopes = Tensor::run_backward(&[value.mean(Kind::Float)], &[&kl_per_dim], true, false);
            [value.view(-1), slopes[0].view(-1)].map(|tensor| Vec::<f32>::try_from(tensor).expect("floats"))
        };
        assert_eq!(with(3.0)[0], [10.0, 20.0], "the mean of 1 and 5 is the capacity");
        assert_eq!(with(2.0), [vec![14.0, 24.0], vec![2.0, 2.0]]);
    }

    #[test]
    fn free_bits_give_no_slope_to_a_dimension_below_them() {
        let kl = Tensor::from_slice(&[0.1f32, 2.0, 0.3, 4.0]).view([1, 2, 2]).set_requires_grad(true);
        let value = free_bits(&kl, &mask(1, 2), 0.5);
        assert!((value.double_value(&[0, 0]) - 3.5).abs() < 1e-6, "½ for the first, the mean 3 of the second");
        let slopes = Tensor::run_backward(&[value.mean(Kind::Float)], &[&kl], false, false);
        let slopes = Vec::<f32>::try_from(slopes[0].view(-1)).expect("floats");
        assert_eq!(slopes, [0.0, 0.5, 0.0, 0.5]);
    }

    /// With one training image and a batch of it, q(z) is q(z|x): no mutual information and no total correlation.
    #[test]
    fn total_correlation_of_a_single_image_leaves_the_kl() {
        let q = DiagonalGaussian {
            mean: Tensor::randn([1, 1, 3], OPTIONS),
            log_variance: Tensor::randn([1, 1, 3], OPTIONS),
        };
        let z = q.sample(&Tensor::randn([1, 1, 3], OPTIONS));
        let mask = mask(1, 3);
        let beta = Tensor::full([1, 1], 7.0, OPTIONS);
        let ours = total_correlation(&q, &z, &mask, &beta, 1);
        let standard = DiagonalGaussian { mean: z.zeros_like(), log_variance: z.zeros_like() };
        let expected = q.log_prob(&z) - standard.log_prob(&z);
        assert!((ours - expected).abs().max().double_value(&[]) < 1e-5);
    }

    /// The three parts sum to log q(z|x) − log p(z) when β is 1, whatever the estimate of q(z).
    #[test]
    fn with_beta_one_total_correlation_is_the_kl() {
        let q = DiagonalGaussian {
            mean: Tensor::randn([2, 9, 3], OPTIONS),
            log_variance: Tensor::randn([2, 9, 3], OPTIONS),
        };
        let z = q.sample(&Tensor::randn([2, 9, 3], OPTIONS));
        let mask = mask(2, 3);
        let ours = total_correlation(&q, &z, &mask, &Tensor::ones([2, 1], OPTIONS), 60_000);
        let standard = DiagonalGaussian { mean: z.zeros_like(), log_variance: z.zeros_like() };
        let expected = q.log_prob(&z) - standard.log_prob(&z);
        assert!((ours - expected).abs().max().double_value(&[]) < 1e-4);
    }

    /// Two dimensions that are always equal have a total correlation, independent ones have less.
    #[test]
    fn correlated_dimensions_have_more_total_correlation() {
        let excess = |correlated: bool| {
            let first = Tensor::randn([1, 400, 1], OPTIONS);
            let second = if correlated { first.shallow_clone() } else { Tensor::randn([1, 400, 1], OPTIONS) };
            let mean = Tensor::cat(&[first, second], -1);
            let q = DiagonalGaussian { log_variance: mean.full_like(-3.0), mean };
            let z = q.sample(&Tensor::randn([1, 400, 2], OPTIONS));
            let mask = mask(1, 2);
            let with = |beta: f64| total_correlation(&q, &z, &mask, &Tensor::full([1, 1], beta, OPTIONS), 400);
            (with(2.0) - with(1.0)).mean(Kind::Double).double_value(&[])
        };
        let (correlated, independent) = (excess(true), excess(false));
        assert!(correlated > independent + 0.5, "{correlated} against {independent}");
    }

    #[test]
    fn mmd_is_near_zero_for_the_same_distribution_and_larger_for_another() {
        let draws = |shift: f64| Tensor::randn([1, 500, 4], OPTIONS) + shift;
        let widths = Tensor::full([1, 1, 1], 4.0, OPTIONS);
        let same = mmd(&draws(0.0), &draws(0.0), &widths).double_value(&[0, 0]);
        let other = mmd(&draws(1.0), &draws(0.0), &widths).double_value(&[0, 0]);
        assert!(same.abs() < 0.05 && other > 0.3, "{same} and {other}");
    }
}
