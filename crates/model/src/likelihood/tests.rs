//! Likelihoods against closed forms and quadrature.

use super::*;

#[test]
fn bernoulli_equals_the_textbook_form_at_ordinary_and_extreme_logits() {
    let logits = Tensor::from_slice(&[-200f32, -30.0, -3.0, -0.1, 0.0, 0.1, 3.0, 30.0, 200.0]).view([1, 9, 1]);
    for x in [0f64, 0.3, 1.0] {
        let gray = logits.full_like(x);
        let ours = bernoulli(&logits, &gray);
        let l = logits.to_kind(Kind::Double);
        let textbook = (l.clamp_min(0.0) + (-l.abs()).exp().log1p() - &l * x).squeeze_dim(-1);
        let difference = ((ours.to_kind(Kind::Double) - &textbook).abs() / (textbook.abs() + 1.0)).max();
        assert!(difference.double_value(&[]) < 2e-7, "{}", difference.double_value(&[]));
    }
}

#[test]
fn bernoulli_is_as_exact_over_many_pixels_whatever_their_number() {
    for n in [784, 787, 4096, 12_288] {
        let logits = Tensor::randn([1, 3, n], (Kind::Float, tch::Device::Cpu)) * 5.0;
        let x = Tensor::rand([1, 3, n], (Kind::Float, tch::Device::Cpu));
        let ours = bernoulli(&logits, &x).to_kind(Kind::Double);
        let (l, x) = (logits.to_kind(Kind::Double), x.to_kind(Kind::Double));
        let textbook = (l.clamp_min(0.0) + (-l.abs()).exp().log1p() - &l * x).sum_dim_intlist(-1, false, Kind::Double);
        let difference = ((ours - &textbook).abs() / textbook).max().double_value(&[]);
        assert!(difference < 1e-6, "{n} pixels: {difference}");
    }
}

#[test]
fn bernoulli_has_the_derivative_autograd_finds() {
    let logits = (Tensor::randn([2, 3, 50], (Kind::Float, tch::Device::Cpu)) * 4.0).set_requires_grad(true);
    let x = Tensor::rand([2, 3, 50], (Kind::Float, tch::Device::Cpu));
    let weight = Tensor::rand([2, 3], (Kind::Float, tch::Device::Cpu));
    let ours = Tensor::run_backward(&[(bernoulli(&logits, &x) * &weight).sum(Kind::Float)], &[&logits], false, false);
    let textbook = logits.binary_cross_entropy_with_logits::<Tensor>(&x, None, None, tch::Reduction::None);
    let textbook = (textbook.sum_dim_intlist(-1, false, Kind::Float) * &weight).sum(Kind::Float);
    let theirs = Tensor::run_backward(&[textbook], &[&logits], false, false);
    assert!((&ours[0] - &theirs[0]).abs().max().double_value(&[]) < 1e-6);
}

#[test]
fn gaussian_equals_the_density_and_integrates_to_one() {
    let x = Tensor::linspace(-20.0, 20.0, 4001, (Kind::Double, tch::Device::Cpu)).view([1, 4001, 1]);
    let sigma = Tensor::from_slice(&[1.7f64]).view([1, 1, 1]);
    let nll = gaussian(&x.full_like(0.4), &x, &sigma);
    let mass = (-nll).exp().sum(Kind::Double).double_value(&[]) * 0.01;
    assert!((mass - 1.0).abs() < 1e-6, "{mass}");
}

/// Nodes and the weight of each of the midpoint rule on 0…1.
fn unit_interval(n: i64) -> Tensor {
    ((Tensor::arange(n, (Kind::Double, tch::Device::Cpu)) + 0.5) / n as f64).view([1, n, 1])
}

#[test]
fn continuous_bernoulli_integrates_to_one_with_the_mean_it_says() {
    for l in [-30.0f64, -3.0, -0.2, -0.049, -0.001, 0.0, 0.01, 0.0501, 1.0, 8.0, 40.0] {
        let x = unit_interval(400_000);
        let logits = x.full_like(l);
        let density = (-continuous_bernoulli(&logits, &x).to_kind(Kind::Double)).exp();
        let mass = density.mean(Kind::Double).double_value(&[]);
        let mean = (density * x.squeeze_dim(-1)).mean(Kind::Double).double_value(&[]);
        let said = continuous_bernoulli_mean(&Tensor::from_slice(&[l])).double_value(&[0]);
        assert!((mass - 1.0).abs() < 2e-5, "logit {l}: mass {mass}");
        assert!((mean - said).abs() < 2e-5, "logit {l}: mean {mean}, {said} said");
    }
}

#[test]
fn continuous_bernoulli_draws_have_the_mean_it_says() {
    for l in [-6.0f64, -0.5, 0.01, 2.0, 12.0] {
        let uniform = unit_interval(100_000);
        let draws = continuous_bernoulli_sample(&uniform.full_like(l), &uniform);
        let said = continuous_bernoulli_mean(&Tensor::from_slice(&[l])).double_value(&[0]);
        assert!((draws.mean(Kind::Double).double_value(&[]) - said).abs() < 1e-3, "logit {l}");
        assert!(draws.min().double_value(&[]) >= 0.0 && draws.max().double_value(&[]) <= 1.0);
    }
}

#[test]
fn continuous_bernoulli_has_finite_derivatives_at_zero_and_far_out() {
    let logits = Tensor::from_slice(&[0f32, 1e-6, -0.05, 0.05, 90.0, -90.0]).view([1, 6, 1]).set_requires_grad(true);
    let x = logits.detach().full_like(0.3);
    let slopes = Tensor::run_backward(&[continuous_bernoulli(&logits, &x).sum(Kind::Float)], &[&logits], false, false);
    // At l = 0 the derivative is mean − x = 0.2.
    assert!((slopes[0].double_value(&[0, 0, 0]) - 0.2).abs() < 1e-6);
    assert!(slopes[0].isfinite().all().int64_value(&[]) == 1);
}

#[test]
fn discretised_logistic_sums_to_one_over_the_gray_levels() {
    let levels = (Tensor::arange(256, (Kind::Double, tch::Device::Cpu)) / 255.0).view([1, 256, 1]);
    for (mean, scale) in [(0.5, 0.1), (0.0, 0.002), (1.3, 0.05), (-4.0, 0.3), (0.7, 1e-3)] {
        let scale = Tensor::from_slice(&[scale]).view([1, 1, 1]);
        let nll = discretised_logistic(&levels.full_like(mean), &levels, &scale);
        let mass = (-nll).exp().sum(Kind::Double).double_value(&[]);
        assert!((mass - 1.0).abs() < 1e-6, "mean {mean}: {mass}");
    }
}

#[test]
fn discretised_logistic_equals_the_difference_of_two_sigmoids() {
    let x = (Tensor::arange(256, (Kind::Double, tch::Device::Cpu)) / 255.0).view([1, 256, 1]);
    let (mean, scale) = (0.4, 0.05);
    let ours = discretised_logistic(&x.full_like(mean), &x, &Tensor::from_slice(&[scale]).view([1, 1, 1]));
    for level in 0..256i64 {
        let sigmoid = |edge: f64| 1.0 / (1.0 + (-(edge - mean) / scale).exp());
        let centre = level as f64 / 255.0;
        let upper = if level == 255 { 1.0 } else { sigmoid(centre + 0.5 / 255.0) };
        let lower = if level == 0 { 0.0 } else { sigmoid(centre - 0.5 / 255.0) };
        let (p, ours) = (upper - lower, ours.double_value(&[0, level]));
        assert!((ours + p.ln()).abs() < 1e-6 * p.ln().abs().max(1.0), "level {level}: {ours} against {}", -p.ln());
    }
}

#[test]
fn one_sigma_for_every_pixel_is_the_shared_sigma() {
    let mean = Tensor::rand([2, 3, 20], (Kind::Double, tch::Device::Cpu));
    let x = Tensor::rand([2, 3, 20], (Kind::Double, tch::Device::Cpu));
    let sigma = Tensor::from_slice(&[0.3f64, 1.4]).view([2, 1, 1]);
    let difference = gaussian(&mean, &x, &sigma) - gaussian_per_pixel(&mean, &x, &(mean.ones_like() * &sigma));
    assert!(difference.abs().max().double_value(&[]) < 1e-5);
}
