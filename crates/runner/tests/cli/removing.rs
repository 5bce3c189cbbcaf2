//! `gc`, `rm` and `undo`: what is removed, what is kept and why, and that it comes back.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Place, SMALL, experiment, filled, finish, names};

/// [`filled`], beside a folder of experiments that needs half of the runs.
fn half_needed() -> Place {
    let place = filled();
    std::fs::create_dir(place.path("experiments")).unwrap();
    place.write("experiments/narrow.yaml", &SMALL.replace("[2, 5]", "[2]").replace("name: small", "name: narrow"));
    place
}

#[test]
fn gc_removes_only_when_asked_and_only_what_nobody_needs() {
    let place = half_needed();
    let nowhere = place.elbo("gc --keep nowhere");
    assert_eq!(nowhere.code, Some(0), "{nowhere:?}");
    assert!(nowhere.out.contains("no experiment in `nowhere`; `elbo gc --delete` refuses that\nhint: "), "{nowhere:?}");
    let found = place.json("gc --json");
    assert_eq!((found["runs"].as_array().unwrap().len(), &found["deleted"]), (4, &false.into()));
    assert_eq!(names(&place, "").len(), 8);
    assert_eq!(place.json("gc --json small.yaml")["runs"], Value::Array(vec![]));
    place.write("experiments/broken.yaml", "name: [");
    assert_eq!(place.elbo("gc --delete --yes").code, Some(2), "nothing goes beside an experiment that cannot be read");
    std::fs::remove_file(place.path("experiments/broken.yaml")).unwrap();
    assert_eq!(place.elbo("gc --delete --yes --keep nowhere").code, Some(2));
    assert_eq!(names(&place, "").len(), 8);
    let removed = place.elbo("gc --delete --yes");
    assert!(removed.code == Some(0) && removed.out.contains("moved to `results/trash/"), "{removed:?}");
    assert_eq!(names(&place, "--where model.latent_dim=2").len(), 4);
    assert_eq!(names(&place, "").len(), 4);
}

#[test]
fn what_gc_removed_comes_back_until_the_trash_is_emptied() {
    let place = half_needed();
    let before = place.elbo("list");
    place.elbo("gc --delete --yes");
    let kept = place.elbo("gc").out;
    assert!(kept.contains("nothing to remove\nin the trash: "), "{kept}");
    let back = place.elbo("undo");
    assert_eq!((back.code, back.out.lines().count()), (Some(0), 4), "{back:?}");
    assert!(back.err.contains("4 runs brought back"), "{back:?}");
    assert_eq!(place.elbo("list").out, before.out);
    let nothing = place.elbo("undo");
    assert!(nothing.code == Some(2) && nothing.err.contains("hint: "), "{nothing:?}");

    place.elbo("gc --delete --yes");
    assert_eq!(place.elbo("gc --empty-trash").code, Some(2), "nobody can be asked");
    let emptied = place.elbo("gc --empty-trash --yes");
    assert!(emptied.code == Some(0) && emptied.err.contains("freed"), "{emptied:?}");
    assert_eq!(place.elbo("undo").code, Some(2));
}

#[test]
fn nothing_is_removed_without_a_yes() {
    let place = half_needed();
    for command in ["gc --delete", "rm vae-glyphs-z2-b1-h8-e3-s0"] {
        let said = place.elbo(command);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(
            said.err.contains("there is no terminal to ask on") && said.err.contains("hint: give --yes"),
            "{said:?}"
        );
    }
    assert_eq!(names(&place, "").len(), 8);
    // `script` gives a command a terminal; not every machine has it.
    for (answer, n_left) in [("n", 8), ("", 8), ("y", 4)] {
        let mut script = Command::new("script");
        script.args(["-qec", "./elbo gc --delete", "/dev/null"]).current_dir(place.path(""));
        script.env("XDG_CACHE_HOME", place.path("cache")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut child) = script.spawn() else { return };
        child.stdin.take().unwrap().write_all(format!("{answer}\n").as_bytes()).unwrap();
        let said = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout);
        assert!(said.contains("move 4 runs ("), "{said}");
        assert_eq!(names(&place, "").len(), n_left, "{said}");
    }
}

#[test]
fn runs_of_sweeps_outside_the_folder_of_experiments_are_kept() {
    let place = half_needed();
    // `small.yaml` lies beside `experiments`, and a quick look at it has cells of its own.
    let quick = "--set training.epochs=2";
    let text = SMALL.replace("epochs: 3", "epochs: 2");
    for cell in &experiment(&text).cells {
        finish(&place.store(), cell);
    }
    for command in ["sweep small.yaml".to_owned(), format!("sweep small.yaml --no-figures {quick}")] {
        assert_eq!(place.elbo(&command).code, Some(0), "{command}");
    }
    let found = place.json("gc --json");
    assert_eq!(found["runs"], Value::Array(vec![]), "{found}");
    let said = place.elbo("gc --delete --yes");
    assert!(said.out.contains("12 runs are cells of no experiment here, and kept for sweeps' folders"), "{said:?}");
    assert_eq!(names(&place, "").len(), 16);
    // Without its folder a sweep is no reason.
    std::fs::remove_dir_all(place.path("results/sweeps/small-with-training-epochs-2")).unwrap();
    assert_eq!(place.json("gc --json")["runs"].as_array().unwrap().len(), 8);
    std::fs::create_dir(place.path("results/sweeps/old")).unwrap();
    place.write("results/sweeps/old/summary.parquet", "of an earlier version");
    let unsaid = place.elbo("gc");
    assert!(unsaid.out.contains("`results/sweeps/old` does not say which runs it is made of"), "{unsaid:?}");
    assert_eq!(place.json("gc --json")["runs"], Value::Array(vec![]));
}

#[test]
fn rm_removes_a_run_and_says_which_sweeps_show_it() {
    let place = filled();
    place.elbo("figures small.yaml");
    let said = place.elbo("rm vae-glyphs-z2-b1-h8-e3-s0 --yes");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("`results/sweeps/small` shows this run"), "{said:?}");
    assert_eq!(names(&place, "").len(), 7);
    assert_eq!(place.elbo("undo").code, Some(0));
    assert_eq!(names(&place, "").len(), 8);
    // A run whose record is damaged goes too.
    let id = experiment(SMALL).cells[0].run_id();
    place.write(&format!("results/runs/{id}/run.json"), "{ half");
    let said = place.elbo(&format!("rm {id} --yes"));
    assert!(said.code == Some(0) && said.err.contains("unreadable"), "{said:?}");
    assert!(!place.path(&format!("results/runs/{id}")).exists());
}

#[test]
fn a_run_that_is_trained_stays() {
    let place = Place::new();
    let cell = &experiment(SMALL).cells[0];
    let _writer = crate::support::begin(&place.store(), cell, 1);
    let said = place.elbo("rm vae-glyphs-z2-b1-h8-e3-s0 --yes");
    assert!(said.code == Some(2) && said.err.contains("is being written by process"), "{said:?}");
    assert!(!place.path("results/trash").exists());
}
