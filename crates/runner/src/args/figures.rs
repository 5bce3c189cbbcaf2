//! What can be typed to draw figures.

use std::path::PathBuf;

use clap::Args;

use crate::args::ExperimentArgs;

/// `elbo figures`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  elbo figures experiments/sweep.yaml
  elbo figures sweep --style icml --only kl-per-dim,reconstructions -o column
  elbo figures sweep --where objective.beta=1 --style width=6.75,font=9,formats=pdf -o paper

Prints the folder of figures (SVG, PDF and PNG), each with its caption as a text; the one of tables
(CSV and LaTeX) lies beside it. With --output nothing but figures is written, into that folder.

A style is `neurips` (5.5 inches, text of 8 points; the default), `icml` (a column of 3.25 inches, 7
points) or `slides` (10 inches, 16 points), or settings: width in inches, font in points, palette
(colour or gray), formats (such as pdf+png). `style` in the experiment is the same.")]
pub struct FiguresArgs {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Only these figures, by kind or by name of the file, such as `loss-curves` or `samples-2`; several by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only of runs with this setting, as in `elbo list`; may be given several times; needs --output
    #[arg(long = "where", value_name = "PATH=VALUE", requires = "output")]
    pub conditions: Vec<String>,
    /// How they look, in the place of the experiment's `style`
    #[arg(long, value_name = "STYLE")]
    pub style: Option<String>,
    /// Folder to write them to, in the place of the experiment's own
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}
