//! The Gaussian mixture against closed forms, quadrature and a plain double loop; EM rises at every step.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use model::mixture::{Covariance, EmSettings, GaussianMixture, MixtureError};
use model::noise::{NoiseKey, Stream};
use model::parameters::NamedTensor;
use rand::RngExt;
use rand_distr::StandardNormal;
use tch::{Device, Kind, Tensor};

const BOTH: [Covariance; 2] = [Covariance::Diagonal, Covariance::Full];

fn settings(n_components: usize, covariance: Covariance, seed: u64) -> EmSettings {
    EmSettings { n_components, covariance, variance_floor: 1e-4, tolerance: 1e-9, max_steps: 200, seed }
}

fn vector(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.to_kind(Kind::Double).contiguous().view(-1)).unwrap()
}

fn tensor(values: &[f64], shape: &[i64]) -> Tensor {
    Tensor::from_slice(values).view(shape)
}

fn normals(n: usize, d: usize, seed: u64) -> Tensor {
    let mut generator = NoiseKey::new(Stream::Latent, 0, 0).generator(seed);
    let values: Vec<f64> = (0..n * d).map(|_| generator.sample(StandardNormal)).collect();
    tensor(&values, &[n as i64, d as i64])
}

fn mixture(weights: &Tensor, means: &Tensor, spread: (&str, &Tensor)) -> Result<GaussianMixture, MixtureError> {
    let given = [("weights", weights), ("means", means), spread]
        .map(|(name, tensor)| NamedTensor { name: name.to_owned(), tensor: tensor.shallow_clone() });
    GaussianMixture::import(&given, Device::Cpu)
}

/// A mixture of two in two dimensions, of either shape.
fn two(covariance: Covariance) -> GaussianMixture {
    let weights = tensor(&[0.3, 0.7], &[2]);
    let means = tensor(&[-1.0, 0.5, 1.5, -0.5], &[2, 2]);
    match covariance {
        Covariance::Diagonal => mixture(&weights, &means, ("variances", &tensor(&[0.5, 1.2, 0.8, 0.3], &[2, 2]))),
        Covariance::Full => {
            let covariances = tensor(&[0.5, 0.4, 0.4, 1.2, 0.8, -0.3, -0.3, 0.3], &[2, 2, 2]);
            mixture(&weights, &means, ("covariances", &covariances))
        }
    }
    .unwrap()
}

fn named(mixture: &GaussianMixture, name: &str) -> Tensor {
    mixture.export().into_iter().find(|exported| exported.name == name).unwrap().tensor
}

/// Covariances `[K, D, D]`, whatever the mixture's own shape.
fn covariances(mixture: &GaussianMixture) -> Tensor {
    match mixture.covariance() {
        Covariance::Diagonal => named(mixture, "variances").diag_embed(0, -2, -1),
        Covariance::Full => named(mixture, "covariances"),
    }
}

fn mean_log_density(mixture: &GaussianMixture, data: &Tensor) -> f64 {
    mixture.log_density(data).mean(Kind::Double).double_value(&[])
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{found} against {expected}");
    }
}

#[test]
fn the_log_likelihood_rises_at_every_step() {
    let overlapping = normals(300, 3, 1)
        + Tensor::cat(&[Tensor::zeros([150, 3], (Kind::Double, Device::Cpu)), normals(150, 3, 2)], 0);
    // Ten times the same twenty rows: components collapse onto single points, which the floor has to hold.
    let duplicated = normals(20, 3, 3).repeat([10, 1]);
    let constant = normals(200, 3, 4) + 5.0;
    let _ = constant.select(1, 1).fill_(7.0);
    for (name, data, n_components) in
        [("overlapping", &overlapping, 4), ("duplicated", &duplicated, 15), ("constant", &constant, 3)]
    {
        for covariance in BOTH {
            for seed in 0..4 {
                let settings = settings(n_components, covariance, seed);
                for data in [data.shallow_clone(), data.to_kind(Kind::Float)] {
                    let mut mixture = GaussianMixture::start(&data, &settings).unwrap();
                    let mut before = f64::NEG_INFINITY;
                    for step in 0..40 {
                        let now = mixture.step(&data, settings.variance_floor).unwrap();
                        assert!(
                            now >= before - 1e-9 * before.abs().max(1.0),
                            "{name}, {covariance:?}, seed {seed}, step {step}: {before} fell to {now}"
                        );
                        before = now;
                    }
                    let least = covariances(&mixture).linalg_eigvalsh("L").min().double_value(&[]);
                    assert!(least >= settings.variance_floor * (1.0 - 1e-6), "{name}, {covariance:?}: {least}");
                    if name != "overlapping" {
                        assert!(least <= settings.variance_floor * (1.0 + 1e-6), "{name}: the floor held nothing");
                    }
                }
            }
        }
    }
}

#[test]
fn a_floored_covariance_is_the_best_under_the_constraint() {
    // Nearly a plane in three dimensions: the least eigenvalue of the sample covariance is far below the floor.
    let data =
        normals(400, 2, 5).matmul(&tensor(&[1.0, 0.5, -0.8, 0.2, 1.0, 0.7], &[2, 3])) + normals(400, 3, 6) * 0.01;
    let floor = 0.05;
    let settings = EmSettings { variance_floor: floor, ..settings(1, Covariance::Full, 0) };
    let best = GaussianMixture::fit(&data, &settings).unwrap().mixture;
    let highest = mean_log_density(&best, &data);
    for seed in 0..100 {
        let noise = normals(3, 3, 100 + seed) * 0.1;
        let nearby = covariances(&best) + (&noise + noise.tr()).unsqueeze(0) * 0.5;
        let (eigenvalues, vectors) = nearby.linalg_eigh("L");
        let nearby = (&vectors * eigenvalues.clamp_min(floor).unsqueeze(1)).matmul(&vectors.transpose(1, 2));
        let nearby = mixture(&named(&best, "weights"), &named(&best, "means"), ("covariances", &nearby)).unwrap();
        let other = mean_log_density(&nearby, &data);
        assert!(other < highest, "{other} above {highest}");
    }
}

#[test]
fn one_step_equals_a_double_loop() {
    for covariance in BOTH {
        let mut mixture = two(covariance);
        let data = normals(40, 2, 7) * 1.5;
        let x: Vec<[f64; 2]> = vector(&data).chunks_exact(2).map(|row| [row[0], row[1]]).collect();
        let [weights, means, spread] =
            [&named(&mixture, "weights"), &named(&mixture, "means"), &covariances(&mixture)].map(vector);
        // log(wₖ N(x; μₖ, Σₖ)) with the inverse and determinant of a 2 by 2 matrix written out.
        let joint = |row: &[f64; 2], k: usize| {
            let (a, b, c) = (spread[4 * k], spread[4 * k + 1], spread[4 * k + 3]);
            let determinant = a * c - b * b;
            let (u, v) = (row[0] - means[2 * k], row[1] - means[2 * k + 1]);
            let squared = (c * u * u - 2.0 * b * u * v + a * v * v) / determinant;
            weights[k] * (-0.5 * squared).exp() / (2.0 * std::f64::consts::PI * determinant.sqrt())
        };
        let density: Vec<f64> = x.iter().map(|row| joint(row, 0) + joint(row, 1)).collect();
        let log_density: Vec<f64> = density.iter().map(|density| density.ln()).collect();
        assert_close(&vector(&mixture.log_density(&data)), &log_density, 1e-12);

        let responsibility = |n: usize, k: usize| joint(&x[n], k) / density[n];
        let (mut new_weights, mut new_means, mut new_spread) = (vec![], vec![], vec![]);
        for k in 0..2 {
            let count: f64 = (0..40).map(|n| responsibility(n, k)).sum();
            let mean = [0, 1].map(|i| (0..40).map(|n| responsibility(n, k) * x[n][i]).sum::<f64>() / count);
            for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let products = (0..40).map(|n| responsibility(n, k) * (x[n][i] - mean[i]) * (x[n][j] - mean[j]));
                let covaries = i == j || covariance == Covariance::Full;
                new_spread.push(if covaries { products.sum::<f64>() / count } else { 0.0 });
            }
            new_weights.push(count / 40.0);
            new_means.extend(mean);
        }
        let log_likelihood = mixture.step(&data, 1e-6).unwrap();
        assert_close(&[log_likelihood], &[log_density.iter().sum::<f64>() / 40.0], 1e-12);
        assert_close(&vector(&named(&mixture, "weights")), &new_weights, 1e-12);
        assert_close(&vector(&named(&mixture, "means")), &new_means, 1e-12);
        assert_close(&vector(&covariances(&mixture)), &new_spread, 1e-12);
    }
}

#[test]
fn one_component_is_the_sample_mean_and_covariance() {
    // Far from the origin, where expanded squares would lose digits were the data not centred.
    let data = normals(500, 3, 8).matmul(&tensor(&[1.0, 0.4, 0.0, 0.0, 2.0, -0.6, 0.0, 0.0, 0.5], &[3, 3])) + 1000.0;
    let mean = data.mean_dim(0, false, Kind::Double);
    let centred = &data - &mean;
    let covariance_matrix = centred.tr().matmul(&centred) / 500.0;
    for covariance in BOTH {
        let fit = GaussianMixture::fit(&data, &settings(1, covariance, 0)).unwrap();
        assert!(fit.is_converged);
        let expected = match covariance {
            Covariance::Diagonal => covariance_matrix.diagonal(0, 0, 1).diag_embed(0, -2, -1),
            Covariance::Full => covariance_matrix.shallow_clone(),
        };
        assert_close(&vector(&named(&fit.mixture, "means")), &vector(&mean), 1e-12);
        assert_close(&vector(&covariances(&fit.mixture)), &vector(&expected), 1e-9);
        // At the maximum the squares average to D: ℓ = −½(log det Σ + D log 2π + D).
        let log_determinant = expected.logdet().double_value(&[]);
        let highest = -0.5 * (log_determinant + 3.0 * (2.0 * std::f64::consts::PI).ln() + 3.0);
        assert_close(&[mean_log_density(&fit.mixture, &data)], &[highest], 1e-10);
    }
}

#[test]
fn separated_components_are_found() {
    let centers = tensor(&[0.0, 0.0, 10.0, 0.0, 0.0, 10.0], &[3, 2]);
    let counts = [200, 300, 500];
    let shear = tensor(&[1.0, 0.6, 0.0, 0.8], &[2, 2]);
    let parts: Vec<_> = counts
        .iter()
        .enumerate()
        .map(|(k, &n)| normals(n, 2, 20 + k as u64).matmul(&shear) + centers.get(k as i64))
        .collect();
    let data = Tensor::cat(&parts, 0);
    for covariance in BOTH {
        // EM finds a local maximum: with both first centres in one group it may stay there. So the best of five starts.
        let best = (0..5)
            .map(|seed| GaussianMixture::fit(&data, &settings(3, covariance, seed)).unwrap())
            .max_by(|a, b| a.log_likelihoods.last().partial_cmp(&b.log_likelihoods.last()).unwrap())
            .unwrap();
        assert!(best.is_converged);
        let (weights, means) = (named(&best.mixture, "weights"), named(&best.mixture, "means"));
        for k in 0..3 {
            let distance = (&means - centers.get(k)).square().sum_dim_intlist(1, false, Kind::Double);
            let nearest = distance.argmin(0, false).int64_value(&[]);
            assert!(distance.double_value(&[nearest]).sqrt() < 0.3, "{covariance:?}");
            let weight = weights.double_value(&[nearest]);
            assert!((weight - counts[k as usize] as f64 / 1000.0).abs() < 1e-3, "{weight}");
            let found = covariances(&best.mixture).get(nearest);
            assert!((found.double_value(&[0, 0]) - 1.0).abs() < 0.4, "{covariance:?}");
            if covariance == Covariance::Full {
                assert!((found.double_value(&[0, 1]) - 0.6).abs() < 0.25, "{covariance:?}");
            }
        }
    }
}

#[test]
fn densities_integrate_to_one() {
    // The trapezoid rule converges faster than any power for functions that vanish at both ends.
    let line = Tensor::linspace(-15.0, 15.0, 3001, (Kind::Double, Device::Cpu));
    let weights = tensor(&[0.2, 0.8], &[2]);
    let one = mixture(&weights, &tensor(&[-2.0, 1.0], &[2, 1]), ("variances", &tensor(&[0.04, 1.5], &[2, 1]))).unwrap();
    let integral = one.log_density(&line.unsqueeze(1)).exp().sum(Kind::Double).double_value(&[]) * 0.01;
    assert!((integral - 1.0).abs() < 1e-10, "{integral}");
    let line = Tensor::linspace(-10.0, 10.0, 401, (Kind::Double, Device::Cpu));
    let grid = Tensor::cartesian_prod(&[&line, &line]);
    for covariance in BOTH {
        let integral = two(covariance).log_density(&grid).exp().sum(Kind::Double).double_value(&[]) * 0.0025;
        assert!((integral - 1.0).abs() < 1e-10, "{covariance:?}: {integral}");
    }
}

#[test]
fn samples_have_the_mixture_s_mean_and_covariance() {
    for covariance in BOTH {
        let mixture = two(covariance);
        let n = 200_000;
        let samples = mixture.sample(n, &mut NoiseKey::new(Stream::Prior, 0, 0).generator(1));
        assert_eq!(samples.size(), [n as i64, 2]);
        assert_eq!(samples, mixture.sample(n, &mut NoiseKey::new(Stream::Prior, 0, 0).generator(1)));
        let (weights, means) = (named(&mixture, "weights"), named(&mixture, "means"));
        let mean = weights.unsqueeze(0).matmul(&means).squeeze();
        let apart = &means - &mean;
        let total = (covariances(&mixture) + apart.unsqueeze(2) * apart.unsqueeze(1)) * weights.view([2, 1, 1]);
        let found = &samples - samples.mean_dim(0, true, Kind::Double);
        let error = 10.0 / (n as f64).sqrt();
        assert_close(&vector(&samples.mean_dim(0, false, Kind::Double)), &vector(&mean), error);
        let expected = total.sum_dim_intlist(0, false, Kind::Double);
        assert_close(&vector(&(found.tr().matmul(&found) / n as f64)), &vector(&expected), error);
        // −E log p is the entropy: of two halves of the draws the same, up to their errors.
        let log_density = mixture.log_density(&samples);
        let [a, b] =
            [0, 1].map(|half| log_density.narrow(0, half * 100_000, 100_000).mean(Kind::Double).double_value(&[]));
        assert!((a - b).abs() < 5.0 * log_density.std(true).double_value(&[]) * (2.0 / 1e5f64).sqrt(), "{a} and {b}");
    }
}

#[test]
fn a_component_without_rows_stays_and_harms_nothing() {
    let data = normals(100, 2, 9);
    let weights = tensor(&[0.5, 0.5], &[2]);
    let means = tensor(&[0.0, 0.0, 1e6, 1e6], &[2, 2]);
    let unit = Tensor::ones([2, 2], (Kind::Double, Device::Cpu));
    for spread in [("variances", &unit), ("covariances", &unit.diag_embed(0, -2, -1))] {
        let mut mixture = mixture(&weights, &means, spread).unwrap();
        let mut before = f64::NEG_INFINITY;
        for _ in 0..5 {
            let now = mixture.step(&data, 1e-4).unwrap();
            assert!(now >= before - 1e-12, "{before} fell to {now}");
            before = now;
        }
        assert_eq!(vector(&named(&mixture, "weights")), [1.0, 0.0]);
        assert_eq!(named(&mixture, "means").get(1), means.get(1));
        assert_eq!(named(&mixture, spread.0).get(1), spread.1.get(1));
        let far = mixture.log_density(&(&data + 1e6));
        assert!(vector(&far).iter().all(|value| value.is_finite()));
        let samples = mixture.sample(1000, &mut NoiseKey::new(Stream::Prior, 0, 0).generator(0));
        assert!(samples.abs().max().double_value(&[]) < 100.0);
    }
}

#[test]
fn many_rows_give_what_few_give() {
    // More rows than a chunk holds, and no multiple of it.
    let data = normals(9001, 2, 10);
    for covariance in BOTH {
        let mixture = two(covariance);
        let all = mixture.log_density(&data);
        assert_eq!(all.size(), [9001]);
        let parts: Vec<_> = data.split(100, 0).iter().map(|rows| mixture.log_density(rows)).collect();
        assert_close(&vector(&all), &vector(&Tensor::cat(&parts, 0)), 1e-12);
        let (mut once, mut twice) = (two(covariance), two(covariance));
        let ones = once.step(&data, 1e-4).unwrap();
        let twos = twice.step(&data.repeat([2, 1]), 1e-4).unwrap();
        assert_close(&[twos], &[ones], 1e-12);
        assert_close(&vector(&covariances(&twice)), &vector(&covariances(&once)), 1e-12);
        assert_eq!(mixture.log_density(&data.narrow(0, 0, 0)).size(), [0]);
    }
}

#[test]
fn a_seed_decides_the_fit() {
    let data = normals(300, 4, 11).to_kind(Kind::Float);
    for covariance in BOTH {
        let fit = |seed| GaussianMixture::fit(&data, &settings(5, covariance, seed)).unwrap();
        let (a, b, other) = (fit(1), fit(1), fit(2));
        assert_eq!(a.log_likelihoods, b.log_likelihoods);
        for (a, b) in a.mixture.export().iter().zip(b.mixture.export()) {
            assert_eq!(a.tensor, b.tensor, "{}", b.name);
        }
        assert_ne!(named(&a.mixture, "means"), named(&other.mixture, "means"));
        assert!(mean_log_density(&a.mixture, &data) >= a.log_likelihoods[a.log_likelihoods.len() - 1] - 1e-9);
    }
}

#[test]
fn parameters_survive_export_and_import() {
    let data = normals(50, 2, 12);
    for covariance in BOTH {
        let mixture = two(covariance);
        let again = GaussianMixture::import(&mixture.export(), Device::Cpu).unwrap();
        assert_eq!(again.covariance(), covariance);
        assert_eq!(again.log_density(&data), mixture.log_density(&data));
        // What is exported does not change with a later step.
        let (exported, mut later) = (mixture.export(), mixture);
        later.step(&data, 1e-4).unwrap();
        assert_ne!(named(&later, "means"), exported[1].tensor);
    }
}

#[test]
fn bad_parameters_data_and_settings_are_refused() {
    let (weights, means) = (tensor(&[0.5, 0.5], &[2]), tensor(&[0.0; 4], &[2, 2]));
    let unit = Tensor::ones([2, 2], (Kind::Double, Device::Cpu));
    let message = |given: Result<GaussianMixture, MixtureError>| given.unwrap_err().to_string();
    for (given, expected) in [
        (mixture(&weights, &means, ("scales", &unit)), "parameter `variances` is missing"),
        (mixture(&(&weights * 0.9), &means, ("variances", &unit)), "parameter `weights` is not valid"),
        (mixture(&weights, &means, ("variances", &(&unit * 0.0))), "parameter `variances` is not valid"),
        (mixture(&weights, &(&means / 0.0), ("variances", &unit)), "parameter `means` is not valid"),
        (mixture(&weights, &means, ("variances", &unit.get(0))), "has shape [2], and [K, D] is expected"),
        (mixture(&weights, &means, ("covariances", &unit)), "has shape [2, 2], and [K, D, D] is expected"),
        (mixture(&weights, &means, ("covariances", &unit.repeat([2, 1, 1]))), "hint: they must be positive definite"),
        (mixture(&weights, &means, ("covariances", &unit.triu(0).repeat([2, 1, 1]))), "hint: they must be symmetric"),
    ] {
        let message = message(given);
        assert!(message.contains(expected), "{message}");
    }
    let data = normals(10, 2, 13);
    let start = |data: &Tensor, settings: EmSettings| message(GaussianMixture::start(data, &settings));
    let good = settings(2, Covariance::Diagonal, 0);
    assert!(start(&data, EmSettings { n_components: 0, ..good }).starts_with("`n_components` of a mixture is `0`"));
    assert!(
        start(&data, EmSettings { variance_floor: 0.0, ..good }).starts_with("`variance_floor` of a mixture is `0`")
    );
    assert!(start(&data, EmSettings { n_components: 11, ..good }).starts_with("data of shape [10, 2] does not fit"));
    assert!(start(&(&data / 0.0), good).starts_with("the data is not finite"));
    let mut two = two(Covariance::Diagonal);
    let before = two.log_density(&data);
    assert!(two.step(&normals(10, 3, 14), 1e-4).unwrap_err().to_string().starts_with("data of shape [10, 3]"));
    assert!(two.step(&(&data / 0.0), 1e-4).unwrap_err().to_string().starts_with("the log-likelihood is not finite"));
    assert_eq!(two.log_density(&data), before);
}
