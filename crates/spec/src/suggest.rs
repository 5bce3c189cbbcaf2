//! "Did you mean": the nearest of some allowed words.

/// What other programs call things.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("lr", "learning_rate"),
    ("rate", "learning_rate"),
    ("eps", "epsilon"),
    ("batch", "batch_size"),
    ("n_epochs", "epochs"),
    ("latent", "latent_dim"),
    ("latent_size", "latent_dim"),
    ("z_dim", "latent_dim"),
    ("n_latent", "latent_dim"),
    ("layers", "hidden"),
    ("hidden_dims", "hidden"),
    ("hidden_sizes", "hidden"),
    ("std", "sigma"),
    ("scale", "sigma"),
    ("warmup", "warm_up_epochs"),
    ("kl_weight", "beta"),
    ("normal", "gaussian"),
    ("mse", "gaussian"),
    ("bce", "bernoulli"),
    ("binary", "static"),
    ("binarized", "static"),
    ("fmnist", "fashion-mnist"),
    ("gpu", "cuda"),
    ("float32", "f32"),
    ("single", "f32"),
    ("workers", "jobs"),
    ("data", "dataset"),
    ("samples", "importance_samples"),
    ("elbo", "negative-elbo"),
    ("plots", "figures"),
    ("if", "when"),
    ("conditions", "when"),
    ("n", "count"),
    ("range", "integer"),
    ("randint", "integer"),
    ("loguniform", "log-uniform"),
];

/// The allowed word nearest to `word`, if any is near enough to have been meant.
pub(crate) fn nearest<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance is quadratic, so a word that is far too long is not compared at all.
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    let plain = simplify(word);
    let n_chars = plain.chars().count();
    let allowed: Vec<&str> = allowed.into_iter().collect();
    let meant = OTHER_NAMES.iter().filter(|(name, _)| simplify(name) == plain).map(|(_, meant)| *meant);
    if let Some(meant) = meant.flat_map(|meant| allowed.iter().find(|candidate| **candidate == meant)).next() {
        return Some(meant);
    }
    allowed
        .into_iter()
        // Insertions, deletions, replacements and swaps of neighbours.
        .map(|candidate| (strsim::osa_distance(&plain, &simplify(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count().max(n_chars) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a`, `b`, `c`, each in backticks.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A hint made of a suggestion, if there is one, and all that is allowed.
pub(crate) fn hint(word: &str, allowed: &[&str], all: &str) -> String {
    let suggestion = nearest(word, allowed.iter().copied()).map(|near| format!("did you mean `{near}`? "));
    format!("{}{all} {}", suggestion.unwrap_or_default(), list(allowed.iter().copied()))
}

fn simplify(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let allowed = ["glyphs", "mnist", "fashion-mnist"];
        assert_eq!(nearest("minst", allowed), Some("mnist"));
        assert_eq!(nearest("MNIST", allowed), Some("mnist"));
        assert_eq!(nearest("fashion_mnist", allowed), Some("fashion-mnist"));
        assert_eq!(nearest("cifar10", allowed), None);
        assert_eq!(nearest("", allowed), None);
        assert_eq!(nearest(&"m".repeat(100_000), allowed), None);
    }
}
