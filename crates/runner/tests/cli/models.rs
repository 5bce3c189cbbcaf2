//! `elbo sample`, `reconstruct`, `interpolate`, `encode` and `export` with the real `elbo-train`, on models trained for a moment.

use std::path::Path;

use record::{Array, ArrayName, npy};

use crate::support::{Place, begin, experiment};

pub const TINY: &str = "
name: tiny
dataset: { name: glyphs, train_images: 600, test_images: 60 }
model: { hidden: [16], latent_dim: 3 }
training: { epochs: 1 }
";

/// The run of [`TINY`].
pub const RUN: &str = "vae-glyphs-z3-b1-test60-train600-h16-e1-s0";

/// A place with the real worker, in which an experiment was trained.
pub fn trained(text: &str) -> Place {
    let worker = Path::new(env!("CARGO_BIN_EXE_elbo")).with_file_name("elbo-train");
    assert!(worker.is_file(), "`{}` is not built: run `cargo build --workspace`", worker.display());
    let place = Place::with_program(&format!("exec '{}' \"$@\"", worker.display()));
    place.write("tiny.yaml", text);
    let said = place.elbo("sweep tiny.yaml --no-figures --threads 1");
    assert_eq!(said.code, Some(0), "{said:?}");
    place
}

pub fn array(place: &Place, name: &str) -> Array {
    npy::read(&place.path(name)).unwrap()
}

/// Runs a command that goes well, and gives what it printed.
pub fn out(place: &Place, arguments: &str) -> String {
    let said = place.elbo(arguments);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "`elbo {arguments}`: {said:?}");
    said.out
}

pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Width and height of a PNG, out of its header.
pub fn size(png: &[u8]) -> [u32; 2] {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    [16, 20].map(|at| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()))
}

/// A PNG of 8-bit pixels, not compressed; its colour type is 0 for gray, 2 for colour.
fn png([width, height]: [u32; 2], colour_type: u8, pixels: &[u8]) -> Vec<u8> {
    fn chunk(into: &mut Vec<u8>, kind: &[u8], data: &[u8]) {
        let body = [kind, data].concat();
        let crc = body.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
        });
        into.extend((data.len() as u32).to_be_bytes());
        into.extend(body);
        into.extend((!crc).to_be_bytes());
    }
    let lines: Vec<u8> = pixels.chunks(pixels.len() / height as usize).flat_map(|line| [&[0], line].concat()).collect();
    let (a, b) = lines.iter().fold((1u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    let length = lines.len() as u16;
    let stored = [&[0x78, 1, 1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), &lines].concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, colour_type, 0, 0, 0]].concat();
    chunk(&mut file, b"IHDR", &header);
    chunk(&mut file, b"IDAT", &[&stored[..], &(b << 16 | a).to_be_bytes()].concat());
    chunk(&mut file, b"IEND", b"");
    file
}

/// The names in the place's folder, but for those that a test began with.
fn names(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn samples_are_those_of_the_figures_and_other_seeds_give_others() {
    let place = trained(TINY);
    let arrays = place.store().find(RUN).unwrap().arrays().unwrap();
    let sources = [
        ("prior", ArrayName::Samples),
        ("aggregate", ArrayName::SamplesAggregate),
        ("mixture", ArrayName::SamplesMixture),
    ];
    for (from, name) in sources {
        let kept = arrays.get(name).unwrap();
        assert_eq!(out(&place, &format!("sample {RUN} --from {from} --count 12 -o a.npy")), "a.npy\n");
        let few = array(&place, "a.npy");
        assert_eq!(few.shape, [12, 1, 28, 28]);
        assert!(distance(&few.values, &kept.values[..few.values.len()]) < 1e-4, "{from}");
        out(&place, &format!("sample {RUN} --from {from} --count 12 --seed 1 -o b.npy"));
        assert!(distance(&few.values, &array(&place, "b.npy").values) > 0.01, "{from}");
    }
    out(&place, &format!("sample {RUN} --count 600 --decoder sample -o a.npy"));
    let drawn = array(&place, "a.npy");
    assert!(drawn.shape[0] == 600 && drawn.values.iter().all(|&value| value == 0.0 || value == 1.0));
    out(&place, &format!("sample {RUN} --decoder sample -o a.png"));
    // Ten by ten images, twice as large, with lines of two pixels between them.
    assert_eq!(size(&std::fs::read(place.path("a.png")).unwrap()), [582, 582]);
}

/// Runs of an earlier numbers version have another id than their cell has today.
#[test]
fn a_model_is_found_by_the_id_of_its_run() {
    let place = trained(TINY);
    let run = place.store().find(RUN).unwrap();
    let kept = run.arrays().unwrap();
    let kept = kept.get(ArrayName::Samples).unwrap();
    let text = std::fs::read_to_string(run.manifest_file()).unwrap();
    std::fs::write(run.manifest_file(), text.replace(&run.id().to_string(), "0123456789abcdef")).unwrap();
    std::fs::rename(run.dir(), run.dir().with_file_name("0123456789abcdef")).unwrap();
    assert_eq!(out(&place, "sample 0123456789abcdef --count 12 -o a.npy"), "a.npy\n");
    let few = array(&place, "a.npy");
    assert!(distance(&few.values, &kept.values[..few.values.len()]) < 1e-4);
}

#[test]
fn images_of_ones_own_are_treated_as_test_images_are() {
    let place = trained(TINY);
    let images = data::glyphs::images(data::glyphs::Part::Test, 3);
    for (i, name) in ["drawn/one/a.png", "drawn/two/b.png", "c, last.png"].into_iter().enumerate() {
        let path = place.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, png([28, 28], 0, images.image(i))).unwrap();
    }
    let arrays = place.store().find(RUN).unwrap().arrays().unwrap();

    let test = out(&place, &format!("encode {RUN} --test 3"));
    let fields = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = test.lines().map(fields).collect();
    let head = "image,label,mean_0,mean_1,mean_2,log_variance_0,log_variance_1,log_variance_2";
    assert_eq!((lines.len(), test.lines().next().unwrap()), (4, head));
    for (i, line) in lines[1..].iter().enumerate() {
        assert_eq!(line[..2], [i.to_string(), arrays.labels.as_ref().unwrap()[i].to_string()]);
        let values: Vec<f32> = line[2..].iter().map(|value| value.parse().unwrap()).collect();
        let row = |name: ArrayName| arrays.get(name).unwrap().values[3 * i..3 * i + 3].to_vec();
        let stored = [row(ArrayName::LatentMean), row(ArrayName::LatentLogVariance)].concat();
        assert!(distance(&values, &stored) < 1e-4);
    }

    let mut command = place.command(&format!("encode {RUN} drawn --json"));
    let said = command.arg("c, last.png").output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let own: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    let label = |i: usize| own["images"][i]["label"].as_str();
    assert_eq!((label(0), label(1), label(2)), (Some("one"), Some("two"), None));
    assert_eq!((own["name"].as_str(), own["images"][0]["image"].as_str()), (Some(RUN), Some("drawn/one/a.png")));
    for i in 0..3 {
        let numbers = |name: &str| own["images"][i][name].as_array().unwrap().clone();
        let own: Vec<f32> = [numbers("mean"), numbers("log_variance")]
            .concat()
            .iter()
            .map(|value| value.as_f64().unwrap() as f32)
            .collect();
        let test: Vec<f32> = lines[i + 1][2..].iter().map(|value| value.parse().unwrap()).collect();
        assert!(distance(&own, &test) < 1e-5);
    }
    let said = place.command(&format!("encode {RUN} -o latents.csv")).arg("c, last.png").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "latents.csv\n");
    assert!(place.read("latents.csv").lines().nth(1).unwrap().starts_with("\"c, last.png\",,"));

    out(&place, &format!("reconstruct {RUN} --test 3 -o test.npy"));
    out(&place, &format!("reconstruct {RUN} drawn -o own.npy"));
    let (test, own) = (array(&place, "test.npy"), array(&place, "own.npy"));
    assert_eq!((test.shape, own.shape.clone()), (vec![3, 1, 28, 28], vec![2, 1, 28, 28]));
    assert!(distance(&own.values, &test.values[..own.values.len()]) < 1e-5);
    // Twelve originals in rows of ten: two rows of originals, each above one of reconstructions.
    out(&place, &format!("reconstruct {RUN} --test 12 -o test.png"));
    assert_eq!(size(&std::fs::read(place.path("test.png")).unwrap()), [582, 234]);
    out(&place, &format!("reconstruct {RUN} --test 3 --decoder sample -o drawn.npy"));
    assert!(array(&place, "drawn.npy").values.iter().all(|&value| value == 0.0 || value == 1.0));
}

/// The paths of a run's own figure come again when its pair is asked for, and any other pair can be.
#[test]
fn paths_between_two_chosen_images_are_those_of_the_figures() {
    let place = trained(TINY);
    let arrays = place.store().find(RUN).unwrap().arrays().unwrap();
    let labels = arrays.labels.as_ref().unwrap();
    // The figure's first pair: the first image of each of the first two classes.
    let first = |class: u8| labels.iter().position(|&label| label == class).unwrap();
    let pair = format!("{},{}", first(0), first(1));
    assert_eq!(out(&place, &format!("interpolate {RUN} --test {pair} -o a.npy")), "a.npy\n");
    let paths = array(&place, "a.npy");
    assert_eq!(paths.shape, [2, 10, 1, 28, 28]);
    let n = 10 * 784;
    for (path, name) in [ArrayName::InterpolationLinear, ArrayName::InterpolationSpherical].into_iter().enumerate() {
        assert!(
            distance(&paths.values[path * n..(path + 1) * n], &arrays.get(name).unwrap().values[..n]) < 1e-4,
            "{name:?}"
        );
    }
    // Two rows of four images between two ends, twice as large, with lines of two pixels between them.
    out(&place, &format!("interpolate {RUN} --test 5,4 --steps 4 -o a.png"));
    assert_eq!(size(&std::fs::read(place.path("a.png")).unwrap()), [350, 118]);
    let images = data::glyphs::images(data::glyphs::Part::Test, 6);
    for (name, i) in [("one.png", 5), ("two.png", 4)] {
        std::fs::write(place.path(name), png([28, 28], 0, images.image(i))).unwrap();
    }
    out(&place, &format!("interpolate {RUN} one.png two.png --steps 4 -o own.png"));
    assert_eq!(std::fs::read(place.path("own.png")).unwrap(), std::fs::read(place.path("a.png")).unwrap());
    for (arguments, complaint) in [
        ("--test 3,60 -o b.png", "there is no test image 60\nhint: they are counted from 0, so the last is 59"),
        ("--test 3 -o b.png", "expected two places, such as `3,17`"),
        ("one.png -o b.png", "2 values required"),
        ("one.png two.png --test 1,2 -o b.png", "cannot be used with"),
    ] {
        let said = place.elbo(&format!("interpolate {RUN} {arguments}"));
        assert!(said.code == Some(2) && said.err.contains(complaint), "{arguments}: {said:?}");
    }
}

#[test]
fn a_model_is_used_without_the_data_it_was_trained_on() {
    let place = trained(TINY);
    std::fs::remove_dir_all(place.path("cache")).unwrap();
    out(&place, &format!("sample {RUN} --count 1 -o a.npy"));
    assert!(!place.path("cache").exists(), "the data were made anew");
}

#[test]
fn an_exported_model_says_what_it_is() {
    let place = trained(TINY);
    assert_eq!(out(&place, &format!("export {RUN} -o given")), "given\n");
    let run = place.store().find(RUN).unwrap();
    for name in ["model.safetensors", "run.json", "metrics.parquet", "evaluation.parquet"] {
        let bytes = |path: std::path::PathBuf| std::fs::read(path).unwrap();
        assert!(bytes(place.path("given").join(name)) == bytes(run.dir().join(name)), "{name}");
    }
    let readme = place.read("given/README.md");
    for part in [
        "# vae-glyphs-z3-b1-test60-train600-h16-e1-s0",
        "28 × 28 pixels (height × width) with 1 channel",
        "| `encoder.0.weight` | `[16,784]` |",
        "| `mean.bias` | `[3]` |",
        "| `model.latent_dim` | `3` |",
        "| active_units | test |",
    ] {
        assert!(readme.contains(part), "`{part}` is not in\n{readme}");
    }
    let measured = out(&place, "evaluate given/experiment.yaml --weights given/model.safetensors --json");
    let measured: serde_json::Value = serde_json::from_str(&measured).unwrap();
    let recorded = run.evaluation().unwrap();
    for metric in ["elbo", "reconstruction", "kl", "active_units"] {
        let again = measured["rows"].as_array().unwrap().iter().find(|row| row["metric"] == metric).unwrap();
        let row = recorded.iter().find(|row| row.metric.name() == metric && row.split == spec::Split::Test).unwrap();
        assert_eq!(again["value"].as_f64().unwrap(), row.value, "{metric}");
    }
    let plan = out(&place, "plan given/experiment.yaml");
    assert!(plan.contains("done"), "an exported experiment is not that of the run:\n{plan}");
    let before = names(&place);
    let said = place.elbo(&format!("export {RUN} -o given"));
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("exists already") && said.err.contains("hint: "), "{said:?}");
    std::fs::remove_file(run.evaluation_file()).unwrap();
    let said = place.elbo(&format!("export {RUN} -o other"));
    assert!(said.code == Some(2) && said.err.contains("evaluation.parquet"), "{said:?}");
    assert_eq!(names(&place), before, "nothing half-written is left");
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let mixture = "
name: tiny
dataset: { name: glyphs, train_images: 600, test_images: 60 }
model: { kind: { gaussian-mixture: { components: 2 } } }
training: { epochs: 1 }
";
    let place = trained(mixture);
    let mixture = place.store().runs().unwrap().runs[0].manifest.name.clone();
    place.write("plain.yaml", &TINY.replace("name: tiny", "name: plain"));
    let said = place.elbo("sweep plain.yaml --no-figures --threads 1");
    assert_eq!(said.code, Some(0), "{said:?}");
    let unfinished =
        experiment("name: u\ndataset: { name: glyphs }\nmodel: { hidden: [8], latent_dim: 9 }\n").cells.remove(0);
    drop(begin(&place.store(), &unfinished, 1));
    std::fs::write(place.path("large.png"), png([30, 28], 0, &[7; 30 * 28])).unwrap();
    std::fs::write(place.path("colour.png"), png([28, 28], 2, &[7; 28 * 28 * 3])).unwrap();
    place.write("text.png", "no image");
    let before = names(&place);
    let run = RUN;
    for (arguments, complaint) in [
        (format!("sample {mixture} --from aggregate -o a.png"), "has neither latents nor an encoder"),
        (format!("encode {mixture} --test 1"), "has neither latents nor an encoder"),
        (format!("decode {mixture} --z 0,0 -o a.png"), "which has no latents\nhint: `elbo sample` draws from it"),
        (format!("traverse {mixture} -o a.png"), "which has no latents\nhint: `elbo sample` draws from it"),
        (format!("sample {run} -o a.jpg"), "let the name end in `.png` or `.npy`"),
        (format!("sample {run} -o nowhere/a.png"), "there is no folder `nowhere`"),
        (format!("encode {run} --test 1 -o results"), "is a folder"),
        (format!("sample {run} --count 0 -o a.png"), "expected a whole number from 1"),
        (format!("reconstruct {run} -o a.png"), "or use test images: `--test 20`"),
        (format!("reconstruct {run} --test 61 -o a.png"), "61 test images are asked for, and there are 60"),
        (format!("encode {run} --test 50000"), "use `--test 60` or fewer"),
        (format!("sample {run} --count 100000000000 -o a.png"), "do not fit into the free memory\nhint: use `--count "),
        (format!("reconstruct {run} large.png --test 3 -o a.png"), "cannot be used with"),
        (
            format!("reconstruct {run} large.png -o a.png"),
            "is 28×30 pixels (height × width), and the model takes 28×28",
        ),
        (format!("encode {run} colour.png"), "has colour, and the model takes gray images"),
        (format!("encode {run} text.png"), "text.png"),
        (format!("encode {run} absent.png"), "there is no such file or folder"),
        ("encode vae-glyphs-z7-b1-s0 --test 1".to_owned(), "there is no run `vae-glyphs-z7-b1-s0`"),
        ("sample vae-glyphs-z9-b1-h8-s0 -o a.png".to_owned(), "has no trained model: it is new"),
        ("export vae-glyphs-z9-b1-h8-s0 -o given".to_owned(), "has no trained model: it is new"),
    ] {
        let said = place.elbo(&arguments);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "`elbo {arguments}`: {said:?}");
        assert!(said.err.contains(complaint), "`elbo {arguments}`: {said:?}");
        assert!(
            said.err.contains("hint: ") || said.err.contains("Usage: ") || said.err.contains("--help"),
            "`elbo {arguments}`: {said:?}"
        );
        assert_eq!(names(&place), before, "`elbo {arguments}`");
    }
    out(&place, &format!("export {mixture} -o given"));
    let (text, readme) = (place.read("given/experiment.yaml"), place.read("given/README.md"));
    assert!(!text.contains("elbo evaluate") && !readme.contains("elbo evaluate"), "{text}{readme}");
    assert_eq!(place.elbo("plan given/experiment.yaml").code, Some(0));
    std::fs::remove_dir_all(place.path("given")).unwrap();

    // A model that is damaged or gone is not given away, and whoever asks for it hears what to do.
    let model = place.store().find(run).unwrap().model_file();
    let whole = std::fs::read(&model).unwrap();
    for length in [whole.len() - 4, 1000, 4] {
        std::fs::write(&model, &whole[..length]).unwrap();
        for command in [format!("export {run} -o given"), format!("sample {run} -o a.png")] {
            let said = place.elbo(&command);
            assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "`elbo {command}`: {said:?}");
            assert!(
                said.err.contains("cannot be read") && said.err.contains("hint: remove the run's folder"),
                "{said:?}"
            );
            assert_eq!(names(&place), before, "`elbo {command}`");
        }
    }
    std::fs::remove_file(&model).unwrap();
    for command in [format!("export {run} -o given"), format!("sample {run} -o a.png")] {
        let said = place.elbo(&command);
        assert!(
            said.code == Some(2) && said.err.contains("hint: remove the run's folder"),
            "`elbo {command}`: {said:?}"
        );
    }

    out(&place, &format!("sample {mixture} --count 4 -o a.npy"));
    assert_eq!(array(&place, "a.npy").shape, [4, 1, 28, 28]);
    std::fs::write(place.path("results/runs").join(unfinished.run_id().to_string()).join("run.json"), "{").unwrap();
    let said = place.elbo(&format!("sample {} -o a.png", unfinished.run_id()));
    assert!(said.code == Some(2) && said.err.contains("run.json"), "{said:?}");
}
