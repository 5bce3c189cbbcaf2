//! `elbo export`: a trained model with its records, in a folder that can be given away.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use record::tensors::TensorFile;
use serde_json::Value;
use spec::Metric;

use crate::args::ExportArgs;
use crate::commands::show::flat_settings;
use crate::commands::weights;
use crate::model::{StoredModel, check_output};
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;
use crate::text;

/// Copies a run into a new folder, and prints where.
///
/// # Errors
/// If the run is not done, the folder exists, or a file cannot be read or written; then there is no folder.
pub fn export(settings: &Settings, args: &ExportArgs) -> Result<Outcome> {
    let folder = args.output.as_path();
    if folder.exists() {
        bail!("`{}` exists already, and nothing is overwritten\nhint: name a new folder", folder.display());
    }
    check_output(folder)?;
    let model = StoredModel::find(settings, &args.run)?;
    let readme = readme(&model)?;
    let name = folder.file_name().with_context(|| format!("`{}` is no name of a folder", folder.display()))?;
    let temporary = folder.with_file_name(format!(".{}.tmp-{}", name.to_string_lossy(), std::process::id()));
    let written = write(&model, &readme, &temporary).and_then(|()| Ok(fs_err::rename(&temporary, folder)?));
    if written.is_err() {
        let _ = fs_err::remove_dir_all(&temporary);
    }
    written?;
    output::print(&format!("{}\n", folder.display()))?;
    Ok(Outcome::Well)
}

fn write(model: &StoredModel<'_>, readme: &str, folder: &Path) -> Result<()> {
    fs_err::create_dir(folder)?;
    let run = &model.run;
    for file in [run.model_file(), run.manifest_file(), run.metrics_file(), run.evaluation_file()] {
        let name = file.file_name().unwrap_or_default();
        fs_err::copy(&file, folder.join(name))?;
    }
    fs_err::write(folder.join("experiment.yaml"), experiment(model)?)?;
    fs_err::write(folder.join("README.md"), readme)?;
    for entry in fs_err::read_dir(folder)? {
        fs_err::File::open(entry?.path())?.sync_all()?;
    }
    Ok(())
}

/// An experiment of this model alone.
fn experiment(model: &StoredModel<'_>) -> Result<String> {
    /// Letters of an experiment's name, at most.
    const MOST: usize = 64;
    let name = model.manifest.name.replace('.', "-");
    let name = if name.len() > MOST { format!("run-{}", model.run.id()) } else { name };
    let measures = match weights::is_measurable(&model.manifest.cell) {
        true => {
            "# `elbo evaluate experiment.yaml --weights model.safetensors` measures this model again, with as many samples as asked\n\
             # for; `elbo sweep experiment.yaml` trains it anew.\n"
        }
        false => "# `elbo sweep experiment.yaml` trains this model anew.\n",
    };
    let mut text = format!("{measures}name: {name}\n");
    if let Value::Object(sections) = serde_json::to_value(&model.manifest.cell)? {
        for (section, settings) in &sections {
            writeln!(text, "{section}: {}", text::flow(settings))?;
        }
    }
    Ok(text)
}

fn readme(model: &StoredModel<'_>) -> Result<String> {
    let (manifest, run) = (&model.manifest, &model.run);
    let (image, name, evaluation) = (model.image_shape()?, &manifest.name, run.evaluation()?);
    let metrics: BTreeSet<Metric> = evaluation.iter().map(|row| row.metric).collect();
    let mut text = format!("# {name}\n\nRun `{}`, trained by elbo", run.id());
    if let Some(git) = &manifest.provenance.git {
        write!(text, " at commit `{}`", git.commit)?;
    }
    write!(
        text,
        " on images of {} × {} pixels (height × width) with {}. Numbers are means over images: {}.\n\n",
        image.height,
        image.width,
        text::counted(image.channels, "channel"),
        text::units(metrics, Metric::name)
    )?;
    let uses = match weights::is_measurable(&manifest.cell) {
        true => "`elbo evaluate` and `elbo sweep`",
        false => "`elbo sweep`",
    };
    text += "| file | what it holds |\n|---|---|\n| `model.safetensors` | the parameters, single precision |\n";
    writeln!(text, "| `experiment.yaml` | its settings, for {uses} |")?;
    text += "| `run.json` | the whole configuration, code, versions and machine |\n\
             | `metrics.parquet` | one row per epoch and split |\n\
             | `evaluation.parquet` | numbers measured on the trained model |\n";
    text +=
        "\n## Parameters\n\nWeights of dense layers are `[out, in]`, as in PyTorch.\n\n| name | shape |\n|---|---|\n";
    let stored = TensorFile::read(&run.model_file());
    for tensor in stored.map_err(|error| anyhow!(run.unreadable_model(&error.to_string())))?.tensors {
        let lengths: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
        writeln!(text, "| `{}` | `[{}]` |", tensor.name, lengths.join(","))?;
    }
    text +=
        "\n```python\nfrom safetensors.torch import load_file\n\nparameters = load_file(\"model.safetensors\")\n```\n";
    text += "\n## Settings\n\n| setting | value |\n|---|---|\n";
    for (path, value) in flat_settings(&manifest.cell) {
        writeln!(text, "| `{path}` | `{}` |", text::value(&value))?;
    }
    text +=
        "\n## Numbers\n\n| metric | split | value | standard error | images | settings |\n|---|---|---|---|---|---|\n";
    for row in evaluation {
        let decimals = row.metric.about().decimals.max(3);
        let error = row.standard_error.map(|error| format!("{error:.decimals$}")).unwrap_or_default();
        let (split, settings) = (row.split.as_str(), row.settings.to_json());
        writeln!(text, "| {} | {split} | {:.decimals$} | {error} | {} | `{settings}` |", row.metric, row.value, row.n)?;
    }
    Ok(text)
}
