//! The images that a plan needs: all of them are looked at before a worker starts, so that nothing is recorded of what cannot be.

use anyhow::{Result, anyhow};
use data::{Fetcher, Folders, Progress, Readiness};
use spec::Cell;

use crate::plan::Plan;

/// Reads every data set of the cells that are to be trained or measured, once each, and downloads what is not here.
///
/// # Errors
/// If one cannot be read or fetched, or a cell's networks do not fit its images.
pub fn make_ready(plan: &Plan, folders: &Folders, progress: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
    look(plan, folders, Some(&Fetcher::default()), progress)?;
    Ok(())
}

/// As [`make_ready`], but downloads nothing: says in a line each what would be.
///
/// # Errors
/// As [`make_ready`].
pub fn would_be_fetched(plan: &Plan, folders: &Folders) -> Result<Vec<String>> {
    look(plan, folders, None, &mut |_| ())
}

fn look(
    plan: &Plan,
    folders: &Folders,
    fetcher: Option<&Fetcher>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<String>> {
    let cells = plan.cells.iter().filter(|planned| planned.cohort.is_some()).map(|planned| &planned.cell);
    let mut seen: Vec<(&spec::Dataset, Readiness)> = Vec::new();
    let mut notes = Vec::new();
    for cell in cells {
        let known = seen.iter().find(|(dataset, _)| *dataset == &cell.dataset).map(|(_, found)| found.clone());
        let found = match known {
            Some(found) => found,
            None => {
                let found = data::check(&cell.dataset, folders, fetcher, progress)?;
                notes.extend(missing(cell, &found));
                seen.push((&cell.dataset, found.clone()));
                found
            }
        };
        if let Readiness::Ready(image) = found {
            let fits = cell.model.layout(image);
            fits.map_err(|error| anyhow!("`{}` does not fit its images: {error}", cell.readable_name()))?;
        }
    }
    notes.dedup();
    Ok(notes)
}

/// Names of files in a sentence.
fn listed(files: &[String]) -> String {
    let quoted: Vec<String> = files.iter().map(|file| format!("`{file}`")).collect();
    spec::listed(&quoted, "and")
}

/// What is not here, where it was looked for, and where it would come from.
fn missing(cell: &Cell, found: &Readiness) -> Option<String> {
    let Readiness::ToFetch { partly, files, searched, from } = found else { return None };
    let name = cell.dataset.name.readable_name();
    if let Some(folder) = partly {
        let folder = folder.display();
        let lacks = match &files[..] {
            [] => format!("`{folder}` holds files of its names, but not its labels"),
            files => format!("`{folder}` lacks {}", listed(files)),
        };
        return Some(format!("{name} is not here, and `elbo sweep` would download it from {from}: {lacks}"));
    }
    let searched: Vec<String> = searched.iter().map(|folder| format!("`{}`", folder.display())).collect();
    Some(format!(
        "{} is not here, and `elbo sweep` would download it from {from}: no `{}` and others in {}",
        name,
        files.first().map(String::as_str).unwrap_or_default(),
        searched.join(", ")
    ))
}
