//! What can be typed: the clap types and their help texts, and nothing that acts.

mod common;
mod figures;
mod model;
mod packs;
mod removing;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use spec::Metric;

use crate::args::common::{count, hours};

pub use common::FormatArgs;
pub use figures::FiguresArgs;
pub use model::{
    DecodeArgs, DecoderArg, EncodeArgs, ExportArgs, GivenArgs, InterpolateArgs, ReconstructArgs, SampleArgs,
    TraverseArgs,
};
pub use packs::{PackArgs, UnpackArgs};
pub use removing::{GcArgs, RmArgs};

const EXAMPLES: &str = "\
First steps:
  elbo new my-study --data my-images/   an experiment on your own images
  elbo plan experiments/sweep.yaml      what would be trained, and how long it would take
  elbo sweep experiments/sweep.yaml     train it, draw its figures, write its report
  elbo list                             the runs there are
  elbo compare experiments/sweep.yaml   mean ± 95 % interval over seeds

Numbers are nats per image, means over images, where nothing else is said.
Data goes to standard output, progress to standard error.
Exit codes: 0 all well, 1 some runs failed or another process is training them, 2 usage or spec
error, 130 and 143 stopped by a signal.";

/// Variational autoencoders as experiments: plan, train, compare and draw.
#[derive(Debug, Parser)]
#[command(name = "elbo", version, after_help = EXAMPLES, max_term_width = 110, arg_required_else_help = true)]
pub struct Cli {
    /// Where things are.
    #[command(flatten)]
    pub folders: FolderArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Places")]
pub struct FolderArgs {
    /// Folder of runs, figures and reports
    #[arg(long, global = true, value_name = "DIR", env = "ELBO_RESULTS", default_value = "results")]
    #[arg(hide_env_values = true)]
    pub results: PathBuf,
    /// Folder to look for data sets in, before the cache
    #[arg(long, global = true, value_name = "DIR", env = "ELBO_DATA", hide_env_values = true)]
    pub data: Option<PathBuf>,
}

/// The commands, in the order one meets them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write an experiment to begin with, on your own images or on the embedded digits
    New(NewArgs),
    /// Show every cell of an experiment, which are done, and how long the rest takes
    Plan(PlanArgs),
    /// Train what is not done, then draw figures and write the report
    Sweep(SweepArgs),
    /// Measure more on stored models: log p(x) of the test images by importance sampling
    Evaluate(EvaluateArgs),
    /// List the stored runs
    List(ListArgs),
    /// Show one run: its settings, where it stands, and its numbers
    Show(ShowArgs),
    /// Show what two runs differ in, and their numbers side by side
    Diff(DiffArgs),
    /// Compare an experiment's cells: mean ± 95 % interval over seeds; judge its claims
    Compare(CompareArgs),
    /// Draw an experiment's figures and tables from its records
    Figures(FiguresArgs),
    /// Write an experiment's report, one self-contained HTML page
    #[command(after_help = "\
Example:
  elbo report experiments/sweep.yaml

Prints the page's path.")]
    Report(ExperimentArgs),
    /// Hold stored runs against published numbers, and write the table
    Reproduce(ReproduceArgs),
    /// Make images with a trained model
    Sample(SampleArgs),
    /// Make the images of latents that you name
    Decode(DecodeArgs),
    /// Move each latent dimension through its range, and see what it does
    Traverse(TraverseArgs),
    /// Reconstruct images with a trained model
    Reconstruct(ReconstructArgs),
    /// Make images along the paths between the latents of two images
    Interpolate(InterpolateArgs),
    /// Print what a trained model's encoder says about images
    Encode(EncodeArgs),
    /// Copy a trained model with its records into a folder of its own
    Export(ExportArgs),
    /// Write what figures and tables need of an experiment's records into one small file
    Pack(PackArgs),
    /// Make a results folder of a file that `elbo pack` wrote
    Unpack(UnpackArgs),
    /// Look at the data sets, or fetch one
    Data(DataArgs),
    /// Move runs to the trash
    Rm(RmArgs),
    /// Find stored runs that nothing needs, and move them to the trash
    Gc(GcArgs),
    /// Bring back the runs that the last `elbo rm` or `elbo gc --delete` moved to the trash
    #[command(after_help = "\
Example:
  elbo undo

Once more brings back what was removed before that. A run that was trained anew meanwhile stays as
it is, and what was removed of it stays in the trash.")]
    Undo,
    /// Print a script that completes elbo's commands in a shell
    #[command(after_help = "\
Examples:
  elbo completions bash > ~/.local/share/bash-completion/completions/elbo
  elbo completions fish > ~/.config/fish/completions/elbo.fish")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write elbo's manual pages into a folder
    #[command(after_help = "\
Example:
  elbo man ~/.local/share/man/man1

Prints the folder.")]
    Man {
        /// The folder, which is made if it is not there
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// Which experiment.
#[derive(Args, Clone, Debug)]
pub struct ExperimentArgs {
    /// The experiment's file, or its name in `experiments/`
    #[arg(value_name = "EXPERIMENT")]
    pub experiment: PathBuf,
    /// Change a setting of the experiment, such as `training.epochs=5`; may be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
}

/// `elbo plan`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo plan experiments/sweep.yaml
  elbo plan sweep --set training.epochs=1 --json | jq '.totals'

JSON: `name`; `cells` with `run_id, name, status, reason, epoch, epochs, seconds, rough, cohort`;
`cohorts` with `runs, resume, seconds, threads`; `totals` with a count for each status, and with
`cohorts, jobs, threads, seconds, rough`.

The first plan of a model times a few of its steps, which takes a second or two; what was found is
kept in the cache folder, for this processor and this build.")]
pub struct PlanArgs {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    #[command(flatten)]
    pub format: FormatArgs,
    #[command(flatten)]
    pub execution: ExecutionArgs,
    #[command(flatten)]
    pub retry: RetryArgs,
}

/// How the training is laid out on the machine; none of it changes a result beyond rounding.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Execution")]
pub struct ExecutionArgs {
    /// Training processes at once [default: the experiment's, else from cores and memory]
    #[arg(long, value_name = "N", value_parser = count)]
    pub jobs: Option<usize>,
    /// Threads of each process [default: the experiment's, else one, or more where the model gains from them; asked for, they are kept even beside other work]
    #[arg(long, value_name = "N", value_parser = count)]
    pub threads: Option<usize>,
    /// Cells trained together as one program, at most [default: the experiment's, else from memory, up to 4 on a CPU]
    #[arg(long, value_name = "N", value_parser = count)]
    pub cohort: Option<usize>,
    /// Where to compute: `cpu` or `cuda` [default: the experiment's]
    #[arg(long, value_name = "DEVICE", value_parser = device)]
    pub device: Option<spec::Device>,
}

/// Which runs are trained again.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Execution")]
pub struct RetryArgs {
    /// Try failed runs again, from their last checkpoint where there is one
    #[arg(long)]
    pub retry_failed: bool,
}

/// `elbo sweep`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo sweep experiments/sweep.yaml
  elbo sweep experiments/sweep.yaml --jobs 2 --threads 4
  elbo sweep experiments/sweep.yaml --hours 2   fewer epochs where all of them take longer
  elbo sweep sweep --set training.epochs=1      a quick look, kept apart: its figures and report are
                                                in sweeps/sweep-with-training-epochs-1

Runs that are done are not trained again. Ctrl-C lets every run write a checkpoint and ends; the
same command goes on from there. A second Ctrl-C kills.")]
pub struct SweepArgs {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Train for so many hours at most by the plan's estimate: where that is too little, each cell is trained for a share of its
    /// epochs, and verdicts are marked as shortened; cells and seeds are never cut
    #[arg(long, value_name = "H", value_parser = hours)]
    pub hours: Option<f64>,
    /// Train only: draw no figures and write no report
    #[arg(long)]
    pub no_figures: bool,
    #[command(flatten)]
    pub execution: ExecutionArgs,
    #[command(flatten)]
    pub retry: RetryArgs,
}

/// `elbo evaluate`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo evaluate experiments/reference/d1.yaml
  elbo evaluate sweep --importance-samples 500 --images 1000
  elbo evaluate experiments/reference/c.yaml --weights model.safetensors

Measures what is not on record, as `elbo sweep` does after training: the metrics that every model is
measured by, on runs of an earlier version that lacked some; and what the experiment's `evaluation`
asks for, −log p(x) of the test images by importance sampling (Burda et al. 2016): the metric
`nll`, or `pseudo_nll` of gray pixels under a Bernoulli decoder, where it is no likelihood.
The numbers go into each run's evaluation.parquet.

With --weights, the experiment's single model is measured with the parameters of that file, such as
PyTorch's (`safetensors.torch.save_file(model.state_dict(), path)`, names and shapes as in a run's
model.safetensors): the ELBO, its terms and active units, and −log p(x) if asked for. Nothing is
stored. JSON: `name, weights, scale`, `rows` with
`metric, split, value, standard_error, n, settings`.")]
pub struct EvaluateArgs {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Samples of each image [default: the experiment's]
    #[arg(long, value_name = "N", value_parser = count)]
    pub importance_samples: Option<usize>,
    /// Only the first N test images [default: the experiment's, else all]
    #[arg(long, value_name = "N", value_parser = count)]
    pub images: Option<usize>,
    /// Measure the model with the parameters of this safetensors file, and store nothing
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Draws of z for each image that the ELBO is a mean over
    #[arg(long, value_name = "N", value_parser = count, default_value = "1", requires = "weights")]
    pub samples: usize,
    /// Print JSON with stable keys instead of a table
    #[arg(long, requires = "weights")]
    pub json: bool,
    #[command(flatten)]
    pub execution: ExecutionArgs,
}

/// `elbo list`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo list --dataset mnist --status done
  elbo list --where model.latent_dim=20 --where 'objective.beta>=1' --sort -elbo
  elbo list --json | jq '.runs[].run_id'

JSON: `runs` with `run_id, name, status, reason, epoch, kept_epoch, epochs, scale`; on `split` every
metric of that epoch that the model has, such as `elbo` and `active_units`; `evaluation`, the rows
of what was measured on the trained model; `started, seconds, cell`.")]
pub struct ListArgs {
    /// Only runs on this data set, named as for `elbo data info`: `mnist`, `folder:photos`
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// Only runs of this status
    #[arg(long, value_name = "STATUS", value_parser = ["new", "running", "resumable", "failed", "done"])]
    pub status: Option<String>,
    /// Only runs with this setting, such as `model.latent_dim=20` or `model.likelihood=gaussian`; also != < <= > >=; may be
    /// given several times
    #[arg(long = "where", value_name = "PATH=VALUE")]
    pub conditions: Vec<String>,
    /// What the runs are ordered by.
    #[arg(long, value_name = "KEY", default_value = "name", allow_hyphen_values = true, help = sort_keys())]
    pub sort: String,
    #[command(flatten)]
    pub format: FormatArgs,
}

fn sort_keys() -> String {
    format!(
        "Order by name, id, status, started, seconds, {}, or a path in the spec; `-` before it reverses",
        names(Metric::listed())
    )
}

fn compared_metrics() -> String {
    format!(
        "What to compare: {}; may be given several times [default: {}]",
        names(Metric::all()),
        names(Metric::listed())
    )
}

fn names(metrics: impl Iterator<Item = Metric>) -> String {
    metrics.map(Metric::name).collect::<Vec<_>>().join(", ")
}

/// `elbo show`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo show vae-mnist-z20-b1-s0
  elbo show 3f2a --json | jq '.evaluation'

JSON: the keys of run.json, and `status, reason, epoch, folder, evaluation`.")]
pub struct ShowArgs {
    /// The run: its readable name, its id, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub run: String,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `elbo diff`
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  elbo diff vae-mnist-z2-b1-s0 vae-mnist-z20-b1-s0

JSON: `runs` (two, with `run_id, name, status, scale`); `settings` with `path, a, b`; `metrics` with
`split, metric, a, b, difference` (`null` where the scales differ).")]
pub struct DiffArgs {
    /// One run: its readable name, its id, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub a: String,
    /// The other run
    #[arg(value_name = "RUN")]
    pub b: String,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `elbo compare`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo compare experiments/sweep.yaml
  elbo compare sweep --by objective.beta            one column for each β
  elbo compare sweep --metric kl --metric active_units --where model.latent_dim=20

Runs are averaged over nothing but their seed. Runs on different scales (gray-bce, bernoulli,
gray-levels, gaussian-density) are not comparable: each scale has a table of its own.

JSON: `name, split, scale` (`null` for several); `rows` with `group` (an object from path to value),
`scale, metric, settings, epoch, images` (`null` for the whole split), `mean, standard_deviation,
half_width_95, n`; `findings, warnings`; `judged` (`null` without claims) with `rule, caveat` and
`claims`, each with `id, text, verdict, verdict_holm` and `comparisons`, each with `metric,
settings, log, expect, from, to, less, at, is_step, delta, unit, effect, half_width_95, n`,
`differences` (seed and value), `without` (seeds), `verdict, lack, p_holds, p_fails`.")]
pub struct CompareArgs {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// One column for each value of this path in the spec
    #[arg(long, value_name = "PATH")]
    pub by: Option<String>,
    /// What to compare; may be given several times.
    #[arg(long = "metric", value_name = "METRIC", help = compared_metrics())]
    pub metrics: Vec<String>,
    /// The images it was measured on
    #[arg(long, value_name = "SPLIT", default_value = "test", value_parser = ["train", "validation", "test"])]
    pub split: String,
    /// Only cells with this setting, such as `model.latent_dim=20` or `model.likelihood=gaussian`; also != < <= > >=; may be
    /// given several times
    #[arg(long = "where", value_name = "PATH=VALUE")]
    pub conditions: Vec<String>,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `elbo reproduce`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo reproduce                                copy what the store has, and write the table
  elbo reproduce experiments/reference/a.yaml   copy the runs of one experiment alone
  elbo reproduce --check                        only rebuild the table and compare it

Trains nothing: `elbo sweep` does, and `./just reproduce` both. What the table needs of finished
runs is copied into `records/*.parquet`; the table is made from these records, so that it can be
rebuilt without the runs. An experiment without finished runs keeps its records.")]
pub struct ReproduceArgs {
    /// Experiments whose runs are looked at [default: all with published numbers in `experiments/reference/`]
    #[arg(value_name = "EXPERIMENT")]
    pub experiments: Vec<PathBuf>,
    /// Folder of the table and its records [default: `published` in the results folder]
    #[arg(long, value_name = "DIR")]
    pub published: Option<PathBuf>,
    /// Write nothing; fail if the table is not what its records give
    #[arg(long)]
    pub check: bool,
}

/// `elbo new`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo new my-study --data my-images/   a folder of PNG or JPEG files, flat or a subfolder per label
  elbo new my-study --data images.npz   arrays of NumPy's; HDF5 files and folders of IDX files too
  elbo new my-study                     on the embedded digits

The images are looked at; pixels, likelihood, split and widths are proposed, with the reasons. The
file is written into `experiments/` where there is such a folder, else into the current one.")]
pub struct NewArgs {
    /// What the experiment is called: lowercase letters, digits and hyphens
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// `elbo data`
#[derive(Args, Debug)]
pub struct DataArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DataCommand,
}

/// The commands on data sets.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// List the data sets known by name, and which are here
    List(FormatArgs),
    /// Make a data set ready: look for it, else fetch it, check it, and cache it
    Prepare(DataNameArgs),
    /// Show a data set: where it is, its shape, its factors
    Info(DataInfoArgs),
}

/// Which data set.
#[derive(Args, Debug)]
pub struct DataNameArgs {
    /// The name of a known one, or a kind and a path.
    #[arg(value_name = "NAME", help = data_names())]
    pub name: String,
}

fn data_names() -> String {
    let known: Vec<String> = spec::KNOWN_DATASETS.iter().map(|known| format!("`{}`", known.name)).collect();
    let own: Vec<String> = spec::OwnKind::all().map(|kind| format!("`{}:{}`", kind.word(), kind.place())).collect();
    format!("{}, your own: {}, or a name that `datasets/NAME.yaml` gives", known.join(", "), own.join(", "))
}

/// `elbo data info`
#[derive(Args, Debug)]
pub struct DataInfoArgs {
    #[command(flatten)]
    pub data_set: DataNameArgs,
    #[command(flatten)]
    pub format: FormatArgs,
}

fn device(text: &str) -> Result<spec::Device, String> {
    serde_json::from_value(text.into()).map_err(|_| "expected `cpu` or `cuda`".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::Cli;

    #[test]
    fn no_line_of_a_help_text_is_broken_again() {
        fn check(command: &Command) {
            for line in command.get_after_help().map(ToString::to_string).unwrap_or_default().lines() {
                assert!(line.chars().count() <= 100, "{}: {line}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
