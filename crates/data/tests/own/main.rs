//! A user's own images, in every form they may come in.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod content;
mod forms;
mod numpy;

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use data::{DataError, Folders, Shape, Splits, load, shape};
use flate2::{Compression, write::GzEncoder};
use hdf5::H5Type;
use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use tempfile::TempDir;

fn folders(folder: &TempDir) -> Folders {
    Folders { data: Some(folder.path().to_path_buf()), cache: folder.path().join("cache") }
}

fn dataset(source: &str, settings: &str) -> spec::Dataset {
    serde_json::from_str(&format!(r#"{{"name": {source} {settings}}}"#)).unwrap()
}

/// Loads a source such as `{"hdf5": "a.h5"}` with further settings, relative to the folder; its shape is as was told
/// without loading.
fn read(folder: &TempDir, source: &str, settings: &str) -> Result<Splits, DataError> {
    let splits = load(&dataset(source, settings), &folders(folder))?;
    if source.starts_with('{') {
        assert_eq!(shape(&dataset(source, settings), &folders(folder)).unwrap(), splits.train.shape);
    }
    Ok(splits)
}

fn message<T>(result: Result<T, DataError>) -> String {
    let message = result.err().unwrap().to_string();
    assert!(message.contains("\nhint: "), "{message}");
    message
}

/// Values 0, 1, 2, … 250, 0, …: different in neighbouring images.
fn ramp(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i % 251) as u8).collect()
}

fn put<T: H5Type>(file: &hdf5::File, name: &str, shape: &[usize], values: &[T]) {
    file.new_dataset::<T>().shape(shape).create(name).unwrap().write_raw(values).unwrap();
}

fn hdf5_file(folder: &TempDir, write: impl FnOnce(&hdf5::File)) {
    write(&hdf5::File::create(folder.path().join("a.h5")).unwrap());
}

/// All images in the order of their first pixel, which in these tests tells their row.
fn sorted(splits: &Splits) -> Vec<(Vec<u8>, Option<u8>)> {
    let mut images: Vec<_> = [&splits.train, &splits.test]
        .into_iter()
        .flat_map(|part| {
            (0..part.shape.n).map(|i| (part.image(i).to_vec(), part.labels.as_ref().map(|labels| labels[i])))
        })
        .collect();
    images.sort();
    images
}

const A: &str = r#"{"hdf5": "a.h5"}"#;

#[test]
fn hdf5_without_a_test_split_holds_out_a_tenth() {
    let folder = tempfile::tempdir().unwrap();
    let pixels = ramp(25 * 5 * 2);
    hdf5_file(&folder, |file| {
        put(file, "images", &[25, 5, 2], &pixels);
        put(file, "labels", &[25], &(0..25i64).collect::<Vec<_>>());
    });
    let splits = read(&folder, A, "").unwrap();
    assert_eq!(splits.train.shape, Shape { n: 22, channels: 1, height: 5, width: 2 });
    assert_eq!(splits.test.shape.n, 3);
    let expected: Vec<_> = pixels.chunks(10).map(<[u8]>::to_vec).zip((0..25).map(Some)).collect();
    assert_eq!(sorted(&splits), expected, "every image is in one split, with its label");
    assert_ne!(splits.train.labels.clone().unwrap(), (0..22).collect::<Vec<_>>(), "in a random order");

    assert_eq!(read(&folder, A, "").unwrap(), splits);
    assert_ne!(read(&folder, A, r#", "seed": 1"#).unwrap().test, splits.test);
    let fewer = read(&folder, A, r#", "train_images": 7, "test_images": 2"#).unwrap();
    assert_eq!(fewer.train.pixels, splits.train.pixels[..70]);
    assert_eq!(fewer.test.pixels, splits.test.pixels[..20]);
    assert!(message(read(&folder, A, r#", "train_images": 23"#)).contains("`23`"));
}

#[test]
fn hdf5_that_another_program_writes_is_said_to_be_and_reading_locks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    hdf5_file(&folder, |file| put(file, "images", &[20, 2, 2], &ramp(80)));
    let other = fs::File::open(folder.path().join("a.h5")).unwrap();
    other.lock().unwrap();
    let error = message(read(&folder, A, ""));
    assert!(error.contains("is open for writing in another program") && !error.contains("damaged"), "{error}");
    other.unlock().unwrap();
    read(&folder, A, "").unwrap();
    // A reader beside us is in nobody's way, and nothing is left of ours.
    other.lock_shared().unwrap();
    read(&folder, A, "").unwrap();
    other.unlock().unwrap();
    other.try_lock().unwrap();
}

#[test]
fn hdf5_with_a_test_split_keeps_its_order() {
    let folder = tempfile::tempdir().unwrap();
    hdf5_file(&folder, |file| {
        put(file, "images", &[4, 2, 2], &ramp(16));
        put(file, "labels", &[4, 1], &[3u8, 2, 1, 0]);
        put(file, "test_images", &[2, 2, 2], &ramp(8));
        put(file, "test_labels", &[2], &[9.0f32, 8.0]);
    });
    let splits = read(&folder, A, "").unwrap();
    assert_eq!((splits.train.pixels, splits.test.pixels), (ramp(16), ramp(8)));
    assert_eq!((splits.train.labels, splits.test.labels), (Some(vec![3, 2, 1, 0]), Some(vec![9, 8])));
}

#[test]
fn hdf5_channels_first_and_last_packed_and_floating() {
    // Image 1's channels are 12…15, 16…19, 20…23.
    let first: Vec<u8> = ramp(24);
    let last: Vec<u8> =
        (0..2).flat_map(|n| (0..4).flat_map(move |p| (0..3).map(move |c| n * 12 + c * 4 + p))).collect();
    let folder = tempfile::tempdir().unwrap();
    for (shape, pixels) in [([2, 3, 2, 2], &first), ([2, 2, 2, 3], &last)] {
        hdf5_file(&folder, |file| {
            put(file, "test_images", &shape, pixels);
            let packed = file.new_dataset::<u8>().shape(shape).chunk([1, 2, 2, 2]).deflate(9).create("images").unwrap();
            packed.write_raw(pixels).unwrap();
        });
        let splits = read(&folder, A, "").unwrap();
        assert_eq!(splits.train.shape, Shape { n: 2, channels: 3, height: 2, width: 2 });
        assert_eq!((&splits.train.pixels, &splits.test.pixels), (&first, &first));
        assert_eq!(splits.train.labels, None);
    }
    hdf5_file(&folder, |file| {
        put(file, "images", &[2, 1, 2, 2], &[0.0f64, 1.0, 0.5, 0.25, 1.0 / 255.0, 0.0, 0.0, 0.999]);
        put(file, "test_images", &[1, 2, 2, 1], &[false, true, true, false]);
    });
    let splits = read(&folder, A, "").unwrap();
    assert_eq!(splits.train.pixels, [0, 255, 128, 64, 1, 0, 0, 255]);
    assert_eq!(splits.test.pixels, [0, 255, 255, 0]);
}

#[test]
fn dsprites_and_3dshapes() {
    let folder = tempfile::tempdir().unwrap();
    let bits: Vec<u8> = (0..20 * 16).map(|i| u8::from(i % 3 == 0)).collect();
    hdf5_file(&folder, |file| {
        put(file, "imgs", &[20, 4, 4], &bits);
        let classes: Vec<i64> = (0..20).flat_map(|i| [0, i % 3, i, 0, 0, 0]).collect();
        put(file, "latents_classes", &[20, 6], &classes);
        put(file, "latents_values", &[20, 6], &classes.iter().map(|&class| class as f64 / 2.0).collect::<Vec<_>>());
    });
    let train = read(&folder, A, "").unwrap().train;
    assert!(train.pixels.iter().all(|value| [0, 255].contains(value)));
    let factors = train.factors.unwrap();
    assert_eq!(factors.names, ["color", "shape", "scale", "orientation", "position_x", "position_y"]);
    let row = (factors.of(5)[2] * 2.0) as usize;
    assert_eq!(train.labels.unwrap()[5], (row % 3) as u8);
    assert_eq!(train.pixels[5 * 16] == 255, bits[row * 16] == 1);

    hdf5_file(&folder, |file| {
        put(file, "images", &[10, 64, 64, 3], &ramp(10 * 64 * 64 * 3));
        let labels: Vec<f64> = (0..10).flat_map(|i| [0.1, 0.2, 0.3, 1.25, f64::from(i % 4), -30.0]).collect();
        put(file, "labels", &[10, 6], &labels);
    });
    let train = read(&folder, A, "").unwrap().train;
    assert_eq!(train.shape, Shape { n: 9, channels: 3, height: 64, width: 64 });
    let factors = train.factors.unwrap();
    assert_eq!(factors.names[4], "shape");
    assert!(train.labels.unwrap().iter().enumerate().all(|(i, &label)| f64::from(label) == factors.of(i)[4]));
}

#[test]
fn the_cached_glyphs_are_an_example_of_a_users_file() {
    let folder = tempfile::tempdir().unwrap();
    let small = r#", "train_images": 50, "test_images": 20"#;
    let glyphs = read(&folder, r#""glyphs""#, small).unwrap();
    let again = read(&folder, r#"{"hdf5": "cache/glyphs/glyphs.h5"}"#, small).unwrap();
    assert_eq!(glyphs, again);
}

#[test]
fn the_shape_is_told_without_reading_the_images() {
    let folder = tempfile::tempdir().unwrap();
    let told = |source: &str, settings: &str| shape(&dataset(source, settings), &folders(&folder));
    hdf5_file(&folder, |file| put(file, "images", &[20, 1, 2], &[f32::NAN; 40]));
    assert!(read(&folder, A, "").is_err());
    assert_eq!(told(A, "").unwrap(), Shape { n: 18, channels: 1, height: 1, width: 2 });
    assert_eq!(told(A, r#", "train_images": 5, "validation": 2"#).unwrap().n, 5);
    assert!(message(told(A, r#", "train_images": 19"#)).contains("`19`"));

    let packed = gz(&idx(&[20, 3, 5], &ramp(300)));
    fs::write(folder.path().join("train-images-idx3-ubyte.gz"), &packed[..packed.len() - 9]).unwrap();
    let here = format!(r#"{{"idx": "{}"}}"#, folder.path().display());
    assert!(read(&folder, &here, "").is_err());
    assert_eq!(told(&here, "").unwrap(), Shape { n: 18, channels: 1, height: 3, width: 5 });

    gray(&folder.path().join("a.png"), 0);
    fs::write(folder.path().join("b.png"), "not an image").unwrap();
    let here = here.replace("idx", "folder");
    assert!(read(&folder, &here, "").is_err());
    assert_eq!(told(&here, "").unwrap(), Shape { n: 1, channels: 1, height: 3, width: 4 });
    assert!(message(told(r#"{"hdf5": "nowhere"}"#, "")).contains("there is no such file"));
}

#[test]
fn hdf5_that_does_not_fit_says_so() {
    type Write = fn(&hdf5::File);
    let cases: [(Write, &str); 12] = [
        (|file| put(file, "pictures", &[2, 2, 2], &[0u8; 8]), "holds no `images`, but `pictures`"),
        (|_| (), "holds no `images`, but nothing"),
        (|file| put(file, "images", &[2, 4], &[0u8; 8]), "holds an array of 2×4"),
        (|file| put(file, "images", &[2, 2, 2, 2], &[0u8; 16]), "holds an array of 2×2×2×2"),
        (|file| put(file, "images", &[2, 2, 2], &[0i32; 8]), "values of type"),
        (
            |file| put(file, "images", &[2, 1, 2], &[0.0f32, 0.5, 1.5, 0.0]),
            "holds `1.5`, not a value in 0…1, in image 1",
        ),
        (
            |file| put(file, "images", &[2, 1, 2], &[0.0f32, f32::NAN, 0.5, 0.0]),
            "holds `NaN`, not a value in 0…1, in image 0",
        ),
        (|file| put(file, "images", &[1, 2, 2], &[0u8; 4]), "a single image cannot be divided"),
        (|file| put::<u8>(file, "images", &[0, 2, 2], &[]), "empty array"),
        (
            |file| {
                put(file, "images", &[2, 2, 2], &[0u8; 8]);
                put(file, "labels", &[3], &[0u8; 3]);
            },
            "`labels` holds 3 values for 2 images",
        ),
        (
            |file| {
                put(file, "images", &[2, 2, 2], &[0u8; 8]);
                put(file, "labels", &[2], &[0i64, 256]);
            },
            "`labels` holds `256`",
        ),
        (
            |file| {
                put(file, "images", &[2, 2, 2], &[0u8; 8]);
                put(file, "test_images", &[2, 2, 3], &[0u8; 12]);
            },
            "differ in height, width or channels",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (write, expected) in cases {
        hdf5_file(&folder, write);
        let message = message(read(&folder, A, ""));
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
    }
}

fn idx(axes: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, axes.len() as u8];
    bytes.extend(axes.iter().flat_map(|axis| axis.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::best());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

#[test]
fn idx_raw_packed_gray_and_colour() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let here = r#"{"idx": "."}"#;
    let here = here.replace('.', folder.path().to_str().unwrap());
    fs::write(at("train-images-idx3-ubyte"), idx(&[20, 3, 5], &ramp(300))).unwrap();
    let splits = read(&folder, &here, "").unwrap();
    assert_eq!((splits.train.shape.n, splits.test.shape.n, splits.train.labels.is_none()), (18, 2, true));
    assert_eq!(sorted(&splits).len(), 20);

    fs::write(at("train-labels-idx1-ubyte.gz"), gz(&idx(&[20], &ramp(20)))).unwrap();
    fs::write(at("t10k-images.idx3-ubyte"), gz(&idx(&[2, 3, 5], &ramp(30)))).unwrap();
    let splits = read(&folder, &here, r#", "train_images": 4"#).unwrap();
    assert_eq!((splits.train.pixels, splits.test.pixels), (ramp(60), ramp(30)));
    assert_eq!((splits.train.labels, splits.test.labels), (Some(vec![0, 1, 2, 3]), None));

    fs::write(at("t10k-images.idx3-ubyte"), idx(&[2, 5, 3], &ramp(30))).unwrap();
    assert!(message(read(&folder, &here, "")).contains("its training images are 1×3×5, its test images 1×5×3"));
    fs::write(at("train-labels-idx1-ubyte.gz"), gz(&idx(&[19], &ramp(19)))).unwrap();
    assert!(message(read(&folder, &here, "")).contains("holds 19 labels for 20 images"));

    let colour = tempfile::tempdir().unwrap();
    let last: Vec<u8> =
        (0..4).flat_map(|n| (0..4).flat_map(move |p| (0..3).map(move |c| n * 12 + c * 4 + p))).collect();
    fs::write(colour.path().join("train-images-idx4-ubyte"), idx(&[4, 2, 2, 3], &last)).unwrap();
    let here = format!(r#"{{"idx": "{}"}}"#, colour.path().display());
    let splits = read(&colour, &here, "").unwrap();
    assert_eq!(splits.train.shape, Shape { n: 3, channels: 3, height: 2, width: 2 });
    assert_eq!(sorted(&splits).concat_pixels(), ramp(48));
}

/// So that the expectation above reads well.
trait ConcatPixels {
    fn concat_pixels(self) -> Vec<u8>;
}

impl ConcatPixels for Vec<(Vec<u8>, Option<u8>)> {
    fn concat_pixels(self) -> Vec<u8> {
        self.into_iter().flat_map(|(image, _)| image).collect()
    }
}

fn gray(path: &Path, value: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_fn(4, 3, |x, y| Luma([value + (y * 4 + x) as u8])).save(path).unwrap();
}

#[test]
fn folders_flat_labelled_and_split() {
    let flat = tempfile::tempdir().unwrap();
    for i in 0..10 {
        gray(&flat.path().join(format!("{i}.{}", if i == 0 { "PNG" } else { "png" })), i * 20);
    }
    fs::write(flat.path().join("notes.txt"), "not an image").unwrap();
    fs::write(flat.path().join(".hidden.png"), "not an image").unwrap();
    let here = |folder: &TempDir| format!(r#"{{"folder": "{}"}}"#, folder.path().display());
    let splits = read(&flat, &here(&flat), "").unwrap();
    assert_eq!(splits.train.shape, Shape { n: 9, channels: 1, height: 3, width: 4 });
    assert!(splits.train.labels.is_none());
    let firsts: Vec<u8> = sorted(&splits).iter().map(|(image, _)| image[0]).collect();
    assert_eq!(firsts, (0..10).map(|i| i * 20).collect::<Vec<_>>());

    let labelled = tempfile::tempdir().unwrap();
    for i in 0..12 {
        gray(&labelled.path().join(["cat", "ant", "bee"][i % 3]).join(format!("{i}.png")), i as u8 * 10);
    }
    let splits = read(&labelled, &here(&labelled), "").unwrap();
    for (image, label) in sorted(&splits) {
        assert_eq!(label, Some([2, 0, 1][usize::from(image[0] / 10) % 3]), "labels are numbered by name");
    }

    let split = tempfile::tempdir().unwrap();
    for i in 0..6u8 {
        gray(&split.path().join(format!("train/{}/{i}.png", i % 2 * 7)), i * 10);
        gray(&split.path().join(format!("test/{}/{i}.png", 7)), i * 10 + 5);
    }
    let splits = read(&split, &here(&split), r#", "train_images": 5"#).unwrap();
    assert_eq!(splits.train.labels, Some(vec![0, 0, 0, 7, 7]), "labels that are numbers are kept");
    assert_eq!(splits.test.labels, Some(vec![7; 6]));
    assert_eq!(splits.test.pixels[0], 5);
}

#[test]
fn folders_of_colour_jpeg_and_mixed_images() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let here = format!(r#"{{"folder": "{}"}}"#, folder.path().display());
    RgbImage::from_pixel(16, 8, Rgb([200, 100, 0])).save(at("a.jpg")).unwrap();
    RgbaImage::from_pixel(16, 8, Rgba([200, 100, 0, 255])).save(at("b.png")).unwrap();
    GrayImage::from_pixel(16, 8, Luma([50])).save(at("c.jpeg")).unwrap();
    // A PNG by another name is told by its contents.
    fs::copy(at("b.png"), at("d.jpg")).unwrap();
    let splits = read(&folder, &here, "").unwrap();
    assert_eq!(splits.train.shape, Shape { n: 3, channels: 3, height: 8, width: 16 });
    let images: HashSet<Vec<u8>> = sorted(&splits)
        .into_iter()
        .map(|(image, _)| [0, 128, 256].map(|first| image[first].next_multiple_of(10)).to_vec())
        .collect();
    assert!(images.contains(&vec![50, 50, 50]) && images.contains(&vec![200, 100, 0]), "{images:?}");

    GrayImage::from_pixel(8, 16, Luma([50])).save(at("e.png")).unwrap();
    let message = message(read(&folder, &here, ""));
    assert!(message.contains("16×8 pixels") && message.contains("8×16"), "{message}");
}

#[test]
fn folders_that_do_not_fit_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let here = format!(r#"{{"folder": "{}"}}"#, folder.path().display());
    assert!(message(read(&folder, &here, "")).contains("holds no `.png`"));
    gray(&folder.path().join("a.png"), 0);
    gray(&folder.path().join("label/b.png"), 0);
    assert!(message(read(&folder, &here, "")).contains("holds an image beside its labels' folders"));
    fs::remove_file(folder.path().join("a.png")).unwrap();
    // Folders within a label's folder are of its label; a link to a folder above is noticed.
    gray(&folder.path().join("label/deeper/c.png"), 0);
    assert_eq!(read(&folder, &here, "").unwrap().train.labels, Some(vec![0]));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path(), folder.path().join("label/deeper/above")).unwrap();
        assert!(message(read(&folder, &here, "")).contains("in 16 folders within each other"));
    }
}

#[test]
fn what_is_not_there_or_is_of_the_wrong_kind() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "text").unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let cases = [
        (r#"{"hdf5": "nowhere"}"#, "there is no such file or folder"),
        (r#"{"idx": "nowhere"}"#, "there is no such file or folder"),
        (r#"{"folder": "nowhere"}"#, "there is no such file or folder"),
        (r#"{"hdf5": "file"}"#, "is not HDF5, or is damaged"),
        (r#"{"hdf5": "empty"}"#, "is a folder where a file should be"),
        (r#"{"idx": "file"}"#, "is a file where a folder of IDX files should be"),
        (r#"{"idx": "empty"}"#, "holds no training images"),
        (r#"{"folder": "file"}"#, "is a file where a folder of images should be"),
    ];
    for (source, expected) in cases {
        let message = message(read(&folder, source, ""));
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
    }
}
