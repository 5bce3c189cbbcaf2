//! Latents from the prior, the aggregate posterior and a fitted mixture, and the arrays that are made of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use data::{Images, Shape, Splits};
use model::{Family, ImageShape};
use record::{ArrayName, Arrays};
use serde_json::{Value, json};
use spec::Cell;
use tch::{Device, Kind, Tensor};
use train::arrays::arrays;
use train::batches::{Batches, in_order};
use train::sampling::Sampler;

const IMAGE: ImageShape = ImageShape { channels: 1, height: 5, width: 6 };

fn cells(model: &Value, latent_dims: &[usize]) -> Vec<Cell> {
    let cell = |&latent_dim: &usize| {
        let mut whole = json!({ "hidden": [16], "latent_dim": latent_dim });
        whole.as_object_mut().unwrap().extend(model.as_object().unwrap().clone());
        serde_json::from_value(json!({
            "dataset": { "name": { "folder": "/images" } }, "model": whole, "training": { "seed": 10 + latent_dim },
        }))
        .unwrap()
    };
    latent_dims.iter().map(cell).collect()
}

fn build(cells: &[Cell]) -> Box<dyn Family> {
    model::build(&cells.iter().collect::<Vec<_>>(), IMAGE, Device::Cpu).unwrap().unwrap()
}

/// Gray images without any two alike, in seven classes.
fn images(n: usize, phase: usize) -> Images {
    let shape = Shape { n, channels: IMAGE.channels, height: IMAGE.height, width: IMAGE.width };
    let pixels = (0..n * shape.n_pixels()).map(|i| (((i + phase) * 2_654_435_761) >> 7) as u8).collect();
    Images { pixels, shape, labels: Some((0..n).map(|i| (i % 7) as u8).collect()), factors: None }
}

fn splits() -> Splits {
    Splits {
        train: images(1200, 0),
        validation: None,
        test: images(60, 99_991),
        class_names: Vec::new(),
        neighbour_distance: None,
        digest: String::new(),
    }
}

fn largest(tensor: &Tensor) -> f64 {
    tensor.abs().max().double_value(&[])
}

#[test]
fn a_replica_draws_what_it_draws_alone_and_more_draws_begin_with_the_same() {
    let (alone, cohort) = (cells(&json!({}), &[3]), cells(&json!({}), &[2, 3, 5]));
    let splits = splits();
    let (model_alone, model_cohort) = (build(&alone), build(&cohort));
    let sampler =
        |model, cells: &[Cell]| Sampler::new(model, Batches::new(&splits.train, cells, Device::Cpu), Device::Cpu);
    let (one, all) = (sampler(model_alone.as_ref(), &alone), sampler(model_cohort.as_ref(), &cohort));
    let mixture = |sampler: &Sampler<'_>, n: usize| -> Tensor {
        Tensor::stack(&sampler.mixture(n, 4).unwrap().into_iter().map(Result::unwrap).collect::<Vec<_>>(), 0)
    };
    let draws = [
        (one.prior(5, 4), all.prior(600, 4), one.prior(5, 3)),
        (one.aggregate(5, 4).unwrap(), all.aggregate(600, 4).unwrap(), one.aggregate(5, 3).unwrap()),
        (
            mixture(&one, 5),
            mixture(&all, 600),
            all.mixture(5, 3).unwrap().remove(1).unwrap().narrow(1, 0, 3).unsqueeze(0),
        ),
    ];
    for (few, many, others) in draws {
        assert_eq!((few.size(), many.size()), (vec![1, 5, 3], vec![3, 600, 5]));
        assert!(largest(&(few.get(0) - many.get(1).narrow(0, 0, 5).narrow(1, 0, 3))) < 1e-4);
        assert_eq!(largest(&many.get(1).narrow(1, 3, 2)), 0.0, "padding draws nothing");
        assert!(largest(&(&few - &others)) > 0.01, "another step has other draws");
    }
}

#[test]
fn the_aggregate_posterior_of_an_autoencoder_is_made_of_codes() {
    let cells = cells(&json!({ "kind": "autoencoder" }), &[4]);
    let (model, splits) = (build(&cells), splits());
    let sampler = Sampler::new(model.as_ref(), Batches::new(&splits.train, &cells, Device::Cpu), Device::Cpu);
    let codes = model.encoder().unwrap().posterior(&in_order(&splits.train, 0, 1200, 1, Device::Cpu)).mean().get(0);
    let drawn = sampler.aggregate(700, 0).unwrap().get(0);
    let apart = (drawn.unsqueeze(1) - codes.unsqueeze(0)).abs().amax(-1, false); // [700, 1200]
    assert!(largest(&apart.amin(1, false)) < 1e-5);
    // With replacement: of 1200 codes 700 draws meet 1200·(1 − e^(−700/1200)) ≈ 530 ± 15.
    let chosen = apart.argmin(1, false);
    let n_different = chosen.unique_dim(0, true, false, false).0.size()[0];
    assert!((455..605).contains(&n_different), "{n_different}");
}

#[test]
fn the_mixture_has_mean_and_covariance_of_the_latents() {
    let cells = cells(&json!({}), &[2, 4]);
    let (model, splits) = (build(&cells), splits());
    let sampler = Sampler::new(model.as_ref(), Batches::new(&splits.train, &cells, Device::Cpu), Device::Cpu);
    let latents = model
        .encoder()
        .unwrap()
        .posterior(&in_order(&splits.train, 0, 1200, 2, Device::Cpu))
        .mean()
        .to_kind(Kind::Double);
    let drawn = sampler.mixture(40_000, 0).unwrap();
    for (r, drawn) in drawn.into_iter().enumerate() {
        let width = [2, 4][r];
        let own = |z: &Tensor| z.to_kind(Kind::Double).narrow(1, 0, width);
        let (drawn, latents) = (own(&drawn.unwrap()), own(&latents.get(r as i64)));
        let moments =
            |z: &Tensor| (z.mean_dim(0, false, Kind::Double), z.tr().cov(1, None::<&Tensor>, None::<&Tensor>));
        let ((mean, covariance), (mean_fitted, covariance_fitted)) = (moments(&latents), moments(&drawn));
        let variance = covariance.diagonal(0, 0, 1).max().double_value(&[]);
        // An M step keeps mean and covariance of the data; the rest is sampling error.
        assert!(largest(&(mean - mean_fitted)) < 5.0 * (variance / 40_000.0).sqrt());
        assert!(largest(&(covariance - covariance_fitted)) < 5.0 * variance * (2.0 / 40_000f64).sqrt());
    }
}

fn shapes(arrays: &Arrays) -> Vec<Option<Vec<usize>>> {
    let names = [
        ArrayName::Reconstructions,
        ArrayName::DecoderSamples,
        ArrayName::Corrupted,
        ArrayName::Denoised,
        ArrayName::SamplesAggregate,
        ArrayName::SamplesMixture,
        ArrayName::InterpolationLinear,
        ArrayName::InterpolationSpherical,
        ArrayName::LatentMean,
        ArrayName::LatentLogVariance,
    ];
    names.into_iter().map(|name| arrays.get(name).map(|array| array.shape.clone())).collect()
}

#[test]
fn a_model_has_the_arrays_that_mean_something_for_it() {
    let size = |leading: &[usize]| Some([leading, &[1, 5, 6]].concat());
    let (n, m, paths) = (size(&[20]), size(&[100]), size(&[5, 10]));
    let latents = Some(vec![60, 3]);
    let of = |model: Value| {
        let cells = cells(&model, &[5, 3]);
        arrays(build(&cells).as_ref(), &splits(), &cells, Device::Cpu).unwrap().pop().unwrap().arrays
    };
    let vae = of(json!({}));
    let expected = [&n, &n, &None, &None, &m, &m, &paths, &paths, &latents, &latents].map(Clone::clone);
    assert_eq!(shapes(&vae), expected);
    assert_eq!(
        (vae.get(ArrayName::Samples).map(|array| array.shape.clone()), vae.labels.as_ref().map(Vec::len)),
        (m.clone(), Some(60))
    );
    let denoising = of(json!({ "corruption": { "masking": {} }, "kind": "autoencoder" }));
    let expected = [&n, &n, &n, &n, &m, &m, &paths, &paths, &latents, &None].map(Clone::clone);
    assert_eq!(shapes(&denoising), expected);
    let bits = of(json!({ "latent": { "bernoulli": {} } }));
    let expected = [&n, &n, &None, &None, &m, &None, &paths, &None, &latents, &latents].map(Clone::clone);
    assert_eq!(shapes(&bits), expected);

    // Draws of a Bernoulli decoder are black or white, about as often as its means say.
    let values = |arrays: &Arrays, name: ArrayName| arrays.get(name).unwrap().values.clone();
    let (drawn, means) = (values(&vae, ArrayName::DecoderSamples), values(&vae, ArrayName::Reconstructions));
    assert!(drawn.iter().all(|&value| value == 0.0 || value == 1.0));
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    assert!((mean(&drawn) - mean(&means)).abs() < 0.1);
    // About half of the pixels are masked, and only those changed.
    let (corrupted, originals) = (values(&denoising, ArrayName::Corrupted), values(&denoising, ArrayName::Originals));
    let n_masked = corrupted.iter().zip(&originals).filter(|(a, b)| a != b).count();
    assert!(corrupted.iter().zip(&originals).all(|(a, b)| a == b || *a == 0.0));
    assert!((250..350).contains(&n_masked), "{n_masked} of 600");

    // Beside the paths there are the images themselves, and how far their latents turn.
    let (ends, originals) = (vae.get(ArrayName::InterpolationEnds).unwrap(), values(&vae, ArrayName::Originals));
    assert_eq!(ends.shape, [5, 2, 1, 5, 6]);
    assert_eq!(ends.values, originals[..10 * 30]);
    let angles = values(&vae, ArrayName::InterpolationAngle);
    assert!(angles.len() == 5 && angles.iter().all(|angle| (0.0..=180.0).contains(angle)), "{angles:?}");

    // Paths begin and end at reconstructions of images of different classes: the first two classes, then the next two.
    for name in [ArrayName::InterpolationLinear, ArrayName::InterpolationSpherical] {
        let path = values(&vae, name);
        for pair in 0..5 {
            for (step, image) in [(0, 2 * pair), (9, 2 * pair + 1)] {
                let of = |values: &[f32], i: usize| values[i * 30..(i + 1) * 30].to_vec();
                let (end, whole) = (of(&path, pair * 10 + step), of(&means, image));
                assert!(end.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-5), "pair {pair}, step {step}");
            }
        }
    }
}

/// z₁ from left to right and z₂ from top to bottom of the manifold of an untrained model of two dimensions, and the model.
fn plane(model: &Value) -> (Box<dyn Family>, Arrays, Vec<Vec<f32>>) {
    let cells = cells(model, &[2]);
    let model = build(&cells);
    let arrays = arrays(model.as_ref(), &splits(), &cells, Device::Cpu).unwrap().remove(0).arrays;
    let axes = [ArrayName::ManifoldZ1, ArrayName::ManifoldZ2].map(|name| arrays.get(name).unwrap().values.clone());
    (model, arrays, axes.to_vec())
}

#[test]
fn a_manifold_lies_where_the_prior_does() {
    let (model, standard, axes) = plane(&json!({}));
    assert_eq!(standard.get(ArrayName::Manifold).unwrap().shape, [16, 16, 1, 5, 6]);
    // The 5 % and 95 % quantiles of N(0, 1).
    assert!((axes[0][0] + 1.6449).abs() < 1e-3 && (axes[0][15] - 1.6449).abs() < 1e-3, "{axes:?}");
    assert!(axes[0].iter().rev().eq(&axes[1]), "z₂ falls from top to bottom");
    // The second image of the third row is what the decoder makes of these two.
    let z = Tensor::from_slice(&[axes[0][1], axes[1][2]]).view([1, 1, 2]);
    let image: Vec<f32> = model.generator().mean(&z).view([-1]).try_into().unwrap();
    let stored = &standard.get(ArrayName::Manifold).unwrap().values[(2 * 16 + 1) * 30..][..30];
    assert!(image.iter().zip(stored).all(|(a, b)| (a - b).abs() < 1e-5));

    // A learned prior's own quantiles: 5 % of its draws lie below the first.
    for prior in [json!({ "mixture": { "components": 3 } }), json!({ "vamp": { "components": 4 } }), json!("flow")] {
        let prior = if prior == json!("flow") { json!({ "flow": {} }) } else { prior };
        let (model, _, axes) = plane(&json!({ "prior": prior }));
        let draws =
            model.generator().sample_prior(20_000, model::noise::NoiseKey::new(model::noise::Stream::Prior, 0, 7));
        for (dimension, axis) in axes.iter().enumerate() {
            let own = draws.select(0, 0).select(1, dimension as i64);
            let (low, high) = if dimension == 0 { (axis[0], axis[15]) } else { (axis[15], axis[0]) };
            let below = |z: f32| own.lt(f64::from(z)).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
            assert!((below(low) - 0.05).abs() < 0.01 && (below(high) - 0.95).abs() < 0.01, "{prior}: {axis:?}");
        }
    }

    // Two bits have four values.
    let (_, bits, axes) = plane(&json!({ "latent": { "bernoulli": {} } }));
    assert_eq!((axes[0].as_slice(), axes[1].as_slice()), (&[0.0, 1.0][..], &[1.0, 0.0][..]));
    assert_eq!(bits.get(ArrayName::Manifold).unwrap().shape, [2, 2, 1, 5, 6]);

    // The codes of an autoencoder: all but the outermost lie within, and the grid reaches no further.
    let (_, codes, axes) = plane(&json!({ "kind": "autoencoder" }));
    let means = &codes.get(ArrayName::LatentMean).unwrap().values;
    for (dimension, mut axis) in axes.into_iter().enumerate() {
        let own: Vec<f32> = means.iter().skip(dimension).step_by(2).copied().collect();
        let (least, most) = own.iter().fold((f32::MAX, f32::MIN), |(low, high), &z| (low.min(z), high.max(z)));
        axis.sort_by(f32::total_cmp);
        assert!(least <= axis[0] && axis[15] <= most, "{axis:?}");
        let n_within = own.iter().filter(|&&z| axis[0] <= z && z <= axis[15]).count();
        assert!(n_within >= own.len() - 2, "{n_within} of {}", own.len());
        let step = |i: usize| axis[i + 1] - axis[i];
        assert!((step(0) - step(14)).abs() < 1e-4 * step(0), "equal steps");
    }
}

#[test]
fn images_of_one_class_are_paired_all_the_same() {
    let mut splits = splits();
    let cells = cells(&json!({}), &[2]);
    let n_pairs = |splits: &Splits| {
        let arrays = arrays(build(&cells).as_ref(), splits, &cells, Device::Cpu).unwrap().remove(0).arrays;
        arrays.get(ArrayName::InterpolationLinear).map_or(0, |path| path.shape[0])
    };
    splits.test.labels = Some(vec![3; 60]);
    assert_eq!(n_pairs(&splits), 5);
    splits.test.labels = None;
    assert_eq!(n_pairs(&splits), 5);
    // One image of the first class, all others of the second: a single pair.
    splits.test.labels = Some((0..60).map(|i| u8::from(i > 0)).collect());
    assert_eq!(n_pairs(&splits), 1);
    splits.test = images(1, 0);
    assert_eq!(n_pairs(&splits), 0);
}
