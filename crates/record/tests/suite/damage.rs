//! Damaged files are errors that name the file: never a panic, never a wrong number.

use std::path::{Path, PathBuf};

use crate::support::{all_arrays, arrays, cell, evaluation, provenance, rows};
use record::{Array, ArrayName, Arrays, RecordError, Run, RunWriter, Status, Store};
use spec::Metric;

/// A store with one run that is done and one that stopped after two of its three epochs.
fn store() -> (tempfile::TempDir, Store, Run, Run) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (done, stopped) = (cell(2, 0), cell(2, 1));
    let mut writer = RunWriter::start(&store, &done, &provenance()).unwrap();
    writer.epoch(&rows(&done, 1)).unwrap();
    writer.evaluation(&[evaluation(Metric::PseudoNll, -99.5)]).unwrap();
    writer.arrays(&arrays()).unwrap();
    writer.finish(1.0).unwrap();
    let mut writer = RunWriter::start(&store, &stopped, &provenance()).unwrap();
    for epoch in 1..=2 {
        writer.epoch(&rows(&stopped, epoch)).unwrap();
        writer
            .checkpoint(epoch, u64::from(epoch), |folder| std::fs::write(folder.join("state"), [epoch as u8; 64]))
            .unwrap();
    }
    writer.interrupt().unwrap();
    let runs = (store.run(&done.run_id()), store.run(&stopped.run_id()));
    (folder, store, runs.0, runs.1)
}

/// Ways to damage a file of these bytes, each with a name.
fn damages(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![
        ("empty".to_owned(), Vec::new()),
        ("one byte".to_owned(), vec![b'P']),
        ("garbage".to_owned(), (0..bytes.len()).map(|index| (index * 7919 % 251) as u8).collect()),
        ("zeros".to_owned(), vec![0; bytes.len()]),
        ("garbage within".to_owned(), [&bytes[..4], &[0xAA; 64][..], &bytes[bytes.len() - 8..]].concat()),
        ("doubled".to_owned(), [bytes, bytes].concat()),
    ];
    for cut in [4, 8, 12, bytes.len() / 2, bytes.len() - 9, bytes.len() - 1] {
        all.push((format!("cut off at {cut}"), bytes[..cut].to_vec()));
    }
    for position in (0..bytes.len()).step_by(bytes.len() / 256 + 1) {
        let mut flipped = bytes.to_vec();
        flipped[position] ^= 1 << (position % 8);
        all.push((format!("bit flipped in byte {position}"), flipped));
    }
    all
}

/// Reads a file under every kind of damage; `read` gives what was read as text, for comparison.
fn under_damage(path: &Path, read: &dyn Fn() -> Result<String, RecordError>) {
    let bytes = std::fs::read(path).unwrap();
    let whole = read().unwrap();
    for (name, damaged) in damages(&bytes) {
        std::fs::write(path, &damaged).unwrap();
        match read() {
            Ok(found) => assert_eq!(found, whole, "{} with {name} gave other values", path.display()),
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains(path.file_name().unwrap().to_str().unwrap()), "{name}: {message}");
                assert!(message.contains("hint: "), "{name}: {message}");
            }
        }
    }
    std::fs::remove_file(path).unwrap();
    std::fs::create_dir(path).unwrap();
    let message = read().unwrap_err().to_string();
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    std::fs::remove_dir(path).unwrap();
    std::fs::write(path, &bytes).unwrap();
    assert_eq!(read().unwrap(), whole);
}

#[test]
fn metrics() {
    let (_folder, _, done, stopped) = store();
    under_damage(&done.metrics_file(), &|| Ok(format!("{:?}", done.metrics()?)));
    under_damage(&stopped.segments_dir().join("epoch-00002.parquet"), &|| Ok(format!("{:?}", stopped.metrics()?)));
}

#[test]
fn evaluations() {
    let (_folder, _, done, _) = store();
    under_damage(&done.evaluation_file(), &|| Ok(format!("{:?}", done.evaluation()?)));
}

#[test]
fn stored_arrays() {
    let (_folder, _, done, _) = store();
    under_damage(&done.arrays_file(), &|| Ok(format!("{:?}", done.arrays()?)));
}

#[test]
fn a_table_of_another_kind_is_not_taken_for_metrics() {
    let (_folder, _, done, _) = store();
    std::fs::copy(done.evaluation_file(), done.metrics_file()).unwrap();
    let message = done.metrics().unwrap_err().to_string();
    assert!(message.contains("it holds the table `evaluation`, not `metrics`"), "{message}");
}

#[test]
fn a_damaged_run_json_hides_no_other_run() {
    let (_folder, store, done, stopped) = store();
    let path = done.manifest_file();
    let bytes = std::fs::read(&path).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let mut all = damages(&bytes);
    all.retain(|(name, _)| !name.starts_with("bit"));
    all.push(("wrong type".to_owned(), text.replace("\"seed\": 0", "\"seed\": \"zero\"").into_bytes()));
    all.push(("another run".to_owned(), std::fs::read(stopped.manifest_file()).unwrap()));
    for (name, damaged) in all {
        if serde_json::from_slice::<serde_json::Value>(&damaged).ok() == serde_json::from_slice(&bytes).ok() {
            continue;
        }
        std::fs::write(&path, &damaged).unwrap();
        let listing = store.runs().unwrap();
        assert_eq!(listing.runs.len(), 1, "{name}");
        assert_eq!(listing.runs[0].manifest.run_id, *stopped.id());
        assert_eq!(listing.unreadable[0].path, done.dir());
        let message = listing.unreadable[0].error.to_string();
        assert!(message.contains("run.json"), "{name}: {message}");
        assert_eq!(store.rebuild_index().unwrap().runs.len(), 1);
    }
}

#[test]
fn a_run_with_a_damaged_run_json_can_be_trained_again() {
    let (_folder, store, _, stopped) = store();
    std::fs::write(stopped.manifest_file(), b"{\"format_version\": \"1.2\"").unwrap();
    let writer = RunWriter::start(&store, &cell(2, 1), &provenance()).unwrap();
    assert_eq!(writer.latest_checkpoint().unwrap().checkpoint.unwrap().epoch, 2);
    assert_eq!(stopped.manifest().unwrap().last_epoch, None);
}

/// Its density had no bound then, which is what the record must go on to say.
#[test]
fn a_continuous_bernoulli_of_the_previous_form_is_read() {
    let (_folder, _store, done, _) = store();
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(done.manifest_file()).unwrap()).unwrap();
    manifest["format_version"] = "1.1".into();
    manifest["cell"]["model"]["likelihood"] = "continuous-bernoulli".into();
    manifest["cell"]["training"].as_object_mut().unwrap().remove("keep");
    for key in ["kept_epoch", "continues"] {
        manifest.as_object_mut().unwrap().remove(key);
    }
    std::fs::write(done.manifest_file(), manifest.to_string()).unwrap();
    let read = done.manifest().unwrap();
    assert_eq!(read.cell.model.likelihood, spec::Likelihood::ContinuousBernoulli { clip: 0.0 });
    assert_eq!(done.status().unwrap(), Status::Done);
}

#[test]
fn a_newer_major_version_says_what_to_do() {
    let (_folder, store, done, stopped) = store();
    let text = std::fs::read_to_string(stopped.manifest_file()).unwrap();
    let newer = text.replace("\"format_version\": \"1.2\"", "\"format_version\": \"2.3\", \"unheard\": [1]");
    std::fs::write(stopped.manifest_file(), &newer).unwrap();
    let message = stopped.status().unwrap_err().to_string();
    assert!(message.contains("has format version 2.3, this program reads up to 1.2\nhint: update elbo"), "{message}");
    // Nor is it written over.
    let refused = RunWriter::start(&store, &cell(2, 1), &provenance()).unwrap_err();
    assert!(matches!(refused, RecordError::NewerFormat { .. }), "{refused}");
    assert_eq!(std::fs::read_to_string(stopped.manifest_file()).unwrap(), newer);
    // A newer minor version only adds.
    let text = std::fs::read_to_string(done.manifest_file()).unwrap();
    let newer = text.replace("\"format_version\": \"1.2\"", "\"format_version\": \"1.7\", \"unheard\": [1]");
    std::fs::write(done.manifest_file(), newer).unwrap();
    assert_eq!(done.status().unwrap(), Status::Done);
}

fn state_files(run: &Run) -> Vec<PathBuf> {
    let mut folders: Vec<_> =
        std::fs::read_dir(run.checkpoint_dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.into_iter().map(|folder| folder.join("state")).collect()
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("cut off", |state| std::fs::write(state, [2_u8; 63]).unwrap()),
        ("a flipped bit", |state| {
            let mut bytes = std::fs::read(state).unwrap();
            bytes[17] ^= 1;
            std::fs::write(state, bytes).unwrap();
        }),
        ("gone", |state| std::fs::remove_file(state).unwrap()),
        ("no list", |state| std::fs::remove_file(state.with_file_name("digests.json")).unwrap()),
        ("an empty list", |state| std::fs::write(state.with_file_name("digests.json"), b"").unwrap()),
        ("a folder", |state| {
            std::fs::remove_file(state).unwrap();
            std::fs::create_dir(state).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let (_folder, store, _, stopped) = store();
        let states = state_files(&stopped);
        assert_eq!(states.len(), 2, "{name}");
        damage(&states[1]);
        let mut writer = RunWriter::start(&store, &cell(2, 1), &provenance()).unwrap();
        let latest = writer.latest_checkpoint().unwrap();
        assert_eq!(latest.damaged.len(), 1, "{name}");
        assert!(latest.damaged[0].contains("epoch-00002"), "{name}: {:?}", latest.damaged);
        let checkpoint = latest.checkpoint.unwrap();
        assert_eq!((checkpoint.epoch, checkpoint.step), (1, 1), "{name}");
        // The damaged one is out of the way of what comes next.
        writer.forget_after(1).unwrap();
        writer.epoch(&rows(&cell(2, 1), 2)).unwrap();
        writer.checkpoint(2, 2, |folder| std::fs::write(folder.join("state"), b"again")).unwrap();
        assert_eq!(writer.latest_checkpoint().unwrap().checkpoint.unwrap().epoch, 2, "{name}");
        assert_eq!(state_files(&stopped).len(), 2, "{name}");
    }
}

#[test]
fn only_two_checkpoints_are_kept() {
    let (_folder, store, _, stopped) = store();
    let mut writer = RunWriter::start(&store, &cell(2, 1), &provenance()).unwrap();
    for step in 3..6 {
        writer.checkpoint(2, step, |folder| std::fs::write(folder.join("state"), b"more")).unwrap();
    }
    let names: Vec<_> = state_files(&stopped).iter().map(|state| state.parent().unwrap().to_owned()).collect();
    assert!(names[0].ends_with("epoch-00002-step-0000000004") && names[1].ends_with("epoch-00002-step-0000000005"));
}

#[test]
fn a_checkpoint_that_fails_leaves_the_one_before() {
    let (_folder, store, _, _) = store();
    let mut writer = RunWriter::start(&store, &cell(2, 1), &provenance()).unwrap();
    let failed = writer.checkpoint(3, 3, |folder| {
        std::fs::write(folder.join("state"), b"half")?;
        Err(std::io::Error::other("no space left"))
    });
    assert!(failed.unwrap_err().to_string().contains("no space left"));
    assert_eq!(writer.latest_checkpoint().unwrap().checkpoint.unwrap().epoch, 2);
    assert_eq!(state_files(writer.run()).len(), 2);
}

#[test]
fn values_that_are_not_finite_are_refused_by_name() {
    let (_folder, store, _, _) = store();
    let cell = cell(2, 7);
    let mut writer = RunWriter::start(&store, &cell, &provenance()).unwrap();
    let mut bad = rows(&cell, 1);
    bad[1].kl_per_dim[1] = f64::NAN;
    let message = writer.epoch(&bad).unwrap_err().to_string();
    assert!(message.starts_with("`kl_per_dim` is NaN on the test split at epoch 1, step 10"), "{message}");
    assert_eq!(writer.run().metrics().unwrap(), []);
    let mut other = rows(&cell, 1);
    other[0].run_id = crate::support::cell(2, 8).run_id();
    assert!(writer.epoch(&other).is_err());
    assert!(writer.epoch(&[]).is_err());
    writer.epoch(&rows(&cell, 1)).unwrap();
    assert!(writer.epoch(&rows(&cell, 1)).is_err());
    assert!(writer.evaluation(&[evaluation(Metric::PseudoNll, f64::INFINITY)]).is_err());
}

#[test]
fn arrays_whose_shapes_disagree_are_refused() {
    let (_folder, store, _, _) = store();
    let mut writer = RunWriter::start(&store, &cell(2, 7), &provenance()).unwrap();
    let reshape = |arrays: &mut Arrays, name: ArrayName, shape: &[usize]| {
        let values = arrays.remove(name).unwrap().values;
        arrays.insert(name, Array { shape: shape.to_vec(), values });
    };
    let other = |name: ArrayName| all_arrays().remove(name).unwrap();
    let changes: [&dyn Fn(&mut Arrays); 14] = [
        &|arrays| reshape(arrays, ArrayName::Samples, &[6, 1, 20]),
        &|arrays| reshape(arrays, ArrayName::Originals, &[2, 1, 4, 5]),
        &|arrays| arrays.insert(ArrayName::Originals, other(ArrayName::Samples)),
        &|arrays| drop(arrays.remove(ArrayName::Originals)),
        &|arrays| drop(arrays.remove(ArrayName::Samples)),
        &|arrays| drop(arrays.remove(ArrayName::LatentMean)),
        &|arrays| arrays.insert(ArrayName::Denoised, other(ArrayName::Denoised)),
        &|arrays| arrays.insert(ArrayName::Corrupted, other(ArrayName::SamplesAggregate)),
        &|arrays| arrays.insert(ArrayName::SamplesMixture, other(ArrayName::LatentMean)),
        &|arrays| {
            arrays.insert(ArrayName::InterpolationLinear, other(ArrayName::InterpolationLinear));
            arrays.insert(ArrayName::InterpolationSpherical, other(ArrayName::Manifold));
        },
        &|arrays| arrays.insert(ArrayName::ManifoldZ1, Array { shape: vec![1, 2], ..other(ArrayName::ManifoldZ1) }),
        &|arrays| arrays.insert(ArrayName::InterpolationAngle, other(ArrayName::InterpolationAngle)),
        &|arrays| arrays.labels = Some(vec![1]),
        &|arrays| arrays.insert(ArrayName::Samples, Array::default()),
    ];
    for change in changes {
        let mut arrays = arrays();
        change(&mut arrays);
        assert!(writer.arrays(&arrays).is_err());
    }
    assert!(!writer.run().arrays_file().exists());
}
