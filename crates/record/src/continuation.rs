//! Which stored run a longer one can go on from.

use spec::Cell;

use crate::checkpoint;
use crate::error::RecordError;
use crate::status::Status;
use crate::store::{ListedRun, Store};

impl Store {
    /// Of these runs the longest that is done, and that training `cell` would pass through the end of, see
    /// [`Cell::goes_on_from`]; `None` where there is no such run with a checkpoint of its end. Runs of another numbers version
    /// are other runs.
    ///
    /// # Errors
    /// If a run's folder cannot be listed.
    pub fn beginning_of<'a>(&self, cell: &Cell, runs: &'a [ListedRun]) -> Result<Option<&'a ListedRun>, RecordError> {
        let is_beginning = |run: &&ListedRun| {
            let shorter = &run.manifest.cell;
            run.status == Status::Done && cell.goes_on_from(shorter) && run.manifest.run_id == shorter.run_id()
        };
        let mut found: Vec<&ListedRun> = runs.iter().filter(is_beginning).collect();
        found.sort_by_key(|run| std::cmp::Reverse(run.manifest.cell.training.epochs));
        for run in found {
            if !checkpoint::by_name(&self.run(&run.manifest.run_id).checkpoint_dir())?.is_empty() {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }
}
