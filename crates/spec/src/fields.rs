//! Every path of a cell with what may stand there: what hints are made of.

use crate::suggest;

/// The parts of a spec that make a cell; only these can be swept.
pub(crate) const SECTIONS: [&str; 5] = ["dataset", "model", "objective", "optimizer", "training"];

/// Every top-level key.
pub(crate) const TOP_LEVEL: [&str; 11] = [
    "name",
    "dataset",
    "model",
    "objective",
    "optimizer",
    "training",
    "execution",
    "sweep",
    "evaluation",
    "reference",
    "figures",
];

/// A path of a cell.
pub(crate) struct Field {
    pub path: &'static str,
    /// What to write, as a clause that follows "write ".
    pub write: &'static str,
}

const fn field(path: &'static str, write: &'static str) -> Field {
    Field { path, write }
}

/// In the order of `cell.rs`; a test compares the two.
pub(crate) const FIELDS: &[Field] = &[
    field(
        "dataset.name",
        "`glyphs`, `mnist`, `fashion-mnist`, `{ hdf5: PATH }`, `{ idx: FOLDER }` or `{ folder: FOLDER }`",
    ),
    field("dataset.pixels", "`gray`, `static` or `dynamic`"),
    field("dataset.validation", "how many training images are held out, such as `10000`; `0` for none"),
    field("dataset.seed", "a whole number, such as `0`"),
    field("dataset.train_images", "how many training images are used, such as `1000`; leave it out for all"),
    field("dataset.test_images", "how many test images are used, such as `1000`; leave it out for all"),
    field(
        "model.kind",
        "`vae`, `autoencoder`, `{ gaussian-mixture: { components: 10 } }`, `gan` or `{ vae-gan: { weight: 1 } }`",
    ),
    field("model.kind.gaussian-mixture.components", "how many components the mixture has, such as `10`"),
    field("model.kind.gaussian-mixture.floor", "the smallest standard deviation, such as `0.01`"),
    field("model.kind.gan.regulariser", "`spectral-norm` or `{ gradient-penalty: { weight: 10 } }`"),
    field("model.kind.gan.regulariser.gradient-penalty.weight", "the weight of the penalty, such as `10`"),
    field("model.kind.vae-gan.regulariser", "`spectral-norm` or `{ gradient-penalty: { weight: 10 } }`"),
    field("model.kind.vae-gan.regulariser.gradient-penalty.weight", "the weight of the penalty, such as `10`"),
    field("model.kind.vae-gan.weight", "the weight of the reconstruction for the decoder, such as `1`"),
    field("model.net", "`mlp` or `{ conv: { channels: [32, 64, 128] } }`"),
    field("model.net.conv.channels", "the channels after each convolution as a list, such as `[32, 64, 128]`"),
    field("model.net.conv.kernel", "the kernels' height and width, such as `3`"),
    field("model.net.conv.stride", "by how much a convolution shrinks the image, such as `2`"),
    field("model.hidden", "the widths of the encoder's hidden layers as a list, such as `[400]` or `[500, 500]`"),
    field("model.activation", "`relu`, `tanh`, `softplus` or `gated`"),
    field("model.init", "`pytorch` or `xavier`"),
    field("model.latent_dim", "the width of the latent space, such as `20`"),
    field(
        "model.latent",
        "`gaussian` or `{ bernoulli: { temperature: 1, final_temperature: 0.5, anneal_epochs: 10 } }`",
    ),
    field("model.latent.bernoulli.temperature", "the temperature at the start, such as `1`"),
    field("model.latent.bernoulli.final_temperature", "the temperature at the end of the annealing, such as `0.5`"),
    field("model.latent.bernoulli.anneal_epochs", "over how many epochs the temperature falls, such as `10`"),
    field("model.prior", "`standard`, `{ mixture: { components: 10 } }` or `{ vamp: { components: 500 } }`"),
    field("model.prior.mixture.components", "how many components the prior has, such as `10`"),
    field("model.prior.vamp.components", "how many pseudo-inputs the prior has, such as `500`"),
    field(
        "model.likelihood",
        "`bernoulli`, `continuous-bernoulli`, `{ gaussian: { sigma: 1 } }`, `gaussian-shared`, `gaussian-per-pixel` or `discretised-logistic`",
    ),
    field("model.likelihood.gaussian.sigma", "a standard deviation, such as `1` or `0.1`"),
    field("model.likelihood.gaussian-shared.variance", "`learned` or `optimal`"),
    field("model.likelihood.gaussian-per-pixel.floor", "the smallest standard deviation, such as `0.01`"),
    field(
        "model.corruption",
        "`none`, `{ gaussian: { sigma: 0.5 } }`, `{ masking: { fraction: 0.5 } }` or `{ salt-and-pepper: { fraction: 0.5 } }`",
    ),
    field("model.corruption.gaussian.sigma", "a standard deviation, such as `0.5`"),
    field("model.corruption.masking.fraction", "a probability, such as `0.5`"),
    field("model.corruption.salt-and-pepper.fraction", "a probability, such as `0.5`"),
    field(
        "objective.kind",
        "`elbo`, `free-bits`, `capacity`, `{ importance-weighted: { samples: 50 } }`, `total-correlation` or `{ mmd: { weight: 100 } }`",
    ),
    field("objective.kind.free-bits.nats", "the KL that each dimension has for free, such as `0.5`"),
    field("objective.kind.capacity.nats", "the capacity C at its end, such as `25`"),
    field("objective.kind.capacity.rise_epochs", "over how many epochs the capacity rises, such as `10`"),
    field("objective.kind.importance-weighted.samples", "samples of z for each image, such as `50`"),
    field("objective.kind.importance-weighted.gradient", "`reparametrised` or `doubly-reparametrised`"),
    field("objective.kind.mmd.weight", "the weight of the discrepancy, such as `100`"),
    field("objective.beta", "the weight of the KL term, such as `1`"),
    field("objective.warm_up_epochs", "over how many epochs β rises from 0, such as `10`; `0` for no warm-up"),
    field("objective.cycles", "how many times the warm-up is gone through, such as `4`; `1` for once"),
    field("optimizer.adam.learning_rate", "a step size, such as `1e-3`"),
    field("optimizer.adam.beta1", "a number from 0 to below 1, such as `0.9`"),
    field("optimizer.adam.beta2", "a number from 0 to below 1, such as `0.999`"),
    field("optimizer.adam.epsilon", "a small number above 0, such as `1e-8`"),
    field(
        "optimizer.adam.schedule",
        "`constant`, `cosine`, `burda` or `{ steps: { after: [100, 150], factor: 0.1 } }`",
    ),
    field("optimizer.adam.schedule.steps.after", "the epochs after which the step size falls, such as `[100, 150]`"),
    field("optimizer.adam.schedule.steps.factor", "what the step size is multiplied with, such as `0.1`"),
    field("training.epochs", "a whole number from 1, such as `20`"),
    field("training.batch_size", "a whole number from 1, such as `128`"),
    field("training.seed", "a whole number, such as `0`"),
    field("training.precision", "`f32`"),
    // Not of a cell, but written in the same file.
    field("name", "a name of lowercase letters, digits and hyphens, such as `latent-dims`"),
    field("execution.jobs", "how many cohorts train at once, such as `2`; leave it out for as many as fit"),
    field("execution.threads", "how many threads every worker uses, such as `1`; leave it out for a fair share"),
    field("execution.cohort", "how many cells train together at most, such as `8`"),
    field("execution.device", "`cpu` or `cuda`"),
    field("evaluation", "`{ importance_samples: 5000 }`; leave it out to measure nothing more"),
    field("evaluation.importance_samples", "how many samples estimate log p(x) of each image, such as `5000`"),
    field("evaluation.images", "how many test images it is estimated on, such as `1000`; leave it out for all"),
    field("reference.set_up", "the published set-up in a few words"),
    field("reference.rows", "a list of published numbers, each `{ id: A, metric: negative-elbo, published: …, … }`"),
    field("reference.rows.id", "a short name for the row, such as `D1`"),
    field(
        "reference.rows.metric",
        "`negative-elbo`, `reconstruction`, `kl`, `nll` (by importance sampling) or `active-units`",
    ),
    field("reference.rows.published", "what was published, as text in quotes, such as `\"105.56 (pytorch/examples)\"`"),
    field("reference.rows.value", "the published number, such as `105.56`"),
    field("reference.rows.tolerance", "how far off still counts as reproduced, such as `0.5`"),
    field("reference.rows.below", "the id of the row whose number is larger"),
    field("reference.rows.where", "the cells that are meant, such as `{ model.latent_dim: 20 }`; leave it out for all"),
    field(
        "reference.rows.full_epochs",
        "the epochs of the published schedule, such as `10`; leave it out if they are not stated",
    ),
    field("reference.rows.note", "what differs from what was published, as text"),
    field("figures", "a list such as `[loss-curves, samples]`; leave it out for every figure that fits, `[]` for none"),
];

/// What to write at a path.
pub(crate) fn write_at(path: &str) -> Option<&'static str> {
    if path.starts_with("dataset.name.") {
        return Some("a path, absolute or relative to the experiment file's folder");
    }
    FIELDS.iter().find(|field| field.path == path).map(|field| field.write)
}

/// As [`write_at`], of a path with the places of items in it, such as `reference.rows[0].id`.
pub(crate) fn write_at_item(path: &str) -> Option<&'static str> {
    write_at(&path.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect::<String>())
}

/// The paths of a cell that end in `key`, such as `model.latent_dim` for `latent_dim`.
pub(crate) fn paths_ending_in(key: &str) -> impl Iterator<Item = &'static str> {
    cell_paths().filter(move |path| path.rsplit('.').next() == Some(key))
}

/// Every path of a cell.
pub(crate) fn cell_paths() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|field| field.path).filter(|path| {
        SECTIONS.iter().any(|section| path.strip_prefix(section).is_some_and(|rest| rest.starts_with('.')))
    })
}

/// "did you mean": the paths that end in the last part of `path`, or the nearest one.
pub(crate) fn meant_by(path: &str) -> Option<String> {
    let (section, key) =
        path.split_once('.').map_or(("", path), |(section, _)| (section, path.rsplit('.').next().unwrap_or(path)));
    let of_section = paths_ending_in(key).find(|whole| whole.split('.').next() == Some(section));
    let meant: Vec<&str> = match of_section {
        Some(whole) => vec![whole],
        None if paths_ending_in(key).next().is_some() => paths_ending_in(key).collect(),
        None => suggest::nearest(path, cell_paths()).into_iter().collect(),
    };
    let meant: Vec<String> = meant.into_iter().map(|path| format!("`{path}`")).collect();
    (!meant.is_empty()).then(|| format!("did you mean {}?", meant.join(" or ")))
}

/// A hint for a path that is no path of a cell.
pub(crate) fn hint_for_path(path: &str) -> String {
    // The settings of a variant are left out here: there are many, and its own hint names them.
    let is_setting =
        |path: &&str| cell_paths().any(|other| path.strip_prefix(other).is_some_and(|rest| rest.starts_with('.')));
    meant_by(path).unwrap_or_else(|| {
        format!("paths that can be swept are {}", suggest::list(cell_paths().filter(|path| !is_setting(path))))
    })
}

/// Whether a path has no default.
pub(crate) fn is_required(path: &str) -> bool {
    path.starts_with("dataset.name") || ["name", "model.hidden", "model.latent_dim"].contains(&path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;

    fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    leaves(value, &format!("{path}.{key}"), found);
                }
            }
            _ => {
                found.insert(path.trim_start_matches('.').to_owned());
            }
        }
    }

    /// A field that is added to `cell.rs` needs its line here.
    #[test]
    fn every_path_of_a_cell_is_listed() {
        let mut found = BTreeSet::new();
        let variants = [
            ("/model/kind", json!({ "gaussian-mixture": {} })),
            ("/model/kind", json!({ "gan": { "regulariser": { "gradient-penalty": {} } } })),
            ("/model/kind", json!({ "gan": {} })),
            ("/model/kind", json!({ "vae-gan": { "regulariser": { "gradient-penalty": {} } } })),
            ("/model/kind", json!({ "vae-gan": {} })),
            ("/model/net", json!({ "conv": { "channels": [8] } })),
            ("/model/latent", json!({ "bernoulli": {} })),
            ("/model/prior", json!({ "mixture": {} })),
            ("/model/prior", json!({ "vamp": {} })),
            ("/model/likelihood", json!({ "gaussian": {} })),
            ("/model/likelihood", json!({ "gaussian-shared": {} })),
            ("/model/likelihood", json!({ "gaussian-per-pixel": {} })),
            ("/model/corruption", json!({ "gaussian": {} })),
            ("/model/corruption", json!({ "masking": {} })),
            ("/model/corruption", json!({ "salt-and-pepper": {} })),
            ("/objective/kind", json!({ "free-bits": {} })),
            ("/objective/kind", json!({ "capacity": {} })),
            ("/objective/kind", json!({ "importance-weighted": {} })),
            ("/objective/kind", json!({ "mmd": {} })),
            ("/optimizer/adam/schedule", json!({ "steps": { "after": [1], "factor": 0.1 } })),
        ];
        for (pointer, variant) in variants {
            // Whether the parts go together is not asked here.
            let mut raw = json!({
                "dataset": { "name": "mnist" },
                "model": { "hidden": [400], "latent_dim": 20, "kind": "vae", "net": "mlp", "latent": "gaussian",
                    "prior": "standard", "likelihood": "bernoulli", "corruption": "none" },
                "objective": { "kind": "elbo" }, "optimizer": { "adam": { "schedule": "constant" } },
                "training": {},
            });
            *raw.pointer_mut(pointer).expect("the part is there") = variant;
            let raw: crate::check::RawCell = serde_json::from_value(raw).expect("every value is of its type");
            let crate::check::RawCell { dataset, model, objective, optimizer, training } = raw;
            let cell = crate::Cell { dataset, model, objective, optimizer, training };
            leaves(&serde_json::to_value(&cell).expect("a cell is JSON"), "", &mut found);
            found.insert(pointer.replace('/', ".").trim_start_matches('.').to_owned());
        }
        assert_eq!(found, cell_paths().map(str::to_owned).collect());
    }
}
