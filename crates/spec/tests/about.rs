//! What an experiment asks, whom it follows and how it is started: read, kept out of run ids, and told by every file.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use spec::{Experiment, RunId};

const CELLS: &str = "dataset: { name: glyphs }\nmodel: { hidden: [8], latent_dim: 2 }\n";

fn ids(experiment: &Experiment) -> Vec<RunId> {
    experiment.cells.iter().map(spec::Cell::run_id).collect()
}

#[test]
fn texts_are_read_in_one_line_and_change_no_run() {
    let plain = Experiment::parse("x.yaml", format!("name: x\n{CELLS}").as_bytes(), &[]).unwrap();
    assert_eq!(plain.about, spec::About::default());
    let text = format!(
        "name: x\nquestion: >-\n  Why\n  this?\nsource: |\n  Kingma & Welling 2014,\n  fig. 4\nlaunch: ./just sweep x   # a minute\n{CELLS}"
    );
    let told = Experiment::parse("x.yaml", text.as_bytes(), &[]).unwrap();
    assert_eq!(told.about.question.as_deref(), Some("Why this?"));
    assert_eq!(told.about.source.as_deref(), Some("Kingma & Welling 2014, fig. 4"));
    assert_eq!(told.about.launch.as_deref(), Some("./just sweep x"));
    assert_eq!(ids(&told), ids(&plain));
    let set =
        Experiment::parse("x.yaml", text.as_bytes(), &["question=And that?".to_owned(), "source=null".to_owned()]);
    let set = set.unwrap();
    assert_eq!((set.about.question.as_deref(), &set.about.source), (Some("And that?"), &None));
    assert_eq!(ids(&set), ids(&plain));
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|suffix| suffix == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn every_file_in_experiments_says_what_it_asks_whom_it_follows_and_how_to_start_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    yaml_files(&root.join("experiments"), &mut files);
    assert!(files.len() > 15, "{files:?}");
    for file in files {
        let experiment = Experiment::load(&file, &[]).unwrap();
        let about = experiment.about;
        let path = file.strip_prefix(&root).unwrap().display().to_string();
        assert!(about.question.as_deref().is_some_and(|text| text.ends_with('?')), "{path}: {about:?}");
        assert!(about.source.is_some(), "{path}: {about:?}");
        // The default of the recipe needs no path, and a study is known by its name.
        let launch = about.launch.unwrap_or_default();
        let study = path.strip_prefix("experiments/studies/").and_then(|name| name.strip_suffix(".yaml"));
        let is_study = study.is_some_and(|name| launch.starts_with(&format!("./just study {name}")));
        assert!(launch == "./just sweep" || is_study || launch.contains(&path), "{path}: `{launch}`");
    }
}
