//! What captions say of what is shown.

use crate::common::{Family, Look, experiment, fill, fill_families, measure_more};

/// The captions on the page of an experiment.
fn captions(store: &record::Store, experiment: &spec::Experiment) -> Vec<String> {
    let page = fs_err::read_to_string(figures::report(experiment, store).unwrap()).unwrap();
    let captions = page.split("<figcaption").skip(1).filter_map(|rest| rest.split("</figcaption>").next());
    captions.map(|caption| caption.replace("&#39;", "'")).collect()
}

fn starting<'a>(captions: &'a [String], with: &str) -> &'a str {
    captions
        .iter()
        .find(|caption| caption.contains(with))
        .unwrap_or_else(|| panic!("no caption has `{with}`: {captions:?}"))
}

/// What would be taken for a property of the model is said: test images are not corrupted, an autoencoder has neither a posterior
/// nor a prior, and the mean of a clipped continuous Bernoulli is never black.
#[test]
fn captions_say_what_pictures_do_not_show() {
    let text = "
name: said
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2, corruption: { masking: { fraction: 0.5 } } }
training: { epochs: 3 }
sweep:
  grid: { model.kind: [vae, autoencoder] }
  include: [{ model.likelihood: continuous-bernoulli }]
figures: [loss-curves, reconstructions, samples, sample-sources, denoising]
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let family = |cell: &spec::Cell| {
        Some(if cell.model.kind == spec::ModelKind::Vae { Family::Vae } else { Family::Autoencoder })
    };
    let store = fill_families(root.path(), &experiment, Look::TINY, family);
    measure_more(&store, &experiment, Look::TINY);
    let page = captions(&store, &experiment).concat();
    for said in [
        "Training images were corrupted, test images are not: a gap between them is no overfitting.",
        "Models that denoise were given the test images as they are, but where a column says `input corrupted`.",
        "Models that denoise were given the test images as they are.",
        "the decoder's means of their posterior means (of autoencoders, which have no posterior, their codes)",
        "What models were given is not corrupted here.",
        "drawn from the model's prior (N(0, I) for autoencoders, which have none)",
        "Values below 0 are drawn black, those above 1 white.",
        "The mean of a continuous Bernoulli with λ in 0.0001 … 1 − 0.0001 is 0.11 at least and 0.89 at most",
    ] {
        assert!(page.contains(said), "{said}\n{page}");
    }
}

/// A warning stands below what it is about, and says whom it means where that is not all.
#[test]
fn warnings_are_about_what_is_shown() {
    let text = "
name: warned
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 1 }
sweep:
  grid: { model.kind: [vae] }
  include: [{ model.kind: gan, model.net: { conv: { channels: [2, 4], kernel: 3 } } }]
figures: [reconstructions, samples]
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let family =
        |cell: &spec::Cell| Some(if cell.model.kind == spec::ModelKind::Vae { Family::Vae } else { Family::Gan });
    let store = fill_families(root.path(), &experiment, Look::TINY, family);
    let captions = captions(&store, &experiment);
    let [reconstructions, samples] =
        ["Test images (top row)", "Decoder means of draws"].map(|with| starting(&captions, with));
    assert!(reconstructions.contains("Not shown (no stored reconstructions): GAN"), "{reconstructions}");
    assert!(!reconstructions.contains("checkerboards"), "{reconstructions}");
    assert!(samples.contains("may draw checkerboards. This is about GAN, spectral normalisation"), "{samples}");
}

/// An objective that rises while the bound gets better is explained.
#[test]
fn a_beta_that_rises_is_told() {
    let of = |sweep: &str| {
        let text = format!(
            "name: rising\ndataset: {{ name: glyphs }}\nmodel: {{ hidden: [8], latent_dim: 2 }}\ntraining: {{ epochs: 6 }}\n\
             figures: [loss-curves]\nsweep: {{ grid: {{ {sweep} }} }}\n"
        );
        let root = tempfile::tempdir().unwrap();
        let experiment = experiment(&text);
        let store = fill(root.path(), &experiment, Look::TINY, |_| true);
        captions(&store, &experiment).concat()
    };
    let all = of("objective.warm_up_epochs: [3]");
    assert!(all.contains(" β rises over 3 epochs, and the objective with it."), "{all}");
    let some = of("objective.warm_up_epochs: [0, 2]");
    assert!(some.contains(" β of some models rises over 2 epochs, and the objective with it."), "{some}");
    let none = of("objective.warm_up_epochs: [0]");
    assert!(!none.contains("rises over"), "{none}");
}

/// A table of a single model has no column that names it; where there are other tables, its caption does.
#[test]
fn a_table_names_its_only_model() {
    let text = "
name: scales
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 1 }
figures: [samples]
sweep:
  grid: { model.likelihood: [bernoulli, discretised-logistic] }
  include: [{ model: { kind: { gaussian-mixture: { components: 5 } } } }]
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    let captions = captions(&store, &experiment);
    for said in ["(scale gray-bce: VAE, Bernoulli)", "(scale gray-levels: VAE, discretised logistic)"] {
        starting(&captions, said);
    }
    starting(&captions, "all 9 that are stored");
    // The bound of a mixture over pixels is none, and is told to be none.
    let mixture = starting(&captions, "(scale gaussian-density: Gaussian mixture over pixels, 5 components");
    assert!(mixture.contains("The ELBO of a Gaussian mixture over pixels is log p(x) itself."), "{mixture}");
}
