//! `elbo rm`: moves runs to the trash.

use anyhow::Result;
use record::gc::discard_run;
use record::trash::Batch;
use record::{RecordError, Run, Status};

use crate::args::RmArgs;
use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;
use crate::text;

/// Moves them there, after asking.
///
/// # Errors
/// If there is no such run or several may be meant, one is being trained, nobody can be asked, or files cannot be moved.
pub fn rm(settings: &Settings, args: &RmArgs) -> Result<Outcome> {
    let store = settings.store()?;
    let mut runs: Vec<Run> = Vec::new();
    for text in &args.runs {
        let run = store.find_only(text)?;
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    for run in &runs {
        // A run whose record cannot be read is a reason to remove it.
        let name = run.manifest().map(|manifest| manifest.name).unwrap_or_default();
        let status = run.status();
        if let Ok(Status::Running { pid }) = status {
            return Err(RecordError::Locked { run: run.id().clone(), pid }.into());
        }
        let status = status.map_or("unreadable", |status| status.word());
        output::say(&format!("{}  {name}  {status}", run.id()));
    }
    for sweep in store.sweeps()? {
        let n = sweep.runs.iter().flatten().filter(|&id| runs.iter().any(|run| run.id() == id)).count();
        if n > 0 {
            let shown = if runs.len() == 1 { "this run".to_owned() } else { format!("{n} of them") };
            output::say(&format!("`{}` shows {shown}", sweep.path.display()));
        }
    }
    let what = format!("move {} to the trash", text::counted(runs.len(), "run"));
    if !output::is_confirmed(&what, args.confirm.yes)? {
        output::say("nothing is removed");
        return Ok(Outcome::Well);
    }
    let batch = Batch::begin(&store, "rm")?;
    for run in &runs {
        discard_run(&batch, run)?;
    }
    store.rebuild_index()?;
    output::print(&format!("{}\n", batch.folder().display()))?;
    let them = if runs.len() == 1 { "it" } else { "them" };
    output::say(&format!("{} moved to the trash; `elbo undo` brings {them} back", text::counted(runs.len(), "run")));
    Ok(Outcome::Well)
}
