//! Decoders by hand, weights of 8 bits against those that are stored, and which models are chosen.

use record::tensors::{Dtype, StoredTensor, TensorFile};
use spec::{Cell, ImageShape};

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
        ("gaussian-spectral", 6, clamped(&output)),
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

/// Integers that are the nearest to each weight for itself, as a decoder.
fn nearest(stored: &Decoder<Dense>) -> Decoder<Quantised> {
    let map = |dense: &Dense| {
        let inputs = dense.weight.len() / dense.bias.len();
        let step = |row: &[f32]| row.iter().fold(0.0, |most: f32, w| most.max(w.abs())) / 127.0;
        let scale: Vec<f32> = dense.weight.chunks(inputs).map(step).collect();
        let row = |(row, step): (&[f32], f32)| row.iter().map(|w| (w / step).round() as i8).collect::<Vec<i8>>();
        let weight = dense.weight.chunks(inputs).zip(scale.iter().copied()).flat_map(row).collect();
        Quantised { weight, scale, bias: dense.bias.clone() }
    };
    Decoder { layers: stored.layers.iter().map(|layer| layer.map(map)).collect(), mean: stored.mean }
}

#[test]
fn weights_of_8_bits_decode_nearly_as_the_stored_ones_do() {
    let (hidden, pixels) = (40, 300);
    let image = ImageShape { channels: 3, height: 10, width: 10 };
    let tensors = [
        ("decoder.0.weight", 2 * hidden),
        ("decoder.0.bias", hidden),
        ("decoder.2.weight", hidden * pixels),
        ("decoder.2.bias", pixels),
    ];
    let stored =
        Decoder::read(&cell(&format!("{{ hidden: [{hidden}], latent_dim: 2 }}")), image, &file(&tensors)).unwrap();
    let view = [(-3.0, 3.0), (-3.0, 3.0)];
    let small = quantised(&stored, &grid(view, 15));
    // Every row has the step by which its largest weight takes all 8 bits, and its own biases.
    let [Layer::Activated(_, _), Layer::Output(last)] = &stored.layers[..] else { panic!("{stored:?}") };
    let [Layer::Activated(_, _), Layer::Output(small_last)] = &small.layers[..] else { panic!("{small:?}") };
    assert_eq!((&last.bias, small_last.weight.len()), (&small_last.bias, last.weight.len()));
    for (row, step) in last.weight.chunks(hidden).zip(&small_last.scale) {
        assert_eq!(row.iter().fold(0.0, |most: f32, w| most.max(w.abs())) / 127.0, *step);
    }
    // Between the points by which they were rounded, too, the images are those of the stored weights.
    let points = grid(view, 21);
    let measured = deviation(&stored, &small, &points);
    let (mut largest, mut sum) = (0.0_f64, 0.0);
    for z in &points {
        let (one, other) = (stored.decode(z), small.decode(z));
        for (one, other) in one.iter().zip(&other) {
            largest = largest.max((one - other).abs());
            sum += (one - other).abs();
        }
    }
    let mean = sum / (441.0 * 300.0);
    assert!(measured.n_points == 441 && measured.largest == largest && (measured.mean - mean).abs() < 1e-12);
    assert!(largest < 0.01 && mean < 0.001, "{measured:?}");
    let plain = deviation(&stored, &nearest(&stored), &points);
    assert!(2.0 * measured.largest < plain.largest && 3.0 * measured.mean < plain.mean, "{measured:?} {plain:?}");

    // Inputs that are nowhere on, and rows of zeros, are no trouble.
    let dense = |weight: Vec<f32>, bias: Vec<f32>| Dense { weight, bias };
    let dead = Decoder {
        layers: vec![
            Layer::Activated(dense(vec![0.0, 0.0, 1.0, 0.0], vec![-1.0, 0.0]), spec::Activation::Relu),
            Layer::Output(dense(vec![3.0, 0.5, 0.0, 0.0], vec![0.0, 0.25])),
        ],
        mean: Mean::Clamp,
    };
    assert!(largest_difference(&quantised(&dead, &grid(view, 15)).decode(&Z), &[0.35, 0.25]) < 0.01);
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
    assert_eq!(view(&[(0.0, 0.0)], &[], LatentSpace::Normal), [(-2.12, 2.12); 2]);
    let [(left, right), (low, high)] = view(&[(0.0, 1.0), (10.0, 3.0)], &[], LatentSpace::Codes);
    assert!((left + 0.3).abs() < 1e-9 && (right - 10.3).abs() < 1e-9, "{left} {right}");
    assert!((low - -3.8).abs() < 1e-9 && (high - 6.8).abs() < 1e-9, "{low} {high}");
    // One outlier among a thousand points is not shown, unless a path ends there.
    let mut points: Vec<(f64, f64)> = (0..999).map(|i| (f64::from(i % 2), 0.0)).collect();
    points.push((100.0, 0.0));
    assert!(view(&points, &[], LatentSpace::Normal)[0].1 < 3.0);
    assert!(view(&points, &[(100.0, 0.0)], LatentSpace::Normal)[0].1 > 100.0);

    let model = |space: LatentSpace, view: [(f64, f64); 2]| Explored {
        label: String::new(),
        run: cell("{ hidden: [4], latent_dim: 2 }").run_id(),
        seed: 0,
        space,
        decoder: Decoder { layers: Vec::new(), mean: Mean::Clamp },
        dimensions: Vec::new(),
        codes: Vec::new(),
        plane: Some(Plane { view, points: Vec::new(), classes: Vec::new(), n_stored: 0 }),
        deviation: Deviation::default(),
    };
    let mut models = [
        model(LatentSpace::Normal, [(-2.0, 2.0), (-2.0, 2.0)]),
        model(LatentSpace::Codes, [(-9.0, 9.0), (-9.0, 9.0)]),
        model(LatentSpace::Normal, [(-3.0, 5.0), (-4.0, 4.0)]),
    ];
    share_views(&mut models);
    let views: Vec<[(f64, f64); 2]> = models.iter().map(|model| model.plane.as_ref().unwrap().view).collect();
    assert_eq!(views, [[(-3.0, 5.0), (-4.0, 4.0)], [(-9.0, 9.0), (-9.0, 9.0)], [(-3.0, 5.0), (-4.0, 4.0)]]);
}
