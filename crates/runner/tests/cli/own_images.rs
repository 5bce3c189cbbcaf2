//! Experiments on images of the user's own: proposed, known by their content, and noticed when they change.

use std::path::PathBuf;

use spec::{Experiment, Identity};

use crate::support::{Place, begin, finish};

const OWN: &str = "
name: own
dataset: { name: { npy: images.npy } }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 3, batch_size: 8 }
figures: []
";

/// Forty images of 4×4 values as NumPy saves them.
fn images(place: &Place, name: &str, value: impl Fn(usize) -> u8) -> PathBuf {
    let mut header = "{'descr': '|u1', 'fortran_order': False, 'shape': (40, 4, 4), }".to_owned();
    header.push_str(&" ".repeat(117 - header.len()));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend((0..640).map(value));
    let path = place.path(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn gray(place: &Place, name: &str) -> PathBuf {
    images(place, name, |i| (i * 37 % 251) as u8)
}

/// The experiment's only cell as a worker is given it.
fn cell(place: &Place, digest: &str) -> spec::Cell {
    let file = place.path("own.yaml").display().to_string();
    let experiment = Experiment::parse(&file, OWN.as_bytes(), &[]).unwrap();
    let identity = Identity { digest: digest.to_owned(), is_binary: false };
    experiment.identified(|_| Ok::<_, ()>(Some(identity.clone()))).unwrap().cells.remove(0)
}

/// What the images at `images.npy` are known by.
fn digest(place: &Place) -> String {
    let info = place.elbo("data info npy:images.npy --data . --json").out;
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    info["content"].as_str().unwrap().to_owned()
}

#[test]
fn a_file_that_changed_is_noticed_and_nothing_of_it_is_mixed() {
    let place = Place::new();
    place.write("own.yaml", OWN);
    gray(&place, "images.npy");
    let before = digest(&place);
    finish(&place.store(), &cell(&place, &before));
    let said = place.elbo("plan own.yaml");
    assert!(said.code == Some(0) && said.out.contains("done"), "{said:?}");

    let prepared = place.elbo("data prepare npy:images.npy");
    assert!(prepared.code == Some(0) && prepared.err.contains(&before), "one digest is told: {prepared:?}");

    // At another place the images have the same runs.
    std::fs::create_dir(place.path("moved")).unwrap();
    std::fs::rename(place.path("images.npy"), place.path("moved/images.npy")).unwrap();
    let said = place.elbo("plan own.yaml --data moved");
    assert!(said.code == Some(0) && said.out.contains("done"), "{said:?}");
    // Without them what is on record can be read, and nothing can be trained: it is said before anything is recorded.
    let said = place.elbo("compare own.yaml");
    assert!(said.code == Some(0) && !said.err.contains("the images of"), "{said:?}");
    for command in ["plan", "sweep"] {
        let said = place.elbo(&format!("{command} own.yaml"));
        assert!(said.code == Some(2) && said.err.contains("there is no such file or folder"), "{said:?}");
    }

    images(&place, "images.npy", |i| (i * 41 % 251) as u8);
    let said = place.elbo("plan own.yaml");
    let after = digest(&place);
    assert!(said.code == Some(0) && said.out.contains("new") && !said.out.contains("done"), "{said:?}");
    assert!(said.err.contains("have changed") && said.err.contains(&before) && said.err.contains(&after), "{said:?}");
    assert_eq!(place.store().runs().unwrap().runs.len(), 1);

    // Where there are runs of both, and neither's images are here, it is said whose numbers are shown.
    // Of two runs of one name the one that is done is shown; of two that are done it is asked which, and said what they differ in.
    let name = cell(&place, &after).readable_name();
    drop(begin(&place.store(), &cell(&place, &after), 0));
    let shown = place.elbo(&format!("show {name}"));
    assert!(shown.code == Some(0) && shown.out.contains(&before), "{shown:?}");
    finish(&place.store(), &cell(&place, &after));
    let said = place.elbo(&format!("show {name}"));
    assert!(said.code == Some(2) && said.err.contains("may be 2 runs"), "{said:?}");
    for digest in [&before, &after] {
        assert!(said.err.contains(&format!("done       dataset.digest: \"{digest}\"")), "{said:?}");
    }
    std::fs::remove_file(place.path("images.npy")).unwrap();
    std::fs::remove_dir_all(place.path("moved")).unwrap();
    let said = place.elbo("compare own.yaml");
    assert!(said.code == Some(0) && !said.err.contains("have changed"), "{said:?}");
    assert!(said.err.contains("those of the latest run on record are meant: these have SHA-256"), "{said:?}");
    // A word that is no dataset's may be a file's.
    gray(&place, "images.npy");
    let said = place.elbo("plan own.yaml --set dataset.name=images.npy");
    assert!(said.code == Some(2) && said.err.contains("write `{ npy: images.npy }`"), "{said:?}");
}

#[test]
fn a_new_experiment_is_fitted_to_the_images() {
    let place = Place::new();
    gray(&place, "images.npy");
    let said = place.elbo("new my-study --data images.npy");
    assert_eq!((said.code, said.out.as_str()), (Some(0), "my-study.yaml\n"), "{said:?}");
    let text = place.read("my-study.yaml");
    for part in [
        "36 training and 4 test images of 4×4 (height × width) gray values",
        "gaussian-shared: { variance: optimal }",
        "pixels: gray",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let said = place.elbo("plan my-study.yaml");
    assert!(said.code == Some(0) && said.out.contains("new"), "{said:?}");
    let said = place.elbo("new my-study");
    assert!(said.code == Some(2) && said.err.contains("exists already"), "{said:?}");

    std::fs::create_dir(place.path("experiments")).unwrap();
    images(&place, "bits.npy", |i| u8::from(i % 3 == 0));
    let said = place.elbo("new bits --data bits.npy");
    assert_eq!((said.code, said.out.as_str()), (Some(0), "experiments/bits.yaml\n"), "{said:?}");
    let text = place.read("experiments/bits.yaml");
    for part in ["4×4 (height × width) binary values", "pixels: binary", "likelihood: bernoulli\n"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(place.elbo("plan bits").code, Some(0));

    let said = place.elbo("new digits");
    assert!(said.code == Some(0) && place.read("experiments/digits.yaml").contains("name: glyphs"), "{said:?}");
    for (command, problem) in [
        ("new a --data nowhere", "there is no such file or folder"),
        ("new a --data experiments", "holds no images"),
        ("new My/Study", "cannot be an experiment's name"),
    ] {
        let said = place.elbo(command);
        assert!(said.code == Some(2) && said.err.contains(problem) && said.err.contains("hint: "), "{said:?}");
        assert!(!place.path("experiments/a.yaml").exists());
    }
}

#[test]
fn a_dataset_is_registered_by_a_file_and_known_by_its_name() {
    let place = Place::new();
    gray(&place, "images.npy");
    std::fs::create_dir(place.path("datasets")).unwrap();
    let registered = "images: { npy: ../images.npy }\nwhat: forty made-up squares\ncitation: Ada (2026)\n";
    place.write("datasets/squares.yaml", registered);
    place.write("own.yaml", &OWN.replace("{ npy: images.npy }", "squares"));
    let listed = place.elbo("data list");
    assert!(listed.code == Some(0) && listed.out.contains("forty made-up squares"), "{listed:?}");
    let info = place.elbo("data info squares");
    assert!(info.code == Some(0) && info.out.contains("cite: Ada (2026)"), "{info:?}");
    let plan = place.elbo("plan own.yaml");
    assert!(plan.code == Some(0) && plan.out.contains("vae-squares-"), "{plan:?}");

    // The run is that of the same images by their path.
    finish(&place.store(), &cell(&place, &digest(&place)));
    let plan = place.elbo("plan own.yaml");
    assert!(plan.code == Some(0) && plan.out.contains("1 done"), "{plan:?}");

    // It is swept like any other, and may be registered in the data folder.
    let plan = place.elbo("plan own.yaml --set sweep.grid.dataset.name=[glyphs,squares]");
    assert!(plan.code == Some(0) && plan.out.contains("vae-glyphs-"), "{plan:?}");
    std::fs::create_dir(place.path("shelf")).unwrap();
    std::fs::rename(place.path("datasets/squares.yaml"), place.path("shelf/squares.yaml")).unwrap();
    for (command, code) in [("plan own.yaml --data shelf", 0), ("plan own.yaml", 2), ("data info squares", 2)] {
        let said = place.elbo(command);
        assert_eq!((said.code, said.err.contains("`datasets/NAME.yaml` gives")), (Some(code), code == 2), "{said:?}");
    }

    // A typo is answered, in the experiment and in the file itself.
    let said = place.elbo("plan own.yaml --data shelf --set dataset.name=sqares");
    assert!(said.code == Some(2) && said.err.contains("did you mean `squares`?"), "{said:?}");
    place.write("shelf/squares.yaml", &registered.replace("what", "whta"));
    let said = place.elbo("plan own.yaml --data shelf");
    assert!(said.code == Some(2) && said.err.contains("squares.yaml:2:1"), "{said:?}");
    assert!(said.err.contains("did you mean `what`?"), "{said:?}");
    for (wrong, problem) in [
        ("images: mnist", "not for another dataset"),
        ("images: { npy: ../images.npy }\nsize: 28", "only images of a folder"),
        ("images: { npy: ../images.npy }\nclasses: [a, b]", "has no labels, but 2 names"),
        ("images: { npy: ../gone.npy }", "there is no such file or folder"),
    ] {
        place.write("shelf/squares.yaml", wrong);
        let said = place.elbo("plan own.yaml --data shelf --set training.seed=1");
        assert!(said.code == Some(2) && said.err.contains(problem) && said.err.contains("hint: "), "{wrong}: {said:?}");
    }
    let pinned = format!("images: {{ npy: ../images.npy }}\ndigest: \"{}\"", "0".repeat(64));
    place.write("shelf/squares.yaml", &pinned);
    let said = place.elbo("plan own.yaml --data shelf");
    assert!(said.code == Some(2) && said.err.contains("they have changed"), "{said:?}");
}
