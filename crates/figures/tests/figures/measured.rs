//! Figures and tables of what was measured in images and against theory.

use spec::FigureKind;

use crate::common::{Look, experiment, fill, measure_closed_form, measure_images};
use crate::{assert_golden, assert_readable, files, svgs};

const LINEAR: &str = "
name: linear
dataset: { name: glyphs }
model: { hidden: [], latent_dim: 2, likelihood: { gaussian: { sigma: 1 } } }
training: { epochs: 2 }
figures: [closed-form]
sweep:
  grid: { model.latent_dim: [2, 5], training.seed: [0, 1, 2] }
  zip:
    model.likelihood: [{ gaussian: { sigma: 1 } }, { gaussian: { sigma: 1 } }, { gaussian: { sigma: 0.31622776601683794 } }]
    objective.beta: [0.5, 2, 1]
";

#[test]
fn linear_vaes_stand_beside_their_closed_form() {
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(LINEAR);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    let why = "no finished run was measured against its closed form";
    let drawn = figures::draw(&experiment, &store).unwrap();
    assert_eq!(drawn.skipped, [(FigureKind::ClosedForm, why.to_owned())]);
    measure_closed_form(&store, &experiment, Look::TINY);
    let drawn = figures::draw(&experiment, &store).unwrap();
    assert_eq!(drawn.skipped, []);
    let folder = store.sweep_dir("linear");
    assert_readable(&folder.join("figures"));
    let found = files(&folder);
    for name in ["figures/closed-form.svg", "tables/closed-form.csv", "tables/closed-form.tex"] {
        assert_golden(name.rsplit('/').next().unwrap(), std::str::from_utf8(&found[name]).unwrap());
    }
    // Terms of the training images are in no other table.
    let evaluation = std::str::from_utf8(&found["tables/evaluation.csv"]).unwrap();
    assert!(evaluation.contains("nll (test") && !evaluation.contains("train"), "{evaluation}");
    let page = fs_err::read_to_string(figures::report(&experiment, &store).unwrap()).unwrap();
    for said in
        ["id=\"closed-form\"", "<th scope=\"col\">KL (theory)</th>", "reverse water-filling for each latent width"]
    {
        assert!(page.contains(said), "the report does not say {said}");
    }
}

const WIDE: &str = "
name: wide
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 2 }
figures: [spectra, explained-power, blur-grid, blur-by-latent-dim]
sweep:
  grid: { model.latent_dim: [2, 5], objective.beta: [1, 4], training.seed: [0, 1, 2, 3] }
";

#[test]
fn figures_of_sharpness_are_as_committed() {
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(WIDE);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    let drawn = figures::draw(&experiment, &store).unwrap();
    let whys: Vec<&str> = drawn.skipped.iter().map(|(_, why)| why.as_str()).collect();
    let expected = [
        "the spectra of no finished run's reconstructions were measured",
        "the explained power of no finished run with a KL was measured",
        "the blur of no finished run's reconstructions was measured",
        "neither blur nor fidelity of any finished run's images was measured",
    ];
    assert_eq!(whys, expected);
    measure_images(&store, &experiment);
    let drawn = figures::draw(&experiment, &store).unwrap();
    assert_eq!(drawn.skipped, []);
    let folder = store.sweep_dir("wide").join("figures");
    assert_readable(&folder);
    let drawings = svgs(&folder);
    assert_eq!(drawings.len(), 4);
    for (name, svg) in drawings {
        assert_golden(&name, &svg);
    }
    // Samples of β = 1 and D = 5 are sharper than the test images.
    let page = fs_err::read_to_string(figures::report(&experiment, &store).unwrap()).unwrap();
    let said = "Without a blur, since some seed’s samples are sharper than the test images: D = 5, β = 1.";
    assert!(page.replace("&#39;", "’").contains(said), "{page}");
}
