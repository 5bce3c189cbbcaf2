//! What is said of runs that keep their best epoch, and of runs that go on from shorter ones.

use spec::Cell;

use crate::support::{Place, begin, experiment};

/// Two seeds that keep the best of four epochs.
const BEST: &str = "
name: best
dataset: { name: glyphs, validation: 1000 }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 4, keep: best }
sweep: { grid: { training.seed: [0, 1] } }
figures: [loss-curves]
";

/// Two cells of one cohort.
const SHORT: &str = "
name: short
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 3 }
sweep: { grid: { training.seed: [1, 0] } }
figures: []
";

/// The numbers of made-up runs fall with every epoch, so that those of an epoch are known by their value.
#[test]
fn every_command_shows_the_epoch_that_was_kept() {
    let place = Place::new();
    place.write("best.yaml", BEST);
    let cells = experiment(BEST).cells;
    for (cell, kept) in cells.iter().zip([2, 3]) {
        let mut writer = begin(&place.store(), cell, 4);
        writer.keep(kept);
        writer.finish(12.5).unwrap();
    }
    // reconstruction = 144 + seed + 10 / epoch, KL = 2 × (5 + seed / 8)
    let elbos = [-(144.0 + 5.0 + 10.0), -(145.0 + 10.0 / 3.0 + 10.25)];
    let listed = place.json("list --json");
    for (run, (elbo, kept)) in listed["runs"].as_array().unwrap().iter().zip(elbos.iter().zip([2, 3])) {
        assert!((run["elbo"].as_f64().unwrap() - elbo).abs() < 1e-9, "{run}");
        assert_eq!((&run["epoch"], &run["kept_epoch"]), (&4.into(), &kept.into()));
    }
    let list = place.elbo("list").out;
    assert!(list.contains("4/4 → 2") && list.contains("at the latest epoch or the one kept (→)"), "{list}");
    let show = place.elbo(&format!("show {}", cells[0].run_id())).out;
    assert!(show.contains("the weights of epoch 2, the best on the validation images"), "{show}");
    assert!(show.contains("−159.00") && show.contains("at epoch 2") && !show.contains("at epoch 4"), "{show}");
    let compared = place.json("compare best.yaml --json");
    let elbo = compared["rows"].as_array().unwrap().iter().find(|row| row["metric"] == "elbo").unwrap();
    assert!((elbo["mean"].as_f64().unwrap() - (elbos[0] + elbos[1]) / 2.0).abs() < 1e-9, "{elbo}");
    assert_eq!((&elbo["epoch"], &elbo["n"]), (&serde_json::Value::Null, &2.into()));
    assert_eq!(place.elbo("figures best.yaml").code, Some(0));
    let table = place.read("results/sweeps/best/tables/elbo-terms.csv");
    assert!(table.contains("-158.79"), "{table}");
}

#[test]
fn a_plan_says_which_run_is_gone_on_from_and_keeps_its_cohort() {
    let place = Place::new();
    place.write("short.yaml", SHORT);
    let short = experiment(SHORT).cells;
    let cohort: Vec<_> = short.iter().rev().map(Cell::run_id).collect();
    for cell in &short {
        let mut provenance = crate::support::provenance();
        provenance.cohort.clone_from(&cohort);
        let mut writer = record::RunWriter::start(&place.store(), cell, &provenance).unwrap();
        writer.checkpoint(3, 30, |folder| std::fs::write(folder.join("state"), b"some")).unwrap();
        writer.finish(12.5).unwrap();
    }
    let longer = place.json("plan short.yaml --set training.epochs=5 --json");
    let cells = longer["cells"].as_array().unwrap();
    for (cell, short) in cells.iter().zip(&short) {
        assert_eq!((&cell["status"], &cell["epoch"]), (&"new".into(), &0.into()));
        assert_eq!(cell["continues"], serde_json::json!({ "run_id": short.run_id(), "epoch": 3 }));
    }
    let of_cohort = [1, 0].map(|i: usize| cells[i]["run_id"].clone());
    assert_eq!(longer["cohorts"][0]["runs"], serde_json::json!(of_cohort));
    assert_eq!(longer["cohorts"][0]["resume"], 3);
    let said = place.elbo("plan short.yaml --set training.epochs=5").out;
    assert!(said.contains(&format!("goes on from epoch 3, the end of {}", short[0].run_id())), "{said}");

    // Fewer epochs, or a schedule that is stretched over them, are another training.
    for other in ["training.epochs=2", "optimizer.adam.schedule=cosine"] {
        let plan = place.json(&format!("plan short.yaml --set {other} --set training.batch_size=128 --json"));
        assert_eq!(plan["cells"][0]["continues"], serde_json::Value::Null, "{other}");
    }
}
