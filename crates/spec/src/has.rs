//! Which settings a cell's family has: a cell holds a value for each, but some mean nothing to some families.

use crate::cell::Cell;
use crate::model::ModelKind;

impl Cell {
    /// Whether the setting at a path, such as `objective.beta`, means something for this cell's family.
    pub fn has(&self, path: &str) -> bool {
        // Exhaustive, so that a new family is thought about here.
        let lacks: &[&str] = match self.model.kind {
            ModelKind::Vae | ModelKind::VaeGan { .. } => &[],
            ModelKind::Autoencoder => &["objective", "model.latent", "model.prior"],
            ModelKind::Gan { .. } => {
                &["objective", "model.latent", "model.prior", "model.likelihood", "model.corruption"]
            }
            ModelKind::GaussianMixture { .. } => {
                let is_kind = |path: &str| path == "model.kind" || path.starts_with("model.kind.");
                return is_kind(path) || !within(path, &["model", "objective", "optimizer", "training.batch_size"]);
            }
        };
        !within(path, lacks)
    }
}

/// Whether a path is one of `parents` or lies below one.
fn within(path: &str, parents: &[&str]) -> bool {
    parents.iter().any(|parent| path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_what_they_are_made_of() {
        let cell = |kind: serde_json::Value| -> Cell {
            let model = match kind {
                serde_json::Value::Object(_) => serde_json::json!({ "kind": kind }),
                kind => serde_json::json!({ "kind": kind, "hidden": [8], "latent_dim": 2 }),
            };
            let whole = serde_json::json!({
                "dataset": { "name": "glyphs" }, "model": model,
                "objective": {}, "optimizer": { "adam": {} }, "training": {},
            });
            serde_json::from_value(whole).expect("the cell is valid")
        };
        let (vae, autoencoder) = (cell("vae".into()), cell("autoencoder".into()));
        let mixture = cell(serde_json::json!({ "gaussian-mixture": {} }));
        assert!(vae.has("objective.beta") && vae.has("model.prior") && vae.has("model.latent_dim"));
        assert!(!autoencoder.has("objective.beta") && !autoencoder.has("model.prior.mixture.components"));
        assert!(autoencoder.has("model.latent_dim"), "`model.latent` is another path");
        assert!(!mixture.has("model.latent_dim") && !mixture.has("optimizer.adam.learning_rate"));
        assert!(mixture.has("model.kind.gaussian-mixture.components") && mixture.has("dataset.pixels"));
        assert!(mixture.has("training.seed") && mixture.has("training.epochs"));
    }
}
