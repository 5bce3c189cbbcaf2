//! Names that several runs share, and every metric where runs are listed, shown and compared.

use record::RunEditor;
use spec::{Metric, MetricSettings};

use crate::made_up::measured;
use crate::support::{Place, SMALL, begin, experiment, filled, finish, finish_without_bound};

/// Two data sets whose files have one name, so that the runs have one too.
const SAME: &str = "
name: same
dataset: { name: { hdf5: /a/shapes.h5 } }
model: { hidden: [8], latent_dim: 2 }
sweep: { grid: { dataset.name: [{ hdf5: /a/shapes.h5 }, { hdf5: /b/shapes.h5 }] } }
";

#[test]
fn done_runs_win_a_name_and_others_are_told_apart() {
    let place = Place::new();
    let (store, cells) = (place.store(), experiment(SAME).cells);
    let name = cells[0].readable_name();
    assert_eq!(name, cells[1].readable_name());
    begin(&store, &cells[0], 1).fail("`kl` is NaN").unwrap();
    finish(&store, &cells[1]);
    assert_eq!(place.json(&format!("show {name} --json"))["run_id"], cells[1].run_id().as_str());
    // What cannot be taken back as easily wants more.
    let said = place.elbo(&format!("rm {name} --yes"));
    assert_eq!(said.code, Some(2), "{said:?}");
    for (cell, status, path) in [(&cells[0], "failed", "/a/shapes.h5"), (&cells[1], "done", "/b/shapes.h5")] {
        let line = said.err.lines().find(|line| line.contains(cell.run_id().as_str())).unwrap();
        assert!(line.contains(status) && line.contains("dataset.name") && line.contains(path), "{line}");
    }
    assert!(said.err.contains("hint: give the run's id"), "{said:?}");
}

#[test]
fn a_failed_look_at_a_learning_rate_is_no_namesake() {
    let place = Place::new();
    let [plain, hot] = ["", "optimizer: { adam: { learning_rate: 1000 } }"].map(|more| {
        experiment(&format!("name: x\ndataset: {{ name: glyphs }}\nmodel: {{ hidden: [400], latent_dim: 10 }}\n{more}"))
            .cells
            .remove(0)
    });
    finish(&place.store(), &plain);
    begin(&place.store(), &hot, 1).fail("`kl` is NaN").unwrap();
    assert_eq!(place.json("show vae-glyphs-z10-b1-s0 --json")["status"], "done");
    assert_eq!(place.json("show vae-glyphs-z10-b1-lr1000-s0 --json")["status"], "failed");
}

#[test]
fn what_is_not_in_nats_is_said_to_be_by_show_and_export() {
    let place = filled();
    let cell = &experiment(SMALL).cells[0];
    let psnr = measured(Metric::Psnr, 20.5, 0.1, MetricSettings::default());
    RunEditor::open(&place.store().run(&cell.run_id())).unwrap().evaluation(&[psnr]).unwrap();
    let shown = place.elbo(&format!("show {}", cell.run_id())).out;
    assert!(shown.contains("means over images, nats per image") && shown.contains("psnr in dB"), "{shown}");
    assert!(!shown.contains("unless a metric's name says otherwise"), "{shown}");
}

#[test]
fn a_count_of_units_has_one_column_and_seeds_have_none() {
    let place = filled();
    for cell in &experiment(SMALL).cells {
        let settings = MetricSettings { variance_above: Some(0.01), ..MetricSettings::default() };
        let row = measured(Metric::ActiveUnits, 2.0, 0.0, settings);
        RunEditor::open(&place.store().run(&cell.run_id())).unwrap().evaluation(&[row]).unwrap();
    }
    let compared = place.elbo("compare small.yaml --metric active_units").out;
    assert_eq!(compared.matches("active_units").count(), 1, "{compared}");
    let shown = place.elbo(&format!("show {}", experiment(SMALL).cells[0].run_id())).out;
    assert_eq!(shown.lines().filter(|line| line.contains("active_units")).count(), 1, "{shown}");
    let by_seed = place.elbo("compare small.yaml --by training.seed");
    assert_eq!((by_seed.code, by_seed.out.as_str()), (Some(2), ""), "{by_seed:?}");
    assert!(by_seed.err.contains("`training.seed` is what numbers are averaged over"), "{by_seed:?}");
    let other = place.elbo("compare small.yaml --by training.epochs");
    assert!(other.err.contains("hint: what varies is `model.latent_dim`, `objective.beta`\n"), "{other:?}");
}

#[test]
fn nothing_measured_is_said() {
    let place = Place::with_worker("exit 1");
    let autoencoders =
        SMALL.replace("model: { hidden", "model: { kind: autoencoder, hidden").replace("objective.beta: [1, 4], ", "");
    place.write("autoencoders.yaml", &autoencoders);
    for cell in &experiment(&autoencoders).cells {
        finish_without_bound(&place.store(), cell);
    }
    let said = place.elbo("evaluate autoencoders.yaml --importance-samples 5");
    assert_eq!(said.code, Some(0), "{said:?}");
    let told = "not measured, since −log p(x) needs a variational bound: autoencoder-glyphs-z2-h8-e3-s0 and 3 more";
    assert!(said.err.contains(told), "{said:?}");
}

#[test]
fn lists_have_every_metric() {
    let place = filled();
    let cell = &experiment(SMALL).cells[0];
    let psnr = measured(Metric::Psnr, 20.5, 0.1, MetricSettings::default());
    RunEditor::open(&place.store().run(&cell.run_id())).unwrap().evaluation(&[psnr]).unwrap();
    let list = place.json("list --json --where training.seed=0 --where model.latent_dim=2 --where objective.beta=1");
    let run = &list["runs"][0];
    for metric in Metric::per_epoch()
        .filter(|metric| !matches!(metric, Metric::Discriminator | Metric::PosteriorSigma | Metric::ImportanceBound))
    {
        assert!(run[metric.name()].is_number(), "{metric}: {run}");
    }
    let rows = run["evaluation"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["metric"] == "psnr" && row["value"] == 20.5), "{run}");
}
