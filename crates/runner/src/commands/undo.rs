//! `elbo undo`: brings back the runs that were moved to the trash last.

use anyhow::{Result, bail};
use record::trash::Batch;

use crate::outcome::Outcome;
use crate::output;
use crate::settings::Settings;
use crate::text;

/// Brings them back, and says which.
///
/// # Errors
/// If there is nothing to bring back, or files cannot be moved.
pub fn undo(settings: &Settings) -> Result<Outcome> {
    let store = settings.store()?;
    let Some(batch) = Batch::latest(&store)? else {
        bail!(
            "there is no run in `{}`\nhint: only what `elbo rm` or `elbo gc --delete` removed can be brought back, until the trash is emptied",
            store.trash_dir().display()
        );
    };
    let restored = batch.restore(&store)?;
    store.rebuild_index()?;
    for id in &restored.back {
        let name = store.run(id).manifest().map(|manifest| manifest.name).unwrap_or_default();
        output::print(&format!("{id}  {name}\n"))?;
    }
    output::say(&format!("{} brought back", text::counted(restored.back.len(), "run")));
    if !restored.taken.is_empty() {
        let ids: Vec<&str> = restored.taken.iter().map(|id| id.as_str()).collect();
        output::say(&format!(
            "trained anew meanwhile, and left as they are: {}\nhint: what was removed of them lies in `{}`",
            ids.join(", "),
            batch.folder().display()
        ));
    }
    Ok(Outcome::Well)
}
