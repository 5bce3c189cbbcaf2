//! `elbo decode`, `traverse` and paths that move, with the real `elbo-train`, against products of the stored weights.

use record::ArrayName;

use crate::models::{RUN, TINY, array, distance, out, size, trained};
use crate::support::Place;

/// The little-endian numbers of a tensor of a run's model.
fn tensor(place: &Place, name: &str) -> Vec<f32> {
    let file = record::tensors::TensorFile::read(&place.store().find(RUN).unwrap().model_file()).unwrap();
    let tensor = file.tensors.into_iter().find(|tensor| tensor.name == name).unwrap();
    tensor.bytes.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// The decoder of [`TINY`] by hand: W₂·relu(W₁·z + b₁) + b₂ behind a sigmoid, in double precision.
fn decoded(place: &Place, z: &[f64]) -> Vec<f32> {
    let map = |layer: usize, x: &[f64]| -> Vec<f64> {
        let [weight, bias] = ["weight", "bias"].map(|part| tensor(place, &format!("decoder.{layer}.{part}")));
        let rows = weight.chunks(x.len()).zip(bias);
        rows.map(|(row, bias)| f64::from(bias) + row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>())
            .collect()
    };
    let hidden: Vec<f64> = map(0, z).into_iter().map(|value| value.max(0.0)).collect();
    map(2, &hidden).into_iter().map(|logit| (1.0 / (1.0 + (-logit).exp())) as f32).collect()
}

#[test]
fn latents_that_are_named_are_decoded_as_the_stored_weights_say() {
    let place = trained(TINY);
    assert_eq!(out(&place, &format!("decode {RUN} --z 0.5,-1,2 --z=-3,0,0.25 -o a.npy")), "a.npy\n");
    let images = array(&place, "a.npy");
    assert_eq!(images.shape, [2, 1, 28, 28]);
    let expected = [decoded(&place, &[0.5, -1.0, 2.0]), decoded(&place, &[-3.0, 0.0, 0.25])].concat();
    assert!(distance(&images.values, &expected) < 1e-5);
    // A row of three images, twice as large, with lines of two pixels between them.
    out(&place, &format!("decode {RUN} --z 0,0,0 --z 1,0,0 --z 2,0,0 -o a.png"));
    assert_eq!(size(&std::fs::read(place.path("a.png")).unwrap()), [176, 60]);
    out(&place, &format!("decode {RUN} --z 0,0,0 --decoder sample -o a.npy"));
    assert!(array(&place, "a.npy").values.iter().all(|&value| value == 0.0 || value == 1.0));
    for (arguments, complaint) in [
        ("--z 1,2 -o b.png", "2 coordinates are given, and the latents of `"),
        ("--z 1 -o b.png", "hint: give all of them, separated by commas, as in `--z 0,0,0`"),
        ("--z 1,2,x -o b.png", "expected a number for each latent dimension, such as `0.5,-1`"),
        ("--z 1,2,inf -o b.png", "expected a number for each latent dimension"),
        ("--z 1,2,3 -o b.gif", "let the name end in `.png` or `.npy`"),
        ("-o b.png", "required"),
    ] {
        let said = place.elbo(&format!("decode {RUN} {arguments}"));
        assert!(said.code == Some(2) && said.err.contains(complaint), "{arguments}: {said:?}");
    }
}

#[test]
fn each_dimension_is_moved_through_its_range_the_largest_kl_first() {
    let place = trained(TINY);
    let run = place.store().find(RUN).unwrap();
    let said = out(&place, &format!("traverse {RUN} --steps 3 -o a.npy --json"));
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let rows = said["dimensions"].as_array().unwrap();
    let kl: Vec<f64> = rows.iter().map(|row| row["kl"].as_f64().unwrap()).collect();
    let last = run.metrics().unwrap().into_iter().rfind(|row| row.split == spec::Split::Test).unwrap().kl_per_dim;
    let mut sorted = last.clone();
    sorted.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(kl, sorted);
    let images = array(&place, "a.npy");
    assert_eq!(images.shape, [3, 3, 1, 28, 28]);
    let codes = run.array(ArrayName::LatentMean).unwrap().unwrap().values;
    let log_variances = run.array(ArrayName::LatentLogVariance).unwrap().unwrap().values;
    for (row, images) in rows.iter().zip(images.values.chunks(3 * 784)) {
        let index = row["dimension"].as_u64().unwrap() as usize - 1;
        assert_eq!(row["kl"].as_f64().unwrap(), last[index]);
        let of = |values: &[f32]| values.chunks(3).map(|code| f64::from(code[index])).collect::<Vec<_>>();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let centre = mean(&of(&codes));
        let spread = mean(&of(&codes).iter().map(|code| (code - centre).powi(2)).collect::<Vec<_>>());
        let half = 3.0 * (spread + mean(&of(&log_variances).into_iter().map(f64::exp).collect::<Vec<_>>())).sqrt();
        let ends = [centre - half, centre + half];
        for (told, end) in [&row["low"], &row["high"]].into_iter().zip(ends) {
            assert!((told.as_f64().unwrap() - end).abs() < 1e-4, "{row}");
        }
        assert_eq!(row["active"].as_bool().unwrap(), spread > 0.01);
        for (step, value) in [(0, ends[0]), (1, centre), (2, ends[1])] {
            let mut z = [0.0; 3];
            z[index] = value;
            assert!(distance(&images[step * 784..(step + 1) * 784], &decoded(&place, &z)) < 1e-4, "{row} {step}");
        }
    }
    // The others at the code of an image, all of one range; each row is told.
    let said = place.elbo(&format!("traverse {RUN} --image 7 --range -2,2 --steps 5 -o b.npy"));
    assert_eq!((said.code, said.out.as_str()), (Some(0), "b.npy\n"), "{said:?}");
    let first = rows[0]["dimension"].as_u64().unwrap() as usize;
    let told = format!("row 1: z{first}, KL {:.2} nats, from -2.00 to 2.00", kl[0]);
    assert!(said.err.starts_with(&told) && said.err.lines().count() == 3, "{}", said.err);
    let mut z: Vec<f64> = codes[21..24].iter().map(|&value| f64::from(value)).collect();
    z[first - 1] = -1.0;
    assert!(distance(&array(&place, "b.npy").values[784..2 * 784], &decoded(&place, &z)) < 1e-4);
    let said = place.elbo(&format!("traverse {RUN} -o a.png"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(size(&std::fs::read(place.path("a.png")).unwrap()), [11 * 58 + 2, 3 * 58 + 2]);
    for (arguments, complaint) in [
        ("--image 60 -o c.png", "there is no test image 60\nhint: they are counted from 0, so the last is 59"),
        ("--range 2,-2 -o c.png", "the smaller one first, such as `-3,3`"),
        ("--steps 100000000 -o c.png", "do not fit into the free memory\nhint: use `--steps "),
    ] {
        let said = place.elbo(&format!("traverse {RUN} {arguments}"));
        assert!(said.code == Some(2) && said.err.contains(complaint), "{arguments}: {said:?}");
    }
}

/// Frames of a GIF and whether it goes on for ever, by its blocks.
fn frames(gif: &[u8]) -> (usize, bool) {
    assert_eq!(&gif[..6], b"GIF89a");
    let forever = gif.windows(16).any(|window| window == b"NETSCAPE2.0\x03\x01\x00\x00\x00");
    // A graphic control extension stands before every image.
    (gif.windows(3).filter(|window| window == b"\x21\xf9\x04").count(), forever)
}

#[test]
fn a_path_that_moves_goes_there_and_back() {
    let place = trained(TINY);
    assert_eq!(out(&place, &format!("interpolate {RUN} --test 5,4 --steps 6 -o a.gif")), "a.gif\n");
    let gif = std::fs::read(place.path("a.gif")).unwrap();
    assert_eq!(frames(&gif), (10, true));
    assert_eq!([6, 8].map(|at| u16::from_le_bytes([gif[at], gif[at + 1]])), [224, 224]);
    out(&place, &format!("interpolate {RUN} --test 5,4 -o a.gif"));
    assert_eq!(frames(&std::fs::read(place.path("a.gif")).unwrap()), (78, true));
}

#[test]
fn generators_without_an_encoder_decode_and_are_moved_but_not_from_an_image() {
    let gan = "
name: tiny
dataset: { name: glyphs, train_images: 600, test_images: 60 }
model: { kind: gan, hidden: [16], latent_dim: 2 }
training: { epochs: 1 }
";
    let place = trained(gan);
    let name = place.store().runs().unwrap().runs[0].manifest.name.clone();
    out(&place, &format!("decode {name} --z -3,0 --z 3,0 -o a.npy"));
    let said = place.elbo(&format!("traverse {name} --steps 2 -o b.npy"));
    let told = "row 1: z1, from -3.00 to 3.00\nrow 2: z2, from -3.00 to 3.00\n";
    assert_eq!((said.code, said.err.as_str()), (Some(0), told));
    let [points, row] = ["a.npy", "b.npy"].map(|file| array(&place, file).values);
    assert!(distance(&points, &row[..points.len()]) < 1e-6);
    let said = place.elbo(&format!("traverse {name} --image 0 -o c.png"));
    let complaint = "has no encoder, hence no code of a test image\nhint: leave out `--image`";
    assert!(said.code == Some(2) && said.err.contains(complaint), "{said:?}");
}
