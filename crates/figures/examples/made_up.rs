//! Draws figures, tables and the report of made-up records, to look at them: `made_up FOLDER [EXPERIMENT.yaml]`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example fails by panicking and says what it did")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::Path;
use std::time::Instant;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().unwrap_or_else(|| "made-up".to_owned());
    let text = arguments.next().map_or_else(|| common::SWEEP.to_owned(), |path| std::fs::read_to_string(path).unwrap());
    let mut look = common::Look::MNIST;
    if arguments.next().is_some() {
        look = common::Look { channels: 3, width: 64, height: 64, grid: 12, ..look };
    }
    let experiment = common::experiment(&text);
    let root = Path::new(&root);
    let _ = std::fs::remove_dir_all(root);
    let store = common::fill(root, &experiment, look, |_| true);
    common::measure_more(&store, &experiment, look);
    common::measure_images(&store, &experiment);
    common::measure_closed_form(&store, &experiment, look);
    let start = Instant::now();
    let drawn = figures::draw_kinds(&experiment, &store, spec::FigureKind::ALL).unwrap();
    println!("{} files in {:?}", drawn.files.len(), start.elapsed());
    for (kind, reason) in &drawn.skipped {
        println!("skipped {kind}: {reason}");
    }
    println!("{}", figures::report(&experiment, &store).unwrap().display());
}
