//! What a run leaves behind is what PyTorch makes of its `model.safetensors`, computed with numpy; needs `ELBO_PYTHON`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Stdio};

use protocol::{CHECKPOINT_EVERY_SECONDS, Job, Task, Threads, WorkerSettings};
use serde_json::Value;
use spec::{Cell, Device};

/// A 784-400-20 model with Bernoulli pixels on gray glyphs: the one of `notebooks/load_in_pytorch.py`.
const CELL: &str = r#"{
    "dataset": { "name": "glyphs", "train_images": 2000 }, "model": { "hidden": [400], "latent_dim": 20 },
    "objective": {}, "training": { "epochs": 1, "batch_size": 32 }
}"#;

#[test]
fn weights_in_pytorchs_layout_give_the_terms_latents_and_reconstructions_on_record() {
    let Some(python) = std::env::var_os("ELBO_PYTHON") else {
        // Written past the capture of a test's output, so that it is seen.
        let test = "weights_in_pytorchs_layout_give_the_terms_latents_and_reconstructions_on_record";
        let hint = "set ELBO_PYTHON to a Python with notebooks/requirements.txt, or run `./just test`";
        writeln!(std::io::stderr(), "SKIPPED: {test}\nhint: {hint}").unwrap();
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (results, cache) = (folder.path().join("results"), folder.path().join("cache"));
    let cell: Cell = serde_json::from_str(CELL).unwrap();
    let mut worker = Command::new(env!("CARGO_BIN_EXE_elbo-train"))
        .env("XDG_CACHE_HOME", &cache)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let settings = WorkerSettings {
        results: results.clone(),
        data: None,
        threads: Threads { count: NonZeroUsize::new(2).unwrap(), asked: true },
        device: Device::Cpu,
        checkpoint_every_seconds: CHECKPOINT_EVERY_SECONDS,
    };
    let job = Job::new(settings, Task::Train, vec![cell.clone()]).to_json().unwrap();
    worker.stdin.take().unwrap().write_all(&job).unwrap();
    assert!(worker.wait().unwrap().success());

    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pytorch_layout.py"))
        .arg(results.join("runs").join(cell.run_id().to_string()))
        .arg(cache.join("elbo/glyphs/glyphs.h5"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |name: &str| found[name].as_f64().unwrap();
    let modules = ["decoder.0", "decoder.2", "encoder.0", "log_variance", "mean"];
    let names: Vec<String> =
        modules.iter().flat_map(|module| ["bias", "weight"].map(|part| format!("{module}.{part}"))).collect();
    assert_eq!(found["names"], serde_json::json!(names));
    // All that is not sampled agrees up to rounding.
    assert!((number("kl") - number("recorded_kl")).abs() < 1e-3, "{found}");
    for name in ["reconstructions", "means", "log_variances"] {
        assert!(number(&format!("{name}_differ_by")) < 1e-3, "{name}: {found}");
    }
    // The number on record is of one sample of z for each image.
    let difference = (number("elbo") - number("recorded_elbo")).abs();
    assert!(difference < 0.05 + 3.0 * number("noise"), "{found}");
    assert!(number("noise") < 0.25, "{found}");
}
