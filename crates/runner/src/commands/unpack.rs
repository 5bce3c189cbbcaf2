//! `elbo unpack`: an ordinary results folder of a pack of records.

use anyhow::Result;
use record::Store;

use crate::args::UnpackArgs;
use crate::outcome::Outcome;
use crate::output;
use crate::text;

/// Makes the folder, and prints the experiment's file in it.
///
/// # Errors
/// If the file is no whole pack, or the folder is there or cannot be written.
pub fn unpack(args: &UnpackArgs) -> Result<Outcome> {
    let folder = args.output.as_path();
    let unpacked = record::unpack(&args.file, folder)?;
    let store = Store::open(folder)?;
    let file = store.kept_experiment_file(&unpacked.sweep);
    output::print(&format!("{}\n", file.display()))?;
    let set = store.kept_sweep(&unpacked.sweep)?.map(|kept| kept.set).unwrap_or_default();
    let file = file.display().to_string();
    let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
    let folder = folder.display().to_string();
    let words = ["elbo", "figures", &file].into_iter().chain(set).chain(["--results", &folder]);
    output::say(&format!(
        "{}; to draw them: {}",
        text::counted(unpacked.n_runs, "run"),
        shlex::try_join(words).unwrap_or_default()
    ));
    Ok(Outcome::Well)
}
