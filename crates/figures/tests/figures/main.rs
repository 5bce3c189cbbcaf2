//! Figures of made-up records: the same bytes every time, text where it can be read, and reasons for what is skipped.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod captions;
#[path = "../common/mod.rs"]
mod common;
mod comparisons;
mod explorer;
mod measured;
mod packs;
mod reports;
mod studies;
mod styles;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use common::{Family, Look, experiment, fill, fill_families, measure_images, measure_more};
use resvg::usvg;
use spec::FigureKind;

/// Two latent dimensions, two β, two seeds.
const SMALL: &str = "
name: small
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 3 }
sweep:
  grid: { model.latent_dim: [2, 5], objective.beta: [1, 4], training.seed: [0, 1] }
# Those that need no measurement beside the terms.
figures: [loss-curves, reconstructions, samples, manifold, latent-scatter, elbo-by-latent-dim, kl-per-dim, rate-distortion]
";

/// Everything under a folder, by its path within it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, from: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, from, into);
            } else {
                let name = path.strip_prefix(from).unwrap().display().to_string();
                into.insert(name, fs_err::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

fn svgs(folder: &Path) -> BTreeMap<String, String> {
    let is_svg =
        |(name, bytes): (String, Vec<u8>)| name.ends_with(".svg").then(|| (name, String::from_utf8(bytes).unwrap()));
    files(folder).into_iter().filter_map(is_svg).collect()
}

#[test]
fn figures_are_as_committed() {
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(SMALL);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    let drawn = figures::draw(&experiment, &store).unwrap();
    assert_eq!(drawn.skipped, []);
    let found = files(&store.sweep_dir("small"));
    let is_text = |name: &&String| [".svg", ".csv", ".tex"].iter().any(|suffix| name.ends_with(suffix));
    let names: Vec<&String> = found.keys().filter(is_text).collect();
    assert_eq!(names.len(), experiment.figures.len() + 4);
    for name in names {
        assert_golden(name.rsplit('/').next().unwrap(), std::str::from_utf8(&found[name]).unwrap());
    }
}

/// The kinds that need more than every run has.
const MORE: [FigureKind; 4] =
    [FigureKind::SampleSources, FigureKind::Interpolations, FigureKind::Denoising, FigureKind::Sharpness];

#[test]
fn figures_of_further_measurements_are_as_committed() {
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(SMALL);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    measure_more(&store, &experiment, Look::TINY);
    let drawn = figures::draw_kinds(&experiment, &store, &MORE).unwrap();
    assert_eq!(drawn.skipped, []);
    let drawings = svgs(&store.sweep_dir("small").join("figures"));
    assert_eq!(drawings.len(), MORE.len());
    for (name, svg) in drawings {
        assert_golden(&name, &svg);
    }
    assert_readable(&store.sweep_dir("small").join("figures"));
    let csv = |name: &str| fs_err::read_to_string(store.sweep_dir("small").join("tables").join(name)).unwrap();
    assert!(csv("evaluation.csv").contains("\"reconstruction (test, input corrupted, samples 1)\""));
    assert!(csv("images.csv").contains("\"sharpness (test, of samples)\""));
}

/// Compares with a file in `tests/golden`, or writes it where `UPDATE_GOLDEN` is set.
fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        return;
    }
    let golden = fs_err::read_to_string(&path).unwrap();
    let differing = golden.lines().zip(text.lines()).enumerate().find(|(_, (old, new))| old != new);
    if let Some((index, (old, new))) = differing {
        panic!(
            "{name} differs from tests/golden/{name} in line {}:\n- {old:.200}\n+ {new:.200}\n\
             hint: look at the new figure, then run `UPDATE_GOLDEN=1 cargo test -p figures`",
            index + 1
        );
    }
    assert_eq!(golden.len(), text.len(), "{name} and tests/golden/{name} differ in length");
}

#[test]
fn drawing_again_gives_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(SMALL);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    let folder = store.sweep_dir("small");
    let once = || {
        figures::draw(&experiment, &store).unwrap();
        figures::report(&experiment, &store).unwrap();
        let found = files(&folder);
        fs_err::remove_dir_all(&folder).unwrap();
        found
    };
    let (first, second) = (once(), once());
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    for (name, bytes) in &first {
        assert!(second[name] == *bytes, "{name} differs");
    }
    for suffix in [".svg", ".pdf", ".png"] {
        assert_eq!(first.keys().filter(|name| name.ends_with(suffix)).count(), experiment.figures.len());
    }
}

/// The stream of an object of a PDF, decompressed.
fn stream(pdf: &[u8], object: &str) -> Vec<u8> {
    let find = |from: usize, what: &str| {
        from + pdf[from..].windows(what.len()).position(|window| window == what.as_bytes()).unwrap()
    };
    let start = find(find(0, &format!("\n{object} 0 obj")), "stream") + "stream".len();
    let data = &pdf[start..find(start, "endstream")];
    let data = &data[data.iter().take_while(|byte| byte.is_ascii_whitespace()).count()..];
    let mut text = Vec::new();
    flate2::read::ZlibDecoder::new(data).read_to_end(&mut text).unwrap();
    text
}

#[test]
fn text_of_pdfs_is_text_in_an_embedded_font() {
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(SMALL);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    figures::draw_kinds(&experiment, &store, &[FigureKind::LossCurves]).unwrap();
    let pdf = fs_err::read(store.sweep_dir("small").join("figures/loss-curves.pdf")).unwrap();
    let plain = String::from_utf8_lossy(&pdf);
    assert!(plain.contains("DejaVuSansCondensed") && plain.contains("/FontFile"), "the font is embedded");
    assert!(!plain.contains("/CreationDate") && !plain.contains("/ModDate"));
    // What a glyph stands for, by which viewers select and search: `<0003> <03b2>`.
    let (_, reference) = plain.split_once("/ToUnicode ").unwrap();
    let map = String::from_utf8(stream(&pdf, reference.split(' ').next().unwrap())).unwrap();
    let codes = map.lines().filter_map(|line| line.strip_suffix('>')?.split_once("> <"));
    let letters: Vec<char> =
        codes.filter_map(|(_, code)| char::from_u32(u32::from_str_radix(code, 16).ok()?)).collect();
    for letter in "ELBOreconstructionKLobjectiveepochβ=−5".chars() {
        assert!(letters.contains(&letter), "`{letter}` cannot be selected: {map}");
    }
}

/// Every text of a parsed SVG with its font sizes and its box, in pixels of 300 per inch.
fn texts(group: &usvg::Group, into: &mut Vec<(String, f32, usvg::Rect)>) {
    for node in group.children() {
        match node {
            usvg::Node::Group(group) => texts(group, into),
            usvg::Node::Text(text) => {
                let scale = text.abs_transform().get_scale().0;
                for chunk in text.chunks() {
                    let size = chunk.spans().iter().map(|span| span.font_size().get()).fold(f32::INFINITY, f32::min);
                    into.push((chunk.text().to_owned(), size * scale, text.abs_bounding_box()));
                }
            }
            _ => {}
        }
    }
}

fn assert_readable(folder: &Path) {
    let drawings = svgs(folder);
    assert!(!drawings.is_empty());
    for (name, svg) in drawings {
        assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{name} has a coordinate that is not finite");
        assert!(svg.contains("width=\"5.5in\""), "{name} is not 5.5 inches wide");
        let mut options = usvg::Options { dpi: 300.0, ..usvg::Options::default() };
        options.fontdb_mut().load_font_data(dejavu::sans_condensed::regular().to_vec());
        options.fontdb_mut().set_sans_serif_family("DejaVu Sans");
        let tree = usvg::Tree::from_str(&svg, &options).unwrap();
        let mut found = Vec::new();
        texts(tree.root(), &mut found);
        assert!(!found.is_empty() || name.contains("manifold"), "{name} has no text");
        for (text, size, place) in found {
            // A pixel is 0.24 points.
            assert!(size * 0.24 >= 6.5, "{name}: `{text}` has {} points", size * 0.24);
            let inside = place.left() >= 0.0
                && place.top() >= 0.0
                && place.right() <= tree.size().width()
                && place.bottom() <= tree.size().height();
            assert!(inside, "{name}: `{text}` at {place:?} leaves the canvas of {:?}", tree.size());
        }
    }
}

#[test]
fn text_is_large_enough_and_within_the_canvas() {
    let others = "
name: others
dataset: { name: fashion-mnist }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 2 }
sweep:
  grid:
    model.latent_dim: [2, 3, 24]
    objective.beta: [0.001, 1, 8]
    optimizer.adam.learning_rate: [1e-3, 1e-4]
    model.likelihood: [bernoulli, { gaussian: { sigma: 0.1 } }]
";
    let sweep = common::SWEEP.replace("epochs: 20", "epochs: 6");
    for text in [SMALL, others, &sweep] {
        let root = tempfile::tempdir().unwrap();
        let experiment = experiment(text);
        let store = fill(root.path(), &experiment, Look::TINY, |cell| cell.training.seed < 2);
        measure_more(&store, &experiment, Look::TINY);
        measure_images(&store, &experiment);
        figures::draw_kinds(&experiment, &store, FigureKind::ALL).unwrap();
        assert_readable(&store.sweep_dir(&experiment.name).join("figures"));
    }
}

#[test]
fn scales_are_never_mixed() {
    let text = "
name: scales
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 2 }
sweep:
  grid: { model.latent_dim: [2, 3], model.likelihood: [bernoulli, { gaussian: { sigma: 0.1 } }] }
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    figures::draw(&experiment, &store).unwrap();
    let found = files(&store.sweep_dir("scales"));
    for scale in ["gray-bce", "gaussian-density"] {
        assert!(found.contains_key(&format!("figures/loss-curves-{scale}.svg")), "{:?}", found.keys());
        let csv = String::from_utf8(found[&format!("tables/elbo-terms-{scale}.csv")].clone()).unwrap();
        assert!(csv.lines().skip(1).all(|line| line.starts_with(scale)), "{csv}");
    }
}

#[test]
fn a_single_run_has_what_makes_sense() {
    let text = "
name: single
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 3 }
training: { epochs: 1 }
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    let drawn = figures::draw_kinds(&experiment, &store, FigureKind::ALL).unwrap();
    let reason = |kind: FigureKind| drawn.skipped.iter().find(|(k, _)| *k == kind).map(|(_, why)| why.as_str());
    assert_eq!(reason(FigureKind::Manifold), Some("no run has latent dimension 2"));
    assert_eq!(reason(FigureKind::ElboByLatentDim), Some("there is a single latent dimension (3)"));
    assert_eq!(reason(FigureKind::RateDistortion), Some("there is a single β (1)"));
    let sources = "the finished runs have stored samples from no other source than the prior";
    assert_eq!(reason(FigureKind::SampleSources), Some(sources));
    assert_eq!(
        reason(FigureKind::Interpolations),
        Some("the finished runs have stored no interpolations with the images at their ends")
    );
    let denoising = "no finished run was trained on corrupted images and has stored them";
    assert_eq!(reason(FigureKind::Denoising), Some(denoising));
    assert_eq!(reason(FigureKind::Sharpness), Some("the sharpness of no finished run's images was measured"));
    assert_eq!(reason(FigureKind::Claims), Some("the experiment makes no claims"));
    let theory = "no model is a linear VAE with a Gaussian of fixed variance on gray images";
    assert_eq!(reason(FigureKind::ClosedForm), Some(theory));
    assert_eq!(drawn.skipped.len(), 13);
    assert_readable(&store.sweep_dir("single").join("figures"));
}

/// A sweep whose runs with two latent dimensions are of the first family and those with five of the second.
/// Where nothing tells the lines apart there is one, with what its models share for a name: β, or their family where they have none.
#[test]
fn a_single_line_is_called_by_what_its_models_share() {
    for (kind, beta, expected) in [("vae", "0.5", "β = 0.5"), ("autoencoder", "1", "autoencoder")] {
        let experiment = experiment(&format!(
            "name: small\ndataset: {{ name: glyphs }}\nmodel: {{ kind: {kind}, hidden: [8], latent_dim: 2 }}\n\
             objective: {{ beta: {beta} }}\ntraining: {{ epochs: 1 }}\nsweep: {{ grid: {{ model.latent_dim: [2, 5] }} }}\n"
        ));
        let root = tempfile::tempdir().unwrap();
        let store = fill(root.path(), &experiment, Look::TINY, |_| true);
        figures::draw_kinds(&experiment, &store, &[FigureKind::ElboByLatentDim]).unwrap();
        let svg = &svgs(&store.sweep_dir("small").join("figures"))["elbo-by-latent-dim.svg"];
        assert!(!svg.contains("no setting"), "{kind}");
        assert_eq!(svg.contains("β ="), expected.contains("β ="), "{kind}");
        assert!(svg.contains(expected), "{kind}");
    }
}

fn families(first: Family, second: Family) -> (tempfile::TempDir, figures::Drawn, BTreeMap<String, Vec<u8>>) {
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(SMALL);
    let family = |cell: &spec::Cell| Some(if cell.model.latent_dim == 2 { first } else { second });
    let store = fill_families(root.path(), &experiment, Look::TINY, family);
    let drawn = figures::draw(&experiment, &store).unwrap();
    assert_readable(&store.sweep_dir("small").join("figures"));
    let found = files(&store.sweep_dir("small"));
    (root, drawn, found)
}

#[test]
fn models_without_a_bound_stand_beside_others() {
    let (_root, drawn, found) = families(Family::Vae, Family::Autoencoder);
    assert_eq!(drawn.skipped, []);
    let csv = String::from_utf8(found["tables/elbo-terms.csv"].clone()).unwrap();
    let heads: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let column = |name: &str| heads.iter().position(|head| *head == name).unwrap();
    assert!(!heads.contains(&"discriminator"), "no model has one");
    for line in csv.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let is_vae = fields[column("latent_dim")] == "2";
        assert_eq!(!fields[column("elbo")].is_empty(), is_vae, "{line}");
        assert_eq!(!fields[column("kl")].is_empty(), is_vae, "{line}");
        assert!(!fields[column("reconstruction")].is_empty(), "{line}");
    }
    let svg = String::from_utf8(found["figures/kl-per-dim.svg"].clone()).unwrap();
    assert!(!svg.contains("D = 5"), "an autoencoder has no KL to draw");
}

#[test]
fn gans_have_their_losses_and_samples() {
    let (_root, drawn, found) = families(Family::Gan, Family::Gan);
    let skipped: Vec<(FigureKind, &str)> = drawn.skipped.iter().map(|(kind, why)| (*kind, why.as_str())).collect();
    let expected = [
        (FigureKind::Reconstructions, "the finished runs have stored no reconstructions"),
        (FigureKind::Manifold, "the runs with latent dimension 2 have stored no manifold"),
        (FigureKind::LatentScatter, "no finished run has stored latents of two dimensions or more"),
        (FigureKind::ElboByLatentDim, "no finished run has any of the ELBO's terms"),
        (FigureKind::KlPerDim, "no finished run has a KL that is a sum over latent dimensions"),
        (FigureKind::RateDistortion, "no finished run has both a reconstruction and a KL"),
    ];
    assert_eq!(skipped, expected);
    assert!(found.contains_key("figures/samples.svg"));
    let svg = String::from_utf8(found["figures/loss-curves.svg"].clone()).unwrap();
    assert!(svg.contains("discriminator") && svg.contains("objective") && !svg.contains("ELBO"));
    let csv = String::from_utf8(found["tables/elbo-terms.csv"].clone()).unwrap();
    let heads = "scale,variant,beta,latent_dim,n_seeds,discriminator,";
    assert!(csv.starts_with(heads), "{csv}");
}

#[test]
fn a_kl_that_is_no_sum_over_dimensions_is_still_a_term() {
    let (_root, drawn, found) = families(Family::Mixture, Family::Mixture);
    assert_eq!(drawn.skipped.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [FigureKind::KlPerDim]);
    assert!(found.contains_key("figures/rate-distortion.svg"));
}

#[test]
fn the_report_says_what_was_drawn_and_how_long_was_trained() {
    let page = |changes: &str| {
        let text = format!(
            "name: told\ndataset: {{ name: glyphs, train_images: 2000 }}\nfigures: [loss-curves, samples]\n\
             model: {{ hidden: [8], latent_dim: 2 }}\ntraining: {{ epochs: 2 }}\n{changes}"
        );
        let root = tempfile::tempdir().unwrap();
        let experiment = experiment(&text);
        let store = fill(root.path(), &experiment, Look::TINY, |_| true);
        fs_err::read_to_string(figures::report(&experiment, &store).unwrap()).unwrap()
    };
    let one = page("");
    assert!(one.contains("for 2 epochs in batches of 128 images, on the first 2000 training images only"));
    assert!(one.contains("draws from the prior N(0, I), all 9 that are stored, seed 0."));
    let priors = page("sweep: { grid: { model.prior: [standard, vamp] } }");
    assert!(priors.contains("s prior, all 9 that are stored, one grid per prior"));
    assert!(priors.contains(">prior N(0, I)<"), "a default is said where there is nothing else to say");
    let with_autoencoder = page("sweep: { grid: { model.kind: [vae, autoencoder], model.hidden: [[8], []] } }");
    assert!(with_autoencoder.contains("(N(0, I) for autoencoders, which have none)"));
    assert!(
        with_autoencoder.contains("autoencoder, no hidden layers") && with_autoencoder.contains("<td>8, none</td>")
    );
    let bounds = page(
        "sweep: { grid: { objective.kind: [{ importance-weighted: { samples: 5 } }, { importance-weighted: { samples: 50 } }] } }",
    );
    for samples in [5, 50] {
        let column = format!("importance-weighted bound (samples {samples})");
        assert!(bounds.contains(&column), "bounds of other numbers of samples have columns of their own");
    }
}

#[test]
fn a_row_has_no_panel_for_what_its_models_do_not_have() {
    let text = "
name: kinds
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 2 }
sweep:
  grid: { model.latent_dim: [5], model.hidden: [[8], []], objective.beta: [0.5, 1, 2, 4] }
  include: [{ model.kind: autoencoder, model.latent_dim: 2, model.hidden: [] }]
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let family = |cell: &spec::Cell| Some(if cell.model.latent_dim == 2 { Family::Autoencoder } else { Family::Vae });
    let store = fill_families(root.path(), &experiment, Look::TINY, family);
    let kinds = [FigureKind::LossCurves, FigureKind::ElboByLatentDim];
    let drawn = figures::draw_kinds(&experiment, &store, &kinds).unwrap();
    let reason = "no setting was trained with more than one latent dimension".to_owned();
    assert_eq!(drawn.skipped, [(FigureKind::ElboByLatentDim, reason)]);
    let folder = store.sweep_dir("kinds").join("figures");
    assert_readable(&folder);
    let svg = &svgs(&folder)["loss-curves.svg"];
    let count = |text: &str| svg.matches(text).count();
    assert_eq!((count("ELBO"), count("nats per image")), (1, 3), "{svg}");
    // A row for each setting; ELBO and KL end with the second, and each column has its axis named once.
    assert_eq!(count("epoch"), 4);
}

#[test]
fn unfinished_runs_are_counted() {
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(SMALL);
    let store =
        fill(root.path(), &experiment, Look::TINY, |cell| cell.model.latent_dim == 2 && cell.training.seed == 0);
    let folder = store.sweep_dir("small").join("figures");
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("loss-curves-2.svg"), "of an earlier drawing").unwrap();
    fs_err::write(folder.join("samples.svg"), "of another kind").unwrap();
    let drawn = figures::draw_kinds(&experiment, &store, &[FigureKind::LossCurves]).unwrap();
    assert_eq!(drawn.missing.len(), 6);
    let left: Vec<String> = svgs(&folder).into_keys().collect();
    assert_eq!(left, ["loss-curves.svg", "samples.svg"]);
    let page = fs_err::read_to_string(figures::report(&experiment, &store).unwrap()).unwrap();
    assert!(page.contains("2 of 8 runs finished"), "the report says how much there is");
    let missing = format!("6 of 8 runs are missing: {} (new), ", drawn.missing[0].0);
    assert!(page.contains(&missing), "captions say what is missing: {missing}");
}

#[test]
fn no_finished_run_is_an_error_with_a_hint() {
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(SMALL);
    let store = fill(root.path(), &experiment, Look::TINY, |_| false);
    let error = figures::draw(&experiment, &store).unwrap_err().to_string();
    assert!(error.contains("no finished run of `small`") && error.contains("\nhint: "), "{error}");
}

#[test]
fn names_are_escaped_and_the_report_asks_for_nothing() {
    let text = "
name: names
dataset: { name: { folder: \"/data/a_b & <c>\" } }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 2 }
";
    let root = tempfile::tempdir().unwrap();
    let experiment = experiment(text);
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    figures::draw(&experiment, &store).unwrap();
    let page = fs_err::read_to_string(figures::report(&experiment, &store).unwrap()).unwrap();
    assert!(page.contains("a_b &amp; &lt;c&gt;") && !page.contains("<c>"));
    let tex = fs_err::read_to_string(store.sweep_dir("names").join("tables/elbo-terms.tex")).unwrap();
    assert!(tex.contains("a\\_b \\& \\textless{}c\\textgreater{}"), "{tex}");
    // Names of namespaces are not requests, and scripts stand in the page itself.
    let rest = page.replace("http://www.w3.org/", "");
    for request in ["http:", "https:", "url(", "@import", "<link", "src=", "fetch(", "import("] {
        assert!(!rest.contains(request), "the report holds `{request}`");
    }
}
