//! What cells come out of a spec: sections and shorthands, sweeps, overrides, axes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use spec::{Cell, Device, Experiment, FigureKind, Likelihood, Optimizer, OwnKind, OwnSource, Pixels, Source};

const BASE: &str = "
name: x
dataset: { name: glyphs }
model: { hidden: [400], latent_dim: 20 }
";

fn parse(text: &str) -> Experiment {
    parse_with(text, &[])
}

fn parse_with(text: &str, overrides: &[&str]) -> Experiment {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    Experiment::parse("x.yaml", text.as_bytes(), &overrides).unwrap_or_else(|error| panic!("error: {error}"))
}

fn sweep(section: &str) -> Experiment {
    parse(&format!("{BASE}sweep:\n{section}"))
}

/// The values of each cell at some paths.
fn table(experiment: &Experiment, paths: &[&str]) -> Value {
    let row = |cell: &Cell| paths.iter().map(|path| cell.value_at(path).unwrap()).collect::<Value>();
    experiment.cells.iter().map(row).collect()
}

#[test]
fn the_example_of_the_design() {
    let experiment = parse(
        "
name: latent-dims
dataset:   { name: mnist, pixels: gray }
model:     { kind: vae, hidden: [400], activation: relu, latent_dim: 20, likelihood: bernoulli }
objective: { beta: 1.0 }
optimizer: { adam: { learning_rate: 1e-3 } }
training:  { epochs: 20, batch_size: 128, seed: 0, precision: f32 }
sweep:
  grid: { model.latent_dim: [2, 5, 10, 20], objective.beta: [0.5, 1, 4], training.seed: [0, 1, 2] }
figures: [loss-curves, reconstructions]
",
    );
    assert_eq!(experiment.cells.len(), 36);
    assert_eq!(experiment.cells[0].readable_name(), "vae-mnist-z2-b0.5-s0");
    assert_eq!(experiment.cells[1].readable_name(), "vae-mnist-z2-b0.5-s1");
    assert_eq!(experiment.cells[35].readable_name(), "vae-mnist-z20-b4-s2");
    assert_eq!(experiment.figures, [FigureKind::LossCurves, FigureKind::Reconstructions]);
    let paths: Vec<&str> = experiment.axes.iter().map(|axis| axis.path.as_str()).collect();
    assert_eq!(paths, ["model.latent_dim", "objective.beta", "training.seed"]);
    assert_eq!(experiment.axes[1].values, [json!(0.5), json!(1.0), json!(4.0)]);
}

#[test]
fn what_is_left_out_has_its_default() {
    let experiment = parse(BASE);
    let [cell] = &experiment.cells[..] else { panic!("one cell") };
    assert_eq!(cell.training.epochs, 20);
    assert_eq!(cell.training.batch_size, 128);
    assert_eq!(cell.objective.beta, 1.0);
    assert_eq!(cell.dataset.pixels, Pixels::Gray);
    assert_eq!(cell.optimizer, Optimizer::default());
    assert_eq!(experiment.axes, []);
    assert_eq!(experiment.execution.device, Device::Cpu);
    let blank = parse(&format!("{BASE}objective:\noptimizer:\ntraining: {{}}\nsweep:\nexecution:\nfigures:\n"));
    assert_eq!(Experiment { written: experiment.written.clone(), ..blank }, experiment);
}

#[test]
fn a_word_is_a_variant_with_its_defaults() {
    let likelihood = |text: &str| {
        let text = format!(
            "name: x\ndataset: {{ name: glyphs }}\nmodel: {{ hidden: [4], latent_dim: 2, likelihood: {text} }}\n"
        );
        parse(&text).cells[0].model.likelihood
    };
    for text in
        ["gaussian", "{ gaussian: { sigma: 1 } }", "{ gaussian: { sigma: 1.0 } }", "{ gaussian: {} }", "{ gaussian: }"]
    {
        assert_eq!(likelihood(text), Likelihood::Gaussian { sigma: 1.0 }, "{text}");
    }
    for text in ["bernoulli", "\"bernoulli\"", "{ bernoulli: }", "{ bernoulli: {} }"] {
        assert_eq!(likelihood(text), Likelihood::Bernoulli, "{text}");
    }
    for text in ["adam", "{ adam: }", "{ adam: { beta1: 0.9 } }"] {
        assert_eq!(parse(&format!("{BASE}optimizer: {text}\n")).cells[0].optimizer, Optimizer::default(), "{text}");
    }
}

#[test]
fn grid_zip_and_random_are_multiplied() {
    let experiment = sweep(
        "  grid: { model.latent_dim: [2, 5] }
  zip: { objective.beta: [1, 4], training.epochs: [10, 40] }
  random: { count: 2, training.seed: { integer: [0, 1000000] } }\n",
    );
    let rows = table(&experiment, &["model.latent_dim", "objective.beta", "training.epochs"]);
    assert_eq!(
        rows,
        json!([
            [2, 1.0, 10],
            [2, 1.0, 10],
            [2, 4.0, 40],
            [2, 4.0, 40],
            [5, 1.0, 10],
            [5, 1.0, 10],
            [5, 4.0, 40],
            [5, 4.0, 40]
        ])
    );
    let seeds: Vec<u64> = experiment.cells.iter().map(|cell| cell.training.seed).collect();
    assert_eq!(seeds[..2], seeds[2..4]);
    assert_eq!(seeds[..4], seeds[4..]);
    assert_ne!(seeds[0], seeds[1]);
}

#[test]
fn the_largest_sweep() {
    let seeds: Vec<String> = (0..spec::MAX_CELLS).map(|seed| seed.to_string()).collect();
    let experiment = sweep(&format!("  grid: {{ training.seed: [{}] }}\n", seeds.join(", ")));
    assert_eq!(experiment.cells.len(), spec::MAX_CELLS);
    assert_eq!(experiment.axes[0].values.len(), spec::MAX_CELLS);
    assert_eq!(experiment.cells[9_999].training.seed, 9_999);
}

#[test]
fn random_draws_are_the_same_everywhere_and_do_not_depend_on_each_other() {
    let draws = |section: &str, path: &str| table(&sweep(&format!("  random: {section}\n")), &[path]);
    let three = draws(
        "{ count: 3, seed: 7, optimizer.adam.learning_rate: { log-uniform: [1e-4, 1e-1] } }",
        "optimizer.adam.learning_rate",
    );
    insta::assert_snapshot!("log-uniform", three);
    let five = draws(
        "{ count: 5, seed: 7, objective.beta: { uniform: [0, 4] }, optimizer.adam.learning_rate: { log-uniform: [1e-4, 1e-1] } }",
        "optimizer.adam.learning_rate",
    );
    assert_eq!(five.as_array().unwrap()[..3], three.as_array().unwrap()[..]);
    insta::assert_snapshot!("uniform", draws("{ count: 4, objective.beta: { uniform: [0, 4] } }", "objective.beta"));
    insta::assert_snapshot!(
        "integer",
        draws("{ count: 6, model.latent_dim: { integer: [1, 64] } }", "model.latent_dim")
    );
    insta::assert_snapshot!(
        "choice",
        draws("{ count: 6, seed: 1, model.hidden: { choice: [[400], [200, 100], []] } }", "model.hidden")
    );
}

#[test]
fn random_draws_stay_in_their_range_and_fill_it() {
    let experiment = sweep(
        "  random: { count: 2000, objective.beta: { uniform: [1, 3] }, model.latent_dim: { integer: [1, 4] }, optimizer.adam.learning_rate: { log-uniform: [1e-4, 1e-2] } }\n",
    );
    let cells = &experiment.cells;
    let mean = |value: fn(&Cell) -> f64| cells.iter().map(value).sum::<f64>() / cells.len() as f64;
    assert!((mean(|cell| cell.objective.beta) - 2.0).abs() < 0.05);
    assert!((mean(|cell| cell.model.latent_dim as f64) - 2.5).abs() < 0.1);
    let rate = |cell: &Cell| match &cell.optimizer {
        Optimizer::Adam(adam) => adam.learning_rate,
    };
    assert!(cells.iter().all(|cell| (1e-4..=1e-2).contains(&rate(cell)) && (1.0..=3.0).contains(&cell.objective.beta)));
    let below = cells.iter().filter(|cell| rate(cell) < 1e-3).count();
    assert!((900..1100).contains(&below), "half of the draws are below the geometric mean, not {below}");
}

#[test]
fn exclude_takes_away_and_include_adds() {
    let experiment = sweep(
        "  grid: { model.latent_dim: [2, 20], objective.beta: [1, 4] }
  exclude: [{ model.latent_dim: 2, objective.beta: 4.0 }]
  include: [{ model.latent_dim: 100, training.epochs: 5 }, { model.latent_dim: 2, objective.beta: 4 }]\n",
    );
    let rows = table(&experiment, &["model.latent_dim", "objective.beta", "training.epochs"]);
    assert_eq!(rows, json!([[2, 1.0, 20], [20, 1.0, 20], [20, 4.0, 20], [100, 1.0, 5], [2, 4.0, 20]]));
    // Values in the order of the file, although β = 4 comes late; a path that is only included is an axis too.
    let axes: Vec<(&str, Value)> =
        experiment.axes.iter().map(|axis| (axis.path.as_str(), json!(axis.values))).collect();
    assert_eq!(
        axes,
        [
            ("model.latent_dim", json!([2, 20, 100])),
            ("objective.beta", json!([1.0, 4.0])),
            ("training.epochs", json!([20, 5]))
        ]
    );
}

#[test]
fn exclude_matches_by_meaning() {
    let left = |grid: &str, exclude: &str| sweep(&format!("  grid: {grid}\n  exclude: {exclude}\n")).cells.len();
    let likelihoods = "{ model.likelihood: [bernoulli, gaussian, { gaussian: { sigma: 0.1 } }] }";
    assert_eq!(left(likelihoods, "[{ model.likelihood: gaussian }]"), 1);
    assert_eq!(left(likelihoods, "[{ model.likelihood: { gaussian: { sigma: 1 } } }]"), 2);
    assert_eq!(left(likelihoods, "[{ model.likelihood.gaussian.sigma: [0.1, 1] }]"), 1);
    let seeds = "{ training.seed: [0, 1, 2] }";
    assert_eq!(left(seeds, "[{ training.seed: [1, 2] }]"), 1);
    // A field that is nowhere written has its default.
    assert_eq!(left(seeds, "[{ training.epochs: 20, training.seed: 1 }]"), 2);
    assert_eq!(left("{ model.hidden: [[400], [200, 100]] }", "[{ model.hidden: [400] }]"), 1);
    assert_eq!(left("{ model.hidden: [[400], [200, 100]] }", "[{ model.hidden: [[400], [7]] }]"), 1);
}

#[test]
fn only_includes_are_the_only_cells() {
    let experiment = sweep("  include: [{ training.seed: 5 }, { training.seed: 6 }]\n");
    assert_eq!(table(&experiment, &["training.seed"]), json!([[5], [6]]));
}

#[test]
fn when_changes_matching_cells_in_order() {
    let experiment = sweep(
        "  grid: { model.latent_dim: [2, 5, 20] }
  include: [{ model.latent_dim: 2, training.seed: 9 }]
  when:
    - { if: { model.latent_dim: [2, 5] }, set: { training.epochs: 50 } }
    - if: { model.latent_dim: 2, training.epochs: 50 }
      set: { objective.beta: 4, model.likelihood: gaussian }
    - { if: { model.likelihood: gaussian }, set: { model.likelihood.gaussian.sigma: 0.5 } }\n",
    );
    let rows = table(
        &experiment,
        &["model.latent_dim", "training.epochs", "objective.beta", "training.seed", "model.likelihood"],
    );
    assert_eq!(
        rows,
        json!([
            [2, 50, 4.0, 0, { "gaussian": { "sigma": 0.5 } }],
            [5, 50, 1.0, 0, "bernoulli"],
            [20, 20, 1.0, 0, "bernoulli"],
            [2, 50, 4.0, 9, { "gaussian": { "sigma": 0.5 } }],
        ])
    );
    let experiment = sweep("  when: [{ if: { training.seed: 0 }, set: { training.epochs: 3 } }]\n");
    assert_eq!(table(&experiment, &["training.epochs"]), json!([[3]]));
}

#[test]
fn when_and_exclude_mend_what_is_not_valid_alone() {
    let section = "  grid: { dataset.pixels: [gray, static], model.likelihood: [bernoulli, gaussian] }\n";
    let refused = Experiment::parse("x.yaml", format!("{BASE}sweep:\n{section}").as_bytes(), &[]);
    assert!(refused.is_err());
    let excluded = sweep(&format!("{section}  exclude: [{{ dataset.pixels: static, model.likelihood: gaussian }}]\n"));
    assert_eq!(excluded.cells.len(), 3);
    let mended = sweep(&format!(
        "{section}  when: [{{ if: {{ model.likelihood: gaussian }}, set: {{ dataset.pixels: gray }} }}]\n"
    ));
    assert_eq!(mended.cells.len(), 3, "the mended cell equals another, and is one with it");
}

#[test]
fn cells_that_are_one_run_are_one_cell() {
    assert_eq!(sweep("  grid: { objective.beta: [1, 1.0, 4] }\n").cells.len(), 2);
    // Nothing is drawn with the dataset's seed while pixels are gray and nothing is held out.
    assert_eq!(sweep("  grid: { dataset.seed: [0, 1] }\n").cells.len(), 1);
    assert_eq!(sweep("  grid: { dataset.seed: [0, 1], dataset.validation: [0, 100] }\n").cells.len(), 3);
}

#[test]
fn overrides_win_over_everything() {
    let text = format!(
        "{BASE}sweep:
  grid: {{ model.latent_dim: [2, 20], training.seed: [0, 1, 2] }}
  when: [{{ if: {{ model.latent_dim: 2 }}, set: {{ training.epochs: 50 }} }}]\n"
    );
    let experiment = parse_with(&text, &["training.seed=7", "training.epochs=1"]);
    assert_eq!(
        table(&experiment, &["model.latent_dim", "training.seed", "training.epochs"]),
        json!([[2, 7, 1], [20, 7, 1]])
    );
    let experiment =
        parse_with(&text, &["sweep.grid.training.seed=[4]", "name=other", "execution.jobs=3", "figures=[]"]);
    assert_eq!(table(&experiment, &["model.latent_dim", "training.seed"]), json!([[2, 4], [20, 4]]));
    assert_eq!((experiment.name.as_str(), experiment.execution.jobs, experiment.figures.len()), ("other", Some(3), 0));
    assert_eq!(parse_with(&text, &["sweep=null"]).cells.len(), 1);
    assert_eq!(parse_with(&text, &["sweep.grid={}", "model.hidden=[ 64, 32 ]"]).cells[0].model.hidden, [64, 32]);
    let experiment = parse_with(BASE, &["model.likelihood=gaussian", "model.likelihood.gaussian.sigma=0.5"]);
    assert_eq!(experiment.cells[0].model.likelihood, Likelihood::Gaussian { sigma: 0.5 });
    let experiment = parse_with(BASE, &["sweep.random={ count: 3, objective.beta: { uniform: [1, 2] } }"]);
    assert_eq!(experiment.cells.len(), 3);
}

#[test]
fn figures_default_to_those_that_fit() {
    let names = |experiment: &Experiment| experiment.figures.iter().map(|figure| figure.name()).collect::<Vec<_>>();
    assert_eq!(names(&parse(BASE)), ["loss-curves", "reconstructions", "samples", "latent-scatter", "kl-per-dim"]);
    let all = sweep("  grid: { model.latent_dim: [2, 20], objective.beta: [1, 4] }\n");
    // The others need more than cells say, or are drawn where they are asked for.
    let fitting = "loss-curves reconstructions samples manifold latent-scatter elbo-by-latent-dim kl-per-dim \
                   rate-distortion blur-by-latent-dim";
    assert_eq!(names(&all).join(" "), fitting);
    let of = |setting: &str| names(&parse_with(BASE, &[setting])).join(" ");
    let denoising = "loss-curves reconstructions samples latent-scatter kl-per-dim denoising";
    assert_eq!(of("model.corruption={gaussian: {sigma: 0.5}}"), denoising);
    assert_eq!(of("model.kind={gan: {}}"), "loss-curves samples");
    assert_eq!(of("model.kind=autoencoder"), "loss-curves reconstructions samples latent-scatter");
    assert!(parse(&format!("{BASE}figures: []\n")).figures.is_empty());
    for figure in FigureKind::ALL {
        assert_eq!(serde_json::to_value(figure).unwrap(), figure.name());
    }
}

#[test]
fn paths_are_relative_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let experiments = folder.path().join("experiments");
    std::fs::create_dir(&experiments).unwrap();
    let load = |name: &str, path: &str| {
        let file = experiments.join(name);
        std::fs::write(&file, BASE.replace("name: glyphs", &format!("name: {{ hdf5: {path} }}"))).unwrap();
        Experiment::load(&file, &[]).unwrap().cells.remove(0)
    };
    let expected = folder.path().canonicalize().unwrap().join("data/shapes.h5");
    let cell = load("a.yaml", "../data/shapes.h5");
    assert_eq!(cell.dataset.name, Source::Own(OwnSource { kind: OwnKind::Hdf5, path: expected.clone() }));
    assert_eq!(cell.readable_name(), "vae-shapes-z20-b1-s0");
    for spelt in ["./../data//shapes.h5", "../experiments/../data/./shapes.h5", expected.to_str().unwrap()] {
        assert_eq!(load("b.yml", spelt).run_id(), cell.run_id(), "{spelt}");
    }
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(&expected, b"").unwrap();
    assert_eq!(
        load("a.yaml", "../data/shapes.h5").run_id(),
        cell.run_id(),
        "the id is the same once the file is there"
    );
    assert_ne!(load("a.yaml", "data/shapes.h5").run_id(), cell.run_id());
}

#[test]
fn yaml_in_all_its_forms() {
    let block = parse(
        "\u{feff}# a comment\n---\nname: 'x'\ndataset:\n  name: \"glyphs\"\nmodel:\n  hidden:\n  - 400\n  - &width 0xC8\n  latent_dim: *width\n...\n",
    );
    assert_eq!((block.cells[0].model.hidden.as_slice(), block.cells[0].model.latent_dim), (&[400, 200][..], 200));
    let windows = parse(&BASE.replace('\n', "\r\n"));
    let plain = parse(BASE);
    assert_eq!(Experiment { written: plain.written.clone(), ..windows }, plain);
    assert_eq!(parse_with(BASE, &["training.seed=18446744073709551615"]).cells[0].training.seed, u64::MAX);
}

#[test]
fn a_quick_look_shortens_what_would_last_longer_and_says_so() {
    let text = format!("{BASE}objective: {{ warm_up_epochs: 3 }}\n");
    let shorter = parse_with(&text, &["training.epochs=2"]);
    assert_eq!(shorter.cells[0].objective.warm_up_epochs, 2);
    let said = "`objective.warm_up_epochs` is 2 rather than 3 here, since `--set training.epochs=2` leaves no more";
    assert_eq!(shorter.shortened, [said]);
    assert!(parse_with(&text, &["training.epochs=3"]).shortened.is_empty());
    // Cycles go through less of themselves, down to one.
    let cycles = format!("{BASE}objective: {{ warm_up_epochs: 2, cycles: 4 }}\n");
    let of = |epochs: &str| {
        let objective = parse_with(&cycles, &[epochs]).cells[0].objective;
        (objective.warm_up_epochs, objective.cycles)
    };
    assert_eq!([of("training.epochs=1"), of("training.epochs=6"), of("training.epochs=8")], [(1, 1), (1, 4), (2, 4)]);
    let capacity = format!("{BASE}objective: {{ kind: {{ capacity: {{ nats: 25, rise_epochs: 10 }} }}, beta: 100 }}\n");
    assert_eq!(parse_with(&capacity, &["training.epochs=2"]).shortened.len(), 1);
    // The best epoch is one after the warm-up.
    let best = format!("{text}training: {{ epochs: 6, keep: best }}\n").replace("glyphs", "binarized-mnist");
    let of = |text: &str, epochs: &str| parse_with(text, &[epochs]).cells[0].objective;
    assert_eq!([2, 1].map(|n| of(&best, &format!("training.epochs={n}")).warm_up_epochs), [1, 0]);
    let cycled = best.replace("warm_up_epochs: 3", "warm_up_epochs: 1, cycles: 3");
    let one = of(&cycled, "training.epochs=4");
    assert_eq!((one.warm_up_epochs, one.cycles), (0, 1));
    // Fewer images hold fewer out.
    let held_out = "name: x\ndataset: { name: glyphs, validation: 1000 }\nmodel: { hidden: [400], latent_dim: 20 }\n";
    assert_eq!(parse_with(held_out, &["dataset.train_images=500"]).cells[0].dataset.validation, 50);
    // What was set itself is refused, as is what stands in the file.
    let refused = |text: &str, overrides: &[&str]| {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        Experiment::parse("x.yaml", text.as_bytes(), &overrides).unwrap_err().to_string()
    };
    let both = ["training.epochs=2", "objective.warm_up_epochs=3"];
    assert!(refused(&text, &both).contains("so β would never be reached"));
    assert!(refused(&format!("{text}training: {{ epochs: 2 }}\n"), &[]).contains("so β would never be reached"));
}
