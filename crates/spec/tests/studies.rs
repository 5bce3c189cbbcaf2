//! Studies: several arms in one file, and claims about what comes out of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use spec::{Cell, Experiment, Metric, RunId, claims_hash};

const BASE: &str = "\
name: x
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 20, likelihood: bernoulli, prior: { mixture: { components: 5 } } }
sweep: { grid: { model.latent_dim: [2, 20], objective.beta: [0.5, 1, 2], training.seed: [0, 1] } }
";
const ARMS: &str = "\
arms:
  - label: gray
  - { label: binary, dataset: { pixels: dynamic }, sweep: { grid: { training.seed: [0, 1] } } }
  - { label: wide, model: { latent_dim: 50, prior: { mixture: { components: 7 } } }, sweep: null }
  - { label: again, sweep: { grid: { model.latent_dim: [2], training.seed: [1, 2] } } }
";
const CLAIMS: &str = "\
claims:
  - id: 1
    text: A larger β lowers the KL
      and worsens reconstruction.
    of: { arm: gray, model.latent_dim: 20 }
    along: { objective.beta: [0.5, 1, 2] }
    all:
      - { metric: kl, expect: falls, delta: 1 }
      - { metric: reconstruction, expect: rises, delta: 2.0 }
  - id: 4c
    text: Wider is the same.
    metric: { sharpness: { of: reconstructions } }
    of: { objective.beta: 1, model.latent_dim: 20 }
    from: { arm: gray }
    to: { arm: binary }
    expect: stays
    delta: 0.05
    log: true
";

fn load(text: &str, set: &[&str]) -> Result<Experiment, String> {
    let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
    Experiment::parse("x.yaml", text.as_bytes(), &set).map_err(|error| error.to_string())
}

fn with_arms() -> String {
    format!("{BASE}{ARMS}")
}

fn study() -> String {
    format!("{BASE}{ARMS}{CLAIMS}")
}

fn ids<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Vec<RunId> {
    cells.into_iter().map(Cell::run_id).collect()
}

fn arm<'a>(experiment: &'a Experiment, label: &str) -> Vec<&'a Cell> {
    let arm = experiment.arms.iter().find(|arm| arm.label == label).unwrap();
    arm.runs.iter().map(|id| experiment.cells.iter().find(|cell| cell.run_id() == *id).unwrap()).collect()
}

#[test]
fn arms_are_laid_over_the_file_and_their_cells_are_those_of_files_of_their_own() {
    let experiment = load(&with_arms(), &[]).unwrap();
    let alone = load(BASE, &[]).unwrap();
    assert_eq!(ids(arm(&experiment, "gray")), ids(&alone.cells));
    // An own sweep is in place of the file's, a setting that the arm does not name is the file's.
    let binary = arm(&experiment, "binary");
    assert_eq!(binary.len(), 2);
    assert!(binary.iter().all(|cell| cell.model.latent_dim == 20 && cell.dataset.pixels == spec::Pixels::Dynamic));
    let wide = arm(&experiment, "wide");
    assert_eq!((wide.len(), wide[0].model.latent_dim, wide[0].model.hidden.as_slice()), (1, 50, &[8][..]));
    assert_eq!(wide[0].model.prior, spec::Prior::Mixture { components: 7 });
    // Cells that two arms share stand once.
    assert_eq!((arm(&experiment, "again").len(), experiment.cells.len()), (2, 12 + 2 + 1 + 1));
    let axis = |path: &str| experiment.axes.iter().find(|axis| axis.path == path).map(|axis| axis.values.len());
    assert_eq!((axis("model.latent_dim"), axis("training.seed"), axis("dataset.pixels")), (Some(3), Some(3), Some(2)));
}

/// What is measured after training is the arm's business: an own `evaluation` is in place of the file's, `null` is none.
#[test]
fn an_arm_has_an_evaluation_of_its_own() {
    let arms = "arms:\n  - { label: gray, evaluation: null }\n  - { label: binary, dataset: { pixels: dynamic } }\n  - { label: quick, sweep: null, dataset: { pixels: static }, evaluation: { importance_samples: 7, images: 3 } }\n";
    let text = format!("{BASE}evaluation: {{ importance_samples: 50 }}\n{arms}");
    let experiment = load(&text, &[]).unwrap();
    let samples = |label: &str| -> Vec<Option<usize>> {
        let asked = arm(&experiment, label).into_iter().map(|cell| experiment.evaluation_of(&cell.run_id()));
        asked.map(|evaluation| evaluation.map(|evaluation| evaluation.importance_samples)).collect()
    };
    assert_eq!(samples("gray"), [None; 12]);
    assert_eq!(samples("binary"), [Some(50); 12]);
    assert_eq!(samples("quick"), [Some(7)]);
    let claims = |label: &str| {
        format!(
            "{text}claims:\n  - {{ id: 1, text: Wider., metric: {}, of: {{ arm: {label}, objective.beta: 1 }}, from: {{ model.latent_dim: 2 }}, to: {{ model.latent_dim: 20 }}, expect: falls, delta: 1 }}\n",
            if label == "gray" { "pseudo_nll" } else { "nll" }
        )
    };
    assert!(load(&claims("binary"), &[]).is_ok());
    let error = load(&claims("gray"), &[]).unwrap_err();
    assert!(error.contains("which this experiment does not ask for") && error.contains("to the arm"), "{error}");
    let error = load(&text.replace("images: 3", "images: 0"), &[]).unwrap_err();
    assert!(
        error.contains("`arms[2].evaluation.images` must be at least 1") && error.contains("such as `1000`"),
        "{error}"
    );
}

#[test]
fn another_variant_takes_the_place_of_the_files() {
    let text = BASE.to_owned()
        + "arms:\n  - { label: vamp, model: { prior: { vamp: { components: 3 } }, likelihood: { gaussian: { sigma: 2 } } }, sweep: null }\n";
    let model = &load(&text, &[]).unwrap().cells[0].model;
    assert_eq!(model.prior, spec::Prior::Vamp { components: 3 });
    assert_eq!(model.likelihood, spec::Likelihood::Gaussian { sigma: 2.0 });
}

#[test]
fn what_is_set_applies_to_every_arm() {
    let set = load(&with_arms(), &["training.epochs=2", "sweep.grid.training.seed=[7]"]).unwrap();
    assert!(set.cells.iter().all(|cell| cell.training.epochs == 2 && cell.training.seed == 7));
    // One that had no sweep has that of the path now; the arms that differed in seeds alone are as many cells as arms.
    assert_eq!(set.arms.iter().map(|arm| arm.runs.len()).collect::<Vec<_>>(), [6, 1, 1, 1]);
    let alone = load(&with_arms(), &["arms=null"]).unwrap();
    assert_eq!((alone.arms.len(), alone.cells.len()), (0, 12));
    let error = load(&with_arms(), &["arms.gray.training.epochs=2"]).unwrap_err();
    assert!(error.contains("give `arms` as a whole"), "{error}");
    let error = load(
        &(BASE.to_owned() + "arms:\n  - { label: a, sweep: { zip: { objective.beta: [1, 2] } } }\n"),
        &["sweep.grid.objective.beta=[1]"],
    )
    .unwrap_err();
    assert!(error.contains("`objective.beta` is swept twice"), "{error}");
}

#[test]
fn a_share_of_the_epochs_is_taken_of_each_cell() {
    let text = "name: x\ndataset: { name: glyphs }\nmodel: { hidden: [8], latent_dim: 2 }\nobjective: { warm_up_epochs: 20 }\ntraining: { epochs: 40 }\narms:\n  - label: long\n  - { label: short, objective: { warm_up_epochs: 0 }, training: { epochs: 3 } }\n";
    let quarter = load(text, &["training.epochs=25%"]).unwrap();
    let epochs: Vec<usize> = quarter.cells.iter().map(|cell| cell.training.epochs).collect();
    assert_eq!((epochs, quarter.epochs_percent), (vec![10, 1], Some(25)));
    assert_eq!(quarter.cells[0].objective.warm_up_epochs, 10);
    assert_eq!(quarter.shortened.len(), 1, "{:?}", quarter.shortened);
    assert!(quarter.shortened[0].contains("`--set training.epochs=25%`"), "{:?}", quarter.shortened);
    assert_eq!(load(text, &[]).unwrap().epochs_percent, None);
    // The last of several wins.
    assert_eq!(load(text, &["training.epochs=7", "training.epochs=50%"]).unwrap().cells[0].training.epochs, 20);
    assert_eq!(load(text, &["training.epochs=50%", "training.epochs=30"]).unwrap().cells[1].training.epochs, 30);
    for wrong in ["0%", "250%", "2.5%", "%"] {
        let error = load(text, &[&format!("training.epochs={wrong}")]).unwrap_err();
        assert!(error.contains("a whole number from 1% to 100%") || error.contains("expected"), "{error}");
    }
}

#[test]
fn own_images_keep_their_arms() {
    let text = "name: x\ndataset: { name: { folder: a } }\nmodel: { hidden: [8], latent_dim: 2 }\narms:\n  - label: one\n  - { label: same, dataset: { name: { folder: b } } }\n";
    let experiment = load(text, &[]).unwrap();
    assert_eq!(experiment.cells.len(), 2);
    let identity = spec::Identity { digest: "0".repeat(64), is_binary: false };
    let known = experiment.identified(|_| Ok::<_, ()>(Some(identity.clone()))).unwrap();
    assert_eq!(known.cells.len(), 1);
    assert!(known.arms.iter().all(|arm| arm.runs == [known.cells[0].run_id()]), "{:?}", known.arms);
}

#[test]
fn claims_say_what_is_compared() {
    let experiment = load(&study(), &[]).unwrap();
    let [first, second] = &experiment.claims[..] else { panic!("{:?}", experiment.claims) };
    assert_eq!(first.text, "A larger β lowers the KL and worsens reconstruction.");
    assert_eq!(first.parts.iter().map(|part| part.metric).collect::<Vec<_>>(), [Metric::Kl, Metric::Reconstruction]);
    let comparisons = first.parts[1].comparisons();
    // From the first value to the last, then each step.
    let told: Vec<(String, String, f64, bool)> =
        comparisons.iter().map(|one| (one.from.words(), one.to.words(), one.delta, one.is_step)).collect();
    let of = |beta: &str| format!("gray, model.latent_dim 20, objective.beta {beta}");
    assert_eq!(told[0], (of("0.5"), of("2"), 2.0, false));
    assert_eq!(told[1..], [(of("0.5"), of("1"), 0.0, true), (of("1"), of("2"), 0.0, true)]);
    assert_eq!(second.parts[0].settings.of, Some(spec::metric::Subject::Reconstructions));
    let stays = &second.parts[0].comparisons()[0];
    let seeds = |conditions: &spec::Conditions| {
        let meant = experiment.cells.iter().filter(|cell| conditions.hold(cell, &experiment.arms));
        meant.map(|cell| cell.training.seed).collect::<Vec<_>>()
    };
    assert_eq!((seeds(&stays.from), seeds(&stays.to)), (vec![0, 1], vec![0, 1]));
    assert!(second.parts[0].log);
}

#[test]
fn a_hash_knows_the_claims_and_nothing_else() {
    let hash = |text: &str| claims_hash(&load(text, &[]).unwrap().claims);
    let first = hash(&study()).unwrap();
    assert_eq!(first.len(), 64);
    let same = study().replace("delta: 2.0 }", "delta: 2 } # nats").replace("hidden: [8]", "hidden: [16]");
    assert_eq!(hash(&same), Some(first.clone()));
    for (before, after) in
        [("delta: 2.0", "delta: 1.9"), ("falls", "rises"), ("Wider", "Wide"), ("log: true", "log: false")]
    {
        assert_ne!(hash(&study().replace(before, after)), Some(first.clone()), "{before}");
    }
    assert_eq!(hash(BASE), None);
    // What a claim does not use is not in it, so that its hash is what it was before there was such a thing.
    let written = serde_json::to_string(&load(&study(), &[]).unwrap().claims).unwrap();
    assert!(["across", "\"at\"", "\"settings\":null"].iter().all(|key| !written.contains(key)), "{written}");
    assert_eq!(ids(&load(&study(), &[]).unwrap().cells), ids(&load(&with_arms(), &[]).unwrap().cells));
}

#[test]
fn a_quick_look_keeps_claims_that_its_cells_cannot_answer() {
    let quick = load(&study(), &["sweep.grid.objective.beta=[1]"]).unwrap();
    assert_eq!(quick.claims.len(), 2);
    assert!(load(&study(), &["claims=null"]).unwrap().claims.is_empty());
}
