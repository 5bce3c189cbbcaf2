//! Packs: what is drawn from one is what is drawn from the runs themselves.

use std::collections::BTreeMap;
use std::path::Path;

use record::{Store, unpack};
use spec::{Experiment, FigureKind};

use crate::common::{Look, experiment, fill, measure_closed_form, measure_images, measure_more};
use crate::files;

const SWEPT: &str = "
name: packed
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 3 }
sweep:
  grid: { model.latent_dim: [2, 5], objective.beta: [1, 4], training.seed: [0, 1] }
claims:
  - { id: a, text: A larger β lowers the KL., metric: kl, of: { model.latent_dim: 5 }, from: { objective.beta: 1 },
      to: { objective.beta: 4 }, expect: falls, delta: 1 }
";

/// Linear ones, which have a closed form.
const LINEAR: &str = "
name: packed
dataset: { name: glyphs, pixels: gray }
model: { hidden: [], latent_dim: 2, likelihood: { gaussian: { sigma: 1 } } }
training: { epochs: 2 }
sweep: { grid: { model.latent_dim: [2, 5], training.seed: [0, 1] } }
";

/// A store with every kind of figure's arrays, and what is drawn of it.
fn drawn(text: &str, root: &Path) -> (Experiment, Store, BTreeMap<String, Vec<u8>>) {
    let look = Look::TINY;
    let experiment = Experiment { figures: FigureKind::ALL.to_vec(), ..experiment(text) };
    let store = fill(root, &experiment, look, |_| true);
    measure_more(&store, &experiment, look);
    measure_images(&store, &experiment);
    measure_closed_form(&store, &experiment, look);
    let found = draw(&experiment, &store);
    (experiment, store, found)
}

/// The report cut into its figures and what stands between them, and the tables, by name.
fn draw(experiment: &Experiment, store: &Store) -> BTreeMap<String, Vec<u8>> {
    let page = figures::report(experiment, store).unwrap();
    let mut found = files(&store.sweep_dir(&experiment.name));
    found.retain(|name, _| name.starts_with("tables/"));
    let page = fs_err::read_to_string(page).unwrap();
    for (index, part) in page.split("<svg").enumerate() {
        let label =
            part.split_once("aria-label=\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(label, _)| label);
        found.insert(format!("figure {index:02} {label}"), part.as_bytes().to_vec());
    }
    found
}

fn pack(experiment: &Experiment, store: &Store) -> Vec<u8> {
    let kept = record::KeptSweep {
        format_version: record::FormatVersion::CURRENT,
        file: "packed.yaml".into(),
        set: Vec::new(),
        command: "elbo sweep packed.yaml".to_owned(),
        claims: Vec::new(),
        hours: None,
        runs: Vec::new(),
    };
    let needs = figures::needs(experiment, store).unwrap();
    store.pack(&experiment.name, &kept, &experiment.written.text, &needs).unwrap()
}

/// The numbers in a text, and what stands between them.
fn numbers(text: &[u8]) -> (Vec<f64>, String) {
    let (mut found, mut rest) = (Vec::new(), String::new());
    for word in String::from_utf8_lossy(text).split_inclusive([' ', '"', ',', '(', ')', '<', '>', '\n']) {
        match word.trim_end_matches([' ', '"', ',', '(', ')', '<', '>', '\n']).parse() {
            Ok(number) => found.push(number),
            Err(_) => rest.push_str(word),
        }
    }
    (found, rest)
}

#[test]
fn figures_tables_and_report_of_a_pack_are_those_of_its_runs() {
    for text in [SWEPT, LINEAR] {
        let place = tempfile::tempdir().unwrap();
        let (experiment, store, before) = drawn(text, &place.path().join("own"));
        let bytes = pack(&experiment, &store);
        assert_eq!(bytes, pack(&experiment, &store), "the same records give other bytes");
        let (file, folder) = (place.path().join("records.tar.zst"), place.path().join("unpacked"));
        fs_err::write(&file, &bytes).unwrap();
        let unpacked = unpack(&file, &folder).unwrap();
        assert_eq!((unpacked.sweep.as_str(), unpacked.n_runs), ("packed", experiment.cells.len()));
        let other = Store::open(&folder).unwrap();
        let kept = store.kept_sweep("packed").unwrap();
        assert_eq!(kept, None);
        fs_err::remove_file(other.kept_file("packed")).unwrap();
        let after = draw(&experiment, &other);
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
        let n_figures = after.keys().filter(|name| name.starts_with("figure")).count();
        assert!(n_figures > 14, "{n_figures}");
        for (name, bytes) in &before {
            if !name.contains("latent-scatter") {
                assert!(after[name] == *bytes, "{name} differs");
                continue;
            }
            // Points are where they were, to a pixel of 300 per inch, which is four units.
            let ((some, text), (others, other)) = (numbers(bytes), numbers(&after[name]));
            assert!(text == other && some.len() == others.len(), "{name} says something else");
            let farthest = some.iter().zip(&others).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(farthest <= 4.0, "{name}: {farthest}");
        }
        // What was rounded once stays as it is.
        assert_eq!(pack(&experiment, &other), bytes);
    }
}
