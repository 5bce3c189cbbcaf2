//! Decoders by hand, weights of 8 bits against those that are stored, and which models are chosen.

use record::tensors::{Dtype, StoredTensor, TensorFile};
use spec::{Cell, ImageShape};

use super::decoder::Map as _;
use super::*;

const IMAGE: ImageShape = ImageShape { channels: 1, height: 2, width: 3 };

/// A cell with this model.
fn cell(model: &str) -> Cell {
    let text = format!("name: one\ndataset: {{ name: glyphs }}\nmodel: {model}\n");
    Experiment::parse("one.yaml", text.as_bytes(), &[]).unwrap().cells.remove(0)
}

/// Numbers in −1…1 that look random, a function of the name alone.
fn numbers(name: &str, n: usize) -> Vec<f32> {
    let mut state = name.bytes().fold(7_u32, |state, byte| state.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// A file with these tensors.
fn file(shapes: &[(&str, usize)]) -> TensorFile {
    let tensor = |&(name, n): &(&str, usize)| StoredTensor {
        name: name.to_owned(),
        dtype: Dtype::F32,
        shape: vec![n],
        bytes: numbers(name, n).into_iter().flat_map(f32::to_le_bytes).collect(),
    };
    TensorFile { tensors: shapes.iter().map(tensor).collect(), ..TensorFile::default() }
}

/// W·x + b with the numbers of a name, `outputs` of them.
fn product(name: &str, x: &[f64], outputs: usize) -> Vec<f64> {
    let weight = numbers(&format!("{name}.weight"), x.len() * outputs);
    let bias = numbers(&format!("{name}.bias"), outputs);
    let row = |r: usize| -> f64 { (0..x.len()).map(|i| f64::from(weight[r * x.len() + i]) * x[i]).sum() };
    (0..outputs).map(|r| row(r) + f64::from(bias[r])).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

const Z: [f64; 2] = [0.7, -1.3];

#[test]
fn a_decoder_is_read_by_the_names_of_its_layers() {
    let two_hidden = [
        ("decoder.0.weight", 8),
        ("decoder.0.bias", 4),
        ("decoder.2.weight", 20),
        ("decoder.2.bias", 5),
        ("decoder.4.weight", 30),
        ("decoder.4.bias", 6),
    ];
    for (activation, of) in [
        ("relu", (|x: f64| x.max(0.0)) as fn(f64) -> f64),
        ("tanh", f64::tanh),
        ("softplus", |x: f64| (1.0 + x.exp()).ln()),
    ] {
        let cell = cell(&format!("{{ hidden: [5, 4], latent_dim: 2, activation: {activation} }}"));
        let decoder = Decoder::read(&cell, IMAGE, &file(&two_hidden)).unwrap();
        let h: Vec<f64> = product("decoder.0", &Z, 4).into_iter().map(of).collect();
        let h: Vec<f64> = product("decoder.2", &h, 5).into_iter().map(of).collect();
        let expected: Vec<f64> = product("decoder.4", &h, 6).into_iter().map(sigmoid).collect();
        assert!(largest_difference(&decoder.decode(&Z), &expected) < 1e-12, "{activation}");
    }

    let gated = cell("{ hidden: [4], latent_dim: 2, activation: gated }");
    let tensors = [
        ("decoder.0.h.weight", 8),
        ("decoder.0.h.bias", 4),
        ("decoder.0.g.weight", 8),
        ("decoder.0.g.bias", 4),
        ("decoder.1.weight", 24),
        ("decoder.1.bias", 6),
    ];
    let [value, gate] = ["h", "g"].map(|part| product(&format!("decoder.0.{part}"), &Z, 4));
    let h: Vec<f64> = value.into_iter().zip(gate).map(|(value, gate)| value * sigmoid(gate)).collect();
    let expected: Vec<f64> = product("decoder.1", &h, 6).into_iter().map(sigmoid).collect();
    let decoder = Decoder::read(&gated, IMAGE, &file(&tensors)).unwrap();
    assert!(largest_difference(&decoder.decode(&Z), &expected) < 1e-12);

    // A linear GAN's generator has another name.
    let gan = cell("{ kind: gan, hidden: [], latent_dim: 2 }");
    let decoder = Decoder::read(&gan, IMAGE, &file(&[("generator.0.weight", 12), ("generator.0.bias", 6)])).unwrap();
    let expected: Vec<f64> = product("generator.0", &Z, 6).into_iter().map(sigmoid).collect();
    assert!(largest_difference(&decoder.decode(&Z), &expected) < 1e-12);
}

#[test]
fn the_mean_of_a_pixel_is_that_of_its_likelihood() {
    let tensors = |n: usize| file(&[("decoder.0.weight", 2 * n), ("decoder.0.bias", n), ("likelihood.log_scale", 1)]);
    let output = product("decoder.0", &Z, 6);
    // Twelve outputs for six pixels: the first half are means.
    let of_pairs = product("decoder.0", &Z, 12)[..6].to_vec();
    let scale = f64::from(numbers("likelihood.log_scale", 1)[0]).exp();
    let continuous = |l: f64| 1.0 / (1.0 - (-l).exp()) - 1.0 / l;
    let logistic = |x: f64| (0..255).map(|k| sigmoid((x - (f64::from(k) + 0.5) / 255.0) / scale)).sum::<f64>() / 255.0;
    let clamped = |output: &[f64]| output.iter().map(|x| x.clamp(0.0, 1.0)).collect::<Vec<f64>>();
    for (likelihood, n, expected) in [
        ("bernoulli", 6, output.iter().map(|&x| sigmoid(x)).collect()),
        ("gaussian: { sigma: 1 }", 6, clamped(&output)),
        ("laplace: { scale: 1 }", 6, clamped(&output)),
        ("gaussian-per-pixel: { floor: 0.1 }", 12, clamped(&of_pairs)),
        (
            "continuous-bernoulli: { clip: 0.25 }",
            6,
            output.iter().map(|x| continuous(x.clamp(-3f64.ln(), 3f64.ln()))).collect(),
        ),
        ("continuous-bernoulli: { clip: 0 }", 6, output.iter().map(|&x| continuous(x)).collect()),
        ("discretised-logistic", 6, output.iter().map(|&x| logistic(x)).collect::<Vec<f64>>()),
    ] {
        let likelihood = if likelihood.contains(':') { format!("{{ {likelihood} }}") } else { likelihood.to_owned() };
        let cell = cell(&format!("{{ hidden: [], latent_dim: 2, likelihood: {likelihood} }}"));
        let decoder = Decoder::read(&cell, IMAGE, &tensors(n)).unwrap();
        assert!(largest_difference(&decoder.decode(&Z), &expected) < 1e-9, "{likelihood}");
    }
    // Near zero the continuous Bernoulli's formula divides nothing by nothing.
    let near = Decoder {
        layers: vec![Layer::Output(Dense { weight: vec![0.0, 0.0], bias: vec![0.0, 0.03] })],
        mean: Mean::ContinuousBernoulli(f64::INFINITY),
    };
    assert!(largest_difference(&near.decode(&[1.0]), &[0.5, continuous(f64::from(0.03_f32))]) < 1e-7);
}

#[test]
fn what_is_no_dense_decoder_is_said() {
    let read = |model: &str, tensors: &[(&str, usize)]| Decoder::read(&cell(model), IMAGE, &file(tensors)).unwrap_err();
    assert_eq!(read("{ hidden: [], latent_dim: 2 }", &[]), "its file has no `decoder.0.weight` of 12 numbers");
    let short = [("decoder.0.weight", 11), ("decoder.0.bias", 6)];
    assert_eq!(read("{ hidden: [], latent_dim: 2 }", &short), "its file has no `decoder.0.weight` of 12 numbers");
    let net = "{ net: { conv: { channels: [2], kernel: 3, stride: 2 } }, hidden: [], latent_dim: 2 }";
    let dense = [("decoder.0.weight", 8), ("decoder.0.bias", 4)];
    assert!(read(net, &dense).starts_with("it is "), "{}", read(net, &dense));
    assert_eq!(n_characters(&cell(net), IMAGE), None);
}

/// Rounding a weight to the nearest multiple of its row's step moves it by half a step at most, hence an output by half a step for
/// each unit of its inputs, and a pixel by a quarter of that.
#[test]
fn weights_of_8_bits_decode_as_the_stored_ones_do_to_half_a_step() {
    let (hidden, pixels) = (40, 300);
    let image = ImageShape { channels: 3, height: 10, width: 10 };
    let cell = cell(&format!("{{ hidden: [{hidden}], latent_dim: 2 }}"));
    let stored = Decoder::read(
        &cell,
        image,
        &file(&[
            ("decoder.0.weight", 2 * hidden),
            ("decoder.0.bias", hidden),
            ("decoder.2.weight", hidden * pixels),
            ("decoder.2.bias", pixels),
        ]),
    )
    .unwrap();
    let quantised = stored.quantised();
    let [Layer::Activated(first, _), Layer::Output(last)] = &stored.layers[..] else { panic!("{stored:?}") };
    let [Layer::Activated(small_first, _), Layer::Output(small_last)] = &quantised.layers[..] else {
        panic!("{quantised:?}")
    };
    for (dense, small, inputs) in [(first, small_first, 2), (last, small_last, hidden)] {
        assert_eq!(dense.bias, small.bias);
        for (row, (weights, step)) in dense.weight.chunks(inputs).zip(small.weight.chunks(inputs).zip(&small.scale)) {
            assert!(weights.iter().any(|weight| weight.unsigned_abs() == 127), "the largest weight takes all 8 bits");
            for (one, other) in row.iter().zip(weights) {
                assert!((one - step * f32::from(*other)).abs() <= 0.5001 * step);
            }
        }
    }
    let points = grid([(-3.0, 3.0), (-3.0, 3.0)]);
    let measured = deviation(&stored, &quantised, &points);
    assert_eq!(measured.n_points, 225);
    let (mut largest, mut sum) = (0.0_f64, 0.0);
    for z in &points {
        let h: Vec<f64> = first.apply(z).into_iter().map(|x| x.max(0.0)).collect();
        // How far each hidden unit may be off, then each pixel.
        let of_hidden = 0.5 * (z[0].abs() + z[1].abs());
        let off: Vec<f64> = small_first.scale.iter().map(|step| of_hidden * f64::from(*step)).collect();
        let (one, other) = (stored.decode(z), quantised.decode(z));
        for (pixel, row) in last.weight.chunks(hidden).enumerate() {
            let step = f64::from(small_last.scale[pixel]);
            let moved: f64 = row.iter().zip(&off).map(|(w, off)| (f64::from(w.abs()) + 0.5 * step) * off).sum();
            let bound = 0.25 * (0.5 * step * h.iter().sum::<f64>() + moved);
            let difference = (one[pixel] - other[pixel]).abs();
            assert!(difference <= 1.01 * bound, "{z:?}: pixel {pixel} is off by {difference}, at most {bound}");
            largest = largest.max(difference);
            sum += difference;
        }
    }
    assert_eq!(measured.largest, largest);
    assert!((measured.mean - sum / (225.0 * 300.0)).abs() < 1e-12);
    assert!(largest > 1e-4 && largest < 0.05, "{largest}");
    // A row of zeros has no step.
    let nothing =
        Decoder { layers: vec![Layer::Output(Dense { weight: vec![0.0; 2], bias: vec![0.25] })], mean: Mean::Clamp };
    assert_eq!(nothing.quantised().decode(&Z), [0.25]);
}

/// A group of one run that has encoded test images.
fn group(model: &str, beta: f64, arrays: Option<&str>) -> Group {
    let mut cell = cell(model);
    cell.objective.beta = beta;
    let key = keys(std::slice::from_ref(&cell)).remove(0);
    let n = if arrays.is_some() { 6 } else { 0 };
    let images = |value: f32| record::Array::new(vec![2, 1, 2, 3], vec![value; 12]).unwrap();
    let stored = record::Arrays::from_iter([
        (ArrayName::Originals, Some(images(if arrays == Some("others") { 0.75 } else { 0.5 }))),
        (ArrayName::Samples, Some(images(0.5))),
        (
            ArrayName::LatentMean,
            arrays.map(|_| {
                record::Array::new(vec![n, cell.model.latent_dim], vec![0.5; n * cell.model.latent_dim]).unwrap()
            }),
        ),
    ]);
    let run = crate::records::RunNumbers { arrays: Some(RunArrays::new(stored)), ..Default::default() };
    Group::new(key, cell, vec![run])
}

fn chosen(groups: &[Group]) -> Vec<usize> {
    let place = |one: &Group| groups.iter().position(|group| std::ptr::eq(group, one)).unwrap();
    in_order(&candidates(groups)).into_iter().map(place).collect()
}

#[test]
fn models_are_chosen_that_compare() {
    let vae = |dim: usize, beta: f64| group(&format!("{{ hidden: [4], latent_dim: {dim} }}"), beta, Some("own"));
    let autoencoder = || group("{ kind: autoencoder, hidden: [4], latent_dim: 2 }", 1.0, Some("own"));
    // An autoencoder beside the VAE whose β is nearest to 1, by its factor.
    assert_eq!(chosen(&[vae(2, 0.1), vae(2, 0.5), vae(2, 4.0), autoencoder()]), [3, 1, 0, 2]);
    // The smallest β beside the largest, then those between.
    assert_eq!(chosen(&[vae(2, 1.0), vae(2, 4.0), vae(2, 0.5)]), [2, 1, 0]);
    // Two dimensions before fewer and more; else the fewest.
    assert_eq!(chosen(&[vae(1, 1.0), vae(5, 1.0), vae(2, 1.0)]), [2]);
    assert_eq!(chosen(&[vae(20, 1.0), vae(5, 1.0), vae(5, 2.0)]), [1, 2]);
    // Neither bits, nor convolutions, nor mixtures over pixels, nor what would not fit into the page.
    let bits = group("{ hidden: [4], latent_dim: 2, latent: { bernoulli: {} } }", 1.0, Some("own"));
    let net = group(
        "{ net: { conv: { channels: [2], kernel: 3, stride: 2 } }, hidden: [], latent_dim: 2 }",
        1.0,
        Some("own"),
    );
    let mixture = group("{ kind: { gaussian-mixture: { components: 2 } } }", 1.0, Some("own"));
    let large = group("{ hidden: [1000, 1000], latent_dim: 2 }", 1.0, Some("own"));
    assert!(chosen(&[bits, net, mixture, large]).is_empty());
    // Paths go between the same images, and generators without encoder stand back behind models that have one.
    let gan = || group("{ kind: gan, hidden: [4], latent_dim: 2 }", 1.0, None);
    let others = group("{ hidden: [4], latent_dim: 2, activation: tanh }", 1.0, Some("others"));
    assert_eq!(chosen(&[vae(2, 1.0), others, gan()]), [0]);
    assert_eq!(chosen(&[gan()]), [0]);
}

#[test]
fn planes_of_one_kind_of_latents_show_the_same_part_of_it() {
    assert_eq!(view(&[(0.0, 0.0)], LatentSpace::Normal), [(-2.12, 2.12); 2]);
    let [(left, right), (low, high)] = view(&[(0.0, 1.0), (10.0, 3.0)], LatentSpace::Codes);
    assert!((left + 0.3).abs() < 1e-9 && (right - 10.3).abs() < 1e-9, "{left} {right}");
    assert!((low - -3.8).abs() < 1e-9 && (high - 6.8).abs() < 1e-9, "{low} {high}");
}
