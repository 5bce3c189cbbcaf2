//! `elbo evaluate --weights` over a worker that prints rows, or fails.

use std::process::{Command, Stdio};

use crate::support::{Place, Said, wait_for};

const ONE: &str = "
name: one
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
";

/// A worker that keeps what it was given and prints these rows.
const WORKER: &str = r#"cat > given.json
printf '%s' '{"measurements":[{"metric":"elbo","split":"test","value":-105.25,"standard_error":0.5,"n":10000,"settings":{"samples":3}},'
echo '{"metric":"active_units","split":"test","value":2,"standard_error":null,"n":10000,"settings":{}}]}'"#;

fn place(worker: &str) -> Place {
    let place = Place::with_worker(worker);
    place.write("one.yaml", ONE);
    place
}

#[test]
fn the_worker_is_told_what_to_measure_and_its_rows_are_printed() {
    let place = place(WORKER);
    let arguments = "evaluate one.yaml --weights own.safetensors --samples 3 --importance-samples 7 --threads 2";
    let said = place.elbo(arguments);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    insta::assert_snapshot!(said.out);
    let given: serde_json::Value = serde_json::from_str(&place.read("given.json")).unwrap();
    let own = place.path("own.safetensors").display().to_string();
    let asked = serde_json::json!({ "importance_samples": 7, "images": null });
    assert_eq!(given["task"], serde_json::json!({ "weights": { "file": own, "samples": 3, "evaluation": asked } }));
    assert_eq!(given["cells"].as_array().unwrap().len(), 1);
    assert_eq!((&given["settings"]["threads"]["count"], &given["settings"]["device"]), (&2.into(), &"cpu".into()));
    assert!(!place.path("results").exists(), "nothing is stored");

    let json = place.json("evaluate one.yaml --weights own.safetensors --json");
    assert_eq!(json["scale"], "gray-bce");
    assert_eq!(json["rows"][0]["value"], -105.25);
    assert_eq!(json["rows"][0]["settings"]["samples"], 3);
    let given: serde_json::Value = serde_json::from_str(&place.read("given.json")).unwrap();
    assert_eq!(given["task"]["weights"]["evaluation"], serde_json::Value::Null);
    assert_eq!(given["task"]["weights"]["samples"], 1);
}

#[test]
fn a_signal_stops_the_worker_too() {
    let place = place(
        "trap 'echo TERM >> signals; exit 143' TERM; cat > /dev/null; touch ready; while true; do sleep 0.02; done",
    );
    let mut command = place.command("evaluate one.yaml --weights own.safetensors");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&place.path("ready"));
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let said = Said::of(&place, &child.wait_with_output().unwrap());
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(143), "", ""));
    assert_eq!(place.read("signals"), "TERM\n");
}

#[test]
fn what_cannot_be_measured_says_why() {
    let place = place("cat > /dev/null; printf 'error: no tensor `mean.bias`\\nhint: name it\\n' >&2; exit 1");
    let said = |arguments: &str| -> Said { place.elbo(arguments) };
    let failed = said("evaluate one.yaml --weights own.safetensors");
    assert_eq!((failed.code, failed.out.as_str()), (Some(2), ""));
    assert_eq!(failed.err, "error: no tensor `mean.bias`\nhint: name it\n");
    let several = said("evaluate small.yaml --weights own.safetensors");
    assert_eq!(several.code, Some(2));
    assert!(several.err.starts_with("error: weights are of one model, and `small` has 8 cells\nhint: "), "{several:?}");
    for (kind, family) in [("gaussian-mixture", "a Gaussian mixture over pixels"), ("gan", "a GAN")] {
        let width = if kind == "gan" { ", hidden: [8], latent_dim: 2" } else { "" };
        let text = format!("name: one\ndataset: {{ name: glyphs }}\nmodel: {{ kind: {kind}{width} }}\n");
        place.write("family.yaml", &text);
        let refused = said("evaluate family.yaml --weights own.safetensors");
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""));
        assert!(refused.err.contains(family) && refused.err.contains("hint: `elbo show RUN`"), "{refused:?}");
    }
    let without = said("evaluate one.yaml --samples 3");
    assert_eq!(without.code, Some(2));
    assert!(without.err.contains("--weights"), "{without:?}");
}
