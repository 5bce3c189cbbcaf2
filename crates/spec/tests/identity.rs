//! Which cells are the same run, and what they are called.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::{Value, json};
use spec::{Cell, Experiment, RunId, Scale, differing_paths};

const BASE: &str = "name: x\ndataset: { name: mnist }\nmodel: { hidden: [400], latent_dim: 20 }\n";

fn cells(text: &str, overrides: &[&str]) -> Vec<Cell> {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    Experiment::parse("x.yaml", text.as_bytes(), &overrides).unwrap_or_else(|error| panic!("error: {error}")).cells
}

fn cell(overrides: &[&str]) -> Cell {
    cells(BASE, overrides).remove(0)
}

fn id(text: &str) -> RunId {
    cells(text, &[])[0].run_id()
}

/// These ids are in people's results folders. A change here needs a raised `NUMBERS_VERSION`, and a line in the changelog.
#[test]
fn ids_stay_what_they_are() {
    let changes = [
        "name=x",
        "model.latent_dim=2",
        "training.seed=1",
        "objective.beta=0.5",
        "optimizer.adam.learning_rate=1e-4",
        "model.likelihood=gaussian",
        "model.likelihood={ gaussian: { sigma: 0.1 } }",
        "dataset={ name: glyphs, pixels: static, validation: 5000 }",
        "dataset.name={ hdf5: /data/dsprites.h5 }",
        "model.net={ conv: { channels: [32, 64] } }",
        "model={ kind: gaussian-mixture }",
        "model.kind=gan",
        "model.latent=bernoulli",
        "model.prior={ vamp: { components: 500 } }",
        "model.likelihood=gaussian-per-pixel",
        "model.corruption={ masking: { fraction: 0.3 } }",
        "objective.kind={ importance-weighted: { samples: 50 } }",
        "objective={ warm_up_epochs: 2, cycles: 3 }",
        "optimizer.adam.schedule=burda",
    ];
    let ids: Vec<String> = changes.iter().map(|change| format!("{} {change}", cell(&[change]).run_id())).collect();
    insta::assert_snapshot!(ids.join("\n"));
}

/// A default that changes would silently turn old runs into runs of other settings; see `spec::run_id`.
#[test]
fn defaults_stay_what_they_are() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&sorted(&serde_json::to_value(cell(&[])).unwrap())).unwrap());
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        other => other.clone(),
    }
}

#[test]
fn what_cannot_change_the_result_does_not_change_the_id() {
    let id_of_base = id(BASE);
    for text in [
        "# Why?\nmodel: { latent_dim: 20, hidden: [400] } # order\ndataset: { name: mnist }\nname: another-name\n",
        "name: x\ndataset: { name: mnist, pixels: gray, validation: 0, seed: 0, train_images: null, test_images: }\nmodel: { kind: vae, hidden: [0x190], activation: relu, latent_dim: 20, likelihood: bernoulli }\nobjective: { beta: 1, warm_up_epochs: 0 }\noptimizer: { adam: { learning_rate: 0.001, beta1: 9e-1, beta2: .999, epsilon: 1.0E-8 } }\ntraining: { epochs: 20, batch_size: 128, seed: 0, precision: f32 }\n",
        &format!("{BASE}execution: {{ jobs: 3, threads: 2, cohort: 7, device: cuda }}\nfigures: [samples]\n"),
        &format!("{BASE}dataset: {{ name: mnist, seed: 9 }}\n").replacen("dataset: { name: mnist }\n", "", 1),
    ] {
        assert_eq!(id(text), id_of_base, "{text}");
    }
    assert_eq!(cell(&["objective.beta=-0.0"]).run_id(), cell(&["objective.beta=0"]).run_id());
    let sweep = cells(&format!("{BASE}sweep: {{ grid: {{ model.latent_dim: [2, 20] }} }}"), &[]);
    assert_eq!(sweep[1].run_id(), id_of_base, "two specs that share a cell share its run");
}

#[test]
fn every_field_that_changes_the_result_changes_the_id() {
    let changes = [
        "dataset.name=glyphs",
        "dataset.name={ hdf5: a.h5 }",
        "dataset.name={ hdf5: b.h5 }",
        "dataset.name={ idx: b.h5 }",
        "dataset.pixels=static",
        "dataset.pixels=dynamic",
        "dataset.validation=1",
        "dataset={ name: mnist, validation: 1, seed: 1 }",
        "dataset={ name: mnist, pixels: static, seed: 1 }",
        "dataset.train_images=100",
        "dataset.test_images=100",
        "model.hidden=[400, 400]",
        "model.hidden=[]",
        "model.activation=tanh",
        "model.latent_dim=2",
        "model.likelihood=gaussian",
        "model.likelihood={ gaussian: { sigma: 2 } }",
        "model.likelihood=gaussian-shared",
        "model.likelihood={ gaussian-shared: { variance: optimal } }",
        "model.likelihood=gaussian-per-pixel",
        "model.likelihood={ gaussian-per-pixel: { floor: 0.1 } }",
        "model.likelihood=gaussian-spectral",
        "model.likelihood={ gaussian-spectral: { floor: 0.1 } }",
        "model.likelihood=continuous-bernoulli",
        "model.likelihood={ continuous-bernoulli: { clip: 0 } }",
        "model.likelihood=discretised-logistic",
        "model.kind=autoencoder",
        "model={ kind: gaussian-mixture }",
        "model={ kind: { gaussian-mixture: { components: 3 } } }",
        "model={ kind: { gaussian-mixture: { floor: 0.1 } } }",
        "model.kind=gan",
        "model.kind={ gan: { regulariser: gradient-penalty } }",
        "model.kind={ gan: { regulariser: { gradient-penalty: { weight: 1 } } } }",
        "model.kind=vae-gan",
        "model.kind={ vae-gan: { weight: 2 } }",
        "model.net={ conv: { channels: [8] } }",
        "model.net={ conv: { channels: [8, 8] } }",
        "model.net={ conv: { channels: [8], kernel: 5 } }",
        "model.net={ conv: { channels: [8], stride: 1 } }",
        "model.activation=gated",
        "model.init=xavier",
        "model.latent=bernoulli",
        "model.latent={ bernoulli: { temperature: 2 } }",
        "model.latent={ bernoulli: { final_temperature: 0.1 } }",
        "model.latent={ bernoulli: { anneal_epochs: 1 } }",
        "model.prior=mixture",
        "model.prior={ mixture: { components: 3 } }",
        "model.prior=vamp",
        "model.prior={ vamp: { components: 3 } }",
        "model.corruption=gaussian",
        "model.corruption={ gaussian: { sigma: 0.1 } }",
        "model.corruption=masking",
        "model.corruption={ masking: { fraction: 0.1 } }",
        "model.corruption=salt-and-pepper",
        "model.corruption={ salt-and-pepper: { fraction: 0.1 } }",
        "objective.gradient=detached",
        "objective.gradient=score-function",
        "objective.kl_parts=mean",
        "objective.kl_parts=variance",
        "objective.samples=5",
        "model={ kind: autoencoder, hidden: [400], latent_dim: 20, latent_noise: 0.1 }",
        "objective.kind=free-bits",
        "objective.kind={ free-bits: { nats: 1 } }",
        "objective.kind=capacity",
        "objective.kind={ capacity: { nats: 1 } }",
        "objective.kind={ capacity: { rise_epochs: 1 } }",
        "objective.kind=importance-weighted",
        "objective.kind={ importance-weighted: { samples: 5 } }",
        "objective.kind={ importance-weighted: { gradient: doubly-reparametrised } }",
        "objective.kind=total-correlation",
        "objective.kind=mmd",
        "objective.kind={ mmd: { weight: 1 } }",
        "objective={ warm_up_epochs: 2, cycles: 2 }",
        "optimizer.adam.schedule=cosine",
        "optimizer.adam.schedule=burda",
        "optimizer.adam.schedule={ steps: { after: [10], factor: 0.1 } }",
        "optimizer.adam.schedule={ steps: { after: [10, 15], factor: 0.1 } }",
        "optimizer.adam.schedule={ steps: { after: [10], factor: 0.5 } }",
        "objective.beta=2",
        "objective.warm_up_epochs=2",
        "optimizer.adam.learning_rate=2e-3",
        "optimizer.adam.beta1=0.8",
        "optimizer.adam.beta2=0.99",
        "optimizer.adam.epsilon=1e-7",
        "training.epochs=21",
        "training.batch_size=64",
        "training.seed=1",
        "training.seed=18446744073709551615",
        "training.seed=18446744073709551614",
    ];
    let mut seen = vec![cell(&[]).run_id()];
    for change in changes {
        let id = cell(&[change]).run_id();
        assert!(!seen.contains(&id), "{change}");
        seen.push(id);
    }
}

#[test]
fn run_ids_are_checked() {
    let id = cell(&[]).run_id();
    assert_eq!(id.to_string().parse::<RunId>().unwrap(), id);
    assert_eq!(serde_json::from_value::<RunId>(json!(id)).unwrap(), id);
    for text in ["", "abc", "0123456789ABCDEF", "0123456789abcdeg", "0123456789abcdef0", "../../../../etc/x"] {
        assert!(text.parse::<RunId>().is_err(), "{text}");
        assert!(serde_json::from_value::<RunId>(json!(text)).is_err(), "{text}");
    }
}

#[test]
fn a_cell_survives_json_and_is_checked_there() {
    let cell = cell(&["training.seed=18446744073709551615", "model.likelihood=gaussian"]);
    let json = serde_json::to_value(&cell).unwrap();
    let read: Cell = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(read, cell);
    assert_eq!(read.run_id(), cell.run_id());
    let mut bad = json.clone();
    bad["model"]["latent_dim"] = json!(0);
    let error = serde_json::from_value::<Cell>(bad).unwrap_err().to_string();
    assert!(error.contains("`model.latent_dim` must be from 1 to 4096"), "{error}");
    let mut bad = json;
    bad["modle"] = json!({});
    assert!(serde_json::from_value::<Cell>(bad).is_err());
}

#[test]
fn readable_names() {
    assert_eq!(cell(&[]).readable_name(), "vae-mnist-z20-b1-s0");
    assert_eq!(cell(&["objective.beta=0.25", "training.seed=3"]).readable_name(), "vae-mnist-z20-b0.25-s3");
    assert_eq!(cell(&["objective.beta=1e-6"]).readable_name(), "vae-mnist-z20-b1e-6-s0");
    assert_eq!(cell(&["dataset.name={ folder: My Pictures/Été_2024.d }"]).readable_name(), "vae-t-2024-z20-b1-s0");
    assert_eq!(cell(&["dataset.name={ folder: / }"]).readable_name(), "vae-images-z20-b1-s0");
}

#[test]
fn readable_names_hold_what_is_not_at_its_default() {
    for (set, name) in [
        (&["optimizer.adam.learning_rate=1000"][..], "vae-mnist-z20-b1-lr1000-s0"),
        (&["optimizer.adam.learning_rate=1e-5", "training.epochs=5"], "vae-mnist-z20-b1-lr1e-5-e5-s0"),
        (
            &["optimizer.adam.schedule={ steps: { after: [3, 5], factor: 0.2 } }"],
            "vae-mnist-z20-b1-steps-after3x5-factor0.2-s0",
        ),
        (&["model.hidden=[500, 500]", "model.activation=softplus"], "vae-mnist-z20-b1-softplus-h500x500-s0"),
        (&["model.hidden=[]"], "vae-mnist-z20-b1-h0-s0"),
        (&["model.corruption=masking"], "vae-denoising-masking-mnist-z20-b1-s0"),
        (&["model.corruption={ masking: { fraction: 0.3 } }"], "vae-denoising-masking-mnist-z20-b1-fraction0.3-s0"),
        (&["model.corruption={ gaussian: { sigma: 0.2 } }"], "vae-denoising-gaussian-mnist-z20-b1-sigma0.2-s0"),
        (&["model.net={ conv: { channels: [8, 16] } }", "model.hidden=[]"], "vae-conv-mnist-z20-b1-channels8x16-s0"),
        (
            &["model.kind={ gan: { regulariser: { gradient-penalty: { weight: 5 } } } }"],
            "gan-mnist-z20-gradient-penalty-weight5-s0",
        ),
        (
            &["model.kind={ gaussian-mixture: { components: 3 } }", "model.hidden=null", "model.latent_dim=null"],
            "gaussian-mixture-mnist-k3-s0",
        ),
        (&["dataset.pixels=static", "dataset.validation=10000"], "vae-mnist-z20-b1-static-val10000-s0"),
        (
            &["dataset.validation=10000", "training.keep={ best: { patience: 3 } }"],
            "vae-mnist-z20-b1-val10000-best-patience3-s0",
        ),
        (
            &["objective.beta=4", "objective.warm_up_epochs=3", "objective.kind={ free-bits: { nats: 0.25 } }"],
            "vae-free-bits-mnist-z20-b4-nats0.25-warmup3-s0",
        ),
    ] {
        assert_eq!(cell(set).readable_name(), name, "{set:?}");
    }
}

/// Drawing binary images gives what is there: they are called binary, and have one run.
#[test]
fn images_that_are_binary_already_are_one_run_however_pixels_are_written() {
    let binary = cell(&["dataset.name=binarized-mnist"]);
    assert_eq!((binary.dataset.pixels, binary.scale()), (spec::Pixels::Binary, Scale::Bernoulli));
    for written in ["gray", "static", "dynamic", "binary"] {
        let same = cell(&["dataset.name=binarized-mnist", &format!("dataset.pixels={written}"), "dataset.seed=3"]);
        assert_eq!(same.run_id(), binary.run_id(), "{written}");
        assert_eq!(same.value_at("dataset.pixels"), Some(json!("binary")));
    }
    // A run that was recorded with another word is read as the same cell.
    let mut recorded = serde_json::to_value(&binary).unwrap();
    recorded["dataset"]["pixels"] = json!("static");
    assert_eq!(serde_json::from_value::<Cell>(recorded).unwrap(), binary);
}

/// The user's own images are known by their content: where they lie, and in what form, is no part of a run's id.
#[test]
fn own_images_are_known_by_their_digest() {
    let with = |name: &str, digest: &str, changes: &[&str]| {
        let (name, digest) = (format!("dataset.name={name}"), format!("dataset.digest='{}'", digest.repeat(64)));
        cell(&[&[&*name, &*digest], changes].concat())
    };
    let here = with("{ hdf5: /data/a.h5 }", "a", &[]);
    let there = with("{ npz: /home/ada/b.npz }", "a", &[]);
    assert_eq!(here.run_id(), there.run_id());
    assert_eq!(differing_paths([&here, &there]), Vec::<String>::new());
    let changed = with("{ hdf5: /data/a.h5 }", "b", &[]);
    assert_ne!(changed.run_id(), here.run_id());
    assert_eq!(differing_paths([&here, &changed]), ["dataset.digest"]);
    let other = with("{ npz: /home/ada/b.npz }", "b", &[]);
    assert_eq!(differing_paths([&here, &other]), ["dataset.name"]);
    // The images that are held out for the test are drawn with the seed.
    assert_ne!(with("{ hdf5: /data/a.h5 }", "a", &["dataset.seed=1"]).run_id(), here.run_id());
}

#[test]
fn an_experiment_learns_what_its_images_hold() {
    let text = b"name: x\ndataset: { name: { folder: a } }\nmodel: { hidden: [4], latent_dim: 2 }\nsweep: { grid: { dataset.pixels: [gray, static], training.seed: [0, 1] } }\n";
    let experiment = Experiment::parse("x.yaml", text, &[]).unwrap();
    assert_eq!(experiment.cells.len(), 4);
    let binary = spec::Identity { digest: "a".repeat(64), is_binary: true };
    let known = experiment.clone().identified(|_| Ok::<_, ()>(Some(binary.clone()))).unwrap();
    assert_eq!(known.cells.len(), 2, "`static` of binary data gives the same run");
    assert!(known.cells.iter().all(|cell| cell.scale() == Scale::Bernoulli));
    let pixels = known.axes.iter().find(|axis| axis.path == "dataset.pixels").unwrap();
    assert_eq!(pixels.values, [json!("binary")]);
    let gray = spec::Identity { is_binary: false, ..binary };
    assert_eq!(experiment.identified(|_| Ok::<_, ()>(Some(gray.clone()))).unwrap().cells.len(), 4);
}

#[test]
fn scales() {
    assert_eq!(cell(&[]).scale(), Scale::GrayBce);
    assert_eq!(cell(&["dataset.pixels=static"]).scale(), Scale::Bernoulli);
    assert_eq!(cell(&["dataset.pixels=dynamic"]).scale(), Scale::Bernoulli);
    assert_eq!(cell(&["model.likelihood=gaussian"]).scale(), Scale::GaussianDensity);
    for scale in Scale::ALL {
        assert_eq!(serde_json::to_value(scale).unwrap(), scale.as_str());
    }
}

#[test]
fn cohorts() {
    let key = |change: &str| cell(&[change]).cohort_key();
    let base = cell(&[]).cohort_key();
    for change in [
        "model.latent_dim=2",
        "objective.beta=4",
        "objective.warm_up_epochs=3",
        "optimizer.adam.learning_rate=1e-2",
        "training.seed=5",
    ] {
        assert_eq!(key(change), base, "{change}");
    }
    for change in [
        "dataset.name=glyphs",
        "dataset.pixels=static",
        "dataset.validation=10",
        "model.hidden=[300]",
        "model.activation=tanh",
        "model.likelihood=gaussian",
        "optimizer.adam.beta1=0.5",
        "training.epochs=3",
        "training.batch_size=64",
    ] {
        assert_ne!(key(change), base, "{change}");
    }
    assert_eq!(key("model.likelihood=gaussian"), key("model.likelihood={ gaussian: { sigma: 0.1 } }"));
}

#[test]
fn values_by_path() {
    let cell = cell(&[]);
    assert_eq!(cell.value_at("model.latent_dim"), Some(json!(20)));
    assert_eq!(cell.value_at("optimizer.adam.learning_rate"), Some(json!(0.001)));
    assert_eq!(cell.value_at("model.likelihood"), Some(json!("bernoulli")));
    assert_eq!(cell.value_at("model.likelihood.gaussian.sigma"), None);
    assert_eq!(cell.value_at("model.latent_dims"), None);
    assert_eq!(cell.value_at(""), None);
}

#[test]
fn differences() {
    let cells = [
        cell(&[]),
        cell(&["objective.beta=4", "model.latent_dim=2"]),
        cell(&["model.likelihood=gaussian", "optimizer.adam.beta1=0.5"]),
    ];
    assert_eq!(
        differing_paths(&cells),
        ["model.latent_dim", "model.likelihood", "objective.beta", "optimizer.adam.beta1"]
    );
    assert_eq!(differing_paths(&cells[..1]), Vec::<String>::new());
    assert_eq!(differing_paths([]), Vec::<String>::new());
    let sigmas = [cell(&["model.likelihood=gaussian"]), cell(&["model.likelihood={ gaussian: { sigma: 2 } }"])];
    assert_eq!(differing_paths(&sigmas), ["model.likelihood.gaussian.sigma"]);
}

/// A section's lines in some order, numbers in some spelling, and fields at their default written or not.
fn section(fields: Vec<(&'static str, Vec<&'static str>)>, required: usize) -> impl Strategy<Value = String> {
    let n = fields.len();
    let indices: Vec<usize> = (0..n).collect();
    (Just(indices).prop_shuffle(), prop::collection::vec((any::<bool>(), 0..16usize), n)).prop_map(
        move |(order, choices)| {
            let lines: Vec<String> = order
                .into_iter()
                .filter(|n| *n < required || choices[*n].0)
                .map(|n| format!("{}: {}", fields[n].0, fields[n].1[choices[n].1 % fields[n].1.len()]))
                .collect();
            format!("{{ {} }}", lines.join(", "))
        },
    )
}

proptest! {
    #[test]
    fn ids_do_not_depend_on_spelling(
        dataset in section(vec![("name", vec!["mnist", "'mnist'"]), ("pixels", vec!["gray"]), ("validation", vec!["0"]), ("train_images", vec!["null", "~"])], 1),
        model in section(vec![("hidden", vec!["[400]"]), ("latent_dim", vec!["20", "0x14", "+20"]), ("kind", vec!["vae"]), ("likelihood", vec!["bernoulli", "{ bernoulli: }"])], 2),
        objective in section(vec![("beta", vec!["2", "2.0", "2e0", "0.2e1", "+2."]), ("warm_up_epochs", vec!["0"])], 1),
        adam in section(vec![("learning_rate", vec!["3e-4", "0.0003", "3.0E-4"]), ("beta1", vec!["0.9", ".9"]), ("epsilon", vec!["1e-8"])], 1),
        training in section(vec![("epochs", vec!["20"]), ("seed", vec!["0"]), ("precision", vec!["f32"])], 0),
        order in Just(vec![0, 1, 2, 3, 4, 5]).prop_shuffle(),
    ) {
        let sections = [
            "name: x".to_owned(), format!("dataset: {dataset}"), format!("model: {model}"), format!("objective: {objective}"),
            format!("optimizer: {{ adam: {adam} }}"), format!("training: {training}"),
        ];
        let text: Vec<&str> = order.iter().map(|n| sections[*n].as_str()).collect();
        let expected = cell(&["objective.beta=2", "optimizer.adam.learning_rate=3e-4"]).run_id();
        prop_assert_eq!(id(&text.join("\n")), expected);
    }
}

proptest! {
    /// Workers are given their cells as JSON, and record the id that they compute from it.
    #[test]
    fn ids_survive_json(rate in prop::num::f64::POSITIVE, beta in 0.0..1e9f64, seed: u64) {
        let mut cell = cell(&[]);
        cell.optimizer = spec::Optimizer::Adam(spec::Adam { learning_rate: rate.clamp(1e-30, 1e30), ..spec::Adam::default() });
        cell.objective.beta = beta;
        cell.training.seed = seed;
        let read: Cell = serde_json::from_str(&serde_json::to_string(&cell).unwrap()).unwrap();
        prop_assert_eq!(&read, &cell);
        prop_assert_eq!(read.run_id(), cell.run_id());
    }
}
