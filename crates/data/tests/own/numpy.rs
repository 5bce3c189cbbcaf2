//! Files of NumPy's: read, and refused where they do not fit.

use super::*;

/// What NumPy writes for an array, and for several of them.
pub fn npy(kind: &str, shape: &[usize], values: &[u8]) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({axes}), }}");
    header.push_str(&" ".repeat(64 - (header.len() + 11) % 64));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

fn npz(path: &Path, arrays: &[(&str, Vec<u8>)], is_packed: bool) {
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let method = if is_packed { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    for (name, array) in arrays {
        archive
            .start_file(format!("{name}.npy"), zip::write::FileOptions::default().compression_method(method))
            .unwrap();
        archive.write_all(array).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn numpy_arrays_alone_and_in_archives() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a.npy"), npy("|u1", &[20, 3, 5], &ramp(300))).unwrap();
    let splits = read(&folder, r#"{"npy": "a.npy"}"#, "").unwrap();
    assert_eq!((splits.train.shape.n, splits.test.shape.n, splits.train.labels.is_none()), (18, 2, true));

    let names: Vec<u8> = "owl\0fox\0".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    let labels: Vec<u8> = [0i64, 1, 1, 0].iter().flat_map(|label| label.to_le_bytes()).collect();
    let floats: Vec<u8> = ramp(60).iter().flat_map(|&value| (f32::from(value) / 255.0).to_le_bytes()).collect();
    for is_packed in [false, true] {
        let arrays = [
            ("train_images", npy("|u1", &[4, 3, 5], &ramp(60))),
            ("train_labels", npy("<i8", &[4, 1], &labels)),
            ("val_images", npy("<f4", &[4, 3, 5], &floats)),
            ("test_images", npy("|u1", &[2, 3, 5, 1], &ramp(30))),
            ("class_names", npy("<U4", &[2], &names)),
        ];
        npz(&at("a.npz"), &arrays, is_packed);
        let splits = read(&folder, r#"{"npz": "a.npz"}"#, "").unwrap();
        assert_eq!(
            (splits.train.labels, splits.class_names),
            (Some(vec![0, 1, 1, 0]), vec!["owl".to_owned(), "fox".to_owned()])
        );
        assert_eq!(
            (&splits.train.pixels, &splits.validation.unwrap().pixels, &splits.test.pixels),
            (&ramp(60), &ramp(60), &ramp(30))
        );
    }
    let bits: Vec<u8> = (0..10 * 16).map(|i| u8::from(i % 3 == 0)).collect();
    let classes: Vec<u8> = (0..10i64).flat_map(|i| [0, i % 3, i, 0, 0, 0]).flat_map(i64::to_le_bytes).collect();
    npz(
        &at("d.npz"),
        &[("imgs", npy("|u1", &[10, 4, 4], &bits)), ("latents_classes", npy("<i8", &[10, 6], &classes))],
        true,
    );
    let train = read(&folder, r#"{"npz": "d.npz"}"#, "").unwrap().train;
    assert!(train.pixels.iter().all(|value| [0, 255].contains(value)) && train.labels.unwrap().contains(&2));
}

#[test]
fn numpy_files_that_do_not_fit_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let whole = npy("|u1", &[20, 3, 5], &ramp(300));
    let fortran = String::from_utf8_lossy(&npy("|u1", &[2, 2, 2], &[]).split_off(10)).replace("False", "True ");
    let mut other_order = npy("|u1", &[2, 2, 2], &[]);
    other_order.truncate(10);
    other_order.extend(fortran.as_bytes());
    let cases: [(&[u8], &str); 12] = [
        (b"", "the file is empty"),
        (b"no array", "is no file of NumPy's"),
        (&whole[..40], "ends before all values"),
        (&whole[..200], "more than a file of its size can hold"),
        (&npy("|u1", &[usize::MAX, 9, 9], &[0; 99]), "more than a file of its size"),
        (&npy("<u2", &[2, 1, 2], &[0; 8]), "holds values of 16 bits"),
        (&npy("<i4", &[2, 1, 2], &[0; 16]), "holds values of type `<i4` (int32)"),
        (&npy("<f4", &[2, 1, 2], &[0, 0, 0, 64].repeat(4)), "holds `2`, not a value in 0…1, in image 0"),
        (&npy("|u1", &[20, 15], &ramp(300)), "images.reshape(len(images), height, width)"),
        (&npy("|u1", &[5, 5, 3, 4], &ramp(300)), "`images[..., :3]`"),
        (&npy("|u1", &[1, 3, 5], &ramp(15)), "a single image cannot be divided"),
        (&other_order, "in Fortran's order"),
    ];
    for (bytes, expected) in cases {
        fs::write(at("a.npy"), bytes).unwrap();
        let message = message(read(&folder, r#"{"npy": "a.npy"}"#, ""));
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
        assert!(message.contains("a.npy") || expected.starts_with("a single image"), "{message}");
    }
    npz(&at("a.npz"), &[("pictures", whole.clone())], true);
    assert!(message(read(&folder, r#"{"npz": "a.npz"}"#, "")).contains("holds no `images`, but `pictures`"));
    npz(&at("a.npz"), &[("images", whole.clone()), ("labels", npy("|u1", &[19], &[0; 19]))], true);
    assert!(message(read(&folder, r#"{"npz": "a.npz"}"#, "")).contains("`labels` holds 19 values for 20 images"));
    let texts = npy("<U1", &[20], &[0; 80]);
    npz(&at("a.npz"), &[("images", whole.clone()), ("labels", texts)], true);
    let said = message(read(&folder, r#"{"npz": "a.npz"}"#, ""));
    assert!(said.contains("type `<U1` (texts)") && said.contains("`class_names`"), "{said}");
    npz(&at("a.npz"), &[("images", whole)], false);
    let archive = fs::read(at("a.npz")).unwrap();
    for n in (1..archive.len()).step_by(7) {
        fs::write(at("a.npz"), &archive[..n]).unwrap();
        message(read(&folder, r#"{"npz": "a.npz"}"#, ""));
    }
    // A flipped value is found out by the archive's checksum.
    let mut flipped = archive.clone();
    flipped[300] ^= 1;
    fs::write(at("a.npz"), &flipped).unwrap();
    assert!(message(read(&folder, r#"{"npz": "a.npz"}"#, "")).contains("hecksum"));
}
