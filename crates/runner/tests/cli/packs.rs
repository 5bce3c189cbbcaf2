//! `elbo pack` and `elbo unpack`: one small file of an experiment's records and back; and the packs that are committed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{Place, SMALL, experiment, filled, finish};

/// The tables of a folder, by name.
fn tables(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "csv") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

#[test]
fn an_unpacked_pack_is_a_results_folder_like_any_other() {
    let place = filled();
    place.elbo("figures small.yaml");
    let said = place.elbo("pack small.yaml");
    assert_eq!((said.code, said.out.as_str()), (Some(0), "small.tar.zst\n"), "{said:?}");
    assert!(said.err.starts_with("8 runs, 4 with pictures: ") && said.err.contains("on a processor"), "{said:?}");
    let said = place.elbo("unpack small.tar.zst -o there");
    assert_eq!((said.code, said.out.as_str()), (Some(0), "there/sweeps/small/experiment.yaml\n"), "{said:?}");
    let kept = place.read("there/sweeps/small/sweep.json");
    assert!(kept.contains("\"file\": \"small.yaml\"") && !kept.contains(&*place.path("").to_string_lossy()), "{kept}");
    let redraw = said.err.split_once("elbo ").unwrap().1.trim();
    assert_eq!(redraw, "figures there/sweeps/small/experiment.yaml --results there");
    assert_eq!(place.elbo(redraw).code, Some(0));
    assert_eq!(tables(&place.path("there/sweeps/small/tables")), tables(&place.path("results/sweeps/small/tables")));
    for command in ["list", "compare small.yaml", "show vae-glyphs-z2-b4-s1"] {
        let of = |results: &str| place.elbo(&format!("{command} --json --results {results}"));
        let (own, other) = (of("results"), of("there"));
        let same_folder = |text: &str| text.replace("there/runs", "results/runs");
        assert_eq!((own.code, own.out), (other.code, same_folder(&other.out)), "{command}");
    }
    assert_eq!(place.elbo("report small.yaml --results there").code, Some(0));
    // Packed again, it is the same file; nothing is written over.
    place.elbo("pack small.yaml --results there -o again.tar.zst");
    let bytes = |name: &str| std::fs::read(place.path(name)).unwrap();
    assert!(bytes("again.tar.zst") == bytes("small.tar.zst"));
    let twice = place.elbo("unpack small.tar.zst -o there");
    assert!(twice.code == Some(2) && twice.err.contains("`there` is there already"), "{twice:?}");
    let json = place.json("pack small.yaml -o small.tar.zst --json");
    assert_eq!((&json["n_runs"], &json["n_pictured"]), (&8.into(), &4.into()));
    assert_eq!(json["bytes"], bytes("small.tar.zst").len());
}

#[test]
fn what_is_set_is_packed_under_the_name_it_has() {
    let place = Place::new();
    let set = ["training.epochs=2".to_owned()];
    let shorter = spec::Experiment::parse("small.yaml", SMALL.as_bytes(), &set).unwrap();
    shorter.cells.iter().take(3).for_each(|cell| finish(&place.store(), cell));
    let said = place.elbo("pack small.yaml --set training.epochs=2");
    assert_eq!(said.out, "small-with-training-epochs-2.tar.zst\n", "{said:?}");
    assert!(said.err.contains("5 of 8 cells are not done and left out"), "{said:?}");
    let said = place.elbo("unpack small-with-training-epochs-2.tar.zst -o there");
    let redraw = said.err.split_once("elbo ").unwrap().1.trim();
    assert!(redraw.contains("--set"), "{redraw}");
    let said = place.elbo(&redraw.replace('\'', ""));
    assert_eq!(said.out, "there/sweeps/small-with-training-epochs-2/figures\n", "{said:?}");
}

#[test]
fn a_file_that_is_no_whole_pack_is_refused_and_leaves_nothing() {
    let place = filled();
    place.elbo("pack small.yaml");
    let whole = std::fs::read(place.path("small.tar.zst")).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x20;
    for (bytes, reason) in [
        (&whole[..whole.len() - 1], "cut short or damaged"),
        (&whole[..whole.len() / 3], "cut short or damaged"),
        (&flipped, "cut short or damaged"),
        (&whole[..3], "it is no pack of records"),
        (b"", "it is no pack of records"),
        (b"PK\x03\x04 something else", "it is no pack of records"),
    ] {
        std::fs::write(place.path("other.tar.zst"), bytes).unwrap();
        let said = place.elbo("unpack other.tar.zst -o there");
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{reason}: {said:?}");
        assert!(said.err.contains("cannot read `other.tar.zst`: ") && said.err.contains(reason), "{said:?}");
        assert!(said.err.contains("hint: fetch or copy the file again"), "{said:?}");
        let left: Vec<_> = std::fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().contains("there")), "{left:?}");
    }
    let said = place.elbo("unpack nowhere.tar.zst -o there");
    assert!(said.code == Some(2) && said.err.contains("nowhere.tar.zst"), "{said:?}");
}

#[test]
fn nothing_is_packed_of_an_experiment_without_runs() {
    let place = Place::new();
    let said = place.elbo("pack small.yaml");
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("hint: ") && !place.path("small.tar.zst").exists(), "{said:?}");
    finish(&place.store(), &experiment(SMALL).cells[0]);
    let said = place.elbo("pack small.yaml -o nowhere/small.tar.zst");
    assert!(said.code == Some(2) && said.err.contains("there is no folder `nowhere`"), "{said:?}");
}

/// The packs that are committed, each with its folder.
fn published() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/published");
    let packs = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join(record::pack::FILE_NAME));
    packs.filter(|file| file.is_file()).collect()
}

#[test]
fn published_tables_are_what_their_packs_give() {
    let packs = published();
    assert!(!packs.is_empty(), "no pack is published");
    let size: u64 = packs.iter().map(|file| std::fs::metadata(file).unwrap().len()).sum();
    assert!(size < 20_000_000, "all packs together take {size} bytes");
    for file in packs {
        let place = Place::new();
        let said = place.elbo(&format!("unpack {} -o there", file.display()));
        assert_eq!(said.code, Some(0), "{said:?}");
        let redraw = said.err.split_once("elbo figures").unwrap().1.trim();
        let said = place.elbo(&format!("report {redraw}"));
        assert_eq!(said.code, Some(0), "{said:?}");
        let sweep = Path::new(said.out.trim()).parent().unwrap().to_owned();
        let folder = file.parent().unwrap();
        let (committed, rebuilt) = (tables(&folder.join("tables")), tables(&place.path("").join(sweep).join("tables")));
        let hint = format!("`./just publish` writes `{}` anew", folder.display());
        assert_eq!(committed.keys().collect::<Vec<_>>(), rebuilt.keys().collect::<Vec<_>>(), "{hint}");
        for (name, text) in committed {
            assert!(text == rebuilt[&name], "`{name}` is not what the pack gives: {hint}");
        }
    }
}
