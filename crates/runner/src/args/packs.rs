//! What can be typed to make a pack of records, and a results folder of a pack.

use std::path::PathBuf;

use clap::Args;

use crate::args::ExperimentArgs;
use crate::args::common::FormatArgs;

/// `elbo pack`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo pack experiments/sweep.yaml
  elbo pack closed-form -o results/published/closed-form/records.tar.zst

The file holds what figures, tables, verdicts and the report need of the finished runs, and of
images and latents only those that are drawn. Weights, checkpoints and logs are left out, hence the
report's latent explorer. Numbers are exact; images are rounded to 1/255. The same records give the
same bytes. `elbo unpack` makes a results folder of it; any tar with zstd opens it.

JSON: `file, bytes, name, question, source, launch, n_cells, n_runs, n_pictured, seconds` (of
training), `processors, started, ended`.")]
pub struct PackArgs {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// The file to write [default: the experiment's name with `.tar.zst`]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `elbo unpack`
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  elbo unpack results/published/sweep/records.tar.zst -o sweep-records

Makes an ordinary results folder of what `elbo pack` wrote, for `elbo figures`, `report`, `compare`,
`list` and `show`, and for Python. Prints the experiment's file in it. Models are not in it: nothing
can be sampled or trained further from there.")]
pub struct UnpackArgs {
    /// The file that `elbo pack` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The results folder to make
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}
