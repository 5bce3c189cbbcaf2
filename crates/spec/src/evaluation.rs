//! What is measured on a trained model beyond what every run records anyway.

use serde::{Deserialize, Serialize};

use crate::de;
use crate::diagnostic::Problem;
use crate::experiment::entry_span;
use crate::fields;
use crate::node::Node;

/// Importance samples per image at most.
pub const MAX_IMPORTANCE_SAMPLES: usize = 1_000_000;

/// An estimate of log p(x) of the test images by importance sampling: the log of the mean over samples z ~ q(z|x) of
/// p(x, z)/q(z|x) (Burda et al. 2016, eq. 8).
///
/// Never part of a run's id: it is measured after training, and a stored model can be measured again with other settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Samples per image.
    pub importance_samples: usize,
    /// Only the first so many test images; all when absent or when there are fewer.
    #[serde(default)]
    pub images: Option<usize>,
}

/// The section `evaluation` of the file, or of an arm whose path is `of`, such as `arms[2].`; none if nothing more is to be measured.
pub(crate) fn read(tree: &Node, of: &str) -> Result<Option<Evaluation>, Problem> {
    let Some(node) = tree.get("evaluation") else { return Ok(None) };
    let evaluation: Option<Evaluation> = de::read(node, &format!("{of}evaluation"), entry_span(tree, "evaluation"))?;
    let limits = evaluation.iter().flat_map(|evaluation| {
        let images = evaluation.images.map(|images| ("images", images, usize::MAX));
        [Some(("importance_samples", evaluation.importance_samples, MAX_IMPORTANCE_SAMPLES)), images]
    });
    for (key, value, most) in limits.flatten() {
        if !(1..=most).contains(&value) {
            let (own, path) = (format!("evaluation.{key}"), format!("{of}evaluation.{key}"));
            let range = if most == usize::MAX { "at least 1".to_owned() } else { format!("from 1 to {most}") };
            let hint = fields::write_at(&own).unwrap_or_default();
            return Err(Problem::new(format!("`{path}` must be {range}, found `{value}`"))
                .at(tree.nearest_span(&["evaluation", key]))
                .path(path)
                .value(value.to_string())
                .hint(format!("write {hint}")));
        }
    }
    Ok(evaluation)
}
