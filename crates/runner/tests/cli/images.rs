//! Images that cannot be read: told once and before anything is trained, by the plan too, and recorded nowhere.

use crate::support::{Place, Said, experiment, finish};

/// Two cohorts on a folder of the user's own.
const OWN: &str = "
name: own
dataset: { name: { folder: photos } }
model: { hidden: [8], latent_dim: 2 }
sweep: { grid: { model.hidden: [[8], [9]] } }
";

/// That a command ends with 2 and says this, once.
fn refuses(said: &Said, complaint: &str) {
    assert_eq!(said.code, Some(2), "{said:?}");
    assert_eq!(said.err.matches(complaint).count(), 1, "{said:?}");
    assert!(said.err.contains("hint: "), "{said:?}");
}

#[test]
fn bad_images_are_told_once_and_nothing_is_recorded() {
    let place = Place::with_worker("touch started; exit 1");
    place.write("own.yaml", OWN);
    for (make, complaint) in [("", "photos`: there is no such file or folder"), ("png", "the file is empty")] {
        if make == "png" {
            std::fs::create_dir(place.path("photos")).unwrap();
            place.write("photos/a.png", "");
            place.write("photos/b.png", "");
        }
        refuses(&place.elbo("sweep own.yaml"), complaint);
        refuses(&place.elbo("plan own.yaml"), complaint);
        refuses(&place.elbo("plan own.yaml --json"), complaint);
    }
    assert!(!place.path("started").exists() && !place.path("results").exists());
}

#[test]
fn a_folder_of_data_that_is_not_there_is_named() {
    let place = Place::with_worker("touch started; exit 1");
    for command in ["sweep", "plan"] {
        let said = place.elbo(&format!("{command} small.yaml --data nope"));
        refuses(&said, "there is no folder `nope` to look for data sets in");
    }
    refuses(&place.elbo("data list --data nope"), "there is no folder `nope`");
    assert!(!place.path("started").exists() && !place.path("results").exists());
    assert_eq!(place.elbo("list --data nope").code, Some(0), "what needs no data looks for none");
}

#[test]
fn a_plan_says_what_would_be_downloaded_and_where_it_was_looked_for() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).unwrap();
    place.write("k.yaml", "name: k\ndataset: { name: kmnist }\nmodel: { hidden: [8], latent_dim: 2 }\n");
    let said = place.elbo("plan k.yaml --data empty");
    assert_eq!(said.code, Some(0), "{said:?}");
    for told in ["kmnist is not here", "would download it from http", "`train-images-idx3-ubyte.gz`", "`empty/kmnist`"]
    {
        assert!(said.err.contains(told), "{told}: {said:?}");
    }
    // What is half there is said to be so.
    std::fs::create_dir(place.path("empty/kmnist")).unwrap();
    for name in ["train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"] {
        place.write(&format!("empty/kmnist/{name}"), "");
    }
    let said = place.elbo("plan k.yaml --data empty");
    let told = "`empty/kmnist` lacks `train-labels-idx1-ubyte.gz` and `t10k-labels-idx1-ubyte.gz`";
    assert!(said.err.contains(told), "{said:?}");
}

#[test]
fn every_place_that_images_were_looked_for_in_is_named() {
    let place = Place::with_worker("touch started; exit 1");
    std::fs::create_dir(place.path("shelf")).unwrap();
    place.write("own.yaml", OWN);
    let said = place.elbo("plan own.yaml --data shelf");
    refuses(&said, "photos`: there is no such file or folder, nor `shelf/photos`\n");
    refuses(&place.elbo("data info folder:photos"), "on the command line to where you are");
}

#[test]
fn networks_that_do_not_fit_the_images_are_refused() {
    let place = Place::with_worker("touch started; exit 1");
    let header = [&[0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 4, 0, 0, 0, 4][..], &[7; 320]].concat();
    std::fs::create_dir(place.path("idx")).unwrap();
    std::fs::write(place.path("idx/train-images-idx3-ubyte"), header).unwrap();
    let deep = "name: deep\ndataset: { name: { idx: idx } }\nmodel: { net: { conv: { channels: [4, 4, 4, 4] } }, hidden: [], latent_dim: 2 }\n";
    place.write("deep.yaml", deep);
    for command in ["sweep", "plan"] {
        let said = place.elbo(&format!("{command} deep.yaml"));
        assert!(said.code == Some(2) && said.err.contains("does not fit its images"), "{said:?}");
    }
    assert!(!place.path("started").exists() && !place.path("results").exists());
}

#[test]
fn a_dataset_is_found_by_the_names_that_data_info_takes() {
    let place = Place::new();
    place.write("own.yaml", OWN);
    let own = OWN.replace("folder: photos", &format!("folder: {}", place.path("photos").display()));
    for cell in &experiment(&own).cells {
        finish(&place.store(), cell);
    }
    finish(&place.store(), &experiment(crate::support::SMALL).cells[0]);
    let n = |options: &str| place.json(&format!("list --json {options}"))["runs"].as_array().unwrap().len();
    for (name, found) in
        [("folder:photos", 2), ("folder:./photos", 2), ("photos", 2), ("glyphs", 1), ("hdf5:photos", 0), ("mnist", 0)]
    {
        assert_eq!(n(&format!("--dataset {name}")), found, "{name}");
        assert_eq!(n(&format!("--where dataset.name={name}")), found, "{name}");
        assert_eq!(n(&format!("--where dataset.name!={name}")), 3 - found, "{name}");
    }
}
