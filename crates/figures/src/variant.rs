//! What the variants of a spec are called in labels and titles: `masked pixels, fraction 0.5` for `{ masking: { fraction: 0.5 } }`.

use serde_json::Value;

use crate::axis::number;
use crate::setting::words;

/// By path and word of the spec.
const TITLES: &[(&str, &str, &str)] = &[
    ("dataset.pixels", "gray", "gray pixels"),
    ("dataset.pixels", "binary", "binary pixels"),
    ("dataset.pixels", "static", "pixels binarised once"),
    ("dataset.pixels", "dynamic", "pixels binarised each epoch"),
    ("model.kind", "vae", "VAE"),
    ("model.kind", "autoencoder", "autoencoder"),
    ("model.kind", "gan", "GAN"),
    ("model.kind", "vae-gan", "VAE-GAN"),
    ("model.kind", "gaussian-mixture", "Gaussian mixture over pixels"),
    ("model.kind.gan.regulariser", "spectral-norm", "spectral normalisation"),
    ("model.kind.gan.regulariser", "gradient-penalty", "gradient penalty"),
    ("model.kind.vae-gan.regulariser", "spectral-norm", "spectral normalisation"),
    ("model.kind.vae-gan.regulariser", "gradient-penalty", "gradient penalty"),
    ("model.net", "mlp", "dense layers"),
    ("model.net", "conv", "convolutional"),
    ("model.activation", "relu", "ReLU"),
    ("model.activation", "tanh", "tanh"),
    ("model.activation", "softplus", "softplus"),
    ("model.activation", "gated", "gated units"),
    ("model.init", "pytorch", "PyTorch's initial weights"),
    ("model.init", "xavier", "Xavier's initial weights"),
    ("model.latent", "gaussian", "Gaussian latents"),
    ("model.latent", "bernoulli", "latent bits"),
    ("model.prior", "standard", "prior N(0, I)"),
    ("model.prior", "mixture", "mixture prior"),
    ("model.prior", "vamp", "VampPrior"),
    ("model.prior", "flow", "flow prior"),
    ("model.likelihood", "bernoulli", "Bernoulli"),
    ("model.likelihood", "continuous-bernoulli", "continuous Bernoulli"),
    ("model.likelihood", "gaussian", "Gaussian"),
    ("model.likelihood", "laplace", "Laplace"),
    ("model.likelihood", "gaussian-shared", "Gaussian with one σ"),
    ("model.likelihood", "gaussian-per-pixel", "Gaussian with a σ per pixel"),
    ("model.likelihood", "gaussian-spectral", "Gaussian with a σ per frequency"),
    ("model.likelihood", "discretised-logistic", "discretised logistic"),
    ("model.corruption", "none", "no corruption"),
    ("model.corruption", "gaussian", "Gaussian noise"),
    ("model.corruption", "masking", "masked pixels"),
    ("model.corruption", "salt-and-pepper", "salt and pepper"),
    ("objective.kind", "elbo", "β-VAE"),
    ("objective.kind", "free-bits", "free bits"),
    ("objective.kind", "capacity", "capacity"),
    ("objective.kind", "importance-weighted", "importance-weighted bound"),
    ("objective.kind", "total-correlation", "total correlation"),
    ("objective.kind", "mmd", "MMD"),
    ("objective.gradient", "reparametrised", "reparametrised"),
    ("objective.gradient", "detached", "z detached"),
    ("objective.gradient", "score-function", "score function"),
    ("objective.kl_parts", "both", "whole KL"),
    ("objective.kl_parts", "variance", "KL of variances alone"),
    ("objective.kl_parts", "mean", "KL of means alone"),
    ("optimizer.adam.schedule", "constant", "constant learning rate"),
    ("optimizer.adam.schedule", "steps", "learning rate in steps"),
    ("optimizer.adam.schedule", "cosine", "cosine learning rate"),
    ("optimizer.adam.schedule", "burda", "Burda's learning rate"),
];

/// The variant at a path, with its settings; `None` where it has no title.
pub fn told(path: &str, value: &Value) -> Option<String> {
    let title = |word: &str| TITLES.iter().find(|(of, known, _)| *of == path && *known == word).map(|title| title.2);
    match value {
        Value::Number(weight) if path == "model.kind.vae-gan.weight" => {
            Some(format!("reconstruction weight {}", words(&Value::Number(weight.clone()))))
        }
        Value::String(word) => title(word).map(str::to_owned),
        Value::Object(variant) => {
            let (word, settings) = variant.iter().next()?;
            let setting = |(name, value): (&String, &Value)| {
                told(&format!("{path}.{word}.{name}"), value).unwrap_or_else(|| field(&name.replace('_', " "), value))
            };
            let settings = settings.as_object().into_iter().flatten().map(setting);
            Some(std::iter::once(title(word)?.to_owned()).chain(settings).collect::<Vec<_>>().join(", "))
        }
        _ => None,
    }
}

/// A setting by its name: `5 components`, `σ = 0.5`, `learning rate 0.001`.
pub fn field(name: &str, value: &Value) -> String {
    let said = match value {
        Value::String(word) => word.replace('-', " "),
        other => words(other),
    };
    match name {
        "components" | "samples" | "couplings" | "cycles" | "nats" if value.is_number() => {
            format!("{said} {}", if said == "1" { name.trim_end_matches('s') } else { name })
        }
        // The square root of a round variance is told by the variance.
        "sigma" => match value.as_f64().and_then(round_variance) {
            Some(variance) => format!("σ² = {variance}"),
            None => format!("σ = {said}"),
        },
        "rise epochs" => format!("rising over {said} epochs"),
        "epochs" => format!("{said} {}", if said == "1" { "epoch" } else { name }),
        // These words say of themselves what they are.
        "variance" | "gradient" if value.is_string() => said,
        _ => format!("{name} {said}"),
    }
}

/// σ² in short where σ is none: `0.1` for 0.31622776601683794.
fn round_variance(sigma: f64) -> Option<String> {
    let variance = number((sigma * sigma * 1e10).round() / 1e10);
    (number(sigma).len() > 8 && variance.len() <= 6).then_some(variance)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variants_are_told_in_words_and_their_settings_too() {
        let told = |path: &str, value: Value| told(path, &value).unwrap_or_default();
        assert_eq!(told("model.corruption", json!({ "masking": { "fraction": 0.5 } })), "masked pixels, fraction 0.5");
        assert_eq!(
            told("model.likelihood", json!({ "gaussian-shared": { "variance": "optimal" } })),
            "Gaussian with one σ, optimal"
        );
        assert_eq!(told("model.likelihood", json!({ "gaussian": { "sigma": 0.1 } })), "Gaussian, σ = 0.1");
        let root = json!({ "gaussian": { "sigma": 0.1f64.sqrt() } });
        assert_eq!(told("model.likelihood", root), "Gaussian, σ² = 0.1");
        let bound = json!({ "importance-weighted": { "samples": 50, "gradient": "doubly-reparametrised" } });
        assert_eq!(told("objective.kind", bound), "importance-weighted bound, doubly reparametrised, 50 samples");
        let gan = json!({ "gan": { "regulariser": "spectral-norm" } });
        assert_eq!(told("model.kind", gan), "GAN, spectral normalisation");
        let both = json!({ "vae-gan": { "regulariser": { "gradient-penalty": { "weight": 10 } }, "weight": 0.1 } });
        assert_eq!(told("model.kind", both), "VAE-GAN, gradient penalty, weight 10, reconstruction weight 0.1");
        assert_eq!(told("model.hidden", json!([400])), "");
    }

    /// What an error about an unknown word lists is what a spec takes there.
    #[test]
    fn every_word_that_a_spec_takes_has_a_title() {
        let plain = json!({
            "dataset": { "name": "glyphs" }, "model": { "hidden": [8], "latent_dim": 2 },
            "objective": {}, "optimizer": { "adam": {} }, "training": {},
        });
        let mut paths: Vec<&str> =
            TITLES.iter().map(|(path, ..)| *path).filter(|path| !path.contains("regulariser")).collect();
        paths.dedup();
        for path in paths {
            let mut cell = plain.clone();
            let mut place = &mut cell;
            for key in path.split('.') {
                place = &mut place[key];
            }
            *place = json!("no-such-word");
            let complaint =
                serde_json::from_value::<spec::Cell>(cell).err().map(|error| error.to_string()).unwrap_or_default();
            let listed = complaint.split_once("expected").map_or("", |(_, listed)| listed);
            let words: Vec<&str> = listed.split('`').skip(1).step_by(2).collect();
            assert!(words.len() > 1, "{path}: {complaint}");
            for word in words {
                assert!(TITLES.iter().any(|(of, known, _)| *of == path && *known == word), "`{word}` of {path}");
            }
        }
    }
}
