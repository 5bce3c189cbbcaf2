//! What README shows is so: its experiments are valid, its error is what a typo gives, and its commands exist.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use spec::{Experiment, FigureKind, KNOWN_DATASETS, OwnKind, Registered};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The blocks of README that are marked as `language`.
fn blocks(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    let parts = text.split(fence.as_str()).skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_experiment_is_valid_and_a_typo_is_answered_as_shown() {
    let [experiment, registered] = <[String; 2]>::try_from(blocks("yaml")).unwrap();
    let read = Experiment::parse("latent-dims.yaml", experiment.as_bytes(), &[]).unwrap();
    assert_eq!(read.cells.len(), 36);
    let wrong = experiment.replacen("latent_dim: 20", "latent_dims: 20", 1);
    let said = Experiment::parse("latent-dims.yaml", wrong.as_bytes(), &[]).unwrap_err().to_string();
    let [shown] = <[String; 1]>::try_from(blocks("text")).unwrap();
    let said = if said.starts_with("error: ") { said } else { format!("error: {said}") };
    // The missing key is told besides.
    assert!(said.starts_with(shown.trim_end()), "{said}\n{shown}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("leaves.yaml");
    std::fs::write(&file, registered).unwrap();
    assert_eq!(Registered::load(&file).unwrap().classes, ["oak", "elm"]);
}

#[test]
fn every_recipe_and_every_file_that_is_named_is_there() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let recipes = std::fs::read_to_string(root().join("justfile")).unwrap();
    let mut n_recipes = 0;
    for rest in text.split("./just ").skip(1) {
        let name: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        if !name.starts_with('-') {
            let is_there = recipes.lines().any(|line| {
                line.strip_prefix(&*name).is_some_and(|rest| rest.starts_with([' ', ':'])) && line.contains(':')
            });
            assert!(is_there, "`{name}`");
            n_recipes += 1;
        }
    }
    assert!(n_recipes > 8);
    for rest in text.split("experiments/").skip(1) {
        let path: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "/-.".contains(*c)).collect();
        assert!(root().join("experiments").join(path.trim_end_matches('.')).exists(), "{path}");
    }
}

#[test]
fn every_figure_and_every_dataset_is_named() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let figures = text.split("**Figures**").nth(1).unwrap().split("\n\n").next().unwrap().to_owned();
    for kind in FigureKind::ALL {
        let name = serde_json::to_value(kind).unwrap();
        assert!(figures.contains(&format!("`{}`", name.as_str().unwrap())), "{name}");
    }
    for known in KNOWN_DATASETS {
        assert!(text.contains(known.name), "{}", known.name);
    }
    for kind in OwnKind::all() {
        assert!(text.contains(&format!("`{{ {}: ", kind.word())), "{}", kind.word());
    }
}
