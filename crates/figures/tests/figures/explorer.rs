//! The latent explorer in the report: which decoders it holds, that they decode as the stored ones, and what is there without scripts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::Store;
use record::tensors::{Dtype, StoredTensor, TensorFile};
use serde_json::Value;
use spec::{Cell, Experiment, ModelKind};

use crate::common::{Family, Look, experiment, fill_families};

const MODELS: &str = "
name: models
dataset: { name: mnist }
model: { hidden: [6], latent_dim: 2 }
training: { epochs: 2 }
figures: [loss-curves]
sweep:
  grid: { objective.beta: [0.5, 1] }
  include: [{ model.kind: autoencoder }, { model.latent_dim: 5 }]
";

/// Weights in −1…1 of a decoder for images of 4×4 pixels.
fn weights(cell: &Cell) -> Vec<(&'static str, Vec<f32>)> {
    let n = cell.model.latent_dim;
    let beta = cell.objective.beta as f32;
    let wave = |n: usize, turn: f32| (0..n).map(|i| (i as f32 * turn + beta).sin()).collect::<Vec<f32>>();
    vec![
        ("decoder.0.weight", wave(6 * n, 2.3)),
        ("decoder.0.bias", wave(6, 1.1)),
        ("decoder.2.weight", wave(16 * 6, 0.7)),
        ("decoder.2.bias", wave(16, 3.1)),
    ]
}

/// Made-up runs with models on record.
fn filled(text: &str, folder: &std::path::Path) -> (Experiment, Store) {
    let experiment = experiment(text);
    let family = |cell: &Cell| match cell.model.kind {
        ModelKind::Autoencoder => Family::Autoencoder,
        ModelKind::Gan { .. } => Family::Gan,
        _ => Family::Vae,
    };
    let store = fill_families(folder, &experiment, Look::TINY, |cell| Some(family(cell)));
    for cell in &experiment.cells {
        let tensor = |(name, values): (&str, Vec<f32>)| StoredTensor {
            name: match cell.model.kind {
                ModelKind::Gan { .. } => name.replace("decoder", "generator"),
                _ => name.to_owned(),
            },
            dtype: Dtype::F32,
            shape: vec![values.len()],
            bytes: values.into_iter().flat_map(f32::to_le_bytes).collect(),
        };
        let tensors = weights(cell).into_iter().map(tensor).collect();
        let file = TensorFile { tensors, ..TensorFile::default() };
        fs_err::write(store.run(&cell.run_id()).model_file(), file.to_bytes().unwrap()).unwrap();
    }
    (experiment, store)
}

fn page(text: &str) -> String {
    let root = tempfile::tempdir().unwrap();
    let (experiment, store) = filled(text, root.path());
    fs_err::read_to_string(figures::report(&experiment, &store).unwrap()).unwrap()
}

/// What the page's program reads.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"explorer-data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

fn bytes(text: &Value) -> Vec<u8> {
    STANDARD.decode(text.as_str().unwrap()).unwrap()
}

fn floats(text: &Value) -> Vec<f64> {
    bytes(text).chunks(4).map(|four| f64::from(f32::from_le_bytes(four.try_into().unwrap()))).collect()
}

/// W·x + b by a map of the page.
fn by_page(map: &Value, x: &[f64]) -> Vec<f64> {
    let (scale, bias) = (floats(&map["scale"]), floats(&map["bias"]));
    let weight: Vec<f64> = bytes(&map["weight"]).into_iter().map(|byte| f64::from(byte.cast_signed())).collect();
    let sum = |row: &[f64]| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    weight.chunks(x.len()).zip(scale.iter().zip(&bias)).map(|(row, (scale, bias))| bias + scale * sum(row)).collect()
}

fn by_weights(weight: &[f32], bias: &[f32], x: &[f64]) -> Vec<f64> {
    let sum = |row: &[f32]| row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>();
    weight.chunks(x.len()).zip(bias).map(|(row, bias)| f64::from(*bias) + sum(row)).collect()
}

#[test]
fn the_page_holds_decoders_that_decode_as_the_stored_ones_do() {
    let page = page(MODELS);
    let data = data(&page);
    let labels: Vec<&str> = data["models"].as_array().unwrap().iter().map(|m| m["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["Autoencoder", "VAE, β = 1", "VAE, β = 0.5"]);
    let cells = experiment(MODELS).cells;
    let cell = |kind: ModelKind, beta: f64| {
        let is_it = |cell: &&Cell| cell.model.kind == kind && cell.objective.beta == beta && cell.model.latent_dim == 2;
        cells.iter().find(is_it).unwrap()
    };
    let own = [cell(ModelKind::Autoencoder, 1.0), cell(ModelKind::Vae, 1.0), cell(ModelKind::Vae, 0.5)];
    for (model, cell) in data["models"].as_array().unwrap().iter().zip(own) {
        let weights = weights(cell);
        let layers = &model["decoder"]["layers"];
        assert_eq!(
            (layers[0]["activation"].as_str(), model["decoder"]["mean"].as_str()),
            (Some("relu"), Some("sigmoid"))
        );
        let view: Vec<[f64; 2]> = serde_json::from_value(model["plane"]["view"].clone()).unwrap();
        let stated = model["largest"].as_f64().unwrap();
        let mut largest = 0.0_f64;
        for i in 0..441 {
            let at = |axis: usize, step: usize| view[axis][0] + (view[axis][1] - view[axis][0]) * step as f64 / 20.0;
            let z = [at(0, i % 21), at(1, i / 21)];
            let relu = |x: Vec<f64>| x.into_iter().map(|x| x.max(0.0)).collect::<Vec<f64>>();
            let sigmoid = |x: &f64| 1.0 / (1.0 + (-x).exp());
            let by_page = by_page(&layers[1]["map"], &relu(by_page(&layers[0]["map"], &z)));
            let by_run = by_weights(&weights[2].1, &weights[3].1, &relu(by_weights(&weights[0].1, &weights[1].1, &z)));
            let difference = by_page.iter().zip(&by_run).map(|(a, b)| (sigmoid(a) - sigmoid(b)).abs());
            largest = difference.fold(largest, f64::max);
        }
        assert!((largest - stated).abs() < 1e-9, "{}: {largest}, and the page says {stated}", model["label"]);
    }
    // Codes are those of the images beside them: the first of each class.
    let names: Vec<&str> = data["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names[0].ends_with(", class 0") && names[1].ends_with(", class 1"), "{names:?}");
    assert_eq!(data["models"][1]["codes"].as_array().unwrap().len(), data["originals"].as_array().unwrap().len());
}

#[test]
fn without_scripts_there_is_a_picture_that_says_what_it_is() {
    let page = page(MODELS);
    let (_, section) = page.split_once("<section id=\"explorer\">").unwrap();
    let section = section.split_once("</section>").unwrap().0;
    assert!(section.contains("<div class=\"plate still\">\n<svg") && section.contains("data:image/png;base64,"));
    for said in [
        "Autoencoder, VAE, β = 1 and VAE, β = 0.5; D = 2, seed 0.",
        "Decoder means along the straight line between the codes of two test images",
        "Weights are rounded to 8 bits: a pixel is off by ",
        "(white is 1), measured at 441 points of the plane. One other setting is left out.",
    ] {
        assert!(section.contains(said), "`{said}` is not in the caption");
    }
    for outside in ["http://", "https://", "import(", "fetch(", "src="] {
        let program = page.split("<script>").nth(1).unwrap();
        assert!(!program.replace("http://www.w3.org/2000/svg", "").contains(outside), "`{outside}`");
    }
}

#[test]
fn labels_do_not_end_the_script_that_they_stand_in() {
    let text = MODELS.replace("include: [{ model.kind: autoencoder }, { model.latent_dim: 5 }]", "");
    let root = tempfile::tempdir().unwrap();
    let (experiment, store) = filled(&text, root.path());
    for cell in &experiment.cells {
        let run = store.run(&cell.run_id());
        let mut arrays = run.arrays().unwrap();
        arrays.class_names = (0..10).map(|class| format!("</script>{class}<b>")).collect();
        record::RunEditor::open(&run).unwrap().arrays(&arrays).unwrap();
    }
    let page = fs_err::read_to_string(figures::report(&experiment, &store).unwrap()).unwrap();
    assert_eq!(data(&page)["classes"][3]["name"], "</script>3<b>");
}

#[test]
fn a_report_without_such_decoders_says_why() {
    let root = tempfile::tempdir().unwrap();
    let (experiment, store) = filled(MODELS, root.path());
    for cell in &experiment.cells {
        fs_err::remove_file(store.run(&cell.run_id()).model_file()).unwrap();
    }
    let page = fs_err::read_to_string(figures::report(&experiment, &store).unwrap()).unwrap();
    assert!(!page.contains("explorer-data") && !page.contains("id=\"explorer\""));
    assert!(page.contains("<li>Latent explorer: no finished run with a dense decoder has its weights on record.</li>"));
    let convolutional =
        MODELS.replace("hidden: [6]", "net: { conv: { channels: [2], kernel: 3, stride: 2 } }, hidden: []");
    let page = self::page(&convolutional);
    assert!(
        page.contains("<li>Latent explorer: no finished run has a dense decoder that fits into the page"),
        "{page}"
    );
}

#[test]
fn generators_without_an_encoder_are_moved_along_their_dimensions() {
    let gan = "
name: gan
dataset: { name: mnist }
model: { kind: gan, hidden: [6], latent_dim: 5 }
training: { epochs: 2 }
figures: [loss-curves]
";
    let page = page(gan);
    let data = data(&page);
    let model = &data["models"][0];
    assert_eq!((data["originals"].as_array().unwrap().len(), model["codes"].as_array().unwrap().len()), (0, 0));
    assert_eq!(model["plane"], Value::Null);
    let dimensions = model["dimensions"].as_array().unwrap();
    assert_eq!(dimensions.len(), 5);
    assert_eq!((dimensions[0]["low"].as_f64(), dimensions[0]["high"].as_f64()), (Some(-3.0), Some(3.0)));
    assert!(page.contains("Decoder means along the first latent dimension, the others at 0"));
}
