//! What a VAE minimises, beyond reconstruction + β·KL.

use spec::{Objective, ObjectiveKind};
use tch::{Kind, Tensor};

use crate::latent::DiagonalGaussian;

/// The capacity C of Burgess et al. (2018) after so many epochs: it rises linearly to `nats`, then stays.
pub fn capacity(nats: f64, rise_epochs: usize, progress: f64) -> f64 {
    if rise_epochs == 0 { nats } else { nats * (progress / rise_epochs as f64).min(1.0) }
}

/// reconstruction + β·Σ_d max(nats, KL_d) with KL_d a mean over the batch (Kingma et al. 2016, eq. 15), shared evenly
/// among the images; `kl_per_dim` is `[R, B, D]`, `mask` 1 for a replica's own dimensions `[R, 1, D]`, the result `[R, B]`.
pub fn free_bits(reconstruction: &Tensor, kl_per_dim: &Tensor, mask: &Tensor, beta: &Tensor, nats: f64) -> Tensor {
    let mean = kl_per_dim.mean_dim(1, true, Kind::Float); // [R, 1, D]
    let at_least = (mean.clamp_min(nats) * mask).sum_dim_intlist(-1, false, Kind::Float); // [R, 1]
    reconstruction + beta * at_least
}

/// The KL term of the β-TC-VAE (Chen et al. 2018, eq. 4): mutual information + β·total correlation + dimension-wise KL,
/// with q(z) estimated by minibatch-weighted sampling from the batch itself; the result is `[R, B]`.
///
/// `z` is `[R, B, D]`; of a data set of N images, log q(z) ≈ log Σ_j q(z|x_j) − log(N·B).
pub fn total_correlation(q: &DiagonalGaussian, z: &Tensor, mask: &Tensor, beta: &Tensor, n_train: usize) -> Tensor {
    let size = z.size();
    let log_nm = (n_train as f64).ln() + (size[1] as f64).ln();
    let others = DiagonalGaussian { mean: q.mean.unsqueeze(1), log_variance: q.log_variance.unsqueeze(1) };
    // [R, B (z), B (x), D]
    let pairs = others.log_density_per_dim(&z.unsqueeze(2)) * mask.unsqueeze(1);
    let log_q_z = pairs.sum_dim_intlist(-1, false, Kind::Float).logsumexp(-1, false) - log_nm;
    let log_product = ((pairs.logsumexp(2, false) - log_nm) * mask).sum_dim_intlist(-1, false, Kind::Float);
    let sum = |per_dim: Tensor| (per_dim * mask).sum_dim_intlist(-1, false, Kind::Float);
    let log_q_z_given_x = sum(q.log_density_per_dim(z));
    let standard = DiagonalGaussian { mean: z.zeros_like(), log_variance: z.zeros_like() };
    let log_p_z = sum(standard.log_density_per_dim(z));

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

/// Samples of z an image takes in training.
pub fn n_samples(objective: &Objective) -> usize {
    match objective.kind {
        ObjectiveKind::ImportanceWeighted { samples, .. } => samples,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const OPTIONS: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn capacity_rises_linearly_then_stays() {
        let at = |progress| capacity(20.0, 4, progress);
        assert_eq!([at(0.0), at(1.0), at(4.0), at(9.0)], [0.0, 5.0, 20.0, 20.0]);
        assert_eq!(capacity(3.0, 0, 0.0), 3.0);
    }

    #[test]
    fn free_bits_give_no_slope_to_a_dimension_below_them() {
        let kl = Tensor::from_slice(&[0.1f32, 2.0, 0.3, 4.0]).view([1, 2, 2]).set_requires_grad(true);
        let reconstruction = Tensor::zeros([1, 2], OPTIONS);
        let ones = Tensor::ones([1, 1, 2], OPTIONS);
        let value = free_bits(&reconstruction, &kl, &ones, &Tensor::ones([1, 1], OPTIONS), 0.5);
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
        let ones = Tensor::ones([1, 1, 3], OPTIONS);
        let beta = Tensor::full([1, 1], 7.0, OPTIONS);
        let ours = total_correlation(&q, &z, &ones, &beta, 1);
        let standard = DiagonalGaussian { mean: z.zeros_like(), log_variance: z.zeros_like() };
        let expected = q.log_density(&z) - standard.log_density(&z);
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
        let ones = Tensor::ones([2, 1, 3], OPTIONS);
        let ours = total_correlation(&q, &z, &ones, &Tensor::ones([2, 1], OPTIONS), 60_000);
        let standard = DiagonalGaussian { mean: z.zeros_like(), log_variance: z.zeros_like() };
        let expected = q.log_density(&z) - standard.log_density(&z);
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
            let ones = Tensor::ones([1, 1, 2], OPTIONS);
            let with = |beta: f64| total_correlation(&q, &z, &ones, &Tensor::full([1, 1], beta, OPTIONS), 400);
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
