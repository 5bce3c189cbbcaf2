//! A quick look: what `--set` made shorter takes with it what could no longer be as the file has it.

use crate::check::RawCell;
use crate::objective::ObjectiveKind;
use crate::sweep::Assignment;

/// Shortens what would last longer than the epochs, or hold out more images, than `--set` leaves; what was set itself stays and
/// is refused if it is wrong. One sentence is added for each value that changed.
pub(super) fn shorten(cell: &mut RawCell, set: &[Assignment], notes: &mut Vec<String>) {
    let is_set = |path: &str| set.iter().any(|one| one.path == path || path.starts_with(&format!("{}.", one.path)));
    let mut change = |path: &str, value: &mut usize, most: usize, since: &str| {
        if *value > most && !is_set(path) {
            let note = format!("`{path}` is {most} rather than {value} here, since `--set {since}` leaves no more");
            if !notes.contains(&note) {
                notes.push(note);
            }
            *value = most;
        }
    };
    if is_set("training.epochs") {
        let (epochs, objective) = (cell.training.epochs.max(1), &mut cell.objective);
        let since = format!("training.epochs={epochs}");
        if objective.warm_up_epochs > 0 && objective.warm_up_epochs.saturating_mul(objective.cycles) > epochs {
            change("objective.cycles", &mut objective.cycles, epochs, &since);
            let most = (epochs / objective.cycles.max(1)).max(1);
            change("objective.warm_up_epochs", &mut objective.warm_up_epochs, most, &since);
        }
        if let ObjectiveKind::Capacity { rise_epochs, .. } = &mut objective.kind {
            change("objective.kind.capacity.rise_epochs", rise_epochs, epochs, &since);
        }
    }
    if let Some(images) = cell.dataset.train_images.filter(|_| is_set("dataset.train_images"))
        && cell.dataset.validation >= images
    {
        let since = format!("dataset.train_images={images}");
        change("dataset.validation", &mut cell.dataset.validation, images / 10, &since);
    }
}
