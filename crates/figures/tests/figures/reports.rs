//! The report: what was run, what it shows, what is amiss, and that all its links lead somewhere.

use std::collections::BTreeSet;

use record::{Provenance, RunWriter};

use crate::common::{Look, experiment, fill};

const SEEDS: &str = "
name: widths
question: why <these> & those widths?
source: Kingma & Welling 2014, fig. 4
launch: ./just sweep widths.yaml   # an hour
dataset: { name: mnist }
model: { hidden: [400], latent_dim: 2 }
training: { epochs: 12 }
figures: [loss-curves]
sweep:
  grid: { model.latent_dim: [2, 20], training.seed: [0, 1, 2] }
";

/// The page of an experiment whose runs are done but for those of a seed, which failed.
fn page(text: &str, failed: Option<u64>) -> String {
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let store = fill(root.path(), &experiment, Look::TINY, |cell| Some(cell.training.seed) != failed);
    for cell in experiment.cells.iter().filter(|cell| Some(cell.training.seed) == failed) {
        let writer = RunWriter::start(&store, cell, &Provenance::default()).unwrap();
        writer.fail("`elbo` is NaN at step 7 (epoch 1)").unwrap();
    }
    fs_err::read_to_string(figures::report(&experiment, &store).unwrap()).unwrap()
}

/// What stands between two texts, each time.
fn between<'a>(text: &'a str, before: &str, after: char) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
}

#[test]
fn the_report_says_what_was_run() {
    let page = page(SEEDS, None);
    for said in [
        "<h1>Why &lt;these&gt; &amp; those widths?</h1>",
        "Kingma &amp; Welling 2014, fig. 4",
        "<code class=\"command\">./just sweep widths.yaml</code>",
        "<code class=\"command\">elbo sweep made-up.yaml</code>",
        "mnist, 60,000 training and 10,000 test images of 28×28 pixels; values in 0…1 as they are",
        "encoder 784 → 400 → mean and log variance of z (D); decoder D → 400 → 784; ReLU",
        "cross-entropy on gray values (a Bernoulli read as one); scale gray-bce",
        "reconstruction + β·KL, β = 1",
        "Adam at 0.001 (β₁ 0.9, β₂ 0.999, ε 1e−8)",
        "12 epochs in batches of 128, single precision",
        "<code>model.latent_dim</code></th><td>2, 20",
        "<code>training.batch_size</code> 128",
        "question: why &lt;these&gt; &amp; those widths?\nsource: Kingma",
    ] {
        assert!(page.contains(said), "the report does not say `{said}`");
    }
    for cell in experiment(SEEDS).cells {
        assert!(page.contains(&cell.run_id().to_string()), "{} is not listed", cell.readable_name());
    }
    for word in ["gray-bce", "n", "±", "D", "β", "ELBO", "active units", "nats per image"] {
        assert!(page.contains(&format!("<th scope=\"row\">{word}</th>")), "`{word}` is not explained");
    }
    for absent in ["discriminator", "sharpness", "gaussian-density"] {
        assert!(!page.contains(&format!("<th scope=\"row\">{absent}</th>")), "`{absent}` is explained for nothing");
    }
}

/// What all models share that have it is fixed, also where some have no such setting.
#[test]
fn what_only_some_models_have_is_fixed_too() {
    let text = "
name: fixed
dataset: { name: glyphs }
model: { hidden: [7], latent_dim: 3 }
training: { epochs: 1 }
figures: []
sweep:
  grid: { model.likelihood: [bernoulli, { gaussian: { sigma: 1 } }] }
  include: [{ model: { kind: { gaussian-mixture: { components: 5 } } } }]
";
    let page = page(text, None);
    for said in ["<code>model.hidden</code> 7", "<code>model.latent_dim</code> 3", "<code>training.epochs</code> 1"] {
        assert!(page.contains(said), "the report does not say `{said}`");
    }
    assert!(!page.contains("<code>model.likelihood</code> "), "it differs");
}

#[test]
fn without_a_question_the_title_is_in_words() {
    let text = "name: a-b\ndataset: { name: glyphs }\nmodel: { hidden: [8], latent_dim: 2 }\ntraining: { epochs: 2 }\n\
                sweep: { grid: { model.kind: [vae, autoencoder], model.latent_dim: [2, 3] } }";
    assert!(page(text, None).contains("<h1>VAE and autoencoder on glyphs, by latent dim"));
}

#[test]
fn what_failed_is_named_with_its_reason() {
    let page = page(SEEDS, Some(1));
    assert!(page.contains("4 of 6 runs finished (<a href=\"#runs\">2 failed</a>)"));
    let failures = between(&page, "<li>Failed: ", '\n');
    assert_eq!(failures.len(), 1, "one reason is told once");
    for cell in experiment(SEEDS).cells.iter().filter(|cell| cell.training.seed == 1) {
        assert!(failures[0].contains(&format!("<code>{}</code>", cell.readable_name())), "{failures:?}");
    }
    assert!(failures[0].contains("`elbo` is NaN at step 7 (epoch 1)"), "{failures:?}");
}

#[test]
fn findings_are_linked_to_their_rows_and_every_link_leads_somewhere() {
    let page = page(SEEDS, None);
    let found = between(&page, "<ul class=\"findings\">\n", '!');
    assert!(found[0].starts_with("<li>D 2\u{a0}→\u{a0}20 gains "), "{:.200}", found[0]);
    let ids = between(&page, " id=\"", '"');
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "two places have one id");
    let links = between(&page, "href=\"#", '"');
    assert!(links.iter().any(|link| link.starts_with("elbo-terms-")), "no finding leads to a row");
    for link in links {
        assert!(distinct.contains(link), "`#{link}` leads nowhere");
    }
}

#[test]
fn single_seeds_tell_nothing_and_are_warned_of() {
    let page = page(&SEEDS.replace("[0, 1, 2]", "[0]"), None);
    assert!(page.contains("Every setting has a single seed, so that no difference can be told from chance."));
    assert!(page.contains("<li>Too few seeds: all 2 settings have one seed each"));
    assert!(page.contains("Too few seeds (one seed each): a difference may be the seed&#39;s."), "captions say it too");
}

/// A caption within what scrolls would move out of view with it.
#[test]
fn captions_stand_outside_of_what_scrolls() {
    let page = page(SEEDS, None);
    assert!(!page.contains("<caption"));
    let wide = between(&page, "<div class=\"wide\"", '\n');
    assert_eq!(wide.len(), page.matches("<figure class=\"table\"").count());
    for table in wide {
        let caption = between(table, "aria-labelledby=\"", '"')[0];
        assert!(page.contains(&format!("<figcaption id=\"{caption}\">")), "{table}");
    }
}
