//! Ranges of an objective's values.

use super::{Checks, shown};
use crate::cell::Training;
use crate::objective::{Objective, ObjectiveKind};

impl Checks {
    pub(super) fn objective(&mut self, objective: &Objective, training: &Training) {
        let beta = objective.beta;
        if !(0.0..=1e9).contains(&beta) {
            let message =
                format!("`objective.beta` must be finite and not negative (from 0 to 1e9), found `{}`", shown(beta));
            self.complain("objective.beta", message, "write a number such as `1`; `0` leaves the KL free");
        }
        self.within("objective.cycles", objective.cycles, 1..=1_000_000);
        let cycles = objective.cycles.max(1);
        if objective.warm_up_epochs.saturating_mul(cycles) > training.epochs {
            let message = if cycles == 1 {
                format!(
                    "`objective.warm_up_epochs` is `{}`, longer than the {} of training, so β would never be reached",
                    objective.warm_up_epochs,
                    in_epochs(training.epochs)
                )
            } else {
                format!(
                    "`objective.warm_up_epochs` is `{}`, longer than each of the {cycles} cycles of {}, so β would never be reached",
                    objective.warm_up_epochs,
                    in_epochs(training.epochs)
                )
            };
            self.complain(
                "objective.warm_up_epochs",
                message,
                format!("write at most {}, or raise `training.epochs`", training.epochs / cycles),
            );
        }
        if cycles > 1 && objective.warm_up_epochs == 0 {
            let message = format!("`objective.cycles` is `{cycles}`, but there is no warm-up that could be repeated");
            let hint =
                format!("write `warm_up_epochs: {}`, or leave `cycles` out", (training.epochs / cycles / 2).max(1));
            self.complain("objective.cycles", message, hint);
        }
        match objective.kind {
            ObjectiveKind::Elbo | ObjectiveKind::TotalCorrelation => {}
            ObjectiveKind::FreeBits { nats } => self.not_negative("objective.kind.free-bits.nats", nats, "0.5"),
            ObjectiveKind::Capacity { nats, rise_epochs: epochs } => {
                self.not_negative("objective.kind.capacity.nats", nats, "25");
                if epochs > training.epochs {
                    let message = format!(
                        "the capacity rises over `{epochs}` epochs, longer than the {} of training, so it would never be reached",
                        in_epochs(training.epochs)
                    );
                    let hint = format!("write at most {}, or raise `training.epochs`", training.epochs);
                    self.complain("objective.kind.capacity.rise_epochs", message, hint);
                }
            }
            ObjectiveKind::ImportanceWeighted { samples, .. } => {
                self.within("objective.kind.importance-weighted.samples", samples, 1..=100_000);
            }
            ObjectiveKind::Mmd { weight } => self.positive("objective.kind.mmd.weight", weight, "100"),
        }
    }

    fn not_negative(&mut self, path: &str, value: f64, such_as: &str) {
        if !(0.0..=1e9).contains(&value) {
            let message = format!("`{path}` must be finite and not negative (from 0 to 1e9), found `{}`", shown(value));
            self.complain(path, message, format!("write a number such as `{such_as}`"));
        }
    }
}

fn in_epochs(n: usize) -> String {
    if n == 1 { "1 epoch".to_owned() } else { format!("{n} epochs") }
}
