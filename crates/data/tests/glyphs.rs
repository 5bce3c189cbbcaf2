//! The glyphs: the same bytes everywhere, factors as documented, kept in the cache and made again when it is damaged.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use data::glyphs::{self, Glyph, Part, SIZE};
use data::{Folders, Images, load};

fn dataset(yaml_as_json: &str) -> spec::Dataset {
    serde_json::from_str(yaml_as_json).unwrap()
}

#[test]
fn the_bytes_are_pinned_and_a_damaged_cache_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let folders = Folders { data: None, cache: folder.path().to_path_buf() };
    let glyphs = dataset(r#"{"name": "glyphs"}"#);
    // Loading fails where the bytes differ from the pin; the digest below is of the splits and pins it once more.
    let first = load(&glyphs, &folders).unwrap();
    assert_eq!((first.train.shape.n, first.test.shape.n), (60_000, 10_000));
    assert_eq!(glyphs::digest(&first.train, &first.test), glyphs::SHA256);
    assert_eq!(glyphs::SHA256, "b18c389cd1cd624b6c9117d74161315d16c910e4d0e4383c811029e0788b60c0");

    let path = folder.path().join("glyphs/glyphs.h5");
    let whole = std::fs::read(&path).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    for damaged in [&changed[..], &whole[..whole.len() / 2]] {
        std::fs::write(&path, damaged).unwrap();
        assert_eq!(load(&glyphs, &folders).unwrap(), first);
        assert_eq!(std::fs::read(&path).unwrap().len(), whole.len(), "the cache was mended");
    }
    let names: Vec<_> =
        std::fs::read_dir(folder.path().join("glyphs")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "the cache and its lock, and nothing left over: {names:?}");
}

#[test]
fn a_cache_that_cannot_be_written_costs_only_time() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("a-file");
    std::fs::write(&blocked, "in the way").unwrap();
    let folders = Folders { data: None, cache: blocked };
    let splits = load(&dataset(r#"{"name": "glyphs", "train_images": 20, "test_images": 10}"#), &folders).unwrap();
    assert_eq!((splits.train.shape.n, splits.test.shape.n), (20, 10));
}

#[test]
fn an_image_depends_on_nothing_but_its_index() {
    let some = glyphs::images(Part::Train, 230);
    let more = glyphs::images(Part::Train, 500);
    let n = some.pixels.len();
    assert_eq!(some.pixels, more.pixels[..n]);
    for i in [0, 57, 229] {
        assert_eq!(some.image(i), Glyph::at(Part::Train, i).draw());
    }
    assert_ne!(glyphs::images(Part::Test, 230).pixels, some.pixels);
}

#[test]
fn factors_fill_their_ranges_and_classes_are_balanced() {
    let images = glyphs::images(Part::Train, 4_000);
    let factors = images.factors.as_ref().unwrap();
    let ranges = [
        (0.0, 9.0),
        (0.0, 2.0),
        (-0.2, 0.6),
        (-12.0, 12.0),
        (12.0, 16.5),
        (0.8, 1.3),
        (1.5, 3.7),
        (-2.0, 2.0),
        (-2.0, 2.0),
        (0.0, 1.0),
    ];
    for (k, (low, high)) in ranges.into_iter().enumerate() {
        let values: Vec<f64> = (0..4_000).map(|i| factors.of(i)[k]).collect();
        let (min, max) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), &v| (a.min(v), b.max(v)));
        let name = &factors.names[k];
        assert!(low <= min && max <= high, "{name} stays in its range: {min} … {max}");
        assert!(
            min - low < 0.01 * (high - low) && high - max < 0.01 * (high - low),
            "{name} fills its range: {min} … {max}"
        );
    }
    let labels = images.labels.as_ref().unwrap();
    for class in 0..10 {
        assert_eq!(labels.iter().filter(|&&label| label == class).count(), 400);
    }
    assert!((0..4_000).all(|i| factors.of(i)[0] == f64::from(labels[i])));
}

/// How many pixels of an image change visibly from one end of a factor's range to the other.
fn change(set: impl Fn(&mut Glyph, bool)) -> f64 {
    let neutral = |i| Glyph { jitter: 0.3, ..Glyph::at(Part::Test, i) };
    let n = 100;
    let total: usize = (0..n)
        .map(|i| {
            let (mut low, mut high) = (neutral(i), neutral(i));
            set(&mut low, false);
            set(&mut high, true);
            low.draw().iter().zip(high.draw()).filter(|(a, b)| a.abs_diff(*b) > 64).count()
        })
        .sum();
    total as f64 / n as f64
}

#[test]
fn every_factor_is_visible() {
    let pick = |high: bool, a: f64, b: f64| if high { b } else { a };
    let changes = [
        ("slant", change(|g, high| g.slant = pick(high, -0.2, 0.6))),
        ("rotation", change(|g, high| g.rotation = pick(high, -12.0, 12.0))),
        ("scale", change(|g, high| g.scale = pick(high, 12.0, 16.5))),
        ("aspect", change(|g, high| g.aspect = pick(high, 0.8, 1.3))),
        ("thickness", change(|g, high| g.thickness = pick(high, 1.5, 3.7))),
        ("shift_x", change(|g, high| g.shift_x = pick(high, -2.0, 2.0))),
        ("shift_y", change(|g, high| g.shift_y = pick(high, -2.0, 2.0))),
        ("jitter", change(|g, high| g.jitter = pick(high, 0.0, 1.0))),
        ("style", change(|g, high| g.style = u8::from(high))),
    ];
    for (name, pixels) in changes {
        assert!(pixels > 25.0, "{name} changes {pixels} pixels");
    }
}

#[test]
fn ink_is_as_much_as_mnist_has_and_stays_off_the_edge() {
    let images = glyphs::images(Part::Test, 3_000);
    let mean = images.pixels.iter().map(|&gray| f64::from(gray)).sum::<f64>() / images.pixels.len() as f64 / 255.0;
    assert!((0.09..0.15).contains(&mean), "mean gray value {mean}; MNIST's is 0.131");
    let at_edge = |images: &Images, i: usize| {
        let image = images.image(i);
        let edge = |k: usize| [image[k], image[27 * SIZE + k], image[k * SIZE], image[k * SIZE + 27]];
        (0..SIZE).any(|k| edge(k).into_iter().any(|gray| gray > 128))
    };
    let n_at_edge = (0..3_000).filter(|&i| at_edge(&images, i)).count();
    assert!(n_at_edge < 60, "{n_at_edge} of 3,000 images are cut off");
}

/// Only operations that every machine rounds alike may draw the glyphs.
#[test]
fn no_function_of_the_platform_is_called() {
    let sources = [
        include_str!("../src/glyphs/mod.rs"),
        include_str!("../src/glyphs/pen.rs"),
        include_str!("../src/glyphs/strokes.rs"),
        include_str!("../src/noise.rs"),
    ];
    for word in ["sin()", "cos()", "tan()", "atan", "exp()", "ln()", "powf", "powi", "hypot", "mul_add", "cbrt", "f32"]
    {
        for source in sources {
            assert!(!source.contains(word), "`{word}` is not the same on every machine");
        }
    }
}
