//! What stands beside what: on one figure, in one column, in bold.

use std::collections::BTreeMap;

use spec::FigureKind;

use crate::common::{Family, Look, experiment, fill, fill_families, measure_more};
use crate::{assert_readable, svgs};

/// The CSV of a table, by line and column.
fn table(store: &record::Store, experiment: &spec::Experiment, name: &str) -> Vec<BTreeMap<String, String>> {
    let path = store.sweep_dir(&experiment.name).join("tables").join(format!("{name}.csv"));
    let text = fs_err::read_to_string(path).unwrap();
    let fields = |line: &str| -> Vec<String> {
        let quoted = line.split('"').enumerate();
        let parts = quoted.map(|(i, part)| if i % 2 == 1 { part.replace(',', ";") } else { part.to_owned() });
        parts.collect::<String>().split(',').map(str::to_owned).collect()
    };
    let mut lines = text.lines().map(fields);
    let head = lines.next().unwrap();
    lines.map(|line| head.iter().cloned().zip(line).collect()).collect()
}

/// A GAN's loss is no bound, and a density over two dimensions is none over five: each has a column of its own.
#[test]
fn numbers_of_different_meanings_have_different_columns() {
    let text = "
name: meanings
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 1 }
sweep:
  grid: { model.kind: [vae, gan], model.latent_dim: [2, 5], training.seed: [0, 1] }
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let family =
        |cell: &spec::Cell| Some(if cell.model.kind == spec::ModelKind::Vae { Family::Vae } else { Family::Gan });
    let store = fill_families(root.path(), &experiment, Look::TINY, family);
    for cell in experiment.cells.iter().filter(|cell| cell.model.kind == spec::ModelKind::Vae) {
        let density = spec::Measurement {
            metric: spec::Metric::LatentLogDensity,
            split: spec::Split::Test,
            value: -3.0,
            standard_error: Some(0.1),
            n: 10_000,
            settings: spec::MetricSettings::default(),
        };
        let nll = spec::Measurement::nll(95.0, 0.5, 50, 20);
        record::RunEditor::open(&store.run(&cell.run_id())).unwrap().evaluation(&[density, nll]).unwrap();
    }
    figures::draw(&experiment, &store).unwrap();
    for line in table(&store, &experiment, "elbo-terms") {
        let is_vae = line["variant"] == "VAE";
        assert_eq!((!line["objective"].is_empty(), !line["generator_loss"].is_empty()), (is_vae, !is_vae), "{line:?}");
    }
    for line in table(&store, &experiment, "evaluation") {
        let density = |width: usize| !line[&format!("latent_log_density (test; {width} dimensions)")].is_empty();
        let of = |width: usize| line["variant"] == "VAE" && line["latent_dim"] == width.to_string();
        assert_eq!((density(2), density(5)), (of(2), of(5)), "{line:?}");
        assert!(line.contains_key("pseudo_nll (test; samples 20; 50 images)"), "{line:?}");
    }
    let svg = &svgs(&store.sweep_dir("meanings").join("figures"))["loss-curves.svg"];
    assert!(svg.contains("generator&apos;s loss") || svg.contains("generator's loss"), "a row of its own");
}

/// A bound that says little has a column of its own, and the caption says why.
#[test]
fn saturated_bounds_are_told_in_tables() {
    let text = "
name: saturated
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 1 }
sweep: { grid: { objective.beta: [0.25, 4] } }
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    for (cell, saturated) in experiment.cells.iter().zip([Some(true), None]) {
        let bound = |bound: spec::metric::Bound| spec::Measurement {
            metric: spec::Metric::MutualInformation,
            settings: spec::MetricSettings { bound: Some(bound), saturated, ..spec::MetricSettings::default() },
            ..spec::Measurement::nll(8.0, 0.1, 10_000, 1)
        };
        let rows = [spec::metric::Bound::Lower, spec::metric::Bound::Upper].map(bound);
        record::RunEditor::open(&store.run(&cell.run_id())).unwrap().evaluation(&rows).unwrap();
    }
    figures::draw(&experiment, &store).unwrap();
    for line in table(&store, &experiment, "evaluation") {
        let has = |settings: &str| !line[&format!("mutual_information (test; bound lower{settings})")].is_empty();
        let is_low = line["beta"] == "0.25";
        assert_eq!((has("; saturated"), has("")), (is_low, !is_low), "{line:?}");
    }
    let tex = store.sweep_dir("saturated").join("tables").join("evaluation.tex");
    assert!(fs_err::read_to_string(tex).unwrap().contains("Bounds called saturated say little"));
}

/// Of one seed nothing is known, and of few the interval says less than the seeds: no band hides them, none is promised.
#[test]
fn intervals_are_drawn_from_four_seeds_on() {
    let of = |n: usize| {
        let seeds: Vec<String> = (0..n).map(|seed| seed.to_string()).collect();
        let text = format!(
            "name: seeds\ndataset: {{ name: glyphs }}\nmodel: {{ hidden: [8], latent_dim: 2 }}\ntraining: {{ epochs: 3 }}\n\
             figures: [loss-curves, kl-per-dim]\nsweep: {{ grid: {{ training.seed: [{}] }} }}\n",
            seeds.join(", ")
        );
        let root = tempfile::tempdir().unwrap();
        let experiment = experiment(&text);
        let store = fill(root.path(), &experiment, Look::TINY, |_| true);
        figures::draw(&experiment, &store).unwrap();
        let svg = svgs(&store.sweep_dir("seeds").join("figures"))["loss-curves.svg"].clone();
        let page = fs_err::read_to_string(figures::report(&experiment, &store).unwrap()).unwrap();
        (svg.contains("opacity=\"0.2\""), page)
    };
    for (n, has_band, said) in [
        (1, false, "one seed, so without an interval"),
        (
            2,
            false,
            "mean over 2 seeds, too few for an interval: thin lines are the seeds themselves (of the test images).",
        ),
        (4, true, "mean over 4 seeds, with its 95 % t-interval (of the test images)."),
    ] {
        let (band, page) = of(n);
        assert_eq!(band, has_band, "{n} seeds");
        assert!(page.contains(said), "{n} seeds");
    }
}

/// Bold is what is better than every other beyond doubt.
#[test]
fn no_number_is_bold_whose_interval_overlaps_another() {
    let bold = |sweep: &str| {
        let text = format!(
            "name: bold\ndataset: {{ name: glyphs }}\nmodel: {{ hidden: [8], latent_dim: 2 }}\ntraining: {{ epochs: 3 }}\n\
             figures: []\nsweep: {{ grid: {{ {sweep} }} }}\n"
        );
        let root = tempfile::tempdir().unwrap();
        let experiment = experiment(&text);
        let store = fill(root.path(), &experiment, Look::TINY, |_| true);
        figures::draw(&experiment, &store).unwrap();
        fs_err::read_to_string(store.sweep_dir("bold").join("tables/elbo-terms.tex")).unwrap().contains("\\mathbf")
    };
    assert!(!bold("model.latent_dim: [2, 5]"), "a single seed");
    assert!(!bold("model.latent_dim: [20, 21], training.seed: [0, 1, 2]"), "intervals that overlap");
    assert!(bold("model.latent_dim: [2, 20], training.seed: [0, 1, 2, 3, 4]"), "intervals far apart");
}

/// A setting that changes with the latent width is told all the same, and no line joins models of different ones.
#[test]
fn what_is_zipped_with_the_latent_dimension_is_told() {
    let text = "
name: zipped
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 1 }
sweep: { zip: { model.latent_dim: [2, 5], model.activation: [relu, tanh] } }
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    figures::draw_kinds(&experiment, &store, &[FigureKind::ElboByLatentDim]).unwrap();
    let svg = &svgs(&store.sweep_dir("zipped").join("figures"))["elbo-by-latent-dim.svg"];
    for line in ["ReLU", "tanh"] {
        assert!(svg.contains(line), "{line} is not in {svg}");
    }
    let lines = table(&store, &experiment, "elbo-terms");
    assert_eq!(lines.iter().map(|line| line["variant"].as_str()).collect::<Vec<_>>(), ["ReLU", "tanh"]);
}

/// Rate and distortion of whatever has both: models that are no plain β-VAE are points beside its line.
#[test]
fn rate_and_distortion_are_shown_of_all_that_have_them() {
    let text = "
name: objectives
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 5 }
training: { epochs: 1 }
sweep:
  include:
    - { objective: { beta: 1 } }
    - { objective: { beta: 4 } }
    - { objective: { kind: { free-bits: { nats: 1 } }, beta: 4 } }
    - { model.kind: autoencoder }
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let family = |cell: &spec::Cell| {
        Some(if cell.model.kind == spec::ModelKind::Vae { Family::Vae } else { Family::Autoencoder })
    };
    let store = fill_families(root.path(), &experiment, Look::TINY, family);
    let drawn = figures::draw_kinds(&experiment, &store, &[FigureKind::RateDistortion]).unwrap();
    assert_eq!(drawn.skipped, []);
    let folder = store.sweep_dir("objectives").join("figures");
    assert_readable(&folder);
    let svg = &svgs(&folder)["rate-distortion.svg"];
    for line in ["β-VAE (β = 1, 4)", "free bits, 1 nat (β = 4)"] {
        assert!(svg.contains(line), "{line} is not in {svg}");
    }
    let experiment = spec::Experiment { figures: vec![FigureKind::RateDistortion], ..experiment };
    let page = fs_err::read_to_string(figures::report(&experiment, &store).unwrap()).unwrap();
    assert!(page.contains("Not shown (no KL beside a reconstruction): autoencoder."), "{page}");
}

/// Images are compared across likelihoods, and each row says which; nats are not.
#[test]
fn what_is_measured_in_images_is_on_one_figure() {
    let text = "
name: decoders
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 5 }
training: { epochs: 1 }
sweep:
  grid: { model.likelihood: [bernoulli, discretised-logistic, { gaussian: { sigma: 1 } }] }
  include:
    - { model: { kind: { gaussian-mixture: { components: 5 } } } }
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    measure_more(&store, &experiment, Look::TINY);
    figures::draw_kinds(&experiment, &store, FigureKind::ALL).unwrap();
    let found = svgs(&store.sweep_dir("decoders").join("figures"));
    for name in ["sharpness.svg", "reconstructions.svg", "samples.svg"] {
        let svg = found.get(name).unwrap_or_else(|| panic!("{name} is not in {:?}", found.keys()));
        for decoder in ["Bernoulli", "discretised logistic", "Gaussian, σ = 1", "Gaussian mixture over pixels"] {
            // A title may be broken into lines.
            assert!(decoder.split([',', ' ']).all(|part| svg.contains(part)), "{name} does not name {decoder}");
        }
        assert!(!svg.contains("D = 0"));
    }
    for scale in ["gray-bce", "gray-levels", "gaussian-density"] {
        assert!(found.contains_key(&format!("loss-curves-{scale}.svg")), "{:?}", found.keys());
    }
}

/// Where some models lack terms, rows of their own would leave panels empty.
#[test]
fn loss_curves_of_few_models_share_a_row() {
    let text = "
name: shared
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 3 }
sweep:
  grid: { model.kind: [autoencoder, vae] }
  include: [{ model.kind: vae, objective.beta: 0.1 }]
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let family = |cell: &spec::Cell| {
        Some(if cell.model.kind == spec::ModelKind::Vae { Family::Vae } else { Family::Autoencoder })
    };
    let store = fill_families(root.path(), &experiment, Look::TINY, family);
    figures::draw_kinds(&experiment, &store, &[FigureKind::LossCurves]).unwrap();
    let folder = store.sweep_dir("shared").join("figures");
    assert_readable(&folder);
    let svg = &svgs(&folder)["loss-curves.svg"];
    assert_eq!(svg.matches("nats per image").count(), 1, "one row of panels");
    for label in ["\nautoencoder\n", "\nVAE, β = 0.1\n", "\nVAE, β = 1\n"] {
        assert!(svg.contains(label), "{label} is not in {svg}");
    }
    assert!(!svg.contains("no β"));
}

/// A row is called by what a model has, never by what it lacks, where there is room for all of them in one list.
#[test]
fn no_row_is_called_by_what_its_model_lacks() {
    let text = "
name: lacking
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 3 }
sweep:
  grid: { model.kind: [autoencoder, vae] }
  include: [{ model.kind: vae, objective.beta: 0.1 }]
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let family = |cell: &spec::Cell| {
        Some(if cell.model.kind == spec::ModelKind::Vae { Family::Vae } else { Family::Autoencoder })
    };
    let store = fill_families(root.path(), &experiment, Look::TINY, family);
    measure_more(&store, &experiment, Look::TINY);
    let kinds = [FigureKind::Reconstructions, FigureKind::Sharpness, FigureKind::SampleSources, FigureKind::LossCurves];
    figures::draw_kinds(&experiment, &store, &kinds).unwrap();
    let found = svgs(&store.sweep_dir("lacking").join("figures"));
    assert_eq!(found.len(), kinds.len());
    for (name, svg) in &found {
        assert!(!svg.contains("no β"), "{name}");
        assert!(["autoencoder\n", "VAE, β = 0.1\n", "VAE, β = 1\n"].iter().all(|label| svg.contains(label)), "{name}");
    }
}

/// Rows of models with other losses share no columns where that would leave panels empty; and epochs that only some models
/// were trained for take no room where these have nothing.
#[test]
fn panels_are_not_left_empty() {
    let text = "
name: filled
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 3 }
sweep:
  grid: { model.kind: [vae] }
  include: [{ model.kind: gan, training.epochs: 9 }]
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let family =
        |cell: &spec::Cell| Some(if cell.model.kind == spec::ModelKind::Vae { Family::Vae } else { Family::Gan });
    let store = fill_families(root.path(), &experiment, Look::TINY, family);
    figures::draw_kinds(&experiment, &store, &[FigureKind::LossCurves, FigureKind::KlPerDim]).unwrap();
    let folder = store.sweep_dir("filled").join("figures");
    assert_readable(&folder);
    let found = svgs(&folder);
    let count = |text: &str| found["loss-curves.svg"].matches(text).count();
    // Four panels of the VAE, and two of the GAN that are as wide as the page.
    assert_eq!((count("\nepoch\n"), count("\nobjective\n"), count("nats per image")), (6, 2, 2));
    // The objective has the epochs of both in both of its panels.
    assert_eq!((count("\n3\n"), count("\n8\n")), (3, 3));
    // A single panel takes the page's width: its axis begins at the left.
    let title = found["kl-per-dim.svg"].split("<text").find(|text| text.contains("KL (nats per image)")).unwrap();
    let x: f64 = title.split("x=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().parse().unwrap();
    assert!(x < 200.0, "{title}");
}
