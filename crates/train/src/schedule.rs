//! What changes while training, as pure functions of the step.

use spec::{Objective, ObjectiveKind, Schedule, Training};

/// Epochs of training behind a step, with the fraction of the one at hand.
pub fn progress(epoch: u32, step_in_epoch: u64, steps_per_epoch: u64) -> f64 {
    f64::from(epoch) + step_in_epoch as f64 / steps_per_epoch.max(1) as f64
}

/// β after so many epochs of training: it rises linearly from 0 over the warm-up epochs, then stays; with several cycles
/// it starts anew in each of them (Fu et al. 2019).
pub fn beta(objective: &Objective, training: &Training, progress: f64) -> f64 {
    if objective.warm_up_epochs == 0 {
        return objective.beta;
    }
    let cycle = training.epochs as f64 / objective.cycles.max(1) as f64;
    let within = if progress < training.epochs as f64 { progress % cycle } else { cycle };
    objective.beta * (within / objective.warm_up_epochs as f64).min(1.0)
}

/// Whether the objective with which the evaluated splits are measured after so many epochs is the one that is minimised in the
/// end: β and a capacity, which change with the epochs, have arrived.
pub fn is_final(objective: &Objective, training: &Training, epoch: u32, steps_per_epoch: u64) -> bool {
    // The weights are those of the epoch's last step.
    let last = progress(epoch.saturating_sub(1), steps_per_epoch.saturating_sub(1), steps_per_epoch);
    let has_risen = match objective.kind {
        ObjectiveKind::Capacity { rise_epochs, .. } => epoch as usize >= rise_epochs,
        ObjectiveKind::Elbo
        | ObjectiveKind::FreeBits { .. }
        | ObjectiveKind::ImportanceWeighted { .. }
        | ObjectiveKind::TotalCorrelation
        | ObjectiveKind::Mmd { .. } => true,
    };
    has_risen && beta(objective, training, last) == objective.beta
}

/// What the step size is multiplied with after so many epochs of training.
pub fn rate(schedule: &Schedule, training: &Training, progress: f64) -> f64 {
    match schedule {
        Schedule::Constant => 1.0,
        Schedule::Steps { after, factor } => {
            factor.powi(after.iter().filter(|&&epochs| progress >= epochs as f64).count() as i32)
        }
        Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress / training.epochs.max(1) as f64).cos()),
        Schedule::Burda => {
            let (mut stage, mut end) = (0, 1.0);
            while progress >= end {
                stage += 1;
                end += 3f64.powi(stage);
            }
            10f64.powf(-f64::from(stage) / 7.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(epochs: usize) -> Training {
        Training { epochs, ..Training::default() }
    }

    #[test]
    fn beta_warms_up_linearly_then_stays() {
        let objective = Objective { beta: 4.0, warm_up_epochs: 2, ..Objective::default() };
        let at = |epoch, step| beta(&objective, &training(20), progress(epoch, step, 10));
        assert_eq!([at(0, 0), at(0, 5), at(1, 0), at(2, 0), at(9, 3)], [0.0, 1.0, 2.0, 4.0, 4.0]);
        let objective = Objective { beta: 0.5, ..Objective::default() };
        assert_eq!(beta(&objective, &training(20), 0.0), 0.5);
    }

    #[test]
    fn the_objective_is_final_once_beta_and_the_capacity_have_arrived() {
        let finals = |objective: Objective, steps: u64| -> Vec<u32> {
            (1..=8).filter(|&epoch| is_final(&objective, &training(8), epoch, steps)).collect()
        };
        let plain = Objective { beta: 4.0, ..Objective::default() };
        assert_eq!(finals(plain, 10), [1, 2, 3, 4, 5, 6, 7, 8]);
        // The last step of the second epoch is not quite there.
        assert_eq!(finals(Objective { warm_up_epochs: 2, ..plain }, 10), [3, 4, 5, 6, 7, 8]);
        assert_eq!(finals(Objective { warm_up_epochs: 2, cycles: 2, ..plain }, 10), [3, 4, 7, 8]);
        let kind = ObjectiveKind::Capacity { nats: 25.0, rise_epochs: 7 };
        assert_eq!(finals(Objective { kind, ..plain }, 10), [7, 8]);
    }

    #[test]
    fn beta_warms_up_anew_in_every_cycle_and_ends_at_its_value() {
        let objective = Objective { beta: 1.0, warm_up_epochs: 5, cycles: 2, ..Objective::default() };
        let at = |progress| beta(&objective, &training(20), progress);
        assert_eq!([at(0.0), at(2.5), at(5.0), at(9.9)], [0.0, 0.5, 1.0, 1.0]);
        assert_eq!([at(10.0), at(12.5), at(15.0), at(20.0)], [0.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn the_step_size_falls_as_its_schedule_says() {
        assert_eq!(rate(&Schedule::Constant, &training(4), 3.0), 1.0);
        let cosine = |progress| rate(&Schedule::Cosine, &training(4), progress);
        assert!((cosine(0.0) - 1.0).abs() < 1e-12 && (cosine(2.0) - 0.5).abs() < 1e-12 && cosine(4.0).abs() < 1e-12);
        let burda = |progress| rate(&Schedule::Burda, &training(3280), progress);
        // Stages begin after 0, 1, 4, 13, 40, 121, 364 and 1093 epochs.
        for (stage, start) in [0.0, 1.0, 4.0, 13.0, 40.0, 121.0, 364.0, 1093.0].into_iter().enumerate() {
            assert!((burda(start) - 10f64.powf(-(stage as f64) / 7.0)).abs() < 1e-12, "stage {stage}");
        }
        assert_eq!(burda(3279.9), burda(1093.0));
        let schedule = Schedule::Steps { after: vec![2, 3, 9], factor: 0.5 };
        let steps = |progress| rate(&schedule, &training(4), progress);
        assert_eq!([steps(0.0), steps(1.9), steps(2.0), steps(3.9)], [1.0, 1.0, 0.5, 0.25]);
    }
}
