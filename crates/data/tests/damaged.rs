//! Damaged files of every format: an error that names the file and says what to do; no panic, no huge allocation, and
//! nothing printed by a library.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use data::{Folders, load};
use flate2::{Compression, write::GzEncoder};
use image::{GrayImage, Luma};

/// Loads a source and returns its error's text, `None` when it loads.
fn error(kind: &str, path: &Path) -> Option<String> {
    let source = serde_json::json!({ "name": { kind: path } });
    let folders = Folders { data: None, cache: path.join("no-cache") };
    load(&serde_json::from_value(source).unwrap(), &folders).err().map(|error| error.to_string())
}

/// That the error names `file` and gives a hint.
fn refused(kind: &str, path: &Path, file: &Path, what: &str) -> String {
    let message = error(kind, path).unwrap_or_else(|| panic!("{what}: is read as if nothing were wrong"));
    assert!(message.contains(&*file.to_string_lossy()), "{what}: names no file: {message}");
    assert!(message.contains("\nhint: "), "{what}: gives no hint: {message}");
    message
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::best());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

fn idx(axes: &[u32], n_values: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, axes.len() as u8];
    bytes.extend(axes.iter().flat_map(|axis| axis.to_be_bytes()));
    bytes.extend((0..n_values).map(|i| (i * 7) as u8));
    bytes
}

fn idx_files() {
    let folder = tempfile::tempdir().unwrap();
    let whole = idx(&[20, 8, 8], 1280);
    let lie = |axes: &[u32]| idx(axes, 1280);
    let mut other_type = whole.clone();
    other_type[2] = 0x0d;
    let mut longer = whole.clone();
    longer.push(0);
    let damaged = [
        ("empty", vec![]),
        ("one byte", vec![0]),
        ("header cut off", whole[..9].to_vec()),
        ("cut off", whole[..700].to_vec()),
        ("longer", longer),
        ("four billion images", lie(&[4_000_000_000, 8, 8])),
        ("more than 64 bits", lie(&[u32::MAX, u32::MAX, u32::MAX, u32::MAX])),
        ("no images", lie(&[0, 8, 8])),
        ("two axes", lie(&[20, 64])),
        ("another type", other_type),
        ("text", b"these are no images at all".to_vec()),
        ("zeros", vec![0; 2000]),
    ];
    for (what, bytes) in &damaged {
        for (name, bytes) in [("train-images-idx3-ubyte", bytes.clone()), ("train-images-idx3-ubyte.gz", gz(bytes))] {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            refused("idx", folder.path(), &path, &format!("{what}, {name}"));
            fs::remove_file(path).unwrap();
        }
    }
    let path = folder.path().join("train-images-idx3-ubyte.gz");
    let packed = gz(&whole);
    for n in 0..packed.len() {
        fs::write(&path, &packed[..n]).unwrap();
        refused("idx", folder.path(), &path, &format!("gzip cut off after {n} bytes"));
    }
    // A packed file that unpacks to 200 MB of noughts, though it declares few images.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(&whole).unwrap();
    for _ in 0..20 {
        bomb.write_all(&vec![0; 10 << 20]).unwrap();
    }
    fs::write(&path, bomb.finish().unwrap()).unwrap();
    assert!(refused("idx", folder.path(), &path, "bomb").contains("goes on after"));
    // A folder in the file's place.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("idx", folder.path(), &path, "folder for a file");
    refused("idx", &path, &path, "folder without images");
}

fn write_hdf5(path: &Path, write: impl FnOnce(&hdf5::File)) {
    write(&hdf5::File::create(path).unwrap());
}

fn hdf5_files(folder: &Path) {
    let path = folder.join("a.h5");
    let pixels: Vec<u8> = (0..20 * 64).map(|i| (i * 7) as u8).collect();
    // An array of four billion images that takes no room, since none of its chunks was written.
    write_hdf5(&path, |file| {
        file.new_dataset::<u8>().shape([4_000_000_000, 64, 64]).chunk([1000, 64, 64]).create("images").unwrap();
    });
    refused("hdf5", &path, &path, "four billion images");
    // As many noughts, packed: the file may hold them, memory may not.
    write_hdf5(&path, |file| {
        let images = file.new_dataset::<u8>().shape([100_000, 256, 256]).chunk([2000, 256, 256]).deflate(9);
        images
            .create("images")
            .unwrap()
            .write_slice(&ndarray::Array3::<u8>::zeros((2000, 256, 256)), (0..2000, .., ..))
            .unwrap();
    });
    refused("hdf5", &path, &path, "mostly unwritten");
    write_hdf5(&path, |file| {
        file.new_dataset::<u8>().shape([20, 8, 8]).create("images").unwrap().write_raw(&pixels).unwrap();
        file.new_dataset::<u8>().shape([20]).create("labels").unwrap().write_raw(&pixels[..20]).unwrap();
    });
    let whole = fs::read(&path).unwrap();
    assert_eq!(error("hdf5", &path), None);
    for n in (0..whole.len()).step_by(37) {
        fs::write(&path, &whole[..n]).unwrap();
        refused("hdf5", &path, &path, &format!("cut off after {n} bytes"));
    }
    for (what, bytes) in [("text", b"these are no images".to_vec()), ("zeros", vec![0; 5000]), ("gzip", gz(&whole))] {
        fs::write(&path, bytes).unwrap();
        refused("hdf5", &path, &path, what);
    }
    // A group in the images' place.
    write_hdf5(&path, |file| drop(file.create_group("images").unwrap()));
    refused("hdf5", &path, &path, "group for a dataset");
}

/// Flips bits all over an HDF5 file: it is read or refused, and the process lives.
fn flipped_hdf5(folder: &Path) {
    let path = folder.join("flipped.h5");
    let pixels: Vec<u8> = (0..20 * 64).map(|i| (i * 7) as u8).collect();
    write_hdf5(&path, |file| {
        let images = file.new_dataset::<u8>().shape([20, 8, 8]).chunk([7, 8, 8]).deflate(6).create("images").unwrap();
        images.write_raw(&pixels).unwrap();
        file.new_dataset::<f64>().shape([20]).create("labels").unwrap().write_raw(&[1.0; 20]).unwrap();
    });
    let whole = fs::read(&path).unwrap();
    for position in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[position] ^= 1 << (position / 3 % 8);
        fs::write(&path, &bytes).unwrap();
        if let Some(message) = error("hdf5", &path) {
            assert!(message.contains("\nhint: "), "flipped at {position}: {message}");
        }
    }
}

fn image_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for i in 0..3 {
        GrayImage::from_fn(9, 7, |x, y| Luma([(x * y * 3 + i) as u8])).save(path(&format!("{i}.png"))).unwrap();
    }
    let png = fs::read(path("0.png")).unwrap();
    GrayImage::from_pixel(9, 7, Luma([50])).save(path("0.jpg")).unwrap();
    let jpeg = fs::read(path("0.jpg")).unwrap();
    fs::remove_file(path("0.jpg")).unwrap();
    // A head that declares 60,000 × 60,000 pixels, its checksum right.
    let mut huge = png.clone();
    huge[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let checksum = crc32(&huge[12..29]);
    huge[29..33].copy_from_slice(&checksum.to_be_bytes());
    // And a JPEG that declares as many as are allowed at all.
    let mut large = jpeg.clone();
    let frame = large.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    large[frame + 5..frame + 9].copy_from_slice(&[0x20, 0, 0x20, 0]);
    let damaged: [(&str, &[u8]); 10] = [
        ("empty", b""),
        ("text", b"not an image"),
        ("png head", &png[..8]),
        ("png cut in the head", &png[..30]),
        ("png cut off", &png[..png.len() / 2 + 10]),
        ("jpeg head", &jpeg[..3]),
        ("jpeg cut off", &jpeg[..jpeg.len() / 2]),
        ("png of 60,000 × 60,000", &huge),
        ("jpeg of 8,192 × 8,192", &large),
        ("zeros", &[0; 500]),
    ];
    for (what, bytes) in damaged {
        for name in ["damaged.png", "damaged.jpg"] {
            fs::write(path(name), bytes).unwrap();
            refused("folder", folder.path(), &path(name), what);
            fs::remove_file(path(name)).unwrap();
        }
    }
    for n in 0..3 {
        fs::remove_file(path(&format!("{n}.png"))).unwrap();
        fs::write(path(&format!("{n}.jpg")), &large).unwrap();
    }
    assert!(
        refused("folder", folder.path(), folder.path(), "only large ones").contains("more than a file of its size")
    );
    // Bits flipped all over: read or refused, never a panic.
    for whole in [&png, &jpeg] {
        for position in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[position] ^= 1 << (position % 8);
            for n in 0..3 {
                fs::write(path(&format!("{n}.jpg")), &bytes).unwrap();
            }
            let message = error("folder", folder.path()).unwrap_or("\nhint: ".to_owned());
            assert!(message.contains("\nhint: "), "flipped at {position}: {message}");
        }
    }
    for n in 0..3 {
        fs::write(path(&format!("{n}.jpg")), &jpeg).unwrap();
    }
    fs::create_dir(path("folder.png")).unwrap();
    fs::write(path("folder.png/a.txt"), "").unwrap();
    assert_eq!(error("folder", folder.path()), None, "a folder without images holds none");
}

/// The checksum of PNG's chunks.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// All of the above; run by the test below with little memory.
#[test]
#[ignore = "is run in a process of its own, with little memory"]
fn in_little_memory() {
    let folder = PathBuf::from(std::env::var_os("DATA_TEST_FOLDER").unwrap());
    idx_files();
    hdf5_files(&folder);
    flipped_hdf5(&folder);
    image_files();
}

#[cfg(unix)]
#[test]
fn damaged_files_are_refused_in_little_memory_and_silence() {
    let folder = tempfile::tempdir().unwrap();
    // 1 GiB of addresses, of which the test itself takes a part.
    let mut command = std::process::Command::new("sh");
    command.args(["-c", r#"ulimit -v 1048576 && exec "$0" "$@""#]).arg(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "in_little_memory", "--nocapture", "--test-threads", "1"]);
    let output = command.env("DATA_TEST_FOLDER", folder.path()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert!(out.contains("1 passed"), "{out}");
    assert_eq!(err, "", "no library prints");
}
