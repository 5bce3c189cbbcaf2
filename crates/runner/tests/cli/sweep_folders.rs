//! What a sweep's folder stands for, and that no other experiment draws over it unsaid.

use crate::support::{Place, SMALL, experiment, filled, finish};

fn drawn(place: &Place, name: &str) -> bool {
    place.path(&format!("results/sweeps/{name}")).exists()
}

#[test]
fn a_sweeps_folder_keeps_its_experiment_and_command() {
    let place = filled();
    let said = place.elbo("sweep small.yaml --set training.seed=0");
    assert_eq!(said.code, Some(0), "{said:?}");
    let folder = "results/sweeps/small-with-training-seed-0";
    assert_eq!(place.read(&format!("{folder}/experiment.yaml")), SMALL);
    let kept: serde_json::Value = serde_json::from_str(&place.read(&format!("{folder}/sweep.json"))).unwrap();
    assert_eq!(kept["command"], "elbo sweep small.yaml --set 'training.seed=0'");
    assert_eq!(kept["set"], serde_json::json!(["training.seed=0"]));
    assert_eq!(kept["file"], place.path("small.yaml").display().to_string());
    assert_eq!(kept["runs"].as_array().unwrap().len(), 4);
    assert_eq!(kept["runs"][0]["cell"]["training"]["batch_size"], 128, "defaults are written out");
    // What is drawn again later was still made by that command.
    place.elbo("figures small.yaml --set training.seed=0");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&place.read(&format!("{folder}/sweep.json"))).unwrap(), kept);
}

#[test]
fn nothing_is_kept_for_what_cannot_be_drawn() {
    let place = Place::new();
    for command in ["figures small.yaml", "report small.yaml"] {
        let said = place.elbo(command);
        assert!(said.code == Some(2) && said.err.contains("no finished run of `small`"), "{said:?}");
    }
    assert!(!drawn(&place, "small"));
}

#[test]
fn another_file_of_the_same_name_is_refused() {
    let place = filled();
    let other = SMALL.replace("[2, 5]", "[2]");
    place.write("other.yaml", &other);
    place.elbo("sweep small.yaml");
    let report = place.read("results/sweeps/small/report.html");
    for command in ["sweep", "figures", "report", "plan"] {
        let said = place.elbo(&format!("{command} other.yaml"));
        assert_eq!(said.code, Some(2), "{said:?}");
        let both = "is the folder of `[FOLDER]/small.yaml`, and `[FOLDER]/other.yaml` has the same name `small`";
        assert!(said.err.contains(both) && said.err.contains("hint: give one of the two another `name`"), "{said:?}");
    }
    assert_eq!(place.read("results/sweeps/small/report.html"), report);
    // Under another name, by a change of the file or for once, it has a folder of its own.
    assert_eq!(place.elbo("sweep other.yaml --set name=small-2").code, Some(0));
    assert!(drawn(&place, "small-2"));
    // A copy with the same cells would draw the same, and so may a file that has taken the other's place.
    place.write("other.yaml", SMALL);
    assert_eq!(place.elbo("sweep other.yaml").code, Some(0));
    std::fs::remove_file(place.path("small.yaml")).unwrap();
    std::fs::rename(place.path("other.yaml"), place.path("moved.yaml")).unwrap();
    place.write("moved.yaml", &other);
    let said = place.elbo("figures moved.yaml");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("4 cells of 8 went from its figures"), "{said:?}");
}

#[test]
fn a_changed_experiment_says_what_went() {
    let place = filled();
    place.elbo("sweep small.yaml");
    place.write(
        "small.yaml",
        &SMALL.replace("model.latent_dim: [2, 5], ", "").replace("[loss-curves, elbo-by-latent-dim]", "[loss-curves]"),
    );
    let report = place.read("results/sweeps/small/report.html");
    let told = "has other cells than when `results/sweeps/small` was made: 4 cells of 8 went from its figures, \
                vae-glyphs-z5-b1-h8-e3-s0 (";
    let plan = place.elbo("plan small.yaml");
    assert!(plan.code == Some(0) && plan.err.contains(told), "{plan:?}");
    assert!(place.path("results/sweeps/small/figures/elbo-by-latent-dim.svg").exists(), "a plan changes nothing");
    let said = place.elbo("sweep small.yaml");
    assert!(said.code == Some(0) && said.err.contains(told), "{said:?}");
    assert!(said.err.contains("all that was drawn is kept in `results/sweeps/small-earlier-1`\n"), "{said:?}");
    assert!(!place.path("results/sweeps/small/figures/elbo-by-latent-dim.svg").exists());
    assert_eq!(place.read("results/sweeps/small-earlier-1/report.html"), report);
    assert_eq!(place.read("results/sweeps/small-earlier-1/experiment.yaml"), SMALL);
    let again = place.elbo("sweep small.yaml");
    assert!(!again.err.contains("went") && !again.err.contains("kept"), "it is told once: {again:?}");
    // Back to what it was, and so on: nothing is lost on the way. What went before it was drawn leaves no folder.
    place.write("small.yaml", SMALL);
    place.elbo("sweep small.yaml");
    place.write("small.yaml", &SMALL.replace("epochs: 3", "epochs: 2"));
    let plan = place.elbo("plan small.yaml");
    assert!(plan.err.contains("will be kept in a folder beside it"), "{plan:?}");
    place.elbo("figures small.yaml");
    assert!(drawn(&place, "small") && !drawn(&place, "small-earlier-2"), "{plan:?}");
}

#[test]
fn a_figure_that_is_no_longer_asked_for_is_said_to_be_gone() {
    let place = filled();
    place.elbo("sweep small.yaml");
    place.write("small.yaml", &SMALL.replace("[loss-curves, elbo-by-latent-dim]", "[loss-curves]"));
    let said = place.elbo("sweep small.yaml");
    assert!(said.err.contains("figures of an earlier drawing that are gone: elbo-by-latent-dim"), "{said:?}");
    assert!(!place.path("results/sweeps/small/figures/elbo-by-latent-dim.svg").exists());
    assert!(!drawn(&place, "small-earlier-1"));
}

#[test]
fn a_folder_of_an_earlier_version_is_not_drawn_over_unsaid() {
    let place = filled();
    place.elbo("sweep small.yaml");
    std::fs::remove_file(place.path("results/sweeps/small/sweep.json")).unwrap();
    let other = SMALL.replace("epochs: 3", "epochs: 2");
    place.write("small.yaml", &other);
    for cell in &experiment(&other).cells {
        finish(&place.store(), cell);
    }
    let said = place.elbo("figures small.yaml");
    assert!(said.code == Some(0) && said.err.contains("8 cells of 8 went from its figures"), "{said:?}");
}

#[test]
fn a_report_brings_its_tables_with_it() {
    let place = filled();
    place.elbo("sweep small.yaml");
    let tables: Vec<_> = std::fs::read_dir(place.path("results/sweeps/small/tables")).unwrap().collect();
    assert!(!tables.is_empty());
    for table in &tables {
        std::fs::write(table.as_ref().unwrap().path(), "stale").unwrap();
    }
    place.write("results/sweeps/small/summary.parquet", "stale");
    assert_eq!(place.elbo("report small.yaml").code, Some(0));
    for table in &tables {
        assert_ne!(std::fs::read(table.as_ref().unwrap().path()).unwrap(), b"stale");
    }
    assert_ne!(place.read("results/sweeps/small/summary.parquet"), "stale");
}
