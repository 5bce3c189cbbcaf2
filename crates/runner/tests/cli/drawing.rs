//! `elbo figures` for a paper: in a style, some figures alone, of some runs, into a folder of one's own.

use std::collections::BTreeSet;

use crate::support::{Place, filled};

/// The names of the files in a folder.
fn names(place: &Place, folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(place.path(folder)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn some_figures_of_some_runs_in_a_style_and_a_folder_of_their_own() {
    let place = filled();
    let said = place
        .elbo("figures small.yaml --style icml,formats=svg --only reconstructions --where objective.beta=1 -o column");
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "column\n", ""), "{said:?}");
    assert_eq!(names(&place, "column"), set(&["reconstructions.svg", "reconstructions.txt"]));
    let svg = place.read("column/reconstructions.svg");
    assert!(svg.contains("width=\"3.25in\"") && svg.contains("D = 5") && !svg.contains("β = 4"), "{svg}");
    assert!(!place.path("results/sweeps").exists());
    // A style in the experiment is the same, and changes no run.
    let text = place.read("small.yaml");
    place.write("small.yaml", &format!("{text}style: {{ preset: icml, formats: [svg] }}\n"));
    assert_eq!(place.elbo("figures small.yaml").code, Some(0));
    let drawn =
        ["elbo-by-latent-dim", "loss-curves"].map(|name| [format!("{name}.svg"), format!("{name}.txt")]).concat();
    assert_eq!(names(&place, "results/sweeps/small/figures"), drawn.into_iter().collect());
    assert!(place.read("results/sweeps/small/figures/loss-curves.svg").contains("width=\"3.25in\""));
    assert_eq!(place.elbo("figures small.yaml --only loss-curves --style slides,formats=svg").code, Some(0));
    assert!(place.read("results/sweeps/small/figures/loss-curves.svg").contains("width=\"10in\""));
    assert!(place.read("results/sweeps/small/figures/elbo-by-latent-dim.svg").contains("width=\"3.25in\""));
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let place = filled();
    for (options, complaint) in [
        ("--only loss-curve", "has no figure `loss-curve`"),
        ("--only loss-curve -o there", "there is no such figure"),
        ("--only denoising -o there", "nothing can be drawn: denoising: "),
        ("--where objective.beta=1", "--output"),
        ("--where objective.beta=7 -o there", "none of the 8 cells meets these conditions"),
        ("--where objective.betta=7 -o there", "objective.betta"),
        ("--style nature", "there is no style `nature`"),
        ("--style width=3.25,font=12", "too narrow for text of 12 points"),
    ] {
        let said = place.elbo(&format!("figures small.yaml {options}"));
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{options}: {said:?}");
        assert!(said.err.contains(complaint), "{options}: {said:?}");
        assert!(!place.path("there").exists(), "{options}");
    }
}
