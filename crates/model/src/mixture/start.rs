//! The start of a mixture's fit: centres by k-means++, equal weights, and one covariance shared by all components.

use rand::{Rng, RngExt};
use tch::{Kind, Tensor};

use super::{Covariance, EmSettings, GaussianMixture, MixtureError, Spread, em, is_all, n_rows};
use crate::noise::{NoiseKey, Stream};

/// Centres chosen among the rows, and the centre nearest to each row.
struct Seeding {
    /// Indices of rows, `[K]`.
    centers: Vec<i64>,
    /// Indices into `centers`, `[N]`.
    nearest: Vec<i64>,
}

impl GaussianMixture {
    /// A first mixture for `data`, `[N, D]`: the centres of k-means++ as means, equal weights, and as covariance of every
    /// component that of the rows about their nearest centres. A pure function of the data and the seed.
    ///
    /// The shared covariance keeps a centre with few rows near it from starting as a spike that EM cannot leave.
    ///
    /// Errors when a setting is out of range, or the data is no finite `[N, D]` with at least `K` rows.
    pub fn start(data: &Tensor, settings: &EmSettings) -> Result<GaussianMixture, MixtureError> {
        let k = settings.n_components as i64;
        settings.check()?;
        match data.size()[..] {
            [n, d] if n >= k && d > 0 => {}
            _ => return Err(MixtureError::Data { found: data.size(), n_components: k }),
        }
        if !is_all(&data.isfinite()) {
            return Err(MixtureError::NotFinite { quantity: "the data", step: 0 });
        }
        tch::no_grad(|| start(data, settings))
    }
}

fn start(data: &Tensor, settings: &EmSettings) -> Result<GaussianMixture, MixtureError> {
    let (n, d, k) = (data.size()[0], data.size()[1], settings.n_components as i64);
    let device = data.device();
    let mut generator = NoiseKey::new(Stream::Mixture, 0, 0).generator(settings.seed);
    let seeding = seed(data, settings.n_components, &mut generator)?;
    let means = data.index_select(0, &Tensor::from_slice(&seeding.centers).to_device(device)).to_kind(Kind::Double);
    let nearest = Tensor::from_slice(&seeding.nearest).to_device(device);
    let rows = n_rows(d);
    let mut shared = match settings.covariance {
        Covariance::Diagonal => Tensor::zeros([1, d], (Kind::Double, device)),
        Covariance::Full => Tensor::zeros([1, d, d], (Kind::Double, device)),
    };
    for (rows, nearest) in data.split(rows, 0).iter().zip(nearest.split(rows, 0)) {
        let apart = rows.to_kind(Kind::Double) - means.index_select(0, &nearest);
        shared += match settings.covariance {
            Covariance::Diagonal => apart.square().sum_dim_intlist(0, true, Kind::Double),
            Covariance::Full => apart.tr().matmul(&apart).unsqueeze(0),
        };
    }
    let shared = em::floored(settings.covariance, &(shared / n as f64), settings.variance_floor)?;
    let repeats: &[i64] = if settings.covariance == Covariance::Full { &[k, 1, 1] } else { &[k, 1] };
    Ok(GaussianMixture {
        weights: Tensor::full([k], 1.0 / k as f64, (Kind::Double, device)),
        means,
        spread: Spread::new(settings.covariance, shared.repeat(repeats))?,
    })
}

/// k-means++ (Arthur & Vassilvitskii 2007, §2.2): the first centre is uniform among the rows, each further one is a row
/// drawn with probability proportional to its squared distance from the nearest centre so far.
///
/// Where every row coincides with a centre, the next one is uniform.
fn seed(data: &Tensor, k: usize, generator: &mut impl Rng) -> Result<Seeding, MixtureError> {
    let n = data.size()[0] as usize;
    let mut squared = vec![f64::INFINITY; n];
    let mut nearest = vec![0; n];
    let mut centers = Vec::with_capacity(k);
    for index in 0..k {
        let total: f64 = if index == 0 { 0.0 } else { squared.iter().sum() };
        let center = if total > 0.0 { draw(&squared, total, generator) } else { generator.random_range(0..n) } as i64;
        centers.push(center);
        // Mode 2 sums (x − c)² as it stands and without temporaries: with one centre at a time a product of matrices is no
        // faster, memory being read once either way, and a row equal to a centre is at a distance of exactly zero.
        let distance = Tensor::f_cdist(data, &data.narrow(0, center, 1), 2.0, 2)?.to_kind(Kind::Double).square();
        for (i, distance) in Vec::<f64>::try_from(distance.view(-1))?.into_iter().enumerate() {
            if distance < squared[i] {
                squared[i] = distance;
                nearest[i] = index as i64;
            }
        }
    }
    Ok(Seeding { centers, nearest })
}

/// An index drawn with probability proportional to its weight, never one of weight zero; `total` is the weights' sum.
fn draw(weights: &[f64], total: f64, generator: &mut impl Rng) -> usize {
    let mut left = generator.random::<f64>() * total;
    let mut last = 0;
    for (index, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        last = index;
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    last
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn centres_are_distinct_and_far_apart() {
        // Four tight groups of 50 rows, every row twice: uniform centres would lie in four groups one time in ten.
        let rows: Vec<f32> = (0..200)
            .flat_map(|i| {
                let (group, jitter) = (i % 4, (i / 8) as f32 * 1e-3);
                [(group % 2) as f32 * 100.0 + jitter, (group / 2) as f32 * 100.0 - jitter]
            })
            .collect();
        let data = Tensor::from_slice(&rows).view([200, 2]);
        for seed_ in 0..50 {
            let found = seed(&data, 4, &mut NoiseKey::new(Stream::Mixture, 0, 0).generator(seed_)).unwrap();
            let mut groups: Vec<_> = found.centers.iter().map(|center| center % 4).collect();
            groups.sort_unstable();
            assert_eq!(groups, [0, 1, 2, 3], "seed {seed_}");
            for (row, &nearest) in found.nearest.iter().enumerate() {
                assert_eq!(found.centers[nearest as usize] % 4, row as i64 % 4);
            }
        }
    }

    #[test]
    fn a_centre_is_drawn_in_proportion_to_its_squared_distance() {
        // Given the first centre 0, the others are at squared distances 1 and 9.
        let data = Tensor::from_slice(&[0.0, 1.0, 3.0]).view([3, 1]);
        let mut counts = [0f64; 3];
        for seed_ in 0..4000 {
            let found = seed(&data, 2, &mut NoiseKey::new(Stream::Mixture, 0, 0).generator(seed_)).unwrap();
            if found.centers[0] == 0 {
                counts[found.centers[1] as usize] += 1.0;
            }
        }
        let n: f64 = counts.iter().sum();
        assert!((n / 4000.0 - 1.0 / 3.0).abs() < 5.0 * (2.0 / 9.0 / 4000f64).sqrt(), "{n}");
        assert_eq!(counts[0], 0.0);
        assert!((counts[2] / n - 0.9).abs() < 5.0 * (0.09 / n).sqrt(), "{counts:?}");
    }

    #[test]
    fn more_components_than_distinct_rows_are_allowed() {
        let data = Tensor::from_slice(&[1.0, 1.0, 5.0, 5.0, 5.0]).view([5, 1]);
        let found = seed(&data, 4, &mut NoiseKey::new(Stream::Mixture, 0, 0).generator(3)).unwrap();
        assert_eq!(found.centers.len(), 4);
        assert_ne!(data.double_value(&[found.centers[0], 0]), data.double_value(&[found.centers[1], 0]));
    }
}
