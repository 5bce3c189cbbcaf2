//! Published datasets: found where they lie, refused when they are something else; and what is told of datasets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write;
use std::path::Path;

use data::{Fetcher, Folders, Progress, info, list, load, load_with, prepare, shape, sheet};
use flate2::Compression;
use flate2::write::GzEncoder;
use spec::known::{Digested, Files, Origin};
use spec::{KNOWN_DATASETS, KnownDataset};

fn dataset(json: &str) -> spec::Dataset {
    serde_json::from_str(json).unwrap()
}

/// A fetcher that reaches nobody.
fn offline() -> Fetcher {
    Fetcher { mirrors: Some(vec!["http://127.0.0.1:9/".to_owned()]), ..Fetcher::default() }
}

/// Small files in a dataset's names, as they are and compressed: four IDX files, three texts of binary images.
fn write_set(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (name, n) in [("train", 20u8), ("t10k", 10)] {
        let mut images = vec![0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 2, 0, 0, 0, 2];
        images.extend(vec![9; usize::from(n) * 4]);
        write(folder, &format!("{name}-images-idx3-ubyte"), &images);
        let mut labels = vec![0, 0, 8, 1, 0, 0, 0, n];
        labels.extend(vec![1; usize::from(n)]);
        write(folder, &format!("{name}-labels-idx1-ubyte"), &labels);
    }
    let image = format!("{}1\n", "0 ".repeat(783));
    for name in ["train", "valid", "test"] {
        write(folder, &format!("binarized_mnist_{name}.amat"), image.as_bytes());
    }
}

fn write(folder: &Path, name: &str, contents: &[u8]) {
    fs::write(folder.join(name), contents).unwrap();
    let mut gz = GzEncoder::new(fs::File::create(folder.join(format!("{name}.gz"))).unwrap(), Compression::fast());
    gz.write_all(contents).unwrap();
    gz.finish().unwrap();
}

#[test]
fn another_dataset_in_a_published_ones_folder_is_refused_by_its_digest() {
    let of = |known: &'static KnownDataset| match &known.origin {
        Origin::Drawn => Vec::new(),
        Origin::Published(published) => published.folders.iter().map(|below| (known.name, published, below)).collect(),
    };
    for (name, published, below) in KNOWN_DATASETS.iter().flat_map(of) {
        let data = tempfile::tempdir().unwrap();
        write_set(&data.path().join(below));
        let folders = Folders { data: Some(data.path().to_path_buf()), cache: data.path().join("cache") };
        let message = load(&dataset(&format!(r#"{{"name": "{name}"}}"#)), &folders).unwrap_err().to_string();
        let has = match published.digested {
            Digested::Contents => "its contents have",
            Digested::Compressed => "it has",
        };
        assert!(message.contains(&format!("is not {name}'s: {has} SHA-256")), "{message}");
        assert!(message.contains(&*data.path().join(below).to_string_lossy()), "{message}");
        let listed = list(&folders).into_iter().find(|known| known.name == name).unwrap();
        assert_eq!(listed.place, Some(data.path().join(below)));
        match (published.digested, published.files) {
            (Digested::Contents, Files::Idx(_)) => assert_eq!(listed.n_bytes, 16 + 80 + 8 + 20 + 16 + 40 + 8 + 10),
            (Digested::Contents, Files::Amat(_)) => assert_eq!(listed.n_bytes, 3 * 2 * 784),
            (Digested::Compressed, _) => {}
        }
    }
}

#[test]
fn files_in_the_data_folder_itself_count_only_when_they_are_the_datasets() {
    let data = tempfile::tempdir().unwrap();
    write_set(data.path());
    let folders = Folders { data: Some(data.path().to_path_buf()), cache: data.path().join("cache") };
    // Text files are known by their names, which are of this dataset alone.
    let is_here = |known: &&data::DatasetInfo| known.place.is_some();
    assert_eq!(
        list(&folders).iter().filter(is_here).map(|known| &*known.name).collect::<Vec<_>>(),
        ["binarized-mnist"]
    );
    let error = load_with(&dataset(r#"{"name": "mnist"}"#), &folders, &offline(), &mut |_| ()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("cannot download `train-images-idx3-ubyte` of `mnist`"), "{message}");
    assert!(message.contains("hint: check the network") && message.contains("`glyphs` needs no download"), "{message}");
}

#[test]
fn a_damaged_file_in_the_cache_is_downloaded_again_and_one_of_the_users_is_not() {
    let data = tempfile::tempdir().unwrap();
    let folders = Folders { data: None, cache: data.path().to_path_buf() };
    write_set(&data.path().join("mnist"));
    let error = load_with(&dataset(r#"{"name": "mnist"}"#), &folders, &offline(), &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("cannot download"), "{error}");
}

#[test]
fn glyphs_are_listed_prepared_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let folders = Folders { data: None, cache: folder.path().to_path_buf() };
    let listed = list(&folders);
    let names = |listed: &[data::DatasetInfo]| listed.iter().map(|known| known.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&listed), KNOWN_DATASETS.iter().map(|known| known.name).collect::<Vec<_>>());
    assert!(listed.iter().all(|known| known.place.is_none() && known.n_bytes == 0));
    assert!(listed[1].origin.starts_with("would be downloaded from https://"));

    let mut told = Vec::new();
    let mut note = |progress: Progress<'_>| told.push(format!("{progress:?}"));
    let prepared = prepare(&spec::Source::named("glyphs").unwrap(), &folders, &offline(), &mut note).unwrap();
    assert_eq!(told, [r#"Message("drawing the glyphs, once")"#]);
    assert_eq!(list(&folders)[0].place.as_ref(), Some(&prepared.place));
    assert_eq!(prepared.n_bytes, fs::metadata(&prepared.place).unwrap().len());

    let info = info(&dataset(r#"{"name": "glyphs", "validation": 5000}"#), &folders, &offline(), &mut |_| ()).unwrap();
    let train = &info.splits[0];
    let row = KnownDataset::named("glyphs").unwrap();
    let told = shape(&dataset(r#"{"name": "glyphs", "validation": 5000}"#), &folders).unwrap();
    assert_eq!((told.n, info.splits[2].n), (train.n + info.splits[1].n, row.n_test));
    let (height, width) = (train.height, train.width);
    assert_eq!((told.image(), row.image), (row.image, spec::ImageShape { channels: train.channels, height, width }));
    assert_eq!(
        info.splits.iter().map(|split| (&*split.split, split.n)).collect::<Vec<_>>(),
        [("train", 55_000), ("validation", 5_000), ("test", 10_000)]
    );
    assert_eq!(train.classes.iter().map(|class| class.n).sum::<usize>(), 55_000);
    assert_eq!(info.splits[2].classes[3].n, 1_000);
    assert!((0.09..0.15).contains(&train.mean_gray), "{}", train.mean_gray);
    assert!((30.0..60.0).contains(&train.gray_bce_floor), "{}", train.gray_bce_floor);
    assert_eq!(info.factors[3].name, "rotation");
    assert!(info.factors[3].min < -11.9 && info.factors[3].max > 11.9);
    assert_eq!(info.digest.len(), 64);
}

#[test]
fn contact_sheets_hold_the_first_images() {
    let images = data::glyphs::images(data::glyphs::Part::Test, 30);
    let png = sheet(&images, 25, 10, 2).unwrap();
    let drawn = image::load_from_memory(&png).unwrap().into_luma8();
    assert_eq!(drawn.dimensions(), (10 * 58 + 2, 3 * 58 + 2));
    // Image 11 is the second of the second row.
    let pixel = |x: u32, y: u32| drawn.get_pixel(60 + 2 * x, 60 + 2 * y).0[0];
    assert!((0..28).all(|y| (0..28).all(|x| pixel(x, y) == images.image(11)[(y * 28 + x) as usize])));
    assert!(sheet(&images, 0, 10, 2).unwrap_err().to_string().contains("hint: "));
}

/// Where there are copies, by `ELBO_DATA`.
fn copies(cache: &Path) -> Option<Folders> {
    Some(Folders { data: Some(Folders::from_env(None).unwrap().data?), cache: cache.to_path_buf() })
}

/// Whether there is a copy of this dataset.
fn is_here(name: &str, folders: &Folders) -> bool {
    list(folders).iter().any(|known| known.name == name && known.place.is_some())
}

/// Needs a copy of MNIST: set `ELBO_DATA` to a folder that has it.
#[test]
fn mnist_where_there_is_a_copy() {
    let cache = tempfile::tempdir().unwrap();
    let Some(folders) = copies(cache.path()).filter(|folders| is_here("mnist", folders)) else {
        return;
    };
    let splits = load(&dataset(r#"{"name": "mnist"}"#), &folders).unwrap();
    assert_eq!(splits.class_names[..3], ["0", "1", "2"]);
    assert_eq!((splits.train.shape.n, splits.test.shape.n), (60_000, 10_000));
    assert_eq!(splits.train.labels.unwrap()[..5], [5, 0, 4, 1, 9]);
    assert_eq!(splits.digest, "0100ba589561dca191e173a651f9a352f455d5077e3316f93899c32185be9d06");
}

/// Needs a copy of the binarised MNIST: set `ELBO_DATA` to a folder that has it.
#[test]
fn binarized_mnist_where_there_is_a_copy() {
    let cache = tempfile::tempdir().unwrap();
    let Some(folders) = copies(cache.path()).filter(|folders| is_here("binarized-mnist", folders)) else {
        return;
    };
    let splits = load(&dataset(r#"{"name": "binarized-mnist", "pixels": "binary"}"#), &folders).unwrap();
    let validation = splits.validation.unwrap();
    let counts = [&splits.train, &validation, &splits.test].map(|images| images.shape.n);
    assert_eq!(counts, [50_000, 10_000, 10_000]);
    assert_eq!(
        (splits.train.shape.image(), splits.train.labels),
        (spec::ImageShape { channels: 1, height: 28, width: 28 }, None)
    );
    let drawn = load(&dataset(r#"{"name": "binarized-mnist", "pixels": "static", "seed": 3}"#), &folders).unwrap();
    assert_eq!(drawn.digest, splits.digest, "drawing binary pixels gives what is there");
    let message = load(&dataset(r#"{"name": "binarized-mnist", "validation": 10}"#), &folders).unwrap_err().to_string();
    assert!(message.contains("there are validation images already"), "{message}");
}
