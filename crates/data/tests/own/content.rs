//! Images are known by what they hold, and read once.

use super::*;
use crate::numpy::npy;

fn identity(folder: &TempDir, source: &str) -> spec::Identity {
    data::identify(&dataset(source, ""), &folders(folder), &mut |_| ()).unwrap().unwrap()
}

/// The same images are known by one digest in any form and any place.
#[test]
fn images_are_known_by_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let pixels = ramp(25 * 5 * 2);
    hdf5_file(&folder, |file| put(file, "images", &[25, 5, 2], &pixels));
    fs::write(folder.path().join("a.npy"), npy("|u1", &[25, 5, 2], &pixels)).unwrap();
    fs::write(folder.path().join("train-images-idx3-ubyte"), idx(&[25, 5, 2], &pixels)).unwrap();
    fs::create_dir(folder.path().join("pictures")).unwrap();
    for (n, image) in pixels.chunks(10).enumerate() {
        let image = GrayImage::from_raw(2, 5, image.to_vec()).unwrap();
        image.save(folder.path().join(format!("pictures/{n:02}.png"))).unwrap();
    }
    let here = format!(r#"{{"idx": "{}"}}"#, folder.path().display());
    let known = identity(&folder, A);
    for source in [&*here, r#"{"npy": "a.npy"}"#, r#"{"folder": "pictures"}"#] {
        assert_eq!(identity(&folder, source), known, "{source}");
        assert_eq!(read(&folder, source, "").unwrap().digest, read(&folder, A, "").unwrap().digest, "{source}");
    }
    assert!(!known.is_binary);
    hdf5_file(&folder, |file| put(file, "images", &[2, 1, 2], &[0u8, 1, 1, 0]));
    assert!(identity(&folder, A).is_binary);
    // At another place it is the same images: with the digest, a run's images are found by it.
    let pinned = |digest: &str| dataset(r#"{"hdf5": "/elsewhere/a.h5"}"#, &format!(r#", "digest": "{digest}""#));
    assert!(load(&pinned(&identity(&folder, A).digest), &folders(&folder)).is_ok());
}

/// A file that changed behind its path is noticed, however it was changed, and both digests are named.
#[test]
fn images_that_changed_are_not_taken_for_those_that_were_meant() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let write = |first: u8| {
        let mut pixels = ramp(100);
        pixels[0] = first;
        fs::write(&path, npy("|u1", &[10, 5, 2], &pixels)).unwrap();
    };
    write(1);
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    // So long that what is read is remembered.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let source = r#"{"npy": "a.npy"}"#;
    let before = identity(&folder, source).digest;
    let mut told = 0;
    data::identify(&dataset(source, ""), &folders(&folder), &mut |_| told += 1).unwrap();
    assert_eq!(told, 0, "what is remembered is not read again");
    write(2);
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let after = identity(&folder, source).digest;
    assert_ne!(before, after, "also with the old length and time");
    let message = message(read(&folder, source, &format!(r#", "digest": "{before}""#)));
    assert!(message.contains(&before) && message.contains(&after), "{message}");
}

/// A folder's images are decoded once.
#[test]
fn a_folder_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..200u8 {
        gray(&folder.path().join(format!("pictures/{}/{i:03}.png", ["b", "a"][usize::from(i % 2)])), i);
    }
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let source = r#"{"folder": "pictures"}"#;
    let first = read(&folder, source, "").unwrap();
    let mut told = 0;
    let fetcher = data::Fetcher::default();
    let again = data::load_with(&dataset(source, ""), &folders(&folder), &fetcher, &mut |_| told += 1).unwrap();
    assert_eq!((told, &again), (0, &first));
    assert_eq!(again.class_names, ["a", "b"]);
    // A damaged copy in the cache is read like a missing one.
    for entry in fs::read_dir(folder.path().join("cache/own")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "h5") {
            fs::write(path, "damaged").unwrap();
        }
    }
    assert_eq!(read(&folder, source, "").unwrap(), first);
}
