//! A quick look: what `--set` made shorter takes with it what could no longer be as the file has it.

use crate::check::RawCell;
use crate::diagnostic::Problem;
use crate::node::Node;
use crate::objective::ObjectiveKind;
use crate::sweep::Assignment;
use crate::training::Keep;

/// A share of the epochs that the file asks for: `--set training.epochs=25%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EpochShare(u32);

impl EpochShare {
    /// Reads `25%`; `None` for what is no share of the epochs.
    pub fn read(node: &Node) -> Result<Option<EpochShare>, Problem> {
        let Some(written) = node.word().and_then(|word| word.trim().strip_suffix('%')) else { return Ok(None) };
        match written.trim().parse() {
            Ok(percent @ 1..=100) => Ok(Some(EpochShare(percent))),
            _ => Err(Problem::new("a share of the epochs must be a whole number from 1% to 100%")
                .at(node.span)
                .path("training.epochs")
                .value(node.written())
                .hint("write `25%` for a quarter of the epochs that the file asks for, or a number of epochs")),
        }
    }

    /// In percent.
    pub fn percent(self) -> u32 {
        self.0
    }

    /// So much of these epochs, one at least.
    fn of(self, epochs: usize) -> usize {
        (epochs.saturating_mul(self.0 as usize) / 100).max(1)
    }
}

/// Takes `share` of a cell's epochs, and shortens what would last longer than the epochs, or hold out more images, than `--set` leaves; what was set itself stays and
/// is refused if it is wrong. One sentence is added for each value that changed.
pub(super) fn shorten(cell: &mut RawCell, set: &[Assignment], share: Option<EpochShare>, notes: &mut Vec<String>) {
    if let Some(share) = share {
        cell.training.epochs = share.of(cell.training.epochs);
    }
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
    if share.is_some() || is_set("training.epochs") {
        let (epochs, objective) = (cell.training.epochs.max(1), &mut cell.objective);
        let since = match share {
            Some(share) => format!("training.epochs={}%", share.percent()),
            None => format!("training.epochs={epochs}"),
        };
        // The best epoch is one on which β is whole, so that one at least is left after the warm-up.
        let left = usize::from(matches!(cell.training.keep, Keep::Best { .. }));
        let lasts = objective.warm_up_epochs.saturating_add(left).saturating_mul(objective.cycles);
        if objective.warm_up_epochs > 0 && lasts > epochs {
            change("objective.cycles", &mut objective.cycles, epochs, &since);
            let most = (epochs / objective.cycles.max(1)).max(1) - left;
            change("objective.warm_up_epochs", &mut objective.warm_up_epochs, most, &since);
            if objective.warm_up_epochs == 0 {
                change("objective.cycles", &mut objective.cycles, 1, &since);
            }
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
