//! Every family as a run: what it records, and that it goes on where it was stopped.

use protocol::{Event, Task};
use record::{ArrayName, MetricsRow, Status, Store};
use serde_json::{Value, json};
use spec::{Cell, Metric, Split};

use crate::support::{cell, end, images, job, metrics, outcome, signal, start_job, status, train, wait_for};

/// A cell on the small images with other settings of the model and the objective.
fn variant(images: &std::path::Path, model: &Value, objective: &Value, epochs: usize) -> Cell {
    let mut whole = serde_json::to_value(cell(images, 3, 1, epochs)).unwrap();
    for (section, changes) in [("model", model), ("objective", objective)] {
        whole[section].as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    }
    serde_json::from_value(whole).unwrap()
}

fn mixture(images: &std::path::Path, components: usize, epochs: usize) -> Cell {
    let mut whole = serde_json::to_value(cell(images, 3, 1, epochs)).unwrap();
    whole["model"] = json!({ "kind": { "gaussian-mixture": { "components": components } } });
    serde_json::from_value(whole).unwrap()
}

fn train_rows(rows: &[MetricsRow]) -> Vec<&MetricsRow> {
    rows.iter().filter(|row| row.split == Split::Train).collect()
}

fn term(row: &MetricsRow, metric: Metric) -> Option<f64> {
    row.terms.get(metric)
}

#[test]
fn every_variant_trains_and_is_recorded() {
    let images = images();
    let plain = json!({});
    let cases = [
        (json!({ "kind": "autoencoder" }), plain.clone()),
        (json!({ "kind": "autoencoder", "corruption": { "masking": {} } }), plain.clone()),
        (json!({ "net": { "conv": { "channels": [4, 8] } }, "activation": "gated", "init": "xavier" }), plain.clone()),
        (json!({ "likelihood": { "gaussian-per-pixel": { "floor": 0.05 } } }), plain.clone()),
        (json!({ "likelihood": { "gaussian-spectral": {} } }), plain.clone()),
        (json!({ "likelihood": { "gaussian-shared": { "variance": "optimal" } } }), plain.clone()),
        (json!({ "likelihood": "discretised-logistic" }), plain.clone()),
        (
            json!({ "likelihood": { "continuous-bernoulli": {} }, "corruption": { "salt-and-pepper": {} } }),
            plain.clone(),
        ),
        (
            json!({ "latent": { "bernoulli": { "anneal_epochs": 2 } } }),
            json!({ "kind": { "capacity": { "nats": 2.0, "rise_epochs": 2 } } }),
        ),
        (json!({ "prior": { "mixture": { "components": 4 } } }), json!({ "warm_up_epochs": 1, "cycles": 2 })),
        (
            json!({ "prior": { "vamp": { "components": 5 } } }),
            json!({ "kind": { "importance-weighted": { "samples": 3 } } }),
        ),
        (
            plain.clone(),
            json!({ "kind": { "importance-weighted": { "samples": 3, "gradient": "doubly-reparametrised" } } }),
        ),
        (json!({ "kind": "autoencoder", "latent_noise": 0.1 }), plain.clone()),
        (plain.clone(), json!({ "gradient": "detached" })),
        (plain.clone(), json!({ "gradient": "score-function", "samples": 2 })),
        (plain.clone(), json!({ "kl_parts": "mean" })),
        (plain.clone(), json!({ "kind": "total-correlation", "beta": 3.0 })),
        (plain.clone(), json!({ "kind": { "mmd": { "weight": 10.0 } }, "beta": 0.0 })),
        (plain.clone(), json!({ "kind": { "free-bits": { "nats": 0.1 } } })),
    ];
    let results = tempfile::tempdir().unwrap();
    for (model, objective) in cases {
        let cell = variant(images.path(), &model, &objective, 3);
        let name = format!("{model} {objective}");
        train(results.path(), std::slice::from_ref(&cell));
        assert_eq!(status(results.path(), &cell), Status::Done, "{name}");
        let rows = metrics(results.path(), &cell);
        let is_variational = cell.model.kind == spec::ModelKind::Vae;
        let are_bits = matches!(cell.model.latent, spec::Latent::Bernoulli { .. });
        for row in &rows {
            // Relaxed bits with the KL of bits are no bound.
            let is_relaxed = are_bits && row.split == Split::Train;
            assert_eq!(term(row, Metric::Elbo).is_some(), is_variational && !is_relaxed, "{name}");
            assert_eq!(term(row, Metric::Kl).is_some(), is_variational, "{name}");
            assert_eq!(term(row, Metric::Reconstruction).is_some(), !is_relaxed, "{name}");
            // The images of the training split were each seen under other weights; an autoencoder has no distribution of z.
            let has_variances = is_variational && row.split != Split::Train;
            assert_eq!(row.latent_mean_variance.len(), if has_variances { 3 } else { 0 }, "{name}");
            let active = row.latent_mean_variance.iter().filter(|&&variance| variance > 0.01).count();
            assert_eq!(term(row, Metric::ActiveUnits), has_variances.then_some(active as f64), "{name}");
            let sums = is_variational && cell.model.prior == spec::Prior::Standard;
            assert_eq!(row.kl_per_dim.len(), if sums { 3 } else { 0 }, "{name}");
            let (samples, batch) = (cell.objective_samples().map(|n| n as u32), cell.objective_batch());
            assert_eq!((row.objective_samples, row.objective_batch), (samples, batch.map(|n| n as u32)), "{name}");
            let bound = term(row, Metric::ImportanceBound);
            assert_eq!(bound.is_some(), samples == Some(3), "{name}: {row:?}");
            if let Some(bound) = bound {
                let objective = term(row, Metric::Objective).unwrap();
                assert!((bound + objective).abs() < 1e-4 * bound.abs(), "{name}: at β = 1 it is minus the bound");
                assert!(bound > term(row, Metric::Elbo).unwrap(), "{name}: three samples tighten the ELBO");
            }
            if let (Some(elbo), Some(reconstruction), Some(kl)) =
                (term(row, Metric::Elbo), term(row, Metric::Reconstruction), term(row, Metric::Kl))
            {
                assert!((elbo + reconstruction + kl).abs() < 1e-4 * elbo.abs().max(1.0), "{name}");
            }
        }
        let split = if are_bits { Split::Test } else { Split::Train };
        let reconstructions: Vec<f64> = rows
            .iter()
            .filter(|row| row.split == split)
            .map(|row| term(row, Metric::Reconstruction).unwrap())
            .collect();
        assert!(reconstructions[2] < reconstructions[0], "{name}: it learns");
        let run = Store::open(results.path()).unwrap().run(&cell.run_id());
        assert!(run.model_file().exists() && run.arrays().is_ok(), "{name}");
        let metrics: Vec<Metric> = run.evaluation().unwrap().into_iter().map(|row| row.metric).collect();
        assert_eq!(metrics.contains(&Metric::Elbo), is_variational, "{name}: {metrics:?}");
        let held_out = run.evaluation().unwrap().into_iter().find(|row| row.metric == Metric::ImportanceBound);
        assert_eq!(held_out.is_some(), cell.objective_samples() == Some(3), "{name}");
        if let Some(row) = held_out {
            assert_eq!(row.settings.to_json(), r#"{"samples":3}"#);
            assert_eq!(
                Some(row.value),
                term(rows.last().unwrap(), Metric::ImportanceBound),
                "{name}: the last epoch's"
            );
        }
        assert_eq!(metrics.contains(&Metric::LatentLogDensity), !are_bits, "{name}: {metrics:?}");
    }
}

#[test]
fn a_mixture_is_fitted_with_a_rising_likelihood() {
    let images = images();
    let results = tempfile::tempdir().unwrap();
    let cell = mixture(images.path(), 4, 8);
    train(results.path(), std::slice::from_ref(&cell));
    assert_eq!(status(results.path(), &cell), Status::Done);
    let rows = metrics(results.path(), &cell);
    let likelihoods: Vec<f64> = train_rows(&rows).iter().map(|row| term(row, Metric::Elbo).unwrap()).collect();
    assert_eq!(likelihoods.len(), 8);
    assert!(likelihoods.windows(2).all(|pair| pair[1] >= pair[0] - 1e-6 * pair[0].abs()), "{likelihoods:?}");
    let run = Store::open(results.path()).unwrap().run(&cell.run_id());
    let arrays = run.arrays().unwrap();
    assert_eq!(arrays.get(ArrayName::Samples).unwrap().shape, [100, 1, 10, 10]);
    let evaluation = run.evaluation().unwrap();
    let nll = evaluation.iter().find(|row| row.metric == Metric::Nll).unwrap().value;
    let last = rows.iter().rfind(|row| row.split == Split::Test).unwrap();
    assert!((nll + term(last, Metric::Elbo).unwrap()).abs() < 1e-9);
}

/// What is kept beside the trained parameters, and a mixture's state, come back from a checkpoint too.
#[test]
fn a_stopped_variant_goes_on_bit_for_bit() {
    let images = images();
    let optimal = json!({ "likelihood": { "gaussian-shared": { "variance": "optimal" } } });
    let cells = [
        variant(images.path(), &optimal, &json!({}), 6),
        variant(
            images.path(),
            &json!({ "latent": { "bernoulli": {} }, "corruption": { "masking": {} } }),
            &json!({}),
            6,
        ),
        variant(images.path(), &json!({ "kind": { "gan": {} } }), &json!({}), 6),
        variant(
            images.path(),
            &json!({ "kind": { "vae-gan": { "regulariser": { "gradient-penalty": {} } } } }),
            &json!({}),
            6,
        ),
        mixture(images.path(), 5, 200),
    ];
    for cell in cells {
        let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        train(whole.path(), std::slice::from_ref(&cell));
        let mut worker = start_job(&job(parts.path(), Task::Train, std::slice::from_ref(&cell)).to_json().unwrap());
        wait_for(&mut worker, |event| matches!(event, Event::Epoch { epoch: 2.., .. }));
        signal(&worker, "-TERM");
        assert_eq!(end(worker), 143, "{}", cell.readable_name());
        train(parts.path(), std::slice::from_ref(&cell));
        assert!(outcome(whole.path(), &cell) == outcome(parts.path(), &cell), "{}", cell.readable_name());
    }
}

/// What a GAN does not have is absent everywhere: no bound, no reconstructions, no latents.
#[test]
fn adversarial_families_train_and_record_what_they_have() {
    let images = images();
    let results = tempfile::tempdir().unwrap();
    let conv = json!({ "kind": { "gan": {} }, "net": { "conv": { "channels": [4, 8] } } });
    let penalty = json!({ "gradient-penalty": { "weight": 1.0 } });
    for model in [
        json!({ "kind": { "gan": {} } }),
        json!({ "kind": { "gan": { "regulariser": penalty } } }),
        conv,
        json!({ "kind": { "vae-gan": {} } }),
    ] {
        let cell = variant(images.path(), &model, &json!({}), 1);
        train(results.path(), std::slice::from_ref(&cell));
        let has_encoder = matches!(cell.model.kind, spec::ModelKind::VaeGan { .. });
        for row in &metrics(results.path(), &cell) {
            assert_eq!(term(row, Metric::Elbo).is_some(), has_encoder, "{model}");
            assert_eq!(term(row, Metric::Reconstruction).is_some(), has_encoder, "{model}");
            assert_eq!(term(row, Metric::Kl).is_some(), has_encoder, "{model}");
            assert_eq!(term(row, Metric::ActiveUnits).is_some(), has_encoder && row.split != Split::Train, "{model}");
            assert!(
                term(row, Metric::Discriminator).unwrap() > 0.0 && term(row, Metric::Objective).unwrap() > 0.0,
                "{model}"
            );
        }
        let run = Store::open(results.path()).unwrap().run(&cell.run_id());
        let file = record::tensors::TensorFile::read(&run.model_file()).unwrap();
        let names: Vec<&str> = file.tensors.iter().map(|one| one.name.as_str()).collect();
        let generator = if has_encoder { "decoder.0.weight" } else { "generator.0.weight" };
        assert!(names.contains(&generator) && names.contains(&"discriminator.0.weight"), "{names:?}");
        assert_eq!(names.contains(&"discriminator.0.u"), !model.to_string().contains("penalty"), "{names:?}");
        let arrays = run.arrays().unwrap();
        let samples = arrays.get(ArrayName::Samples).unwrap();
        assert_eq!(samples.shape, [100, 1, 10, 10], "{model}");
        assert!(samples.values.iter().all(|value| (0.0..=1.0).contains(value)), "{model}");
        assert_eq!(arrays.get(ArrayName::Reconstructions).is_some(), has_encoder, "{model}");
        assert_eq!(arrays.get(ArrayName::LatentMean).is_some(), has_encoder, "{model}");
        let evaluation = run.evaluation().unwrap();
        let sharpness =
            evaluation.iter().filter(|row| row.metric == Metric::Sharpness && row.settings.decode.is_none());
        let sharpness: Vec<String> = sharpness.map(|row| row.settings.to_json()).collect();
        let expected = [r#"{"of":"data"}"#, r#"{"of":"reconstructions"}"#, r#"{"of":"samples"}"#];
        let expected: Vec<&str> = expected.into_iter().filter(|of| has_encoder || !of.contains("rec")).collect();
        assert_eq!(sharpness, expected, "{model}");
        assert_eq!(evaluation.iter().any(|row| row.metric == Metric::Elbo), has_encoder, "{model}");
    }
}
