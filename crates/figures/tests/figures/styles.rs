//! Styles: text has the size that is asked for at the width that is asked for, in the colours and the files that are.

use std::collections::BTreeSet;

use resvg::usvg;
use spec::style::{Format, parse};
use spec::{Experiment, FigureKind, Style};

use crate::common::{Look, experiment, fill, measure_closed_form, measure_images, measure_more};
use crate::{SMALL, files, svgs, texts};

fn styled(style: &str) -> Experiment {
    Experiment { style: parse(style).unwrap(), figures: FigureKind::ALL.to_vec(), ..experiment(SMALL) }
}

#[test]
fn text_has_its_size_at_the_width_that_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let look = Look::TINY;
    let of = styled("neurips");
    let store = fill(root.path(), &of, look, |_| true);
    measure_more(&store, &of, look);
    measure_images(&store, &of);
    measure_closed_form(&store, &of, look);
    for text in ["neurips,formats=svg", "icml,formats=svg", "width=6.75,font=9,formats=svg", "slides,formats=svg"] {
        let experiment = styled(text);
        let Style { width, font, .. } = experiment.style;
        let folder = root.path().join(text);
        figures::draw_into(&experiment, &store, &folder, |_, _| true).unwrap();
        let drawn = svgs(&folder);
        assert!(drawn.len() >= 14, "{text}: {}", drawn.len());
        for (name, svg) in drawn {
            assert!(svg.contains(&format!("width=\"{width}in\"")), "{text}: {name} has another width");
            let tree = usvg::Tree::from_str(&svg, &usvg::Options { dpi: 300.0, ..usvg::Options::default() }).unwrap();
            assert!((f64::from(tree.size().width()) - 300.0 * width).abs() < 0.5, "{text}: {name}");
            let mut found = Vec::new();
            texts(tree.root(), &mut found);
            for (word, size, _) in found {
                let points = f64::from(size) * 72.0 / 300.0;
                // Numbers at axes have seven eighths of the size of titles; lengths are whole units of 1200 to an inch.
                let is_asked = [font, 0.875 * font].iter().any(|asked| (points - asked).abs() < 0.06);
                assert!(is_asked, "{text}: `{word}` in {name} has {points} points");
            }
        }
    }
}

#[test]
fn a_style_has_its_colours_and_its_files_with_captions() {
    let root = tempfile::tempdir().unwrap();
    let experiment = Experiment { style: parse("palette=gray,formats=svg+pdf").unwrap(), ..experiment(SMALL) };
    let store = fill(root.path(), &experiment, Look::TINY, |_| true);
    figures::draw(&experiment, &store).unwrap();
    let found = files(&store.sweep_dir("small").join("figures"));
    let endings: BTreeSet<&str> = found.keys().filter_map(|name| name.rsplit('.').next()).collect();
    assert_eq!(endings, BTreeSet::from(["pdf", "svg", "txt"]));
    for (name, svg) in svgs(&store.sweep_dir("small").join("figures")) {
        for colour in svg.split("\"#").skip(1).map(|rest| &rest[..6]) {
            assert!(colour[..2] == colour[2..4] && colour[2..4] == colour[4..6], "{name} has the colour #{colour}");
        }
    }
    let caption = String::from_utf8(found["reconstructions.txt"].clone()).unwrap();
    assert!(caption.starts_with("Test images") && caption.ends_with(".\n"), "{caption}");
    let pdf = String::from_utf8_lossy(&found["reconstructions.pdf"]).into_owned();
    let metadata = pdf.rsplit("/Title").next().unwrap_or_default().trim_start();
    assert!(metadata.starts_with("(reconstructions of small)"), "the title is in the metadata");
    // Drawn in other formats, those of before are gone.
    let other = Experiment { style: parse("formats=png").unwrap(), ..experiment };
    let drawn = figures::draw(&other, &store).unwrap();
    assert!(drawn.removed.iter().any(|path| path.ends_with("reconstructions.pdf")));
    assert_eq!(Format::ALL.iter().map(|format| format.name()).collect::<Vec<_>>(), ["svg", "pdf", "png"]);
}
