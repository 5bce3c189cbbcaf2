//! Single frames of a film that are held out: near their neighbours, which are trained on.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use data::{Folders, load};
use image::{GrayImage, Luma};

const FRAMES: u32 = 200;

/// A bright bump at a place, which neighbouring places share.
fn frame(place: u32) -> GrayImage {
    GrayImage::from_fn(16, 4, |x, _| Luma([255 - (16 * x.abs_diff(place)).min(255) as u8]))
}

/// Where the bump of a film is: back and forth, one step a frame.
fn of_film(frame: u32) -> u32 {
    let at = frame % 30;
    if at < 15 { at } else { 30 - at }
}

/// Places in no order.
fn in_no_order(image: u32) -> u32 {
    image.wrapping_mul(2_654_435_761) >> 28
}

fn write(folder: &Path, place: impl Fn(u32) -> u32) {
    std::fs::create_dir_all(folder).unwrap();
    for i in 0..FRAMES {
        frame(place(i)).save(folder.join(format!("{i:04}.png"))).unwrap();
    }
}

/// What is told of the split of a source in this folder.
fn distance(folder: &Path, source: &str) -> Option<f64> {
    let folders = Folders { data: Some(folder.to_owned()), cache: folder.join("cache") };
    let dataset: spec::Dataset = serde_json::from_str(&format!(r#"{{"name": {source}}}"#)).unwrap();
    let loaded = load(&dataset, &folders).unwrap().neighbour_distance;
    assert_eq!(load(&dataset, &folders).unwrap().neighbour_distance, loaded, "a second load says the same");
    loaded
}

#[test]
fn single_frames_of_a_film_are_near_their_neighbours() {
    let place = tempfile::tempdir().unwrap();
    write(&place.path().join("film"), of_film);
    let found = distance(place.path(), r#"{"folder": "film"}"#).unwrap();
    assert!(found < 0.4, "{found}");
    let file = hdf5::File::create(place.path().join("film.h5")).unwrap();
    let pixels: Vec<u8> = (0..FRAMES).flat_map(|i| frame(of_film(i)).into_raw()).collect();
    let images = file.new_dataset::<u8>().shape([FRAMES as usize, 4, 16]).create("images").unwrap();
    images.write_raw(&pixels).unwrap();
    drop((images, file));
    let found = distance(place.path(), r#"{"hdf5": "film.h5"}"#).unwrap();
    assert!(found < 0.4, "{found}");
}

#[test]
fn images_in_no_order_and_those_with_a_test_split_are_not_told() {
    let place = tempfile::tempdir().unwrap();
    write(&place.path().join("mixed"), in_no_order);
    let found = distance(place.path(), r#"{"folder": "mixed"}"#).unwrap();
    assert!(found > 0.5, "{found}");
    write(&place.path().join("split/train"), of_film);
    write(&place.path().join("split/test"), of_film);
    assert_eq!(distance(place.path(), r#"{"folder": "split"}"#), None);
    // Too few images tell nothing.
    let few = place.path().join("few");
    std::fs::create_dir_all(&few).unwrap();
    (0..20).for_each(|i| frame(of_film(i)).save(few.join(format!("{i:02}.png"))).unwrap());
    assert_eq!(distance(place.path(), r#"{"folder": "few"}"#), None);
}
