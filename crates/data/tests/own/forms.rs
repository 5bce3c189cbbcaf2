//! Names of labels, and what folders of images may hold.

use super::*;

#[test]
fn labels_keep_their_names() {
    let labelled = tempfile::tempdir().unwrap();
    for i in 0..12 {
        gray(&labelled.path().join(["cat", "ant", "bee"][i % 3]).join(format!("{i}.png")), i as u8 * 10);
    }
    let here = format!(r#"{{"folder": "{}"}}"#, labelled.path().display());
    assert_eq!(read(&labelled, &here, "").unwrap().class_names, ["ant", "bee", "cat"]);

    let folder = tempfile::tempdir().unwrap();
    let write = |names: fn(&hdf5::Dataset)| {
        hdf5_file(&folder, |file| {
            put(file, "images", &[4, 2, 2], &ramp(16));
            put(file, "labels", &[4], &[0u8, 1, 0, 1]);
            names(&file.dataset("labels").unwrap());
        });
    };
    write(|labels| {
        let names = ["ankle boot", "bag"].map(|name| hdf5::types::FixedAscii::<12>::from_ascii(name).unwrap());
        labels.new_attr::<hdf5::types::FixedAscii<12>>().shape(2).create("names").unwrap().write_raw(&names).unwrap();
    });
    assert_eq!(read(&folder, A, "").unwrap().class_names, ["ankle boot", "bag"]);
    write(|labels| {
        let names = ["a", "b"].map(|name| name.parse::<hdf5::types::VarLenUnicode>().unwrap());
        labels.new_attr::<hdf5::types::VarLenUnicode>().shape(2).create("names").unwrap().write_raw(&names).unwrap();
    });
    let message = message(read(&folder, A, ""));
    assert!(message.contains("texts of variable length") && message.contains(r#"dtype="S""#), "{message}");
}

#[test]
fn folders_have_validation_images_sizes_and_depths_that_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["train", "val"] {
        for i in 0..10u8 {
            gray(&at(&format!("{name}/{i}.png")), i * 10 + u8::from(name == "val"));
        }
    }
    let here = format!(r#"{{"folder": "{}"}}"#, folder.path().display());
    let splits = read(&folder, &here, "").unwrap();
    let validation = splits.validation.unwrap();
    assert_eq!((splits.train.shape.n, validation.shape.n, splits.test.shape.n), (9, 10, 1));
    assert!((0..10).all(|i| validation.image(i)[0] == i as u8 * 10 + 1), "as they come, in order");
    assert!(message(read(&folder, &here, r#", "validation": 2"#)).contains("there are validation images already"));

    // A split without the one that is trained on is no label; one that is alone is no label either, but one of several is.
    fs::rename(at("train"), at("training")).unwrap();
    let said = message(read(&folder, &here, ""));
    assert!(said.contains("holds `val`, but no `train`") && said.contains("another name"), "{said}");
    fs::rename(at("val"), at("training/oak")).unwrap();
    for i in 0..10u8 {
        fs::remove_file(at(&format!("training/{i}.png"))).unwrap();
    }
    fs::rename(at("training"), at("train")).unwrap();
    assert_eq!(read(&folder, &here, "").unwrap().class_names, ["oak"]);
    gray(&at("bus/1.png"), 7);
    assert_eq!(read(&folder, &here, "").unwrap().class_names, ["bus", "train"]);

    // Images of several sizes are brought to one: scaled by the shorter side, or cut out.
    let mixed = tempfile::tempdir().unwrap();
    let at = |name: &str| mixed.path().join(name);
    for (n, (width, height)) in [(8, 8), (16, 8), (8, 24), (30, 40)].into_iter().enumerate() {
        let image =
            GrayImage::from_fn(width, height, |x, y| Luma([if x < width / 2 { 0 } else { 200 } + (y % 2) as u8]));
        image.save(at(&format!("{n}.png"))).unwrap();
    }
    let here = format!(r#"{{"folder": "{}"}}"#, mixed.path().display());
    assert!(message(read(&mixed, &here, "")).contains("or write `size: 28`"));
    let half =
        |splits: &Splits| sorted(splits).iter().all(|(image, _)| image[0] <= 1 && image[3] >= 200 && image.len() == 16);
    let resized = read(&mixed, &here, r#", "size": 4"#).unwrap();
    assert!(half(&resized), "the middle stays the middle: {:?}", sorted(&resized));
    // A model that was trained on them is given others as it was given these.
    let paths: Vec<_> = (0..4).map(|n| at(&format!("{n}.png"))).collect();
    let wanted = Shape { n: 0, channels: 1, height: 4, width: 4 };
    let given = data::read_images(&paths, wanted, &dataset(&here, r#", "size": 4"#)).unwrap().images;
    let mut given: Vec<_> = (0..4).map(|n| (given.image(n).to_vec(), None)).collect();
    given.sort();
    assert_eq!(given, sorted(&resized));
    assert!(message(data::read_images(&paths, wanted, &dataset(&here, ""))).contains("and the model takes 4×4"));
    let cropped = read(&mixed, &here, r#", "size": 4, "fit": "crop""#).unwrap();
    assert!(half(&cropped) && sorted(&cropped) != sorted(&resized));
    assert!(message(read(&mixed, &here, r#", "size": 10, "fit": "crop""#)).contains("10×10 cannot be cut out"));
    let mut told = Vec::new();
    let mut note = |progress: data::Progress<'_>| told.push(format!("{progress:?}"));
    let asked = dataset(&here, r#", "size": 4"#);
    data::load_with(&asked, &folders(&mixed), &data::Fetcher::default(), &mut note).unwrap();
    assert!(told.iter().any(|line| line.contains("scaled until their shorter side is 4")), "{told:?}");

    // Sixteen bits are said to be cut to eight; what is behind transparent pixels nobody can say.
    let deep = tempfile::tempdir().unwrap();
    let at = |name: &str| deep.path().join(name);
    let image = image::ImageBuffer::<Luma<u16>, _>::from_pixel(4, 3, Luma([0x8123]));
    image.save(at("a.png")).unwrap();
    image.save(at("b.png")).unwrap();
    let asked = dataset(&format!(r#"{{"folder": "{}"}}"#, deep.path().display()), "");
    let mut told = Vec::new();
    let mut note = |progress: data::Progress<'_>| told.push(format!("{progress:?}"));
    let splits = data::load_with(&asked, &folders(&deep), &data::Fetcher::default(), &mut note).unwrap();
    assert_eq!(splits.train.pixels, [0x81; 12]);
    assert!(told.iter().any(|line| line.contains("2 images have 16 bits a value")), "{told:?}");
    // So are files that may be meant as labels, or as images, and are not read.
    fs::remove_file(at("b.png")).unwrap();
    fs::write(at("labels.csv"), "a.png,3").unwrap();
    fs::copy(at("a.png"), at("b.png")).unwrap();
    let mut told = Vec::new();
    let mut note = |progress: data::Progress<'_>| told.push(format!("{progress:?}"));
    data::load_with(&asked, &folders(&deep), &data::Fetcher::default(), &mut note).unwrap();
    assert!(
        told.iter().any(|line| line.contains("`labels.csv` is not read: images are PNG or JPEG files")),
        "{told:?}"
    );
    RgbaImage::from_pixel(4, 3, Rgba([200, 100, 0, 254])).save(at("c.png")).unwrap();
    assert!(message(load(&asked, &folders(&deep))).contains("has transparent pixels"));
}

#[test]
fn a_registered_dataset_has_the_size_and_the_class_names_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    for label in ["0", "1"] {
        fs::create_dir_all(folder.path().join("leaves").join(label)).unwrap();
        for n in 0..6 {
            let image = GrayImage::from_pixel(8, 6, Luma([n * 10]));
            image.save(folder.path().join("leaves").join(label).join(format!("{n}.png"))).unwrap();
        }
    }
    let file = folder.path().join("leaves.yaml");
    let source = format!(r#"{{"set": "{}"}}"#, file.display());
    let write = |classes: &str| {
        fs::write(&file, format!("images: {{ folder: leaves }}\nsize: 4\nclasses: {classes}\n")).unwrap();
    };
    write("[oak, elm]");
    let splits = read(&folder, &source, "").unwrap();
    assert_eq!(splits.train.shape, Shape { n: 10, channels: 1, height: 4, width: 4 });
    assert_eq!(splits.class_names, ["oak", "elm"]);
    write("[oak]");
    assert!(message(read(&folder, &source, "")).contains("has labels up to 1, but 1 names"));
}
