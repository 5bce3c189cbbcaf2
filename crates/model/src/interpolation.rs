//! Paths between latents: straight lines, and arcs along which directions turn evenly and norms change evenly.

use tch::{Kind, Tensor};

/// Below this sine of the angle between two latents their great arc is a straight line to rounding, or not defined.
const LEAST_SINE: f64 = 1e-6;

/// z(t) = (1 − t)·from + t·to at `n_steps` equidistant t from 0 to 1, both ends exact; one step is the start alone.
///
/// `from` and `to` are `[R, N, D]`, the result is `[R, N, n_steps, D]`, of their kind; zero in the padding where they are.
pub fn linear(from: &Tensor, to: &Tensor, n_steps: usize) -> Tensor {
    let t = fractions(n_steps, from);
    weighted(from, &(-&t + 1.0), to, &t)
}

/// Spherical interpolation: directions by slerp (Shoemake 1985, §3.3; for latents White 2016, §2.1), norms linearly. With â
/// and b̂ the unit vectors of the two and Ω the angle between them,
/// z(t) = ((1 − t)·|from| + t·|to|) · (sin((1 − t)Ω)·â + sin(tΩ)·b̂)/sin Ω at the t of [`linear`], both ends exact.
///
/// Slerp of the latents themselves is another path where their norms differ: at a wide angle it is far longer than both
/// ends, where no decoder was trained. The arc of parallel latents is the straight line. Opposite ones have no single arc and a
/// zero has no direction: there, too, the straight line is taken.
///
/// `from` and `to` are `[R, N, D]`, the result is `[R, N, n_steps, D]`, of their kind; zero in the padding where they are.
pub fn spherical(from: &Tensor, to: &Tensor, n_steps: usize) -> Tensor {
    let (a, b) = (unit(from), unit(to));
    let omega = angle_between(&a, &b); // [R, N, 1]
    let has_directions = (norm(&a) * norm(&b)).gt(0.0);
    let has_arc = omega.sin().gt(LEAST_SINE).logical_and(&has_directions).unsqueeze(-1);
    // Any angle with a sine where there is no arc, so that nothing is divided by zero.
    let omega = omega.unsqueeze(-1).where_self(&has_arc, &Tensor::from(1.0).to_device(from.device())); // [R, N, 1, 1]
    let t = fractions(n_steps, from);
    let rest = -&t + 1.0;
    let (from_norm, to_norm) = (double_norm(from).unsqueeze(-1), double_norm(to).unsqueeze(-1)); // [R, N, 1, 1]
    let length = &from_norm * &rest + &to_norm * &t; // [R, N, n_steps, 1]
    let weight = |share: &Tensor, own_norm: &Tensor| {
        let on_arc = (share * &omega).sin() / omega.sin() * &length / own_norm.clamp_min(f64::MIN_POSITIVE);
        on_arc.where_self(&has_arc, share)
    };
    weighted(from, &weight(&rest, &from_norm), to, &weight(&t, &to_norm))
}

/// The angle between two latents in degrees, 0 to 180; not a number where one of them is zero.
///
/// `from` and `to` are `[R, N, D]`, the result is `[R, N]`, in double precision.
pub fn angle(from: &Tensor, to: &Tensor) -> Tensor {
    let (a, b) = (unit(from), unit(to));
    let has_directions = (norm(&a) * norm(&b)).gt(0.0);
    let degrees = angle_between(&a, &b) * (180.0 / std::f64::consts::PI);
    degrees.where_self(&has_directions, &Tensor::from(f64::NAN).to_device(from.device())).squeeze_dim(-1)
}

/// The vectors of norm 1 in the direction of `z`, `[R, N, D]`, in double precision; zero where `z` is.
fn unit(z: &Tensor) -> Tensor {
    let z = z.to_kind(Kind::Double);
    // Scaled first, so that no square under- or overflows.
    let z = &z / z.abs().amax(-1, true).clamp_min(f64::MIN_POSITIVE);
    &z / norm(&z).clamp_min(f64::MIN_POSITIVE)
}

/// The angle between unit vectors, `[R, N, D]` to `[R, N, 1]`, in radians. Accurate at every angle, unlike the arc cosine
/// near 0 and π (Kahan 2006, §12).
fn angle_between(a: &Tensor, b: &Tensor) -> Tensor {
    norm(&(a - b)).atan2(&norm(&(a + b))) * 2.0
}

/// `n_steps` numbers from 0 to 1, `[n_steps, 1]`.
fn fractions(n_steps: usize, like: &Tensor) -> Tensor {
    Tensor::linspace(0.0, 1.0, n_steps as i64, (Kind::Double, like.device())).unsqueeze(-1)
}

/// The Euclidean norm, `[R, N, D]` to `[R, N, 1]`.
fn norm(z: &Tensor) -> Tensor {
    z.square().sum_dim_intlist(-1, true, Kind::Double).sqrt()
}

/// The Euclidean norm of latents of any size, `[R, N, D]` to `[R, N, 1]`, in double precision.
fn double_norm(z: &Tensor) -> Tensor {
    norm(&z.to_kind(Kind::Double))
}

/// The sum of `from` and `to`, `[R, N, D]`, with weights that broadcast to `[R, N, n_steps, D]`.
fn weighted(from: &Tensor, of_from: &Tensor, to: &Tensor, of_to: &Tensor) -> Tensor {
    let double = |z: &Tensor| z.to_kind(Kind::Double).unsqueeze(2);
    (double(from) * of_from + double(to) * of_to).to_kind(from.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Latents of two replicas, the second of which has two dimensions of its own and two of padding; `[2, 6, 4]`.
    fn latents(phase: f64) -> Tensor {
        let values = ((Tensor::arange(48, (Kind::Float, tch::Device::Cpu)) + phase) * 12.9898).sin() * 3.0;
        let mask = Tensor::from_slice(&[1f32, 1., 1., 1., 1., 1., 0., 0.]).view([2, 1, 4]);
        values.view([2, 6, 4]) * mask
    }

    fn row(values: &[f32]) -> Tensor {
        Tensor::from_slice(values).view([1, 1, -1])
    }

    fn largest(tensor: &Tensor) -> f64 {
        tensor.abs().max().double_value(&[])
    }

    #[test]
    fn ends_are_exact_and_padding_stays_zero() {
        let (from, to) = (latents(0.0), latents(5.0));
        for path in [linear, spherical] {
            let z = path(&from, &to, 7);
            assert_eq!((z.size(), z.kind()), (vec![2, 6, 7, 4], Kind::Float));
            assert_eq!(z.select(2, 0), from);
            assert_eq!(z.select(2, 6), to);
            assert_eq!(largest(&z.get(1).narrow(-1, 2, 2)), 0.0);
            assert_eq!(path(&from, &to, 1).squeeze_dim(2), from);
        }
        let middle = linear(&from, &to, 3).select(2, 1);
        assert!(largest(&(middle - (from + to) * 0.5)) < 1e-6);
    }

    #[test]
    fn an_arc_between_equal_norms_has_that_norm_and_equal_steps() {
        let unit = |z: &Tensor| z / z.square().sum_dim_intlist(-1, true, Kind::Float).sqrt();
        let (from, to) = (unit(&latents(0.0)) * 5.0, unit(&latents(5.0)) * 5.0);
        let z = spherical(&from, &to, 9).to_kind(Kind::Double);
        assert!(largest(&(norm(&z) - 5.0)) < 1e-5);
        // Whatever its direction, the straight line is shorter in the middle.
        assert!(norm(&linear(&from, &to, 3).select(2, 1).to_kind(Kind::Double)).max().double_value(&[]) < 4.999);
        let steps = norm(&(z.narrow(2, 1, 8) - z.narrow(2, 0, 8)));
        assert!(largest(&(&steps - steps.select(2, 0).unsqueeze(2))) < 1e-5);
    }

    /// The ends of an image's path seen by a trained model: norms 2.4 and 1.7 at 174°, where slerp of the latents reaches 7.7.
    #[test]
    fn norms_change_evenly_and_directions_turn_evenly_at_any_angle() {
        for (degrees, from_norm, to_norm) in
            [(174.0_f64, 2.4, 1.7), (90.0, 0.1, 12.0), (5.0, 3.0, 3.0), (179.9, 1.0, 2.0)]
        {
            let to = degrees.to_radians();
            let direction = |angle: f64| Tensor::from_slice(&[angle.cos(), angle.sin(), 0.0]).view([1, 1, 3]);
            let (from, to) = (direction(0.0) * from_norm, direction(to) * to_norm);
            let z = spherical(&from, &to, 11);
            let length = linear(&row(&[from_norm as f32]), &row(&[to_norm as f32]), 11);
            assert!(largest(&(norm(&z) - length)) < 1e-6, "{degrees}°: {}", norm(&z));
            let between = angle(&z.narrow(2, 0, 10).flatten(1, 2), &z.narrow(2, 1, 10).flatten(1, 2));
            assert!(largest(&(between - degrees / 10.0)) < 1e-6, "{degrees}°");
            assert!((angle(&from, &to).double_value(&[0, 0]) - degrees).abs() < 1e-9);
        }
        assert!(angle(&row(&[0.0, 0.0]), &row(&[1.0, 0.0])).double_value(&[0, 0]).is_nan());
        assert_eq!(angle(&row(&[2.0, 0.0]), &row(&[-1.0, 0.0])).double_value(&[0, 0]), 180.0);
    }

    #[test]
    fn a_right_angle_has_its_bisector_in_the_middle() {
        let middle = spherical(&row(&[2.0, 0.0]), &row(&[0.0, 2.0]), 3).select(2, 1);
        assert!(largest(&(middle - row(&[1.0, 1.0]) * 2f64.sqrt())) < 1e-6);
    }

    #[test]
    fn without_a_single_arc_the_line_is_taken() {
        let a = [0.3, -2.0, 0.7];
        let scaled = |factor: f32| row(&a.map(|value| value * factor));
        let zero = row(&[0.0; 3]);
        let tiny = 1e-30;
        for (from, to) in [
            (scaled(1.0), scaled(1.0)),
            (scaled(1.0), scaled(2.5)),
            (scaled(1.0), scaled(-1.0)),
            (scaled(1.0), zero.shallow_clone()),
            (zero.shallow_clone(), scaled(1.0)),
            (zero.shallow_clone(), zero.shallow_clone()),
            (scaled(tiny), scaled(2.0 * tiny)),
        ] {
            let (arc, line) = (spherical(&from, &to, 5), linear(&from, &to, 5));
            assert!(largest(&(&arc - &line)) <= 1e-6 * largest(&line), "{from} to {to}: {arc}");
        }
        // Latents too small for a square in single precision still have an angle.
        let middle = spherical(&row(&[tiny, 0.0]), &row(&[0.0, tiny]), 3).select(2, 1) / f64::from(tiny);
        assert!(largest(&(middle - row(&[1.0, 1.0]) / 2f64.sqrt())) < 1e-6);
    }
}
