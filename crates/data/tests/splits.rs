//! Splits, limits and static pixels: what every run reads, whatever its training seed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::path::Path;
use std::sync::LazyLock;

use data::{DataError, Folders, Images, Splits, binarise, gray_bce_floor, load, noise};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

/// One cache for all tests of this file, so that the glyphs are drawn once.
static CACHE: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fn try_glyphs(settings: &str) -> Result<Splits, DataError> {
    let folders = Folders { data: None, cache: CACHE.path().to_path_buf() };
    load(&serde_json::from_str(&format!(r#"{{"name": "glyphs" {settings}}}"#)).unwrap(), &folders)
}

fn glyphs(settings: &str) -> Splits {
    try_glyphs(settings).unwrap()
}

fn rows(images: &Images) -> HashSet<Vec<u8>> {
    (0..images.shape.n).map(|i| images.image(i).to_vec()).collect()
}

#[test]
fn validation_is_taken_from_the_first_training_images() {
    let all = glyphs(r#", "train_images": 1000, "test_images": 100"#);
    let split = glyphs(r#", "train_images": 1000, "test_images": 100, "validation": 200"#);
    let validation = split.validation.as_ref().unwrap();
    assert_eq!((split.train.shape.n, validation.shape.n, split.test.shape.n), (800, 200, 100));
    assert!(rows(&split.train).is_disjoint(&rows(validation)));
    assert_eq!(rows(&split.train).union(&rows(validation)).count(), 1000);
    assert_eq!(rows(&all.train).len(), 1000);
    assert!(all.validation.is_none());
    assert_eq!(split.test, all.test);
    assert_ne!(split.digest, all.digest);
    // Labels and factors go with their images.
    let factors = validation.factors.as_ref().unwrap();
    let labels = validation.labels.as_ref().unwrap();
    assert!((0..200).all(|i| factors.of(i)[0] == f64::from(labels[i])));
    // The seed of the dataset draws them, and nothing else does.
    let other = glyphs(r#", "train_images": 1000, "test_images": 100, "validation": 200, "seed": 1"#);
    assert_ne!(&other.validation, &split.validation);
}

#[test]
fn limits_that_do_not_fit_are_refused() {
    for (settings, expected) in [
        (r#", "train_images": 60001"#, "`dataset.train_images` is `60001`, and there are 60000"),
        (r#", "test_images": 0"#, "`dataset.test_images` is `0`, and there are 10000"),
        (r#", "train_images": 100, "validation": 100"#, "`dataset.validation` is `100`, and there are 100"),
    ] {
        let message = try_glyphs(settings).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains("\nhint: "), "{message}");
    }
}

#[test]
fn static_pixels_are_drawn_by_their_gray_values_once() {
    let settings = r#", "train_images": 2000, "test_images": 500"#;
    let (gray, drawn) = (glyphs(settings), glyphs(&format!(r#"{settings}, "pixels": "static""#)));
    assert_eq!(drawn, glyphs(&format!(r#"{settings}, "pixels": "static""#)));
    assert_eq!(gray_bce_floor(&drawn.train), 0.0);
    // Pixels of one gray value are white as often as that value says.
    let (mut n, mut n_white) = ([0u32; 256], [0u32; 256]);
    for (&gray, &drawn) in gray.train.pixels.iter().zip(&drawn.train.pixels) {
        n[usize::from(gray)] += 1;
        n_white[usize::from(gray)] += u32::from(drawn / 255);
        assert!([0, 255].contains(&drawn));
    }
    assert_eq!((n_white[0], n_white[255]), (0, n[255]));
    for gray in 1..255 {
        let (n, p) = (f64::from(n[gray]), gray as f64 / 255.0);
        let deviations = (f64::from(n_white[gray]) - n * p) / (n * p * (1.0 - p)).sqrt();
        assert!(deviations.abs() < 4.5, "gray {gray}: {deviations} standard deviations off, of {n} pixels");
    }
    // An image is drawn alike with and without a validation split.
    let split = glyphs(&format!(r#"{settings}, "pixels": "static", "validation": 500"#));
    assert!(rows(&split.train).is_subset(&rows(&drawn.train)));
    assert!(rows(split.validation.as_ref().unwrap()).is_subset(&rows(&drawn.train)));
    assert_eq!(split.test, drawn.test);
    // Another seed draws others.
    assert_ne!(glyphs(&format!(r#"{settings}, "pixels": "static", "seed": 1"#)).test, drawn.test);
}

#[test]
fn dynamic_leaves_training_images_gray_and_draws_the_others() {
    let settings = r#", "train_images": 300, "test_images": 50, "validation": 100"#;
    let (gray, dynamic) = (glyphs(settings), glyphs(&format!(r#"{settings}, "pixels": "dynamic""#)));
    let fixed = glyphs(&format!(r#"{settings}, "pixels": "static""#));
    assert_eq!(dynamic.train, gray.train);
    assert_eq!((dynamic.validation, dynamic.test), (fixed.validation, fixed.test));
}

#[test]
fn draws_are_pinned() {
    let pixels: Vec<u8> = (0..=255).collect();
    let mut out = vec![0; 256];
    binarise(7, 1, 42, &pixels, &mut out);
    let hexadecimal: String =
        out.chunks(8).map(|bits| format!("{:02x}", bits.iter().fold(0, |byte, bit| byte << 1 | bit & 1))).collect();
    assert_eq!(hexadecimal, "00000222100000140948e8e0c80e23fb4097dabc57d7b7bdeffebffbff7fffff");
    assert_eq!(noise::permutation(noise::key(&[1, 2]), 8), [4, 1, 0, 7, 2, 5, 6, 3]);
}

proptest! {
    #[test]
    fn the_extremes_are_never_drawn_otherwise(seed in any::<u64>(), stream in any::<u64>(), index in any::<u64>()) {
        let mut out = [7; 64];
        binarise(seed, stream, index, &[0; 64], &mut out);
        prop_assert_eq!(out, [0; 64]);
        binarise(seed, stream, index, &[255; 64], &mut out);
        prop_assert_eq!(out, [255; 64]);
        let (mut again, mut other) = ([0; 64], [0; 64]);
        binarise(seed, stream, index, &[128; 64], &mut out);
        binarise(seed, stream, index, &[128; 64], &mut again);
        binarise(seed, stream, index.wrapping_add(1), &[128; 64], &mut other);
        prop_assert_eq!(out, again);
        prop_assert!(out != other);
    }

    #[test]
    fn permutations_hold_everything_once(key in any::<u64>(), n in 0usize..300) {
        let mut order = noise::permutation(key, n);
        order.sort_unstable();
        prop_assert_eq!(order, (0..n).collect::<Vec<_>>());
    }
}

#[test]
fn places_come_from_the_command_line_before_the_environment() {
    let folders = Folders::from_env(Some("/somewhere".into())).unwrap();
    assert_eq!(folders.data.as_deref(), Some(Path::new("/somewhere")));
    assert!(folders.cache.ends_with("elbo"));
}
