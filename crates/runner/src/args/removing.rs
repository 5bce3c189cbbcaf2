//! What can be typed to remove runs.

use std::path::PathBuf;

use clap::Args;

use crate::args::common::FormatArgs;

/// Whether to ask before something is removed.
#[derive(Args, Clone, Copy, Debug)]
pub struct ConfirmArgs {
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    pub yes: bool,
}

/// `elbo rm`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo rm 3f2a            the run whose id begins so
  elbo rm vae-mnist-z20-b1-s0 --yes

The runs go to the folder `trash` of the results; `elbo undo` brings them back, and
`elbo gc --empty-trash` removes them for good. A run that a process is training stays.")]
pub struct RmArgs {
    /// The runs: readable names, ids, or beginnings of ids
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<String>,
    #[command(flatten)]
    pub confirm: ConfirmArgs,
}

/// `elbo gc`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo gc                      what could go: nothing is removed
  elbo gc --delete             move it to the trash; `elbo undo` brings it back
  elbo gc paper.yaml           also keep what paper.yaml needs
  elbo gc --empty-trash        remove what lies in the trash for good

Kept: every run of a sweep whose folder is in `sweeps` of the results (remove the folder to let go
of its runs), every run that is a cell of an experiment in the folder of experiments, or of one
named here, and every run that a process is training.

JSON: `runs` with `run_id, name, status, bytes`; `leftovers` with `path, bytes`; `bytes`; `deleted`;
`trash` (the folder that they were moved to, or `null`); `unsaid` (sweeps' folders that do not say
which runs they are made of: every run is kept for them).")]
pub struct GcArgs {
    /// Further experiments whose runs are kept
    #[arg(value_name = "EXPERIMENT")]
    pub experiments: Vec<PathBuf>,
    /// The folder of experiments whose runs are kept
    #[arg(long, value_name = "DIR", default_value = "experiments")]
    pub keep: PathBuf,
    /// Move what is found to the trash, after asking
    #[arg(long)]
    pub delete: bool,
    /// Remove all that lies in the trash for good, after asking
    #[arg(long, conflicts_with_all = ["delete", "keep", "experiments", "json"])]
    pub empty_trash: bool,
    #[command(flatten)]
    pub confirm: ConfirmArgs,
    #[command(flatten)]
    pub format: FormatArgs,
}
