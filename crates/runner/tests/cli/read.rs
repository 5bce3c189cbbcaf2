//! The commands that read a store: `list`, `show`, `diff`, `compare`, `plan`, `figures`, `report`.

use std::process::Stdio;

use record::RunEditor;
use serde_json::Value;
use spec::metric::Subject;
use spec::{Measurement, Metric, MetricSettings};

use crate::made_up::measured;
use crate::support::{Place, SMALL, begin, experiment, filled, finish, finish_without_bound, names};

/// A store with one run of each status but `running`.
fn mixed() -> Place {
    let place = Place::new();
    let (store, cells) = (place.store(), experiment(SMALL).cells);
    finish(&store, &cells[0]);
    begin(&store, &cells[1], 2).fail("`kl` is NaN at step 939\nhint: lower the learning rate").unwrap();
    let mut writer = begin(&store, &cells[2], 2);
    writer.checkpoint(2, 938, |folder| std::fs::write(folder.join("weights"), b"1")).unwrap();
    writer.interrupt().unwrap();
    for cell in &cells[..3] {
        let name = format!("results/runs/{}/run.json", cell.run_id());
        let mut manifest: Value = serde_json::from_str(&place.read(&name)).unwrap();
        manifest["timing"]["seconds"] = 4.into();
        place.write(&name, &manifest.to_string());
    }
    place
}

#[test]
fn list_shows_the_runs() {
    insta::assert_snapshot!(filled().elbo("list").out);
    insta::assert_snapshot!(mixed().elbo("list").out);
}

#[test]
fn list_filters_and_sorts() {
    let place = filled();
    assert_eq!(names(&place, "").len(), 8);
    assert_eq!(names(&place, "--where model.latent_dim=5 --where objective.beta>=2").len(), 2);
    assert_eq!(names(&place, "--where training.seed!=0 --where model.latent_dim<5").len(), 2);
    assert_eq!(names(&place, "--dataset mnist").len(), 0);
    assert_eq!(names(&place, "--dataset glyphs --status done").len(), 8);
    assert_eq!(names(&place, "--status failed").len(), 0);
    let best = names(&place, "--sort -elbo");
    let mut worst = names(&place, "--sort elbo");
    worst.reverse();
    assert_eq!(best, worst);
    assert_eq!(names(&place, "--sort model.latent_dim")[0], "vae-glyphs-z2-b1-h8-e3-s0");
    assert_eq!(names(&place, "--sort -model.latent_dim")[0], "vae-glyphs-z5-b1-h8-e3-s0");
    let nothing = place.elbo("list --status failed");
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(0), ""));
    insta::assert_snapshot!(nothing.err, @"none of the 8 stored runs meets these conditions");
}

#[test]
fn list_says_so_where_there_is_nothing() {
    let place = Place::new();
    let said = place.elbo("list --results elsewhere");
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""));
    insta::assert_snapshot!(said.err);
    assert_eq!(place.json("list --json")["runs"], Value::Array(vec![]));
    assert!(!place.path("elsewhere").exists(), "to look makes no folder");
}

#[test]
fn lists_as_json_have_the_promised_keys() {
    let list = mixed().json("list --json");
    let runs = list["runs"].as_array().unwrap();
    assert_eq!(
        runs.iter().map(|run| run["status"].as_str().unwrap()).collect::<Vec<_>>(),
        ["done", "failed", "resumable"]
    );
    let keys: Vec<&String> = runs[0].as_object().unwrap().keys().collect();
    insta::assert_snapshot!(keys.into_iter().map(String::as_str).collect::<Vec<_>>().join(" "));
    assert!(runs[1]["reason"].as_str().unwrap().starts_with("`kl` is NaN"));
    assert_eq!((&runs[0]["epoch"], &runs[2]["epoch"], &runs[0]["split"]), (&3.into(), &2.into(), &"test".into()));
    let sum = runs[0]["reconstruction"].as_f64().unwrap() + runs[0]["kl"].as_f64().unwrap();
    assert!((runs[0]["elbo"].as_f64().unwrap() + sum).abs() < 1e-9);
}

#[test]
fn a_damaged_run_is_named_and_the_others_are_listed() {
    let place = filled();
    let id = experiment(SMALL).cells[0].run_id();
    place.write(&format!("results/runs/{id}/run.json"), "{ half");
    let said = place.elbo("list");
    assert_eq!((said.code, said.out.matches("vae-glyphs-").count()), (Some(0), 7));
    assert!(said.err.contains("warning: left out") && said.err.contains(&id.to_string()), "{said:?}");
}

#[test]
fn show_shows_one_run() {
    let place = filled();
    insta::assert_snapshot!(place.elbo("show vae-glyphs-z5-b4-h8-e3-s1").out);
    let by_name = place.json("show vae-glyphs-z5-b4-h8-e3-s1 --json");
    let id = by_name["run_id"].as_str().unwrap();
    assert_eq!(place.json(&format!("show {} --json", &id[..6])), by_name);
    assert_eq!((&by_name["status"], &by_name["epoch"]), (&"done".into(), &3.into()));
    assert_eq!(by_name["evaluation"][1]["settings"]["components"], 10);
    insta::assert_snapshot!(mixed().elbo("show vae-glyphs-z2-b1-h8-e3-s1").out);
}

#[test]
fn diff_shows_what_differs() {
    let place = filled();
    insta::assert_snapshot!(place.elbo("diff vae-glyphs-z2-b1-h8-e3-s0 vae-glyphs-z5-b4-h8-e3-s0").out);
    let same = place.json("diff vae-glyphs-z2-b1-h8-e3-s0 vae-glyphs-z2-b1-h8-e3-s0 --json");
    assert_eq!(same["settings"], Value::Array(vec![]));
    assert!(same["metrics"].as_array().unwrap().iter().all(|row| row["difference"] == 0.0));
}

/// [`SMALL`], on gray and on binary pixels.
fn two_scales() -> Place {
    let text = SMALL.replace("objective.beta: [1, 4]", "dataset.pixels: [gray, static]");
    let place = Place::new();
    place.write("scales.yaml", &text);
    for cell in &experiment(&text).cells {
        finish(&place.store(), cell);
    }
    place
}

#[test]
fn scales_are_never_mixed() {
    let place = two_scales();
    let both = place.elbo("compare scales.yaml");
    assert_eq!(both.code, Some(0), "{both:?}");
    insta::assert_snapshot!(both.out);
    assert!(both.err.contains("numbers on different scales cannot be compared"), "{both:?}");
    let json = place.json("compare scales.yaml --metric kl --json");
    assert_eq!(json["scale"], Value::Null);
    let scales: Vec<&Value> = json["rows"].as_array().unwrap().iter().map(|row| &row["scale"]).collect();
    assert_eq!(scales, ["gray-bce", "gray-bce", "bernoulli", "bernoulli"]);
    let one = place.json("compare scales.yaml --where dataset.pixels=static --json");
    assert_eq!(one["scale"], "bernoulli");
    let sorted = place.elbo("list --sort -elbo");
    assert!(sorted.err.contains("sorted by elbo within each scale"), "{sorted:?}");
    let runs = place.json("list --json --sort -elbo")["runs"].as_array().unwrap().clone();
    let scales: Vec<&str> = runs.iter().map(|run| run["scale"].as_str().unwrap()).collect();
    assert_eq!(scales.iter().filter(|scale| **scale == "bernoulli").count(), 4);
    for of_scale in runs.chunk_by(|a, b| a["scale"] == b["scale"]) {
        assert_eq!(of_scale.len(), 4, "{scales:?}");
        assert!(of_scale.is_sorted_by(|a, b| a["elbo"].as_f64() >= b["elbo"].as_f64()), "{of_scale:?}");
    }
    let list = place.json("list --json --sort dataset.pixels");
    let ids = [&list["runs"][0], &list["runs"][7]].map(|run| run["run_id"].as_str().unwrap().to_owned());
    let diff = place.json(&format!("diff {} {} --json", ids[0], ids[1]));
    assert!(diff["metrics"].as_array().unwrap().iter().all(|row| row["difference"].is_null()));
    let said = place.elbo(&format!("diff {} {}", ids[0], ids[1]));
    assert!(said.out.contains("which cannot be compared"), "{said:?}");
}

#[test]
fn compare_averages_over_seeds_alone() {
    let place = filled();
    insta::assert_snapshot!(place.elbo("compare small.yaml").out);
    insta::assert_snapshot!(
        place.elbo("compare small.yaml --by objective.beta --metric elbo --metric latent_log_density").out
    );
    let compared = place.json("compare small.yaml --json --metric kl --where model.latent_dim=5");
    let rows = compared["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    // kl of seeds 0 and 1: 25 and 25.625.
    assert_eq!((&rows[0]["mean"], &rows[0]["n"]), (&25.3125.into(), &2.into()));
    assert_eq!(rows[0]["group"]["objective.beta"], 1.0);
    // t(0.975, 1 degree of freedom) × 0.625 / √2 / √2.
    let half = rows[0]["half_width_95"].as_f64().unwrap();
    assert!((half - 12.706_204_7 * 0.3125).abs() < 1e-6, "{half}");
}

#[test]
fn compare_tells_what_it_shows_and_what_is_amiss() {
    let place = Place::new();
    for (name, beta) in [("near", 1), ("far", 2)] {
        let text = format!(
            "name: {name}\ndataset: {{ name: glyphs }}\nmodel: {{ hidden: [16], latent_dim: 2 }}\n\
             objective: {{ beta: {beta} }}\ntraining: {{ epochs: 3 }}\n\
             sweep: {{ grid: {{ model.latent_dim: [2, 5], training.seed: [0, 1, 2] }} }}\n"
        );
        place.write(&format!("{name}.yaml"), &text);
        for cell in &experiment(&text).cells {
            finish(&place.store(), cell);
        }
    }
    let said = place.elbo("compare far.yaml");
    assert!(said.out.contains("\nfindings (") && said.out.contains("\n  D 2 → 5 gains "), "{}", said.out);
    let json = place.json("compare far.yaml --json");
    assert_eq!(json["findings"][0]["rows"], serde_json::json!(["D = 2", "D = 5"]));
    assert!(json["findings"][0]["text"].as_str().unwrap().starts_with("D 2 → 5 gains "));
    // Where the intervals overlap no difference is told.
    let said = place.elbo("compare near.yaml");
    assert!(!said.out.contains("gains "), "{}", said.out);
    // Of one seed each nothing is found, and that is said; training goes on to change more than what is compared.
    let said = place.elbo("compare near.yaml --where training.seed=0");
    assert!(said.err.contains("warning: not converged: test ELBO still rising by "), "{}", said.err);
    assert!(said.err.contains("hint: train for more epochs"), "{}", said.err);
    let json = place.json("compare near.yaml --json --where training.seed=0");
    assert_eq!(json["findings"], serde_json::json!([]));
    let kinds: Vec<&str> =
        json["warnings"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["not-converged", "few-seeds"]);
}

#[test]
fn compare_says_what_is_missing() {
    let place = mixed();
    let said = place.elbo("compare small.yaml");
    assert_eq!(said.code, Some(0));
    assert!(said.err.contains("\n7 of 8 cells are not done and left out"), "{}", said.err);
    for (options, complaint) in [
        ("--metric fid", "no run has a metric `fid`"),
        ("--by training.epochs", "does not vary"),
        ("--where model.latentdim=2", "no run has a setting `model.latentdim`"),
        ("--split validation", "on the validation split\nhint: --split may be `train`, `test`"),
        ("--where model.latent_dim>abc", "`abc` is no number"),
        ("--where model.kind>3", "`model.kind` is no number"),
    ] {
        let said = place.elbo(&format!("compare small.yaml {options}"));
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{options}");
        assert!(said.err.contains(complaint) && said.err.contains("hint: "), "{options}: {said:?}");
    }
}

#[test]
fn a_word_finds_a_variant_with_any_settings() {
    let place = Place::new();
    let kinds = "
name: kinds
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 2 }
sweep:
  include:
    - { model.likelihood: { gaussian: { sigma: 1 } } }
    - { model.likelihood: { gaussian: { sigma: 2 } } }
    - { model.likelihood: gaussian-shared }
    - { model.prior: vamp }
";
    place.write("kinds.yaml", kinds);
    for cell in &experiment(kinds).cells {
        finish(&place.store(), cell);
    }
    assert_eq!(names(&place, "--where model.likelihood=gaussian").len(), 2);
    assert_eq!(names(&place, "--where model.likelihood=[gaussian,gaussian-shared]").len(), 3);
    assert_eq!(names(&place, "--where model.likelihood.gaussian.sigma>=2").len(), 1);
    assert_eq!(names(&place, "--where model.prior!=vamp").len(), 3);
    let compared = place.json("compare kinds.yaml --json --metric elbo --where model.prior=vamp");
    assert_eq!(compared["rows"].as_array().unwrap().len(), 1);
    let none = place.elbo("compare kinds.yaml --where model.prior=mixture");
    assert_eq!((none.code, none.out.as_str()), (Some(0), ""));
    assert!(none.err.contains("none of the 4 cells meets these conditions"), "{none:?}");
}

#[test]
fn numbers_over_fewer_images_say_so_and_small_ones_have_digits() {
    let place = filled();
    let cells = experiment(SMALL).cells;
    let sharpness = measured(Metric::Sharpness, 0.020_86, 0.000_47, MetricSettings::of(Subject::Data));
    for (cell, n) in cells[..2].iter().zip([50, 10_000]) {
        let rows = [Measurement::nll(90.0, 0.5, n, 5), sharpness.clone()];
        RunEditor::open(&place.store().run(&cell.run_id())).unwrap().evaluation(&rows).unwrap();
    }
    let shown = place.elbo(&format!("show {}", cells[0].run_id())).out;
    assert!(shown.contains("samples 5, 50 images") && shown.contains("0.0209") && shown.contains("0.0005"), "{shown}");
    assert!(
        !place.elbo(&format!("show {}", cells[1].run_id())).out.contains("images\n"),
        "the whole split needs no word"
    );
    let compared = place.elbo("compare small.yaml --metric pseudo_nll --metric sharpness").out;
    assert!(
        compared.contains("pseudo_nll (samples 5, 50 images)") && compared.contains("pseudo_nll (samples 5) "),
        "{compared}"
    );
    assert!(compared.contains("0.0209 ± 0.0000"), "{compared}");
    let json = place.json("compare small.yaml --metric pseudo_nll --json");
    assert_eq!((&json["rows"][0]["images"], &json["rows"][1]["images"]), (&Value::Null, &50.into()));
    let diff = place.json(&format!("diff {} {} --json", cells[0].run_id(), cells[1].run_id()));
    let of_nll = |row: &&Value| row["metric"].as_str().unwrap().starts_with("pseudo_nll");
    assert!(diff["metrics"].as_array().unwrap().iter().filter(of_nll).all(|row| row["difference"].is_null()));
}

#[test]
fn a_plan_has_every_cell() {
    let place = mixed();
    let plan = place.json("plan small.yaml --json --jobs 1 --threads 1 --cohort 4");
    let totals = &plan["totals"];
    let counts = ["done", "failed", "resumable", "new", "running"].map(|word| totals[word].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1, 5, 0]);
    assert_eq!(plan["cells"].as_array().unwrap().len(), 8);
    // The resumable run by itself, the five new ones in two.
    assert_eq!(totals["cohorts"], 3);
    assert_eq!(plan["cohorts"][0]["resume"], 2);
    assert_eq!(plan["cells"][2]["epoch"], 2);
    let text = place.elbo("plan small.yaml --jobs 1 --threads 1 --cohort 4").out;
    insta::assert_snapshot!(text);
}

#[test]
fn a_changed_setting_is_another_run() {
    let place = filled();
    assert_eq!(place.json("plan small.yaml --json")["totals"]["done"], 8);
    assert_eq!(place.json("plan small.yaml --json --set training.epochs=4")["totals"]["new"], 8);
    assert_eq!(place.json("plan small.yaml --json --jobs 2 --threads 7")["totals"]["done"], 8);
}

#[test]
fn figures_and_report_are_drawn_from_records() {
    let place = filled();
    let figures = place.elbo("figures small.yaml");
    assert_eq!((figures.code, figures.out.as_str()), (Some(0), "results/sweeps/small/figures\n"), "{figures:?}");
    for ending in ["svg", "pdf", "png"] {
        let file = place.path(&format!("results/sweeps/small/figures/loss-curves.{ending}"));
        assert!(std::fs::metadata(&file).unwrap().len() > 1000, "{}", file.display());
    }
    let report = place.elbo("report small.yaml");
    assert_eq!((report.code, report.out.as_str()), (Some(0), "results/sweeps/small/report.html\n"), "{report:?}");
    assert!(place.read("results/sweeps/small/report.html").contains("</html>"));
}

#[test]
fn what_is_drawn_of_other_cells_has_a_folder_of_its_own() {
    let place = filled();
    let folder = "results/sweeps/small-with-training-seed-0";
    let figures = place.elbo("figures small.yaml --set training.seed=0");
    assert_eq!((figures.code, figures.out), (Some(0), format!("{folder}/figures\n")));
    let report = place.elbo("report small.yaml --set training.seed=0");
    assert_eq!((report.code, report.out), (Some(0), format!("{folder}/report.html\n")));
    let sweep = place.elbo("sweep small.yaml --set training.seed=0");
    assert_eq!(sweep.code, Some(0), "{sweep:?}");
    assert!(sweep.err.contains(&format!("figures and report go to `{folder}`")), "{sweep:?}");
    assert!(sweep.out.contains(&format!("report: {folder}/report.html")), "{sweep:?}");
    assert!(!place.path("results/sweeps/small").exists(), "nothing is drawn over what the experiment itself shows");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = filled();
    for arguments in [
        "list",
        "list --json",
        "plan small.yaml",
        "show vae-glyphs-z2-b1-h8-e3-s0",
        "compare small.yaml",
        "completions bash",
    ] {
        let mut child = place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""), "{arguments}");
    }
}

#[test]
fn models_without_a_bound_have_dashes_and_come_last() {
    let place = Place::new();
    let (store, cells) = (place.store(), experiment(SMALL).cells);
    finish_without_bound(&store, &cells[0]);
    for cell in &cells[1..] {
        finish(&store, cell);
    }
    let list = place.elbo("list --sort elbo").out;
    let line = list.lines().find(|line| line.contains(&cells[0].run_id().to_string())).unwrap();
    assert_eq!(line.matches(" –").count(), 3, "{list}");
    for order in ["--sort elbo", "--sort -elbo"] {
        assert_eq!(names(&place, order).last().unwrap(), &cells[0].readable_name());
    }
    let shown = place.elbo(&format!("show {}", cells[0].run_id())).out;
    let numbers: Vec<Vec<&str>> =
        shown.lines().filter(|line| line.starts_with("test")).map(|line| line.split_whitespace().collect()).collect();
    // Its losses stand in the place of the terms that it does not have.
    assert_eq!(
        numbers.iter().map(|line| &line[1..3]).collect::<Vec<_>>(),
        [["objective", "0.75"], ["discriminator", "1.25"]]
    );
    let compared = place.elbo("compare small.yaml");
    let note = format!("no variational bound, hence no ELBO: `{}`\n", cells[0].readable_name());
    assert!(compared.err.contains(&note), "{compared:?}");
    let differing = place.json(&format!("diff {} {} --json", cells[0].run_id(), cells[1].run_id()));
    let metrics = differing["metrics"].as_array().unwrap();
    assert!(metrics.iter().any(|row| row["metric"] == "elbo" && row["a"].is_null() && row["difference"].is_null()));
    // Where no run has any of the three, what it was trained by is compared.
    let alone = place.elbo(&format!(
        "compare small.yaml --where training.seed={} --where model.latent_dim={} --where objective.beta={}",
        cells[0].training.seed, cells[0].model.latent_dim, cells[0].objective.beta
    ));
    assert!(
        alone.out.contains("objective") && alone.out.contains("discriminator") && alone.out.contains("1.25"),
        "{alone:?}"
    );
    assert_eq!(place.elbo("compare small.yaml --split validation").code, Some(2));
}
