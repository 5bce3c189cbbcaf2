//! Weights from outside, such as PyTorch's: read from a safetensors file, checked against a model, and measured.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use data::Splits;
use model::Parameters;
use model::parameters::Exported;
use record::{EvaluationRow, Split};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};
use spec::{Cell, Evaluation};
use tch::{Device, Kind, Tensor};

use crate::cohort::Cohort;
use crate::evaluate::{self, At};
use crate::work::image_shape;

/// What is measured on a model with weights from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outside {
    /// A safetensors file in the layout of a run's `model.safetensors`.
    pub file: PathBuf,
    /// Draws of z for each test image that the ELBO is a mean over; at least 1.
    pub samples: usize,
    /// An estimate of log p(x) as well.
    #[serde(default)]
    pub evaluation: Option<Evaluation>,
}

/// Set one replica's parameters from a safetensors file in PyTorch's layout, see [`Parameters::export`]; numbers of
/// half and double precision are converted to single.
///
/// Errors name the file, and every tensor that is missing, unexpected, of another shape or type, or not finite; then
/// nothing has changed.
pub fn import(path: &Path, parameters: &Parameters, replica: usize) -> anyhow::Result<()> {
    let given = read(path)?;
    let in_file = || format!("`{}` does not hold this model's parameters", path.display());
    let expected: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let found: Vec<&str> = given.iter().map(|one| one.name.as_str()).collect();
    let missing = difference(&expected, &found);
    let unexpected = difference(&found, &expected);
    let told: Vec<String> = [("missing", missing), ("unexpected", unexpected)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {}", names.join(", ")))
        .collect();
    ensure!(
        told.is_empty(),
        "{}: {}\nhint: the model's parameters are {}",
        in_file(),
        told.join("; "),
        difference(&expected, &[]).join(", ")
    );
    parameters.import(replica, &given).with_context(in_file)
}

/// Names in backticks that are in `these` and not in `those`.
fn difference(these: &[&str], those: &[&str]) -> Vec<String> {
    these.iter().filter(|name| !those.contains(name)).map(|name| format!("`{name}`")).collect()
}

/// Every tensor of a safetensors file, in single precision and by name.
fn read(path: &Path) -> anyhow::Result<Vec<Exported>> {
    let bytes = fs_err::read(path)?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| {
        anyhow!(
            "cannot read `{}` as safetensors: {error}\nhint: write it with `safetensors.torch.save_file(model.state_dict(), path)`",
            path.display()
        )
    })?;
    let mut tensors = Vec::new();
    for (name, view) in file.iter() {
        let kind = match view.dtype() {
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::F32 => Kind::Float,
            Dtype::F64 => Kind::Double,
            other => bail!("`{name}` in `{}` has the type {other:?}\nhint: save it as float32", path.display()),
        };
        let shape: Vec<i64> = view.shape().iter().map(|&length| length as i64).collect();
        let tensor = Tensor::f_from_data_size(view.data(), &shape, kind)
            .with_context(|| format!("`{name}` in `{}` cannot be read", path.display()))?
            .to_kind(Kind::Float);
        let is_finite = tensor.isfinite().all().int64_value(&[]) == 1;
        ensure!(is_finite, "`{name}` in `{}` holds a value that is not finite in single precision", path.display());
        tensors.push(Exported { name: name.to_owned(), tensor });
    }
    tensors.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(tensors)
}

/// Measures a cell's model with weights from outside on the whole test split: the ELBO, its terms and active units as
/// `evaluation.parquet` has them of a run, and −log p(x) where it is asked for. Nothing is stored. The first draw of z is that of a trained run's evaluation, so
/// that a run's own weights give the numbers on its record.
///
/// Errors when the weights do not fit, the family is not trained by gradients, or a value is not finite.
pub fn measure_outside(
    cell: &Cell,
    outside: &Outside,
    splits: &Splits,
    device: Device,
) -> anyhow::Result<Vec<EvaluationRow>> {
    let Outside { file, samples, evaluation } = outside;
    ensure!(*samples > 0, "no samples of z are asked for\nhint: use 1 or more");
    let cohort = Cohort::new(vec![cell.clone()], image_shape(&splits.test), device)?;
    let model = cohort.model.as_ref();
    import(file, model.parameters(), 0)?;
    let first_epoch = u32::try_from(cell.training.epochs).context("too many epochs")?;
    let mut draws: Vec<Vec<EvaluationRow>> = Vec::new();
    for draw in 0..*samples {
        let epoch = first_epoch.saturating_add(u32::try_from(draw).unwrap_or(u32::MAX));
        let at = At { split: Split::Test, epoch, betas: &[cell.objective.beta], n_train: splits.train.shape.n };
        let sums = evaluate::evaluate(model, &splits.test, &at, device);
        draws.extend(sums.first().map(|sums| evaluate::rows(cell, sums, None, &splits.test)));
    }
    let mut rows = mean_of(draws, *samples);
    if let Some(asked) = evaluation {
        let n_images = asked.images.unwrap_or(usize::MAX).min(splits.test.shape.n);
        let n_samples = asked.importance_samples;
        let estimates =
            evaluate::importance_sampled_nll(model, &splits.test, n_images, n_samples, device, &mut |_| true)
                .context("log p(x) cannot be estimated for a model without a bound\nhint: leave it out")?;
        rows.extend(
            estimates.iter().map(|nll| EvaluationRow::nll(nll.value, nll.standard_error, n_images as u64, n_samples)),
        );
    }
    ensure!(
        !rows.is_empty(),
        "the model of `{}` has neither a bound nor reconstructions to be measured",
        cell.readable_name()
    );
    for row in &rows {
        ensure!(row.value.is_finite(), "`{}` of these weights is not finite", row.metric);
    }
    Ok(rows)
}

/// Each row's mean over draws. Standard errors are over images, of which all draws have the same.
fn mean_of(draws: Vec<Vec<EvaluationRow>>, samples: usize) -> Vec<EvaluationRow> {
    let n = draws.len() as f64;
    let one_sample = serde_json::json!({ "samples": 1 }).to_string();
    let mean = |i: usize, of: fn(&EvaluationRow) -> Option<f64>| -> Option<f64> {
        draws.iter().map(|rows| rows.get(i).and_then(of)).sum::<Option<f64>>().map(|sum| sum / n)
    };
    let Some(first) = draws.first() else { return Vec::new() };
    let merged = |(i, row): (usize, &EvaluationRow)| EvaluationRow {
        value: mean(i, |row| Some(row.value)).unwrap_or(f64::NAN),
        standard_error: mean(i, |row| row.standard_error),
        settings: if row.settings == one_sample {
            serde_json::json!({ "samples": samples }).to_string()
        } else {
            row.settings.clone()
        },
        ..row.clone()
    };
    first.iter().enumerate().map(merged).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
