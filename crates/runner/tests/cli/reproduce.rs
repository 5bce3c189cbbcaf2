//! `elbo reproduce`: the table of published numbers, from a made-up store and from the committed records.

use std::path::Path;
use std::process::Command;

use record::RunEditor;

use crate::support::{Place, experiment, finish};
use spec::Measurement;

/// Two widths with two seeds each, one of them on a shortened schedule; and an order between two β.
const SWEPT: &str = "
name: reference-swept
dataset: { name: glyphs, pixels: dynamic }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 3 }
sweep: { grid: { model.latent_dim: [2, 5], objective.beta: [1, 4], training.seed: [0, 1] } }
evaluation: { importance_samples: 5000 }
reference:
  set_up: glyphs | 784-8-2, batch 128
  rows:
    - { id: S1, metric: negative-elbo, published: \"150.0 (somewhere)\", value: 150, tolerance: 10, full_epochs: 3,
        where: { model.latent_dim: 2, objective.beta: 1 } }
    - { id: S2, metric: nll, published: 149.5 ± 0.1, value: 149.5, tolerance: 0.5, full_epochs: 3280,
        where: { model.latent_dim: 5, objective.beta: 1 }, note: trained for a thousandth of the published schedule }
    - { id: S2-units, metric: active-units, published: 19 units, value: 19, full_epochs: 3280,
        where: { model.latent_dim: 5, objective.beta: 1 } }
    - { id: S3, metric: kl, published: \"2.5\", value: 2.5, below: S4, full_epochs: 3,
        where: { model.latent_dim: 2, objective.beta: 4 } }
    - { id: S4, metric: kl, published: \"10.0\", value: 10,
        where: { model.latent_dim: 2, objective.beta: 1 } }
";

/// One seed alone.
const SINGLE: &str = "
name: reference-single
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 3 }
training: { epochs: 3 }
reference:
  set_up: glyphs, 784-8-3
  rows: [{ id: T, metric: negative-elbo, published: \"7.5\", value: 7.5, tolerance: 0.5, full_epochs: 3 }]
";

/// A place with both experiments, one without published numbers, and runs of some cells.
fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir_all(place.path("experiments/reference")).unwrap();
    place.write("experiments/reference/a-swept.yaml", SWEPT);
    place.write("experiments/reference/b-single.yaml", SINGLE);
    place.write(
        "experiments/reference/c-plain.yaml",
        "name: c\ndataset: { name: glyphs }\nmodel: { hidden: [8], latent_dim: 2 }\n",
    );
    place
}

fn train(place: &Place, text: &str) {
    let store = place.store();
    for cell in &experiment(text).cells {
        finish(&store, cell);
        let nll = |samples: usize, value: f64| Measurement::nll(value, 0.5, 10_000, samples);
        // What was measured with another number of samples is another number.
        let value = 149.0 + cell.training.seed as f64;
        RunEditor::open(&store.run(&cell.run_id())).unwrap().evaluation(&[nll(50, 200.0), nll(5000, value)]).unwrap();
    }
}

#[test]
fn the_table_is_made_of_finished_runs() {
    let place = place();
    train(&place, SWEPT);
    train(&place, SINGLE);
    let said = place.elbo("reproduce");
    assert_eq!(said.code, Some(0), "{said:?}");
    insta::assert_snapshot!("reproduce-out", said.out);
    // Every change of numbers raises the version.
    let version = spec::NUMBERS_VERSION;
    let page = place.read("results/published/reproduction.md");
    let page = page.replace(&format!("numbers version {version}:"), "numbers version [VERSION]:");
    insta::assert_snapshot!("reproduce-md", page);
    let csv = place.read("results/published/reproduction.csv");
    insta::assert_snapshot!("reproduce-csv", csv.replace(&format!(",{version}\n"), ",[VERSION]\n"));
}

#[test]
fn the_table_needs_the_records_alone() {
    let place = place();
    train(&place, SWEPT);
    place.elbo("reproduce");
    let names = ["reproduction.md", "reproduction.csv", "records/reference-swept.parquet"];
    let files = |place: &Place| names.map(|name| std::fs::read(place.path("results/published").join(name)).unwrap());
    let before = files(&place);
    std::fs::remove_dir_all(place.path("results/runs")).unwrap();
    assert_eq!(place.elbo("reproduce --check").code, Some(0));
    // Without runs the earlier records stay, and the other experiment has none yet.
    assert_eq!(place.elbo("reproduce").code, Some(0));
    assert_eq!(files(&place), before);
    assert!(!place.path("results/published/records/reference-single.parquet").exists());

    // Runs of one experiment leave the records of the other as they are.
    train(&place, SINGLE);
    assert_eq!(place.elbo("reproduce experiments/reference/b-single.yaml").code, Some(0));
    let after = files(&place);
    assert_eq!(after[2], before[2]);
    assert!(place.read("results/published/reproduction.md").contains("| **S1** |"));
    assert_ne!(after[0], before[0]);
}

#[test]
fn a_table_that_was_changed_by_hand_is_noticed() {
    let place = place();
    train(&place, SINGLE);
    place.elbo("reproduce");
    let table = place.read("results/published/reproduction.csv");
    place.write("results/published/reproduction.csv", &table.replace("not run", "yes"));
    let said = place.elbo("reproduce --check");
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("reproduction.csv` is not what its records give: line 2 differs"), "{said:?}");
    assert!(said.err.contains("hint: `elbo reproduce` writes"), "{said:?}");
    assert!(place.read("results/published/reproduction.csv").contains("yes"), "to check is not to write");
}

#[test]
fn what_cannot_be_held_against_anything_is_refused() {
    let place = place();
    let refused = |arguments: &str, complaint: &str| {
        let said = place.elbo(arguments);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{arguments}");
        assert!(said.err.contains(complaint) && said.err.contains("hint: "), "{arguments}: {said:?}");
    };
    refused("reproduce experiments/reference/c-plain.yaml", "is held against nothing");
    refused("reproduce --check", "reproduction.csv");
    place.write("experiments/reference/d.yaml", &SINGLE.replace("reference-single", "reference-other"));
    refused("reproduce", "two published numbers have the id `T`");
    place.write("experiments/reference/d.yaml", SINGLE);
    refused("reproduce", "two experiments are named `reference-single`");
    let bare = Place::new();
    let said = bare.elbo("reproduce");
    assert!(said.code == Some(2) && said.err.contains("there is no folder `experiments/reference`"), "{said:?}");
}

#[test]
fn records_of_an_earlier_numbers_version_stay_and_are_called_so() {
    let place = place();
    train(&place, SINGLE);
    place.elbo("reproduce");
    let path = place.path("results/published/records/reference-single.parquet");
    let cell = &experiment(SINGLE).cells[0];
    let earlier = record::published::read(&path).unwrap().into_iter().map(|row| record::published::PublishedRow {
        run_id: cell.run_id_at(0),
        numbers_version: 0,
        ..row
    });
    record::published::write(&path, &earlier.collect::<Vec<_>>()).unwrap();
    std::fs::remove_dir_all(place.path("results/runs")).unwrap();
    assert_eq!(place.elbo("reproduce").code, Some(0));
    let page = place.read("results/published/reproduction.md");
    assert!(page.contains("- obtained by numbers version 0: T\n"), "{page}");
    // A run of today takes their place.
    train(&place, SINGLE);
    assert_eq!(place.elbo("reproduce").code, Some(0));
    let page = place.read("results/published/reproduction.md");
    assert!(page.contains(&format!("- obtained by numbers version {}: T\n", spec::NUMBERS_VERSION)), "{page}");
}

/// The published table is what the committed records give, byte for byte.
#[test]
fn the_committed_table_is_what_its_records_give() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_elbo"));
    command.args(["reproduce", "--check"]).current_dir(root).env_remove("ELBO_RESULTS");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
