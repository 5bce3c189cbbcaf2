//! Studies: claims with their verdicts under a sweep and a comparison, and a budget of hours.

use protocol::{Calibration, Message, Pace};
use spec::Experiment;

use crate::support::{Place, Said, finish};

/// One claim that holds, one that the seeds leave open, and one that is the wrong way round: see `row` in `support.rs`.
const TINY: &str = "
name: tiny
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 3 }
figures: [claims]
sweep:
  grid: { model.latent_dim: [2, 5], objective.beta: [1, 4], training.seed: [0, 1, 2] }
claims:
  - id: so
    text: A larger β lowers the KL.
    metric: kl
    of: { model.latent_dim: 5 }
    from: { objective.beta: 1 }
    to: { objective.beta: 4 }
    expect: falls
    delta: 1
  - id: perhaps
    text: A wider latent space raises the KL by more than 15.5 nats.
    metric: kl
    of: { objective.beta: 1 }
    from: { model.latent_dim: 2 }
    to: { model.latent_dim: 5 }
    expect: rises
    delta: 15.5
  - id: not
    text: A wider latent space worsens the reconstruction.
    metric: reconstruction
    of: { objective.beta: 1 }
    from: { model.latent_dim: 2 }
    to: { model.latent_dim: 5 }
    expect: rises
    delta: 1
";

fn tiny(set: &[&str]) -> Experiment {
    let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
    Experiment::parse("tiny.yaml", TINY.as_bytes(), &set).unwrap()
}

fn fill(place: &Place, set: &[&str], keep: impl Fn(&spec::Cell) -> bool) {
    place.write("tiny.yaml", TINY);
    tiny(set).cells.iter().filter(|cell| keep(cell)).for_each(|cell| finish(&place.store(), cell));
}

/// The verdict of each claim and of what it rests on, as a comparison gives them to programs.
fn verdicts(place: &Place) -> Vec<(String, String)> {
    let json: serde_json::Value = serde_json::from_str(&place.elbo("compare tiny.yaml --json").out).unwrap();
    let claims = json["judged"]["claims"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    claims.map(|claim| (text(&claim["verdict"]), text(&claim["comparisons"][0]["lack"]))).collect()
}

#[test]
fn a_true_an_open_and_a_false_claim_are_judged() {
    let place = Place::new();
    fill(&place, &[], |_| true);
    insta::assert_snapshot!(place.elbo("compare tiny.yaml").out);
    let none = String::new;
    let all = [("holds".to_owned(), none()), ("undecided".to_owned(), none()), ("reversed".to_owned(), none())];
    assert_eq!(verdicts(&place), all);
    let rule = spec::claims_hash(&tiny(&[]).claims).unwrap();
    let said = place.elbo("sweep tiny.yaml");
    assert_eq!(said.code, Some(0), "{said:?}");
    let has_all = |text: &str| ["holds", "undecided", "reversed", &rule].iter().all(|word| text.contains(word));
    let report = place.read("results/sweeps/tiny/report.html");
    let table = place.read("results/sweeps/tiny/tables/claims.csv");
    assert!(has_all(&said.out) && has_all(&report) && has_all(&table), "{said:?}\n{table}");
    assert!(place.read("results/sweeps/tiny/figures/claims.svg").contains("↩ reversed"));
    // Claims are about the whole experiment: nothing is said of them where a part of it is looked at.
    let some = place.json("compare tiny.yaml --where objective.beta=1 --json");
    assert!(some["judged"].is_null() && some["rows"].as_array().is_some_and(|rows| !rows.is_empty()));
}

#[test]
fn what_records_lack_is_named() {
    let place = Place::new();
    fill(&place, &[], |cell| cell.training.seed == 0 || cell.model.latent_dim == 5 && cell.training.seed == 1);
    let few = || ("too-few-seeds".to_owned(), "one common seed".to_owned());
    assert_eq!(verdicts(&place), [("holds".to_owned(), String::new()), few(), few()]);
    let told = place.elbo("compare tiny.yaml").out;
    assert!(told.contains("holds (without seed 2)"), "{told}");
    let place = Place::new();
    fill(&place, &[], |cell| cell.model.latent_dim == 5);
    let lack = || ("not-measured".to_owned(), "no finished run: D = 2, β = 1".to_owned());
    assert_eq!(verdicts(&place)[1..], [lack(), lack()]);
}

#[test]
fn claims_that_change_afterwards_are_told() {
    let place = Place::new();
    fill(&place, &[], |_| true);
    let first = place.elbo("sweep tiny.yaml");
    let again = place.elbo("sweep tiny.yaml");
    assert!(!first.err.contains("others than before") && !again.err.contains("others than before"), "{again:?}");
    assert!(!place.read("results/sweeps/tiny/report.html").contains("claims were changed"));
    place.write("tiny.yaml", &TINY.replace("delta: 15.5", "delta: 1").replace("more than 15.5 nats", "a nat"));
    let changed = place.elbo("sweep tiny.yaml");
    assert!(changed.err.contains("the claims of `tiny` are others than before"), "{changed:?}");
    assert_eq!(verdicts(&place)[1].0, "holds");
    assert!(place.read("results/sweeps/tiny/report.html").contains("The claims were changed once"));
}

/// A place whose worker takes so many seconds for a step, and fails to train.
fn place_of(seconds_per_step: f64) -> Place {
    let pace = Pace { step: seconds_per_step, image: 0.0, latents: 0.0 };
    let answer = Message::Calibration(Calibration { paces: vec![Some(pace); 12], seconds: 0.0 });
    let answer = serde_json::to_string(&answer).unwrap();
    let place = Place::with_worker(&format!(
        "job=$(cat); case \"$job\" in *calibrate*) echo '{answer}';; *) echo 'error: no' >&2; exit 1;; esac"
    ));
    place.write("tiny.yaml", TINY);
    place
}

fn shortened(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("results/sweeps")).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("tiny-with-")).collect()
}

const HOURS: &str = "sweep tiny.yaml --threads 1 --jobs 1 --no-figures --hours";

#[test]
fn a_budget_cuts_epochs_and_never_seeds_and_says_so() {
    // 469 steps of 4 s are half an hour an epoch and cohort; three epochs do not fit into two hours, however the cells are grouped.
    let place = place_of(4.0);
    let whole = place.json("plan tiny.yaml --threads 1 --jobs 1 --json");
    let n_cohorts = whole["cohorts"].as_array().unwrap().len();
    let epoch = 469.0 * 4.0 / 3600.0 * n_cohorts as f64;
    let hours = epoch * 1.5;
    let run = || -> Said { place.elbo(&format!("{HOURS} {hours}")) };
    let said = run();
    assert_eq!(said.code, Some(1), "the worker cannot train: {said:?}");
    let note = "each cell is trained for at most 66 % of the epochs that the file asks for; all cells and seeds stay";
    assert!(said.err.contains(note) && said.err.contains(&format!("more than {hours} h")), "{said:?}");
    let folders = shortened(&place);
    assert_eq!(folders.len(), 1);
    let kept: serde_json::Value =
        serde_json::from_str(&place.read(&format!("results/sweeps/{}/sweep.json", folders[0]))).unwrap();
    let runs = kept["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 12);
    assert!(runs.iter().all(|run| run["cell"]["training"]["epochs"] == 1), "{kept}");
    assert_eq!((kept["hours"].as_f64(), &kept["set"]), (Some(hours), &serde_json::json!(["training.epochs=66%"])));
    // The same command goes on with the same share, though less is left to do, and its verdicts are marked.
    let set = ["training.epochs=66%"];
    fill(&place, &set, |_| true);
    let said = run();
    assert!(said.code == Some(0) && said.err.contains(note), "{said:?}");
    assert!(said.out.contains("the runs are shortened: trained for at most 66 % of the epochs"), "{said:?}");
    assert_eq!(shortened(&place), folders);
}

#[test]
fn a_budget_that_suffices_changes_nothing_and_one_that_cannot_is_refused() {
    let place = place_of(0.001);
    fill(&place, &[], |cell| cell.training.seed > 0);
    let said = place.elbo(&format!("{HOURS} 100"));
    assert!(said.code == Some(1) && !said.err.contains("shortened"), "{said:?}");
    assert_eq!(shortened(&place), Vec::<String>::new());
    let place = place_of(4.0);
    for (hours, complaint) in [
        ("0.01", "neither cells nor seeds are cut"),
        ("0", "expected a number of hours above 0"),
        ("1 --set training.epochs=1", "`--hours` chooses the epochs, and `--set training.epochs=…` does too"),
    ] {
        let said = place.elbo(&format!("{HOURS} {hours}"));
        assert!(said.code == Some(2) && said.err.contains(complaint), "{said:?}");
    }
    assert!(!place.path("results/sweeps").exists());
}
